// SPDX-License-Identifier: Apache-2.0
// DeviceSide: the virtio device behind the registers of a PCI function: the core-level device, and
// what the transport keeps for it: features of its own, queues as they are set up, generation. The
// modern and the legacy interface both act upon this one.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "devices/pci/function_options.h"
#include "devices/pci/interrupts.h"
#include "devices/ref/device_core.h"
#include "harness/virtio/features.h"

namespace vitro::pcidev {

struct QueueState {
  uint32_t size = 0;  // as written; 0: the maximum
  bool enabled = false;
  uint64_t desc = 0, driver = 0, device = 0;
  uint32_t legacy_address = 0;  // in units of 4096 bytes
  // Only with faults: queue_enable and queue_reset read 1 although that is not so.
  bool enable_shown = false, resetting = false;
};

class DeviceSide {
 public:
  DeviceSide(const vitro_device_ops* ops, vitro_device* device, const FunctionOptions& options);

  const vitro_identity& identity() const { return identity_; }
  // Indices that a queue may have, administration virtqueues included.
  uint32_t queue_count() const { return static_cast<uint32_t>(queues_.size()); }
  // Adds a last queue, which belongs to a core of its own: an administration virtqueue (2.13), and
  // with it SR-IOV. Before anything else. `queue` goes through all that the device goes through.
  void AddAdminQueue(ref::DeviceCore& queue);
  void SetInterrupts(Interrupts* interrupts) { interrupts_ = interrupts; }

  FeatureSet Offered();
  FeatureSet LegacyOffered();  // bits 0 to 31, as the legacy interface shows them
  void Accept(FeatureSet features);
  FeatureSet accepted() const { return accepted_; }
  // In effect: FEATURES_OK has been taken.
  bool Negotiated(unsigned feature_bit) const;

  uint8_t Status() const;
  void WriteStatus(uint8_t status);
  void Reset();

  bool QueueThere(uint32_t queue) const { return QueueMax(queue) != 0; }
  uint32_t QueueMax(uint32_t queue) const;
  QueueState& queue(uint32_t index) { return queues_[index]; }
  bool EnableQueue(uint32_t queue);
  bool ResetQueue(uint32_t queue);
  void Notify(uint32_t queue);
  // Meanwhile the device hears of no notification, and of all of them afterwards.
  void HoldNotifications() { holding_ = true; }
  void ReleaseNotifications();
  // The value by which the driver names this queue when it notifies.
  uint16_t NotificationValue(uint32_t queue) const;
  static uint16_t NotifConfigData(uint32_t queue);

  // Device-specific configuration. False: nobody answers.
  bool ReadConfig(uint64_t offset, uint32_t width, uint64_t& value);
  bool WriteConfig(uint64_t offset, uint32_t width, uint64_t value);
  uint8_t Generation();
  void ConfigSignalled() { config_moved_ = true; }

  // The legacy interface (3.1.2): there is no FEATURES_OK, and a driver may use the device before
  // DRIVER_OK. Makes the device inside ready for that.
  void BeginLegacyUse();
  bool legacy_use() const { return legacy_use_; }

 private:
  // Is the device's offer of RING_RESET passed on?
  bool RingReset() const { return options_.ring_reset && ops_->queue_reset != nullptr; }
  bool IsAdminQueue(uint32_t queue) const;
  bool Torn(uint64_t offset, uint32_t width) const;

  const vitro_device_ops* ops_;
  vitro_device* device_;
  const FunctionOptions& options_;
  Interrupts* interrupts_ = nullptr;
  ref::DeviceCore* admin_ = nullptr;
  bool holding_ = false;
  std::set<uint32_t> held_;  // notified meanwhile
  vitro_identity identity_{};
  std::vector<QueueState> queues_;
  FeatureSet accepted_;
  bool legacy_use_ = false;
  // config_generation moves when it is read after a change: 8 bits never wrap unseen.
  uint8_t generation_ = 0;
  uint32_t device_generation_ = 0;
  std::atomic<bool> config_moved_ = false;
};

}  // namespace vitro::pcidev
