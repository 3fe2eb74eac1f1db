// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/config_fuzz.h"

#include <algorithm>
#include <random>

namespace vitro {
namespace {

constexpr uint32_t kWidths[] = {1, 2, 4, 8};

// A value of the field that its type allows, or, one time in four, any value.
uint64_t SomeValue(const Choose& choose, const ProfileField* field) {
  if (field != nullptr && !field->values.empty() && choose(4) != 0) {
    const auto& [first, last] = field->values[choose(field->values.size())];
    const uint64_t span = last - first;
    return first + (span == UINT64_MAX ? choose(UINT64_MAX) : choose(span + 1));
  }
  switch (choose(4)) {
    case 0:
      return 0;
    case 1:
      return UINT64_MAX;
    case 2:
      return uint64_t{1} << choose(64);
    default:
      return choose(UINT64_MAX);
  }
}

void AimAtField(const Choose& choose, const ProfileField& field, ConfigStep& step) {
  step.width = field.width == 6 ? 1 : std::min(field.width, 4u);
  step.offset =
      field.offset + step.width * static_cast<uint32_t>(choose(field.size() / step.width));
}

void AimAnywhere(const Choose& choose, const ConfigTarget& target, ConfigStep& step) {
  step.width = kWidths[choose(std::size(kWidths))];
  const bool beyond = choose(8) == 0 || target.size < step.width;
  step.offset = static_cast<uint32_t>(beyond ? target.size - std::min(target.size, 7u) + choose(64)
                                             : choose(target.size - step.width + 1));
}

}  // namespace

Choose ChooseBySeed(uint64_t seed) {
  return [engine = std::mt19937_64(seed)](uint64_t bound) mutable { return engine() % bound; };
}

const char* Name(LifeStage stage) {
  constexpr const char* kNames[] = {"reset", "ACKNOWLEDGE", "DRIVER", "FEATURES_OK", "DRIVER_OK"};
  return kNames[static_cast<int>(stage)];
}

ConfigStep NextConfigStep(const Choose& choose, const ConfigTarget& target) {
  using Kind = ConfigStep::Kind;
  constexpr Kind kOthers[] = {Kind::kGeneration, Kind::kLook, Kind::kKick, Kind::kLife};
  ConfigStep step;
  const uint64_t roll = choose(16);
  step.kind = roll < 10 ? Kind::kWrite : roll < 13 ? Kind::kRead : kOthers[choose(4)];
  // Most of a life is spent at its end.
  if (step.kind == Kind::kLife)
    step.stage = static_cast<LifeStage>(std::min<uint64_t>(choose(8), 4));
  const ProfileField* field = nullptr;
  if (!target.fields.empty() && choose(2) == 0) {
    field = &target.fields[choose(target.fields.size())];
    AimAtField(choose, *field, step);
  } else {
    AimAnywhere(choose, target, step);
  }
  if (step.kind == Kind::kWrite) {
    const uint64_t value = SomeValue(choose, field);
    const uint32_t shift = field == nullptr ? 0 : 8 * (step.offset - field->offset) % 64;
    step.bytes = LeBytes(value >> shift, step.width);
  }
  return step;
}

}  // namespace vitro
