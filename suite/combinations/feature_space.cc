// SPDX-License-Identifier: Apache-2.0
#include "suite/combinations/feature_space.h"

#include <algorithm>
#include <utility>

namespace vitro {
namespace {

std::vector<unsigned> BitsOf(FeatureSet set) {
  std::vector<unsigned> bits;
  for (unsigned bit = 0; bit < feature::kBits; ++bit)
    if (set.Has(bit)) bits.push_back(bit);
  return bits;
}

// The next number of 128 bits that has bits in `mask` only; 0 after the last.
FeatureSet NextWithin(FeatureSet mask, FeatureSet set) {
  uint64_t low = 0;
  const bool carry = __builtin_add_overflow(set.word(0) | ~mask.word(0), uint64_t{1}, &low);
  const uint64_t high = (set.word(1) | ~mask.word(1)) + (carry ? 1 : 0);
  return FeatureSet::FromWords(low, carry ? high : set.word(1)) & mask;
}

}  // namespace

FeatureSpace::FeatureSpace(FeatureSet offered, FeatureSet always,
                           const std::vector<FeatureRule>& rules)
    : offered_(offered),
      always_(always & offered),
      bits_(BitsOf(offered_ - always_)),
      rows_(MakeModel(rules)) {
  for (unsigned parameter : rows_.loose()) loose_.Add(bits_[parameter]);
  for (unsigned parameter = 0; parameter < bits_.size(); ++parameter)
    if (rows_.ValuesOf(parameter).size() == 2) free_bits_.push_back(bits_[parameter]);
}

// Each rule forbids to have all of one kind of bits and none of another: settings, once those that
// are certain have been left out.
Model FeatureSpace::MakeModel(const std::vector<FeatureRule>& rules) {
  Model model;
  model.values.assign(bits_.size(), 2);
  for (const FeatureRule& rule : rules) {
    Ruled ruled;
    bool never = false;
    for (unsigned bit : rule.all) {
      never |= !offered_.Has(bit);
      if (bit < feature::kBits) ruled.on.Add(bit);
    }
    for (unsigned bit : rule.any) {
      never |= always_.Has(bit) || ruled.on.Has(bit);
      if (bit < feature::kBits) ruled.off.Add(bit);
    }
    if (never) continue;
    Settings settings;
    for (unsigned parameter = 0; parameter < bits_.size(); ++parameter) {
      const unsigned bit = bits_[parameter];
      if (ruled.on.Has(bit) || ruled.off.Has(bit))
        settings.push_back({parameter, ruled.on.Has(bit) ? 1u : 0u});
    }
    model.forbidden.push_back(std::move(settings));
    ruled_out_.push_back(ruled);
  }
  return model;
}

bool FeatureSpace::Valid(FeatureSet set) const {
  return offered_.Contains(set) && set.Contains(always_) &&
         std::none_of(ruled_out_.begin(), ruled_out_.end(), [&](const Ruled& ruled) {
           return set.Contains(ruled.on) && (set & ruled.off).empty();
         });
}

// The bits that no rule names count fastest; then each diagram in turn, its last level fastest.
FeatureSet FeatureSpace::At(uint64_t n) const {
  FeatureSet set = always_;
  for (unsigned parameter : rows_.loose()) {
    if (n & 1) set.Add(bits_[parameter]);
    n >>= 1;
  }
  for (const Diagram& diagram : rows_.diagrams()) {
    const RowCount count = diagram.CountOf(diagram.root());
    uint64_t index = count ? n % *count : n;
    n = count ? n / *count : 0;
    Diagram::Node node = diagram.root();
    for (size_t level = 0; node != Diagram::kEnd; ++level) {
      const Diagram::Node without = diagram.Child(node, 0);
      const RowCount before = diagram.CountOf(without);
      const bool has = before && index >= *before;
      if (has) {
        index -= *before;
        set.Add(BitOf(diagram, level));
      }
      node = has ? diagram.Child(node, 1) : without;
    }
  }
  return set;
}

std::optional<FeatureSet> FeatureSpace::Next(FeatureSet set) const {
  const FeatureSet loose = NextWithin(loose_, set);
  set = (set - loose_) | loose;
  if (!loose.empty()) return set;
  for (const Diagram& diagram : rows_.diagrams())
    if (Advance(diagram, set)) return set;
  return std::nullopt;
}

// To the next way through the diagram; false, and to the first one, after the last.
bool FeatureSpace::Advance(const Diagram& diagram, FeatureSet& set) const {
  // The last level where the set lacks a bit that it could have turns; all below starts anew.
  std::optional<size_t> turn;
  Diagram::Node turned = diagram.root(), node = diagram.root();
  for (size_t level = 0; node != Diagram::kEnd; ++level) {
    const bool has = set.Has(BitOf(diagram, level));
    if (const Diagram::Node with = diagram.Child(node, 1); !has && with != Diagram::kDead) {
      turn = level;
      turned = with;
    }
    node = diagram.Child(node, has);
  }
  if (turn) set.Add(BitOf(diagram, *turn));
  SetFirst(diagram, turn ? *turn + 1 : 0, turned, set);
  return turn.has_value();
}

void FeatureSpace::SetFirst(const Diagram& diagram, size_t level, Diagram::Node node,
                            FeatureSet& set) const {
  for (; node != Diagram::kEnd; ++level) {
    const unsigned bit = BitOf(diagram, level);
    const Diagram::Node without = diagram.Child(node, 0);
    if (without != Diagram::kDead) {
      set.Remove(bit);
      node = without;
    } else {
      set.Add(bit);
      node = diagram.Child(node, 1);
    }
  }
}

std::optional<FeatureSet> FeatureSpace::Nearest(FeatureSet wish, FeatureSet on,
                                                FeatureSet off) const {
  if (!offered_.Contains(on) || !((on | always_) & off).empty()) return std::nullopt;
  Row decided(bits_.size(), kAny), wanted(bits_.size());
  for (size_t i = 0; i < bits_.size(); ++i) {
    wanted[i] = wish.Has(bits_[i]);
    if (on.Has(bits_[i]) || off.Has(bits_[i])) decided[i] = on.Has(bits_[i]);
  }
  const auto row = rows_.Complete(std::move(decided), wanted);
  if (!row) return std::nullopt;
  return FromRow(*row);
}

FeatureSet FeatureSpace::FromRow(const Row& row) const {
  FeatureSet set = always_;
  for (size_t i = 0; i < bits_.size(); ++i)
    if (row[i] == 1) set.Add(bits_[i]);
  return set;
}

}  // namespace vitro
