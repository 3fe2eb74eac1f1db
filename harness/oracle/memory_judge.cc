// SPDX-License-Identifier: Apache-2.0
// The oracle's eye on memory: who may write where (2.7.5.1, 2.7.6, 2.7.8), and when (2.1.2, 2.4.1).
#include <algorithm>
#include <iterator>

#include "harness/oracle/oracle.h"
#include "harness/virtio/packed_ring.h"

namespace vitro {
namespace {

constexpr const char* kDescriptorTable = "dev.basic.virtqueues.the-virtqueue-descriptor-table.2";
constexpr const char* kNotAvailable =
    "dev.basic.packed-virtqueues.the-virtqueue-descriptor-table.2";
constexpr const char* kGivenBack = "dev.basic.packed-virtqueues.the-virtqueue-descriptor-table.3";
constexpr uint64_t kSlot = packed::kDescSize;
constexpr const char* kReadable = "dev.basic.virtqueues.the-virtqueue-descriptor-table.1";
constexpr const char* kDriverArea = "derived.memory.driver-area-written";
constexpr const char* kOutside = "derived.memory.outside-buffers";
constexpr const char* kAfterReset = "dev.basic.device-reset.2";
constexpr const char* kAfterQueueReset = "dev.basic.virtqueues.virtqueue-reset.1";

// Removes from `change` whatever lies in one of `allowed`.
std::vector<GuestRange> Subtract(GuestRange change, const std::vector<GuestRange>& allowed) {
  std::vector<GuestRange> left = {change};
  for (const GuestRange& range : allowed) {
    std::vector<GuestRange> next;
    for (const GuestRange& piece : left) {
      const uint64_t from = std::max(piece.address, range.address);
      const uint64_t to = std::min(piece.end(), range.end());
      if (from >= to) {
        next.push_back(piece);
        continue;
      }
      if (piece.address < from) next.push_back({piece.address, from - piece.address});
      if (to < piece.end()) next.push_back({to, piece.end() - to});
    }
    left = std::move(next);
  }
  return left;
}

// The areas in which a device writes at one time or another.
std::vector<GuestRange> RingAreas(const Virtqueue& queue) {
  if (queue.packed()) return {queue.DescriptorArea(), queue.DeviceArea()};
  return {queue.DeviceArea()};
}

// The device-writable buffers that the device has.
void AddWritable(const Virtqueue& queue, std::vector<GuestRange>& ranges) {
  for (const auto& chain : queue.outstanding())
    for (const op::Segment& segment : chain.segments)
      if (segment.writable) ranges.push_back({segment.address, segment.length});
}

bool InOne(const std::vector<GuestRange>& ranges, uint64_t address, uint64_t* end) {
  for (const GuestRange& range : ranges) {
    if (!range.Contains(address)) continue;
    *end = std::min(*end, range.end());
    return true;
  }
  return false;
}

}  // namespace

Oracle::Oracle(GuestMemory& memory, Shadow& shadow, DriverState& state, const Transport& transport,
               Report report)
    : memory_(memory),
      shadow_(shadow),
      state_(state),
      transport_(transport),
      report_(std::move(report)) {}

// Where the device may write now. Before DRIVER_OK that is nowhere (2.1.2), unless the carrier
// keeps the status to itself, so that the device cannot know.
std::vector<GuestRange> Oracle::Writable() const {
  std::vector<GuestRange> ranges = state_.lent;
  if (!state_.running() && Has(Ability::kDeviceStatus) && !state_.hostile) return ranges;
  for (const auto& [index, queue] : state_.queues) {
    if (queue->usable()) std::ranges::copy(queue->DeviceWritable(), std::back_inserter(ranges));
    AddWritable(*queue, ranges);
  }
  if (state_.hostile) ranges.insert(ranges.end(), ever_writable_.begin(), ever_writable_.end());
  return ranges;
}

Oracle::Verdict Oracle::Classify(uint64_t address, uint64_t* run_end) const {
  for (const auto& [index, queue] : state_.queues) {
    if (!queue->usable()) continue;
    auto in = [&](GuestRange range) {
      if (!range.Contains(address)) return false;
      *run_end = std::min(*run_end, range.end());
      return true;
    };
    if (in(queue->DescriptorArea())) {
      if (!queue->packed())
        return {kDescriptorTable, fmt::format("the descriptor table of queue {}", index)};
      if (!state_.running())
        return {WhySilent().requirement,
                fmt::format("the ring of queue {} {}", index, WhySilent().when)};
      // One that was never in use is all zero (2.8.13); any other was given back.
      const uint64_t slot = address - (address - queue->DescriptorArea().address) % kSlot;
      const ByteView known = shadow_.Known({slot, kSlot});
      const bool never = std::ranges::all_of(known, [](uint8_t byte) { return byte == 0; });
      return {never ? kNotAvailable : kGivenBack,
              fmt::format("a descriptor of queue {} that it does not have", index)};
    }
    if (in(queue->DriverArea()))
      return {kDriverArea, fmt::format("the driver area of queue {}", index)};
    if (in(queue->DeviceArea()) && !state_.running())
      return {WhySilent().requirement,
              fmt::format("the device area of queue {} {}", index, WhySilent().when)};
    for (const auto& chain : queue->outstanding()) {
      if (in(chain.table))
        return {kDescriptorTable, fmt::format("an indirect table of queue {}", index)};
      for (const op::Segment& segment : chain.segments) {
        if (!in({segment.address, segment.length})) continue;
        if (segment.writable)
          return {WhySilent().requirement,
                  fmt::format("a buffer of queue {} {}", index, WhySilent().when)};
        return {kReadable, fmt::format("a device-readable buffer of queue {}", index)};
      }
    }
  }
  if (InOne(retired_, address, run_end))
    return {kAfterReset, "memory that the device had before its reset"};
  if (InOne(queue_retired_, address, run_end))
    return {kAfterQueueReset, "memory that a queue had before it was reset"};
  return {kOutside, "memory that no buffer or ring covers"};
}

void Oracle::JudgeMemory(bool everything) {
  JudgeFlags();
  const auto changes = shadow_.Diff(everything);
  if (changes.empty()) return;
  const std::vector<GuestRange> allowed = Writable();
  std::string last_where;
  uint64_t last_end = 0;
  for (const auto& change : changes) {
    for (const GuestRange& wild : Subtract(change.range, allowed)) {
      for (uint64_t at = wild.address; at < wild.end();) {
        uint64_t end = wild.end();
        const Verdict verdict = Classify(at, &end);
        const uint64_t length = end - at;
        // Pieces of one wild write that only a byte of luck separates are told once.
        if (verdict.where != last_where || at > last_end + 16) {
          const ByteView before = shadow_.Known({at, std::min<uint64_t>(length, 16)});
          const Bytes after = memory_.Read(at, std::min<uint64_t>(length, 16)).value_or(Bytes());
          report_({verdict.requirement,
                   fmt::format("the device wrote {} at {:#x}", verdict.where, at),
                   fmt::format("bytes {} at {:#x} unchanged", ToHex(before), at),
                   fmt::format("{} byte{} changed to {}{}", length, length == 1 ? "" : "s",
                               ToHex(after), length > 16 ? ".." : ""),
                   "", 0});
        }
        last_where = verdict.where;
        last_end = end;
        at = end;
      }
      shadow_.Accept(wild);
    }
  }
  // What is in a used ring is read there, not kept as known poison.
  for (const auto& [index, queue] : state_.queues)
    if (queue->usable())
      for (const GuestRange& area : RingAreas(*queue)) shadow_.Accept(area);
}

void Oracle::JudgeFlags() {
  if (!state_.running() || state_.hostile) return;
  for (const auto& [index, queue] : state_.queues) {
    const uint16_t flags = queue->used_flags();
    const bool event_idx = state_.Negotiated(feature::kEventIdx);
    // Of a packed ring they tell all there is to tell (2.8.10); of a split one, nothing where there
    // are events (2.7.10).
    const uint16_t most = queue->packed() ? (event_idx ? 2 : 1) : (event_idx ? 0 : 1);
    if (flags <= most) continue;
    auto [reported, first] = flags_reported_.emplace(index, flags);
    if (!first && reported->second == flags) continue;
    reported->second = flags;
    report_({event_idx ? "dev.basic.virtqueues.available-buffer-notification-suppression.3"
                       : "dev.basic.virtqueues.available-buffer-notification-suppression.1",
             fmt::format("the device area of queue {} has unexpected flags", index),
             most == 0 ? "flags = 0" : fmt::format("flags from 0 to {}", most),
             fmt::format("flags = {:#x}", flags), "", 0});
  }
}

void Oracle::Written(GuestRange range) {
  std::erase_if(fresh_, [&](const GuestRange& fresh) {
    return range.address < fresh.end() && fresh.address < range.end();
  });
}

bool Oracle::IsFresh(const std::vector<op::Segment>& segments) const {
  return std::all_of(segments.begin(), segments.end(), [&](const op::Segment& segment) {
    return !segment.writable || segment.length == 0 ||
           std::any_of(fresh_.begin(), fresh_.end(), [&](const GuestRange& range) {
             return range.Contains(GuestRange{segment.address, segment.length});
           });
  });
}

void Oracle::BeforeExpose(uint32_t index) {
  auto it = state_.queues.find(index);
  if (it == state_.queues.end()) return;
  // Areas that are misaligned were given to the device all the same.
  std::ranges::copy(RingAreas(*it->second), std::back_inserter(ever_writable_));
  AddWritable(*it->second, ever_writable_);
  // Kept small: long runs publish the same buffers again and again.
  std::sort(ever_writable_.begin(), ever_writable_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.address, a.length) < std::pair(b.address, b.length);
  });
  ever_writable_.erase(std::unique(ever_writable_.begin(), ever_writable_.end()),
                       ever_writable_.end());
}

void Oracle::DeviceWasReset() {
  retired_ = ever_writable_;
  queue_retired_.clear();
  reset_queues_.clear();
  for (const GuestRange& range : retired_) shadow_.Accept(range);
  ledgers_.clear();
  flags_reported_.clear();
}

void Oracle::QueueWasReset(uint32_t index) {
  reset_queues_.insert(index);
  auto it = state_.queues.find(index);
  if (it == state_.queues.end()) return;
  if (it->second->usable())
    std::ranges::copy(RingAreas(*it->second), std::back_inserter(queue_retired_));
  AddWritable(*it->second, queue_retired_);
  for (const GuestRange& range : queue_retired_) shadow_.Accept(range);
  ledgers_.erase(index);
}

}  // namespace vitro
