// SPDX-License-Identifier: Apache-2.0
// Checks of indirect descriptors (2.7.5.3).
#include <algorithm>

#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

constexpr const char* kIgnoresWrite =
    "dev.basic.virtqueues.the-virtqueue-descriptor-table.indirect-descriptors.1";
constexpr const char* kAfterDirect =
    "dev.basic.virtqueues.the-virtqueue-descriptor-table.indirect-descriptors.2";
constexpr const char* kFraming = "dev.basic.message-framing.1";
constexpr const char* kTable = "dev.basic.virtqueues.the-virtqueue-descriptor-table.2";
constexpr const char* kAnywhere = "derived.buffers.edge";

// The request in `segments` segments or as many as it has bytes, all of them in an indirect table.
// The limit on chains counts descriptors wherever they stand (2.7.5.3.1), so table and what refers
// to it together are never longer than the queue.
Framing InTable(const Exchange& exchange, uint32_t segments) {
  const auto readable = static_cast<uint32_t>(exchange.readable.size());
  uint32_t for_readable = std::min(readable, exchange.writable == 0 ? segments : segments / 2);
  if (readable > 0) for_readable = std::max(for_readable, 1u);
  const uint32_t for_writable = segments - std::min(segments, for_readable);
  Framing framing = Framing::Indirect();
  if (for_readable > 1) framing.readable.assign(for_readable - 1, 1);
  if (for_writable > 1) framing.writable.assign(for_writable - 1, 1);
  return framing;
}

void UpWithTables(Context& c) {
  c.Up({.with = {feature::kIndirectDesc}});
  if (c.DefaultQueueSize(c.request_queue()) < 4) c.NotApplicable("the queue is too small");
}

void WholeRequestInTable(Context& c) {
  UpWithTables(c);
  const Exchange exchange = c.grammar().Request(60);
  const uint32_t size = c.DefaultQueueSize(exchange.queue);
  for (uint32_t entries : {1u, 2u, 3u, 4u, 5u, 8u, 15u})
    if (entries < size && !c.failed()) c.Submit(exchange, kAfterDirect, InTable(exchange, entries));
}

// The entries of a table are chained by `next`: all but the first may stand in any order.
void EntriesInAnyOrder(Context& c) {
  UpWithTables(c);
  const Exchange exchange = c.grammar().Request(60);
  const uint32_t size = c.DefaultQueueSize(exchange.queue);
  const Framing framing = InTable(exchange, std::min(size - 1, 7u));
  const auto segments = c.Lay(exchange, framing);
  const auto entries = static_cast<uint32_t>(segments.size());
  if (entries < 3) c.NotApplicable("a request in three segments does not fit the queue");
  c.PublishAt(exchange, segments, framing, true);
  const GuestRange table =
      c.session().state().queues.at(exchange.queue)->outstanding().back().table;
  // First entry first, then backwards from the last place.
  auto place = [&](uint32_t i) { return i == 0 ? 0 : entries - i; };
  Bytes bytes(table.length);
  for (uint32_t i = 0; i < entries; ++i) {
    uint8_t* entry = &bytes[place(i) * split::kDescSize];
    const bool last = i + 1 == entries;
    StoreLe<uint64_t>(entry + split::kDescAddr, segments[i].address);
    StoreLe<uint32_t>(entry + split::kDescLen, segments[i].length);
    StoreLe<uint16_t>(entry + split::kDescFlags,
                      static_cast<uint16_t>((segments[i].writable ? split::kDescWrite : 0) |
                                            (last ? 0 : split::kDescNext)));
    StoreLe<uint16_t>(entry + split::kDescNextField,
                      static_cast<uint16_t>(last ? 0 : place(i + 1)));
  }
  c.Do(op::Write{table.address, bytes});
  c.Do(op::Expose{exchange.queue});
  c.Answer(exchange, kFraming);
}

void TableAfterDirect(Context& c) {
  UpWithTables(c);
  const Exchange exchange = c.grammar().Request(60);
  const uint32_t size = std::min(c.DefaultQueueSize(exchange.queue), 8u);
  for (uint32_t direct = 0; direct + 2 <= size && !c.failed(); ++direct) {
    Framing framing = InTable(exchange, size - 1);
    framing.direct = direct;
    c.Submit(exchange, kAfterDirect, framing);
  }
}

void WriteFlagIgnored(Context& c) {
  UpWithTables(c);
  const Exchange exchange = c.grammar().Request(60);
  // The whole request in the table: what a device makes of descriptors before it is asked
  // elsewhere.
  Framing framing = InTable(exchange, 3);
  for (uint32_t flags : {0u, uint32_t{split::kDescWrite}, 0u}) {
    if (c.failed()) return;
    framing.table_flags = flags;
    c.Submit(exchange, kIgnoresWrite, framing);
  }
}

void TableAnywhere(Context& c) {
  UpWithTables(c);
  const Exchange exchange = c.grammar().Request(60);
  Framing framing = InTable(exchange, 3);
  for (uint64_t skew = 1; skew < 16 && !c.failed(); ++skew) {
    framing.table_skew = skew;
    c.Submit(exchange, kAnywhere, framing);
  }
  // A table that ends with the last byte of memory, and one that lies across two regions.
  const auto segments = c.Lay(exchange, framing);
  const uint64_t length = segments.size() * split::kDescSize;
  std::vector<uint64_t> places;
  if (auto last = c.session().allocator().AllocateAtEnd(length)) places.push_back(*last);
  const auto regions = c.session().memory().regions();
  if (regions.size() > 1 && regions[0].range.end() == regions[1].range.address)
    places.push_back(regions[1].range.address - length / 2);
  for (uint64_t table : places) {
    if (c.failed()) return;
    framing.table_at = table;
    c.PublishAt(exchange, segments, framing);
    c.Answer(exchange, kAnywhere);
  }
}

void TableUnchanged(Context& c) {
  UpWithTables(c);
  for (uint64_t n = 0; n < 3 && !c.failed(); ++n) {
    const Exchange exchange = c.grammar().Request(n);
    c.Publish(exchange, InTable(exchange, 3), true);
    const GuestRange table =
        c.session().state().queues.at(exchange.queue)->outstanding().back().table;
    const Bytes before = c.Do(op::Read{table.address, table.length}).bytes;
    c.Do(op::Expose{exchange.queue});
    c.Answer(exchange, "derived.used.progress");
    c.Do(op::Read{table.address, table.length});
    c.Expect(Accept::SameBytes(before), kTable, "the indirect table is as the driver left it");
  }
}

}  // namespace

void AddIndirectChecks(std::vector<Check>& list) {
  const Needs needs = {.offered = {feature::kIndirectDesc}, .requests = true};
  list.push_back({
      .id = "indirect.table.whole-request",
      .title =
          "A request is served from an indirect table of one entry to as many as the queue has",
      .section = "2.7.5.3",
      .requirements = {kAfterDirect},
      .needs = needs,
      .faults = {"indirect-one-entry", "experimental:indirect-one-entry",
                 "indirect-limited-to-queue-size", "entropy:indirect-limited-to-queue-size",
                 "experimental:indirect-limited-to-queue-size", "chain-limit-8"},
      .run = WholeRequestInTable,
  });
  list.push_back({
      .id = "indirect.entries.any-order",
      .title =
          "The entries of an indirect table are followed by next, in whatever order they stand",
      .section = "2.7.5.3",
      .requirements = {kFraming},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"indirect-one-entry", "indirect-limited-to-queue-size"},
      .run = EntriesInAnyOrder,
  });
  list.push_back({
      .id = "indirect.table.after-direct",
      .title = "An indirect table may follow any number of direct descriptors",
      .section = "2.7.5.3",
      .requirements = {kAfterDirect},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"indirect-only-as-head", "experimental:indirect-only-as-head"},
      .run = TableAfterDirect,
  });
  list.push_back({
      .id = "indirect.write-flag.ignored",
      .title = "The WRITE flag of a descriptor that refers to an indirect table has no effect",
      .section = "2.7.5.3",
      .requirements = {kIgnoresWrite},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"indirect-write-flag-honoured", "entropy:indirect-write-flag-honoured",
                 "experimental:indirect-write-flag-honoured"},
      .run = WriteFlagIgnored,
  });
  list.push_back({
      .id = "indirect.table.anywhere",
      .title =
          "An indirect table may lie at any alignment, across regions of memory, and at its end",
      .section = "2.7.5.3",
      .requirements = {kAnywhere},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"indirect-unaligned-refused", "entropy:indirect-unaligned-refused",
                 "experimental:indirect-unaligned-refused"},
      .run = TableAnywhere,
  });
  list.push_back({
      .id = "indirect.table.unchanged",
      .title = "The device writes to no entry of an indirect table",
      .section = "2.7.5.3",
      .requirements = {kTable},
      .needs = needs,
      .faults = {"indirect-table-written", "entropy:indirect-table-written",
                 "experimental:indirect-table-written"},
      .run = TableUnchanged,
  });
}

}  // namespace vitro
