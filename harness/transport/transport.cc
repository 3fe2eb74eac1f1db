// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/transport.h"

namespace vitro {

const char* Name(Ability ability) {
  switch (ability) {
    case Ability::kDeviceStatus:
      return "device status";
    case Ability::kReset:
      return "device reset";
    case Ability::kConfigSpace:
      return "config space";
    case Ability::kConfigWrite:
      return "config writes";
    case Ability::kGeneration:
      return "config generation";
    case Ability::kConfigNotification:
      return "configuration change notifications";
    case Ability::kQueueReset:
      return "virtqueue reset";
    case Ability::kDeviceId:
      return "device id";
    case Ability::kStimulus:
      return "config change stimulus";
    case Ability::kExactQuiet:
      return "exact quiescence";
    case Ability::kUnofferedBits:
      return "accepting bits that were not offered";
    case Ability::kUsedNotification:
      return "used buffer notifications";
    case Ability::kQueuesBeforeDriverOk:
      return "queues before DRIVER_OK";
    case Ability::kPciFunction:
      return "a PCI function";
    case Ability::kMmioWindow:
      return "an MMIO register window";
    case Ability::kInterruptPlans:
      return "a choice of interrupts";
  }
  return "?";
}

}  // namespace vitro
