// SPDX-License-Identifier: Apache-2.0
// PciLayout: what a walk through a function's configuration space found (4.1.2, 4.1.4): ids, BARs,
// capabilities. It is told as found, wrong things included: judging is the checks' business. The
// walk ends where it cannot go on, and says so in `problems`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/transport/pci/pci_function.h"
#include "harness/virtio/pci.h"

namespace vitro {

struct PciBar {
  uint64_t size = 0;  // bytes; 0: not implemented, or the upper half of the one before
  bool io = false, wide = false, prefetchable = false;  // wide: 64-bit
  uint64_t address = 0;                                 // as assigned; 0: not
};

// One struct virtio_pci_cap (4.1.4) or its extended forms.
struct VirtioCapability {
  uint8_t position = 0;  // in configuration space
  uint8_t cap_len = 0, type = 0, bar = 0, id = 0;
  uint64_t offset = 0, length = 0;     // with the upper halves where the type has them
  uint32_t notify_off_multiplier = 0;  // VIRTIO_PCI_CAP_NOTIFY_CFG
};

struct MsixCapability {
  uint8_t position = 0;
  uint32_t vectors = 0;  // table size, 1 to 2048
  uint8_t table_bar = 0, pba_bar = 0;
  uint32_t table_offset = 0, pba_offset = 0;
};

struct PciLayout {
  uint16_t vendor_id = 0, device_id = 0, subsystem_vendor_id = 0, subsystem_device_id = 0;
  uint8_t revision_id = 0, header_type = 0, interrupt_pin = 0;
  std::array<PciBar, pci::kBars> bars;
  // All capabilities in the order of the list: position and id.
  struct Capability {
    uint8_t position = 0, id = 0;
  };
  std::vector<Capability> capabilities;
  std::vector<VirtioCapability> structures;  // in the order of the list
  std::optional<MsixCapability> msix;
  std::optional<uint8_t> express;     // position of the PCI Express capability
  std::vector<std::string> problems;  // why the walk ended early, for people

  // The first structure of a type that lies within a memory or I/O BAR; else nullptr.
  const VirtioCapability* Usable(uint8_t type) const;
  // All of a type, usable or not.
  std::vector<const VirtioCapability*> All(uint8_t type) const;
  bool InBar(const VirtioCapability& structure) const;
  // The virtio device id that the PCI device id stands for (4.1.2); 0 if none.
  uint32_t VirtioId() const;
  bool transitional() const;  // by its PCI device id
  // For people, a line each: ids, BARs, capabilities, problems.
  std::vector<std::string> Describe() const;
};

// Sizes the BARs (decoding is off meanwhile) and walks the capability list; changes nothing else.
// kAttach if there is no function: it reads all-ones.
Result<PciLayout> ReadPciLayout(PciFunction& function);
// Puts each BAR into the carrier's apertures and enables decoding and bus mastering. kAttach, with
// the BAR's number, if one does not take its address or none is left.
Result<> AssignBars(PciFunction& function, PciLayout& layout);

}  // namespace vitro
