// SPDX-License-Identifier: Apache-2.0
#include "harness/driver/split_queue.h"

#include <algorithm>

namespace vitro {

uint64_t SplitQueue::Chain::WritableLength() const {
  uint64_t length = 0;
  for (const op::Segment& segment : segments)
    if (segment.writable) length += segment.length;
  return length;
}

SplitQueue::SplitQueue(GuestMemory& memory, Shadow& shadow, QueueLayout layout)
    : memory_(memory), shadow_(shadow), layout_(layout) {
  // Aligned as the standard has it, or the atomic accesses below would not be.
  usable_ = layout.size > 0 && layout.size <= split::kMaxQueueSize &&
            layout.desc % split::kDescAlign == 0 && layout.driver % split::kAvailAlign == 0 &&
            layout.device % split::kUsedAlign == 0 && memory.IsMemory(DescTable()) &&
            memory.IsMemory(AvailRing()) && memory.IsMemory(UsedRing());
  if (!usable_) return;
  for (uint32_t i = 0; i < layout.size; ++i) free_.push_back(static_cast<uint16_t>(i));
}

Result<> SplitQueue::CheckUsable() const {
  if (usable_) return {};
  return Fail(ErrorKind::kUsage, "the queue's rings are not in guest memory");
}

Result<> SplitQueue::ZeroRings() {
  VITRO_TRY(CheckUsable());
  for (GuestRange area : {DescTable(), AvailRing(), UsedRing()})
    VITRO_TRY(shadow_.Write(area.address, Bytes(area.length)));
  return {};
}

Result<> SplitQueue::Descriptor(uint64_t table, uint32_t index, const op::Segment& segment,
                                uint16_t flags, uint16_t next) {
  uint8_t raw[split::kDescSize];
  StoreLe<uint64_t>(raw + split::kDescAddr, segment.address);
  StoreLe<uint32_t>(raw + split::kDescLen, segment.length);
  StoreLe<uint16_t>(raw + split::kDescFlags,
                    static_cast<uint16_t>(flags | (segment.writable ? split::kDescWrite : 0)));
  StoreLe<uint16_t>(raw + split::kDescNextField, next);
  return shadow_.Write(table + index * split::kDescSize, raw);
}

Result<uint16_t> SplitQueue::Publish(const op::Publish& publish, bool fresh) {
  VITRO_TRY(CheckUsable());
  const size_t count = publish.segments.size();
  const size_t direct = std::min<size_t>(publish.direct, count);
  const bool indirect = direct < count;
  const size_t needed = direct + (indirect ? 1 : 0);
  if (needed == 0) return Fail(ErrorKind::kUsage, "a chain needs at least one segment");
  if (needed > free_.size())
    return Fail(ErrorKind::kUsage, "the chain needs {} descriptors, {} are free", needed,
                free_.size());
  const GuestRange table{publish.table, (count - direct) * split::kDescSize};
  if (indirect && !memory_.IsMemory(table))
    return Fail(ErrorKind::kUsage, "the indirect table {:#x}+{:#x} is not guest memory",
                table.address, table.length);

  Chain chain;
  chain.segments = publish.segments;
  chain.fresh = fresh;
  for (size_t i = 0; i < needed; ++i) {
    chain.descriptors.push_back(free_.front());
    free_.pop_front();
  }
  chain.head = chain.descriptors.front();
  for (size_t i = 0; i < direct; ++i) {
    const bool last = i + 1 == needed;
    VITRO_TRY(Descriptor(layout_.desc, chain.descriptors[i], publish.segments[i],
                         last ? 0 : split::kDescNext, last ? 0 : chain.descriptors[i + 1]));
  }
  if (indirect) {
    const auto entries = static_cast<uint32_t>(count - direct);
    chain.table = table;
    for (uint32_t i = 0; i < entries; ++i) {
      const bool last = i + 1 == entries;
      VITRO_TRY(Descriptor(publish.table, i, publish.segments[direct + i],
                           last ? 0 : split::kDescNext, static_cast<uint16_t>(last ? 0 : i + 1)));
    }
    VITRO_TRY(Descriptor(layout_.desc, chain.descriptors.back(),
                         {publish.table, static_cast<uint32_t>(chain.table.length), false},
                         static_cast<uint16_t>(split::kDescIndirect | publish.table_flags), 0));
  }
  const uint64_t slot = layout_.driver + split::kRingEntries + 2 * (held_idx_ % layout_.size);
  VITRO_TRY(shadow_.Write(slot, LeBytes(chain.head, 2)));
  ++held_idx_;
  const uint16_t head = chain.head;
  outstanding_.push_back(std::move(chain));
  if (publish.hold == 0) VITRO_TRY(Expose());
  return head;
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
uint16_t SplitQueue::used_idx() const {
  return usable_ ? memory_.Load<uint16_t>(layout_.device + split::kRingIdx) : 0;
}
uint16_t SplitQueue::avail_event() const {
  return usable_ ? memory_.Load<uint16_t>(layout_.device + split::AvailEventOffset(layout_.size))
                 : 0;
}

SplitQueue::UsedElement SplitQueue::used_element(uint16_t index) const {
  if (!usable_) return {};
  const uint64_t at =
      layout_.device + split::kRingEntries + split::kUsedElemSize * (index % layout_.size);
  return {memory_.Load<uint32_t>(at), memory_.Load<uint32_t>(at + 4)};
}

SplitQueue::Chain SplitQueue::Complete(size_t position) {
  Chain chain = std::move(outstanding_[position]);
  outstanding_.erase(outstanding_.begin() + static_cast<std::ptrdiff_t>(position));
  for (uint16_t descriptor : chain.descriptors) free_.push_back(descriptor);
  return chain;
}

std::optional<size_t> SplitQueue::Find(uint32_t head) const {
  for (size_t i = 0; i < outstanding_.size(); ++i)
    if (outstanding_[i].head == head) return i;
  return std::nullopt;
}

}  // namespace vitro
