// SPDX-License-Identifier: Apache-2.0
// DirectPciFunction: a PCI function in this process or as good as there, behind vitro_pci_ops of
// devices/abi/vitro_device.h, and the bus that it is on: BARs answer where they were mapped and
// while the function decodes them, each message is counted.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "harness/transport/direct/direct_carrier.h"
#include "harness/transport/pci/pci_function.h"
#include "harness/virtio/pci.h"

namespace vitro {

class DirectPciFunction : public DirectCarrier<PciFunction> {
 public:
  // As DirectDevice::Create().
  static Result<std::unique_ptr<DirectPciFunction>> Create(
      const vitro_device_ops* ops, const std::string& options, GuestMemory& memory,
      std::shared_ptr<RemoteDevice> remote = nullptr);

  ~DirectPciFunction() override { Close(); }

  Result<uint32_t> ReadConfig(uint32_t offset, uint32_t width) override;
  Result<> WriteConfig(uint32_t offset, uint32_t width, uint32_t value) override;
  Result<uint64_t> ReadBar(unsigned bar, uint64_t offset, uint32_t width) override;
  Result<> WriteBar(unsigned bar, uint64_t offset, uint32_t width, uint64_t value) override;
  void BarMapped(unsigned bar, uint64_t address, bool io) override;

  Message MessageOf(unsigned slot) const override;
  uint64_t TakeMessages(unsigned slot) override;
  uint64_t TakeStrayMessages() override {
    device().TakeIn();
    return stray_messages_.exchange(0);
  }

 private:
  struct Bar {
    bool mapped = false, io = false;
  };

  DirectPciFunction();
  void MessageSent(uint64_t address, uint32_t data);
  // kRefused unless the BAR was mapped.
  Result<> CheckMapped(unsigned bar) const;
  // Has the function been told to answer there?
  bool Decodes(unsigned bar) const;

  std::vector<std::atomic<uint64_t>> messages_;
  std::atomic<uint64_t> stray_messages_ = 0;
  std::array<Bar, pci::kBars> bars_{};
};

}  // namespace vitro
