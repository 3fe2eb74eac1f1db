// SPDX-License-Identifier: Apache-2.0
// Group administration commands and administration virtqueues (2.12, 2.13). Facts only: no
// behaviour, no dependency.
//
// A command's buffer, device-readable part:  le16 opcode, le16 group type, 12 bytes reserved,
// le64 group member id, then the data of the command.
// Device-writable part:  le16 status, le16 status qualifier, 4 bytes reserved, then the result.
#pragma once

#include <cstdint>

namespace vitro::admin {

// Offsets in the two parts. Their lengths are multiples of 8 (2.13.2).
inline constexpr uint32_t kOpcode = 0, kGroupType = 2, kReserved = 4, kMemberId = 16, kData = 24;
inline constexpr uint32_t kReservedSize = 12;
inline constexpr uint32_t kStatus = 0, kQualifier = 2, kReplyReserved = 4, kResult = 8;
inline constexpr uint32_t kUnit = 8;

// Opcodes. MODIFY and QUERY as in the table of opcodes; the text on the two commands has their
// numbers exchanged.
inline constexpr uint16_t kListQuery = 0x0, kListUse = 0x1;
inline constexpr uint16_t kLegacyCommonCfgWrite = 0x2, kLegacyCommonCfgRead = 0x3;
inline constexpr uint16_t kLegacyDevCfgWrite = 0x4, kLegacyDevCfgRead = 0x5;
inline constexpr uint16_t kLegacyNotifyInfo = 0x6;
inline constexpr uint16_t kCapIdListQuery = 0x7, kDeviceCapGet = 0x8, kDriverCapSet = 0x9;
inline constexpr uint16_t kResourceObjCreate = 0xa, kResourceObjQuery = 0xb;
inline constexpr uint16_t kResourceObjModify = 0xc, kResourceObjDestroy = 0xd;
inline constexpr uint16_t kDevPartsMetadataGet = 0xe, kDevPartsGet = 0xf, kDevPartsSet = 0x10;
inline constexpr uint16_t kDevModeSet = 0x11;
// From here on commands may have another structure.
inline constexpr uint16_t kOtherStructures = 0x8000;

// Group types. The self group has one member, 0; those of an SR-IOV group are counted from 1.
inline constexpr uint16_t kGroupSelf = 0, kGroupSrIov = 1;

// Status. Linux error numbers, as the standard intends; EEXIST is named there but has no number in
// the table.
inline constexpr uint16_t kOk = 0, kEnxio = 6, kEagain = 11, kEnomem = 12, kEbusy = 16;
inline constexpr uint16_t kEexist = 17, kEinval = 22, kEnospc = 28;

// Status qualifiers.
inline constexpr uint16_t kQOk = 0, kQInvalidCommand = 1, kQInvalidOpcode = 2, kQInvalidField = 3;
inline constexpr uint16_t kQInvalidGroup = 4, kQInvalidMember = 5, kQNoResource = 6;
inline constexpr uint16_t kQTryAgain = 7;

// Capability commands (2.12.1.2): le16 id, 6 bytes reserved, and for SET the capability's data.
inline constexpr uint32_t kCapData = 8;
inline constexpr uint16_t kCapDevParts = 0x0;
inline constexpr uint16_t kFirstTypeCap = 0x800, kFirstReservedCap = 0x1000;

// Resource object commands (2.12.1.3): le16 type, 2 bytes reserved, le32 id; except for DESTROY
// le64 flags; for CREATE and MODIFY the object's data.
inline constexpr uint32_t kObjType = 0, kObjId = 4, kObjFlags = 8, kObjData = 16;
inline constexpr uint16_t kFirstTypeObject = 0x200, kFirstReservedObject = 0x500;

// Legacy access (2.12.1.1): u8 offset; for a write 7 bytes reserved and the data, which are as long
// as the device-readable part is; what is read is as long as there is room for the result.
inline constexpr uint32_t kLegacyOffset = 0, kLegacyData = 8;
// struct virtio_pci_legacy_notify_info, of which LEGACY_NOTIFY_INFO gives four: u8 flags, u8 bar, 6
// bytes of padding, le64 offset.
inline constexpr uint32_t kNotifyInfoEntries = 4, kNotifyInfoBytes = 16;
inline constexpr uint32_t kNotifyInfoFlags = 0, kNotifyInfoBar = 1, kNotifyInfoOffset = 8;
inline constexpr uint8_t kNotifyInfoEnd = 0, kNotifyInfoOwner = 1, kNotifyInfoMember = 2;

// Device parts (2.12.1.4). VIRTIO_DEV_PARTS_CAP: u8 limit of objects that get, u8 of those that
// set. VIRTIO_RESOURCE_OBJ_DEV_PARTS: u8 type, 7 bytes reserved.
inline constexpr uint32_t kDevPartsCapBytes = 2;
inline constexpr uint16_t kObjDevParts = 0x0;
inline constexpr uint32_t kObjDevPartsBytes = 8;
inline constexpr uint8_t kDevPartsGets = 0, kDevPartsSets = 1;
// METADATA_GET and GET: the 8 bytes that name an object, u8 type, 7 bytes reserved; GET may go on
// with headers of parts. SET: the 8 bytes, parts. DEV_MODE_SET: u8 flags.
inline constexpr uint32_t kPartsType = 8, kPartsSelected = 16, kPartsToSet = 8;
inline constexpr uint8_t kMetadataSize = 0, kMetadataCount = 1, kMetadataList = 2;
inline constexpr uint32_t kMetadataHeaders = 8;  // in the answer to kMetadataList, after the count
inline constexpr uint8_t kGetSelected = 0, kGetAll = 1;
inline constexpr uint8_t kModeStopped = 1 << 0;

// struct virtio_dev_part_hdr (2.14): le16 type, u8 flags, u8 reserved, 8 bytes of selector, le32
// length of the value that follows.
inline constexpr uint32_t kPartType = 0, kPartFlags = 2, kPartSelector = 4, kPartLength = 12;
inline constexpr uint32_t kPartHeader = 16;
inline constexpr uint8_t kPartOptional = 1 << 0;
// In the order in which parts stand.
inline constexpr uint16_t kPartDevFeatures = 0x100, kPartDrvFeatures = 0x101;
inline constexpr uint16_t kPartPciCommonCfg = 0x102, kPartDeviceStatus = 0x103;
inline constexpr uint16_t kPartVqCfg = 0x104, kPartVqNotifyCfg = 0x105;
// struct virtio_dev_part_vq_cfg and virtio_dev_part_vq_notify_data.
inline constexpr uint32_t kVqCfgBytes = 32, kVqNotifyCfgBytes = 8;
inline constexpr uint32_t kVqCfgSize = 0, kVqCfgVector = 2, kVqCfgEnabled = 4;
inline constexpr uint32_t kVqCfgDesc = 8, kVqCfgDriver = 16, kVqCfgDevice = 24;

}  // namespace vitro::admin
