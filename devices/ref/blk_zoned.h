// SPDX-License-Identifier: Apache-2.0
// Zones: the zones of a host-managed or host-aware block device (5.2.4, 5.2.6): their states, write
// pointers and limits, and the verdict on each request. Knows nothing of queues or data.
//
// Geometry: zones of 64 sectors; the first 4 (at most half of all) are conventional, the others SWR
// (zoned=hm) or SWP (zoned=ha) with a capacity of 56 sectors. At most 4 zones open and 6 active;
// write granularity 4096 bytes. An implicitly open zone is closed when another zone needs its
// place. Options: max-append=N sectors (32; 0: no ZONE_APPEND), failed-zones=1: the last zone is
// offline and the one before it read-only.
#pragma once

#include <cstdint>
#include <vector>

#include "devices/ref/faults.h"
#include "harness/base/bytes.h"
#include "harness/virtio/blk.h"

namespace vitro::ref {

struct ZonedOptions {
  uint8_t model = blk::kModelNone;
  uint32_t max_append = 32;
  bool failed_zones = false;
};

class Zones {
 public:
  static constexpr uint32_t kZoneSectors = 64, kZoneCapacity = 56, kConventional = 4;
  static constexpr uint32_t kMaxOpen = 4, kMaxActive = 6, kGranularity = 4096;
  static constexpr uint32_t kGranularitySectors = kGranularity / blk::kSectorSize;

  Zones(const ZonedOptions& options, uint64_t capacity, const FaultSwitch& faults);

  // struct virtio_blk_zoned_characteristics and the alignment of secure erase.
  void FillConfig(Bytes& image) const;
  void Grow();  // by one zone

  // The status with which a request is to be answered. Sectors are within the capacity.
  uint8_t CheckRead(uint64_t sector, uint64_t count) const;
  // Opens the zone as needed; on OK the data is to be written, then Written() called.
  uint8_t BeginWrite(uint64_t sector, uint64_t count);
  // The same for ZONE_APPEND; sets `at` to where the data goes.
  uint8_t BeginAppend(uint64_t zone_sector, uint64_t count, uint64_t& at);
  void Written(uint64_t sector, uint64_t count);
  // ZONE_OPEN, CLOSE, FINISH, RESET, RESET_ALL.
  uint8_t Manage(uint32_t type, uint64_t sector);
  // Secure erase of whole zones: a reset of each.
  uint8_t Erase(uint64_t sector, uint64_t count);

  // Does the sector hold no data as far as a reader is concerned?
  bool Unwritten(uint64_t sector) const;
  // A zone report of at most `room` bytes, room for the header at least.
  Bytes Report(uint64_t sector, uint64_t room) const;

 private:
  using State = blk::ZoneState;
  struct Zone {
    uint64_t start, sectors, capacity;
    uint8_t type;
    State state;
    uint64_t write_pointer;
    uint64_t data_end;  // what lies behind is unwritten
  };
  Zone& At(uint64_t sector) { return zones_[sector / kZoneSectors]; }
  const Zone& At(uint64_t sector) const { return zones_[sector / kZoneSectors]; }
  bool Crosses(uint64_t sector, uint64_t count) const;
  uint32_t Count(std::initializer_list<State> states) const;
  static bool Is(const Zone& zone, std::initializer_list<State> states);
  uint8_t CheckSequentialWrite(const Zone& zone, uint64_t sector, uint64_t count) const;
  uint8_t MakeRoomToOpen(const Zone& zone, bool implicitly);
  uint8_t OpenImplicitly(Zone& zone);
  uint8_t Open(Zone& zone);
  uint8_t Close(Zone& zone);
  uint8_t Finish(Zone& zone);
  uint8_t Reset(Zone& zone);
  void ResetAll();
  void Empty(Zone& zone);

  ZonedOptions options_;
  const FaultSwitch& fault;
  uint32_t conventional_ = 0;
  std::vector<Zone> zones_;
};

}  // namespace vitro::ref
