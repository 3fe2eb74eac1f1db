// SPDX-License-Identifier: Apache-2.0
// Checks of notification suppression in both directions (2.7.7, 2.7.10) without VIRTIO_F_EVENT_IDX,
// and of notifications that need not have been sent. With it: event_idx_checks.cc.
#include <algorithm>

#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/notifications.h"

namespace vitro {
namespace {

#define SUPPRESSION "dev.basic.virtqueues.used-buffer-notification-suppression."
constexpr const char* kEventIgnored = SUPPRESSION "1";
constexpr const char* kSilent = SUPPRESSION "2";
constexpr const char* kDue = SUPPRESSION "3";
#undef SUPPRESSION
constexpr const char* kFlags = "dev.basic.virtqueues.available-buffer-notification-suppression.1";
constexpr const char* kSpurious =
    "dev.basic.virtqueues.available-buffer-notification-suppression.5";
constexpr const char* kProgress = "derived.used.progress";

void NotifiesWithFlagsZero(Context& c) {
  c.Up();
  const uint32_t queue = c.request_queue();
  for (uint64_t n = 0; n < 4 && !c.failed(); ++n) {
    Settle(c, queue);
    c.Submit(c.grammar().Request(n), kProgress);
    ExpectNotified(c, queue, kDue, "a notification follows each buffer that is used");
  }
  if (c.failed()) return;
  Settle(c, queue);
  c.Publish(c.grammar().Request(0), {}, true);
  if (c.session().state().queues.at(queue)->free_descriptors() >= 2)
    c.Publish(c.grammar().Request(1), {}, true);
  c.Do(op::Expose{queue});
  c.Notify(queue);
  c.WaitUsed(queue, 1);
  ExpectNotified(c, queue, kDue, "a notification follows a batch as well");
}

void SilentWithFlagsOne(Context& c) {
  c.Up();
  const uint32_t queue = c.request_queue();
  for (uint64_t n = 0; n < 4 && !c.failed(); ++n) {
    Settle(c, queue);
    c.Do(op::SetAvailFlags{queue, split::kAvailNoInterrupt});
    c.Submit(c.grammar().Request(n), kProgress);
    ExpectSilence(c, queue, kSilent, "no notification comes while the flags are 1");
    if (c.failed()) return;
    c.Do(op::SetAvailFlags{queue, 0});
    c.Submit(c.grammar().Request(n), kProgress);
    ExpectNotified(c, queue, kDue, "notifications come again once the flags are 0");
  }
}

// Where used_event would be, a driver without EVENT_IDX may keep anything.
void UsedEventIgnored(Context& c) {
  c.Up();
  const uint32_t queue = c.request_queue();
  for (uint16_t ahead :
       {uint16_t{0}, uint16_t{1}, uint16_t{1000}, uint16_t{0x8000}, uint16_t{0xffff}}) {
    Settle(c, queue);
    const auto idx = static_cast<uint16_t>(c.Do(op::ReadUsedIdx{queue}).value);
    c.Do(op::SetUsedEvent{queue, static_cast<uint16_t>(idx + ahead)});
    c.Submit(c.grammar().Request(ahead), kProgress);
    ExpectNotified(c, queue, kEventIgnored, "used_event suppresses nothing without EVENT_IDX");
    if (c.failed()) return;
  }
  Settle(c, queue);
  const auto idx = static_cast<uint16_t>(c.Do(op::ReadUsedIdx{queue}).value);
  c.Do(op::SetAvailFlags{queue, split::kAvailNoInterrupt});
  c.Do(op::SetUsedEvent{queue, idx});
  c.Submit(c.grammar().Request(0), kProgress);
  ExpectSilence(c, queue, kSilent, "used_event asks for nothing without EVENT_IDX");
}

// A driver that obeys the used ring's flags: it does not notify while they are 1.
void UsedFlagsAreValid(Context& c) {
  c.Up();
  const uint32_t queue = c.request_queue();
  for (uint64_t n = 0; n < 8 && !c.failed(); ++n) {
    const Exchange exchange = c.grammar().Request(n);
    c.Publish(exchange);
    c.Do(op::ReadUsedFlags{queue});
    c.Expect(Accept::In({0, split::kUsedNoNotify}), kFlags, "the used ring's flags are 0 or 1");
    if ((c.last().value & split::kUsedNoNotify) == 0) c.Notify(queue);
    c.WaitUsed(queue, 1);
    c.Expect(Accept::Equal(1), kProgress, "a driver that obeys the used ring's flags is served");
    c.Do(op::ReadUsedFlags{queue});
    c.Expect(Accept::In({0, split::kUsedNoNotify}), kFlags, "the used ring's flags are 0 or 1");
  }
}

void ExpectUndisturbed(Context& c, uint32_t queue, uint64_t used) {
  c.Do(op::Quiesce{});
  c.Do(op::ReadUsedIdx{queue});
  c.Expect(Accept::Equal(used), kSpurious, "a notification without a new buffer uses nothing");
  if (!c.Has(Ability::kDeviceStatus)) return;
  c.Do(op::ReadStatus{});
  c.Expect(Accept::Masked(status::kNeedsReset, 0), kSpurious,
           "a notification without a new buffer is no error");
}

void SpuriousNotifications(Context& c) {
  c.Up({.prepare = false});
  const uint32_t queue = c.request_queue();
  c.Notify(queue);  // before there ever was a buffer
  c.Notify(queue);
  ExpectUndisturbed(c, queue, c.StartPosition());
  for (const Exchange& exchange : c.grammar().Preparation()) c.Submit(exchange, kSpurious);
  for (uint64_t n = 0; n < 4 && !c.failed(); ++n) {
    const Exchange exchange = c.grammar().Request(n);
    c.Publish(exchange, {}, true);
    c.Notify(queue);  // for a buffer that is not yet exposed
    c.Do(op::Expose{queue});
    c.Notify(queue);
    c.Answer(exchange, kSpurious);  // and once more for the same buffer
    const uint64_t used = c.Do(op::ReadUsedIdx{queue}).value;
    for (uint64_t i = 0; i <= n; ++i) c.Notify(queue);
    ExpectUndisturbed(c, queue, used);
  }
}

void NotifiesOnlyForUsedBuffers(Context& c) {
  c.Up();
  const uint32_t queue = c.request_queue();
  c.Submit(c.grammar().Request(0), "derived.used.progress");
  c.Do(op::Quiesce{});
  c.Do(op::TakeNotifications{queue});
  c.Notify(queue);
  c.Notify(queue);
  c.Do(op::Quiesce{});
  c.Do(op::TakeNotifications{queue});
  c.Expect(Accept::Equal(0), "derived.notification.spurious-used",
           "no used buffer notification comes where no buffer was used");
}

void NoSuchQueue(Context& c) {
  c.Up();
  c.BeginHostile();
  const uint32_t count = c.facts().queue_count;
  for (uint32_t queue : {count, count + 1, 255u, 0xffffu}) {
    if (queue < count) continue;
    auto notified = c.Try(op::Notify{queue});
    if (notified) continue;
    const ErrorKind kind = notified.error().kind;
    if (kind == ErrorKind::kUnsupported || kind == ErrorKind::kUsage)
      c.NotObservable("this attachment cannot notify a queue that is not there");
    throw CheckEnded{CheckEnded::Why::kError, notified.error()};
  }
  c.ExpectSurvives();
}

}  // namespace

void AddSuppressionChecks(std::vector<Check>& list) {
  const Needs requests = {.requests = true};
  list.push_back({
      .id = "suppression.flags-0.notified",
      .title = "While the available ring's flags are 0, a notification follows used buffers",
      .section = "2.7.7",
      .requirements = {kDue},
      .needs = requests,
      .faults = {"notification-lost", "entropy:notification-lost",
                 "experimental:notification-lost"},
      .run = NotifiesWithFlagsZero,
  });
  list.push_back({
      .id = "suppression.flags-1.silent",
      .title = "While the available ring's flags are 1, no notification comes",
      .section = "2.7.7",
      .requirements = {kSilent, kDue},
      .needs = requests,
      .faults = {"no-interrupt-flag-ignored", "entropy:no-interrupt-flag-ignored",
                 "experimental:no-interrupt-flag-ignored"},
      .run = SilentWithFlagsOne,
  });
  list.push_back({
      .id = "suppression.used-event.ignored",
      .title = "Without EVENT_IDX the device takes no notice of used_event",
      .section = "2.7.7",
      .requirements = {kEventIgnored, kSilent},
      .tags = {"odd"},
      .needs = requests,
      .faults = {"used-event-always", "entropy:used-event-always",
                 "experimental:used-event-always"},
      .run = UsedEventIgnored,
  });
  AddEventIdxChecks(list);
  list.push_back({
      .id = "suppression.used-flags.valid",
      .title = "The used ring's flags are 0 or 1, and a driver that obeys them is served",
      .section = "2.7.10",
      .requirements = {kFlags, kProgress},
      .needs = requests,
      .faults = {"used-flags-garbage", "entropy:used-flags-garbage",
                 "experimental:used-flags-garbage"},
      .run = UsedFlagsAreValid,
  });
  list.push_back({
      .id = "suppression.spurious.harmless",
      .title = "Notifications without a new buffer change nothing",
      .section = "2.7.10",
      .requirements = {kSpurious},
      .tags = {"odd"},
      .needs = requests,
      .faults = {"spurious-notify-uses", "entropy:spurious-notify-uses",
                 "experimental:spurious-notify-uses", "spurious-notify-breaks",
                 "entropy:spurious-notify-breaks", "experimental:spurious-notify-breaks"},
      .run = SpuriousNotifications,
  });
  list.push_back({
      .id = "suppression.spurious.not-answered",
      .title = "A notification without a buffer is not answered with one",
      .section = "2.3",
      .requirements = {"derived.notification.spurious-used"},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"spurious-notify-signals", "entropy:spurious-notify-signals",
                 "experimental:spurious-notify-signals"},
      .run = NotifiesOnlyForUsedBuffers,
  });
  list.push_back({
      .id = "suppression.spurious.no-such-queue",
      .title = "A notification for a queue that is not there does no harm",
      .section = "2.7.10",
      .requirements = {kSpurious, "derived.reset.recovers"},
      .tags = {"hostile"},
      .needs = requests,
      .faults = {"notify-out-of-range-crash", "entropy:notify-out-of-range-crash",
                 "experimental:notify-out-of-range-crash"},
      .run = NoSuchQueue,
  });
}

}  // namespace vitro
