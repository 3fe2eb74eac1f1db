// SPDX-License-Identifier: Apache-2.0
// For the tests of the reference PCI function only: a driver on its bare registers that knows where
// they are. Shares nothing with harness/transport, so that the two can disagree.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "devices/pci/pci_device.h"
#include "devices/ref/registry.h"
#include "devices/ref/test_driver.h"
#include "harness/virtio/pci.h"

namespace vitro::pcidev {

namespace common = virtio_pci::common;

class RawDriver {
 public:
  // Where the function has its structures, without faults that move them.
  static constexpr uint32_t kMain = 4, kIsr = 0x1000, kDevice = 0x2000, kNotify = 0x3000;
  static constexpr uint32_t kMsix = 1, kPending = 0x1000;
  static constexpr uint64_t kRunning = 15;

  RawDriver(std::string_view name, const std::string& options)
      : ops(AsPciFunction(ref::FindReferenceDevice(name))), host_(*memory.get()) {
    host_.context = this;
    host_.read = [](void* self, uint64_t address, void* to, uint64_t length) {
      const vitro_host* inner = Self(self).memory.get();
      return inner->read(inner->context, address, to, length);
    };
    host_.write = [](void* self, uint64_t address, const void* from, uint64_t length) {
      const vitro_host* inner = Self(self).memory.get();
      return inner->write(inner->context, address, from, length);
    };
    host_.map = [](void* self, uint64_t address, uint64_t length) {
      const vitro_host* inner = Self(self).memory.get();
      return inner->map(inner->context, address, length);
    };
    host_.log = [](void* self, const char* said) { Self(self).memory.lines.push_back(said); };
    host_.send_message = [](void* self, uint64_t address, uint32_t data) {
      Self(self).messages.push_back({address, data});
    };
    host_.set_line = [](void* self, int asserted) {
      Self(self).rises += asserted != 0 && !Self(self).line;
      Self(self).line = asserted != 0;
    };
    created = ops->create(&host_, options.c_str(), &device) == 0;
  }
  ~RawDriver() {
    if (created) ops->destroy(device);
  }

  // Configuration space and BARs; UINT64_MAX where nobody answers.
  uint32_t Pci(uint32_t offset, uint32_t width) {
    return ops->pci->config_read(device, offset, width);
  }
  void SetPci(uint32_t offset, uint32_t width, uint32_t value) {
    ops->pci->config_write(device, offset, width, value);
  }
  uint64_t Bar(uint32_t bar, uint64_t offset, uint32_t width) {
    uint64_t value = 0;
    return ops->pci->bar_read(device, bar, offset, width, &value) == 0 ? value : UINT64_MAX;
  }
  bool SetBar(uint32_t bar, uint64_t offset, uint32_t width, uint64_t value) {
    return ops->pci->bar_write(device, bar, offset, width, value) == 0;
  }
  void Decode() { SetPci(pci::kCommand, 2, 7); }
  // The position of the nth capability with that id and virtio type (0: any); 0 if there is none.
  uint32_t Capability(uint8_t id, uint8_t type = 0, unsigned nth = 0) {
    uint32_t at = Pci(pci::kCapabilitiesPointer, 1);
    for (unsigned steps = 0; at != 0 && steps < 48; ++steps, at = Pci(at + 1, 1))
      if (Pci(at, 1) == id && (type == 0 || Pci(at + 3, 1) == type) && nth-- == 0) return at;
    return 0;
  }

  // The common configuration.
  uint64_t Common(uint32_t offset, uint32_t width) { return Bar(kMain, offset, width); }
  void SetCommon(uint32_t offset, uint32_t width, uint64_t value) {
    SetBar(kMain, offset, width, value);
  }
  uint64_t Status() { return Common(common::kDeviceStatus, 1); }
  void SetStatus(uint64_t value) { SetCommon(common::kDeviceStatus, 1, value); }
  void Select(uint64_t queue) { SetCommon(common::kQueueSelect, 2, queue); }
  FeatureSet Offered() {
    uint64_t words[4];
    for (uint32_t i = 0; i < 4; ++i) {
      SetCommon(common::kDeviceFeatureSelect, 4, i);
      words[i] = Common(common::kDeviceFeature, 4);
    }
    return FeatureSet::FromWords(words[0] | words[1] << 32, words[2] | words[3] << 32);
  }
  bool Negotiate(FeatureSet features) {
    SetStatus(0);
    SetStatus(1);
    SetStatus(3);
    for (uint32_t i = 0; i < 2; ++i) {
      SetCommon(common::kDriverFeatureSelect, 4, i);
      SetCommon(common::kDriverFeature, 4, features.word(0) >> 32 * i & UINT32_MAX);
    }
    SetStatus(11);
    return Status() == 11;
  }

  // Rings, one for each of three queues, in the layout of 2.7.2, which serves all interfaces.
  struct Ring {
    uint32_t size = 0;
    uint64_t desc = 0, avail = 0, used = 0;
    uint16_t avail_idx = 0;
  };
  static uint64_t Base(uint32_t queue) { return ref::TestHost::kBase + 0x10000 * (1 + queue); }
  void Lay(uint32_t queue, uint32_t size) {
    Ring& ring = rings[queue];
    ring = {size, Base(queue), Base(queue) + 16 * size, 0, 0};
    ring.used = (ring.avail + 6 + 2 * size + 4095) / 4096 * 4096;
    std::memset(memory.At(Base(queue), 0x8000), 0, 0x8000);
  }
  bool SetUp(uint32_t queue, uint32_t size, uint64_t vector) {
    Lay(queue, size);
    Select(queue);
    SetCommon(common::kQueueSize, 2, size);
    SetCommon(common::kQueueMsixVector, 2, vector);
    const uint64_t areas[] = {rings[queue].desc, rings[queue].avail, rings[queue].used};
    for (uint32_t i = 0; i < 3; ++i) {
      SetCommon(common::kQueueDesc + 8 * i, 4, areas[i] & UINT32_MAX);
      SetCommon(common::kQueueDesc + 8 * i + 4, 4, areas[i] >> 32);
    }
    SetCommon(common::kQueueEnable, 2, 1);
    return Common(common::kQueueEnable, 2) == 1;
  }
  // Makes a request of a block device available: a read of one sector.
  void Publish(uint32_t queue) {
    Ring& ring = rings[queue];
    const uint64_t header = Base(queue) + 0x8000, data = header + 0x100;
    std::memset(memory.At(header, 16), 0, 16);
    Descriptor(ring.desc, header, 16, split::kDescNext, 1);
    Descriptor(ring.desc + 16, data, 513, split::kDescWrite, 0);
    memory.Store<uint16_t>(ring.avail + 4 + 2 * (ring.avail_idx % ring.size), 0);
    memory.Store<uint16_t>(ring.avail + 2, ++ring.avail_idx);
  }
  void Kick(uint32_t queue, uint32_t width = 2, uint64_t multiplier = 4) {
    Select(queue);
    const uint64_t at = kNotify + Common(common::kQueueNotifyOff, 2) * multiplier;
    SetBar(kMain, at, width, queue);
  }
  void Run() {
    while (ops->run(device) == 1) {
    }
  }
  uint16_t UsedIdx(uint32_t queue) { return memory.Load<uint16_t>(rings[queue].used + 2); }

  // MSI-X: vector n is sent to MessageAddress(n) with data n.
  static uint64_t MessageAddress(uint64_t vector) { return 0x1'fee00000 + 16 * vector; }
  void Program(uint64_t vector, uint32_t control = 0) {
    SetBar(kMsix, 16 * vector, 4, MessageAddress(vector) & UINT32_MAX);
    SetBar(kMsix, 16 * vector + 4, 4, MessageAddress(vector) >> 32);
    SetBar(kMsix, 16 * vector + 8, 4, vector);
    SetBar(kMsix, 16 * vector + 12, 4, control);
  }
  void SetMsix(uint32_t bits) { SetPci(Capability(pci::kCapMsix) + pci::kMsixControl, 2, bits); }

  // The window: sets it up, and reads or writes its data.
  void Aim(uint32_t bar, uint32_t offset, uint32_t length) {
    const uint32_t at = Capability(pci::kCapVendor, virtio_pci::kPciCfg);
    SetPci(at + virtio_pci::kCapBar, 1, bar);
    SetPci(at + virtio_pci::kCapOffset, 4, offset);
    SetPci(at + virtio_pci::kCapStructLength, 4, length);
  }
  uint32_t WindowRead(uint32_t bar, uint32_t offset, uint32_t length) {
    Aim(bar, offset, length);
    return Pci(Capability(pci::kCapVendor, virtio_pci::kPciCfg) + virtio_pci::kCapPciData, length);
  }
  void WindowWrite(uint32_t bar, uint32_t offset, uint32_t length, uint32_t value) {
    Aim(bar, offset, length);
    SetPci(Capability(pci::kCapVendor, virtio_pci::kPciCfg) + virtio_pci::kCapPciData, length,
           value);
  }

  struct Message {
    uint64_t address;
    uint32_t data;
    bool operator==(const Message&) const = default;
  };
  std::vector<Message> messages;
  uint32_t rises = 0;
  bool line = false;

  ref::TestHost memory;
  const vitro_device_ops* ops;
  vitro_device* device = nullptr;
  bool created = false;
  Ring rings[3];

 private:
  static RawDriver& Self(void* context) { return *static_cast<RawDriver*>(context); }
  void Descriptor(uint64_t at, uint64_t address, uint32_t length, unsigned flags, unsigned next) {
    memory.Store<uint64_t>(at, address);
    memory.Store<uint32_t>(at + 8, length);
    memory.Store<uint16_t>(at + 12, static_cast<uint16_t>(flags));
    memory.Store<uint16_t>(at + 14, static_cast<uint16_t>(next));
  }

  vitro_host host_;
};

}  // namespace vitro::pcidev
