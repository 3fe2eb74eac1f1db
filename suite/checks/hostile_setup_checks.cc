// SPDX-License-Identifier: Apache-2.0
// Checks of drivers that break the rules outside the rings (2.1, 2.6, 2.7): where rings lie, queue
// sizes, queues that are not there, notifications nobody needs, odd values of the device status.
#include <string>

#include "harness/virtio/split_ring.h"
#include "suite/checks/hostile_driver.h"

namespace vitro {
namespace {

enum class Area { kDescriptors, kAvailable, kUsed };

// A set-up as a driver would make it, in fresh memory.
op::SetupQueue PlainSetup(Context& c, uint32_t size) {
  op::SetupQueue setup{0, size, 0, 0, 0, 0};
  setup.desc = c.Allocate(split::DescTableBytes(size), split::kDescAlign);
  setup.driver = c.Allocate(split::AvailRingBytes(size), split::kAvailAlign);
  setup.device = c.Allocate(split::UsedRingBytes(size), split::kUsedAlign);
  return setup;
}

// Up to step 6 of initialisation (3.1.1); from here on hostile.
void UpWithoutQueues(Context& c) {
  c.Reset();
  c.AcknowledgeAndDriver();
  c.Offered();
  if (!c.Negotiate(c.DefaultFeatures())) c.NotApplicable("the device refused the usual features");
  if (c.Has(Ability::kConfigNotification)) c.Do(op::TakeConfigNotifications{});
  c.BeginHostile();
}

// Writes by hand, as far as they are memory, rings that make one readable buffer of zeroes
// available: the session drives only queues that are as they should be.
void WriteRings(Context& c, const op::SetupQueue& setup, bool with_buffer) {
  const uint64_t buffer = c.Allocate(64);
  c.Do(op::Write{buffer, Bytes(64)});
  auto write = [&](uint64_t address, Bytes bytes) {
    if (c.session().memory().IsMemory({address, bytes.size()})) c.Do(op::Write{address, bytes});
  };
  write(setup.desc, EncodeDescriptor(buffer, 64, 0, 0));
  Bytes available(split::AvailRingBytes(setup.size));
  StoreLe<uint16_t>(&available[split::kRingIdx], with_buffer ? 1 : 0);
  write(setup.driver, available);
  write(setup.device, Bytes(split::UsedRingBytes(setup.size)));
}

// Sets up queue 0 as told, and lets the device find out.
void SetUpAndNotify(Context& c, const op::SetupQueue& setup) {
  Siege siege;
  bool there = Dare(c, setup);
  const bool refused = there && c.last().refused;
  there = there && Dare(c, op::WriteStatus{status::kAcknowledge | status::kDriver |
                                           status::kFeaturesOk | status::kDriverOk});
  if (there && !refused) there = Dare(c, op::Notify{0});
  siege.may_go_on = false;
  if (there)
    Aftermath(c, siege);
  else
    c.ExpectSurvives();
}

void NeedQueue(Context& c) {
  if (c.facts().queue_max_sizes.empty() || c.facts().queue_max_sizes[0] == 0)
    c.NotApplicable("the device has no queue 0");
}

void AreaAt(Context& c, Area area, uint64_t address) {
  NeedQueue(c);
  UpWithoutQueues(c);
  op::SetupQueue setup = PlainSetup(c, c.DefaultQueueSize(0));
  (area == Area::kDescriptors ? setup.desc
   : area == Area::kAvailable ? setup.driver
                              : setup.device) = address;
  setup.keep = 1;
  WriteRings(c, setup, true);
  SetUpAndNotify(c, setup);
}

void AreaOutside(Context& c, Area area) {
  AreaAt(c, area, EndOfMemory(c) + 4096);
  AreaAt(c, area, 0);
  AreaAt(c, area, UINT64_MAX - 15);
}

void DescriptorsOutside(Context& c) { AreaOutside(c, Area::kDescriptors); }
void AvailableOutside(Context& c) { AreaOutside(c, Area::kAvailable); }
void UsedOutside(Context& c) { AreaOutside(c, Area::kUsed); }

// Areas off their alignment (2.7). No buffer is made available: what a device that takes such an
// area does with it is its own business. The used ring lies inside one that the device was given
// before.
void Misaligned(Context& c) {
  NeedQueue(c);
  c.Reset();
  const uint32_t size = c.DefaultQueueSize(0);
  if (size < 4) c.NotApplicable("the queue is too small for two used rings in one place");
  c.Up({.only = {0}});
  const auto first = c.session().state().queues.find(0);
  if (first == c.session().state().queues.end())
    c.NotApplicable("the device refused the set-up of its queue");
  const uint64_t used = first->second->layout().device;
  for (const Area area : {Area::kDescriptors, Area::kAvailable, Area::kUsed}) {
    UpWithoutQueues(c);
    op::SetupQueue setup = PlainSetup(c, size / 2);
    if (area == Area::kDescriptors) setup.desc = c.Allocate(16 * size, 16, 8);
    if (area == Area::kAvailable) setup.driver = c.Allocate(4 * size, 16, 1);
    if (area == Area::kUsed) setup.device = used + 2;
    setup.keep = 1;
    WriteRings(c, setup, false);
    SetUpAndNotify(c, setup);
  }
}

void SizeIs(Context& c, uint32_t size) {
  NeedQueue(c);
  UpWithoutQueues(c);
  op::SetupQueue setup = PlainSetup(c, size == 0 ? 16 : size);
  setup.size = size;
  SetUpAndNotify(c, setup);
}

void SizeZero(Context& c) { SizeIs(c, 0); }
void SizeNoPowerOfTwo(Context& c) { SizeIs(c, 3); }
void SizeBeyondMaximum(Context& c) {
  NeedQueue(c);
  const uint32_t most = c.facts().queue_max_sizes[0];
  if (most > split::kMaxQueueSize / 2) c.NotApplicable("no larger split virtqueue is possible");
  SizeIs(c, 2 * most);
}

// Notifications -----------------------------------------------------------------------------------

std::vector<uint32_t> MissingQueues(const DeviceFacts& facts) {
  std::vector<uint32_t> missing;
  for (uint32_t queue : {facts.queue_count, facts.queue_count + 1, 0x7fffu, 0x8000u, 0xffffu})
    if (queue >= facts.queue_count && queue <= 0xffff) missing.push_back(queue);
  return missing;
}

void NotifyMissingQueues(Context& c) {
  const Siege siege = Besiege(c);
  for (const uint32_t queue : MissingQueues(c.facts()))
    if (!Dare(c, op::Notify{queue})) return c.ExpectSurvives();
  Aftermath(c, siege);
}

void NotifyUnsetQueues(Context& c) {
  UpWithoutQueues(c);
  bool there = Dare(c, op::WriteStatus{status::kAcknowledge | status::kDriver |
                                       status::kFeaturesOk | status::kDriverOk});
  for (uint32_t queue = 0; there && queue < std::min(c.facts().queue_count, 8u); ++queue)
    there = Dare(c, op::Notify{queue});
  if (there)
    Aftermath(c, {.may_go_on = false});
  else
    c.ExpectSurvives();
}

void SetUpMissingQueues(Context& c) {
  UpWithoutQueues(c);
  for (const uint32_t queue : MissingQueues(c.facts())) {
    op::SetupQueue setup = PlainSetup(c, 4);
    setup.queue = queue;
    if (!Dare(c, setup)) return c.ExpectSurvives();
  }
  if (Dare(c, op::WriteStatus{status::kAcknowledge | status::kDriver | status::kFeaturesOk |
                              status::kDriverOk}))
    Aftermath(c, {.may_go_on = false});
  else
    c.ExpectSurvives();
}

// A driver may notify of buffers that the device has found by itself already, so this is legal.
void NotifyWithoutBuffers(Context& c) {
  constexpr const char* kId = "derived.used.id-not-outstanding";
  c.Up();
  const Exchange request = c.grammar().Request(1);
  c.Submit(request, "derived.used.progress");
  const uint64_t before = c.Do(op::ReadUsedIdx{request.queue}).value;
  for (int round = 0; round < 3; ++round) {
    c.Notify(request.queue);
    c.Do(op::Quiesce{});
    c.Do(op::ReadUsedIdx{request.queue});
    c.Expect(Accept::Equal(before), kId, "nothing is used where nothing was made available");
  }
  for (int kick = 0; kick < 1000; ++kick) c.Notify(request.queue);
  c.Do(op::Quiesce{});
  if (c.Has(Ability::kDeviceStatus)) {
    c.Do(op::ReadStatus{});
    c.Expect(Accept::Masked(status::kNeedsReset, 0), "derived.used.progress",
             "needless notifications are no reason to ask for a reset");
  }
  c.Submit(c.grammar().Request(2), "derived.used.progress");
}

// Device status -----------------------------------------------------------------------------------

void OddStatus(Context& c) {
  constexpr uint8_t kRunning =
      status::kAcknowledge | status::kDriver | status::kFeaturesOk | status::kDriverOk;
  for (const uint8_t odd : {uint8_t{0xff}, uint8_t{status::kNeedsReset},
                            uint8_t{kRunning | status::kNeedsReset}, uint8_t{kRunning | 0x30},
                            uint8_t{status::kAcknowledge}, uint8_t{kRunning | status::kFailed}}) {
    c.Up();
    c.BeginHostile();
    if (Dare(c, op::WriteStatus{odd}) && Dare(c, op::Quiesce{})) Dare(c, op::ReadStatus{});
    c.ExpectSurvives();
  }
}

// DRIVER_OK without the steps before it, with and without a queue.
void EarlyDriverOk(Context& c) {
  c.Reset();
  c.BeginHostile();
  if (Dare(c, op::WriteStatus{status::kDriverOk})) Dare(c, op::Quiesce{});
  c.ExpectSurvives();
  c.Reset();
  c.BeginHostile();
  c.Do(op::WriteStatus{status::kAcknowledge | status::kDriver});
  const Siege siege{.queue = c.request_queue(), .may_go_on = false};
  if (siege.queue < c.facts().queue_max_sizes.size() &&
      c.facts().queue_max_sizes[siege.queue] > 0) {
    c.SetupQueue(siege.queue);
    if (!c.last().refused) Hold(c, siege);
  }
  bool there = Dare(c, op::WriteStatus{status::kAcknowledge | status::kDriver | status::kDriverOk});
  if (c.session().state().queues.contains(siege.queue)) {
    c.Do(op::Expose{siege.queue});
    there = there && Dare(c, op::Notify{siege.queue});
  }
  if (there) Dare(c, op::Quiesce{});
  c.ExpectSurvives();
}

const std::vector<std::string> kAlive = {"derived.alive.no-crash", "derived.alive.no-hang",
                                         "derived.memory.outside-buffers", "derived.reset.recovers",
                                         "dev.basic.device-status-field.3"};

}  // namespace

void AddHostileSetupChecks(std::vector<Check>& list) {
  auto add = [&](const char* id, const char* title, const char* section, Needs needs,
                 std::vector<std::string> faults, void (*run)(Context&)) {
    list.push_back({.id = std::string("hostile.") + id,
                    .title = title,
                    .section = section,
                    .requirements = kAlive,
                    .tags = {"hostile"},
                    .needs = std::move(needs),
                    .faults = std::move(faults),
                    .run = run});
  };
  add("area.descriptors-outside", "A descriptor area outside memory does no harm", "2.7", {},
      {"bad-ring-crash", "needs-reset-silent"}, DescriptorsOutside);
  add("area.available-outside", "A driver area outside memory does no harm", "2.7", {},
      {"bad-ring-crash", "entropy:bad-ring-crash", "error-survives-reset"}, AvailableOutside);
  add("area.used-outside", "A device area outside memory does no harm", "2.7", {},
      {"bad-ring-crash", "experimental:bad-ring-crash"}, UsedOutside);
  add("area.misaligned", "Areas off their alignment do no harm", "2.7", {}, {"crash-on-notify"},
      Misaligned);
  add("queue-size.zero", "A queue size of 0 does no harm", "2.7", {},
      {"queue-size-zero-crash", "entropy:queue-size-zero-crash",
       "experimental:queue-size-zero-crash"},
      SizeZero);
  add("queue-size.no-power-of-two", "A queue size of 3 does no harm", "2.7", {},
      {"crash-on-notify"}, SizeNoPowerOfTwo);
  add("queue-size.beyond-maximum", "A queue size above the maximum does no harm", "2.7", {},
      {"crash-on-notify"}, SizeBeyondMaximum);
  add("queue.missing-set-up", "Setting up queues that are not there does no harm", "2.6", {},
      {"hang-on-notify"}, SetUpMissingQueues);
  add("notify.missing-queues", "Notifications for queues that are not there do no harm", "2.6", {},
      {"notify-out-of-range-crash", "entropy:notify-out-of-range-crash",
       "experimental:notify-out-of-range-crash"},
      NotifyMissingQueues);
  add("notify.unset-queues", "Notifications for queues that are not set up do no harm", "2.6", {},
      {"crash-on-notify", "hang-on-notify"}, NotifyUnsetQueues);
  list.push_back({.id = "notify.without-buffers",
                  .title = "Notifications without a new buffer change nothing",
                  .section = "2.7.10",
                  .requirements = {"derived.used.id-not-outstanding", "derived.used.progress"},
                  .tags = {"odd"},
                  .needs = {.requests = true},
                  .faults = {"spurious-notify-uses", "spurious-notify-breaks", "crash-on-notify",
                             "hang-on-notify"},
                  .run = NotifyWithoutBuffers});
  add("status.odd-values", "Values of the device status that no driver writes do no harm", "2.1",
      {.abilities = {Ability::kDeviceStatus}}, {"reset-keeps-failed"}, OddStatus);
  add("status.early-driver-ok", "DRIVER_OK without the steps before it does no harm", "2.1",
      {.abilities = {Ability::kDeviceStatus}}, {"reset-keeps-status"}, EarlyDriverOk);
}

}  // namespace vitro
