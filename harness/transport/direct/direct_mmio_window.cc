// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/direct/direct_mmio_window.h"

#include "harness/virtio/mmio.h"

namespace vitro {
namespace {

uint64_t Ones(uint32_t width) { return width >= 8 ? UINT64_MAX : (uint64_t{1} << 8 * width) - 1; }

}  // namespace

Result<std::unique_ptr<DirectMmioWindow>> DirectMmioWindow::Create(const vitro_device_ops* ops,
                                                                   const std::string& options,
                                                                   GuestMemory& memory) {
  std::unique_ptr<DirectMmioWindow> window(new DirectMmioWindow());
  DirectMmioWindow* self = window.get();
  DirectDevice::Events events;
  events.line_set = [self](bool asserted) {
    if (!self->line_.exchange(asserted) && asserted) ++self->line_rises_;
  };
  VITRO_ASSIGN(window->device_,
               DirectDevice::Create(ops, DirectLevel::kMmio, options, memory, std::move(events)));
  return window;
}

std::string DirectMmioWindow::name() const {
  const std::string& name = device_->identity().name;
  return name.empty() ? "device" : name;
}

uint64_t DirectMmioWindow::size() const {
  return mmio::kConfig + uint64_t{device_->identity().config_size};
}

Result<uint64_t> DirectMmioWindow::Read(uint64_t offset, uint32_t width) {
  uint64_t value = UINT64_MAX;
  if (device_->ops()->mmio->read(device_->get(), offset, width, &value) != 0) value = UINT64_MAX;
  return value & Ones(width);
}

Result<> DirectMmioWindow::Write(uint64_t offset, uint32_t width, uint64_t value) {
  device_->ops()->mmio->write(device_->get(), offset, width, value & Ones(width));
  return {};
}

}  // namespace vitro
