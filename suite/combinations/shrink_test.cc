// SPDX-License-Identifier: Apache-2.0
// Planted interactions are found again, under constraints.
#include "suite/combinations/shrink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "suite/combinations/covering_array.h"
#include "suite/combinations/test_models.h"

namespace vitro {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

struct Planted {
  FeatureSet on, off;
  bool Hits(FeatureSet set) const { return set.Contains(on) && (set & off).empty(); }
};

size_t Size(FeatureSet set) {
  return static_cast<size_t>(std::popcount(set.word(0)) + std::popcount(set.word(1)));
}

std::vector<FeatureSet> FailingOf(const FeatureSpace& space, unsigned strength,
                                  const std::function<bool(FeatureSet)>& fails) {
  std::vector<FeatureSet> failing;
  const auto sets = CoverFeatures(space, strength);
  for (FeatureSet set : *sets)
    if (fails(set)) failing.push_back(set);
  return failing;
}

// Twelve bits of net that have much to do with each other.
FeatureSpace SmallNet() {
  return FeatureSpace({0, 5, 11, 12, 13, 17, 22, 51, 57, 60, 61, 64}, {}, NetRules());
}

// Bits of a random valid set, so that the interaction can happen.
Planted RandomPlanted(const FeatureSpace& space, size_t bits, std::mt19937& random) {
  const FeatureSet set = space.At(random() % *space.Count());
  Planted planted;
  while (Size(planted.on | planted.off) < bits) {
    const unsigned bit = space.free_bits()[random() % space.free_bits().size()];
    (set.Has(bit) ? planted.on : planted.off).Add(bit);
  }
  return planted;
}

TEST(Shrink, FindsPlantedInteractions) {
  const FeatureSpace space = SmallNet();
  std::mt19937 random(1);
  for (size_t bits = 1; bits <= 3; ++bits)
    for (int i = 0; i < 40; ++i) {
      const Planted planted = RandomPlanted(space, bits, random);
      SCOPED_TRACE(testing::Message() << bits << " bits, case " << i << ": on " << std::hex
                                      << planted.on.word(0) << " off " << planted.off.word(0));
      const auto fails = [&](FeatureSet set) {
        EXPECT_TRUE(space.Valid(set));
        return planted.Hits(set);
      };
      const auto found = Shrink(space, FailingOf(space, 3, fails), fails);
      ASSERT_THAT(found, SizeIs(1));
      EXPECT_LE(Size(found[0].on | found[0].off), bits);
      EXPECT_TRUE(found[0].reproduced && found[0].complete);
      // What was found may name other bits that come to the same under the rules.
      for (auto set = std::optional(space.At(0)); set; set = space.Next(*set))
        ASSERT_EQ(found[0].Explains(*set), planted.Hits(*set)) << std::hex << set->word(0);
    }
}

TEST(Shrink, FindsThreeBitsAmongManyWithFewTries) {
  const FeatureSpace space = NetSpace();
  const Planted planted = {{17, 57, 15}, {}};
  unsigned tries = 0;
  const auto fails = [&](FeatureSet set) {
    ++tries;
    return planted.Hits(set);
  };
  const auto failing = FailingOf(space, 3, fails);
  ASSERT_FALSE(failing.empty());
  tries = 0;
  const auto found = Shrink(space, failing, fails);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].on, planted.on);
  EXPECT_EQ(found[0].off, planted.off);
  EXPECT_LT(tries, 500u);
}

TEST(Shrink, PrefersTheCauseToWhatRequiresIt) {
  // MQ requires CTRL_VQ, and it is CTRL_VQ that fails.
  const FeatureSpace space = SmallNet();
  const auto fails = [](FeatureSet set) { return set.Has(17); };
  const auto found = Shrink(space, {FeatureSet{17, 22, 60}}, fails);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].on, FeatureSet{17});
  EXPECT_TRUE(found[0].off.empty());
}

TEST(Shrink, SeveralCausesAreToldApart) {
  const FeatureSpace space = SmallNet();
  const auto fails = [](FeatureSet set) {
    return (set.Has(5) && set.Has(0)) || (set.Has(17) && !set.Has(57) && !set.Has(5));
  };
  const auto found = Shrink(space, FailingOf(space, 3, fails), fails);
  ASSERT_THAT(found, SizeIs(2));
  for (auto set = std::optional(space.At(0)); set; set = space.Next(*set))
    EXPECT_EQ(found[0].Explains(*set) || found[1].Explains(*set), fails(*set));
}

TEST(Shrink, EverythingFails) {
  const FeatureSpace space = SmallNet();
  const auto found = Shrink(space, {space.At(3), space.At(4)}, [](FeatureSet) { return true; });
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_TRUE(found[0].on.empty() && found[0].off.empty());
}

TEST(Shrink, WhatDoesNotFailAgainIsSaid) {
  const FeatureSpace space = SmallNet();
  const auto found = Shrink(space, {space.At(3)}, [](FeatureSet) { return false; });
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_FALSE(found[0].reproduced);
  EXPECT_FALSE(found[0].Explains(space.At(3)));
}

TEST(Shrink, NoTriesLeft) {
  const FeatureSpace space = SmallNet();
  const FeatureSet failing = {0, 5, 11};
  ShrinkLimits limits;
  limits.max_tries = 3;
  unsigned tries = 0;
  const auto found = Shrink(
      space, {failing},
      [&](FeatureSet set) {
        ++tries;
        return set.Has(0) && set.Has(11);
      },
      limits);
  EXPECT_EQ(tries, 3u);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_FALSE(found[0].complete);
  EXPECT_TRUE(found[0].Explains(failing));
  EXPECT_FALSE(found[0].Explains({0, 11})) << "nothing is concluded from what was not tried";
  EXPECT_THAT(Shrink(space, {}, [](FeatureSet) { return true; }), IsEmpty());
}

}  // namespace
}  // namespace vitro
