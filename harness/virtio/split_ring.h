// SPDX-License-Identifier: Apache-2.0
// Layout of a split virtqueue (section 2.7): sizes, offsets and flags. Facts only.
#pragma once

#include <cstdint>

namespace vitro::split {

inline constexpr uint16_t kDescNext = 1;      // VIRTQ_DESC_F_NEXT
inline constexpr uint16_t kDescWrite = 2;     // VIRTQ_DESC_F_WRITE
inline constexpr uint16_t kDescIndirect = 4;  // VIRTQ_DESC_F_INDIRECT
inline constexpr uint16_t kAvailNoInterrupt = 1;
inline constexpr uint16_t kUsedNoNotify = 1;

inline constexpr uint32_t kMaxQueueSize = 32768;  // section 2.7
inline constexpr uint64_t kDescAlign = 16, kAvailAlign = 2, kUsedAlign = 4;

// struct virtq_desc: le64 addr, le32 len, le16 flags, le16 next.
inline constexpr uint64_t kDescSize = 16;
inline constexpr uint64_t kDescAddr = 0, kDescLen = 8, kDescFlags = 12, kDescNextField = 14;
// struct virtq_used_elem: le32 id, le32 len.
inline constexpr uint64_t kUsedElemSize = 8;
// Both rings: le16 flags, le16 idx, ring[queue size], le16 event.
inline constexpr uint64_t kRingFlags = 0, kRingIdx = 2, kRingEntries = 4;

constexpr uint64_t DescTableBytes(uint32_t queue_size) { return kDescSize * queue_size; }
constexpr uint64_t UsedEventOffset(uint32_t queue_size) { return kRingEntries + 2ull * queue_size; }
constexpr uint64_t AvailEventOffset(uint32_t queue_size) {
  return kRingEntries + kUsedElemSize * queue_size;
}
constexpr uint64_t AvailRingBytes(uint32_t queue_size) { return UsedEventOffset(queue_size) + 2; }
constexpr uint64_t UsedRingBytes(uint32_t queue_size) { return AvailEventOffset(queue_size) + 2; }

// Section 2.7.10: must a notification be sent when idx moves from old_idx to new_idx?
constexpr bool NeedEvent(uint16_t event_idx, uint16_t new_idx, uint16_t old_idx) {
  return static_cast<uint16_t>(new_idx - event_idx - 1) < static_cast<uint16_t>(new_idx - old_idx);
}

}  // namespace vitro::split
