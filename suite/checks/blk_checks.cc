// SPDX-License-Identifier: Apache-2.0
// Checks of block devices (5.2) without those of zones.
#include <algorithm>

#include "harness/virtio/device_id.h"
#include "suite/checks/blk_request.h"
#include "suite/checks/chapters.h"
#include "suite/checks/hostile_driver.h"

namespace vitro {
namespace {

constexpr const char* kAnswer = "derived.request.answer";
constexpr const char* kSegments = "derived.blk.segments";
constexpr const char* kUnknownType = "derived.blk.unknown-type";
constexpr const char* kFlushOffered = "dev.blk.device-initialization.1";
constexpr const char* kWriteback = "dev.blk.device-initialization.2";
constexpr const char* kPadding = "dev.blk.device-initialization.3";
constexpr const char* kNotZoned = "dev.blk.device-initialization.4";
constexpr const char* kCapacityTold = "dev.blk.device-operation.2";
constexpr const char* kReadOnly = "dev.blk.device-operation.3";
constexpr const char* kUnknownFlag = "dev.blk.device-operation.4";
constexpr const char* kDiscardUnmap = "dev.blk.device-operation.5";
constexpr const char* kZeroes = "dev.blk.device-operation.8";
constexpr const char* kLifetime = "dev.blk.device-operation.15";
constexpr const char* kZoneCommands = "dev.blk.device-operation.16";

constexpr uint32_t kUnknownFlags[] = {0x2, 0x80000000, 0xfffffffe};

Bytes SectorsOf(uint64_t seed, uint64_t sectors) {
  return Pattern(seed, sectors * blk::kSectorSize);
}

// Features and config space (5.2.5) ---------------------------------------------------------------

void OffersFlush(Context& c) {
  constexpr uint64_t kFlush = uint64_t{1} << blk::kFeatureFlush;
  c.Reset();
  c.AcknowledgeAndDriver();
  const FeatureSet offered = c.Offered();
  if (offered.Has(blk::kFeatureConfigWce))
    c.Expect(Accept::Masked(kFlush, kFlush), kFlushOffered,
             "VIRTIO_BLK_F_FLUSH is offered with VIRTIO_BLK_F_CONFIG_WCE");
  else
    c.Advise(Accept::Masked(kFlush, kFlush), kFlushOffered, "VIRTIO_BLK_F_FLUSH is offered");
}

void WritebackWithoutFlush(Context& c) {
  constexpr const char* kBecause = "writeback is 0 where FLUSH was not negotiated";
  c.Up({.exact = true, .with = {blk::kFeatureConfigWce}, .driver_ok = false});
  c.Do(op::ReadConfig{blk::kConfigWriteback, 1});
  if (c.last().refused) c.NotObservable("writeback cannot be read");
  // Where the carrier keeps the status to itself, the moment of negotiation is not the device's.
  if (c.Has(Ability::kDeviceStatus))
    c.Expect(Accept::Equal(0), kWriteback, kBecause);
  else
    c.Advise(Accept::Equal(0), kWriteback, kBecause);
}

void PaddingIsZero(Context& c) {
  c.Up({.driver_ok = false});
  for (const uint32_t offset :
       {blk::kConfigUnused0, blk::kConfigUnused1, blk::kConfigUnused1 + 1, blk::kConfigUnused1 + 2})
    if (BlkField(c, offset, 1))
      c.Expect(Accept::Equal(0), kPadding, "padding in the config space is 0");
}

void ZonedOnlyIfZoned(Context& c) {
  c.Up({.with = {blk::kFeatureZoned}, .driver_ok = false, .prepare = false});
  if (!BlkField(c, blk::kConfigZonedModel, 1)) c.NotObservable("the zone model cannot be read");
  c.Expect(
      Accept::NotEqual(blk::kModelNone), kNotZoned,
      "a device that is not zoned does not offer VIRTIO_BLK_F_ZONED (a drive-managed one may)");
}

void CapacityChangeIsTold(Context& c) {
  c.Up();
  const uint64_t before = BlkCapacity(c);
  c.Do(op::TakeConfigNotifications{});
  if (c.Do(op::StimulateConfigChange{}).refused) c.NotApplicable("nothing in its config changes");
  if (BlkCapacity(c) == before) c.NotApplicable("the stimulus does not change the capacity");
  c.Do(op::WaitConfigNotification{});
  c.Expect(Accept::NotEqual(0), kCapacityTold,
           "a change of the capacity is followed by a configuration change notification");
}

// Reads and writes --------------------------------------------------------------------------------

void ReadsWhatWasWritten(Context& c) {
  c.Up();
  const uint32_t block = BlkBlockSectors(c);
  const uint64_t sectors = std::min(BlkCapacity(c), kBlkScratchSectors) / block * block;
  if (sectors < 4 * block) c.NotApplicable("the disk is too small");
  for (const uint64_t seed : {101, 102}) {
    const Bytes all = SectorsOf(seed, 4 * block);
    WriteSectors(c, 0, all);
    ExpectSectors(c, 0, all, kAnswer, "after they were written");
    // One block in the midst, and its neighbours.
    const Bytes one = SectorsOf(seed + 2, block);
    WriteSectors(c, block, one);
    const auto at = [&](uint32_t i) { return all.begin() + i * block * blk::kSectorSize; };
    ExpectSectors(c, 0, Bytes(at(0), at(1)), kAnswer, "before the one written");
    ExpectSectors(c, block, one, kAnswer, "that were written");
    ExpectSectors(c, 2 * block, Bytes(at(2), at(4)), kAnswer, "behind the one written");
  }
  const Bytes last = SectorsOf(105, block);
  WriteSectors(c, sectors - block, last);
  ExpectSectors(c, sectors - block, last, kAnswer, "far from the others");
}

void LastSectorIsThere(Context& c) {
  c.Up();
  const uint32_t block = BlkBlockSectors(c);
  const uint64_t capacity = BlkCapacity(c);
  if (capacity < block) c.NotApplicable("the disk is empty");
  AskBlk(c, BlkRequest("a read of the last block", blk::kTypeIn, capacity - block, {},
                       block * blk::kSectorSize));
  c.Expect(Accept::Equal(blk::kStatusOk), kAnswer, "the last sector of the capacity can be read");
}

void ReadOnlyStaysAsItIs(Context& c) {
  for (const FeatureSet with : {FeatureSet{}, FeatureSet{blk::kFeatureRo}}) {
    c.Up({.with = with});
    const uint32_t bytes = BlkBlockSectors(c) * blk::kSectorSize;
    const BlkAnswer before =
        AskBlk(c, BlkRequest("a read of sector 0", blk::kTypeIn, 0, {}, bytes));
    c.Expect(Accept::Equal(blk::kStatusOk), kAnswer, "a read-only device can be read");
    Bytes other = before.data;
    for (uint8_t& byte : other) byte = static_cast<uint8_t>(~byte);
    AskBlk(c, BlkRequest("a write", blk::kTypeOut, 0, other));
    c.Expect(Accept::Equal(blk::kStatusIoErr), kReadOnly,
             "a write to a read-only device ends with VIRTIO_BLK_S_IOERR");
    if (before.ok())
      ExpectSectors(c, 0, before.data, kReadOnly, "after a write to a read-only device");
  }
}

void FlushIsCarriedOut(Context& c) {
  c.Up({.with = {blk::kFeatureFlush}});
  const Bytes data = SectorsOf(111, BlkBlockSectors(c));
  const bool writable = !c.facts().offered.Has(blk::kFeatureRo);
  if (writable) WriteSectors(c, 0, data);
  AskBlk(c, BlkRequest("a flush", blk::kTypeFlush, 0));
  c.Expect(Accept::Equal(blk::kStatusOk), kAnswer, "a flush ends with VIRTIO_BLK_S_OK");
  if (writable) ExpectSectors(c, 0, data, kAnswer, "after a flush");
  // Without the feature it may be carried out or not, but it has a status.
  c.Up();
  AskBlk(c, BlkRequest("a flush without the feature", blk::kTypeFlush, 0));
  c.Expect(Accept::Range(blk::kStatusOk, blk::kStatusUnsupported), kAnswer,
           "a flush without VIRTIO_BLK_F_FLUSH ends with a status");
}

// Other requests ----------------------------------------------------------------------------------

void IdIsAString(Context& c) {
  c.Up();
  const BlkAnswer first = AskBlk(c, BlkRequest("GET_ID", blk::kTypeGetId, 0, {}, blk::kIdSize));
  c.Expect(Accept::Range(blk::kStatusOk, blk::kStatusUnsupported), kAnswer,
           "GET_ID ends with a status");
  if (!first.ok()) return;
  // As far as the first byte that is not as it should be.
  bool ended = false;
  for (uint32_t i = 0; i < blk::kIdSize; ++i) {
    c.Do(op::Read{first.data_address + i, 1});
    c.Advise(ended ? Accept::Equal(0) : Accept::Range(0, 0x7f), kAnswer,
             "the device ID string is ASCII, padded with NUL");
    if (first.data[i] > (ended ? 0 : 0x7f)) return;
    ended = ended || first.data[i] == 0;
  }
  const BlkAnswer second =
      AskBlk(c, BlkRequest("GET_ID again", blk::kTypeGetId, 0, {}, blk::kIdSize));
  c.Do(op::Read{second.data_address, blk::kIdSize});
  c.Advise(Accept::SameBytes(first.data), kAnswer, "the device ID string is the same each time");
}

void LifetimeIsDefined(Context& c) {
  c.Up({.with = {blk::kFeatureLifetime}});
  const BlkAnswer answer =
      AskBlk(c, BlkRequest("GET_LIFETIME", blk::kTypeGetLifetime, 0, {}, blk::kLifetimeSize));
  c.Advise(Accept::Equal(blk::kStatusOk), kAnswer, "GET_LIFETIME ends with VIRTIO_BLK_S_OK");
  if (!answer.ok()) return;
  c.Do(op::Read{answer.data_address, 2});
  c.Expect(Accept::Range(0, blk::kMaxPreEolInfo), kLifetime, "pre_eol_info is no reserved value");
  for (const uint32_t offset : {2, 4}) {
    c.Do(op::Read{answer.data_address + offset, 2});
    c.Expect(Accept::Range(0, blk::kMaxLifetimeEstimate), kLifetime,
             "an estimate of the lifetime is no reserved value");
  }
}

// Types that neither the standard nor its legacy interface has, also without the lowest and the
// highest bit, which stood for "write" and "barrier".
void UnknownTypeIsUnsupported(Context& c) {
  c.Up();
  for (const uint32_t type : {30u, 100u, 0x7ffffffeu})
    for (const uint32_t in_bytes : {0u, blk::kSectorSize}) {
      AskBlk(c, BlkRequest(fmt::format("a request of type {}", type), type, 0, {}, in_bytes));
      c.Expect(Accept::Range(blk::kStatusIoErr, blk::kStatusUnsupported), kUnknownType,
               "a request of unknown type ends with a status other than VIRTIO_BLK_S_OK");
      if (c.last().value == blk::kStatusIoErr)
        c.Advise(Accept::Equal(blk::kStatusUnsupported), kUnknownType,
                 "a request of unknown type ends with VIRTIO_BLK_S_UNSUPP");
    }
}

void ZoneCommandsAreUnsupported(Context& c) {
  c.Up({.exact = true});
  struct Command {
    uint32_t type, out_bytes, in_bytes;
  };
  for (const Command& command :
       {Command{blk::kTypeZoneReport, 0, blk::kZoneReportHeaderSize + blk::kZoneDescriptorSize},
        Command{blk::kTypeZoneOpen, 0, 0}, Command{blk::kTypeZoneClose, 0, 0},
        Command{blk::kTypeZoneFinish, 0, 0}, Command{blk::kTypeZoneReset, 0, 0},
        Command{blk::kTypeZoneResetAll, 0, 0},
        Command{blk::kTypeZoneAppend, blk::kSectorSize, blk::kAppendSectorSize}}) {
    AskBlk(c, BlkRequest(fmt::format("zone command {}", command.type), command.type, 0,
                         Bytes(command.out_bytes), command.in_bytes));
    // An append is a write as well, which a read-only device answers with an error.
    const bool either = command.out_bytes > 0 && c.facts().offered.Has(blk::kFeatureRo);
    c.Expect(either ? Accept::Range(blk::kStatusIoErr, blk::kStatusUnsupported)
                    : Accept::Equal(blk::kStatusUnsupported),
             kZoneCommands,
             "zone commands without VIRTIO_BLK_F_ZONED end with VIRTIO_BLK_S_UNSUPP");
  }
}

// Discard, write zeroes, secure erase -------------------------------------------------------------

struct RangeCommand {
  const char* name;
  uint32_t type;
  unsigned feature_bit;
  uint32_t max_sectors, max_segments, alignment;  // offsets of config fields; 0: none
};
constexpr RangeCommand kDiscard = {"discard",
                                   blk::kTypeDiscard,
                                   blk::kFeatureDiscard,
                                   blk::kConfigMaxDiscardSectors,
                                   blk::kConfigMaxDiscardSeg,
                                   blk::kConfigDiscardSectorAlignment};
constexpr RangeCommand kWriteZeroes = {"write zeroes",
                                       blk::kTypeWriteZeroes,
                                       blk::kFeatureWriteZeroes,
                                       blk::kConfigMaxWriteZeroesSectors,
                                       blk::kConfigMaxWriteZeroesSeg,
                                       0};
constexpr RangeCommand kSecureErase = {"secure erase",
                                       blk::kTypeSecureErase,
                                       blk::kFeatureSecureErase,
                                       blk::kConfigMaxSecureEraseSectors,
                                       blk::kConfigMaxSecureEraseSeg,
                                       blk::kConfigSecureEraseSectorAlignment};

// The device up with the command's feature; how many sectors make a range that it has to take. Ends
// the check if three of them are not within scratch sectors and capacity.
uint32_t UpForRanges(Context& c, const RangeCommand& command) {
  c.Up({.with = {command.feature_bit}});
  uint64_t sectors = BlkBlockSectors(c);
  if (command.alignment != 0)
    sectors = std::max(sectors, BlkField(c, command.alignment, 4).value_or(0));
  if (sectors * 3 > std::min(BlkCapacity(c), kBlkScratchSectors))
    c.NotApplicable(
        fmt::format("three ranges of {} sectors are more than the suite writes", sectors));
  if (BlkField(c, command.max_sectors, 4).value_or(0) < sectors)
    c.NotApplicable(fmt::format("the limit of {} is below its alignment", command.name));
  return static_cast<uint32_t>(sectors);
}

void JudgeUnknownFlags(Context& c, const RangeCommand& command, uint32_t sectors) {
  for (const uint32_t flags : kUnknownFlags) {
    AskBlk(c, BlkRequest(fmt::format("{} with flags {:#x}", command.name, flags), command.type, 0,
                         BlkSegment(0, sectors, flags)));
    c.Expect(Accept::Equal(blk::kStatusUnsupported), kUnknownFlag,
             fmt::format("{} with an unknown flag ends with VIRTIO_BLK_S_UNSUPP", command.name));
  }
}

// Three ranges of which the second goes: what stood in the others is still there.
void JudgeNeighbours(Context& c, const RangeCommand& command, uint32_t sectors) {
  const Bytes data = SectorsOf(121, 3 * sectors);
  const auto at = [&](uint32_t i) { return data.begin() + i * sectors * blk::kSectorSize; };
  for (uint32_t i = 0; i < 3; ++i) WriteSectors(c, i * sectors, Bytes(at(i), at(i + 1)));
  AskBlk(c, BlkRequest(command.name, command.type, 0, BlkSegment(sectors, sectors)));
  c.Advise(Accept::Equal(blk::kStatusOk), kAnswer,
           fmt::format("{} ends with VIRTIO_BLK_S_OK", command.name));
  const std::string when = fmt::format("beside the range of a {}", command.name);
  ExpectSectors(c, 0, Bytes(at(0), at(1)), kSegments, when);
  ExpectSectors(c, 2 * sectors, Bytes(at(2), at(3)), kSegments, when);
}

void DiscardIsBounded(Context& c) {
  const uint32_t sectors = UpForRanges(c, kDiscard);
  JudgeNeighbours(c, kDiscard, sectors);
  JudgeUnknownFlags(c, kDiscard, sectors);
}

void DiscardHasNoUnmap(Context& c) {
  const uint32_t sectors = UpForRanges(c, kDiscard);
  AskBlk(c, BlkRequest("discard with unmap", blk::kTypeDiscard, 0,
                       BlkSegment(0, sectors, blk::kSegmentUnmap)));
  c.Expect(Accept::Equal(blk::kStatusUnsupported), kDiscardUnmap,
           "discard with the unmap flag ends with VIRTIO_BLK_S_UNSUPP");
}

void SecureEraseIsBounded(Context& c) {
  const uint32_t sectors = UpForRanges(c, kSecureErase);
  JudgeNeighbours(c, kSecureErase, sectors);
  JudgeUnknownFlags(c, kSecureErase, sectors);
}

void WriteZeroesFlags(Context& c) {
  JudgeUnknownFlags(c, kWriteZeroes, UpForRanges(c, kWriteZeroes));
}

// Blocks 1 and, in a second segment where one may, 4 and 5 of eight become zeroes.
void WriteZeroesInto(Context& c, uint32_t block, uint32_t segments, uint32_t flags) {
  const Bytes data = SectorsOf(131 + flags, block);
  const Bytes zeroes(data.size());
  for (uint64_t i = 0; i < 8; ++i) WriteSectors(c, i * block, data);
  Bytes ranges = BlkSegment(block, block, flags);
  const Bytes second = BlkSegment(4 * block, 2 * block, flags);
  if (segments > 1) ranges.insert(ranges.end(), second.begin(), second.end());
  const BlkAnswer answer = AskBlk(c, BlkRequest("write zeroes", blk::kTypeWriteZeroes, 0, ranges));
  c.Advise(Accept::Equal(blk::kStatusOk), kAnswer, "write zeroes ends with VIRTIO_BLK_S_OK");
  if (!answer.ok()) return;
  for (uint64_t i = 0; i < 8; ++i) {
    const bool zero = i == 1 || (segments > 1 && (i == 4 || i == 5));
    ExpectSectors(c, i * block, zero ? zeroes : data, zero ? kZeroes : kSegments,
                  zero ? "of a write zeroes request" : "beside a write zeroes request");
  }
}

void WriteZeroesReadAsZeroes(Context& c) {
  const uint32_t block = UpForRanges(c, kWriteZeroes);
  if (BlkCapacity(c) < 8 * block) c.NotApplicable("the disk is too small");
  uint64_t segments = BlkField(c, blk::kConfigMaxWriteZeroesSeg, 4).value_or(1);
  if (BlkField(c, blk::kConfigMaxWriteZeroesSectors, 4).value_or(0) < 2 * block) segments = 1;
  for (const uint32_t flags : {0u, blk::kSegmentUnmap})
    WriteZeroesInto(c, block, static_cast<uint32_t>(std::min<uint64_t>(segments, 2)), flags);
}

// Hostile drivers ---------------------------------------------------------------------------------

void BeyondCapacity(Context& c) {
  c.Up();
  const uint32_t block = BlkBlockSectors(c);
  const uint64_t capacity = BlkCapacity(c);
  c.BeginHostile();
  struct Read {
    uint64_t sector;
    uint32_t blocks;
  };
  for (const Read& read :
       {Read{capacity, 1}, Read{capacity - std::min<uint64_t>(capacity, block), 2},
        Read{uint64_t{1} << 55, 1}, Read{UINT64_MAX, 1}, Read{UINT64_MAX - block + 1, 2}}) {
    const auto what = fmt::format("a read of {} blocks from sector {}", read.blocks, read.sector);
    const BlkAnswer answer = AskBlk(
        c, BlkRequest(what, blk::kTypeIn, read.sector, {}, read.blocks * block * blk::kSectorSize));
    if (!answer.used) break;
    c.Advise(Accept::Range(blk::kStatusIoErr, blk::kStatusUnsupported), kAnswer,
             "a read beyond the capacity does not end with VIRTIO_BLK_S_OK");
  }
  c.ExpectSurvives();
}

// Requests whose parts have lengths that no driver gives them (5.2.6.1). What becomes of them is
// the device's business.
void MalformedRequests(Context& c) {
  c.Up();
  c.BeginHostile();
  auto cut = [](Exchange request, size_t readable, uint32_t writable) {
    request.readable.resize(readable);
    request.writable = writable;
    return request;
  };
  const Exchange read = BlkRequest("a read", blk::kTypeIn, 0, {}, blk::kSectorSize);
  const Exchange write = BlkRequest("a write", blk::kTypeOut, 0, Bytes(blk::kSectorSize));
  Exchange both = write;
  both.writable = blk::kSectorSize + 1;
  Bytes many;
  for (int i = 0; i < 64; ++i)
    for (const uint8_t byte : BlkSegment(0, 1)) many.push_back(byte);
  const std::vector<Exchange> odd = {
      cut(read, 0, 1),
      cut(read, 4, blk::kSectorSize + 1),
      cut(read, 15, 1),
      cut(read, 16, 0),
      cut(read, 16, 1),
      cut(read, 16, 100),
      cut(read, 16, blk::kSectorSize + 2),
      cut(write, 16, 1),
      cut(write, 17, 1),
      cut(write, 16 + 511, 1),
      cut(write, 16 + 512, 0),
      both,
      BlkRequest("GET_ID into no data", blk::kTypeGetId, 0),
      BlkRequest("GET_ID into one byte", blk::kTypeGetId, 0, {}, 1),
      BlkRequest("GET_ID into a sector", blk::kTypeGetId, 0, {}, blk::kSectorSize),
      BlkRequest("discard without a segment", blk::kTypeDiscard, 0),
      BlkRequest("write zeroes with half a segment", blk::kTypeWriteZeroes, 0, Bytes(8)),
      BlkRequest("write zeroes with many segments", blk::kTypeWriteZeroes, 0, many),
      BlkRequest("a flush with data", blk::kTypeFlush, 1, Bytes(8), 8)};
  for (const Exchange& request : odd) {
    // A queue that a request has broken serves no more of them: then they wait.
    const Virtqueue& queue = *c.session().state().queues.at(request.queue);
    if (queue.free_descriptors() < 2) break;
    c.Publish(request);
    if (!Dare(c, op::Notify{request.queue}) || !Dare(c, op::Quiesce{})) break;
  }
  c.ExpectSurvives();
}

Check BlkCheck(const char* id, const char* title, const char* section,
               std::vector<std::string> requirements, std::vector<std::string> faults,
               void (*run)(Context&), Needs needs = {}) {
  needs.device_id = device_id::kBlk;
  return {.id = std::string("blk.") + id,
          .title = title,
          .section = section,
          .requirements = std::move(requirements),
          .tags = {"blk"},
          .needs = std::move(needs),
          .faults = std::move(faults),
          .run = run};
}

void AddInitialisationChecks(std::vector<Check>& list) {
  const Needs config = {.abilities = {Ability::kConfigSpace}};
  list.push_back(BlkCheck("features.flush", "FLUSH is offered, with CONFIG_WCE above all",
                          "5.2.5.2", {kFlushOffered}, {"blk-config-wce-without-flush"},
                          OffersFlush));
  Needs wce = config;
  wce.offered = {blk::kFeatureConfigWce};
  wce.config_bytes = blk::kConfigWriteback + 1;
  list.push_back(BlkCheck("config.writeback-without-flush",
                          "With CONFIG_WCE but without FLUSH the cache starts as writethrough",
                          "5.2.5.2", {kWriteback}, {"blk-writeback-not-initialised"},
                          WritebackWithoutFlush, wce));
  Needs padding = config;
  padding.config_bytes = blk::kConfigUnused0 + 1;
  list.push_back(BlkCheck("config.padding", "Padding in the config space is 0", "5.2.5.2",
                          {kPadding}, {"blk-padding-not-zero"}, PaddingIsZero, padding));
  Needs zoned = config;
  zoned.offered = {blk::kFeatureZoned};
  list.push_back(BlkCheck("features.zoned-only-if-zoned", "Only a zoned device offers ZONED",
                          "5.2.5.2", {kNotZoned}, {"blk-zoned-offered"}, ZonedOnlyIfZoned, zoned));
  Needs stimulus = config;
  stimulus.abilities.push_back(Ability::kStimulus);
  stimulus.abilities.push_back(Ability::kConfigNotification);
  list.push_back(BlkCheck(
      "config.capacity-change", "A change of the capacity is followed by a notification", "5.2.6.2",
      {kCapacityTold}, {"blk-capacity-zero-change"}, CapacityChangeIsTold, stimulus));
}

void AddRequestChecks(std::vector<Check>& list) {
  const Needs config = {.abilities = {Ability::kConfigSpace}};
  Needs writable = config;
  writable.absent = {blk::kFeatureRo};
  list.push_back(BlkCheck(
      "request.read-after-write", "Sectors hold what was written to them", "5.2.6", {kAnswer},
      {"blk-data-shifted", "blk-write-lost", "blk-status-first"}, ReadsWhatWasWritten, writable));
  list.push_back(BlkCheck("request.last-sector", "The last sector of the capacity can be read",
                          "5.2.6", {kAnswer}, {"blk-status-first"}, LastSectorIsThere, config));
  list.push_back(BlkCheck("request.read-only",
                          "A read-only device refuses writes and stays as it is", "5.2.6.2",
                          {kReadOnly}, {"blk-read-only-writes", "blk-read-only-status-ok"},
                          ReadOnlyStaysAsItIs, {.offered = {blk::kFeatureRo}}));
  list.push_back(BlkCheck("request.flush", "A flush is carried out where it was negotiated",
                          "5.2.6", {kAnswer}, {"blk-write-lost"}, FlushIsCarriedOut,
                          {.offered = {blk::kFeatureFlush}}));
  list.push_back(BlkCheck("request.get-id", "The device ID string is ASCII, padded with NUL",
                          "5.2.6", {kAnswer}, {"blk-status-first"}, IdIsAString));
  list.push_back(BlkCheck("request.lifetime", "Lifetime metrics have no reserved values", "5.2.6.2",
                          {kLifetime}, {"blk-lifetime-reserved"}, LifetimeIsDefined,
                          {.offered = {blk::kFeatureLifetime}}));
  list.push_back(BlkCheck(
      "request.unknown-type", "Requests of unknown type are unsupported", "5.2.6", {kUnknownType},
      {"blk-unknown-type-silent", "blk-unknown-type-ok"}, UnknownTypeIsUnsupported));
  list.push_back(BlkCheck("request.zone-commands", "Without ZONED, zone commands are unsupported",
                          "5.2.6.2", {kZoneCommands}, {"blk-zone-command-ok"},
                          ZoneCommandsAreUnsupported));
}

void AddRangeChecks(std::vector<Check>& list) {
  Needs needs = {.abilities = {Ability::kConfigSpace}, .absent = {blk::kFeatureRo}};
  needs.offered = {blk::kFeatureDiscard};
  list.push_back(BlkCheck("request.discard", "Discard keeps to its range and to flags it knows",
                          "5.2.6.2", {kUnknownFlag, kSegments}, {"blk-unknown-flag-ok"},
                          DiscardIsBounded, needs));
  list.push_back(BlkCheck("request.discard-unmap", "Discard with the unmap flag is unsupported",
                          "5.2.6.2", {kDiscardUnmap}, {"blk-discard-unmap-ok"}, DiscardHasNoUnmap,
                          needs));
  needs.offered = {blk::kFeatureWriteZeroes};
  list.push_back(BlkCheck("request.write-zeroes", "Ranges of write zeroes read as zeroes",
                          "5.2.6.2", {kZeroes, kSegments},
                          {"blk-write-zeroes-ignored", "blk-write-zeroes-first-segment"},
                          WriteZeroesReadAsZeroes, needs));
  list.push_back(BlkCheck("request.write-zeroes-flags",
                          "Write zeroes with an unknown flag is "
                          "unsupported",
                          "5.2.6.2", {kUnknownFlag}, {"blk-unknown-flag-ok"}, WriteZeroesFlags,
                          needs));
  needs.offered = {blk::kFeatureSecureErase};
  list.push_back(BlkCheck("request.secure-erase",
                          "Secure erase keeps to its range and to flags it "
                          "knows",
                          "5.2.6.2", {kUnknownFlag, kSegments}, {"blk-unknown-flag-ok"},
                          SecureEraseIsBounded, needs));
}

}  // namespace

void AddBlkChecks(std::vector<Check>& list) {
  AddInitialisationChecks(list);
  AddRequestChecks(list);
  AddRangeChecks(list);
  const Needs config = {.abilities = {Ability::kConfigSpace}};
  list.push_back(BlkCheck("hostile.beyond-capacity",
                          "Reads beyond the capacity fail and do no harm", "5.2.6.1",
                          {kAnswer, "derived.alive.no-crash", "derived.reset.recovers"},
                          {"blk-status-first"}, BeyondCapacity, config));
  list.back().tags.push_back("hostile");
  list.push_back(BlkCheck("hostile.malformed", "Requests of impossible lengths do no harm",
                          "5.2.6.1",
                          {"derived.alive.no-crash", "derived.alive.no-hang",
                           "derived.memory.outside-buffers", "derived.reset.recovers"},
                          {"crash-on-notify", "hang-on-notify"}, MalformedRequests));
  list.back().tags.push_back("hostile");
}

}  // namespace vitro
