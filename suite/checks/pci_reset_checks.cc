// SPDX-License-Identifier: Apache-2.0
// Checks of what resets leave in the registers of a PCI function (4.1.4.3, 2.4, 2.6.1): device
// reset after any history, virtqueue reset, function level reset. What a reset does to rings and
// memory is in reset_checks.cc and queue_reset_checks.cc.
#include <algorithm>
#include <map>

#include "harness/transport/interrupt_plans.h"
#include "suite/checks/chapters.h"
#include "suite/checks/pci_registers.h"
#include "suite/checks/queue_life.h"

namespace vitro {
namespace {

namespace common = virtio_pci::common;

#define VITRO_COMMON_ROW "dev.pci.pci-device-layout.common-configuration-structure-layout."
constexpr const char* kResets = VITRO_COMMON_ROW "7";
constexpr const char* kDisabled = VITRO_COMMON_ROW "8";
constexpr const char* kQueueResetClear = VITRO_COMMON_ROW "9";
constexpr const char* kClearOnceEnabled = VITRO_COMMON_ROW "10";
constexpr const char* kResetsQueue = VITRO_COMMON_ROW "11";
constexpr const char* kBothClear = VITRO_COMMON_ROW "13";
#undef VITRO_COMMON_ROW
constexpr const char* kUnmapped =
    "dev.pci.init-op.device-initialization.msi-x-vector-configuration.7";
constexpr const char* kRegisters = "derived.pci.registers-after-reset";
constexpr const char* kFunctionReset = "derived.pci.function-level-reset";

// Device reset ------------------------------------------------------------------------------------

// What every driver finds, and has to find again after a reset.
struct AtRest {
  uint64_t queues = 0;
  std::map<uint32_t, uint64_t> sizes;  // by queue
};

AtRest ReadAtRest(Context& c) {
  AtRest found;
  found.queues = ReadCommon(c, common::kNumQueues, 2);
  for (const uint32_t queue : QueuesToTry(static_cast<uint32_t>(found.queues)))
    found.sizes[queue] = QueueRead(c, queue, common::kQueueSize, 2);
  return found;
}

// The device has just been reset, after `history`.
void ExpectAtRest(Context& c, const AtRest& before, const std::string& history) {
  ReadCommon(c, common::kDeviceStatus, 1);
  c.Expect(Accept::Equal(0), kResets, fmt::format("device_status is 0 after {}", history));
  ReadCommon(c, common::kNumQueues, 2);
  c.Expect(Accept::Equal(before.queues), kRegisters,
           fmt::format("num_queues is what it was before {}", history));
  const bool msix = LayoutOf(c).msix.has_value();
  if (msix) {
    ReadCommon(c, common::kConfigMsixVector, 2);
    c.Expect(Accept::Equal(virtio_pci::kNoVector), kUnmapped,
             fmt::format("config_msix_vector is NO_VECTOR after {}", history));
  }
  for (const auto& [queue, size] : before.sizes) {
    QueueRead(c, queue, common::kQueueSize, 2);
    c.Expect(Accept::Equal(size), kRegisters,
             fmt::format("queue_size of queue {} is the maximum again after {}", queue, history));
    if (size == 0) continue;
    ReadCommon(c, common::kQueueEnable, 2);
    c.Expect(Accept::Equal(0), kDisabled,
             fmt::format("queue_enable of queue {} is 0 after {}", queue, history));
    if (!msix) continue;
    ReadCommon(c, common::kQueueMsixVector, 2);
    c.Expect(Accept::Equal(virtio_pci::kNoVector), kUnmapped,
             fmt::format("queue_msix_vector of queue {} is NO_VECTOR after {}", queue, history));
  }
}

struct History {
  const char* what;
  std::function<void(Context&)> live;
};

// What a driver may have done with a device before it resets it.
std::vector<History> Histories() {
  const auto sizes = [](Context& c) {
    NegotiatePlain(c);
    for (const uint32_t queue : QueuesToTry(c.facts().queue_count)) {
      const uint64_t size = QueueRead(c, queue, common::kQueueSize, 2);
      if (size > 1) WriteCommon(c, common::kQueueSize, 2, size / 2);
    }
  };
  return {
      {"no more than a reset", [](Context&) {}},
      {"ACKNOWLEDGE alone", [](Context& c) { c.Do(op::WriteStatus{status::kAcknowledge}); }},
      {"negotiation", [](Context& c) { NegotiatePlain(c); }},
      {"smaller queue sizes", sizes},
      {"patterns in all queue registers",
       [](Context& c) {
         NegotiatePlain(c);
         for (const uint32_t queue : QueuesToTry(c.facts().queue_count)) {
           SelectQueue(c, queue);
           for (uint32_t at = common::kQueueDesc; at < common::kLeastBytes; at += 4)
             WriteCommon(c, at, 4, at % 8 == 4 ? 0x1234 + queue : 0x5a5a5000 + queue * 0x1000);
         }
         // And the selectors point far away.
         WriteCommon(c, common::kDeviceFeatureSelect, 4, 0xffffffff);
         WriteCommon(c, common::kDriverFeatureSelect, 4, 0xffffffff);
         WriteCommon(c, common::kQueueSelect, 2, 0xffff);
       }},
      {"vectors and no DRIVER_OK",
       [](Context& c) {
         NegotiatePlain(c);
         if (!LayoutOf(c).msix) return;
         WriteCommon(c, common::kConfigMsixVector, 2, 0);
         for (const uint32_t queue : QueuesToTry(c.facts().queue_count))
           QueueWrite(c, queue, common::kQueueMsixVector, 2, 0);
       }},
      {"enabled queues and no DRIVER_OK",
       [](Context& c) {
         NegotiatePlain(c);
         for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) c.SetupQueue(queue);
       }},
      {"DRIVER_OK", [](Context& c) { c.Up({.prepare = false}); }},
      {"FAILED",
       [](Context& c) {
         c.Up({.prepare = false});
         c.Do(op::WriteStatus{status::kAcknowledge | status::kDriver | status::kFeaturesOk |
                              status::kDriverOk | status::kFailed});
       }},
  };
}

void IsAtRestAfterEachReset(Context& c) {
  RequireCommon(c);
  c.Reset();
  const AtRest before = ReadAtRest(c);
  for (const History& history : Histories()) {
    history.live(c);
    c.Reset();
    ExpectAtRest(c, before, history.what);
    if (c.failed()) return;
  }
}

void IsAtRestAfterTraffic(Context& c) {
  RequireCommon(c);
  c.Reset();
  const AtRest before = ReadAtRest(c);
  for (const bool in_flight : {false, true}) {
    c.Up({.prepare = !in_flight});
    for (uint64_t n = 0; n < 3; ++n) c.Submit(c.grammar().Request(n), kResets);
    if (in_flight) {
      const Exchange request = c.grammar().Request(0);
      c.Publish(request);
      c.Notify(request.queue);
    }
    // By the register alone, as a driver does it.
    WriteCommon(c, common::kDeviceStatus, 1, 0);
    c.Do(op::WaitRegister{"common", common::kDeviceStatus, 1, 0xff, 0});
    c.Expect(Accept::Equal(0), kResets,
             "device_status reads 0 some time after 0 was written to it");
    if (c.failed()) return;
    c.Reset();
    ExpectAtRest(c, before, in_flight ? "requests in flight" : "requests");
    if (c.failed()) return;
  }
}

// Virtqueue reset ---------------------------------------------------------------------------------

void RequireQueueReset(Context& c) {
  if (!HasCommon(c, common::kQueueReset, 2))
    c.NotApplicable("the common configuration structure ends before queue_reset");
}

void HasQueueResetClear(Context& c) {
  RequireQueueReset(c);
  for (int round = 0; round < 2; ++round) {
    NegotiatePlain(c, {feature::kRingReset});
    for (const uint32_t queue : QueuesToTry(c.facts().queue_count)) {
      QueueRead(c, queue, common::kQueueReset, 2);
      c.Expect(Accept::Equal(0), kQueueResetClear,
               fmt::format("queue_reset of queue {} is 0 after a device reset", queue));
    }
    // The second time with a past.
    c.SetupQueue(c.request_queue());
    c.DriverOk();
    c.Do(op::ResetQueue{c.request_queue()});
  }
}

// Resets the queue and judges its registers. False if that did not come to an end.
bool ResetsQueue(Context& c, uint32_t queue) {
  c.Do(op::ResetQueue{queue});
  c.Expect(
      Accept::Answered(), kBothClear,
      fmt::format("queue_reset of queue {} reads 0 some time after 1 was written to it", queue));
  if (c.last().refused) return false;
  QueueRead(c, queue, common::kQueueReset, 2);
  c.Expect(Accept::Equal(0), kBothClear, "queue_reset reads 0 once the queue is reset");
  ReadCommon(c, common::kQueueEnable, 2);
  c.Expect(Accept::Equal(0), kBothClear, "queue_enable reads 0 once the queue is reset");
  return true;
}

void ResetsAQueueByItsRegister(Context& c) {
  RequireQueueReset(c);
  const uint32_t queue = c.request_queue();
  c.Up();
  for (int round = 0; round < 3; ++round) {
    c.Up({.with = {feature::kRingReset}, .prepare = false});
    const uint32_t size = c.session().state().queues.at(queue)->layout().size;
    const uint64_t used_ring = c.session().state().queues.at(queue)->layout().device;
    QueueRead(c, queue, common::kQueueReset, 2);
    c.Expect(Accept::Equal(0), kClearOnceEnabled, "queue_reset reads 0 once the queue is enabled");
    if (round >= 1) c.Submit(c.grammar().Request(0), kResetsQueue);
    // Not notified: the device does not know of it yet.
    if (round == 2) c.Publish(c.grammar().Request(1));
    if (!ResetsQueue(c, queue)) return;
    const Bytes ring = c.Do(op::Read{used_ring, 4}).bytes;
    c.Do(op::Quiesce{});
    c.Do(op::Read{used_ring, 4});
    c.Expect(Accept::SameBytes(ring), kResetsQueue, "a queue that was reset is not served");
    c.SetupQueue(queue, size);
    c.Expect(Accept::Answered(), kResetsQueue, "a queue that was reset is enabled again");
    if (c.last().refused) return;
    QueueRead(c, queue, common::kQueueReset, 2);
    c.Expect(Accept::Equal(0), kClearOnceEnabled,
             "queue_reset reads 0 once the queue is enabled again");
    c.Submit(c.grammar().Request(2), kResetsQueue);
    if (c.failed()) return;
  }
}

// The other queues stay as they are.
void ResetsOneQueueOnly(Context& c) {
  RequireQueueReset(c);
  NegotiatePlain(c, QueueFeatures(c).With(feature::kRingReset));
  std::map<uint32_t, uint64_t> sizes;
  for (const uint32_t queue : QueuesToTry(c.facts().queue_count))
    if (c.MaxQueueSize(queue) != 0) sizes[queue] = 0;
  if (sizes.size() < 2) c.NotApplicable("the device has one queue");
  for (const auto& [queue, size] : sizes) c.SetupQueue(queue);
  c.DriverOk();
  for (auto& [queue, size] : sizes) size = QueueRead(c, queue, common::kQueueSize, 2);
  const uint32_t victim = std::next(sizes.begin(), static_cast<int>(sizes.size() / 2))->first;
  if (!ResetsQueue(c, victim)) return;
  for (const auto& [queue, size] : sizes) {
    if (queue == victim) continue;
    QueueRead(c, queue, common::kQueueEnable, 2);
    c.Expect(Accept::Equal(1), kResetsQueue,
             fmt::format("queue {} stays enabled when queue {} is reset", queue, victim));
    ReadCommon(c, common::kQueueSize, 2);
    c.Expect(Accept::Equal(size), kResetsQueue,
             fmt::format("queue {} keeps its size when queue {} is reset", queue, victim));
  }
}

// Function level reset ----------------------------------------------------------------------------

void IsAtRestAfterFunctionReset(Context& c) {
  RequireCommon(c);
  c.Reset();
  const AtRest before = ReadAtRest(c);
  c.Up({.prepare = false});
  FunctionLevelReset(c);
  ReadCommon(c, common::kDeviceStatus, 1);
  c.Expect(Accept::Equal(0), kFunctionReset, "device_status is 0 after a function level reset");
  for (const auto& [queue, size] : before.sizes) {
    if (size == 0) continue;
    QueueRead(c, queue, common::kQueueEnable, 2);
    c.Expect(Accept::Equal(0), kFunctionReset,
             fmt::format("queue_enable of queue {} is 0 after a function level reset", queue));
    ReadCommon(c, common::kQueueSize, 2);
    c.Expect(
        Accept::Equal(size), kFunctionReset,
        fmt::format("queue_size of queue {} is the maximum after a function level reset", queue));
  }
  if (c.failed()) return;
  // And the device is there for a new driver, which polls: MSI-X is off now.
  c.Reset();
  c.Do(op::Interrupts{std::string(interrupts::kPolling)});
  c.Up();
}

}  // namespace

void AddPciResetChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "pci.reset.registers",
      .title = "After a device reset the registers are as at the beginning, whatever came before",
      .section = "4.1.4.3",
      .requirements = {kDisabled, kResets, kRegisters, kUnmapped},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:queue-size-not-reset", "blk,level=pci:queue-enable-not-reset",
                 "blk,level=pci:vector-kept-over-reset", "blk,level=pci:vector-default-zero"},
      .run = IsAtRestAfterEachReset,
  });
  list.push_back({
      .id = "pci.reset.by-status",
      .title = "Writing 0 to device_status resets the device, also with requests in flight",
      .section = "4.1.4.3",
      .requirements = {kResets, kDisabled, kRegisters},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}, .requests = true},
      .faults = {"blk,level=pci:status-reset-ignored", "blk,level=pci:queue-enable-not-reset"},
      .run = IsAtRestAfterTraffic,
  });
  const Needs needs{.abilities = {Ability::kPciFunction}, .offered = {feature::kRingReset}};
  list.push_back({
      .id = "pci.queue-reset.clear",
      .title = "queue_reset reads 0 after a device reset",
      .section = "4.1.4.3",
      .requirements = {kQueueResetClear},
      .tags = {"pci"},
      .needs = needs,
      .faults = {"blk,level=pci:queue-reset-set-on-reset"},
      .run = HasQueueResetClear,
  });
  list.push_back({
      .id = "pci.queue-reset.by-register",
      .title = "Writing 1 to queue_reset resets the queue; then it and queue_enable read 0",
      .section = "4.1.4.3",
      .requirements = {kResetsQueue, kBothClear, kClearOnceEnabled},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction},
                .offered = {feature::kRingReset},
                .requests = true},
      .faults = {"blk,level=pci:queue-reset-reads-one-forever",
                 "blk,level=pci:queue-reset-keeps-enable"},
      .run = ResetsAQueueByItsRegister,
  });
  list.push_back({
      .id = "pci.queue-reset.one-only",
      .title = "A virtqueue reset leaves the registers of the other queues as they are",
      .section = "4.1.4.3",
      .requirements = {kResetsQueue, kBothClear},
      .tags = {"pci"},
      .needs = needs,
      .faults = {"blk,level=pci:queue-reset-reads-one-forever"},
      .run = ResetsOneQueueOnly,
  });
  list.push_back({
      .id = "pci.reset.function-level",
      .title = "A function level reset leaves the device as a device reset does",
      .section = "4.1.1",
      .requirements = {kFunctionReset},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:flr-keeps-state"},
      .run = IsAtRestAfterFunctionReset,
  });
}

}  // namespace vitro
