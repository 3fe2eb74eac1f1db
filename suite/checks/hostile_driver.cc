// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/hostile_driver.h"

#include <algorithm>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/split_ring.h"

namespace vitro {
namespace {

constexpr const char* kNeedsReset = "dev.basic.device-status-field.2";
constexpr const char* kNeedsResetTold = "dev.basic.device-status-field.3";
constexpr const char* kSiblings = "derived.alive.siblings";

bool Exists(const DeviceFacts& facts, uint32_t queue) {
  return queue < facts.queue_max_sizes.size() && facts.queue_max_sizes[queue] != 0;
}

// Queues beyond the first exist on a block device only with MQ (5.2.2).
FeatureSet FeaturesOfQueues(Context& c) {
  const bool more =
      c.facts().device_id == device_id::kBlk && c.facts().offered.Has(blk::kFeatureMq);
  return more ? FeatureSet{blk::kFeatureMq} : FeatureSet{};
}

// True if the device says that it needs a reset. Then it has to have said so aloud.
bool NeedsReset(Context& c) {
  if ((c.Do(op::ReadStatus{}).value & status::kNeedsReset) == 0) return false;
  if (c.Has(Ability::kConfigNotification)) {
    c.Do(op::WaitConfigNotification{});
    c.Expect(Accept::NotEqual(0), kNeedsResetTold,
             "DEVICE_NEEDS_RESET is followed by a configuration change notification");
  }
  return true;
}

void JudgeSiblings(Context& c, const Siege& siege) {
  for (const uint32_t sibling : siege.siblings)
    if (c.session().state().queues.contains(sibling))
      c.Submit(*c.grammar().RequestOn(sibling, 2), kSiblings);
}

// A queue that serves a legal buffer was not lost. One that does not is in an error state that only
// a reset ends.
void JudgeProgress(Context& c, const Siege& siege) {
  const auto request = c.grammar().RequestOn(siege.queue, 3);
  if (c.session().state().queues.at(siege.queue)->free_descriptors() < 2) return;
  c.Publish(*request);
  c.Notify(siege.queue);
  if (c.WaitUsed(siege.queue, 1).value > 0 || NeedsReset(c)) return;
  c.Do(op::ReadStatus{});
  // Judged once, by status.needs-reset.set; a remark here, or it would be said of every broken
  // ring.
  c.Note(Accept::Masked(status::kNeedsReset, status::kNeedsReset), kNeedsReset,
         "a queue that serves no more buffers is told by DEVICE_NEEDS_RESET");
}

}  // namespace

Siege Besiege(Context& c, FeatureSet with, uint32_t queue_size, bool second) {
  Siege siege;
  std::vector<uint32_t> serving = c.RequestQueues(2);
  std::erase_if(serving, [&](uint32_t queue) { return !Exists(c.facts(), queue); });
  if (serving.size() > 1 && second) std::swap(serving[0], serving[1]);
  if (!serving.empty()) {
    siege.queue = serving[0];
    siege.siblings.assign(serving.begin() + 1, serving.end());
  }
  if (!Exists(c.facts(), siege.queue)) c.NotApplicable("the device has no queue");
  uint32_t highest = siege.queue;
  for (const uint32_t sibling : siege.siblings) highest = std::max(highest, sibling);
  BringUp how{.with = with | FeaturesOfQueues(c), .queues = highest + 1, .queue_size = queue_size};
  c.Up(how);
  if (!c.session().state().queues.contains(siege.queue))
    c.NotApplicable("the device refused the set-up of its queue");
  siege.size = c.session().state().queues.at(siege.queue)->layout().size;
  if (c.Has(Ability::kConfigNotification)) c.Do(op::TakeConfigNotifications{});
  c.BeginHostile();
  return siege;
}

bool Dare(Context& c, const Operation& operation) {
  const auto result = c.Try(operation);
  if (result) return true;
  const bool crashed = c.session().transport().Died().value_or(Transport::Death{}).by_signal;
  if (result.error().kind != ErrorKind::kDeviceLost || crashed)
    throw CheckEnded{CheckEnded::Why::kError, result.error()};
  return false;
}

Virtqueue::Chain Hold(Context& c, const Siege& siege, const Framing& framing) {
  Exchange exchange{"64 bytes each way", siege.queue, Bytes(64, 1), 64, std::nullopt, 0};
  if (!c.RequestQueues(1).empty()) exchange = *c.grammar().RequestOn(siege.queue, 1);
  // What spoils a chain needs two descriptors: the shortest requests are cut shorter.
  Framing cut = framing, flat = framing;
  flat.direct = UINT32_MAX;
  if (c.DescriptorsOf(exchange, flat) < 2) cut.readable = cut.writable = {1};
  flat = cut, flat.direct = UINT32_MAX;
  if (c.DescriptorsOf(exchange, flat) < 2) c.NotApplicable("a request of this type is one byte");
  c.Publish(exchange, cut, true);
  return c.session().state().queues.at(siege.queue)->outstanding().back();
}

op::RawDescriptor DescriptorOf(const Siege& siege, const Virtqueue::Chain& chain, size_t i) {
  op::RawDescriptor raw{siege.queue, chain.descriptors[i], 0, 0, 0, 0};
  if (chain.table.length > 0 && i + 1 == chain.descriptors.size()) {
    raw.address = chain.table.address;
    raw.length = static_cast<uint32_t>(chain.table.length);
    raw.flags = split::kDescIndirect;
    return raw;
  }
  raw.address = chain.segments[i].address;
  raw.length = chain.segments[i].length;
  raw.flags = chain.segments[i].writable ? split::kDescWrite : 0;
  if (i + 1 == chain.descriptors.size()) return raw;
  raw.flags |= split::kDescNext;
  raw.next = chain.descriptors[i + 1];
  return raw;
}

Bytes EncodeDescriptor(uint64_t address, uint32_t length, uint16_t flags, uint16_t next) {
  Bytes raw(split::kDescSize);
  StoreLe(&raw[split::kDescAddr], address);
  StoreLe(&raw[split::kDescLen], length);
  StoreLe(&raw[split::kDescFlags], flags);
  StoreLe(&raw[split::kDescNextField], next);
  return raw;
}

Bytes TableEntry(const Virtqueue::Chain& chain, size_t i) {
  const op::Segment& segment = chain.segments[i];
  const bool last = i + 1 == chain.segments.size();
  const auto flags = static_cast<uint16_t>((segment.writable ? split::kDescWrite : 0) |
                                           (last ? 0 : split::kDescNext));
  return EncodeDescriptor(segment.address, segment.length, flags,
                          static_cast<uint16_t>(last ? 0 : i + 1));
}

void SetTrap(Context& c, const Siege& siege, uint64_t at, uint64_t then, uint32_t index) {
  Exchange exchange{"", siege.queue, {}, 64, std::nullopt, 0};
  if (!c.RequestQueues(1).empty()) exchange = *c.grammar().RequestOn(siege.queue, 1);
  if (!exchange.readable.empty()) {
    const uint64_t readable = c.Allocate(exchange.readable.size());
    const bool more = exchange.writable > 0;
    c.Do(op::Write{readable, exchange.readable});
    c.Do(op::Write{at, EncodeDescriptor(readable, static_cast<uint32_t>(exchange.readable.size()),
                                        more ? split::kDescNext : 0,
                                        static_cast<uint16_t>(more ? index : 0))});
    at = then;
  }
  if (exchange.writable > 0)
    c.Do(op::Write{at, EncodeDescriptor(c.Allocate(exchange.writable), exchange.writable,
                                        split::kDescWrite, 0)});
}

uint64_t EndOfMemory(Context& c) { return c.session().memory().regions().back().range.end(); }

void Unleash(Context& c, const Siege& siege) {
  c.Do(op::Expose{siege.queue});
  if (Dare(c, op::Notify{siege.queue}))
    Aftermath(c, siege);
  else
    c.ExpectSurvives();
}

void Aftermath(Context& c, const Siege& siege) {
  // A carrier without a device status has no way to tell an error, so silence is all one can
  // expect.
  if (Dare(c, op::Quiesce{}) && c.Has(Ability::kDeviceStatus) && !NeedsReset(c) &&
      !c.RequestQueues(1).empty()) {
    JudgeSiblings(c, siege);
    if (siege.may_go_on) JudgeProgress(c, siege);
  }
  c.ExpectSurvives();
}

}  // namespace vitro
