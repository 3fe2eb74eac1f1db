// SPDX-License-Identifier: Apache-2.0
// The reference PCI function around any device with the core operations of
// devices/abi/vitro_device.h: the result is a table of operations with `pci`, for level=pci.
//
// Options of the function; all others, and faults that are not of devices/pci/faults.def, go to the
// device inside:
//   transitional=1       a legacy interface; the device inside is given legacy=1, and must then do
//                        without VERSION_1
//   msix=N               vectors, 0 to 2048; else one more than there are queues
//   intx=0               no interrupt pin
//   multiplier=N         notify_off_multiplier; else 4
//   shm=1, vendor=1, second-caps=1, flr=0
//                        more capabilities, and no PCI Express
//   notification-data=0, notif-config-data=0, ring-reset=0
//                        features that are not offered
#pragma once

#include "devices/abi/vitro_device.h"

namespace vitro::pcidev {

// `core` must live on. The same result for the same table; nullptr if it lacks core
// operations, or if too many different ones were asked for in this process.
const vitro_device_ops* AsPciFunction(const vitro_device_ops* core);

}  // namespace vitro::pcidev
