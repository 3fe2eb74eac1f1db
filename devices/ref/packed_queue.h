// SPDX-License-Identifier: Apache-2.0
// PackedQueue: the device side of one packed virtqueue (2.8).
#pragma once

#include "devices/ref/virtqueue.h"
#include "harness/virtio/packed_ring.h"

namespace vitro::ref {

class PackedQueue final : public Virtqueue {
 public:
  PackedQueue(const Host& host, const FaultSwitch& fault, uint32_t max_size)
      : Virtqueue(host, fault, max_size) {}

  bool packed() const override { return true; }
  void SetFeatures(FeatureSet features) override;
  void ForgetUsed() override { used_ = packed::kStart; }
  Take Next(Chain& chain) override;
  bool Use(const Chain& chain) override;
  bool PublishAvailEvent() override;
  bool HasAvailable() override;
  bool NotificationDue() override;

 private:
  bool Takes(const vitro_queue& setup) const override;
  void Place(const vitro_queue& setup) override;
  void Rewind() override;
  uint64_t At(uint16_t position) const {
    return ring_ + packed::kDescSize * packed::SlotOf(position);
  }
  uint16_t After(uint16_t position, uint32_t entries) const {
    return packed::Advance(position, entries, size_);
  }
  bool LooksAvailable(uint16_t flags, bool wrap) const;
  uint16_t SlotToUse(const Chain& chain) const;
  bool EventReached(uint16_t event) const;

  uint64_t ring_ = 0, driver_event_ = 0, device_event_ = 0;
  uint16_t next_ = packed::kStart;       // the next descriptor to take
  uint16_t used_ = packed::kStart;       // the next one to mark as used
  uint16_t signalled_ = packed::kStart;  // used_ when NotificationDue() was last asked
  uint32_t unsignalled_ = 0;             // chains used since then
  std::optional<uint16_t> last_;         // fault "packed-used-rewritten"
};

}  // namespace vitro::ref
