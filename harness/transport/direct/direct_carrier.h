// SPDX-License-Identifier: Apache-2.0
// DirectCarrier: what a PCI function and an MMIO window behind the C ABI have in common: the
// device, and an interrupt line.
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

  Result<bool> LineAsserted() override {
    device_->TakeIn();
    return device_->Checked(line_.load());
  }
  uint64_t TakeLineRises() override {
    device_->TakeIn();
    return line_rises_.exchange(0);
  }

  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) override {
    return device_->WaitUntil(done, deadline);
  }
  Result<> Quiesce(Duration window) override { return device_->Quiesce(window); }
  bool exact_quiet() const override { return device_->exact_quiet(); }
  std::string WhyNoStimulus() const override { return device_->WhyNoStimulus(); }
  Result<> StimulateConfigChange() override { return device_->StimulateConfigChange(); }
  std::optional<Transport::Death> Died() override { return device_->Died(); }
  std::string DeviceLog() override { return device_->log(); }

 protected:
  // As DirectDevice::Create(). `events` gains the line.
  Result<> Open(const vitro_device_ops* ops, DirectLevel level, const std::string& options,
                GuestMemory& memory, DirectDevice::Events events,
                std::shared_ptr<RemoteDevice> remote) {
    events.line_set = [this](bool asserted) {
      if (!line_.exchange(asserted) && asserted) ++line_rises_;
    };
    VITRO_ASSIGN(device_, DirectDevice::Create(ops, level, options, memory, std::move(events),
                                               std::move(remote)));
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
