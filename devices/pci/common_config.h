// SPDX-License-Identifier: Apache-2.0
// CommonConfig: struct virtio_pci_common_cfg (4.1.4.3) as registers, in any width and at any
// offset: an access touches each register that it covers, lowest first, and a register written in
// part keeps the rest.
#pragma once

#include <cstdint>
#include <utility>

#include "devices/pci/device_side.h"
#include "devices/pci/function_options.h"
#include "devices/pci/interrupts.h"

namespace vitro::pcidev {

class CommonConfig {
 public:
  CommonConfig(DeviceSide& device, Interrupts& interrupts, const FunctionOptions& options)
      : device_(device), interrupts_(interrupts), fault_(options.fault) {}

  uint64_t Read(uint64_t offset, uint32_t width);
  void Write(uint64_t offset, uint32_t width, uint64_t value);
  // Selectors and the rest that a device reset clears.
  void Reset();
  // Was 0 written to device_status? The function resets the device, and so calls Reset().
  bool TakeResetRequest() { return std::exchange(reset_requested_, false); }

 private:
  struct Register {
    uint32_t offset, bytes;
    uint64_t (CommonConfig::*get)();
    void (CommonConfig::*set)(uint64_t);  // nullptr: read-only
  };
  static const Register kRegisters[];

  // The queue that queue_select names; nullptr if it is not available.
  QueueState* Selected();
  uint32_t SelectedIndex() const;
  bool MayConfigure();
  void SetHalf(uint64_t QueueState::*address, bool high, uint64_t value);
  // What a register access at `offset` is about, with fault "common-offsets-shifted".
  bool Unshift(uint64_t& offset) const;
  uint64_t FeatureWord(FeatureSet features, uint32_t select) const;
  uint32_t DriverSelect() const;

  uint64_t DeviceFeatureSelect() { return device_feature_select_; }
  void SetDeviceFeatureSelect(uint64_t value);
  uint64_t DeviceFeature();
  uint64_t DriverFeatureSelect() { return driver_feature_select_; }
  void SetDriverFeatureSelect(uint64_t value);
  uint64_t DriverFeature();
  void SetDriverFeature(uint64_t value);
  uint64_t ConfigVector() { return interrupts_.ConfigVector(); }
  void SetConfigVector(uint64_t value) { interrupts_.MapConfig(static_cast<uint16_t>(value)); }
  uint64_t NumQueues();
  uint64_t DeviceStatus() { return device_.Status(); }
  void SetDeviceStatus(uint64_t value);
  uint64_t Generation() { return device_.Generation(); }
  uint64_t QueueSelect() { return queue_select_; }
  void SetQueueSelect(uint64_t value) { queue_select_ = static_cast<uint16_t>(value); }
  uint64_t QueueSize();
  void SetQueueSize(uint64_t value);
  uint64_t QueueVector();
  void SetQueueVector(uint64_t value);
  uint64_t QueueEnable();
  void SetQueueEnable(uint64_t value);
  uint64_t QueueNotifyOff();
  template <uint64_t QueueState::*kAddress, bool kHigh>
  uint64_t Half();
  template <uint64_t QueueState::*kAddress, bool kHigh>
  void SetHalf(uint64_t value);
  uint64_t NotifConfigData();
  uint64_t QueueReset();
  void SetQueueReset(uint64_t value);
  uint64_t AdminQueueIndex();
  uint64_t AdminQueueNum();

  DeviceSide& device_;
  Interrupts& interrupts_;
  const ref::FaultSwitch& fault_;
  uint32_t device_feature_select_ = 0, driver_feature_select_ = 0;
  uint16_t queue_select_ = 0;
  uint32_t low_half_queue_ = 0;  // fault "queue-address-of-wrong-queue"
  bool reset_requested_ = false;
  bool narrow_ = false;  // fault "queue-address-needs-64-bit-write": less than 8 bytes
};

}  // namespace vitro::pcidev
