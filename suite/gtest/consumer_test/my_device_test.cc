// SPDX-License-Identifier: Apache-2.0
// A device of type 65533 with one queue: it takes buffers of any kind and writes nothing to them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "suite/gtest/vitro_gtest.h"

namespace {

constexpr uint64_t kVersion1 = uint64_t{1} << 32;
constexpr uint32_t kLargest = 64;
enum : uint8_t { kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64 };

struct Sink {
  explicit Sink(const vitro_host* to) : host(to) {}

  const vitro_host* host;
  uint8_t status = 0;
  uint64_t accepted[2] = {};
  vitro_queue queue{};
  uint16_t next = 0;
  bool notified = false;

  template <typename T>
  bool Load(uint64_t address, T& value) const {
    return host->read(host->context, address, &value, sizeof value) == 0;
  }

  void SetStatus(uint8_t wanted) {
    const bool fits = accepted[0] == kVersion1 && accepted[1] == 0;
    const int taken = fits ? 0xbf : 0xbf & ~kFeaturesOk;
    status = static_cast<uint8_t>(status | (wanted & taken));
  }

  int Run() {
    if ((status & (kDriverOk | kNeedsReset)) != kDriverOk || !notified || queue.queue_size == 0)
      return 0;
    notified = false;
    uint16_t available = 0, flags = 0;
    const uint16_t before = next;
    if (!Load(queue.driver_address + 2, available) ||
        static_cast<uint16_t>(available - next) > queue.queue_size || !UseUpTo(available)) {
      status |= kNeedsReset;
      host->signal_config(host->context);
      return 1;
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (next != before && Load(queue.driver_address, flags) && !(flags & 1))
      host->signal_queue(host->context, 0);
    notified = next != before;
    return next != before;
  }

  bool UseUpTo(uint16_t available) {
    std::atomic_thread_fence(std::memory_order_acquire);
    while (next != available) {
      uint16_t head = 0;
      if (!Load(queue.driver_address + 4 + 2u * (next % queue.queue_size), head)) return false;
      if (head >= queue.queue_size) return false;
      const uint32_t used[2] = {head, 0};
      const uint64_t slot = queue.device_address + 4 + 8u * (next % queue.queue_size);
      if (host->write(host->context, slot, used, sizeof used) != 0) return false;
      ++next;
      std::atomic_thread_fence(std::memory_order_release);
      if (host->write(host->context, queue.device_address + 2, &next, 2) != 0) return false;
    }
    return true;
  }

  int SetUp(uint32_t index, const vitro_queue& setup) {
    if (index != 0 || !std::has_single_bit(setup.queue_size) || setup.queue_size > kLargest)
      return -1;
    if (setup.desc_address % 16 || setup.driver_address % 2 || setup.device_address % 4) return -1;
    queue = setup;
    return 0;
  }
};

Sink& Self(vitro_device* device) { return *reinterpret_cast<Sink*>(device); }

const vitro_device_ops* MyDevice() {
  static const vitro_device_ops ops = [] {
    vitro_device_ops o{};
    o.size = sizeof o;
    o.abi_version = VITRO_ABI_VERSION;
    o.name = "my sink";
    o.create = [](const vitro_host* host, const char*, vitro_device** device) {
      *device = reinterpret_cast<vitro_device*>(new Sink(host));
      return 0;
    };
    o.destroy = [](vitro_device* d) { delete &Self(d); };
    o.identity = [](vitro_device*, vitro_identity* identity) {
      const vitro_identity mine{identity->size, 65533, 0, 1, 0, 0, 0};
      std::memcpy(identity, &mine, std::min<size_t>(identity->size, sizeof mine));
    };
    o.offered_features = [](vitro_device*, uint64_t words[2]) {
      words[0] = kVersion1;
      words[1] = 0;
    };
    o.accept_features = [](vitro_device* d, const uint64_t words[2]) {
      if (!(Self(d).status & kFeaturesOk)) std::copy_n(words, 2, Self(d).accepted);
    };
    o.get_status = [](vitro_device* d) { return Self(d).status; };
    o.set_status = [](vitro_device* d, uint8_t status) { Self(d).SetStatus(status); };
    o.reset = [](vitro_device* d) { Self(d) = Sink(Self(d).host); };
    o.config_read = [](vitro_device*, uint32_t, void*, uint32_t) { return -1; };
    o.config_write = [](vitro_device*, uint32_t, const void*, uint32_t) { return -1; };
    o.queue_max_size = [](vitro_device*, uint32_t queue) { return queue == 0 ? kLargest : 0; };
    o.queue_setup = [](vitro_device* d, uint32_t index, const vitro_queue* setup) {
      return Self(d).SetUp(index, *setup);
    };
    o.notify = [](vitro_device* d, uint32_t index) { Self(d).notified |= index == 0; };
    o.run = [](vitro_device* d) { return Self(d).Run(); };
    return o;
  }();
  return &ops;
}

}  // namespace

int main(int argc, char** argv) {
  vitro::RegisterConformanceTests({.device = MyDevice()});
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
