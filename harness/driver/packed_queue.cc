// SPDX-License-Identifier: Apache-2.0
#include "harness/driver/packed_queue.h"

#include <algorithm>

namespace vitro {

PackedQueue::PackedQueue(GuestMemory& memory, Shadow& shadow, QueueLayout layout,
                         FeatureSet negotiated)
    : Virtqueue(memory, shadow, layout, negotiated, AreasOf(layout.size, true)) {
  if (!usable_) return;
  free_ = layout.size;
  for (uint32_t i = layout.size; i-- > 0;) free_ids_.push_back(static_cast<uint16_t>(i));
}

std::vector<GuestRange> PackedQueue::DeviceWritable() const {
  std::vector<GuestRange> ranges = {device_area_};
  const uint64_t taken = layout_.size - free_;
  if (taken == 0) return ranges;
  const uint64_t first = packed::SlotOf(last_used_);
  const uint64_t to_end = std::min<uint64_t>(taken, layout_.size - first);
  ranges.push_back({At(static_cast<uint32_t>(first)), to_end * packed::kDescSize});
  if (taken > to_end) ranges.push_back({layout_.desc, (taken - to_end) * packed::kDescSize});
  return ranges;
}

Result<uint16_t> PackedQueue::Publish(const op::Publish& publish, bool fresh) {
  VITRO_ASSIGN(const Parts parts, Arrange(publish));
  if (parts.in_table > 0 && parts.direct > 0)
    return Fail(ErrorKind::kUsage, "a list of a packed ring is direct or indirect, not both");
  Chain chain;
  chain.id = free_ids_.front();
  free_ids_.pop_front();
  free_ -= parts.needed;
  chain.segments = publish.segments;
  chain.fresh = fresh;
  chain.table = parts.table;
  for (uint32_t i = 0; i < parts.in_table; ++i) {
    const op::Segment& segment = publish.segments[i];
    VITRO_TRY(WriteRaw(publish.table + i * packed::kDescSize, segment, 0,
                       segment.writable ? packed::kDescWrite : 0));
  }
  for (size_t i = 0; i < parts.needed; ++i) {
    op::Segment segment{parts.table.address, static_cast<uint32_t>(parts.table.length), false};
    uint32_t flags = packed::kDescIndirect | publish.table_flags;
    if (parts.in_table == 0) {
      segment = publish.segments[i];
      flags = (segment.writable ? packed::kDescWrite : 0) |
              (i + 1 < parts.needed ? packed::kDescNext : 0);
    }
    flags |= packed::AvailableBits(packed::WrapOf(next_));
    const uint32_t slot = packed::SlotOf(next_);
    chain.descriptors.push_back(static_cast<uint16_t>(slot));
    // The first of all that is held keeps its old flags, and so hides the others.
    if (next_ == exposed_) {
      held_flags_ = static_cast<uint16_t>(flags);
      flags = memory_.Load<uint16_t>(At(slot) + packed::kDescFlags);
    }
    VITRO_TRY(WriteRaw(At(slot), segment, chain.id, static_cast<uint16_t>(flags)));
    next_ = PositionAfter(next_, 1);
  }
  const uint16_t id = chain.id;
  outstanding_.push_back(std::move(chain));
  if (publish.hold == 0) VITRO_TRY(Expose());
  return id;
}

Result<> PackedQueue::Expose() {
  VITRO_TRY(CheckUsable());
  if (next_ == exposed_) return {};
  const uint64_t flags = At(packed::SlotOf(exposed_)) + packed::kDescFlags;
  exposed_ = next_;
  // Release: everything else before the flags of the first (2.8.21.1).
  memory_.Store<uint16_t>(flags, held_flags_);
  shadow_.Accept({flags, 2});
  return {};
}

Result<> PackedQueue::SetAvailFlags(uint16_t flags) {
  VITRO_TRY(CheckUsable());
  avail_flags_ = flags;
  return shadow_.Write(layout_.driver + packed::kEventFlags, LeBytes(flags, 2));
}

Result<> PackedQueue::SetUsedEvent(uint16_t event) {
  VITRO_TRY(CheckUsable());
  used_event_ = event;
  return shadow_.Write(layout_.driver + packed::kEventDescriptor, LeBytes(event, 2));
}

Result<> PackedQueue::WriteDescriptor(const op::RawDescriptor& raw) {
  VITRO_TRY(CheckUsable());
  if (raw.index >= layout_.size)
    return Fail(ErrorKind::kUsage, "descriptor {} of a ring of {}", raw.index, layout_.size);
  return WriteRaw(At(raw.index), {raw.address, raw.length, false}, raw.next, raw.flags);
}

Result<> PackedQueue::WriteAvailable(uint16_t, uint16_t) {
  return Fail(ErrorKind::kUsage, "a packed virtqueue has no available ring");
}

uint16_t PackedQueue::used_flags() const {
  return usable_ ? memory_.Load<uint16_t>(layout_.device + packed::kEventFlags) : 0;
}
uint16_t PackedQueue::avail_event() const {
  return usable_ ? memory_.Load<uint16_t>(layout_.device + packed::kEventDescriptor) : 0;
}

PackedQueue::Claim PackedQueue::Walk() const {
  Claim claim{0, last_used_};
  if (!usable_) return claim;
  std::vector<bool> taken(outstanding_.size());
  while (claim.buffers < outstanding_.size()) {
    const uint64_t at = At(packed::SlotOf(claim.position));
    const auto flags = memory_.Load<uint16_t>(at + packed::kDescFlags);
    if (!packed::IsUsed(flags, packed::WrapOf(claim.position))) return claim;
    const auto found = Find(memory_.Load<uint16_t>(at + packed::kDescId));
    // What cannot be is one more, and the end: how far to skip is not known.
    if (!found || taken[*found]) return {claim.buffers + 1, PositionAfter(claim.position, 1)};
    // With IN_ORDER one descriptor may stand for a batch that ends with it (2.8.8).
    for (size_t i = in_order_ ? 0 : *found; i <= *found; ++i) {
      if (taken[i]) continue;
      taken[i] = true;
      ++claim.buffers;
      claim.position =
          PositionAfter(claim.position, static_cast<uint32_t>(outstanding_[i].descriptors.size()));
    }
  }
  return claim;
}

Virtqueue::UsedElement PackedQueue::Used() const {
  const uint64_t at = At(packed::SlotOf(last_used_));
  return {memory_.Load<uint16_t>(at + packed::kDescId),
          memory_.Load<uint32_t>(at + packed::kDescLen),
          (memory_.Load<uint16_t>(at + packed::kDescFlags) & packed::kDescWrite) != 0};
}

std::optional<bool> PackedQueue::AsksFor(uint16_t position, uint32_t entries) const {
  if (avail_flags_ == packed::kEventEnable) return true;
  if (avail_flags_ == packed::kEventDisable) return false;
  if (avail_flags_ != packed::kEventDesc || !event_idx_) return std::nullopt;
  if (used_event_ == position) return true;
  // Inside a list: the standard does not say whether a descriptor that is skipped is used.
  for (uint32_t i = 1; i < entries; ++i)
    if (used_event_ == PositionAfter(position, i)) return std::nullopt;
  return false;
}

void PackedQueue::GiveBack(const Chain& chain) {
  free_ += chain.descriptors.size();
  free_ids_.push_back(chain.id);
}

}  // namespace vitro
