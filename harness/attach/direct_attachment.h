// SPDX-License-Identifier: Apache-2.0
// Attachments to a device in this process, a reference device or one from a library, at one of the
// levels core, pci and mmio. Where the device has not the level's operations itself, the reference
// transports (harness/attach/reference.h) stand around it.
#pragma once

#include <memory>
#include <string>

#include "harness/attach/attach.h"
#include "harness/transport/direct/direct_device.h"

namespace vitro {

// How a device behind the C ABI is driven.
struct DirectPlan {
  const vitro_device_ops* ops = nullptr;
  DirectLevel level = DirectLevel::kCore;
  bool wrapped = false;  // a transport of Vitro's stands around the device
  std::string interrupts, interface;
  std::string options;  // as the device gets them
};

// What OpenDirect() would attach, for `string` of the kinds ref and inproc.
Result<DirectPlan> PlanDirect(AttachString string, const vitro_device_ops* ops, bool ours);
// A fresh device. With `remote`, that is the device, and ops and options of the plan are not used.
Result<std::unique_ptr<Transport>> AttachDirect(const DirectPlan& plan, GuestMemory& memory,
                                                std::shared_ptr<RemoteDevice> remote = nullptr);

// Takes level, interrupts and interface out of the options; the rest is the device's. `ours`: ops
// are a reference device, whose reference transport is then part of it, not Vitro's help. kUsage if
// the options make no sense, kAttach if the device cannot be driven at that level.
Result<std::unique_ptr<Attachment>> OpenDirect(AttachString string, const vitro_device_ops* ops,
                                               bool ours);
// A table that is linked into this program: the options are the device's alone, and it is driven at
// the first level that it has. What does not fit is told when it is attached.
std::unique_ptr<Attachment> OpenLinked(AttachString string, std::string options,
                                       const vitro_device_ops* ops);

}  // namespace vitro
