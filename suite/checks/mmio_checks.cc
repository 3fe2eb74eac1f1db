// SPDX-License-Identifier: Apache-2.0
// Checks of virtio over MMIO (4.2.2): what identifies the window, the selectors of feature bits,
// and what a reset does to the registers. The other registers have files of their own.
#include <map>

#include "suite/checks/chapters.h"
#include "suite/checks/mmio_registers.h"
#include "suite/profile/device_numbers.h"

namespace vitro {
namespace {

using namespace mmio;  // NOLINT: the names of the registers

constexpr const char* kMagicRow = "dev.mmio.mmio-device-register-layout.1";
constexpr const char* kVersionRow = "dev.mmio.mmio-device-register-layout.2";
constexpr const char* kCleared = "dev.mmio.mmio-device-register-layout.5";
constexpr const char* kIdentity = "derived.mmio.identity";
constexpr const char* kReservedId = "derived.device-id.reserved";
constexpr const char* kSelector = "derived.mmio.feature-selectors";
constexpr const char* kResetStatus = "dev.basic.device-reset.1";
constexpr const char* kSameAgain = "derived.mmio.registers-after-reset";

constexpr uint8_t kFound = status::kAcknowledge | status::kDriver;
constexpr uint8_t kNegotiated = kFound | status::kFeaturesOk;

// What it is --------------------------------------------------------------------------------------

void TellsItsMagicAlways(Context& c) {
  AtEveryStage(c, [&](const std::string& stage) {
    MmioRead(c, kMagicValue);
    c.Expect(Accept::Equal(kMagic), kMagicRow, "MagicValue reads \"virt\" " + stage);
  });
}

void TellsItsVersionAlways(Context& c) {
  AtEveryStage(c, [&](const std::string& stage) {
    MmioRead(c, kVersion);
    c.Expect(Accept::Equal(kVersion2), kVersionRow, "Version reads 2 " + stage);
  });
}

void TellsItsIdentityAlways(Context& c) {
  AtEveryStage(c, [&](const std::string& stage) {
    MmioRead(c, kDeviceId);
    c.Expect(Accept::Equal(c.facts().device_id), kIdentity,
             "DeviceID reads as when the device was found " + stage);
    MmioRead(c, kVendorId);
    c.Expect(Accept::Equal(c.facts().vendor_id), kIdentity,
             "VendorID reads as when the device was found " + stage);
  });
}

void TellsAnIdThatItMayUse(Context& c) {
  std::vector<uint64_t> reserved;
  for (uint32_t id = 1; id <= kLastReservedId; ++id)
    if (IsReservedId(id)) reserved.push_back(id);
  const Accept accept = c.facts().device_id >= kFirstExperiment
                            ? Accept::Range(kFirstExperiment, kLastExperiment)
                            : Accept::In(reserved);
  AtEveryStage(c, [&](const std::string& stage) {
    MmioRead(c, kDeviceId);
    c.Advise(accept, kReservedId,
             "DeviceID is one of the standard's table, or from 65535 backwards, " + stage);
  });
}

// Features ----------------------------------------------------------------------------------------

void ShowsTheSelectedFeatures(Context& c) {
  c.Reset();
  c.AcknowledgeAndDriver();
  auto read = [&](uint32_t word) {
    MmioWrite(c, kDeviceFeaturesSel, word);
    return MmioRead(c, kDeviceFeatures);
  };
  std::map<uint32_t, uint64_t> words;
  for (uint32_t word = 0; word < 4; ++word) words[word] = read(word);
  for (uint32_t word : {3u, 1u, 0u, 2u, 1u, 1u, 0u, 3u, 2u, 0u}) {
    read(word);
    c.Expect(Accept::Equal(words[word]), kSelector,
             fmt::format("feature bits {} to {} read the same whatever was selected before",
                         word * 32, word * 32 + 31));
  }
  MmioRead(c, kDeviceFeatures);
  c.Expect(Accept::Equal(words[0]), kSelector, "a selection stays until there is another");
  for (uint32_t word : {4u, 5u, 8u, 31u, 0x100u, 0x10000u, 0x80000000u, UINT32_MAX}) {
    read(word);
    c.Expect(Accept::Equal(0), kSelector,
             fmt::format("DeviceFeatures reads 0 for the selector {:#x}: from bit 128 on all are "
                         "reserved",
                         word));
  }
}

void TakesFeaturesInAnyOrder(Context& c) {
  const FeatureSet features = UsualFeatures(c);
  const std::vector<std::vector<uint32_t>> orders = {{0, 1},    {1, 0},       {0, 1, 0},
                                                     {1, 0, 1}, {0, 0, 1, 1}, {1, 1, 0}};
  MmioDriver driver(c);
  for (const auto& order : orders) {
    for (const bool rubbish_first : {false, true}) {
      c.Reset();
      c.AcknowledgeAndDriver();
      if (rubbish_first)
        for (uint32_t word : {1u, 0u}) driver.AcceptWord(word, FeatureSet());
      std::string text;
      for (uint32_t word : order) {
        driver.AcceptWord(word, features);
        text += fmt::format("{}{}", text.empty() ? "" : ", ", word);
      }
      c.Do(op::WriteStatus{kNegotiated});
      c.Do(op::ReadStatus{});
      c.Expect(Accept::Masked(status::kFeaturesOk, status::kFeaturesOk), kSelector,
               fmt::format("the same features are taken when their words are written in the order "
                           "{}{}",
                           text, rubbish_first ? ", after others" : ""));
    }
  }
}

// Registers over a reset --------------------------------------------------------------------------

struct Snapshot {
  std::string what;
  uint32_t selector = 0, selected = 0;  // selector 0: none
  uint32_t offset = 0;
  uint64_t value = 0;
};

std::vector<Snapshot> ReadAll(Context& c) {
  std::vector<Snapshot> registers;
  auto read = [&](std::string what, uint32_t selector, uint32_t selected, uint32_t offset) {
    if (selector != 0) MmioWrite(c, selector, selected);
    registers.push_back({std::move(what), selector, selected, offset, MmioRead(c, offset)});
  };
  read("DeviceID", 0, 0, kDeviceId);
  read("VendorID", 0, 0, kVendorId);
  for (uint32_t queue : MmioQueues(c))
    read(fmt::format("QueueSizeMax of queue {}", queue), kQueueSel, queue, kQueueSizeMax);
  return registers;
}

void ExpectAsFresh(Context& c, const std::vector<Snapshot>& fresh, const std::string& when) {
  c.Do(op::Reset{});
  c.Expect(Accept::Equal(0), kResetStatus, "a reset leads to status 0 " + when);
  if (c.last().value != 0) return;
  MmioRead(c, kStatus);
  c.Expect(Accept::Equal(0), kResetStatus, "Status reads 0 after a reset " + when);
  MmioRead(c, kInterruptStatus);
  c.Expect(Accept::Equal(0), kCleared, "InterruptStatus reads 0 after a reset " + when);
  for (uint32_t queue : MmioQueues(c)) {
    MmioQueueRead(c, queue, kQueueReady);
    c.Expect(Accept::Equal(0), kCleared,
             fmt::format("QueueReady of queue {} reads 0 after a reset {}", queue, when));
  }
  for (const Snapshot& each : fresh) {
    if (each.selector != 0) MmioWrite(c, each.selector, each.selected);
    MmioRead(c, each.offset);
    c.Expect(Accept::Equal(each.value), kSameAgain,
             fmt::format("{} reads after a reset as before {}", each.what, when));
  }
}

void IsAsFreshAfterAReset(Context& c) {
  c.Do(op::Reset{});
  const auto fresh = ReadAll(c);
  const FeatureSet features = UsualFeatures(c);
  ExpectAsFresh(c, fresh, "from DRIVER_OK");
  if (c.failed()) return;
  c.AcknowledgeAndDriver();
  ExpectAsFresh(c, fresh, "from DRIVER");
  if (c.failed()) return;
  // With odd values left in every register that takes some.
  c.AcknowledgeAndDriver();
  c.Offered();
  if (!c.Negotiate(features)) c.NotApplicable("the device refused the features");
  for (uint32_t queue : MmioQueues(c)) {
    MmioWrite(c, kQueueSel, queue);
    for (uint32_t offset : {kQueueDescLow, kQueueDescHigh, kQueueDriverLow, kQueueDriverHigh,
                            kQueueDeviceLow, kQueueDeviceHigh})
      MmioWrite(c, offset, 0x10);
    if (c.last().refused) break;
    MmioWrite(c, kQueueSize, 1);
  }
  MmioWrite(c, kDeviceFeaturesSel, 1);
  ExpectAsFresh(c, fresh, "from FEATURES_OK with values left in the registers of queues");
}

// With virtqueue resets, requests and failures behind it.
void IsAsFreshAfterAHistory(Context& c) {
  c.Do(op::Reset{});
  const auto fresh = ReadAll(c);
  const bool resets = c.facts().offered.Has(feature::kRingReset);
  for (int round = 0; round < 3; ++round) {
    c.Up({.with = resets ? FeatureSet{feature::kRingReset} : FeatureSet()});
    HandleInterruptsByHand(c);
    const Exchange request = c.grammar().Request(static_cast<uint64_t>(round));
    c.Publish(request);
    c.Notify(request.queue);
    if (round != 1) c.WaitUsed(request.queue, 1);
    if (round == 2) c.Do(op::WriteStatus{kNegotiated | status::kDriverOk | status::kFailed});
    ExpectAsFresh(c, fresh,
                  round == 0   ? "with an interrupt pending"
                  : round == 1 ? "with a request in flight"
                               : "from FAILED");
    c.Do(op::Quiesce{});
    MmioRead(c, kInterruptStatus);
    c.Expect(Accept::Equal(0), kCleared, "InterruptStatus stays 0 after a reset");
    c.Do(op::ReadLine{});
    c.Expect(Accept::Equal(0), "derived.mmio.line", "the interrupt stays away after a reset");
    if (c.failed()) return;
  }
}

}  // namespace

void AddMmioChecks(std::vector<Check>& list) {
  const Needs needs{.abilities = {Ability::kMmioWindow}};
  list.push_back({
      .id = "mmio.identity.magic",
      .title = "MagicValue reads \"virt\" at every stage of a device's life",
      .section = "4.2.2.1",
      .requirements = {kMagicRow},
      .tags = {},
      .needs = needs,
      .faults = {"mmio-magic-wrong"},
      .run = TellsItsMagicAlways,
  });
  list.push_back({
      .id = "mmio.identity.version",
      .title = "Version reads 2 at every stage of a device's life",
      .section = "4.2.2.1",
      .requirements = {kVersionRow},
      .tags = {},
      .needs = needs,
      .faults = {"mmio-version-1"},
      .run = TellsItsVersionAlways,
  });
  list.push_back({
      .id = "mmio.identity.ids",
      .title = "DeviceID and VendorID read the same at every stage of a device's life",
      .section = "4.2.2",
      .requirements = {kIdentity},
      .tags = {},
      .needs = needs,
      .faults = {"mmio-device-id-lost"},
      .run = TellsItsIdentityAlways,
  });
  list.push_back({
      .id = "mmio.identity.reserved-id",
      .title = "DeviceID is reserved for a device type, or one for experiments",
      .section = "5",
      .requirements = {kReservedId},
      .tags = {},
      .needs = needs,
      .faults = {"mmio-device-id-lost"},
      .run = TellsAnIdThatItMayUse,
  });
  list.push_back({
      .id = "mmio.features.device-selector",
      .title = "DeviceFeatures shows the word that is selected, and 0 for words that do not exist",
      .section = "4.2.2",
      .requirements = {kSelector},
      .tags = {},
      .needs = needs,
      .faults = {"mmio-feature-sel-ignored", "mmio-feature-sel-one-bit"},
      .run = ShowsTheSelectedFeatures,
  });
  list.push_back({
      .id = "mmio.features.driver-selector",
      .title = "The words of the driver's features are taken in any order",
      .section = "4.2.2",
      .requirements = {kSelector},
      .tags = {"odd"},
      .needs = needs,
      .faults = {"mmio-driver-feature-sel-ignored", "mmio-driver-features-clear-others"},
      .run = TakesFeaturesInAnyOrder,
  });
  list.push_back({
      .id = "mmio.reset.registers",
      .title = "A reset leaves the registers as they were when the device was found",
      .section = "4.2.2.1",
      .requirements = {kCleared, kResetStatus, kSameAgain},
      .tags = {},
      .needs = needs,
      .faults = {"mmio-queue-ready-not-reset", "mmio-status-not-cleared"},
      .run = IsAsFreshAfterAReset,
  });
  list.push_back({
      .id = "mmio.reset.history",
      .title = "A reset takes away what is pending, whatever happened before",
      .section = "4.2.2.1",
      .requirements = {kCleared, kResetStatus, kSameAgain, "derived.mmio.line"},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kMmioWindow}, .requests = true},
      .faults = {"mmio-interrupt-kept-over-reset", "mmio-line-kept-over-reset",
                 "mmio-status-not-cleared"},
      .run = IsAsFreshAfterAHistory,
  });
  AddMmioQueueChecks(list);
  AddMmioQueueResetChecks(list);
  AddMmioInterruptChecks(list);
  AddMmioConfigChecks(list);
  AddMmioHostileChecks(list);
}

}  // namespace vitro
