// SPDX-License-Identifier: Apache-2.0
// From sets of feature bits that fail to the few bits that it takes: which must be accepted, and
// which must not, for the device to fail whatever else is negotiated.
#pragma once

#include <functional>
#include <vector>

#include "suite/combinations/feature_space.h"

namespace vitro {

struct Interaction {
  FeatureSet on, off;      // every set tried that has all of `on` and none of `off` failed
  FeatureSet example;      // one of the failing sets that it was found from
  bool reproduced = true;  // false: `example` passed when it was tried again; on and off are empty
  bool complete = true;    // false: it may take fewer bits, but the tries were used up

  bool Explains(FeatureSet set) const {
    return reproduced && set.Contains(on) && (set & off).empty();
  }
};

struct ShrinkLimits {
  unsigned max_tries = 2000;  // of the device, for all together
  unsigned max_interactions = 8;
  unsigned samples = 24;  // sets that an explanation must stand up to
  uint64_t seed = 1;
};

// `failing` are valid sets. `fails` tries a valid set; it is not asked twice about the same one.
// Failing sets that an interaction explains are not looked into again.
std::vector<Interaction> Shrink(const FeatureSpace& space, const std::vector<FeatureSet>& failing,
                                const std::function<bool(FeatureSet)>& fails,
                                const ShrinkLimits& limits = {});

}  // namespace vitro
