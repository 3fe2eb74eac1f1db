// SPDX-License-Identifier: Apache-2.0
// Checks of virtqueue reset and re-enabling (2.6.1). That the memory of a queue stays untouched
// after its reset is what the oracle watches.
#include <algorithm>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/split_ring.h"
#include "suite/checks/queue_life.h"

namespace vitro {

void BeginQueues(Context& c, FeatureSet with) {
  c.Reset();
  c.AcknowledgeAndDriver();
  c.Offered();
  if (!c.Negotiate(c.DefaultFeatures(with))) c.NotApplicable("the device refused the features");
  for (uint32_t queue = 0; queue < c.request_queue(); ++queue) c.SetupQueue(queue);
}

FeatureSet QueueFeatures(const Context& c) {
  if (c.facts().device_id == device_id::kBlk && c.facts().offered.Has(blk::kFeatureMq))
    return {blk::kFeatureMq};
  return {};
}

std::vector<uint32_t> UsableQueues(const Context& c) {
  if (c.facts().device_id == device_id::kBlk && QueueFeatures(c).empty()) return {0};
  return c.RequestQueues();
}

namespace {

constexpr const char* kNothingAfter = "dev.basic.virtqueues.virtqueue-reset.1";
constexpr const char* kDefaultState = "dev.basic.virtqueues.virtqueue-reset.2";
constexpr const char* kReEnable = "dev.basic.virtqueues.virtqueue-reset.virtqueue-re-enable.1";
constexpr const char* kIndependent = "derived.queue.independent";

// The device with its request queue as `setup` says, running. The disk, if any, is prepared.
op::SetupQueue UpWithQueue(Context& c, uint32_t size = 0) {
  c.Up();
  BeginQueues(c, {feature::kRingReset});
  const op::SetupQueue setup = c.SetupQueue(c.request_queue(), size);
  c.DriverOk();
  return setup;
}

// Ends the check's questions by `false` if the device refused.
bool ResetsQueue(Context& c, uint32_t queue) {
  c.Do(op::ResetQueue{queue});
  c.Expect(Accept::Answered(), kDefaultState,
           "a virtqueue reset that was negotiated is carried out");
  return !c.last().refused;
}

bool ReEnables(Context& c, const op::SetupQueue& setup) {
  c.Do(setup);
  c.Expect(Accept::Answered(), kReEnable, "a queue that was reset can be enabled again");
  return !c.last().refused;
}

void NotifyIfPossible(Context& c, uint32_t queue) {
  auto notified = c.Try(op::Notify{queue});
  if (!notified && notified.error().kind != ErrorKind::kUnsupported)
    throw CheckEnded{CheckEnded::Why::kError, notified.error()};
}

// Makes up to three requests available without a word.
void PublishSome(Context& c, const op::SetupQueue& setup) {
  uint32_t taken = 0;
  for (uint64_t n = 0; n < 3; ++n) {
    const Exchange request = c.grammar().Request(n);
    taken += c.DescriptorsOf(request, {});
    if (taken <= setup.size) c.Publish(request);
  }
}

void IsSilentAfterQueueReset(Context& c) {
  const op::SetupQueue setup = UpWithQueue(c);
  for (int round = 0; round < 4; ++round) {
    c.Submit(c.grammar().Request(0), kReEnable);
    PublishSome(c, setup);
    if (round % 2 == 1) c.Notify(setup.queue);
    if (c.failed() || !ResetsQueue(c, setup.queue)) return;
    const op::Read ring = c.UsedArea(setup);
    const Bytes before = c.Do(ring).bytes;
    c.Do(op::TakeNotifications{setup.queue});
    if (round >= 2) NotifyIfPossible(c, setup.queue);
    c.Do(op::Quiesce{});
    c.Do(ring);
    c.Expect(Accept::SameBytes(before), kNothingAfter, "no buffer is used after a virtqueue reset");
    c.Do(op::TakeNotifications{setup.queue});
    c.Expect(Accept::Equal(0), kNothingAfter,
             "no used buffer notification comes after a virtqueue reset");
    if (c.failed() || !ReEnables(c, setup)) return;
  }
}

void StartsFromTheDefaultState(Context& c) {
  const op::SetupQueue setup = UpWithQueue(c);
  uint64_t n = 0;
  for (int round = 0; round < 4; ++round) {
    // Another number of requests each time; in the first round none at all.
    for (int i = 0; i < 3 * round; ++i) c.Submit(c.grammar().Request(n++), kDefaultState);
    c.Do(op::Quiesce{});
    if (c.failed() || !ResetsQueue(c, setup.queue)) return;
    if (!ReEnables(c, setup)) return;  // the same memory, zeroed
    c.Do(op::ReadUsedIdx{setup.queue});
    c.Expect(Accept::Equal(c.StartPosition()), kDefaultState,
             "the device starts at the first entry");
  }
  c.Submit(c.grammar().Request(n), kDefaultState);
}

void ObservesAnotherSize(Context& c) {
  const uint32_t most = c.DefaultQueueSize(c.request_queue());
  const uint32_t least = c.DescriptorsOf(c.grammar().Request(0), {});
  const op::SetupQueue setup = UpWithQueue(c, most);
  uint64_t n = 0;
  uint32_t sizes = 0;
  for (uint32_t size : {most / 4, most / 2, most, most / 4}) {
    if (size < least || size < 2) continue;
    ++sizes;
    c.Submit(c.grammar().Request(n++), kReEnable);
    if (c.failed() || !ResetsQueue(c, setup.queue)) return;
    if (!ReEnables(c, c.LayQueue(setup.queue, size))) return;
    for (uint32_t i = 0; i < 2 * size + 1 && !c.failed(); ++i)
      c.Submit(c.grammar().Request(n++), kReEnable);
    if (c.failed()) return;
  }
  if (sizes < 2) c.NotApplicable("the queue is too small for another size");
}

void ObservesOtherAddresses(Context& c) {
  const op::SetupQueue old = UpWithQueue(c);
  for (uint64_t n = 0; n < 2; ++n) c.Submit(c.grammar().Request(n), kReEnable);
  if (c.failed() || !ResetsQueue(c, old.queue)) return;
  const op::Read ring = c.UsedArea(old);
  const Bytes before = c.Do(ring).bytes;
  if (!ReEnables(c, c.LayQueue(old.queue, old.size))) return;
  for (uint64_t n = 0; n < 3 && !c.failed(); ++n) c.Submit(c.grammar().Request(n), kReEnable);
  c.Do(ring);
  c.Expect(Accept::SameBytes(before), kReEnable, "the rings from before are not written any more");
}

void LeavesTheOtherQueuesWorking(Context& c) {
  const auto queues = UsableQueues(c);
  if (queues.size() < 2) c.NotApplicable("there is one queue that serves requests");
  c.Up({.with = QueueFeatures(c).With(feature::kRingReset), .queues = queues.back() + 1});
  for (uint32_t gone : queues) {
    if (!ResetsQueue(c, gone)) return;
    for (uint32_t queue : queues)
      if (queue != gone) c.Submit(*c.grammar().RequestOn(queue, gone), kIndependent);
    if (c.failed()) return;
    c.SetupQueue(gone);
    if (c.last().refused) return;
    c.Submit(*c.grammar().RequestOn(gone, 1), kReEnable);
  }
}

}  // namespace

void AddQueueResetChecks(std::vector<Check>& list) {
  const Needs needs{
      .abilities = {Ability::kQueueReset}, .offered = {feature::kRingReset}, .requests = true};
  list.push_back({
      .id = "queue.reset.silent",
      .title = "A queue that was reset is not served and not notified for",
      .section = "2.6.1",
      .requirements = {kNothingAfter},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"queue-reset-keeps-serving", "queue-reset-notifies"},
      .run = IsSilentAfterQueueReset,
  });
  list.push_back({
      .id = "queue.reset.default-state",
      .title = "A queue that was reset starts from index 0 when it is enabled again",
      .section = "2.6.1",
      .requirements = {kDefaultState},
      .tags = {},
      .needs = needs,
      .faults = {"queue-reset-keeps-index"},
      .run = StartsFromTheDefaultState,
  });
  list.push_back({
      .id = "queue.reset.other-size",
      .title = "A queue that was reset works in another size, over more than two laps",
      .section = "2.6.1.2",
      .requirements = {kReEnable},
      .tags = {},
      .needs = needs,
      .faults = {"queue-reset-keeps-size"},
      .run = ObservesAnotherSize,
  });
  list.push_back({
      .id = "queue.reset.other-addresses",
      .title = "A queue that was reset works at other addresses and leaves the old ones alone",
      .section = "2.6.1.2",
      .requirements = {kReEnable},
      .tags = {},
      .needs = needs,
      .faults = {"queue-reset-keeps-address"},
      .run = ObservesOtherAddresses,
  });
  list.push_back({
      .id = "queue.reset.others-go-on",
      .title = "The other queues work while one is reset",
      .section = "2.6.1",
      .requirements = {kIndependent, kReEnable},
      .tags = {},
      .needs = {.abilities = {Ability::kQueueReset}, .offered = {feature::kRingReset}, .queues = 2},
      .faults = {"queue-needs-others"},
      .run = LeavesTheOtherQueuesWorking,
  });
}

}  // namespace vitro
