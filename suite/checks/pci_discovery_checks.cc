// SPDX-License-Identifier: Apache-2.0
// Checks of how a PCI function shows itself before any virtio register is touched (4.1.1, 4.1.2):
// ids, header, capability list, MSI-X table size.
#include <algorithm>
#include <set>

#include "harness/transport/interrupt_plans.h"
#include "harness/virtio/device_id.h"
#include "suite/checks/chapters.h"
#include "suite/checks/pci_registers.h"

namespace vitro {
namespace {

constexpr const char* kPci = "dev.pci.general.1";
constexpr const char* kVendor = "dev.pci.pci-device-discovery.1";
constexpr const char* kDevice = "dev.pci.pci-device-discovery.2";
constexpr const char* kRange = "dev.pci.pci-device-discovery.4";
constexpr const char* kRevision = "dev.pci.pci-device-discovery.5";
constexpr const char* kSubsystem = "dev.pci.pci-device-discovery.6";
constexpr const char* kVectors =
    "dev.pci.init-op.device-initialization.msi-x-vector-configuration.1";
constexpr const char* kTableSize =
    "dev.pci.init-op.device-initialization.msi-x-vector-configuration.2";
constexpr const char* kUsefulSize =
    "dev.pci.init-op.device-initialization.msi-x-vector-configuration.3";

constexpr uint32_t kHeaderBytes = 0x40, kConfigBytes = 0x100;
constexpr uint32_t kMsixCapBytes = 12, kPowerManagementCapBytes = 8;

// Ids ---------------------------------------------------------------------------------------------

void HasTheVendorId(Context& c) {
  ReadPci(c, pci::kVendorId, 2);
  c.Expect(Accept::Equal(virtio_pci::kVendorId), kVendor, "the PCI Vendor ID is 0x1AF4");
}

void HasADeviceIdOfTheRule(Context& c) {
  const uint32_t type = c.facts().device_id;
  const uint64_t id = ReadPci(c, pci::kDeviceId, 2);
  // The experimental types have no PCI device ID; a type that the attach string tells is known.
  if (type > UINT16_MAX - virtio_pci::kModernIdBase)
    c.NotApplicable("no PCI device ID stands for a device type this high");
  if (id > virtio_pci::kModernIdBase) {
    // Which type it is, the ID itself says; somebody has to have said otherwise.
    std::vector<uint64_t> right = {virtio_pci::kModernIdBase + uint64_t{type}};
    if (type == 0) right = {id};
    c.Expect(Accept::In(right), kDevice, "the PCI Device ID is 0x1040 and the virtio device ID");
    return;
  }
  std::vector<uint64_t> right;
  for (const auto& each : virtio_pci::kTransitionalIds)
    if (type == 0 || each.device_id == type) right.push_back(each.pci_device_id);
  c.Expect(Accept::In(right), kDevice,
           "the PCI Device ID is 0x1040 and the virtio device ID, or the type's transitional ID");
}

// The non-transitional ones are told by their PCI device ID.
void RequireNonTransitional(Context& c) {
  if (LayoutOf(c).transitional()) c.NotApplicable("this is a transitional device by its ID");
}

void HasADeviceIdInTheRange(Context& c) {
  RequireNonTransitional(c);
  if (c.facts().device_id == device_id::kExperimental)
    c.NotApplicable("the range has room for device types up to 63");
  ReadPci(c, pci::kDeviceId, 2);
  c.Expect(Accept::Range(virtio_pci::kModernIdBase, virtio_pci::kLastModernId), kRange,
           "the PCI Device ID is one that drivers look for");
}

void HasARevision(Context& c) {
  RequireNonTransitional(c);
  ReadPci(c, pci::kRevisionId, 1);
  c.Expect(Accept::NotEqual(0), kRevision, "the PCI Revision ID is 1 or higher");
}

void HasASubsystemId(Context& c) {
  RequireNonTransitional(c);
  ReadPci(c, pci::kSubsystemDeviceId, 2);
  c.Expect(Accept::Range(0x40, UINT16_MAX), kSubsystem,
           "the PCI Subsystem Device ID is 0x40 or higher");
}

// Header and capability list ----------------------------------------------------------------------

// The list as a driver follows it, each step an operation. False where it cannot go on.
bool FollowList(Context& c, std::vector<uint32_t>& positions) {
  ReadPci(c, pci::kStatus, 2);
  c.Expect(Accept::Masked(pci::kStatusCapabilities, pci::kStatusCapabilities), kPci,
           "the PCI Status register says that there is a capability list");
  if ((c.last().value & pci::kStatusCapabilities) == 0) return false;
  Accept fresh;
  fresh.expect.kind = "not-in";
  ReadPci(c, pci::kCapabilitiesPointer, 1);
  while (c.last().value != 0) {
    c.Expect(Accept::Range(kHeaderBytes, kConfigBytes - 1), kPci,
             "the capability list goes on behind the configuration header");
    c.Expect(fresh, kPci, "the capability list does not come back to where it was");
    const uint64_t position = c.last().value & 0xfc;  // the low bits are reserved
    if (position < kHeaderBytes || !Accepts(fresh.expect, c.last())) return false;
    for (uint64_t low_bits = 0; low_bits < 4; ++low_bits)
      fresh.expect.values.push_back(position | low_bits);
    positions.push_back(static_cast<uint32_t>(position));
    ReadPci(c, positions.back() + 1, 1);
  }
  return true;
}

void HasAHeaderAndAList(Context& c) {
  ReadPci(c, pci::kHeaderType, 1);
  c.Expect(Accept::Masked(0x7f, 0), kPci, "the configuration header is of type 0");
  ReadPci(c, pci::kInterruptPin, 1);
  c.Expect(Accept::Range(0, 4), kPci, "the interrupt pin is none or INTA# to INTD#");
  std::vector<uint32_t> positions;
  FollowList(c, positions);
}

void HasCapabilitiesApart(Context& c) {
  std::vector<uint32_t> positions;
  if (!FollowList(c, positions)) return;
  const std::set<uint32_t> starts(positions.begin(), positions.end());
  for (const uint32_t position : positions) {
    const auto after = starts.upper_bound(position);
    const uint32_t room = (after == starts.end() ? kConfigBytes : *after) - position;
    const uint64_t id = ReadPci(c, position, 1);
    const std::string say = fmt::format(
        "the capability at {:#x} ends before another one begins, and within the 256 "
        "bytes of configuration space",
        position);
    if (id == pci::kCapVendor) {
      ReadPci(c, position + virtio_pci::kCapLength, 1);
      c.Expect(Accept::Range(0, room), kPci, say);
    } else if ((id == pci::kCapMsix && room < kMsixCapBytes) ||
               (id == pci::kCapPowerManagement && room < kPowerManagementCapBytes)) {
      c.Expect(Accept::NotEqual(id), kPci, say);
    }
  }
}

// MSI-X table -------------------------------------------------------------------------------------

const MsixCapability& MsixOf(Context& c) {
  const auto& msix = LayoutOf(c).msix;
  if (!msix) c.NotApplicable("the function has no MSI-X capability");
  return *msix;
}

// Reads Table Size, which is the number of vectors less one, with MSI-X off.
void ReadTableSize(Context& c) {
  const uint32_t position = MsixOf(c).position;
  c.Do(op::Interrupts{std::string(interrupts::kPolling)});
  ReadPci(c, position + pci::kMsixControl, 2);
}

void HasEnoughVectors(Context& c) {
  ReadTableSize(c);
  c.Expect(Accept::Range(1, pci::kMsixSizeMask), kVectors,
           "Table Size, which is the number of vectors less one, says 2 vectors or more");
}

void HasNoMoreVectorsThanHelp(Context& c) {
  // What one machine has for all its devices may be as low as this.
  constexpr uint32_t kBudget = 256;
  const uint32_t queues = c.facts().queue_count + AdminQueues(c).count;
  ReadTableSize(c);
  if (MsixOf(c).vectors > kBudget)
    c.Advise(Accept::Range(0, kBudget - 1), kUsefulSize,
             "the function does not claim more vectors than a machine may have for all devices");
  else
    c.Note(Accept::Range(0, std::max(queues, 1u)), kUsefulSize,
           fmt::format("there are no more vectors than {} queue(s) and the configuration can use "
                       "(Table Size is their number less one)",
                       queues));
}

// Whole entries of the table and of the pending bits lie in their BARs, and apart.
void HasItsTableInABar(Context& c) {
  const PciLayout& layout = LayoutOf(c);
  const MsixCapability& msix = MsixOf(c);
  const uint64_t table_bytes = uint64_t{msix.vectors} * pci::kMsixEntryBytes;
  const uint64_t pba_bytes = (uint64_t{msix.vectors} + 63) / 64 * 8;
  struct Part {
    uint32_t at;
    uint8_t bar;
    uint64_t bytes;
    const char* what;
  };
  for (const Part& part : {Part{pci::kMsixTable, msix.table_bar, table_bytes, "table"},
                           Part{pci::kMsixPba, msix.pba_bar, pba_bytes, "pending bits"}}) {
    const uint64_t size = part.bar < pci::kBars ? layout.bars[part.bar].size : 0;
    ReadPci(c, msix.position + part.at, 4);
    // The BAR's number is in the low three bits.
    c.Expect(size >= part.bytes ? Accept::Range(part.bar, (size - part.bytes) | part.bar)
                                : Accept::Range(1, 0),
             kTableSize,
             fmt::format("the {} of all {} vectors lie within BAR {}", part.what, msix.vectors,
                         part.bar));
  }
  if (msix.table_bar != msix.pba_bar) return;
  ReadPci(c, msix.position + pci::kMsixPba, 4);
  const uint64_t pba = msix.pba_offset, table = msix.table_offset;
  if (pba < table + table_bytes && table < pba + pba_bytes)
    c.Expect(Accept::NotEqual(c.last().value), kTableSize,
             "the pending bits lie beside the table, not in it");
}

void AddIdChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "pci.discovery.vendor-id",
      .title = "The PCI Vendor ID is the one of virtio",
      .section = "4.1.2",
      .requirements = {kVendor},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:pci-vendor-id-wrong"},
      .run = HasTheVendorId,
  });
  list.push_back({
      .id = "pci.discovery.device-id",
      .title = "The PCI Device ID follows from the virtio device ID",
      .section = "4.1.2",
      .requirements = {kDevice},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:device-id-of-no-type"},
      .run = HasADeviceIdOfTheRule,
  });
  list.push_back({
      .id = "pci.discovery.device-id-range",
      .title = "The PCI Device ID of a non-transitional device is in the range of drivers",
      .section = "4.1.2",
      .requirements = {kRange},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:device-id-out-of-range"},
      .run = HasADeviceIdInTheRange,
  });
  list.push_back({
      .id = "pci.discovery.revision-id",
      .title = "The PCI Revision ID of a non-transitional device is 1 or higher",
      .section = "4.1.2",
      .requirements = {kRevision},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:revision-zero"},
      .run = HasARevision,
  });
  list.push_back({
      .id = "pci.discovery.subsystem-id",
      .title = "The PCI Subsystem Device ID of a non-transitional device is 0x40 or higher",
      .section = "4.1.2",
      .requirements = {kSubsystem},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:subsystem-id-low"},
      .run = HasASubsystemId,
  });
}

}  // namespace

void AddPciDiscoveryChecks(std::vector<Check>& list) {
  AddIdChecks(list);
  list.push_back({
      .id = "pci.header.capability-list",
      .title = "The configuration header is of type 0, and its capability list comes to an end",
      .section = "4.1.1",
      .requirements = {kPci},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:cap-list-loop"},
      .run = HasAHeaderAndAList,
  });
  list.push_back({
      .id = "pci.header.capabilities-apart",
      .title = "No capability reaches into the next one or out of configuration space",
      .section = "4.1.1",
      .requirements = {kPci},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:cap-overlap"},
      .run = HasCapabilitiesApart,
  });
  list.push_back({
      .id = "pci.msix.two-vectors",
      .title = "A device with MSI-X has two vectors or more",
      .section = "4.1.5.1.2",
      .requirements = {kVectors},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:msix-one-vector"},
      .run = HasEnoughVectors,
  });
  list.push_back({
      .id = "pci.msix.useful-size",
      .title = "The MSI-X table is not larger than the device can make use of",
      .section = "4.1.5.1.2",
      .requirements = {kUsefulSize},
      .tags = {"pci", "advice"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:msix-table-oversized"},
      .run = HasNoMoreVectorsThanHelp,
  });
  list.push_back({
      .id = "pci.msix.table-in-bar",
      .title = "As many entries as Table Size says, and their pending bits, lie in the BARs",
      .section = "4.1.5.1.2",
      .requirements = {kTableSize},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:msix-table-outside-bar"},
      .run = HasItsTableInABar,
  });
}

}  // namespace vitro
