// SPDX-License-Identifier: Apache-2.0
// Checks of the available and the used ring (2.7.6, 2.7.8), of their indices over many laps, of
// used lengths to the byte, of order with IN_ORDER (2.7.9, 6.2), and of queues side by side.
#include <algorithm>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

constexpr const char* kProgress = "derived.used.progress";
constexpr const char* kId = "derived.used.id-not-outstanding";
constexpr const char* kJump = "derived.used.index-jump";
constexpr const char* kWritten = "dev.basic.virtqueues.the-virtqueue-used-ring.2";
constexpr const char* kLenShort = "derived.used.len-short";
constexpr const char* kInOrder = "dev.basic.reserved-feature-bits.5";
constexpr const char* kAnswer = "derived.request.answer";
constexpr const char* kDueByEvent = "dev.basic.virtqueues.used-buffer-notification-suppression.5";

// A request on its way, with what is needed to judge its answer in whatever order answers come.
struct Pending {
  Exchange exchange;
  std::vector<op::Segment> segments;
  uint16_t head = 0;
};

Pending Hold(Context& c, Exchange exchange, const Framing& framing = {}) {
  Pending pending{std::move(exchange), {}, 0};
  pending.segments = c.Lay(pending.exchange, framing);
  pending.head = c.PublishAt(pending.exchange, pending.segments, framing, true);
  return pending;
}

void ExpectAnswer(Context& c, const Pending& pending) {
  if (!pending.exchange.expected) return;
  auto from = pending.exchange.expected->begin();
  for (const op::Segment& segment : pending.segments) {
    if (!segment.writable) continue;
    c.Do(op::Read{segment.address, segment.length});
    c.Expect(Accept::SameBytes(Bytes(from, from + segment.length)), kAnswer,
             fmt::format("{} has its own answer", pending.exchange.what));
    from += segment.length;
  }
}

// Makes all that is held available at once, notifies once, and judges that all of it is used.
void Release(Context& c, uint32_t queue, const std::vector<Pending>& batch) {
  c.Do(op::Expose{queue});
  c.Notify(queue);
  c.WaitUsed(queue, static_cast<uint32_t>(batch.size()));
  c.Expect(Accept::Equal(batch.size()), kProgress, "every buffer of the batch is used");
  if (c.failed()) return;
  for (const Pending& pending : batch) ExpectAnswer(c, pending);
}

const Virtqueue& QueueOf(Context& c, uint32_t queue) {
  return *c.session().state().queues.at(queue);
}

// Requests that fit the queue at once in this framing.
uint32_t Capacity(Context& c, const Exchange& exchange, const Framing& framing = {}) {
  return c.DefaultQueueSize(exchange.queue) / c.DescriptorsOf(exchange, framing);
}

void FullRing(Context& c) {
  const Exchange one = c.grammar().Request(0);
  // As many chains as the queue has entries need one descriptor each.
  const bool tables = c.DescriptorsOf(one, {}) > 1;
  if (tables && !c.facts().offered.Has(feature::kIndirectDesc))
    c.NotApplicable("a request takes several descriptors, and indirect ones are not offered");
  const Framing framing = tables ? Framing::Indirect() : Framing{};
  c.Up({.with = tables ? FeatureSet{feature::kIndirectDesc} : FeatureSet{}});
  for (int round = 0; round < 3 && !c.failed(); ++round) {
    std::vector<Pending> batch;
    for (uint32_t n = 0; n < c.DefaultQueueSize(one.queue); ++n)
      batch.push_back(Hold(c, c.grammar().Request(n), framing));
    Release(c, one.queue, batch);
  }
}

void Laps(Context& c) {
  const uint32_t queue = c.request_queue();
  c.Up({.queue_size = std::min(c.MaxQueueSize(queue), 4u)});
  const Exchange one = c.grammar().Request(0);
  const uint32_t most = std::min(c.MaxQueueSize(queue), 4u) / c.DescriptorsOf(one, {});
  if (most == 0) c.NotApplicable("the queue is too small");
  for (uint64_t n = 0, round = 0; n < 40 && !c.failed(); ++round) {
    std::vector<Pending> batch;
    for (uint64_t i = 0; i <= round % most; ++i) batch.push_back(Hold(c, c.grammar().Request(n++)));
    Release(c, queue, batch);
  }
}

// Over the whole range of the 16-bit indices, and with EVENT_IDX a notification due right where
// they turn over.
void IndicesWrap(Context& c) {
  const bool events = c.facts().offered.Has(feature::kEventIdx);
  c.Up({.with = events ? FeatureSet{feature::kEventIdx} : FeatureSet{}});
  const Exchange one = c.grammar().Request(0);
  const uint32_t queue = one.queue, batch = Capacity(c, one);
  if (batch == 0) c.NotApplicable("the queue is too small");
  c.Submit(one, kProgress);
  const uint32_t before_wrap = 65536 - std::min(batch, 4u) / 2;
  const uint32_t count = before_wrap - static_cast<uint32_t>(c.Do(op::ReadUsedIdx{queue}).value);
  c.Do(op::Churn{queue, count, batch});
  c.Expect(Accept::Equal(count), kProgress, "buffers are used up to the end of the index's range");
  if (c.failed()) return;
  c.Do(op::Quiesce{});
  c.Do(op::TakeNotifications{queue});
  if (events) c.Do(op::SetUsedEvent{queue, 65535});
  std::vector<Pending> around;
  for (uint32_t n = 0; n < std::min(batch, 4u); ++n)
    around.push_back(Hold(c, c.grammar().Request(n)));
  Release(c, queue, around);
  if (events) {
    c.Do(op::WaitNotifications{queue, 1});
    c.Expect(Accept::NotEqual(0), kDueByEvent, "an event at the index 65535 is noticed");
  }
  for (uint64_t n = 0; n < 2ull * batch && !c.failed(); ++n)
    c.Submit(c.grammar().Request(n), kAnswer);
}

void EachUsedOnce(Context& c) {
  c.Up();
  const uint32_t queue = c.request_queue();
  const uint32_t most = Capacity(c, c.grammar().Request(0));
  uint64_t used = c.Do(op::ReadUsedIdx{queue}).value;
  for (uint64_t n = 0; n < 3ull * most && !c.failed();) {
    std::vector<Pending> batch;
    for (uint32_t i = 0; i < most; ++i) batch.push_back(Hold(c, c.grammar().Request(n++)));
    Release(c, queue, batch);
    used += most;
    c.Do(op::Quiesce{});
    c.Do(op::ReadUsedIdx{queue});
    c.Expect(Accept::Equal(used), kJump, "the used index counts the buffers that were used");
  }
}

// Heads stand in the ring in an order of their own, and the chains differ in length.
void IdsAreHeads(Context& c) {
  c.Up();
  const uint32_t queue = c.request_queue();
  const uint32_t size = c.DefaultQueueSize(queue);
  std::vector<Pending> batch;
  for (uint64_t n = 0; QueueOf(c, queue).free_descriptors() >= 4 && n < 6; ++n) {
    const Exchange exchange = c.grammar().Request(n);
    const bool split = n % 2 == 0;
    batch.push_back(
        Hold(c, exchange, {.readable = {split ? 5u : 4096u}, .writable = {split ? 4096u : 3u}}));
  }
  if (batch.size() < 2) c.NotApplicable("the queue is too small");
  const uint32_t from = QueueOf(c, queue).avail_position();
  for (uint32_t i = 0; i < batch.size(); ++i) {
    const uint64_t slot =
        QueueOf(c, queue).layout().driver + split::kRingEntries + 2 * ((from + i) % size);
    c.Do(op::Write{slot, LeBytes(batch[batch.size() - 1 - i].head, 2)});
  }
  Release(c, queue, batch);
  c.Do(op::Quiesce{});
  c.Do(op::ReadUsedIdx{queue});
  c.Expect(Accept::Equal(from + batch.size()), kId, "each head comes back once");
}

// The address of the n-th device-writable byte of a request.
uint64_t WritableByte(const std::vector<op::Segment>& segments, uint64_t n) {
  for (const op::Segment& segment : segments) {
    if (!segment.writable) continue;
    if (n < segment.length) return segment.address + n;
    n -= segment.length;
  }
  return 0;
}

// Under complementary poison a byte that keeps it in both rounds was not written; random bytes look
// so in all of eight rounds with a chance of 2^-64.
void JudgeLength(Context& c, const Exchange& exchange, uint32_t rounds) {
  const auto segments = c.Lay(exchange, {.writable = {exchange.writable / 3}});
  std::vector<bool> written(exchange.writable);
  uint64_t claimed = exchange.writable, seed = 0;
  for (uint32_t round = 0; round < rounds; ++round) {
    seed = round % 2 == 0 ? c.session().FreshSeed() : seed + 1;
    c.PublishAt(exchange, segments, {}, false, seed);
    c.Notify(exchange.queue);
    c.WaitUsed(exchange.queue, 1);
    c.Expect(Accept::Equal(1), kProgress, "the request is used");
    if (c.failed()) return;
    c.Expect(Accept::LengthRange(0, exchange.writable), kWritten,
             "the used length is no more than the device-writable bytes");
    c.Advise(Accept::LengthRange(exchange.least_length, exchange.writable), kLenShort,
             "the used length covers the whole answer");
    claimed = std::min<uint64_t>(claimed, c.last().used_len);
    const Bytes bytes = c.Do(op::ReadAnswer{exchange.queue}).bytes;
    for (uint64_t i = 0; i < bytes.size(); ++i)
      if (bytes[i] != PoisonByte(seed, WritableByte(segments, i))) written[i] = true;
  }
  for (uint64_t i = 0; i < claimed; ++i) {
    if (written[i]) continue;
    const uint64_t address = WritableByte(segments, i);
    c.Do(op::Read{address, 1});
    c.Expect(Accept::NotEqual(PoisonByte(seed, address)), kWritten,
             fmt::format("byte {} of the first {} was written", i, claimed));
    return;
  }
}

void LengthIsTrue(Context& c) {
  c.Up();
  for (uint64_t n = 0; n < 4 && !c.failed(); ++n) {
    const Exchange exchange = c.grammar().Request(n);
    if (exchange.writable == 0) {
      c.Submit(exchange, kProgress);
      c.Expect(Accept::LengthRange(0, 0), kWritten, "nothing is written where nothing is writable");
    } else {
      JudgeLength(c, exchange, exchange.expected ? 2 : 8);
    }
  }
}

void DataBeforeIndex(Context& c) {
  c.Up();
  for (uint64_t n = 0; n < 16 && !c.failed(); ++n) {
    const Exchange exchange = c.grammar().Request(n);
    if (exchange.writable == 0) c.NotApplicable("no request has device-writable bytes");
    c.Publish(exchange);
    const Bytes seen = c.Answer(exchange, kWritten).bytes;
    c.Do(op::Quiesce{});
    c.Do(op::ReadAnswer{exchange.queue});
    c.Expect(Accept::SameBytes(seen), kWritten, "the answer is complete when the used index moves");
  }
}

// The copy in the ring is the driver's to read; a device that continues from it can be led astray.
void IndexIsKept(Context& c) {
  c.Up();
  const Exchange exchange = c.grammar().Request(0);
  c.Submit(exchange, kProgress);
  c.Do(op::Quiesce{});
  c.BeginHostile();
  const uint64_t idx = c.Do(op::ReadUsedIdx{exchange.queue}).value;
  const uint64_t at = QueueOf(c, exchange.queue).layout().device + split::kRingIdx;
  c.Do(op::Write{at, LeBytes(idx + 100, 2)});
  c.Publish(exchange);
  c.Notify(exchange.queue);
  c.Do(op::Quiesce{});
  c.Do(op::ReadUsedIdx{exchange.queue});
  c.Advise(Accept::In({idx + 1, idx + 100}), kJump,
           "the device counts used buffers by itself, not from the used index in the ring");
  c.ExpectSurvives();
}

// A batch that was used with one entry leaves the slots before it alone. Any other slot names its
// own buffer or, at the start of such a batch, a later one. An earlier one means the order was
// broken.
void UsedInOrder(Context& c) {
  c.Up({.with = {feature::kInOrder}, .driver_ok = false});
  const uint32_t queue = c.request_queue();
  const uint32_t size = c.DefaultQueueSize(queue);
  const uint64_t ring = QueueOf(c, queue).layout().device + split::kRingEntries;
  c.Do(op::Write{ring, Bytes(split::kUsedElemSize * size, 0xff)});
  c.DriverOk();
  for (const Exchange& exchange : c.grammar().Preparation()) c.Submit(exchange, kProgress);
  for (uint64_t n = 0; !c.failed();) {
    const uint32_t from = QueueOf(c, queue).avail_position();
    const uint32_t count = std::min<uint32_t>(4, Capacity(c, c.grammar().Request(0)));
    if (count == 0 || from + count > size) break;
    std::vector<Pending> batch;
    for (uint32_t i = 0; i < count; ++i) batch.push_back(Hold(c, c.grammar().Request(7 * n++)));
    Release(c, queue, batch);
    for (uint32_t i = 0; i < count && !c.failed(); ++i) {
      std::vector<uint64_t> allowed;
      if (i > 0) allowed.push_back(0xffffffff);
      for (uint32_t later = i; later < count; ++later) allowed.push_back(batch[later].head);
      c.Do(op::Read{ring + split::kUsedElemSize * (from + i), 4});
      c.Expect(Accept::In(allowed), kInOrder,
               "buffers are used in the order they were made available");
    }
  }
  // And around the end of the ring, as far as the driver's own account shows.
  for (uint64_t n = 0; n < 3ull * size && !c.failed(); ++n)
    c.Submit(c.grammar().Request(n), kInOrder);
}

void QueuesSideBySide(Context& c) {
  const auto queues = c.RequestQueues(4);
  BringUp how{.queues = queues.back() + 1};
  // The further queues of a block device are there with this feature (5.2.2).
  if (c.facts().device_id == device_id::kBlk && c.facts().offered.Has(blk::kFeatureMq))
    how.with.Add(blk::kFeatureMq);
  c.Up(how);
  for (uint64_t n = 0; n < 8 && !c.failed(); ++n) {
    std::vector<Pending> batch;
    for (uint32_t queue : queues) batch.push_back(Hold(c, *c.grammar().RequestOn(queue, n)));
    for (uint32_t queue : queues) c.Do(op::Expose{queue});
    for (uint32_t queue : queues) c.Notify(queue);
    for (uint32_t queue : queues) {
      c.WaitUsed(queue, 1);
      c.Expect(Accept::Equal(1), kProgress, fmt::format("queue {} is served beside others", queue));
    }
    if (c.failed()) return;
    for (const Pending& pending : batch) ExpectAnswer(c, pending);
  }
}

}  // namespace

void AddUsedRingChecks(std::vector<Check>& list) {
  const Needs requests = {.requests = true};
  list.push_back({
      .id = "available.full-ring.served",
      .title = "As many chains as the queue has entries are served when they come at once",
      .section = "2.7.6",
      .requirements = {kProgress, kAnswer},
      .tags = {"odd"},
      .needs = requests,
      .faults = {"full-ring-empty", "entropy:full-ring-empty", "experimental:full-ring-empty"},
      .run = FullRing,
  });
  list.push_back({
      .id = "available.rings.laps",
      .title = "Both rings go around their ends, whatever the size of the batches",
      .section = "2.7.6",
      .requirements = {kProgress, kAnswer},
      .needs = requests,
      .faults = {"avail-wrap-lost", "entropy:avail-wrap-lost", "experimental:avail-wrap-lost",
                 "used-ring-not-wrapped", "entropy:used-ring-not-wrapped",
                 "experimental:used-ring-not-wrapped"},
      .run = Laps,
  });
  list.push_back({
      .id = "available.indices.wrap-at-65536",
      .title = "The indices of both rings turn over at 65536",
      .section = "2.7.13.3",
      .requirements = {kProgress, kDueByEvent},
      .tags = {"odd"},
      .needs = requests,
      .faults = {"event-idx-wrap-lost", "entropy:event-idx-wrap-lost",
                 "experimental:event-idx-wrap-lost", "avail-wrap-lost"},
      .run = IndicesWrap,
  });
  list.push_back({
      .id = "used.buffers.each-once",
      .title = "Each buffer is used once, and the used index counts them",
      .section = "2.7.8",
      .requirements = {kJump, kProgress, kId},
      .needs = requests,
      .faults = {"used-twice", "entropy:used-twice", "experimental:used-twice", "used-never",
                 "entropy:used-never", "experimental:used-never", "used-index-skips",
                 "entropy:used-index-skips", "experimental:used-index-skips"},
      .run = EachUsedOnce,
  });
  list.push_back({
      .id = "used.id.is-the-head",
      .title = "Used ids are the heads of the chains, in whatever order those stand in the ring",
      .section = "2.7.8",
      .requirements = {kId, kAnswer},
      .tags = {"odd"},
      .needs = requests,
      .faults = {"used-id-wrong", "entropy:used-id-wrong", "experimental:used-id-wrong",
                 "used-twice"},
      .run = IdsAreHeads,
  });
  list.push_back({
      .id = "used.length.is-true",
      .title = "The first used-length bytes of the device-writable part were written, every one",
      .section = "2.7.8",
      .requirements = {kWritten, kLenShort},
      .needs = requests,
      .faults = {"used-len-zero", "entropy:used-len-zero", "experimental:used-len-zero",
                 "used-len-includes-readable", "experimental:used-len-includes-readable",
                 "used-len-too-long", "entropy:used-len-too-long", "experimental:used-len-too-long",
                 "used-len-exceeds-buffer", "entropy:used-len-exceeds-buffer",
                 "experimental:used-len-exceeds-buffer", "short-write-full-length",
                 "entropy:short-write-full-length"},
      .run = LengthIsTrue,
  });
  list.push_back({
      .id = "used.data.before-index",
      .title = "An answer is complete at the moment the used index moves",
      .section = "2.7.8",
      .requirements = {kWritten},
      .needs = requests,
      .faults = {"data-after-used", "entropy:data-after-used", "experimental:data-after-used"},
      .run = DataBeforeIndex,
  });
  list.push_back({
      .id = "used.index.kept-by-device",
      .title = "The device keeps count of used buffers itself and does not take it from memory",
      .section = "2.7.8",
      .requirements = {kJump},
      .tags = {"hostile"},
      .needs = requests,
      .faults = {"used-index-from-memory", "entropy:used-index-from-memory",
                 "experimental:used-index-from-memory"},
      .run = IndexIsKept,
  });
  list.push_back({
      .id = "used.order.in-order",
      .title = "With IN_ORDER, buffers are used in the order in which they were made available",
      .section = "6.2",
      .requirements = {kInOrder},
      .needs = {.offered = {feature::kInOrder}, .requests = true},
      .faults = {"in-order-violated", "entropy:in-order-violated",
                 "experimental:in-order-violated"},
      .run = UsedInOrder,
  });
  list.push_back({
      .id = "used.queues.side-by-side",
      .title = "Several queues are served at once, each by itself",
      .section = "2.6",
      .requirements = {kProgress, kAnswer},
      .needs = {.requests = true, .queues = 2},
      .faults = {"used-never", "experimental:used-never", "used-twice"},
      .run = QueuesSideBySide,
  });
}

}  // namespace vitro
