// SPDX-License-Identifier: Apache-2.0
// DirectTransport: a device in this process, behind the C ABI of devices/abi/vitro_device.h. The
// device is driven to rest, so that "nothing more happens" is exact here.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "harness/transport/transport.h"

namespace vitro {

class DirectTransport : public Transport {
 public:
  // Creates a device of `ops` (which must outlive it) over `memory`. `options` as in the attach
  // string. kAttach with the device's own words if it refuses; kAttach for an ABI that does not
  // fit.
  static Result<std::unique_ptr<DirectTransport>> Create(const vitro_device_ops* ops,
                                                         const std::string& options,
                                                         GuestMemory& memory);
  // Checks version, size and mandatory operations only.
  static Result<> CheckOps(const vitro_device_ops* ops);
  ~DirectTransport() override;

  const DeviceIdentity& identity() const override { return identity_; }
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
  Result<> StimulateConfigChange() override;
  uint64_t TakeQueueNotifications(uint32_t queue) override;
  uint64_t TakeConfigNotifications() override;
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) override;
  Result<> Quiesce(Duration window) override;
  std::string DeviceLog() override { return log_; }

 private:
  DirectTransport(const vitro_device_ops* ops, GuestMemory& memory);
  vitro_host MakeHost();

  const vitro_device_ops* ops_;
  GuestMemory& memory_;
  vitro_host host_;
  vitro_device* device_ = nullptr;
  DeviceIdentity identity_;
  Abilities abilities_;
  std::vector<std::atomic<uint64_t>> queue_notifications_;
  std::atomic<uint64_t> config_notifications_ = 0;
  std::string log_;
};

}  // namespace vitro
