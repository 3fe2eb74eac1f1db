// SPDX-License-Identifier: Apache-2.0
// qemu:DEVICE[,property=value...]: a virtio device of QEMU, in a QEMU of its own with its processor
// halted. DEVICE and properties are as -device has them; what the device needs behind it is made
// unless a property names it. Ours, not properties:
//
//   machine=q35|pc|microvm   the board; microvm (virtio-mmio) by itself where DEVICE is *-device
//   port=1           the device sits behind a PCI Express root port, with the capabilities it then
//                    has
//   qemu=PATH        the program (default: qemu-system-x86_64)
//   accel=tcg|qtest  (default: the first of them that it has)
//   args="..."       more arguments, split like a shell does; {dir} is a scratch directory
//   interrupts=PLAN, interface=NAME   as for any PCI function
//   timeout=MS       for any one answer of QEMU, and for its start (default 5000)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/attach/attach.h"

namespace vitro {

// kUsage for wrong options; kAttach when there is no such QEMU.
Result<std::unique_ptr<Attachment>> OpenQemu(AttachString string);

// What `vitro doctor` tells.
struct QemuFacts {
  std::string version;      // "7.2.22"
  std::string accelerator;  // as used here
};
Result<QemuFacts> AskQemu(const std::string& binary = "qemu-system-x86_64");

// Attach strings of all virtio devices of this QEMU that start without anything of the host, in all
// their flavours: for a comparison.
Result<std::vector<std::string>> KnownQemuDevices(const std::string& binary = "qemu-system-x86_64");

}  // namespace vitro
