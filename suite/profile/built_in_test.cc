// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/built_in.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "suite/profile/expression.h"
#include "suite/profile/grammar.h"
#include "suite/profile/profile_parser.h"

namespace vitro {
namespace {

using testing::ElementsAre;

class EachBuiltIn : public testing::TestWithParam<std::string_view> {};

// The command line knows a type by the same name as the file.
TEST_P(EachBuiltIn, ParsesAndIsKnownByIdAndName) {
  const std::string name(GetParam());
  const auto profile = ParseProfile(name + ".toml", BuiltInProfileText(name));
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(profile->name, name);
  EXPECT_EQ(DeviceTypeFromName(name), profile->id);
  ASSERT_NE(BuiltInProfile(name), nullptr);
  EXPECT_EQ(BuiltInProfile(name)->title, profile->title);
  EXPECT_EQ(BuiltInProfile(name), BuiltInProfile(name)) << "parsed twice";
}

INSTANTIATE_TEST_SUITE_P(BuiltIn, EachBuiltIn, testing::ValuesIn(BuiltInProfileNames()),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(BuiltIn, IsFoundForADevice) {
  DeviceFacts facts;
  facts.device_id = device_id::kEntropy;
  ASSERT_NE(BuiltInProfile(facts), nullptr);
  EXPECT_EQ(BuiltInProfile(facts)->name, "entropy");
  EXPECT_EQ(BuiltInProfile(facts), BuiltInProfile(device_id::kEntropy));
  facts.device_id = 7;
  EXPECT_EQ(BuiltInProfile(facts), nullptr);
  EXPECT_EQ(BuiltInProfile("no-such-type"), nullptr);
}

TEST(BuiltIn, ExperimentsAreNotAllVitros) {
  DeviceFacts facts;
  facts.device_id = device_id::kExperimental;
  EXPECT_EQ(BuiltInProfile(facts), nullptr);
  facts.name = experimental::kName;
  ASSERT_NE(BuiltInProfile(facts), nullptr);
  EXPECT_EQ(BuiltInProfile(facts)->name, "experimental");
}

TEST(BuiltIn, IsOpenedByNameAndOthersByPath) {
  ASSERT_TRUE(OpenProfile("entropy"));
  EXPECT_EQ(OpenProfile("entropy")->id, device_id::kEntropy);
  const std::string path = testing::TempDir() + "built_in_test.toml";
  std::ofstream(path) << BuiltInProfileText("entropy");
  ASSERT_TRUE(OpenProfile(path));
  EXPECT_EQ(OpenProfile(path)->file, path);
  const auto neither = OpenProfile("lamp");
  ASSERT_FALSE(neither);
  EXPECT_THAT(neither.error().message, testing::HasSubstr("lamp: there is no such file"));
}

TEST(BuiltIn, ExperimentalIsWhatItsConstantsSay) {
  const Profile& profile = *BuiltInProfile("experimental");
  EXPECT_EQ(profile.FeatureBit("CHECKSUM"), experimental::kFeatureChecksum);
  EXPECT_GE(profile.config_size(), experimental::kConfigSize);
  ASSERT_NE(profile.FindField("tearable"), nullptr);
  EXPECT_EQ(profile.FindField("tearable")->offset, experimental::kConfigTearable);
  EXPECT_EQ(profile.FindField("tearable")->reset_value, experimental::kDefaultTearable);
  ASSERT_NE(profile.FindQueue("stream"), nullptr);
  const auto indices = QueueIndices(profile, *profile.FindQueue("stream"), {}, {});
  ASSERT_TRUE(indices);
  EXPECT_THAT(*indices, ElementsAre(experimental::kStreamQueue));
}

}  // namespace
}  // namespace vitro
