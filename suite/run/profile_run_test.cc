// SPDX-License-Identifier: Apache-2.0
// Checks speak to a device as a profile says, and judge its answers by it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "devices/ref/registry.h"
#include "harness/attach/attach.h"
#include "harness/attach/reference.h"
#include "suite/catalogue/catalogue.h"
#include "suite/checks/context.h"
#include "suite/profile/built_in.h"
#include "suite/profile/profile_parser.h"
#include "suite/run/probe.h"
#include "suite/run/run_check.h"

namespace vitro {
namespace {

using testing::HasSubstr;

// Of the answer to an echo only what stands here is known: its last byte, the status.
Profile EchoWithStatus(const std::string& status_values) {
  const std::string text = fmt::format(R"(
schema = 1
id = 65535
name = "echo"
title = "Echo"
[[queue]]
name = "echo"
index = 0
direction = "requests"
[[request]]
name = "echo"
queue = "echo"
readable = [
  {{ name = "opcode", width = 4, values = [1] }},
  {{ name = "length", width = 4, length_of = "payload" }},
  {{ name = "payload", length = [4, 64] }},
]
writable = [
  {{ name = "answer", length = [4, 64] }},
  {{ name = "status", width = 1, values = {} }},
]
harmless = true
)",
                                       status_values);
  return ParseProfile("echo.toml", text).value();
}

CheckResult Ask(const Profile& profile) {
  SetReferenceDevices({ref::FindReferenceDevice, "experimental"});
  const auto attachment = OpenAttachment("ref:experimental").value();
  const auto probed = Probe(*attachment, {.profile = &profile}).value();
  Check check;
  check.id = "test.ask";
  check.run = [](Context& c) {
    c.Up();
    for (uint64_t n = 0; n < 3; ++n) c.Submit(c.grammar().Request(n), "derived.request.answer");
  };
  return RunCheck(check, *attachment, probed.facts, {});
}

TEST(ProfileRun, RightAnswersPass) {
  for (const char* values : {"[0]", "[\"0-3\"]", "[3, \"0-1\"]"}) {
    const Profile profile = EchoWithStatus(values);
    const CheckResult result = Ask(profile);
    EXPECT_EQ(result.outcome, Outcome::kPass) << values << ": " << result.because;
  }
}

TEST(ProfileRun, WrongPartsOfAnswersAreFound) {
  for (const char* values : {"[1]", "[\"1-3\"]", "[3, \"1-2\"]", "[9, \"100-250\"]"}) {
    const Profile profile = EchoWithStatus(values);
    const CheckResult result = Ask(profile);
    EXPECT_EQ(result.outcome, Outcome::kFail) << values;
    EXPECT_THAT(result.because, HasSubstr("is answered with a right status")) << values;
  }
}

}  // namespace
}  // namespace vitro
