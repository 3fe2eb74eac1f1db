// SPDX-License-Identifier: Apache-2.0
#include "suite/combinations/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace vitro {
namespace {

std::string Grouped(uint64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string HowMany(const FeatureSpace& space) {
  const auto count = space.Count();
  return count ? Grouped(*count) : "more than 2^64";
}

std::string Plural(size_t n, const char* what) {
  return fmt::format("{} {}{}", Grouped(n), what, n == 1 ? "" : "s");
}

void AddNew(const std::vector<FeatureSet>& more, uint64_t most, std::vector<FeatureSet>& sets) {
  std::set<FeatureSet> known(sets.begin(), sets.end());
  for (FeatureSet set : more)
    if (sets.size() < most && known.insert(set).second) sets.push_back(set);
}

struct Array {
  unsigned strength = 0;
  bool too_much_work = false;  // to make the next strength
  std::vector<FeatureSet> sets;
};

Array StrongestOf(const FeatureSpace& space, uint64_t most, CoverLimits limits) {
  Array best;
  limits.max_rows = most;
  const size_t free = space.free_bits().size();
  for (unsigned strength = kLeastStrength; strength <= std::min<size_t>(kMostStrength, free);
       ++strength) {
    // The next strength holds this one twice over, with any one bit on and with it off; about
    // thrice is usual.
    const size_t rows = best.sets.size();
    if (rows > most / 2) break;
    best.too_much_work = CoverWork(free, strength, 3 * rows) > limits.max_work;
    if (best.too_much_work) break;
    auto sets = CoverFeatures(space, strength, limits);
    if (!sets || sets->size() > most) break;
    best = {strength, false, std::move(*sets)};
  }
  return best;
}

}  // namespace

std::vector<FeatureSet> CornerSets(const FeatureSpace& space) {
  FeatureSet all;
  for (unsigned bit : space.free_bits()) all.Add(bit);
  std::vector<FeatureSet> wanted;
  const auto want = [&](FeatureSet wish, FeatureSet on, FeatureSet off) {
    if (const auto set = space.Nearest(wish, on, off)) wanted.push_back(*set);
  };
  want({}, {}, {});
  want(all, {}, {});
  for (unsigned bit : space.free_bits()) want({bit}, {bit}, {});
  for (unsigned bit : space.free_bits()) want(all.Without(bit), {}, {bit});
  std::vector<FeatureSet> sets;
  AddNew(wanted, wanted.size(), sets);
  return sets;
}

Plan PlanCombinations(const FeatureSpace& space, uint64_t budget, CoverLimits limits) {
  Plan plan;
  const auto count = space.Count();
  const std::string bits = Plural(space.free_bits().size(), "free bit");
  if (count == 0u) {
    plan.exhaustive = true;
    plan.sentence = "no set is valid: what the bits require and exclude contradicts itself";
    return plan;
  }
  if (count && *count <= budget) {
    plan.exhaustive = true;
    plan.sentence = fmt::format("exhaustive: {} of {}", Plural(*count, "valid set"), bits);
    return plan;
  }
  const std::vector<FeatureSet> corners = CornerSets(space);
  const uint64_t room = budget > corners.size() ? budget - corners.size() : 0;
  Array array = StrongestOf(space, room, limits);
  if (array.strength == 0) array = StrongestOf(space, budget, limits);
  plan.strength = array.strength;
  plan.sets = std::move(array.sets);
  const size_t rows = plan.sets.size();
  AddNew(corners, budget, plan.sets);
  const std::string how = plan.strength ? fmt::format("strength {}", plan.strength)
                                        : "not even all pairs fit the budget";
  plan.sentence =
      fmt::format("{} of {}: {} of {} valid sets", how, bits, Grouped(rows), HowMany(space));
  if (!plan.strength)
    plan.sentence =
        fmt::format("{} free bits, {} valid sets, and a budget of {}: too few for all pairs",
                    space.free_bits().size(), HowMany(space), Grouped(budget));
  if (plan.sets.size() > rows)
    plan.sentence += fmt::format(", plus {} of none, all, singles and all-but-one",
                                 Grouped(plan.sets.size() - rows));
  if (array.too_much_work)
    plan.sentence += fmt::format("; strength {} would take too long to make", plan.strength + 1);
  return plan;
}

Plan PlanOfStrength(const FeatureSpace& space, unsigned strength, const CoverLimits& limits) {
  Plan plan;
  const auto array = CoverFeatures(space, strength, limits);
  if (!array) return plan;
  plan.strength = strength;
  plan.sets = CornerSets(space);
  AddNew(*array, UINT64_MAX, plan.sets);
  return plan;
}

}  // namespace vitro
