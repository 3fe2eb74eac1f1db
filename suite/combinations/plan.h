// SPDX-License-Identifier: Apache-2.0
// Which sets of feature bits are tried within a budget: all, or a covering array of the highest
// strength that fits, and the sets that people would try by hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "suite/combinations/covering_array.h"
#include "suite/combinations/feature_space.h"

namespace vitro {

struct Plan {
  bool exhaustive = false;       // all sets, from FeatureSpace::At(0) on; `sets` is empty
  unsigned strength = 0;         // of the covering array among `sets`; 0 if not even 2 fits
  std::vector<FeatureSet> sets;  // no set twice, no more than the budget
  std::string sentence;          // "strength 3 of 32 free bits: 44 of 25,899,900 valid sets, ..."
};

// `limits.max_rows` is the budget's business.
Plan PlanCombinations(const FeatureSpace& space, uint64_t budget, CoverLimits limits = {});

// An array of this strength whatever there are, after the sets that people would try. No sets if
// it cannot be had within the limits; `sentence` is empty.
Plan PlanOfStrength(const FeatureSpace& space, unsigned strength, const CoverLimits& limits);

// No bits, all, each alone, and all but each: the valid sets nearest to these, without duplicates.
std::vector<FeatureSet> CornerSets(const FeatureSpace& space);

}  // namespace vitro
