// SPDX-License-Identifier: Apache-2.0
// The options of the reference PCI function, and how they part from those of the device inside it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "devices/ref/faults.h"

namespace vitro::pcidev {

struct FunctionOptions {
  ref::FaultSwitch fault;
  bool transitional = false;             // a legacy interface in BAR 0
  std::optional<uint32_t> msix_vectors;  // 0: no MSI-X; not set: one more than there are queues
  bool intx = true;                      // an interrupt pin
  uint32_t multiplier = 4;               // notify_off_multiplier
  bool shared_memory = false;            // two regions
  bool vendor = false;                   // vendor data
  bool flr = true;                       // PCI Express with function level reset
  uint32_t vfs = 0;                      // virtual functions: SR-IOV, administration virtqueue
  bool virtual_function = false;         // it is one itself
  bool second_caps = false;              // common, notify and ISR a second time, in another BAR
  // Offered by the function itself (6).
  bool notification_data = true, notif_config_data = true, ring_reset = true;

  // "key=value,key=value": takes what it knows, and leaves the rest to the device inside, with
  // what that has to know of the function.
  static FunctionOptions Split(std::string_view text, std::string& rest, std::string& problem);
};

}  // namespace vitro::pcidev
