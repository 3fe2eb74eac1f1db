// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/vhost_user/fake_back_end.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

#include "harness/virtio/split_ring.h"

namespace vitro::vhost_user {

void FakeBackEnd::Run() {
  while (!stop_ && socket_) {
    std::vector<pollfd> polls = {
        {socket_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}, {channel_.get(), POLLIN, 0}};
    for (auto& ring : rings_) polls.push_back({ring.kick.get(), POLLIN, 0});
    poll(polls.data(), polls.size(), -1);
    if (polls[1].revents != 0) {
      uint64_t count;
      (void)!read(wake_.get(), &count, sizeof count);
    }
    FlushChannel();
    if (polls[2].revents != 0) ReadChannel();
    for (size_t i = 0; i < kRings; ++i) {
      uint64_t count;
      if ((polls[3 + i].revents & POLLIN) != 0) {
        (void)!read(rings_[i].kick.get(), &count, sizeof count);
        Serve(i);
      }
    }
    if (polls[0].revents != 0 && !Receive()) socket_.Reset();
  }
  socket_.Reset();
}

void FakeBackEnd::FlushChannel() {
  std::lock_guard lock(mutex_);
  if (!channel_ || to_channel_.empty()) return;
  (void)!send(channel_.get(), to_channel_.data(), to_channel_.size(), MSG_NOSIGNAL);
  to_channel_.clear();
}

void FakeBackEnd::ReadChannel() {
  uint8_t bytes[20];
  ssize_t count = recv(channel_.get(), bytes, sizeof bytes, 0);
  if (count == sizeof bytes && LoadLe<uint64_t>(bytes + 12) == 0) ++channel_replies;
  if (count <= 0) channel_.Reset();
}

bool FakeBackEnd::Receive() {
  uint8_t header[kHeaderSize];
  iovec vec{header, sizeof header};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
  msghdr message{};
  message.msg_iov = &vec;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC) != sizeof header) return false;
  std::vector<UniqueFd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i)
      fds.emplace_back(LoadLe<int>(CMSG_DATA(c) + i * sizeof(int)));
  auto request = static_cast<Request>(LoadLe<uint32_t>(header));
  uint32_t flags = LoadLe<uint32_t>(header + 4), size = LoadLe<uint32_t>(header + 8);
  Bytes payload(size);
  if (size > 0 && recv(socket_.get(), payload.data(), size, MSG_WAITALL) != ssize_t(size))
    return false;
  {
    std::lock_guard lock(mutex_);
    seen_.push_back(request);
  }
  bool wants_ack = (flags & kFlagNeedReply) != 0;
  std::optional<Bytes> reply = Handle(request, payload, fds);
  const bool refuse = std::exchange(refuse_, false);
  if (!reply && wants_ack) reply = LeBytes(refuse ? 1 : 0, 8);
  if (request == options_.mischief_at) return Misbehave(request, reply);
  return !reply || Write(Raw(static_cast<uint32_t>(request), kFlagVersion | kFlagReply, *reply));
}

bool FakeBackEnd::Write(const Bytes& bytes, int fds) {
  iovec vec{const_cast<uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 20)] = {};
  msghdr message{};
  message.msg_iov = &vec;
  message.msg_iovlen = 1;
  if (fds > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<size_t>(fds));
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<size_t>(fds));
    for (int i = 0; i < fds; ++i) StoreLe(CMSG_DATA(c) + i * sizeof(int), wake_.get());
  }
  return sendmsg(socket_.get(), &message, MSG_NOSIGNAL) == ssize_t(bytes.size());
}

bool FakeBackEnd::Misbehave(Request request, const std::optional<Bytes>& reply) {
  auto id = static_cast<uint32_t>(request);
  constexpr uint32_t kFlags = kFlagVersion | kFlagReply;
  if (options_.mischief == Mischief::kDisconnect) return false;
  if (!reply) return true;
  Bytes good = Raw(id, kFlags, *reply);
  switch (options_.mischief) {
    case Mischief::kNone:
      return Write(good);
    case Mischief::kDribble:
      for (uint8_t byte : good)
        if (!Write(Bytes{byte})) return false;
      return true;
    case Mischief::kHalfHeader:
      return Write(Bytes(good.begin(), good.begin() + 5)) && false;
    case Mischief::kHalfPayload:
      return Write(Bytes(good.begin(), good.end() - 3)) && false;
    case Mischief::kWrongId:
      return Write(Raw(id + 1, kFlags, *reply));
    case Mischief::kNoReplyFlag:
      return Write(Raw(id, kFlagVersion, *reply));
    case Mischief::kWrongVersion:
      return Write(Raw(id, kFlagReply | 2, *reply));
    case Mischief::kShortReply:
      return Write(Raw(id, kFlags, Bytes(4)));
    case Mischief::kHugeSize: {
      StoreLe<uint32_t>(good.data() + 8, 0xffffffff);
      return Write(good);
    }
    case Mischief::kOneFd:
      return Write(good, 1);
    case Mischief::kManyFds:
      return Write(good, 20);
    case Mischief::kTwice:
      return Write(good) && Write(good);
    case Mischief::kRefuse:
      return Write(Raw(id, kFlags, LeBytes(1, 8)));
    default:
      return true;
  }
}

std::optional<Bytes> FakeBackEnd::Handle(Request request, const Bytes& payload,
                                         std::vector<UniqueFd>& fds) {
  auto u64 = [&] { return LoadLe<uint64_t>(payload.data()); };
  auto state = [&] { return LoadLe<VringState>(payload.data()); };
  auto ring = [&](uint64_t index) -> Ring& { return rings_[index % kRings]; };
  auto fd = [&] { return fds.empty() ? UniqueFd() : std::move(fds[0]); };
  switch (request) {
    case Request::kGetFeatures:
      return LeBytes(options_.features, 8);
    case Request::kGetProtocolFeatures:
      return LeBytes(options_.protocol_features, 8);
    case Request::kGetQueueNum:
      return LeBytes(options_.queues, 8);
    case Request::kGetMaxMemSlots:
      return LeBytes(8, 8);
    case Request::kGetStatus:
      return LeBytes(status, 8);
    case Request::kGetConfig:
      return Config(payload);
    case Request::kSetStatus:
      status = u64();
      break;
    case Request::kSetFeatures:
      accepted = u64();
      break;
    case Request::kSetConfig:
      refuse_ = !TakeConfig(payload);
      break;
    case Request::kSetBackendReqFd:
      channel_ = fd();
      break;
    case Request::kAddMemReg:
      MapRegion(LoadLe<MemoryRegion>(payload.data() + 8), fds[0]);
      break;
    case Request::kSetMemTable:
      for (size_t i = 0; i < fds.size(); ++i)
        MapRegion(LoadLe<MemoryRegion>(payload.data() + 8 + i * sizeof(MemoryRegion)), fds[i]);
      break;
    case Request::kSetVringNum:
      ring(state().index).size = state().num;
      break;
    case Request::kSetVringBase:
      ring(state().index).next = static_cast<uint16_t>(state().num);
      vring_base = state().num;
      break;
    case Request::kSetVringAddr: {
      auto address = LoadLe<VringAddr>(payload.data());
      ring(address.index).address = address;
      break;
    }
    case Request::kSetVringEnable:
      ring(state().index).enabled = state().num != 0;
      break;
    case Request::kSetVringKick:
      ring(u64() & kVringIndexMask).kick = fd();
      // Without the protocol feature bit there is no SET_VRING_ENABLE.
      if ((accepted >> kFeatureProtocolFeatures & 1) == 0)
        ring(u64() & kVringIndexMask).enabled = true;
      break;
    case Request::kSetVringErr:
      ring(u64() & kVringIndexMask).error = fd();
      break;
    case Request::kSetVringCall: {
      Ring& it = ring(u64() & kVringIndexMask);
      it.call = fd();
      Signal(it);  // as libvhost-user does
      break;
    }
    case Request::kVringKick:
      ++inband_kicks;
      Serve(state().index % kRings);
      break;
    case Request::kGetVringBase: {
      Ring& it = ring(state().index);
      uint32_t base = it.next;
      it = Ring{};
      Bytes reply = LeBytes(state().index, 4), number = LeBytes(base, 4);
      reply.insert(reply.end(), number.begin(), number.end());
      return reply;
    }
    default:
      break;
  }
  return std::nullopt;
}

bool FakeBackEnd::InConfig(const ConfigHeader& header) const {
  if (options_.trusting_config) return header.offset + header.size <= options_.config_size;
  return header.size <= options_.config_size && header.offset <= options_.config_size - header.size;
}

bool FakeBackEnd::TakeConfig(const Bytes& payload) {
  if (payload.size() < sizeof(ConfigHeader)) return false;
  const auto header = LoadLe<ConfigHeader>(payload.data());
  last_set_config = uint64_t{header.offset} << 32 | header.size;
  const uint64_t carried = payload.size() - sizeof header;
  if (!InConfig(header)) return false;
  if (carried != header.size && !options_.trusting_config) return false;
  for (uint32_t i = 0; i < std::min(header.size, kMaxConfigSize + 1); ++i) {
    if (i >= carried) ++overruns;
    if (uint64_t{header.offset} + i < options_.config_size)
      config_[header.offset + i] = i < carried ? payload[sizeof header + i] : uint8_t{0xee};
  }
  return true;
}

Bytes FakeBackEnd::Config(const Bytes& payload) {
  if (payload.size() < sizeof(ConfigHeader)) return {};
  auto header = LoadLe<ConfigHeader>(payload.data());
  if (!InConfig(header) || header.size > kMaxConfigSize) return {};
  Bytes reply(sizeof header + header.size);
  if (options_.lying_config) header.size = 0xffffffff;
  StoreLe(reply.data(), header);
  std::copy_n(config_, reply.size() - sizeof header, reply.begin() + sizeof header);
  return reply;
}

void FakeBackEnd::MapRegion(const MemoryRegion& region, const UniqueFd& fd) {
  size_t size = region.size + region.mmap_offset;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory != MAP_FAILED) maps_.push_back({region, static_cast<uint8_t*>(memory), size});
}

uint8_t* FakeBackEnd::At(uint64_t address, uint64_t MemoryRegion::*kind) {
  for (auto& map : maps_)
    if (address >= map.region.*kind && address - map.region.*kind < map.region.size)
      return map.memory + map.region.mmap_offset + (address - map.region.*kind);
  return nullptr;
}

void FakeBackEnd::Signal(Ring& ring) {
  uint64_t one = 1;
  if (ring.call) (void)!write(ring.call.get(), &one, sizeof one);
}

void FakeBackEnd::Serve(size_t index) {
  Ring& ring = rings_[index];
  if (!ring.enabled || ring.size == 0) return;
  uint8_t* desc = At(ring.address.desc, &MemoryRegion::user_address);
  uint8_t* avail = At(ring.address.avail, &MemoryRegion::user_address);
  uint8_t* used = At(ring.address.used, &MemoryRegion::user_address);
  if (desc == nullptr || avail == nullptr || used == nullptr) return;
  auto* avail_idx = reinterpret_cast<uint16_t*>(avail + 2);
  auto* used_idx = reinterpret_cast<uint16_t*>(used + 2);
  while (ring.next != __atomic_load_n(avail_idx, __ATOMIC_ACQUIRE)) {
    uint32_t slot = ring.next++ % ring.size;
    auto head = LoadLe<uint16_t>(avail + 4 + 2 * slot);
    uint32_t written = 0;
    for (uint16_t i = head;;) {
      uint8_t* d = desc + split::kDescSize * (i % ring.size);
      auto flags = LoadLe<uint16_t>(d + 12);
      auto length = LoadLe<uint32_t>(d + 8);
      uint8_t* data = At(LoadLe<uint64_t>(d), &MemoryRegion::guest_address);
      if ((flags & split::kDescWrite) != 0 && data != nullptr) {
        std::fill_n(data, length, uint8_t{0x42});
        written += length;
      }
      if ((flags & split::kDescNext) == 0) break;
      i = LoadLe<uint16_t>(d + 14);
    }
    StoreLe<uint32_t>(used + 4 + 8 * slot, head);
    StoreLe<uint32_t>(used + 8 + 8 * slot, written);
    __atomic_store_n(used_idx, ring.next, __ATOMIC_RELEASE);
    if (options_.notify) Signal(ring);
    bool inband = (options_.protocol_features >> protocol_feature::kInbandNotifications & 1) != 0;
    if (options_.notify && inband && !ring.call && channel_) {
      Bytes call = Raw(4, kFlagVersion | kFlagNeedReply, LeBytes(index, 8));
      (void)!send(channel_.get(), call.data(), call.size(), MSG_NOSIGNAL);
    }
  }
}

}  // namespace vitro::vhost_user
