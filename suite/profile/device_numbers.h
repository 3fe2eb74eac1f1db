// SPDX-License-Identifier: Apache-2.0
// Who may use which device id: the table at the beginning of chapter 5, and "What Device Number?"
// of the appendix "Creating New Device Types".
#pragma once

#include <cstdint>

namespace vitro {

inline constexpr uint32_t kLastReservedId = 49;
constexpr bool IsReservedId(uint32_t id) {
  return id >= 1 && id <= kLastReservedId && id != 14 && id != 15 && id != 37;
}

// "Use 65535 and work backwards": 256 of them are taken for experiments.
inline constexpr uint32_t kFirstExperiment = 65280, kLastExperiment = 65535;

}  // namespace vitro
