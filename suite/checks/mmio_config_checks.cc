// SPDX-License-Identifier: Apache-2.0
// Checks of the configuration space and the shared memory registers over MMIO (4.2.2): where the
// space begins, fields in their own width, the generation around a change in the middle of a field,
// regions that are not there.
#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "suite/checks/config_space.h"
#include "suite/checks/mmio_registers.h"

namespace vitro {
namespace {

using namespace mmio;  // NOLINT: the names of the registers
namespace xp = experimental;

constexpr const char* kMoves = "dev.mmio.mmio-device-register-layout.6";
constexpr const char* kFields = "derived.mmio.config-fields";
constexpr const char* kRests = "derived.config.generation-rests";
constexpr const char* kAbsent = "derived.mmio.shared-memory";

// Configuration space -----------------------------------------------------------------------------

void StartsAfterTheRegisters(Context& c) {
  // Not by the size of the space, which is what a wrong offset spoils.
  if (!IsVitroExperimental(c.facts()))
    c.NotApplicable("this is not Vitro's own experimental device");
  c.Up({.driver_ok = false});
  MmioRead(c, kConfig + xp::kConfigVersion);
  c.Expect(Accept::Equal(xp::kVersion), kFields, "the first field is at offset 0x100");
  MmioRead(c, kConfig + xp::kConfigLimit);
  c.Expect(Accept::Equal(xp::kDefaultLimit), kFields, "the second field is at offset 0x104");
  MmioWrite(c, kConfig + xp::kConfigLimit, 17);
  c.Do(op::ReadConfig{xp::kConfigLimit, 4});
  c.Expect(Accept::Equal(17), kFields, "a field is written where it is read");
  c.Reset();
}

// Fields of 8 and 16 bits, whose values are bounded, so that a read that was not answered shows.
void AnswersFieldsInTheirOwnWidth(Context& c) {
  struct Field {
    const char* name;
    unsigned feature;
    uint32_t offset, width;
    uint64_t least, most;
  };
  constexpr Field kBlkFields[] = {
      {"physical_block_exp", blk::kFeatureTopology, blk::kConfigPhysicalBlockExp, 1, 0, 32},
      {"writeback", blk::kFeatureConfigWce, blk::kConfigWriteback, 1, 0, 1},
      {"num_queues", blk::kFeatureMq, blk::kConfigNumQueues, 2, 1, 0xfffe},
      {"write_zeroes_may_unmap", blk::kFeatureWriteZeroes, blk::kConfigWriteZeroesMayUnmap, 1, 0,
       1},
  };
  FeatureSet with;
  for (const Field& field : kBlkFields)
    if (c.facts().offered.Has(field.feature)) with.Add(field.feature);
  if (with.empty()) c.NotApplicable("none of the features with such fields is offered");
  c.Up({.with = with});
  for (const Field& field : kBlkFields) {
    if (!c.session().state().accepted.Has(field.feature)) continue;
    MmioRead(c, kConfig + field.offset, field.width);
    c.Expect(Accept::Range(field.least, field.most), kFields,
             fmt::format("{} is read in {} bits, and from {} to {}", field.name, 8 * field.width,
                         field.least, field.most));
  }
}

// A driver reads a field of 64 bits in halves, and the config changes between them.
void MovesTheGenerationWithinAField(Context& c) {
  c.Up();
  for (int round = 0; round < 4; ++round) {
    const auto old_contents = ReadConfigAtRest(c);
    const uint64_t generation = MmioRead(c, kConfigGeneration);
    MmioRead(c, kConfig);
    if (round % 2 == 1) MmioRead(c, kConfig + 4);
    if (c.Do(op::StimulateConfigChange{}).refused)
      c.NotApplicable("the device has nothing in its config that changes");
    if (round >= 2) c.Do(op::Quiesce{});
    // The change may take effect some time after it was asked for.
    c.Do(op::WaitConfigNotification{});
    MmioRead(c, kConfig + 4);
    const uint64_t after = MmioRead(c, kConfigGeneration);
    if (ReadConfigSpace(c) == old_contents)
      c.NotApplicable("the contents of the config are the same as before");
    MmioRead(c, kConfigGeneration);
    c.Expect(Accept::NotEqual(generation), kMoves,
             "ConfigGeneration differs before and after a change in the middle of a field");
    c.Expect(Accept::Equal(after), kRests, "ConfigGeneration rests once the change is over");
    if (c.failed()) return;
  }
}

// Shared memory -----------------------------------------------------------------------------------

struct Region {
  uint64_t length, base;
  bool absent() const { return length == UINT64_MAX && base == UINT64_MAX; }
  friend bool operator==(const Region&, const Region&) = default;
};

Region ReadRegion(Context& c, uint32_t id) {
  MmioWrite(c, kShmSel, id);
  Region region{};
  region.length = MmioRead(c, kShmLenLow) | MmioRead(c, kShmLenHigh) << 32;
  region.base = MmioRead(c, kShmBaseLow) | MmioRead(c, kShmBaseHigh) << 32;
  return region;
}

void ExpectAllOnes(Context& c, uint32_t id) {
  const struct {
    uint32_t offset;
    const char* name;
  } registers[] = {{kShmLenLow, "SHMLenLow"},
                   {kShmLenHigh, "SHMLenHigh"},
                   {kShmBaseLow, "SHMBaseLow"},
                   {kShmBaseHigh, "SHMBaseHigh"}};
  MmioWrite(c, kShmSel, id);
  for (const auto& each : registers) {
    MmioRead(c, each.offset);
    c.Expect(Accept::Equal(UINT32_MAX), kAbsent,
             fmt::format("{} is all ones for region {:#x}, which is not there", each.name, id));
  }
}

void ShowsNoRegionThatIsNotThere(Context& c) {
  c.Reset();
  c.AcknowledgeAndDriver();
  // Device types number their regions from 0 on, and none has as many.
  for (uint32_t id : {0x7ffffffeu, 0xff00ff00u}) ExpectAllOnes(c, id);
  // Of these each may be there, but then altogether.
  for (uint32_t id : {0u, 1u, 2u, 3u, 255u}) {
    const Region region = ReadRegion(c, id);
    if (region.length == UINT64_MAX || region.base == UINT64_MAX || region.length == 0)
      ExpectAllOnes(c, id);
    if (c.failed()) return;
    if (region.absent()) continue;
    // The same after another was selected.
    ReadRegion(c, id + 1);
    const Region again = ReadRegion(c, id);
    MmioRead(c, kShmLenLow);
    c.Expect(Accept::Equal(region.length & UINT32_MAX), kAbsent,
             fmt::format("the length of region {} reads the same again", id));
    MmioRead(c, kShmBaseLow);
    c.Expect(Accept::Equal(region.base & UINT32_MAX), kAbsent,
             fmt::format("the base of region {} reads the same again", id));
    if (again != region) return;
  }
}

}  // namespace

void AddMmioConfigChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "mmio.config.offset",
      .title = "The configuration space starts at offset 0x100 of the window",
      .section = "4.2.2",
      .requirements = {kFields},
      .tags = {"experimental"},
      .needs = {.abilities = {Ability::kMmioWindow},
                .device_id = device_id::kExperimental,
                .requests = true},
      .faults = {"experimental,level=mmio:mmio-config-at-wrong-offset"},
      .run = StartsAfterTheRegisters,
  });
  list.push_back({
      .id = "mmio.config.narrow-fields",
      .title = "Configuration fields of 8 and 16 bits are read in their own width",
      .section = "4.2.2",
      .requirements = {kFields},
      .tags = {"blk"},
      .needs = {.abilities = {Ability::kMmioWindow}, .device_id = device_id::kBlk},
      .faults = {"mmio-config-word-only"},
      .run = AnswersFieldsInTheirOwnWidth,
  });
  list.push_back({
      .id = "mmio.config.torn-field",
      .title = "ConfigGeneration differs when a field changes between the reads of its halves",
      .section = "4.2.2.1",
      .requirements = {kMoves, kRests},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kMmioWindow, Ability::kStimulus}, .config_bytes = 8},
      .faults = {"mmio-generation-stuck", "blk,level=mmio:config-generation-static"},
      .run = MovesTheGenerationWithinAField,
  });
  list.push_back({
      .id = "mmio.shared-memory.absent",
      .title = "Length and base of a shared memory region that is not there are all ones",
      .section = "4.2.2",
      .requirements = {kAbsent},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kMmioWindow}},
      .faults = {"mmio-shm-length-zero", "mmio-shm-base-zero", "mmio-shm-sel-ignored"},
      .run = ShowsNoRegionThatIsNotThere,
  });
}

}  // namespace vitro
