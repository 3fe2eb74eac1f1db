// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/packed_queue.h"

#include <fmt/format.h>

#include <atomic>
#include <bit>
#include <utility>

#include "devices/ref/chain_walker.h"
#include "harness/base/bytes.h"

namespace vitro::ref {

bool PackedQueue::Takes(const vitro_queue& setup) const {
  return setup.desc_address % packed::kDescAlign == 0 &&
         setup.driver_address % packed::kEventAlign == 0 &&
         setup.device_address % packed::kEventAlign == 0;
}

void PackedQueue::Place(const vitro_queue& setup) {
  ring_ = setup.desc_address;
  driver_event_ = setup.driver_address;
  device_event_ = setup.device_address;
}

void PackedQueue::SetFeatures(FeatureSet features) {
  event_idx_ = features.Has(feature::kEventIdx);
  indirect_ = features.Has(feature::kIndirectDesc);
}

void PackedQueue::Rewind() {
  const bool wrap_kept = (*fault_)("packed-reset-keeps-wrap");
  next_ = wrap_kept ? packed::Position(0, packed::WrapOf(next_)) : packed::kStart;
  used_ = wrap_kept ? packed::Position(0, packed::WrapOf(used_)) : packed::kStart;
  signalled_ = used_;
  unsignalled_ = 0;
  last_.reset();
}

bool PackedQueue::LooksAvailable(uint16_t flags, bool wrap) const {
  const FaultSwitch& fault = *fault_;
  if (fault("packed-any-phase"))
    return packed::IsAvailable(flags, true) != packed::IsAvailable(flags, false);
  if (fault("packed-avail-wrap-stuck")) return packed::IsAvailable(flags, true);
  return packed::IsAvailable(flags, wrap);
}

bool PackedQueue::HasAvailable() {
  const auto flags = ReadLe16(At(next_) + packed::kDescFlags);
  return flags && LooksAvailable(*flags, packed::WrapOf(next_));
}

Virtqueue::Take PackedQueue::Next(Chain& chain) {
  const auto flags = ReadLe16(At(next_) + packed::kDescFlags);
  if (!flags) return BrokenRing("descriptor");
  if (!LooksAvailable(*flags, packed::WrapOf(next_))) return Take::kNone;
  // The rest of the list is read only after the flags that make it available (2.8.21.1).
  std::atomic_thread_fence(std::memory_order_acquire);
  PackedWalker walker(*host_, *fault_, {ring_, size_, indirect_});
  if (!walker.Walk(packed::SlotOf(next_), chain)) {
    reason_ = walker.reason();
    return Take::kBroken;
  }
  if ((*fault_)("length-16-bit")) chain.TruncateLengthsTo16Bits();
  next_ = After(next_, chain.descriptors());
  return Take::kChain;
}

uint16_t PackedQueue::SlotToUse(const Chain& chain) const {
  const FaultSwitch& fault = *fault_;
  if (fault("packed-used-at-id"))
    return packed::Position(chain.head() % size_, packed::WrapOf(used_));
  if (fault("packed-used-at-list-end")) return After(used_, chain.descriptors() - 1);
  return used_;
}

bool PackedQueue::Use(const Chain& chain) {
  const FaultSwitch& fault = *fault_;
  if (fault("packed-used-rewritten") && last_) host_->InvertByte(At(*last_) + packed::kDescLen);
  if (fault("packed-id-unchecked") && chain.head() >= size_) Crash();
  const uint16_t position = SlotToUse(chain);
  const bool wrap = fault("packed-used-wrap-stuck") || packed::WrapOf(position);
  const uint32_t length = FaultyLength(chain);
  const uint16_t id =
      fault("used-id-wrong") ? static_cast<uint16_t>(chain.head() ^ 1) : chain.head();
  uint16_t flags = packed::UsedBits(wrap);
  if (chain.writable_bytes() > 0 && !fault("packed-used-without-write"))
    flags |= packed::kDescWrite;
  uint8_t raw[6];
  StoreLe<uint32_t>(raw, length);
  StoreLe<uint16_t>(raw + 4, id);
  bool good = host_->Write(At(position) + packed::kDescLen, raw, sizeof raw);
  // Buffers, length and ID are seen before the flags that announce them.
  std::atomic_thread_fence(std::memory_order_release);
  good = good && WriteLe16(At(position) + packed::kDescFlags, flags);
  last_ = position;
  used_ = After(used_, fault("packed-list-not-skipped") ? 1 : chain.descriptors());
  ++unsignalled_;
  if (good) return true;
  if (fault("bad-ring-crash")) Crash();
  return Break("the descriptor ring is not guest memory");
}

bool PackedQueue::PublishAvailEvent() {
  const FaultSwitch& fault = *fault_;
  bool good = true;
  if (fault("packed-device-event-garbage"))
    good = WriteLe16(device_event_ + packed::kEventFlags, 3);
  if (!event_idx_) return good;
  if (!(fault("packed-device-event-stale") && next_ != packed::kStart))
    good = WriteLe16(device_event_ + packed::kEventDescriptor, next_) && good;
  if (!fault("packed-device-event-garbage"))
    good = WriteLe16(device_event_ + packed::kEventFlags, packed::kEventDesc) && good;
  // The driver either sees this and notifies, or its buffer is seen when we look again.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return good || Break("the device event suppression structure is not guest memory");
}

// Was the descriptor that the driver named used since signalled_?
bool PackedQueue::EventReached(uint16_t event) const {
  const FaultSwitch& fault = *fault_;
  if (packed::SlotOf(event) >= size_) {
    if (fault("packed-event-offset-crash")) Crash();
    return false;
  }
  const uint16_t first = fault("packed-event-off-by-one") ? After(signalled_, 1) : signalled_;
  for (uint16_t at = first; at != used_; at = After(at, 1)) {
    if (at == event) return true;
    if (fault("packed-event-wrap-ignored") && packed::SlotOf(at) == packed::SlotOf(event))
      return true;
  }
  return false;
}

bool PackedQueue::NotificationDue() {
  const FaultSwitch& fault = *fault_;
  if (std::exchange(unsignalled_, 0) == 0) return false;
  // What was used must be visible before the driver's wish is read.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const auto flags = ReadLe16(driver_event_ + packed::kEventFlags);
  const auto event = ReadLe16(driver_event_ + packed::kEventDescriptor);
  const bool reached = !event || EventReached(*event);
  signalled_ = used_;
  if (!flags) return true;
  if (*flags == packed::kEventDisable) return fault("packed-event-disable-ignored");
  if (*flags == packed::kEventDesc && event_idx_) return reached || fault("packed-event-always");
  return !fault("packed-event-enable-lost");
}

}  // namespace vitro::ref
