// SPDX-License-Identifier: Apache-2.0
// Drivers that break the rules of access over PCI (4.1.3.1): other widths, off their boundaries,
// between the structures, queues that are not there. A device keeps its life.
#include <algorithm>

#include "suite/checks/chapters.h"
#include "suite/checks/pci_registers.h"

namespace vitro {
namespace {

namespace common = virtio_pci::common;

constexpr const char* kAlive = "derived.alive.no-crash";
constexpr const char* kRecovers = "derived.reset.recovers";

void SurvivesOddAccesses(Context& c) {
  RequireCommon(c);
  c.Up();
  c.BeginHostile();
  const uint32_t end =
      HasCommon(c, common::kAdminQueueNum, 2) ? common::kBytes : common::kLeastBytes;
  // Whole registers in each width, then off their boundaries. The status stands in the middle, so
  // that this resets the device and fails it on the way.
  for (const uint32_t shift : {0u, 1u})
    for (const uint32_t width : {1u, 2u, 4u, 8u})
      for (uint32_t offset = shift; offset + width <= end; offset += width) {
        ReadCommon(c, offset, width);
        for (const uint64_t value : {UINT64_MAX, uint64_t{0}}) WriteCommon(c, offset, width, value);
      }
  c.Do(op::Quiesce{});
  c.ExpectSurvives();
}

// Read at all places of a BAR, or in a large one near both ends of each structure.
void SurvivesReadsBesideStructures(Context& c) {
  constexpr uint64_t kAround = 64;
  c.Up();
  c.BeginHostile();
  const PciLayout& layout = *c.session().transport().pci();
  for (const VirtioCapability& each : layout.structures) {
    if (!layout.InBar(each)) continue;
    const uint64_t size = layout.bars[each.bar].size;
    for (const uint64_t edge : {each.offset, each.offset + each.length}) {
      const uint64_t from = edge - std::min(edge, kAround);
      for (uint64_t at = from; at + 4 <= std::min(size, edge + kAround); at += 4)
        c.Do(op::ReadRegister{BarRegion(each.bar), at, 4});
    }
    c.Do(op::ReadRegister{BarRegion(each.bar), size - 4, 4});
    c.Do(op::ReadRegister{BarRegion(each.bar), size - 8, 8});
  }
  c.Do(op::Quiesce{});
  c.ExpectSurvives();
}

void SurvivesQueuesThatAreNotThere(Context& c) {
  RequireCommon(c);
  c.Up();
  c.BeginHostile();
  const uint32_t count = std::max(c.facts().queue_count, 1u);
  for (const uint32_t queue : {count, count + 1, 255u, 256u, 1023u, 1024u, 0x7fffu, 0xffffu}) {
    SelectQueue(c, queue & 0xffff);
    ReadCommon(c, common::kQueueSize, 2);
    ReadCommon(c, common::kQueueNotifyOff, 2);
    WriteCommon(c, common::kQueueSize, 2, 16);
    WriteCommon(c, common::kQueueMsixVector, 2, 0);
    for (const uint32_t offset : {common::kQueueDesc, common::kQueueDriver, common::kQueueDevice})
      for (const uint32_t half : {0u, 4u}) WriteCommon(c, offset + half, 4, 0);
    WriteCommon(c, common::kQueueEnable, 2, 1);
    if (HasCommon(c, common::kQueueReset, 2)) WriteCommon(c, common::kQueueReset, 2, 1);
    c.Do(op::Notify{queue & 0xffff});
  }
  c.Do(op::Quiesce{});
  c.ExpectSurvives();
}

}  // namespace

void AddPciHostileChecks(std::vector<Check>& list) {
  const Needs needs{.abilities = {Ability::kPciFunction}};
  list.push_back({
      .id = "pci.hostile.odd-accesses",
      .title = "Accesses to the common configuration in other widths and off boundaries do no harm",
      .section = "4.1.3",
      .requirements = {kAlive, kRecovers},
      .tags = {"pci", "hostile"},
      .needs = needs,
      .faults = {"blk,level=pci:common-odd-access-crash"},
      .run = SurvivesOddAccesses,
  });
  list.push_back({
      .id = "pci.hostile.beside-structures",
      .title = "Reads of a BAR beside its structures do no harm",
      .section = "4.1.4",
      .requirements = {kAlive, kRecovers},
      .tags = {"pci", "hostile"},
      .needs = needs,
      .faults = {"blk,level=pci:bar-gap-crash"},
      .run = SurvivesReadsBesideStructures,
  });
  list.push_back({
      .id = "pci.hostile.missing-queues",
      .title = "Set-up and notification of queues that are not there do not end the device",
      .section = "4.1.4.3",
      .requirements = {kAlive, kRecovers},
      .tags = {"pci", "hostile"},
      .needs = needs,
      .faults = {"blk,level=pci:queue-enable-missing-crash"},
      .run = SurvivesQueuesThatAreNotThere,
  });
}

}  // namespace vitro
