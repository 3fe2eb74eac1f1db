// SPDX-License-Identifier: Apache-2.0
// Checks of INTx and the ISR status (4.1.4.5), and of how used buffers and configuration changes
// are told without MSI-X (4.1.5.3, 4.1.5.4). The check is the interrupt handler: nobody else reads
// the ISR status. With MSI-X: pci_msix_checks.cc.
#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/config_space.h"
#include "suite/checks/pci_interrupts.h"

namespace vitro {
namespace {

using namespace interrupt_checks;  // NOLINT(google-build-using-namespace)

#define ISR "dev.pci.pci-device-layout.isr-status-capability."
constexpr const char* kConfigBit = ISR "2";
constexpr const char* kQueueBit = ISR "3";
constexpr const char* kStatusBit = ISR "4";
constexpr const char* kReadClears = ISR "5";
#undef ISR
constexpr const char* kLevel = "derived.pci.intx-level";
constexpr const char* kKept = "derived.pci.isr-kept";
constexpr const char* kDisable = "derived.pci.intx-disable";
constexpr const char* kEndsWithReset = "derived.pci.intx-ends-with-reset";
constexpr const char* kFallback = "derived.pci.intx-fallback";
constexpr const char* kConfigNotified = "derived.config.notified";
constexpr const char* kSuppressed = "dev.basic.virtqueues.used-buffer-notification-suppression.2";

constexpr uint64_t kRounds = 3;

Accept Set(uint64_t bits) { return Accept::Masked(bits, bits); }
Accept Clear(uint64_t bits) { return Accept::Masked(bits, 0); }

// Brings the device up with INTx and no interrupt pending.
std::vector<uint32_t> UpOnLine(Context& c) {
  RequirePin(c);
  RequireIsr(c);
  const auto queues = UpWithPlan(c, interrupts::kIntx, false);
  c.Do(op::Quiesce{});
  TakeInterrupt(c);
  return queues;
}

// Reads the ISR status for a bit. If the interrupt that came was for something else, it waits for
// the next one.
void ReadIsrFor(Context& c, uint64_t bit) {
  const uint64_t isr = ReadIsr(c);
  if (isr == 0 || (isr & bit) != 0) return;
  c.Do(op::WaitLine{1});
  ReadIsr(c);
}

// The ISR status ----------------------------------------------------------------------------------

void SetsTheQueueBit(Context& c) {
  const auto queues = UpOnLine(c);
  for (uint64_t n = 0; n < kRounds; ++n)
    for (const uint32_t queue : queues) {
      if (!Serve(c, queue, n)) return;
      c.Do(op::WaitLine{1});
      c.Expect(Accept::Equal(1), kLevel, "INTx is asserted once a buffer is used");
      ReadIsrFor(c, virtio_pci::kIsrQueue);
      c.Expect(Set(virtio_pci::kIsrQueue), kQueueBit,
               "the Queue Interrupt bit is set when the interrupt for a used buffer comes");
      if (c.failed()) return;
      c.Do(op::WaitLine{0});
    }
}

void ReadingClears(Context& c) {
  const auto queues = UpOnLine(c);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    if (!Serve(c, queues[n % queues.size()], n)) return;
    c.Do(op::WaitLine{1});
    c.Do(op::Quiesce{});
    ReadIsrUntilClear(c);
    c.Expect(Accept::Equal(0), kReadClears, "the ISR status is 0 after it was read");
  }
}

// What a driver does before it gets to the interrupt takes nothing away from it.
void IsKeptUntilRead(Context& c) {
  const auto queues = UpOnLine(c);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    const uint32_t queue = queues[n % queues.size()];
    if (!Serve(c, queue, n)) return;
    c.Do(op::WaitLine{1});
    c.Do(op::ReadStatus{});
    QueueVector(c, queue);
    ReadPci(c, pci::kStatus, 2);
    for (const uint32_t other : queues) c.Notify(other);
    c.Do(op::Quiesce{});
    ReadIsr(c);
    c.Expect(Set(virtio_pci::kIsrQueue), kKept,
             "the Queue Interrupt bit stays set until the ISR status is read");
    TakeInterrupt(c);
  }
}

void SetsTheConfigBit(Context& c) {
  UpOnLine(c);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    Stimulate(c);
    c.Do(op::WaitLine{1});
    c.Expect(Accept::Equal(1), kConfigNotified, "INTx is asserted for a change of the config");
    if (c.failed()) return;
    ReadIsrFor(c, virtio_pci::kIsrConfig);
    c.Expect(Set(virtio_pci::kIsrConfig), kConfigBit,
             "the Device Configuration Interrupt bit is set when its notification comes");
    TakeInterrupt(c);
  }
}

// Neither kind of interrupt takes the bit of the other away while it waits.
void KeepsBothBits(Context& c) {
  const uint32_t queue = UpOnLine(c).front();
  auto expect_both = [&] {
    constexpr uint64_t kBoth = virtio_pci::kIsrQueue | virtio_pci::kIsrConfig;
    c.Do(op::Quiesce{});
    const uint64_t missing = kBoth & ~ReadIsr(c);
    if (missing != 0) {
      c.Do(op::WaitLine{1});  // it was late
      ReadIsr(c);
    }
    c.Expect(Set(missing != 0 ? missing : kBoth), kKept,
             "an interrupt of one kind leaves the bit of the other set");
  };
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    Stimulate(c);
    c.Do(op::WaitLine{1});
    c.Expect(Accept::Equal(1), kConfigNotified, "INTx is asserted for a change of the config");
    if (c.failed() || !Serve(c, queue, n)) return;
    expect_both();
    TakeInterrupt(c);
    if (!Serve(c, queue, n)) return;
    c.Do(op::WaitLine{1});
    Stimulate(c);
    expect_both();
    TakeInterrupt(c);
  }
}

void SetsTheConfigBitWithMessages(Context& c) {
  RequireMsix(c);
  RequireIsr(c);
  UpWithPlan(c, interrupts::kPerQueue, false);
  const uint16_t vector = ConfigVector(c);
  if (vector == virtio_pci::kNoVector) c.NotApplicable("the device mapped no vector");
  c.Do(op::Quiesce{});
  c.Do(op::WaitMessages{vector, 0});
  ReadIsr(c);
  Stimulate(c);
  if (c.Do(op::WaitMessages{vector, 1}).value == 0)
    c.NotApplicable("no notification came for the change");
  ReadIsr(c);
  c.Advise(Set(virtio_pci::kIsrConfig), kConfigBit,
           "the Device Configuration Interrupt bit is set with MSI-X as well");
}

// A device that has nothing to say is silent.
void IsSilentAtFirst(Context& c) {
  RequirePin(c);
  RequireIsr(c);
  UsePlan(c, interrupts::kIntx, false);
  c.Up({.prepare = false});
  const auto before = ReadConfigSpace(c);
  TakeInterrupt(c);
  c.Up({.prepare = false});
  c.Do(op::Quiesce{});
  const bool changed = ReadConfigSpace(c) != before;
  ReadIsr(c);
  c.Expect(Clear(virtio_pci::kIsrQueue), "derived.notification.spurious-used",
           "no interrupt tells of used buffers before there are any");
  if (changed) return;
  c.Expect(Clear(virtio_pci::kIsrConfig), "derived.notification.spurious-config",
           "no interrupt tells of a change when the driver sets DRIVER_OK");
}

// The line ----------------------------------------------------------------------------------------

void HoldsTheLine(Context& c) {
  const auto queues = UpOnLine(c);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    const uint32_t queue = queues[n % queues.size()];
    if (!Serve(c, queue, n)) return;
    c.Do(op::WaitLine{1});
    c.Expect(Accept::Equal(1), kLevel, "INTx is asserted once a buffer is used");
    if (c.failed() || !Serve(c, queue, n + 1)) return;
    c.Do(op::Quiesce{});
    c.Do(op::ReadLine{});
    c.Expect(Accept::Equal(1), kLevel, "INTx stays asserted until the ISR status is read");
    TakeInterrupt(c);
    c.Expect(Accept::Equal(0), kLevel, "INTx is de-asserted when the ISR status is read");
  }
}

void ShowsInPciStatus(Context& c) {
  const auto queues = UpOnLine(c);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    c.Do(op::WaitRegister{"pci", pci::kStatus, 2, pci::kStatusInterrupt, 0});
    c.Expect(Clear(pci::kStatusInterrupt), kStatusBit,
             "Interrupt Status is clear while the ISR status is 0");
    if (!Serve(c, queues[n % queues.size()], n)) return;
    c.Do(op::WaitLine{1});
    ReadPci(c, pci::kStatus, 2);
    c.Expect(Set(pci::kStatusInterrupt), kStatusBit,
             "Interrupt Status is set while the ISR status is not 0");
    TakeInterrupt(c);
  }
}

void DisableInterrupt(Context& c, bool disable) {
  const uint64_t command = ReadPci(c, pci::kCommand, 2);
  const uint64_t bit = pci::kCommandIntxDisable;
  WritePci(c, pci::kCommand, 2, disable ? command | bit : command & ~bit);
}

void ObeysInterruptDisable(Context& c) {
  const uint32_t queue = UpOnLine(c).front();
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    // Disabled before there is an interrupt, or while there is one.
    const bool before = n % 2 == 0;
    if (before) DisableInterrupt(c, true);
    if (!Serve(c, queue, n)) return;
    if (!before) {
      c.Do(op::WaitLine{1});
      DisableInterrupt(c, true);
    }
    c.Do(op::WaitRegister{"pci", pci::kStatus, 2, pci::kStatusInterrupt, pci::kStatusInterrupt});
    c.Expect(Set(pci::kStatusInterrupt), kStatusBit,
             "Interrupt Status is set also while Interrupt Disable is");
    c.Do(op::Quiesce{});
    c.Do(op::WaitLine{0});
    c.Expect(Accept::Equal(0), kDisable, "INTx is not asserted while Interrupt Disable is set");
    DisableInterrupt(c, false);
    c.Do(op::WaitLine{1});
    c.Expect(Accept::Equal(1), kDisable,
             "INTx is asserted when Interrupt Disable is cleared and an interrupt waits");
    ReadIsr(c);
    c.Expect(Set(virtio_pci::kIsrQueue), kKept,
             "Interrupt Disable takes nothing away from the ISR status");
    TakeInterrupt(c);
  }
}

void EndsWithReset(Context& c) {
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    const uint32_t queue = UpOnLine(c).back();
    if (!Serve(c, queue, n)) return;
    c.Do(op::WaitLine{1});
    c.Reset();
    c.Do(op::WaitLine{0});
    c.Expect(Accept::Equal(0), kEndsWithReset, "INTx is not asserted after a reset");
    ReadIsr(c);
    c.Advise(Accept::Equal(0), kEndsWithReset, "the ISR status is 0 after a reset");
    c.Do(op::Quiesce{});
    c.Do(op::ReadLine{});
    c.Expect(Accept::Equal(0), kEndsWithReset, "INTx stays de-asserted after a reset");
  }
}

void IsSuppressedByFlags(Context& c) {
  const uint32_t queue = UpOnLine(c).front();
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    c.Do(op::SetAvailFlags{queue, split::kAvailNoInterrupt});
    if (!Serve(c, queue, n)) return;
    c.Do(op::Quiesce{});
    c.Do(op::ReadLine{});
    c.Expect(Accept::Equal(0), kSuppressed, "INTx is not asserted while the flags are 1");
    TakeInterrupt(c);
    c.Do(op::SetAvailFlags{queue, 0});
    if (!Serve(c, queue, n)) return;
    c.Do(op::WaitLine{1});
    c.Expect(Accept::Equal(1), kLevel, "INTx is asserted again once the flags are 0");
    TakeInterrupt(c);
  }
}

void HasAFallback(Context& c) {
  RequireMsix(c);
  ReadPci(c, pci::kInterruptPin, 1);
  c.Note(Accept::Range(1, 4), kFallback, "a driver without MSI-X can use INTx");
}

}  // namespace

void AddPciInterruptChecks(std::vector<Check>& list) {
  const Needs requests = {.abilities = {Ability::kPciFunction}, .requests = true};
  const Needs stimulus = {.abilities = {Ability::kPciFunction, Ability::kStimulus},
                          .requests = true};
  list.push_back({
      .id = "pci.isr.queue-bit",
      .title = "The Queue Interrupt bit is set when INTx tells of a used buffer",
      .section = "4.1.4.5",
      .requirements = {kQueueBit, kLevel},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:isr-bits-swapped", "blk,level=pci:isr-not-set",
                 "entropy,level=pci:isr-bits-swapped", "experimental,level=pci:isr-not-set"},
      .run = SetsTheQueueBit,
  });
  list.push_back({
      .id = "pci.isr.read-clears",
      .title = "Reading the ISR status leaves it at 0",
      .section = "4.1.4.5",
      .requirements = {kReadClears},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:isr-not-cleared", "experimental,level=pci:isr-not-cleared"},
      .run = ReadingClears,
  });
  list.push_back({
      .id = "pci.isr.kept-until-read",
      .title = "Nothing but a read of the ISR status takes its bits away",
      .section = "4.1.4.5",
      .requirements = {kKept},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:isr-cleared-early", "experimental,level=pci:isr-cleared-early"},
      .run = IsKeptUntilRead,
  });
  list.push_back({
      .id = "pci.isr.config-bit",
      .title = "The Device Configuration Interrupt bit is set when INTx tells of a change",
      .section = "4.1.5.4",
      .requirements = {kConfigBit, kConfigNotified},
      .tags = {"pci"},
      .needs = stimulus,
      .faults = {"blk,level=pci:isr-config-not-set", "blk,level=pci:isr-bits-swapped"},
      .run = SetsTheConfigBit,
  });
  list.push_back({
      .id = "pci.isr.both-bits",
      .title = "Interrupts of both kinds show together in the ISR status",
      .section = "4.1.5.4",
      .requirements = {kKept, kConfigNotified},
      .tags = {"pci"},
      .needs = stimulus,
      .faults = {"blk,level=pci:isr-bits-overwritten",
                 "experimental,level=pci:isr-bits-overwritten"},
      .run = KeepsBothBits,
  });
  list.push_back({
      .id = "pci.isr.config-bit-with-messages",
      .title = "The Device Configuration Interrupt bit is set with MSI-X as well",
      .section = "4.1.4.5",
      .requirements = {kConfigBit},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction, Ability::kStimulus}, .requests = true},
      .faults = {"blk,level=pci:isr-config-not-set"},
      .run = SetsTheConfigBitWithMessages,
  });
  list.push_back({
      .id = "pci.isr.silent-at-first",
      .title = "A device without anything to tell sends no interrupt",
      .section = "4.1.4.5",
      .requirements = {"derived.notification.spurious-config",
                       "derived.notification.spurious-used"},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:config-change-spurious"},
      .run = IsSilentAtFirst,
  });
  list.push_back({
      .id = "pci.intx.level",
      .title = "INTx is asserted from the interrupt on until the ISR status is read",
      .section = "4.1.4.5",
      .requirements = {kLevel},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:intx-edge", "blk,level=pci:intx-stuck",
                 "entropy,level=pci:intx-stuck"},
      .run = HoldsTheLine,
  });
  list.push_back({
      .id = "pci.intx.status-bit",
      .title = "Interrupt Status of the PCI Status register goes with the ISR status",
      .section = "4.1.4.5",
      .requirements = {kStatusBit},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:pci-status-interrupt-missing"},
      .run = ShowsInPciStatus,
  });
  list.push_back({
      .id = "pci.intx.disabled",
      .title = "Interrupt Disable of the PCI Command register masks INTx and nothing else",
      .section = "4.1.4.5",
      .requirements = {kDisable, kStatusBit, kKept},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:intx-ignores-disable",
                 "blk,level=pci:pci-status-interrupt-missing"},
      .run = ObeysInterruptDisable,
  });
  list.push_back({
      .id = "pci.intx.ends-with-reset",
      .title = "An interrupt that was not taken ends with a device reset",
      .section = "4.1.4.5",
      .requirements = {kEndsWithReset},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:intx-kept-over-reset", "entropy,level=pci:intx-kept-over-reset"},
      .run = EndsWithReset,
  });
  list.push_back({
      .id = "pci.intx.flags-1.silent",
      .title = "While the available ring's flags are 1, INTx is not asserted",
      .section = "2.7.7",
      .requirements = {kSuppressed, kLevel},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:no-interrupt-flag-ignored"},
      .run = IsSuppressedByFlags,
  });
  list.push_back({
      .id = "pci.intx.fallback",
      .title = "A device with MSI-X has an interrupt pin as well",
      .section = "4.1.5.1.2",
      .requirements = {kFallback},
      .tags = {"pci", "advice"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:interrupt-pin-missing"},
      .run = HasAFallback,
  });
}

}  // namespace vitro
