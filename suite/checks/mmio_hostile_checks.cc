// SPDX-License-Identifier: Apache-2.0
// Drivers that break the rules of the registers over MMIO (4.2.2.2): writes to what is for reading,
// accesses in other widths, queues that are not there. A device keeps its values and its life.
#include <algorithm>

#include "suite/checks/mmio_registers.h"
#include "suite/checks/queue_life.h"

namespace vitro {
namespace {

using namespace mmio;  // NOLINT: the names of the registers

constexpr const char* kReadOnly = "derived.mmio.read-only";
constexpr const char* kAlive = "derived.alive.no-crash";
constexpr const char* kRecovers = "derived.reset.recovers";

struct Register {
  uint32_t offset;
  const char* name;
};
constexpr Register kReadOnlyRegisters[] = {
    {kMagicValue, "MagicValue"},
    {kVersion, "Version"},
    {kDeviceId, "DeviceID"},
    {kVendorId, "VendorID"},
    {kDeviceFeatures, "DeviceFeatures"},
    {kQueueSizeMax, "QueueSizeMax"},
    {kInterruptStatus, "InterruptStatus"},
    {kShmLenLow, "SHMLenLow"},
    {kShmLenHigh, "SHMLenHigh"},
    {kShmBaseLow, "SHMBaseLow"},
    {kShmBaseHigh, "SHMBaseHigh"},
    {kConfigGeneration, "ConfigGeneration"},
};

void KeepsReadOnlyRegisters(Context& c) {
  const FeatureSet features = UsualFeatures(c);
  c.Reset();
  HandleInterruptsByHand(c);
  c.AcknowledgeAndDriver();
  c.Offered();
  if (!c.Negotiate(features)) c.NotApplicable("the device refused the features");
  c.BeginHostile();
  MmioWrite(c, kDeviceFeaturesSel, 0);
  MmioWrite(c, kQueueSel, c.request_queue());
  MmioWrite(c, kShmSel, 0);
  for (const Register& each : kReadOnlyRegisters) {
    for (const uint64_t value : {0xffffffffu, 0u, 0x5a5a5a5au}) {
      const uint64_t before = MmioRead(c, each.offset);
      MmioWrite(c, each.offset, value);
      MmioRead(c, each.offset);
      c.Expect(Accept::Equal(before), kReadOnly,
               fmt::format("{} keeps its value when {:#x} is written to it", each.name, value));
    }
  }
  if (!c.failed()) c.ExpectSurvives();
}

// Registers in a running device that a write of 0 or ones may not set in motion for good: all are
// tried, in all widths but their own.
void SurvivesOddAccesses(Context& c) {
  c.Up();
  HandleInterruptsByHand(c);
  c.BeginHostile();
  for (const uint32_t width : {1u, 2u, 8u}) {
    for (uint32_t offset = 0; offset < kConfig; offset += width) MmioRead(c, offset, width);
    for (uint32_t offset = 0; offset < kConfig; offset += width)
      for (const uint64_t value : {uint64_t{0}, UINT64_MAX}) MmioWrite(c, offset, value, width);
  }
  // Off their boundaries.
  for (const uint32_t width : {2u, 4u, 8u})
    for (uint32_t offset = 1; offset + width <= kConfig; offset += width) {
      MmioRead(c, offset, width);
      MmioWrite(c, offset, UINT64_MAX, width);
    }
  c.ExpectSurvives();
}

// Those for writing only, those of the legacy interface, and where there is none.
void SurvivesReadingEverything(Context& c) {
  c.Up();
  HandleInterruptsByHand(c);
  c.BeginHostile();
  for (int round = 0; round < 2; ++round)
    for (uint32_t offset = 0; offset < kConfig; offset += 4) MmioRead(c, offset);
  constexpr uint32_t kGuestPageSize = 0x028, kQueueAlign = 0x03c, kQueuePfn = 0x040;
  MmioWrite(c, kGuestPageSize, 4096);
  MmioWrite(c, kQueueAlign, 4096);
  MmioWrite(c, kQueueSel, c.request_queue());
  MmioWrite(c, kQueuePfn, 0x100);
  for (uint32_t offset : {0x018u, 0x01cu, 0x02cu, 0x048u, 0x054u, 0x068u, 0x074u, 0x0c4u, 0x0f8u})
    MmioWrite(c, offset, UINT32_MAX);
  c.Do(op::Quiesce{});
  c.ExpectSurvives();
}

void SurvivesQueuesThatAreNotThere(Context& c) {
  c.Up();
  HandleInterruptsByHand(c);
  c.BeginHostile();
  const uint32_t count = std::max(c.facts().queue_count, 1u);
  for (const uint32_t queue :
       {count, count + 1, 1023u, 1024u, 0x7fffu, 0xffffu, 0x10000u, 0x7fffffffu, UINT32_MAX}) {
    MmioWrite(c, kQueueSel, queue);
    MmioRead(c, kQueueSizeMax);
    MmioRead(c, kQueueReady);
    MmioWrite(c, kQueueSize, 16);
    for (const uint32_t offset : {kQueueDescLow, kQueueDescHigh, kQueueDriverLow, kQueueDriverHigh,
                                  kQueueDeviceLow, kQueueDeviceHigh})
      MmioWrite(c, offset, 0);
    MmioWrite(c, kQueueReady, 1);
    MmioWrite(c, kQueueNotify, queue);
    MmioWrite(c, kQueueReset, 1);
    MmioWrite(c, kQueueReady, 0);
  }
  c.ExpectSurvives();
}

}  // namespace

void AddMmioHostileChecks(std::vector<Check>& list) {
  const Needs needs{.abilities = {Ability::kMmioWindow}};
  list.push_back({
      .id = "mmio.hostile.read-only",
      .title = "Registers that are for reading keep their values when a driver writes to them",
      .section = "4.2.2",
      .requirements = {kReadOnly, kRecovers},
      .tags = {"hostile"},
      .needs = needs,
      .faults = {"mmio-read-only-written"},
      .run = KeepsReadOnlyRegisters,
  });
  list.push_back({
      .id = "mmio.hostile.odd-accesses",
      .title = "Accesses in other widths and off their boundaries do not end the device",
      .section = "4.2.2.2",
      .requirements = {kAlive, kRecovers},
      .tags = {"hostile"},
      .needs = needs,
      .faults = {"mmio-narrow-access-crash"},
      .run = SurvivesOddAccesses,
  });
  list.push_back({
      .id = "mmio.hostile.every-offset",
      .title = "Reads of registers for writing, and accesses where there is none, do no harm",
      .section = "4.2.2.2",
      .requirements = {kAlive, kRecovers},
      .tags = {"hostile"},
      .needs = needs,
      .faults = {"mmio-write-only-read-crash"},
      .run = SurvivesReadingEverything,
  });
  list.push_back({
      .id = "mmio.hostile.missing-queues",
      .title = "Set-up and notification of queues that are not there do not end the device",
      .section = "4.2.2.2",
      .requirements = {kAlive, kRecovers},
      .tags = {"hostile"},
      .needs = needs,
      .faults = {"mmio-queue-sel-crash", "blk,level=mmio:notify-out-of-range-crash"},
      .run = SurvivesQueuesThatAreNotThere,
  });
}

}  // namespace vitro
