// SPDX-License-Identifier: Apache-2.0
#include "harness/driver/split_queue.h"

namespace vitro {

SplitQueue::SplitQueue(GuestMemory& memory, Shadow& shadow, QueueLayout layout,
                       FeatureSet negotiated)
    : Virtqueue(memory, shadow, layout, negotiated, AreasOf(layout.size, false)) {
  if (!usable_) return;
  for (uint32_t i = 0; i < layout.size; ++i) free_.push_back(static_cast<uint16_t>(i));
}

Result<> SplitQueue::Descriptor(uint64_t table, uint32_t index, const op::Segment& segment,
                                uint16_t flags, uint16_t next) {
  return WriteRaw(table + index * split::kDescSize, segment,
                  static_cast<uint16_t>(flags | (segment.writable ? split::kDescWrite : 0)), next);
}

Result<uint16_t> SplitQueue::Publish(const op::Publish& publish, bool fresh) {
  VITRO_ASSIGN(const Parts parts, Arrange(publish));
  Chain chain;
  chain.segments = publish.segments;
  chain.fresh = fresh;
  chain.table = parts.table;
  for (size_t i = 0; i < parts.needed; ++i) {
    chain.descriptors.push_back(free_.front());
    free_.pop_front();
  }
  chain.id = chain.descriptors.front();
  for (size_t i = 0; i < parts.direct; ++i) {
    const bool last = i + 1 == parts.needed;
    VITRO_TRY(Descriptor(layout_.desc, chain.descriptors[i], publish.segments[i],
                         last ? 0 : split::kDescNext, last ? 0 : chain.descriptors[i + 1]));
  }
  for (uint32_t i = 0; i < parts.in_table; ++i) {
    const bool last = i + 1 == parts.in_table;
    VITRO_TRY(Descriptor(publish.table, i, publish.segments[parts.direct + i],
                         last ? 0 : split::kDescNext, static_cast<uint16_t>(last ? 0 : i + 1)));
  }
  if (parts.in_table > 0)
    VITRO_TRY(Descriptor(layout_.desc, chain.descriptors.back(),
                         {publish.table, static_cast<uint32_t>(chain.table.length), false},
                         static_cast<uint16_t>(split::kDescIndirect | publish.table_flags), 0));
  const uint64_t slot = layout_.driver + split::kRingEntries + 2 * (held_idx_ % layout_.size);
  VITRO_TRY(shadow_.Write(slot, LeBytes(chain.id, 2)));
  ++held_idx_;
  const uint16_t id = chain.id;
  outstanding_.push_back(std::move(chain));
  if (publish.hold == 0) VITRO_TRY(Expose());
  return id;
}

Result<> SplitQueue::Expose() {
  VITRO_TRY(CheckUsable());
  avail_idx_ = held_idx_;
  // Release: entries before index (2.7.6, 2.7.13.3).
  memory_.Store<uint16_t>(layout_.driver + split::kRingIdx, avail_idx_);
  shadow_.Accept({layout_.driver + split::kRingIdx, 2});
  return {};
}

Result<> SplitQueue::SetAvailFlags(uint16_t flags) {
  VITRO_TRY(CheckUsable());
  avail_flags_ = flags;
  return shadow_.Write(layout_.driver + split::kRingFlags, LeBytes(flags, 2));
}

Result<> SplitQueue::SetUsedEvent(uint16_t event) {
  VITRO_TRY(CheckUsable());
  used_event_ = event;
  return shadow_.Write(layout_.driver + split::UsedEventOffset(layout_.size), LeBytes(event, 2));
}

Result<> SplitQueue::WriteDescriptor(const op::RawDescriptor& raw) {
  VITRO_TRY(CheckUsable());
  if (raw.index >= layout_.size)
    return Fail(ErrorKind::kUsage, "descriptor {} of a table of {}", raw.index, layout_.size);
  return Descriptor(layout_.desc, raw.index, {raw.address, raw.length, false}, raw.flags, raw.next);
}

Result<> SplitQueue::WriteAvailable(uint16_t head, uint16_t step) {
  VITRO_TRY(CheckUsable());
  const uint64_t slot = layout_.driver + split::kRingEntries + 2 * (held_idx_ % layout_.size);
  VITRO_TRY(shadow_.Write(slot, LeBytes(head, 2)));
  held_idx_ = static_cast<uint16_t>(held_idx_ + step);
  return Expose();
}

uint16_t SplitQueue::used_flags() const {
  return usable_ ? memory_.Load<uint16_t>(layout_.device + split::kRingFlags) : 0;
}
uint16_t SplitQueue::used_position() const {
  return usable_ ? memory_.Load<uint16_t>(layout_.device + split::kRingIdx) : 0;
}
uint16_t SplitQueue::avail_event() const {
  return usable_ ? memory_.Load<uint16_t>(layout_.device + split::AvailEventOffset(layout_.size))
                 : 0;
}

Virtqueue::UsedElement SplitQueue::Used() const {
  if (!usable_) return {};
  const uint64_t at =
      layout_.device + split::kRingEntries + split::kUsedElemSize * (last_used_ % layout_.size);
  return {memory_.Load<uint32_t>(at), memory_.Load<uint32_t>(at + 4)};
}

std::optional<bool> SplitQueue::AsksFor(uint16_t position, uint32_t entries) const {
  if (!event_idx_) return (avail_flags_ & split::kAvailNoInterrupt) == 0;
  return split::NeedEvent(used_event_, PositionAfter(position, entries), position);
}

void SplitQueue::GiveBack(const Chain& chain) {
  for (uint16_t descriptor : chain.descriptors) free_.push_back(descriptor);
}

}  // namespace vitro
