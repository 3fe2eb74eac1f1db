// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/direct/direct_mmio_window.h"

#include "harness/base/bytes.h"
#include "harness/virtio/mmio.h"

namespace vitro {

Result<std::unique_ptr<DirectMmioWindow>> DirectMmioWindow::Create(
    const vitro_device_ops* ops, const std::string& options, GuestMemory& memory,
    std::shared_ptr<RemoteDevice> remote) {
  std::unique_ptr<DirectMmioWindow> window(new DirectMmioWindow());
  VITRO_TRY(window->Open(ops, DirectLevel::kMmio, options, memory, {}, std::move(remote)));
  return window;
}

uint64_t DirectMmioWindow::size() const { return mmio::kConfig + uint64_t{identity().config_size}; }

Result<uint64_t> DirectMmioWindow::Read(uint64_t offset, uint32_t width) {
  uint64_t value = UINT64_MAX;
  if (device().ops()->mmio->read(device().get(), offset, width, &value) != 0) value = UINT64_MAX;
  return device().Checked(value & ByteMask(width));
}

Result<> DirectMmioWindow::Write(uint64_t offset, uint32_t width, uint64_t value) {
  device().ops()->mmio->write(device().get(), offset, width, value & ByteMask(width));
  return device().Health();
}

}  // namespace vitro
