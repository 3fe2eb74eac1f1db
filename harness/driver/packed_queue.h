// SPDX-License-Identifier: Apache-2.0
// PackedQueue: a packed virtqueue (2.8): one ring that both sides write, and a structure each for
// suppressing events. Buffer IDs are given out from the highest downwards, so that an ID is seldom
// the place of its descriptor.
#pragma once

#include "harness/driver/virtqueue.h"
#include "harness/virtio/packed_ring.h"

namespace vitro {

class PackedQueue final : public Virtqueue {
 public:
  PackedQueue(GuestMemory& memory, Shadow& shadow, QueueLayout layout, FeatureSet negotiated);

  bool packed() const override { return true; }
  // The device event area, and the descriptors that the device has.
  std::vector<GuestRange> DeviceWritable() const override;
  Result<uint16_t> Publish(const op::Publish& publish, bool fresh) override;
  Result<> Expose() override;
  Result<> SetAvailFlags(uint16_t flags) override;
  Result<> SetUsedEvent(uint16_t event) override;
  Result<> WriteDescriptor(const op::RawDescriptor& raw) override;  // `next` is the buffer ID
  Result<> WriteAvailable(uint16_t head, uint16_t step) override;   // kUsage: no such ring

  uint16_t used_flags() const override;
  uint16_t avail_event() const override;
  uint16_t avail_position() const override { return exposed_; }
  uint16_t used_position() const override { return Walk().position; }
  uint16_t last_used() const override { return last_used_; }
  uint16_t PositionAfter(uint16_t position, uint32_t entries) const override {
    return packed::Advance(position, entries, layout_.size);
  }
  uint32_t EntriesOf(size_t descriptors) const override {
    return static_cast<uint32_t>(descriptors);
  }
  uint32_t Pending() const override { return Walk().buffers; }
  UsedElement Used() const override;
  void SkipUsed(uint32_t entries) override { last_used_ = PositionAfter(last_used_, entries); }
  std::optional<bool> AsksFor(uint16_t position, uint32_t entries) const override;
  size_t free_descriptors() const override { return free_; }

 private:
  struct Claim {
    uint32_t buffers = 0;
    uint16_t position = packed::kStart;
  };
  uint64_t At(uint32_t slot) const { return layout_.desc + slot * packed::kDescSize; }
  // Follows the used descriptors from last_used_ on.
  Claim Walk() const;
  void GiveBack(const Chain& chain) override;

  uint16_t next_ = packed::kStart;     // the next descriptor to fill, held ones included
  uint16_t exposed_ = packed::kStart;  // the next descriptor not yet made available
  uint16_t held_flags_ = 0;            // of the first descriptor that is held back, at exposed_
  uint16_t last_used_ = packed::kStart;
  size_t free_ = 0;
  std::deque<uint16_t> free_ids_;
};

}  // namespace vitro
