// SPDX-License-Identifier: Apache-2.0
// The carriers of a QEMU machine: a PCI function on its root bus (or behind a root port), and a
// window of virtio-mmio. They know the machine's address map and interrupt wiring, not virtio.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "harness/attach/qemu/machine.h"
#include "harness/transport/mmio/mmio_window.h"
#include "harness/transport/pci/pci_function.h"

namespace vitro::qemu {

// Slots of the root bus. Ours are where no board has anything.
inline constexpr unsigned kDeviceSlot = 4, kPortSlot = 5;

// The function at `devfn` (slot * 8 + function) of the root bus or, if `behind_port`, of the bus
// behind the root port at kPortSlot, which is brought up. kAttach if there is none.
Result<std::unique_ptr<PciFunction>> OpenPciFunction(std::shared_ptr<Machine> machine,
                                                     const std::string& board, unsigned devfn,
                                                     bool behind_port);
// The first device's window on a microvm board. kAttach if there is none.
Result<std::unique_ptr<MmioWindow>> OpenMmioWindow(std::shared_ptr<Machine> machine);

}  // namespace vitro::qemu
