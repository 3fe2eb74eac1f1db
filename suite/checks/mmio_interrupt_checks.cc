// SPDX-License-Identifier: Apache-2.0
// Checks of the interrupt of an MMIO device (4.2.2.1, 4.2.3.4): InterruptStatus, InterruptACK and
// the line. Here the check is the interrupt handler; the core's checks of notifications run with
// the driver's.
#include <algorithm>

#include "suite/checks/mmio_registers.h"
#include "suite/checks/queue_life.h"

namespace vitro {
namespace {

using namespace mmio;  // NOLINT: the names of the registers

constexpr const char* kPresents = "dev.mmio.mmio-device-register-layout.3";
constexpr const char* kOnlyEvents = "dev.mmio.mmio-device-register-layout.4";
constexpr const char* kLine = "derived.mmio.line";
constexpr const char* kAcknowledge = "derived.mmio.acknowledge";
constexpr const char* kProgress = "derived.used.progress";

constexpr uint64_t kUsed = kInterruptUsedBuffer, kConfigured = kInterruptConfigChange;
constexpr uint64_t kDefined = kUsed | kConfigured;
constexpr uint64_t kUndefined = UINT32_MAX & ~kDefined;

// Up, at rest, with no interrupt pending and nobody but the check to handle one.
void UpByHand(Context& c, const BringUp& how = {}) {
  HandleInterruptsByHand(c);
  c.Up(how);
  c.Do(op::Quiesce{});
  AcknowledgeAll(c);
  c.Expect(Accept::Equal(0), kAcknowledge, "InterruptStatus reads 0 once all is acknowledged");
}

// One request served; false if it was not.
bool Serve(Context& c, const Exchange& request) {
  c.Publish(request);
  c.Notify(request.queue);
  c.WaitUsed(request.queue, 1);
  c.Expect(Accept::Equal(1), kProgress, "a request is used");
  return c.last().value == 1;
}

void ExpectLine(Context& c, bool asserted, const std::string& because) {
  c.Do(op::WaitLine{asserted ? 1u : 0u});
  c.Expect(Accept::Equal(asserted ? 1 : 0), kLine, because);
}

void ExpectPending(Context& c, uint64_t bits, const std::string& because) {
  MmioRead(c, kInterruptStatus);
  c.Expect(Accept::Masked(bits, bits), kPresents, because);
}

// Acknowledges and judges what is left.
void ExpectAcknowledged(Context& c, uint64_t bits, uint64_t left) {
  MmioWrite(c, kInterruptAck, bits);
  MmioRead(c, kInterruptStatus);
  c.Expect(Accept::Masked(kDefined, left), kAcknowledge,
           fmt::format("InterruptStatus reads {:#x} after {:#x} was written to InterruptACK", left,
                       bits));
  ExpectLine(c, left != 0,
             left != 0 ? "the interrupt stays while a bit of InterruptStatus is set"
                       : "the interrupt goes away with the last bit of InterruptStatus");
}

// Has the device any reason of its own to tell of a change?
class ConfigWatch {
 public:
  explicit ConfigWatch(Context& c) : c_(c) { Begin(); }
  void Begin() { before_ = c_.Do(op::ReadGeneration{}).value; }
  bool Changed() {
    return c_.Do(op::ReadGeneration{}).value != before_ ||
           (c_.Do(op::ReadStatus{}).value & status::kNeedsReset) != 0;
  }

 private:
  Context& c_;
  uint64_t before_ = 0;
};

// Stimulates a change and waits for what comes of it. Ends the check with a device that has nothing
// to change.
void Change(Context& c) {
  if (c.Do(op::StimulateConfigChange{}).refused)
    c.NotApplicable("the device has nothing in its config that changes");
}

// Events ------------------------------------------------------------------------------------------

void PresentsUsedBuffers(Context& c) {
  UpByHand(c);
  for (uint64_t round = 0; round < 3; ++round) {
    if (c.failed()) return;
    ConfigWatch watch(c);
    if (!Serve(c, c.grammar().Request(round))) return;
    ExpectLine(c, true, "a used buffer notification asserts the interrupt");
    ExpectPending(c, kUsed, "bit 0 of InterruptStatus is set when the interrupt is asserted");
    const uint64_t events = c.last().value;
    c.Expect(Accept::Masked(kUndefined, 0), kOnlyEvents,
             "no other bit than 0 and 1 of InterruptStatus is ever set");
    if ((events & kConfigured) != 0 && !watch.Changed()) {
      MmioRead(c, kInterruptStatus);
      c.Expect(Accept::Masked(kConfigured, 0), kOnlyEvents,
               "bit 1 of InterruptStatus stays 0 when a buffer is used");
    }
    for (int look = 0; look < 3; ++look)
      ExpectPending(c, kUsed, "bit 0 of InterruptStatus stays set until it is acknowledged");
    ExpectLine(c, true, "the interrupt stays asserted until it is acknowledged");
    if ((events & kConfigured) != 0) MmioWrite(c, kInterruptAck, kConfigured);
    ExpectAcknowledged(c, kUsed, 0);
  }
}

void PresentsConfigChanges(Context& c) {
  UpByHand(c);
  for (int round = 0; round < 3; ++round) {
    if (c.failed()) return;
    Change(c);
    ExpectLine(c, true, "a configuration change notification asserts the interrupt");
    ExpectPending(c, kConfigured, "bit 1 of InterruptStatus is set when the interrupt is asserted");
    c.Expect(Accept::Masked(kUndefined | kUsed, 0), kOnlyEvents,
             "no other bit than 1 of InterruptStatus is set by a configuration change");
    ExpectPending(c, kConfigured, "bit 1 of InterruptStatus stays set until it is acknowledged");
    ExpectAcknowledged(c, kConfigured, 0);
  }
}

void KeepsTheBitsApart(Context& c) {
  UpByHand(c);
  uint64_t n = 0;
  for (const bool used_first : {true, false}) {
    for (const uint64_t first : {kUsed, kConfigured}) {
      if (c.failed()) return;
      if (!used_first) {
        Change(c);
        ExpectLine(c, true, "a configuration change notification asserts the interrupt");
      }
      if (!Serve(c, c.grammar().Request(n++))) return;
      c.Do(op::WaitRegister{"mmio", kInterruptStatus, 4, kUsed, kUsed});
      c.Expect(Accept::Masked(kUsed, kUsed), kPresents,
               "bit 0 of InterruptStatus is set beside bit 1");
      if (used_first) Change(c);
      c.Do(op::WaitRegister{"mmio", kInterruptStatus, 4, kDefined, kDefined});
      c.Expect(Accept::Masked(kDefined, kDefined), kPresents,
               "each event has its bit of InterruptStatus until that is acknowledged");
      ExpectAcknowledged(c, first, kDefined & ~first);
      ExpectAcknowledged(c, kDefined & ~first, 0);
    }
  }
}

void KeepsWhatIsNotAcknowledged(Context& c) {
  UpByHand(c);
  if (c.failed() || !Serve(c, c.grammar().Request(0))) return;
  ExpectLine(c, true, "a used buffer notification asserts the interrupt");
  ExpectPending(c, kUsed, "bit 0 of InterruptStatus is set when the interrupt is asserted");
  for (const uint64_t other : {kConfigured, uint64_t{0}, kConfigured}) {
    MmioWrite(c, kInterruptAck, other);
    MmioRead(c, kInterruptStatus);
    c.Expect(Accept::Masked(kUsed, kUsed), kPresents,
             fmt::format("bit 0 of InterruptStatus stays set when {:#x} is acknowledged", other));
    ExpectLine(c, true, "the interrupt stays while a bit of InterruptStatus is set");
  }
  // More is used while the bit is set: it stays, and goes with one acknowledgement.
  if (!Serve(c, c.grammar().Request(1))) return;
  c.Do(op::Quiesce{});
  ExpectPending(c, kUsed, "bit 0 of InterruptStatus stays set when another buffer is used");
  ExpectAcknowledged(c, kUsed, 0);
}

// Each event after an acknowledgement interrupts anew, many times over.
void InterruptsAgain(Context& c) {
  UpByHand(c);
  for (uint64_t round = 0; round < 20; ++round) {
    if (c.failed()) return;
    c.Do(op::TakeLineRises{});
    if (!Serve(c, c.grammar().Request(round))) return;
    ExpectLine(c, true, "each used buffer notification after an acknowledgement asserts again");
    c.Do(op::TakeLineRises{});
    c.Expect(Accept::NotEqual(0), kLine, "the interrupt is asserted anew after it went away");
    ExpectPending(c, kUsed, "bit 0 of InterruptStatus is set again");
    ExpectAcknowledged(c, kUsed, 0);
  }
}

void TellsOfEveryQueue(Context& c) {
  const auto queues = UsableQueues(c);
  if (queues.size() < 2) c.NotApplicable("there is one queue that serves requests");
  UpByHand(c, {.with = QueueFeatures(c), .queues = queues.back() + 1});
  for (uint64_t round = 0; round < 2; ++round) {
    for (uint32_t queue : queues) {
      if (c.failed()) return;
      if (!Serve(c, *c.grammar().RequestOn(queue, round))) return;
      ExpectLine(c, true, fmt::format("a buffer used on queue {} asserts the interrupt", queue));
      ExpectPending(c, kUsed, fmt::format("bit 0 is set for a buffer used on queue {}", queue));
      ExpectAcknowledged(c, kUsed, 0);
    }
  }
}

// Nothing took place yet.
void IsSilentBeforeAnyEvent(Context& c) {
  const FeatureSet features = UsualFeatures(c);
  for (int round = 0; round < 2; ++round) {
    c.Reset();
    HandleInterruptsByHand(c);
    ConfigWatch watch(c);
    auto expect_nothing = [&](const char* when) {
      c.Do(op::Quiesce{});
      MmioRead(c, kInterruptStatus);
      if (c.last().value != 0 && watch.Changed())
        c.NotApplicable("the config changed meanwhile, or the device needs a reset");
      MmioRead(c, kInterruptStatus);
      c.Expect(Accept::Equal(0), kOnlyEvents,
               fmt::format("InterruptStatus reads 0 {}, before any event", when));
      c.Do(op::ReadLine{});
      c.Expect(Accept::Equal(0), kLine,
               fmt::format("the interrupt is not asserted {}, before any event", when));
    };
    expect_nothing("after a reset");
    c.AcknowledgeAndDriver();
    expect_nothing("with DRIVER set");
    c.Offered();
    if (!c.Negotiate(features)) c.NotApplicable("the device refused the features");
    // Fields of features that were not accepted may have gone: a change that is told of later.
    watch.Begin();
    for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) c.SetupQueue(queue);
    expect_nothing("with queues set up");
    c.DriverOk();
    expect_nothing("with DRIVER_OK set");
    if (c.failed()) return;
  }
}

}  // namespace

void AddMmioInterruptChecks(std::vector<Check>& list) {
  const Needs requests{.abilities = {Ability::kMmioWindow}, .requests = true};
  list.push_back({
      .id = "mmio.interrupt.used-buffer",
      .title = "A used buffer sets bit 0 of InterruptStatus and the line until it is acknowledged",
      .section = "4.2.2.1",
      .requirements = {kPresents, kOnlyEvents, kLine, kAcknowledge},
      .tags = {},
      .needs = requests,
      .faults = {"mmio-interrupt-status-not-set", "mmio-interrupt-status-after-line",
                 "mmio-interrupt-status-read-clears", "mmio-interrupt-bits-swapped",
                 "mmio-interrupt-undefined-bit", "mmio-interrupt-ack-ignored", "mmio-line-stuck",
                 "mmio-line-edge"},
      .run = PresentsUsedBuffers,
  });
  list.push_back({
      .id = "mmio.interrupt.config-change",
      .title = "A configuration change sets bit 1 of InterruptStatus and the line",
      .section = "4.2.2.1",
      .requirements = {kPresents, kOnlyEvents, kLine, kAcknowledge},
      .tags = {},
      .needs = {.abilities = {Ability::kMmioWindow, Ability::kStimulus}, .config_bytes = 1},
      .faults = {"mmio-interrupt-bits-swapped", "mmio-interrupt-ack-ignored",
                 "blk,level=mmio:config-change-not-notified"},
      .run = PresentsConfigChanges,
  });
  list.push_back({
      .id = "mmio.interrupt.each-bit",
      .title = "Each bit of InterruptStatus is acknowledged by itself",
      .section = "4.2.2.1",
      .requirements = {kPresents, kAcknowledge, kLine},
      .tags = {},
      .needs = {.abilities = {Ability::kMmioWindow, Ability::kStimulus},
                .requests = true,
                .config_bytes = 1},
      .faults = {"mmio-interrupt-ack-clears-all", "mmio-interrupt-overwritten",
                 "mmio-line-drops-early"},
      .run = KeepsTheBitsApart,
  });
  list.push_back({
      .id = "mmio.interrupt.not-acknowledged",
      .title = "A bit of InterruptStatus outlasts the acknowledgement of the other",
      .section = "4.2.2.1",
      .requirements = {kPresents, kAcknowledge, kLine},
      .tags = {"odd"},
      .needs = requests,
      .faults = {"mmio-interrupt-ack-clears-all", "mmio-line-drops-early"},
      .run = KeepsWhatIsNotAcknowledged,
  });
  list.push_back({
      .id = "mmio.interrupt.again",
      .title = "Each used buffer after an acknowledgement asserts the interrupt again",
      .section = "4.2.3.4",
      .requirements = {kLine, kPresents, kAcknowledge},
      .tags = {},
      .needs = requests,
      .faults = {"mmio-line-stuck", "mmio-line-edge"},
      .run = InterruptsAgain,
  });
  list.push_back({
      .id = "mmio.interrupt.every-queue",
      .title = "A used buffer of any queue sets bit 0 of InterruptStatus",
      .section = "4.2.2.1",
      .requirements = {kPresents, kLine, kAcknowledge},
      .tags = {},
      .needs = {.abilities = {Ability::kMmioWindow}, .queues = 2},
      .faults = {"mmio-interrupt-status-not-set"},
      .run = TellsOfEveryQueue,
  });
  list.push_back({
      .id = "mmio.interrupt.none-before-events",
      .title = "InterruptStatus reads 0 and the line is not asserted before any event",
      .section = "4.2.2.1",
      .requirements = {kOnlyEvents, kLine},
      .tags = {},
      .needs = {.abilities = {Ability::kMmioWindow}},
      .faults = {"blk,level=mmio:config-change-spurious"},
      .run = IsSilentBeforeAnyEvent,
  });
}

}  // namespace vitro
