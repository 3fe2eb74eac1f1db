// SPDX-License-Identifier: Apache-2.0
// Counting and walking, against trying every set of bits.
#include "suite/combinations/feature_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <set>

#include "suite/combinations/test_models.h"

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

bool Holds(const FeatureRule& rule, FeatureSet set) {
  for (unsigned bit : rule.all)
    if (!set.Has(bit)) return true;
  for (unsigned bit : rule.any)
    if (set.Has(bit)) return true;
  return false;
}

// All valid sets of offers within bits 0 to 13.
std::set<FeatureSet> ByTrying(FeatureSet offered, FeatureSet always,
                              const std::vector<FeatureRule>& rules) {
  std::set<FeatureSet> valid;
  for (uint64_t word = 0; word < 1 << 14; ++word) {
    const FeatureSet set = FeatureSet::FromWords(word, 0);
    bool holds = offered.Contains(set) && set.Contains(always);
    for (const FeatureRule& rule : rules) holds = holds && Holds(rule, set);
    if (holds) valid.insert(set);
  }
  return valid;
}

std::vector<FeatureSet> Walk(const FeatureSpace& space) {
  std::vector<FeatureSet> sets;
  if (space.Count() == 0u) return sets;
  for (std::optional<FeatureSet> set = space.At(0); set; set = space.Next(*set))
    sets.push_back(*set);
  return sets;
}

unsigned Difference(FeatureSet a, FeatureSet b) {
  const FeatureSet differs = (a - b) | (b - a);
  return static_cast<unsigned>(std::popcount(differs.word(0)) + std::popcount(differs.word(1)));
}

struct RandomCase {
  explicit RandomCase(unsigned seed) : random(seed) {
    const unsigned bits = 1 + random() % 14;
    for (unsigned bit = 0; bit < bits; ++bit)
      if (random() % 8) offered.Add(bit);
    for (unsigned bit = 0; bit < bits; ++bit)
      if (offered.Has(bit) && random() % 10 == 0) always.Add(bit);
    for (unsigned n = random() % (seed % 2 ? 9 : 20); n > 0; --n) {
      FeatureRule rule;
      for (unsigned i = random() % 4; i > 0; --i) rule.all.push_back(random() % bits);
      for (unsigned i = random() % 4; i > 0; --i) rule.any.push_back(random() % bits);
      rules.push_back(std::move(rule));
    }
  }
  FeatureSet Some() { return FeatureSet::FromWords(random() & random() & 0x3fff, 0); }

  std::mt19937 random;
  FeatureSet offered, always;
  std::vector<FeatureRule> rules;
};

TEST(FeatureSpace, AgreesWithTryingEverySet) {
  unsigned none = 0, several = 0;
  for (unsigned seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    const RandomCase made(seed);
    const FeatureSpace space(made.offered, made.always, made.rules);
    const auto valid = ByTrying(made.offered, made.always, made.rules);
    ASSERT_EQ(space.Count(), valid.size());
    const std::vector<FeatureSet> walk = Walk(space);
    ASSERT_EQ(walk.size(), valid.size());
    ASSERT_EQ(std::set(walk.begin(), walk.end()), valid);
    for (size_t n = 0; n < walk.size(); n += 1 + n / 16) ASSERT_EQ(space.At(n), walk[n]) << n;
    for (uint64_t word = 0; word < 1 << 14; word += 7) {
      const auto set = FeatureSet::FromWords(word, 0);
      ASSERT_EQ(space.Valid(set), valid.count(set) == 1) << word;
    }
    FeatureSet seen, lacked;
    for (FeatureSet set : valid) {
      seen = seen | set;
      lacked = lacked | (made.offered - set);
    }
    FeatureSet free;
    for (unsigned bit : space.free_bits()) free.Add(bit);
    ASSERT_EQ(free, seen & lacked);
    none += valid.empty();
    several += valid.size() > 1;
  }
  EXPECT_GT(none, 20u) << "the cases are of every kind";
  EXPECT_GT(several, 200u);
}

TEST(FeatureSpace, NearestIsNearest) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    RandomCase made(seed);
    const FeatureSpace space(made.offered, made.always, made.rules);
    const auto valid = ByTrying(made.offered, made.always, made.rules);
    for (int i = 0; i < 10; ++i) {
      const FeatureSet wish = made.Some(), on = made.Some() & made.Some();
      const FeatureSet off = made.Some() & made.Some();
      std::optional<unsigned> least;
      for (FeatureSet set : valid)
        if (set.Contains(on) && (set & off).empty())
          least = std::min(least.value_or(1000), Difference(set, wish));
      const auto nearest = space.Nearest(wish, on, off);
      ASSERT_EQ(nearest.has_value(), least.has_value());
      if (!nearest) continue;
      ASSERT_TRUE(valid.count(*nearest) && nearest->Contains(on) && (*nearest & off).empty());
      ASSERT_EQ(Difference(*nearest, wish), *least);
    }
  }
}

TEST(FeatureSpace, NothingIsFree) {
  const FeatureSpace space({feature::kVersion1}, {feature::kVersion1}, {});
  EXPECT_EQ(space.Count(), 1u);
  EXPECT_EQ(space.At(0), FeatureSet{feature::kVersion1});
  EXPECT_EQ(space.Next(space.At(0)), std::nullopt);
  EXPECT_THAT(space.free_bits(), IsEmpty());
  const FeatureSpace nothing({}, {}, {});
  EXPECT_EQ(nothing.Count(), 1u) << "the empty set";
  EXPECT_EQ(nothing.Next({}), std::nullopt);
}

TEST(FeatureSpace, RulesMayContradictEachOther) {
  const FeatureSpace space({1, 2, 32}, {32}, {{{32}, {1}}, {{1}, {2}}, {{1, 2}, {}}});
  EXPECT_EQ(space.Count(), 0u);
  EXPECT_THAT(space.free_bits(), IsEmpty());
  EXPECT_EQ(space.Nearest({1}), std::nullopt);
  EXPECT_EQ(FeatureSpace({32}, {32}, {{{32}, {}}}).Count(), 0u);
}

TEST(FeatureSpace, WhatIsNotOfferedIsNotAccepted) {
  // 2 requires 1, 3 conflicts with 1, 4 requires 1 or 5, and 1 is not offered.
  const FeatureSpace space({2, 3, 4, 5}, {32}, {{{2}, {1}}, {{3, 1}, {}}, {{4}, {1, 5, 200}}});
  EXPECT_THAT(space.free_bits(), ElementsAre(3, 4, 5));
  EXPECT_EQ(space.Count(), 2u * 3);
  EXPECT_TRUE(space.Valid({3, 4, 5}));
  EXPECT_FALSE(space.Valid({2}));
  EXPECT_FALSE(space.Valid({1}));
  EXPECT_FALSE(space.Valid({4}));
  EXPECT_EQ(space.Nearest({}, {1}), std::nullopt);
}

FeatureSet Range(unsigned from, unsigned end) {
  FeatureSet set;
  for (unsigned bit = from; bit < end; ++bit) set.Add(bit);
  return set;
}

TEST(FeatureSpace, LargeSpacesAreCountedExactly) {
  const FeatureSpace forty(Range(50, 90), {}, {});
  EXPECT_EQ(forty.Count(), uint64_t{1} << 40);
  EXPECT_EQ(forty.At((uint64_t{1} << 40) - 1), Range(50, 90));
  EXPECT_EQ(forty.Next(forty.At((uint64_t{1} << 40) - 1)), std::nullopt);
  EXPECT_EQ(forty.Next(forty.At((uint64_t{1} << 14) - 1)), forty.At(1 << 14)) << "across words";
  EXPECT_EQ(FeatureSpace(Range(0, 63), {}, {}).Count(), uint64_t{1} << 63);
  EXPECT_EQ(FeatureSpace(Range(0, 64), {}, {}).Count(), std::nullopt);
  // Exactly 2^64 - 1: not all 64 bits together.
  FeatureRule not_all;
  for (unsigned bit = 0; bit < 64; ++bit) not_all.all.push_back(bit);
  const FeatureSpace most(Range(0, 64), {}, {not_all});
  EXPECT_EQ(most.Count(), UINT64_MAX);
  EXPECT_EQ(most.Next(most.At(UINT64_MAX - 1)), std::nullopt);
}

TEST(FeatureSpace, BeyondCountingItStillWalks) {
  const FeatureSpace space(Range(0, 100), {}, {{{99}, {98}}});
  EXPECT_EQ(space.Count(), std::nullopt);
  EXPECT_EQ(space.Next(space.At(UINT64_MAX - 1)), space.At(UINT64_MAX));
  EXPECT_TRUE(space.Next(space.At(UINT64_MAX)));
}

// A chain of conflicts has Fibonacci numbers of sets; its diagram stays as slim as the chain.
TEST(FeatureSpace, AChainOfConflictsIsNoWork) {
  std::vector<FeatureRule> rules;
  for (unsigned bit = 1; bit < 90; ++bit) rules.push_back({{bit - 1, bit}, {}});
  uint64_t count = 1, before = 1;
  for (unsigned bit = 0; bit < 90; ++bit) before = std::exchange(count, count + before);
  const FeatureSpace space(Range(0, 90), {}, rules);
  EXPECT_EQ(space.Count(), count);
  EXPECT_TRUE(space.Valid(space.At(count - 1)));
  EXPECT_EQ(space.Next(space.At(count - 1)), std::nullopt);
}

// 5.1.3.1, counted by hand.
TEST(FeatureSpace, NetsRequirements) {
  // TSO4 and TSO6, ECN where one of them is; with RSC_EXT alike for sending.
  const uint64_t ecn = 1 + 3 * 2, ecn_rsc = 1 + 3 * 2 * 2;
  // Without GUEST_CSUM nothing. With it UFO, USO4 and USO6; the tunnel, with its own checksum or
  // without, where all of TSO4, TSO6, USO4 and USO6 are.
  const uint64_t receive = 1 + ecn * 2 * 4 + (2 * 2) * 2;
  const uint64_t send = 1 + ecn_rsc * 2 * 2 + (2 * 2 * 2) * 2;
  // Without CTRL_VQ only HASH_REPORT is free. With it seven bits are free, and RSS_CONTEXT follows
  // RSS, and HASH_TUNNEL is free where one of RSS and HASH_REPORT is.
  const uint64_t control = 2 + 128 * (1 + 2 + 2 * 2 * 2);
  const uint64_t unnamed = 1 << 12;
  EXPECT_EQ(NetSpace().Count(), receive * send * control * unnamed);
  EXPECT_EQ(NetSpace().free_bits().size(), 42u);
  EXPECT_EQ(NetSpace32().Count(), receive * send * control * 4);
  EXPECT_EQ(NetSpace32().free_bits().size(), 32u);
}

}  // namespace
}  // namespace vitro
