// SPDX-License-Identifier: Apache-2.0
// Checks of the notification structure (4.1.4.4) and of available buffer notifications over PCI
// (4.1.5.2): where each queue's doorbell is, and what is written to it.
#include <algorithm>

#include "suite/checks/chapters.h"
#include "suite/checks/pci_registers.h"
#include "suite/checks/queue_life.h"

namespace vitro {
namespace {

namespace common = virtio_pci::common;

#define VITRO_NOTIFY_ROW "dev.pci.pci-device-layout.notification-capability."
// The same three rules, without and with NOTIFICATION_DATA offered.
struct Rules {
  const char *offset, *multiplier, *length, *slots;
  uint32_t bytes;  // of a notification
};
constexpr Rules kPlain = {VITRO_NOTIFY_ROW "2", VITRO_NOTIFY_ROW "3", VITRO_NOTIFY_ROW "4",
                          VITRO_NOTIFY_ROW "5", 2};
constexpr Rules kWithData = {VITRO_NOTIFY_ROW "7", VITRO_NOTIFY_ROW "6", VITRO_NOTIFY_ROW "8",
                             VITRO_NOTIFY_ROW "9", 4};
#undef VITRO_NOTIFY_ROW
constexpr const char* kDoorbell = "derived.pci.doorbell";
constexpr const char* kValue = "derived.pci.notification-value";

const Rules& RulesOf(const Context& c) {
  return c.facts().offered.Has(feature::kNotificationData) ? kWithData : kPlain;
}

std::vector<const VirtioCapability*> Structures(Context& c) {
  const auto all = LayoutOf(c).All(virtio_pci::kNotifyCfg);
  if (all.empty()) c.NotApplicable("the function has no notification capability");
  return all;
}

// Capability --------------------------------------------------------------------------------------

void IsAligned(Context& c) {
  const Rules& rules = RulesOf(c);
  for (const auto* each : Structures(c)) {
    ReadPci(c, each->position + virtio_pci::kCapOffset, 4);
    c.Expect(Accept::Masked(rules.bytes - 1, 0), rules.offset,
             fmt::format("the notification structure begins at a multiple of {}", rules.bytes));
  }
}

// "An even power of 2" may be read as 2, 4, 8 and so on, or as powers of 4. 1 fits the second only.
void HasAMultiplier(Context& c) {
  const Rules& rules = RulesOf(c);
  std::vector<uint64_t> right = {0};
  const bool with_data = rules.bytes == 4;
  for (uint64_t power = with_data ? 4 : 1; power <= UINT32_MAX; power *= 2) right.push_back(power);
  for (const auto* each : Structures(c)) {
    ReadPci(c, each->position + virtio_pci::kCapNotifyMultiplier, 4);
    c.Expect(Accept::In(right), rules.multiplier,
             with_data ? "notify_off_multiplier is 0 or a power of 2 from 4 up"
                       : "notify_off_multiplier is 0 or a power of 2");
    if (!with_data && each->notify_off_multiplier == 1)
      c.Note(Accept::NotEqual(1), rules.multiplier,
             "notify_off_multiplier is an even number, as doorbells of 2 bytes would overlap");
  }
}

void HasRoomForEachQueue(Context& c) {
  const Rules& rules = RulesOf(c);
  RequireCommon(c);
  const AdminQueueRange admin = AdminQueues(c);
  NegotiateAll(c);
  std::vector<uint32_t> queues = QueuesToTry(c.facts().queue_count);
  for (uint32_t i = 0; i < std::min(admin.count, 4u); ++i) queues.push_back(admin.index + i);
  uint64_t farthest = 0;
  for (const uint32_t queue : queues) {
    if (QueueRead(c, queue, common::kQueueSize, 2) == 0) continue;
    farthest = std::max(farthest, ReadCommon(c, common::kQueueNotifyOff, 2));
  }
  for (const auto* each : Structures(c)) {
    ReadPci(c, each->position + virtio_pci::kCapStructLength, 4);
    c.Expect(Accept::Range(rules.bytes, UINT32_MAX), rules.length,
             fmt::format("the notification structure is {} bytes long or more", rules.bytes));
    c.Expect(Accept::Range(farthest * each->notify_off_multiplier + rules.bytes, UINT32_MAX),
             rules.slots,
             "the notification structure is long enough for the doorbell of each queue");
  }
}

// Notifications -----------------------------------------------------------------------------------

// Where a queue's doorbell is in the first structure, by the registers.
uint64_t DoorbellOf(Context& c, uint32_t queue) {
  const auto* structure = LayoutOf(c).Usable(virtio_pci::kNotifyCfg);
  if (structure == nullptr)
    c.NotApplicable("the function has no notification structure within a BAR");
  return QueueRead(c, queue, common::kQueueNotifyOff, 2) * structure->notify_off_multiplier;
}

// What the driver writes there (4.1.5.2).
void RingDoorbell(Context& c, uint32_t queue, bool data, bool config_data) {
  const uint64_t at = DoorbellOf(c, queue);
  uint64_t value = queue;
  if (config_data) value = QueueRead(c, queue, common::kQueueNotifConfigData, 2);
  if (data) value |= uint64_t{c.session().state().queues.at(queue)->avail_position()} << 16;
  c.Do(op::WriteRegister{"notify", at, data ? 4u : 2u, value});
}

// Requests on every queue that serves them, each told of at its own doorbell only.
void ExpectServed(Context& c, FeatureSet with, const char* requirement, const std::string& say) {
  const auto queues = UsableQueues(c);
  const bool data = with.Has(feature::kNotificationData);
  const bool config_data = with.Has(feature::kNotifConfigData);
  c.Up();
  c.Up({.with = with | QueueFeatures(c), .queues = queues.back() + 1, .prepare = false});
  for (uint64_t round = 0; round < 3; ++round) {
    for (auto queue = queues.rbegin(); queue != queues.rend(); ++queue) {
      c.Publish(*c.grammar().RequestOn(*queue, round));
      RingDoorbell(c, *queue, data, config_data);
      c.WaitUsed(*queue, 1);
      c.Expect(Accept::Equal(1), requirement, fmt::format("{} (queue {})", say, *queue));
      if (c.failed()) return;
    }
  }
}

void ServesEachDoorbell(Context& c) {
  ExpectServed(c, {}, kDoorbell, "a queue is served when its own doorbell is written its index");
}

void TakesNotificationData(Context& c) {
  ExpectServed(c, {feature::kNotificationData}, kValue,
               "a queue is served when 32 bits with its index and the next available index are "
               "written");
}

void TakesConfigData(Context& c) {
  if (!HasCommon(c, common::kQueueNotifConfigData, 2))
    c.NotApplicable("the common configuration structure ends before queue_notif_config_data");
  ExpectServed(c, {feature::kNotifConfigData}, kValue,
               "a queue is served when queue_notif_config_data is written to its doorbell");
}

void TakesBoth(Context& c) {
  if (!HasCommon(c, common::kQueueNotifConfigData, 2))
    c.NotApplicable("the common configuration structure ends before queue_notif_config_data");
  ExpectServed(c, {feature::kNotificationData, feature::kNotifConfigData}, kValue,
               "a queue is served when queue_notif_config_data and the next available index are "
               "written");
}

}  // namespace

void AddPciNotifyChecks(std::vector<Check>& list) {
  const Needs function{.abilities = {Ability::kPciFunction}};
  list.push_back({
      .id = "pci.notify.aligned",
      .title = "The notification structure begins at a multiple of a notification's size",
      .section = "4.1.4.4",
      .requirements = {kPlain.offset, kWithData.offset},
      .tags = {"pci"},
      .needs = function,
      .faults = {"blk,level=pci,notification-data=0:notify-cap-odd",
                 "blk,level=pci:notify-cap-odd"},
      .run = IsAligned,
  });
  list.push_back({
      .id = "pci.notify.multiplier",
      .title = "notify_off_multiplier is 0 or a power of two",
      .section = "4.1.4.4",
      .requirements = {kPlain.multiplier, kWithData.multiplier},
      .tags = {"pci"},
      .needs = function,
      .faults = {"blk,level=pci,notification-data=0:notify-multiplier-odd",
                 "blk,level=pci:notify-multiplier-odd"},
      .run = HasAMultiplier,
  });
  list.push_back({
      .id = "pci.notify.length",
      .title = "The notification structure has room for the doorbell of each queue",
      .section = "4.1.4.4",
      .requirements = {kPlain.slots, kPlain.length, kWithData.slots, kWithData.length},
      .tags = {"pci"},
      .needs = function,
      .faults = {"blk,level=pci,notification-data=0:notify-cap-short",
                 "blk,level=pci:notify-cap-short"},
      .run = HasRoomForEachQueue,
  });
  list.push_back({
      .id = "pci.notify.doorbell",
      .title = "Each queue is served when its own doorbell is written",
      .section = "4.1.4.4",
      .requirements = {kDoorbell},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}, .requests = true},
      .faults = {"blk,level=pci:notify-multiplier-ignored"},
      .run = ServesEachDoorbell,
  });
  list.push_back({
      .id = "pci.notify.data",
      .title = "With NOTIFICATION_DATA a notification of 32 bits has its queue served",
      .section = "4.1.5.2",
      .requirements = {kValue},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction},
                .offered = {feature::kNotificationData},
                .requests = true},
      .faults = {"blk,level=pci:notification-data-ignored"},
      .run = TakesNotificationData,
  });
  list.push_back({
      .id = "pci.notify.config-data",
      .title = "With NOTIF_CONFIG_DATA the value that the device asked for has its queue served",
      .section = "4.1.5.2",
      .requirements = {kValue},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction},
                .offered = {feature::kNotifConfigData},
                .requests = true},
      .faults = {"blk,level=pci:notif-config-data-ignored"},
      .run = TakesConfigData,
  });
  list.push_back({
      .id = "pci.notify.both-data",
      .title = "With NOTIFICATION_DATA and NOTIF_CONFIG_DATA both parts of the value are taken",
      .section = "4.1.5.2",
      .requirements = {kValue},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction},
                .offered = {feature::kNotificationData, feature::kNotifConfigData},
                .requests = true},
      .faults = {"blk,level=pci:notif-config-data-ignored"},
      .run = TakesBoth,
  });
}

}  // namespace vitro
