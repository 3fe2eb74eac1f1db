// SPDX-License-Identifier: Apache-2.0
#include "harness/driver/virtqueue.h"

#include <algorithm>

#include "harness/driver/packed_queue.h"
#include "harness/driver/split_queue.h"
#include "harness/virtio/split_ring.h"

namespace vitro {

uint64_t Virtqueue::Chain::WritableLength() const {
  uint64_t length = 0;
  for (const op::Segment& segment : segments)
    if (segment.writable) length += segment.length;
  return length;
}

std::unique_ptr<Virtqueue> Virtqueue::Create(GuestMemory& memory, Shadow& shadow,
                                             QueueLayout layout, FeatureSet negotiated) {
  if (negotiated.Has(feature::kRingPacked))
    return std::make_unique<PackedQueue>(memory, shadow, layout, negotiated);
  return std::make_unique<SplitQueue>(memory, shadow, layout, negotiated);
}

Virtqueue::Areas Virtqueue::AreasOf(uint32_t size, bool packed) {
  if (packed)
    return {packed::kDescSize * size, packed::kEventSize,  packed::kEventSize,   packed::kDescAlign,
            packed::kEventAlign,      packed::kEventAlign, packed::kMaxQueueSize};
  return {split::DescTableBytes(size), split::AvailRingBytes(size), split::UsedRingBytes(size),
          split::kDescAlign,           split::kAvailAlign,          split::kUsedAlign,
          split::kMaxQueueSize};
}

Virtqueue::Virtqueue(GuestMemory& memory, Shadow& shadow, QueueLayout layout, FeatureSet negotiated,
                     const Areas& areas)
    : memory_(memory),
      shadow_(shadow),
      layout_(layout),
      event_idx_(negotiated.Has(feature::kEventIdx)),
      in_order_(negotiated.Has(feature::kInOrder)),
      descriptor_area_{layout.desc, areas.desc_bytes},
      driver_area_{layout.driver, areas.driver_bytes},
      device_area_{layout.device, areas.device_bytes} {
  // Aligned as the standard has it, or atomic accesses to the rings would not be.
  usable_ = layout.size > 0 && layout.size <= areas.max_size &&
            layout.desc % areas.desc_align == 0 && layout.driver % areas.driver_align == 0 &&
            layout.device % areas.device_align == 0 && memory.IsMemory(descriptor_area_) &&
            memory.IsMemory(driver_area_) && memory.IsMemory(device_area_);
}

Result<> Virtqueue::CheckUsable() const {
  if (usable_) return {};
  return Fail(ErrorKind::kUsage, "the queue's rings are not in guest memory");
}

Result<> Virtqueue::ZeroRings() {
  VITRO_TRY(CheckUsable());
  for (GuestRange area : {descriptor_area_, driver_area_, device_area_})
    VITRO_TRY(shadow_.Write(area.address, Bytes(area.length)));
  return {};
}

Result<Virtqueue::Parts> Virtqueue::Arrange(const op::Publish& publish) const {
  VITRO_TRY(CheckUsable());
  Parts parts;
  parts.direct = std::min<size_t>(publish.direct, publish.segments.size());
  parts.in_table = publish.segments.size() - parts.direct;
  parts.needed = parts.direct + (parts.in_table > 0 ? 1 : 0);
  parts.table = {publish.table, parts.in_table * split::kDescSize};
  if (parts.needed == 0) return Fail(ErrorKind::kUsage, "a chain needs at least one segment");
  if (parts.needed > free_descriptors())
    return Fail(ErrorKind::kUsage, "the chain needs {} descriptors, {} are free", parts.needed,
                free_descriptors());
  if (parts.in_table > 0 && !memory_.IsMemory(parts.table))
    return Fail(ErrorKind::kUsage, "the indirect table {:#x}+{:#x} is not guest memory",
                parts.table.address, parts.table.length);
  if (parts.in_table == 0) parts.table = {};
  return parts;
}

Result<> Virtqueue::WriteRaw(uint64_t address, const op::Segment& segment, uint16_t at_12,
                             uint16_t at_14) {
  uint8_t raw[split::kDescSize];
  StoreLe<uint64_t>(raw, segment.address);
  StoreLe<uint32_t>(raw + 8, segment.length);
  StoreLe<uint16_t>(raw + 12, at_12);
  StoreLe<uint16_t>(raw + 14, at_14);
  return shadow_.Write(address, raw);
}

Virtqueue::Chain Virtqueue::Complete(size_t position) {
  Chain chain = std::move(outstanding_[position]);
  outstanding_.erase(outstanding_.begin() + static_cast<std::ptrdiff_t>(position));
  GiveBack(chain);
  return chain;
}

std::optional<size_t> Virtqueue::Find(uint32_t id) const {
  for (size_t i = 0; i < outstanding_.size(); ++i)
    if (outstanding_[i].id == id) return i;
  return std::nullopt;
}

}  // namespace vitro
