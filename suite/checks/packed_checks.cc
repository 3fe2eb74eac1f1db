// SPDX-License-Identifier: Apache-2.0
// Checks of what packed virtqueues have of their own (2.8): wrap counters, lists, buffer IDs, used
// descriptors. What is said of both formats is checked on packed rings by variants (variants.h).
#include <algorithm>

#include "suite/checks/chapters.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

#define PACKED "dev.basic.packed-virtqueues."
constexpr const char* kInListOrder = PACKED "scatter-gather-support.1";
constexpr const char* kOnlyAvailable = PACKED "the-virtqueue-descriptor-table.2";
constexpr const char* kUsedIsFinal = PACKED "the-virtqueue-descriptor-table.3";
#undef PACKED
constexpr const char* kWrap = "derived.packed.wrap-counter";
constexpr const char* kAnySize = "derived.packed.any-size";
constexpr const char* kIdOfLast = "derived.packed.id-of-last";
constexpr const char* kWriteFlag = "derived.packed.write-flag";
constexpr const char* kTable = "derived.packed.indirect-table";
constexpr const char* kInOrder = "dev.basic.reserved-feature-bits.5";
constexpr const char* kDefaultState = "dev.basic.virtqueues.virtqueue-reset.2";
constexpr const char* kProgress = "derived.used.progress";

constexpr uint32_t kSmall = 5;  // descriptors: few, and no power of two

const Virtqueue& QueueOf(Context& c) { return *c.session().state().queues.at(c.request_queue()); }

// The address of the descriptor at a position.
uint64_t SlotAt(Context& c, uint16_t position) {
  return QueueOf(c).layout().desc + packed::SlotOf(position) * packed::kDescSize;
}

// A size of about `wanted` in which a request fits twice.
uint32_t SmallSize(Context& c, uint32_t wanted = kSmall) {
  const uint32_t needed = 2 * c.DescriptorsOf(c.grammar().Request(0), {}) + 1;
  const uint32_t size = std::max(wanted, needed);
  if (size > c.MaxQueueSize(c.request_queue())) c.NotApplicable("the queue is too small");
  return size;
}

// Brings the device up with the request queue in this size.
void UpSized(Context& c, uint32_t size, FeatureSet with = {}) {
  c.UsePackedRings();
  c.Up({.with = with, .queue_size = size});
}

// Requests in batches of one, two, ...: as many as fit, all exposed at once.
void SubmitBatches(Context& c, uint32_t requests, const std::string& requirement) {
  const uint32_t each = c.DescriptorsOf(c.grammar().Request(0), {});
  const uint32_t most = std::max(1u, QueueOf(c).layout().size / each);
  for (uint32_t n = 0, round = 0; n < requests && !c.failed(); ++round) {
    const uint32_t batch = 1 + round % most;
    for (uint32_t i = 0; i < batch; ++i) c.Publish(c.grammar().Request(n + i), {}, true);
    c.Do(op::Expose{c.request_queue()});
    c.Notify(c.request_queue());
    c.WaitUsed(c.request_queue(), batch);
    c.Expect(Accept::Equal(batch), requirement, "every buffer of the batch is used");
    n += batch;
    if (c.failed()) return;
    c.Submit(c.grammar().Request(n++), requirement);
  }
}

void GoesAround(Context& c) {
  UpSized(c, SmallSize(c));
  SubmitBatches(c, 60, kWrap);
}

void WorksInOddSizes(Context& c) {
  c.UsePackedRings();
  c.Up();
  const uint32_t most = c.MaxQueueSize(c.request_queue());
  const uint32_t least = c.DescriptorsOf(c.grammar().Request(0), {});
  uint32_t tried = 0;
  for (uint32_t size : {3u, 5u, 6u, 7u, 11u, 12u, 100u, most - 1}) {
    if (size < least || size > most || size == 0 || c.failed()) continue;
    UpSized(c, size);
    if (!c.session().state().queues.contains(c.request_queue())) {
      c.NotApplicable(fmt::format("the device refuses a queue of {}", size));
    }
    for (uint32_t n = 0; n < std::min(2 * size + 1, 40u) && !c.failed(); ++n)
      c.Submit(c.grammar().Request(n), kAnySize);
    ++tried;
  }
  if (tried == 0) c.NotApplicable("the queue is too small");
}

// The request in about `count` segments, all of one byte but the last of each direction.
Framing InSegments(const Exchange& exchange, uint32_t count) {
  const auto readable = static_cast<uint32_t>(exchange.readable.size());
  const uint32_t for_readable =
      std::min(readable, exchange.writable == 0 ? count : std::max(1u, count / 2));
  const uint32_t for_writable = std::min(exchange.writable, count - for_readable);
  Framing framing;
  framing.readable.assign(std::max(for_readable, 1u) - 1, 1);
  framing.writable.assign(std::max(for_writable, 1u) - 1, 1);
  return framing;
}

// Lists that begin at each descriptor of the ring, up to as long as the ring.
void ListsGoAroundTheEnd(Context& c) {
  c.UsePackedRings();
  const uint32_t size = SmallSize(c, 7);
  UpSized(c, size);
  const Exchange exchange = c.grammar().Request(60);
  for (uint32_t length = 2; length <= size && !c.failed(); ++length) {
    const Framing framing = InSegments(exchange, length);
    const uint32_t descriptors = c.DescriptorsOf(exchange, framing);
    if (descriptors > size) continue;
    for (uint32_t start = 0; start < size && !c.failed(); ++start)
      c.Submit(exchange, kInListOrder, framing);
  }
}

void IdStandsInTheLast(Context& c) {
  c.UsePackedRings();
  c.Up();
  for (uint64_t n = 0; n < 6 && !c.failed(); ++n) {
    const Exchange exchange = c.grammar().Request(n);
    const Framing framing{{1}, {1}};
    if (c.DescriptorsOf(exchange, framing) < 2)
      c.NotApplicable("a request of this type is one byte");
    c.Publish(exchange, framing, true);
    const Virtqueue::Chain& chain = QueueOf(c).outstanding().back();
    const uint64_t ring = QueueOf(c).layout().desc;
    const auto other = static_cast<uint16_t>(chain.id ^ 1);
    for (size_t i = 0; i + 1 < chain.descriptors.size(); ++i)
      c.Do(op::Write{ring + chain.descriptors[i] * packed::kDescSize + packed::kDescId,
                     LeBytes(other, 2)});
    c.Do(op::Expose{exchange.queue});
    c.Answer(exchange, kIdOfLast);
  }
}

// The descriptors of a list behind the first are left as the driver wrote them. On the next lap
// they look available, but with the wrap counter of the lap before.
void OldDescriptorsAreLeft(Context& c) {
  c.UsePackedRings();
  const uint32_t size = SmallSize(c);
  for (uint32_t laps = 1; laps <= 2 && !c.failed(); ++laps) {
    UpSized(c, size);
    const Exchange exchange = c.grammar().Request(0);
    const Framing framing{{1}, {1}};
    const uint32_t each = c.DescriptorsOf(exchange, framing);
    if (each < 2 || each > size)
      c.NotApplicable("a request does not fit the queue in two segments");
    for (uint32_t taken = 0; taken <= laps * size && !c.failed(); taken += each)
      c.Submit(exchange, kProgress, framing);
    if (c.failed()) return;
    for (uint64_t n = 0; n < size && !c.failed(); ++n) {
      c.Submit(exchange, kProgress, framing);
      const uint64_t position = c.Do(op::ReadUsedIdx{exchange.queue}).value;
      c.Notify(exchange.queue);
      c.Do(op::Quiesce{});
      c.Do(op::ReadUsedIdx{exchange.queue});
      c.Expect(Accept::Equal(position), kOnlyAvailable,
               "a descriptor of the lap before is not used again");
    }
  }
}

void UsedDescriptorsStay(Context& c) {
  UpSized(c, SmallSize(c, 8));
  Bytes before;
  uint64_t at = 0;
  for (uint64_t n = 0; n < 12 && !c.failed(); ++n) {
    const uint64_t used = SlotAt(c, QueueOf(c).last_used());
    c.Submit(c.grammar().Request(n), kProgress);
    c.Do(op::Quiesce{});
    if (at != 0 && at != used) {
      c.Do(op::Read{at, packed::kDescSize});
      c.Expect(Accept::SameBytes(before), kUsedIsFinal,
               "a used descriptor is not changed when the next buffer is used");
    }
    before = c.Do(op::Read{used, packed::kDescSize}).bytes;
    at = used;
  }
}

void SaysThatItWrote(Context& c) {
  c.UsePackedRings();
  c.Up();
  for (uint64_t n = 0; n < 4 && !c.failed(); ++n) {
    const Exchange exchange = c.grammar().Request(n);
    if (exchange.least_length == 0) c.NotApplicable("no request is sure to be written to");
    const uint64_t flags = SlotAt(c, QueueOf(c).last_used()) + packed::kDescFlags;
    c.Submit(exchange, kProgress);
    c.Do(op::Read{flags, 2});
    c.Expect(Accept::Masked(packed::kDescWrite, packed::kDescWrite), kWriteFlag,
             "the used descriptor of a buffer that was written to has the WRITE flag");
  }
}

void TablesAreRead(Context& c) {
  c.UsePackedRings();
  c.Up({.with = {feature::kIndirectDesc}});
  const Exchange exchange = c.grammar().Request(60);
  for (uint32_t entries : {2u, 3u, 5u, 9u, 17u, 40u}) {
    Framing framing = InSegments(exchange, entries);
    framing.direct = 0;
    if (!c.failed()) c.Submit(exchange, kTable, framing);
  }
}

void StartsWithOne(Context& c) {
  c.UsePackedRings();
  const uint32_t size = SmallSize(c);
  for (int round = 0; round < 3 && !c.failed(); ++round) {
    UpSized(c, size);
    const uint32_t each = c.DescriptorsOf(c.grammar().Request(0), {});
    // Into the second lap, where the counters are 0, and no further.
    for (uint32_t taken = 0; taken <= size && !c.failed(); taken += each)
      c.Submit(c.grammar().Request(taken), kWrap);
  }
}

void StartsWithOneAfterQueueReset(Context& c) {
  c.UsePackedRings();
  const uint32_t size = SmallSize(c);
  UpSized(c, size, {feature::kRingReset});
  const uint32_t queue = c.request_queue();
  const uint32_t each = c.DescriptorsOf(c.grammar().Request(0), {});
  for (int round = 0; round < 3 && !c.failed(); ++round) {
    for (uint32_t taken = 0; taken <= size && !c.failed(); taken += each)
      c.Submit(c.grammar().Request(taken), kDefaultState);
    if (c.failed() || c.Do(op::ResetQueue{queue}).refused) return;
    c.SetupQueue(queue, size);
  }
}

// A used descriptor stands where its buffer's list began or, for a batch, where the first list of
// it did, under the ID of the last one (2.8.8). An earlier buffer's ID, further on, was late.
void UsesInOrder(Context& c) {
  c.UsePackedRings();
  c.Up({.with = {feature::kInOrder}});
  const uint32_t queue = c.request_queue();
  const uint32_t each = c.DescriptorsOf(c.grammar().Request(0), {});
  const uint32_t count = std::min(4u, QueueOf(c).layout().size / each);
  if (count < 2) c.NotApplicable("the queue is too small");
  for (uint64_t round = 0; round < 12 && !c.failed(); ++round) {
    std::vector<uint64_t> ids;
    uint16_t at = QueueOf(c).avail_position();
    for (uint32_t i = 0; i < count; ++i)
      ids.push_back(c.Publish(c.grammar().Request(7 * round + i), {}, true));
    c.Do(op::Expose{queue});
    c.Notify(queue);
    c.WaitUsed(queue, count);
    c.Expect(Accept::Equal(count), kInOrder, "all buffers are used");
    c.Do(op::Quiesce{});
    for (size_t i = 0; i < count && !c.failed(); ++i, at = QueueOf(c).PositionAfter(at, each)) {
      const uint64_t slot = SlotAt(c, at);
      const uint64_t flags = c.Do(op::Read{slot + packed::kDescFlags, 2}).value;
      if (!packed::IsUsed(static_cast<uint16_t>(flags), packed::WrapOf(at))) continue;
      c.Do(op::Read{slot + packed::kDescId, 2});
      c.Expect(Accept::In({ids.begin() + static_cast<std::ptrdiff_t>(i), ids.end()}), kInOrder,
               "buffers are used in the order they were made available");
    }
  }
}

}  // namespace

void AddPackedChecks(std::vector<Check>& list) {
  const Needs needs = {.offered = {feature::kRingPacked}, .requests = true};
  auto with = [&](unsigned bit) {
    Needs more = needs;
    more.offered.push_back(bit);
    return more;
  };
  list.push_back({
      .id = "packed.rings.laps",
      .title = "A packed ring goes around and around, both wrap counters with it",
      .section = "2.8.1",
      .requirements = {kWrap},
      .tags = {"packed"},
      .needs = needs,
      .faults = {"packed-avail-wrap-stuck", "entropy:packed-avail-wrap-stuck",
                 "experimental:packed-avail-wrap-stuck", "packed-used-wrap-stuck",
                 "entropy:packed-used-wrap-stuck", "packed-list-not-skipped", "packed-used-at-id",
                 "entropy:packed-used-at-id"},
      .run = GoesAround,
  });
  list.push_back({
      .id = "packed.size.any",
      .title = "A packed ring works in sizes that are no power of two",
      .section = "2.8.10.1",
      .requirements = {kAnySize},
      .tags = {"packed", "odd"},
      .needs = needs,
      .faults = {"packed-size-rounded", "entropy:packed-size-rounded",
                 "experimental:packed-size-rounded"},
      .run = WorksInOddSizes,
  });
  list.push_back({
      .id = "packed.list.around-the-end",
      .title = "A list may go around the end of the ring, and be as long as the ring",
      .section = "2.8.6",
      .requirements = {kInListOrder},
      .tags = {"packed", "odd"},
      .needs = needs,
      .faults = {"packed-list-not-wrapped", "experimental:packed-list-not-wrapped",
                 "packed-used-at-list-end", "experimental:packed-used-at-list-end"},
      .run = ListsGoAroundTheEnd,
  });
  list.push_back({
      .id = "packed.list.id-of-last",
      .title = "The buffer ID of a list is that of its last descriptor",
      .section = "2.8.6",
      .requirements = {kIdOfLast},
      .tags = {"packed", "odd"},
      .needs = needs,
      .faults = {"packed-id-of-first", "entropy:packed-id-of-first",
                 "experimental:packed-id-of-first"},
      .run = IdStandsInTheLast,
  });
  list.push_back({
      .id = "packed.available.this-lap",
      .title = "Descriptors of the lap before are not used again",
      .section = "2.8.15",
      .requirements = {kOnlyAvailable},
      .tags = {"packed"},
      .needs = needs,
      .faults = {"packed-any-phase", "entropy:packed-any-phase", "experimental:packed-any-phase"},
      .run = OldDescriptorsAreLeft,
  });
  list.push_back({
      .id = "packed.used.final",
      .title = "A used descriptor stays as it is until the driver writes it again",
      .section = "2.8.15",
      .requirements = {kUsedIsFinal},
      .tags = {"packed"},
      .needs = needs,
      .faults = {"packed-used-rewritten", "entropy:packed-used-rewritten",
                 "experimental:packed-used-rewritten"},
      .run = UsedDescriptorsStay,
  });
  list.push_back({
      .id = "packed.used.write-flag",
      .title = "The used descriptor of a buffer that was written to says so",
      .section = "2.8.3",
      .requirements = {kWriteFlag},
      .tags = {"packed"},
      .needs = needs,
      .faults = {"packed-used-without-write", "entropy:packed-used-without-write"},
      .run = SaysThatItWrote,
  });
  list.push_back({
      .id = "packed.indirect.in-order",
      .title = "All entries of an indirect table are used, one after the other, without NEXT",
      .section = "2.8.7",
      .requirements = {kTable},
      .tags = {"packed"},
      .needs = with(feature::kIndirectDesc),
      .faults = {"packed-indirect-next-honoured", "experimental:packed-indirect-next-honoured"},
      .run = TablesAreRead,
  });
  list.push_back({
      .id = "packed.reset.wrap-counters",
      .title = "After a device reset both wrap counters are 1 again",
      .section = "2.8.1",
      .requirements = {kWrap},
      .tags = {"packed"},
      .needs = needs,
      .faults = {"packed-reset-keeps-wrap", "entropy:packed-reset-keeps-wrap",
                 "experimental:packed-reset-keeps-wrap"},
      .run = StartsWithOne,
  });
  Needs with_queue_reset = with(feature::kRingReset);
  with_queue_reset.abilities = {Ability::kQueueReset};
  list.push_back({
      .id = "packed.queue-reset.wrap-counters",
      .title = "After a virtqueue reset both wrap counters are 1 again",
      .section = "2.6.1",
      .requirements = {kDefaultState},
      .tags = {"packed"},
      .needs = with_queue_reset,
      .faults = {"packed-reset-keeps-wrap", "entropy:packed-reset-keeps-wrap"},
      .run = StartsWithOneAfterQueueReset,
  });
  list.push_back({
      .id = "packed.order.in-order",
      .title = "With IN_ORDER the buffers of a packed ring are used in order",
      .section = "6.2",
      .requirements = {kInOrder},
      .tags = {"packed"},
      .needs = with(feature::kInOrder),
      .faults = {"blk,packed=1:in-order-violated", "entropy,packed=1:in-order-violated"},
      .run = UsesInOrder,
  });
  AddPackedEventChecks(list);
  AddPackedHostileChecks(list);
}

}  // namespace vitro
