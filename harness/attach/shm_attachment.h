// SPDX-License-Identifier: Apache-2.0
// shm:NAME[,spawn="command ..."][,option...]: a device in another process, behind shared memory of
// the layout devices/abi/vitro_shm.h. Its level is told there.
//
//   spawn="..."      start this server for every device. {name} is a fresh name of shared memory;
//                    without it NAME is what the command creates
//   interrupts=PLAN, interface=NAME   as for devices in this process, at levels pci and mmio
//   timeout=MS       for any one answer, and for the start (default 5000)
#pragma once

#include <memory>

#include "harness/attach/attach.h"

namespace vitro {

// kUsage for wrong options; kAttach, without a spawn= command, when NAME cannot be attached to.
Result<std::unique_ptr<Attachment>> OpenShm(AttachString string);

}  // namespace vitro
