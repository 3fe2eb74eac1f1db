// SPDX-License-Identifier: Apache-2.0
// DirectTransport: a device in this process, or one that is as good as there, driven by the core
// operations of the C ABI of devices/abi/vitro_device.h.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "harness/transport/direct/direct_device.h"
#include "harness/transport/transport.h"

namespace vitro {

class DirectTransport : public Transport {
 public:
  // Creates a device of `ops` (which must outlive it) over `memory`. `options` as in the attach
  // string. kAttach with the device's own words if it refuses; kAttach for an ABI that does not
  // fit.
  static Result<std::unique_ptr<DirectTransport>> Create(
      const vitro_device_ops* ops, const std::string& options, GuestMemory& memory,
      std::shared_ptr<RemoteDevice> remote = nullptr);
  const DeviceIdentity& identity() const override { return instance_->identity(); }
  const Abilities& abilities() const override { return abilities_; }
  Result<FeatureSet> ReadFeatures() override;
  Result<> AcceptFeatures(FeatureSet features) override;
  Result<uint8_t> ReadStatus() override;
  Result<> WriteStatus(uint8_t status) override;
  Result<> Reset() override;
  Result<Bytes> ReadConfig(uint32_t offset, uint32_t width) override;
  Result<> WriteConfig(uint32_t offset, ByteView bytes) override;
  Result<uint32_t> ReadGeneration() override;
  Result<uint32_t> QueueMaxSize(uint32_t queue) override;
  Result<> SetupQueue(uint32_t queue, const QueueLayout& layout) override;
  Result<> ResetQueue(uint32_t queue) override;
  Result<> Notify(uint32_t queue) override;
  Result<> StimulateConfigChange() override { return instance_->StimulateConfigChange(); }
  uint64_t TakeQueueNotifications(uint32_t queue) override;
  uint64_t TakeConfigNotifications() override;
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) override {
    return instance_->WaitUntil(done, deadline);
  }
  Result<> Quiesce(Duration window) override { return instance_->Quiesce(window); }
  std::optional<Death> Died() override { return instance_->Died(); }
  std::string DeviceLog() override { return instance_->log(); }

 private:
  DirectTransport();

  // Before the device, which may notify until its end.
  std::vector<std::atomic<uint64_t>> queue_notifications_;
  std::atomic<uint64_t> config_notifications_ = 0;
  Abilities abilities_;
  std::unique_ptr<DirectDevice> instance_;
  const vitro_device_ops* ops_ = nullptr;
  vitro_device* device_ = nullptr;
};

}  // namespace vitro
