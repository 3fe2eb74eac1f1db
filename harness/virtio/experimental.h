// SPDX-License-Identifier: Apache-2.0
// The device type that Vitro uses as its example of a new one: device id 65535, which "Creating New
// Device Types" leaves to experiments. Facts only; what they mean is told in
// devices/ref/experimental.h.
#pragma once

#include <cstdint>

namespace vitro::experimental {

// The device's name; other experiments have the same id.
inline constexpr const char* kName = "Vitro reference experimental device";

// Feature bits. CHECKSUM requires GATED.
inline constexpr unsigned kFeatureGated = 0, kFeatureChecksum = 1;

// Virtqueues.
inline constexpr uint32_t kEchoQueue = 0, kStreamQueue = 1, kQueueCount = 2;

// Device-specific configuration space.
inline constexpr uint32_t kConfigVersion = 0;    // le32, read-only
inline constexpr uint32_t kConfigLimit = 4;      // le32, writable
inline constexpr uint32_t kConfigCommand = 8;    // le32, writable, acts on its last byte
inline constexpr uint32_t kConfigCounter = 12;   // le32, read-only, changed by command
inline constexpr uint32_t kConfigGated = 16;     // le32, read-only, 0 without GATED
inline constexpr uint32_t kConfigReserved = 20;  // le32, read-only, 0
inline constexpr uint32_t kConfigWide = 24;      // le64, read-only, changes by itself
inline constexpr uint32_t kConfigTearable = 32;  // le64, writable, no action
// le64, writable, acts once all of its bytes were written, in any pieces and order
inline constexpr uint32_t kConfigThreshold = 40;
inline constexpr uint32_t kConfigReserved2 = 48;  // le32, read-only, 0
inline constexpr uint32_t kConfigActions = 52;    // le32, read-only: how often threshold acted
inline constexpr uint32_t kConfigApplied = 56;    // le64, read-only: what it acted with last
inline constexpr uint32_t kConfigShared = 64;     // le64, writable, changes by itself as well
inline constexpr uint32_t kConfigSize = 72;

inline constexpr uint32_t kVersion = 1;
inline constexpr uint32_t kDefaultLimit = 65536;
inline constexpr uint32_t kGatedValue = 0x64746167;  // "gatd"
inline constexpr uint64_t kDefaultTearable = 0xa5a5a5a5'5a5a5a5aull;
inline constexpr uint64_t kDefaultThreshold = kDefaultTearable;
// The n-th value of `wide` and `shared`, from 1: n in the low half, ~n in the high half, so that a
// torn read shows.
constexpr uint64_t WideValue(uint32_t n) { return uint64_t{~n} << 32 | n; }

// Echo queue: device-readable header { le32 opcode; le32 length; } and `length` bytes of payload.
inline constexpr uint32_t kEchoHeaderSize = 8;
inline constexpr uint32_t kOpEcho = 1;
inline constexpr uint8_t kEchoMask = 0x5a;  // each byte of the answer is a payload byte XOR this
inline constexpr uint32_t kChecksumSize = 4;
// The last device-writable byte.
inline constexpr uint8_t kStatusOk = 0, kStatusBad = 1, kStatusUnsupported = 2, kStatusTooLong = 3;

// Administration virtqueues (option admin=1), after the others.
inline constexpr uint32_t kAdminQueueCount = 2;
// Capabilities, both { le32 limit; le32 flags; }: bins, with the flags 0x3, and labels, with none.
inline constexpr uint16_t kCapBins = 0x800, kCapLabels = 0x801;
inline constexpr uint32_t kBinLimit = 8, kBinFlags = 0x3, kLabelLimit = 4;
// Resource objects of 16 bytes: bin { le64 colour; le64 weight; }, the weight up to 1000, and label
// { le32 bin; le32 reserved; le64 value; }, which depends on a bin.
inline constexpr uint16_t kTypeBin = 0x200, kTypeLabel = 0x201;
inline constexpr uint32_t kObjectSize = 16;
inline constexpr uint64_t kMostWeight = 1000;

}  // namespace vitro::experimental
