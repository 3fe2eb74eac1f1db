// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/wide_action.h"

namespace vitro::ref {

WideAction::WideAction(const FaultSwitch& fault, uint64_t default_value)
    : fault_(fault), default_value_(default_value), value_(default_value) {}

void WideAction::Reset() {
  applied_ = 0;
  actions_ = 0;
  if (fault_("config-wide-half-survives-reset") && written_ != 0) return;
  value_ = default_value_;
  if (!fault_("config-wide-mask-survives-reset")) written_ = 0;
}

void WideAction::WriteByte(uint32_t index, uint8_t byte) {
  const uint32_t shift = 8 * index;
  value_ = (value_ & ~(uint64_t{0xff} << shift)) | uint64_t{byte} << shift;
  written_ = static_cast<uint8_t>(written_ | 1u << index);
}

bool WideAction::Complete(int64_t first, int64_t last) const {
  if (fault_("config-wide-acts-on-low")) return first <= 3 && last >= 3;
  if (fault_("config-wide-acts-on-high")) return first <= 7 && last >= 7;
  if (fault_("config-wide-acts-on-each-write")) return true;
  return written_ == 0xff;
}

bool WideAction::Written(int64_t first, int64_t last) {
  if (first > 7 || last < 0) {
    if (fault_("config-wide-half-lost-by-other-field")) Forget();
    return false;
  }
  if (!Complete(first, last)) return false;
  applied_ = value_;
  ++actions_;
  written_ = 0;
  return true;
}

}  // namespace vitro::ref
