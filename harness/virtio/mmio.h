// SPDX-License-Identifier: Apache-2.0
// Virtio over MMIO (4.2.2): the register window of version 2. Offsets in bytes; every register but
// the configuration space is 32 bits wide.
#pragma once

#include <cstdint>

namespace vitro::mmio {

inline constexpr uint32_t kMagicValue = 0x000, kVersion = 0x004, kDeviceId = 0x008;
inline constexpr uint32_t kVendorId = 0x00c;
inline constexpr uint32_t kDeviceFeatures = 0x010, kDeviceFeaturesSel = 0x014;
inline constexpr uint32_t kDriverFeatures = 0x020, kDriverFeaturesSel = 0x024;
inline constexpr uint32_t kQueueSel = 0x030, kQueueSizeMax = 0x034, kQueueSize = 0x038;
inline constexpr uint32_t kQueueReady = 0x044, kQueueNotify = 0x050;
inline constexpr uint32_t kInterruptStatus = 0x060, kInterruptAck = 0x064, kStatus = 0x070;
inline constexpr uint32_t kQueueDescLow = 0x080, kQueueDescHigh = 0x084;
inline constexpr uint32_t kQueueDriverLow = 0x090, kQueueDriverHigh = 0x094;
inline constexpr uint32_t kQueueDeviceLow = 0x0a0, kQueueDeviceHigh = 0x0a4;
inline constexpr uint32_t kShmSel = 0x0ac, kShmLenLow = 0x0b0, kShmLenHigh = 0x0b4;
inline constexpr uint32_t kShmBaseLow = 0x0b8, kShmBaseHigh = 0x0bc;
inline constexpr uint32_t kQueueReset = 0x0c0, kConfigGeneration = 0x0fc, kConfig = 0x100;

inline constexpr uint32_t kMagic = 0x74726976;  // "virt"
inline constexpr uint32_t kVersion2 = 2;
inline constexpr uint32_t kInterruptUsedBuffer = 1, kInterruptConfigChange = 2;
inline constexpr uint32_t kWindowBytes = 0x200;  // what a platform commonly reserves

}  // namespace vitro::mmio
