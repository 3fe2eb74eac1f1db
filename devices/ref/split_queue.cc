// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/split_queue.h"

#include <fmt/format.h>

#include <atomic>
#include <bit>
#include <utility>

#include "devices/ref/chain_walker.h"
#include "harness/base/bytes.h"
#include "harness/virtio/split_ring.h"

namespace vitro::ref {

bool SplitQueue::Takes(const vitro_queue& setup) const {
  const bool size =
      std::has_single_bit(setup.queue_size) || (*fault_)("queue-max-not-power-of-two");
  return size && setup.desc_address % split::kDescAlign == 0 &&
         setup.driver_address % split::kAvailAlign == 0 &&
         setup.device_address % split::kUsedAlign == 0;
}

void SplitQueue::Place(const vitro_queue& setup) {
  desc_ = setup.desc_address;
  avail_ = setup.driver_address;
  used_ = setup.device_address;
}

void SplitQueue::SetFeatures(FeatureSet features) {
  event_idx_ = features.Has(feature::kEventIdx);
  indirect_ = features.Has(feature::kIndirectDesc);
  notify_on_empty_ = features.Has(feature::kNotifyOnEmpty);
  // A test of the position, 29, is a test of bits that VERSION_1 and others set: always true.
  if ((*fault_)("feature-position-for-mask")) event_idx_ = true;
  lengths_lost_ = (*fault_)("features-together-used-length") && indirect_ && !event_idx_ &&
                  features.Has(feature::kInOrder) && !features.Has(feature::kRingReset);
}

void SplitQueue::Rewind() {
  last_avail_ = used_idx_ = 0;
  unsignalled_ = 0;
  if (!(*fault_)("event-idx-stale-signalled")) signalled_ = 0;
}

// Entries from last_avail_ to the available index; no value if that could not be read.
std::optional<uint16_t> SplitQueue::AvailableCount() {
  const FaultSwitch& fault = *fault_;
  const auto idx = ReadLe16(avail_ + split::kRingIdx);
  if (!idx) return std::nullopt;
  // What stands in the ring is read only after the index that announces it.
  std::atomic_thread_fence(std::memory_order_acquire);
  const auto count = static_cast<uint16_t>(*idx - last_avail_);
  if (fault("avail-wrap-lost")) {
    const uint16_t wrapped = *idx % size_;
    return wrapped > last_avail_ % size_ ? wrapped - last_avail_ % size_ : 0;
  }
  if (fault("full-ring-empty") && count == size_) return 0;
  return count;
}

bool SplitQueue::HasAvailable() { return AvailableCount().value_or(0) != 0; }

Virtqueue::Take SplitQueue::Next(Chain& chain) {
  const FaultSwitch& fault = *fault_;
  const auto available = AvailableCount();
  if (!available) return BrokenRing("available");
  if (*available == 0) return Take::kNone;
  if (*available > size_ && !fault("avail-jump-served")) {
    reason_ = fmt::format("the available index is {} ahead in a queue of {}", *available, size_);
    return Take::kBroken;
  }
  const uint64_t entry = avail_ + split::kRingEntries + 2ull * (last_avail_ % size_);
  const auto head = ReadLe16(entry);
  if (!head) return BrokenRing("available");
  if (fault("available-ring-written")) WriteLe16(entry, static_cast<uint16_t>(~*head));
  chain = Chain(*host_, fault, *head);
  ChainWalker walker(*host_, fault, {desc_, size_, indirect_});
  if (!walker.Walk(*head, chain)) {
    reason_ = walker.reason();
    return Take::kBroken;
  }
  if (fault("length-16-bit")) chain.TruncateLengthsTo16Bits();
  ++last_avail_;
  return Take::kChain;
}

bool SplitQueue::PutUsedElement(uint16_t id, uint32_t length) {
  uint8_t element[split::kUsedElemSize];
  StoreLe<uint32_t>(element, id);
  StoreLe<uint32_t>(element + 4, length);
  const uint32_t slot = (*fault_)("used-ring-not-wrapped") ? used_idx_ : used_idx_ % size_;
  if (!host_->Write(used_ + split::kRingEntries + split::kUsedElemSize * slot, element,
                    sizeof element))
    return false;
  ++used_idx_;
  return true;
}

bool SplitQueue::PublishUsedIndex() {
  const FaultSwitch& fault = *fault_;
  if (fault("used-flags-garbage")) WriteLe16(used_, 2);
  if (fault("used-flags-with-event-idx") && event_idx_) WriteLe16(used_, 1);
  // Buffers and entries are seen before the index that announces them.
  std::atomic_thread_fence(std::memory_order_release);
  return WriteLe16(used_ + split::kRingIdx, used_idx_);
}

bool SplitQueue::Use(const Chain& chain) {
  const FaultSwitch& fault = *fault_;
  if (fault("used-index-from-memory"))
    used_idx_ = ReadLe16(used_ + split::kRingIdx).value_or(used_idx_);
  const uint32_t length = FaultyLength(chain);
  const uint16_t id = fault("used-id-wrong") ? chain.last() : chain.head();
  bool good = PutUsedElement(id, length);
  if (fault("used-twice")) good = good && PutUsedElement(id, length);
  if (fault("used-index-skips")) ++used_idx_;
  ++unsignalled_;
  if (good && PublishUsedIndex()) return true;
  if (fault("bad-ring-crash")) Crash();
  return Break("the used ring is not guest memory");
}

bool SplitQueue::PublishAvailEvent() {
  if (!event_idx_ || (*fault_)("avail-event-not-updated")) return true;
  if (!WriteLe16(used_ + split::AvailEventOffset(size_), last_avail_))
    return Break("the used ring is not guest memory");
  // The driver either sees this and notifies, or its buffer is seen when we look again.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return true;
}

bool SplitQueue::NeedEventWithFaults(uint16_t used_event, uint16_t now, uint16_t before) const {
  const FaultSwitch& fault = *fault_;
  if (fault("event-idx-always-notifies")) return true;
  if (fault("event-idx-off-by-one")) ++used_event;
  if (fault("event-idx-batch-lost")) return used_event == static_cast<uint16_t>(now - 1);
  if (fault("event-idx-wrap-lost")) return before <= used_event && used_event < now;
  return split::NeedEvent(used_event, now, before);
}

bool SplitQueue::NotificationDue() {
  const FaultSwitch& fault = *fault_;
  const uint16_t before = std::exchange(signalled_, used_idx_);
  if (std::exchange(unsignalled_, 0) == 0) return false;
  // The used index must be visible before the driver's wish is read.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (notify_on_empty_ && !HasAvailable()) return true;
  const auto flags = ReadLe16(avail_ + split::kRingFlags);
  const auto used_event = ReadLe16(avail_ + split::UsedEventOffset(size_));
  const bool silenced = flags && (*flags & split::kAvailNoInterrupt);
  if (event_idx_ || fault("used-event-always")) {
    if (fault("event-idx-flag-honoured") && silenced) return false;
    return !used_event || NeedEventWithFaults(*used_event, used_idx_, before);
  }
  if (fault("no-interrupt-flag-ignored")) return true;
  return !silenced && !fault("notification-lost");
}

}  // namespace vitro::ref
