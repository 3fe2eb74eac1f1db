// SPDX-License-Identifier: Apache-2.0
// The reference MMIO window (4.2.2, version 2): registers around any device of the C ABI's core
// level. It has one interrupt, vitro_host.set_line(). The device inside sees a driver at the core
// level and knows nothing of registers.
//
// Options of its own: shm=1 (two shared memory regions, ids 0 and 3) and the faults of
// devices/mmio/faults.def; all others go to the device inside.
#pragma once

#include "devices/abi/vitro_device.h"

namespace vitro::ref {

// The same device as a register window: a table whose `mmio` is filled, valid for ever. nullptr if
// `inner` lacks operations of the core level, or if more different tables were wrapped than one
// process has reason to.
const vitro_device_ops* WrapInMmio(const vitro_device_ops* inner);

}  // namespace vitro::ref
