// SPDX-License-Identifier: Apache-2.0
// Device status bits (section 2.1).
#pragma once

#include <cstdint>

namespace vitro::status {

inline constexpr uint8_t kAcknowledge = 1;
inline constexpr uint8_t kDriver = 2;
inline constexpr uint8_t kDriverOk = 4;
inline constexpr uint8_t kFeaturesOk = 8;
inline constexpr uint8_t kSuspend = 16;
inline constexpr uint8_t kNeedsReset = 64;
inline constexpr uint8_t kFailed = 128;

}  // namespace vitro::status
