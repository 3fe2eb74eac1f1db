// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/config_tear.h"

#include "harness/virtio/experimental.h"

namespace vitro {
namespace {

namespace xp = experimental;

constexpr const char* kWriteWidth = "derived.config.write-width";
constexpr const char* kHalf = "derived.config.no-action-on-half";

}  // namespace

const char* Name(HalfOrder order) {
  return order == HalfOrder::kLowFirst ? "low half first" : "high half first";
}

const char* HalvesRule(const Context& c) {
  return c.Has(Ability::kPciFunction) ? "dev.pci.pci-device-layout.1" : kWriteWidth;
}

std::vector<ProfileField> WideFields(Context& c) {
  std::vector<ProfileField> wide;
  for (ProfileField& field : FieldsWith(c, FieldFeatures(c)))
    if (field.access == FieldAccess::kReadWrite && field.width == 8 &&
        IsLegalValue(field, kTornValue) && IsLegalValue(field, ~kTornValue))
      wide.push_back(std::move(field));
  if (wide.empty()) c.NotApplicable("the device has no writable config field of 64 bits");
  return wide;
}

uint64_t ReadWide(Context& c, uint32_t offset) {
  const uint64_t low = c.Do(op::ReadConfig{offset, 4}).value;
  return low | c.Do(op::ReadConfig{offset + 4, 4}).value << 32;
}

TornField::TornField(Context& c, ProfileField field, bool driver_ok, FeatureSet with)
    : c_(c), field_(std::move(field)) {
  c_.Up({.with = FieldFeatures(c) | with, .driver_ok = driver_ok && field_.runtime});
}

bool TornField::IsOwnAction() const {
  return IsVitrosOwn(c_) && field_.offset == xp::kConfigThreshold;
}

bool TornField::ReadsAsWritten() const {
  return IsVitrosOwn(c_) || (!field_.action && field_.changes != FieldChanges::kByDevice &&
                             field_.commit == FieldCommit::kEachWrite);
}

void TornField::Begin() {
  old_value_ = ReadWide(c_, field_.offset);
  before_.clear();
  const auto now = Flatten(ReadConfigSpace(c_));
  for (const ProfileField& other : FieldsWith(c_, c_.session().state().accepted)) {
    if (other.offset == field_.offset || other.changes == FieldChanges::kByDevice) continue;
    for (uint32_t at = other.offset; at < other.offset + other.width; ++at)
      if (const auto byte = now.find(at); byte != now.end()) before_.insert(*byte);
  }
  if (IsOwnAction()) actions_ = c_.Do(op::ReadConfig{xp::kConfigActions, 4}).value;
}

void TornField::WriteHalf(bool high, uint64_t value) {
  c_.Do(op::WriteConfig{field_.offset + (high ? 4 : 0), LeBytes(value >> (high ? 32 : 0), 4)});
}

std::string TornField::Describe(const std::string& when) const {
  return fmt::format("{} (offset {}), {}", field_.name, field_.offset, when);
}

// Fields that an action may change are judged only while none may have taken place.
void TornField::ExpectOthers(bool may_act, const std::string& when) {
  const auto now = Flatten(ReadConfigSpace(c_));
  for (const ProfileField& other : FieldsWith(c_, c_.session().state().accepted)) {
    const bool by_action = other.changes == FieldChanges::kByDriver &&
                           (other.access == FieldAccess::kReadOnly || other.action);
    if (by_action && may_act) continue;
    for (uint32_t at = other.offset; at < other.offset + other.width; ++at) {
      const auto was = before_.find(at);
      const auto is = now.find(at);
      if (was == before_.end() || is == now.end() || was->second == is->second) continue;
      c_.Do(op::ReadConfig{at, 1});
      c_.Expect(Accept::Equal(was->second), by_action ? kHalf : kWriteWidth,
                fmt::format("{}: {} stays as it was", Describe(when), other.name));
      return;
    }
  }
}

void TornField::AdviseActed(uint64_t value, int times, const std::string& when) {
  c_.Do(op::ReadConfig{xp::kConfigActions, 4});
  c_.Advise(Accept::Equal(actions_ + static_cast<uint64_t>(times)), kHalf,
            fmt::format("{}: it acts {} time(s)", Describe(when), times));
  if (times == 0) return;
  for (const uint32_t half : {0u, 4u}) {
    c_.Do(op::ReadConfig{xp::kConfigApplied + half, 4});
    c_.Advise(Accept::Equal(value >> (8 * half) & UINT32_MAX), kHalf,
              fmt::format("{}: it acts with the whole value", Describe(when)));
  }
}

void TornField::ExpectWhole(uint64_t value, int times, const std::string& when) {
  if (ReadsAsWritten())
    ExpectWide(c_, field_.offset, value, HalvesRule(c_),
               fmt::format("{}: it reads as written", Describe(when)));
  // The rule is a SHOULD: advice is all there is.
  if (IsOwnAction()) AdviseActed(value, times, when);
  ExpectOthers(field_.action, when);
}

void TornField::ExpectHalf(HalfOrder order, uint64_t value, const std::string& when) {
  const uint64_t high = uint64_t{UINT32_MAX} << 32;
  const uint64_t kept = order == HalfOrder::kLowFirst ? high : UINT32_MAX;
  if (ReadsAsWritten())
    ExpectWide(c_, field_.offset, (old_value_ & kept) | (value & ~kept), HalvesRule(c_),
               fmt::format("{}: the half that was not written is as before", Describe(when)));
  ExpectOthers(false, when);
}

}  // namespace vitro
