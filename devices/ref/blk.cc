// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/blk.h"

#include <algorithm>
#include <string_view>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"

namespace vitro::ref {
namespace {

using blk::kSectorSize;

constexpr uint32_t kSizeMax = 1 << 20;
constexpr uint32_t kMaxRangeSectors = 1024, kMaxRanges = 4, kRangeAlignment = 8;
constexpr uint64_t kPieceSectors = 64;  // how much is copied at a time
constexpr std::string_view kId = "vitro-reference-blk";

struct BlkOptions {
  uint32_t queues = 2;
  uint64_t capacity = 2048;
  bool read_only = false;
  ZonedOptions zoned;
};

struct BlkRequest {
  uint32_t type = 0;
  uint64_t sector = 0;
  uint64_t data_at = blk::kRequestHeaderSize;  // of device-readable data
  uint64_t out_bytes = 0, in_bytes = 0;        // of data, each way
};

struct Range {
  uint64_t sector;
  uint32_t count, flags;
};

bool IsZoneCommand(uint32_t type) {
  return type >= blk::kTypeZoneAppend && type <= blk::kTypeZoneResetAll;
}

class Blk : public DeviceCore {
 public:
  Blk(const vitro_host* host, const CommonOptions& common, const BlkOptions& options)
      : DeviceCore(host, common, options.queues),
        options_(options),
        queue_size_(common.queue_size),
        disk_(options.capacity) {
    if (options.zoned.model != blk::kModelNone)
      zones_.emplace(options.zoned, options.capacity, fault);
  }

 protected:
  uint32_t DeviceId() const override { return device_id::kBlk; }
  FeatureSet DeviceFeatures() const override;
  bool AcceptableFeatures(FeatureSet accepted) const override {
    // A driver that does not know zones cannot use a host-managed device (5.2.5.2).
    return options_.zoned.model != blk::kModelHostManaged || accepted.Has(blk::kFeatureZoned) ||
           fault("zoned-host-managed-not-refused");
  }
  bool QueueAvailable(uint32_t queue) const override {
    return queue == 0 || !FeaturesOk() || features().Has(blk::kFeatureMq) ||
           fault("queue-gate-ignored");
  }

  Bytes ConfigImage() const override;
  bool ConfigWritable(uint32_t offset) const override {
    return offset == blk::kConfigWriteback &&
           (features().Has(blk::kFeatureConfigWce) || LegacyDriver());
  }
  bool AcceptConfigWrite(uint32_t, ByteView bytes) const override {
    return bytes[0] == 0 ||
           (bytes[0] == 1 && (features().Has(blk::kFeatureFlush) || LegacyDriver()));
  }
  void WriteConfigByte(uint32_t, uint8_t byte) override { writethrough_ = byte == 0; }
  bool ChangeConfig() override;
  void OnReset() override { writethrough_ = false; }

  bool Serve(uint32_t queue, Chain& chain) override;

 private:
  bool ReadRequest(const Chain& chain, BlkRequest& request) const;
  // Each executes a request; no status means that none is written. False if memory failed.
  bool Execute(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status);
  bool In(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status);
  bool Out(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status);
  bool GetId(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status);
  bool GetLifetime(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status);
  bool Ranges(const Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status);

  // Requests of a zoned device.
  bool ZonesInUse() const { return zones_ && features().Has(blk::kFeatureZoned); }
  bool ZoneRequest(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status);
  bool Append(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status);
  bool Report(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status);
  void ReadSector(uint64_t sector, uint8_t* to) const;

  bool Store(const Chain& chain, const BlkRequest& request, uint64_t sector);
  void TakeFirstByte(const Chain& chain, uint8_t& byte) const;
  static unsigned FeatureOfRanges(uint32_t type);
  bool UnsupportedFlags(uint32_t type, uint32_t flags) const;
  uint8_t CheckRanges(uint32_t type, const std::vector<Range>& ranges) const;
  void ZeroRanges(uint32_t type, const std::vector<Range>& ranges);
  bool WriteStatus(Chain& chain, const BlkRequest& request, uint8_t status) const;

  BlkOptions options_;
  uint32_t queue_size_;
  Disk disk_;
  std::optional<Zones> zones_;
  bool writethrough_ = false;
};

FeatureSet Blk::DeviceFeatures() const {
  FeatureSet offer{blk::kFeatureSizeMax, blk::kFeatureSegMax,   blk::kFeatureBlkSize,
                   blk::kFeatureFlush,   blk::kFeatureTopology, blk::kFeatureConfigWce,
                   blk::kFeatureLifetime};
  if (options_.queues > 1) offer.Add(blk::kFeatureMq);
  if (options_.read_only) offer.Add(blk::kFeatureRo);
  if (!options_.read_only) offer.Add(blk::kFeatureSecureErase);
  if (!options_.read_only && !zones_) offer.Add(blk::kFeatureDiscard).Add(blk::kFeatureWriteZeroes);
  if (zones_) offer.Add(blk::kFeatureZoned);
  if (fault("blk-config-wce-without-flush")) offer.Remove(blk::kFeatureFlush);
  if (fault("blk-zoned-offered")) offer.Add(blk::kFeatureZoned);
  return offer;
}

// Configuration space (5.2.4)
// ------------------------------------------------------------------------

Bytes Blk::ConfigImage() const {
  Bytes image(blk::kConfigSize);
  const auto put8 = [&](unsigned feature_bit, uint32_t offset, unsigned value) {
    if (FieldShown(feature_bit)) image[offset] = static_cast<uint8_t>(value);
  };
  const auto put16 = [&](unsigned feature_bit, uint32_t offset, unsigned value) {
    if (FieldShown(feature_bit)) StoreLe(&image[offset], static_cast<uint16_t>(value));
  };
  const auto put32 = [&](unsigned feature_bit, uint32_t offset, uint32_t value) {
    if (FieldShown(feature_bit)) StoreLe(&image[offset], value);
  };
  StoreLe<uint64_t>(&image[blk::kConfigCapacity], disk_.capacity());
  put32(blk::kFeatureSizeMax, blk::kConfigSizeMax, kSizeMax);
  // Header and status take a descriptor each; a queue of 1 or 2 still carries indirect tables.
  put32(blk::kFeatureSegMax, blk::kConfigSegMax, std::max(queue_size_, 3u) - 2);
  put32(blk::kFeatureBlkSize, blk::kConfigBlkSize, kSectorSize);
  put8(blk::kFeatureTopology, blk::kConfigPhysicalBlockExp, 3);
  put16(blk::kFeatureTopology, blk::kConfigMinIoSize, 1);
  put32(blk::kFeatureTopology, blk::kConfigOptIoSize, 64);
  // Without FLUSH the cache cannot be flushed, so it is writethrough (5.2.5.2); a legacy driver
  // sees no change by what it accepts (5.2.5.3).
  const bool can_flush =
      FieldShown(blk::kFeatureFlush) || LegacyDriver() || fault("blk-writeback-not-initialised");
  put8(blk::kFeatureConfigWce, blk::kConfigWriteback, can_flush && !writethrough_);
  if (fault("blk-padding-not-zero")) image[blk::kConfigUnused0] = 0xff;
  put16(blk::kFeatureMq, blk::kConfigNumQueues, options_.queues);
  put32(blk::kFeatureDiscard, blk::kConfigMaxDiscardSectors, kMaxRangeSectors);
  put32(blk::kFeatureDiscard, blk::kConfigMaxDiscardSeg, kMaxRanges);
  put32(blk::kFeatureDiscard, blk::kConfigDiscardSectorAlignment, kRangeAlignment);
  put32(blk::kFeatureWriteZeroes, blk::kConfigMaxWriteZeroesSectors, kMaxRangeSectors);
  put32(blk::kFeatureWriteZeroes, blk::kConfigMaxWriteZeroesSeg, kMaxRanges);
  // write_zeroes_may_unmap stays 0: nothing here is ever deallocated.
  put32(blk::kFeatureSecureErase, blk::kConfigMaxSecureEraseSectors, kMaxRangeSectors);
  put32(blk::kFeatureSecureErase, blk::kConfigMaxSecureEraseSeg, kMaxRanges);
  put32(blk::kFeatureSecureErase, blk::kConfigSecureEraseSectorAlignment, kRangeAlignment);
  if (zones_ && (FieldShown(blk::kFeatureZoned) || fault("zoned-fields-without-feature")))
    zones_->FillConfig(image);
  return image;
}

bool Blk::ChangeConfig() {
  if (zones_) zones_->Grow();
  // A zoned disk ends with a whole zone from here on.
  disk_.Grow(zones_ ? Zones::kZoneSectors - disk_.capacity() % Zones::kZoneSectors : 8);
  if (!fault("blk-capacity-zero-change")) ConfigChanged();
  return true;
}

// Requests (5.2.6)
// -----------------------------------------------------------------------------------

bool Blk::ReadRequest(const Chain& chain, BlkRequest& request) const {
  uint8_t header[blk::kRequestHeaderSize] = {};
  uint64_t size = std::min<uint64_t>(sizeof header, chain.readable_bytes());
  if (fault("header-in-one-descriptor") && !chain.readable().empty()) {
    request.data_at = chain.readable().front().length;
    size = std::min<uint64_t>(size, request.data_at);
  }
  if (!chain.Read(0, header, size)) return false;
  request.type = LoadLe<uint32_t>(header + blk::kRequestType);
  request.sector = LoadLe<uint64_t>(header + blk::kRequestSector);
  request.out_bytes = chain.readable_bytes() - std::min(request.data_at, chain.readable_bytes());
  request.in_bytes = chain.writable_bytes() - 1;
  return true;
}

bool Blk::WriteStatus(Chain& chain, const BlkRequest& request, uint8_t status) const {
  const uint64_t at = fault("blk-status-first") ? 0 : request.in_bytes;
  return chain.Write(at, &status, 1);
}

bool Blk::Serve(uint32_t, Chain& chain) {
  // Without a place for the status there is nothing to answer, and so nothing is done.
  if (chain.writable_bytes() == 0) return true;
  BlkRequest request;
  if (!ReadRequest(chain, request)) return false;
  std::optional<uint8_t> status = blk::kStatusIoErr;
  const bool refused = chain.readable_bytes() < blk::kRequestHeaderSize ||
                       (fault("status-in-own-descriptor") && chain.writable().back().length != 1);
  if (!refused && !Execute(chain, request, status)) return false;
  return !status || WriteStatus(chain, request, *status);
}

bool Blk::Execute(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status) {
  switch (request.type) {
    case blk::kTypeIn:
      return In(chain, request, status);
    case blk::kTypeOut:
      return Out(chain, request, status);
    case blk::kTypeGetId:
      return GetId(chain, request, status);
    case blk::kTypeGetLifetime:
      return GetLifetime(chain, request, status);
    case blk::kTypeDiscard:
    case blk::kTypeWriteZeroes:
    case blk::kTypeSecureErase:
      return Ranges(chain, request, status);
    case blk::kTypeFlush:
      status = features().Has(blk::kFeatureFlush) ? blk::kStatusOk : blk::kStatusUnsupported;
      return true;
  }
  const bool zone_command = IsZoneCommand(request.type);
  if (zone_command && ZonesInUse()) return ZoneRequest(chain, request, status);
  status = blk::kStatusUnsupported;
  if (fault("blk-zone-command-ok") && zone_command) status = blk::kStatusOk;
  if (fault("blk-unknown-type-ok") && !zone_command) status = blk::kStatusOk;
  if (fault("blk-unknown-type-silent") && !zone_command) status.reset();
  return true;
}

bool Blk::In(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status) {
  const uint64_t count = request.in_bytes / kSectorSize;
  if (request.in_bytes % kSectorSize != 0 || !disk_.Contains(request.sector, count)) return true;
  if (ZonesInUse()) {
    status = zones_->CheckRead(request.sector, count);
    if (status != blk::kStatusOk) return true;
  }
  const uint64_t shift = fault("blk-data-shifted") ? 1 : 0;
  uint64_t end = count;
  if (fault("short-write-full-length")) {
    chain.Claim(chain.writable_bytes());
    end /= 2;
  }
  Bytes bytes;
  for (uint64_t done = 0; done < end;) {
    const uint64_t piece = std::min(kPieceSectors, end - done);
    bytes.resize(piece * kSectorSize);
    for (uint64_t i = 0; i < piece; ++i)
      ReadSector(request.sector + done + i + shift, &bytes[i * kSectorSize]);
    if (fault("writable-buffer-read") && done == 0) TakeFirstByte(chain, bytes[0]);
    if (!chain.Write(done * kSectorSize, bytes.data(), bytes.size())) return false;
    done += piece;
  }
  status = blk::kStatusOk;
  return true;
}

// Fault "writable-buffer-read": what stood in the buffer becomes part of the answer.
void Blk::TakeFirstByte(const Chain& chain, uint8_t& byte) const {
  for (const Segment& segment : chain.writable())
    if (segment.length != 0) return void(host().Read(segment.address, &byte, 1));
}

bool Blk::Out(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status) {
  const uint64_t count = request.out_bytes / kSectorSize;
  if (fault("blk-read-only-status-ok")) status = blk::kStatusOk;
  if (options_.read_only && !fault("blk-read-only-writes")) return true;
  if (request.out_bytes % kSectorSize != 0 || !disk_.Contains(request.sector, count)) return true;
  if (fault("blk-write-lost")) {
    status = blk::kStatusOk;
    return true;
  }
  if (ZonesInUse()) {
    status = zones_->BeginWrite(request.sector, count);
    if (status != blk::kStatusOk) return true;
  }
  if (!Store(chain, request, request.sector)) return false;
  if (ZonesInUse()) zones_->Written(request.sector, count);
  if (!options_.read_only) status = blk::kStatusOk;
  return true;
}

// A sector as a driver sees it: unwritten sectors of a zone read as zeroes.
void Blk::ReadSector(uint64_t sector, uint8_t* to) const {
  if (ZonesInUse() && disk_.Contains(sector, 1) && zones_->Unwritten(sector))
    std::fill_n(to, kSectorSize, uint8_t{0});
  else
    disk_.Read(sector, to);
}

// Puts the data of a request on the disk, from `sector` on. Checks nothing.
bool Blk::Store(const Chain& chain, const BlkRequest& request, uint64_t sector) {
  const uint64_t count = request.out_bytes / kSectorSize;
  Bytes bytes;
  for (uint64_t done = 0; done < count;) {
    const uint64_t piece = std::min(kPieceSectors, count - done);
    bytes.resize(piece * kSectorSize);
    if (!chain.Read(request.data_at + done * kSectorSize, bytes.data(), bytes.size())) return false;
    for (uint64_t i = 0; i < piece; ++i) disk_.Write(sector + done + i, &bytes[i * kSectorSize]);
    done += piece;
  }
  return true;
}

bool Blk::GetId(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status) {
  if (request.in_bytes < blk::kIdSize) return true;
  char id[blk::kIdSize] = {};
  kId.copy(id, sizeof id);
  status = blk::kStatusOk;
  return chain.Write(0, id, sizeof id);
}

bool Blk::GetLifetime(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status) {
  if (!features().Has(blk::kFeatureLifetime)) {
    status = blk::kStatusUnsupported;
    return true;
  }
  if (request.in_bytes < blk::kLifetimeSize) return true;
  uint8_t lifetime[blk::kLifetimeSize];
  StoreLe<uint16_t>(lifetime, fault("blk-lifetime-reserved") ? blk::kMaxPreEolInfo + 1 : 1);
  StoreLe<uint16_t>(lifetime + 2,
                    fault("blk-lifetime-reserved") ? blk::kMaxLifetimeEstimate + 1 : 1);
  StoreLe<uint16_t>(lifetime + 4, 2);
  status = blk::kStatusOk;
  return chain.Write(0, lifetime, sizeof lifetime);
}

// Discard, write zeroes and secure erase: one or more ranges of sectors.
unsigned Blk::FeatureOfRanges(uint32_t type) {
  if (type == blk::kTypeDiscard) return blk::kFeatureDiscard;
  return type == blk::kTypeWriteZeroes ? blk::kFeatureWriteZeroes : blk::kFeatureSecureErase;
}

bool Blk::UnsupportedFlags(uint32_t type, uint32_t flags) const {
  if (type == blk::kTypeWriteZeroes || (fault("blk-discard-unmap-ok") && type == blk::kTypeDiscard))
    flags &= ~blk::kSegmentUnmap;
  if (fault("blk-unknown-flag-ok")) flags &= blk::kSegmentUnmap;
  return flags != 0;
}

uint8_t Blk::CheckRanges(uint32_t type, const std::vector<Range>& ranges) const {
  for (const Range& range : ranges)
    if (UnsupportedFlags(type, range.flags)) return blk::kStatusUnsupported;
  for (const Range& range : ranges)
    if (range.count > kMaxRangeSectors || !disk_.Contains(range.sector, range.count))
      return blk::kStatusIoErr;
  return blk::kStatusOk;
}

bool Blk::Ranges(const Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status) {
  if (!features().Has(FeatureOfRanges(request.type))) {
    status = blk::kStatusUnsupported;
    return true;
  }
  const uint64_t count = request.out_bytes / blk::kSegmentSize;
  if (request.out_bytes % blk::kSegmentSize != 0 || count == 0 || count > kMaxRanges) return true;
  std::vector<Range> ranges;
  for (uint64_t i = 0; i < count; ++i) {
    uint8_t raw[blk::kSegmentSize];
    if (!chain.Read(request.data_at + i * sizeof raw, raw, sizeof raw)) return false;
    ranges.push_back({LoadLe<uint64_t>(raw + blk::kSegmentSector),
                      LoadLe<uint32_t>(raw + blk::kSegmentCount),
                      LoadLe<uint32_t>(raw + blk::kSegmentFlags)});
  }
  status = CheckRanges(request.type, ranges);
  if (ZonesInUse() && request.type == blk::kTypeSecureErase)
    for (const Range& range : ranges)
      if (status == blk::kStatusOk) status = zones_->Erase(range.sector, range.count);
  if (status == blk::kStatusOk) ZeroRanges(request.type, ranges);
  return true;
}

void Blk::ZeroRanges(uint32_t type, const std::vector<Range>& ranges) {
  const bool write_zeroes = type == blk::kTypeWriteZeroes;
  if (fault("blk-write-zeroes-ignored") && write_zeroes) return;
  for (const Range& range : ranges) {
    disk_.Zero(range.sector, range.count);
    if (fault("blk-write-zeroes-first-segment") && write_zeroes) return;
  }
}

// Zone commands (5.2.6), once VIRTIO_BLK_F_ZONED is negotiated
// ---------------------------------------

bool Blk::ZoneRequest(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status) {
  switch (request.type) {
    case blk::kTypeZoneReport:
      return Report(chain, request, status);
    case blk::kTypeZoneAppend:
      return Append(chain, request, status);
    case blk::kTypeZoneOpen:
    case blk::kTypeZoneClose:
    case blk::kTypeZoneFinish:
    case blk::kTypeZoneReset:
    case blk::kTypeZoneResetAll:
      // A read-only device does not change its zones either.
      status =
          options_.read_only ? blk::kStatusIoErr : zones_->Manage(request.type, request.sector);
      return true;
  }
  status = blk::kStatusUnsupported;
  return true;
}

bool Blk::Append(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status) {
  const uint64_t count = request.out_bytes / kSectorSize;
  if (options_.read_only || request.in_bytes < blk::kAppendSectorSize) return true;
  if (request.out_bytes % kSectorSize != 0 || !disk_.Contains(request.sector, 1)) return true;
  uint64_t at = 0;
  status = zones_->BeginAppend(request.sector, count, at);
  if (status != blk::kStatusOk) return true;
  if (!Store(chain, request, at)) return false;
  zones_->Written(at, count);
  uint8_t append_sector[blk::kAppendSectorSize];
  StoreLe<uint64_t>(append_sector, fault("zoned-append-sector-wrong")
                                       ? at / Zones::kZoneSectors * Zones::kZoneSectors
                                       : at);
  return chain.Write(request.in_bytes - sizeof append_sector, append_sector, sizeof append_sector);
}

bool Blk::Report(Chain& chain, const BlkRequest& request, std::optional<uint8_t>& status) {
  if (request.in_bytes < blk::kZoneReportHeaderSize || !disk_.Contains(request.sector, 1))
    return true;
  const Bytes report = zones_->Report(request.sector, request.in_bytes);
  status = blk::kStatusOk;
  return chain.Write(0, report.data(), report.size());
}

// Options
// --------------------------------------------------------------------------------------------

void ReadZonedOptions(Options& options, const FaultSwitch& fault, std::string_view fallback,
                      ZonedOptions& zoned) {
  const FaultInfo* info = fault.info();
  if (info != nullptr && info->devices == "z") fallback = "hm";
  if (fault("zoned-fields-without-feature")) fallback = "ha";
  const std::string model = options.Text("zoned", fallback);
  if (model == "hm") zoned.model = blk::kModelHostManaged;
  if (model == "ha") zoned.model = blk::kModelHostAware;
  if (model != "hm" && model != "ha" && model != "none")
    options.Complain("option 'zoned' is none, hm or ha");
  const uint64_t max_append = fault("zoned-append-unsupported-wrong") ? 0 : 32;
  zoned.max_append = static_cast<uint32_t>(options.Number("max-append", max_append, 0, 1024));
  zoned.failed_zones = options.Flag("failed-zones") || fault("zoned-read-only-zone-written") ||
                       fault("zoned-offline-zone-read");
}

std::unique_ptr<DeviceCore> Create(const vitro_host* host, Options& options,
                                   std::string_view zoned) {
  const CommonOptions common = ReadCommonOptions(options, "bz");
  BlkOptions blk_options;
  blk_options.queues = static_cast<uint32_t>(options.Number("queues", 2, 1, 64));
  // The zones of a zoned device are all in memory.
  blk_options.capacity = options.Number("capacity", 2048, 1, uint64_t{1} << 40);
  blk_options.read_only = options.Flag("ro") || common.fault("blk-read-only-writes") ||
                          common.fault("blk-read-only-status-ok");
  ReadZonedOptions(options, common.fault, zoned, blk_options.zoned);
  if (blk_options.zoned.model != blk::kModelNone && blk_options.capacity > uint64_t{1} << 24)
    options.Complain("option 'capacity' of a zoned device is at most 16777216");
  if (!options.Problem().empty()) return nullptr;
  return std::make_unique<Blk>(host, common, blk_options);
}

}  // namespace

std::unique_ptr<DeviceCore> CreateBlk(const vitro_host* host, Options& options) {
  return Create(host, options, "none");
}

std::unique_ptr<DeviceCore> CreateZoned(const vitro_host* host, Options& options) {
  return Create(host, options, "hm");
}

}  // namespace vitro::ref
