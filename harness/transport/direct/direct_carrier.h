// SPDX-License-Identifier: Apache-2.0
// DirectCarrier: what a PCI function and an MMIO window in this process have in common: a device
// behind the C ABI, and an interrupt line.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "harness/transport/direct/direct_device.h"

namespace vitro {

// `Base` is derived from Carrier.
template <typename Base>
class DirectCarrier : public Base {
 public:
  std::string name() const override {
    const std::string& name = device_->identity().name;
    return name.empty() ? "device" : name;
  }
  // What the device says of itself; registers tell less.
  const DeviceIdentity& identity() const { return device_->identity(); }

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

 protected:
  // As DirectDevice::Create(). `events` gains the line.
  Result<> Open(const vitro_device_ops* ops, DirectLevel level, const std::string& options,
                GuestMemory& memory, DirectDevice::Events events) {
    events.line_set = [this](bool asserted) {
      if (!line_.exchange(asserted) && asserted) ++line_rises_;
    };
    VITRO_ASSIGN(device_, DirectDevice::Create(ops, level, options, memory, std::move(events)));
    return {};
  }
  // Ends the device, which may notify until then: for derived classes that are told.
  void Close() { device_.reset(); }
  DirectDevice& device() const { return *device_; }

 private:
  std::atomic<uint64_t> line_rises_ = 0;
  std::atomic<bool> line_ = false;
  std::unique_ptr<DirectDevice> device_;  // last, for the same reason
};

}  // namespace vitro
