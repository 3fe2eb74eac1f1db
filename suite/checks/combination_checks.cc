// SPDX-License-Identifier: Apache-2.0
// Checks of sets of feature bits (2.2): a bounded slice of what `vitro combinations` tries.
#include "suite/checks/feature_sets.h"
#include "suite/combinations/plan.h"

namespace vitro {
namespace {

constexpr const char* kSubset = "dev.basic.feature-bits.2";
constexpr const char* kAgain = "dev.basic.feature-bits.4";
constexpr const char* kSameConfig = "derived.features.same-config";
constexpr const char* kFields = "derived.features.fields";
constexpr const char* kGated = "derived.queue.gated";
constexpr const char* kProgress = "derived.used.progress";

// Sets in one check. With requests each takes real devices some milliseconds.
constexpr uint64_t kMostNegotiated = 512, kMostServed = 64, kMostServedElsewhere = 24;

// Tries sets within the budget, until one does not pass: it tells as well as a hundred.
void TrySets(Context& c, SetDepth depth, uint64_t budget) {
  const FeatureSpace space = FindNegotiable(c.facts()).Space();
  if (space.Count() == 0) c.NotApplicable("no set of the offered features is valid");
  const Plan plan = PlanCombinations(space, budget);
  const auto go_on = [&](FeatureSet set) {
    TrySet(c, set, depth);
    return !c.failed();
  };
  for (const FeatureSet set : plan.sets)
    if (!go_on(set)) return;
  if (!plan.exhaustive) return;
  std::optional<FeatureSet> set = space.At(0);
  while (set && go_on(*set)) set = space.Next(*set);
}

void NegotiatesSets(Context& c) { TrySets(c, SetDepth::kNegotiate, kMostNegotiated); }

void ServesWithSets(Context& c) {
  TrySets(c, SetDepth::kIo, c.Has(Ability::kExactQuiet) ? kMostServed : kMostServedElsewhere);
}

}  // namespace

void AddCombinationChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "features.combinations.negotiate",
      .title = "Every valid set of features is taken: all sets where they are few, else a covering "
               "array",
      .section = "2.2.2",
      .requirements = {kSubset},
      .tags = {"odd"},
      .needs = {},
      .faults = {"features-ok-refused-together", "features-ok-hang",
                 "entropy:features-ok-refused-together", "entropy:features-ok-hang"},
      .run = NegotiatesSets,
  });
  list.push_back({
      .id = "features.combinations.requests",
      .title = "The device works the same with any set of features: its config space, queues and "
               "requests",
      .section = "2.2.2",
      .requirements = {kProgress, kSubset, kAgain, kSameConfig, kFields, kGated},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"entropy:features-together-crash", "entropy:features-together-used-length",
                 "experimental:gated-field-refused", "config-differs-again"},
      .run = ServesWithSets,
  });
}

}  // namespace vitro
