// SPDX-License-Identifier: Apache-2.0
// For tests: a vhost-user back-end in a thread of the test, with its own reading and writing of the
// protocol. Well-behaved, it serves split queues whose every chain it fills with 0x42. It can be
// told to misbehave at a given message in a given way.
#pragma once

#include <sys/eventfd.h>
#include <sys/mman.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "harness/base/bytes.h"
#include "harness/base/unique_fd.h"
#include "harness/virtio/vhost_user.h"

namespace vitro::vhost_user {

enum class Mischief {
  kNone,
  kDribble,      // legal: the reply comes byte by byte
  kSilence,      // no answer at all
  kDisconnect,   // closes instead of answering
  kHalfHeader,   // closes after 5 bytes
  kHalfPayload,  // closes in the middle of the payload
  kWrongId,
  kNoReplyFlag,
  kWrongVersion,
  kShortReply,  // 4 bytes of payload, consistently announced
  kHugeSize,    // announces 4 GiB
  kOneFd,       // attaches a descriptor
  kManyFds,     // attaches 20
  kTwice,       // answers twice
  kRefuse,      // acknowledges with 1
};
inline constexpr int kMischiefs = 15;

struct FakeOptions {
  uint64_t features = 1ull << 32 | 1ull << 30 | 1ull << 26 | 1ull << 28;
  uint64_t protocol_features = 1 << 0 | 1 << 3 | 1 << 5 | 1 << 9 | 1 << 10 | 1 << 15;
  uint64_t queues = 2;
  uint32_t config_size = 24;
  bool lying_config = false;  // announces more bytes in GET_CONFIG replies than it sends
  // Takes the header's word for what a config message carries: what is not there reads 0xee, and a
  // range whose end overflows is in bounds.
  bool trusting_config = false;
  bool notify = true;
  Request mischief_at = Request::kNone;
  Mischief mischief = Mischief::kNone;
};

class FakeBackEnd {
 public:
  FakeBackEnd(UniqueFd socket, FakeOptions options)
      : socket_(std::move(socket)), options_(options), wake_(eventfd(0, EFD_CLOEXEC)) {
    for (uint32_t i = 0; i < options_.config_size; ++i) config_[i] = static_cast<uint8_t>(i + 1);
    thread_ = std::thread([this] { Run(); });
  }
  ~FakeBackEnd() {
    stop_ = true;
    Poke();
    thread_.join();
    for (auto& map : maps_) munmap(map.memory, map.mapped);
  }

  // What it saw, in order.
  std::vector<Request> seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  int Count(Request request) {
    int count = 0;
    for (Request each : seen()) count += each == request;
    return count;
  }
  // Sends raw bytes on the back-end channel once that is open.
  void SendOnChannel(const Bytes& bytes) {
    std::lock_guard lock(mutex_);
    to_channel_.insert(to_channel_.end(), bytes.begin(), bytes.end());
    Poke();
  }
  static Bytes Raw(uint32_t request, uint32_t flags, Bytes payload = {}) {
    Bytes bytes = LeBytes(request, 4);
    for (uint64_t word : {uint64_t{flags}, uint64_t{payload.size()}}) {
      Bytes more = LeBytes(word, 4);
      bytes.insert(bytes.end(), more.begin(), more.end());
    }
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
  }
  std::atomic<uint64_t> accepted{0}, status{0}, channel_replies{0}, inband_kicks{0}, vring_base{0};
  std::atomic<uint64_t> overruns{0};         // bytes that a trusting one took from beyond a message
  std::atomic<uint64_t> last_set_config{0};  // its offset in the upper, its size in the lower half

 private:
  struct Map {
    MemoryRegion region;
    uint8_t* memory;
    size_t mapped;
  };
  struct Ring {
    uint32_t size = 0;
    VringAddr address{};
    UniqueFd kick, call, error;
    bool enabled = false;
    uint16_t next = 0;
  };

  void Poke() {
    uint64_t one = 1;
    (void)!write(wake_.get(), &one, sizeof one);
  }

  void Run();
  void FlushChannel();
  void ReadChannel();
  bool Receive();
  bool Write(const Bytes& bytes, int fds = 0);
  bool Misbehave(Request request, const std::optional<Bytes>& reply);
  std::optional<Bytes> Handle(Request request, const Bytes& payload, std::vector<UniqueFd>& fds);
  Bytes Config(const Bytes& payload);
  // SET_CONFIG; false if it is refused.
  bool TakeConfig(const Bytes& payload);
  bool InConfig(const ConfigHeader& header) const;
  void MapRegion(const MemoryRegion& region, const UniqueFd& fd);
  // `kind`: guest_address or user_address.
  uint8_t* At(uint64_t address, uint64_t MemoryRegion::*kind);
  void Signal(Ring& ring);
  // Uses whatever is available.
  void Serve(size_t index);

  static constexpr size_t kRings = 8;
  UniqueFd socket_, channel_;
  FakeOptions options_;
  UniqueFd wake_;
  Ring rings_[kRings];
  std::vector<Map> maps_;
  uint8_t config_[kMaxConfigSize] = {};
  bool refuse_ = false;  // the message that is handled
  std::mutex mutex_;
  std::vector<Request> seen_;
  Bytes to_channel_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace vitro::vhost_user
