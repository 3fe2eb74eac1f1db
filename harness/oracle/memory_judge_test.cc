// SPDX-License-Identifier: Apache-2.0
// Who may write where, and when: what is right is let pass, what is wrong is caught, by its name.
#include <gmock/gmock.h>

#include "harness/session/scripted_device.h"

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kDescriptorTable = "dev.basic.virtqueues.the-virtqueue-descriptor-table.2";
constexpr const char* kReadable = "dev.basic.virtqueues.the-virtqueue-descriptor-table.1";
constexpr const char* kDriverArea = "derived.memory.driver-area-written";
constexpr const char* kOutside = "derived.memory.outside-buffers";
constexpr const char* kAfterReset = "dev.basic.device-reset.2";
constexpr const char* kAfterQueueReset = "dev.basic.virtqueues.virtqueue-reset.1";
constexpr const char* kBeforeDriverOk = "dev.basic.device-status-field.1";
constexpr const char* kFlags = "dev.basic.virtqueues.available-buffer-notification-suppression.1";
constexpr const char* kFlagsEventIdx =
    "dev.basic.virtqueues.available-buffer-notification-suppression.3";

class MemoryJudge : public ScriptedTest {};

TEST_F(MemoryJudge, TheDeviceMayWriteItsBuffersAndTheUsedRing) {
  Up();
  const uint16_t head = Publish(0, 16, 32);
  device.Poke(Writable(0, head), 5);  // in pieces, and more than once
  Do(op::ReadStatus{});
  device.Poke(Writable(0, head) + 5, 27);
  Do(op::ReadStatus{});
  device.Use(0, head, 32);
  device.Signal(0);
  EXPECT_EQ(Take().value, 1u);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MemoryJudge, MemoryThatWasLentMayBeWrittenAtAnyTime) {
  constexpr uint64_t kLent = kMemory + 0x20000;
  Do(op::Lend{kLent, 64});
  device.Poke(kLent, 64);
  Do(op::ReadStatus{});
  Up();
  device.Poke(kLent + 8, 8);
  Do(op::Reset{});
  device.Poke(kLent, 1);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), IsEmpty());
  device.Poke(kLent + 64);
  Finish();
  EXPECT_THAT(Found(), ElementsAre(kOutside));
}

TEST_F(MemoryJudge, AWriteToTheDescriptorTableIsToldOnceWithWhatStoodThere) {
  Up();
  Publish(0, 16, 0);
  device.Poke(Desc(0) + 8, 2);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kDescriptorTable));
  const Finding& finding = session.findings().back();
  EXPECT_THAT(finding.message, HasSubstr("the descriptor table of queue 0"));
  EXPECT_THAT(finding.accepted, HasSubstr("bytes 1000 at"));
  EXPECT_EQ(finding.observed, "2 bytes changed to efff");
  EXPECT_EQ(session.trace().size() - 1, finding.operation);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MemoryJudge, AWriteToTheAvailableRingIsCaught) {
  Up();
  device.Poke(Avail(1) + 3);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kDriverArea));
}

TEST_F(MemoryJudge, AWriteToADeviceReadableBufferIsCaught) {
  Up();
  const uint16_t head = Publish(0, 16, 32);
  device.Poke(Readable(0, head) + 15);
  Serve(0, head, 32);
  Take();
  EXPECT_THAT(Found(), ElementsAre(kReadable));
}

TEST_F(MemoryJudge, AWriteToAnIndirectTableIsCaught) {
  Up();
  op::Publish publish;
  publish.segments = {{kMemory + 0x10000, 8, false}, {kMemory + 0x11000, 8, true}};
  publish.direct = 0;
  publish.table = kMemory + 0x12000;
  Do(publish);
  device.Poke(publish.table + 16);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kDescriptorTable));
  device.Poke(publish.table + 32);  // behind its two entries
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kOutside));
}

TEST_F(MemoryJudge, AWriteRightBeforeOrBehindABufferIsCaught) {
  Up();
  const uint16_t head = Publish(0, 0, 32);
  device.Poke(Writable(0, head) - 1, 34);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kOutside, kOutside));
}

TEST_F(MemoryJudge, ABufferThatWasUsedIsNoLongerTheDevices) {
  Up();
  const uint16_t head = Publish(0, 0, 32);
  Serve(0, head, 32);
  Take();
  EXPECT_THAT(Found(), IsEmpty());
  device.Poke(Writable(0, head));
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kOutside));
}

TEST_F(MemoryJudge, FarFromEverythingIsSeenAtTheEnd) {
  Up();
  device.Poke(kMemory + 0x300000);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), IsEmpty());
  Finish();
  EXPECT_THAT(Found(), ElementsAre(kOutside));
}

TEST_F(MemoryJudge, OneWildWriteWithGapsIsOneFindingTwoFarApartAreTwo) {
  Up();
  Publish(0, 8, 0);
  const uint64_t wild = kMemory + 0x12000;
  for (int i = 0; i < 4; ++i) device.Poke(wild + 5 * static_cast<uint64_t>(i), 3);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kOutside));
  device.Poke(wild);
  device.Poke(wild + 100);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kOutside, kOutside));
}

TEST_F(MemoryJudge, NothingIsWrittenBeforeDriverOk) {
  Negotiate();
  SetupQueue();
  const uint16_t head = Publish(0, 0, 32);
  device.Poke(Writable(0, head));
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kBeforeDriverOk));
  device.Poke(Used(0) + split::kRingEntries);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kBeforeDriverOk));
  Do(op::WriteStatus{15});
  device.Poke(Writable(0, head));
  device.Poke(Used(0) + split::kRingEntries);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MemoryJudge, ADeviceThatIsNotToldTheStatusCannotKnow) {
  device.abilities_.Deny(Ability::kDeviceStatus, "kept by the carrier");
  Negotiate();
  SetupQueue();
  const uint16_t head = Publish(0, 0, 32);
  device.Poke(Writable(0, head));
  Do(op::Notify{0});
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MemoryJudge, WhatCameBeforeAResetCompletedIsJudgedByTheRulesOfBefore) {
  Up();
  const uint16_t head = Publish(0, 0, 32);
  device.on_reset = [&] {
    device.Poke(Writable(0, head));
    device.status_ = 0;
  };
  Do(op::Reset{});
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MemoryJudge, NothingIsWrittenAfterAReset) {
  Up();
  const uint16_t head = Publish(0, 0, 32);
  Do(op::Reset{});
  device.Poke(Writable(0, head));
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kAfterReset));
  device.Poke(Used(0) + 2);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kAfterReset));
  // A new life of the device, with the same memory.
  Up();
  op::Publish again;
  again.segments = {{Writable(0, head), 32, true}};
  Do(again);
  device.Poke(Writable(0, head), 32);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MemoryJudge, NothingIsWrittenForAQueueThatWasReset) {
  Up();
  const uint16_t head = Publish(0, 0, 32);
  const uint16_t other = Publish(1, 0, 32);
  Do(op::ResetQueue{0});
  device.Poke(Writable(1, other));
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), IsEmpty()) << "the other queue goes on";
  device.Poke(Writable(0, head));
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kAfterQueueReset));
  SetupQueue(0);
  device.Poke(Used(0) + 8);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), IsEmpty()) << "its used ring is the device's again";
}

TEST_F(MemoryJudge, WithAHostileDriverWhateverItGaveAtAnyTimeMayBeWritten) {
  Up();
  const uint16_t head = Publish(0, 16, 32);
  Serve(0, head, 32);
  Take();
  Do(op::Hostile{});
  device.Poke(Writable(0, head));
  device.Poke(Used(0) + 10, 20);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), IsEmpty());
  device.Poke(Readable(0, head));
  device.Poke(Desc(0) + 100);
  device.Poke(Avail(0));
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kDescriptorTable, kDriverArea, kOutside));
}

TEST_F(MemoryJudge, HostilityEndsWithAReset) {
  Up();
  const uint16_t head = Publish(0, 0, 32);
  Do(op::Hostile{});
  Do(op::Reset{});
  device.Poke(Writable(0, head));
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kAfterReset));
}

TEST_F(MemoryJudge, TheDriversOwnWritesAreItsOwn) {
  Up();
  Publish(0, 16, 32);
  Do(op::Write{kMemory + 0x18000, Bytes(100, 0xab)});
  Do(op::RawDescriptor{0, 5, 1, 2, 3, 4});
  Do(op::SetAvailFlags{0, 1});
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MemoryJudge, UsedFlagsAreZeroOrOne) {
  Up();
  device.Poke(Used(0) + 1);  // flags 0xff00
  Do(op::ReadStatus{});
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kFlags)) << "told once";
  memory.Store<uint16_t>(Used(0), 1);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), IsEmpty());
  memory.Store<uint16_t>(Used(0), 2);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kFlags));
}

TEST_F(MemoryJudge, UsedFlagsAreZeroWithEventIdx) {
  Up({feature::kEventIdx});
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), IsEmpty());
  memory.Store<uint16_t>(Used(1), 1);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kFlagsEventIdx));
}

}  // namespace
}  // namespace vitro
