// SPDX-License-Identifier: Apache-2.0
// Checks of fields of 64 bits in the configuration space that a driver writes in two halves, as is
// its right (4.1.3.1, 4.2.2.2): in either order, one alone, with something in between, over a
// reset; by two writers, and while the device changes the field as well. See config_piece_checks.cc
// for what is no driver's right.
#include <array>

#include "harness/transport/interrupt_plans.h"
#include "suite/checks/config_tear.h"
#include "suite/checks/pci_registers.h"

namespace vitro {
namespace {

constexpr const char* kHalves = "dev.pci.pci-device-layout.1";
constexpr const char* kWriteWidth = "derived.config.write-width";
constexpr const char* kHalf = "derived.config.no-action-on-half";
constexpr const char* kSession = "derived.config.session-state";
constexpr const char* kNotified = "derived.config.notified";
constexpr const char* kOneSide = "derived.config.one-writer-per-half";

// Two halves, and what comes in between ----------------------------------------------------------

struct Between {
  const char* slug;
  const char* what;  // "a read of the field"
  const char* fault;
  Ability ability;  // without which it cannot be done
  std::function<void(Context& c, const ProfileField& field)> act;
  bool after_driver_ok = false;  // means nothing before
  bool is_driver_ok = false;     // so the first half comes before
  std::vector<unsigned> features = {};
};

void TakesHalves(Context& c, HalfOrder order) {
  for (const ProfileField& field : WideFields(c)) {
    TornField torn(c, field);
    torn.Begin();
    torn.WriteFirst(order, torn.new_value());
    torn.WriteSecond(order, torn.new_value());
    torn.ExpectWhole(torn.new_value(), 1, Name(order));
    if (c.failed()) return;
    // And once more, with the value that was there.
    const uint64_t old_value = torn.old_value();
    torn.WriteFirst(order, old_value);
    torn.WriteSecond(order, old_value);
    torn.ExpectWhole(old_value, 2, fmt::format("{}, a second time", Name(order)));
    if (c.failed()) return;
  }
}

void KeepsTheOtherHalf(Context& c) {
  for (const ProfileField& field : WideFields(c))
    for (const HalfOrder order : kHalfOrders) {
      TornField torn(c, field);
      torn.Begin();
      torn.WriteFirst(order, torn.new_value());
      torn.ExpectHalf(order, torn.new_value(), fmt::format("{} and no other", Name(order)));
      if (c.failed()) return;
      // What counts is what was written last.
      const uint64_t last = ~torn.new_value();
      torn.WriteFirst(order, last);
      torn.ExpectHalf(order, last, fmt::format("{}, twice", Name(order)));
      torn.WriteSecond(order, last);
      torn.ExpectWhole(last, 1, fmt::format("{}, twice, and then the other", Name(order)));
      if (c.failed()) return;
    }
}

void HoldsAHalf(Context& c, const Between& between) {
  bool tried = false;
  for (const ProfileField& field : WideFields(c)) {
    if ((between.after_driver_ok || between.is_driver_ok) && !field.runtime) continue;
    for (const HalfOrder order : kHalfOrders) {
      FeatureSet with;
      for (const unsigned bit : between.features) with.Add(bit);
      TornField torn(c, field, !between.is_driver_ok, with);
      torn.Begin();
      torn.WriteFirst(order, torn.new_value());
      between.act(c, field);
      torn.WriteSecond(order, torn.new_value());
      torn.ExpectWhole(torn.new_value(), 1, fmt::format("{}, then {}", Name(order), between.what));
      tried = true;
      if (c.failed()) return;
    }
  }
  if (!tried) c.NotApplicable("no writable field of 64 bits is meant for after DRIVER_OK");
}

// Another writable field takes the value that it has.
void WriteAnotherField(Context& c, const ProfileField& field) {
  for (const ProfileField& other : FieldsWith(c, c.session().state().accepted)) {
    if (other.offset == field.offset || other.access != FieldAccess::kReadWrite || other.action)
      continue;
    const uint32_t width = std::min(other.width, 4u);
    const Bytes value = c.Do(op::ReadConfig{other.offset, width}).bytes;
    c.Do(op::WriteConfig{other.offset, value});
    return;
  }
  c.NotApplicable("the device has no other writable config field");
}

const std::vector<Between>& Betweens() {
  static const std::vector<Between> list = {
      {"field-read", "a read of the field", "config-wide-half-lost-by-config-read",
       Ability::kConfigSpace, [](Context& c, const ProfileField& f) { ReadWide(c, f.offset); }},
      {"generation-read", "a read of the config generation", "config-wide-half-lost-by-generation",
       Ability::kGeneration, [](Context& c, const ProfileField&) { c.Do(op::ReadGeneration{}); }},
      {"other-field", "a write of another field", "config-wide-half-lost-by-other-field",
       Ability::kConfigWrite, WriteAnotherField},
      {"queue-select", "a look at another queue", "config-wide-half-lost-by-queue-look",
       Ability::kConfigWrite,
       [](Context& c, const ProfileField&) {
         for (const uint32_t queue : {1u, 0u}) c.MaxQueueSize(queue);
       }},
      {"kick", "an available buffer notification", "config-wide-half-lost-by-kick",
       Ability::kConfigWrite, [](Context& c, const ProfileField&) { c.Notify(c.request_queue()); },
       true},
      {"status-read", "a read of the device status", "config-wide-half-lost-by-status-read",
       Ability::kDeviceStatus, [](Context& c, const ProfileField&) { c.Do(op::ReadStatus{}); }},
      {"waiting", "a while", "config-wide-half-lost-by-waiting", Ability::kConfigWrite,
       [](Context& c, const ProfileField&) { c.Do(op::Quiesce{}); }},
      {"driver-ok", "DRIVER_OK", "config-wide-half-lost-by-driver-ok", Ability::kDeviceStatus,
       [](Context& c, const ProfileField&) { c.DriverOk(); }, false, true},
      {"queue-reset",
       "a virtqueue reset",
       "config-wide-half-lost-by-queue-reset",
       Ability::kQueueReset,
       [](Context& c, const ProfileField&) { c.Do(op::ResetQueue{c.request_queue()}); },
       true,
       false,
       {feature::kRingReset}},
  };
  return list;
}

// Halves over the end of a life -------------------------------------------------------------------

void ExpectForgotten(Context& c, TornField& torn, HalfOrder order, const std::string& when) {
  const auto& field = torn.field();
  if (field.reset_value)
    ExpectWide(c, field.offset, *field.reset_value, kSession,
               fmt::format("{}: both halves are at their defaults", torn.Describe(when)));
  torn.Begin();
  torn.WriteSecond(order, kTornValue);
  torn.ExpectHalf(order == HalfOrder::kLowFirst ? HalfOrder::kHighFirst : HalfOrder::kLowFirst,
                  kTornValue, fmt::format("{}, the other half", when));
}

void ForgetsHalves(Context& c, const std::string& when, const std::function<bool()>& end) {
  for (const ProfileField& field : WideFields(c))
    for (const HalfOrder order : kHalfOrders) {
      TornField before(c, field);
      before.Begin();
      before.WriteFirst(order, before.new_value());
      if (!end()) return;
      TornField after(c, field);
      ExpectForgotten(c, after, order, fmt::format("{}, then {}", Name(order), when));
      if (c.failed()) return;
    }
}

void ForgetsHalvesOverReset(Context& c) {
  ForgetsHalves(c, "a device reset", [&] {
    c.Reset();
    return true;
  });
  if (c.failed()) return;
  ForgetsHalves(c, "a new connection", [&] {
    const auto again = c.Try(op::Reconnect{});
    if (again) return true;
    if (again.error().kind == ErrorKind::kUnsupported) return false;
    throw CheckEnded{CheckEnded::Why::kError, again.error()};
  });
}

void ForgetsHalvesOverFunctionReset(Context& c) {
  RequireCommon(c);
  ForgetsHalves(c, "a function level reset", [&] {
    FunctionLevelReset(c);
    c.Reset();
    c.Do(op::Interrupts{std::string(interrupts::kPolling)});
    return true;
  });
}

// Two writers -------------------------------------------------------------------------------------

// Two drivers' threads write one value each. No attachment carries two accesses at once, so this
// one thread plays both, in every order in which one bus can have their accesses.
void TakesTheLastOfTwoWriters(Context& c) {
  constexpr uint64_t kValues[] = {kTornValue, 0x33333333'cccccccc};
  // Which of the writers each of the four accesses is from.
  constexpr int kTurns[][4] = {{0, 0, 1, 1}, {0, 1, 0, 1}, {0, 1, 1, 0},
                               {1, 0, 0, 1}, {1, 0, 1, 0}, {1, 1, 0, 0}};
  for (const ProfileField& field : WideFields(c))
    for (const HalfOrder first : kHalfOrders)
      for (const HalfOrder second : kHalfOrders)
        for (const auto& turns : kTurns) {
          TornField torn(c, field);
          torn.Begin();
          uint64_t now = torn.old_value();
          int written[2] = {};
          for (const int writer : turns) {
            const HalfOrder order = writer == 0 ? first : second;
            const bool high = (written[writer]++ == 0) == (order == HalfOrder::kHighFirst);
            torn.WriteHalf(high, kValues[writer]);
            const uint64_t mask = high ? uint64_t{UINT32_MAX} << 32 : UINT32_MAX;
            now = (now & ~mask) | (kValues[writer] & mask);
          }
          if (!torn.ReadsAsWritten()) continue;
          c.Do(op::ReadConfig{field.offset, 4});
          c.Advise(Accept::Equal(now & UINT32_MAX), kOneSide,
                   torn.Describe("two writers: the low half is what was written to it last"));
          c.Do(op::ReadConfig{field.offset + 4, 4});
          c.Advise(Accept::Equal(now >> 32), kOneSide,
                   torn.Describe("two writers: the high half is what was written to it last"));
          if (c.failed()) return;
        }
}

// A half of what the driver or the device put there last.
void AdviseOneSide(Context& c, const TornField& torn, bool high, std::array<uint64_t, 2> sides) {
  const uint32_t shift = high ? 32 : 0;
  c.Do(op::ReadConfig{torn.field().offset + (high ? 4 : 0), 4});
  c.Advise(Accept::In({sides[0] >> shift & UINT32_MAX, sides[1] >> shift & UINT32_MAX}), kOneSide,
           torn.Describe(fmt::format("changed by the device meanwhile: the {} half is the driver's "
                                     "or the device's",
                                     high ? "high" : "low")));
}

// The device changes the field before, between and after the halves of the driver.
void SharesAField(Context& c) {
  bool tried = false;
  for (const ProfileField& field : WideFields(c)) {
    if (field.changes != FieldChanges::kByDevice) continue;
    tried = true;
    for (const HalfOrder order : kHalfOrders)
      for (const int halves_before : {0, 1, 2}) {
        TornField torn(c, field);
        torn.Begin();
        const uint64_t value = torn.new_value();
        if (halves_before > 0) torn.WriteFirst(order, value);
        if (halves_before > 1) torn.WriteSecond(order, value);
        SaidToHaveChanged(c);
        const bool counted = c.Has(Ability::kGeneration);
        const uint64_t generation = counted ? c.Do(op::ReadGeneration{}).value : 0;
        StimulateChange(c);
        if (c.Has(Ability::kConfigNotification))
          c.Expect(Accept::NotEqual(0), kNotified, "the device's change is notified");
        const uint64_t devices = ReadWide(c, field.offset);
        if (counted) {
          c.Do(op::ReadGeneration{});
          c.Expect(Accept::NotEqual(generation), GenerationRule(c),
                   "the generation moves with the device's change");
        }
        // With no half before, one half now: the other one is the device's.
        if (halves_before < 2) torn.WriteSecond(order, value);
        for (const bool high : {false, true}) AdviseOneSide(c, torn, high, {value, devices});
        if (halves_before == 0)
          AdviseOneSide(c, torn, order == HalfOrder::kHighFirst, {devices, devices});
        if (c.failed()) return;
      }
  }
  if (!tried) c.NotApplicable("no field of 64 bits is written by driver and device");
}

// The list ----------------------------------------------------------------------------------------

const Needs kWriting{.abilities = {Ability::kConfigSpace, Ability::kConfigWrite},
                     .writable_field = 8};

void AddHalfChecks(std::vector<Check>& list) {
  for (const HalfOrder order : kHalfOrders) {
    const bool low = order == HalfOrder::kLowFirst;
    list.push_back({
        .id = low ? "config.tear.low-then-high" : "config.tear.high-then-low",
        .title =
            fmt::format("A writable config field of 64 bits takes its halves, the {}", Name(order)),
        .section = "4.1.3.2",
        .requirements = {kHalves, kWriteWidth, kHalf},
        .tags = {},
        .needs = kWriting,
        .faults = low ? std::vector<std::string>{"config-wide-acts-on-low",
                                                 "config-wide-acts-on-each-write",
                                                 "experimental:config-torn-write",
                                                 "experimental,level=pci:config-torn-write",
                                                 "experimental,level=mmio:config-wide-acts-on-low"}
                      : std::vector<std::string>{"config-wide-acts-on-high",
                                                 "experimental,level=pci:config-wide-acts-on-high",
                                                 "experimental:config-torn-write"},
        .run = [order](Context& c) { TakesHalves(c, order); },
    });
  }
  list.push_back({
      .id = "config.tear.one-half",
      .title = "Half of a 64-bit config field can be written alone, and the device waits to act",
      .section = "4.1.3.2",
      .requirements = {kHalves, kWriteWidth, kHalf},
      .tags = {"odd"},
      .needs = kWriting,
      .faults = {"config-wide-acts-on-low", "config-wide-acts-on-high",
                 "config-wide-acts-on-each-write", "experimental:config-torn-write"},
      .run = KeepsTheOtherHalf,
  });
  for (const Between& between : Betweens()) {
    Needs needs = kWriting;
    needs.abilities.push_back(between.ability);
    needs.offered = between.features;
    list.push_back({
        .id = fmt::format("config.tear.across-{}", between.slug),
        .title = fmt::format("Half of a 64-bit config field is kept over {}", between.what),
        .section = "4.1.3.2",
        .requirements = {kHalves, kWriteWidth, kHalf},
        .tags = {"odd"},
        .needs = needs,
        .faults = {between.fault},
        .run = [between](Context& c) { HoldsAHalf(c, between); },
    });
  }
}

void AddHalfEndChecks(std::vector<Check>& list) {
  Needs needs = kWriting;
  needs.abilities.push_back(Ability::kReset);
  list.push_back({
      .id = "config.tear.reset",
      .title = "Half of a 64-bit config field is forgotten by a reset and by a new connection",
      .section = "2.4",
      .requirements = {kSession, kHalf, kWriteWidth},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"config-wide-half-survives-reset", "config-wide-mask-survives-reset",
                 "experimental,level=mmio:config-wide-mask-survives-reset"},
      .run = ForgetsHalvesOverReset,
  });
  needs.abilities = {Ability::kPciFunction, Ability::kConfigSpace, Ability::kConfigWrite,
                     Ability::kInterruptPlans};
  list.push_back({
      .id = "pci.reset.half-written-config",
      .title = "Half of a 64-bit config field is forgotten by a function level reset",
      .section = "4.1.4.3.1",
      .requirements = {kSession, kHalf, kHalves},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"experimental,level=pci:config-wide-half-survives-reset"},
      .run = ForgetsHalvesOverFunctionReset,
  });
}

void AddWriterChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "config.tear.two-writers",
      .title =
          "Each half of a 64-bit config field is what was written to it last, by two writers whose "
          "accesses come in every order",
      .section = "2.5",
      .requirements = {kOneSide},
      .tags = {"odd"},
      .needs = kWriting,
      .faults = {"experimental:config-torn-write"},
      .run = TakesTheLastOfTwoWriters,
  });
  Needs needs = kWriting;
  needs.abilities.push_back(Ability::kStimulus);
  list.push_back({
      .id = "config.tear.device-writes-too",
      .title = "A 64-bit config field that driver and device write has each half of one of them",
      .section = "2.5",
      .requirements = {kOneSide, kNotified, "derived.config.generation-moves"},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"config-write-restores-other-half", "experimental:config-generation-static",
                 "experimental:config-change-not-notified"},
      .run = SharesAField,
  });
}

}  // namespace

void AddConfigTearChecks(std::vector<Check>& list) {
  AddHalfChecks(list);
  AddHalfEndChecks(list);
  AddWriterChecks(list);
}

}  // namespace vitro
