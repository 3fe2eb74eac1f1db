// SPDX-License-Identifier: Apache-2.0
// Checks of device suspend (3.4), with VIRTIO_F_SUSPEND.
#include <algorithm>

#include "suite/checks/chapters.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

#define SUSPEND "dev.basic.init.device-suspend."
constexpr const char* kNotBefore = SUSPEND "1";
constexpr const char* kConfigKept = SUSPEND "2";
constexpr const char* kSilent = SUSPEND "3";
constexpr const char* kConfigSilent = SUSPEND "4";
constexpr const char* kConfigToldLater = SUSPEND "5";
constexpr const char* kSuspends = SUSPEND "6";
constexpr const char* kResumes = SUSPEND "7";
constexpr const char* kConsumesNoMore = SUSPEND "8";
constexpr const char* kAllUsed = SUSPEND "9";
constexpr const char* kNotified = SUSPEND "10";
#undef SUSPEND

constexpr uint8_t kNegotiated = status::kAcknowledge | status::kDriver | status::kFeaturesOk;
constexpr uint8_t kRunning = kNegotiated | status::kDriverOk;
constexpr int kLooks = 20;  // at the status, with a quiet window between

// Looks at the status until `mask` of it is `value`; what was read last stays in view.
void LookFor(Context& c, uint8_t mask, uint8_t value) {
  for (int i = 0; i < kLooks; ++i) {
    const uint64_t status = c.Do(op::ReadStatus{}).value;
    if ((status & mask) == value || (status & status::kNeedsReset) != 0) return;
    c.Do(op::Quiesce{});
  }
  c.Do(op::ReadStatus{});
}

// SUSPEND and DRIVER_OK change places. True if the device got there; it may fail to, if it says so
// by DEVICE_NEEDS_RESET.
bool Changes(Context& c, uint8_t to, const char* requirement, const char* because) {
  constexpr uint8_t kBoth = status::kSuspend | status::kDriverOk;
  c.Do(op::WriteStatus{kRunning | status::kSuspend});
  LookFor(c, kBoth, to);
  if (c.last().value & status::kNeedsReset)
    c.NotApplicable("the device failed to, and says so by DEVICE_NEEDS_RESET");
  c.Expect(Accept::Masked(kBoth, to), requirement, because);
  return !c.failed();
}

bool Suspend(Context& c) {
  return Changes(c, status::kSuspend, kSuspends,
                 "the device presents SUSPEND as 1 and DRIVER_OK as 0");
}

bool Resume(Context& c) {
  return Changes(c, status::kDriverOk, kResumes,
                 "the device presents DRIVER_OK as 1 and SUSPEND as 0");
}

void Up(Context& c) { c.Up({.with = {feature::kSuspend}}); }

void IgnoredBeforeItRuns(Context& c) {
  for (int stage = 0; stage < 4; ++stage) {
    c.Reset();
    uint8_t status = 0;
    if (stage > 0) c.Do(op::WriteStatus{status = status::kAcknowledge});
    if (stage > 1) c.Do(op::WriteStatus{status |= status::kDriver});
    if (stage > 2) {
      c.Offered();
      if (!c.Negotiate(c.DefaultFeatures({feature::kSuspend})))
        c.NotApplicable("the device refused the features");
      status = kNegotiated;
    }
    c.Do(op::WriteStatus{static_cast<uint8_t>(status | status::kSuspend)});
    c.Do(op::ReadStatus{});
    c.Expect(Accept::Masked(status::kSuspend, 0), kNotBefore,
             "SUSPEND has no effect before the device is initialised");
    if (c.failed()) return;
  }
  Up(c);
  c.Submit(c.grammar().Request(0), kNotBefore);
}

void SuspendsAndResumes(Context& c) {
  Up(c);
  for (uint64_t n = 0; n < 4 && !c.failed(); ++n) {
    c.Submit(c.grammar().Request(2 * n), kResumes);
    if (c.failed() || !Suspend(c) || !Resume(c)) return;
    c.Submit(c.grammar().Request(2 * n + 1), kResumes);
  }
}

// What is available when the driver suspends may be used before or after, and nothing between.
void StopsWithRequestsUnderWay(Context& c) {
  Up(c);
  const uint32_t queue = c.request_queue();
  for (uint64_t round = 0; round < 6 && !c.failed(); ++round) {
    c.Do(op::Quiesce{});
    c.Do(op::TakeNotifications{queue});
    uint32_t count = 0;
    const Virtqueue& ring = *c.session().state().queues.at(queue);
    const uint32_t each = c.DescriptorsOf(c.grammar().Request(0), {});
    while (count < 4 && ring.free_descriptors() >= each)
      c.Publish(c.grammar().Request(round + count++), {}, true);
    c.Do(op::Expose{queue});
    if (round % 2 == 0) c.Notify(queue);
    if (!Suspend(c)) return;
    const auto used = static_cast<uint32_t>(c.Do(op::WaitUsed{queue, 0}).value);
    if (used > 0 && c.Has(Ability::kUsedNotification)) {
      c.Do(op::TakeNotifications{queue});
      c.Expect(Accept::NotEqual(0), kNotified,
               "the notification of what was used came before SUSPEND was presented");
    }
    c.Do(op::Quiesce{});
    c.Do(op::WaitUsed{queue, 0});
    c.Expect(Accept::Equal(0), kConsumesNoMore, "no more buffers are used once it is suspended");
    if (c.failed() || !Resume(c)) return;
    c.Notify(queue);
    c.WaitUsed(queue, count - used);
    c.Expect(Accept::Equal(count - used), kAllUsed,
             "what was not used before is used after the device resumes");
  }
}

// The driver breaks its own rules here: it makes a buffer available and notifies.
void StaysSilent(Context& c) {
  Up(c);
  c.Submit(c.grammar().Request(0), kResumes);
  c.Do(op::Quiesce{});
  const uint32_t queue = c.request_queue();
  if (c.Has(Ability::kUsedNotification)) c.Do(op::TakeNotifications{queue});
  if (c.failed() || !Suspend(c)) return;
  const uint64_t position = c.Do(op::ReadUsedIdx{queue}).value;
  c.BeginHostile();
  c.Publish(c.grammar().Request(1));
  c.Notify(queue);
  c.Do(op::Quiesce{});
  c.Do(op::ReadUsedIdx{queue});
  c.Expect(Accept::Equal(position), kSilent, "no buffer is used while the device is suspended");
  if (c.Has(Ability::kUsedNotification)) {
    c.Do(op::TakeNotifications{queue});
    c.Expect(Accept::Equal(0), kSilent, "no notification comes while the device is suspended");
  }
  c.ExpectSurvives();
}

void ConfigIsNotWritten(Context& c) {
  Up(c);
  const ProfileField* field = nullptr;
  for (const ProfileField& each : c.profile()->fields)
    if (each.access == FieldAccess::kReadWrite && !each.action && each.width <= 4 &&
        Holds(each.exists, c.session().state().accepted)) {
      field = &each;
      break;
    }
  if (field == nullptr) c.NotApplicable("no writable config field is there without conditions");
  const op::ReadConfig read{field->offset, field->width};
  const Bytes before = c.Do(read).bytes;
  if (!Suspend(c)) return;
  c.BeginHostile();
  Bytes other = before;
  other[0] ^= 1;
  c.Do(op::WriteConfig{field->offset, other});
  if (!Resume(c)) return;
  c.Do(read);
  c.Expect(Accept::SameBytes(before), kConfigKept,
           fmt::format("'{}' keeps its value while the device is suspended", field->name));
}

void ConfigChangeIsToldLater(Context& c) {
  Up(c);
  c.Do(op::Quiesce{});
  c.Do(op::TakeConfigNotifications{});
  if (!Suspend(c)) return;
  c.Do(op::StimulateConfigChange{});
  if (c.last().refused) c.NotApplicable("the device has nothing to change");
  c.Do(op::Quiesce{});
  c.Do(op::TakeConfigNotifications{});
  c.Expect(Accept::Equal(0), kConfigSilent,
           "no configuration change notification comes while the device is suspended");
  if (c.failed() || !Resume(c)) return;
  c.Do(op::WaitConfigNotification{});
  c.Expect(Accept::NotEqual(0), kConfigToldLater, "the notification comes when the device resumes");
}

}  // namespace

void AddSuspendChecks(std::vector<Check>& list) {
  const Needs needs = {
      .abilities = {Ability::kDeviceStatus}, .offered = {feature::kSuspend}, .requests = true};
  const auto add = [&](const char* id, const char* title, std::vector<std::string> requirements,
                       std::vector<std::string> faults, std::function<void(Context&)> run) {
    list.push_back({.id = id,
                    .title = title,
                    .section = "3.4.2",
                    .requirements = std::move(requirements),
                    .tags = {"suspend"},
                    .needs = needs,
                    .faults = std::move(faults),
                    .run = std::move(run)});
    return &list.back();
  };
  add("suspend.status.not-before-it-runs", "SUSPEND is ignored until the device is initialised",
      {kNotBefore}, {"suspend-at-any-time", "entropy:suspend-at-any-time"}, IgnoredBeforeItRuns)
      ->tags.push_back("odd");
  add("suspend.status.round-trip", "The device suspends, and works when it resumes",
      {kSuspends, kResumes},
      {"suspend-ignored", "entropy:suspend-ignored", "suspend-for-ever", "suspend-forgets-used",
       "entropy:suspend-forgets-used"},
      SuspendsAndResumes);
  add("suspend.queues.under-way",
      "Requests under way are used and told of before the device is suspended, or after it resumes",
      {kConsumesNoMore, kAllUsed, kNotified},
      {"suspend-goes-on-serving", "entropy:suspend-goes-on-serving", "suspend-loses-notification",
       "suspend-drops-buffers", "experimental:suspend-drops-buffers"},
      StopsWithRequestsUnderWay);
  auto* silent =
      add("suspend.queues.silent", "A suspended device leaves its queues alone", {kSilent},
          {"suspend-goes-on-serving", "entropy:suspend-goes-on-serving"}, StaysSilent);
  silent->tags.push_back("hostile");
  auto* config = add("suspend.config.not-written", "A suspended device ignores config writes",
                     {kConfigKept}, {"experimental:suspend-config-written"}, ConfigIsNotWritten);
  config->needs.abilities.push_back(Ability::kConfigWrite);
  config->needs.writable_field = 1;
  config->tags.push_back("hostile");
  auto* told =
      add("suspend.config.told-later",
          "A change of the configuration is told when the device resumes, not before",
          {kConfigSilent, kConfigToldLater},
          {"suspend-config-told-at-once", "suspend-config-never-told"}, ConfigChangeIsToldLater);
  told->needs.abilities.push_back(Ability::kStimulus);
  told->needs.abilities.push_back(Ability::kConfigNotification);
}

}  // namespace vitro
