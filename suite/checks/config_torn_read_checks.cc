// SPDX-License-Identifier: Apache-2.0
// Checks of reads of the configuration space while it changes (2.5, 2.5.1): a field of 64 bits read
// in halves, the loop that the standard gives drivers, and what moves the generation count. See
// pci_common_checks.cc and mmio_config_checks.cc for the registers of the levels.
#include <algorithm>

#include "suite/checks/config_tear.h"

namespace vitro {
namespace {

constexpr const char* kMoves = "derived.config.generation-moves";
constexpr const char* kRests = "derived.config.generation-rests";
constexpr const char* kPciMoves =
    "dev.pci.pci-device-layout.common-configuration-structure-layout.6";
constexpr const char* kMmioMoves = "dev.mmio.mmio-device-register-layout.6";

uint64_t Generation(Context& c) { return c.Do(op::ReadGeneration{}).value; }

// The field of 64 bits that changes when the device is stimulated: of the profile, or else the one
// that holds the first byte that did. Ends the check if there is none.
uint32_t ChangingField(Context& c) {
  SaidToHaveChanged(c);
  const auto before = Flatten(ReadConfigAtRest(c));
  StimulateChange(c);
  const auto after = Flatten(ReadConfigSpace(c));
  std::optional<uint32_t> changed;
  for (const auto& [at, byte] : before) {
    if (!after.contains(at) || after.at(at) == byte) continue;
    for (const ProfileField& field : FieldsWith(c, c.session().state().accepted))
      if (field.width == 8 && field.offset <= at && at < field.offset + 8) return field.offset;
    if (!changed) changed = at - at % 8;
  }
  if (!changed) c.NotApplicable("the config space was not changed by the stimulus");
  if (c.profile() != nullptr || *changed + 8 > c.facts().config_size)
    c.NotApplicable("no field of 64 bits was changed by the stimulus");
  return *changed;
}

// What one read in halves gave, and the count before and after.
struct TornRead {
  uint64_t value = 0;
  uint64_t before = 0, after = 0;
};

// `change_at`: the access before which the field changes, from 0; 4: none of them.
TornRead ReadInHalves(Context& c, uint32_t offset, HalfOrder order, int change_at) {
  TornRead read;
  const auto step = [&](int n) {
    if (n == change_at) StimulateChange(c);
  };
  step(0);
  read.before = Generation(c);
  for (const int n : {1, 2}) {
    step(n);
    const bool high = (n == 1) == (order == HalfOrder::kHighFirst);
    const uint64_t half = c.Do(op::ReadConfig{offset + (high ? 4 : 0), 4}).value;
    read.value |= half << (high ? 32 : 0);
  }
  step(3);
  read.after = Generation(c);
  return read;
}

// The first half is of the old value. If the second one is another than before, the driver has seen
// two versions, and the count has to tell.
void TellsMixtures(Context& c) {
  c.Up();
  const uint32_t offset = ChangingField(c);
  for (const HalfOrder order : kHalfOrders)
    for (int round = 0; round < 3; ++round) {
      SaidToHaveChanged(c);
      const uint64_t old_value = ReadWide(c, offset);
      const TornRead read = ReadInHalves(c, offset, order, 2);
      const uint64_t second =
          order == HalfOrder::kLowFirst ? uint64_t{UINT32_MAX} << 32 : UINT32_MAX;
      if (((read.value ^ old_value) & second) == 0) continue;
      c.Expect(
          Accept::NotEqual(read.before), GenerationRule(c),
          fmt::format("the generation tells that halves of two values were read, {}", Name(order)));
      if (c.failed()) return;
    }
}

// Judges what the loop yielded by what the field is now.
void ExpectHalves(Context& c, uint32_t offset, uint64_t now, uint64_t yielded) {
  if (now == yielded) return;
  const uint32_t half = ((now ^ yielded) & UINT32_MAX) != 0 ? 0 : 4;
  c.Do(op::ReadConfig{offset + half, 4});
  c.Expect(Accept::Equal(yielded >> (8 * half) & UINT32_MAX), GenerationRule(c),
           fmt::format("what was read between two equal generations, {:#x}, is a value that the "
                       "field had",
                       yielded));
}

// The loop of 2.5.1 ends, once the changes do, and yields a value that the field had.
void LetsTheLoopEnd(Context& c) {
  c.Up();
  const uint32_t offset = ChangingField(c);
  constexpr int kAccesses = 4, kAttempts = 12;
  for (const HalfOrder order : kHalfOrders)
    for (int first = 0; first < kAccesses; ++first) {
      SaidToHaveChanged(c);
      std::vector<uint64_t> values = {ReadWide(c, offset)};
      TornRead read;
      int attempt = 0;
      do {
        // One change in each of the first three attempts, at another place each time.
        const bool changes = attempt < 3;
        read = ReadInHalves(c, offset, order, changes ? (first + attempt) % kAccesses : kAccesses);
        // What it has become is looked at only when the count says that this read was for nothing,
        // as a look is a read, too.
        if (read.before != read.after) values.push_back(ReadWide(c, offset));
      } while (read.before != read.after && ++attempt < kAttempts);
      c.Do(op::ReadGeneration{});
      c.Expect(Accept::Equal(read.after), kRests,
               "the generation reads the same twice once nothing changes any more");
      if (c.failed() || read.before != read.after) return;
      const uint64_t now = ReadWide(c, offset);
      if (std::find(values.begin(), values.end(), read.value) == values.end())
        ExpectHalves(c, offset, now, read.value);
      if (c.failed()) return;
    }
}

// As many changes as a count of 8 bits takes to come round.
void CountsManyChanges(Context& c) {
  if (c.Has(Ability::kPciFunction)) c.NotApplicable("pci.common.generation asks this of PCI");
  c.Up();
  for (const int changes : {255, 256, 257}) {
    SaidToHaveChanged(c);
    const auto before = ReadConfigAtRest(c);
    const uint64_t generation = Generation(c);
    for (int i = 0; i < changes; ++i)
      if (c.Do(op::StimulateConfigChange{}).refused)
        c.NotApplicable("the device has nothing in its config space that changes");
    c.Do(op::Quiesce{});
    if (ReadConfigSpace(c) == before) continue;  // back to where it was
    c.Do(op::ReadGeneration{});
    const std::string because =
        fmt::format("the generation is another one after {} changes and a read", changes);
    if (changes % 256 == 0)
      c.Advise(Accept::NotEqual(generation), kMoves, because);
    else
      c.Expect(Accept::NotEqual(generation), GenerationRule(c), because);
    if (c.failed()) return;
  }
}

// Whether the driver's own writes, and a reset, move the count is left open; that it rests is not.
void RestsAfterOwnWrites(Context& c) {
  const auto layout = ConfigLayoutOf(c);
  c.Up({.with = FieldFeatures(c), .driver_ok = false});
  const auto expect_rest = [&](const char* after) {
    const uint64_t generation = Generation(c);
    const auto bytes = ReadConfigSpace(c);
    if (ReadConfigSpace(c) != bytes || SaidToHaveChanged(c)) return;
    c.Do(op::ReadGeneration{});
    c.Expect(Accept::Equal(generation), kRests,
             fmt::format("the generation rests again after {}", after));
  };
  SaidToHaveChanged(c);
  if (layout)
    for (const ConfigField& field : layout->writable) {
      const Bytes value = c.Do(op::ReadConfig{field.offset, field.width}).bytes;
      if (value.empty()) continue;
      c.Do(op::ReadGeneration{});  // for the trace
      c.Do(op::WriteConfig{field.offset, value});
      expect_rest("a write by the driver");
      if (c.failed()) return;
    }
  c.Do(op::ReadGeneration{});
  c.Reset();
  expect_rest("a reset");
}

}  // namespace

void AddConfigTornReadChecks(std::vector<Check>& list) {
  const Needs changing{
      .abilities = {Ability::kConfigSpace, Ability::kGeneration, Ability::kStimulus},
      .config_bytes = 8};
  list.push_back({
      .id = "config.change.torn-read",
      .title = "The generation tells a driver that it has read halves of two values of a field",
      .section = "4.1.4.3.1",
      .requirements = {kMoves, kPciMoves, kMmioMoves},
      .tags = {"odd"},
      .needs = changing,
      .faults = {"config-generation-on-low-half", "experimental:config-generation-static",
                 "experimental,level=pci:config-generation-static",
                 "experimental,level=mmio:config-generation-static"},
      .run = TellsMixtures,
  });
  list.push_back({
      .id = "config.change.read-loop",
      .title = "Reading until two generations agree ends, and yields a value that the field had",
      .section = "4.1.4.3.1",
      .requirements = {kRests, kMoves, kPciMoves, kMmioMoves},
      .tags = {"odd"},
      .needs = changing,
      .faults = {"experimental:config-generation-static", "config-generation-restless",
                 "config-generation-on-low-half"},
      .run = LetsTheLoopEnd,
  });
  list.push_back({
      .id = "config.change.many",
      .title = "The generation is another one after 255, 256 and 257 changes",
      .section = "4.2.2.1",
      .requirements = {kMoves, kMmioMoves},
      .tags = {"odd"},
      .needs = changing,
      .faults = {"config-generation-8-bit", "experimental:config-generation-8-bit"},
      .run = CountsManyChanges,
  });
  list.push_back({
      .id = "config.change.own-writes",
      .title = "The generation rests after writes by the driver and after a reset",
      .section = "2.5.1",
      .requirements = {kRests},
      .tags = {},
      .needs = {.abilities = {Ability::kConfigSpace, Ability::kConfigWrite, Ability::kGeneration,
                              Ability::kReset},
                .config_bytes = 1},
      .faults = {"config-generation-restless", "experimental:config-generation-restless"},
      .run = RestsAfterOwnWrites,
  });
}

}  // namespace vitro
