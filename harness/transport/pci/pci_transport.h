// SPDX-License-Identifier: Apache-2.0
// PciTransport: the driver's side of virtio over PCI (4.1): finds the structures, negotiates
// through the common configuration, lays out queues, and has interrupts delivered as an interrupt
// plan says. The same through the configuration access window (4.1.4.9) and the legacy interface
// (4.1.4.10). It judges nothing: what a register says wrongly is seen by whoever looks.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "harness/transport/pci/pci_layout.h"
#include "harness/transport/transport.h"

namespace vitro {

struct PciTransportOptions {
  std::string interrupts;  // a plan of interrupt_plans.h; "": the best there is
  std::string interface;  // modern, window or legacy; "": modern, or legacy where there is no other
  bool wrapped = false;   // the function around the device is ours: nothing of it is the device's
};

class PciTransport : public Transport {
 public:
  // Enumerates the function: sizes and assigns its BARs, walks its capabilities, enables it.
  // kAttach, with the reason, if it cannot be driven at all; kUsage for wrong options.
  static Result<std::unique_ptr<PciTransport>> Create(std::unique_ptr<PciFunction> function,
                                                      PciTransportOptions options);

  const DeviceIdentity& identity() const override { return identity_; }
  const Abilities& abilities() const override { return abilities_; }
  Result<FeatureSet> ReadFeatures() override;
  Result<> AcceptFeatures(FeatureSet features) override;
  Result<uint8_t> ReadStatus() override;
  Result<> WriteStatus(uint8_t status) override;
  Result<> Reset() override;
  // Naturally aligned, 1, 2 or 4 bytes (4.1.3.1); all else is refused here.
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
  NotificationRoute RouteOf(uint32_t queue) const override;
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) override;
  Result<> Quiesce(Duration window) override { return function_->Quiesce(window); }

  Result<uint64_t> ReadRegister(const std::string& region, uint64_t offset,
                                uint32_t width) override;
  Result<> WriteRegister(const std::string& region, uint64_t offset, uint32_t width,
                         uint64_t value) override;
  const PciLayout* pci() const override { return &layout_; }
  Result<> UseInterrupts(const std::string& plan, bool handler) override;
  Result<> UseInterface(const std::string& name) override;
  uint64_t TakeMessages(uint32_t vector) override;
  Result<bool> LineAsserted() override { return function_->LineAsserted(); }
  uint64_t TakeLineRises() override { return function_->TakeLineRises(); }

  std::optional<Death> Died() override { return function_->Died(); }
  std::string DeviceLog() override { return function_->DeviceLog(); }

 private:
  enum class Interface { kModern, kWindow, kLegacy };
  struct Queue {
    uint32_t max_size = 0;
    uint16_t vector = virtio_pci::kNoVector;  // as read back
    uint64_t notify_at = 0;                   // offset into the notification structure
    bool set_up = false;
  };
  // Where a region lies: a BAR's, or configuration space.
  struct Place {
    unsigned bar = 0;
    uint64_t offset = 0;
  };

  PciTransport(std::unique_ptr<PciFunction> function, PciLayout layout)
      : function_(std::move(function)), layout_(std::move(layout)) {}
  Result<> Start(const PciTransportOptions& options);

  // The legacy interface is apart from the structures, and may be there where they are not.
  bool undrivable() const { return !undrivable_.empty() && interface_ != Interface::kLegacy; }
  // An access to BAR memory by the interface in use.
  Result<uint64_t> Read(Place place, uint32_t width);
  Result<> Write(Place place, uint32_t width, uint64_t value);
  Result<> AimWindow(Place place, uint32_t width);
  Result<Place> Locate(const std::string& region, uint64_t offset, uint32_t width) const;
  Result<uint64_t> Common(uint32_t offset, uint32_t width);
  Result<> SetCommon(uint32_t offset, uint32_t width, uint64_t value);
  Result<uint64_t> Legacy(uint32_t offset, uint32_t width);
  Result<> SetLegacy(uint32_t offset, uint32_t width, uint64_t value);
  uint32_t LegacyConfigOffset() const;

  Result<> Select(uint32_t queue);
  Result<Queue*> Know(uint32_t queue);
  Result<> SetupLegacyQueue(uint32_t queue, const QueueLayout& layout);
  Result<> SetAddress(uint32_t offset, uint64_t address);
  void Forget();

  // Interrupts (pci_interrupts.cc)
  bool UsesMsix() const;
  uint16_t PlannedVector(std::optional<uint32_t> queue) const;
  Result<> EnableMsix(bool on);
  Result<> ProgramVector(uint16_t vector);
  Result<> MapConfigVector();
  Result<uint16_t> MapQueueVector(uint32_t queue);
  void SetInterruptAbilities();
  void Collect();
  void CollectLine();

  std::unique_ptr<PciFunction> function_;
  PciLayout layout_;
  std::optional<VirtioCapability> common_, notify_, isr_, device_, window_;
  std::string undrivable_;  // why it cannot be driven; "" if it can
  DeviceIdentity identity_;
  Abilities abilities_;
  Interface interface_ = Interface::kModern;
  bool msix_enabled_ = false;

  FeatureSet accepted_;
  std::map<uint32_t, Queue> queues_;  // those looked at since the last reset
  std::string plan_;
  bool handler_ = true;
  bool config_mapped_ = false;   // since the last reset
  bool config_changed_ = false;  // on purpose, since the last reset
  uint16_t config_vector_ = virtio_pci::kNoVector;
  // The queues that notify by a vector, or under NO_VECTOR those that do by the line; kept over a
  // reset, so that what comes late has an owner.
  std::map<uint16_t, std::set<uint32_t>> vector_queues_;
  std::set<uint16_t> programmed_;  // MSI-X table entries
  std::map<uint32_t, uint64_t> queue_notifications_;
  uint64_t config_notifications_ = 0;
  std::map<uint32_t, uint64_t> messages_;  // by vector
};

}  // namespace vitro
