// SPDX-License-Identifier: Apache-2.0
// The reference block device as a library of its own, to be attached like anybody's.
#include "devices/abi/vitro_device.h"
#include "devices/ref/registry.h"

extern "C" const vitro_device_ops* vitro_device_entry(uint32_t host_abi_version) {
  return host_abi_version == VITRO_ABI_VERSION ? vitro::ref::FindReferenceDevice("blk") : nullptr;
}
