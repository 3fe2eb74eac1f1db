// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::optional<int64_t> FourOrNothing(std::string_view name) {
  return name == "four" ? std::optional<int64_t>(4) : std::nullopt;
}

TEST(Evaluate, KnowsItsOperators) {
  const std::pair<std::string_view, int64_t> sums[] = {
      {"7", 7},         {"1 + 2 * 3", 7},    {"(1 + 2) * 3", 9},         {"four", 4},
      {"9 - 4 - 3", 2}, {" four*four ", 16}, {"2 - (four + 1) * 2", -8}, {"((((1))))", 1}};
  for (const auto& [text, value] : sums) EXPECT_EQ(*Evaluate(text, FourOrNothing), value) << text;
}

TEST(Evaluate, SaysWhatIsWrong) {
  const std::pair<std::string, std::string_view> mistakes[] = {
      {"", "\"\" has its end, expected an integer, a name or '('"},
      {"1 +", "has its end, expected an integer"},
      {"(1 + 2", "has its end, expected ')'"},
      {"1 2", "has '2' at column 3, expected an operator or the end"},
      {"1 / 2", "has '/' at column 3, expected an operator"},
      {"five", "names five, expected a config field"},
      {"99999999999999999999", "a number beyond 64 bits"},
      {"9223372036854775807 + 1", "a number beyond 64 bits"},
      {"9223372036854775807 * 2", "a number beyond 64 bits"},
      {std::string(1000, '('), "expected fewer parentheses"}};
  for (const auto& [text, message] : mistakes) {
    const auto value = Evaluate(text, FourOrNothing);
    ASSERT_FALSE(value) << text;
    EXPECT_THAT(value.error().message, HasSubstr(message));
  }
}

// The queues of the network device (5.1.2): a pair, or as many as the field says; then one more.
Profile Pairs() {
  Profile profile;
  profile.features = {{.bit = 22, .name = "MQ"}, {.bit = 17, .name = "CTRL"}};
  profile.fields = {{.name = "pairs", .offset = 8, .width = 2, .exists = {{22}}}};
  const std::string pairs = "1 + MQ * (pairs - 1)";
  profile.queues = {{.name = "receiveq", .index = "2 * n", .count = pairs},
                    {.name = "controlq", .index = "2 * (" + pairs + ")", .exists = {{17}}}};
  return profile;
}

TEST(QueueIndices, FollowFeaturesAndConfig) {
  const Profile profile = Pairs();
  Bytes config(10);
  config[8] = 3;
  const auto of = [&](const char* name, FeatureSet features) {
    return QueueIndices(profile, *profile.FindQueue(name), features, config).value();
  };
  EXPECT_THAT(of("receiveq", {}), ElementsAre(0));
  EXPECT_THAT(of("receiveq", {22}), ElementsAre(0, 2, 4));
  EXPECT_THAT(of("controlq", {}), IsEmpty());
  EXPECT_THAT(of("controlq", {17}), ElementsAre(2));
  EXPECT_THAT(of("controlq", {17, 22}), ElementsAre(6));
}

TEST(QueueIndices, RefuseWhatNoDeviceHas) {
  Profile profile = Pairs();
  const Bytes zeroes(10);
  const auto negative = QueueIndices(profile, profile.queues[1], {17, 22}, zeroes);
  ASSERT_TRUE(negative);
  EXPECT_THAT(*negative, ElementsAre(0));
  profile.queues[0].count = "pairs - 1";
  const auto fewer = QueueIndices(profile, profile.queues[0], {22}, zeroes);
  ASSERT_FALSE(fewer);
  EXPECT_THAT(fewer.error().message, HasSubstr("receiveq: there are -1 of them, expected 0 to"));
  profile.queues[0] = {.name = "far", .index = "65536"};
  const auto far = QueueIndices(profile, profile.queues[0], {}, zeroes);
  ASSERT_FALSE(far);
  EXPECT_THAT(far.error().message, HasSubstr("the index of number 0 is 65536"));
}

}  // namespace
}  // namespace vitro
