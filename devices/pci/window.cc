// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/window.h"

#include <algorithm>

#include "devices/pci/layout.h"
#include "harness/virtio/pci.h"

namespace vitro::pcidev {

bool ConfigWindow::Covers(uint32_t offset, uint32_t width) const {
  const uint32_t data = position_ + virtio_pci::kCapPciData;
  return position_ != 0 && offset < data + 4 && offset + width > data;
}

ConfigWindow::Access ConfigWindow::Target() const {
  Access access;
  access.bar =
      fault_("window-bar-ignored") ? kMainBar : space_.Read(position_ + virtio_pci::kCapBar, 1);
  access.offset = space_.Read(position_ + virtio_pci::kCapOffset, 4);
  access.width = space_.Read(position_ + virtio_pci::kCapStructLength, 4);
  if (access.width != 1 && access.width != 2 && access.width != 4) access.width = 0;
  if (access.width != 0 && access.offset % access.width != 0) access.width = 0;
  if (fault_("window-length-ignored")) access.width = 4;
  return access;
}

uint32_t ConfigWindow::Data() const { return space_.Read(position_ + virtio_pci::kCapPciData, 4); }

void ConfigWindow::SetData(uint32_t value, uint32_t width) {
  space_.Store(position_ + virtio_pci::kCapPciData, width, value);
}

void ConfigWindow::MergeData(uint32_t offset, uint32_t width, uint32_t value) {
  const uint32_t data = position_ + virtio_pci::kCapPciData;
  for (uint32_t i = 0; i < width; ++i)
    if (offset + i >= data && offset + i < data + 4)
      space_.Store(offset + i, 1, value >> 8 * i & 0xff);
}

}  // namespace vitro::pcidev
