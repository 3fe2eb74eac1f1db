// SPDX-License-Identifier: Apache-2.0
// Covering arrays: complete, as the independent verifier sees it, and as small as those of other
// tools.
#include "suite/combinations/covering_array.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>

#include "suite/combinations/test_models.h"
#include "suite/combinations/verify.h"

namespace vitro {
namespace {

// {{4, 15}, {3, 17}}: fifteen parameters of four values and seventeen of three.
Model Mixed(const std::vector<std::pair<unsigned, unsigned>>& groups) {
  Model model;
  for (const auto& [values, parameters] : groups)
    model.values.insert(model.values.end(), parameters, values);
  return model;
}

size_t RowsOf(const Model& model, unsigned strength) {
  const auto rows = Cover(RowSpace(model), strength);
  if (!rows) return 0;
  EXPECT_EQ(FindGap(model, *rows, strength), std::nullopt);
  return rows->size();
}

// Not more than 20 % above the smaller of these two.
size_t Near(size_t one, size_t other) { return std::min(one, other) * 12 / 10; }

// Columns "IPO" and "PICT" of the table of published figures at
// https://github.com/microsoft/pict/blob/main/docs/efficiency.md (first on pairwise.org).
TEST(CoveringArray, PairwiseModelsAreAsSmallAsPublished) {
  EXPECT_LE(RowsOf(Mixed({{3, 4}}), 2), Near(9, 9));
  EXPECT_LE(RowsOf(Mixed({{3, 13}}), 2), Near(17, 18));
  EXPECT_LE(RowsOf(Mixed({{4, 15}, {3, 17}, {2, 29}}), 2), Near(34, 37));
  EXPECT_LE(RowsOf(Mixed({{4, 1}, {3, 39}, {2, 35}}), 2), Near(26, 27));
  EXPECT_LE(RowsOf(Mixed({{2, 100}}), 2), Near(15, 15));
  EXPECT_LE(RowsOf(Mixed({{10, 20}}), 2), Near(212, 210));
}

// What PICT (github.com/microsoft/pict, c3dad2b, of January 2026) makes of the same models, by
// `pict MODEL /o:3`.
TEST(CoveringArray, TriplesAreAsFewAsThoseOfPict) {
  EXPECT_LE(RowsOf(Mixed({{3, 6}}), 3), Near(47, 47));
  EXPECT_LE(RowsOf(Mixed({{4, 6}}), 3), Near(111, 111));
  EXPECT_LE(RowsOf(Mixed({{5, 6}}), 3), Near(217, 217));
  EXPECT_LE(RowsOf(Mixed({{3, 13}}), 3), Near(74, 74));
  EXPECT_LE(RowsOf(Mixed({{2, 16}}), 3), Near(23, 23));
  EXPECT_LE(RowsOf(Mixed({{2, 32}}), 3), Near(33, 33));
}

// The parameters of TCAS, which papers on IPOG compare tools by: Lei, Kacker, Kuhn, Okun and
// Lawrence, 2007. 400 rows are theirs, and the fewest there can be: 10 * 10 * 4. PICT makes 406.
TEST(CoveringArray, TriplesOfTcas) {
  EXPECT_LE(RowsOf(Mixed({{10, 2}, {4, 1}, {3, 2}, {2, 7}}), 3), Near(400, 406));
}

Model RandomModel(unsigned seed) {
  std::mt19937 random(seed);
  Model model;
  for (unsigned n = 3 + random() % 6; n > 0; --n) model.values.push_back(1 + random() % 4);
  for (unsigned n = random() % 8; n > 0; --n) {
    Settings settings;
    for (unsigned parameter = 0; parameter < model.values.size(); ++parameter)
      if (random() % 3 == 0) settings.push_back({parameter, 0});
    for (Setting& setting : settings)
      setting.value = static_cast<unsigned>(random() % model.values[setting.parameter]);
    if (!settings.empty()) model.forbidden.push_back(std::move(settings));
  }
  return model;
}

TEST(CoveringArray, IsCompleteUnderAnyConstraints) {
  for (unsigned seed = 0; seed < 60; ++seed)
    for (unsigned strength = 2; strength <= 4; ++strength) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", strength " << strength);
      const Model model = RandomModel(seed);
      const auto rows = Cover(RowSpace(model), strength);
      ASSERT_TRUE(rows);
      ASSERT_EQ(FindGap(model, *rows, strength), std::nullopt);
    }
}

TEST(CoveringArray, CoversFeaturesAtEveryStrength) {
  const FeatureSet always = {feature::kVersion1};
  const FeatureSet offered = {0, 5, 7, 11, 12, 13, 14, 17, 18, 22, 32, 57, 60, 64};
  const FeatureSpace space(offered, always, NetRules());
  size_t before = 0;
  for (unsigned strength = kLeastStrength; strength <= kMostStrength; ++strength) {
    const auto sets = CoverFeatures(space, strength);
    ASSERT_TRUE(sets);
    for (FeatureSet set : *sets) EXPECT_TRUE(space.Valid(set));
    EXPECT_EQ(FindGap(offered, always, NetRules(), *sets, strength), std::nullopt);
    EXPECT_GT(sets->size(), before);
    EXPECT_LT(sets->size(), space.Count());
    before = sets->size();
  }
}

TEST(CoveringArray, CoversNet) {
  const FeatureSpace space = NetSpace();
  for (unsigned strength : {2, 3}) {
    const auto sets = CoverFeatures(space, strength);
    ASSERT_TRUE(sets);
    EXPECT_EQ(FindGap(NetBits().With(feature::kVersion1), {feature::kVersion1}, NetRules(), *sets,
                      strength),
              std::nullopt);
  }
}

TEST(CoveringArray, TheSameSeedTheSameRows) {
  const RowSpace space(Mixed({{3, 13}}));
  CoverLimits other;
  other.seed = 2;
  EXPECT_EQ(Cover(space, 2), Cover(space, 2));
  EXPECT_NE(Cover(space, 2), Cover(space, 2, other));
}

TEST(CoveringArray, FewParametersAreTriedExhaustively) {
  EXPECT_EQ(Cover(RowSpace(Mixed({{3, 2}})), 5)->size(), 9u);
  EXPECT_EQ(Cover(RowSpace(Mixed({{1, 3}})), 2)->size(), 1u) << "nothing to choose";
  EXPECT_EQ(CoverFeatures(FeatureSpace({32}, {32}, {}), 2),
            std::vector<FeatureSet>{FeatureSet{32}});
  Model nothing = Mixed({{2, 3}});
  nothing.forbidden = {{{0, 0}}, {{0, 1}}};
  EXPECT_EQ(Cover(RowSpace(nothing), 2)->size(), 0u) << "no row is allowed";
}

TEST(CoveringArray, GivesUpBeyondItsLimits) {
  const RowSpace space(Mixed({{2, 100}}));
  CoverLimits limits;
  limits.max_rows = 8;
  EXPECT_EQ(Cover(space, 2, limits), std::nullopt);
  limits.max_rows = 100;
  EXPECT_TRUE(Cover(space, 2, limits));
  EXPECT_EQ(Cover(RowSpace(Mixed({{2, 128}})), 6), std::nullopt) << "days of work";
}

}  // namespace
}  // namespace vitro
