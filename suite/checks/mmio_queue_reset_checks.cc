// SPDX-License-Identifier: Apache-2.0
// Checks of virtqueue reset by the register QueueReset (4.2.2.1, 2.6.1).
#include "suite/checks/mmio_registers.h"
#include "suite/checks/queue_life.h"

namespace vitro {
namespace {

using namespace mmio;  // NOLINT: the names of the registers

constexpr const char* kZeroOnReset = "dev.mmio.mmio-device-register-layout.8";
constexpr const char* kZeroOnceEnabled = "dev.mmio.mmio-device-register-layout.9";
constexpr const char* kResets = "dev.mmio.mmio-device-register-layout.10";
constexpr const char* kZeroWhenDone = "dev.mmio.mmio-device-register-layout.12";
constexpr const char* kIndependent = "derived.queue.independent";

// Resets a queue by its registers; false if that does not come to an end.
bool ResetByRegister(Context& c, uint32_t queue) {
  MmioWrite(c, kQueueSel, queue);
  MmioWrite(c, kQueueReset, 1);
  c.Do(op::WaitRegister{"mmio", kQueueReset, 4, UINT64_MAX, 0});
  c.Expect(Accept::Equal(0), kZeroWhenDone, "QueueReset reads 0 once the queue reset is complete");
  const bool done = c.last().value == 0;
  MmioRead(c, kQueueReady);
  c.Expect(Accept::Equal(0), kZeroWhenDone, "QueueReady reads 0 once the queue reset is complete");
  return done && c.last().value == 0;
}

void ExpectUnserved(Context& c, uint32_t queue) {
  const uint64_t before = c.Do(op::ReadUsedIdx{queue}).value;
  c.Publish(*c.grammar().RequestOn(queue, 0));
  MmioWrite(c, kQueueNotify, queue);
  c.Do(op::Quiesce{});
  c.Do(op::ReadUsedIdx{queue});
  c.Expect(Accept::Equal(before), kResets, "a queue that was reset is not served");
}

void ResetsAQueue(Context& c) {
  c.Up({.with = {feature::kRingReset}});
  const uint32_t queue = c.request_queue();
  for (uint64_t round = 0; round < 3; ++round) {
    c.Submit(c.grammar().Request(round), kResets);
    c.Do(op::Quiesce{});
    MmioQueueRead(c, queue, kQueueReset);
    c.Expect(Accept::Equal(0), kZeroOnceEnabled, "QueueReset reads 0 while the queue is enabled");
    if (c.failed() || !ResetByRegister(c, queue)) return;
    ExpectUnserved(c, queue);
    c.SetupQueue(queue);
    c.Expect(Accept::Answered(), kZeroWhenDone, "a queue that was reset can be enabled again");
    if (c.failed()) return;
    MmioQueueRead(c, queue, kQueueReset);
    c.Expect(Accept::Equal(0), kZeroOnceEnabled, "QueueReset reads 0 once the queue is enabled");
  }
  c.Submit(c.grammar().Request(3), kResets);
}

void ResetsTheSelectedQueueOnly(Context& c) {
  const auto queues = UsableQueues(c);
  if (queues.size() < 2) c.NotApplicable("there is one queue that serves requests");
  c.Up({.with = QueueFeatures(c).With(feature::kRingReset), .queues = queues.back() + 1});
  for (uint32_t gone : queues) {
    if (!ResetByRegister(c, gone)) return;
    for (uint32_t queue : queues) {
      if (queue == gone) continue;
      MmioQueueRead(c, queue, kQueueReady);
      c.Expect(Accept::Equal(1), kIndependent,
               fmt::format("queue {} stays ready while queue {} is reset", queue, gone));
      c.Submit(*c.grammar().RequestOn(queue, gone), kIndependent);
    }
    if (c.failed()) return;
    c.SetupQueue(gone);
    c.Expect(Accept::Answered(), kZeroWhenDone, "a queue that was reset can be enabled again");
    if (c.failed()) return;
    c.Submit(*c.grammar().RequestOn(gone, 1), kResets);
  }
}

void ReadsZeroAfterADeviceReset(Context& c) {
  for (const bool with_request : {false, true}) {
    c.Up({.with = {feature::kRingReset}});
    const uint32_t queue = c.request_queue();
    const FeatureSet features = c.session().state().accepted;
    if (with_request) {
      c.Publish(c.grammar().Request(0));
      c.Notify(queue);
    }
    MmioWrite(c, kQueueSel, queue);
    MmioWrite(c, kQueueReset, 1);
    c.Reset();
    MmioQueueRead(c, queue, kQueueReset);
    c.Expect(Accept::Equal(0), kZeroOnReset, "QueueReset reads 0 after a device reset");
    c.AcknowledgeAndDriver();
    c.Offered();
    if (!c.Negotiate(features)) c.NotApplicable("the device refused the features");
    for (uint32_t each : MmioQueues(c)) {
      MmioQueueRead(c, each, kQueueReset);
      c.Expect(
          Accept::Equal(0), kZeroOnReset,
          fmt::format("QueueReset of queue {} reads 0 in the life after a device reset", each));
    }
  }
}

}  // namespace

void AddMmioQueueResetChecks(std::vector<Check>& list) {
  const Needs needs{
      .abilities = {Ability::kMmioWindow}, .offered = {feature::kRingReset}, .requests = true};
  list.push_back({
      .id = "mmio.queue-reset.completes",
      .title = "QueueReset resets a queue and then reads 0, as does QueueReady",
      .section = "4.2.2.1",
      .requirements = {kZeroWhenDone, kResets, kZeroOnceEnabled},
      .tags = {},
      .needs = needs,
      .faults = {"mmio-queue-reset-ignored", "mmio-queue-reset-stays-one",
                 "mmio-queue-reset-one-when-enabled", "mmio-queue-reset-keeps-ready"},
      .run = ResetsAQueue,
  });
  list.push_back({
      .id = "mmio.queue-reset.selected",
      .title = "QueueReset resets the selected queue and no other",
      .section = "4.2.2.1",
      .requirements = {kResets, kZeroWhenDone, kIndependent},
      .tags = {},
      .needs = {.abilities = {Ability::kMmioWindow}, .offered = {feature::kRingReset}, .queues = 2},
      .faults = {"mmio-queue-reset-hits-queue-zero"},
      .run = ResetsTheSelectedQueueOnly,
  });
  list.push_back({
      .id = "mmio.queue-reset.device-reset",
      .title = "QueueReset reads 0 after a device reset that follows at once",
      .section = "4.2.2.1",
      .requirements = {kZeroOnReset},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"mmio-queue-reset-kept-over-reset"},
      .run = ReadsZeroAfterADeviceReset,
  });
}

}  // namespace vitro
