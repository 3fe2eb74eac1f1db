// SPDX-License-Identifier: Apache-2.0
// Virtio over PCI (4.1): ids, capabilities and registers, and what of PCI itself a driver of one
// function needs. Offsets and lengths in bytes.
#pragma once

#include <cstdint>

namespace vitro::pci {

// Configuration space header, type 0
inline constexpr uint32_t kVendorId = 0x00, kDeviceId = 0x02, kCommand = 0x04, kStatus = 0x06;
inline constexpr uint32_t kRevisionId = 0x08, kClassCode = 0x09, kHeaderType = 0x0e;
inline constexpr uint32_t kBar0 = 0x10;
inline constexpr uint32_t kSubsystemVendorId = 0x2c, kSubsystemDeviceId = 0x2e;
inline constexpr uint32_t kCapabilitiesPointer = 0x34;
inline constexpr uint32_t kInterruptLine = 0x3c, kInterruptPin = 0x3d;
inline constexpr unsigned kBars = 6;

inline constexpr uint16_t kCommandIo = 1 << 0, kCommandMemory = 1 << 1, kCommandMaster = 1 << 2;
inline constexpr uint16_t kCommandIntxDisable = 1 << 10;
inline constexpr uint16_t kStatusInterrupt = 1 << 3, kStatusCapabilities = 1 << 4;

inline constexpr uint32_t kBarIo = 1 << 0;
inline constexpr uint32_t kBarTypeMask = 3 << 1, kBarType64 = 2 << 1;
inline constexpr uint32_t kBarMemoryMask = ~0xfu, kBarIoMask = ~0x3u;

// Capability ids
inline constexpr uint8_t kCapPowerManagement = 0x01, kCapVendor = 0x09, kCapExpress = 0x10;
inline constexpr uint8_t kCapMsix = 0x11;

// MSI-X capability, table and pending bits
inline constexpr uint32_t kMsixControl = 2, kMsixTable = 4, kMsixPba = 8;
inline constexpr uint16_t kMsixEnable = 1 << 15, kMsixFunctionMask = 1 << 14;
inline constexpr uint16_t kMsixSizeMask = 0x7ff;  // number of vectors - 1
inline constexpr uint32_t kMsixEntryBytes = 16;
inline constexpr uint32_t kMsixEntryData = 8, kMsixEntryControl = 12;
inline constexpr uint32_t kMsixEntryMasked = 1;

// Power management capability: control and status
inline constexpr uint32_t kPowerControl = 4;
inline constexpr uint16_t kPowerPmeStatus = 1 << 15;

// PCI Express capability: function level reset
inline constexpr uint32_t kExpressDeviceCapabilities = 4, kExpressDeviceControl = 8;
inline constexpr uint32_t kExpressFlrCapable = 1u << 28;
inline constexpr uint16_t kExpressInitiateFlr = 1 << 15;

// Extended capabilities, which only PCI Express functions have: le16 id, 4 bits of version, 12 bits
// that tell the position of the next one.
inline constexpr uint32_t kConfigBytes = 4096, kFirstExtended = 0x100;
inline constexpr uint16_t kExtendedSrIov = 0x10;
inline constexpr uint32_t kExtendedNextShift = 20;

// The SR-IOV extended capability. A virtual function has the routing id of the physical one plus
// First VF Offset plus VF Stride times its number less one; they are counted from 1.
namespace sriov {
inline constexpr uint32_t kControl = 0x08, kInitialVfs = 0x0c, kTotalVfs = 0x0e, kNumVfs = 0x10;
inline constexpr uint32_t kFirstVfOffset = 0x14, kVfStride = 0x16, kVfDeviceId = 0x1a;
inline constexpr uint32_t kSupportedPageSizes = 0x1c, kSystemPageSize = 0x20;
inline constexpr uint32_t kVfBar0 = 0x24, kBytes = 0x40;
inline constexpr uint16_t kVfEnable = 1 << 0, kVfMemoryEnable = 1 << 3;
}  // namespace sriov

}  // namespace vitro::pci

namespace vitro::virtio_pci {

// Discovery (4.1.2)
inline constexpr uint16_t kVendorId = 0x1af4;
inline constexpr uint16_t kModernIdBase = 0x1040, kLastModernId = 0x107f;
inline constexpr uint16_t kTransitionalFirst = 0x1000, kTransitionalLast = 0x103f;
// Transitional PCI device IDs in the order of the standard's table; 0 ends it.
struct TransitionalId {
  uint16_t pci_device_id;
  uint32_t device_id;
};
inline constexpr TransitionalId kTransitionalIds[] = {
    {0x1000, 1}, {0x1001, 2}, {0x1002, 5}, {0x1003, 3}, {0x1004, 8}, {0x1005, 4}, {0x1009, 9}};

// Structures, struct virtio_pci_cap (4.1.4)
inline constexpr uint8_t kCommonCfg = 1, kNotifyCfg = 2, kIsrCfg = 3, kDeviceCfg = 4, kPciCfg = 5;
inline constexpr uint8_t kSharedMemoryCfg = 8, kVendorCfg = 9;
inline constexpr uint32_t kCapLength = 2, kCapType = 3, kCapBar = 4, kCapId = 5, kCapOffset = 8;
inline constexpr uint32_t kCapStructLength = 12;
inline constexpr uint32_t kCapBytes = 16;
inline constexpr uint32_t kCapNotifyMultiplier = 16;                       // kNotifyCfg
inline constexpr uint32_t kCapPciData = 16;                                // kPciCfg
inline constexpr uint32_t kCapOffsetHigh = 16, kCapStructLengthHigh = 20;  // kSharedMemoryCfg

// struct virtio_pci_common_cfg (4.1.4.3)
namespace common {
inline constexpr uint32_t kDeviceFeatureSelect = 0, kDeviceFeature = 4;
inline constexpr uint32_t kDriverFeatureSelect = 8, kDriverFeature = 12;
inline constexpr uint32_t kConfigMsixVector = 16, kNumQueues = 18;
inline constexpr uint32_t kDeviceStatus = 20, kConfigGeneration = 21;
inline constexpr uint32_t kQueueSelect = 22, kQueueSize = 24, kQueueMsixVector = 26;
inline constexpr uint32_t kQueueEnable = 28, kQueueNotifyOff = 30;
inline constexpr uint32_t kQueueDesc = 32, kQueueDriver = 40, kQueueDevice = 48;
inline constexpr uint32_t kQueueNotifConfigData = 56, kQueueReset = 58;
inline constexpr uint32_t kAdminQueueIndex = 60, kAdminQueueNum = 62;
inline constexpr uint32_t kBytes = 64;
// Up to here every device has it; what follows comes with features.
inline constexpr uint32_t kLeastBytes = 56;
}  // namespace common

inline constexpr uint16_t kNoVector = 0xffff;
inline constexpr uint8_t kIsrQueue = 1, kIsrConfig = 2;  // ISR status (4.1.4.5)

// Legacy interface in BAR 0 (4.1.4.10); integers in the guest's byte order
namespace legacy {
inline constexpr uint32_t kDeviceFeatures = 0, kDriverFeatures = 4, kQueueAddress = 8;
inline constexpr uint32_t kQueueSize = 12, kQueueSelect = 14, kQueueNotify = 16;
inline constexpr uint32_t kDeviceStatus = 18, kIsrStatus = 19;
inline constexpr uint32_t kConfigMsixVector = 20, kQueueMsixVector = 22;  // if MSI-X is enabled
inline constexpr uint32_t kBytes = 20, kBytesWithMsix = 24;               // device config follows
inline constexpr uint32_t kQueueAlign = 4096;
}  // namespace legacy

}  // namespace vitro::virtio_pci
