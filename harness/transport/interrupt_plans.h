// SPDX-License-Identifier: Apache-2.0
// Interrupt plans: the ways in which a driver may have notifications delivered over PCI
// (4.1.5.1.2, 4.1.5.3, 4.1.5.4): MSI-X with vectors of one's own or shared, INTx with the ISR
// status, or nothing at all.
#pragma once

#include <string_view>

namespace vitro::interrupts {

// Names, as in Operation `interrupts` and the option interrupts= of attach strings.
inline constexpr std::string_view kPerQueue = "per-queue";  // config on vector 0, queue n on n + 1;
                                                            // the last vector is shared when they
                                                            // run out
inline constexpr std::string_view kOneVector = "one-vector";  // config and all queues on vector 0
inline constexpr std::string_view kShared = "shared";         // queues two by two
inline constexpr std::string_view kNoConfigVector = "no-config-vector";  // NO_VECTOR for config
inline constexpr std::string_view kNoQueueVector = "no-queue-vector";    // for all queues
inline constexpr std::string_view kNoVector = "no-vector";  // MSI-X enabled, NO_VECTOR for all
inline constexpr std::string_view kOnVector = "vector-";    // and a number: all on that vector
inline constexpr std::string_view kIntx = "intx";           // MSI-X off, INTx and ISR status
inline constexpr std::string_view kPolling = "polling";     // MSI-X off, INTx disabled

inline constexpr std::string_view kPlans[] = {kPerQueue,      kOneVector, kShared, kNoConfigVector,
                                              kNoQueueVector, kNoVector,  kIntx,   kPolling};

}  // namespace vitro::interrupts
