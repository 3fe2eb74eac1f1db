// SPDX-License-Identifier: Apache-2.0
// FeatureSpace: all sets of feature bits that a driver may accept of an offer (2.2), under what the
// device type's bits require and exclude. Counts them exactly, walks through them in a fixed order,
// and finds the n-th without the ones before, so that a walk can be resumed and shared out.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/virtio/features.h"
#include "suite/combinations/diagram.h"

namespace vitro {

// A set with all of `all` has one of `any`, too. `any` empty: no set has all of `all`. So
// "A requires B or C" is {{A}, {B, C}} and "A conflicts with B" is {{A, B}, {}}.
struct FeatureRule {
  std::vector<unsigned> all, any;
};

class FeatureSpace {
 public:
  // `always` is in every set (VERSION_1, ...); what is not offered cannot be. Rules that name bits
  // which are not offered hold as if those were never accepted.
  FeatureSpace(FeatureSet offered, FeatureSet always, const std::vector<FeatureRule>& rules);

  bool Valid(FeatureSet set) const;
  // The bits that some sets have and others lack, ascending.
  const std::vector<unsigned>& free_bits() const { return free_bits_; }
  // How many valid sets there are, exactly; nullopt beyond 2^64 - 1.
  std::optional<uint64_t> Count() const { return rows_.CountRows(); }
  // The n-th valid set, 0 <= n < Count().
  FeatureSet At(uint64_t n) const;
  // The valid set after `set`, which is valid, in the order of At(); nullopt after the last.
  std::optional<FeatureSet> Next(FeatureSet set) const;
  // The valid set with all of `on` and none of `off` that differs from `wish` in the fewest bits;
  // nullopt if no set has all of `on` and none of `off`.
  std::optional<FeatureSet> Nearest(FeatureSet wish, FeatureSet on = {}, FeatureSet off = {}) const;

  // The same as rows: parameter i, of values 0 and 1, is bit bits()[i].
  const RowSpace& rows() const { return rows_; }
  const std::vector<unsigned>& bits() const { return bits_; }
  FeatureSet FromRow(const Row& row) const;

 private:
  struct Ruled {
    FeatureSet on, off;  // no set has all of `on` and none of `off`
  };
  Model MakeModel(const std::vector<FeatureRule>& rules);
  unsigned BitOf(const Diagram& diagram, size_t level) const {
    return bits_[diagram.parameters()[level]];
  }
  bool Advance(const Diagram& diagram, FeatureSet& set) const;
  void SetFirst(const Diagram& diagram, size_t level, Diagram::Node node, FeatureSet& set) const;

  FeatureSet offered_, always_;
  std::vector<unsigned> bits_;  // offered, and not in every set from the start
  std::vector<Ruled> ruled_out_;
  RowSpace rows_;
  FeatureSet loose_;  // bits that no rule names
  std::vector<unsigned> free_bits_;
};

}  // namespace vitro
