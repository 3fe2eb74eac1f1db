// SPDX-License-Identifier: Apache-2.0
// MmioTransport: the driver's side of virtio over MMIO (4.2): identifies the window, negotiates and
// sets up queues by its registers, and handles its one interrupt. It judges nothing: what a
// register says wrongly is seen by whoever looks.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "harness/transport/mmio/mmio_window.h"
#include "harness/transport/transport.h"

namespace vitro {

struct MmioTransportOptions {
  // A plan of interrupt_plans.h that a window has: intx or polling; "": intx.
  std::string interrupts;
  bool wrapped = false;  // the window around the device is ours: nothing of it is the device's
};

class MmioTransport : public Transport {
 public:
  // Looks at what the window says it is. kAttach, with the reason, if that is no device of this
  // version of the standard; kUsage for wrong options.
  static Result<std::unique_ptr<MmioTransport>> Create(std::unique_ptr<MmioWindow> window,
                                                       const MmioTransportOptions& options = {});

  const DeviceIdentity& identity() const override { return identity_; }
  const Abilities& abilities() const override { return abilities_; }
  Result<FeatureSet> ReadFeatures() override;
  Result<> AcceptFeatures(FeatureSet features) override;
  Result<uint8_t> ReadStatus() override;
  Result<> WriteStatus(uint8_t status) override;
  Result<> Reset() override;
  // 1, 2 or 4 bytes, naturally aligned (4.2.2.2); all else is refused here.
  Result<Bytes> ReadConfig(uint32_t offset, uint32_t width) override;
  Result<> WriteConfig(uint32_t offset, ByteView bytes) override;
  Result<uint32_t> ReadGeneration() override;
  Result<uint32_t> QueueMaxSize(uint32_t queue) override;
  Result<> SetupQueue(uint32_t queue, const QueueLayout& layout) override;
  Result<> ResetQueue(uint32_t queue) override;
  Result<> Notify(uint32_t queue) override { return NotifyWithData(queue, 0); }
  Result<> NotifyWithData(uint32_t queue, uint16_t next) override;
  Result<> StimulateConfigChange() override;
  uint64_t TakeQueueNotifications(uint32_t queue) override;
  uint64_t TakeConfigNotifications() override;
  // What asserts the one line is told by queue only if there is one queue.
  NotificationRoute RouteOf(uint32_t queue) const override;
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) override;
  Result<> Quiesce(Duration window) override { return window_->Quiesce(window); }

  Result<uint64_t> ReadRegister(const std::string& region, uint64_t offset,
                                uint32_t width) override;
  Result<> WriteRegister(const std::string& region, uint64_t offset, uint32_t width,
                         uint64_t value) override;
  Result<> UseInterrupts(const std::string& plan, bool handler) override;
  Result<bool> LineAsserted() override { return window_->LineAsserted(); }
  uint64_t TakeLineRises() override { return window_->TakeLineRises(); }

  std::optional<Death> Died() override { return window_->Died(); }
  std::string DeviceLog() override { return window_->DeviceLog(); }

 private:
  explicit MmioTransport(std::unique_ptr<MmioWindow> window) : window_(std::move(window)) {}
  Result<> Identify();
  Result<> MeasureConfig();
  Result<> CountQueues();
  void SetAbilities(bool wrapped);

  Result<uint32_t> Read(uint32_t offset);
  Result<> Write(uint32_t offset, uint32_t value) { return window_->Write(offset, 4, value); }
  Result<> SetAddress(uint32_t low, uint64_t address);
  Result<> CheckInside(uint64_t offset, uint32_t width) const;
  void HandleInterrupt();

  std::unique_ptr<MmioWindow> window_;
  DeviceIdentity identity_;
  Abilities abilities_;
  bool decodes_high_words_ = true;  // DeviceFeaturesSel tells more than two words apart
  FeatureSet accepted_;
  bool polling_ = false;
  bool handler_ = true;
  std::map<uint32_t, bool> set_up_;  // queues that ever were, and whether they are
  std::map<uint32_t, uint64_t> queue_notifications_;
  uint64_t config_notifications_ = 0;
};

}  // namespace vitro
