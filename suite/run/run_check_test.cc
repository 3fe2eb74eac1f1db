// SPDX-License-Identifier: Apache-2.0
// What becomes of a check: from findings and errors to outcomes, in this process and in another.
#include "suite/run/run_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "harness/session/scripted_device.h"
#include "suite/catalogue/catalogue.h"
#include "suite/checks/context.h"
#include "suite/run/codec.h"
#include "suite/run/isolated_check.h"

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kMust = "dev.basic.device-reset.1";
constexpr const char* kShould = "derived.used.len-short";

// A scripted device that may have died.
class MortalDevice : public ScriptedDevice {
 public:
  using ScriptedDevice::ScriptedDevice;
  std::optional<Death> death;
  std::optional<Death> Died() override { return death; }
  std::string DeviceLog() override { return "said something"; }
};

class ScriptedAttachment : public Attachment {
 public:
  const AttachString& string() const override { return string_; }
  bool independent() const override { return true; }
  Result<std::unique_ptr<Transport>> Attach(GuestMemory& memory) override {
    if (error) return tl::make_unexpected(*error);
    auto device = std::make_unique<MortalDevice>(memory);
    if (prepare) prepare(*device);
    last = device.get();
    return std::unique_ptr<Transport>(std::move(device));
  }
  std::optional<Error> error;
  std::function<void(MortalDevice&)> prepare;
  MortalDevice* last = nullptr;

 private:
  AttachString string_;
};

class RunCheckTest : public testing::Test {
 protected:
  CheckResult Perform(std::function<void(Context&)> body) {
    check.id = "test.check";
    check.run = std::move(body);
    return RunCheck(check, attachment, {}, options);
  }
  Check check;
  ScriptedAttachment attachment;
  RunOptions options;
};

Accept Wrong() { return Accept::Equal(99); }

TEST_F(RunCheckTest, NothingFoundIsAPass) {
  const CheckResult result = Perform([](Context& c) {
    c.Do(op::ReadStatus{});
    c.Do(op::ReadStatus{});
    c.Do(op::ReadGeneration{});
    c.Expect(Accept::Equal(7), kMust, "it is 7");
  });
  EXPECT_EQ(result.id, "test.check");
  EXPECT_EQ(result.outcome, Outcome::kPass);
  EXPECT_EQ(result.because, "");
  EXPECT_EQ(result.sent, "read-status x2, read-generation, quiesce");
  EXPECT_EQ(result.device_log, "said something");
  EXPECT_THAT(result.program,
              StartsWith("vitro-program 1\ncheck test.check\nseed 1\nread-status\n"));
  EXPECT_TRUE(ParseProgram(result.program));
  EXPECT_EQ(result.quiet_window_us, 0);
}

TEST_F(RunCheckTest, TheKeywordOfTheRequirementWeighs) {
  ASSERT_EQ(SeverityOf(*Catalogue::Get().Find(kMust)), Severity::kFail);
  ASSERT_EQ(SeverityOf(*Catalogue::Get().Find(kShould)), Severity::kWarn);
  auto outcome = [&](auto judge) {
    return Perform([&](Context& c) {
             c.Do(op::ReadStatus{});
             judge(c);
           })
        .outcome;
  };
  EXPECT_EQ(outcome([](Context& c) { c.Expect(Wrong(), kMust, ""); }), Outcome::kFail);
  EXPECT_EQ(outcome([](Context& c) { c.Expect(Wrong(), kShould, ""); }), Outcome::kWarn);
  EXPECT_EQ(outcome([](Context& c) { c.Advise(Wrong(), kMust, ""); }), Outcome::kWarn);
  EXPECT_EQ(outcome([](Context& c) { c.Advise(Wrong(), kShould, ""); }), Outcome::kWarn);
  EXPECT_EQ(outcome([](Context& c) { c.Note(Wrong(), kMust, ""); }), Outcome::kInfo);
  EXPECT_EQ(outcome([](Context& c) { c.Note(Wrong(), kShould, ""); }), Outcome::kInfo);
  EXPECT_EQ(outcome([](Context& c) { c.Expect(Wrong(), "dev.blk.device-operation.5", ""); }),
            Weigh({"dev.blk.device-operation.5", "", "", "", "", 0}));
}

TEST_F(RunCheckTest, TheHeaviestFindingIsTheReason) {
  const CheckResult result = Perform([](Context& c) {
    c.Do(op::ReadStatus{});
    c.Note(Wrong(), kMust, "a remark");
    c.Advise(Accept::Equal(98), kMust, "advice");
    c.Expect(Wrong(), kMust, "wrong");
    c.Expect(Wrong(), kMust, "wrong again");
  });
  EXPECT_EQ(result.outcome, Outcome::kFail);
  EXPECT_EQ(result.because, std::string("wrong (") + kMust + ")");
  EXPECT_EQ(result.observed, "value = 0x0");
  EXPECT_THAT(result.accepted, ElementsAre("value = 0x63", "value = 0x62"));
  std::vector<std::string> messages;
  for (const auto& weighed : result.findings) messages.push_back(weighed.finding.message);
  EXPECT_THAT(messages, ElementsAre("wrong", "wrong again", "advice", "a remark"));
}

TEST_F(RunCheckTest, WhatDoesNotApplyIsNoPass) {
  CheckResult result = Perform([](Context& c) { c.NotApplicable("no queue"); });
  EXPECT_EQ(result.outcome, Outcome::kNotApplicable);
  EXPECT_EQ(result.because, "no queue");
  result = Perform([](Context& c) { c.NotObservable("no interrupts"); });
  EXPECT_EQ(result.outcome, Outcome::kNotObservable);
  EXPECT_EQ(result.because, "no interrupts");
}

TEST_F(RunCheckTest, WhatWasFoundBeforeACheckGaveUpStands) {
  const CheckResult result = Perform([](Context& c) {
    c.Do(op::ReadStatus{});
    c.Expect(Wrong(), kMust, "wrong");
    c.NotApplicable("no queue");
  });
  EXPECT_EQ(result.outcome, Outcome::kFail);
  EXPECT_THAT(result.because, StartsWith("wrong"));
}

TEST_F(RunCheckTest, ErrorsAreNobodysFailure) {
  const std::pair<ErrorKind, Outcome> outcomes[] = {
      {ErrorKind::kHarness, Outcome::kHarnessError},
      {ErrorKind::kUsage, Outcome::kHarnessError},
      {ErrorKind::kTimeout, Outcome::kHang},
      {ErrorKind::kUnsupported, Outcome::kNotObservable},
      {ErrorKind::kDeviceLost, Outcome::kDeviceLost}};
  for (const auto& [kind, outcome] : outcomes) {
    const Error error{kind, "no way"};
    attachment.prepare = [=](MortalDevice& device) { device.broken = error; };
    const CheckResult result = Perform([](Context& c) { c.Do(op::Notify{0}); });
    EXPECT_EQ(result.outcome, outcome) << Name(kind);
    EXPECT_EQ(result.because, "no way");
    EXPECT_THAT(result.trace.back(), HasSubstr("could not be done: no way"));
  }
}

TEST_F(RunCheckTest, ADeviceThatDiedOfASignalCrashed) {
  for (const bool by_signal : {true, false}) {
    attachment.prepare = [=](MortalDevice& device) {
      device.broken = Error{ErrorKind::kDeviceLost, "connection closed"};
      device.death = Transport::Death{by_signal, "process 1 ended"};
    };
    const CheckResult result = Perform([](Context& c) { c.Do(op::Notify{0}); });
    EXPECT_EQ(result.outcome, by_signal ? Outcome::kCrash : Outcome::kDeviceLost);
    EXPECT_EQ(result.because, "connection closed; process 1 ended");
  }
}

TEST_F(RunCheckTest, AFailureStandsUnlessTheDeviceCrashed) {
  for (const bool by_signal : {true, false}) {
    const CheckResult result = Perform([&](Context& c) {
      c.Do(op::ReadStatus{});
      c.Expect(Wrong(), kMust, "wrong");
      attachment.last->broken = Error{ErrorKind::kDeviceLost, "connection closed"};
      attachment.last->death = Transport::Death{by_signal, "process 1 ended"};
      c.Do(op::Notify{0});
    });
    EXPECT_EQ(result.outcome, by_signal ? Outcome::kCrash : Outcome::kFail);
    EXPECT_EQ(result.findings.size(), 1u);
  }
}

TEST_F(RunCheckTest, WhatCannotBeAttachedIsLost) {
  attachment.error = Error{ErrorKind::kAttach, "nothing there"};
  CheckResult result = Perform([](Context&) {});
  EXPECT_EQ(result.outcome, Outcome::kDeviceLost);
  EXPECT_EQ(result.because, "nothing there");
  attachment.error = Error{ErrorKind::kUsage, "wrong option"};
  EXPECT_EQ(Perform([](Context&) {}).outcome, Outcome::kHarnessError);
}

TEST_F(RunCheckTest, TheOracleHasTheLastWord) {
  const CheckResult result =
      Perform([&](Context&) { attachment.last->Poke((1 << 20) + 0x300000); });
  EXPECT_EQ(result.outcome, Outcome::kFail);
  EXPECT_THAT(result.because, HasSubstr("derived.memory.outside-buffers"));
}

TEST_F(RunCheckTest, EachOperationIsWrittenDownBeforeItIsDone) {
  std::vector<std::string> lines;
  options.before = [&](const std::string& line) { lines.push_back(line); };
  Perform([](Context& c) { c.Do(op::Notify{3}); });
  EXPECT_THAT(lines, ElementsAre("notify queue=3", "quiesce"));
}

TEST_F(RunCheckTest, AProgramIsJudgedLikeACheck) {
  const auto program = ParseProgram(
      "vitro-program 1\ncheck a.b\nseed 7\nread-generation\n"
      "expect values=8 for=dev.basic.device-reset.1 because=\"not 8\"\n");
  ASSERT_TRUE(program);
  const CheckResult result = RunProgram(*program, attachment, {});
  EXPECT_EQ(result.id, "a.b");
  EXPECT_EQ(result.outcome, Outcome::kFail);
  EXPECT_EQ(result.because, "not 8 (dev.basic.device-reset.1)");
  EXPECT_THAT(result.program, HasSubstr("seed 7"));
}

// In another process

class IsolatedCheckTest : public RunCheckTest {
 protected:
  CheckResult PerformIsolated(std::function<void(Context&)> body,
                              Duration limit = std::chrono::seconds(60)) {
    check.id = "test.check";
    check.run = std::move(body);
    auto job = StartCheck(check, attachment, facts_, options, limit);
    EXPECT_TRUE(job);
    return ResultOf(check.id, 1, (*job)->Wait());
  }

 private:
  DeviceFacts facts_;
};

TEST_F(IsolatedCheckTest, AResultIsTheSameOnTheOtherSide) {
  auto body = [](Context& c) {
    c.Do(op::ReadStatus{});
    c.Expect(Wrong(), kMust, "wrong \"\x01\xff\"");
    c.Note(Wrong(), kShould, "remark");
  };
  auto plain = ToJson(Perform(body));
  auto isolated = ToJson(PerformIsolated(body));
  for (auto* json : {&plain, &isolated}) (*json)["duration_us"] = 0;
  const auto replace = nlohmann::json::error_handler_t::replace;
  EXPECT_EQ(plain.dump(1, ' ', false, replace), isolated.dump(1, ' ', false, replace));
}

TEST_F(IsolatedCheckTest, ACrashKeepsWhatWasDone) {
  const CheckResult result = PerformIsolated([](Context& c) {
    c.Do(op::ReadStatus{});
    c.Do(op::Notify{3});
    ::write(2, "last words", 10);
    ::raise(SIGKILL);
  });
  EXPECT_EQ(result.outcome, Outcome::kCrash);
  EXPECT_THAT(result.because,
              HasSubstr("killed by signal 9 (Killed); the last step was: notify queue=3"));
  EXPECT_THAT(result.trace, ElementsAre("   0 read-status", "   1 notify queue=3"));
  const auto program = ParseProgram(result.program);
  ASSERT_TRUE(program);
  EXPECT_EQ(program->check, "test.check");
  EXPECT_EQ(program->operations.size(), 2u);
  EXPECT_EQ(result.device_log, "last words");
}

TEST_F(IsolatedCheckTest, AHangKeepsWhatWasDone) {
  const CheckResult result = PerformIsolated(
      [](Context& c) {
        c.Do(op::Notify{3});
        for (;;) ::pause();
      },
      std::chrono::milliseconds(300));
  EXPECT_EQ(result.outcome, Outcome::kHang);
  EXPECT_THAT(result.because, HasSubstr("the last step was: notify queue=3"));
  EXPECT_EQ(result.observed, "no answer");
}

TEST_F(IsolatedCheckTest, ACrashBeforeAnyStepWasWhileAttaching) {
  attachment.prepare = [](MortalDevice&) { ::raise(SIGKILL); };
  const CheckResult result = PerformIsolated([](Context&) {});
  EXPECT_EQ(result.outcome, Outcome::kCrash);
  EXPECT_THAT(result.because, HasSubstr("the last step was: attaching"));
  EXPECT_THAT(result.trace, IsEmpty());
}

TEST(OutcomeNames, GoBothWays) {
  for (int i = 0; i <= static_cast<int>(Outcome::kHarnessError); ++i) {
    const auto outcome = static_cast<Outcome>(i);
    EXPECT_EQ(OutcomeFromName(Name(outcome)), outcome);
  }
  EXPECT_EQ(OutcomeFromName("no such word"), Outcome::kHarnessError);
}

}  // namespace
}  // namespace vitro
