// SPDX-License-Identifier: Apache-2.0
// Checks of writes to the device configuration space (2.5), and of accesses beyond its end.
#include <algorithm>

#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "suite/checks/config_space.h"

namespace vitro {
namespace {

namespace xp = experimental;

constexpr const char* kPastEnd = "derived.config.past-end";
constexpr const char* kReadOnly = "derived.config.read-only-kept";
constexpr const char* kWriteWidth = "derived.config.write-width";
constexpr const char* kHalf = "derived.config.no-action-on-half";
constexpr const char* kNotified = "derived.config.notified";

// Beyond the end ----------------------------------------------------------------------------------

struct Access {
  uint32_t offset, width;
};

std::vector<Access> Beyond(uint32_t size, bool straddling) {
  std::vector<Access> accesses;
  for (uint32_t width : {1u, 2u, 4u, 8u}) {
    for (uint32_t offset :
         {size, size + 1, size + 4, size + 256, size + 4096, 0x7ffffff8u, 0u - width})
      accesses.push_back({offset, width});
    if (straddling && width > 1 && size >= width) accesses.push_back({size - width + 1, width});
  }
  return accesses;
}

void RequireOwnEnd(Context& c) {
  // vhost-user front-ends keep such reads to themselves, and so does ours. Its writes are those of
  // config.write.any-range.
  if (!c.Has(Ability::kDeviceId))
    c.NotObservable("this carrier does not let accesses beyond the end reach the device");
}

void ReadsNothingBeyondTheEnd(Context& c) {
  RequireOwnEnd(c);
  c.Up({.driver_ok = false});
  SaidToHaveChanged(c);
  c.BeginHostile();
  for (const Access& access : Beyond(c.facts().config_size, true)) {
    const op::ReadConfig read{access.offset, access.width};
    const Observation first = c.Do(read);
    if (first.refused) continue;
    if (c.Do(read).refused) continue;
    if (SaidToHaveChanged(c)) c.NotApplicable("the config space changed meanwhile");
    c.Do(read);
    c.Advise(Accept::SameBytes(first.bytes), kPastEnd,
             fmt::format("{} byte(s) at offset {:#x}, beyond the end, read the same each time",
                         access.width, access.offset));
    if (c.failed()) break;
  }
  c.ExpectSurvives();
}

void WritesNothingBeyondTheEnd(Context& c) {
  RequireOwnEnd(c);
  c.Up({.driver_ok = false});
  SaidToHaveChanged(c);
  const auto before = ReadConfigAtRest(c);
  c.BeginHostile();
  for (const Access& access : Beyond(c.facts().config_size, false)) {
    c.Do(op::WriteConfig{access.offset, Bytes(access.width, 0xee)});
    ExpectConfigUnchanged(c, before, kPastEnd, "a write beyond the end changes no field");
    if (c.failed()) break;
  }
  c.ExpectSurvives();
}

// Writing -----------------------------------------------------------------------------------------

void KeepsReadOnlyFields(Context& c) {
  const auto layout = ConfigLayoutOf(c);
  if (!layout)
    c.NotApplicable("it is not known which config fields of this device type are read-only");
  const BringUp how{.with = FieldFeatures(c), .driver_ok = false};
  c.Up(how);
  SaidToHaveChanged(c);
  c.BeginHostile();
  for (const ConfigField& field : layout->read_only) {
    const Bytes before = c.Do(op::ReadConfig{field.offset, field.width}).bytes;
    if (before.empty()) continue;
    Bytes other = before;
    for (uint8_t& byte : other) byte = static_cast<uint8_t>(~byte);
    // Whole, and its last byte alone.
    WriteOrReconnect(c, op::WriteConfig{field.offset, other}, how);
    WriteOrReconnect(c, op::WriteConfig{field.offset + field.width - 1, {other.back()}}, how);
    c.Do(op::ReadConfig{field.offset, field.width});
    if (c.last().bytes != before && SaidToHaveChanged(c)) continue;
    c.Do(op::ReadConfig{field.offset, field.width});
    const std::string say =
        fmt::format("the read-only field at offset {} keeps its value", field.offset);
    if (field.padding)
      c.Advise(Accept::SameBytes(before), kReadOnly, say);
    else
      c.Expect(Accept::SameBytes(before), kReadOnly, say);
  }
}

// Each writable field takes the value that it has, by the byte and as a whole: nothing changes.
void WritesOnlyWhatIsWritten(Context& c) {
  const auto layout = ConfigLayoutOf(c);
  if (!layout || layout->writable.empty())
    c.NotApplicable("no writable config field of this device is known");
  c.Up({.with = FieldFeatures(c), .driver_ok = false});
  SaidToHaveChanged(c);
  const auto pieces = ReadConfigAtRest(c);
  const auto before = Flatten(pieces);
  for (const ConfigField& field : layout->writable) {
    if (!before.contains(field.offset) || !before.contains(field.offset + field.width - 1))
      continue;
    for (uint32_t i = 0; i < field.width; ++i)
      c.Do(op::WriteConfig{field.offset + i, {before.at(field.offset + i)}});
    Bytes whole;
    for (uint32_t i = 0; i < field.width; ++i) whole.push_back(before.at(field.offset + i));
    c.Do(op::WriteConfig{field.offset, whole});
    ExpectConfigUnchanged(c, pieces, kWriteWidth,
                          "a write of the value that is there already changes nothing else");
    if (c.failed()) return;
  }
}

// Fields of the experimental device ---------------------------------------------------------------

constexpr uint64_t kNew = 0x1111111122222222;

// Writes `new` into tearable in the pieces of a permutation, and looks at the whole after each
// piece.
void WriteInPieces(Context& c, uint32_t width, const std::vector<uint32_t>& order) {
  c.Up({.driver_ok = false});
  Bytes expected = LeBytes(xp::kDefaultTearable, 8);
  const Bytes fresh = LeBytes(kNew, 8);
  for (uint32_t piece : order) {
    const auto from = fresh.begin() + static_cast<std::ptrdiff_t>(piece * width);
    std::copy_n(from, width, expected.begin() + static_cast<std::ptrdiff_t>(piece * width));
    const auto written =
        c.Do(op::WriteConfig{xp::kConfigTearable + piece * width, Bytes(from, from + width)});
    if (written.refused && width == 8) return;  // a transport may have no access so wide
    ExpectWide(c, xp::kConfigTearable, LoadLe(expected), kWriteWidth,
               fmt::format("piece {} of {} bytes is changed and the others are not", piece, width));
    if (c.failed()) return;
  }
}

void TakesWideFieldsInPieces(Context& c) {
  RequireVitrosOwn(c);
  WriteInPieces(c, 4, {0, 1});
  WriteInPieces(c, 4, {1, 0});
  WriteInPieces(c, 2, {0, 1, 2, 3});
  WriteInPieces(c, 2, {3, 0, 2, 1});
  WriteInPieces(c, 1, {0, 1, 2, 3, 4, 5, 6, 7});
  WriteInPieces(c, 1, {7, 2, 5, 0, 6, 1, 4, 3});
  WriteInPieces(c, 8, {0});
}

void ActsOnTheWholeOnly(Context& c) {
  RequireVitrosOwn(c);
  c.Up();
  for (uint32_t i = 0; i < 3; ++i) {
    c.Do(op::WriteConfig{xp::kConfigCommand + i, {static_cast<uint8_t>(i + 1)}});
    c.Do(op::ReadConfig{xp::kConfigCounter, 4});
    c.Expect(Accept::Equal(0), kHalf, "nothing happens before the last byte of the command");
  }
  c.Do(op::TakeConfigNotifications{});
  c.Expect(Accept::Equal(0), kHalf, "no change is notified before the last byte of the command");
  c.Do(op::WriteConfig{xp::kConfigCommand + 3, {4}});
  c.Do(op::ReadConfig{xp::kConfigCounter, 4});
  c.Expect(Accept::Equal(0x04030201), kHalf, "the command acts with all of its bytes");
  c.Do(op::WaitConfigNotification{});
  c.Expect(Accept::NotEqual(0), kNotified, "the change by the command is notified");
  c.Do(op::WriteConfig{xp::kConfigCommand, LeBytes(1, 4)});
  c.Do(op::ReadConfig{xp::kConfigCounter, 4});
  c.Expect(Accept::Equal(0x04030202), kHalf, "a command that is written at once acts once");
}

}  // namespace

void AddConfigWriteChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "config.read.beyond-end",
      .title = "Reads beyond the end of the config space show nothing that changes",
      .section = "2.5",
      .requirements = {kPastEnd},
      .tags = {"hostile"},
      .needs = {.abilities = {Ability::kConfigSpace}},
      .faults = {"config-read-past-end-leaks"},
      .run = ReadsNothingBeyondTheEnd,
  });
  const std::vector<Ability> writing = {Ability::kConfigSpace, Ability::kConfigWrite};
  list.push_back({
      .id = "config.write.beyond-end",
      .title = "Writes beyond the end of the config space change no field",
      .section = "2.5",
      .requirements = {kPastEnd},
      .tags = {"hostile"},
      .needs = {.abilities = writing, .config_bytes = 1},
      .faults = {"config-write-past-end", "experimental:config-write-past-end"},
      .run = WritesNothingBeyondTheEnd,
  });
  list.push_back({
      .id = "config.write.read-only",
      .title = "Read-only config fields keep their values when a driver writes to them",
      .section = "2.5",
      .requirements = {kReadOnly},
      .tags = {"hostile"},
      .needs = {.abilities = writing, .config_bytes = 1},
      .faults = {"config-read-only-writable", "experimental:config-read-only-writable"},
      .run = KeepsReadOnlyFields,
  });
  list.push_back({
      .id = "config.write.its-bytes-only",
      .title = "A write to a config field leaves the fields beside it alone",
      .section = "2.5",
      .requirements = {kWriteWidth},
      .tags = {"odd"},
      .needs = {.abilities = writing, .config_bytes = 1},
      .faults = {"experimental:config-write-hits-neighbour", "experimental:config-torn-write"},
      .run = WritesOnlyWhatIsWritten,
  });
  list.push_back({
      .id = "config.write.wide-in-pieces",
      .title = "A 64-bit config field can be written in pieces of any order",
      .section = "2.5",
      .requirements = {kWriteWidth},
      .tags = {"experimental", "odd"},
      .needs = {.abilities = writing, .device_id = device_id::kExperimental},
      .faults = {"experimental:config-torn-write", "experimental:config-write-hits-neighbour"},
      .run = TakesWideFieldsInPieces,
  });
  list.push_back({
      .id = "config.write.acts-on-whole",
      .title = "A config field with an action acts when all of it was written, and once",
      .section = "2.5",
      .requirements = {kHalf, kNotified},
      .tags = {"experimental", "odd"},
      .needs = {.abilities = {Ability::kConfigSpace, Ability::kConfigWrite,
                              Ability::kConfigNotification},
                .device_id = device_id::kExperimental,
                .requests = true},
      .faults = {"experimental:config-action-on-first-half",
                 "experimental:config-change-not-notified"},
      .run = ActsOnTheWholeOnly,
  });
}

}  // namespace vitro
