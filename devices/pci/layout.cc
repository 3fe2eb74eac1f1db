// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "harness/base/bytes.h"

namespace vitro::pcidev {
namespace {

constexpr unsigned kLegacyBar = 0, kMsixBar = 1, kSharedBar = 2;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kSharedBytes = 0x1000;  // of each of the two regions
constexpr uint32_t kIsrBytes = 4;
constexpr uint16_t kSubsystemVendor = 0x5654, kSubsystem = 0x1100, kVendorData = 0x5654;
constexpr uint32_t kClassOther = 0xff0000;

uint64_t PageUp(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

class Builder {
 public:
  Builder(const FunctionOptions& options, const vitro_identity& identity, uint32_t queues,
          ConfigSpace& space)
      : options_(options),
        fault_(options.fault),
        identity_(identity),
        queues_(queues),
        space_(space) {}

  FunctionLayout Build(std::string& problem) {
    layout_.multiplier = options_.multiplier;
    layout_.vectors = options_.msix_vectors.value_or(std::min(queues_ + 1, 2048u));
    PutIds(problem);
    PutBars();
    PutCapabilities();
    if (full_ && problem.empty())
      problem = "the capabilities asked for do not fit into one configuration space";
    space_.Seal();
    return std::move(layout_);
  }

 private:
  // Ids (4.1.2)
  uint16_t PciDeviceId() const {
    if (fault_("device-id-out-of-range")) return 0x1080;
    if (fault_("device-id-of-no-type")) return virtio_pci::kModernIdBase;
    const uint32_t shift = fault_("pci-device-id-wrong") ? 1 : 0;
    if (options_.transitional) {
      for (const auto& each : virtio_pci::kTransitionalIds)
        if (each.device_id == identity_.device_id)
          return static_cast<uint16_t>(each.pci_device_id + shift);
      return static_cast<uint16_t>(virtio_pci::kTransitionalLast - shift);
    }
    // Types beyond the range have no id over PCI; the subsystem id tells them.
    const uint32_t id = virtio_pci::kModernIdBase + identity_.device_id + shift;
    return static_cast<uint16_t>(std::min<uint32_t>(id, virtio_pci::kLastModernId));
  }

  uint16_t SubsystemId() const {
    const bool nameless =
        identity_.device_id > virtio_pci::kLastModernId - virtio_pci::kModernIdBase;
    if (fault_("subsystem-id-low") ||
        (options_.virtual_function && fault_("sriov-vf-subsystem-low")))
      return 0x3f;
    if (fault_("legacy-subsystem-wrong")) return static_cast<uint16_t>(identity_.device_id + 1);
    if (options_.transitional || nameless) return static_cast<uint16_t>(identity_.device_id);
    return kSubsystem;
  }

  void PutIds(std::string& problem) {
    if (options_.transitional && identity_.device_id > UINT16_MAX)
      problem = fmt::format("device type {} does not fit a subsystem id", identity_.device_id);
    const bool member_only = options_.virtual_function && fault_("sriov-vf-revision-zero");
    const bool first_revision = options_.transitional || fault_("revision-zero") || member_only;
    space_.Put(pci::kVendorId, 2, virtio_pci::kVendorId + (fault_("pci-vendor-id-wrong") ? 1 : 0));
    space_.Put(pci::kDeviceId, 2, PciDeviceId());
    if (options_.virtual_function) space_.Put(pci::kVendorId, 4, UINT32_MAX);  // as SR-IOV has it
    space_.Put(pci::kRevisionId, 1, first_revision && !fault_("legacy-revision-1") ? 0 : 1);
    space_.Put(pci::kClassCode, 3, kClassOther);
    space_.Put(pci::kSubsystemVendorId, 2, kSubsystemVendor);
    space_.Put(pci::kSubsystemDeviceId, 2, SubsystemId());
    space_.Put(pci::kInterruptPin, 1, options_.intx ? 1 : 0);
  }

  // BARs and the structures in them
  const Region& Add(RegionKind kind, unsigned bar, uint64_t offset, uint64_t length) {
    layout_.regions.push_back({kind, bar, offset, length});
    return layout_.regions.back();
  }

  void Bar(unsigned index, uint64_t bytes, uint32_t flags) {
    const uint64_t least = flags & pci::kBarIo ? 32 : kPage;
    const uint64_t size = std::bit_ceil(std::max(bytes, least));
    layout_.bar_sizes[index] = size;
    layout_.bar_io[index] = flags & pci::kBarIo;
    // Those of virtual functions are in the SR-IOV capability.
    if (options_.virtual_function) return;
    space_.AddBar(index, size, flags, !(index == kMainBar && fault_("bar-never-maps")));
  }

  uint64_t NotifyBytes() const {
    const uint64_t last = queues_ == 0 ? 0 : uint64_t{queues_ - 1} * options_.multiplier;
    return last + 4;
  }

  void PutBars() {
    if (options_.transitional && !fault_("legacy-bar-missing")) {
      const uint64_t bytes = virtio_pci::legacy::kBytesWithMsix + identity_.config_size;
      Bar(kLegacyBar, bytes, pci::kBarIo);
      Add(RegionKind::kLegacy, kLegacyBar, 0, bytes);
    }
    PutMsixBar();
    if (options_.shared_memory) {
      Bar(kSharedBar, 2 * kSharedBytes, pci::kBarType64 | 8);
      Add(RegionKind::kSharedMemory, kSharedBar, 0, 2 * kSharedBytes);
    }
    const uint64_t common = fault_("common-cap-unaligned") ? 2 : 0;
    const uint64_t device = 2 * kPage + (fault_("device-cap-unaligned") ? 2 : 0);
    const uint64_t notify =
        PageUp(device + identity_.config_size) + (fault_("notify-cap-odd") ? 1 : 0);
    Add(RegionKind::kCommon, kMainBar, common, virtio_pci::common::kBytes);
    Add(RegionKind::kIsr, kMainBar, kPage, kIsrBytes);
    if (identity_.config_size != 0)
      Add(RegionKind::kDevice, kMainBar, device, identity_.config_size);
    Add(RegionKind::kNotify, kMainBar, notify, NotifyBytes());
    uint64_t end = notify + NotifyBytes();
    if (options_.vfs != 0) {
      const uint64_t bytes = options_.vfs * kLegacyNotifyStride;
      end = Add(RegionKind::kLegacyNotify, kMainBar, PageUp(end), bytes).offset + bytes;
    }
    Bar(kMainBar, end, pci::kBarType64);
  }

  // Also the place of the second structures.
  void PutMsixBar() {
    const uint64_t table = uint64_t{layout_.vectors} * pci::kMsixEntryBytes;
    const uint64_t pending = (layout_.vectors + 63) / 64 * 8;
    const uint64_t pending_at = PageUp(table);
    uint64_t end = 0;
    if (layout_.vectors != 0) {
      Add(RegionKind::kTable, kMsixBar, 0, table);
      Add(RegionKind::kPending, kMsixBar, pending_at, pending);
      end = PageUp(pending_at + pending);
    }
    if (options_.second_caps) {
      Add(RegionKind::kCommon, kMsixBar, end, virtio_pci::common::kBytes);
      Add(RegionKind::kIsr, kMsixBar, end + kPage, kIsrBytes);
      Add(RegionKind::kNotify, kMsixBar, end + 2 * kPage, NotifyBytes());
      end += 2 * kPage + NotifyBytes();
    }
    if (end != 0) Bar(kMsixBar, end, 0);
  }

  // Capabilities (4.1.4)
  uint8_t Capability(const Bytes& body) {
    const uint8_t position = space_.AddCapability(body);
    full_ = full_ || position == 0;
    return position;
  }

  uint8_t Structure(uint8_t type, unsigned bar, uint64_t offset, uint64_t length, uint8_t id,
                    const Bytes& extra, uint8_t claimed = 0) {
    Bytes body(virtio_pci::kCapBytes + extra.size());
    std::copy(extra.begin(), extra.end(), body.begin() + virtio_pci::kCapBytes);
    body[0] = pci::kCapVendor;
    body[virtio_pci::kCapLength] = claimed != 0 ? claimed : static_cast<uint8_t>(body.size());
    if (fault_("cap-len-short") && !extra.empty())
      body[virtio_pci::kCapLength] = virtio_pci::kCapBytes;
    body[virtio_pci::kCapType] = type;
    body[virtio_pci::kCapBar] = static_cast<uint8_t>(bar);
    body[virtio_pci::kCapId] = id;
    StoreLe<uint32_t>(&body[virtio_pci::kCapOffset], static_cast<uint32_t>(offset));
    StoreLe<uint32_t>(&body[virtio_pci::kCapStructLength], static_cast<uint32_t>(length));
    return Capability(body);
  }

  void PutStructure(const Region& region) {
    const auto plain = [&](uint8_t type, uint8_t claimed = 0) {
      const bool cut = type == virtio_pci::kCommonCfg && fault_("common-cap-short");
      Structure(type, region.bar, region.offset,
                cut ? virtio_pci::common::kQueueReset : region.length, 0, {}, claimed);
    };
    switch (region.kind) {
      case RegionKind::kCommon:
        if (!fault_("common-cap-missing"))
          plain(virtio_pci::kCommonCfg, fault_("cap-overlap") ? 24 : 0);
        break;
      case RegionKind::kIsr:
        if (fault_("isr-cap-missing")) break;
        if (fault_("cap-outside-bar"))
          Structure(virtio_pci::kIsrCfg, region.bar, uint64_t{1} << 30, kIsrBytes, 0, {});
        plain(virtio_pci::kIsrCfg);
        break;
      case RegionKind::kDevice:
        if (!fault_("device-cap-missing")) plain(virtio_pci::kDeviceCfg);
        break;
      case RegionKind::kNotify:
        if (fault_("notify-cap-missing")) break;
        Structure(virtio_pci::kNotifyCfg, region.bar, region.offset,
                  region.length - (fault_("notify-cap-short") ? 3 : 0), 0,
                  LeBytes(options_.multiplier, 4));
        break;
      default:
        break;
    }
  }

  void PutCapabilities() {
    for (const Region& region : layout_.regions)
      if (region.bar == kMainBar) PutStructure(region);
    for (const Region& region : layout_.regions)
      if (region.bar == kMsixBar) PutStructure(region);
    if (!fault_("pci-cfg-cap-missing")) PutWindow();
    if (options_.shared_memory)
      for (uint32_t i = 0; i < 2; ++i) PutSharedMemory(i);
    if (options_.vendor) PutVendor();
    if (layout_.vectors != 0) PutMsix();
    if (options_.flr) PutExpress();
    if (options_.virtual_function) PutPowerManagement();
    if (options_.vfs != 0 && !fault_("sriov-capability-missing")) PutSriov();
    if (fault_("cap-list-loop")) space_.CloseLoop();
  }

  void PutWindow() {
    layout_.window = Structure(virtio_pci::kPciCfg, 0, 0, 0, 0, Bytes(4));
    const uint32_t at = layout_.window;
    space_.Put(at + virtio_pci::kCapBar, 1, 0, 0xff);
    space_.Put(at + virtio_pci::kCapOffset, 4, 0,
               fault_("window-fields-read-only") ? 0 : UINT32_MAX);
    space_.Put(at + virtio_pci::kCapStructLength, 4, 0, UINT32_MAX);
  }

  void PutSharedMemory(uint32_t index) {
    const bool outside = fault_("shm-outside-bar") && index == 1;
    const auto id = static_cast<uint8_t>(fault_("shm-id-twice") ? 1 : index + 1);
    Structure(virtio_pci::kSharedMemoryCfg, kSharedBar, index * kSharedBytes,
              kSharedBytes * (outside ? 2 : 1), id, Bytes(8));
  }

  void PutVendor() {
    Bytes body{pci::kCapVendor, 0, 12, virtio_pci::kVendorCfg, 0, 0, 'v', 'i', 't', 'r', 'o', 0};
    if (fault_("vendor-cap-odd-length")) body[virtio_pci::kCapLength] = 11;
    StoreLe<uint16_t>(&body[4],
                      fault_("vendor-cap-virtio-id") ? virtio_pci::kVendorId : kVendorData);
    layout_.vendor = Capability(body);
  }

  void PutMsix() {
    const uint64_t pending_at = PageUp(uint64_t{layout_.vectors} * pci::kMsixEntryBytes);
    Bytes body(12);
    body[0] = pci::kCapMsix;
    StoreLe<uint16_t>(&body[pci::kMsixControl], static_cast<uint16_t>(layout_.vectors - 1));
    const uint64_t beyond = fault_("msix-table-outside-bar") ? layout_.bar_sizes[kMsixBar] : 0;
    StoreLe<uint32_t>(&body[pci::kMsixTable], static_cast<uint32_t>(beyond) | kMsixBar);
    StoreLe<uint32_t>(&body[pci::kMsixPba], static_cast<uint32_t>(pending_at) | kMsixBar);
    layout_.msix = Capability(body);
    space_.Put(layout_.msix + pci::kMsixControl, 2, layout_.vectors - 1,
               pci::kMsixEnable | pci::kMsixFunctionMask);
  }

  // Version 1 of the capability, an endpoint.
  void PutExpress() {
    Bytes body(20);
    body[0] = pci::kCapExpress;
    StoreLe<uint16_t>(&body[2], 1);
    StoreLe<uint32_t>(&body[pci::kExpressDeviceCapabilities],
                      pci::kExpressFlrCapable | 1u << 15);  // and role-based error reporting
    StoreLe<uint32_t>(&body[12], 0x11);                     // 2.5 GT/s, one lane
    StoreLe<uint16_t>(&body[18], 0x11);
    layout_.express = Capability(body);
  }

  // Version 3, nothing but D0 and D3hot, and no PME.
  void PutPowerManagement() {
    Bytes body(8);
    body[0] = pci::kCapPowerManagement;
    StoreLe<uint16_t>(&body[2], 3);
    layout_.power = Capability(body);
  }

  void PutSriov() {
    namespace sriov = pci::sriov;
    const uint32_t at = layout_.sriov = pci::kFirstExtended;
    space_.Put(at, 4, pci::kExtendedSrIov | 1u << 16);  // version 1, the last
    space_.Put(at + sriov::kControl, 2, 0, sriov::kVfEnable | sriov::kVfMemoryEnable);
    space_.Put(at + sriov::kInitialVfs, 2, options_.vfs);
    space_.Put(at + sriov::kTotalVfs, 2, options_.vfs);
    space_.Put(at + sriov::kNumVfs, 2, 0, UINT16_MAX);
    space_.Put(at + sriov::kFirstVfOffset, 2, kFirstVfOffset);
    space_.Put(at + sriov::kVfStride, 2, kVfStride);
    space_.Put(at + sriov::kVfDeviceId, 2, space_.Read(pci::kDeviceId, 2));
    space_.Put(at + sriov::kSupportedPageSizes, 4, 1);
    space_.Put(at + sriov::kSystemPageSize, 4, 1, 1);
    // Nothing answers in BARs of virtual functions, of which there are none therefore.
    if (fault_("sriov-vf-bar0")) space_.Put(at + sriov::kVfBar0, 4, 0, 0xfffff000);
  }

  const FunctionOptions& options_;
  const ref::FaultSwitch& fault_;
  const vitro_identity& identity_;
  const uint32_t queues_;
  ConfigSpace& space_;
  FunctionLayout layout_;
  bool full_ = false;
};

}  // namespace

FunctionLayout FunctionLayout::Make(const FunctionOptions& options, const vitro_identity& identity,
                                    uint32_t queues, ConfigSpace& space, std::string& problem) {
  return Builder(options, identity, queues, space).Build(problem);
}

}  // namespace vitro::pcidev
