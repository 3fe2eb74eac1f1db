// SPDX-License-Identifier: Apache-2.0
// Virtqueue: the device side of one virtqueue (2.6), split or packed. Trusts nothing that the
// driver wrote; what cannot be right makes Next() return kBroken with a reason, and the queue is
// then to be left alone. Sends no notifications itself: it says when one is owed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "devices/abi/vitro_device.h"
#include "devices/ref/chain.h"
#include "devices/ref/faults.h"
#include "devices/ref/host.h"
#include "harness/virtio/features.h"

namespace vitro::ref {

class Virtqueue {
 public:
  virtual ~Virtqueue() = default;

  virtual bool packed() const = 0;
  uint32_t max_size() const { return max_size_; }
  bool enabled() const { return enabled_; }

  // Enables the queue. False if size or alignment are not as its format has them. That the rings
  // are guest memory is found out when they are used.
  bool Setup(const vitro_queue& setup);
  // The negotiated features that change how the rings work.
  virtual void SetFeatures(FeatureSet features) = 0;
  // Device reset and virtqueue reset: back to the state after power-on.
  void DeviceReset();
  void QueueReset();
  // For the fault "suspend-forgets-used": what is used next goes to the first entry.
  virtual void ForgetUsed() = 0;

  enum class Take { kNone, kChain, kBroken };
  // Takes the next available chain.
  virtual Take Next(Chain& chain) = 0;
  // Why Next() or Use() said that the queue is broken: one clause.
  const std::string& reason() const { return reason_; }

  // Marks a chain as used. False if the ring could not be written.
  virtual bool Use(const Chain& chain) = 0;
  // With EVENT_IDX: asks to be notified of the next available buffer. False as above.
  virtual bool PublishAvailEvent() = 0;
  // Is there something to take? False also if the ring is unreadable.
  virtual bool HasAvailable() = 0;
  // Must a used buffer notification be sent for what was used since the last call?
  virtual bool NotificationDue() = 0;

 protected:
  Virtqueue(const Host& host, const FaultSwitch& fault, uint32_t max_size)
      : host_(&host), fault_(&fault), max_size_(max_size) {}

  // What Setup() and the resets leave to the format: is it a possible size and are the areas
  // aligned; where the areas are; back to the first entry.
  virtual bool Takes(const vitro_queue& setup) const = 0;
  virtual void Place(const vitro_queue& setup) = 0;
  virtual void Rewind() = 0;

  bool Break(std::string reason);
  Take BrokenRing(const char* what);
  std::optional<uint16_t> ReadLe16(uint64_t address) const;
  bool WriteLe16(uint64_t address, uint16_t value) const;
  // The used length, with the faults that are about it.
  uint32_t FaultyLength(const Chain& chain) const;

  const Host* host_;
  const FaultSwitch* fault_;
  uint32_t max_size_;
  bool enabled_ = false;
  bool event_idx_ = false, indirect_ = false;
  bool lengths_lost_ = false;  // fault "features-together-used-length"
  uint32_t size_ = 0;
  std::string reason_;
};

}  // namespace vitro::ref
