// SPDX-License-Identifier: Apache-2.0
// What the checks of torn writes share: a writable field of 64 bits (2.5, 4.1.3.1, 4.2.2.2),
// written in two halves, and what is to be seen of it: its own bytes, everything else in the space,
// and with Vitro's experimental device what the field acted with.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "suite/checks/config_fields.h"
#include "suite/checks/config_space.h"

namespace vitro {

// It shows in which half a byte belongs.
inline constexpr uint64_t kTornValue = 0x11111111'eeeeeeee;

enum class HalfOrder { kLowFirst, kHighFirst };
inline constexpr HalfOrder kHalfOrders[] = {HalfOrder::kLowFirst, HalfOrder::kHighFirst};
const char* Name(HalfOrder order);

// The rule by which a field of 64 bits takes its halves: of PCI functions a normative one.
const char* HalvesRule(const Context& c);

// The writable fields of 64 bits. Ends the check if none is known.
std::vector<ProfileField> WideFields(Context& c);

// One field, on a device that was brought up for it.
class TornField {
 public:
  // Brings the device up: to DRIVER_OK if the field is meant for that time and `driver_ok`.
  TornField(Context& c, ProfileField field, bool driver_ok = true, FeatureSet with = {});

  // Takes note of how all is, before what is to be judged.
  void Begin();
  // Writes the first or the second half of a value, in that order.
  void WriteFirst(HalfOrder order, uint64_t value) {
    WriteHalf(order == HalfOrder::kHighFirst, value);
  }
  void WriteSecond(HalfOrder order, uint64_t value) {
    WriteHalf(order == HalfOrder::kLowFirst, value);
  }
  void WriteHalf(bool high, uint64_t value);

  // The field reads `value`, where its type lets it be known, and nothing else has changed since
  // Begin() but what an action may change. With Vitro's own action field: it acted `times` times
  // since Begin(), the last time with `value`.
  void ExpectWhole(uint64_t value, int times, const std::string& when);
  // Of Vitro's own action field: that often it acted since Begin(), the last time with `value`; as
  // advice.
  void AdviseActed(uint64_t value, int times, const std::string& when);
  // Only a half was written: the other one is as before, and the device did not act.
  void ExpectHalf(HalfOrder order, uint64_t value, const std::string& when);

  uint64_t old_value() const { return old_value_; }  // at Begin()
  // One that no mixture with the old one can be taken for.
  uint64_t new_value() const { return old_value_ == kTornValue ? ~kTornValue : kTornValue; }
  const ProfileField& field() const { return field_; }
  bool IsOwnAction() const;
  bool ReadsAsWritten() const;
  std::string Describe(const std::string& when) const;

 private:
  void ExpectOthers(bool may_act, const std::string& when);

  Context& c_;
  const ProfileField field_;
  uint64_t old_value_ = 0;
  uint64_t actions_ = 0;
  std::map<uint32_t, uint8_t> before_;  // bytes outside the field
};

// The field in one or two accesses.
uint64_t ReadWide(Context& c, uint32_t offset);

}  // namespace vitro
