// SPDX-License-Identifier: Apache-2.0
// Used rings and used buffer notifications: what is right is let pass, what is wrong is caught.
#include <gmock/gmock.h>

#include "harness/session/scripted_device.h"

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kLength = "dev.basic.virtqueues.the-virtqueue-used-ring.2";
constexpr const char* kLengthShort = "derived.used.len-short";
constexpr const char* kIdUnknown = "derived.used.id-not-outstanding";
constexpr const char* kIndexJump = "derived.used.index-jump";
constexpr const char* kOrder = "dev.basic.reserved-feature-bits.5";
constexpr const char* kBeforeDriverOk = "dev.basic.device-status-field.1";
constexpr const char* kAfterReset = "dev.basic.device-reset.2";
constexpr const char* kAfterQueueReset = "dev.basic.virtqueues.virtqueue-reset.1";
constexpr const char* kSpurious = "derived.notification.spurious-used";
constexpr const char* kSilent = "dev.basic.virtqueues.used-buffer-notification-suppression.2";
constexpr const char* kOwed = "dev.basic.virtqueues.used-buffer-notification-suppression.3";
constexpr const char* kOwedEventIdx = "dev.basic.virtqueues.used-buffer-notification-suppression.5";
constexpr const char* kSilentEventIdx =
    "dev.basic.virtqueues.used-buffer-notification-suppression.6";

class UsedJudge : public ScriptedTest {};

TEST_F(UsedJudge, ChainsMayComeBackInAnyOrder) {
  Up();
  const uint16_t a = Publish(0, 4, 8), b = Publish(0, 0, 16), c = Publish(0, 4, 0);
  Serve(0, c, 0);
  Serve(0, a, 8);
  Serve(0, b, 16);
  const Observation last = Take(0, 3);
  EXPECT_EQ(last.value, 3u);
  EXPECT_EQ(last.used_id, b);
  EXPECT_EQ(last.used_len, 16u);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, AnIdThatWasNeverAvailableIsCaught) {
  Up();
  const uint16_t head = Publish(0, 0, 8);
  device.Use(0, head + 1u, 0);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), ElementsAre(kIdUnknown));
  EXPECT_THAT(session.findings().back().observed,
              HasSubstr("id = 1, len = 0 at used position 0x0"));
  Serve(0, head, 8);
  EXPECT_EQ(Take().value, 1u);
  EXPECT_THAT(Found(), IsEmpty()) << "the chain itself is outstanding as before";
}

TEST_F(UsedJudge, TheSecondDescriptorOfAChainIsNoId) {
  Up();
  Publish(0, 4, 8);  // descriptors 0 and 1
  device.Use(0, 1, 0);
  Take();
  EXPECT_THAT(Found(), ElementsAre(kIdUnknown));
}

TEST_F(UsedJudge, AChainThatComesBackTwiceIsCaught) {
  Up();
  const uint16_t a = Publish(0, 0, 8);
  Publish(0, 0, 8);
  Serve(0, a, 8);
  device.Use(0, a, 8);
  Take(0, 2);
  EXPECT_THAT(Found(), ElementsAre(kIdUnknown));
}

TEST_F(UsedJudge, AnIndexThatMovesOverMoreThanIsOutstandingIsToldOnce) {
  Up();
  const uint16_t head = Publish(0, 0, 8);
  device.Poke(Writable(0, head), 8);
  device.Put(0, head, 8);
  device.MoveUsed(0, 300);  // more than the ring holds as well
  device.Signal(0);
  Take();
  const auto found = Found();
  EXPECT_EQ(std::count(found.begin(), found.end(), kIndexJump), 1);
  Take();
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, AnIndexThatMovesBackIsAJump) {
  Up();
  const uint16_t head = Publish(0, 0, 8);
  Serve(0, head, 8);
  Take();
  device.MoveUsed(0, -1);
  Take();
  ASSERT_FALSE(session.findings().empty());
  EXPECT_EQ(session.findings().front().requirement, kIndexJump);
}

TEST_F(UsedJudge, IndicesWrapAt65536) {
  Up();
  const uint16_t head = Publish(0, 0, 8);
  Serve(0, head, 8);
  Take();
  device.on_notify = [&](uint32_t queue) {
    // The one descriptor that is free: the same head again.
    const uint16_t avail = memory.Load<uint16_t>(Avail(queue) + split::kRingIdx);
    device.Use(queue, memory.Load<uint16_t>(Avail(queue) + 4 + 2 * ((avail - 1u) % kSize)), 8);
    device.Signal(queue);
  };
  EXPECT_EQ(Do(op::Churn{0, 65536 + 5, 1}).value, 65536u + 5);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, ALengthOfMoreThanTheBufferHoldsIsCaught) {
  Up();
  const uint16_t head = Publish(0, 100, 8);
  device.Poke(Writable(0, head), 8);
  device.Use(0, head, 9);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), ElementsAre(kLength));
}

TEST_F(UsedJudge, ALengthOverBytesThatWereNotWrittenIsCaught) {
  Up();
  const uint16_t head = Publish(0, 0, 64);
  device.Poke(Writable(0, head), 20);
  device.Use(0, head, 32);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), ElementsAre(kLength));
  EXPECT_THAT(session.findings().back().observed, HasSubstr("12 bytes in a row"));
}

// A byte of an answer may happen to be what stood there.
TEST_F(UsedJudge, AFewBytesThatLookUntouchedAreNoProof) {
  Up();
  const uint16_t head = Publish(0, 0, 64);
  device.Poke(Writable(0, head), 20);
  device.Poke(Writable(0, head) + 27, 37);
  device.Use(0, head, 64);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, ALengthOfLessThanWasWrittenIsCaught) {
  Up();
  const uint16_t head = Publish(0, 0, 64);
  device.Poke(Writable(0, head), 33);
  device.Use(0, head, 32);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), ElementsAre(kLengthShort));
  EXPECT_EQ(session.findings().back().accepted, "len >= 33");
}

TEST_F(UsedJudge, ALengthCountsAcrossSegments) {
  Up();
  op::Publish publish;
  publish.segments = {{kMemory + 0x10000, 10, true}, {kMemory + 0x11000, 10, true}};
  Do(op::Fill{kMemory + 0x10000, 10, 100});
  Do(op::Fill{kMemory + 0x11000, 10, 100});
  Do(publish);
  device.Poke(kMemory + 0x10000, 10);
  device.Poke(kMemory + 0x11000, 5);
  device.Use(0, 0, 15);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), IsEmpty());
}

// As a block device does on errors: data left alone, the status byte at the end, length as it
// likes.
TEST_F(UsedJudge, BytesBehindAGapAreNoPartOfTheLength) {
  Up();
  const uint16_t head = Publish(0, 16, 64);
  device.Poke(Writable(0, head) + 63);
  device.Use(0, head, 1);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, OfABufferWithoutPoisonNothingIsSaid) {
  Up();
  const uint16_t head = Publish(0, 0, 64, /*fresh=*/false);
  device.Use(0, head, 32);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, PoisonThatADriverWroteOverIsNotFresh) {
  Up();
  Do(op::Fill{kMemory + 0x10000, 64, 2});
  Do(op::Write{kMemory + 0x10000 + 8, Bytes(1)});
  op::Publish publish;
  publish.segments = {{kMemory + 0x10000, 64, true}};
  Do(publish);
  device.Use(0, 0, 64);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), IsEmpty());
}

// VIRTIO_F_IN_ORDER

TEST_F(UsedJudge, InOrderOneByOneAndInBatches) {
  Up({feature::kInOrder});
  uint16_t heads[5];
  for (uint16_t& head : heads) head = Publish(0, 0, 8);
  Serve(0, heads[0], 8);
  Take();
  for (int i = 1; i < 4; ++i) device.Poke(Writable(0, heads[i]), 8);
  device.Put(0, heads[3], 8);  // one element for three buffers
  device.MoveUsed(0, 3);
  device.Signal(0);
  EXPECT_EQ(Take(0, 3).value, 3u);
  Serve(0, heads[4], 8);
  EXPECT_EQ(Take().used_id, heads[4]);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, OutOfOrderIsCaughtWithInOrder) {
  Up({feature::kInOrder});
  Publish(0, 0, 8);
  const uint16_t second = Publish(0, 0, 8);
  Serve(0, second, 8);  // the index moves by one: the first is skipped
  Take();
  EXPECT_THAT(Found(), ElementsAre(kOrder));
}

TEST_F(UsedJudge, AnUnknownIdIsAMatterOfOrderWithInOrder) {
  Up({feature::kInOrder});
  const uint16_t head = Publish(0, 0, 8);
  Serve(0, head, 8);
  Take();
  Publish(0, 0, 8);
  device.Use(0, head, 0);
  device.Signal(0);
  Take();
  EXPECT_THAT(Found(), ElementsAre(kOrder));
}

// Notifications by flags

TEST_F(UsedJudge, ANotificationThatIsOwedMustCome) {
  Up();
  device.Use(0, Publish(0, 4, 0), 0);
  Take();
  EXPECT_THAT(Found(), IsEmpty()) << "it may still come";
  Finish();
  EXPECT_THAT(Found(), ElementsAre(kOwed));
  Finish();
  EXPECT_THAT(Found(), IsEmpty()) << "told once";
}

TEST_F(UsedJudge, OneNotificationServesManyAndMoreThanOneIsFine) {
  Up();
  for (int i = 0; i < 3; ++i) device.Use(0, Publish(0, 4, 0), 0);
  device.Signal(0);
  Finish();
  for (int i = 0; i < 3; ++i) device.Use(0, Publish(0, 4, 0), 0);
  device.Signal(0, 3);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, ANotificationOfAnotherQueueIsNoneOfThisOne) {
  Up();
  device.Use(0, Publish(0, 4, 0), 0);
  device.Signal(1);
  Finish();
  EXPECT_THAT(Found(), ElementsAre(kOwed, kSpurious));
}

TEST_F(UsedJudge, WhereItIsNotExactALateNotificationIsWaitedFor) {
  device.abilities_.Deny(Ability::kExactQuiet, "over a socket");
  Up();
  device.Use(0, Publish(0, 4, 0), 0);
  device.on_wait = [&] { device.Signal(0); };
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, WhereNotificationsCannotBeSeenNothingIsSaid) {
  device.abilities_.Deny(Ability::kUsedNotification, "polled");
  Up();
  device.Use(0, Publish(0, 4, 0), 0);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, SuppressedByFlags) {
  Up();
  Do(op::SetAvailFlags{0, 1});
  device.Use(0, Publish(0, 4, 0), 0);
  Finish();
  EXPECT_THAT(Found(), IsEmpty()) << "none is owed";
  Serve(0, Publish(0, 4, 0), 0);
  Finish();
  EXPECT_THAT(Found(), ElementsAre(kSilent));
}

TEST_F(UsedJudge, AChangeWhileTheDeviceHasBuffersLeavesBothRight) {
  for (const bool notified : {false, true}) {
    Up();
    const uint16_t head = Publish(0, 4, 0);
    Do(op::SetAvailFlags{0, 1});
    device.Use(0, head, 0);
    if (notified) device.Signal(0);
    Finish();
    EXPECT_THAT(Found(), IsEmpty());
    // From then on it is certain again.
    Serve(0, Publish(0, 4, 0), 0);
    Finish();
    EXPECT_THAT(Found(), ElementsAre(kSilent));
  }
}

TEST_F(UsedJudge, ANotificationWithoutAUsedBufferIsSpurious) {
  Up();
  device.Signal(0);
  Finish();
  EXPECT_THAT(Found(), ElementsAre(kSpurious));
}

TEST_F(UsedJudge, WhereItIsNotExactASpuriousOneMayBelongToWhatCameBefore) {
  device.abilities_.Deny(Ability::kExactQuiet, "over a socket");
  Up();
  device.Signal(0);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

// Notifications by event index

TEST_F(UsedJudge, EventIdxOwesWhenTheEntryIsPassedAndOnlyThen) {
  Up({feature::kEventIdx});
  Do(op::SetUsedEvent{0, 2});
  for (int i = 0; i < 2; ++i) device.Use(0, Publish(0, 4, 0), 0);
  Finish();
  EXPECT_THAT(Found(), IsEmpty()) << "entries 0 and 1";
  for (int i = 0; i < 2; ++i) device.Use(0, Publish(0, 4, 0), 0);
  Finish();
  EXPECT_THAT(Found(), ElementsAre(kOwedEventIdx)) << "entry 2, in the middle of a batch";
  device.Use(0, Publish(0, 4, 0), 0);
  device.Signal(0);
  Finish();
  EXPECT_THAT(Found(), ElementsAre(kSilentEventIdx)) << "entry 4 is past";
}

TEST_F(UsedJudge, EventIdxTakesNoNoticeOfFlags) {
  Up({feature::kEventIdx});
  Do(op::SetAvailFlags{0, 1});
  device.Use(0, Publish(0, 4, 0), 0);  // entry 0, which is used_event
  Finish();
  EXPECT_THAT(Found(), ElementsAre(kOwedEventIdx));
}

TEST_F(UsedJudge, UsedEventWithoutEventIdxMeansNothing) {
  Up();
  Do(op::SetUsedEvent{0, 100});
  Serve(0, Publish(0, 4, 0), 0);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

// At the wrong time

TEST_F(UsedJudge, NothingIsUsedAndNotifiedBeforeDriverOk) {
  Negotiate();
  SetupQueue();
  const uint16_t head = Publish(0, 4, 0);
  device.Signal(0);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kBeforeDriverOk));
  device.Use(0, head, 0);
  Take();
  const auto found = Found();
  ASSERT_FALSE(found.empty());
  for (const std::string& id : found) EXPECT_EQ(id, kBeforeDriverOk);
}

TEST_F(UsedJudge, NothingIsNotifiedAfterAReset) {
  Up();
  device.on_reset = [&] {
    device.Signal(0);  // on its way when the reset was asked for
    device.status_ = 0;
  };
  Do(op::Reset{});
  EXPECT_THAT(Found(), IsEmpty());
  device.Signal(0);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kAfterReset));
}

TEST_F(UsedJudge, NothingIsNotifiedForAQueueThatWasReset) {
  Up();
  Publish(0, 4, 0);
  Do(op::ResetQueue{0});
  device.Signal(0);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kAfterQueueReset));
  SetupQueue(0);
  Serve(0, Publish(0, 4, 0), 0);
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(UsedJudge, AQueueThatIsNotSetUpInThisLifeDoesNotNotify) {
  Up();
  Negotiate();
  SetupQueue(0);
  Do(op::WriteStatus{15});
  device.Signal(1);
  Do(op::ReadStatus{});
  EXPECT_THAT(Found(), ElementsAre(kSpurious));
}

// To a hostile driver little is promised.

TEST_F(UsedJudge, HostileDriversAreOwedNothingOfThis) {
  Up();
  const uint16_t head = Publish(0, 0, 8);
  Do(op::Hostile{});
  device.Use(0, head, 1000);
  device.Use(0, 77, 0);
  device.MoveUsed(0, 100);
  device.Signal(0, 3);
  Take();
  Finish();
  EXPECT_THAT(Found(), IsEmpty());
}

}  // namespace
}  // namespace vitro
