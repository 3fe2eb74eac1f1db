// SPDX-License-Identifier: Apache-2.0
// For the tests of the reference devices only: a flat guest memory as host, and the least of a
// driver on the C ABI. Shares nothing with harness/driver, so that the two can disagree.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "harness/base/bytes.h"
#include "harness/virtio/features.h"
#include "harness/virtio/split_ring.h"
#include "harness/virtio/status.h"

namespace vitro::ref {

class TestHost {
 public:
  static constexpr uint64_t kBase = 0x100000, kSize = 1 << 20;

  TestHost() : memory_(kSize, 0xcc) {
    host_.size = sizeof host_;
    host_.abi_version = VITRO_ABI_VERSION;
    host_.context = this;
    host_.read = [](void* self, uint64_t address, void* to, uint64_t length) {
      const uint8_t* at = Self(self).Find(address, length);
      if (at == nullptr) return -1;
      std::memcpy(to, at, length);
      return 0;
    };
    host_.write = [](void* self, uint64_t address, const void* from, uint64_t length) {
      uint8_t* at = Self(self).Find(address, length);
      if (at == nullptr) return -1;
      std::memcpy(at, from, length);
      return 0;
    };
    host_.map = [](void* self, uint64_t address, uint64_t length) {
      return static_cast<void*>(Self(self).Find(address, length));
    };
    host_.signal_queue = [](void* self, uint16_t queue) {
      ++Self(self).queue_signals[queue];
      if (Self(self).hash_at_signal) Self(self).memory_at_signal ^= Self(self).MemoryHash();
    };
    host_.signal_config = [](void* self) { ++Self(self).config_signals; };
    host_.log = [](void* self, const char* line) { Self(self).lines.push_back(line); };
  }

  const vitro_host* get() const { return &host_; }
  uint8_t* At(uint64_t address, uint64_t length = 1) {
    uint8_t* at = Find(address, length);
    EXPECT_NE(at, nullptr) << std::hex << address;
    return at;
  }
  template <typename T>
  T Load(uint64_t address) {
    return LoadLe<T>(At(address, sizeof(T)));
  }
  template <typename T>
  void Store(uint64_t address, T value) {
    StoreLe<T>(At(address, sizeof(T)), value);
  }
  uint64_t MemoryHash() const {
    uint64_t hash = 14695981039346656037ull;
    for (size_t i = 0; i < kSize; i += 8)
      hash = (hash ^ LoadLe<uint64_t>(&memory_[i])) * 1099511628211ull + (hash >> 32);
    return hash;
  }

  std::array<uint32_t, 65536> queue_signals{};
  uint32_t config_signals = 0;
  bool hash_at_signal = false;  // it takes its time
  uint64_t memory_at_signal = 0;
  std::vector<std::string> lines;

 private:
  static TestHost& Self(void* context) { return *static_cast<TestHost*>(context); }
  uint8_t* Find(uint64_t address, uint64_t length) {
    if (address < kBase || address > kBase + kSize || length > kBase + kSize - address)
      return nullptr;
    return memory_.data() + (address - kBase);
  }
  vitro_host host_{};
  std::vector<uint8_t> memory_;
};

struct Buffer {
  uint64_t address = 0;
  uint32_t length = 0;
  bool writable = false;
};
struct UsedElement {
  uint32_t id, length;
  bool operator==(const UsedElement&) const = default;
};

class TestDriver {
 public:
  TestDriver(const vitro_device_ops* device_ops, const std::string& options) : ops(device_ops) {
    created_ = ops->create(host.get(), options.c_str(), &device) == 0;
    // Harmless places until queues are set up, also where a set-up was refused.
    for (uint32_t i = 0; i < rings.size(); ++i) {
      const vitro_queue layout = Layout(i, 8);
      rings[i] = {8, layout.desc_address, layout.driver_address, layout.device_address};
    }
  }
  ~TestDriver() {
    if (created_) ops->destroy(device);
  }
  bool created() const { return created_; }

  FeatureSet Offered() const {
    uint64_t words[2];
    ops->offered_features(device, words);
    return FeatureSet::FromWords(words[0], words[1]);
  }
  void Accept(FeatureSet features) {
    const uint64_t words[2] = {features.word(0), features.word(1)};
    ops->accept_features(device, words);
  }
  uint8_t Status() const { return ops->get_status(device); }
  void AddStatus(uint8_t bits) { ops->set_status(device, status_ |= bits); }

  // Up to FEATURES_OK; false if that was refused.
  bool Negotiate(FeatureSet features) {
    Reset();
    AddStatus(status::kAcknowledge);
    AddStatus(status::kDriver);
    Accept(features);
    AddStatus(status::kFeaturesOk);
    return Status() & status::kFeaturesOk;
  }
  // All the way, with `queues` queues of `size`.
  bool Start(FeatureSet features, uint32_t size = 8, uint32_t queues = 1) {
    if (!Negotiate(features)) return false;
    for (uint32_t i = 0; i < queues; ++i)
      if (!SetupQueue(i, size)) return false;
    AddStatus(status::kDriverOk);
    RunDevice();
    return Status() & status::kDriverOk;
  }
  void Reset() {
    ops->reset(device);
    status_ = 0;
    RunDevice();
  }

  struct Ring {
    uint32_t size = 0;
    uint64_t desc = 0, avail = 0, used = 0;
    uint16_t avail_idx = 0, used_seen = 0, next_desc = 0;
  };
  // Each queue has 64 KiB for its rings; buffers come after.
  vitro_queue Layout(uint32_t queue, uint32_t size) const {
    const uint64_t at = TestHost::kBase + 0x8000 + queue * 0x10000;
    return {sizeof(vitro_queue), size, at, at + 0x4000, at + 0x8000};
  }
  bool SetupQueue(uint32_t queue, uint32_t size) { return SetupQueue(queue, Layout(queue, size)); }
  bool SetupQueue(uint32_t queue, const vitro_queue& setup) {
    const uint64_t start = TestHost::kBase + 0x8000 + queue * 0x10000;
    if (setup.desc_address >= start && setup.desc_address < start + 0x10000)
      std::memset(host.At(start, 0x10000), 0, 0x10000);
    if (setup.queue_size == 0) return ops->queue_setup(device, queue, &setup) == 0;
    rings[queue] = {setup.queue_size, setup.desc_address, setup.driver_address,
                    setup.device_address};
    return ops->queue_setup(device, queue, &setup) == 0;
  }

  uint64_t Allocate(uint64_t length) {
    const uint64_t at = next_buffer_;
    next_buffer_ += (length + 31) / 16 * 16;
    return at;
  }
  uint64_t Place(const Bytes& bytes) {
    const uint64_t at = Allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(host.At(at, bytes.size()), bytes.data(), bytes.size());
    return at;
  }

  void PutDescriptor(uint64_t at, uint64_t address, uint32_t length, unsigned flags,
                     unsigned next) {
    host.Store<uint64_t>(at, address);
    host.Store<uint32_t>(at + 8, length);
    host.Store<uint16_t>(at + 12, static_cast<uint16_t>(flags));
    host.Store<uint16_t>(at + 14, static_cast<uint16_t>(next));
  }
  // Puts a chain at the next descriptors; returns its head.
  uint16_t PutChain(uint32_t queue, const std::vector<Buffer>& buffers) {
    Ring& ring = rings[queue];
    const uint16_t head = ring.next_desc;
    for (size_t i = 0; i < buffers.size(); ++i) {
      const uint16_t index = ring.next_desc;
      ring.next_desc = static_cast<uint16_t>((index + 1) % ring.size);
      const bool more = i + 1 < buffers.size();
      PutDescriptor(ring.desc + 16ull * index, buffers[i].address, buffers[i].length,
                    (buffers[i].writable ? split::kDescWrite : 0) | (more ? split::kDescNext : 0),
                    more ? ring.next_desc : 0);
    }
    return head;
  }
  // An indirect table; returns its address.
  uint64_t PutTable(const std::vector<Buffer>& buffers, uint64_t misalign = 0) {
    const uint64_t table = Allocate(16 * buffers.size() + misalign) + misalign;
    for (size_t i = 0; i < buffers.size(); ++i) {
      const bool more = i + 1 < buffers.size();
      PutDescriptor(table + 16 * i, buffers[i].address, buffers[i].length,
                    (buffers[i].writable ? split::kDescWrite : 0) | (more ? split::kDescNext : 0),
                    more ? static_cast<unsigned>(i + 1) : 0);
    }
    return table;
  }
  void Publish(uint32_t queue, uint16_t head) {
    Ring& ring = rings[queue];
    host.Store<uint16_t>(ring.avail + 4 + 2ull * (ring.avail_idx % ring.size), head);
    host.Store<uint16_t>(ring.avail + 2, ++ring.avail_idx);
  }
  void Offer(uint32_t queue, const std::vector<Buffer>& buffers) {
    Publish(queue, PutChain(queue, buffers));
  }
  void RunDevice() {
    while (ops->run(device) == 1) {
    }
  }
  void Kick(uint32_t queue) {
    ops->notify(device, queue);
    RunDevice();
  }
  uint16_t UsedIdx(uint32_t queue) { return host.Load<uint16_t>(rings[queue].used + 2); }
  // What was used since the last call.
  std::vector<UsedElement> TakeUsed(uint32_t queue) {
    Ring& ring = rings[queue];
    std::vector<UsedElement> elements;
    while (ring.used_seen != UsedIdx(queue) && elements.size() < 70000) {
      const uint64_t at = ring.used + 4 + 8ull * (ring.used_seen++ % ring.size);
      elements.push_back({host.Load<uint32_t>(at), host.Load<uint32_t>(at + 4)});
    }
    return elements;
  }
  std::vector<UsedElement> Submit(uint32_t queue, const std::vector<Buffer>& buffers) {
    Offer(queue, buffers);
    Kick(queue);
    return TakeUsed(queue);
  }

  // A config field; what cannot be read is all ones.
  uint64_t Config(uint32_t offset, uint32_t width) const {
    uint8_t raw[8] = {};
    if (ops->config_read(device, offset, raw, width) != 0) return ~uint64_t{0};
    return LoadLe<uint64_t>(raw);
  }
  bool WriteConfig(uint32_t offset, uint64_t value, uint32_t width) {
    uint8_t raw[8];
    StoreLe<uint64_t>(raw, value);
    return ops->config_write(device, offset, raw, width) == 0;
  }

  TestHost host;
  const vitro_device_ops* ops;
  vitro_device* device = nullptr;
  std::array<Ring, 4> rings{};

 private:
  bool created_ = false;
  uint8_t status_ = 0;
  uint64_t next_buffer_ = TestHost::kBase + 0x8000 + 4 * 0x10000;
};

inline constexpr FeatureSet kPlain{feature::kVersion1};
inline constexpr FeatureSet kRings{feature::kVersion1, feature::kIndirectDesc, feature::kEventIdx,
                                   feature::kRingReset};

}  // namespace vitro::ref
