// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/vhost_user/message_stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "harness/virtio/vhost_user.h"

namespace vitro::vhost_user {
namespace {

bool IsDisconnect(int error) { return error == ECONNRESET || error == EPIPE || error == ENOTCONN; }

}  // namespace

// Fills in_ up to `size` bytes; false if they are not all there yet.
Result<bool> MessageStream::ReadTo(size_t size) {
  while (in_.size() < size) {
    size_t have = in_.size();
    in_.resize(size);  // at most kHeaderSize + kMaxPayload: the caller has checked
    iovec vec{in_.data() + have, size - have};
    // Room for one more descriptor than allowed, so that too many are seen and not merely cut off.
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * (kMaxFds + 1))];
    msghdr header{};
    header.msg_iov = &vec;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t count = recvmsg(fd(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int error = errno;
    in_.resize(have + static_cast<size_t>(count > 0 ? count : 0));
    if (count < 0 && error == EINTR) continue;
    if (count < 0 && (error == EAGAIN || error == EWOULDBLOCK)) return false;
    if (count == 0 || (count < 0 && IsDisconnect(error))) {
      ended_ = true;
      if (!in_.empty())
        return Fail(ErrorKind::kDeviceLost, "closed the connection in the middle of a message");
      return Fail(ErrorKind::kDeviceLost, "closed the connection");
    }
    if (count < 0)
      return Fail(ErrorKind::kHarness, "cannot read the vhost-user socket: {}", strerror(error));
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
      size_t fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < fds; ++i)
        in_fds_.emplace_back(LoadLe<int>(CMSG_DATA(c) + i * sizeof(int)));
    }
    if ((header.msg_flags & MSG_CTRUNC) != 0 || in_fds_.size() > kMaxFds)
      return Fail(ErrorKind::kDeviceLost,
                  "broke the vhost-user protocol: more than {} file descriptors in one message",
                  kMaxFds);
  }
  return true;
}

Result<std::optional<Message>> MessageStream::TryReceive() {
  VITRO_ASSIGN(bool header_there, ReadTo(std::max<size_t>(kHeaderSize, in_.size())));
  if (!header_there) return std::nullopt;
  Message message;
  message.request = LoadLe<uint32_t>(in_.data());
  message.flags = LoadLe<uint32_t>(in_.data() + 4);
  uint32_t size = LoadLe<uint32_t>(in_.data() + 8);
  if ((message.flags & kFlagVersionMask) != kFlagVersion)
    return Fail(
        ErrorKind::kDeviceLost,
        "broke the vhost-user protocol: message {} with flags {:#x}, whose version is not 1",
        message.request, message.flags);
  if (size > kMaxPayload)
    return Fail(ErrorKind::kDeviceLost,
                "broke the vhost-user protocol: message {} announces {} bytes of payload",
                message.request, size);
  VITRO_ASSIGN(bool all_there, ReadTo(kHeaderSize + size));
  if (!all_there) return std::nullopt;
  message.payload.assign(in_.begin() + kHeaderSize, in_.end());
  message.fds = std::move(in_fds_);
  in_.clear();
  in_fds_.clear();
  return message;
}

Result<> MessageStream::Send(uint32_t request, uint32_t flags, ByteView payload,
                             std::span<const int> fds) {
  // One message with descriptors may wait at a time: they belong to a place in the stream.
  if (wants_to_send() && !fds.empty() && !out_fds_.empty())
    return Fail(ErrorKind::kHarness, "two messages with descriptors queued on a full socket");
  if (!wants_to_send()) {
    out_.clear();
    sent_ = 0;
    out_fds_.clear();
  }
  if (!fds.empty()) {
    fds_at_ = out_.size();
    out_fds_.assign(fds.begin(), fds.end());
  }
  size_t at = out_.size();
  out_.resize(at + kHeaderSize + payload.size());
  StoreLe(out_.data() + at, request);
  StoreLe(out_.data() + at + 4, flags | kFlagVersion);
  StoreLe(out_.data() + at + 8, static_cast<uint32_t>(payload.size()));
  if (!payload.empty()) std::memcpy(out_.data() + at + kHeaderSize, payload.data(), payload.size());
  return Flush();
}

Result<> MessageStream::Flush() {
  while (wants_to_send()) {
    bool with_fds = !out_fds_.empty() && sent_ >= fds_at_;
    size_t end = !out_fds_.empty() && sent_ < fds_at_ ? fds_at_ : out_.size();
    iovec vec{out_.data() + sent_, end - sent_};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
    msghdr header{};
    header.msg_iov = &vec;
    header.msg_iovlen = 1;
    if (with_fds) {
      header.msg_control = control;
      header.msg_controllen = CMSG_SPACE(sizeof(int) * out_fds_.size());
      cmsghdr* c = CMSG_FIRSTHDR(&header);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof(int) * out_fds_.size());
      std::memcpy(CMSG_DATA(c), out_fds_.data(), sizeof(int) * out_fds_.size());
    }
    ssize_t count = sendmsg(fd(), &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
      if (IsDisconnect(errno)) {
        ended_ = true;
        return Fail(ErrorKind::kDeviceLost, "closed the connection");
      }
      return Fail(ErrorKind::kHarness, "cannot write to the vhost-user socket: {}",
                  strerror(errno));
    }
    if (with_fds) out_fds_.clear();
    sent_ += static_cast<size_t>(count);
  }
  return {};
}

}  // namespace vitro::vhost_user
