// SPDX-License-Identifier: Apache-2.0
// Checks of zoned block devices (5.2.5, 5.2.6). They write to and reset only sequential zones that
// were empty, and leave them empty.
#include <algorithm>

#include "harness/virtio/device_id.h"
#include "suite/checks/blk_request.h"
#include "suite/checks/chapters.h"

namespace vitro {
namespace {

using blk::ZoneState;

constexpr const char* kAnswer = "derived.request.answer";
constexpr const char* kInit = "dev.blk.device-initialization.";
constexpr const char* kOp = "dev.blk.device-operation.";
std::string Init(int row) { return kInit + std::to_string(row); }
std::string Op(int row) { return kOp + std::to_string(row); }

constexpr uint32_t kMostZones = 64;      // of a report
constexpr uint64_t kMostSectors = 1024;  // of a request
constexpr uint8_t kInvalid = blk::kStatusZoneInvalidCmd;

struct Zone {
  uint64_t capacity, start, write_pointer;
  uint8_t type;
  ZoneState state;
};

struct Zoned {
  uint8_t model = 0;
  uint64_t zone_sectors = 0, capacity = 0;
  uint64_t max_open = 0, max_active = 0, max_append = 0;
  uint64_t block = 1;  // write granularity in sectors
  std::vector<Zone> zones;
};

// Requests ----------------------------------------------------------------------------------------

struct Report {
  BlkAnswer answer;
  std::vector<Zone> zones;
};

Report AskReport(Context& c, uint64_t sector, uint32_t zones) {
  Report report;
  const uint32_t room = blk::kZoneReportHeaderSize + zones * blk::kZoneDescriptorSize;
  report.answer = AskBlk(c, BlkRequest("a zone report", blk::kTypeZoneReport, sector, {}, room));
  c.Expect(Accept::Equal(blk::kStatusOk), kAnswer, "a zone report ends with VIRTIO_BLK_S_OK");
  if (!report.answer.ok()) return report;
  const uint64_t count = std::min<uint64_t>(LoadLe<uint64_t>(report.answer.data.data()), zones);
  for (uint64_t i = 0; i < count; ++i) {
    const uint8_t* at =
        &report.answer.data[blk::kZoneReportHeaderSize + i * blk::kZoneDescriptorSize];
    report.zones.push_back({LoadLe<uint64_t>(at + blk::kZoneCap),
                            LoadLe<uint64_t>(at + blk::kZoneStart),
                            LoadLe<uint64_t>(at + blk::kZoneWp), at[blk::kZoneType],
                            static_cast<ZoneState>(at[blk::kZoneStateOffset])});
  }
  return report;
}

BlkAnswer Manage(Context& c, uint32_t type, uint64_t sector) {
  return AskBlk(
      c, BlkRequest(fmt::format("zone command {} at sector {}", type, sector), type, sector));
}
void Expect(Context& c, std::vector<uint64_t> statuses, const std::string& row,
            const char* because) {
  c.Expect(Accept::In(std::move(statuses)), row, because);
}
void ExpectOk(Context& c, const std::string& row, const char* because) {
  Expect(c, {blk::kStatusOk}, row, because);
}
void Reset(Context& c, const Zone& zone) { Manage(c, blk::kTypeZoneReset, zone.start); }

Bytes Data(uint64_t sectors) { return Pattern(0x20e, sectors * blk::kSectorSize); }

BlkAnswer Write(Context& c, uint64_t sector, uint64_t sectors) {
  return AskBlk(c, BlkRequest(fmt::format("a write of {} sectors at {}", sectors, sector),
                              blk::kTypeOut, sector, Data(sectors)));
}
BlkAnswer Read(Context& c, uint64_t sector, uint64_t sectors) {
  return AskBlk(c,
                BlkRequest(fmt::format("a read of {} sectors at {}", sectors, sector), blk::kTypeIn,
                           sector, {}, static_cast<uint32_t>(sectors * blk::kSectorSize)));
}
BlkAnswer Append(Context& c, uint64_t sector, uint64_t sectors) {
  return AskBlk(c, BlkRequest(fmt::format("an append of {} sectors at {}", sectors, sector),
                              blk::kTypeZoneAppend, sector, Data(sectors), blk::kAppendSectorSize));
}

// Judges the state of a zone as a report tells it.
void ExpectState(Context& c, const Zone& zone, std::vector<ZoneState> states,
                 const std::string& row, const char* because) {
  const Report report = AskReport(c, zone.start, 1);
  if (report.zones.empty()) return;
  c.Do(
      op::Read{report.answer.data_address + blk::kZoneReportHeaderSize + blk::kZoneStateOffset, 1});
  std::vector<uint64_t> values;
  for (const ZoneState state : states) values.push_back(static_cast<uint64_t>(state));
  Expect(c, values, row, because);
}

// The device and its zones ------------------------------------------------------------------------

Zoned UpZoned(Context& c, FeatureSet with = {}) {
  c.Up({.with = with | FeatureSet{blk::kFeatureZoned}, .prepare = false});
  const auto field = [&](uint32_t offset) { return BlkField(c, offset, 4).value_or(0); };
  Zoned zoned;
  zoned.capacity = BlkCapacity(c);
  zoned.model = static_cast<uint8_t>(BlkField(c, blk::kConfigZonedModel, 1).value_or(0));
  if (zoned.model == blk::kModelNone) c.NotApplicable("the device has no zones");
  zoned.zone_sectors = field(blk::kConfigZoneSectors);
  zoned.max_open = field(blk::kConfigMaxOpenZones);
  zoned.max_active = field(blk::kConfigMaxActiveZones);
  zoned.max_append = field(blk::kConfigMaxAppendSectors);
  zoned.block = std::max<uint64_t>(1, field(blk::kConfigWriteGranularity) / blk::kSectorSize);
  if (zoned.block > kMostSectors / 4) c.NotApplicable("the write granularity is very large");
  zoned.zones = AskReport(c, 0, kMostZones).zones;
  return zoned;
}

// The zones that a check may use: sequential and empty; with `swr`, such as require sequential
// writes.
std::vector<Zone> Empty(Context& c, const Zoned& zoned, size_t least, bool swr) {
  std::vector<Zone> empty;
  if (!c.facts().offered.Has(blk::kFeatureRo))
    for (const Zone& zone : zoned.zones)
      if (zone.state == ZoneState::kEmpty && (zone.type == blk::kZoneSwr || !swr))
        empty.push_back(zone);
  if (empty.size() < least)
    c.NotApplicable(fmt::format("{} empty {} zones are there to write to, {} are needed",
                                empty.size(), swr ? "SWR" : "sequential", least));
  return empty;
}

// Are there no zones that hold resources, as far as one can see?
bool NoneActive(const Zoned& zoned) {
  return zoned.zones.size() < kMostZones &&
         std::none_of(zoned.zones.begin(), zoned.zones.end(), [](const Zone& zone) {
           return zone.state == ZoneState::kImplicitlyOpen || zone.state == ZoneState::kClosed ||
                  zone.state == ZoneState::kExplicitlyOpen;
         });
}

// Features and config space (5.2.5.2) -------------------------------------------------------------

void FeatureNotAccepted(Context& c) {
  const uint8_t model = UpZoned(c).model;
  c.Reset();
  c.AcknowledgeAndDriver();
  c.Offered();
  const bool accepted = c.Negotiate(c.DefaultFeatures());
  if (model == blk::kModelHostManaged) {
    c.Expect(Accept::Masked(status::kFeaturesOk, 0), Init(7),
             "a host-managed device does not accept features without VIRTIO_BLK_F_ZONED");
    return;
  }
  c.Expect(Accept::Masked(status::kFeaturesOk, status::kFeaturesOk), Init(6),
           "a host-aware device goes on without VIRTIO_BLK_F_ZONED");
  if (!accepted) return;
  for (uint32_t offset = blk::kConfigZoneSectors; offset < blk::kConfigZonedModel; offset += 4)
    if (BlkField(c, offset, 4))
      c.Expect(Accept::Equal(0), Init(6), "the zoned fields are 0 without VIRTIO_BLK_F_ZONED");
  if (BlkField(c, blk::kConfigZonedModel, 1))
    c.Expect(Accept::Equal(0), Init(6), "the model is 0 without VIRTIO_BLK_F_ZONED");
}

void FieldsAreTrue(Context& c) {
  constexpr uint64_t kLimits = uint64_t{1} << blk::kFeatureSizeMax | uint64_t{1}
                                                                         << blk::kFeatureSegMax;
  const bool limits = (c.facts().offered.word(0) & kLimits) == kLimits;
  const Zoned zoned =
      UpZoned(c, limits ? FeatureSet{blk::kFeatureSizeMax, blk::kFeatureSegMax} : FeatureSet{});
  for (uint32_t i = 0; i < 3; ++i)
    if (BlkField(c, blk::kConfigUnused2 + i, 1))
      c.Expect(Accept::Equal(0), Init(19), "the padding unused2 is 0");
  if (zoned.zones.size() >= 2 && BlkField(c, blk::kConfigZoneSectors, 4))
    c.Expect(Accept::Equal(zoned.zones[1].start - zoned.zones[0].start), Init(11),
             "zone_sectors is the size of a zone");
  for (const Zone& zone : zoned.zones) {
    if (zone.type == blk::kZoneConventional) continue;
    const bool swr = zone.type == blk::kZoneSwr;
    BlkField(c, blk::kConfigZonedModel, 1);
    c.Expect(Accept::Equal(swr ? blk::kModelHostManaged : blk::kModelHostAware), Init(swr ? 9 : 10),
             "the model goes with the type of the sequential zones");
    break;
  }
  if (!limits) return;
  const uint64_t bytes = BlkField(c, blk::kConfigSizeMax, 4).value_or(0) *
                         BlkField(c, blk::kConfigSegMax, 4).value_or(0);
  BlkField(c, blk::kConfigMaxAppendSectors, 4);
  c.Expect(Accept::Range(0, bytes / blk::kSectorSize), Init(16),
           "max_append_sectors is no more than seg_max * size_max");
}

void ReportIsWhole(Context& c) {
  const Zoned zoned = UpZoned(c);
  if (zoned.zones.size() < 3) c.NotApplicable("the device has too few zones");
  const Report part = AskReport(c, 0, 2);
  c.Do(op::Read{part.answer.data_address, 8});
  c.Expect(Accept::Range(1, 2), kAnswer, "nr_zones is the number of zone descriptors transferred");
  // A sector in the midst of a zone names that zone.
  const Report second = AskReport(c, zoned.zones[1].start + 1, 1);
  c.Do(op::Read{second.answer.data_address + blk::kZoneReportHeaderSize + blk::kZoneStart, 8});
  c.Expect(Accept::Equal(zoned.zones[1].start), kAnswer,
           "a report begins with the zone that contains the sector");
  c.Do(op::Read{second.answer.data_address + blk::kZoneReportHeaderSize + blk::kZoneCap, 8});
  c.Expect(Accept::Range(0, zoned.zone_sectors), kAnswer, "z_cap is no more than zone_sectors");
}

// Conventional and failed zones -------------------------------------------------------------------

void ConventionalZonesHaveNoState(Context& c) {
  const Zoned zoned = UpZoned(c);
  const auto zone = std::find_if(zoned.zones.begin(), zoned.zones.end(), [](const Zone& each) {
    return each.type == blk::kZoneConventional;
  });
  if (zone == zoned.zones.end()) c.NotApplicable("the device has no conventional zone");
  if (c.facts().offered.Has(blk::kFeatureRo)) c.NotApplicable("the device is read-only");
  ExpectState(c, *zone, {ZoneState::kNotWp}, kAnswer, "a conventional zone is in state NOT_WP");
  for (const uint32_t type :
       {blk::kTypeZoneOpen, blk::kTypeZoneClose, blk::kTypeZoneFinish, blk::kTypeZoneReset}) {
    Manage(c, type, zone->start);
    Expect(c, {kInvalid}, Op(17), "zone commands to a conventional zone end with ZONE_INVALID_CMD");
  }
  // An append to sector 0 only: the suite writes nowhere else in conventional zones.
  if (zoned.max_append < zoned.block || zone->start != 0) return;
  Append(c, zone->start, zoned.block);
  Expect(c, {kInvalid}, Op(18), "an append to a conventional zone ends with ZONE_INVALID_CMD");
}

void FailedZonesRefuse(Context& c) {
  const Zoned zoned = UpZoned(c);
  bool any = false;
  for (const Zone& zone : zoned.zones) {
    if (zone.state == ZoneState::kReadOnly && !c.facts().offered.Has(blk::kFeatureRo)) {
      Write(c, zone.start, zoned.block);
      Expect(c, {kInvalid}, Op(33), "a write to a read-only zone ends with ZONE_INVALID_CMD");
      any = true;
    } else if (zone.state == ZoneState::kOffline) {
      Read(c, zone.start, zoned.block);
      Expect(c, {kInvalid}, Op(34), "a read from an offline zone ends with ZONE_INVALID_CMD");
      any = true;
    }
  }
  if (!any) c.NotApplicable("no zone is read-only or offline");
}

// Appends -----------------------------------------------------------------------------------------

void AppendTellsWhere(Context& c) {
  const Zoned zoned = UpZoned(c);
  const Zone zone = Empty(c, zoned, 1, true)[0];
  if (zoned.max_append < zoned.block) c.NotApplicable("the device takes no appends");
  for (uint64_t i = 0; i < 2 && (i + 1) * zoned.block <= zone.capacity; ++i) {
    const BlkAnswer answer = Append(c, zone.start, zoned.block);
    ExpectOk(c, Init(15), "an append within max_append_sectors ends with VIRTIO_BLK_S_OK");
    if (!answer.ok()) break;
    c.Do(op::Read{answer.data_address, blk::kAppendSectorSize});
    c.Expect(Accept::Equal(zone.start + i * zoned.block), Op(27),
             "append_sector is the first sector of the data");
  }
  Append(c, zone.start + zoned.block, zoned.block);
  Expect(c, {kInvalid}, Op(25),
         "an append whose sector is not a zone's first ends with "
         "ZONE_INVALID_CMD");
  Reset(c, zone);
}

void AppendLimit(Context& c) {
  const bool size_max = c.facts().offered.Has(blk::kFeatureSizeMax);
  const Zoned zoned = UpZoned(c, size_max ? FeatureSet{blk::kFeatureSizeMax} : FeatureSet{});
  const Zone zone = Empty(c, zoned, 1, true)[0];
  if (zoned.max_append == 0) {
    Append(c, zone.start, zoned.block);
    Expect(c, {blk::kStatusUnsupported}, Op(28),
           "an append ends with VIRTIO_BLK_S_UNSUPP where max_append_sectors is 0");
    return;
  }
  const uint64_t most = zoned.max_append / zoned.block * zoned.block;
  if (most == 0 || most > kMostSectors || most + zoned.block > zone.capacity)
    c.NotApplicable("max_append_sectors is too large, or too small, to be tried");
  // The data is one segment.
  if (!size_max || BlkField(c, blk::kConfigSizeMax, 4).value_or(0) >= most * blk::kSectorSize) {
    Append(c, zone.start, most);
    ExpectOk(c, Init(15), "an append of max_append_sectors ends with VIRTIO_BLK_S_OK");
    Reset(c, zone);
  }
  Append(c, zone.start, most + zoned.block);
  Expect(c, {kInvalid}, Op(29),
         "an append of more than max_append_sectors ends with "
         "ZONE_INVALID_CMD");
  Reset(c, zone);
}

// Reads and writes --------------------------------------------------------------------------------

void WritesFollowThePointer(Context& c) {
  const Zoned zoned = UpZoned(c);
  const Zone zone = Empty(c, zoned, 1, true)[0];
  if (zone.capacity < 3 * zoned.block) c.NotApplicable("the zone is too small");
  Write(c, zone.start + zoned.block, zoned.block);
  Expect(c, {blk::kStatusZoneUnalignedWp}, Op(31),
         "a write that is not at the write pointer ends with ZONE_UNALIGNED_WP");
  Write(c, zone.start, zoned.block);
  ExpectOk(c, Init(18), "a write of write_granularity at the write pointer ends with OK");
  const Report report = AskReport(c, zone.start, 1);
  c.Do(op::Read{report.answer.data_address + blk::kZoneReportHeaderSize + blk::kZoneWp, 8});
  c.Expect(Accept::Equal(zone.start + zoned.block), kAnswer,
           "the write pointer is behind what was written");
  Write(c, zone.start, zoned.block);
  Expect(c, {blk::kStatusZoneUnalignedWp}, Op(31),
         "a write before the write pointer ends with ZONE_UNALIGNED_WP");
  Reset(c, zone);
}

void WritesKeepToTheCapacity(Context& c) {
  const Zoned zoned = UpZoned(c);
  const Zone zone = Empty(c, zoned, 1, true)[0];
  const uint64_t capacity = zone.capacity / zoned.block * zoned.block;
  if (capacity + zoned.block > kMostSectors) c.NotApplicable("the zone is too large to be filled");
  if (zone.start + capacity + zoned.block > zoned.capacity) c.NotApplicable("it is the last zone");
  Write(c, zone.start, capacity + zoned.block);
  Expect(c, {kInvalid}, Op(26), "a write beyond the capacity of a zone ends with ZONE_INVALID_CMD");
  Write(c, zone.start, capacity);
  ExpectOk(c, kAnswer, "a write of a whole zone ends with OK");
  if (capacity == zone.capacity)
    ExpectState(c, zone, {ZoneState::kFull}, kAnswer, "a zone that was written to its end is full");
  Reset(c, zone);
}

void RangesKeepToOneZone(Context& c) {
  const Zoned zoned = UpZoned(c);
  const Zone zone = Empty(c, zoned, 1, true)[0];
  const uint64_t end = zone.start + zoned.zone_sectors;
  if (end + zoned.block > zoned.capacity) c.NotApplicable("it is the last zone");
  Read(c, end - zoned.block, 2 * zoned.block);
  Expect(c, {kInvalid}, Op(30), "a read from more than one zone ends with ZONE_INVALID_CMD");
}

void UnwrittenDataIsGone(Context& c) {
  const Zoned zoned = UpZoned(c);
  const Zone zone = Empty(c, zoned, 1, false)[0];
  if (zone.capacity < zoned.block) c.NotApplicable("the zone is too small");
  Write(c, zone.start, zoned.block);
  ExpectOk(c, kAnswer, "a write at the write pointer ends with OK");
  const BlkAnswer before = Read(c, zone.start, 1);
  Reset(c, zone);
  ExpectState(c, zone, {ZoneState::kEmpty}, Op(23), "a zone that was reset is empty");
  const BlkAnswer after = Read(c, zone.start, 1);
  if (!before.ok() || !after.ok()) return;  // failing such a read is one of two ways
  c.Do(op::Read{after.data_address, 8});
  c.Expect(Accept::NotEqual(LoadLe<uint64_t>(before.data.data())), Op(36),
           "unwritten data is a pattern and not what stood there before");
}

// Zone commands -----------------------------------------------------------------------------------

void OpenedClosedFinishedReset(Context& c) {
  const Zoned zoned = UpZoned(c);
  const Zone zone = Empty(c, zoned, 1, false)[0];
  Manage(c, blk::kTypeZoneOpen, zone.start);
  ExpectOk(c, Op(19), "an empty zone can be opened");
  ExpectState(c, zone, {ZoneState::kExplicitlyOpen}, Op(19), "it is explicitly open then");
  Write(c, zone.start, zoned.block);
  ExpectOk(c, kAnswer, "a write at the write pointer ends with OK");
  Manage(c, blk::kTypeZoneClose, zone.start);
  ExpectOk(c, Op(21), "an open zone can be closed");
  ExpectState(c, zone, {ZoneState::kClosed}, Op(21), "it is closed then");
  Manage(c, blk::kTypeZoneOpen, zone.start);
  Manage(c, blk::kTypeZoneFinish, zone.start);
  ExpectOk(c, Op(22), "an open zone can be finished");
  ExpectState(c, zone, {ZoneState::kFull}, Op(22), "it is full then");
  Manage(c, blk::kTypeZoneOpen, zone.start);
  Expect(c, {kInvalid}, Op(19), "opening a full zone ends with ZONE_INVALID_CMD");
  Manage(c, blk::kTypeZoneReset, zone.start);
  ExpectOk(c, Op(23), "a full zone can be reset");
  ExpectState(c, zone, {ZoneState::kEmpty}, Op(23), "it is empty then");
}

// The standard knows no way from Empty to Closed or Full. Storage beneath may, so a success is a
// warning here, if it is one.
void CommandsToEmptyZones(Context& c) {
  const Zoned zoned = UpZoned(c);
  const Zone zone = Empty(c, zoned, 1, false)[0];
  Manage(c, blk::kTypeZoneClose, zone.start);
  c.Advise(Accept::Equal(kInvalid), Op(21), "closing an empty zone ends with ZONE_INVALID_CMD");
  if (Manage(c, blk::kTypeZoneFinish, zone.start).ok()) {
    ExpectState(c, zone, {ZoneState::kFull}, Op(22), "a zone that was finished is full");
  } else {
    Expect(c, {kInvalid}, Op(22), "finishing a zone that cannot be ends with ZONE_INVALID_CMD");
    ExpectState(c, zone, {ZoneState::kEmpty}, Op(22), "then the zone does not change its state");
  }
  Reset(c, zone);
}

void AllAreReset(Context& c) {
  const Zoned zoned = UpZoned(c);
  const std::vector<Zone> empty = Empty(c, zoned, 2, false);
  const auto untouched =
      std::count_if(zoned.zones.begin(), zoned.zones.end(), [](const Zone& zone) {
        return zone.type == blk::kZoneConventional || zone.state == ZoneState::kEmpty ||
               zone.state == ZoneState::kReadOnly || zone.state == ZoneState::kOffline;
      });
  if (zoned.zones.size() == kMostZones || static_cast<size_t>(untouched) != zoned.zones.size())
    c.NotApplicable("other zones may hold data");
  for (const size_t i : {0, 1}) Write(c, empty[i].start, zoned.block);
  Manage(c, blk::kTypeZoneResetAll, 0);
  ExpectOk(c, kAnswer, "VIRTIO_BLK_T_ZONE_RESET_ALL ends with OK");
  for (const size_t i : {0, 1})
    ExpectState(c, empty[i], {ZoneState::kEmpty}, kAnswer, "all zones are empty then");
}

// Limits ------------------------------------------------------------------------------------------

constexpr const char* kNoResource =
    "what exceeds a limit of zones ends with ZONE_OPEN_RESOURCE or ZONE_ACTIVE_RESOURCE";

void ExpectNoResource(Context& c, int row) {
  Expect(c, {blk::kStatusZoneOpenResource, blk::kStatusZoneActiveResource}, Op(row), kNoResource);
}

void OpenLimit(Context& c) {
  const Zoned zoned = UpZoned(c);
  const uint64_t limit =
      zoned.max_active == 0 ? zoned.max_open : std::min(zoned.max_open, zoned.max_active);
  if (limit == 0) c.NotApplicable("the device has no limit of open zones");
  const std::vector<Zone> empty = Empty(c, zoned, limit + 1, false);
  if (!NoneActive(zoned)) c.NotApplicable("other zones are open");
  for (uint64_t i = 0; i < limit; ++i) {
    Manage(c, blk::kTypeZoneOpen, empty[i].start);
    ExpectOk(c, Init(13), "as many zones as max_open_zones can be open");
  }
  Manage(c, blk::kTypeZoneOpen, empty[limit].start);
  ExpectNoResource(c, 20);
  ExpectState(c, empty[limit], {ZoneState::kEmpty}, Op(20),
              "then the zone does not change its state");
  // All open zones are explicitly open, so that none can be closed to make room for a write.
  if (empty[limit].type == blk::kZoneSwr) {
    Write(c, empty[limit].start, zoned.block);
    ExpectNoResource(c, 24);
  }
  for (uint64_t i = 0; i <= limit; ++i) Reset(c, empty[i]);
}

void ActiveLimit(Context& c) {
  const Zoned zoned = UpZoned(c);
  const uint64_t limit = zoned.max_active;
  if (limit == 0) c.NotApplicable("the device has no limit of active zones");
  const std::vector<Zone> empty = Empty(c, zoned, limit + 1, false);
  if (!NoneActive(zoned)) c.NotApplicable("other zones are active");
  for (uint64_t i = 0; i < limit; ++i) {
    Write(c, empty[i].start, zoned.block);
    ExpectOk(c, Init(14), "as many zones as max_active_zones can be active");
    Manage(c, blk::kTypeZoneClose, empty[i].start);
  }
  Manage(c, blk::kTypeZoneOpen, empty[limit].start);
  ExpectNoResource(c, 20);
  ExpectState(c, empty[limit], {ZoneState::kEmpty}, Op(20),
              "then the zone does not change its state");
  if (empty[limit].type == blk::kZoneSwr) {
    Write(c, empty[limit].start, zoned.block);
    ExpectNoResource(c, 24);
  }
  for (uint64_t i = 0; i <= limit; ++i) Reset(c, empty[i]);
}

// Secure erase ------------------------------------------------------------------------------------

void SecureEraseIsAReset(Context& c) {
  const Zoned zoned = UpZoned(c, {blk::kFeatureSecureErase});
  const auto alignment = BlkField(c, blk::kConfigSecureEraseSectorAlignment, 4);
  if (alignment)
    c.Expect(Accept::Equal(std::max(zoned.zone_sectors,
                                    *alignment / zoned.zone_sectors * zoned.zone_sectors)),
             Op(38), "secure_erase_sector_alignment is a multiple of zone_sectors");
  const Zone zone = Empty(c, zoned, 1, false)[0];
  if (zone.start + zoned.zone_sectors > zoned.capacity || zoned.zone_sectors > UINT32_MAX ||
      BlkField(c, blk::kConfigMaxSecureEraseSectors, 4).value_or(0) < zoned.zone_sectors)
    c.NotApplicable("no whole zone can be erased");
  const auto sectors = static_cast<uint32_t>(zoned.zone_sectors);
  Write(c, zone.start, zoned.block);
  AskBlk(c, BlkRequest("a secure erase of half a zone", blk::kTypeSecureErase, 0,
                       BlkSegment(zone.start, sectors / 2)));
  c.Advise(Accept::NotEqual(blk::kStatusOk), Op(39),
           "a secure erase that is no multiple of zone_sectors does not end with OK");
  if (alignment.value_or(0) <= zoned.zone_sectors) {
    const BlkAnswer answer = AskBlk(c, BlkRequest("a secure erase of a zone", blk::kTypeSecureErase,
                                                  0, BlkSegment(zone.start, sectors)));
    c.Advise(Accept::Equal(blk::kStatusOk), kAnswer, "a secure erase of a whole zone ends with OK");
    if (answer.ok())
      ExpectState(c, zone, {ZoneState::kEmpty}, Op(40), "a zone that was erased is empty");
  }
  Reset(c, zone);
}

}  // namespace

void AddBlkZonedChecks(std::vector<Check>& list) {
  auto add = [&](const char* id, const char* title, const char* section,
                 std::vector<std::string> rows, std::vector<std::string> faults,
                 void (*run)(Context&)) {
    Needs needs = {.abilities = {Ability::kConfigSpace}, .device_id = device_id::kBlk};
    needs.offered = {blk::kFeatureZoned};
    needs.config_bytes = blk::kConfigZonedModel + 1;
    for (std::string& fault : faults)
      if (fault.find(':') == std::string::npos) fault = "blk,zoned=hm:" + fault;
    list.push_back({.id = std::string("blk.zoned.") + id,
                    .title = title,
                    .section = section,
                    .requirements = std::move(rows),
                    .tags = {"blk", "zoned"},
                    .needs = std::move(needs),
                    .faults = std::move(faults),
                    .run = run});
  };
  add("feature-not-accepted",
      "Without ZONED accepted, a host-managed device refuses and others go on", "5.2.5.2",
      {Init(6), Init(7)},
      {"blk,zoned=ha:zoned-fields-without-feature", "zoned-host-managed-not-refused"},
      FeatureNotAccepted);
  list.back().needs.abilities.push_back(Ability::kDeviceStatus);
  add("config-fields", "The zoned fields of the config space are true", "5.2.5.2",
      {Init(9), Init(10), Init(11), Init(16), Init(19)},
      {"zoned-model-wrong", "zoned-zone-sectors-wrong", "zoned-append-limit-too-large",
       "zoned-padding-not-zero"},
      FieldsAreTrue);
  add("report", "A report has as many zones as it says", "5.2.6", {kAnswer},
      {"zoned-report-count-wrong"}, ReportIsWhole);
  add("conventional-zones", "Zone commands and appends to conventional zones are invalid",
      "5.2.6.2", {Op(17), Op(18)}, {"zoned-conventional-managed", "zoned-append-conventional"},
      ConventionalZonesHaveNoState);
  add("failed-zones", "Zones that are read-only or offline refuse requests", "5.2.6.2",
      {Op(33), Op(34)}, {"zoned-read-only-zone-written", "zoned-offline-zone-read"},
      FailedZonesRefuse);
  add("append", "An append tells where its data went", "5.2.6.2", {Op(27), Op(25)},
      {"zoned-append-sector-wrong", "zoned-append-anywhere"}, AppendTellsWhere);
  add("append-limit", "max_append_sectors is the limit of appends", "5.2.6.2",
      {Init(15), Op(28), Op(29)},
      {"zoned-append-limit-lower", "zoned-append-too-long-ok", "zoned-append-unsupported-wrong"},
      AppendLimit);
  add("write-pointer", "Writes to a sequential zone begin at its write pointer", "5.2.6.2",
      {Op(31), Init(18)},
      {"zoned-write-anywhere", "zoned-granularity-wrong", "zoned-report-wp-stale"},
      WritesFollowThePointer);
  add("capacity", "Writes keep to the capacity of their zone", "5.2.6.2", {Op(26)},
      {"zoned-write-beyond-capacity"}, WritesKeepToTheCapacity);
  add("crossing", "No request to a sequential zone goes beyond it", "5.2.6.2", {Op(30)},
      {"zoned-crossing-ok"}, RangesKeepToOneZone);
  add("unwritten-data", "Unwritten data is not what stood there before", "5.2.6.2",
      {Op(35), Op(36), Op(37)}, {"zoned-old-data-after-reset"}, UnwrittenDataIsGone);
  add("commands", "Zones are opened, closed, finished and reset as told", "5.2.6.2",
      {Op(19), Op(21), Op(22), Op(23)},
      {"zoned-open-full-ok", "zoned-finish-ignored", "zoned-reset-ignored"},
      OpenedClosedFinishedReset);
  add("commands-to-empty-zones", "Empty zones are not closed, and finished whole or not at all",
      "5.2.6.2", {Op(21), Op(22)}, {"zoned-close-empty-ok", "zoned-finish-empty-ok"},
      CommandsToEmptyZones);
  add("reset-all", "All zones are empty after ZONE_RESET_ALL", "5.2.6.2", {kAnswer},
      {"zoned-reset-all-first"}, AllAreReset);
  add("open-limit", "No more zones than max_open_zones are opened", "5.2.6.2",
      {Op(20), Op(24), Init(13)}, {"zoned-open-limit-ignored", "zoned-implicit-limit-ignored"},
      OpenLimit);
  add("active-limit", "No more zones than max_active_zones become active", "5.2.6.2",
      {Op(20), Op(24), Init(14)}, {"zoned-active-limit-ignored", "zoned-implicit-limit-ignored"},
      ActiveLimit);
  add("secure-erase", "A secure erase of zones resets them", "5.2.6.2", {Op(38), Op(39), Op(40)},
      {"zoned-erase-alignment-wrong", "zoned-erase-part-ok", "zoned-erase-keeps-zone"},
      SecureEraseIsAReset);
  list.back().needs.offered.push_back(blk::kFeatureSecureErase);
}

}  // namespace vitro
