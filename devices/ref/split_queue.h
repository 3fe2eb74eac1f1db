// SPDX-License-Identifier: Apache-2.0
// SplitQueue: the device side of one split virtqueue (2.7). Trusts nothing that the driver wrote;
// what cannot be right makes Next() return kBroken with a reason, and the queue is then to be left
// alone. Sends no notifications itself: it says when one is owed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "devices/abi/vitro_device.h"
#include "devices/ref/chain.h"
#include "devices/ref/faults.h"
#include "devices/ref/host.h"
#include "harness/virtio/features.h"

namespace vitro::ref {

class SplitQueue {
 public:
  SplitQueue(const Host& host, const FaultSwitch& fault, uint32_t max_size)
      : host_(&host), fault_(&fault), max_size_(max_size) {}

  uint32_t max_size() const { return max_size_; }
  bool enabled() const { return enabled_; }

  // Enables the queue. False if size or alignment are not as 2.7 has them. That the rings are guest
  // memory is found out when they are used.
  bool Setup(const vitro_queue& setup);
  // The negotiated features that change how the rings work.
  void SetFeatures(FeatureSet features);
  // Device reset and virtqueue reset: back to the state after power-on.
  void DeviceReset();
  void QueueReset();

  enum class Take { kNone, kChain, kBroken };
  // Takes the next available chain.
  Take Next(Chain& chain);
  // Why Next() or Use() said that the queue is broken: one clause.
  const std::string& reason() const { return reason_; }

  // Puts a chain into the used ring. False if the ring could not be written.
  bool Use(const Chain& chain);
  // With EVENT_IDX: asks to be notified of the next available buffer. False as above.
  bool PublishAvailEvent();
  // Is there something to take? False also if the ring is unreadable.
  bool HasAvailable();
  // Must a used buffer notification be sent for what was used since the last call (2.7.7)?
  bool NotificationDue();

 private:
  friend class ChainWalker;

  bool Break(std::string reason);
  Take BrokenRing(const char* what);
  std::optional<uint16_t> ReadLe16(uint64_t address) const;
  bool WriteLe16(uint64_t address, uint16_t value) const;
  std::optional<uint16_t> AvailableCount();
  uint32_t FaultyLength(const Chain& chain) const;
  bool PutUsedElement(uint16_t id, uint32_t length);
  bool PublishUsedIndex();
  bool NeedEventWithFaults(uint16_t used_event, uint16_t now, uint16_t before) const;
  void ForgetIndices();

  const Host* host_;
  const FaultSwitch* fault_;
  uint32_t max_size_;

  bool enabled_ = false;
  bool event_idx_ = false, indirect_ = false;
  bool lengths_lost_ = false;     // fault "features-together-used-length"
  bool notify_on_empty_ = false;  // of the legacy interface (6.3)
  uint32_t size_ = 0;
  uint64_t desc_ = 0, avail_ = 0, used_ = 0;
  uint16_t last_avail_ = 0;   // the next available entry to take
  uint16_t used_idx_ = 0;     // the next used entry to fill
  uint16_t signalled_ = 0;    // used_idx_ when NotificationDue() was last asked
  uint32_t unsignalled_ = 0;  // chains used since then
  std::string reason_;
};

}  // namespace vitro::ref
