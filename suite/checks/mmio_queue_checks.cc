// SPDX-License-Identifier: Apache-2.0
// Checks of the registers of virtqueues over MMIO (4.2.2, 4.2.3.2, 4.2.3.3): selection, sizes,
// readiness, addresses in halves, notification. Virtqueue reset has a file of its own.
#include <algorithm>

#include "suite/checks/mmio_registers.h"
#include "suite/checks/queue_life.h"

namespace vitro {
namespace {

using namespace mmio;  // NOLINT: the names of the registers

constexpr const char* kCleared = "dev.mmio.mmio-device-register-layout.5";
constexpr const char* kNotReady = "dev.mmio.mmio-device-register-layout.7";
constexpr const char* kSelection = "derived.mmio.queue-selection";
constexpr const char* kSizeMax = "derived.mmio.queue-size-max";
constexpr const char* kReady = "derived.mmio.queue-ready";
constexpr const char* kAddresses = "derived.mmio.queue-addresses";
constexpr const char* kNotify = "derived.mmio.notify";

// Selection ---------------------------------------------------------------------------------------

// Indices that no device has a queue at.
constexpr uint32_t kMissing[] = {4095, 32767, 65535};

void ShowsNoMissingQueue(Context& c) {
  c.Up();
  const uint32_t queue = c.request_queue();
  for (uint32_t missing : kMissing) {
    MmioQueueRead(c, queue, kQueueSizeMax);
    c.Expect(Accept::NotEqual(0), kSelection, "QueueSizeMax is not 0 for a queue that works");
    MmioQueueRead(c, missing, kQueueSizeMax);
    c.Advise(Accept::Equal(0), kSelection,
             fmt::format("QueueSizeMax reads 0 for queue {}, which is not there", missing));
    MmioQueueRead(c, queue, kQueueReady);
    c.Expect(Accept::Equal(1), kReady, "QueueReady reads 1 for a queue that works");
    MmioQueueRead(c, missing, kQueueReady);
    c.Advise(Accept::Equal(0), kSelection,
             fmt::format("QueueReady reads 0 for queue {}, which is not there", missing));
  }
}

void KeepsTheMaximumSize(Context& c) {
  const uint32_t queue = c.request_queue();
  const uint64_t most = c.MaxQueueSize(queue);
  AtEveryStage(c, [&](const std::string& stage) {
    MmioQueueRead(c, queue, kQueueSizeMax);
    c.Expect(Accept::Equal(most), kSizeMax,
             fmt::format("QueueSizeMax of queue {} reads the same {}", queue, stage));
  });
  c.Do(op::Reset{});
  BeginQueues(c, {});
  MmioWrite(c, kQueueSel, queue);
  for (uint64_t size = most; size > 0; size /= 2) {
    MmioWrite(c, kQueueSize, size);
    MmioRead(c, kQueueSizeMax);
    c.Expect(Accept::Equal(most), kSizeMax,
             "QueueSizeMax is the device's, whatever size the driver writes to QueueSize");
  }
}

// QueueReady --------------------------------------------------------------------------------------

void TellsReadinessOfEachQueue(Context& c) {
  const auto queues = UsableQueues(c);
  for (int round = 0; round < 2; ++round) {
    BeginQueues(c, QueueFeatures(c));
    std::vector<uint32_t> ready;
    auto look = [&](const char* when) {
      for (uint32_t queue : queues) {
        const bool is_ready = std::ranges::find(ready, queue) != ready.end();
        MmioQueueRead(c, queue, kQueueReady);
        c.Expect(Accept::Equal(is_ready ? 1 : 0), kReady,
                 fmt::format("QueueReady of queue {} reads {} {}", queue, is_ready ? 1 : 0, when));
      }
    };
    // One of them may be set up already, below the request queue.
    for (uint32_t queue : queues)
      if (c.session().state().queues.contains(queue)) ready.push_back(queue);
    look("before the others are set up");
    for (size_t i = 0; i < queues.size() && !c.failed(); ++i) {
      const uint32_t queue = queues[round == 0 ? i : queues.size() - 1 - i];
      if (std::ranges::find(ready, queue) != ready.end()) continue;
      c.SetupQueue(queue);
      c.Expect(Accept::Answered(), kReady,
               fmt::format("queue {} becomes ready when 1 is written to QueueReady", queue));
      ready.push_back(queue);
      look("as queues are set up");
    }
    if (c.failed()) return;
    // Before DRIVER_OK, so that nothing is in flight.
    MmioWrite(c, kQueueSel, ready.back());
    MmioWrite(c, kQueueReady, 0);
    ready.pop_back();
    look("after 0 was written to that of another");
    c.Do(op::Reset{});
    for (uint32_t queue : queues) {
      MmioQueueRead(c, queue, kQueueReady);
      c.Expect(Accept::Equal(0), kCleared,
               fmt::format("QueueReady of queue {} reads 0 after a reset", queue));
    }
  }
}

// Makes a request available and tells of it; nothing may come of that.
void ExpectUntouched(Context& c, const op::SetupQueue& setup, const std::string& because) {
  const uint64_t before = c.Do(op::ReadUsedIdx{setup.queue}).value;
  c.Publish(c.grammar().Request(0));
  MmioWrite(c, kQueueNotify, setup.queue);
  c.Do(op::Quiesce{});
  c.Do(op::ReadUsedIdx{setup.queue});
  c.Expect(Accept::Equal(before), kNotReady, because);
}

void ServesNoQueueBeforeItIsReady(Context& c) {
  const auto setups = UpForMmioDriver(c);
  MmioDriver driver(c);
  if (!driver.Begin(c.session().state().accepted)) c.NotApplicable("the features were refused");
  for (const auto& setup : setups) {
    if (setup.queue == setups.back().queue)
      driver.Describe(setup);
    else
      driver.SetupQueue(setup);
  }
  driver.DriverOk();
  ExpectUntouched(c, setups.back(), "a queue with addresses is not served before it is ready");
  c.Do(op::Reset{});
}

void ServesNoQueueThatWasStopped(Context& c) {
  c.Up({.prepare = false});
  const uint32_t queue = c.request_queue();
  const Exchange request = c.grammar().Request(0);
  c.Publish(request);
  c.Notify(request.queue);
  c.WaitUsed(request.queue, 1);
  c.Do(op::Quiesce{});
  MmioWrite(c, kQueueSel, queue);
  MmioWrite(c, kQueueReady, 0);
  c.Do(op::WaitRegister{"mmio", kQueueReady, 4, UINT64_MAX, 0});
  c.Expect(Accept::Equal(0), kReady, "QueueReady reads 0 after 0 was written to it");
  ExpectUntouched(c, {.queue = queue}, "a queue is not served once its QueueReady reads 0");
  c.Do(op::Reset{});
}

// Addresses ---------------------------------------------------------------------------------------

// Which halves the device is told in which order, with what between them.
enum class Order { kHighFirst, kOtherQueueBetween, kRubbishFirst, kLowsThenHighs, kHighsThenLows };
constexpr Order kOrders[] = {Order::kHighFirst, Order::kOtherQueueBetween, Order::kRubbishFirst,
                             Order::kLowsThenHighs, Order::kHighsThenLows};
const char* NameOf(Order order) {
  switch (order) {
    case Order::kHighFirst:
      return "the upper half first";
    case Order::kOtherQueueBetween:
      return "with those of another queue between the halves";
    case Order::kRubbishFirst:
      return "after others";
    case Order::kLowsThenHighs:
      return "all lower halves before all upper ones";
    case Order::kHighsThenLows:
      return "all upper halves before all lower ones";
  }
  return "?";
}

void WriteTorn(Context& c, const op::SetupQueue& setup, Order order) {
  const auto areas = MmioAreas(setup);
  auto low = [&](const MmioArea& area) { MmioWrite(c, area.low, area.address & UINT32_MAX); };
  auto high = [&](const MmioArea& area) { MmioWrite(c, area.low + 4, area.address >> 32); };
  MmioWrite(c, kQueueSel, setup.queue);
  MmioWrite(c, kQueueSize, setup.size);
  switch (order) {
    case Order::kHighFirst:
      for (const MmioArea& area : areas) high(area), low(area);
      break;
    case Order::kOtherQueueBetween:
      for (const MmioArea& area : areas) {
        low(area);
        // Both halves, of a queue that is not set up.
        MmioWrite(c, kQueueSel, setup.queue + 1);
        MmioWrite(c, area.low, 0xcafe000);
        MmioWrite(c, area.low + 4, 7);
        MmioWrite(c, kQueueSel, setup.queue);
        high(area);
      }
      break;
    case Order::kRubbishFirst:
      for (const MmioArea& area : areas) {
        MmioWrite(c, area.low, 0xdeadbee0);
        MmioWrite(c, area.low + 4, 0xdead);
        low(area), high(area);
      }
      break;
    case Order::kLowsThenHighs:
      std::ranges::for_each(areas, low);
      std::ranges::for_each(areas, high);
      break;
    case Order::kHighsThenLows:
      std::ranges::for_each(areas, high);
      std::ranges::for_each(areas, low);
      break;
  }
  MmioWrite(c, kQueueReady, 1);
}

void WorksAtAddressesWrittenTorn(Context& c) {
  for (const Order order : kOrders) {
    const uint32_t queue = c.request_queue();
    if (order == Order::kOtherQueueBetween && queue + 1 >= c.facts().queue_count) continue;
    const auto setups = UpForMmioDriver(c);
    MmioDriver driver(c);
    if (!driver.Begin(c.session().state().accepted)) c.NotApplicable("the features were refused");
    for (const auto& setup : setups)
      if (setup.queue != queue) driver.SetupQueue(setup);
    WriteTorn(c, setups.back(), order);
    driver.DriverOk();
    for (uint64_t round = 0; round < 3; ++round) {
      const Exchange request = c.grammar().Request(round);
      c.Publish(request);
      MmioWrite(c, kQueueNotify, queue);
      c.WaitUsed(queue, 1);
      c.Expect(Accept::Equal(1), kAddresses,
               fmt::format("a queue is where the last two halves of each address say, written {}",
                           NameOf(order)));
      if (c.failed()) return;
    }
    c.Reset();
  }
}

// No memory is there, so there is nothing that could be served. The lower half alone is the address
// of a queue with a request in it.
void ServesNothingAtHalfAnAddress(Context& c) {
  constexpr uint64_t kAway = 0x00100000;  // upper half: far beyond all memory
  for (const bool high_first : {false, true}) {
    const auto setups = UpForMmioDriver(c);
    MmioDriver driver(c);
    if (!driver.Begin(c.session().state().accepted)) c.NotApplicable("the features were refused");
    c.BeginHostile();
    for (const auto& setup : setups)
      if (setup.queue != setups.back().queue) driver.SetupQueue(setup);
    const op::SetupQueue& setup = setups.back();
    MmioWrite(c, kQueueSel, setup.queue);
    MmioWrite(c, kQueueSize, setup.size);
    for (const MmioArea& area : MmioAreas(setup)) {
      if (high_first) MmioWrite(c, area.low + 4, kAway);
      MmioWrite(c, area.low, area.address & UINT32_MAX);
      if (!high_first) MmioWrite(c, area.low + 4, kAway);
    }
    MmioWrite(c, kQueueReady, 1);
    driver.DriverOk();
    c.Publish(c.grammar().Request(0));
    MmioWrite(c, kQueueNotify, setup.queue);
    c.Do(op::Quiesce{});
    c.Do(op::ReadUsedIdx{setup.queue});
    c.Expect(Accept::Equal(0), kAddresses,
             fmt::format("the upper half of an address counts, written {} the lower one",
                         high_first ? "before" : "after"));
    c.ExpectSurvives();
    if (c.failed()) return;
  }
}

// Notification ------------------------------------------------------------------------------------

void NotifiesTheQueueThatIsWritten(Context& c) {
  const auto queues = UsableQueues(c);
  if (queues.size() < 2) c.NotApplicable("there is one queue that serves requests");
  c.Up({.with = QueueFeatures(c), .queues = queues.back() + 1});
  uint64_t n = 0;
  for (uint32_t queue : queues) {
    for (uint32_t selected : queues) {
      const auto request = c.grammar().RequestOn(queue, n++);
      if (!request) continue;
      MmioWrite(c, kQueueSel, selected);
      c.Publish(*request);
      MmioWrite(c, kQueueNotify, queue);
      c.WaitUsed(queue, 1);
      c.Expect(Accept::Equal(1), kNotify,
               fmt::format("writing {} to QueueNotify notifies queue {} while queue {} is selected",
                           queue, queue, selected));
      if (c.failed()) return;
    }
  }
}

}  // namespace

void AddMmioQueueChecks(std::vector<Check>& list) {
  const Needs registers{.abilities = {Ability::kMmioWindow}};
  const Needs requests{.abilities = {Ability::kMmioWindow}, .requests = true};
  list.push_back({
      .id = "mmio.queue.missing",
      .title = "QueueSizeMax and QueueReady read 0 for a queue that is not there",
      .section = "4.2.2",
      .requirements = {kSelection, kReady},
      .tags = {"odd"},
      .needs = registers,
      .faults = {"mmio-queue-size-max-for-missing", "mmio-queue-sel-out-of-range-kept"},
      .run = ShowsNoMissingQueue,
  });
  list.push_back({
      .id = "mmio.queue.size-max",
      .title = "QueueSizeMax reads the same at every stage and whatever is written to QueueSize",
      .section = "4.2.2",
      .requirements = {kSizeMax},
      .tags = {},
      .needs = registers,
      .faults = {"mmio-queue-size-max-follows-size"},
      .run = KeepsTheMaximumSize,
  });
  list.push_back({
      .id = "mmio.queue.ready",
      .title = "QueueReady of each queue reads what was written to it last, and 0 after a reset",
      .section = "4.2.2",
      .requirements = {kReady, kCleared},
      .tags = {},
      .needs = requests,
      .faults = {"mmio-queue-ready-write-only", "mmio-queue-ready-shared",
                 "mmio-queue-ready-not-reset"},
      .run = TellsReadinessOfEachQueue,
  });
  list.push_back({
      .id = "mmio.queue.not-ready",
      .title = "A queue whose addresses are known is not served before it is ready",
      .section = "4.2.2.1",
      .requirements = {kNotReady},
      .tags = {"odd"},
      .needs = requests,
      .faults = {"mmio-queue-served-before-ready"},
      .run = ServesNoQueueBeforeItIsReady,
  });
  list.push_back({
      .id = "mmio.queue.stopped",
      .title = "A queue is not served any more once QueueReady is 0",
      .section = "4.2.2.1",
      .requirements = {kNotReady, kReady},
      .tags = {"odd"},
      .needs = requests,
      .faults = {"mmio-queue-ready-zero-ignored"},
      .run = ServesNoQueueThatWasStopped,
  });
  list.push_back({
      .id = "mmio.queue.torn-addresses",
      .title = "A queue works at its addresses in whatever order their halves are written",
      .section = "4.2.2",
      .requirements = {kAddresses},
      .tags = {"odd"},
      .needs = requests,
      .faults = {"mmio-queue-sel-ignored", "mmio-address-latch-shared"},
      .run = WorksAtAddressesWrittenTorn,
  });
  list.push_back({
      .id = "mmio.queue.far-addresses",
      .title = "The upper half of a queue's addresses counts",
      .section = "4.2.2",
      .requirements = {kAddresses, "derived.reset.recovers"},
      .tags = {"hostile"},
      .needs = requests,
      .faults = {"mmio-address-high-ignored", "mmio-address-low-clears-high"},
      .run = ServesNothingAtHalfAnAddress,
  });
  list.push_back({
      .id = "mmio.queue.notify",
      .title = "QueueNotify notifies the queue whose index is written, whatever is selected",
      .section = "4.2.3.3",
      .requirements = {kNotify},
      .tags = {},
      .needs = {.abilities = {Ability::kMmioWindow}, .queues = 2},
      .faults = {"mmio-notify-value-ignored", "mmio-notify-uses-queue-sel"},
      .run = NotifiesTheQueueThatIsWritten,
  });
}

}  // namespace vitro
