// SPDX-License-Identifier: Apache-2.0
// Checks of the virtio structure capabilities (4.1.4): which there are, how long they are, where
// what they describe lies, and that each of several structures works.
#include <algorithm>

#include "suite/checks/chapters.h"
#include "suite/checks/pci_registers.h"

namespace vitro {
namespace {

namespace common = virtio_pci::common;

constexpr const char* kCapLen = "dev.pci.virtio-structure-pci-capabilities.1";
constexpr const char* kInBar = "derived.pci.structure-in-bar";
constexpr const char* kLength = "derived.pci.structure-length";
constexpr const char* kEachWorks = "derived.pci.each-structure-works";
constexpr const char* kCommonAligned =
    "dev.pci.pci-device-layout.common-configuration-structure-layout.1";
constexpr const char* kCommonThere =
    "dev.pci.pci-device-layout.common-configuration-structure-layout.2";
constexpr const char* kNotifyThere = "dev.pci.pci-device-layout.notification-capability.1";
constexpr const char* kIsrThere = "dev.pci.pci-device-layout.isr-status-capability.1";
constexpr const char* kDeviceThere = "derived.pci.device-structure";
constexpr const char* kDeviceAligned = "dev.pci.pci-device-layout.device-specific-configuration.1";
constexpr const char* kWindowThere =
    "dev.pci.pci-device-layout.pci-configuration-access-capability.1";
constexpr const char* kSharedInBar = "dev.pci.pci-device-layout.shared-memory-capability.1";
constexpr const char* kSharedIds = "dev.pci.pci-device-layout.shared-memory-capability.2";
constexpr const char* kVendorId = "dev.pci.pci-device-layout.vendor-data-capability.3";
constexpr const char* kVendorSize = "dev.pci.pci-device-layout.vendor-data-capability.4";
constexpr const char* kVendorReads = "dev.pci.pci-device-layout.vendor-data-capability.5";

constexpr uint32_t kVendorIdAt = 4, kVendorLeast = 6;  // struct virtio_pci_vndr_data

std::string Describe(const VirtioCapability& each) {
  switch (each.type) {
    case virtio_pci::kCommonCfg:
      return fmt::format("the common configuration capability at {:#x}", each.position);
    case virtio_pci::kNotifyCfg:
      return fmt::format("the notification capability at {:#x}", each.position);
    case virtio_pci::kIsrCfg:
      return fmt::format("the ISR status capability at {:#x}", each.position);
    case virtio_pci::kDeviceCfg:
      return fmt::format("the device-specific configuration capability at {:#x}", each.position);
    case virtio_pci::kPciCfg:
      return fmt::format("the configuration access capability at {:#x}", each.position);
    case virtio_pci::kSharedMemoryCfg:
      return fmt::format("the shared memory capability at {:#x}", each.position);
    case virtio_pci::kVendorCfg:
      return fmt::format("the vendor data capability at {:#x}", each.position);
    default:
      return fmt::format("the capability of type {} at {:#x}", each.type, each.position);
  }
}

// All of a type; ends the check if there is none.
std::vector<const VirtioCapability*> AllOrEnd(Context& c, uint8_t type, const char* what) {
  const auto all = LayoutOf(c).All(type);
  if (all.empty()) c.NotApplicable(fmt::format("the function has no {}", what));
  return all;
}

// Lengths -----------------------------------------------------------------------------------------

uint32_t LeastCapLen(uint8_t type) {
  switch (type) {
    case virtio_pci::kCommonCfg:
    case virtio_pci::kIsrCfg:
    case virtio_pci::kDeviceCfg:
      return virtio_pci::kCapBytes;
    case virtio_pci::kNotifyCfg:
      return virtio_pci::kCapNotifyMultiplier + 4;
    case virtio_pci::kPciCfg:
      return virtio_pci::kCapPciData + 4;
    case virtio_pci::kSharedMemoryCfg:
      return virtio_pci::kCapStructLengthHigh + 4;
    case virtio_pci::kVendorCfg:
      return kVendorLeast;
    default:
      return 0;  // reserved
  }
}

void CountsItsExtraData(Context& c) {
  if (LayoutOf(c).structures.empty()) c.NotApplicable("the function has no virtio capability");
  for (const VirtioCapability& each : LayoutOf(c).structures) {
    ReadPci(c, each.position + virtio_pci::kCapLength, 1);
    c.Expect(Accept::Range(LeastCapLen(each.type), UINT8_MAX), kCapLen,
             fmt::format("cap_len of {} counts all of the structure", Describe(each)));
  }
}

// Bytes that a driver uses of a structure; 0 where that is for other checks to say.
uint64_t NeededBytes(Context& c, uint8_t type) {
  if (type == virtio_pci::kIsrCfg) return 1;
  if (type == virtio_pci::kNotifyCfg) return 2;
  if (type != virtio_pci::kCommonCfg) return 0;
  const FeatureSet offered = c.facts().offered;
  if (offered.Has(feature::kAdminVq)) return common::kBytes;
  if (offered.Has(feature::kRingReset)) return common::kQueueReset + 2;
  if (offered.Has(feature::kNotifConfigData)) return common::kQueueNotifConfigData + 2;
  return common::kLeastBytes;
}

void IsLongEnough(Context& c) {
  for (const VirtioCapability& each : LayoutOf(c).structures) {
    if (each.type != virtio_pci::kCommonCfg && each.type != virtio_pci::kIsrCfg) continue;
    ReadPci(c, each.position + virtio_pci::kCapStructLength, 4);
    c.Expect(Accept::Range(NeededBytes(c, each.type), UINT32_MAX), kLength,
             fmt::format("the length in {} has room for the registers of the features that are "
                         "offered",
                         Describe(each)));
  }
}

// Reads the lower half of the offset, and judges that `bytes` from there are in the BAR.
void ExpectInBar(Context& c, const VirtioCapability& each, uint64_t bytes, const char* requirement,
                 bool advice) {
  const uint64_t size = LayoutOf(c).bars[each.bar].size;
  const uint64_t high = each.offset >> 32 << 32;
  ReadPci(c, each.position + virtio_pci::kCapOffset, 4);
  const std::string say = fmt::format("{} tells a place within BAR {}, which has {:#x} bytes",
                                      Describe(each), each.bar, size);
  const Accept accept = bytes <= size && high <= size - bytes
                            ? Accept::Range(0, size - bytes - high)
                            : Accept::Range(1, 0);
  advice ? c.Advise(accept, requirement, say) : c.Expect(accept, requirement, say);
}

void LiesInItsBar(Context& c) {
  for (const VirtioCapability& each : LayoutOf(c).structures) {
    if (each.type < virtio_pci::kCommonCfg || each.type > virtio_pci::kDeviceCfg) continue;
    if (each.bar >= pci::kBars) continue;  // reserved: a driver passes it over
    const uint64_t needed = std::max<uint64_t>(1, NeededBytes(c, each.type));
    ExpectInBar(c, each, needed, kInBar, false);
    // What a driver has no use for is not missed, but has no business outside either.
    if (!c.failed() && each.length > needed) ExpectInBar(c, each, each.length, kInBar, true);
  }
}

// Each type ---------------------------------------------------------------------------------------

// Finds the type in the list by operations, so that a program judges it again.
void ExpectThere(Context& c, uint8_t type, const char* requirement, const char* what) {
  const auto all = LayoutOf(c).All(type);
  for (const VirtioCapability* each : all) {
    if (type != virtio_pci::kPciCfg && each->bar >= pci::kBars) continue;
    ReadPci(c, each->position + virtio_pci::kCapType, 1);
    c.Expect(Accept::Equal(type), requirement, fmt::format("the function has {}", what));
    return;
  }
  // There is none to read, so what stands in the others is shown.
  if (LayoutOf(c).structures.empty())
    c.NotApplicable("the function has no virtio capability: it is a legacy device");
  for (const VirtioCapability& each : LayoutOf(c).structures)
    ReadPci(c, each.position + virtio_pci::kCapType, 1);
  c.Expect(Accept::Equal(type), requirement,
           fmt::format("the function has {}, if only in the last place of the list", what));
}

void HasACommonStructure(Context& c) {
  ExpectThere(c, virtio_pci::kCommonCfg, kCommonThere, "a common configuration capability");
}
void HasANotifyStructure(Context& c) {
  ExpectThere(c, virtio_pci::kNotifyCfg, kNotifyThere, "a notification capability");
}
void HasAnIsrStructure(Context& c) {
  ExpectThere(c, virtio_pci::kIsrCfg, kIsrThere, "an ISR status capability");
}
void HasAWindow(Context& c) {
  ExpectThere(c, virtio_pci::kPciCfg, kWindowThere, "a configuration access capability");
}

// Device types of the standard that have fields which every device of the type has.
bool TypeHasConfig(uint32_t device_id) {
  constexpr uint32_t kTypes[] = {2, 5, 8, 16, 18, 19, 20, 23, 24, 25, 26, 27, 28, 41, 45, 48};
  return std::ranges::find(kTypes, device_id) != std::end(kTypes);
}

void HasADeviceStructure(Context& c) {
  if (!TypeHasConfig(c.facts().device_id))
    c.NotApplicable("this device type has no device-specific configuration, or not always");
  ExpectThere(c, virtio_pci::kDeviceCfg, kDeviceThere,
              "a device-specific configuration capability");
}

void ExpectAligned(Context& c, uint8_t type, const char* requirement, const char* what) {
  for (const VirtioCapability* each : AllOrEnd(c, type, what)) {
    ReadPci(c, each->position + virtio_pci::kCapOffset, 4);
    c.Expect(Accept::Masked(3, 0), requirement,
             fmt::format("the offset in {} is a multiple of 4", Describe(*each)));
  }
}

void HasItsCommonStructureAligned(Context& c) {
  ExpectAligned(c, virtio_pci::kCommonCfg, kCommonAligned, "common configuration capability");
}

void HasItsDeviceStructureAligned(Context& c) {
  ExpectAligned(c, virtio_pci::kDeviceCfg, kDeviceAligned,
                "device-specific configuration capability");
}

// Shared memory and vendor data -------------------------------------------------------------------

void HasSharedMemoryInItsBar(Context& c) {
  for (const auto* each : AllOrEnd(c, virtio_pci::kSharedMemoryCfg, "shared memory capability")) {
    if (each->bar >= pci::kBars) continue;
    ExpectInBar(c, *each, each->length, kSharedInBar, false);
  }
}

void HasSharedMemoryIds(Context& c) {
  Accept fresh;
  fresh.expect.kind = "not-in";
  for (const auto* each : AllOrEnd(c, virtio_pci::kSharedMemoryCfg, "shared memory capability")) {
    ReadPci(c, each->position + virtio_pci::kCapId, 1);
    c.Expect(fresh, kSharedIds, fmt::format("the id of {} is its own", Describe(*each)));
    fresh.expect.values.push_back(c.last().value);
  }
}

std::vector<const VirtioCapability*> VendorCapabilities(Context& c) {
  return AllOrEnd(c, virtio_pci::kVendorCfg, "vendor data capability");
}

void HasAnotherVendor(Context& c) {
  for (const auto* each : VendorCapabilities(c)) {
    ReadPci(c, each->position + kVendorIdAt, 2);
    c.Expect(Accept::NotEqual(virtio_pci::kVendorId), kVendorId,
             fmt::format("vendor_id in {} is not 0x1AF4", Describe(*each)));
  }
}

void HasVendorDataInWords(Context& c) {
  for (const auto* each : VendorCapabilities(c)) {
    ReadPci(c, each->position + virtio_pci::kCapLength, 1);
    c.Expect(Accept::Masked(3, 0), kVendorSize,
             fmt::format("the size of {} is a multiple of 4", Describe(*each)));
  }
}

// What a driver sees of the device beside the vendor data.
std::vector<uint64_t> Snapshot(Context& c) {
  std::vector<uint64_t> values;
  if (LayoutOf(c).Usable(virtio_pci::kCommonCfg) != nullptr)
    for (const CommonRegister& each : CommonRegisters())
      values.push_back(ReadCommon(c, each.offset, each.width));
  return values;
}

void ReadsVendorDataWithoutEffect(Context& c) {
  const auto capabilities = VendorCapabilities(c);
  const auto before = Snapshot(c);
  for (const auto* each : capabilities) {
    const uint32_t end = std::max<uint32_t>(each->cap_len, kVendorLeast) & ~1u;
    for (const uint32_t width : {1u, 2u, 4u}) {
      for (uint32_t at = 0; at + width <= end; at += width) {
        const uint64_t first = ReadPci(c, each->position + at, width);
        for (int again = 0; again < 3; ++again) ReadPci(c, each->position + at, width);
        c.Expect(Accept::Equal(first), kVendorReads,
                 fmt::format("byte {} of {} reads the same again", at, Describe(*each)));
        if (c.failed()) return;
      }
    }
  }
  size_t i = 0;
  if (before.empty()) return;
  for (const CommonRegister& each : CommonRegisters()) {
    ReadCommon(c, each.offset, each.width);
    c.Expect(Accept::Equal(before[i++]), kVendorReads,
             fmt::format("{} is what it was before the vendor data were read", each.name));
  }
}

// Several structures ------------------------------------------------------------------------------

// A device brought up through each common configuration structure with each notification structure.
void WorksThroughEachStructure(Context& c) {
  const PciLayout& layout = LayoutOf(c);
  const auto commons = AllOrEnd(c, virtio_pci::kCommonCfg, "common configuration capability");
  const auto notifies = AllOrEnd(c, virtio_pci::kNotifyCfg, "notification capability");
  for (const auto* common_structure : commons) {
    if (!layout.InBar(*common_structure)) continue;
    for (const auto* notify_structure : notifies) {
      if (!layout.InBar(*notify_structure)) continue;
      const auto setups = UpForRegisters(c);
      RegisterDriver driver(c, *common_structure, *notify_structure);
      const FeatureSet features = c.session().state().accepted;
      driver.Reset();
      c.Expect(Accept::Equal(0), kEachWorks,
               fmt::format("the device is reset through {}", Describe(*common_structure)));
      if (c.failed()) return;
      const bool taken = driver.Begin(features);
      c.Expect(Accept::Masked(status::kFeaturesOk, status::kFeaturesOk), kEachWorks,
               fmt::format("features are negotiated through {}", Describe(*common_structure)));
      if (!taken) return;
      for (const auto& setup : setups) driver.SetupQueue(setup);
      driver.DriverOk();
      for (uint64_t n = 0; n < 3; ++n) {
        const Exchange request = c.grammar().Request(n);
        c.Publish(request);
        driver.Notify(request.queue);
        c.WaitUsed(request.queue, 1);
        c.Expect(Accept::Equal(1), kEachWorks,
                 fmt::format("a request is used with {} and {}", Describe(*common_structure),
                             Describe(*notify_structure)));
        if (c.failed()) return;
      }
      c.Reset();
    }
  }
}

Check Simple(const char* id, const char* title, const char* section, const char* requirement,
             std::vector<std::string> faults, void (*run)(Context&)) {
  return {.id = id,
          .title = title,
          .section = section,
          .requirements = {requirement},
          .tags = {"pci"},
          .needs = {.abilities = {Ability::kPciFunction}},
          .faults = std::move(faults),
          .run = run};
}

void AddPresenceChecks(std::vector<Check>& list) {
  list.push_back(Simple("pci.capability.common-there",
                        "The function has a common configuration capability", "4.1.4.3",
                        kCommonThere, {"blk,level=pci:common-cap-missing"}, HasACommonStructure));
  list.push_back(Simple("pci.capability.notify-there", "The function has a notification capability",
                        "4.1.4.4", kNotifyThere, {"blk,level=pci:notify-cap-missing"},
                        HasANotifyStructure));
  list.push_back(Simple("pci.capability.isr-there", "The function has an ISR status capability",
                        "4.1.4.5", kIsrThere, {"blk,level=pci:isr-cap-missing"},
                        HasAnIsrStructure));
  list.push_back(Simple("pci.capability.device-there",
                        "A device with device-specific fields has a capability for them", "4.1.4.6",
                        kDeviceThere, {"blk,level=pci:device-cap-missing"}, HasADeviceStructure));
  list.push_back(Simple("pci.capability.window-there",
                        "The function has a configuration access capability", "4.1.4.9",
                        kWindowThere, {"blk,level=pci:pci-cfg-cap-missing"}, HasAWindow));
}

void AddPlaceChecks(std::vector<Check>& list) {
  list.push_back(Simple("pci.capability.cap-len",
                        "cap_len of each virtio capability counts its extra data", "4.1.4", kCapLen,
                        {"blk,level=pci:cap-len-short"}, CountsItsExtraData));
  list.push_back(Simple("pci.capability.in-bar",
                        "Each structure lies within the BAR that its capability names", "4.1.4",
                        kInBar, {"blk,level=pci:cap-outside-bar", "blk,level=pci:bar-never-maps"},
                        LiesInItsBar));
  list.push_back(
      Simple("pci.capability.structure-length",
             "The common configuration and ISR structures are as long as their registers", "4.1.4",
             kLength, {"blk,level=pci:common-cap-short"}, IsLongEnough));
  list.push_back(Simple("pci.capability.common-aligned",
                        "The common configuration lies at a multiple of 4", "4.1.4.3",
                        kCommonAligned, {"blk,level=pci:common-cap-unaligned"},
                        HasItsCommonStructureAligned));
  list.push_back(Simple("pci.capability.device-aligned",
                        "The device-specific configuration lies at a multiple of 4", "4.1.4.6",
                        kDeviceAligned, {"blk,level=pci:device-cap-unaligned"},
                        HasItsDeviceStructureAligned));
}

}  // namespace

void AddPciCapabilityChecks(std::vector<Check>& list) {
  AddPlaceChecks(list);
  AddPresenceChecks(list);
  list.push_back({
      .id = "pci.capability.each-works",
      .title = "The device works through each common and each notification structure that it has",
      .section = "4.1.4",
      .requirements = {kEachWorks},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}, .requests = true},
      .faults = {"blk,level=pci:second-caps-dead"},
      .run = WorksThroughEachStructure,
  });
  list.push_back(Simple("pci.shared-memory.in-bar", "Each shared memory region lies within its BAR",
                        "4.1.4.7", kSharedInBar, {"blk,level=pci,shm=1:shm-outside-bar"},
                        HasSharedMemoryInItsBar));
  list.push_back(Simple("pci.shared-memory.ids", "Each shared memory region has its own id",
                        "4.1.4.7", kSharedIds, {"blk,level=pci,shm=1:shm-id-twice"},
                        HasSharedMemoryIds));
  list.push_back(Simple(
      "pci.vendor-data.vendor-id", "A vendor data capability names a vendor other than 0x1AF4",
      "4.1.4.8", kVendorId, {"blk,level=pci,vendor=1:vendor-cap-virtio-id"}, HasAnotherVendor));
  list.push_back(Simple(
      "pci.vendor-data.size", "The size of a vendor data capability is a multiple of 4", "4.1.4.8",
      kVendorSize, {"blk,level=pci,vendor=1:vendor-cap-odd-length"}, HasVendorDataInWords));
  list.push_back(Simple("pci.vendor-data.reads", "Reading a vendor data capability changes nothing",
                        "4.1.4.8", kVendorReads, {"blk,level=pci,vendor=1:vendor-cap-read-counts"},
                        ReadsVendorDataWithoutEffect));
}

}  // namespace vitro
