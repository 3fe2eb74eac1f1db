// SPDX-License-Identifier: Apache-2.0
// LegacyConfig: the legacy interface in BAR 0 of a transitional function (4.1.4.10, 4.1.5.1.3): its
// registers in any width, the device config after them. Integers are little-endian, as on every
// guest that Vitro plays.
#pragma once

#include <cstdint>

#include "devices/pci/device_side.h"
#include "devices/pci/function_options.h"
#include "devices/pci/interrupts.h"

namespace vitro::pcidev {

class LegacyConfig {
 public:
  LegacyConfig(DeviceSide& device, Interrupts& interrupts, const FunctionOptions& options)
      : device_(device), interrupts_(interrupts), fault_(options.fault) {}

  // False: nobody answers.
  bool Read(uint64_t offset, uint32_t width, uint64_t& value);
  bool Write(uint64_t offset, uint32_t width, uint64_t value);
  void Reset();
  // A write of 0 to the status: the function resets the device, and so calls Reset().
  bool TakeResetRequest();
  // Where the device config begins.
  uint64_t ConfigOffset() const;

 private:
  uint64_t ReadRegister(uint32_t offset);
  void WriteRegister(uint32_t offset, uint64_t value);
  void SetQueueAddress(uint32_t address);
  void AcceptFeatures(FeatureSet features);
  void FlipCacheMode();
  void SetStatus(uint8_t value);
  void NotifyQueue(uint16_t queue);

  DeviceSide& device_;
  Interrupts& interrupts_;
  const ref::FaultSwitch& fault_;
  uint16_t queue_select_ = 0;
  uint8_t status_ = 0;  // as the driver wrote it: the device inside has more, as of 1.0
  bool features_written_ = false;
  uint32_t driver_features_ = 0;
  bool reset_requested_ = false;
};

}  // namespace vitro::pcidev
