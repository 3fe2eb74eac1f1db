// SPDX-License-Identifier: Apache-2.0
// Block device (section 5.2): feature bits, configuration space, requests, zones. Facts only.
#pragma once

#include <cstdint>

namespace vitro::blk {

// Feature bits (5.2.3).
inline constexpr unsigned kFeatureSizeMax = 1, kFeatureSegMax = 2, kFeatureGeometry = 4;
inline constexpr unsigned kFeatureRo = 5, kFeatureBlkSize = 6, kFeatureFlush = 9;
inline constexpr unsigned kFeatureTopology = 10, kFeatureConfigWce = 11, kFeatureMq = 12;
inline constexpr unsigned kFeatureDiscard = 13, kFeatureWriteZeroes = 14, kFeatureLifetime = 15;
inline constexpr unsigned kFeatureSecureErase = 16, kFeatureZoned = 17;

// struct virtio_blk_config (5.2.4): offsets, with the field's width where it is not 4.
inline constexpr uint32_t kConfigCapacity = 0;  // le64, in sectors
inline constexpr uint32_t kConfigSizeMax = 8, kConfigSegMax = 12;
inline constexpr uint32_t kConfigGeometry = 16;  // le16 cylinders, u8 heads, u8 sectors
inline constexpr uint32_t kConfigBlkSize = 20;
inline constexpr uint32_t kConfigPhysicalBlockExp = 24, kConfigAlignmentOffset = 25;  // u8
inline constexpr uint32_t kConfigMinIoSize = 26;                                      // le16
inline constexpr uint32_t kConfigOptIoSize = 28;
inline constexpr uint32_t kConfigWriteback = 32, kConfigUnused0 = 33;  // u8
inline constexpr uint32_t kConfigNumQueues = 34;                       // le16
inline constexpr uint32_t kConfigMaxDiscardSectors = 36, kConfigMaxDiscardSeg = 40;
inline constexpr uint32_t kConfigDiscardSectorAlignment = 44;
inline constexpr uint32_t kConfigMaxWriteZeroesSectors = 48, kConfigMaxWriteZeroesSeg = 52;
inline constexpr uint32_t kConfigWriteZeroesMayUnmap = 56;  // u8
inline constexpr uint32_t kConfigUnused1 = 57;              // u8[3]
inline constexpr uint32_t kConfigMaxSecureEraseSectors = 60, kConfigMaxSecureEraseSeg = 64;
inline constexpr uint32_t kConfigSecureEraseSectorAlignment = 68;
// struct virtio_blk_zoned_characteristics.
inline constexpr uint32_t kConfigZoneSectors = 72, kConfigMaxOpenZones = 76;
inline constexpr uint32_t kConfigMaxActiveZones = 80, kConfigMaxAppendSectors = 84;
inline constexpr uint32_t kConfigWriteGranularity = 88;
inline constexpr uint32_t kConfigZonedModel = 92;  // u8
inline constexpr uint32_t kConfigUnused2 = 93;     // u8[3]
inline constexpr uint32_t kConfigSize = 96;

inline constexpr uint32_t kSectorSize = 512;

// Requests (5.2.6): le32 type, le32 reserved, le64 sector, data, u8 status.
inline constexpr uint32_t kRequestType = 0, kRequestReserved = 4, kRequestSector = 8;
inline constexpr uint32_t kRequestHeaderSize = 16;
inline constexpr uint32_t kTypeIn = 0, kTypeOut = 1, kTypeFlush = 4, kTypeGetId = 8;
inline constexpr uint32_t kTypeGetLifetime = 10, kTypeDiscard = 11, kTypeWriteZeroes = 13;
inline constexpr uint32_t kTypeSecureErase = 14;
inline constexpr uint32_t kTypeZoneAppend = 15, kTypeZoneReport = 16, kTypeZoneOpen = 18;
inline constexpr uint32_t kTypeZoneClose = 20, kTypeZoneFinish = 22, kTypeZoneReset = 24;
inline constexpr uint32_t kTypeZoneResetAll = 26;

// Values of the status byte.
inline constexpr uint8_t kStatusOk = 0, kStatusIoErr = 1, kStatusUnsupported = 2;
inline constexpr uint8_t kStatusZoneInvalidCmd = 3, kStatusZoneUnalignedWp = 4;
inline constexpr uint8_t kStatusZoneOpenResource = 5, kStatusZoneActiveResource = 6;

inline constexpr uint32_t kIdSize = 20;  // the string of GET_ID, padded with NUL

// struct virtio_blk_discard_write_zeroes: le64 sector, le32 num_sectors, le32 flags.
inline constexpr uint32_t kSegmentSize = 16, kSegmentSector = 0, kSegmentCount = 8;
inline constexpr uint32_t kSegmentFlags = 12, kSegmentUnmap = 1;

// struct virtio_blk_lifetime: le16 pre_eol_info, device_lifetime_est_typ_a,
// device_lifetime_est_typ_b.
inline constexpr uint32_t kLifetimeSize = 6;
inline constexpr uint16_t kMaxPreEolInfo = 3, kMaxLifetimeEstimate = 11;  // above: reserved

// Zoned block devices.
inline constexpr uint8_t kModelNone = 0, kModelHostManaged = 1, kModelHostAware = 2;
inline constexpr uint8_t kZoneConventional = 1, kZoneSwr = 2, kZoneSwp = 3;
enum class ZoneState : uint8_t {
  kNotWp = 0,
  kEmpty = 1,
  kImplicitlyOpen = 2,
  kExplicitlyOpen = 3,
  kClosed = 4,
  kReadOnly = 13,
  kFull = 14,
  kOffline = 15,
};
// struct virtio_blk_zone_report: le64 nr_zones, u8 reserved[56], then descriptors:
// le64 z_cap, le64 z_start, le64 z_wp, u8 z_type, u8 z_state, u8 reserved[38].
inline constexpr uint32_t kZoneReportHeaderSize = 64, kZoneDescriptorSize = 64;
inline constexpr uint32_t kZoneCap = 0, kZoneStart = 8, kZoneWp = 16, kZoneType = 24;
inline constexpr uint32_t kZoneStateOffset = 25;
inline constexpr uint32_t kAppendSectorSize = 8;  // le64 append_sector, before the status byte

}  // namespace vitro::blk
