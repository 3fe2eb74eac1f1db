// SPDX-License-Identifier: Apache-2.0
// The verifier of covering arrays sees what is missing or wrong.
#include "suite/combinations/verify.h"

#include <gtest/gtest.h>

#include "suite/combinations/covering_array.h"
#include "suite/combinations/test_models.h"

namespace vitro {
namespace {

// Strength 2 for three parameters of two values, by hand.
const std::vector<Row> kRows = {{0, 0, 0}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}};

TEST(Verify, AnArrayByHand) {
  const Model model = {{2, 2, 2}, {}};
  EXPECT_EQ(FindGap(model, kRows, 2), std::nullopt);
  EXPECT_EQ(FindGap(model, kRows, 3), "no row has 0 = 0, 1 = 0, 2 = 1");
}

TEST(Verify, NoticesEachRemovedRow) {
  for (size_t removed = 0; removed < kRows.size(); ++removed) {
    std::vector<Row> rows = kRows;
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(removed));
    EXPECT_TRUE(FindGap({{2, 2, 2}, {}}, rows, 2)) << removed;
  }
}

// No row of these arrays is superfluous.
TEST(Verify, NoticesEachRowRemovedFromAMadeArray) {
  const auto sets = *CoverFeatures(NetSpace32(), 2);
  for (size_t removed = 0; removed < sets.size(); ++removed) {
    auto fewer = sets;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(removed));
    const FeatureSet offered = NetBits() - FeatureSet{2, 3, 15, 20, 50, 59, 62, 63, 69, 70};
    EXPECT_EQ(FindGap(offered, {}, NetRules(), sets, 2), std::nullopt);
    EXPECT_TRUE(FindGap(offered, {}, NetRules(), fewer, 2)) << removed;
  }
}

TEST(Verify, WhatCannotOccurIsNotMissed) {
  // 0 = 0 forbids both values of 1 together with 2 = 1, so 0 = 0 and 2 = 1 never occur together.
  const Model model = {{2, 2, 2}, {{{0, 0}, {1, 0}, {2, 1}}, {{0, 0}, {1, 1}, {2, 1}}}};
  EXPECT_EQ(FindGap(model, {{0, 0, 0}, {0, 1, 0}, {1, 0, 1}, {1, 1, 0}}, 2),
            "no row has 1 = 1, 2 = 1");
  EXPECT_EQ(FindGap(model, {{0, 0, 0}, {0, 1, 0}, {1, 0, 1}, {1, 1, 0}, {1, 1, 1}}, 2),
            std::nullopt);
}

TEST(Verify, RowsMustBeRows) {
  EXPECT_EQ(FindGap({{2, 2}, {}}, {{0}}, 2), "row 0 has 1 values, not 2");
  EXPECT_EQ(FindGap({{2, 2}, {}}, {{0, kAny}}, 2), "row 0 has 1 = 65535, not one of its 2 values");
  EXPECT_EQ(FindGap({{2, 2}, {{{0, 0}}}}, {{1, 0}, {0, 1}}, 2),
            "row 1 has what is forbidden: 0 = 0");
}

TEST(Verify, FeatureSetsMustBeValid) {
  const std::vector<FeatureRule> rules = {{{1}, {0}}};
  const std::vector<FeatureSet> all = {{32}, {0, 32}, {0, 1, 32}};
  EXPECT_EQ(FindGap({0, 1, 32}, {32}, rules, all, 2), std::nullopt);
  EXPECT_EQ(FindGap({0, 1, 32}, {32}, rules, {{1, 32}}, 2),
            "row 0 has what is forbidden: 0 = 0, 1 = 1");
  EXPECT_EQ(FindGap({0, 1, 32}, {32}, rules, {FeatureSet{}}, 2),
            "row 0 has what is forbidden: 32 = 0");
  EXPECT_EQ(FindGap({0, 1, 32}, {32}, rules, {{2, 32}}, 2), "set 0 has bits that are not offered");
  EXPECT_EQ(FindGap({0, 1, 32}, {32}, rules, {{32}, {0, 32}}, 2), "no row has 0 = 1, 1 = 1");
  EXPECT_EQ(FindGap({1, 32}, {32}, rules, {FeatureSet{32}}, 2), std::nullopt) << "0 is not offered";
}

}  // namespace
}  // namespace vitro
