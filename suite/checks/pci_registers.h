// SPDX-License-Identifier: Apache-2.0
// What the checks of the PCI level (4.1) share: the structures that were found, and registers by
// their names in the standard.
#pragma once

#include "harness/transport/pci/pci_layout.h"
#include "suite/checks/context.h"

namespace vitro {

// The function's structures as they were found; ends the check where the attachment has none.
inline const PciLayout& LayoutOf(Context& c) {
  const PciLayout* layout = c.session().transport().pci();
  if (layout == nullptr) c.NotObservable("the attachment shows no PCI function");
  return *layout;
}

// Registers of the common configuration structure (4.1.4.3), by virtio_pci::common.
inline uint64_t ReadCommon(Context& c, uint32_t offset, uint32_t width) {
  return c.Do(op::ReadRegister{"common", offset, width}).value;
}
inline void WriteCommon(Context& c, uint32_t offset, uint32_t width, uint64_t value) {
  c.Do(op::WriteRegister{"common", offset, width, value});
}
inline void SelectQueue(Context& c, uint32_t queue) {
  WriteCommon(c, virtio_pci::common::kQueueSelect, 2, queue);
}

// Configuration space of the function.
inline uint64_t ReadPci(Context& c, uint32_t offset, uint32_t width) {
  return c.Do(op::ReadRegister{"pci", offset, width}).value;
}
inline void WritePci(Context& c, uint32_t offset, uint32_t width, uint64_t value) {
  c.Do(op::WriteRegister{"pci", offset, width, value});
}

}  // namespace vitro
