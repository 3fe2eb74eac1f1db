// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/profile_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

// Each mistake below is this file with a change.
constexpr std::string_view kFile = R"(schema = 1
id = 65000
name = "lamp"
title = "A lamp"

[[feature]]
bit = 0
name = "DIM"
gates = ["field level", "behaviour it is dimmed"]
why = "Not all lamps are dimmed."

[[feature]]
bit = 1
name = "COLOUR"
requires = ["DIM", "VIRTIO_F_VERSION_1 | VIRTIO_F_SUSPEND"]
conflicts = ["WHITE"]
gates = ["request tint"]

[[feature]]
bit = 2
name = "WHITE"

[[field]]
name = "lamps"
offset = 0
width = 2
access = "ro"

[[field]]
name = "level"
offset = 4
width = 4
count = 2
access = "rw"
feature = ["DIM"]
action = true
commit = "later"
commit_when = "the next request"
changes = "by-device"
values = [0, "2-5", "0xfffffff0-0xffffffff"]
reset_value = 3

[[queue]]
name = "lampq"
index = "2 * n"
count = "lamps + DIM"
direction = "requests"
role = "switches"
high_rate = true

[[queue]]
name = "eventq"
index = 1
direction = "from-device"

[[request]]
name = "tint"
queue = "lampq"
feature = ["COLOUR"]
readable = [
  { name = "lamp", width = 2, field = "lamps" },
  { name = "size", width = 2, length_of = "tone" },
  { name = "tone", length = [1, 8], values = ["1-7"] },
]
writable = [
  { name = "answer", length = [1, 8], echo_of = "tone", mask = 3 },
  { name = "status", width = 1, values = [0] },
]
least_length = 1
harmless = true
)";

std::string ErrorOf(std::string_view text) {
  const auto profile = ParseProfile("lamp.toml", text);
  return profile ? "" : profile.error().message;
}

std::string Replaced(std::string_view from, std::string_view to) {
  std::string result(kFile);
  const size_t at = result.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? result : result.replace(at, from.size(), to);
}

TEST(ParseProfile, TakesFeatures) {
  const auto profile = ParseProfile("lamp.toml", kFile);
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(profile->id, 65000u);
  EXPECT_EQ(profile->name, "lamp");
  EXPECT_EQ(profile->file, "lamp.toml");
  ASSERT_EQ(profile->features.size(), 3u);
  const ProfileFeature& colour = profile->features[1];
  EXPECT_EQ(colour.line, 12);
  EXPECT_THAT(colour.requires_, ElementsAre(FeatureClause{0}, FeatureClause{32, 43}));
  EXPECT_THAT(colour.conflicts, ElementsAre(2));
  EXPECT_THAT(profile->features[0].gates, ElementsAre("field level", "behaviour it is dimmed"));
  EXPECT_FALSE(Holds(colour.requires_, {0}));
  EXPECT_TRUE(Holds(colour.requires_, {0, 43}));
  EXPECT_EQ(profile->FeatureBit("VIRTIO_F_SUSPEND"), 43u);
  EXPECT_EQ(profile->FeatureBit("COLOUR"), 1u);
  EXPECT_EQ(profile->FindFeature(3), nullptr);
}

TEST(ParseProfile, TakesFields) {
  const auto profile = ParseProfile("lamp.toml", kFile);
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(profile->config_size(), 12u);
  const ProfileField& level = *profile->FindField("level");
  EXPECT_EQ(level.offset, 4u);
  EXPECT_EQ(level.size(), 8u);
  EXPECT_EQ(level.access, FieldAccess::kReadWrite);
  EXPECT_TRUE(level.action);
  EXPECT_EQ(level.commit, FieldCommit::kLater);
  EXPECT_EQ(level.commit_when, "the next request");
  EXPECT_EQ(level.changes, FieldChanges::kByDevice);
  EXPECT_THAT(level.values, ElementsAre(Pair(0, 0), Pair(2, 5), Pair(0xfffffff0, 0xffffffff)));
  EXPECT_EQ(level.reset_value, 3u);
  EXPECT_EQ(profile->FindField("lamps")->changes, FieldChanges::kNever);
}

TEST(ParseProfile, TakesQueuesAndRequests) {
  const auto profile = ParseProfile("lamp.toml", kFile);
  ASSERT_TRUE(profile) << profile.error().message;
  const ProfileQueue& lampq = *profile->FindQueue("lampq");
  EXPECT_EQ(lampq.index, "2 * n");
  EXPECT_EQ(lampq.count, "lamps + DIM");
  EXPECT_TRUE(lampq.high_rate);
  EXPECT_EQ(profile->FindQueue("eventq")->index, "1");
  EXPECT_EQ(profile->FindQueue("eventq")->direction, QueueDirection::kFromDevice);
  const ProfileRequest& tint = *profile->FindRequest("tint");
  EXPECT_TRUE(tint.harmless);
  EXPECT_EQ(tint.least_length, 1u);
  ASSERT_EQ(tint.readable.size(), 3u);
  EXPECT_EQ(tint.readable[0].field, "lamps");
  EXPECT_EQ(tint.readable[1].length_of, "tone");
  EXPECT_EQ(tint.readable[2].least_size(), 1u);
  EXPECT_EQ(tint.readable[2].size(), 8u);
  EXPECT_THAT(tint.readable[2].values, ElementsAre(Pair(1, 7)));
  EXPECT_EQ(tint.readable[2].line, 63);
  ASSERT_EQ(tint.writable.size(), 2u);
  EXPECT_EQ(tint.writable[0].echo_of, "tone");
  EXPECT_EQ(tint.writable[0].mask, 3u);
}

TEST(ParseProfile, BrokenTomlIsOneErrorWithItsLine) {
  const std::string message = ErrorOf("schema = 1\n\n[[field]\n");
  EXPECT_THAT(message, StartsWith("lamp.toml:3: "));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

struct Mistake {
  std::string_view from, to, message;
};

void ExpectAll(std::initializer_list<Mistake> mistakes) {
  for (const Mistake& each : mistakes)
    EXPECT_THAT(ErrorOf(Replaced(each.from, each.to)), StartsWith(each.message)) << each.to;
}

TEST(ParseProfile, RefusesOtherSchemas) {
  ExpectAll(
      {{"schema = 1\n", "", "lamp.toml:1: there is no schema, expected schema = 1"},
       {"schema = 1", "schema = 0",
        "lamp.toml:1: schema is 0, expected 1, the one that this vitro reads: bring the file up to "
        "date"},
       {"schema = 1", "schema = 2",
        "lamp.toml:1: schema is 2, expected 1, the one that this vitro reads: take the vitro"},
       {"schema = 1", "schema = \"1\"", "lamp.toml:1: schema is not an integer"}});
}

TEST(ParseProfile, RefusesWrongKeysAndValues) {
  ExpectAll({
      {"id = 65000", "id = 0", "lamp.toml:2: id is 0, expected 1 to 4294967295"},
      {"id = 65000\n", "", "lamp.toml:1: there is no id"},
      {"\"lamp\"", "\"Lamp\"", "lamp.toml:3: name is \"Lamp\", expected a word of a-z"},
      {"title", "colour = 1\ntitle", "lamp.toml:4: colour is not a key of this table"},
      {"[[feature]]", "[[features]]\nbit = 3\n[[feature]]", "lamp.toml:6: features is not a key"},
      {"title", "transports = [\"usb\"]\ntitle", "lamp.toml:4: transports has \"usb\", expected"},
      {"title", "section = \"five\"\ntitle", "lamp.toml:4: section is \"five\", expected"},
      {"bit = 1", "bit = 128", "lamp.toml:13: bit is 128, expected 0 to 127"},
      {"bit = 1", "bit = true", "lamp.toml:13: bit is not an integer"},
      {"\"COLOUR\"", "\"CO LOUR\"", "lamp.toml:14: name is \"CO LOUR\", expected a word"},
      {"width = 2", "width = 3", "lamp.toml:26: width is 3, expected 1, 2, 4 or 8"},
      {"width = 2\n", "", "lamp.toml:23: there is no width"},
      {"\"ro\"", "\"read\"", "lamp.toml:27: access is \"read\", expected one of \"ro\", \"rw\""},
      {"\"ro\"", "\"ro\"\naction = true", "lamp.toml:28: lamps has action, which only fields"},
      {"commit_when = \"the next request\"\n", "", "lamp.toml:29: level commits later, expected"},
      {"\"later\"", "\"last-byte\"", "lamp.toml:29: level has commit_when, expected commit"},
      {"action = true", "action = 1", "lamp.toml:36: action is neither true nor false"},
      {"\"2-5\"", "\"5-2\"", "lamp.toml:40: values has \"5-2\", expected an integer or a range"},
      {"\"2-5\"", "-1", "lamp.toml:40: values has \"-1\", expected"},
      {"\"2-5\"", "1.5", "lamp.toml:40: values has something else, expected"},
      {"-0xffffffff", "-0x100000000", "lamp.toml:40: values has \"0xfffffff0-0x100000000\", expec"},
      {"reset_value = 3", "reset_value = \"x\"", "lamp.toml:41: reset_value has \"x\", expected"},
      {"\"requests\"", "\"both\"", "lamp.toml:47: direction is \"both\", expected one of"},
      {"width = 1, ", "", "lamp.toml:67: status has neither width nor length, expected one"},
      {"width = 1, ", "width = 1, length = 1, ", "lamp.toml:67: status has a width and a length"},
      {"width = 1, ", "width = 3, ", "lamp.toml:67: width is 3, expected 1, 2, 4 or 8"},
      {"width = 1, values", "width = 1, mask = 1, values", "lamp.toml:67: status has a mask"},
      {"values = [0] ", "values = [256] ", "lamp.toml:67: values has \"256\", expected"},
      {"values = [0] ", "values = [] ", "lamp.toml:67: values is an empty list"},
      {"[1, 8], values", "[8, 1], values", "lamp.toml:63: tone has another length than 1 to"},
      {"[1, 8], values", "[1], values", "lamp.toml:63: tone has another length than 1 to"},
      {"[1, 8], values", "0, values", "lamp.toml:63: tone has another length than 1 to"},
      {"field = \"lamps\"", "values = [1], field = \"lamps\"",
       "lamp.toml:61: lamp has 2 of values"},
      {"readable = [", "readable = [3, ", "lamp.toml:60: readable has something that is not a"},
  });
}

TEST(ParseProfile, RefusesWhatIsThereTwice) {
  ExpectAll({
      {"bit = 1", "bit = 0", "lamp.toml:12: COLOUR is bit 0, which is DIM of line 6, expected"},
      {"\"WHITE\"\n\n", "\"DIM\"\n\n", "lamp.toml:16: WHITE is no feature bit"},
      {"name = \"WHITE\"", "name = \"WHITE\"\n[[feature]]\nbit = 9\nname = \"DIM\"",
       "lamp.toml:22: there is a second feature DIM, expected only that of line 6"},
      {"name = \"level\"", "name = \"lamps\"", "lamp.toml:29: there is a second field lamps"},
      {"\"eventq\"", "\"lampq\"", "lamp.toml:51: there is a second queue lampq"},
      {"name = \"status\"", "name = \"answer\"",
       "lamp.toml:67: there is a second writable part answer"},
      {"least_length", "[[request]]\nname = \"tint\"\nqueue = \"lampq\"\nleast_length",
       "lamp.toml:69: there is a second request tint"},
  });
}

TEST(ParseProfile, RefusesFieldsThatOverlap) {
  ExpectAll({{"offset = 4", "offset = 1",
              "lamp.toml:29: level begins at offset 1, expected 2 or more: lamps of line 23 has 2 "
              "bytes from 0"},
             {"offset = 0", "offset = 10",
              "lamp.toml:23: lamps begins at offset 10, expected 12 or more: level"},
             {"name = \"lamps\"", "name = \"n\"", "lamp.toml:23: there is a field n, expected"}});
}

TEST(ParseProfile, RefusesBitsThatCannotBeAccepted) {
  ExpectAll({
      {"[\"DIM\", ", "[\"DIMMER\", ", "lamp.toml:15: DIMMER is no feature bit, expected"},
      {"[\"DIM\", ", "[\"COLOUR\", ", "lamp.toml:12: COLOUR requires or excludes itself"},
      {"bit = 0", "bit = 0\nrequires = [\"COLOUR\"]",
       "lamp.toml:6: DIM and COLOUR require each other, expected"},
      {"[\"DIM\", ", "[\"WHITE\", ",
       "lamp.toml:12: COLOUR comes with both WHITE and COLOUR, which conflict, expected"},
      {"VIRTIO_F_VERSION_1 | VIRTIO_F_SUSPEND\"]\nconflicts = [\"WHITE\"",
       "VIRTIO_F_VERSION_1 | WHITE\"]\nconflicts = [\"WHITE\", \"VIRTIO_F_VERSION_1\"",
       "lamp.toml:12: COLOUR conflicts with all alternatives that COLOUR requires"},
  });
  // Alternatives may lead back: there are sets that have both.
  EXPECT_EQ(ErrorOf(Replaced("bit = 0", "bit = 0\nrequires = [\"COLOUR | WHITE\"]")), "");
}

TEST(ParseProfile, KnowsWhatEveryDriverHasToAccept) {
  const auto profile = ParseProfile(
      "lamp.toml", Replaced("schema = 1\n", "schema = 1\nrequires = [\"DIM | WHITE\"]\n"));
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_THAT(profile->requires_, ElementsAre(FeatureClause{0, 2}));
  EXPECT_EQ(profile->requires_line, 2);
  ExpectAll({
      {"schema = 1\n", "schema = 1\nrequires = \"DIM\"\n", "lamp.toml:2: requires is not a list"},
      {"schema = 1\n", "schema = 1\nrequires = [\"DIMMER\"]\n",
       "lamp.toml:2: DIMMER is no feature bit, expected"},
      {"schema = 1\n", "schema = 1\nrequires = [\"COLOUR\", \"WHITE\"]\n",
       "lamp.toml:2: every driver has to accept both COLOUR and WHITE, which conflict"},
  });
  EXPECT_EQ(ErrorOf(Replaced("schema = 1\n", "schema = 1\nrequires = [\"COLOUR | WHITE\"]\n")), "");
}

TEST(ParseProfile, RefusesGatesOfNothing) {
  ExpectAll({
      {"field level", "field colour", "lamp.toml:6: DIM gates field \"colour\", expected the name"},
      {"request tint", "command tint", "lamp.toml:12: COLOUR gates \"command tint\", expected"},
      {"behaviour it is dimmed", "behaviour", "lamp.toml:6: DIM gates behaviour \"\", expected"},
  });
}

TEST(ParseProfile, RefusesQueuesThatAreNowhere) {
  ExpectAll({
      {"2 * n", "2 * m", "lamp.toml:43: index of lampq: \"2 * m\" names m, expected a config"},
      {"2 * n", "2 *", "lamp.toml:43: index of lampq: \"2 *\" has its end, expected"},
      {"lamps + DIM", "n", "lamp.toml:43: count of lampq: \"n\" names n, expected"},
      {"lamps + DIM", "level", "lamp.toml:43: count of lampq: \"level\" names level, expected"},
      {"index = 1\n", "", "lamp.toml:51: there is no index"},
  });
}

TEST(ParseProfile, RefusesRequestsThatDoNotFit) {
  ExpectAll({
      {"queue = \"lampq\"", "queue = \"lamps\"", "lamp.toml:56: tint is made on lamps, expected"},
      {"queue = \"lampq\"", "queue = \"eventq\"",
       "lamp.toml:61: tint has a readable part, expected none on eventq, a queue from the device"},
      {"direction = \"requests\"", "direction = \"to-device\"",
       "lamp.toml:66: tint has a writable part, expected none on lampq, a queue to the device"},
      {"least_length = 1\n", "least_length = 10\n", "lamp.toml:56: tint has the least length 10"},
      {"echo_of = \"tone\"", "echo_of = \"tune\"",
       "lamp.toml:66: answer is an echo of tune, expec"},
      {"echo_of = \"tone\"", "echo_of = \"lamp\"", "lamp.toml:66: answer has another length than"},
      {"length_of = \"tone\"", "length_of = \"tune\"", "lamp.toml:62: size is the length of tune"},
      {"field = \"lamps\"", "field = \"level\"",
       "lamp.toml:61: lamp is what level reads, expected"},
      {"width = 1, values = [0]", "width = 1, field = \"lamps\"",
       "lamp.toml:67: status is writable and has field"},
      {"field = \"lamps\"", "echo_of = \"tone\"", "lamp.toml:61: lamp is readable and has echo_of"},
      {"values = [\"1-7\"]", "field = \"lamps\"", "lamp.toml:63: tone has field, which only"},
  });
}

TEST(LoadProfile, NamesTheFileThatIsNotThere) {
  const auto profile = LoadProfile("/nowhere/lamp.toml");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(profile.error().message, StartsWith("/nowhere/lamp.toml: cannot be read"));
}

}  // namespace
}  // namespace vitro
