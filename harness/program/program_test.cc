// SPDX-License-Identifier: Apache-2.0
#include "harness/program/program.h"

#include <gtest/gtest.h>

namespace vitro {
namespace {

TEST(Program, TextRoundTrips) {
  Program program;
  program.check = "ring.example";
  program.seed = 9;
  program.operations = {
      op::AcceptFeatures{FeatureSet{32, 70}},
      op::WriteConfig{4, {1, 2, 0xff}},
      op::Publish{1, {{0x1000, 16, false}, {0x2000, 512, true}}, 1, 0x3000, 2, 1},
      op::WaitUsed{1, 3},
      op::Lend{0x3000, 64},
      op::Expect{
          "len", "range", {1, 513}, {}, "dev.x.1", "warn", "a \"quoted\" reason\nwith = signs"},
      op::Hostile{},
  };
  const std::string text = ToText(program);
  auto parsed = ParseProgram(text);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(ToText(*parsed), text);
  EXPECT_EQ(parsed->check, "ring.example");
  EXPECT_EQ(parsed->seed, 9u);
  const auto& publish = std::get<op::Publish>(parsed->operations[2]);
  EXPECT_EQ(publish.segments.size(), 2u);
  EXPECT_TRUE(publish.segments[1].writable);
  EXPECT_EQ(std::get<op::AcceptFeatures>(parsed->operations[0]).features, (FeatureSet{32, 70}));
  EXPECT_EQ(std::get<op::Expect>(parsed->operations[5]).because,
            "a \"quoted\" reason\nwith = signs");
}

TEST(Program, ErrorsNameTheLineAndWhatWasExpected) {
  EXPECT_EQ(ParseProgram("nonsense").error().message,
            "line 1: expected 'vitro-program 1', found 'nonsense'");
  EXPECT_EQ(ParseProgram("vitro-program 1\n# fine\nfly-away\n").error().message,
            "line 3: unknown operation 'fly-away'");
  EXPECT_EQ(ParseProgram("vitro-program 1\nnotify queue=x").error().message,
            "line 2: notify: queue=x: 'x' is not a number");
  EXPECT_EQ(ParseProgram("vitro-program 1\nnotify speed=1").error().message,
            "line 2: notify: unknown field 'speed'");
  EXPECT_EQ(ParseProgram("vitro-program 1\nwrite-status status=256").error().message,
            "line 2: write-status: status=256: 256 is more than 255");
  EXPECT_EQ(ParseProgram("vitro-program 1\nexpect because=\"open").error().message,
            "line 2: the quote after 'because=' is not closed");
  EXPECT_EQ(ParseProgram("").error().kind, ErrorKind::kUsage);
}

TEST(Expect, EachKindAcceptsAndRefuses) {
  const Observation four{false, 4, {1, 2}, 7, 9};
  auto expect = [](const char* what, const char* kind, std::vector<uint64_t> values,
                   Bytes bytes = {}) {
    return op::Expect{what, kind, std::move(values), std::move(bytes), "", "", ""};
  };
  EXPECT_TRUE(Accepts(expect("value", "in", {1, 4}), four));
  EXPECT_FALSE(Accepts(expect("value", "in", {1}), four));
  EXPECT_TRUE(Accepts(expect("value", "not-in", {1}), four));
  EXPECT_TRUE(Accepts(expect("len", "range", {9, 10}), four));
  EXPECT_FALSE(Accepts(expect("len", "range", {10, 11}), four));
  EXPECT_TRUE(Accepts(expect("id", "in", {7}), four));
  EXPECT_TRUE(Accepts(expect("value", "mask", {6, 4}), four));
  EXPECT_FALSE(Accepts(expect("value", "mask", {6, 2}), four));
  EXPECT_TRUE(Accepts(expect("value", "bytes", {}, {1, 2}), four));
  EXPECT_FALSE(Accepts(expect("value", "bytes", {}, {1, 3}), four));
  Observation refused;
  refused.refused = true;
  EXPECT_TRUE(Accepts(expect("value", "refused", {}), refused));
  EXPECT_FALSE(Accepts(expect("value", "in", {0}), refused));
  EXPECT_EQ(DescribeAccepted(expect("value", "in", {0, 4})), "value = 0x0, 0x4");
  EXPECT_EQ(DescribeObserved(expect("len", "in", {0}), four), "len = 0x9");
}

}  // namespace
}  // namespace vitro
