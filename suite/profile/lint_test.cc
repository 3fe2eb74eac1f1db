// SPDX-License-Identifier: Apache-2.0
// Each lint: a profile that trips it, and the one below, which trips none.
#include "suite/profile/lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "suite/profile/built_in.h"
#include "suite/profile/profile_parser.h"

namespace vitro {
namespace {

using testing::Contains;
using testing::IsEmpty;

constexpr std::string_view kGood = R"(schema = 1
id = 48
name = "media"
title = "Something with one of each thing"
vectors = 2

[[feature]]
bit = 0
name = "LEVEL"
gates = ["field level", "field wide"]

[[feature]]
bit = 1
name = "EVENTS"
gates = ["queue eventq", "request event"]

[[feature]]
bit = 2
name = "TINT"
requires = ["LEVEL"]
gates = ["behaviour lamps have colours"]

[[field]]
name = "lamps"
offset = 0
width = 4
access = "ro"
changes = "by-device"

[[field]]
name = "level"
offset = 4
width = 4
access = "rw"
feature = ["LEVEL"]
action = true
changes = "by-driver"
reset_value = 0

[[field]]
name = "wide"
offset = 8
width = 8
access = "rw"
feature = ["LEVEL"]
commit = "last-byte"

[[field]]
name = "table"
offset = 16
width = 1
count = 32
access = "ro"

[[queue]]
name = "lampq"
index = 0
direction = "requests"
role = "switches lamps"

[[queue]]
name = "eventq"
index = 1
direction = "from-device"
role = "tells of lamps that went out"
feature = ["EVENTS"]

[[request]]
name = "switch"
queue = "lampq"
readable = [
  { name = "lamp", width = 4 },
  { name = "tint", width = 4, feature = ["TINT"] },
]
writable = [{ name = "status", width = 1 }]

[[request]]
name = "event"
queue = "eventq"
feature = ["EVENTS"]
writable = [{ name = "lamp", width = 4 }]

[[device_part]]
name = "lamps_on"
type = 0x200
fields = [{ name = "lamp", width = 4 }, { name = "on", width = 1 }]
)";

struct Change {
  std::string_view from, to;
};

std::string With(const std::vector<Change>& changes) {
  std::string text(kGood);
  for (const Change& change : changes) {
    const size_t at = text.find(change.from);
    EXPECT_NE(at, std::string::npos) << change.from;
    if (at != std::string::npos) text.replace(at, change.from.size(), change.to);
  }
  return text;
}

Profile Parsed(const std::vector<Change>& changes) {
  auto profile = ParseProfile("media.toml", With(changes));
  EXPECT_TRUE(profile) << profile.error().message;
  return profile ? *profile : Profile();
}

std::string Text(const LintFinding& finding) {
  return fmt::format("{} {}: {}", finding.rule->id, finding.line, finding.found);
}

std::vector<std::string> Texts(const std::vector<LintFinding>& findings) {
  std::vector<std::string> texts;
  for (const LintFinding& each : findings) texts.push_back(Text(each));
  return texts;
}

struct Trip {
  std::string_view finding;  // Text()
  std::vector<Change> changes;
};

// "lint.config.size 1: ..." -> "config_size"
std::string TestName(const testing::TestParamInfo<Trip>& tested) {
  std::string name(tested.param.finding.substr(5, tested.param.finding.find(' ') - 5));
  for (char& c : name)
    if (c == '.' || c == '-') c = '_';
  return fmt::format("{}_{}", name, tested.index);
}

class OnProfile : public testing::TestWithParam<Trip> {};
class OnChange : public testing::TestWithParam<Trip> {};

TEST(Lint, IsSilentOnAGoodProfile) { EXPECT_THAT(Texts(Lint(Parsed({}))), IsEmpty()); }

TEST(Lint, IsSilentOnTheSameProfile) {
  EXPECT_THAT(Texts(LintChange(Parsed({}), Parsed({}))), IsEmpty());
}

TEST_P(OnProfile, Trips) {
  EXPECT_THAT(Texts(Lint(Parsed(GetParam().changes))), Contains(std::string(GetParam().finding)));
}

TEST_P(OnChange, Trips) {
  EXPECT_THAT(Texts(LintChange(Parsed(GetParam().changes), Parsed({}))),
              Contains(std::string(GetParam().finding)));
}

constexpr std::string_view kBothWays =
    "[[request]]\nname = \"in\"\nqueue = \"lampq\"\nwritable = [{ name = \"a\", width = 1 }]\n"
    "[[request]]\nname = \"out\"\nqueue = \"lampq\"\nreadable = [{ name = \"a\", width = 1 }]\n"
    "[[device_part]]";

const Trip kTrips[] = {
    {"lint.queues.none 1: media is config_only and has 2 kinds of virtqueues",
     {{"title", "config_only = true\ntitle"}}},
    {"lint.queues.role 55: virtqueue lampq has no role", {{"role = \"switches lamps\"\n", ""}}},
    {"lint.queues.direction 55: virtqueue lampq carries input (in) and output (out)",
     {{"[[device_part]]", kBothWays}}},
    {"lint.queues.optional-index 55: virtqueue lampq is always number 2, also without eventq, "
     "number 1",
     {{"index = 0", "index = 2"}}},
    {"lint.config.runtime-write 30: field level is meant to be written after DRIVER_OK",
     {{"action = true", "action = true\nruntime = true"}}},
    {"lint.config.size 1: the configuration space has 1040 bytes",
     {{"count = 32", "count = 1024"}}},
    {"lint.config.writable-array 48: field table is a writable array of 32",
     {{"count = 32\naccess = \"ro\"", "count = 32\naccess = \"rw\""}}},
    {"lint.config.window 48: field table shows 32 bytes that another field selects",
     {{"count = 32\naccess = \"ro\"", "count = 32\naccess = \"ro\"\nchanges = \"by-driver\""}}},
    {"lint.config.wide-action 40: writing field wide acts, and it has 64 bits",
     {{"commit = \"last-byte\"", "commit = \"last-byte\"\naction = true"}}},
    {"lint.config.wide-action 40: writing field wide acts, and it has 48 bits",
     {{"width = 8", "width = 6"}, {"commit = \"last-byte\"", "action = true"}}},
    {"lint.config.wide-writable 40: field wide has 64 bits and takes over each half as it is "
     "written",
     {{"commit = \"last-byte\"\n", ""}}},
    {"lint.config.wide-volatile 40: field wide has 64 bits and the device changes it",
     {{"commit = \"last-byte\"", "commit = \"last-byte\"\nchanges = \"by-device\""}}},
    {"lint.config.alignment 48: field table of 4 bytes is at offset 18",
     {{"offset = 16\nwidth = 1", "offset = 18\nwidth = 4"}}},
    {"lint.config.padding 48: there are 4 bytes of no field before table, from offset 16",
     {{"offset = 16", "offset = 20"}}},
    {"lint.config.early-read 30: field level depends on features and on the driver, and nothing "
     "says what it reads before FEATURES_OK",
     {{"reset_value = 0\n", ""}}},
    {"lint.id.taken 2: id 2 is that of the device type blk, and this is media",
     {{"id = 48", "id = 2"}}},
    {"lint.id.reserved 2: id 7 was reserved for a type that the standard does not describe",
     {{"id = 48", "id = 7"}}},
    {"lint.id.unreserved 2: id 37 is neither reserved nor one for experiments",
     {{"id = 48", "id = 37"}}},
    {"lint.id.experimental 2: id 65535 is one for experiments: others use it, too",
     {{"id = 48", "id = 65535"}}},
    {"lint.id.pci-range 2: id 64 is PCI device id 0x1080, beyond 0x107f", {{"id = 48", "id = 64"}}},
    {"lint.id.pci 2: id 65535 is meant for PCI, whose device ids of 16 bits end with 61375",
     {{"id = 48", "id = 65535"}}},
    {"lint.vectors.slow 5: 3 vectors, and no virtqueue with a high rate",
     {{"vectors = 2", "vectors = 3"}}},
    {"lint.vectors.many 5: 33 vectors, where a system may have 256 for all of its devices",
     {{"vectors = 2", "vectors = 33"}, {"index = 0", "index = 0\nhigh_rate = true"}}},
    {"lint.vectors.table 5: 2049 vectors, and an MSI-X table has at most 2048 entries",
     {{"vectors = 2", "vectors = 2049"}}},
    {"lint.vectors.needed 5: the type does not work with fewer than 2 vectors",
     {{"vectors = 2", "least_vectors = 2"}}},
    {"lint.vectors.msix-only 5: the type does not work without MSI-X",
     {{"vectors = 2", "least_vectors = 1"}}},
    {"lint.features.nothing 7: nothing is said to come with SPARE",
     {{"[[feature]]", "[[feature]]\nbit = 3\nname = \"SPARE\"\n[[feature]]"}}},
    {"lint.features.gate-mismatch 7: LEVEL gates field lamps, which does not name the bit",
     {{"\"field level\"", "\"field lamps\""}}},
    {"lint.features.together 16: EVENTS and AGAIN come with the same: behaviour more",
     {{"gates = [\"queue eventq\", \"request event\"]",
       "gates = [\"behaviour more\"]\n[[feature]]\nbit = 3\nname = \"AGAIN\"\n"
       "gates = [\"behaviour more\"]"},
      {"feature = [\"EVENTS\"]", ""},
      {"feature = [\"EVENTS\"]", ""}}},
    {"lint.features.unrelated 12: EVENTS comes with 3 things that do not depend on each other",
     {{"\"request event\"]", "\"request event\", \"behaviour this\", \"behaviour that\"]"}}},
    {"lint.features.reserved-bit 17: TINT is bit 24, which is not one of device types",
     {{"bit = 2", "bit = 24"}}},
    {"lint.features.reserved-bit 17: TINT is bit 49, which is not one of device types",
     {{"bit = 2", "bit = 49"}}},
    {"lint.features.bit-41 17: TINT is bit 41, which is VIRTIO_F_ADMIN_VQ as well",
     {{"bit = 2", "bit = 41"}}},
    {"lint.features.legacy 18: TINT requires LEVEL, which is not offered with VERSION_1",
     {{"name = \"LEVEL\"", "name = \"LEVEL\"\nlegacy = true"}}},
    {"lint.features.legacy 5: all drivers are to accept LEVEL, which is not offered with VERSION_1",
     {{"name = \"LEVEL\"", "name = \"LEVEL\"\nlegacy = true"},
      {"vectors = 2\n", "vectors = 2\nrequires = [\"LEVEL\"]\n"},
      {"vectors = 2\n", ""}}},
    {"lint.features.mandatory 13: EVENTS tells nothing: every driver has to accept it",
     {{"vectors = 2\n", "vectors = 2\nrequires = [\"EVENTS\"]\n"}}},
    {"lint.features.never 31: field level needs feature bits that conflict",
     {{"bit = 0", "bit = 0\nconflicts = [\"EVENTS\"]"},
      {"feature = [\"LEVEL\"]", "feature = [\"LEVEL\", \"EVENTS\"]"}}},
};

const Trip kChanges[] = {
    {"lint.change.id 2: the id is 47 and was 48", {{"id = 48", "id = 47"}}},
    {"lint.change.bit-gone 0: bit 2 was TINT and is no more", {{"bit = 2", "bit = 3"}}},
    {"lint.change.bit-renamed 12: bit 1 is ALERTS and was EVENTS",
     {{"\"EVENTS\"", "\"ALERTS\""}, {"\"EVENTS\"", "\"ALERTS\""}, {"\"EVENTS\"", "\"ALERTS\""}}},
    {"lint.change.bit-restricted 12: EVENTS requires LEVEL, which it did not",
     {{"bit = 1", "bit = 1\nrequires = [\"LEVEL\"]"}}},
    {"lint.change.bit-restricted 12: EVENTS conflicts with TINT, which it did not",
     {{"bit = 1", "bit = 1\nconflicts = [\"TINT\"]"}}},
    {"lint.change.bit-mandatory 6: every driver has to accept LEVEL or an alternative, which it "
     "had "
     "not",
     {{"vectors = 2\n", "vectors = 2\nrequires = [\"LEVEL | EVENTS\"]\n"}}},
    {"lint.change.field-moved 48: field table is 32 x 1 bytes at offset 20 and was 32 x 1 at 16",
     {{"offset = 16", "offset = 20"}}},
    {"lint.change.field-moved 0: field table at offset 16 is no more",
     {{"name = \"table\"", "name = \"names\""}}},
    {"lint.change.field-behaviour 40: commit of field wide changed",
     {{"commit = \"last-byte\"", "commit = \"first-byte\""}}},
    {"lint.change.field-added 54: field more is new, and no new bit tells that it is there",
     {{"count = 32\naccess = \"ro\"",
       "count = 32\naccess = \"ro\"\n[[field]]\nname = \"more\"\noffset = 48\nwidth = 4\n"
       "access = \"ro\"\nfeature = [\"LEVEL\"]"}}},
    {"lint.change.field-not-last 48: field names is new at offset 16, and there were 48 bytes "
     "already",
     {{"name = \"table\"", "name = \"names\""}}},
    {"lint.change.queue-moved 61: virtqueue eventq has another index",
     {{"index = 1", "index = 2"}}},
    {"lint.change.queue-moved 0: virtqueue lampq of index 0 is no more",
     {{"name = \"lampq\"", "name = \"otherq\""}, {"queue = \"lampq\"", "queue = \"otherq\""}}},
    {"lint.change.queue-added 55: virtqueue moreq is new, and no new bit tells that it is there",
     {{"[[queue]]",
       "[[queue]]\nname = \"moreq\"\nindex = 2\ndirection = \"requests\"\n[[queue]]"}}},
    {"lint.change.queue-added 55: there are virtqueues lampq under other conditions than before",
     {{"index = 0", "index = 0\ncount = 2"}}},
    {"lint.change.request 68: request switch is another one for drivers that knew it",
     {{"{ name = \"status\", width = 1 }", "{ name = \"status\", width = 2 }"}}},
    {"lint.change.request 77: request more is new, and no new bit tells that it is understood",
     {{"[[request]]\nname = \"event\"",
       "[[request]]\nname = \"more\"\nqueue = \"lampq\"\n"
       "readable = [{ name = \"a\", width = 1 }]\n[[request]]\nname = \"event\""}}},
    {"lint.change.request 0: request switch is no more",
     {{"name = \"switch\"", "name = \"flip\""}}},
    {"lint.change.device-part 83: device part lamps_on does not begin with the fields it had",
     {{"{ name = \"lamp\", width = 4 }, { name = \"on\"", "{ name = \"on\""}}},
    {"lint.change.device-part 0: device part lamps_on is no more",
     {{"name = \"lamps_on\"", "name = \"lamps_off\""}}},
    {"lint.change.device-part 83: device part lamps_on is type 0x201 and was 0x200",
     {{"0x200", "0x201"}}},
};

INSTANTIATE_TEST_SUITE_P(Lint, OnProfile, testing::ValuesIn(kTrips), TestName);
INSTANTIATE_TEST_SUITE_P(Lint, OnChange, testing::ValuesIn(kChanges), TestName);

TEST(Lint, FindsATypeWithoutQueues) {
  auto profile = ParseProfile("x.toml", "schema = 1\nid = 48\nname = \"media\"\ntitle = \"x\"\n");
  ASSERT_TRUE(profile);
  EXPECT_THAT(Texts(Lint(*profile)), Contains("lint.queues.none 1: media has no virtqueue"));
  profile->config_only = true;
  EXPECT_THAT(Texts(Lint(*profile)), IsEmpty());
}

TEST(Lint, TakesBitsThatTellWhatIsNew) {
  const std::vector<Change> changes = {
      {"[[field]]",
       "[[feature]]\nbit = 3\nname = \"NEW\"\ngates = [\"behaviour wide is at once\"]\n[[field]]"},
      {"commit = \"last-byte\"\n", "commit = \"first-byte\"\n"},
      {"[[queue]]",
       "[[field]]\nname = \"more\"\noffset = 48\nwidth = 4\naccess = \"ro\"\n"
       "feature = [\"NEW\"]\n[[queue]]\nname = \"moreq\"\nindex = 2\n"
       "direction = \"requests\"\nfeature = [\"NEW\"]\n[[queue]]"},
      {"{ name = \"status\", width = 1 }",
       "{ name = \"status\", width = 1 }, { name = \"new\", width = 4, feature = [\"NEW\"] }"},
      {"{ name = \"on\", width = 1 }", "{ name = \"on\", width = 1 }, { name = \"x\", width = 1 }"},
      {"index = 0\n", "index = 0\ncount = \"1 + NEW\"\n"},
  };
  EXPECT_THAT(Texts(LintChange(Parsed(changes), Parsed({}))), IsEmpty());
}

TEST(Lint, AcceptsAReasonForOneBitOfManyThings) {
  EXPECT_THAT(Texts(Lint(Parsed({{"\"request event\"]",
                                  "\"request event\", \"behaviour this\", \"behaviour that\"]\n"
                                  "why = \"They are one thing.\""}}))),
              IsEmpty());
}

TEST(Lint, EveryRuleIsTrippedHere) {
  std::set<std::string_view> rules, tripped;
  for (const LintRule& rule : LintRules()) {
    EXPECT_TRUE(rules.insert(rule.id).second) << rule.id << " twice";
    EXPECT_NE(rule.look == nullptr, rule.compare == nullptr) << rule.id;
  }
  for (const Trip& trip : kTrips) tripped.insert(trip.finding.substr(0, trip.finding.find(' ')));
  for (const Trip& trip : kChanges) tripped.insert(trip.finding.substr(0, trip.finding.find(' ')));
  EXPECT_EQ(rules, tripped);
}

// The types of the standard do not follow all advice, but nothing in them is impossible.
TEST(Lint, BuiltInProfilesHaveNoErrors) {
  for (std::string_view name : BuiltInProfileNames())
    for (const LintFinding& finding : Lint(*BuiltInProfile(name)))
      EXPECT_NE(finding.rule->severity, LintSeverity::kError) << name << ": " << Text(finding);
}

}  // namespace
}  // namespace vitro
