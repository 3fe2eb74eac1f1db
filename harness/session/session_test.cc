// SPDX-License-Identifier: Apache-2.0
// The session: what it yields, what it records, and that a program does the same again.
#include "harness/session/session.h"

#include <gmock/gmock.h>

#include "devices/ref/registry.h"
#include "harness/session/scripted_device.h"
#include "harness/transport/direct/direct_transport.h"

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SessionTest : public ScriptedTest {
 protected:
  ErrorKind ErrorOf(const Operation& operation) {
    auto result = session.Perform(operation);
    EXPECT_FALSE(result) << ToText(operation);
    return result ? ErrorKind::kHarness : result.error().kind;
  }
};

TEST_F(SessionTest, YieldsWhatWasRead) {
  device.offered = FeatureSet{0, 32, 100};
  const Observation features = Do(op::ReadFeatures{});
  EXPECT_EQ(features.value, 0x100000001u);
  EXPECT_EQ(features.bytes, FromHex("01000000010000000000000010000000").value());
  device.status_ = 0x0b;
  EXPECT_EQ(Do(op::ReadStatus{}).value, 0x0bu);
  const Observation config = Do(op::ReadConfig{4, 2});
  EXPECT_EQ(config.value, 0x0504u);
  EXPECT_EQ(config.bytes, (Bytes{4, 5}));
  EXPECT_EQ(Do(op::ReadGeneration{}).value, 7u);
  EXPECT_EQ(Do(op::ReadQueueMaxSize{0}).value, 256u);
  Do(op::Write{kMemory, {1, 2, 3}});
  EXPECT_EQ(Do(op::Read{kMemory, 3}).value, 0x030201u);
}

TEST_F(SessionTest, ARefusalIsSomethingThatWasObserved) {
  device.refuse = true;
  for (const Operation& operation : std::vector<Operation>{
           op::AcceptFeatures{}, op::WriteStatus{1}, op::ReadConfig{}, op::WriteConfig{0, {1}},
           op::SetupQueue{0, kSize, Desc(0), Avail(0), Used(0), 0}, op::ResetQueue{0},
           op::Notify{0}, op::StimulateConfigChange{}}) {
    EXPECT_TRUE(Do(operation).refused) << ToText(operation);
    EXPECT_THAT(session.TraceTail(1), ElementsAre(EndsWith("-> refused")));
  }
  EXPECT_TRUE(session.state().queues.empty());
}

TEST_F(SessionTest, WhatCannotBeDoneIsAnErrorAndStandsInTheTrace) {
  EXPECT_EQ(ErrorOf(op::WriteStatus{0}), ErrorKind::kUsage);
  EXPECT_THAT(session.TraceTail(1),
              ElementsAre(HasSubstr("-> could not be done: writing status 0")));
  EXPECT_TRUE(session.trace().back().failed);
  for (const Operation& operation : std::vector<Operation>{
           op::Publish{.segments = {{kMemory, 1, false}}}, op::Expose{}, op::WaitUsed{},
           op::SetAvailFlags{}, op::SetUsedEvent{}, op::ReadUsedIdx{}, op::RawAvailable{},
           op::RawDescriptor{}, op::Churn{}, op::Read{0, 8}, op::Write{0, {1}}, op::Fill{0, 8, 1},
           op::Lend{0, 8}})
    EXPECT_EQ(ErrorOf(operation), ErrorKind::kUsage) << ToText(operation);
  EXPECT_EQ(ErrorOf(op::Reconnect{}), ErrorKind::kUnsupported);
  device.abilities_.Deny(Ability::kUsedNotification, "polled");
  EXPECT_EQ(ErrorOf(op::TakeNotifications{}), ErrorKind::kUnsupported);
  device.broken = Error{ErrorKind::kDeviceLost, "gone"};
  EXPECT_EQ(ErrorOf(op::Notify{0}), ErrorKind::kDeviceLost);
  EXPECT_EQ(ErrorOf(op::Reset{}), ErrorKind::kDeviceLost);
  EXPECT_THAT(session.findings(), IsEmpty()) << "none of this is a judgement";
}

TEST_F(SessionTest, AResetIsWaitedForAndForgetsTheQueues) {
  Up();
  EXPECT_THAT(session.state().queues, SizeIs(2));
  int waits = 0;
  device.on_reset = [] {};
  device.on_wait = [&] {
    ++waits;
    device.status_ = 0;
  };
  EXPECT_EQ(Do(op::Reset{}).value, 0u);
  EXPECT_EQ(waits, 1);
  EXPECT_THAT(session.state().queues, IsEmpty());
  EXPECT_FALSE(session.state().running());
}

TEST_F(SessionTest, AResetThatNeverCompletesIsObserved) {
  Up();
  device.on_reset = [] {};
  EXPECT_EQ(Do(op::Reset{}).value, 15u);
  EXPECT_THAT(session.state().queues, SizeIs(2)) << "the device may still use them";
}

TEST_F(SessionTest, QueuesMayBeSetUpWhereNoneCanBeDriven) {
  Do(op::SetupQueue{0, 8, 16, 32, 48, 0});
  EXPECT_EQ(device.queues.at(0).desc, 16u);
  EXPECT_EQ(ErrorOf(op::Publish{.segments = {{kMemory, 1, false}}}), ErrorKind::kUsage);
}

TEST_F(SessionTest, KeepLeavesTheRingsAsTheyAre) {
  Do(op::Write{Avail(0), Bytes(22, 0x55)});
  Do(op::SetupQueue{0, kSize, Desc(0), Avail(0), Used(0), 1});
  EXPECT_EQ(*memory.At(Avail(0), 1), 0x55);
  SetupQueue(0);
  EXPECT_EQ(*memory.At(Avail(0), 1), 0);
}

TEST_F(SessionTest, AnAnswerIsTheWritablePartInChainOrder) {
  Up();
  op::Publish publish;
  publish.segments = {
      {kMemory + 0x10000, 2, false}, {kMemory + 0x10200, 2, true}, {kMemory + 0x10100, 2, true}};
  Do(publish);
  ASSERT_TRUE(memory.Write(kMemory + 0x10200, Bytes{1, 2}));
  ASSERT_TRUE(memory.Write(kMemory + 0x10100, Bytes{3, 4}));
  device.Use(0, 0, 4);
  device.Signal(0);
  EXPECT_EQ(Take().used_len, 4u);
  const Observation answer = Do(op::ReadAnswer{0});
  EXPECT_EQ(answer.bytes, (Bytes{1, 2, 3, 4}));
  EXPECT_EQ(answer.used_len, 4u);
  EXPECT_THAT(Do(op::ReadAnswer{1}).bytes, IsEmpty());
}

TEST_F(SessionTest, NotificationsAreCountedOnce) {
  Up();
  device.Signal(0, 2);
  Do(op::ReadStatus{});
  device.Signal(0);
  EXPECT_EQ(Do(op::TakeNotifications{0}).value, 3u);
  EXPECT_EQ(Do(op::TakeNotifications{0}).value, 0u);
  device.on_wait = [&] { device.Signal(1, 2); };
  EXPECT_EQ(Do(op::WaitNotifications{1, 2}).value, 2u);
  device.config_signals = 1;
  EXPECT_EQ(Do(op::TakeConfigNotifications{}).value, 1u);
  device.on_wait = [&] { device.config_signals = 1; };
  EXPECT_EQ(Do(op::WaitConfigNotification{}).value, 1u);
  EXPECT_EQ(Do(op::TakeConfigNotifications{}).value, 0u);
}

TEST_F(SessionTest, ExpectJudgesTheLastObservationAndChangesNothing) {
  device.status_ = 4;
  Do(op::ReadStatus{});
  Do(op::Expect{.values = {4, 5}, .requirement = "r.1"});
  EXPECT_THAT(Found(), IsEmpty());
  Do(op::Expect{.values = {0}, .requirement = "r.2", .because = "it was reset"});
  EXPECT_THAT(Found(), ElementsAre("r.2"));
  const Finding& finding = session.findings().back();
  EXPECT_EQ(finding.message, "it was reset");
  EXPECT_EQ(finding.accepted, "value = 0x0");
  EXPECT_EQ(finding.observed, "value = 0x4");
  EXPECT_EQ(finding.severity, "");
  EXPECT_EQ(finding.operation, session.trace().size() - 1);
  EXPECT_THAT(session.TraceTail(1), ElementsAre(HasSubstr("NOT as expected")));
  // Still about the status.
  Do(op::Expect{.kind = "not-in", .values = {4}, .requirement = "r.3", .severity = "warn"});
  EXPECT_EQ(session.findings().back().severity, "warn");
  Do(op::Expect{.kind = "mask", .values = {0xf0, 0}, .requirement = "r.4"});
  Do(op::Expect{.kind = "range", .values = {3, 4}, .requirement = "r.4"});
  Do(op::Expect{.kind = "answered", .requirement = "r.4"});
  EXPECT_THAT(Found(), ElementsAre("r.3"));
  Do(op::Expect{.kind = "refused", .requirement = "r.5", .severity = "info"});
  EXPECT_EQ(session.findings().back().severity, "info");
  EXPECT_THAT(session.judged(), ElementsAre("r.1", "r.2", "r.3", "r.4", "r.5"));
}

TEST_F(SessionTest, EachOperationIsToldBeforeItIsDone) {
  std::vector<std::string> told;
  SessionOptions options;
  options.before = [&](const Operation& operation) { told.push_back(ToText(operation)); };
  Session other(memory, device, options);
  device.broken = Error{ErrorKind::kDeviceLost, "gone"};
  EXPECT_FALSE(other.Perform(op::Notify{3}));
  EXPECT_THAT(told, ElementsAre("notify queue=3"));
}

TEST_F(SessionTest, TheTailIsTheEndOfTheTrace) {
  for (uint8_t i = 1; i < 5; ++i) Do(op::WriteStatus{i});
  EXPECT_THAT(session.TraceTail(2),
              ElementsAre("   2 write-status status=3", "   3 write-status status=4"));
  EXPECT_THAT(session.TraceTail(100), SizeIs(4));
}

TEST_F(SessionTest, FreshSeedsHaveATwinEach) {
  const uint64_t first = session.FreshSeed(), second = session.FreshSeed();
  EXPECT_EQ(first % 2, 0u);
  EXPECT_EQ(second % 2, 0u);
  EXPECT_NE(first, second);
}

TEST_F(SessionTest, TheQuietWindowIsBounded) {
  EXPECT_EQ(session.quiet_window(), std::chrono::milliseconds(5));
}

TEST_F(SessionTest, ChurnNeedsAChainAndStopsWhereTheDeviceDoes) {
  Up();
  EXPECT_EQ(ErrorOf(op::Churn{0, 1, 1}), ErrorKind::kUsage);
  Serve(0, Publish(0, 4, 0), 0);
  Take();
  EXPECT_EQ(ErrorOf(op::Churn{0, 1, 0}), ErrorKind::kUsage);
  EXPECT_EQ(Do(op::Churn{0, 10, 2}).value, 0u) << "nobody serves it";
}

// What a program does is the same on a fresh device, also after it went through text.

struct Life {
  std::vector<std::string> trace, findings;
  std::string program;
};

Life Live(const std::string& name, const std::string& options, const Program& program) {
  auto memory = GuestMemory::CreateDefault().value();
  auto transport = DirectTransport::Create(ref::FindReferenceDevice(name), options, memory).value();
  SessionOptions session_options;
  session_options.seed = program.seed;
  Session session(memory, *transport, session_options);
  for (const Operation& operation : program.operations)
    EXPECT_TRUE(session.Perform(operation)) << ToText(operation);
  EXPECT_TRUE(session.Finish());
  Life life{session.TraceTail(SIZE_MAX), {}, ToText(session.program(program.check))};
  for (const Finding& finding : session.findings())
    life.findings.push_back(fmt::format("{} {} {} {} {}", finding.operation, finding.requirement,
                                        finding.message, finding.accepted, finding.observed));
  return life;
}

// Brings queue 0 up, serves three buffers of each shape, resets, and looks at everything on the
// way.
Program Tour(uint64_t seed) {
  constexpr uint64_t kBase = 1 << 20;
  Program program{"tour", seed, {}};
  auto& all = program.operations;
  all = {op::ReadFeatures{},
         op::Reset{},
         op::WriteStatus{1},
         op::WriteStatus{3},
         op::AcceptFeatures{FeatureSet{feature::kVersion1}},
         op::WriteStatus{11},
         op::ReadStatus{},
         op::Expect{.values = {11}, .requirement = "r", .because = "the set was offered"},
         op::SetupQueue{0, 8, kBase, kBase + 0x1000, kBase + 0x2000, 0},
         op::WriteStatus{15}};
  for (uint64_t i = 0; i < 3; ++i) {
    const uint64_t at = kBase + 0x10000 + i * 0x1000;
    all.push_back(op::Write{at, Bytes(16)});
    all.push_back(op::Fill{at + 0x800, 513, 10 + 2 * i});
    all.push_back(op::Publish{.segments = {{at, 16, false}, {at + 0x800, 513, true}}});
    all.push_back(op::Notify{0});
    all.push_back(op::WaitUsed{0, 1});
    all.push_back(op::ReadAnswer{0});
    all.push_back(op::TakeNotifications{0});
  }
  all.push_back(op::Hostile{});
  all.push_back(op::RawAvailable{0, 77, 1});
  all.push_back(op::Notify{0});
  all.push_back(op::Quiesce{});
  all.push_back(op::ReadStatus{});
  all.push_back(op::Reset{});
  return program;
}

TEST(Replay, IsTheSameOnEveryReferenceDevice) {
  for (const std::string device : {"blk", "entropy", "experimental"}) {
    for (const std::string options : {"", "fault=used-flags-garbage", "fault=write-after-used",
                                      "fault=write-past-buffer", "fault=used-len-exceeds-buffer"}) {
      SCOPED_TRACE(device + "," + options);
      auto memory = GuestMemory::CreateDefault().value();
      if (!DirectTransport::Create(ref::FindReferenceDevice(device), options, memory)) continue;
      const Life first = Live(device, options, Tour(5));
      const auto parsed = ParseProgram(first.program);
      ASSERT_TRUE(parsed) << parsed.error().message;
      // Finish() performs one operation; the program has it already.
      Program again = *parsed;
      ASSERT_EQ(ToText(again.operations.back()), "quiesce");
      again.operations.pop_back();
      const Life second = Live(device, options, again);
      EXPECT_EQ(first.program, second.program);
      EXPECT_EQ(first.trace, second.trace);
      EXPECT_EQ(first.findings, second.findings);
      EXPECT_EQ(options.empty(), first.findings.empty());
    }
  }
}

}  // namespace
}  // namespace vitro
