// SPDX-License-Identifier: Apache-2.0
#include "devices/serve/vhost_user_session.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "harness/virtio/features.h"
#include "harness/virtio/status.h"

namespace vitro::serve {
namespace {

using namespace vhost_user;
namespace pf = protocol_feature;

constexpr uint64_t Bit(unsigned bit) { return uint64_t{1} << bit; }
constexpr uint64_t kCarrierBits = Bit(kFeatureLogAll) | Bit(kFeatureProtocolFeatures);
constexpr uint64_t kOurProtocol = Bit(pf::kMq) | Bit(pf::kReplyAck) | Bit(pf::kBackendReq) |
                                  Bit(pf::kConfig) | Bit(pf::kResetDevice) |
                                  Bit(pf::kConfigureMemSlots) | Bit(pf::kStatus);
constexpr uint32_t kMostPayload = 4096;
// How long the rest of a message may take once it has begun.
constexpr timeval kPatience{5, 0};

template <typename... Args>
tl::unexpected<Error> Broke(fmt::format_string<Args...> format, Args&&... args) {
  return Fail(ErrorKind::kDeviceLost, "broke the protocol: {}",
              fmt::format(format, std::forward<Args>(args)...));
}

template <typename T>
Bytes BytesOf(const T& value) {
  Bytes bytes(sizeof value);
  StoreLe(bytes.data(), value);
  return bytes;
}

}  // namespace

// The device -------------------------------------------------------------------------------------

VhostUserSession::VhostUserSession(const vitro_device_ops* ops, UniqueFd socket)
    : ops_(ops), host_(MakeHost()), socket_(std::move(socket)) {
  if (!socket_) return;
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
}

vitro_host VhostUserSession::MakeHost() {
  vitro_host host{};
  host.size = sizeof host;
  host.abi_version = VITRO_ABI_VERSION;
  host.context = this;
  host.read = [](void* context, uint64_t address, void* to, uint64_t length) {
    return static_cast<VhostUserSession*>(context)->memory_.Read(address, to, length) ? 0 : -1;
  };
  host.write = [](void* context, uint64_t address, const void* from, uint64_t length) {
    return static_cast<VhostUserSession*>(context)->memory_.Write(address, from, length) ? 0 : -1;
  };
  host.map = [](void* context, uint64_t address, uint64_t length) -> void* {
    uint64_t part = length;
    void* at = static_cast<VhostUserSession*>(context)->memory_.At(address, part);
    return part == length ? at : nullptr;
  };
  host.signal_queue = [](void* context, uint16_t queue) {
    static_cast<VhostUserSession*>(context)->SignalQueue(queue);
  };
  host.signal_config = [](void* context) {
    static_cast<VhostUserSession*>(context)->SignalConfig();
  };
  host.log = [](void* context, const char* line) {
    auto* self = static_cast<VhostUserSession*>(context);
    self->log_ = line;
    // Why there is no device at all is told by Create().
    if (self->device_ != nullptr) std::fprintf(stderr, "%s\n", line);
  };
  // A device at level core has neither messages nor a line.
  host.send_message = [](void*, uint64_t, uint32_t) {};
  host.set_line = [](void*, int) {};
  return host;
}

Result<std::unique_ptr<VhostUserSession>> VhostUserSession::Create(const vitro_device_ops* ops,
                                                                   const std::string& options,
                                                                   UniqueFd socket,
                                                                   bool offer_status) {
  std::unique_ptr<VhostUserSession> session(new VhostUserSession(ops, std::move(socket)));
  session->offer_status_ = offer_status;
  if (ops->create(&session->host_, options.c_str(), &session->device_) != 0 ||
      session->device_ == nullptr) {
    session->device_ = nullptr;
    return Fail(ErrorKind::kAttach, "{}: {}", ops->name != nullptr ? ops->name : "device",
                session->log_.empty() ? "create() refused without a reason" : session->log_);
  }
  session->rings_.resize(std::min<uint32_t>(session->Identity().queue_count, kMaxVrings));
  return session;
}

VhostUserSession::~VhostUserSession() {
  if (device_ != nullptr) ops_->destroy(device_);
}

vitro_identity VhostUserSession::Identity() const {
  vitro_identity identity{};
  identity.size = sizeof identity;
  ops_->identity(device_, &identity);
  return identity;
}

void VhostUserSession::SignalQueue(uint16_t queue) {
  const std::lock_guard lock(signals_);
  const uint64_t one = 1;
  if (queue < rings_.size() && rings_[queue].call)
    (void)!write(rings_[queue].call.get(), &one, sizeof one);
}

void VhostUserSession::SignalConfig() {
  const std::lock_guard lock(signals_);
  if (!channel_ || !(protocol_features_ & Bit(pf::kConfig))) return;
  const uint32_t message[] = {static_cast<uint32_t>(BackendRequest::kConfigChangeMsg), kFlagVersion,
                              0};
  (void)!send(channel_.get(), message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// A ring that the front-end stopped must not be served, and the C ABI has no such stop: nothing is.
bool VhostUserSession::MayRun() const {
  return std::ranges::none_of(rings_, [](const Ring& r) { return r.configured && !r.enabled; });
}

bool VhostUserSession::Run() { return MayRun() && ops_->run(device_) != 0; }

void VhostUserSession::Kicked(uint32_t index) {
  uint64_t count = 0;
  if (read(rings_[index].kick.get(), &count, sizeof count) != sizeof count) return;
  if (!rings_[index].configured || !rings_[index].enabled) return;
  if (const uint8_t status = ops_->get_status(device_);
      !TellsStatus() && !(status & status::kDriverOk))
    ops_->set_status(device_, status | status::kDriverOk);
  ops_->notify(device_, index);
}

Result<bool> VhostUserSession::Serve(int stop_fd) {
  std::vector<pollfd> fds;
  for (bool busy = false;;) {
    fds = {{socket_.get(), POLLIN, 0}, {stop_fd, POLLIN, 0}};
    for (const Ring& ring : rings_) fds.push_back({ring.enabled ? ring.kick.get() : -1, POLLIN, 0});
    poll(fds.data(), fds.size(), busy ? 0 : -1);
    if (fds[1].revents != 0) return true;
    for (uint32_t i = 0; i < rings_.size(); ++i)
      if (fds[2 + i].revents & POLLIN) Kicked(i);
    if (fds[0].revents != 0) {
      VITRO_ASSIGN(const bool more, ServeMessage());
      if (!more) return false;
    }
    busy = Run();
  }
}

// Messages ---------------------------------------------------------------------------------------

Result<bool> VhostUserSession::Receive(Message& message) {
  uint8_t header[kHeaderSize];
  iovec vec{header, sizeof header};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
  msghdr raw{};
  raw.msg_iov = &vec;
  raw.msg_iovlen = 1;
  raw.msg_control = control;
  raw.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(socket_.get(), &raw, MSG_CMSG_CLOEXEC | MSG_WAITALL);
  for (cmsghdr* c = CMSG_FIRSTHDR(&raw); got > 0 && c != nullptr; c = CMSG_NXTHDR(&raw, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i)
      message.fds.emplace_back(LoadLe<int>(CMSG_DATA(c) + i * sizeof(int)));
  }
  if (got == 0 || (got < 0 && errno == ECONNRESET)) return false;
  if (got != sizeof header) return Broke("half a header");
  message.request = static_cast<Request>(LoadLe<uint32_t>(header));
  message.flags = LoadLe<uint32_t>(header + 4);
  const auto size = LoadLe<uint32_t>(header + 8);
  if ((message.flags & kFlagVersionMask) != kFlagVersion)
    return Broke("{} with flags {:#x}", Name(message.request), message.flags);
  if (size > kMostPayload) return Broke("{} of {} bytes", Name(message.request), size);
  message.payload.resize(size);
  if (size != 0 &&
      recv(socket_.get(), message.payload.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size))
    return Broke("{} ends in the middle", Name(message.request));
  return true;
}

Result<> VhostUserSession::Send(Request request, ByteView payload) {
  Bytes bytes = LeBytes(static_cast<uint32_t>(request), 4);
  for (uint64_t word : {uint64_t{kFlagVersion | kFlagReply}, uint64_t{payload.size()}}) {
    const Bytes more = LeBytes(word, 4);
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  const ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  // It has left without waiting for the answer: that shows when the next message is looked for.
  if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};
  if (sent != static_cast<ssize_t>(bytes.size()))
    return Fail(ErrorKind::kDeviceLost, "did not take the reply to {}", Name(request));
  return {};
}

Result<bool> VhostUserSession::ServeMessage() {
  Message message;
  VITRO_ASSIGN(const bool there, Receive(message));
  if (!there) return false;
  VITRO_ASSIGN(const Reply reply, Handle(message));
  if (reply.has_payload) {
    VITRO_TRY(Send(message.request, reply.payload));
  } else if (message.flags & kFlagNeedReply && protocol_features_ & Bit(pf::kReplyAck)) {
    VITRO_TRY(Send(message.request, LeBytes(reply.success ? 0 : 1, 8)));
  }
  return true;
}

template <typename T>
Result<T> VhostUserSession::Payload(const Message& message) {
  if (message.payload.size() != sizeof(T))
    return Broke("{} of {} bytes, not {}", Name(message.request), message.payload.size(),
                 sizeof(T));
  return LoadLe<T>(message.payload.data());
}

Result<VhostUserSession::Reply> VhostUserSession::Handle(Message& message) {
  switch (message.request) {
    case Request::kSetMemTable:
    case Request::kAddMemReg:
    case Request::kRemMemReg:
      return HandleMemory(message);
    case Request::kSetVringNum:
    case Request::kSetVringAddr:
    case Request::kSetVringBase:
    case Request::kGetVringBase:
    case Request::kSetVringEnable:
      return HandleRing(message);
    case Request::kSetVringKick:
    case Request::kSetVringCall:
    case Request::kSetVringErr:
      return HandleRingFd(message);
    case Request::kGetConfig:
      return GetConfig(message);
    case Request::kSetConfig:
      return SetConfig(message);
    default:
      return HandleDevice(message);
  }
}

Result<VhostUserSession::Reply> VhostUserSession::HandleDevice(Message& message) {
  const auto number = [](uint64_t value) { return Reply{true, LeBytes(value, 8), true}; };
  uint64_t words[2] = {};
  switch (message.request) {
    case Request::kGetFeatures:
      ops_->offered_features(device_, words);
      return number((words[0] & ~kCarrierBits) | Bit(kFeatureProtocolFeatures));
    case Request::kSetFeatures: {
      VITRO_ASSIGN(const auto features, Payload<uint64_t>(message));
      AcceptFeatures(features);
      return Reply{};
    }
    case Request::kGetProtocolFeatures:
      return number(OfferedProtocol());
    case Request::kSetProtocolFeatures: {
      VITRO_ASSIGN(protocol_features_, Payload<uint64_t>(message));
      protocol_features_ &= OfferedProtocol();
      return Reply{};
    }
    case Request::kGetQueueNum:
      return number(rings_.size());
    case Request::kGetMaxMemSlots:
      return number(GuestMap::kSlots);
    case Request::kGetStatus:
      return number(ops_->get_status(device_));
    case Request::kSetStatus: {
      VITRO_ASSIGN(const auto status, Payload<uint64_t>(message));
      status == 0 ? Reset() : ops_->set_status(device_, static_cast<uint8_t>(status));
      return Reply{};
    }
    case Request::kResetDevice:
      Reset();
      return Reply{};
    case Request::kSetBackendReqFd: {
      if (message.fds.size() != 1) return Broke("SET_BACKEND_REQ_FD without a descriptor");
      const std::lock_guard lock(signals_);
      channel_ = std::move(message.fds[0]);
      return Reply{};
    }
    // Nothing follows from these: nobody owns the device but this front-end, and with an IOMMU
    // addresses are translated one to one.
    case Request::kSetOwner:
    case Request::kResetOwner:
    case Request::kIotlbMsg:
      return Reply{};
    default:
      return Reply{false, {}, false};
  }
}

uint64_t VhostUserSession::OfferedProtocol() const {
  return offer_status_ ? kOurProtocol : kOurProtocol & ~Bit(pf::kStatus);
}

bool VhostUserSession::TellsStatus() const { return protocol_features_ & Bit(pf::kStatus); }

void VhostUserSession::AcceptFeatures(uint64_t features) {
  accepted_ = features;
  const uint64_t words[2] = {features & ~kCarrierBits, 0};
  if (!TellsStatus()) {
    // Not under its feet: a front-end may say again what it said.
    if (ops_->get_status(device_) & status::kDriverOk) return;
    Reset();
    ops_->set_status(device_, status::kAcknowledge);
    ops_->set_status(device_, status::kAcknowledge | status::kDriver);
  }
  ops_->accept_features(device_, words);
  if (!TellsStatus())
    ops_->set_status(device_, status::kAcknowledge | status::kDriver | status::kFeaturesOk);
}

void VhostUserSession::Reset() {
  ops_->reset(device_);
  for (Ring& ring : rings_) ring.configured = false;
}

Result<VhostUserSession::Reply> VhostUserSession::HandleMemory(Message& message) {
  const Bytes& payload = message.payload;
  const auto region = [&](size_t at) { return LoadLe<MemoryRegion>(payload.data() + at); };
  const auto said = [](const Result<>& result) { return Reply{false, {}, result.has_value()}; };
  if (message.request == Request::kSetMemTable) {
    if (payload.size() < 8) return Broke("SET_MEM_TABLE of {} bytes", payload.size());
    const auto count = LoadLe<uint32_t>(payload.data());
    if (count > kMaxFds || count != message.fds.size() ||
        payload.size() < 8 + count * sizeof(MemoryRegion))
      return Broke("SET_MEM_TABLE with {} regions, {} descriptors and {} bytes", count,
                   message.fds.size(), payload.size());
    memory_.Clear();
    Result<> added;
    for (uint32_t i = 0; i < count && added; ++i)
      added = memory_.Add(region(8 + i * sizeof(MemoryRegion)), message.fds[i]);
    return said(added);
  }
  if (payload.size() < 8 + sizeof(MemoryRegion))
    return Broke("{} of {} bytes", Name(message.request), payload.size());
  if (message.request == Request::kRemMemReg) return said(memory_.Remove(region(8)));
  if (message.fds.size() != 1) return Broke("ADD_MEM_REG with {} files", message.fds.size());
  return said(memory_.Add(region(8), message.fds[0]));
}

// Configuration space: all of it, in bytes; nothing changes it in between ------------------------

VhostUserSession::Reply VhostUserSession::GetConfig(const Message& message) {
  Reply refused{true, {}, false};
  if (message.payload.size() < sizeof(ConfigHeader)) return refused;
  const auto header = LoadLe<ConfigHeader>(message.payload.data());
  if (header.size > kMaxConfigSize ||
      uint64_t{header.offset} + header.size > Identity().config_size)
    return refused;
  Reply reply{true, BytesOf(header), true};
  for (uint32_t i = 0; i < header.size; ++i) {
    uint8_t byte = 0xff;
    if (ops_->config_read(device_, header.offset + i, &byte, 1) != 0) byte = 0xff;
    reply.payload.push_back(byte);
  }
  return reply;
}

VhostUserSession::Reply VhostUserSession::SetConfig(const Message& message) {
  if (message.payload.size() < sizeof(ConfigHeader)) return {false, {}, false};
  const auto header = LoadLe<ConfigHeader>(message.payload.data());
  const uint8_t* data = message.payload.data() + sizeof(ConfigHeader);
  if (header.size != message.payload.size() - sizeof(ConfigHeader)) return {false, {}, false};
  // A field is written as a driver would.
  if (IsAccessWidth(header.size))
    return {false, {}, ops_->config_write(device_, header.offset, data, header.size) == 0};
  if (uint64_t{header.offset} + header.size > Identity().config_size) return {false, {}, false};
  bool taken = true;
  for (uint32_t i = 0; i < header.size; ++i)
    taken = ops_->config_write(device_, header.offset + i, data + i, 1) == 0 && taken;
  return {false, {}, taken};
}

// Rings ------------------------------------------------------------------------------------------

Result<VhostUserSession::Ring*> VhostUserSession::RingOf(uint64_t index) {
  if (index >= rings_.size()) return Broke("there is no ring {}", index);
  return &rings_[index];
}

Result<VhostUserSession::Reply> VhostUserSession::HandleRing(Message& message) {
  if (message.request == Request::kSetVringAddr) {
    VITRO_ASSIGN(const auto address, Payload<VringAddr>(message));
    VITRO_ASSIGN(Ring * ring, RingOf(address.index));
    ring->address = address;
    return Reply{};
  }
  VITRO_ASSIGN(const auto state, Payload<VringState>(message));
  VITRO_ASSIGN(Ring * ring, RingOf(state.index));
  switch (message.request) {
    case Request::kSetVringNum:
      ring->size = state.num;
      return Reply{};
    case Request::kSetVringEnable:
      ring->enabled = state.num != 0;
      return Reply{false, {}, !ring->enabled || Start(state.index)};
    case Request::kGetVringBase:
      return Reply{true, BytesOf(VringState{state.index, Stop(state.index)}), true};
    default:
      return Reply{};  // SET_VRING_BASE: a fresh device starts at the beginning
  }
}

Result<VhostUserSession::Reply> VhostUserSession::HandleRingFd(Message& message) {
  if (message.request == Request::kSetVringErr && message.payload.size() != 8) return Reply{};
  VITRO_ASSIGN(const auto value, Payload<uint64_t>(message));
  VITRO_ASSIGN(Ring * ring, RingOf(value & kVringIndexMask));
  const bool none = value & kVringNoFd;
  if (message.fds.size() != (none ? 0u : 1u))
    return Broke("{} with {} descriptors", Name(message.request), message.fds.size());
  UniqueFd fd = none ? UniqueFd() : std::move(message.fds[0]);
  if (message.request != Request::kSetVringKick) {
    const std::lock_guard lock(signals_);
    (message.request == Request::kSetVringCall ? ring->call : ring->error) = std::move(fd);
    return Reply{};
  }
  // Without a kick descriptor the back-end is to look by itself; this one does not.
  if (none) return Reply{false, {}, false};
  ring->kick = std::move(fd);
  if (accepted_ & Bit(kFeatureProtocolFeatures)) return Reply{};
  // Without the protocol features there is no SET_VRING_ENABLE.
  ring->enabled = true;
  return Reply{false, {}, Start(static_cast<uint32_t>(value & kVringIndexMask))};
}

bool VhostUserSession::Start(uint32_t index) {
  Ring& ring = rings_[index];
  if (ring.configured) return true;
  // With an IOMMU the addresses are I/O virtual ones: ours are guest addresses.
  const bool translated = accepted_ & Bit(feature::kAccessPlatform);
  const auto guest = [&](uint64_t address) {
    return translated ? address : memory_.GuestAddressOf(address);
  };
  vitro_queue setup{};
  setup.size = sizeof setup;
  setup.queue_size = ring.size;
  setup.desc_address = guest(ring.address.desc);
  setup.driver_address = guest(ring.address.avail);
  setup.device_address = guest(ring.address.used);
  ring.configured = ops_->queue_setup(device_, index, &setup) == 0;
  return ring.configured;
}

// Returns the index to go on from: the used one, which is that of a device at rest.
uint32_t VhostUserSession::Stop(uint32_t index) {
  Ring& ring = rings_[index];
  ring.enabled = false;
  uint16_t used = 0;
  if (ring.configured) {
    const bool translated = accepted_ & Bit(feature::kAccessPlatform);
    const uint64_t at = translated ? ring.address.used : memory_.GuestAddressOf(ring.address.used);
    memory_.Read(at + 2, &used, sizeof used);
  }
  if (ring.configured && accepted_ & Bit(feature::kRingReset) && ops_->queue_reset != nullptr &&
      ops_->queue_reset(device_, index) == 0)
    ring.configured = false;
  const auto runs = [](const Ring& each) { return each.configured && each.enabled; };
  if (!TellsStatus() && std::ranges::none_of(rings_, runs)) Reset();
  const std::lock_guard lock(signals_);
  ring.kick.Reset();
  ring.call.Reset();
  return used;
}

}  // namespace vitro::serve
