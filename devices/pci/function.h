// SPDX-License-Identifier: Apache-2.0
// Function: a core-level virtio device as a whole PCI function (4.1). It sends every access to the
// part that answers it: configuration space, the structures in the BARs, the window.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "devices/pci/common_config.h"
#include "devices/pci/config_space.h"
#include "devices/pci/device_side.h"
#include "devices/pci/function_options.h"
#include "devices/pci/interrupts.h"
#include "devices/pci/layout.h"
#include "devices/pci/legacy.h"
#include "devices/pci/window.h"

namespace vitro::pcidev {

class SriovOwner;

class Function {
 public:
  // A device of `core` inside a function; nullptr, with the reason in host->log, if it refuses.
  static std::unique_ptr<Function> Create(const vitro_device_ops* core, const vitro_host* host,
                                          const char* options);
  // A virtual function, which is reached through its physical one alone.
  static std::unique_ptr<Function> CreateVirtual(const vitro_device_ops* core,
                                                 const vitro_host* host, FunctionOptions options,
                                                 const std::string& core_options);
  ~Function();
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;

  // The operations of the C ABI.
  void Identity(vitro_identity* identity) const;
  bool Run();
  bool StimulateConfigChange();
  uint32_t ConfigRead(uint32_t offset, uint32_t width);
  void ConfigWrite(uint32_t offset, uint32_t width, uint32_t value);
  bool BarRead(uint32_t bar, uint64_t offset, uint32_t width, uint64_t& value);
  bool BarWrite(uint32_t bar, uint64_t offset, uint32_t width, uint64_t value);

  // For the owner of a virtual function.
  DeviceSide& side() { return *side_; }
  LegacyConfig& legacy() { return *legacy_; }
  Interrupts& interrupts() { return *interrupts_; }
  ConfigSpace& space() { return space_; }
  const FunctionLayout& layout() const { return layout_; }
  void ResetDevice();
  void ResetFunction();
  // Called after each of the two.
  void OnReset(std::function<void()> then) { on_reset_ = std::move(then); }

 private:
  Function(const vitro_device_ops* core, const vitro_host* host, FunctionOptions options);
  bool Start(const std::string& core_options);
  vitro_host MakeInnerHost();

  const Region* Find(uint32_t bar, uint64_t offset, uint32_t width) const;
  bool Decodes(uint32_t bar) const;
  bool Read(uint32_t bar, uint64_t offset, uint32_t width, bool window, uint64_t& value);
  bool Write(uint32_t bar, uint64_t offset, uint32_t width, uint64_t value);
  uint64_t ReadIsr(uint64_t offset, bool window);
  void Doorbell(uint64_t offset, uint32_t width, uint64_t value);
  void ReadWindow();
  void WriteWindow();
  void AfterConfigWrite(uint32_t offset, uint32_t width, uint32_t value);
  bool MakeOwner(const std::string& core_options);

  const vitro_device_ops* core_;
  const vitro_host* host_;
  const FunctionOptions options_;
  const ref::FaultSwitch& fault_;
  vitro_host inner_host_;
  vitro_device* device_ = nullptr;
  ConfigSpace space_;
  FunctionLayout layout_;
  std::unique_ptr<Interrupts> interrupts_;
  std::unique_ptr<DeviceSide> side_;
  std::unique_ptr<CommonConfig> common_;
  std::unique_ptr<LegacyConfig> legacy_;
  std::unique_ptr<ConfigWindow> window_;
  std::unique_ptr<SriovOwner> owner_;  // with option vfs
  std::vector<uint8_t> shared_memory_;
  std::function<void()> on_reset_;
};

}  // namespace vitro::pcidev
