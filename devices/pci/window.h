// SPDX-License-Identifier: Apache-2.0
// ConfigWindow: VIRTIO_PCI_CAP_PCI_CFG (4.1.4.9), the way into the BARs through configuration
// space. It works whether or not the BARs are mapped.
#pragma once

#include <cstdint>

#include "devices/pci/config_space.h"
#include "devices/ref/faults.h"

namespace vitro::pcidev {

class ConfigWindow {
 public:
  struct Access {
    uint32_t bar = 0;
    uint64_t offset = 0;
    uint32_t width = 0;
  };

  // `position`: of the capability; 0: there is none.
  ConfigWindow(ConfigSpace& space, const ref::FaultSwitch& fault, uint8_t position)
      : space_(space), fault_(fault), position_(position) {}

  // Does an access to configuration space touch pci_cfg_data?
  bool Covers(uint32_t offset, uint32_t width) const;
  // The access that the driver has set up; width 0 if it is none.
  Access Target() const;
  // pci_cfg_data.
  uint32_t Data() const;
  void SetData(uint32_t value, uint32_t width);
  // As Write() of configuration space would, also where a driver cannot write.
  void MergeData(uint32_t offset, uint32_t width, uint32_t value);

 private:
  ConfigSpace& space_;
  const ref::FaultSwitch& fault_;
  const uint32_t position_;
};

}  // namespace vitro::pcidev
