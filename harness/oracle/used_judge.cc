// SPDX-License-Identifier: Apache-2.0
// The oracle's eye on used rings (2.7.8) and on used buffer notifications (2.7.7, 2.3).
#include <algorithm>

#include "harness/oracle/oracle.h"

namespace vitro {
namespace {

constexpr const char* kLength = "dev.basic.virtqueues.the-virtqueue-used-ring.2";
constexpr const char* kLengthShort = "derived.used.len-short";
constexpr const char* kIdUnknown = "derived.used.id-not-outstanding";
constexpr const char* kIndexJump = "derived.used.index-jump";
constexpr const char* kOrder = "dev.basic.reserved-feature-bits.5";
constexpr const char* kBeforeDriverOk = "dev.basic.device-status-field.1";
constexpr const char* kWhileSuspended = "dev.basic.init.device-suspend.3";
constexpr const char* kAfterReset = "dev.basic.device-reset.2";
constexpr const char* kAfterQueueReset = "dev.basic.virtqueues.virtqueue-reset.1";
constexpr const char* kSpurious = "derived.notification.spurious-used";
constexpr const char* kSuppression = "dev.basic.virtqueues.used-buffer-notification-suppression.";

// A run of untouched poison this long inside the used length is no accident: a device that writes
// random bytes leaves it with a chance of 2^-64.
constexpr uint64_t kSureRun = 8;

}  // namespace

Oracle::Harvest Oracle::TakeUsed(uint32_t index) {
  Harvest harvest;
  auto it = state_.queues.find(index);
  if (it == state_.queues.end() || !it->second->usable()) return harvest;
  Virtqueue& queue = *it->second;
  const uint16_t old_position = queue.last_used();
  // Read once: the device may go on using buffers while these are judged.
  const uint32_t claimed = queue.Pending();
  const bool in_order = state_.Negotiated(feature::kInOrder);
  if (claimed > queue.outstanding().size() && !state_.hostile && !queue.packed()) {
    report_({kIndexJump, fmt::format("the used index of queue {} moved too far", index),
             fmt::format("at most {} more than {}", queue.outstanding().size(), old_position),
             fmt::format("used idx = {}, which is {} more",
                         queue.PositionAfter(old_position, claimed), claimed),
             "", 0});
  }
  // Never more than the ring holds: the rest was overwritten or never there.
  const uint32_t pending = std::min(claimed, queue.layout().size);
  uint32_t done = 0;
  while (done < pending) {
    const Virtqueue::UsedElement element = queue.Used();
    const auto position = queue.Find(element.id);
    const bool nothing =
        !element.written && position && queue.outstanding()[*position].WritableLength() == 0;
    harvest.elements.push_back({element.id, nothing ? 0 : element.len, position.has_value()});
    if (!position) {
      if (!state_.hostile)
        report_({in_order ? kOrder : kIdUnknown,
                 fmt::format("queue {} used a buffer that the device does not have", index),
                 "an id that is outstanding, once",
                 fmt::format("id = {}, len = {} at used position {:#x}", element.id, element.len,
                             queue.last_used()),
                 "", 0});
      AddToLedger(index, 1, 1);
      ++done;
      continue;
    }
    // With IN_ORDER one element may stand for a batch that ends with it (2.7.9, 2.8.8).
    const size_t batch = in_order ? *position : 0;
    if (batch >= static_cast<size_t>(pending - done) && !state_.hostile)
      report_({kOrder,
               fmt::format("queue {} used a buffer before those made available earlier", index),
               fmt::format("one of the next {} buffers", pending - done),
               fmt::format("id = {}, which is the buffer after {} others, at used position {:#x}",
                           element.id, batch, queue.last_used()),
               "", 0});
    size_t descriptors = queue.outstanding()[*position].descriptors.size();
    uint32_t entries = queue.EntriesOf(descriptors);
    for (size_t i = 0; i < batch; ++i) {
      const Virtqueue::Chain unseen = queue.Complete(0);
      entries += queue.EntriesOf(unseen.descriptors.size());
      TakeUnseen(unseen);
    }
    Virtqueue::Chain chain = queue.Complete(in_order ? 0 : *position);
    JudgeChain(index, chain, element);
    last_taken_.insert_or_assign(index, std::move(chain));
    AddToLedger(index, entries, static_cast<uint32_t>(1 + batch));
    done += static_cast<uint32_t>(1 + batch);
  }
  // The index as it was read, even if entries are missing: a jump is told once.
  if (!queue.packed() && claimed > done) queue.SkipUsed(claimed - done);
  harvest.buffers = std::max(claimed, done);
  if (harvest.buffers > 0) JudgeTiming(index, old_position);
  return harvest;
}

void Oracle::JudgeChain(uint32_t index, const Virtqueue::Chain& chain,
                        Virtqueue::UsedElement element) {
  const uint64_t writable = chain.WritableLength();
  const uint32_t length = element.len;
  if (length > writable && element.written && !state_.hostile)
    report_({kLength,
             fmt::format("the used length on queue {} is more than the buffer holds", index),
             fmt::format("len <= {}", writable), fmt::format("len = {}", length), "", 0});

  // What lies behind a gap is no part of the length: it counts from the first byte on, so that a
  // device which writes but the last one, as a block device does on errors, has no larger length to
  // tell.
  constexpr uint64_t kGap = 4;
  uint64_t position = 0, untouched_run = 0, longest_run = 0, changed_beyond = 0, last_changed = 0;
  uint64_t gap = 0;
  for (const op::Segment& segment : chain.segments) {
    if (!segment.writable) continue;
    const GuestRange range{segment.address, segment.length};
    const ByteView known = shadow_.Known(range);
    const uint8_t* now = memory_.At(range.address, range.length);
    // Of a buffer that held anything but poison nothing can be said; long runs use many.
    for (uint64_t i = 0; chain.fresh && i < known.size(); ++i, ++position) {
      const bool changed = now[i] != known[i];
      if (position >= length) {
        gap = changed ? (gap < kGap ? 0 : gap) : gap + 1;
        if (changed && gap < kGap) ++changed_beyond, last_changed = position;
      }
      untouched_run = changed || position >= length ? 0 : untouched_run + 1;
      longest_run = std::max(longest_run, untouched_run);
    }
    shadow_.Accept(range);
    Written(range);
  }
  // Without the WRITE flag the length is reserved (2.8.4), and nothing can be said of it.
  if (state_.hostile || !chain.fresh || !element.written) return;
  if (longest_run >= kSureRun)
    report_({kLength, fmt::format("queue {} used a buffer with bytes not written", index),
             fmt::format("the first {} bytes of the device-writable part written", length),
             fmt::format("{} bytes in a row still hold what the driver left there", longest_run),
             "", 0});
  if (changed_beyond > 0)
    report_({kLengthShort,
             fmt::format("the used length on queue {} is less than was written", index),
             fmt::format("len >= {}", last_changed + 1), fmt::format("len = {}", length), "", 0});
}

// A buffer without an element of its own, used with a batch: its device-writable bytes may have
// been written, and how many is not told (2.7.9).
void Oracle::TakeUnseen(const Virtqueue::Chain& chain) {
  for (const op::Segment& segment : chain.segments) {
    if (!segment.writable) continue;
    shadow_.Accept({segment.address, segment.length});
    Written({segment.address, segment.length});
  }
}

void Oracle::AddToLedger(uint32_t index, uint32_t entries, uint32_t buffers) {
  Virtqueue& queue = *state_.queues.at(index);
  Ledger& ledger = ledgers_[index];
  ledger.used += buffers;
  const std::optional<bool> asks = queue.AsksFor(queue.last_used(), entries);
  ledger.owed |= asks.value_or(false);
  ledger.uncertain |= !asks;
  queue.SkipUsed(entries);
}

Oracle::Silence Oracle::WhySilent() const {
  if (state_.suspended()) return {kWhileSuspended, "while it was suspended"};
  if (state_.was_reset) return {kAfterReset, "after the reset"};
  return {kBeforeDriverOk, "before DRIVER_OK"};
}

void Oracle::JudgeTiming(uint32_t index, uint16_t old_position) {
  // Asks for a notification although it is suppressed, when nothing is available any more (6.3).
  if (state_.legacy && state_.accepted.Has(feature::kNotifyOnEmpty))
    ledgers_[index].uncertain = true;
  if (!state_.running() && !state_.hostile && Has(Ability::kDeviceStatus))
    report_({WhySilent().requirement,
             fmt::format("queue {} used buffers {}", index, WhySilent().when), "no used buffers",
             fmt::format("used position moved from {:#x} to {:#x}", old_position,
                         state_.queues.at(index)->last_used()),
             "", 0});
}

void Oracle::SuppressionChanged(uint32_t index) {
  auto it = state_.queues.find(index);
  if (it != state_.queues.end() && !it->second->outstanding().empty())
    ledgers_[index].uncertain = true;
}

void Oracle::Count(uint32_t index, uint64_t notifications) {
  if (notifications == 0) return;
  if (state_.running() && !state_.queues.contains(index)) {
    // On a way that others use it is most likely theirs.
    if (transport_.RouteOf(index) == NotificationRoute::kShared) return;
    const bool was_reset = reset_queues_.contains(index);
    report_({was_reset ? kAfterQueueReset : kSpurious,
             fmt::format("a used buffer notification for queue {}, which {}", index,
                         was_reset ? "was reset" : "is not set up"),
             "no notification", fmt::format("{} notification(s)", notifications), "", 0});
    return;
  }
  ledgers_[index].notifications += notifications;
  if (state_.running() || state_.hostile || !Has(Ability::kDeviceStatus)) return;
  report_({WhySilent().requirement,
           fmt::format("a used buffer notification for queue {} {}", index, WhySilent().when),
           "no notification", fmt::format("{} notification(s)", notifications), "", 0});
}

bool Oracle::Owes(uint32_t index) const {
  auto it = ledgers_.find(index);
  return it != ledgers_.end() && transport_.RouteOf(index) != NotificationRoute::kNone &&
         it->second.owed && !it->second.uncertain && it->second.notifications == 0;
}

void Oracle::Settle(uint32_t index, bool exact) {
  const Ledger ledger = std::exchange(ledgers_[index], {});
  if (state_.hostile || ledger.uncertain || !state_.running()) return;
  if (!Has(Ability::kUsedNotification)) return;
  const NotificationRoute route = transport_.RouteOf(index);
  if (route == NotificationRoute::kNone) return;  // nothing can come, nothing is owed
  const bool event_idx = state_.Negotiated(feature::kEventIdx);
  if (ledger.owed && ledger.notifications == 0) {
    report_({std::string(kSuppression) + (event_idx ? "5" : "3"),
             fmt::format("queue {} used {} buffer(s) and sent no notification", index, ledger.used),
             "at least one used buffer notification", "none", "", 0});
  } else if (route == NotificationRoute::kShared) {
    // What came may have been another queue's.
  } else if (ledger.used > 0 && !ledger.owed && ledger.notifications > 0) {
    report_({std::string(kSuppression) + (event_idx ? "6" : "2"),
             fmt::format("queue {} notified although the driver had suppressed it", index),
             "no used buffer notification", fmt::format("{}", ledger.notifications), "", 0});
  } else if (ledger.used == 0 && ledger.notifications > 0 && exact) {
    report_({kSpurious, fmt::format("queue {} notified without having used a buffer", index),
             "no used buffer notification", fmt::format("{}", ledger.notifications), "", 0});
  }
}

}  // namespace vitro
