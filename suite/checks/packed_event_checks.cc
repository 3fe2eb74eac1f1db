// SPDX-License-Identifier: Apache-2.0
// Checks of event suppression on packed rings (2.8.10), in both directions and all three modes.
#include <algorithm>

#include "suite/checks/chapters.h"
#include "suite/checks/notifications.h"

namespace vitro {
namespace {

constexpr const char* kEnabled = "derived.packed.event.enabled";
constexpr const char* kDisabled = "derived.packed.event.disabled";
constexpr const char* kDescriptor = "derived.packed.event.descriptor";
constexpr const char* kDescriptorOnly = "derived.packed.event.descriptor-only";
constexpr const char* kValid = "derived.packed.device-event.valid";
constexpr const char* kEnough = "derived.packed.device-event.enough";
constexpr const char* kProgress = "derived.used.progress";

const Virtqueue& QueueOf(Context& c) { return *c.session().state().queues.at(c.request_queue()); }

void Up(Context& c, FeatureSet with = {}) {
  c.UsePackedRings();
  c.Up({.with = with});
}

FeatureSet EventsIfOffered(const Context& c) {
  return c.facts().offered.Has(feature::kEventIdx) ? FeatureSet{feature::kEventIdx} : FeatureSet{};
}

void SwitchedOnAndOff(Context& c) {
  for (const FeatureSet& features : {FeatureSet{}, EventsIfOffered(c)}) {
    Up(c, features);
    const uint32_t queue = c.request_queue();
    for (int i = 0; i < 3 && !c.failed(); ++i) {
      Settle(c, c.request_queue());
      c.Do(op::SetAvailFlags{queue, packed::kEventEnable});
      UseBatch(c, c.request_queue(), 1 + static_cast<uint32_t>(i) % LargestBatch(c));
      ExpectNotified(c, c.request_queue(), kEnabled,
                     "a notification follows used buffers while events are enabled");
      Settle(c, c.request_queue());
      c.Do(op::SetAvailFlags{queue, packed::kEventDisable});
      UseBatch(c, c.request_queue(), 1);
      ExpectSilence(c, c.request_queue(), kDisabled,
                    "no notification comes while events are disabled");
    }
    if (c.failed()) return;
  }
}

// From rest: `count` buffers are used while the driver asks for the descriptor at `event`.
void UseWithEvent(Context& c, uint32_t count, uint16_t event) {
  Settle(c, c.request_queue());
  c.Do(op::SetUsedEvent{c.request_queue(), event});
  c.Do(op::SetAvailFlags{c.request_queue(), packed::kEventDesc});
  UseBatch(c, c.request_queue(), count);
}

std::string Place(uint16_t position) {
  return fmt::format("descriptor {} of wrap counter {}", packed::SlotOf(position),
                     packed::WrapOf(position) ? 1 : 0);
}

// A device may not know before what it has told: the first notification says nothing.
void UpWithEvents(Context& c) {
  Up(c, {feature::kEventIdx});
  UseBatch(c, c.request_queue(), 1);
  Settle(c, c.request_queue());
}

void AskedForOne(Context& c) {
  UpWithEvents(c);
  const uint32_t each = c.DescriptorsOf(c.grammar().Request(0), {});
  const uint32_t most = LargestBatch(c);
  for (int lap = 0; lap < 2; ++lap)
    for (uint32_t count = 1; count <= most; ++count)
      for (uint32_t ahead = 0; ahead < count && !c.failed(); ++ahead) {
        const Virtqueue& queue = QueueOf(c);
        const uint16_t event = queue.PositionAfter(queue.last_used(), ahead * each);
        UseWithEvent(c, count, event);
        ExpectNotified(c, c.request_queue(), kDescriptor,
                       fmt::format("a notification comes when {} is used", Place(event)));
      }
}

void AskedForAnother(Context& c) {
  UpWithEvents(c);
  const uint32_t each = c.DescriptorsOf(c.grammar().Request(0), {});
  const uint32_t most = LargestBatch(c);
  for (uint32_t round = 0; round < 12 && !c.failed(); ++round) {
    const Virtqueue& queue = QueueOf(c);
    const uint16_t now = queue.last_used();
    const uint32_t count = 1 + round % most, size = queue.layout().size;
    const uint16_t other_lap = packed::Position(packed::SlotOf(now), !packed::WrapOf(now));
    for (const uint16_t event : {queue.PositionAfter(now, count * each % size), other_lap}) {
      if (c.failed() || event == now || count * each > size / 2) continue;
      // Judged from rest each time: the first of the two has moved the ring on.
      const uint16_t from = QueueOf(c).last_used();
      const uint16_t moved = event == other_lap
                                 ? packed::Position(packed::SlotOf(from), !packed::WrapOf(from))
                                 : QueueOf(c).PositionAfter(from, count * each);
      UseWithEvent(c, count, moved);
      ExpectSilence(c, c.request_queue(), kDescriptorOnly,
                    fmt::format("none comes when {} descriptors from {} on are used, and {} is "
                                "asked for",
                                count * each, Place(from), Place(moved)));
    }
  }
}

void WishesAreValid(Context& c) {
  for (const FeatureSet& features : {FeatureSet{}, EventsIfOffered(c)}) {
    Up(c, features);
    const uint64_t most = features.empty() ? packed::kEventDisable : packed::kEventDesc;
    for (uint64_t n = 0; n < 4 && !c.failed(); ++n) {
      c.Submit(c.grammar().Request(n), kProgress);
      c.Do(op::ReadUsedFlags{c.request_queue()});
      c.Expect(Accept::Range(0, most), kValid,
               "the flags of the device event suppression structure are valid");
    }
  }
}

// Does the device ask to be told that `count` descriptors from `from` on are available?
bool Asked(Context& c, uint16_t from, uint32_t count) {
  const uint32_t queue = c.request_queue();
  const auto flags = static_cast<uint16_t>(c.Do(op::ReadUsedFlags{queue}).value);
  if (flags == packed::kEventDisable) return false;
  if (flags != packed::kEventDesc) return true;
  const auto event = static_cast<uint16_t>(c.Do(op::ReadAvailEvent{queue}).value);
  for (uint32_t i = 0; i < count; ++i)
    if (QueueOf(c).PositionAfter(from, i) == event) return true;
  return false;
}

void DriverThatWaits(Context& c) {
  for (const FeatureSet& features : {FeatureSet{}, EventsIfOffered(c)}) {
    Up(c, features);
    const uint32_t queue = c.request_queue(), most = LargestBatch(c);
    const uint32_t each = c.DescriptorsOf(c.grammar().Request(0), {});
    for (uint32_t round = 0; round < 40 && !c.failed(); ++round) {
      const uint16_t from = QueueOf(c).avail_position();
      const uint32_t count = 1 + round % most;
      for (uint32_t n = 0; n < count; ++n) c.Publish(c.grammar().Request(n), {}, true);
      c.Do(op::Expose{queue});
      if (Asked(c, from, count * each)) c.Notify(queue);
      c.WaitUsed(queue, count);
      c.Expect(Accept::Equal(count), kEnough, "a driver that notifies only when asked is served");
    }
    if (c.failed()) return;
  }
}

}  // namespace

void AddPackedEventChecks(std::vector<Check>& list) {
  const Needs needs = {.abilities = {Ability::kUsedNotification},
                       .offered = {feature::kRingPacked},
                       .requests = true};
  Needs with_events = needs;
  with_events.offered.push_back(feature::kEventIdx);
  list.push_back({
      .id = "packed.event.on-and-off",
      .title = "Notifications come while the driver has events enabled, and none while it has not",
      .section = "2.8.10",
      .requirements = {kEnabled, kDisabled},
      .tags = {"packed"},
      .needs = needs,
      .faults = {"packed-event-enable-lost", "entropy:packed-event-enable-lost",
                 "packed-event-disable-ignored", "entropy:packed-event-disable-ignored"},
      .run = SwitchedOnAndOff,
  });
  list.push_back({
      .id = "packed.event.descriptor",
      .title = "A notification comes when the descriptor that the driver asks for is used",
      .section = "2.8.10",
      .requirements = {kDescriptor},
      .tags = {"packed"},
      .needs = with_events,
      .faults = {"packed-event-off-by-one", "entropy:packed-event-off-by-one"},
      .run = AskedForOne,
  });
  list.push_back({
      .id = "packed.event.other-descriptor",
      .title = "None comes for other descriptors, nor for the same one on another lap",
      .section = "2.8.10",
      .requirements = {kDescriptorOnly},
      .tags = {"packed"},
      .needs = with_events,
      .faults = {"packed-event-always", "entropy:packed-event-always", "packed-event-wrap-ignored",
                 "entropy:packed-event-wrap-ignored"},
      .run = AskedForAnother,
  });
  list.push_back({
      .id = "packed.device-event.valid",
      .title = "The device's wishes about notifications are among those that are defined",
      .section = "2.8.10",
      .requirements = {kValid},
      .tags = {"packed"},
      .needs = {.offered = {feature::kRingPacked}, .requests = true},
      .faults = {"packed-device-event-garbage", "entropy:packed-device-event-garbage"},
      .run = WishesAreValid,
  });
  list.push_back({
      .id = "packed.device-event.enough",
      .title = "A driver that notifies only when the device asks for it is served",
      .section = "2.8.10",
      .requirements = {kEnough},
      .tags = {"packed"},
      .needs = {.offered = {feature::kRingPacked}, .requests = true},
      .faults = {"packed-device-event-stale", "entropy:packed-device-event-stale"},
      .run = DriverThatWaits,
  });
}

}  // namespace vitro
