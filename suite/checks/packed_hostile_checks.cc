// SPDX-License-Identifier: Apache-2.0
// Checks of drivers that break the rules of packed virtqueues (2.8): lists, addresses, indirect
// tables, buffer IDs, event suppression. The verdict is Aftermath()'s, and the oracle's on memory.
#include <algorithm>

#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/hostile_driver.h"

namespace vitro {
namespace {

constexpr const char* kRecovers = "derived.reset.recovers";
constexpr const char* kOutside = "derived.memory.outside-buffers";

// One descriptor as it is to be written, without the bits that make it available.
struct Entry {
  uint64_t address = 0;
  uint32_t length = 0;
  uint16_t id = 0, flags = 0;
};

Siege BesiegePacked(Context& c, FeatureSet with = {}) {
  c.UsePackedRings();
  return Besiege(c, with);
}

const Virtqueue& QueueOf(Context& c, const Siege& siege) {
  return *c.session().state().queues.at(siege.queue);
}

std::vector<Entry> EntriesOf(const Virtqueue::Chain& chain) {
  std::vector<Entry> entries;
  for (const op::Segment& segment : chain.segments)
    entries.push_back(
        {segment.address, segment.length, chain.id,
         static_cast<uint16_t>((segment.writable ? packed::kDescWrite : 0) | packed::kDescNext)});
  entries.back().flags &= static_cast<uint16_t>(~packed::kDescNext);
  return entries;
}

// Makes the entries available from where the driver stands on, the first one last, and notifies.
void Put(Context& c, const Siege& siege, const std::vector<Entry>& entries) {
  const Virtqueue& queue = QueueOf(c, siege);
  for (size_t i = entries.size(); i-- > 0;) {
    const uint16_t position = queue.PositionAfter(queue.avail_position(), static_cast<uint32_t>(i));
    op::RawDescriptor raw{
        siege.queue,  packed::SlotOf(position), entries[i].address, entries[i].length, 0,
        entries[i].id};
    raw.flags =
        static_cast<uint16_t>(entries[i].flags | packed::AvailableBits(packed::WrapOf(position)));
    c.Do(raw);
  }
  if (Dare(c, op::Notify{siege.queue}))
    Aftermath(c, siege);
  else
    c.ExpectSurvives();
}

// A legal request in two descriptors or more, and what `spoil` makes of it.
void PutSpoilt(Context& c, const std::function<void(std::vector<Entry>&)>& spoil,
               FeatureSet with = {}) {
  Siege siege = BesiegePacked(c, with);
  siege.may_go_on = false;  // the driver's own account of the ring is past that
  std::vector<Entry> entries = EntriesOf(Hold(c, siege));
  spoil(entries);
  Put(c, siege, entries);
}

void ListWithoutEnd(Context& c) {
  Siege siege = BesiegePacked(c);
  siege.may_go_on = false;
  const std::vector<Entry> held = EntriesOf(Hold(c, siege));
  std::vector<Entry> entries(siege.size, held.back());
  for (Entry& entry : entries) entry.flags |= packed::kDescNext;
  Put(c, siege, entries);
}

void ListThatRunsOn(Context& c) {
  PutSpoilt(c, [](std::vector<Entry>& entries) { entries.back().flags |= packed::kDescNext; });
}

void ReadableAfterWritable(Context& c) {
  PutSpoilt(c, [](std::vector<Entry>& entries) {
    entries.front().flags |= packed::kDescWrite;
    entries.back().flags = 0;
  });
}

void AddressesInHoles(Context& c) {
  // None that begins in memory: what lies there was given to the device, and may be written.
  for (const uint64_t address : {uint64_t{0}, EndOfMemory(c), ~uint64_t{15}})
    PutSpoilt(c, [&](std::vector<Entry>& entries) {
      entries.back().address = address;
      entries.back().length = 16;
    });
}

void HugeLengths(Context& c) {
  for (const uint32_t length : {0x7fffffffu, 0xffffffffu})
    PutSpoilt(c, [&](std::vector<Entry>& entries) { entries.back().length = length; });
}

void IdsOutOfRange(Context& c) {
  for (const uint32_t id : {0x7fffu, 0x8000u, 0xffffu})
    PutSpoilt(c, [&](std::vector<Entry>& entries) {
      for (Entry& entry : entries) entry.id = static_cast<uint16_t>(id);
    });
}

// The request of `entries` as a table in memory; the one descriptor that refers to it.
Entry AsTable(Context& c, const std::vector<Entry>& entries) {
  const uint64_t at = c.Allocate(entries.size() * packed::kDescSize);
  for (size_t i = 0; i < entries.size(); ++i)
    c.Do(op::Write{at + i * packed::kDescSize,
                   EncodeDescriptor(entries[i].address, entries[i].length, 0,
                                    entries[i].flags & packed::kDescWrite)});
  return {at, static_cast<uint32_t>(entries.size() * packed::kDescSize), entries.back().id,
          packed::kDescIndirect};
}

void PutTable(Context& c,
              const std::function<std::vector<Entry>(std::vector<Entry>&, Entry)>& spoil,
              FeatureSet with = {feature::kIndirectDesc}) {
  PutSpoilt(
      c,
      [&](std::vector<Entry>& entries) {
        const Entry table = AsTable(c, entries);
        entries = spoil(entries, table);
      },
      with);
}

void TableLengths(Context& c) {
  for (const uint32_t length : {0u, 1u, 15u, 17u, 0xfffffff0u})
    PutTable(c, [&](std::vector<Entry>&, Entry table) {
      table.length = length;
      return std::vector<Entry>{table};
    });
}

void TableInAList(Context& c) {
  PutTable(c, [](std::vector<Entry>& entries, Entry table) {
    table.flags |= packed::kDescNext;
    return std::vector<Entry>{table, entries.back()};
  });
}

void TableInATable(Context& c) {
  PutTable(c, [&](std::vector<Entry>&, Entry table) {
    const uint64_t outer = c.Allocate(packed::kDescSize);
    // A device that follows this one comes back to it.
    c.Do(op::Write{outer, EncodeDescriptor(outer, packed::kDescSize, 0, packed::kDescIndirect)});
    table.address = outer;
    table.length = packed::kDescSize;
    return std::vector<Entry>{table};
  });
}

void TableWithoutTheFeature(Context& c) {
  PutTable(
      c, [](std::vector<Entry>&, Entry table) { return std::vector<Entry>{table}; }, FeatureSet{});
}

void EventNonsense(Context& c) {
  for (const uint32_t raw : {0x0003ffffu, 0xffffffffu, 0x00027fffu, 0x0002ffffu}) {
    const Siege siege =
        BesiegePacked(c, c.facts().offered.Has(feature::kEventIdx) ? FeatureSet{feature::kEventIdx}
                                                                   : FeatureSet{});
    c.Do(op::SetUsedEvent{siege.queue, static_cast<uint16_t>(raw)});
    c.Do(op::SetAvailFlags{siege.queue, static_cast<uint16_t>(raw >> 16)});
    Hold(c, siege);
    Unleash(c, siege);
  }
}

// What the device has used looks available again, as the driver of the lap before left it.
void UsedMadeAvailable(Context& c) {
  Siege siege = BesiegePacked(c);
  siege.may_go_on = false;
  const std::vector<Entry> entries = EntriesOf(Hold(c, siege));
  c.Do(op::Expose{siege.queue});
  if (!Dare(c, op::Notify{siege.queue}) || !Dare(c, op::Quiesce{})) return c.ExpectSurvives();
  for (uint32_t slot = 0; slot < siege.size; ++slot)
    c.Do(op::RawDescriptor{
        siege.queue, slot, entries.back().address, entries.back().length,
        static_cast<uint16_t>(entries.back().flags | packed::AvailableBits(slot % 2 == 0)),
        entries.back().id});
  if (Dare(c, op::Notify{siege.queue}))
    Aftermath(c, siege);
  else
    c.ExpectSurvives();
}

}  // namespace

void AddPackedHostileChecks(std::vector<Check>& list) {
  const auto add = [&](std::string what, std::string title, std::vector<std::string> faults,
                       std::function<void(Context&)> run, const char* requirement = kRecovers) {
    list.push_back({
        .id = "packed.hostile." + what,
        .title = std::move(title),
        .section = "2.8",
        .requirements = requirement == kRecovers ? std::vector<std::string>{kRecovers}
                                                 : std::vector<std::string>{requirement, kRecovers},
        .tags = {"packed", "hostile"},
        .needs = {.offered = {feature::kRingPacked}},
        .faults = std::move(faults),
        .run = std::move(run),
    });
    return &list.back();
  };
  add("list.without-end", "A list that goes around the whole ring without an end does no harm",
      {"packed-endless-list-hangs", "entropy:packed-endless-list-hangs",
       "experimental:packed-endless-list-hangs"},
      ListWithoutEnd);
  add("list.runs-on", "A list that runs into descriptors that are not available does no harm",
      {"blk,packed=1:error-survives-reset"}, ListThatRunsOn);
  add("list.readable-after-writable", "Device-readable elements after writable ones do no harm",
      {"blk,packed=1:error-survives-reset"}, ReadableAfterWritable);
  add("address.hole", "Buffers at addresses that are no memory are not touched, nor others instead",
      {"blk,packed=1:bad-address-crash", "blk,packed=1:bad-address-writes-elsewhere"},
      AddressesInHoles, kOutside);
  add("length.huge", "Lengths beyond memory do no harm",
      {"blk,packed=1:bad-address-crash", "entropy,packed=1:bad-address-crash"}, HugeLengths);
  add("id.out-of-range", "Buffer IDs beyond the size of the queue do no harm",
      {"packed-id-unchecked", "entropy:packed-id-unchecked"}, IdsOutOfRange);
  const auto add_table = [&](std::string what, std::string title, std::vector<std::string> faults,
                             std::function<void(Context&)> run) {
    add("indirect." + std::move(what), std::move(title), std::move(faults), std::move(run))
        ->needs.offered.push_back(feature::kIndirectDesc);
  };
  add_table("length", "Indirect tables of an impossible length do no harm",
            {"blk,packed=1:indirect-bad-length-crash"}, TableLengths);
  add_table("in-list", "An indirect descriptor in a list does no harm",
            {"blk,packed=1:error-survives-reset"}, TableInAList);
  add_table("nested", "An indirect table in an indirect table does no harm",
            {"blk,packed=1:nested-indirect-followed"}, TableInATable);
  add_table("not-negotiated", "An indirect descriptor without the feature does no harm",
            {"blk,packed=1:error-survives-reset"}, TableWithoutTheFeature);
  add("event.nonsense", "A driver event suppression structure full of nonsense does no harm",
      {"packed-event-offset-crash", "entropy:packed-event-offset-crash"}, EventNonsense);
  add("used.made-available", "Used descriptors that look available again do no harm",
      {"blk,packed=1:hang-on-notify"}, UsedMadeAvailable);
}

}  // namespace vitro
