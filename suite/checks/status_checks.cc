// SPDX-License-Identifier: Apache-2.0
// Checks of the device status field (2.1) and of the steps of initialisation that it shows (3.1.1).
#include "suite/checks/chapters.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

constexpr const char* kBeforeDriverOk = "dev.basic.device-status-field.1";
constexpr const char* kNeedsResetSet = "dev.basic.device-status-field.2";
constexpr const char* kNeedsResetTold = "dev.basic.device-status-field.3";
constexpr const char* kResetStatus = "dev.basic.device-reset.1";
constexpr const char* kRenegotiate = "dev.basic.feature-bits.4";
constexpr const char* kBitsKept = "derived.status.bits-kept";
constexpr const char* kRecovers = "derived.reset.recovers";
constexpr const char* kProgress = "derived.used.progress";

constexpr uint8_t kFound = status::kAcknowledge | status::kDriver;
constexpr uint8_t kNegotiated = kFound | status::kFeaturesOk;
constexpr uint8_t kRunning = kNegotiated | status::kDriverOk;

// Before DRIVER_OK --------------------------------------------------------------------------------

void ConsumesNothingBeforeDriverOk(Context& c) {
  c.Up({.driver_ok = false});
  const Exchange request = c.grammar().Request(0);
  c.Publish(request);
  c.Do(op::ReadUsedIdx{request.queue});
  c.Notify(request.queue);
  c.Do(op::Quiesce{});
  c.Do(op::ReadUsedIdx{request.queue});
  c.Expect(Accept::Equal(c.StartPosition()), kBeforeDriverOk, "no buffer is used before DRIVER_OK");
  c.Do(op::TakeNotifications{request.queue});
  c.Expect(Accept::Equal(0), kBeforeDriverOk, "no used buffer notification comes before DRIVER_OK");
  c.DriverOk();
  c.Notify(request.queue);
  c.WaitUsed(request.queue, 1);
  c.Expect(Accept::Equal(1), kProgress, "the buffer is used once DRIVER_OK is set");
}

// Populating a queue before DRIVER_OK is step 7 of 3.1.1, so this driver is a conforming one.
void KeepsQuietWhileItsQueuesAreFilled(Context& c) {
  c.Up({.driver_ok = false});
  const uint32_t queue = c.request_queue();
  const uint32_t room = c.DefaultQueueSize(queue);
  const Exchange request = c.grammar().Request(0);
  const uint32_t each = c.DescriptorsOf(request, {});
  uint32_t published = 0;
  for (; published < 3 && (published + 1) * each <= room; ++published) c.Publish(request);
  c.Do(op::Quiesce{});
  c.Do(op::ReadUsedIdx{queue});
  c.Expect(Accept::Equal(c.StartPosition()), kBeforeDriverOk,
           "no buffer is used while the driver fills its queue");
  c.DriverOk();
  c.Notify(queue);
  c.WaitUsed(queue, published);
  c.Expect(Accept::Equal(published), kProgress,
           "all that was made available before DRIVER_OK is used after it");
}

// Steps -------------------------------------------------------------------------------------------

void ExpectReadsBack(Context& c, uint8_t bits) {
  c.Do(op::ReadStatus{});
  c.Expect(Accept::Masked(bits, bits), kBitsKept,
           fmt::format("the status bits {:#x} that the driver has set read as set", bits));
}

void ReadsBackEachStep(Context& c) {
  c.Reset();
  c.Do(op::WriteStatus{status::kAcknowledge});
  ExpectReadsBack(c, status::kAcknowledge);
  c.Do(op::WriteStatus{kFound});
  ExpectReadsBack(c, kFound);
  c.Offered();
  ExpectReadsBack(c, kFound);
  const bool taken = c.Negotiate(c.DefaultFeatures());
  ExpectReadsBack(c, kFound);  // FEATURES_OK is the device's to leave clear
  if (!taken) return;
  for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) c.SetupQueue(queue);
  ExpectReadsBack(c, kNegotiated);
  c.DriverOk();
  ExpectReadsBack(c, kRunning);
  c.Do(op::Quiesce{});
  ExpectReadsBack(c, kRunning);
}

// As far as `stage` says, without a look back.
void GoTo(Context& c, int stage) {
  c.Reset();
  if (stage >= 1) c.Do(op::WriteStatus{status::kAcknowledge});
  if (stage >= 2) c.Do(op::WriteStatus{kFound});
  if (stage < 3) return;
  c.Offered();
  if (!c.Negotiate(c.DefaultFeatures())) c.NotApplicable("the device refused the features");
  if (stage < 4) return;
  for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) c.SetupQueue(queue);
  c.DriverOk();
}

void KeepsFailed(Context& c) {
  constexpr uint8_t kReached[] = {0, status::kAcknowledge, kFound, kNegotiated, kRunning};
  for (int stage = 0; stage < 5; ++stage) {
    GoTo(c, stage);
    const auto failed = static_cast<uint8_t>(kReached[stage] | status::kFailed);
    c.Do(op::WriteStatus{failed});
    ExpectReadsBack(c, failed);
  }
  c.Reset();
}

// Ways to initialise that 3.1.1 leaves to the driver. After each the device has to work.
void InitialiseInOneWrite(Context& c) {
  c.Do(op::WriteStatus{kFound});
  c.Offered();
}
void InitialiseWithManyLooks(Context& c) {
  c.AcknowledgeAndDriver();
  for (int i = 0; i < 3; ++i) {
    c.Offered();
    c.Do(op::ReadStatus{});
    if (c.Has(Ability::kConfigSpace) && c.facts().config_size > 0) c.Do(op::ReadConfig{0, 1});
  }
}
void InitialiseWithASecondThought(Context& c) {
  c.AcknowledgeAndDriver();
  const FeatureSet offered = c.Offered();
  FeatureSet first = c.DefaultFeatures();
  for (unsigned bit : {feature::kEventIdx, feature::kIndirectDesc})
    if (offered.Has(bit)) first.Add(bit);
  c.Do(op::AcceptFeatures{first});
}
void InitialiseInSteps(Context& c) {
  for (uint8_t step : {status::kAcknowledge, status::kAcknowledge, kFound, kFound})
    c.Do(op::WriteStatus{step});
  c.Offered();
}

void TakesEveryLegalOrder(Context& c) {
  c.Up();
  const FeatureSet taken = c.session().state().accepted;
  uint64_t n = 0;
  for (auto begin : {InitialiseInOneWrite, InitialiseWithManyLooks, InitialiseWithASecondThought,
                     InitialiseInSteps}) {
    c.Reset();
    begin(c);
    c.Negotiate(taken);
    c.Expect(Accept::Masked(status::kFeaturesOk, status::kFeaturesOk), kRenegotiate,
             "the features that were taken before are taken again");
    if (c.failed()) return;
    // The queue that matters first or last.
    for (uint32_t i = 0; i <= c.request_queue(); ++i)
      c.SetupQueue(n % 2 == 0 ? i : c.request_queue() - i);
    c.DriverOk();
    if (n % 2 == 1) c.DriverOk();  // the same status once more
    c.Submit(c.grammar().Request(n++), kRecovers);
  }
}

// DEVICE_NEEDS_RESET ------------------------------------------------------------------------------

constexpr int kBreakages = 2;

// Brings the device up and breaks the ring of its request queue.
void UpAndBreak(Context& c, int breakage) {
  c.Up();
  if (c.Has(Ability::kConfigNotification)) c.Do(op::TakeConfigNotifications{});
  const uint32_t queue = c.request_queue();
  const auto size = static_cast<uint16_t>(std::min(c.DefaultQueueSize(queue), 0x7fffu));
  c.BeginHostile();
  if (breakage == 0)
    c.Do(op::RawAvailable{queue, size, 1});  // a head beyond the descriptor table
  else
    c.Do(op::RawAvailable{queue, 0, static_cast<uint16_t>(size + 1)});  // more than the ring holds
  c.Notify(queue);
  c.Do(op::Quiesce{});
}

// Is a request still served after that?
bool StillServes(Context& c) {
  const Exchange request = c.grammar().Request(0);
  c.Publish(request);
  c.Notify(request.queue);
  return c.WaitUsed(request.queue, 1).value > 0;
}

void SetsNeedsReset(Context& c) {
  for (int breakage = 0; breakage < kBreakages; ++breakage) {
    UpAndBreak(c, breakage);
    if (StillServes(c)) continue;  // it got over it, and needs no reset
    c.Do(op::ReadStatus{});
    c.Expect(Accept::Masked(status::kNeedsReset, status::kNeedsReset), kNeedsResetSet,
             "a queue that serves nothing any more shows as DEVICE_NEEDS_RESET");
  }
}

void NotifiesNeedsReset(Context& c) {
  bool needed = false;
  for (int breakage = 0; breakage < kBreakages; ++breakage) {
    UpAndBreak(c, breakage);
    if ((c.Do(op::ReadStatus{}).value & status::kNeedsReset) == 0) continue;
    needed = true;
    c.Do(op::WaitConfigNotification{});
    c.Expect(Accept::NotEqual(0), kNeedsResetTold,
             "a configuration change notification tells of DEVICE_NEEDS_RESET");
  }
  if (!needed) c.NotApplicable("the device did not set DEVICE_NEEDS_RESET over a broken ring");
}

void RecoversFromNeedsReset(Context& c) {
  bool needed = false;
  for (int breakage = 0; breakage < kBreakages; ++breakage) {
    UpAndBreak(c, breakage);
    if ((c.Do(op::ReadStatus{}).value & status::kNeedsReset) == 0) continue;
    needed = true;
    c.Do(op::Reset{});
    c.Expect(Accept::Equal(0), kResetStatus, "a reset from DEVICE_NEEDS_RESET leads to status 0");
    if (c.failed()) return;
    c.Up();
    c.Submit(c.grammar().Request(1), kRecovers);
  }
  if (!needed) c.NotApplicable("the device did not set DEVICE_NEEDS_RESET over a broken ring");
}

}  // namespace

void AddStatusChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "status.driver-ok.nothing-before",
      .title = "Buffers made available before DRIVER_OK stay untouched until it is set",
      .section = "2.1.2",
      .requirements = {kBeforeDriverOk, kProgress},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kDeviceStatus, Ability::kQueuesBeforeDriverOk},
                .requests = true},
      .faults = {"consumes-before-driver-ok", "notifies-before-driver-ok"},
      .run = ConsumesNothingBeforeDriverOk,
  });
  list.push_back({
      .id = "status.driver-ok.queue-filled-before",
      .title = "A queue that is filled before DRIVER_OK is served after it",
      .section = "2.1.2",
      .requirements = {kBeforeDriverOk, kProgress},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kDeviceStatus, Ability::kQueuesBeforeDriverOk},
                .requests = true},
      .faults = {"consumes-before-driver-ok"},
      .run = KeepsQuietWhileItsQueuesAreFilled,
  });
  list.push_back({
      .id = "status.steps.read-back",
      .title = "Each step of initialisation reads back from the device status",
      .section = "2.1",
      .requirements = {kBitsKept},
      .tags = {},
      .needs = {.abilities = {Ability::kDeviceStatus}},
      .faults = {"status-not-read-back"},
      .run = ReadsBackEachStep,
  });
  list.push_back({
      .id = "status.failed.kept",
      .title = "FAILED reads back at every step of initialisation, and a reset clears it",
      .section = "2.1",
      .requirements = {kBitsKept, kResetStatus},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kDeviceStatus, Ability::kReset}},
      .faults = {"status-not-read-back", "reset-keeps-failed"},
      .run = KeepsFailed,
  });
  list.push_back({
      .id = "status.steps.legal-orders",
      .title = "The device works after every way of initialisation that is left to the driver",
      .section = "3.1.1",
      .requirements = {kRecovers, kRenegotiate},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"features-ok-refused-twice", "reset-keeps-index"},
      .run = TakesEveryLegalOrder,
  });
  list.push_back({
      .id = "status.needs-reset.set",
      .title = "A device that stops over a broken ring sets DEVICE_NEEDS_RESET",
      .section = "2.1.2",
      .requirements = {kNeedsResetSet},
      .tags = {"hostile"},
      .needs = {.abilities = {Ability::kDeviceStatus}, .requests = true},
      .faults = {"no-needs-reset"},
      .run = SetsNeedsReset,
  });
  list.push_back({
      .id = "status.needs-reset.notified",
      .title = "DEVICE_NEEDS_RESET comes with a configuration change notification",
      .section = "2.1.2",
      .requirements = {kNeedsResetTold},
      .tags = {"hostile"},
      .needs = {.abilities = {Ability::kDeviceStatus, Ability::kConfigNotification},
                .requests = true},
      .faults = {"needs-reset-silent"},
      .run = NotifiesNeedsReset,
  });
  list.push_back({
      .id = "status.needs-reset.cleared",
      .title = "A reset clears DEVICE_NEEDS_RESET and the device works again",
      .section = "2.4.1",
      .requirements = {kResetStatus, kRecovers},
      .tags = {"hostile"},
      .needs = {.abilities = {Ability::kDeviceStatus, Ability::kReset}, .requests = true},
      .faults = {"reset-keeps-failed", "error-survives-reset"},
      .run = RecoversFromNeedsReset,
  });
}

}  // namespace vitro
