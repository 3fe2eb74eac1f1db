// SPDX-License-Identifier: Apache-2.0
// Checks of device reset (2.4). That memory stays untouched after a reset is what the oracle
// watches.
#include <algorithm>

#include "harness/virtio/experimental.h"
#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/config_space.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

namespace xp = experimental;

constexpr const char* kStatusZero = "dev.basic.device-reset.1";
constexpr const char* kSilent = "dev.basic.device-reset.2";
constexpr const char* kRecovers = "derived.reset.recovers";
constexpr const char* kSessionState = "derived.config.session-state";
constexpr const char* kIgnoresUsedEvent =
    "dev.basic.virtqueues.used-buffer-notification-suppression.1";
constexpr const char* kFlagsRule = "dev.basic.virtqueues.used-buffer-notification-suppression.3";
constexpr const char* kGate = "derived.experimental.gate";

constexpr uint8_t kFound = status::kAcknowledge | status::kDriver;

// A notification where no queue is set up, which some carriers cannot send.
void NotifyIfPossible(Context& c, uint32_t queue) {
  auto notified = c.Try(op::Notify{queue});
  if (!notified && notified.error().kind != ErrorKind::kUnsupported)
    throw CheckEnded{CheckEnded::Why::kError, notified.error()};
}

// Status ------------------------------------------------------------------------------------------

constexpr int kStages = 7;

// Leads the device, which is fresh from a reset, some way through its life.
void LiveUntil(Context& c, int stage) {
  if (stage >= 1) c.Do(op::WriteStatus{status::kAcknowledge});
  if (stage >= 2) c.Do(op::WriteStatus{kFound});
  if (stage < 3) return;
  c.Offered();
  if (!c.Negotiate(c.DefaultFeatures())) c.NotApplicable("the device refused the features");
  if (stage >= 4)
    for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) c.SetupQueue(queue);
  if (stage >= 5) c.DriverOk();
  if (stage >= 6) NotifyIfPossible(c, c.request_queue());
}

// False if the reset did not complete.
bool ExpectReset(Context& c, const std::string& from) {
  c.Do(op::Reset{});
  c.Expect(Accept::Equal(0), kStatusZero, fmt::format("a reset from {} leads to status 0", from));
  return c.last().value == 0;
}

void ReachesZeroFromEverywhere(Context& c) {
  if (!ExpectReset(c, "the state in which the device was found")) return;
  for (int stage = 0; stage < kStages; ++stage) {
    LiveUntil(c, stage);
    const auto reached = static_cast<uint8_t>(c.Do(op::ReadStatus{}).value);
    if (!ExpectReset(c, fmt::format("status {:#x}", reached))) return;
    if (!ExpectReset(c, "status 0, straight after another reset,")) return;
    LiveUntil(c, stage);
    const auto failed = static_cast<uint8_t>(reached | status::kFailed);
    c.Do(op::WriteStatus{failed});
    if (!ExpectReset(c, fmt::format("status {:#x}", failed))) return;
  }
}

// Silence -----------------------------------------------------------------------------------------

// What the device could still do to a queue that was set up like this, after a reset: nothing.
void ExpectSilence(Context& c, const op::SetupQueue& old, bool kick) {
  const op::Read ring = c.UsedArea(old);
  const Bytes before = c.Do(ring).bytes;
  c.Do(op::TakeNotifications{old.queue});
  if (kick) NotifyIfPossible(c, old.queue);
  c.Do(op::Quiesce{});
  c.Do(ring);
  c.Expect(Accept::SameBytes(before), kSilent, "the old used ring stays as it was at the reset");
  c.Do(op::TakeNotifications{old.queue});
  c.Expect(Accept::Equal(0), kSilent, "no used buffer notification comes after a reset");
}

// Steps 1 to 6 of initialisation, with the plain features.
void Renegotiate(Context& c) {
  c.Reset();
  c.AcknowledgeAndDriver();
  c.Offered();
  if (!c.Negotiate(c.DefaultFeatures())) c.NotApplicable("the device refused the features");
}

// Brings the device up, without preparations, with the request queue's set-up in hand.
op::SetupQueue UpWithLayout(Context& c, uint32_t queue_size = 0) {
  Renegotiate(c);
  for (uint32_t queue = 0; queue < c.request_queue(); ++queue) c.SetupQueue(queue);
  const op::SetupQueue setup = c.SetupQueue(c.request_queue(), queue_size);
  c.DriverOk();
  return setup;
}

void IsSilentWhenIdle(Context& c) {
  const op::SetupQueue old = UpWithLayout(c);
  for (uint64_t n = 0; n < 2; ++n) {
    const Exchange request = c.grammar().Request(n);
    c.Publish(request);
    c.Notify(request.queue);
    c.WaitUsed(request.queue, 1);
  }
  c.Do(op::Quiesce{});
  c.Reset();
  ExpectSilence(c, old, false);
}

// Makes as many requests available as fit, at most `most`.
uint32_t PublishSome(Context& c, const op::SetupQueue& setup, uint32_t most) {
  uint32_t published = 0, taken = 0;
  for (uint64_t n = 0; published < most; ++n) {
    const Exchange request = c.grammar().Request(n);
    taken += c.DescriptorsOf(request, {});
    if (taken > setup.size) break;
    c.Publish(request);
    ++published;
  }
  return published;
}

void IsSilentWithRequestsInFlight(Context& c) {
  // Available and told; available and not told; told of again after the reset.
  for (int round = 0; round < 4; ++round) {
    const op::SetupQueue old = UpWithLayout(c);
    PublishSome(c, old, 3);
    if (round % 2 == 1) c.Notify(old.queue);
    c.Reset();
    ExpectSilence(c, old, round >= 2);
    if (c.failed()) return;
  }
}

// The driver initialises the device again, but sets no queue up: the old one must not serve.
void DisablesQueues(Context& c) {
  const op::SetupQueue old = UpWithLayout(c);
  PublishSome(c, old, 2);
  Renegotiate(c);
  c.DriverOk();
  ExpectSilence(c, old, true);
}

// A new life --------------------------------------------------------------------------------------

void WorksAgain(Context& c) {
  c.Up();
  const uint32_t most = c.DefaultQueueSize(c.request_queue());
  constexpr int kRounds = 6;
  for (int round = 0; round < kRounds; ++round) {
    // Another number of requests and another size each time, so that nothing fits by accident.
    const uint32_t size = round % 2 == 1 && most >= 8 ? most / 2 : most;
    const op::SetupQueue setup = UpWithLayout(c, size);
    for (int i = 0; i <= round; ++i)
      c.Submit(c.grammar().Request(static_cast<uint64_t>(i)), kRecovers);
    if (c.failed()) return;
    PublishSome(c, setup, static_cast<uint32_t>(round));
    if (round % 3 != 0) c.Notify(setup.queue);
  }
  c.Up({.prepare = false});
  c.Works(kRecovers);
}

// A queue that was at the same addresses before starts anew with rings of zeroes.
void StartsAnewAtTheOldAddresses(Context& c) {
  op::SetupQueue setup = UpWithLayout(c);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) {
      const Exchange request = c.grammar().Request(static_cast<uint64_t>(i));
      c.Publish(request);
      c.Notify(request.queue);
      c.WaitUsed(request.queue, 1);
      c.Expect(Accept::Equal(1), kRecovers, "a request is used after the reset as before it");
    }
    if (c.failed()) return;
    c.Do(op::Quiesce{});
    Renegotiate(c);
    for (uint32_t queue = 0; queue < c.request_queue(); ++queue) c.SetupQueue(queue);
    c.Do(setup);
    c.DriverOk();
  }
}

// Features of the life before ---------------------------------------------------------------------

void ForgetsEventIdx(Context& c) {
  c.Up({.with = {feature::kEventIdx}});
  c.Submit(c.grammar().Request(0), kRecovers);
  c.Up({.prepare = false});
  const Exchange request = c.grammar().Request(1);
  c.Do(op::TakeNotifications{request.queue});
  // With EVENT_IDX this would ask for silence.
  c.Do(op::SetUsedEvent{request.queue, 0x4000});
  c.Publish(request);
  c.Notify(request.queue);
  c.WaitUsed(request.queue, 1);
  c.Expect(Accept::Equal(1), kRecovers, "a request is used after the features were changed");
  c.Do(op::WaitNotifications{request.queue, 1});
  c.Expect(Accept::NotEqual(0), kIgnoresUsedEvent,
           "used_event counts for nothing once EVENT_IDX is no longer negotiated");
}

void LearnsEventIdx(Context& c) {
  c.Up();
  c.Submit(c.grammar().Request(0), kRecovers);
  c.Up({.with = {feature::kEventIdx}, .prepare = false});
  const Exchange request = c.grammar().Request(1);
  c.Do(op::TakeNotifications{request.queue});
  // Without EVENT_IDX this would ask for silence.
  c.Do(op::SetAvailFlags{request.queue, split::kAvailNoInterrupt});
  c.Do(op::SetUsedEvent{request.queue, 0});
  c.Publish(request);
  c.Notify(request.queue);
  c.WaitUsed(request.queue, 1);
  c.Expect(Accept::Equal(1), kRecovers, "a request is used after the features were changed");
  c.Do(op::WaitNotifications{request.queue, 1});
  c.Expect(Accept::NotEqual(0), "dev.basic.virtqueues.used-buffer-notification-suppression.4",
           "the flags count for nothing once EVENT_IDX is negotiated");
}

void LearnsIndirect(Context& c) {
  c.Up();
  c.Submit(c.grammar().Request(0), kRecovers);
  c.Up({.with = {feature::kIndirectDesc}, .prepare = false});
  c.Submit(c.grammar().Request(1), kRecovers, Framing::Indirect());
}

// Config fields of the experimental device --------------------------------------------------------

void ForgetsWrittenFields(Context& c) {
  RequireVitrosOwn(c);
  c.Up({.driver_ok = false});
  c.Do(op::WriteConfig{xp::kConfigLimit, LeBytes(17, 4)});
  c.Do(op::WriteConfig{xp::kConfigTearable, LeBytes(0x11111111, 4)});
  c.Do(op::WriteConfig{xp::kConfigTearable + 4, LeBytes(0x22222222, 4)});
  c.Do(op::WriteConfig{xp::kConfigCommand, LeBytes(1, 1)});
  c.Reset();
  c.Do(op::ReadConfig{xp::kConfigLimit, 4});
  c.Expect(Accept::Equal(xp::kDefaultLimit), kSessionState,
           "limit is at its default after a reset");
  ExpectWide(c, xp::kConfigTearable, xp::kDefaultTearable, kSessionState,
             "tearable is at its default after a reset");
  c.Do(op::ReadConfig{xp::kConfigCommand, 4});
  c.Expect(Accept::Equal(0), kSessionState, "a command written in part is forgotten by a reset");
}

// One half of a 64-bit field before the reset, the other one after it.
void ForgetsHalfWrittenFields(Context& c) {
  RequireVitrosOwn(c);
  for (uint32_t half : {0u, 4u}) {
    c.Up({.driver_ok = false});
    c.Do(op::WriteConfig{xp::kConfigTearable + half, LeBytes(0x33333333, 4)});
    c.Up({.driver_ok = false});
    ExpectWide(c, xp::kConfigTearable, xp::kDefaultTearable, kSessionState,
               "both halves of tearable are at their defaults after a reset");
  }
}

void ForgetsTheGate(Context& c) {
  RequireVitrosOwn(c);
  c.Up({.with = {xp::kFeatureGated}});
  c.Do(op::ReadConfig{xp::kConfigGated, 4});
  c.Expect(Accept::Equal(xp::kGatedValue), kGate, "the field is there with its feature");
  c.Up();
  c.Do(op::ReadConfig{xp::kConfigGated, 4});
  c.Expect(Accept::Equal(0), kGate,
           "the field is gone once its feature is not negotiated any more");
}

void AddResetStatusChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "reset.status.zero-from-everywhere",
      .title = "A reset leads to status 0 from every status, FAILED and 0 included",
      .section = "2.4.1",
      .requirements = {kStatusZero},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kDeviceStatus, Ability::kReset}},
      .faults = {"reset-keeps-status", "reset-keeps-failed"},
      .run = ReachesZeroFromEverywhere,
  });
}

void AddResetSilenceChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "reset.silence.idle",
      .title =
          "After the reset of an idle device its queues stay untouched and nothing is notified",
      .section = "2.4.1",
      .requirements = {kSilent},
      .tags = {},
      .needs = {.abilities = {Ability::kReset}, .requests = true},
      .faults = {"reset-notifies"},
      .run = IsSilentWhenIdle,
  });
  list.push_back({
      .id = "reset.silence.in-flight",
      .title = "Requests in flight at a reset are not touched after it, also if notified again",
      .section = "2.4.1",
      .requirements = {kSilent},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kReset}, .requests = true},
      .faults = {"reset-keeps-queues", "reset-notifies"},
      .run = IsSilentWithRequestsInFlight,
  });
  list.push_back({
      .id = "reset.queues.disabled",
      .title = "A queue that is not set up again after a reset is not served",
      .section = "2.4.1",
      .requirements = {kSilent},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kReset}, .requests = true},
      .faults = {"reset-keeps-queues"},
      .run = DisablesQueues,
  });
}

void AddResetRecoveryChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "reset.recovery.again-and-again",
      .title = "The device works after each of many resets, whatever was in flight",
      .section = "2.4",
      .requirements = {kRecovers},
      .tags = {},
      .needs = {.abilities = {Ability::kReset}, .requests = true},
      .faults = {"reset-keeps-index"},
      .run = WorksAgain,
  });
  list.push_back({
      .id = "reset.recovery.same-rings",
      .title = "Rings at the same addresses start from index 0 after a reset",
      .section = "2.4",
      .requirements = {kRecovers},
      .tags = {},
      .needs = {.abilities = {Ability::kReset}, .requests = true},
      .faults = {"reset-keeps-index"},
      .run = StartsAnewAtTheOldAddresses,
  });
  list.push_back({
      .id = "reset.features.event-idx-forgotten",
      .title = "EVENT_IDX of an earlier negotiation has no effect after a reset",
      .section = "2.4",
      .requirements = {kIgnoresUsedEvent, kFlagsRule, kRecovers},
      .tags = {},
      .needs = {.offered = {feature::kEventIdx}, .requests = true},
      .faults = {"reset-keeps-features"},
      .run = ForgetsEventIdx,
  });
  list.push_back({
      .id = "reset.features.event-idx-learned",
      .title = "EVENT_IDX takes effect when it is negotiated only after a reset",
      .section = "2.4",
      .requirements = {"dev.basic.virtqueues.used-buffer-notification-suppression.4", kRecovers},
      .tags = {},
      .needs = {.offered = {feature::kEventIdx}, .requests = true},
      .faults = {"reset-keeps-features"},
      .run = LearnsEventIdx,
  });
  list.push_back({
      .id = "reset.features.indirect-learned",
      .title = "INDIRECT_DESC takes effect when it is negotiated only after a reset",
      .section = "2.4",
      .requirements = {kRecovers},
      .tags = {},
      .needs = {.offered = {feature::kIndirectDesc}, .requests = true},
      .faults = {"reset-keeps-features"},
      .run = LearnsIndirect,
  });
}

void AddResetConfigChecks(std::vector<Check>& list) {
  const Needs needs{.abilities = {Ability::kReset, Ability::kConfigSpace, Ability::kConfigWrite},
                    .device_id = 65535,
                    .requests = true};
  list.push_back({
      .id = "reset.config.session-state",
      .title = "Writable config fields are at their defaults after a reset",
      .section = "2.4",
      .requirements = {kSessionState},
      .tags = {"experimental"},
      .needs = needs,
      .faults = {"experimental:reset-writes-config-back"},
      .run = ForgetsWrittenFields,
  });
  list.push_back({
      .id = "reset.config.half-written",
      .title = "Half of a 64-bit config field that was written before a reset does not survive it",
      .section = "2.4",
      .requirements = {kSessionState},
      .tags = {"experimental", "odd"},
      .needs = needs,
      .faults = {"experimental:reset-writes-config-back"},
      .run = ForgetsHalfWrittenFields,
  });
  list.push_back({
      .id = "reset.config.gate",
      .title = "A config field of a feature goes with the negotiation of that feature",
      .section = "2.5",
      .requirements = {kGate},
      .tags = {"experimental"},
      .needs = {.abilities = {Ability::kConfigSpace},
                .offered = {xp::kFeatureGated},
                .device_id = 65535,
                .requests = true},
      .faults = {"experimental:config-gate-ignored", "experimental:reset-keeps-features"},
      .run = ForgetsTheGate,
  });
}

}  // namespace

void AddResetChecks(std::vector<Check>& list) {
  AddResetStatusChecks(list);
  AddResetSilenceChecks(list);
  AddResetRecoveryChecks(list);
  AddResetConfigChecks(list);
}

}  // namespace vitro
