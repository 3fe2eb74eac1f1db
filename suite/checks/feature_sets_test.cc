// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/feature_sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"

namespace vitro {
namespace {

constexpr FeatureSet kRings{feature::kIndirectDesc, feature::kEventIdx, feature::kVersion1};

Profile TwoBits() {
  Profile profile;
  profile.features = {{.bit = 0, .name = "A"},
                      {.bit = 1, .name = "B", .requires_ = {{0}}},
                      {.bit = 2, .name = "OLD", .legacy = true}};
  return profile;
}

DeviceFacts Offering(FeatureSet offered, const Profile* profile = nullptr) {
  DeviceFacts facts;
  facts.device_id = 60;
  facts.offered = offered;
  facts.profile = profile;
  return facts;
}

Abilities AllThatMatters() {
  Abilities abilities;
  abilities.Allow(Ability::kDeviceStatus);
  abilities.Allow(Ability::kUnofferedBits);
  return abilities;
}

TEST(FindNegotiable, TakesBitsFromTheProfileAndChapter6) {
  const Profile profile = TwoBits();
  const auto found = FindNegotiable(
      Offering(kRings | FeatureSet{0, 1, 2, 3, 30, 44, feature::kAccessPlatform}, &profile));
  EXPECT_EQ(found.offered, (kRings | FeatureSet{0, 1, feature::kAccessPlatform}));
  EXPECT_EQ(found.always, (FeatureSet{feature::kVersion1, feature::kAccessPlatform}));
  // A legacy bit, one that the profile does not know, a reserved one; 30 is the carrier's own.
  EXPECT_EQ(found.left_out, (FeatureSet{2, 3, 44}));
  // INDIRECT_DESC and EVENT_IDX freely; none, A, or A and B.
  EXPECT_EQ(found.Space().Count(), 4u * 3);
}

TEST(FindNegotiable, EverySetHasWhatTheTypeRequires) {
  Profile profile = TwoBits();
  profile.features.push_back({.bit = 3, .name = "C"});
  profile.requires_ = {{1, 3}};
  const FeatureSet offered = kRings | FeatureSet{0, 1, 3};
  const auto found = FindNegotiable(Offering(offered, &profile));
  // Of the five closed sets of A, B and C not the two with neither B nor C.
  EXPECT_EQ(found.Space().Count(), 4u * 4);
  EXPECT_FALSE(found.Space().Valid(kRings.With(0)));
  EXPECT_TRUE(found.Space().Valid(kRings.With(3)));
  const auto sets = InvalidSets(found, offered, AllThatMatters());
  const auto without = std::find_if(sets.begin(), sets.end(), [](const InvalidSet& each) {
    return each.why == "none of bits 1, 3";
  });
  ASSERT_NE(without, sets.end());
  EXPECT_TRUE((without->set & FeatureSet{1, 3}).empty());

  // A device that offers none of them can be driven all the same.
  const auto poor = FindNegotiable(Offering(kRings.With(0), &profile));
  EXPECT_EQ(poor.Space().Count(), 4u * 2);
}

TEST(FindNegotiable, WithoutAProfileBitsOfTypesAreIndependent) {
  const auto found = FindNegotiable(Offering(kRings | FeatureSet{0, 1, 63, 127, 44}));
  EXPECT_EQ(found.Space().Count(), 4u * 16);
  EXPECT_EQ(found.left_out, FeatureSet{44});
}

TEST(FindNegotiable, ZonedDisksAreNotForDriversThatDiscard) {
  DeviceFacts facts =
      Offering(kRings | FeatureSet{blk::kFeatureZoned, blk::kFeatureDiscard, blk::kFeatureFlush});
  facts.device_id = device_id::kBlk;
  const auto found = FindNegotiable(facts);
  EXPECT_TRUE(found.always.Has(blk::kFeatureZoned));
  EXPECT_EQ(found.left_out, FeatureSet{blk::kFeatureDiscard});
}

TEST(InvalidSets, AreInvalidAndOfEveryKind) {
  const Profile profile = TwoBits();
  const FeatureSet offered = kRings | FeatureSet{0, 1};
  const auto found = FindNegotiable(Offering(offered, &profile));
  const auto space = found.Space();
  const auto sets = InvalidSets(found, offered, AllThatMatters());
  size_t kinds[4] = {};
  for (const InvalidSet& each : sets) {
    EXPECT_FALSE(space.Valid(each.set)) << each.why;
    ++kinds[static_cast<size_t>(each.kind)];
  }
  // 128 bits but the five offered and two of the vhost-user carrier.
  EXPECT_THAT(kinds, testing::ElementsAre(121, 121, 2, 2));
}

TEST(InvalidSets, AreOnlyWhatTheAttachmentCanCarryAndRefuse) {
  const auto found = FindNegotiable(Offering(kRings));
  EXPECT_TRUE(InvalidSets(found, kRings, {}).empty());
  Abilities status;
  status.Allow(Ability::kDeviceStatus);
  for (const InvalidSet& each : InvalidSets(found, kRings, status))
    EXPECT_EQ(each.kind, InvalidSet::Kind::kNoVersion1);
}

}  // namespace
}  // namespace vitro
