// SPDX-License-Identifier: Apache-2.0
// The reference devices by name, for attach strings of the form `ref:NAME,options`.
#pragma once

#include <span>
#include <string_view>

#include "devices/abi/vitro_device.h"

namespace vitro::ref {

struct ReferenceDevice {
  std::string_view name;
  char letter;                   // in faults.def
  std::string_view description;  // one line
  const vitro_device_ops* ops;
};

std::span<const ReferenceDevice> ReferenceDevices();
// What stands after "ref:" for the device with that letter in faults.def: "zoned", and
// "blk,level=pci" for a fault of the PCI function. Empty if there is none.
std::string_view AttachByLetter(char letter);
// nullptr if there is none of that name.
const vitro_device_ops* FindReferenceDevice(std::string_view name);

}  // namespace vitro::ref
