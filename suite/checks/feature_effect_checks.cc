// SPDX-License-Identifier: Apache-2.0
// Checks of what one feature bit changes ("Creating New Device Types": each change of the
// configuration space is announced by a feature bit of its own): two sets that differ in that bit
// are negotiated, and what a driver then sees of the configuration space is compared with what the
// profile of the device type says that the bit gates.
#include <map>

#include "suite/checks/chapters.h"
#include "suite/checks/config_fields.h"
#include "suite/checks/config_space.h"
#include "suite/checks/feature_sets.h"
#include "suite/profile/feature_names.h"

namespace vitro {
namespace {

constexpr const char* kEffect = "derived.features.effect";

struct Pair {
  unsigned bit = 0;
  FeatureSet with, without;
};

// For each bit of the device type: the smallest set that has it, and the same set without it.
std::vector<Pair> PairsOf(const Context& c) {
  const NegotiableFeatures negotiable = FindNegotiable(c.facts());
  const FeatureSpace space = negotiable.Space();
  std::vector<Pair> pairs;
  for (const ProfileFeature& feature : c.profile()->features) {
    if (!negotiable.offered.Has(feature.bit) || negotiable.always.Has(feature.bit)) continue;
    const auto with = space.Nearest(negotiable.always, {feature.bit});
    if (!with || !space.Valid(with->Without(feature.bit))) continue;
    pairs.push_back({feature.bit, *with, with->Without(feature.bit)});
  }
  return pairs;
}

// The configuration space as a driver sees it that negotiated `features`; nullopt if that was
// refused, or if it changes by itself.
std::optional<std::map<uint32_t, uint8_t>> SeenWith(Context& c, FeatureSet features) {
  if (!c.NegotiateAfresh(features)) return std::nullopt;
  SaidToHaveChanged(c);
  const auto seen = Flatten(ReadConfigSpace(c));
  if (SaidToHaveChanged(c)) return std::nullopt;
  return seen;
}

// The field that has this byte, of all that the profile knows.
const ProfileField* FieldOf(const Profile& profile, uint32_t offset) {
  for (const ProfileField& field : profile.fields)
    if (offset >= field.offset && offset - field.offset < field.size()) return &field;
  return nullptr;
}

bool Gates(const ProfileField& field, const Pair& pair) {
  return Holds(field.exists, pair.with) != Holds(field.exists, pair.without);
}

void JudgePair(Context& c, const Pair& pair) {
  const std::string bit = FeatureName(c.facts().device_id, pair.bit);
  const auto without = SeenWith(c, pair.without);
  const auto with = without ? SeenWith(c, pair.with) : std::nullopt;
  if (!with) return;
  // What differs belongs to the bit, or has one of its own.
  for (const auto& [offset, byte] : *with) {
    const auto other = without->find(offset);
    if (other == without->end() || other->second == byte) continue;
    const ProfileField* field = FieldOf(*c.profile(), offset);
    if (field == nullptr || Gates(*field, pair) || field->changes != FieldChanges::kNever) continue;
    c.Do(op::ReadConfig{offset, 1});
    c.Note(Accept::Equal(other->second), kEffect,
           fmt::format("{} is the same with and without {}, which does not gate it", field->name,
                       bit));
    return;
  }
  // And what belongs to the bit does not show without it.
  if (!SeenWith(c, pair.without)) return;
  for (const ProfileField& field : c.profile()->fields) {
    if (!Gates(field, pair) || !Holds(field.exists, pair.with)) continue;
    const auto shown = with->find(field.offset);
    if (shown == with->end() || shown->second == 0) continue;
    c.Do(op::ReadConfig{field.offset, 1});
    c.Note(Accept::NotEqual(shown->second), kEffect,
           fmt::format("{} does not show without {}", field.name, bit));
    if (c.failed()) return;
  }
}

void ChangesWhatItGates(Context& c) {
  if (c.profile() == nullptr) c.NotApplicable("nothing is known of the device's type");
  const std::vector<Pair> pairs = PairsOf(c);
  if (pairs.empty()) c.NotApplicable("no feature bit of the device's type can be left out alone");
  for (const Pair& pair : pairs) {
    JudgePair(c, pair);
    if (c.failed()) return;
  }
}

}  // namespace

void AddFeatureEffectChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "features.effect.fields",
      .title = "A feature bit changes those config fields that belong to it, and no others",
      .section = "2.2",
      .requirements = {kEffect},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kConfigSpace}, .config_bytes = 1},
      .faults = {"experimental:config-gate-ignored", "feature-changes-other-field"},
      .run = ChangesWhatItGates,
  });
}

}  // namespace vitro
