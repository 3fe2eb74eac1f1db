// SPDX-License-Identifier: Apache-2.0
// Layout of a packed virtqueue (section 2.8): sizes, offsets and flags. Facts only. NEXT, WRITE and
// INDIRECT are those of split virtqueues.
#pragma once

#include <cstdint>

namespace vitro::packed {

inline constexpr uint16_t kDescNext = 1;      // VIRTQ_DESC_F_NEXT
inline constexpr uint16_t kDescWrite = 2;     // VIRTQ_DESC_F_WRITE
inline constexpr uint16_t kDescIndirect = 4;  // VIRTQ_DESC_F_INDIRECT
inline constexpr uint16_t kDescAvail = 1u << 7;
inline constexpr uint16_t kDescUsed = 1u << 15;

// RING_EVENT_FLAGS_* (2.8.10)
inline constexpr uint16_t kEventEnable = 0;
inline constexpr uint16_t kEventDisable = 1;
inline constexpr uint16_t kEventDesc = 2;  // with VIRTIO_F_EVENT_IDX only

inline constexpr uint32_t kMaxQueueSize = 32768;
inline constexpr uint64_t kDescAlign = 16, kEventAlign = 4;

// struct pvirtq_desc: le64 addr, le32 len, le16 id, le16 flags.
inline constexpr uint64_t kDescSize = 16;
inline constexpr uint64_t kDescAddr = 0, kDescLen = 8, kDescId = 12, kDescFlags = 14;
// struct pvirtq_event_suppress: le16 descriptor offset and wrap counter, le16 flags.
inline constexpr uint64_t kEventSize = 4, kEventDescriptor = 0, kEventFlags = 2;

// A place in the ring: bits 0 to 14 the descriptor, bit 15 the wrap counter.
constexpr uint16_t Position(uint32_t slot, bool wrap) {
  return static_cast<uint16_t>(slot | (wrap ? 0x8000u : 0u));
}
constexpr uint32_t SlotOf(uint16_t position) { return position & 0x7fffu; }
constexpr bool WrapOf(uint16_t position) { return (position & 0x8000u) != 0; }
inline constexpr uint16_t kStart = Position(0, true);  // both counters start with 1 (2.8.1)
// The place `entries` further on in a ring of `size`; entries <= size.
constexpr uint16_t Advance(uint16_t position, uint32_t entries, uint32_t size) {
  const uint32_t slot = SlotOf(position) + entries;
  return slot < size ? Position(slot, WrapOf(position)) : Position(slot - size, !WrapOf(position));
}

// The two bits as the driver and the device set them at a wrap counter (2.8.1).
constexpr uint16_t AvailableBits(bool wrap) { return wrap ? kDescAvail : kDescUsed; }
constexpr uint16_t UsedBits(bool wrap) {
  return static_cast<uint16_t>(wrap ? kDescAvail | kDescUsed : 0);
}
constexpr bool IsAvailable(uint16_t flags, bool wrap) {
  return (flags & (kDescAvail | kDescUsed)) == AvailableBits(wrap);
}
constexpr bool IsUsed(uint16_t flags, bool wrap) {
  return (flags & (kDescAvail | kDescUsed)) == UsedBits(wrap);
}

}  // namespace vitro::packed
