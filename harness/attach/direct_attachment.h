// SPDX-License-Identifier: Apache-2.0
// Attachments to a device in this process, a reference device or one from a library, at one of the
// levels core, pci and mmio. Where the device has not the level's operations itself, the reference
// transports (harness/attach/reference.h) stand around it.
#pragma once

#include <memory>

#include "harness/attach/attach.h"

namespace vitro {

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
