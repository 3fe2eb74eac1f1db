// SPDX-License-Identifier: Apache-2.0
// SplitQueue: the driver's side of one split virtqueue (section 2.7): which descriptors are free,
// which chains the device has, where both indices stand. It writes rings only through the Shadow,
// so that the oracle can tell the driver's bytes from the device's. It judges nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "harness/memory/shadow.h"
#include "harness/program/operation.h"
#include "harness/transport/transport.h"
#include "harness/virtio/split_ring.h"

namespace vitro {

class SplitQueue {
 public:
  // A chain that was made available and not yet used.
  struct Chain {
    uint16_t head = 0;
    std::vector<op::Segment> segments;  // in chain order
    std::vector<uint16_t> descriptors;  // taken from the table, head first
    GuestRange table;                   // the indirect table, empty if there is none
    bool fresh = false;  // every device-writable byte held poison when it was made available
    uint64_t WritableLength() const;
  };
  struct UsedElement {
    uint32_t id = 0, len = 0;
  };

  // Rings that are not wholly in memory make a queue that can be set up but not driven: usable() is
  // false, and every operation that needs a ring fails with kUsage.
  SplitQueue(GuestMemory& memory, Shadow& shadow, QueueLayout layout);

  const QueueLayout& layout() const { return layout_; }
  bool usable() const { return usable_; }
  GuestRange DescTable() const { return {layout_.desc, split::DescTableBytes(layout_.size)}; }
  GuestRange AvailRing() const { return {layout_.driver, split::AvailRingBytes(layout_.size)}; }
  GuestRange UsedRing() const { return {layout_.device, split::UsedRingBytes(layout_.size)}; }

  // Zeroes the three areas, as the driver does before it hands a queue over.
  Result<> ZeroRings();

  // Returns the head. kUsage if there are too few free descriptors or nothing to describe.
  Result<uint16_t> Publish(const op::Publish& publish, bool fresh);
  Result<> Expose();
  Result<> SetAvailFlags(uint16_t flags);
  Result<> SetUsedEvent(uint16_t event);
  Result<> WriteDescriptor(const op::RawDescriptor& raw);
  Result<> WriteAvailable(uint16_t head, uint16_t step);

  // What the device wrote, as it stands now. 0 where the queue is not usable.
  uint16_t used_flags() const;
  uint16_t used_idx() const;
  uint16_t avail_event() const;
  UsedElement used_element(uint16_t index) const;

  // Used entries that the driver has not taken yet, as the index claims.
  uint16_t Pending() const { return static_cast<uint16_t>(used_idx() - last_used_); }
  uint16_t last_used() const { return last_used_; }
  void SkipUsed(uint16_t count) { last_used_ = static_cast<uint16_t>(last_used_ + count); }
  uint16_t avail_idx() const { return avail_idx_; }
  uint16_t avail_flags() const { return avail_flags_; }
  uint16_t used_event() const { return used_event_; }
  size_t free_descriptors() const { return free_.size(); }

  // In the order in which they were made available.
  const std::deque<Chain>& outstanding() const { return outstanding_; }
  // Removes one chain from those, and gives its descriptors back. `position` into outstanding().
  Chain Complete(size_t position);
  std::optional<size_t> Find(uint32_t head) const;

 private:
  Result<> CheckUsable() const;
  Result<> Descriptor(uint64_t table, uint32_t index, const op::Segment& segment, uint16_t flags,
                      uint16_t next);

  GuestMemory& memory_;
  Shadow& shadow_;
  QueueLayout layout_;
  bool usable_;
  uint16_t avail_idx_ = 0;  // as published
  uint16_t held_idx_ = 0;   // including what is held back
  uint16_t last_used_ = 0;
  uint16_t avail_flags_ = 0;
  uint16_t used_event_ = 0;
  std::deque<uint16_t> free_;
  std::deque<Chain> outstanding_;
};

}  // namespace vitro
