// SPDX-License-Identifier: Apache-2.0
// Every fault of devices/pci/faults.def is implemented: a tour over the registers of a function
// that has it differs from the tour of one that has none.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "devices/pci/raw_driver.h"
#include "devices/ref/faults.h"
#include "harness/virtio/blk.h"

namespace vitro::pcidev {
namespace {

namespace legacy = virtio_pci::legacy;

class Tourist : public RawDriver {
 public:
  explicit Tourist(const std::string& options) : RawDriver("blk", options) {
    EXPECT_TRUE(created) << options;
  }
  std::string text;
  template <typename... Values>
  void Note(Values... values) {
    ((text += fmt::format("{:x} ", static_cast<uint64_t>(values))), ...);
  }
  void NoteCommon(std::initializer_list<uint32_t> queues = {0, 1, 2, 256, 257}) {
    for (uint32_t queue : queues) {
      Select(queue);
      for (uint32_t at = 0; at < common::kBytes; at += 2) Note(Common(at, 2));
      for (uint32_t at = common::kQueueDesc; at < 56; at += 4) Note(Common(at, 4));
    }
  }
  // Interrupts so far; does not read ISR status.
  void NoteInterrupts() {
    for (const Message& message : messages) Note(message.address, message.data);
    Note(messages.size(), line, rises, Pci(pci::kStatus, 2), Bar(kMsix, kPending, 4));
    messages.clear();
    rises = 0;
  }
  void Request(uint32_t queue) {
    Publish(queue);
    Kick(queue);
    NoteInterrupts();
    Run();
    Note(UsedIdx(queue));
    NoteInterrupts();
  }
  // Config on vector 0, the queues as told.
  void BringUp(FeatureSet features, uint64_t first, uint64_t second) {
    Note(Negotiate(features));
    for (uint64_t vector = 0; vector < 3; ++vector) Program(vector);
    SetCommon(common::kConfigMsixVector, 2, 0);
    Note(SetUp(0, 8, first), SetUp(1, 8, second));
    SetStatus(kRunning);
  }
};

constexpr FeatureSet kFeatures{feature::kVersion1, feature::kRingReset, 12};

void Config(Tourist& t) {
  for (int round = 0; round < 2; ++round)
    for (uint32_t at = 0; at < 256; at += 4) t.Note(t.Pci(at, 4));
  for (uint32_t i = 0; i < 6; ++i) {
    t.SetPci(pci::kBar0 + 4 * i, 4, UINT32_MAX);
    t.Note(t.Pci(pci::kBar0 + 4 * i, 4));
  }
}

void Registers(Tourist& t) {
  t.Decode();
  for (uint32_t select : {0u, 1u, 2u, 3u, 4u, 1000u}) {
    t.SetCommon(common::kDeviceFeatureSelect, 4, select);
    t.Note(t.Common(common::kDeviceFeature, 4));
  }
  t.SetStatus(3);
  t.SetCommon(common::kDeviceFeatureSelect, 4, 0);
  t.SetCommon(common::kDriverFeatureSelect, 4, 1);
  t.SetCommon(common::kDriverFeature, 4, 1);
  t.NoteCommon();
  for (uint32_t queue : {0u, 1u}) {
    t.Select(queue);
    t.SetCommon(common::kQueueSize, 2, 16 << queue);
    t.SetCommon(common::kQueueMsixVector, 2, queue);
    t.SetCommon(common::kQueueDesc, 4, 0x1000);
    t.SetCommon(common::kQueueDesc + 4, 4, 7);
    t.SetCommon(common::kQueueDriver, 4, 0x2000);
  }
  t.Select(0);
  t.SetCommon(common::kQueueDriver + 4, 4, 9);
  t.SetCommon(common::kQueueMsixVector, 2, 3);
  t.NoteCommon();
  t.SetStatus(0);
  t.NoteCommon();
  for (uint32_t at = 0; at < 16; at += 4) t.Note(t.Bar(RawDriver::kMain, t.kDevice + at, 4));
}

void Reset(Tourist& t) {
  t.Decode();
  t.Note(t.Bar(RawDriver::kMsix, pci::kMsixEntryControl, 4));
  t.SetMsix(pci::kMsixEnable);
  for (int life = 0; life < 2; ++life) {
    t.BringUp(kFeatures, 1, 2);
    t.Request(0);
    t.Note(t.Common(common::kConfigGeneration, 1));
    t.ops->stimulate_config_change(t.device);
    t.Note(t.Common(common::kConfigGeneration, 1));
    t.Select(1);
    t.SetCommon(common::kQueueReset, 2, 1);
    t.NoteCommon({0, 1});
    t.SetStatus(0);
    t.NoteCommon({0, 1});
    t.NoteInterrupts();
  }
  t.BringUp(kFeatures, 1, 2);
  t.SetPci(t.Capability(pci::kCapExpress) + pci::kExpressDeviceControl, 2,
           pci::kExpressInitiateFlr);
  for (uint32_t at = 0; at < 0x34; at += 4) t.Note(t.Pci(at, 4));
  t.Decode();
  t.Note(t.Bar(RawDriver::kMsix, pci::kMsixEntryControl, 4));
  t.NoteCommon({0});
}

void Messages(Tourist& t) {
  t.Decode();
  t.SetMsix(pci::kMsixEnable);
  t.BringUp(kFeatures, 1, 2);
  t.Request(0), t.Request(1);
  t.ops->stimulate_config_change(t.device);
  t.NoteInterrupts();
  t.Select(0);
  t.SetCommon(common::kQueueMsixVector, 2, 2);
  t.Request(0);
  t.Program(3);
  t.SetBar(RawDriver::kMsix, 32 + 8, 4, 77);
  t.Request(1);
  for (const auto& [first, second] : {std::pair{1u, 1u}, {0xffffu, 0u}}) {
    t.BringUp(kFeatures, first, second);
    t.Request(0), t.Request(1);
    t.ops->stimulate_config_change(t.device);
    t.NoteInterrupts();
    t.SetCommon(common::kConfigMsixVector, 2, 0xffff);
    t.ops->stimulate_config_change(t.device);
    t.NoteInterrupts();
  }
  t.Note(t.Bar(RawDriver::kMain, t.kIsr, 1));
}

void Masks(Tourist& t) {
  t.Decode();
  t.SetMsix(pci::kMsixEnable);
  t.BringUp(kFeatures, 1, 2);
  t.Program(1, 1);
  t.Request(0);
  t.Program(1);
  t.NoteInterrupts();
  t.Program(1, 1), t.Program(1);
  t.NoteInterrupts();
  t.SetMsix(pci::kMsixEnable | pci::kMsixFunctionMask);
  t.Request(1);
  t.SetMsix(pci::kMsixEnable);
  t.NoteInterrupts();
}

void Line(Tourist& t) {
  t.Decode();
  for (int life = 0; life < 2; ++life) {
    t.BringUp(kFeatures, 0xffff, 0xffff);
    t.Request(0);
    t.Request(1);
    t.Note(t.Bar(RawDriver::kMain, t.kIsr, 1)), t.NoteInterrupts();
    t.Note(t.Bar(RawDriver::kMain, t.kIsr, 1));
    t.ops->stimulate_config_change(t.device);
    t.NoteInterrupts();
    t.Note(t.Bar(RawDriver::kMain, t.kIsr, 1));
    t.SetPci(pci::kCommand, 2, 7 | pci::kCommandIntxDisable);
    t.Request(0);
    t.ops->stimulate_config_change(t.device);
    t.SetPci(pci::kCommand, 2, 7);
    t.NoteInterrupts();
    t.Note(t.WindowRead(4, t.kIsr, 1), t.WindowRead(4, t.kIsr, 1));
    t.Request(0);
    t.SetStatus(0);
    t.NoteInterrupts();
    t.Note(t.Bar(RawDriver::kMain, t.kIsr, 1));
  }
}

void Doorbells(Tourist& t) {
  t.Decode();
  t.BringUp(kFeatures.With(feature::kNotifConfigData), 0xffff, 0xffff);
  for (uint32_t queue : {1u, 0u}) {
    t.Publish(queue);
    t.Select(queue);
    const uint64_t value = t.Common(common::kQueueNotifConfigData, 2);
    t.SetBar(RawDriver::kMain, t.kNotify + 4 * queue, 2, value);
    t.Run();
    t.Note(value, t.UsedIdx(0), t.UsedIdx(1));
  }
  t.BringUp(kFeatures.With(feature::kNotificationData), 0xffff, 0xffff);
  t.Publish(0);
  t.Kick(0, 4);
  t.Run();
  t.Note(t.UsedIdx(0));
}

void Window(Tourist& t) {
  for (uint32_t length : {1u, 2u, 4u, 3u})
    for (uint32_t offset : {0u, 20u, 24u, 0x2000u}) t.Note(t.WindowRead(4, offset, length));
  t.Note(t.WindowRead(1, pci::kMsixEntryControl, 4));
  t.WindowWrite(4, common::kQueueSelect, 2, 1);
  t.WindowWrite(4, common::kDeviceStatus, 1, 1);
  t.Note(t.WindowRead(4, common::kQueueSelect, 2), t.WindowRead(4, common::kDeviceStatus, 1));
}

// The second structures behave as the first ones.
void SecondStructures(Tourist& t) {
  t.Decode();
  for (unsigned nth = 0; nth < 2; ++nth) {
    const uint32_t at = t.Capability(pci::kCapVendor, virtio_pci::kCommonCfg, nth);
    if (at == 0) continue;
    const uint32_t bar = t.Pci(at + virtio_pci::kCapBar, 1);
    const uint32_t offset = t.Pci(at + virtio_pci::kCapOffset, 4);
    t.SetBar(bar, offset + common::kQueueSelect, 2, 1);
    t.Note(t.Bar(bar, offset + common::kQueueSelect, 2));
    t.SetBar(bar, offset + common::kQueueSelect, 2, 0);
  }
}

// All of the legacy structure but ISR status.
void NoteLegacy(Tourist& t) {
  t.Note(t.Bar(0, 0, 4), t.Bar(0, 4, 4), t.Bar(0, 8, 4), t.Bar(0, 12, 2), t.Bar(0, 14, 2),
         t.Bar(0, 18, 1));
  for (uint32_t at = legacy::kBytes; at < 24 + blk::kConfigSize; at += 4) t.Note(t.Bar(0, at, 4));
}

void Legacy(Tourist& t) {
  t.Decode();
  for (uint64_t features : {0ull, 1ull << feature::kNotifyOnEmpty | 1 << feature::kAnyLayout}) {
    t.SetBar(0, legacy::kDeviceStatus, 1, 0);
    NoteLegacy(t);
    t.SetBar(0, legacy::kDeviceStatus, 1, 3);
    NoteLegacy(t);
    t.SetBar(0, legacy::kBytes + blk::kConfigWriteback, 1, 0);
    NoteLegacy(t);
    t.SetBar(0, legacy::kDriverFeatures, 4, features);
    NoteLegacy(t);
    t.Lay(0, 128);
    t.SetBar(0, legacy::kQueueAddress, 4, t.Base(0) / 4096);
    NoteLegacy(t);
    // No interrupt wanted but on empty.
    t.memory.Store<uint16_t>(t.rings[0].avail, features == 0 ? 0 : 1);
    for (int round = 0; round < 2; ++round) {
      t.Publish(0);
      t.SetBar(0, legacy::kQueueNotify, 2, 0);
      t.Run();
      t.Note(t.UsedIdx(0)), t.NoteInterrupts();
      t.Note(t.Bar(0, legacy::kIsrStatus, 1), t.Bar(0, legacy::kIsrStatus, 1));
      NoteLegacy(t);
      t.SetBar(0, legacy::kDeviceStatus, 1, 7);
    }
  }
}

const std::pair<const char*, std::function<void(Tourist&)>> kStages[] = {
    {"config", Config},       {"registers", Registers}, {"reset", Reset},
    {"messages", Messages},   {"masks", Masks},         {"line", Line},
    {"doorbells", Doorbells}, {"window", Window},       {"second structures", SecondStructures},
    {"legacy", Legacy}};

std::string Visit(const std::function<void(Tourist&)>& stage, const std::string& options) {
  Tourist tourist(options);
  if (tourist.created) stage(tourist);
  return tourist.text;
}

// What a fault implies, the function that it is compared with has as well.
std::string BaseOptions(std::string_view fault) {
  if (fault.starts_with("shm-")) return "shm=1";
  if (fault.starts_with("vendor-cap-")) return "vendor=1";
  if (fault.starts_with("legacy-")) return "transitional=1";
  const bool second = fault.starts_with("second-caps-") || fault == "window-bar-ignored";
  return second ? "second-caps=1" : "";
}

std::string WhereItShows(std::string_view fault) {
  const std::string base = BaseOptions(fault);
  for (const auto& [name, stage] : kStages) {
    static std::map<std::string, std::string> known;
    const std::string key = fmt::format("{}/{}", name, base);
    if (!known.contains(key)) known[key] = Visit(stage, base);
    const std::string options = fmt::format("fault={}{}{}", fault, base.empty() ? "" : ",", base);
    if (Visit(stage, options) != known[key]) return name;
  }
  return "";
}

TEST(PciFaults, ABaselineTourIsTheSameTwice) {
  for (const std::string options : {"", "transitional=1", "shm=1", "vendor=1", "second-caps=1"})
    for (const auto& [name, stage] : kStages)
      EXPECT_EQ(Visit(stage, options), Visit(stage, options)) << name << " " << options;
}

TEST(PciFaults, EachShows) {
  for (const ref::FaultInfo& fault : ref::AllFaults()) {
    // Those of SR-IOV have a tour of their own: sriov_test.cc.
    if (fault.devices != "p" || fault.name.ends_with("-crash") || fault.name.starts_with("sriov-"))
      continue;
    EXPECT_NE(WhereItShows(fault.name), "") << "nothing in the tour shows '" << fault.name << "'";
  }
}

TEST(PciFaultsDeathTest, EachCrashIsMetByTheDriverThatAsksForIt) {
  RawDriver odd("blk", "fault=common-odd-access-crash");
  odd.Decode();
  EXPECT_DEATH(odd.Common(1, 4), "");
  RawDriver gap("blk", "fault=bar-gap-crash");
  gap.Decode();
  EXPECT_DEATH(gap.Common(0x800, 4), "");
  RawDriver narrow("blk", "fault=msix-odd-access-crash");
  narrow.Decode();
  EXPECT_DEATH(narrow.Bar(RawDriver::kMsix, 0, 1), "");
  RawDriver missing("blk", "fault=queue-enable-missing-crash");
  missing.Decode();
  missing.Select(99);
  EXPECT_DEATH(missing.SetCommon(common::kQueueEnable, 2, 1), "");
}

TEST(PciFaults, OthersArePassedToTheDeviceInside) {
  RawDriver d("blk", "fault=blk-capacity-zero-change");
  EXPECT_TRUE(d.created);
}

}  // namespace
}  // namespace vitro::pcidev
