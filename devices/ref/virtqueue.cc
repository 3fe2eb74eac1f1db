// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/virtqueue.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "harness/base/bytes.h"

namespace vitro::ref {

bool Virtqueue::Setup(const vitro_queue& setup) {
  const FaultSwitch& fault = *fault_;
  if (setup.queue_size == 0) {
    if (fault("queue-size-zero-crash")) Crash();
    return false;
  }
  if (setup.queue_size > max_size_ || !Takes(setup)) return false;
  const bool again = size_ != 0;
  if (!(fault("queue-reset-keeps-size") && again)) size_ = setup.queue_size;
  if (fault("queue-size-ignored")) size_ = max_size_;
  if (fault("packed-size-rounded")) size_ = std::bit_floor(size_);
  if (!(fault("queue-reset-keeps-address") && again)) Place(setup);
  if (fault("driver-area-written")) {
    const uint8_t zeroes[4] = {};
    host_->Write(setup.driver_address, zeroes, sizeof zeroes);
  }
  // There already, unless the queue was never reset and is set up anew.
  if (!fault("reset-keeps-index") && !fault("queue-reset-keeps-index")) Rewind();
  enabled_ = true;
  return true;
}

void Virtqueue::DeviceReset() {
  const FaultSwitch& fault = *fault_;
  if (fault("reset-keeps-queues")) return;
  enabled_ = false;
  if (!fault("reset-keeps-index")) Rewind();
  size_ = 0;
}

void Virtqueue::QueueReset() {
  const FaultSwitch& fault = *fault_;
  if (fault("queue-reset-keeps-serving")) return;
  enabled_ = false;
  if (!fault("queue-reset-keeps-index")) Rewind();
  // size_ and addresses stay, unused: the two faults that keep them need to know them.
}

std::optional<uint16_t> Virtqueue::ReadLe16(uint64_t address) const {
  uint8_t raw[2];
  if (!host_->Read(address, raw, sizeof raw)) return std::nullopt;
  return LoadLe<uint16_t>(raw);
}

bool Virtqueue::WriteLe16(uint64_t address, uint16_t value) const {
  uint8_t raw[2];
  StoreLe(raw, value);
  return host_->Write(address, raw, sizeof raw);
}

bool Virtqueue::Break(std::string reason) {
  reason_ = std::move(reason);
  return false;
}

Virtqueue::Take Virtqueue::BrokenRing(const char* what) {
  if ((*fault_)("bad-ring-crash")) Crash();
  reason_ = fmt::format("the {} ring is not guest memory", what);
  return Take::kBroken;
}

uint32_t Virtqueue::FaultyLength(const Chain& chain) const {
  const FaultSwitch& fault = *fault_;
  uint64_t length = chain.used_length();
  if (fault("used-len-zero") || lengths_lost_) length = 0;
  if (fault("used-len-includes-readable")) length += chain.readable_bytes();
  if (fault("used-len-too-long")) length += 1;
  if (fault("used-len-exceeds-buffer")) length = chain.writable_bytes() + 4096;
  // 2^32 bytes do not fit the field: the largest smaller value is still true.
  return static_cast<uint32_t>(std::min<uint64_t>(length, UINT32_MAX));
}

}  // namespace vitro::ref
