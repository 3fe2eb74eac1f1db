// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/function.h"

#include <algorithm>

#include "devices/pci/sriov_owner.h"
#include "devices/ref/faults.h"
#include "harness/base/bytes.h"
#include "harness/virtio/pci.h"

namespace vitro::pcidev {

Function::Function(const vitro_device_ops* core, const vitro_host* host, FunctionOptions options)
    : core_(core),
      host_(host),
      options_(options),
      fault_(options_.fault),
      inner_host_(MakeInnerHost()) {}

Function::~Function() {
  if (device_ != nullptr) core_->destroy(device_);
}

// Memory and log are the outer host's; notifications become interrupts.
vitro_host Function::MakeInnerHost() {
  vitro_host inner{};
  inner.size = sizeof inner;
  inner.abi_version = VITRO_ABI_VERSION;
  inner.context = this;
  inner.read = [](void* self, uint64_t address, void* to, uint64_t length) {
    const vitro_host* host = static_cast<Function*>(self)->host_;
    return host->read(host->context, address, to, length);
  };
  inner.write = [](void* self, uint64_t address, const void* from, uint64_t length) {
    const vitro_host* host = static_cast<Function*>(self)->host_;
    return host->write(host->context, address, from, length);
  };
  inner.map = [](void* self, uint64_t address, uint64_t length) {
    const vitro_host* host = static_cast<Function*>(self)->host_;
    return host->map(host->context, address, length);
  };
  inner.log = [](void* self, const char* line) {
    const vitro_host* host = static_cast<Function*>(self)->host_;
    host->log(host->context, line);
  };
  inner.signal_queue = [](void* self, uint16_t queue) {
    auto& function = *static_cast<Function*>(self);
    if (function.interrupts_) function.interrupts_->SignalQueue(queue);
  };
  inner.signal_config = [](void* self) {
    auto& function = *static_cast<Function*>(self);
    if (!function.interrupts_) return;
    function.side_->ConfigSignalled();
    function.interrupts_->SignalConfig();
  };
  inner.send_message = [](void*, uint64_t, uint32_t) {};
  inner.set_line = [](void*, int) {};
  return inner;
}

std::unique_ptr<Function> Function::Create(const vitro_device_ops* core, const vitro_host* host,
                                           const char* options) {
  std::string rest, problem;
  FunctionOptions parsed = FunctionOptions::Split(options == nullptr ? "" : options, rest, problem);
  if (!problem.empty()) {
    host->log(host->context, problem.c_str());
    return nullptr;
  }
  std::unique_ptr<Function> function(new Function(core, host, parsed));
  return function->Start(rest) ? std::move(function) : nullptr;
}

std::unique_ptr<Function> Function::CreateVirtual(const vitro_device_ops* core,
                                                  const vitro_host* host, FunctionOptions options,
                                                  const std::string& core_options) {
  options.vfs = 0;
  options.intx = false;  // as all virtual functions
  options.virtual_function = true;
  std::unique_ptr<Function> function(new Function(core, host, options));
  return function->Start(core_options) ? std::move(function) : nullptr;
}

bool Function::MakeOwner(const std::string& core_options) {
  if (side_->identity().admin_queue_count != 0) {
    host_->log(host_->context, "option 'vfs': the device has administration virtqueues of its own");
    return false;
  }
  // Members are driven through their legacy interface.
  const std::string options = core_options + (core_options.empty() ? "legacy=1" : ",legacy=1");
  owner_ = SriovOwner::Create(core_, host_, &inner_host_, side_->queue_count(), options_, options);
  if (owner_ != nullptr) side_->AddAdminQueue(owner_->queue());
  return owner_ != nullptr;
}

bool Function::Start(const std::string& core_options) {
  if (core_->create(&inner_host_, core_options.c_str(), &device_) != 0) {
    device_ = nullptr;
    return false;
  }
  side_ = std::make_unique<DeviceSide>(core_, device_, options_);
  if (options_.vfs != 0 && !MakeOwner(core_options)) return false;
  std::string problem;
  layout_ =
      FunctionLayout::Make(options_, side_->identity(), side_->queue_count(), space_, problem);
  if (!problem.empty()) {
    host_->log(host_->context, problem.c_str());
    return false;
  }
  window_ = std::make_unique<ConfigWindow>(space_, fault_, layout_.window);
  interrupts_ = std::make_unique<Interrupts>(host_, fault_, options_.intx, layout_.vectors,
                                             side_->queue_count());
  side_->SetInterrupts(interrupts_.get());
  common_ = std::make_unique<CommonConfig>(*side_, *interrupts_, options_);
  legacy_ = std::make_unique<LegacyConfig>(*side_, *interrupts_, options_);
  for (const Region& region : layout_.regions) {
    if (region.kind == RegionKind::kSharedMemory) shared_memory_.resize(region.length);
    if (region.kind == RegionKind::kLegacyNotify) owner_->group().SetNotifyAddress(region.offset);
  }
  return true;
}

void Function::Identity(vitro_identity* identity) const {
  core_->identity(device_, identity);
  if (owner_ == nullptr || identity->size < sizeof *identity) return;
  identity->admin_queue_index = side_->identity().admin_queue_index;
  identity->admin_queue_count = side_->identity().admin_queue_count;
}

// Commands come first, so that they find members at work.
bool Function::Run() {
  if (owner_ == nullptr) return core_->run(device_) == 1;
  if (owner_->queue().Run()) return true;
  const bool any = core_->run(device_) == 1;
  return owner_->RunMembers() || any;
}

bool Function::StimulateConfigChange() { return core_->stimulate_config_change(device_) == 0; }

// Configuration space
// ----------------------------------------------------------------------------------------

uint32_t Function::ConfigRead(uint32_t offset, uint32_t width) {
  if (owner_ != nullptr && offset >= ConfigSpace::kBytes && IsNaturalAccess(offset, width, 4))
    return owner_->ConfigRead(offset, width);
  const uint32_t ones = width >= 4 ? UINT32_MAX : (1u << 8 * width) - 1;
  const bool good = (width == 1 || width == 2 || width == 4) && offset % width == 0 &&
                    offset <= ConfigSpace::kBytes - width;
  if (!good || fault_("reads-all-ones")) return ones;
  if (window_->Covers(offset, width)) ReadWindow();
  const uint16_t status = static_cast<uint16_t>(space_.Read(pci::kStatus, 2));
  const int bit = interrupts_->InterruptStatus() ? pci::kStatusInterrupt : 0;
  space_.Store(pci::kStatus, 2, (status & ~pci::kStatusInterrupt) | bit);
  const uint32_t value = space_.Read(offset, width);
  const uint32_t counter = layout_.vendor + 11u;
  if (fault_("vendor-cap-read-counts") && offset <= counter && offset + width > layout_.vendor)
    space_.Store(counter, 1, space_.Read(counter, 1) + 1);
  return value;
}

void Function::ConfigWrite(uint32_t offset, uint32_t width, uint32_t value) {
  if (!IsNaturalAccess(offset, width, 4)) return;
  if (owner_ != nullptr && offset >= ConfigSpace::kBytes)
    return owner_->ConfigWrite(offset, width, value);
  if (offset > ConfigSpace::kBytes - width) return;
  space_.Write(offset, width, value);
  AfterConfigWrite(offset, width, value);
}

void Function::AfterConfigWrite(uint32_t offset, uint32_t width, uint32_t value) {
  interrupts_->SetCommand(static_cast<uint16_t>(space_.Read(pci::kCommand, 2)));
  if (layout_.msix != 0)
    interrupts_->SetMsixControl(
        static_cast<uint16_t>(space_.Read(layout_.msix + pci::kMsixControl, 2)));
  if (window_->Covers(offset, width)) {
    window_->MergeData(offset, width, value);
    WriteWindow();
  }
  if (layout_.sriov != 0)
    owner_->SetControl(static_cast<uint16_t>(space_.Read(layout_.sriov + pci::sriov::kControl, 2)),
                       static_cast<uint16_t>(space_.Read(layout_.sriov + pci::sriov::kNumVfs, 2)));
  // The bit reads 0 always.
  const uint32_t control = layout_.express + pci::kExpressDeviceControl + 1;
  if (layout_.express != 0 && offset <= control && control < offset + width &&
      (value >> 8 * (control - offset) & pci::kExpressInitiateFlr >> 8) &&
      !fault_("flr-keeps-state"))
    ResetFunction();
}

void Function::ReadWindow() {
  const auto [bar, offset, width] = window_->Target();
  if (width == 0) return;
  uint64_t value = UINT64_MAX;
  Read(bar, fault_("window-read-fixed") ? 0 : offset, width, true, value);
  window_->SetData(static_cast<uint32_t>(value), width);
}

void Function::WriteWindow() {
  const auto [bar, offset, width] = window_->Target();
  if (width == 0 || fault_("window-write-lost")) return;
  Write(bar, offset, width, window_->Data() & ByteMask(width));
}

// BARs
// ----------------------------------------------------------------------------------------

bool Function::Decodes(uint32_t bar) const {
  const uint32_t command = space_.Read(pci::kCommand, 2);
  return command & (layout_.bar_io[bar] ? pci::kCommandIo : pci::kCommandMemory);
}

bool Function::BarRead(uint32_t bar, uint64_t offset, uint32_t width, uint64_t& value) {
  if (bar >= pci::kBars || !Decodes(bar) || fault_("reads-all-ones")) return false;
  return Read(bar, offset, width, false, value);
}

bool Function::BarWrite(uint32_t bar, uint64_t offset, uint32_t width, uint64_t value) {
  return bar < pci::kBars && Decodes(bar) && Write(bar, offset, width, value);
}

const Region* Function::Find(uint32_t bar, uint64_t offset, uint32_t width) const {
  for (const Region& region : layout_.regions)
    if (region.bar == bar && offset >= region.offset && width <= region.length &&
        offset - region.offset <= region.length - width)
      return &region;
  return nullptr;
}

uint64_t Function::ReadIsr(uint64_t offset, bool window) {
  if (offset != 0) return 0;
  return window && fault_("window-isr-not-cleared") ? interrupts_->PeekIsr()
                                                    : interrupts_->TakeIsr();
}

bool Function::Read(uint32_t bar, uint64_t offset, uint32_t width, bool window, uint64_t& value) {
  const Region* region = Find(bar, offset, width);
  if (region == nullptr && fault_("bar-gap-crash")) ref::Crash();
  if (region == nullptr) return false;
  offset -= region->offset;
  switch (region->kind) {
    case RegionKind::kLegacy:
      return legacy_->Read(offset, width, value);
    case RegionKind::kCommon:
      value = common_->Read(offset, width);
      return true;
    case RegionKind::kIsr:
      value = ReadIsr(offset, window);
      return true;
    case RegionKind::kDevice:
      return side_->ReadConfig(offset, width, value);
    case RegionKind::kNotify:
    case RegionKind::kLegacyNotify:
      value = 0;
      return true;
    case RegionKind::kTable:
      value = interrupts_->ReadTable(offset, width);
      return true;
    case RegionKind::kPending:
      value = interrupts_->ReadPending(offset, width);
      return true;
    case RegionKind::kSharedMemory:
      value = LoadLe(ByteView(&shared_memory_[offset], width));
      return true;
  }
  return false;
}

bool Function::Write(uint32_t bar, uint64_t offset, uint32_t width, uint64_t value) {
  const Region* region = Find(bar, offset, width);
  if (region == nullptr) return false;
  offset -= region->offset;
  switch (region->kind) {
    case RegionKind::kLegacy: {
      const bool answered = legacy_->Write(offset, width, value);
      if (legacy_->TakeResetRequest()) ResetDevice();
      return answered;
    }
    case RegionKind::kCommon:
      if (fault_("second-caps-dead") && bar != kMainBar) return true;
      common_->Write(offset, width, value);
      if (common_->TakeResetRequest()) ResetDevice();
      return true;
    case RegionKind::kDevice:
      return side_->WriteConfig(offset, width, value);
    case RegionKind::kNotify:
      Doorbell(offset, width, value);
      return true;
    case RegionKind::kLegacyNotify:
      owner_->LegacyNotify(offset, width, value);
      return true;
    case RegionKind::kTable:
      interrupts_->WriteTable(offset, width, value);
      return true;
    case RegionKind::kSharedMemory:
      for (uint32_t i = 0; i < width; ++i)
        shared_memory_[offset + i] = static_cast<uint8_t>(value >> 8 * i);
      return true;
    case RegionKind::kIsr:
    case RegionKind::kPending:
      return true;  // read-only
  }
  return false;
}

// Both address and value must name the queue: a driver that gets either wrong is not served.
void Function::Doorbell(uint64_t offset, uint32_t width, uint64_t value) {
  if (width != 2 && width != 4) return;
  const bool data = side_->Negotiated(feature::kNotificationData);
  if (data && width == 4 && fault_("notification-data-ignored")) return;
  const auto named = static_cast<uint16_t>(value);
  if (fault_("notify-multiplier-ignored")) return side_->Notify(0);
  if (layout_.multiplier != 0) {
    const uint64_t queue = offset / layout_.multiplier;
    if (offset % layout_.multiplier == 0 && queue < side_->queue_count() &&
        side_->NotificationValue(static_cast<uint32_t>(queue)) == named)
      side_->Notify(static_cast<uint32_t>(queue));
    return;
  }
  for (uint32_t queue = 0; queue < side_->queue_count(); ++queue)
    if (offset == 0 && side_->NotificationValue(queue) == named) return side_->Notify(queue);
}

// Resets
// ----------------------------------------------------------------------------------------

void Function::ResetDevice() {
  side_->Reset();
  common_->Reset();
  legacy_->Reset();
  if (on_reset_) on_reset_();
}

void Function::ResetFunction() {
  ResetDevice();
  space_.Reset();
  interrupts_->FunctionReset();
  if (owner_ != nullptr) owner_->SetControl(0, 0);
  std::fill(shared_memory_.begin(), shared_memory_.end(), uint8_t{0});
}

}  // namespace vitro::pcidev
