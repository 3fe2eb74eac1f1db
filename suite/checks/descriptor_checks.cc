// SPDX-License-Identifier: Apache-2.0
// Checks of descriptors and of the memory they lend to the device (2.7.5, 2.7.6): what the device
// may write, what it must leave alone, and where buffers may lie.
#include <algorithm>

#include "suite/checks/chapters.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

constexpr const char* kReadable = "dev.basic.virtqueues.the-virtqueue-descriptor-table.1";
constexpr const char* kTable = "dev.basic.virtqueues.the-virtqueue-descriptor-table.2";
constexpr const char* kDriverArea = "derived.memory.driver-area-written";
constexpr const char* kOutside = "derived.memory.outside-buffers";
constexpr const char* kAnywhere = "derived.buffers.edge";

// Both parts in two segments, so that there is more than a head.
Framing InPieces(const Exchange& exchange) {
  return {.readable = {static_cast<uint32_t>(exchange.readable.size() / 2)},
          .writable = {exchange.writable / 2}};
}

// Serves a few requests; `range` must hold afterwards what it held when they were made available.
void StaysAsItWas(Context& c, const GuestRange& range, const char* requirement,
                  const char* because) {
  for (uint64_t n = 0; n < 3; ++n) {
    const Exchange exchange = c.grammar().Request(n);
    c.Publish(exchange, InPieces(exchange), true);
    c.Do(op::Expose{exchange.queue});
    const Bytes before = c.Do(op::Read{range.address, range.length}).bytes;
    c.Answer(exchange, "derived.used.progress");
    c.Do(op::Read{range.address, range.length});
    c.Expect(Accept::SameBytes(before), requirement, because);
    if (c.failed()) return;
  }
}

void TableUnchanged(Context& c) {
  c.Up();
  const Virtqueue& queue = *c.session().state().queues.at(c.request_queue());
  StaysAsItWas(c, queue.DescriptorArea(), kTable, "the descriptor table is as the driver left it");
}

void AvailableRingUnchanged(Context& c) {
  c.Up();
  const Virtqueue& queue = *c.session().state().queues.at(c.request_queue());
  StaysAsItWas(c, queue.DriverArea(), kDriverArea, "the available ring is as the driver left it");
}

void ReadableUnchanged(Context& c) {
  c.Up();
  if (c.grammar().Request(0).readable.empty())
    c.NotApplicable("no request has device-readable bytes");
  for (uint64_t n = 0; n < 3; ++n) {
    const Exchange exchange = c.grammar().Request(n);
    const auto segments = c.Lay(exchange, InPieces(exchange));
    c.PublishAt(exchange, segments);
    c.Answer(exchange, "derived.used.progress");
    auto from = exchange.readable.begin();
    for (const op::Segment& segment : segments) {
      if (segment.writable) break;
      c.Do(op::Read{segment.address, segment.length});
      c.Expect(Accept::SameBytes(Bytes(from, from + segment.length)), kReadable,
               "a device-readable buffer is as the driver left it");
      from += segment.length;
    }
  }
}

// The answer must not depend on what stood in the buffer; under complementary poison no byte that
// was taken from there can be right twice.
void WritableNotRead(Context& c) {
  c.Up();
  uint32_t compared = 0;
  for (uint64_t n = 0; n < 3; ++n) {
    const Exchange exchange = c.grammar().Request(n);
    if (!exchange.expected || exchange.writable == 0) continue;
    const auto segments = c.Lay(exchange);
    const uint64_t seed = c.session().FreshSeed();
    for (uint64_t each : {seed, seed + 1}) {
      c.PublishAt(exchange, segments, {}, false, each);
      c.Notify(exchange.queue);
      c.WaitUsed(exchange.queue, 1);
      c.Expect(Accept::Equal(1), "derived.used.progress", "the request is used");
      c.Do(op::ReadAnswer{exchange.queue});
      c.Advise(Accept::SameBytes(*exchange.expected), kReadable,
               "the answer does not depend on what stood in the device-writable buffer");
      if (c.failed()) return;
    }
    ++compared;
  }
  if (compared == 0) c.NotApplicable("no answer of this device can be foreseen");
}

void NothingBesideBuffers(Context& c) {
  c.Up();
  constexpr uint64_t kBeside = 32;  // less than lies between two pieces of the allocator
  for (uint64_t n = 0; n < 3; ++n) {
    const Exchange exchange = c.grammar().Request(n);
    if (exchange.writable == 0) c.NotApplicable("no request has device-writable bytes");
    Framing framing = InPieces(exchange);
    framing.skew = n * 3;
    const auto segments = c.Lay(exchange, framing);
    std::vector<std::pair<GuestRange, Bytes>> beside;
    for (const op::Segment& segment : segments)
      for (uint64_t at : {segment.address - kBeside, segment.address + segment.length}) {
        const GuestRange range{at, kBeside};
        beside.push_back({range, c.Do(op::Read{range.address, range.length}).bytes});
      }
    c.PublishAt(exchange, segments, framing);
    c.Answer(exchange, "derived.used.progress");
    for (const auto& [range, bytes] : beside) {
      c.Do(op::Read{range.address, range.length});
      c.Expect(Accept::SameBytes(bytes), kOutside, "the bytes beside a buffer are left alone");
    }
    if (c.failed()) return;
  }
}

void UsedBufferLeftAlone(Context& c) {
  c.Up();
  for (uint64_t n = 0; n < 4; ++n) {
    const Exchange exchange = c.grammar().Request(n);
    if (exchange.writable == 0) c.NotApplicable("no request has device-writable bytes");
    const auto segments = c.Lay(exchange);
    c.PublishAt(exchange, segments);
    const Bytes answer = c.Answer(exchange, "derived.used.progress").bytes;
    // What comes next may tempt a device to touch the buffer again.
    c.Notify(exchange.queue);
    c.Submit(c.grammar().Request(n + 1), "derived.used.progress");
    c.Do(op::Quiesce{});
    const op::Segment& last = segments.back();
    c.Do(op::Read{last.address, last.length});
    c.Expect(Accept::SameBytes(answer), kOutside, "a buffer is the driver's once it was used");
    if (c.failed()) return;
  }
}

void AtAnyAlignment(Context& c) {
  for (uint64_t skew = 1; skew < 16 && !c.failed(); ++skew) {
    const Exchange exchange = c.grammar().Request(skew);
    Framing framing = InPieces(exchange);
    framing.skew = skew;
    c.Submit(exchange, kAnywhere, framing);
  }
}

// Each part of a request in turn where memory ends.
void AtTheEndOfMemory(Context& c) {
  const Exchange exchange = c.grammar().Request(5);
  const auto length = std::max<uint64_t>(exchange.readable.size(), exchange.writable);
  auto last = c.session().allocator().AllocateAtEnd(length);
  if (!last) return;
  const uint64_t end = *last + length;
  for (const bool writable : {true, false}) {
    auto segments = c.Lay(exchange);
    for (op::Segment& segment : segments)
      if (segment.writable == writable) segment.address = end - segment.length;
    c.PublishAt(exchange, segments);
    c.Answer(exchange, kAnywhere);
  }
}

// Adjacent regions are one stretch of memory for a driver. A device may see them in two mappings.
void AcrossRegions(Context& c) {
  const auto regions = c.session().memory().regions();
  if (regions.size() < 2 || regions[0].range.end() != regions[1].range.address) return;
  const uint64_t border = regions[1].range.address;
  const Exchange exchange = c.grammar().Request(5);
  for (const bool writable : {true, false}) {
    auto segments = c.Lay(exchange);
    for (op::Segment& segment : segments)
      if (segment.writable == writable) segment.address = border - segment.length / 2;
    c.PublishAt(exchange, segments);
    c.Answer(exchange, kAnywhere);
  }
}

void BuffersAnywhere(Context& c) {
  c.Up();
  AtAnyAlignment(c);
  if (!c.failed()) AcrossRegions(c);
  if (!c.failed()) AtTheEndOfMemory(c);
}

}  // namespace

void AddDescriptorChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "descriptor.table.unchanged",
      .title = "The device writes to no entry of the descriptor table",
      .section = "2.7.5",
      .requirements = {kTable},
      .needs = {.requests = true},
      .faults = {"descriptor-table-written", "entropy:descriptor-table-written",
                 "experimental:descriptor-table-written"},
      .run = TableUnchanged,
  });
  list.push_back({
      .id = "descriptor.available-ring.unchanged",
      .title = "The device does not write to the available ring",
      .section = "2.7.6",
      .requirements = {kDriverArea},
      .needs = {.requests = true},
      .faults = {"available-ring-written", "entropy:available-ring-written",
                 "experimental:available-ring-written"},
      .run = AvailableRingUnchanged,
  });
  list.push_back({
      .id = "descriptor.readable.unchanged",
      .title = "The device does not write to a device-readable buffer",
      .section = "2.7.5",
      .requirements = {kReadable},
      .needs = {.requests = true},
      .faults = {"readable-buffer-written", "experimental:readable-buffer-written"},
      .run = ReadableUnchanged,
  });
  list.push_back({
      .id = "descriptor.writable.not-read",
      .title = "An answer does not depend on what stood in the device-writable buffer",
      .section = "2.7.5",
      .requirements = {kReadable},
      .needs = {.requests = true},
      .faults = {"writable-buffer-read"},
      .run = WritableNotRead,
  });
  list.push_back({
      .id = "descriptor.writable.nothing-beside",
      .title = "The device writes within its device-writable buffers, to the byte",
      .section = "2.7.5",
      .requirements = {kOutside},
      .needs = {.requests = true},
      .faults = {"write-past-buffer", "entropy:write-past-buffer", "experimental:write-past-buffer",
                 "write-before-buffer", "entropy:write-before-buffer",
                 "experimental:write-before-buffer"},
      .run = NothingBesideBuffers,
  });
  list.push_back({
      .id = "descriptor.used-buffer.left-alone",
      .title = "A buffer that was used is not touched again",
      .section = "2.7.8",
      .requirements = {kOutside},
      .needs = {.requests = true},
      .faults = {"write-after-used", "entropy:write-after-used", "experimental:write-after-used"},
      .run = UsedBufferLeftAlone,
  });
  list.push_back({
      .id = "descriptor.buffers.anywhere",
      .title =
          "Buffers may lie at any alignment, across regions of memory, and end with its last byte",
      .section = "2.7.5",
      .requirements = {kAnywhere},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"last-byte-refused", "entropy:last-byte-refused",
                 "experimental:last-byte-refused"},
      .run = BuffersAnywhere,
  });
}

}  // namespace vitro
