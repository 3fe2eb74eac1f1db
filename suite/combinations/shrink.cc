// SPDX-License-Identifier: Apache-2.0
#include "suite/combinations/shrink.h"

#include <algorithm>
#include <bit>
#include <map>
#include <random>
#include <utility>

namespace vitro {
namespace {

struct Bit {
  unsigned bit = 0;
  bool on = false;
};

// Which bits are as in the failing set, the others being free.
struct Fixed {
  FeatureSet on, off;
  Fixed With(const std::vector<Bit>& bits) const {
    Fixed fixed = *this;
    for (const Bit& bit : bits) (bit.on ? fixed.on : fixed.off).Add(bit.bit);
    return fixed;
  }
  bool Agrees(FeatureSet set) const { return set.Contains(on) && (set & off).empty(); }
};

unsigned Difference(FeatureSet a, FeatureSet b) {
  const FeatureSet differs = (a - b) | (b - a);
  return static_cast<unsigned>(std::popcount(differs.word(0)) + std::popcount(differs.word(1)));
}

class Shrinker {
 public:
  Shrinker(const FeatureSpace& space, const std::function<bool(FeatureSet)>& fails,
           const ShrinkLimits& limits)
      : space_(space), try_(fails), limits_(limits), random_(limits.seed) {}

  bool exhausted() const { return known_.size() >= limits_.max_tries; }

  Interaction Explain(FeatureSet failing) {
    Interaction found;
    found.example = failing;
    if (!Fails(failing)) {
      found.reproduced = false;
      return found;
    }
    // An explanation that is too weak has a set that it explains and that passes; what tells that
    // set from the failing one makes it stronger.
    Fixed fixed;
    while (const auto passing = Counterexample(failing, fixed))
      fixed = fixed.With(Tell(failing, *passing, fixed));
    if (exhausted()) fixed = Whole(failing);
    Weaken(failing, fixed);
    found.on = fixed.on;
    found.off = fixed.off;
    found.complete = !exhausted();
    return found;
  }

 private:
  // Past the last try everything passes, so nothing is concluded from it.
  bool Fails(FeatureSet set) {
    if (const auto known = known_.find(set); known != known_.end()) return known->second;
    if (exhausted()) return false;
    return known_[set] = try_(set);
  }

  Fixed Whole(FeatureSet set) const {
    Fixed fixed;
    for (unsigned bit : space_.free_bits()) (set.Has(bit) ? fixed.on : fixed.off).Add(bit);
    return fixed;
  }

  // A set that passes, alike in what is fixed; of those that were tried before, the nearest.
  std::optional<FeatureSet> Counterexample(FeatureSet failing, const Fixed& fixed) {
    std::optional<FeatureSet> nearest;
    for (const auto& [set, failed] : known_)
      if (!failed && fixed.Agrees(set) &&
          (!nearest || Difference(set, failing) < Difference(*nearest, failing)))
        nearest = set;
    if (nearest) return nearest;
    std::vector<FeatureSet> wishes = {
        {}, FeatureSet::FromWords(~0ull, ~0ull), FeatureSet::FromWords(~0ull, ~0ull) - failing};
    for (unsigned bit : space_.free_bits())
      wishes.push_back(failing.Has(bit) ? failing.Without(bit) : failing.With(bit));
    for (unsigned i = 0; i < limits_.samples; ++i)
      wishes.push_back(FeatureSet::FromWords(random_(), random_()));
    for (FeatureSet wish : wishes) {
      const auto set = space_.Nearest(wish, fixed.on, fixed.off);
      if (exhausted()) return std::nullopt;
      if (set && !Fails(*set)) return set;
    }
    return std::nullopt;
  }

  // The fewest bits that make the passing set fail when they are as in the failing one.
  std::vector<Bit> Tell(FeatureSet failing, FeatureSet passing, const Fixed& fixed) {
    std::vector<Bit> bits;
    for (unsigned bit : space_.free_bits())
      if (failing.Has(bit) != passing.Has(bit)) bits.push_back({bit, failing.Has(bit)});
    const auto fail_with = [&](const std::vector<Bit>& some) {
      const Fixed with = fixed.With(some);
      const auto set = space_.Nearest(passing, with.on, with.off);
      return set && Fails(*set);
    };
    StrongFirst(bits);
    for (size_t chunk = std::max<size_t>(1, bits.size() / 2);;
         chunk = std::max<size_t>(1, chunk / 2)) {
      const bool fewer = DropChunks(chunk, fail_with, bits);
      if (chunk == 1 && !fewer) return bits;
    }
  }

  template <typename Predicate>
  static bool DropChunks(size_t chunk, const Predicate& still, std::vector<Bit>& bits) {
    bool dropped = false;
    for (size_t at = 0; at < bits.size();) {
      std::vector<Bit> rest = bits;
      const size_t end = std::min(at + chunk, bits.size());
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(at),
                 rest.begin() + static_cast<std::ptrdiff_t>(end));
      if (rest.size() > 0 && still(rest)) {
        bits = std::move(rest);
        dropped = true;
      } else {
        at = end;
      }
    }
    return dropped;
  }

  // Bits that force others are the first to go: what they force may be the cause.
  void StrongFirst(std::vector<Bit>& bits) {
    std::sort(bits.begin(), bits.end(), [&](const Bit& a, const Bit& b) {
      return std::pair(Forces(b), a.bit) < std::pair(Forces(a), b.bit);
    });
  }

  // How many other bits there is no choice about with this one.
  size_t Forces(const Bit& bit) {
    const auto [known, is_new] = forces_.emplace(std::pair(bit.bit, bit.on), 0);
    if (!is_new) return known->second;
    const Fixed fixed = Fixed().With({bit});
    for (unsigned other : space_.free_bits())
      known->second +=
          !Possible(fixed.With({{other, false}})) || !Possible(fixed.With({{other, true}}));
    return known->second;
  }

  bool Possible(const Fixed& fixed) const {
    return space_.Nearest({}, fixed.on, fixed.off).has_value();
  }

  // Leaves out what the explanation stands without. What it implies is part of it at first, and
  // stays where it is all that matters: "no TSO" rather than "no CSUM", which TSO requires.
  void Weaken(FeatureSet failing, Fixed& fixed) {
    std::vector<Bit> bits, implied;
    for (unsigned bit : space_.free_bits()) {
      const Bit as_is = {bit, failing.Has(bit)}, flipped = {bit, !failing.Has(bit)};
      if (fixed.on.Has(bit) || fixed.off.Has(bit)) {
        bits.push_back(as_is);
      } else if (!Possible(fixed.With({flipped}))) {
        implied.push_back(as_is);
      }
    }
    fixed = fixed.With(implied);
    StrongFirst(bits);
    StrongFirst(implied);
    bits.insert(bits.end(), implied.begin(), implied.end());
    for (const Bit& bit : bits) {
      const Fixed weaker = {fixed.on.Without(bit.bit), fixed.off.Without(bit.bit)};
      if (!Counterexample(failing, weaker) && !exhausted()) fixed = weaker;
    }
  }

  const FeatureSpace& space_;
  const std::function<bool(FeatureSet)>& try_;
  const ShrinkLimits& limits_;
  std::mt19937_64 random_;
  std::map<std::pair<unsigned, bool>, size_t> forces_;
  std::map<FeatureSet, bool> known_;  // sets that were tried: whether they failed
};

}  // namespace

std::vector<Interaction> Shrink(const FeatureSpace& space, const std::vector<FeatureSet>& failing,
                                const std::function<bool(FeatureSet)>& fails,
                                const ShrinkLimits& limits) {
  std::vector<Interaction> found;
  Shrinker shrinker(space, fails, limits);
  for (FeatureSet set : failing) {
    if (found.size() >= limits.max_interactions || shrinker.exhausted()) break;
    if (std::none_of(found.begin(), found.end(),
                     [&](const Interaction& interaction) { return interaction.Explains(set); }))
      found.push_back(shrinker.Explain(set));
  }
  return found;
}

}  // namespace vitro
