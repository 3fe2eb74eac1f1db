// SPDX-License-Identifier: Apache-2.0
// DirectMmioWindow: an MMIO register window in this process or as good as there, behind
// vitro_mmio_ops of devices/abi/vitro_device.h, and the platform that it is on. The window is as
// long as registers and configuration space together.
#pragma once

#include <memory>
#include <string>

#include "harness/transport/direct/direct_carrier.h"
#include "harness/transport/mmio/mmio_window.h"

namespace vitro {

class DirectMmioWindow : public DirectCarrier<MmioWindow> {
 public:
  // As DirectDevice::Create().
  static Result<std::unique_ptr<DirectMmioWindow>> Create(
      const vitro_device_ops* ops, const std::string& options, GuestMemory& memory,
      std::shared_ptr<RemoteDevice> remote = nullptr);

  Result<uint64_t> Read(uint64_t offset, uint32_t width) override;
  Result<> Write(uint64_t offset, uint32_t width, uint64_t value) override;
  uint64_t size() const override;

 private:
  DirectMmioWindow() = default;
};

}  // namespace vitro
