// SPDX-License-Identifier: Apache-2.0
// DirectMmioWindow: an MMIO register window in this process, behind vitro_mmio_ops of
// devices/abi/vitro_device.h, and the platform that it is on. The window is as long as registers
// and configuration space together.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "harness/transport/direct/direct_device.h"
#include "harness/transport/mmio/mmio_window.h"

namespace vitro {

class DirectMmioWindow : public MmioWindow {
 public:
  // As DirectDevice::Create().
  static Result<std::unique_ptr<DirectMmioWindow>> Create(const vitro_device_ops* ops,
                                                          const std::string& options,
                                                          GuestMemory& memory);

  std::string name() const override;
  // What the device says of itself; the registers of a window tell less.
  const DeviceIdentity& identity() const { return device_->identity(); }

  Result<uint64_t> Read(uint64_t offset, uint32_t width) override;
  Result<> Write(uint64_t offset, uint32_t width, uint64_t value) override;
  uint64_t size() const override;

  Result<bool> LineAsserted() override { return line_.load(); }
  uint64_t TakeLineRises() override { return line_rises_.exchange(0); }

  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) override {
    return device_->WaitUntil(done, deadline);
  }
  Result<> Quiesce(Duration /*window*/) override { return device_->Quiesce(); }
  bool exact_quiet() const override { return true; }
  std::string WhyNoStimulus() const override { return device_->WhyNoStimulus(); }
  Result<> StimulateConfigChange() override { return device_->StimulateConfigChange(); }
  std::string DeviceLog() override { return device_->log(); }

 private:
  DirectMmioWindow() = default;

  // Before the device, which may notify until its end.
  std::atomic<uint64_t> line_rises_ = 0;
  std::atomic<bool> line_ = false;
  std::unique_ptr<DirectDevice> device_;
};

}  // namespace vitro
