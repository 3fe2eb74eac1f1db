// SPDX-License-Identifier: Apache-2.0
#include "reports/combinations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vitro::reports {
namespace {

using testing::HasSubstr;
using testing::Not;

// Three free bits; sets with the first and without the last crash.
Json Made() {
  const char* text = R"json({
    "suite": {"name": "vitro", "version": "0.0.0", "tree": "made"},
    "spec": {"name": "VIRTIO", "version": "1.4"},
    "device": {"attach": "ref:<b>", "name": "A & B", "device_type": "blk"},
    "invocation": {"argv": ["vitro", "combinations"], "depth": "io", "profile_name": "",
                   "start": "2026-01-01T00:00:00Z"},
    "can_refuse": true,
    "space": {"valid": "4294967296", "rules": 2, "left_out": [],
              "free": [{"bit": 1, "name": "VIRTIO_BLK_F_ONE (1)"}, {"bit": 2, "name": "TWO (2)"},
                       {"bit": 3, "name": "THREE (3)"}],
              "always": [{"bit": 32, "name": "VIRTIO_F_VERSION_1 (32)"}]},
    "plan": {"exhaustive": false, "strength": 3, "sets": 12},
    "sweep": {"planned": 12, "tried": 12, "taken": 10, "took_us": 6000,
              "outcomes": {"crash": 2}, "failures": [], "ended": "complete", "why": ""},
    "invalid": {"planned": 4, "tried": 3, "taken": 1, "took_us": 3000, "outcomes": {},
                "failures": [], "ended": "stopped", "why": "",
                "kinds": [{"kind": "a bit", "planned": 4, "failed": 0}]},
    "reduced": [{"on": [{"bit": 1, "name": "VIRTIO_BLK_F_ONE (1)"}],
                 "off": [{"bit": 3, "name": "THREE (3)"}], "outcome": "crash",
                 "because": "it <died>", "sets": 2, "example": "0x100000002", "alone": true,
                 "complete": true, "program": "p", "reproduce": "vitro replay p"}],
    "unexplained": 1,
    "pairs": {"bits": [1, 2, 3], "possible": ["", "4", "43"], "tried": ["", "4", "41"]},
    "complete": true, "exit_code": 1})json";
  return Json::parse(text);
}

size_t Occurrences(const std::string& text, const std::string& of) {
  size_t count = 0;
  for (size_t at = text.find(of); at != std::string::npos; at = text.find(of, at + 1)) ++count;
  return count;
}

TEST(CombinationsReport, SaysExhaustiveOrWhichStrengthAndHowManyOfHowMany) {
  Json record = Made();
  EXPECT_THAT(
      CombinationsSentence(record),
      HasSubstr("12 of 4,294,967,296 valid sets were tried: a covering array of strength 3"));
  record["sweep"]["tried"] = 5;
  EXPECT_THAT(CombinationsSentence(record), HasSubstr("part of the 12 of a covering array"));
  record["plan"]["exhaustive"] = true;
  EXPECT_THAT(CombinationsSentence(record), HasSubstr("5 of 4,294,967,296"));
  record["sweep"]["tried"] = 12;
  EXPECT_EQ(CombinationsSentence(record), "all 12 valid sets were tried");
  record["plan"]["exhaustive"] = false;
  record["space"]["valid"] = nullptr;
  EXPECT_THAT(CombinationsSentence(record), HasSubstr("12 of 2^64 or more"));
}

TEST(CombinationsReport, TellsTheReducedFailureOnTheTerminal) {
  const std::string text = RenderCombinationsText(Made(), {});
  EXPECT_THAT(text, HasSubstr("crash  sets with VIRTIO_BLK_F_ONE (1), without THREE (3)\n"));
  EXPECT_THAT(text, HasSubstr("vitro replay p"));
  EXPECT_THAT(text, HasSubstr("1 recorded failure that is none of these: not reduced"));
  EXPECT_THAT(text, HasSubstr("12 of 12 tried, 10 taken by the device: 2 crash; 2,000 a second"));
  EXPECT_THAT(text, HasSubstr("not conformant: "));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(CombinationsReport, DrawsEachPairAndWhatFailed) {
  const std::string page = RenderCombinationsHtml(Made());
  EXPECT_EQ(Occurrences(page, "<rect "), 6u);  // three pairs and three bits
  EXPECT_EQ(Occurrences(page, "class=\"full\""), 1u);
  EXPECT_THAT(page, HasSubstr("<title>TWO (2) and BLK_F_ONE (1): 4 of 4 values tried</title>"));
  // The pair of the failure, whether it was covered or not.
  EXPECT_EQ(Occurrences(page, "class=\"hit o-crash\""), 1u);
  EXPECT_EQ(Occurrences(page, "class=\"part\""), 1u);
  EXPECT_THAT(page, HasSubstr("THREE (3) and TWO (2): 1 of 3 values tried"));
}

TEST(CombinationsReport, EscapesAndLoadsNothing) {
  const std::string page = RenderCombinationsHtml(Made());
  EXPECT_THAT(page, HasSubstr("ref:&lt;b&gt;"));
  EXPECT_THAT(page, HasSubstr("it &lt;died&gt;"));
  for (const char* bad : {"<b>\">", "<died>", "http://", "https://", "<script"})
    EXPECT_THAT(page, Not(HasSubstr(bad)));
}

}  // namespace
}  // namespace vitro::reports
