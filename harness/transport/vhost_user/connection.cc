// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/vhost_user/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vitro::vhost_user {
namespace {

// The most messages taken from one stream before the caller's deadline is looked at again.
constexpr int kBatch = 64;
// A process that dies closes its socket shortly before it becomes a zombie. So long we wait for the
// second event after the first, to say how it ended.
constexpr milliseconds kDeathGrace{100};

Result<> Poll(std::span<pollfd> fds, Duration at_most) {
  at_most = std::clamp(at_most, Duration{0}, Duration{std::chrono::hours(1)});
  timespec timeout{
      .tv_sec = std::chrono::duration_cast<std::chrono::seconds>(at_most).count(),
      .tv_nsec = (at_most % std::chrono::seconds(1)).count(),
  };
  if (ppoll(fds.data(), fds.size(), &timeout, nullptr) < 0 && errno != EINTR)
    return Fail(ErrorKind::kHarness, "ppoll: {}", strerror(errno));
  return {};
}

}  // namespace

Connection::Connection(UniqueFd socket, std::shared_ptr<Peer> peer, Duration timeout)
    : socket_(std::move(socket)), peer_(std::move(peer)), timeout_(timeout) {}

Result<> Connection::Check() const {
  if (lost_) return tl::make_unexpected(*lost_);
  return {};
}

// Records why the back-end is lost, with how its process ended if it did.
tl::unexpected<Error> Connection::Lose(const Error& error) {
  if (lost_) return tl::make_unexpected(*lost_);
  std::string text = error.message;
  bool closed = socket_.ended();
  Request last = blame_ != Request::kNone ? blame_ : last_sent_;
  if (last != Request::kNone) text += fmt::format(" (last message: {})", Name(last));
  closed_in_peace_ = closed && !text.starts_with("broke");
  if (peer_ != nullptr) {
    if (closed && peer_->exit_fd() >= 0) {
      pollfd exit{peer_->exit_fd(), POLLIN, 0};
      (void)Poll(std::span(&exit, 1), kDeathGrace);
    }
    peer_->Pump();
    std::string ended = peer_->Ended();
    if (!ended.empty()) {
      text += "; " + ended;
      if (!peer_->EndedCleanly()) closed_in_peace_ = false;
    } else if (closed) {
      text += "; its process still runs";
    }
    if (std::string words = peer_->LastWords(); !words.empty())
      text += "; it last printed: " + words;
  }
  lost_ = error.kind == ErrorKind::kHarness
              ? error
              : Error{ErrorKind::kDeviceLost, "the vhost-user back-end " + text};
  socket_.Close();
  channel_.Close();
  return tl::make_unexpected(*lost_);
}

tl::unexpected<Error> Connection::Break(const std::string& how) {
  return Lose({ErrorKind::kDeviceLost, "broke the vhost-user protocol: " + how});
}

Result<> Connection::Transmit(Request request, bool need_reply, ByteView payload,
                              std::span<const int> fds) {
  VITRO_TRY(Check());
  auto sent =
      socket_.Send(static_cast<uint32_t>(request), need_reply ? kFlagNeedReply : 0, payload, fds);
  if (!sent) return Lose(sent.error());
  last_sent_ = request;
  if (socket_.wants_to_send())
    VITRO_TRY(Until([this] { return !socket_.wants_to_send(); }, "read"));
  return {};
}

Result<> Connection::Send(Request request, ByteView payload, std::span<const int> fds) {
  VITRO_TRY(Check());
  if (reply_ack_) expected_.push_back({request, true});
  unconfirmed_ = !reply_ack_;
  return Transmit(request, reply_ack_, payload, fds);
}

Result<Bytes> Connection::Call(Request request, ByteView payload) {
  VITRO_TRY(Check());
  reply_.reset();
  expected_.push_back({request, false});
  VITRO_TRY(Transmit(request, false, payload, {}));
  VITRO_TRY(Until([this] { return reply_.has_value(); }, "answer"));
  unconfirmed_ = false;
  return *std::exchange(reply_, std::nullopt);
}

Result<uint64_t> Connection::CallU64(Request request) {
  VITRO_ASSIGN(Bytes reply, Call(request));
  if (reply.size() != sizeof(uint64_t))
    return Break(fmt::format("a reply of {} bytes to {}, not 8", reply.size(), Name(request)));
  return LoadLe<uint64_t>(reply.data());
}

Result<> Connection::Sync() {
  VITRO_TRY(Check());
  if (unconfirmed_) VITRO_TRY(CallU64(Request::kGetFeatures));
  VITRO_TRY(Until([this] { return expected_.empty(); }, "acknowledge"));
  if (!refused_.empty())
    return Fail(ErrorKind::kRefused, "{}", std::exchange(refused_, std::string()));
  return {};
}

Result<> Connection::SyncTwice() {
  blame_ = last_sent_;
  auto again = CallU64(Request::kGetFeatures);
  blame_ = Request::kNone;
  if (!again) return tl::make_unexpected(again.error());
  return Sync();
}

Result<> Connection::OpenBackendChannel() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return Fail(ErrorKind::kHarness, "socketpair: {}", strerror(errno));
  channel_ = MessageStream(UniqueFd(ends[0]));
  UniqueFd theirs(ends[1]);
  return Send(Request::kSetBackendReqFd, {}, std::span<const int>(&ends[1], 1));
}

Result<> Connection::Until(const std::function<bool()>& done, const char* what) {
  Deadline deadline = Deadline::After(timeout_);
  while (!done()) {
    VITRO_TRY(Wait({}, deadline.Left()));
    if (!done() && deadline.Passed()) {
      Request stuck = expected_.empty() ? last_sent_ : expected_.front().request;
      std::string text = fmt::format("did not {} {} within {} ms", what, Name(stuck),
                                     std::chrono::duration_cast<milliseconds>(timeout_).count());
      // A late answer would be taken for that of a later question: this connection is of no more
      // use.
      auto lost = Lose({ErrorKind::kDeviceLost, text});
      return Fail(ErrorKind::kTimeout, "{}", lost.value().message);
    }
  }
  return {};
}

Result<> Connection::Wait(std::span<pollfd> others, Duration at_most) {
  VITRO_TRY(Check());
  polls_.assign(others.begin(), others.end());
  size_t base = polls_.size();
  auto add = [this](int fd, short events) { polls_.push_back({fd, events, 0}); };  // -1 is ignored
  add(socket_.fd(), static_cast<short>(POLLIN | (socket_.wants_to_send() ? POLLOUT : 0)));
  add(channel_.fd(), static_cast<short>(channel_.wants_to_send() ? POLLOUT : POLLIN));
  add(peer_ != nullptr ? peer_->exit_fd() : -1, POLLIN);
  add(peer_ != nullptr ? peer_->output_fd() : -1, POLLIN);
  VITRO_TRY(Poll(polls_, at_most));
  std::copy_n(polls_.begin(), base, others.begin());
  bool socket_ready = polls_[base].revents != 0, channel_ready = polls_[base + 1].revents != 0;
  bool exited = polls_[base + 2].revents != 0;
  if (polls_[base + 3].revents != 0) peer_->Pump();
  // What a dying process sent before it died still counts.
  if (channel_ready) VITRO_TRY(ServeChannel());
  if (socket_ready) VITRO_TRY(ServeSocket());
  if (exited && !socket_ready && !channel_ready) return Lose({ErrorKind::kDeviceLost, "died"});
  return {};
}

Result<> Connection::ServeSocket() {
  if (socket_.wants_to_send()) {
    auto flushed = socket_.Flush();
    if (!flushed) return Lose(flushed.error());
  }
  for (int i = 0; i < kBatch; ++i) {
    auto message = socket_.TryReceive();
    if (!message) return Lose(message.error());
    if (!*message) return {};
    auto handled = HandleReply(std::move(**message));
    if (!handled) return Lose(handled.error());
  }
  return {};
}

Result<> Connection::HandleReply(Message message) {
  auto broke = [](std::string what) {
    return Fail(ErrorKind::kDeviceLost, "broke the vhost-user protocol: {}", what);
  };
  if (expected_.empty())
    return broke(fmt::format("message {} that nothing asked for", message.request));
  Expected expected = expected_.front();
  if (message.request != static_cast<uint32_t>(expected.request))
    return broke(fmt::format("a reply with id {} to {}", message.request, Name(expected.request)));
  if ((message.flags & kFlagReply) == 0)
    return broke(fmt::format("the reply to {} lacks the reply flag (flags {:#x})",
                             Name(expected.request), message.flags));
  if (!message.fds.empty())
    return broke(fmt::format("{} file descriptor(s) with the reply to {}", message.fds.size(),
                             Name(expected.request)));
  if (expected.is_ack) {
    if (message.payload.size() != sizeof(uint64_t))
      return broke(fmt::format("an acknowledgement of {} bytes to {}, not 8",
                               message.payload.size(), Name(expected.request)));
    uint64_t code = LoadLe<uint64_t>(message.payload.data());
    if (code != 0 && refused_.empty())
      refused_ = fmt::format("the vhost-user back-end refused {} (acknowledged with {:#x})",
                             Name(expected.request), code);
  } else {
    reply_ = std::move(message.payload);
  }
  expected_.pop_front();
  return {};
}

Result<> Connection::ServeChannel() {
  for (int i = 0; i < kBatch; ++i) {
    if (channel_.wants_to_send()) {
      auto flushed = channel_.Flush();
      // Whoever does not read our replies gets no further answer, but holds up nothing else.
      if (!flushed || channel_.wants_to_send()) {
        if (!flushed) channel_.Close();
        return {};
      }
    }
    auto message = channel_.TryReceive();
    if (!message) {
      // Only a channel that closes between two messages closes by right.
      if (!channel_.ended() || message.error().message.find("middle") != std::string::npos)
        return Lose({message.error().kind, message.error().message + ", on the back-end channel"});
      channel_.Close();
      return {};
    }
    if (!*message) return {};
    auto handled = HandleRequest(**message);
    if (!handled) return Lose(handled.error());
  }
  return {};
}

Result<> Connection::HandleRequest(const Message& message) {
  auto broke = [](std::string what) {
    return Fail(ErrorKind::kDeviceLost, "broke the vhost-user protocol: {}", what);
  };
  if ((message.flags & kFlagReply) != 0)
    return broke(fmt::format("a reply (id {}) on the back-end channel", message.request));
  if (!message.fds.empty())
    return broke(fmt::format("{} file descriptor(s) with back-end request {}", message.fds.size(),
                             message.request));
  switch (static_cast<BackendRequest>(message.request)) {
    case BackendRequest::kConfigChangeMsg:
      if (!message.payload.empty()) {
        // Some send a zeroed payload along; nothing in it means anything.
        if (message.payload.size() > sizeof(ConfigHeader) + kMaxConfigSize)
          return broke(fmt::format("CONFIG_CHANGE_MSG with {} bytes", message.payload.size()));
      }
      ++config_changes_;
      break;
    case BackendRequest::kVringCall:
    case BackendRequest::kVringErr:
      VITRO_TRY(HandleRingRequest(message));
      break;
    case BackendRequest::kIotlbMsg:
      if (iotlb_) break;
      [[fallthrough]];
    default:
      return broke(fmt::format("back-end request {}, which was not negotiated", message.request));
  }
  if ((message.flags & kFlagNeedReply) == 0) return {};
  uint64_t success = 0;
  auto sent =
      channel_.Send(message.request, kFlagReply,
                    ByteView(reinterpret_cast<const uint8_t*>(&success), sizeof success), {});
  if (!sent) channel_.Close();
  return {};
}

Result<> Connection::HandleRingRequest(const Message& message) {
  bool is_call = message.request == static_cast<uint32_t>(BackendRequest::kVringCall);
  const char* name = is_call ? "VRING_CALL" : "VRING_ERR";
  if (calls_.empty())
    return Fail(ErrorKind::kDeviceLost,
                "broke the vhost-user protocol: {} without INBAND_NOTIFICATIONS", name);
  if (message.payload.size() != sizeof(VringState))
    return Fail(ErrorKind::kDeviceLost, "broke the vhost-user protocol: {} of {} bytes, not {}",
                name, message.payload.size(), sizeof(VringState));
  auto state = LoadLe<VringState>(message.payload.data());
  if (state.index >= calls_.size())
    return Fail(ErrorKind::kDeviceLost, "broke the vhost-user protocol: {} for queue {} of {}",
                name, state.index, calls_.size());
  if (is_call)
    ++calls_[state.index];
  else
    ++ring_errors_;
  return {};
}

}  // namespace vitro::vhost_user
