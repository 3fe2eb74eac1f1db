// SPDX-License-Identifier: Apache-2.0
// The reference PCI function around any device with the core operations of
// devices/abi/vitro_device.h: the result is a table of operations with `pci`, for level=pci.
#pragma once

#include <string_view>

#include "devices/abi/vitro_device.h"

namespace vitro::pcidev {

// `core` must live on. The same result for the same table; nullptr if it lacks core
// operations, or if too many different ones were asked for in this process.
const vitro_device_ops* AsPciFunction(const vitro_device_ops* core);

// One line: the options that the function takes.
inline constexpr std::string_view kOptions =
    "transitional=1 msix=N intx=0 multiplier=4 shm=1 vendor=1 flr=0 second-caps=1 "
    "notification-data=0 notif-config-data=0 ring-reset=0";

}  // namespace vitro::pcidev
