// SPDX-License-Identifier: Apache-2.0
// SplitQueue: the device side of one split virtqueue (2.7).
#pragma once

#include "devices/ref/virtqueue.h"

namespace vitro::ref {

class SplitQueue final : public Virtqueue {
 public:
  SplitQueue(const Host& host, const FaultSwitch& fault, uint32_t max_size)
      : Virtqueue(host, fault, max_size) {}

  bool packed() const override { return false; }
  void SetFeatures(FeatureSet features) override;
  void ForgetUsed() override { used_idx_ = 0; }
  Take Next(Chain& chain) override;
  bool Use(const Chain& chain) override;
  bool PublishAvailEvent() override;
  bool HasAvailable() override;
  bool NotificationDue() override;

 private:
  bool Takes(const vitro_queue& setup) const override;
  void Place(const vitro_queue& setup) override;
  void Rewind() override;
  std::optional<uint16_t> AvailableCount();
  bool PutUsedElement(uint16_t id, uint32_t length);
  bool PublishUsedIndex();
  bool NeedEventWithFaults(uint16_t used_event, uint16_t now, uint16_t before) const;

  bool notify_on_empty_ = false;  // of the legacy interface (6.3)
  uint64_t desc_ = 0, avail_ = 0, used_ = 0;
  uint16_t last_avail_ = 0;   // the next available entry to take
  uint16_t used_idx_ = 0;     // the next used entry to fill
  uint16_t signalled_ = 0;    // used_idx_ when NotificationDue() was last asked
  uint32_t unsignalled_ = 0;  // chains used since then
};

}  // namespace vitro::ref
