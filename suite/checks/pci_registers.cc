// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/pci_registers.h"

#include <algorithm>
#include <map>

#include "harness/transport/interrupt_plans.h"

namespace vitro {

namespace common = virtio_pci::common;

const PciLayout& LayoutOf(Context& c) {
  const PciLayout* layout = c.session().transport().pci();
  if (layout == nullptr) c.NotObservable("the attachment shows no PCI function");
  return *layout;
}

uint64_t ReadPci(Context& c, uint32_t offset, uint32_t width) {
  return c.Do(op::ReadRegister{"pci", offset, width}).value;
}

void WritePci(Context& c, uint32_t offset, uint32_t width, uint64_t value) {
  c.Do(op::WriteRegister{"pci", offset, width, value});
}

uint64_t ReadCommon(Context& c, uint32_t offset, uint32_t width) {
  return c.Do(op::ReadRegister{"common", offset, width}).value;
}

void WriteCommon(Context& c, uint32_t offset, uint32_t width, uint64_t value) {
  c.Do(op::WriteRegister{"common", offset, width, value});
}

void SelectQueue(Context& c, uint32_t queue) { WriteCommon(c, common::kQueueSelect, 2, queue); }

uint64_t QueueRead(Context& c, uint32_t queue, uint32_t offset, uint32_t width) {
  SelectQueue(c, queue);
  return ReadCommon(c, offset, width);
}

void QueueWrite(Context& c, uint32_t queue, uint32_t offset, uint32_t width, uint64_t value) {
  SelectQueue(c, queue);
  WriteCommon(c, offset, width, value);
}

void FindDevice(Context& c) {
  RequireCommon(c);
  c.Reset();
  c.AcknowledgeAndDriver();
}

void NegotiatePlain(Context& c, FeatureSet with) {
  FindDevice(c);
  c.Offered();
  if (!c.Negotiate(c.DefaultFeatures(with))) c.NotApplicable("the device refused the features");
}

void NegotiateAll(Context& c) {
  FindDevice(c);
  if (c.Negotiate(c.Offered().Without(feature::kAccessPlatform))) return;
  NegotiatePlain(c);
}

AdminQueueRange AdminQueues(Context& c) {
  AdminQueueRange range;
  if (!c.facts().offered.Has(feature::kAdminVq) || !HasCommon(c, common::kAdminQueueNum, 2))
    return range;
  NegotiatePlain(c, {feature::kAdminVq});
  range.index = static_cast<uint32_t>(ReadCommon(c, common::kAdminQueueIndex, 2));
  range.count = static_cast<uint32_t>(ReadCommon(c, common::kAdminQueueNum, 2));
  c.Reset();
  return range;
}

void RequireCommon(Context& c) {
  if (LayoutOf(c).Usable(virtio_pci::kCommonCfg) == nullptr)
    c.NotApplicable("the function has no common configuration structure within a BAR");
}

bool HasCommon(Context& c, uint32_t offset, uint32_t width) {
  const VirtioCapability* structure = LayoutOf(c).Usable(virtio_pci::kCommonCfg);
  return structure != nullptr && structure->length >= uint64_t{offset} + width;
}

void FunctionLevelReset(Context& c) {
  const auto express = LayoutOf(c).express;
  if (!express) c.NotApplicable("the function has no PCI Express capability");
  if ((ReadPci(c, *express + pci::kExpressDeviceCapabilities, 4) & pci::kExpressFlrCapable) == 0)
    c.NotApplicable("the function has no function level reset");
  std::map<uint32_t, uint64_t> bars;
  for (uint32_t bar = pci::kBar0; bar < pci::kBar0 + 4 * pci::kBars; bar += 4)
    bars[bar] = ReadPci(c, bar, 4);
  const uint64_t command = ReadPci(c, pci::kCommand, 2);
  const uint64_t control = ReadPci(c, *express + pci::kExpressDeviceControl, 2);
  WritePci(c, *express + pci::kExpressDeviceControl, 2, control | pci::kExpressInitiateFlr);
  // It is given 100 ms; until then it may not answer.
  c.Do(op::WaitRegister{"pci", pci::kVendorId, 2, UINT16_MAX, virtio_pci::kVendorId});
  c.Do(op::Quiesce{});
  for (const auto& [at, value] : bars) WritePci(c, at, 4, value);
  WritePci(c, pci::kCommand, 2, command);
}

std::string BarRegion(unsigned bar) { return fmt::format("bar{}", bar); }

uint64_t StructureRead(Context& c, const VirtioCapability& structure, uint64_t offset,
                       uint32_t width) {
  return c.Do(op::ReadRegister{BarRegion(structure.bar), structure.offset + offset, width}).value;
}

void StructureWrite(Context& c, const VirtioCapability& structure, uint64_t offset, uint32_t width,
                    uint64_t value) {
  c.Do(op::WriteRegister{BarRegion(structure.bar), structure.offset + offset, width, value});
}

const std::vector<CommonRegister>& CommonRegisters() {
  static const std::vector<CommonRegister> registers = {
      {common::kDeviceFeatureSelect, 4, "device_feature_select", true, false},
      {common::kDeviceFeature, 4, "device_feature", false, false},
      {common::kDriverFeatureSelect, 4, "driver_feature_select", true, false},
      {common::kDriverFeature, 4, "driver_feature", true, false},
      {common::kConfigMsixVector, 2, "config_msix_vector", true, false},
      {common::kNumQueues, 2, "num_queues", false, false},
      {common::kDeviceStatus, 1, "device_status", true, false},
      {common::kConfigGeneration, 1, "config_generation", false, false},
      {common::kQueueSelect, 2, "queue_select", true, false},
      {common::kQueueSize, 2, "queue_size", true, true},
      {common::kQueueMsixVector, 2, "queue_msix_vector", true, true},
      {common::kQueueEnable, 2, "queue_enable", true, true},
      {common::kQueueNotifyOff, 2, "queue_notify_off", false, true},
      {common::kQueueDesc, 4, "queue_desc (low half)", true, true},
      {common::kQueueDesc + 4, 4, "queue_desc (high half)", true, true},
      {common::kQueueDriver, 4, "queue_driver (low half)", true, true},
      {common::kQueueDriver + 4, 4, "queue_driver (high half)", true, true},
      {common::kQueueDevice, 4, "queue_device (low half)", true, true},
      {common::kQueueDevice + 4, 4, "queue_device (high half)", true, true},
  };
  return registers;
}

std::vector<uint32_t> QueuesToTry(uint32_t count) {
  constexpr uint32_t kMost = 16;
  std::vector<uint32_t> queues;
  for (uint32_t queue = 0; queue < std::min(count, kMost); ++queue) queues.push_back(queue);
  if (count > kMost) queues.push_back(count - 1);
  return queues;
}

PciWindow::PciWindow(Context& c) : c_(c) {
  const auto windows = LayoutOf(c).All(virtio_pci::kPciCfg);
  if (windows.empty()) c.NotApplicable("the function has no configuration access capability");
  position_ = windows.front()->position;
}

void PciWindow::Aim(unsigned bar, uint64_t offset, uint32_t length) {
  length_ = length;
  WritePci(c_, position_ + virtio_pci::kCapBar, 1, bar);
  WritePci(c_, position_ + virtio_pci::kCapStructLength, 4, length);
  WritePci(c_, position_ + virtio_pci::kCapOffset, 4, offset);
}

uint64_t PciWindow::Read(uint32_t width) {
  return ReadPci(c_, position_ + virtio_pci::kCapPciData, width == 0 ? length_ : width);
}

void PciWindow::Write(uint64_t value, uint32_t width) {
  WritePci(c_, position_ + virtio_pci::kCapPciData, width == 0 ? length_ : width, value);
}

void RegisterDriver::Reset() {
  Write(common::kDeviceStatus, 1, 0);
  c_.Do(
      op::WaitRegister{BarRegion(common_.bar), common_.offset + common::kDeviceStatus, 1, 0xff, 0});
}

bool RegisterDriver::Begin(FeatureSet features) {
  Reset();
  Write(common::kDeviceStatus, 1, status::kAcknowledge);
  Write(common::kDeviceStatus, 1, status::kAcknowledge | status::kDriver);
  for (uint32_t select = 0; select < 4; ++select) {
    const uint64_t word = features.word(select / 2) >> (32 * (select % 2)) & UINT32_MAX;
    if (select > 1 && word == 0) continue;
    Write(common::kDriverFeatureSelect, 4, select);
    Write(common::kDriverFeature, 4, word);
  }
  Write(common::kDeviceStatus, 1, status::kAcknowledge | status::kDriver | status::kFeaturesOk);
  return (Read(common::kDeviceStatus, 1) & status::kFeaturesOk) != 0;
}

void RegisterDriver::SetupQueue(const op::SetupQueue& setup) {
  Write(common::kQueueSelect, 2, setup.queue);
  Write(common::kQueueSize, 2, setup.size);
  for (const auto& [offset, address] : {std::pair(common::kQueueDesc, setup.desc),
                                        {common::kQueueDriver, setup.driver},
                                        {common::kQueueDevice, setup.device}}) {
    Write(offset, 4, address & UINT32_MAX);
    Write(offset + 4, 4, address >> 32);
  }
  Write(common::kQueueEnable, 2, 1);
}

void RegisterDriver::DriverOk() {
  Write(common::kDeviceStatus, 1,
        status::kAcknowledge | status::kDriver | status::kFeaturesOk | status::kDriverOk);
}

void RegisterDriver::Notify(uint32_t queue) {
  Write(common::kQueueSelect, 2, queue);
  const uint64_t off = Read(common::kQueueNotifyOff, 2);
  StructureWrite(c_, notify_, off * notify_.notify_off_multiplier, 2, queue);
}

std::vector<op::SetupQueue> UpForRegisters(Context& c, FeatureSet with,
                                           std::vector<uint32_t> queues) {
  c.Up({.with = with});
  c.Reset();
  c.Do(op::Interrupts{std::string(interrupts::kPolling)});
  c.AcknowledgeAndDriver();
  c.Offered();
  if (!c.Negotiate(c.DefaultFeatures(with))) c.NotApplicable("the device refused the features");
  if (queues.empty())
    for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) queues.push_back(queue);
  std::vector<op::SetupQueue> setups;
  for (uint32_t queue : queues) setups.push_back(c.SetupQueue(queue));
  c.DriverOk();
  return setups;
}

}  // namespace vitro
