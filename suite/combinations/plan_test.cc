// SPDX-License-Identifier: Apache-2.0
#include "suite/combinations/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "suite/combinations/test_models.h"
#include "suite/combinations/verify.h"

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

FeatureSet UpTo(unsigned end) {
  FeatureSet set;
  for (unsigned bit = 0; bit < end; ++bit) set.Add(bit);
  return set;
}

TEST(Plan, ExhaustiveWithinTheBudget) {
  const FeatureSpace space(UpTo(10), {}, {{{9}, {8}}});
  const Plan plan = PlanCombinations(space, 768);
  EXPECT_TRUE(plan.exhaustive);
  EXPECT_THAT(plan.sets, IsEmpty());
  EXPECT_EQ(plan.sentence, "exhaustive: 768 valid sets of 10 free bits");
  EXPECT_FALSE(PlanCombinations(space, 767).exhaustive);
  EXPECT_EQ(PlanCombinations(FeatureSpace({32}, {32}, {}), 5).sentence,
            "exhaustive: 1 valid set of 0 free bits");
}

TEST(Plan, NothingIsValid) {
  const Plan plan = PlanCombinations(FeatureSpace({1}, {1}, {{{1}, {}}}), 5);
  EXPECT_TRUE(plan.exhaustive);
  EXPECT_EQ(plan.sentence, "no set is valid: what the bits require and exclude contradicts itself");
}

void ExpectSound(const FeatureSpace& space, const Plan& plan, uint64_t budget) {
  EXPECT_LE(plan.sets.size(), budget);
  EXPECT_EQ(std::set(plan.sets.begin(), plan.sets.end()).size(), plan.sets.size());
  for (FeatureSet set : plan.sets) EXPECT_TRUE(space.Valid(set));
}

TEST(Plan, TheHighestStrengthThatFits) {
  const FeatureSpace space = NetSpace32();
  const FeatureSet offered = NetBits() - FeatureSet{2, 3, 15, 20, 50, 59, 62, 63, 69, 70};
  unsigned before = 0;
  for (uint64_t budget : {80, 150, 400}) {
    const Plan plan = PlanCombinations(space, budget);
    SCOPED_TRACE(plan.sentence);
    ExpectSound(space, plan, budget);
    EXPECT_GT(plan.strength, before);
    before = plan.strength;
    EXPECT_EQ(FindGap(offered, {}, NetRules(), plan.sets, std::min(plan.strength, 3u)),
              std::nullopt);
    const std::set<FeatureSet> sets(plan.sets.begin(), plan.sets.end());
    for (FeatureSet corner : CornerSets(space)) EXPECT_TRUE(sets.count(corner));
  }
}

TEST(Plan, TheSentenceSaysWhatIsTried) {
  const FeatureSpace space(UpTo(21), {}, {{{20}, {19}}});
  const Plan plan = PlanCombinations(space, 60);
  ExpectSound(space, plan, 60);
  EXPECT_EQ(plan.strength, 2u);
  EXPECT_THAT(plan.sentence, testing::MatchesRegex(
                                 "strength 2 of 21 free bits: [0-9]+ of 1,572,864 valid sets, plus "
                                 "[0-9]+ of none, all, singles and all-but-one"));
  const Plan large = PlanCombinations(FeatureSpace(UpTo(100), {}, {}), 300);
  EXPECT_GE(large.strength, 2u);
  EXPECT_THAT(large.sentence, testing::HasSubstr(" of more than 2^64 valid sets"));
}

TEST(Plan, WhatWouldTakeTooLongIsSaid) {
  CoverLimits limits;
  limits.max_work = 1'000'000;
  const Plan plan = PlanCombinations(NetSpace(), 100'000, limits);
  EXPECT_EQ(plan.strength, 2u);
  EXPECT_THAT(plan.sentence, testing::EndsWith("; strength 3 would take too long to make"));
}

TEST(Plan, ASmallBudgetPrefersPairsToCorners) {
  const FeatureSpace space(UpTo(40), {}, {});
  const Plan plan = PlanCombinations(space, 30);
  ExpectSound(space, plan, 30);
  EXPECT_EQ(plan.strength, 2u);
  EXPECT_EQ(plan.sets.size(), 30u);
  EXPECT_EQ(FindGap(UpTo(40), {}, {}, plan.sets, 2), std::nullopt);
}

TEST(Plan, TooSmallABudget) {
  const FeatureSpace space(UpTo(40), {}, {});
  const Plan plan = PlanCombinations(space, 3);
  EXPECT_THAT(plan.sets, ElementsAre(FeatureSet{}, UpTo(40), FeatureSet{0}));
  EXPECT_EQ(plan.strength, 0u);
  EXPECT_EQ(plan.sentence,
            "40 free bits, 1,099,511,627,776 valid sets, and a budget of 3: too few for all pairs, "
            "plus 3 of none, all, singles and all-but-one");
  EXPECT_THAT(PlanCombinations(space, 0).sets, IsEmpty());
}

TEST(Plan, CornersAreClosedUnderTheRules) {
  // 1 requires 0; 2 and 3 exclude each other.
  const FeatureSpace space({0, 1, 2, 3, 32}, {32}, {{{1}, {0}}, {{2, 3}, {}}});
  const std::vector<FeatureSet> corners = CornerSets(space);
  const std::set<FeatureSet> sets(corners.begin(), corners.end());
  EXPECT_EQ(sets.size(), corners.size());
  EXPECT_TRUE(sets.count({32})) << "none";
  EXPECT_TRUE(sets.count({0, 1, 2, 32}) || sets.count({0, 1, 3, 32})) << "all";
  EXPECT_TRUE(sets.count({0, 1, 32})) << "1 alone has 0 with it";
  EXPECT_TRUE(sets.count({2, 32}) && sets.count({3, 32}));
  EXPECT_TRUE(sets.count({2, 32}) || sets.count({3, 32})) << "all but 0 is without 1, too";
  for (FeatureSet set : corners) EXPECT_TRUE(space.Valid(set));
}

}  // namespace
}  // namespace vitro
