// SPDX-License-Identifier: Apache-2.0
// FeatureSpace: all sets of feature bits that a driver may accept of an offer (2.2), under what the
// device type's bits require and exclude. Counts them exactly, walks through them in a fixed order,
// and finds the n-th without the ones before, so that a walk can be resumed and shared out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/virtio/features.h"

namespace vitro {

// A set with all of `all` has one of `any`, too. `any` empty: no set has all of `all`. So
// "A requires B or C" is {{A}, {B, C}} and "A conflicts with B" is {{A, B}, {}}.
struct FeatureRule {
  std::vector<unsigned> all, any;
};

class FeatureSpace {
 public:
  // `always` is in every set (VERSION_1, ...) and part of `offered`. Rules that name bits which are
  // not offered hold as if those were never accepted.
  FeatureSpace(FeatureSet offered, FeatureSet always, std::vector<FeatureRule> rules);

  bool Valid(FeatureSet set) const;
  // The bits that some sets have and others lack, ascending.
  const std::vector<unsigned>& free_bits() const;
  // How many valid sets there are, exactly; nullopt beyond 2^64 - 1.
  std::optional<uint64_t> Count() const;
  // The n-th valid set, 0 <= n < Count().
  FeatureSet At(uint64_t n) const;
  // The valid set after `set`, which is valid, in the order of At(); nullopt after the last.
  std::optional<FeatureSet> Next(FeatureSet set) const;
};

}  // namespace vitro
