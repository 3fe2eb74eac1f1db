// SPDX-License-Identifier: Apache-2.0
// Checks of message framing (2.7.4): the bytes of a request count, not how they are cut.
#include <algorithm>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "suite/checks/chapters.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

constexpr const char* kFraming = "dev.basic.message-framing.1";
constexpr const char* kLimit = "dev.basic.message-framing.2";
constexpr const char* kLength = "derived.buffers.length";

constexpr uint32_t kHeaderCuts =
    32;  // longer than the request header of any device type spoken here

// What framings are tried on: the requests of which there are many, and those with a payload, where
// it does no harm to make them again (a zone of a zoned disk is written once).
std::vector<Exchange> Specimens(Context& c) {
  std::vector<Exchange> list = {c.grammar().Request(5)};
  const bool zoned =
      c.facts().device_id == device_id::kBlk && c.facts().offered.Has(blk::kFeatureZoned);
  if (!zoned)
    for (Exchange& exchange : c.grammar().Preparation()) list.push_back(std::move(exchange));
  return list;
}

// Lengths of `pieces` pieces: all but one are a single byte, the long one stands in the middle.
std::vector<uint32_t> SingleBytes(uint32_t total, uint32_t pieces) {
  pieces = std::min(pieces, total);
  std::vector<uint32_t> lengths(pieces, 1);
  if (pieces > 0) lengths[pieces / 2] = total - (pieces - 1);
  return lengths;
}

// The request in `descriptors` descriptors, or in one for each byte if it has fewer.
Framing Spread(const Exchange& exchange, uint32_t descriptors) {
  const auto readable = static_cast<uint32_t>(exchange.readable.size());
  uint32_t for_readable =
      std::min(readable, exchange.writable == 0 ? descriptors : descriptors / 2);
  const uint32_t for_writable = std::min(exchange.writable, descriptors - for_readable);
  for_readable = std::min(readable, descriptors - for_writable);
  Framing framing;
  framing.readable = SingleBytes(readable, for_readable);
  framing.writable = SingleBytes(exchange.writable, for_writable);
  return framing;
}

void HeaderIsSplitAnywhere(Context& c) {
  c.Up();
  uint32_t cuts = 0;
  for (const Exchange& exchange : Specimens(c)) {
    if (c.DescriptorsOf(exchange, {.readable = {1}}) > c.DefaultQueueSize(exchange.queue)) continue;
    const auto end = std::min<size_t>(exchange.readable.size(), kHeaderCuts + 1);
    for (uint32_t at = 1; at < end && !c.failed(); ++at, ++cuts)
      c.Submit(exchange, kFraming, {.readable = {at}});
  }
  if (cuts == 0) c.NotApplicable("no request has device-readable bytes that could be split");
}

void AnswerIsSplitAnywhere(Context& c) {
  c.Up();
  const Exchange exchange = c.grammar().Request(5);
  if (exchange.writable < 2)
    c.NotApplicable("no request has device-writable bytes that could be split");
  if (c.DescriptorsOf(exchange, {.writable = {1}}) > c.DefaultQueueSize(exchange.queue))
    c.NotApplicable("the queue is too small");
  c.Submit(exchange, kFraming);  // whole: the last segment is more than the status of the request
  const uint32_t all = exchange.writable;
  for (uint32_t at : {1u, 2u, 3u, 4u, 7u, 8u, 9u, 15u, 16u, 17u, all / 2, all - 2, all - 1})
    if (at > 0 && at < all && !c.failed()) c.Submit(exchange, kFraming, {.writable = {at}});
}

void SegmentsOfOneByte(Context& c) {
  c.Up();
  for (const Exchange& exchange : Specimens(c)) {
    const uint32_t size = c.DefaultQueueSize(exchange.queue);
    for (uint32_t descriptors : {3u, 4u, 5u, 9u, 12u, 15u})
      if (descriptors < size && !c.failed())
        c.Submit(exchange, kFraming, Spread(exchange, descriptors));
  }
}

void ChainAsLongAsTheQueue(Context& c) {
  const Exchange exchange = c.grammar().Request(60);
  const uint32_t most = c.MaxQueueSize(exchange.queue);
  uint32_t tried = 0;
  for (uint32_t size : {2u, 4u, 8u, 16u}) {
    if (size > most || c.DescriptorsOf(exchange, {}) >= size || c.failed()) continue;
    c.Up({.queue_size = size});
    // Again and again: a chain then starts at any descriptor and goes around the end of the table.
    for (int i = 0; i < 3; ++i) c.Submit(exchange, kFraming, Spread(exchange, size));
    ++tried;
  }
  if (tried == 0) c.NotApplicable("the queue is too small");
  if (c.failed() || most <= 16) return;
  // A device may have a limit (2.7.4.1), so what it makes of this is for the reader to know.
  c.Up({.queue_size = std::min(most, 1024u)});
  c.Publish(exchange, Spread(exchange, std::min(most, 1024u)));
  c.Notify(exchange.queue);
  c.WaitUsed(exchange.queue, 1);
  c.Note(Accept::Equal(1), kLimit, "a chain as long as the largest queue is used");
  if (c.last().value != 1 || !exchange.expected) return;
  c.Do(op::ReadAnswer{exchange.queue});
  c.Note(Accept::SameBytes(*exchange.expected), kLimit,
         "a chain as long as the largest queue is answered like any other");
}

// The first bytes of an answer that cannot be foreseen were written at all.
void ExpectWritten(Context& c, const op::Segment& segment, uint64_t seed) {
  uint64_t untouched = 0;
  for (uint64_t i = 8; i-- > 0;) untouched = untouched << 8 | PoisonByte(seed, segment.address + i);
  c.Do(op::Read{segment.address, 8});
  c.Expect(Accept::NotEqual(untouched), kLength,
           "a request of 65536 bytes or more is not taken to be a short one");
}

void LongLengths(Context& c) {
  c.Up();
  std::vector<Exchange> exchanges;
  for (auto& exchange : {c.grammar().LargeRequest(65536), c.grammar().LargeAnswer(65536)})
    if (exchange) exchanges.push_back(*exchange);
  if (exchanges.empty()) c.NotApplicable("no request of this type is as long as 65536 bytes");
  for (const Exchange& exchange : exchanges) {
    // In one segment; in several of which none is longer than 16 bits can tell.
    for (const Framing& framing : {Framing{}, Framing{{40000}, {40000}}}) {
      if (c.failed()) return;
      const uint64_t seed = c.session().FreshSeed();
      const std::vector<op::Segment> segments = c.Lay(exchange, framing);
      c.PublishAt(exchange, segments, framing, false, seed);
      if (c.Answer(exchange, kLength).value != 1 || exchange.expected) continue;
      for (const op::Segment& segment : segments)
        if (segment.writable && segment.length >= 8) return ExpectWritten(c, segment, seed);
    }
  }
}

}  // namespace

void AddFramingChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "framing.header.split-anywhere",
      .title = "A request is understood wherever its device-readable part is split in two",
      .section = "2.7.4",
      .requirements = {kFraming},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"header-in-one-descriptor", "experimental:header-in-one-descriptor"},
      .run = HeaderIsSplitAnywhere,
  });
  list.push_back({
      .id = "framing.answer.split-anywhere",
      .title =
          "A request is answered alike wherever its device-writable part is split, or if it is not",
      .section = "2.7.4",
      .requirements = {kFraming},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"first-descriptor-only", "experimental:first-descriptor-only",
                 "status-in-own-descriptor"},
      .run = AnswerIsSplitAnywhere,
  });
  list.push_back({
      .id = "framing.segments.one-byte",
      .title = "Segments of a single byte are as good as any other",
      .section = "2.7.4",
      .requirements = {kFraming},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"chain-limit-8", "experimental:chain-limit-8", "first-descriptor-only"},
      .run = SegmentsOfOneByte,
  });
  list.push_back({
      .id = "framing.chain.as-long-as-queue",
      .title = "A chain may have as many descriptors as the queue",
      .section = "2.7.5",
      .requirements = {kFraming, kLimit},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"chain-of-queue-size-refused", "entropy:chain-of-queue-size-refused",
                 "experimental:chain-of-queue-size-refused", "chain-limit-8"},
      .run = ChainAsLongAsTheQueue,
  });
  list.push_back({
      .id = "framing.length.beyond-16-bits",
      .title = "Requests of 65536 bytes and more are served in full",
      .section = "2.7.5",
      .requirements = {kLength},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"length-16-bit", "entropy:length-16-bit", "experimental:length-16-bit"},
      .run = LongLengths,
  });
}

}  // namespace vitro
