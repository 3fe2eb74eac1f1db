// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/legacy.h"

#include <algorithm>
#include <utility>

#include "harness/base/bytes.h"
#include "harness/virtio/blk.h"
#include "harness/virtio/pci.h"
#include "harness/virtio/split_ring.h"
#include "harness/virtio/status.h"

namespace vitro::pcidev {
namespace {

namespace legacy = virtio_pci::legacy;

struct Register {
  uint32_t offset, bytes;
};
constexpr Register kRegisters[] = {
    {legacy::kDeviceFeatures, 4},  {legacy::kDriverFeatures, 4}, {legacy::kQueueAddress, 4},
    {legacy::kQueueSize, 2},       {legacy::kQueueSelect, 2},    {legacy::kQueueNotify, 2},
    {legacy::kDeviceStatus, 1},    {legacy::kIsrStatus, 1},      {legacy::kConfigMsixVector, 2},
    {legacy::kQueueMsixVector, 2},
};

}  // namespace

// The registers of MSI-X are there while it is enabled; what follows moves.
uint64_t LegacyConfig::ConfigOffset() const {
  const bool vectors = interrupts_.msix_enabled() || fault_("legacy-offset-fixed");
  return vectors ? legacy::kBytesWithMsix : legacy::kBytes;
}

bool LegacyConfig::Read(uint64_t offset, uint32_t width, uint64_t& value) {
  const uint64_t config = ConfigOffset();
  if (offset >= config) return device_.ReadConfig(offset - config, width, value);
  if (offset + width > config) return false;
  value = 0;
  for (const Register& reg : kRegisters) {
    const uint64_t from = std::max<uint64_t>(offset, reg.offset);
    const uint64_t to = std::min<uint64_t>(offset + width, reg.offset + reg.bytes);
    if (from >= to) continue;
    const uint64_t part = ReadRegister(reg.offset) >> 8 * (from - reg.offset);
    value |= (part & ByteMask(to - from)) << 8 * (from - offset);
  }
  return true;
}

bool LegacyConfig::Write(uint64_t offset, uint32_t width, uint64_t value) {
  const uint64_t config = ConfigOffset();
  if (offset >= config) {
    if (fault_("legacy-config-late") && !features_written_) return true;
    return device_.WriteConfig(offset - config, width, value);
  }
  // A register is written as a whole.
  for (const Register& reg : kRegisters)
    if (reg.offset == offset && reg.bytes == width && offset + width <= config) {
      WriteRegister(reg.offset, value);
      return true;
    }
  return false;
}

void LegacyConfig::Reset() {
  queue_select_ = 0;
  status_ = 0;
  features_written_ = false;
  driver_features_ = 0;
}

bool LegacyConfig::TakeResetRequest() { return std::exchange(reset_requested_, false); }

uint64_t LegacyConfig::ReadRegister(uint32_t offset) {
  const bool there = device_.QueueThere(queue_select_);
  switch (offset) {
    case legacy::kDeviceFeatures:
      return device_.LegacyOffered().word(0);
    case legacy::kDriverFeatures:
      return driver_features_;
    case legacy::kQueueAddress:
      return there ? device_.queue(queue_select_).legacy_address : 0;
    case legacy::kQueueSize:
      return fault_("legacy-queue-size-zero") ? 0 : device_.QueueMax(queue_select_);
    case legacy::kQueueSelect:
      return queue_select_;
    case legacy::kDeviceStatus:
      // A driver of the modern interface looks here too.
      return device_.legacy_use() || status_ != 0
                 ? status_ | (device_.Status() & status::kNeedsReset)
                 : device_.Status();
    case legacy::kIsrStatus:
      return fault_("legacy-isr-not-cleared") ? interrupts_.PeekIsr() : interrupts_.TakeIsr();
    case legacy::kConfigMsixVector:
      return interrupts_.ConfigVector();
    case legacy::kQueueMsixVector:
      return interrupts_.QueueVector(queue_select_);
  }
  return 0;
}

void LegacyConfig::WriteRegister(uint32_t offset, uint64_t value) {
  switch (offset) {
    case legacy::kDriverFeatures:
      features_written_ = true;
      driver_features_ = static_cast<uint32_t>(value);
      if (fault_("legacy-writeback-by-features")) FlipCacheMode();
      return AcceptFeatures(FeatureSet::FromWords(value, 0));
    case legacy::kQueueAddress:
      return SetQueueAddress(static_cast<uint32_t>(value));
    case legacy::kQueueSelect:
      queue_select_ = static_cast<uint16_t>(value);
      return;
    case legacy::kQueueNotify:
      return NotifyQueue(static_cast<uint16_t>(value));
    case legacy::kDeviceStatus:
      return SetStatus(static_cast<uint8_t>(value));
    case legacy::kConfigMsixVector:
      return interrupts_.MapConfig(static_cast<uint16_t>(value));
    case legacy::kQueueMsixVector:
      if (device_.QueueThere(queue_select_))
        interrupts_.MapQueue(queue_select_, static_cast<uint16_t>(value));
      return;
  }
}

// Any layout is what the device inside takes anyway.
void LegacyConfig::AcceptFeatures(FeatureSet features) {
  if (fault_("legacy-notify-on-empty-ignored")) features.Remove(feature::kNotifyOnEmpty);
  device_.Accept(features.Without(feature::kAnyLayout));
}

// Faults about the writeback field of block devices.
void LegacyConfig::FlipCacheMode() {
  uint64_t mode = 0;
  if (device_.ReadConfig(blk::kConfigWriteback, 1, mode))
    device_.WriteConfig(blk::kConfigWriteback, 1, mode ^ 1);
}

// The layout of 2.7.2: one piece of memory, the used ring on the next page. The size is the
// device's.
void LegacyConfig::SetQueueAddress(uint32_t address) {
  if (!device_.QueueThere(queue_select_)) return;
  QueueState& queue = device_.queue(queue_select_);
  const uint16_t vector = interrupts_.QueueVector(queue_select_);
  if (queue.enabled) device_.ResetQueue(queue_select_);
  interrupts_.MapQueue(queue_select_, vector);
  queue.legacy_address = address;
  if (address == 0) return;
  const uint32_t size = device_.QueueMax(queue_select_);
  const uint64_t start = uint64_t{address} * legacy::kQueueAlign;
  queue.desc = start;
  queue.driver = start + split::DescTableBytes(size);
  const uint64_t end = queue.driver + split::AvailRingBytes(size);
  queue.device = (end + legacy::kQueueAlign - 1) / legacy::kQueueAlign * legacy::kQueueAlign;
  queue.size = size;
  device_.EnableQueue(queue_select_);
}

void LegacyConfig::SetStatus(uint8_t value) {
  if (value == 0) {
    reset_requested_ = true;
    return;
  }
  if (fault_("legacy-status-ignored")) return;
  if (fault_("legacy-writeback-by-status")) FlipCacheMode();
  status_ |= value;
  if (status_ & status::kFailed) device_.WriteStatus(status::kFailed);
  if (status_ & status::kDriverOk) device_.BeginLegacyUse();
}

// A driver may use the device before DRIVER_OK (3.1.2).
void LegacyConfig::NotifyQueue(uint16_t queue) {
  if (fault_("legacy-needs-driver-ok") && !(status_ & status::kDriverOk)) return;
  // A queue that a modern driver set up is not this interface's.
  if (queue < device_.queue_count() && device_.queue(queue).legacy_address == 0) return;
  if (!device_.legacy_use()) device_.BeginLegacyUse();
  if (queue < device_.queue_count() && device_.NotificationValue(queue) != queue) return;
  device_.Notify(queue);
}

}  // namespace vitro::pcidev
