// SPDX-License-Identifier: Apache-2.0
// Checks of notification suppression with VIRTIO_F_EVENT_IDX: used_event (2.7.7) and avail_event
// (2.7.10).
#include <algorithm>

#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/notifications.h"

namespace vitro {
namespace {

#define SUPPRESSION "dev.basic.virtqueues.used-buffer-notification-suppression."
constexpr const char* kFlagsIgnored = SUPPRESSION "4";
constexpr const char* kDue = SUPPRESSION "5";
constexpr const char* kSilent = SUPPRESSION "6";
#undef SUPPRESSION
constexpr const char* kFlagsZero =
    "dev.basic.virtqueues.available-buffer-notification-suppression.3";
constexpr const char* kAvailEvent = "derived.event-idx.avail-event";
constexpr const char* kProgress = "derived.used.progress";

const BringUp kWithEvents = {.with = {feature::kEventIdx}};

// Lets the device come to rest; returns the used index then.
uint16_t Rest(Context& c, uint32_t queue) {
  Settle(c, queue);
  return static_cast<uint16_t>(c.Do(op::ReadUsedIdx{queue}).value);
}

// From rest: `count` buffers are used while used_event lies `ahead` entries ahead of the used
// index. A notification is due if the entry it names is one of them.
void TryEvent(Context& c, uint32_t queue, uint32_t count, uint16_t ahead) {
  const uint16_t from = Rest(c, queue);
  c.Do(op::SetUsedEvent{queue, static_cast<uint16_t>(from + ahead)});
  UseBatch(c, queue, count);
  if (c.failed()) return;
  if (ahead < count) {
    c.Do(op::WaitNotifications{queue, 1});
    c.Expect(Accept::NotEqual(0), kDue,
             fmt::format("a notification comes when {} entries from {} on pass used_event {}",
                         count, from, static_cast<uint16_t>(from + ahead)));
    return;
  }
  c.Do(op::Quiesce{});
  c.Do(op::TakeNotifications{queue});
  c.Expect(Accept::Equal(0), kSilent,
           fmt::format("none comes when {} entries from {} on do not reach used_event {}", count,
                       from, static_cast<uint16_t>(from + ahead)));
}

void NotifiesAtTheEvent(Context& c) {
  c.Up(kWithEvents);
  const uint32_t queue = c.request_queue(), most = LargestBatch(c);
  TryEvent(c, queue, 1, 0);  // a device may not know before what it has told
  for (uint32_t count = 1; count <= most; ++count)
    for (uint16_t ahead = 0; ahead < count && !c.failed(); ++ahead)
      TryEvent(c, queue, count, ahead);
}

void SilentAwayFromTheEvent(Context& c) {
  c.Up(kWithEvents);
  const uint32_t queue = c.request_queue(), most = LargestBatch(c);
  TryEvent(c, queue, 1, 0);
  for (uint32_t count = 1; count <= most; ++count)
    for (uint32_t ahead : {count, count + 1, 100u, 0x7fffu, 0x8000u, 0xff00u, 0xffffu})
      if (!c.failed()) TryEvent(c, queue, count, static_cast<uint16_t>(ahead));
}

// One that was passed while it lay behind is due again only a whole turn later; one that comes up
// step by step is due at its own entry.
void EventIsReachedStepByStep(Context& c) {
  c.Up(kWithEvents);
  const uint32_t queue = c.request_queue();
  TryEvent(c, queue, 1, 0);
  const uint16_t from = Rest(c, queue);
  const auto event = static_cast<uint16_t>(from + 3);
  c.Do(op::SetUsedEvent{queue, event});
  for (uint16_t step = 0; step < 6 && !c.failed(); ++step) {
    c.Submit(c.grammar().Request(step), kProgress);
    if (step == 3) {
      c.Do(op::WaitNotifications{queue, 1});
      c.Expect(Accept::NotEqual(0), kDue,
               "a notification comes with the entry that used_event names");
    } else {
      Rest(c, queue);
    }
  }
}

void FlagsBitIgnored(Context& c) {
  c.Up(kWithEvents);
  const uint32_t queue = c.request_queue();
  for (uint16_t flags : {uint16_t{0}, uint16_t{split::kAvailNoInterrupt}}) {
    for (int i = 0; i < 3 && !c.failed(); ++i) {
      const uint16_t from = Rest(c, queue);
      c.Do(op::SetAvailFlags{queue, flags});
      c.Do(op::SetUsedEvent{queue, from});
      UseBatch(c, queue, 1);
      c.Do(op::WaitNotifications{queue, 1});
      c.Expect(Accept::NotEqual(0), kFlagsIgnored,
               "the lower bit of the available ring's flags suppresses nothing with EVENT_IDX");
    }
  }
}

// As many buffers after a reset as before it: a device that remembers where it notified last takes
// this batch to be none.
void FreshAfterReset(Context& c) {
  c.Up(kWithEvents);
  const uint32_t queue = c.request_queue(), most = LargestBatch(c);
  const bool prepared = !c.grammar().Preparation().empty();
  const auto used = static_cast<uint16_t>(c.Do(op::ReadUsedIdx{queue}).value);
  while (!c.failed() && Rest(c, queue) < std::max<uint32_t>(used, most)) TryEvent(c, queue, 1, 0);
  if (c.failed()) return;
  const uint32_t count = Rest(c, queue);
  if (count > most) c.NotApplicable("the queue is too small");
  BringUp again = kWithEvents;
  again.prepare = !prepared;  // there is nothing to prepare a second time
  c.Up(again);
  TryEvent(c, queue, count, 0);
}

void UsedFlagsStayZero(Context& c) {
  c.Up(kWithEvents);
  const uint32_t queue = c.request_queue();
  for (uint64_t n = 0; n < 4 && !c.failed(); ++n) {
    c.Submit(c.grammar().Request(n), kProgress);
    c.Do(op::ReadUsedFlags{queue});
    c.Expect(Accept::Equal(0), kFlagsZero, "the used ring's flags are 0 with EVENT_IDX");
  }
}

// Notifies only where it has to: when the entry that avail_event names was just made available.
void DriverThatWaits(Context& c) {
  c.Up(kWithEvents);
  const uint32_t queue = c.request_queue(), most = LargestBatch(c);
  for (uint32_t round = 0; round < 40 && !c.failed(); ++round) {
    const Virtqueue& ring = *c.session().state().queues.at(queue);
    const uint16_t old_idx = ring.avail_position();
    const uint32_t count = 1 + round % most;
    for (uint32_t n = 0; n < count; ++n) c.Publish(c.grammar().Request(n), {}, true);
    c.Do(op::Expose{queue});
    const auto event = static_cast<uint16_t>(c.Do(op::ReadAvailEvent{queue}).value);
    if (split::NeedEvent(event, ring.avail_position(), old_idx)) c.Notify(queue);
    c.WaitUsed(queue, count);
    c.Expect(
        Accept::Equal(count), kAvailEvent,
        fmt::format("a driver that notifies when avail_event ({}) asks for it is served", event));
  }
}

}  // namespace

void AddEventIdxChecks(std::vector<Check>& list) {
  const Needs needs = {.offered = {feature::kEventIdx}, .requests = true};
  list.push_back({
      .id = "event-idx.used-event.notified",
      .title = "A notification comes when used_event is passed, at whatever place in a batch",
      .section = "2.7.7",
      .requirements = {kDue},
      .needs = needs,
      .faults = {"event-idx-off-by-one", "entropy:event-idx-off-by-one",
                 "experimental:event-idx-off-by-one", "event-idx-batch-lost",
                 "entropy:event-idx-batch-lost", "experimental:event-idx-batch-lost"},
      .run = NotifiesAtTheEvent,
  });
  list.push_back({
      .id = "event-idx.used-event.silent",
      .title = "No notification comes while used_event is not passed, ahead or behind",
      .section = "2.7.7",
      .requirements = {kSilent},
      .needs = needs,
      .faults = {"event-idx-always-notifies", "entropy:event-idx-always-notifies",
                 "experimental:event-idx-always-notifies"},
      .run = SilentAwayFromTheEvent,
  });
  list.push_back({
      .id = "event-idx.used-event.step-by-step",
      .title = "A used_event ahead is due at its own entry, not before and not after",
      .section = "2.7.7",
      .requirements = {kDue, kSilent},
      .needs = needs,
      .faults = {"event-idx-off-by-one", "event-idx-always-notifies"},
      .run = EventIsReachedStepByStep,
  });
  list.push_back({
      .id = "event-idx.flags.ignored",
      .title = "With EVENT_IDX the lower bit of the available ring's flags has no effect",
      .section = "2.7.7",
      .requirements = {kFlagsIgnored},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"event-idx-flag-honoured", "entropy:event-idx-flag-honoured",
                 "experimental:event-idx-flag-honoured"},
      .run = FlagsBitIgnored,
  });
  list.push_back({
      .id = "event-idx.used-event.fresh-after-reset",
      .title = "After a reset the device does not remember where it last notified",
      .section = "2.7.7",
      .requirements = {kDue},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"event-idx-stale-signalled", "entropy:event-idx-stale-signalled",
                 "experimental:event-idx-stale-signalled"},
      .run = FreshAfterReset,
  });
  list.push_back({
      .id = "event-idx.used-flags.zero",
      .title = "With EVENT_IDX the used ring's flags stay 0",
      .section = "2.7.10",
      .requirements = {kFlagsZero},
      .needs = needs,
      .faults = {"used-flags-with-event-idx", "entropy:used-flags-with-event-idx",
                 "experimental:used-flags-with-event-idx"},
      .run = UsedFlagsStayZero,
  });
  list.push_back({
      .id = "event-idx.avail-event.enough",
      .title = "A driver that notifies only when avail_event asks for it is served",
      .section = "2.7.10",
      .requirements = {kAvailEvent},
      .needs = needs,
      .faults = {"avail-event-not-updated", "entropy:avail-event-not-updated",
                 "experimental:avail-event-not-updated"},
      .run = DriverThatWaits,
  });
}

}  // namespace vitro
