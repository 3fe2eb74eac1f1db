// SPDX-License-Identifier: Apache-2.0
// Checks of the device configuration space (2.5, 3.2.1): what is read, and changes by the device.
#include <algorithm>

#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "suite/checks/chapters.h"
#include "suite/checks/config_space.h"

namespace vitro {
namespace {

namespace xp = experimental;

constexpr const char* kReadable = "dev.basic.device-configuration-space.1";
constexpr const char* kWidths = "derived.config.byte-access";
constexpr const char* kGate = "derived.experimental.gate";
constexpr const char* kNotified = "derived.config.notified";
constexpr const char* kSpurious = "derived.notification.spurious-config";
constexpr const char* kMoves = "derived.config.generation-moves";
constexpr const char* kRests = "derived.config.generation-rests";

// Reading -----------------------------------------------------------------------------------------

// Each access that is answered with FEATURES_OK is answered before it, too, and alike.
void IsReadableBeforeFeaturesOk(Context& c) {
  const auto layout = ConfigLayoutOf(c);
  c.Up({.with = FieldFeatures(c), .driver_ok = false});
  SaidToHaveChanged(c);
  const auto after = ReadConfigAtRest(c);
  c.Reset();
  c.AcknowledgeAndDriver();
  bool blank = true, later = false;
  for (const ConfigPiece& piece : after) {
    const auto width = static_cast<uint32_t>(piece.bytes.size());
    c.Do(op::ReadConfig{piece.offset, width});
    c.Expect(Accept::Answered(), kReadable,
             fmt::format("offset {} is readable before FEATURES_OK", piece.offset));
    if (c.last().refused) return;
    const bool settled =
        layout && piece.offset + width <= layout->size &&
        std::none_of(layout->unsettled.begin(), layout->unsettled.end(), [&](const auto& f) {
          return piece.offset < f.offset + f.width && f.offset < piece.offset + width;
        });
    const Bytes zeroes(width);
    blank = blank && c.last().bytes == zeroes;
    later = later || piece.bytes != zeroes;
    if (!settled) continue;
    if (c.last().bytes != piece.bytes && SaidToHaveChanged(c))
      c.NotApplicable("the config space changed meanwhile");
    c.Do(op::ReadConfig{piece.offset, width});
    c.Expect(Accept::SameBytes(piece.bytes), kReadable,
             fmt::format("offset {} reads before FEATURES_OK as it does after", piece.offset));
    if (c.failed()) return;
  }
  // Of unknown types it is a guess that a space of zeroes is not what it should be.
  if (!blank || !later || layout) return;
  for (const ConfigPiece& piece : after) {
    c.Do(op::ReadConfig{piece.offset, static_cast<uint32_t>(piece.bytes.size())});
    if (c.last().bytes == piece.bytes) continue;
    c.Advise(Accept::SameBytes(piece.bytes), kReadable,
             "the config space is not all zeroes before FEATURES_OK");
    return;
  }
}

void ReadsTheSameInEveryWidth(Context& c) {
  c.Up({.with = FieldFeatures(c), .driver_ok = false});
  SaidToHaveChanged(c);
  const auto truth = Flatten(ReadConfigAtRest(c));
  const uint32_t size = std::min(c.facts().config_size, kMostConfig);
  for (uint32_t width : {1u, 2u, 4u, 8u}) {
    for (uint32_t offset = 0; offset + width <= size; offset += width) {
      Bytes right;
      for (uint32_t i = 0; i < width && truth.contains(offset + i); ++i)
        right.push_back(truth.at(offset + i));
      if (right.size() < width || c.Do(op::ReadConfig{offset, width}).refused) continue;
      if (c.last().bytes != right && SaidToHaveChanged(c))
        c.NotApplicable("the config space changed meanwhile");
      if (c.Do(op::ReadConfig{offset, width}).refused) continue;
      c.Expect(Accept::SameBytes(right), kWidths,
               fmt::format("{} byte(s) at offset {} read as in other widths", width, offset));
      if (c.failed()) return;
    }
  }
}

void ShowsGatedFieldsWithTheirFeature(Context& c) {
  RequireVitrosOwn(c);
  c.Up({.driver_ok = false});
  c.Do(op::ReadConfig{xp::kConfigGated, 4});
  c.Expect(Accept::Equal(0), kGate, "the field reads 0 without its feature");
  c.Up({.with = {xp::kFeatureGated}, .driver_ok = false});
  c.Do(op::ReadConfig{xp::kConfigGated, 4});
  c.Expect(Accept::Equal(xp::kGatedValue), kGate, "the field has its value with its feature");
}

// Changes -----------------------------------------------------------------------------------------

void NotifiesChanges(Context& c) {
  c.Up();
  for (int round = 0; round < 3; ++round) {
    SaidToHaveChanged(c);
    const auto before = ReadConfigSpace(c);
    StimulateChange(c);
    if (c.last().value == 0) {
      if (ReadConfigSpace(c) == before)
        c.NotApplicable("the config space was not changed by the stimulus");
      c.Do(op::TakeConfigNotifications{});
    }
    c.Expect(Accept::NotEqual(0), kNotified, "a change of the config space is notified");
    if (c.failed()) return;
  }
}

void MovesTheGeneration(Context& c) {
  c.Up();
  for (int round = 0; round < 3; ++round) {
    SaidToHaveChanged(c);
    const auto before = ReadConfigAtRest(c);
    const uint64_t generation = c.Do(op::ReadGeneration{}).value;
    StimulateChange(c);
    if (ReadConfigSpace(c) == before)
      c.NotApplicable("the config space was not changed by the stimulus");
    c.Do(op::ReadGeneration{});
    c.Expect(Accept::NotEqual(generation), kMoves,
             "the generation tells a changed config from the old");
    if (c.failed()) return;
  }
}

void RestsTheGeneration(Context& c) {
  c.Up();
  SaidToHaveChanged(c);
  const auto bytes = ReadConfigAtRest(c);
  const uint64_t before = c.Do(op::ReadGeneration{}).value;
  for (int round = 0; round < 3; ++round) {
    if (ReadConfigSpace(c) != bytes || SaidToHaveChanged(c))
      c.NotApplicable("the config space changed meanwhile");
    c.Do(op::ReadGeneration{});
    c.Expect(Accept::Equal(before), kRests, "the generation does not move by reading");
    if (c.failed()) return;
  }
}

// Neither DRIVER_OK nor requests are changes of the config space.
void IsQuietWithoutChange(Context& c) {
  const bool readable = c.Has(Ability::kConfigSpace) && c.facts().config_size > 0;
  c.Reset();
  c.Do(op::TakeConfigNotifications{});
  for (int round = 0; round < 2; ++round) {
    c.Up({.driver_ok = false});
    const auto before = readable ? ReadConfigSpace(c) : std::vector<ConfigPiece>();
    c.DriverOk();
    c.Do(op::Quiesce{});
    if (readable && ReadConfigSpace(c) != before)
      c.NotApplicable("the config space changed meanwhile");
    c.Do(op::TakeConfigNotifications{});
    c.Expect(Accept::Equal(0), kSpurious,
             "no configuration change notification comes where nothing has changed");
  }
}

void AddConfigReadChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "config.read.before-features-ok",
      .title =
          "Every config field can be read before FEATURES_OK, with the value that it has after",
      .section = "2.5.2",
      .requirements = {kReadable},
      .tags = {},
      .needs = {.abilities = {Ability::kConfigSpace}, .config_bytes = 1},
      .faults = {"config-unreadable-before-features-ok", "config-zero-before-features-ok",
                 "experimental:config-unreadable-before-features-ok",
                 "experimental:config-zero-before-features-ok"},
      .run = IsReadableBeforeFeaturesOk,
  });
  list.push_back({
      .id = "config.read.every-width",
      .title = "The config space reads the same in accesses of 1, 2, 4 and 8 bytes",
      .section = "2.5",
      .requirements = {kWidths},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kConfigSpace}, .config_bytes = 2},
      .faults = {"config-byte-reads-wrong", "experimental:config-byte-reads-wrong"},
      .run = ReadsTheSameInEveryWidth,
  });
  list.push_back({
      .id = "config.fields.gated",
      .title = "A config field that belongs to a feature reads 0 without that feature",
      .section = "2.5",
      .requirements = {kGate},
      .tags = {"experimental"},
      .needs = {.abilities = {Ability::kConfigSpace},
                .offered = {xp::kFeatureGated},
                .device_id = device_id::kExperimental},
      .faults = {"experimental:config-gate-ignored"},
      .run = ShowsGatedFieldsWithTheirFeature,
  });
}

void AddConfigChangeChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "config.change.notified",
      .title = "A change of the config space is followed by a configuration change notification",
      .section = "3.2.1",
      .requirements = {kNotified},
      .tags = {},
      .needs = {.abilities = {Ability::kConfigSpace, Ability::kConfigNotification,
                              Ability::kStimulus},
                .config_bytes = 1},
      .faults = {"config-change-not-notified", "experimental:config-change-not-notified"},
      .run = NotifiesChanges,
  });
  list.push_back({
      .id = "config.change.generation-moves",
      .title = "The config generation differs before and after a change",
      .section = "2.5",
      .requirements = {kMoves},
      .tags = {},
      .needs = {.abilities = {Ability::kConfigSpace, Ability::kGeneration, Ability::kStimulus},
                .config_bytes = 1},
      .faults = {"config-generation-static", "experimental:config-generation-static"},
      .run = MovesTheGeneration,
  });
  list.push_back({
      .id = "config.change.generation-rests",
      .title = "The config generation stays as it is while nothing changes",
      .section = "2.5.1",
      .requirements = {kRests},
      .tags = {},
      .needs = {.abilities = {Ability::kConfigSpace, Ability::kGeneration}, .config_bytes = 1},
      .faults = {"config-generation-restless", "experimental:config-generation-restless"},
      .run = RestsTheGeneration,
  });
  list.push_back({
      .id = "config.change.none-spurious",
      .title = "No configuration change notification comes without a change",
      .section = "2.3",
      .requirements = {kSpurious},
      .tags = {},
      .needs = {.abilities = {Ability::kConfigNotification}},
      .faults = {"config-change-spurious", "entropy:config-change-spurious"},
      .run = IsQuietWithoutChange,
  });
}

}  // namespace

void AddConfigChecks(std::vector<Check>& list) {
  AddConfigReadChecks(list);
  AddConfigWriteChecks(list);
  AddConfigTearChecks(list);
  AddConfigPieceChecks(list);
  AddConfigChangeChecks(list);
  AddConfigTornReadChecks(list);
  AddConfigFuzzChecks(list);
}

}  // namespace vitro
