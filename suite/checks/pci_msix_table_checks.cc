// SPDX-License-Identifier: Apache-2.0
// Checks of what PCI gives a driver to hold messages back and to redirect them: the masks, pending
// bits and entries of MSI-X, as the messages of a virtio device are subject to them (4.1.5.1.2).
#include <algorithm>

#include "harness/transport/interrupt_plans.h"
#include "suite/checks/chapters.h"
#include "suite/checks/pci_interrupts.h"

namespace vitro {
namespace {

using namespace interrupt_checks;  // NOLINT(google-build-using-namespace)

constexpr const char* kMasked = "derived.pci.masked";
constexpr const char* kEntry = "derived.pci.table-entry";
constexpr const char* kArrives = "derived.pci.message-arrives";
constexpr const char* kMaskedAtFirst = "derived.pci.vectors-masked-at-first";
constexpr const char* kSurvives = "derived.reset.recovers";

constexpr uint64_t kRounds = 3;
constexpr uint32_t kFields[] = {0, 4, pci::kMsixEntryData};  // address, its upper half, data

// Masks or unmasks one vector, or with `whole` all of the function's.
void Mask(Context& c, const Msix& msix, uint32_t vector, bool whole, bool masked) {
  if (whole) {
    const uint32_t at = msix.position + pci::kMsixControl;
    const uint64_t control = ReadPci(c, at, 2), bit = pci::kMsixFunctionMask;
    WritePci(c, at, 2, masked ? control | bit : control & ~bit);
    return;
  }
  const uint64_t at = uint64_t{vector} * pci::kMsixEntryBytes + pci::kMsixEntryControl;
  const uint64_t control = c.Do(op::ReadRegister{"msix", at, 4}).value, bit = pci::kMsixEntryMasked;
  c.Do(op::WriteRegister{"msix", at, 4, masked ? control | bit : control & ~bit});
}

// Waits until the pending bit has that value, and judges it.
void ExpectPending(Context& c, uint32_t vector, bool pending, const std::string& because) {
  const uint64_t bit = uint64_t{1} << vector % 32, value = pending ? bit : 0;
  c.Do(op::WaitRegister{"pba", vector / 32 * 4, 4, bit, value});
  c.Expect(Accept::Masked(bit, value), kMasked, because);
}

// An event of a masked vector: it waits, and is told of once when the mask goes.
template <typename Event>
void HoldsBack(Context& c, const Msix& msix, uint32_t vector, bool whole, Event event) {
  ForgetMessages(c, msix);
  Mask(c, msix, vector, whole, true);
  if (!event()) return;
  ExpectPending(c, vector, true, "the pending bit of a masked vector is set instead of a message");
  c.Do(op::Quiesce{});
  c.Do(op::WaitMessages{vector, 0});
  c.Expect(Accept::Equal(0), kMasked, "a masked vector sends no message");
  Mask(c, msix, vector, whole, false);
  c.Do(op::WaitMessages{vector, 1});
  c.Expect(Accept::NotEqual(0), kMasked, "a pending message is sent once the mask is taken away");
  ExpectPending(c, vector, false, "the pending bit is cleared when the message was sent");
  c.Do(op::Quiesce{});
  c.Do(op::WaitMessages{vector, 0});
  // A second one may have a reason of its own.
  c.Advise(Accept::Equal(0), kMasked, "a pending message is sent once");
}

void Masks(Context& c, bool whole) {
  const Msix msix = RequireMsix(c);
  const auto queues = UpWithMessages(c, interrupts::kPerQueue, false);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n)
    for (const uint32_t queue : queues) {
      const uint16_t vector = QueueVector(c, queue);
      if (vector == virtio_pci::kNoVector) c.NotApplicable("the device mapped no vector");
      HoldsBack(c, msix, vector, whole, [&] { return Serve(c, queue, n); });
      if (c.failed()) return;
      // And without the mask as before.
      if (!Serve(c, queue, n)) return;
      c.Do(op::WaitMessages{vector, 1});
      c.Expect(Accept::NotEqual(0), kArrives, "messages come as before the mask");
    }
}

void MasksChanges(Context& c) {
  const Msix msix = RequireMsix(c);
  UpWithMessages(c, interrupts::kPerQueue, false);
  const uint16_t vector = ConfigVector(c);
  if (vector == virtio_pci::kNoVector) c.NotApplicable("the device mapped no vector");
  c.Do(op::Quiesce{});
  c.Do(op::WaitMessages{vector, 0});
  Stimulate(c);
  if (c.Do(op::WaitMessages{vector, 1}).value == 0)
    c.NotApplicable("no notification came for a change");
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n)
    HoldsBack(c, msix, vector, n % 2 == 1, [&] {
      Stimulate(c);
      return true;
    });
}

// Many buffers are used behind the mask: one message is enough for all.
void MergesBehindTheMask(Context& c) {
  const Msix msix = RequireMsix(c);
  const uint32_t queue = UpWithMessages(c, interrupts::kPerQueue, false).front();
  const uint16_t vector = QueueVector(c, queue);
  if (vector == virtio_pci::kNoVector) c.NotApplicable("the device mapped no vector");
  constexpr uint64_t kBuffers = 4;
  ForgetMessages(c, msix);
  Mask(c, msix, vector, false, true);
  for (uint64_t n = 0; n < kBuffers; ++n)
    if (!Serve(c, queue, n)) return;
  ExpectPending(c, vector, true, "the pending bit of a masked vector is set instead of a message");
  // In quick succession: it is sent between the masks or after them.
  Mask(c, msix, vector, false, false);
  Mask(c, msix, vector, false, true);
  Mask(c, msix, vector, false, false);
  c.Do(op::WaitMessages{vector, 1});
  c.Expect(Accept::NotEqual(0), kMasked, "what was pending is sent once the mask is taken away");
  if (!Serve(c, queue, kBuffers)) return;
  c.Do(op::WaitMessages{vector, 1});
  c.Expect(Accept::NotEqual(0), kArrives, "messages come as before the mask");
}

// Table entries -----------------------------------------------------------------------------------

std::vector<uint64_t> ReadEntry(Context& c, uint32_t vector) {
  std::vector<uint64_t> fields;
  for (const uint32_t field : kFields)
    fields.push_back(
        c.Do(op::ReadRegister{"msix", uint64_t{vector} * pci::kMsixEntryBytes + field, 4}).value);
  return fields;
}

void WriteEntry(Context& c, uint32_t vector, const std::vector<uint64_t>& fields) {
  for (size_t i = 0; i < std::size(kFields); ++i)
    c.Do(op::WriteRegister{"msix", uint64_t{vector} * pci::kMsixEntryBytes + kFields[i], 4,
                           fields[i]});
}

// A message is made of the table entry as it is when it is sent.
void FollowsTheEntry(Context& c) {
  const Msix msix = RequireMsix(c);
  const uint32_t queue = UpWithMessages(c, interrupts::kPerQueue, false).front();
  const uint16_t vector = QueueVector(c, queue), other = ConfigVector(c);
  if (vector == virtio_pci::kNoVector || other == virtio_pci::kNoVector || vector == other)
    c.NotApplicable("the device has no two vectors to change between");
  const auto own = ReadEntry(c, vector), others = ReadEntry(c, other);
  for (uint64_t n = 0; n < 2 * kRounds && !c.failed(); ++n) {
    const bool away = n % 2 == 0;     // to where the other vector's messages go, or back
    const bool waiting = n % 4 >= 2;  // it is changed while a message waits
    ForgetMessages(c, msix);
    Mask(c, msix, vector, false, true);
    if (waiting) {
      if (!Serve(c, queue, n)) return;
      ExpectPending(c, vector, true,
                    "the pending bit of a masked vector is set instead of a message");
    }
    WriteEntry(c, vector, away ? others : own);
    Mask(c, msix, vector, false, false);
    if (!waiting && !Serve(c, queue, n)) return;
    c.Do(op::WaitMessages{away ? other : vector, 1});
    c.Expect(Accept::NotEqual(0), kEntry, "a message goes where its table entry says");
    if (!away) continue;
    c.Do(op::WaitMessages{vector, 0});
    c.Expect(Accept::Equal(0), kEntry, "no message goes where its table entry said before");
  }
}

// A driver may map a vector first and fill its entry later.
void TakesALateEntry(Context& c) {
  const Msix msix = RequireMsix(c);
  uint32_t queue = UpWithMessages(c, interrupts::kPerQueue, false).front();
  const uint16_t vector = QueueVector(c, queue);
  if (vector == virtio_pci::kNoVector) c.NotApplicable("the device mapped no vector");
  const auto own = ReadEntry(c, vector);
  c.Reset();
  Mask(c, msix, vector, false, true);
  WriteEntry(c, vector, {0, 0, 0});
  queue = UpWithPlan(c, interrupts::kPerQueue, false).front();
  QueueVector(c, queue);
  c.Expect(Accept::Equal(vector), kEntry, "a vector is mapped whose table entry is empty");
  WriteEntry(c, vector, own);
  Mask(c, msix, vector, false, false);
  ForgetMessages(c, msix);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    if (!Serve(c, queue, n)) return;
    c.Do(op::WaitMessages{vector, 1});
    c.Expect(Accept::NotEqual(0), kEntry, "messages go where the entry says that was filled later");
  }
}

// The state after power-on ------------------------------------------------------------------------

void ExpectAllMasked(Context& c, uint32_t vectors, const std::string& when) {
  for (const uint32_t vector : QueuesToTry(vectors)) {
    c.Do(op::ReadRegister{"msix", uint64_t{vector} * pci::kMsixEntryBytes + pci::kMsixEntryControl,
                          4});
    c.Expect(Accept::Masked(pci::kMsixEntryMasked, pci::kMsixEntryMasked), kMaskedAtFirst,
             fmt::format("vector {} is masked {}", vector, when));
  }
}

// Nobody has filled an entry yet.
void MaskedAtFirst(Context& c) {
  const Msix msix = RequireMsix(c);
  ExpectAllMasked(c, msix.vectors, "at first");
}

void MaskedAfterFunctionReset(Context& c) {
  const Msix msix = RequireMsix(c);
  c.Up({.prepare = false});
  for (const uint32_t vector : QueuesToTry(msix.vectors)) Mask(c, msix, vector, false, false);
  FunctionLevelReset(c);
  ExpectAllMasked(c, msix.vectors, "after a function level reset");
}

// PCI lets drivers read and write whole aligned dwords and qwords of the table alone; what other
// accesses do is undefined. MSI-X is off meanwhile: no message goes where they may point.
void SurvivesOddAccesses(Context& c) {
  const Msix msix = RequireMsix(c);
  c.Do(op::Interrupts{std::string(interrupts::kPolling)});
  c.Up();
  c.BeginHostile();
  const uint64_t table = uint64_t{msix.vectors} * pci::kMsixEntryBytes;
  const uint64_t pending = (msix.vectors + 63) / 64 * 8;
  for (const auto& [region, end] : {std::pair("msix", table), {"pba", pending}})
    for (const uint64_t from : {uint64_t{0}, end - std::min(end, uint64_t{16})})
      for (uint64_t at = from; at < std::min(end, from + 16); ++at)
        for (const uint32_t width : {1u, 2u, 4u, 8u}) {
          if (width >= 4 && at % width == 0) continue;
          c.Do(op::ReadRegister{region, at, width});
          for (const uint64_t value : {UINT64_MAX, uint64_t{0}})
            c.Do(op::WriteRegister{region, at, width, value});
        }
  c.Do(op::Quiesce{});
  c.ExpectSurvives();
}

}  // namespace

void AddPciMsixTableChecks(std::vector<Check>& list) {
  const Needs requests = {.abilities = {Ability::kPciFunction}, .requests = true};
  list.push_back({
      .id = "pci.msix.masked-vector",
      .title = "The message of a masked vector waits until the mask is taken away",
      .section = "4.1.5.1.2",
      .requirements = {kMasked, kArrives},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:message-lost-on-masked", "blk,level=pci:message-sent-while-masked",
                 "blk,level=pci:pending-not-shown", "blk,level=pci:pending-not-cleared"},
      .run = [](Context& c) { Masks(c, false); },
  });
  list.push_back({
      .id = "pci.msix.masked-function",
      .title = "Messages wait while all vectors of the function are masked",
      .section = "4.1.5.1.2",
      .requirements = {kMasked, kArrives},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:function-mask-ignored", "entropy,level=pci:function-mask-ignored"},
      .run = [](Context& c) { Masks(c, true); },
  });
  list.push_back({
      .id = "pci.msix.masked-config",
      .title = "The message of a configuration change waits while its vector is masked",
      .section = "4.1.5.4",
      .requirements = {kMasked},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction, Ability::kStimulus}, .requests = true},
      .faults = {"blk,level=pci:message-lost-on-masked",
                 "experimental,level=pci:pending-not-cleared"},
      .run = MasksChanges,
  });
  list.push_back({
      .id = "pci.msix.masked-many",
      .title = "Used buffers behind a mask are told of by one message at least",
      .section = "4.1.5.1.2",
      .requirements = {kMasked, kArrives},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:message-lost-on-masked"},
      .run = MergesBehindTheMask,
  });
  list.push_back({
      .id = "pci.msix.entry-changed",
      .title = "Messages go where the table entry says at that time",
      .section = "4.1.5.1.2",
      .requirements = {kEntry, kMasked},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:msix-entry-latched"},
      .run = FollowsTheEntry,
  });
  list.push_back({
      .id = "pci.msix.entry-late",
      .title = "A vector may be mapped before its table entry is filled",
      .section = "4.1.5.1.2",
      .requirements = {kEntry},
      .tags = {"pci", "odd"},
      .needs = requests,
      .faults = {"blk,level=pci:msix-entry-latched"},
      .run = TakesALateEntry,
  });
  list.push_back({
      .id = "pci.msix.masked-at-first",
      .title = "All vectors are masked as long as nobody has filled their entries",
      .section = "4.1.5.1.2",
      .requirements = {kMaskedAtFirst},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:msix-unmasked-at-first"},
      .run = MaskedAtFirst,
  });
  list.push_back({
      .id = "pci.msix.masked-after-flr",
      .title = "All vectors are masked after a function level reset",
      .section = "4.1.5.1.2",
      .requirements = {kMaskedAtFirst},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction, Ability::kReset}},
      .faults = {"blk,level=pci:msix-table-survives-flr", "blk,level=pci:msix-unmasked-at-first"},
      .run = MaskedAfterFunctionReset,
  });
  list.push_back({
      .id = "pci.msix.odd-accesses",
      .title = "Accesses to the MSI-X table in other pieces than PCI allows are survived",
      .section = "4.1.5.1.2",
      .requirements = {kSurvives},
      .tags = {"pci", "hostile"},
      .needs = {.abilities = {Ability::kPciFunction, Ability::kReset}, .requests = true},
      .faults = {"blk,level=pci:msix-odd-access-crash"},
      .run = SurvivesOddAccesses,
  });
}

}  // namespace vitro
