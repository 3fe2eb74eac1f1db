// SPDX-License-Identifier: Apache-2.0
// Checks of virtqueue set-up (2.6, 2.7). Virtqueue reset is in queue_reset_checks.cc.
#include <algorithm>
#include <bit>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/queue_life.h"

namespace vitro {
namespace {

constexpr const char* kAnySize = "derived.queue.any-size";
constexpr const char* kMaxSize = "derived.queue.max-size";
constexpr const char* kIndependent = "derived.queue.independent";
constexpr const char* kGated = "derived.queue.gated";
constexpr const char* kProgress = "derived.used.progress";
constexpr const char* kAnywhere = "derived.buffers.edge";
constexpr const char* kDriverArea = "derived.memory.driver-area-written";

constexpr uint32_t kFullLaps = 128;  // sizes up to this are driven around more than once
constexpr uint32_t kLargest = 1024;  // above this, the maximum only: memory and time

// vhost-user has no word for the largest size of a queue, nor for a queue that is not there.
void RequireOwnMaximum(Context& c) {
  if (!c.Has(Ability::kDeviceId))
    c.NotObservable("this carrier does not tell the maximum queue size");
}

// Sizes -------------------------------------------------------------------------------------------

FeatureSet IndirectIfOffered(const Context& c) {
  return c.facts().offered.Has(feature::kIndirectDesc) ? FeatureSet{feature::kIndirectDesc}
                                                       : FeatureSet();
}

// How requests fit into a queue of `size`; nullopt if they do not.
std::optional<Framing> Fitting(const Context& c, uint32_t size) {
  if (c.DescriptorsOf(c.grammar().Request(0), {}) <= size) return Framing();
  if (IndirectIfOffered(c).empty()) return std::nullopt;
  return Framing::Indirect();
}

void WorksInEverySize(Context& c) {
  c.Up();
  const uint32_t most = c.MaxQueueSize(c.request_queue());
  for (uint32_t size = 2; size <= std::min(most, split::kMaxQueueSize); size *= 2) {
    const auto framing = Fitting(c, size);
    if (!framing || (size > kLargest && size * 2 <= most)) continue;
    BeginQueues(c, IndirectIfOffered(c));
    c.SetupQueue(c.request_queue(), size);
    c.Expect(Accept::Answered(), kAnySize, fmt::format("a queue size of {} is taken", size));
    if (c.last().refused) return;
    c.DriverOk();
    const uint32_t requests = size <= kFullLaps ? size + size / 2 + 1 : 3;
    for (uint32_t n = 0; n < requests && !c.failed(); ++n)
      c.Submit(c.grammar().Request(n), kAnySize, *framing);
    if (c.failed()) return;
  }
}

void WorksInSizeOne(Context& c) {
  c.Up();
  const auto framing = Fitting(c, 1);
  if (!framing) c.NotApplicable("no request of this device fits into one descriptor");
  BeginQueues(c, IndirectIfOffered(c));
  c.SetupQueue(c.request_queue(), 1);
  c.Advise(Accept::Answered(), kAnySize, "a queue size of 1 is taken");
  if (c.last().refused) return;
  c.DriverOk();
  for (uint32_t n = 0; n < 4 && !c.failed(); ++n) {
    const Exchange request = c.grammar().Request(n);
    c.Publish(request, *framing);
    c.Notify(request.queue);
    c.WaitUsed(request.queue, 1);
    c.Advise(Accept::Equal(1), kAnySize, "a request in a queue of size 1 is used");
  }
}

void HasPowersOfTwoAsMaximum(Context& c) {
  RequireOwnMaximum(c);
  if (c.facts().offered.Has(feature::kRingPacked))
    c.NotApplicable("the maximum of a device with packed virtqueues may be any number");
  std::vector<uint64_t> right = {0};  // not there
  for (uint64_t size = 1; size <= split::kMaxQueueSize; size *= 2) right.push_back(size);
  for (uint32_t queue = 0; queue < std::min(c.facts().queue_count, 64u); ++queue) {
    c.MaxQueueSize(queue);
    c.Expect(Accept::In(right), kMaxSize,
             fmt::format("the maximum size of queue {} is a power of two up to 32768", queue));
  }
}

// One and many ------------------------------------------------------------------------------------

void WorksAlone(Context& c) {
  if (c.facts().device_id == device_id::kNet)
    c.NotApplicable("the queues of a network device come in pairs");
  bool asked = false;
  c.Up();
  for (uint32_t queue : UsableQueues(c)) {
    if (queue == 0) continue;
    asked = true;
    c.Up({.with = QueueFeatures(c), .only = {queue}, .prepare = false});
    for (uint64_t n = 0; n < 2; ++n) c.Submit(*c.grammar().RequestOn(queue, n), kIndependent);
    if (c.failed()) return;
  }
  if (!asked) c.NotApplicable("queue 0 is the only one that serves requests");
}

// One request on each queue at a time; notified in the other order.
void WorksOnAllAtOnce(Context& c) {
  const auto queues = UsableQueues(c);
  if (queues.size() < 2) c.NotApplicable("there is one queue that serves requests");
  c.Up({.with = QueueFeatures(c), .queues = queues.back() + 1});
  for (uint64_t round = 0; round < 5; ++round) {
    for (uint32_t queue : queues) c.Publish(*c.grammar().RequestOn(queue, round));
    for (auto queue = queues.rbegin(); queue != queues.rend(); ++queue) c.Notify(*queue);
    for (uint32_t queue : queues) {
      c.WaitUsed(queue, 1);
      c.Expect(Accept::Equal(1), kProgress, fmt::format("the request on queue {} is used", queue));
      if (c.last().value != 1) return;
      c.Do(op::ReadAnswer{queue});
      const auto expected = c.grammar().RequestOn(queue, round)->expected;
      if (expected)
        c.Expect(Accept::SameBytes(*expected), "derived.request.answer",
                 fmt::format("the request on queue {} has its own answer", queue));
    }
  }
}

void HasQueuesOfItsFeaturesOnly(Context& c) {
  RequireOwnMaximum(c);
  if (c.facts().queue_count < 2) c.NotApplicable("the device has one queue");
  c.Reset();
  c.AcknowledgeAndDriver();
  c.Offered();
  if (!c.Negotiate(c.DefaultFeatures())) c.NotApplicable("the device refused the features");
  c.MaxQueueSize(1);
  c.Expect(Accept::Equal(0), kGated, "queue 1 is not there without VIRTIO_BLK_F_MQ");
}

// Addresses ---------------------------------------------------------------------------------------

constexpr uint32_t kAreaSize = 8;  // descriptors of the queues that are laid out by hand

op::SetupQueue LeastAligned(Context& c, uint32_t queue, uint32_t size) {
  const Virtqueue::Areas areas = c.AreasOf(size);
  auto least = [&](uint64_t bytes, uint64_t align) { return c.Allocate(bytes, 2 * align, align); };
  const uint64_t desc = least(areas.desc_bytes, areas.desc_align);
  const uint64_t driver = least(areas.driver_bytes, areas.driver_align);
  return {queue, size, desc, driver, least(areas.device_bytes, areas.device_align)};
}

op::SetupQueue DeviceAreaFirst(Context& c, uint32_t queue, uint32_t size) {
  const Virtqueue::Areas areas = c.AreasOf(size);
  const uint64_t device = c.Allocate(areas.device_bytes, areas.device_align);
  const uint64_t driver = c.Allocate(areas.driver_bytes, areas.driver_align);
  return {queue, size, c.Allocate(areas.desc_bytes, areas.desc_align), driver, device};
}

// No byte between the three areas that alignment does not ask for.
op::SetupQueue Tight(Context& c, uint32_t queue, uint32_t size) {
  const Virtqueue::Areas areas = c.AreasOf(size);
  const uint64_t to_device =
      (areas.desc_bytes + areas.driver_bytes + areas.device_align - 1) & ~(areas.device_align - 1);
  const uint64_t start = c.Allocate(to_device + areas.device_bytes, areas.desc_align);
  return {queue, size, start, start + areas.desc_bytes, start + to_device};
}

// The driver area ends with the last byte of memory.
op::SetupQueue FarApart(Context& c, uint32_t queue, uint32_t size) {
  const Virtqueue::Areas areas = c.AreasOf(size);
  const uint64_t desc = c.Allocate(areas.desc_bytes, areas.desc_align);
  auto driver = c.session().allocator().AllocateAtEnd(areas.driver_bytes);
  if (!driver) throw CheckEnded{CheckEnded::Why::kError, driver.error()};
  return {queue, size, desc, *driver, c.Allocate(areas.device_bytes, areas.device_align)};
}

void WorksWithRingsAnywhere(Context& c) {
  c.Up();
  const uint32_t queue = c.request_queue();
  uint32_t size = c.MaxQueueSize(queue);
  size = size == 0 ? kAreaSize : std::min(kAreaSize, std::bit_floor(size));
  for (auto lay : {LeastAligned, DeviceAreaFirst, Tight, FarApart}) {
    BeginQueues(c, IndirectIfOffered(c));
    const auto framing = Fitting(c, size);
    if (!framing) c.NotApplicable("the requests of this device do not fit into its queue");
    const op::SetupQueue setup = lay(c, queue, size);
    c.Do(setup);
    c.Expect(Accept::Answered(), kAnywhere,
             "a queue with aligned areas is taken wherever they are");
    if (c.last().refused) return;
    c.DriverOk();
    for (uint32_t n = 0; n < size + size / 2 && !c.failed(); ++n)
      c.Submit(c.grammar().Request(n), kAnywhere, *framing);
    if (c.failed()) return;
  }
}

// The driver has put entries into the rings before it says where they are.
void LeavesTheDriverAreaAlone(Context& c) {
  BeginQueues(c, {});
  op::SetupQueue setup = Tight(c, c.request_queue(), c.DefaultQueueSize(c.request_queue()));
  setup.keep = 1;
  // An available index of 1 over one empty descriptor; no DRIVER_OK will follow.
  c.Do(op::Write{setup.desc, Bytes(split::DescTableBytes(setup.size))});
  Bytes ring(split::AvailRingBytes(setup.size));
  ring[split::kRingIdx] = 1;
  c.Do(op::Write{setup.driver, ring});
  c.Do(op::Write{setup.device, Bytes(split::UsedRingBytes(setup.size))});
  c.Do(setup);
  c.Do(op::Quiesce{});
  const op::Read driver_area{setup.driver, ring.size()};
  c.Do(driver_area);
  c.Expect(Accept::SameBytes(ring), kDriverArea,
           "the driver area stays as it is when a queue is enabled");

  // Filled before DRIVER_OK, as where a carrier tells the device of its queues only then.
  BeginQueues(c, {});
  setup.keep = 0;
  c.Do(setup);
  const Exchange request = c.grammar().Request(0);
  c.Publish(request);
  const Bytes filled = c.Do(driver_area).bytes;
  c.DriverOk();
  c.Notify(request.queue);
  c.WaitUsed(request.queue, 1);
  c.Expect(Accept::Equal(1), kProgress, "what was made available before DRIVER_OK is used");
  c.Do(driver_area);
  c.Expect(Accept::SameBytes(filled), kDriverArea, "the driver area stays as it is at DRIVER_OK");
}

void AddSizeChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "queue.size.every-power-of-two",
      .title = "A queue works in every power of two up to its maximum size, over more than one lap",
      .section = "2.7",
      .requirements = {kAnySize},
      .tags = {},
      .needs = {.requests = true},
      .faults = {"queue-size-ignored", "entropy:queue-size-ignored", "used-ring-not-wrapped"},
      .run = WorksInEverySize,
  });
  list.push_back({
      .id = "queue.size.one",
      .title = "A queue works in size 1",
      .section = "2.7",
      .requirements = {kAnySize},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"queue-size-ignored"},
      .run = WorksInSizeOne,
  });
  list.push_back({
      .id = "queue.size.maximum",
      .title = "The maximum size of a split virtqueue is a power of two up to 32768",
      .section = "2.7",
      .requirements = {kMaxSize},
      .tags = {},
      .needs = {},
      .faults = {"queue-max-not-power-of-two"},
      .run = HasPowersOfTwoAsMaximum,
  });
}

}  // namespace

void AddQueueChecks(std::vector<Check>& list) {
  AddSizeChecks(list);
  list.push_back({
      .id = "queue.set-up.alone",
      .title = "A queue works when it is the only one that is set up",
      .section = "2.6",
      .requirements = {kIndependent},
      .tags = {"odd"},
      .needs = {.queues = 2},
      .faults = {"queue-needs-others", "experimental:queue-needs-others"},
      .run = WorksAlone,
  });
  list.push_back({
      .id = "queue.set-up.all-at-once",
      .title = "All queues work at the same time",
      .section = "2.6",
      .requirements = {kProgress, "derived.request.answer"},
      .tags = {},
      .needs = {.queues = 2},
      .faults = {"used-never"},
      .run = WorksOnAllAtOnce,
  });
  list.push_back({
      .id = "queue.set-up.gated",
      .title = "The queues of VIRTIO_BLK_F_MQ are there only if it was negotiated",
      .section = "2.6",
      .requirements = {kGated},
      .tags = {"blk"},
      .needs = {.offered = {blk::kFeatureMq}, .device_id = device_id::kBlk},
      .faults = {"queue-gate-ignored"},
      .run = HasQueuesOfItsFeaturesOnly,
  });
  list.push_back({
      .id = "queue.rings.anywhere",
      .title =
          "The parts of a queue may lie anywhere in memory, just aligned, adjacent or far apart",
      .section = "2.7",
      .requirements = {kAnywhere},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"used-ring-not-wrapped", "queue-size-ignored"},
      .run = WorksWithRingsAnywhere,
  });
  list.push_back({
      .id = "queue.rings.driver-area-kept",
      .title = "Enabling a queue leaves what stands in its driver area",
      .section = "2.7.6",
      .requirements = {kDriverArea, kProgress},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"driver-area-written"},
      .run = LeavesTheDriverAreaAlone,
  });
  AddQueueResetChecks(list);
}

}  // namespace vitro
