// SPDX-License-Identifier: Apache-2.0
// How the reference devices become attachable as ref:NAME, and how the reference transports come to
// stand around devices without a level of their own, without the harness depending on either: a
// program that links them says so once, at its start.
#pragma once

#include <functional>
#include <string>
#include <string_view>

struct vitro_device_ops;

namespace vitro {

struct ReferenceDevices {
  std::function<const vitro_device_ops*(std::string_view name)> find;
  std::string names;  // for messages: "blk, entropy, ..."
  // A device with the core operations as a whole PCI function, and as an MMIO window: a table that
  // lives on; nullptr if there is no room for one more.
  using Wrapper = std::function<const vitro_device_ops*(const vitro_device_ops* core)>;
  Wrapper wrap_pci{}, wrap_mmio{};
};
void SetReferenceDevices(ReferenceDevices reference);
const ReferenceDevices& Reference();

}  // namespace vitro
