// SPDX-License-Identifier: Apache-2.0
// Feature spaces that tests and benchmarks share.
#pragma once

#include <vector>

#include "suite/combinations/feature_space.h"

namespace vitro {

// What bits of the network device require of each other (5.1.3.1).
inline std::vector<FeatureRule> NetRules() {
  std::vector<FeatureRule> rules = {
      {{9}, {7, 8}},                                     // GUEST_ECN
      {{65}, {7}},      {{65}, {8}},      {{65}, {54}},  // GUEST_UDP_TUNNEL_GSO
      {{65}, {55}},     {{66}, {65}},                    //   and with _CSUM
      {{13}, {11, 12}}, {{61}, {11, 12}},                // HOST_ECN, RSC_EXT
      {{67}, {11}},     {{67}, {12}},     {{67}, {56}},  // HOST_UDP_TUNNEL_GSO
      {{68}, {67}},                                      //   and with _CSUM
      {{51}, {17}},     {{51}, {60, 57}},                // HASH_TUNNEL
      {{64}, {17}},     {{64}, {60}},                    // RSS_CONTEXT
  };
  for (unsigned bit : {7, 8, 10, 54, 55}) rules.push_back({{bit}, {1}});  // GUEST_CSUM
  for (unsigned bit : {11, 12, 14, 56}) rules.push_back({{bit}, {0}});    // CSUM
  for (unsigned bit : {18, 19, 21, 22, 23, 52, 53, 60}) rules.push_back({{bit}, {17}});  // CTRL_VQ
  return rules;
}

// All bits that a network device may offer (5.1.3), without those for legacy drivers.
inline FeatureSet NetBits() {
  return {0,  1,  2,  3,  5,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
          23, 50, 51, 52, 53, 54, 55, 56, 57, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70};
}

inline FeatureSpace NetSpace() {
  return FeatureSpace(NetBits().With(feature::kVersion1), {feature::kVersion1}, NetRules());
}

// The 30 of these that the rules name, with MAC and STATUS: 32 bits.
inline FeatureSpace NetSpace32() {
  const FeatureSet unnamed = {2, 3, 15, 20, 50, 59, 62, 63, 69, 70};
  return FeatureSpace(NetBits() - unnamed, {}, NetRules());
}

}  // namespace vitro
