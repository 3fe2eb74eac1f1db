// SPDX-License-Identifier: Apache-2.0
// WideAction: a writable 64-bit field of the configuration space (2.5) that makes the device act,
// done right. "Creating New Device Types" advises against such a field, as drivers write it in two
// halves (4.1.3.1, 4.2.2.2), in any order, with anything in between. Here the action takes place
// with the write after which each of the 8 bytes has been written since the last action, and with
// exactly the bytes that were written last. A reset forgets what was written in part.
#pragma once

#include <cstdint>

#include "devices/ref/faults.h"

namespace vitro::ref {

class WideAction {
 public:
  WideAction(const FaultSwitch& fault, uint64_t default_value);

  void Reset();
  void WriteByte(uint32_t index, uint8_t byte);  // index 0 to 7
  // A write to bytes `first` to `last` is complete, which may reach beyond the field. True if the
  // field acted.
  bool Written(int64_t first, int64_t last);
  // What was written in part does not count any more: only faults do this.
  void Forget() { written_ = 0; }

  uint64_t value() const { return value_; }      // as the driver reads it
  uint64_t applied() const { return applied_; }  // the field acted with this last, or 0
  uint32_t actions() const { return actions_; }

 private:
  bool Complete(int64_t first, int64_t last) const;

  const FaultSwitch& fault_;
  const uint64_t default_value_;
  uint64_t value_;
  uint64_t applied_ = 0;
  uint32_t actions_ = 0;
  uint8_t written_ = 0;  // a bit for each byte written since the last action
};

}  // namespace vitro::ref
