// SPDX-License-Identifier: Apache-2.0
// Checks of drivers that break the rules of split virtqueues (2.7): indices, chains, addresses,
// indirect tables, both rings. The verdict is Aftermath()'s, and the oracle's on memory.
#include <algorithm>
#include <string>

#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/hostile_driver.h"

namespace vitro {
namespace {

using Chain = Virtqueue::Chain;

constexpr const char* kOutside = "derived.memory.outside-buffers";
constexpr uint16_t kNext = split::kDescNext, kWrite = split::kDescWrite;
constexpr uint16_t kIndirect = split::kDescIndirect;

// Changes the i-th descriptor of a held chain.
template <typename Change>
void Spoil(Context& c, const Siege& siege, const Chain& chain, size_t i, Change change) {
  op::RawDescriptor raw = DescriptorOf(siege, chain, i);
  change(raw);
  c.Do(raw);
}

// A trap in the entry beyond the descriptor table, where guard bytes leave room for it. It goes on
// in the last entry of the table, so that one index is wrong and no other.
void SetTrapBeyondTable(Context& c, const Siege& siege) {
  const uint64_t end = c.session().state().queues.at(siege.queue)->DescriptorArea().end();
  SetTrap(c, siege, end, end - split::kDescSize, siege.size - 1);
}

void Kick(Context& c, const Siege& siege) {
  if (Dare(c, op::Notify{siege.queue}))
    Aftermath(c, siege);
  else
    c.ExpectSurvives();
}

// Heads and the available index -------------------------------------------------------------------

void HeadBeyondTable(Context& c) {
  const Siege siege = Besiege(c);
  SetTrapBeyondTable(c, siege);
  c.Do(op::RawAvailable{siege.queue, static_cast<uint16_t>(siege.size), 1});
  Kick(c, siege);
}

void HeadFarBeyondTable(Context& c) {
  const Siege siege = Besiege(c);
  c.Do(op::RawAvailable{siege.queue, 0xffff, 1});
  Kick(c, siege);
}

void HeadTwice(Context& c) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  c.Do(op::RawAvailable{siege.queue, chain.id, 1});
  Kick(c, siege);
}

// What an available index that is `step` ahead makes a device do.
void AvailableIndexJumps(Context& c, uint16_t step) {
  Siege siege = Besiege(c, {}, 4);
  siege.may_go_on = false;
  const Chain chain = Hold(c, siege);
  const uint64_t before = c.Do(op::ReadUsedIdx{siege.queue}).value;
  c.Do(op::RawAvailable{siege.queue, chain.id, static_cast<uint16_t>(step - 1)});
  if (!Dare(c, op::Notify{siege.queue}) || !Dare(c, op::Quiesce{})) return c.ExpectSurvives();
  c.Do(op::ReadUsedIdx{siege.queue});
  c.Advise(Accept::Range(before, before + siege.size), "derived.used.index-jump",
           "the used index does not move further than the ring is long");
  Aftermath(c, siege);
}

void AvailableIndexAhead(Context& c) { AvailableIndexJumps(c, 5); }
void AvailableIndexFarAhead(Context& c) { AvailableIndexJumps(c, 0x8000); }
void AvailableIndexBack(Context& c) { AvailableIndexJumps(c, 0xffff); }

// Next fields -------------------------------------------------------------------------------------

void NextBeyondTable(Context& c) {
  const Siege siege = Besiege(c);
  SetTrapBeyondTable(c, siege);
  const Chain chain = Hold(c, siege);
  Spoil(c, siege, chain, 0, [&](auto& raw) { raw.next = static_cast<uint16_t>(siege.size); });
  Unleash(c, siege);
}

void NextFarBeyondTable(Context& c) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  Spoil(c, siege, chain, 0, [](auto& raw) { raw.next = 0xffff; });
  Unleash(c, siege);
}

void LoopOfOne(Context& c) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  Spoil(c, siege, chain, 0, [&](auto& raw) { raw.next = raw.index; });
  Unleash(c, siege);
}

void LoopOfTwo(Context& c) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  Spoil(c, siege, chain, 1, [&](auto& raw) {
    raw.flags |= kNext;
    raw.next = chain.id;
  });
  Unleash(c, siege);
}

void LoopAtTheEnd(Context& c) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  Spoil(c, siege, chain, chain.descriptors.size() - 1, [&](auto& raw) {
    raw.flags |= kNext;
    raw.next = raw.index;
  });
  Unleash(c, siege);
}

// All descriptors of the table in one ring, each with one byte of the request.
void LoopOfQueueSize(Context& c) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  const uint16_t flags = static_cast<uint16_t>(kNext | (chain.segments[0].writable ? kWrite : 0));
  for (uint32_t i = 0; i < siege.size; ++i)
    c.Do(op::RawDescriptor{siege.queue, i, chain.segments[0].address, 1, flags,
                           static_cast<uint16_t>((i + 1) % siege.size)});
  Unleash(c, siege);
}

// A chain of 2^32 bytes and more, each descriptor of which has the same large buffer (2.7.5.2).
void ChainTooLong(Context& c) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  for (size_t i = 0; i < chain.descriptors.size(); ++i)
    Spoil(c, siege, chain, i, [&](auto& raw) {
      raw.address = EndOfMemory(c) - 4096;
      raw.length = 0xffffffff;
      raw.flags &= kNext;
    });
  Unleash(c, siege);
}

// Buffers -----------------------------------------------------------------------------------------

void ReadableAfterWritable(Context& c) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  const op::Segment last = chain.segments.back();
  if (!last.writable) c.NotApplicable("the requests of this device have no device-writable part");
  if (chain.segments.front().writable) {
    Spoil(c, siege, chain, chain.descriptors.size() - 1, [](auto& raw) { raw.flags ^= kWrite; });
  } else {
    Spoil(c, siege, chain, 0, [&](auto& raw) {
      raw.flags |= kWrite;
      raw.address = last.address;
      raw.length = std::min(raw.length, last.length);
    });
  }
  Unleash(c, siege);
}

void ZeroLength(Context& c) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  for (size_t i = 0; i < chain.descriptors.size(); ++i)
    Spoil(c, siege, chain, i, [](auto& raw) { raw.length = 0; });
  Unleash(c, siege);
}

// Spoils one descriptor's address, in a chain of its own each time.
void BadAddress(Context& c, size_t descriptor, uint64_t address, uint32_t length) {
  const Siege siege = Besiege(c);
  const Chain chain = Hold(c, siege);
  Spoil(c, siege, chain, std::min(descriptor, chain.descriptors.size() - 1), [&](auto& raw) {
    raw.address = address;
    if (length != UINT32_MAX) raw.length = length;
  });
  Unleash(c, siege);
}

constexpr size_t kHead = 0, kTail = SIZE_MAX;
constexpr uint32_t kSameLength = UINT32_MAX;

void HeadAtZero(Context& c) { BadAddress(c, kHead, 0, kSameLength); }
void TailAtZero(Context& c) { BadAddress(c, kTail, 0, kSameLength); }
void HeadInTheHole(Context& c) { BadAddress(c, kHead, EndOfMemory(c) + 4096, kSameLength); }
void TailInTheHole(Context& c) { BadAddress(c, kTail, EndOfMemory(c) + 4096, kSameLength); }
void HeadWraps(Context& c) { BadAddress(c, kHead, UINT64_MAX - 3, kSameLength); }
void TailWraps(Context& c) { BadAddress(c, kTail, UINT64_MAX - 3, kSameLength); }
void ZeroLengthInTheHole(Context& c) { BadAddress(c, kTail, EndOfMemory(c) + 4096, 0); }
void TailAtTheTop(Context& c) { BadAddress(c, kTail, UINT64_MAX, 1); }

// The last buffer begins in memory, ends with its last byte, and claims `more` bytes beyond.
void BeyondTheEnd(Context& c, uint32_t length) {
  const Siege siege = Besiege(c);
  Framing framing{{8}, {8}};
  framing.at_end = true;
  const Chain chain = Hold(c, siege, framing);
  Spoil(c, siege, chain, chain.descriptors.size() - 1,
        [&](auto& raw) { raw.length = length == 0 ? raw.length + 512 : length; });
  Unleash(c, siege);
}

void StraddlesTheEnd(Context& c) { BeyondTheEnd(c, 0); }
void HugeLength(Context& c) { BeyondTheEnd(c, 0xffffff00); }
void NegativeLength(Context& c) { BeyondTheEnd(c, 0x80000000); }

// Indirect tables ---------------------------------------------------------------------------------

// A request in an indirect table, with the descriptor that refers to the table changed.
template <typename Change>
void BadTable(Context& c, Change change) {
  const Siege siege = Besiege(c, {feature::kIndirectDesc});
  Framing framing{{8}, {8}};
  framing.direct = 0;
  const Chain chain = Hold(c, siege, framing);
  Spoil(c, siege, chain, 0, [&](auto& raw) { change(siege, chain, raw); });
  Unleash(c, siege);
}

void TableEmpty(Context& c) {
  BadTable(c, [](auto&, auto&, auto& raw) { raw.length = 0; });
}
void TableLengthOdd(Context& c) {
  BadTable(c, [](auto&, auto&, auto& raw) { raw.length -= 8; });
}
void TableLengthTiny(Context& c) {
  BadTable(c, [](auto&, auto&, auto& raw) { raw.length = 1; });
}
void TableLengthHuge(Context& c) {
  BadTable(c, [](auto&, auto&, auto& raw) { raw.length = 0xfffffff0; });
}
void TableInTheHole(Context& c) {
  BadTable(c, [&](auto&, auto&, auto& raw) { raw.address = EndOfMemory(c) + 4096; });
}
void TableStraddlesTheEnd(Context& c) {
  BadTable(c, [&](auto&, auto&, auto& raw) { raw.address = EndOfMemory(c) - 8; });
}
void TableWraps(Context& c) {
  BadTable(c, [](auto&, auto&, auto& raw) { raw.address = UINT64_MAX - 15; });
}
void TableWithNext(Context& c) {
  BadTable(c, [](auto& siege, auto&, auto& raw) {
    raw.flags |= kNext;
    raw.next = static_cast<uint16_t>((raw.index + 1) % siege.size);
  });
}
void TableLoops(Context& c) {
  BadTable(c, [&](auto&, auto& chain, auto&) {
    const auto& first = chain.segments[0];
    c.Do(op::Write{
        chain.table.address,
        EncodeDescriptor(first.address, first.length,
                         static_cast<uint16_t>(kNext | (first.writable ? kWrite : 0)), 0)});
  });
}
void TableNextBeyond(Context& c) {
  BadTable(c, [&](auto& siege, auto& chain, auto&) {
    const auto& first = chain.segments[0];
    const auto beyond = static_cast<uint16_t>(chain.segments.size());
    SetTrap(c, siege, chain.table.end(), chain.table.end() + split::kDescSize, beyond + 1u);
    c.Do(op::Write{
        chain.table.address,
        EncodeDescriptor(first.address, first.length,
                         static_cast<uint16_t>(kNext | (first.writable ? kWrite : 0)), beyond)});
  });
}
// The first entry refers to its own table.
void TableNested(Context& c) {
  BadTable(c, [&](auto&, auto& chain, auto&) {
    c.Do(op::Write{chain.table.address,
                   EncodeDescriptor(chain.table.address, static_cast<uint32_t>(chain.table.length),
                                    kIndirect, 0)});
  });
}
// The last entry refers to another table.
void TableNestedLast(Context& c) {
  BadTable(c, [&](auto&, auto& chain, auto&) {
    const size_t last = chain.segments.size() - 1;
    const uint64_t inner = c.Allocate(split::kDescSize);
    c.Do(op::Write{inner, TableEntry(chain, last)});
    c.Do(op::Write{chain.table.address + last * split::kDescSize,
                   EncodeDescriptor(inner, split::kDescSize, kIndirect, 0)});
  });
}

void TableNotNegotiated(Context& c) {
  const Siege siege = Besiege(c);
  Framing framing{{8}, {8}};
  framing.direct = 0;
  Hold(c, siege, framing);
  Unleash(c, siege);
}

// The used ring, and several queues ---------------------------------------------------------------

// The driver writes where only the device may. A device keeps its own index; one that reads it back
// goes on from the driver's.
void UsedIndexScribbled(Context& c) {
  constexpr uint16_t kScribble = 0x4321;
  const Siege siege = Besiege(c);
  const uint64_t ring = c.session().state().queues.at(siege.queue)->layout().device;
  c.Submit(*c.grammar().RequestOn(siege.queue, 1), "derived.used.progress");
  const uint64_t own = c.Do(op::ReadUsedIdx{siege.queue}).value;
  Hold(c, siege);
  c.Do(op::TakeNotifications{siege.queue});
  c.Do(op::Write{ring + split::kRingIdx, LeBytes(kScribble, 2)});
  c.Do(op::Expose{siege.queue});
  if (!Dare(c, op::Notify{siege.queue})) return c.ExpectSurvives();
  // Not by the used index, which says nothing now. None comes where the device has given up.
  c.Do(op::WaitNotifications{siege.queue, 1});
  c.Do(op::ReadUsedIdx{siege.queue});
  c.Advise(Accept::In({own + 1, kScribble}), "derived.used.index-jump",
           "the device goes on with its own used index, whatever a driver wrote over it");
  c.ExpectSurvives();
}

void UsedRingScribbled(Context& c) {
  const Siege siege = Besiege(c);
  const GuestRange ring = c.session().state().queues.at(siege.queue)->DeviceArea();
  c.Do(op::Fill{ring.address + split::kRingEntries, ring.length - split::kRingEntries, 2});
  c.Do(op::Write{ring.address, Bytes{0xff, 0xff}});
  Hold(c, siege);
  Unleash(c, siege);
}

void SecondQueueBroken(Context& c) {
  const Siege siege = Besiege(c, {}, 0, true);
  const Chain chain = Hold(c, siege);
  Spoil(c, siege, chain, 0, [&](auto& raw) { raw.next = raw.index; });
  Unleash(c, siege);
}

// -------------------------------------------------------------------------------------------------

struct Case {
  const char* id;
  const char* title;
  void (*run)(Context&);
  std::vector<std::string> faults;
};

// All of these have the same needs and requirements.
void AddCases(std::vector<Check>& list, const char* section, const Needs& needs,
              const std::vector<Case>& cases) {
  for (const Case& each : cases)
    list.push_back({
        .id = std::string("hostile.") + each.id,
        .title = each.title,
        .section = section,
        .requirements = {"derived.alive.no-crash", "derived.alive.no-hang", kOutside,
                         "derived.alive.siblings", "derived.reset.recovers",
                         "dev.basic.device-status-field.3"},
        .tags = {"hostile"},
        .needs = needs,
        .faults = each.faults,
        .run = each.run,
    });
}

const std::vector<Case>& AvailableRingCases() {
  static const std::vector<Case> cases = {
      {"head.beyond-table",
       "A head that is the queue size is not followed",
       HeadBeyondTable,
       {"head-unchecked", "entropy:head-unchecked", "experimental:head-unchecked",
        "needs-reset-silent", "error-survives-reset"}},
      {"head.far-beyond-table",
       "The head 65535 is not followed",
       HeadFarBeyondTable,
       {"error-survives-reset"}},
      {"head.twice",
       "The same head made available twice does no harm",
       HeadTwice,
       {"crash-on-notify"}},
      {"available-index.ahead",
       "An available index too far ahead is not followed",
       AvailableIndexAhead,
       {"avail-jump-served", "needs-reset-silent"}},
      {"available-index.far-ahead",
       "An available index 32768 ahead is not followed",
       AvailableIndexFarAhead,
       {"avail-jump-served", "error-survives-reset"}},
      {"available-index.back",
       "An available index that goes back is not followed",
       AvailableIndexBack,
       {"avail-jump-served", "needs-reset-silent"}},
  };
  return cases;
}

const std::vector<Case>& ChainCases() {
  static const std::vector<Case> cases = {
      {"next.beyond-table",
       "A next field that is the queue size is not followed",
       NextBeyondTable,
       {"next-unchecked", "entropy:next-unchecked", "experimental:next-unchecked"}},
      {"next.far-beyond-table",
       "A next field of 65535 is not followed",
       NextFarBeyondTable,
       {"error-survives-reset"}},
      {"loop.of-one",
       "A descriptor that is its own successor ends somewhere",
       LoopOfOne,
       {"loop-hangs", "needs-reset-silent", "error-survives-reset"}},
      {"loop.of-two",
       "Two descriptors in a loop end somewhere",
       LoopOfTwo,
       {"loop-hangs", "entropy:loop-hangs"}},
      {"loop.at-the-end",
       "A chain whose last descriptor is its own successor ends somewhere",
       LoopAtTheEnd,
       {"loop-hangs", "experimental:loop-hangs"}},
      {"loop.of-queue-size",
       "A loop through the whole descriptor table ends somewhere",
       LoopOfQueueSize,
       {"loop-hangs"}},
      {"chain.too-long",
       "A chain of more than 2^32 bytes does no harm",
       ChainTooLong,
       {"bad-address-crash"}},
      {"chain.readable-after-writable",
       "Device-readable descriptors after writable ones do no harm",
       ReadableAfterWritable,
       {"error-survives-reset"}},
      {"length.zero", "Descriptors of no bytes do no harm", ZeroLength, {"hang-on-notify"}},
      {"length.huge",
       "A length of nearly 2^32 reaches no further than memory",
       HugeLength,
       {"bad-address-crash"}},
      {"length.negative",
       "A length of 2^31 reaches no further than memory",
       NegativeLength,
       {"bad-address-crash"}},
      {"address.head-at-zero",
       "A first buffer at address 0, which is no memory, is not used",
       HeadAtZero,
       {"bad-address-crash"}},
      {"address.tail-at-zero",
       "A last buffer at address 0, which is no memory, is not used",
       TailAtZero,
       {"bad-address-crash", "bad-address-writes-elsewhere"}},
      {"address.head-in-hole",
       "A first buffer above all memory is not used",
       HeadInTheHole,
       {"bad-address-crash"}},
      {"address.tail-in-hole",
       "A last buffer above all memory is not used",
       TailInTheHole,
       {"bad-address-crash", "bad-address-writes-elsewhere", "entropy:bad-address-writes-elsewhere",
        "experimental:bad-address-writes-elsewhere"}},
      {"address.head-wraps",
       "A first buffer that wraps around the address space is not used",
       HeadWraps,
       {"bad-address-crash"}},
      {"address.tail-wraps",
       "A last buffer that wraps around the address space is not used",
       TailWraps,
       {"bad-address-crash", "bad-address-writes-elsewhere"}},
      {"address.at-the-top",
       "A buffer at the last byte of the address space is not used",
       TailAtTheTop,
       {"bad-address-crash"}},
      {"address.zero-length-in-hole",
       "A buffer of no bytes outside memory does no harm",
       ZeroLengthInTheHole,
       {"crash-on-notify"}},
      {"address.straddles-the-end",
       "A buffer that begins in memory and ends outside is not used",
       StraddlesTheEnd,
       {"bad-address-crash", "bad-address-writes-elsewhere"}},
  };
  return cases;
}

const std::vector<Case>& TableCases() {
  static const std::vector<Case> cases = {
      {"indirect.empty",
       "An indirect table of no bytes does no harm",
       TableEmpty,
       {"indirect-bad-length-crash"}},
      {"indirect.odd-length",
       "An indirect table whose length is no multiple of 16 does no harm",
       TableLengthOdd,
       {"indirect-bad-length-crash"}},
      {"indirect.tiny",
       "An indirect table of one byte does no harm",
       TableLengthTiny,
       {"indirect-bad-length-crash"}},
      {"indirect.huge",
       "An indirect table of nearly 2^32 bytes does no harm",
       TableLengthHuge,
       {"hang-on-notify"}},
      {"indirect.in-hole",
       "An indirect table outside memory is not followed",
       TableInTheHole,
       {"bad-address-crash"}},
      {"indirect.straddles-the-end",
       "An indirect table that ends outside memory is not followed",
       TableStraddlesTheEnd,
       {"bad-address-crash"}},
      {"indirect.wraps",
       "An indirect table that wraps around the address space is not followed",
       TableWraps,
       {"error-survives-reset"}},
      {"indirect.with-next",
       "INDIRECT together with NEXT does no harm",
       TableWithNext,
       {"error-survives-reset"}},
      {"indirect.loop",
       "A loop inside an indirect table ends somewhere",
       TableLoops,
       {"loop-hangs"}},
      {"indirect.next-beyond",
       "A next field beyond the indirect table is not followed",
       TableNextBeyond,
       {"error-survives-reset"}},
      {"indirect.nested",
       "An indirect table that contains itself ends somewhere",
       TableNested,
       {"nested-indirect-followed", "entropy:nested-indirect-followed"}},
      {"indirect.nested-last",
       "An indirect table in the last entry of another does no harm",
       TableNestedLast,
       {"nested-indirect-followed"}},
  };
  return cases;
}

}  // namespace

void AddHostileChecks(std::vector<Check>& list) {
  AddCases(list, "2.7.6", {}, AvailableRingCases());
  AddCases(list, "2.7.5", {}, ChainCases());
  AddCases(list, "2.7.5.3", {.offered = {feature::kIndirectDesc}}, TableCases());
  AddCases(list, "2.7.5.3", {},
           {{"indirect.not-negotiated",
             "INDIRECT without the feature negotiated does no harm",
             TableNotNegotiated,
             {"error-survives-reset"}}});
  AddCases(list, "2.7.8", {.requests = true},
           {{"used-ring.index-overwritten",
             "A used index that the driver overwrote does not become the device's",
             UsedIndexScribbled,
             {"used-index-from-memory"}}});
  AddCases(list, "2.7.8", {},
           {{"used-ring.entries-overwritten",
             "Used entries that the driver overwrote do no harm",
             UsedRingScribbled,
             {"hang-on-notify"}}});
  AddCases(list, "2.7", {.requests = true, .queues = 2},
           {{"siblings.second-queue-broken",
             "A broken second queue leaves the first one working, or the device asks for a reset",
             SecondQueueBroken,
             {"error-stops-siblings", "experimental:error-stops-siblings"}}});
  AddHostileSetupChecks(list);
}

}  // namespace vitro
