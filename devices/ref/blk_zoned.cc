// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/blk_zoned.h"

#include <algorithm>

namespace vitro::ref {

using blk::kStatusOk;
using blk::kStatusZoneActiveResource;
using blk::kStatusZoneInvalidCmd;
using blk::kStatusZoneOpenResource;
using blk::kStatusZoneUnalignedWp;

Zones::Zones(const ZonedOptions& options, uint64_t capacity, const FaultSwitch& faults)
    : options_(options), fault(faults) {
  const uint64_t count = (capacity + kZoneSectors - 1) / kZoneSectors;
  conventional_ = static_cast<uint32_t>(std::min<uint64_t>(kConventional, count / 2));
  while (zones_.size() < count) Grow();
  zones_.back().sectors = capacity - zones_.back().start;
  zones_.back().capacity = std::min(zones_.back().capacity, zones_.back().sectors);
  if (!options.failed_zones || count < conventional_ + 2) return;
  zones_[count - 2].state = State::kReadOnly;
  zones_[count - 1].state = State::kOffline;
}

void Zones::Grow() {
  const bool conventional = zones_.size() < conventional_;
  const uint64_t start = zones_.size() * kZoneSectors;
  // A last zone that was smaller becomes whole.
  if (!zones_.empty()) zones_.back().sectors = kZoneSectors;
  const uint8_t sequential =
      options_.model == blk::kModelHostManaged ? blk::kZoneSwr : blk::kZoneSwp;
  zones_.push_back({start, kZoneSectors, conventional ? kZoneSectors : kZoneCapacity,
                    conventional ? blk::kZoneConventional : sequential,
                    conventional ? State::kNotWp : State::kEmpty, start, start});
}

void Zones::FillConfig(Bytes& image) const {
  const auto put = [&](uint32_t offset, uint32_t value) { StoreLe(&image[offset], value); };
  put(blk::kConfigZoneSectors, fault("zoned-zone-sectors-wrong") ? 2 * kZoneSectors : kZoneSectors);
  put(blk::kConfigMaxOpenZones, kMaxOpen);
  put(blk::kConfigMaxActiveZones, kMaxActive);
  put(blk::kConfigMaxAppendSectors,
      fault("zoned-append-limit-too-large") ? UINT32_MAX : options_.max_append);
  put(blk::kConfigWriteGranularity,
      fault("zoned-granularity-wrong") ? blk::kSectorSize : kGranularity);
  image[blk::kConfigZonedModel] =
      fault("zoned-model-wrong") ? blk::kModelHostAware : options_.model;
  if (fault("zoned-padding-not-zero")) image[blk::kConfigUnused2] = 0xff;
  // Secure erase works on whole zones (5.2.6.2).
  if (LoadLe<uint32_t>(&image[blk::kConfigSecureEraseSectorAlignment]) != 0)
    put(blk::kConfigSecureEraseSectorAlignment,
        fault("zoned-erase-alignment-wrong") ? kZoneSectors / 2 : kZoneSectors);
}

bool Zones::Is(const Zone& zone, std::initializer_list<State> states) {
  return std::find(states.begin(), states.end(), zone.state) != states.end();
}

uint32_t Zones::Count(std::initializer_list<State> states) const {
  return static_cast<uint32_t>(std::count_if(zones_.begin(), zones_.end(),
                                             [&](const Zone& zone) { return Is(zone, states); }));
}

// Does the range touch more than one zone, one of them SWR?
bool Zones::Crosses(uint64_t sector, uint64_t count) const {
  if (count == 0 || fault("zoned-crossing-ok")) return false;
  const uint64_t last = sector + count - 1;
  return &At(sector) != &At(last) &&
         (At(sector).type == blk::kZoneSwr || At(last).type == blk::kZoneSwr);
}

// Reading and writing
// --------------------------------------------------------------------------------

uint8_t Zones::CheckRead(uint64_t sector, uint64_t count) const {
  if (count == 0) return kStatusOk;
  if (Crosses(sector, count)) return kStatusZoneInvalidCmd;
  for (uint64_t at = sector / kZoneSectors; at <= (sector + count - 1) / kZoneSectors; ++at)
    if (zones_[at].state == State::kOffline && !fault("zoned-offline-zone-read"))
      return kStatusZoneInvalidCmd;
  return kStatusOk;
}

uint8_t Zones::CheckSequentialWrite(const Zone& zone, uint64_t sector, uint64_t count) const {
  if (zone.state == State::kReadOnly && fault("zoned-read-only-zone-written")) return kStatusOk;
  if (Is(zone, {State::kReadOnly, State::kOffline, State::kFull})) return kStatusZoneInvalidCmd;
  if (zone.type == blk::kZoneSwr) {
    if (sector != zone.write_pointer && !fault("zoned-write-anywhere"))
      return kStatusZoneUnalignedWp;
    if ((sector + count) % kGranularitySectors != 0) return kStatusZoneUnalignedWp;
  }
  if (sector + count > zone.start + zone.capacity && !fault("zoned-write-beyond-capacity"))
    return kStatusZoneInvalidCmd;
  return kStatusOk;
}

uint8_t Zones::BeginWrite(uint64_t sector, uint64_t count) {
  if (count == 0) return kStatusOk;
  if (Crosses(sector, count)) return kStatusZoneInvalidCmd;
  for (uint64_t at = sector; at < sector + count; at = At(at).start + kZoneSectors) {
    Zone& zone = At(at);
    if (zone.type == blk::kZoneConventional) continue;
    const uint64_t end = std::min(sector + count, zone.start + kZoneSectors);
    uint8_t status = CheckSequentialWrite(zone, at, end - at);
    if (status == kStatusOk) status = OpenImplicitly(zone);
    if (status != kStatusOk) return status;
  }
  return kStatusOk;
}

uint8_t Zones::BeginAppend(uint64_t zone_sector, uint64_t count, uint64_t& at) {
  Zone& zone = At(zone_sector);
  at = zone.write_pointer;
  if (options_.max_append == 0)
    return fault("zoned-append-unsupported-wrong") ? kStatusZoneInvalidCmd
                                                   : blk::kStatusUnsupported;
  if (zone.type == blk::kZoneConventional && fault("zoned-append-conventional")) return kStatusOk;
  if (zone.type != blk::kZoneSwr) return kStatusZoneInvalidCmd;
  if (zone_sector != zone.start && !fault("zoned-append-anywhere")) return kStatusZoneInvalidCmd;
  if (count > options_.max_append && !fault("zoned-append-too-long-ok"))
    return kStatusZoneInvalidCmd;
  if (fault("zoned-append-limit-lower") && count > options_.max_append / 2)
    return kStatusZoneInvalidCmd;
  const uint8_t status = CheckSequentialWrite(zone, at, count);
  if (status != kStatusOk || count == 0) return status;
  return OpenImplicitly(zone);
}

void Zones::Written(uint64_t sector, uint64_t count) {
  for (uint64_t at = sector; at < sector + count; at = At(at).start + kZoneSectors) {
    Zone& zone = At(at);
    if (zone.type == blk::kZoneConventional) continue;
    const uint64_t end = std::min(sector + count, zone.start + kZoneSectors);
    zone.write_pointer = std::max(zone.write_pointer, end);
    zone.data_end = std::max(zone.data_end, end);
    if (end == zone.start + zone.capacity) zone.state = State::kFull;
  }
}

// States and limits
// ----------------------------------------------------------------------------------

// May this zone enter an open state? Closes an implicitly open zone where that helps.
uint8_t Zones::MakeRoomToOpen(const Zone& zone, bool implicitly) {
  static constexpr auto kOpenStates = {State::kImplicitlyOpen, State::kExplicitlyOpen};
  static constexpr auto kActiveStates = {State::kImplicitlyOpen, State::kExplicitlyOpen,
                                         State::kClosed};
  if (implicitly && fault("zoned-implicit-limit-ignored")) return kStatusOk;
  const bool active = Is(zone, kActiveStates);
  if (!active && Count(kActiveStates) >= kMaxActive && !fault("zoned-active-limit-ignored"))
    return kStatusZoneActiveResource;
  if (Is(zone, kOpenStates) || Count(kOpenStates) < kMaxOpen) return kStatusOk;
  for (Zone& other : zones_)
    if (other.state == State::kImplicitlyOpen) {
      Close(other);
      return kStatusOk;
    }
  return fault("zoned-open-limit-ignored") ? kStatusOk : kStatusZoneOpenResource;
}

uint8_t Zones::OpenImplicitly(Zone& zone) {
  if (!Is(zone, {State::kEmpty, State::kClosed})) return kStatusOk;
  const uint8_t status = MakeRoomToOpen(zone, true);
  if (status == kStatusOk) zone.state = State::kImplicitlyOpen;
  return status;
}

uint8_t Zones::Open(Zone& zone) {
  if (Is(zone, {State::kReadOnly, State::kOffline})) return kStatusZoneInvalidCmd;
  if (zone.state == State::kFull)
    return fault("zoned-open-full-ok") ? kStatusOk : kStatusZoneInvalidCmd;
  const uint8_t status = MakeRoomToOpen(zone, false);
  if (status == kStatusOk) zone.state = State::kExplicitlyOpen;
  return status;
}

uint8_t Zones::Close(Zone& zone) {
  if (fault("zoned-close-empty-ok") && zone.state == State::kEmpty) return kStatusOk;
  if (!Is(zone, {State::kImplicitlyOpen, State::kExplicitlyOpen, State::kClosed}))
    return kStatusZoneInvalidCmd;
  zone.state = zone.write_pointer == zone.start ? State::kEmpty : State::kClosed;
  return kStatusOk;
}

// 5.2.6 has a way to Full from the open states only, and Full stays.
uint8_t Zones::Finish(Zone& zone) {
  if (fault("zoned-finish-empty-ok") && zone.state == State::kEmpty) return kStatusOk;
  if (!Is(zone, {State::kImplicitlyOpen, State::kExplicitlyOpen, State::kFull}))
    return kStatusZoneInvalidCmd;
  if (!fault("zoned-finish-ignored")) zone.state = State::kFull;
  return kStatusOk;
}

void Zones::Empty(Zone& zone) {
  zone.state = State::kEmpty;
  zone.write_pointer = zone.start;
  if (!fault("zoned-old-data-after-reset")) zone.data_end = zone.start;
}

uint8_t Zones::Reset(Zone& zone) {
  if (Is(zone, {State::kReadOnly, State::kOffline})) return kStatusZoneInvalidCmd;
  if (!fault("zoned-reset-ignored")) Empty(zone);
  return kStatusOk;
}

void Zones::ResetAll() {
  for (Zone& zone : zones_) {
    if (!Is(zone, {State::kImplicitlyOpen, State::kExplicitlyOpen, State::kClosed, State::kFull}))
      continue;
    Empty(zone);
    if (fault("zoned-reset-all-first")) return;
  }
}

uint8_t Zones::Manage(uint32_t type, uint64_t sector) {
  if (type == blk::kTypeZoneResetAll) {
    ResetAll();
    return kStatusOk;
  }
  if (sector / kZoneSectors >= zones_.size()) return kStatusZoneInvalidCmd;
  Zone& zone = At(sector);
  if (sector != zone.start) return kStatusZoneInvalidCmd;
  if (zone.type == blk::kZoneConventional)
    return fault("zoned-conventional-managed") ? kStatusOk : kStatusZoneInvalidCmd;
  switch (type) {
    case blk::kTypeZoneOpen:
      return Open(zone);
    case blk::kTypeZoneClose:
      return Close(zone);
    case blk::kTypeZoneFinish:
      return Finish(zone);
    case blk::kTypeZoneReset:
      return Reset(zone);
  }
  return blk::kStatusUnsupported;
}

uint8_t Zones::Erase(uint64_t sector, uint64_t count) {
  if (sector % kZoneSectors != 0 || count % kZoneSectors != 0) {
    return fault("zoned-erase-part-ok") ? kStatusOk : kStatusZoneInvalidCmd;
  }
  for (uint64_t at = sector; at < sector + count; at += kZoneSectors) {
    if (fault("zoned-erase-keeps-zone")) continue;
    if (const uint8_t status = Manage(blk::kTypeZoneReset, at); status != kStatusOk) return status;
  }
  return kStatusOk;
}

// Reports
// --------------------------------------------------------------------------------------------

bool Zones::Unwritten(uint64_t sector) const {
  const Zone& zone = At(sector);
  return zone.type != blk::kZoneConventional && sector >= zone.data_end;
}

Bytes Zones::Report(uint64_t sector, uint64_t room) const {
  const uint64_t first = sector / kZoneSectors;
  const uint64_t count = std::min<uint64_t>(
      zones_.size() - first, (room - blk::kZoneReportHeaderSize) / blk::kZoneDescriptorSize);
  Bytes report(blk::kZoneReportHeaderSize + count * blk::kZoneDescriptorSize);
  StoreLe<uint64_t>(&report[0], fault("zoned-report-count-wrong") ? zones_.size() + 1 : count);
  for (uint64_t i = 0; i < count; ++i) {
    const Zone& zone = zones_[first + i];
    uint8_t* at = &report[blk::kZoneReportHeaderSize + i * blk::kZoneDescriptorSize];
    StoreLe<uint64_t>(at + blk::kZoneCap, zone.capacity);
    StoreLe<uint64_t>(at + blk::kZoneStart, zone.start);
    StoreLe<uint64_t>(at + blk::kZoneWp,
                      fault("zoned-report-wp-stale") ? zone.start : zone.write_pointer);
    at[blk::kZoneType] = zone.type;
    at[blk::kZoneStateOffset] = static_cast<uint8_t>(zone.state);
  }
  return report;
}

}  // namespace vitro::ref
