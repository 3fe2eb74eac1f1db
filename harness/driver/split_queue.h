// SPDX-License-Identifier: Apache-2.0
// SplitQueue: a split virtqueue (2.7): descriptor table, available ring, used ring.
#pragma once

#include "harness/driver/virtqueue.h"
#include "harness/virtio/split_ring.h"

namespace vitro {

class SplitQueue final : public Virtqueue {
 public:
  SplitQueue(GuestMemory& memory, Shadow& shadow, QueueLayout layout, FeatureSet negotiated);

  bool packed() const override { return false; }
  Result<uint16_t> Publish(const op::Publish& publish, bool fresh) override;
  Result<> Expose() override;
  Result<> SetAvailFlags(uint16_t flags) override;
  Result<> SetUsedEvent(uint16_t event) override;
  Result<> WriteDescriptor(const op::RawDescriptor& raw) override;
  // Puts a head into the next ring entry and moves the available index by `step`.
  Result<> WriteAvailable(uint16_t head, uint16_t step) override;

  uint16_t used_flags() const override;
  uint16_t avail_event() const override;
  uint16_t avail_position() const override { return avail_idx_; }
  uint16_t used_position() const override;
  uint16_t last_used() const override { return last_used_; }
  uint16_t PositionAfter(uint16_t position, uint32_t entries) const override {
    return static_cast<uint16_t>(position + entries);
  }
  uint32_t EntriesOf(size_t) const override { return 1; }
  uint32_t Pending() const override { return static_cast<uint16_t>(used_position() - last_used_); }
  UsedElement Used() const override;
  void SkipUsed(uint32_t entries) override {
    last_used_ = static_cast<uint16_t>(last_used_ + entries);
  }
  std::optional<bool> AsksFor(uint16_t position, uint32_t entries) const override;
  size_t free_descriptors() const override { return free_.size(); }

 private:
  Result<> Descriptor(uint64_t table, uint32_t index, const op::Segment& segment, uint16_t flags,
                      uint16_t next);
  void GiveBack(const Chain& chain) override;

  uint16_t avail_idx_ = 0;  // as published
  uint16_t held_idx_ = 0;   // including what is held back
  uint16_t last_used_ = 0;
  std::deque<uint16_t> free_;
};

}  // namespace vitro
