// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/pci/pci_layout.h"

#include <set>

namespace vitro {
namespace {

constexpr uint32_t kFirstCapability = 0x40, kConfigBytes = 0x100;
constexpr uint64_t kPage = 4096;

// Reads the BAR registers' sizes by writing all-ones, as a bus driver does, and restores them.
Result<> SizeBars(PciFunction& function, PciLayout& layout) {
  VITRO_ASSIGN(const uint32_t command, function.ReadConfig(pci::kCommand, 2));
  const uint16_t off = static_cast<uint16_t>(command) &
                       static_cast<uint16_t>(~(pci::kCommandIo | pci::kCommandMemory));
  VITRO_TRY(function.WriteConfig(pci::kCommand, 2, off));
  const auto probe = [&](uint32_t at) -> Result<uint32_t> {
    VITRO_ASSIGN(const uint32_t before, function.ReadConfig(at, 4));
    VITRO_TRY(function.WriteConfig(at, 4, UINT32_MAX));
    VITRO_ASSIGN(const uint32_t mask, function.ReadConfig(at, 4));
    VITRO_TRY(function.WriteConfig(at, 4, before));
    return mask;
  };
  for (unsigned i = 0; i < pci::kBars; ++i) {
    PciBar& bar = layout.bars[i];
    const uint32_t at = pci::kBar0 + 4 * i;
    VITRO_ASSIGN(const uint32_t low, probe(at));
    if (low == 0) continue;
    bar.io = (low & pci::kBarIo) != 0;
    if (bar.io) {
      // The upper half of an I/O BAR may be hard-wired to 0.
      bar.size = (~(low & pci::kBarIoMask) & 0xffff) + 1;
      continue;
    }
    bar.wide = (low & pci::kBarTypeMask) == pci::kBarType64;
    bar.prefetchable = (low & 8) != 0;
    uint64_t mask = low & pci::kBarMemoryMask;
    if (bar.wide && i + 1 < pci::kBars) {
      VITRO_ASSIGN(const uint32_t high, probe(at + 4));
      mask |= static_cast<uint64_t>(high) << 32;
      bar.size = ~mask + 1;
      ++i;
    } else {
      bar.size = static_cast<uint32_t>(~mask + 1);
    }
  }
  return function.WriteConfig(pci::kCommand, 2, command);
}

Result<VirtioCapability> ReadStructure(PciFunction& function, uint8_t position) {
  VirtioCapability found;
  found.position = position;
  VITRO_ASSIGN(const uint32_t head, function.ReadConfig(position, 4));
  found.cap_len = static_cast<uint8_t>(head >> 16);
  found.type = static_cast<uint8_t>(head >> 24);
  // A vendor's capability has only these four bytes in common with the others (4.1.4.8).
  if (found.type == virtio_pci::kVendorCfg) return found;
  VITRO_ASSIGN(const uint32_t place, function.ReadConfig(position + virtio_pci::kCapBar, 4));
  found.bar = static_cast<uint8_t>(place);
  found.id = static_cast<uint8_t>(place >> 8);
  VITRO_ASSIGN(found.offset, function.ReadConfig(position + virtio_pci::kCapOffset, 4));
  VITRO_ASSIGN(found.length, function.ReadConfig(position + virtio_pci::kCapStructLength, 4));
  const auto extra = [&](uint32_t at) -> Result<uint32_t> {
    if (position + at + 4 > kConfigBytes) return 0;
    return function.ReadConfig(position + at, 4);
  };
  if (found.type == virtio_pci::kNotifyCfg) {
    VITRO_ASSIGN(found.notify_off_multiplier, extra(virtio_pci::kCapNotifyMultiplier));
  }
  if (found.type == virtio_pci::kSharedMemoryCfg) {
    VITRO_ASSIGN(const uint64_t offset_high, extra(virtio_pci::kCapOffsetHigh));
    VITRO_ASSIGN(const uint64_t length_high, extra(virtio_pci::kCapStructLengthHigh));
    found.offset |= offset_high << 32;
    found.length |= length_high << 32;
  }
  return found;
}

Result<MsixCapability> ReadMsix(PciFunction& function, uint8_t position) {
  MsixCapability msix;
  msix.position = position;
  VITRO_ASSIGN(const uint32_t control, function.ReadConfig(position + pci::kMsixControl, 2));
  msix.vectors = (control & pci::kMsixSizeMask) + 1;
  VITRO_ASSIGN(const uint32_t table, function.ReadConfig(position + pci::kMsixTable, 4));
  VITRO_ASSIGN(const uint32_t pba, function.ReadConfig(position + pci::kMsixPba, 4));
  msix.table_bar = table & 7, msix.table_offset = table & ~7u;
  msix.pba_bar = pba & 7, msix.pba_offset = pba & ~7u;
  return msix;
}

Result<> WalkCapabilities(PciFunction& function, PciLayout& layout) {
  VITRO_ASSIGN(const uint32_t status, function.ReadConfig(pci::kStatus, 2));
  if ((status & pci::kStatusCapabilities) == 0) {
    layout.problems.push_back("the PCI Status register says that there is no capability list");
    return {};
  }
  std::set<uint8_t> seen;
  VITRO_ASSIGN(uint32_t next, function.ReadConfig(pci::kCapabilitiesPointer, 1));
  while (next != 0) {
    const auto position = static_cast<uint8_t>(next & 0xfc);  // the low bits are reserved
    if (position < kFirstCapability) {
      layout.problems.push_back(
          fmt::format("the capability list points to {:#04x}, into the header", next));
      return {};
    }
    if (!seen.insert(position).second) {
      layout.problems.push_back(
          fmt::format("the capability list comes back to {:#04x}: it is a loop", next));
      return {};
    }
    VITRO_ASSIGN(const uint32_t head, function.ReadConfig(position, 2));
    const auto id = static_cast<uint8_t>(head);
    layout.capabilities.push_back({position, id});
    if (id == pci::kCapVendor) {
      VITRO_ASSIGN(auto structure, ReadStructure(function, position));
      layout.structures.push_back(structure);
    } else if (id == pci::kCapMsix) {
      VITRO_ASSIGN(layout.msix, ReadMsix(function, position));
    } else if (id == pci::kCapExpress) {
      layout.express = position;
    }
    next = head >> 8;
  }
  return {};
}

uint64_t AlignUp(uint64_t value, uint64_t align) { return (value + align - 1) / align * align; }

}  // namespace

bool PciLayout::InBar(const VirtioCapability& structure) const {
  if (structure.bar >= pci::kBars) return false;
  const uint64_t size = bars[structure.bar].size;
  return structure.length > 0 && structure.offset <= size &&
         structure.length <= size - structure.offset;
}

const VirtioCapability* PciLayout::Usable(uint8_t type) const {
  for (const VirtioCapability& each : structures)
    if (each.type == type && InBar(each)) return &each;
  return nullptr;
}

std::vector<const VirtioCapability*> PciLayout::All(uint8_t type) const {
  std::vector<const VirtioCapability*> all;
  for (const VirtioCapability& each : structures)
    if (each.type == type) all.push_back(&each);
  return all;
}

uint32_t PciLayout::VirtioId() const {
  if (device_id >= virtio_pci::kModernIdBase) return device_id - virtio_pci::kModernIdBase;
  for (const auto& each : virtio_pci::kTransitionalIds)
    if (each.pci_device_id == device_id) return each.device_id;
  // Transitional devices outside the table tell their type in the subsystem device id (4.1.2.3).
  return transitional() ? subsystem_device_id : 0;
}

bool PciLayout::transitional() const {
  return device_id >= virtio_pci::kTransitionalFirst && device_id <= virtio_pci::kTransitionalLast;
}

std::vector<std::string> PciLayout::Describe() const {
  static constexpr const char* kTypes[] = {"",       "common", "notify", "isr",           "device",
                                           "window", "6",      "7",      "shared memory", "vendor"};
  std::vector<std::string> lines;
  lines.push_back(
      fmt::format("PCI {:04x}:{:04x} revision {}, subsystem {:04x}:{:04x}, {}", vendor_id,
                  device_id, revision_id, subsystem_vendor_id, subsystem_device_id,
                  interrupt_pin == 0 ? std::string("no interrupt pin")
                                     : fmt::format("INT{}#", "?ABCD???"[interrupt_pin & 7])));
  for (unsigned i = 0; i < pci::kBars; ++i)
    if (bars[i].size != 0)
      lines.push_back(fmt::format("BAR {}: {} bytes of {}", i, bars[i].size,
                                  bars[i].io     ? "I/O space"
                                  : bars[i].wide ? "memory, 64-bit"
                                                 : "memory"));
  for (const VirtioCapability& each : structures)
    lines.push_back(
        fmt::format("{} structure: BAR {} + {:#x}, {} bytes{}",
                    each.type < std::size(kTypes) ? kTypes[each.type] : std::to_string(each.type),
                    each.bar, each.offset, each.length,
                    each.type == virtio_pci::kNotifyCfg
                        ? fmt::format(", multiplier {}", each.notify_off_multiplier)
                        : ""));
  if (msix) lines.push_back(fmt::format("MSI-X: {} vectors", msix->vectors));
  lines.insert(lines.end(), problems.begin(), problems.end());
  return lines;
}

Result<PciLayout> ReadPciLayout(PciFunction& function) {
  PciLayout layout;
  VITRO_ASSIGN(const uint32_t ids, function.ReadConfig(pci::kVendorId, 4));
  if (ids == UINT32_MAX)
    return Fail(ErrorKind::kAttach,
                "{} is not there: its vendor and device id read all-ones, expected a PCI function",
                function.name());
  layout.vendor_id = static_cast<uint16_t>(ids);
  layout.device_id = static_cast<uint16_t>(ids >> 16);
  VITRO_ASSIGN(const uint32_t revision, function.ReadConfig(pci::kRevisionId, 1));
  VITRO_ASSIGN(const uint32_t header, function.ReadConfig(pci::kHeaderType, 1));
  VITRO_ASSIGN(const uint32_t subsystem, function.ReadConfig(pci::kSubsystemVendorId, 4));
  VITRO_ASSIGN(const uint32_t pin, function.ReadConfig(pci::kInterruptPin, 1));
  layout.revision_id = static_cast<uint8_t>(revision);
  layout.header_type = static_cast<uint8_t>(header);
  layout.subsystem_vendor_id = static_cast<uint16_t>(subsystem);
  layout.subsystem_device_id = static_cast<uint16_t>(subsystem >> 16);
  layout.interrupt_pin = static_cast<uint8_t>(pin);
  VITRO_TRY(SizeBars(function, layout));
  VITRO_TRY(WalkCapabilities(function, layout));
  return layout;
}

Result<> AssignBars(PciFunction& function, PciLayout& layout) {
  const auto apertures = function.apertures();
  uint64_t memory = apertures.memory, prefetchable = apertures.prefetchable, io = apertures.io;
  for (unsigned i = 0; i < pci::kBars; ++i) {
    PciBar& bar = layout.bars[i];
    if (bar.size == 0) continue;
    // Large 64-bit BARs go above 4 GiB, where the room is.
    const bool high = bar.wide && bar.size > apertures.memory_bytes / 4;
    uint64_t& cursor = bar.io ? io : high ? prefetchable : memory;
    const uint64_t end = bar.io ? apertures.io + apertures.io_bytes
                         : high ? apertures.prefetchable + apertures.prefetchable_bytes
                                : apertures.memory + apertures.memory_bytes;
    const uint64_t address = AlignUp(cursor, bar.io ? bar.size : std::max(bar.size, kPage));
    if (address > end || bar.size > end - address)
      return Fail(ErrorKind::kAttach, "BAR {} of {} bytes finds no room in {} bytes of {}", i,
                  bar.size, end - (bar.io ? apertures.io : apertures.memory),
                  bar.io ? "I/O space" : "memory space");
    const uint32_t at = pci::kBar0 + 4 * i;
    VITRO_TRY(function.WriteConfig(at, 4, static_cast<uint32_t>(address)));
    VITRO_ASSIGN(uint64_t taken, function.ReadConfig(at, 4));
    taken &= bar.io ? pci::kBarIoMask : pci::kBarMemoryMask;
    if (bar.wide) {
      VITRO_TRY(function.WriteConfig(at + 4, 4, static_cast<uint32_t>(address >> 32)));
      VITRO_ASSIGN(const uint64_t upper, function.ReadConfig(at + 4, 4));
      taken |= upper << 32;
    }
    if (taken != address)
      return Fail(ErrorKind::kAttach,
                  "BAR {} reads {:#x} after {:#x} was written to it: it does not map", i, taken,
                  address);
    bar.address = address;
    cursor = address + bar.size;
  }
  VITRO_ASSIGN(const uint32_t command, function.ReadConfig(pci::kCommand, 2));
  const uint32_t enable = pci::kCommandIo | pci::kCommandMemory | pci::kCommandMaster;
  VITRO_TRY(function.WriteConfig(pci::kCommand, 2, command | enable));
  for (unsigned i = 0; i < pci::kBars; ++i)
    if (layout.bars[i].address != 0)
      function.BarMapped(i, layout.bars[i].address, layout.bars[i].io);
  return {};
}

}  // namespace vitro
