// SPDX-License-Identifier: Apache-2.0
// The reference block device: requests, configuration space, zones.
#include "devices/ref/blk.h"

#include <gmock/gmock.h>

#include "devices/ref/registry.h"
#include "devices/ref/test_driver.h"
#include "harness/virtio/blk.h"

namespace vitro::ref {
namespace {

struct Answer {
  uint32_t length;
  Bytes data;
  int status;
};

class BlkDriver : public TestDriver {
 public:
  explicit BlkDriver(const std::string& options = "")
      : TestDriver(FindReferenceDevice("blk"), options) {}
  bool StartAll() { return Start(Offered().Without(feature::kEventIdx), 64); }

  Answer Request(uint32_t type, uint64_t sector, const Bytes& out = {}, uint32_t in = 0) {
    Bytes readable = LeBytes(type, 8);
    const Bytes le_sector = LeBytes(sector, 8);
    readable.insert(readable.end(), le_sector.begin(), le_sector.end());
    readable.insert(readable.end(), out.begin(), out.end());
    const uint64_t from = Place(readable), to = Allocate(in + 1);
    std::memset(host.At(to, in + 1), 0xee, in + 1);
    const auto used =
        Submit(0, {{from, static_cast<uint32_t>(readable.size()), false}, {to, in + 1, true}});
    if (used.size() != 1) return {0, {}, -1};
    const uint8_t* at = host.At(to, in + 1);
    return {used[0].length, Bytes(at, at + in), at[in]};
  }
  int Status(uint32_t type, uint64_t sector, const Bytes& out = {}, uint32_t in = 0) {
    return Request(type, sector, out, in).status;
  }
  Bytes Read(uint64_t sector, uint32_t sectors = 1) {
    return Request(blk::kTypeIn, sector, {}, sectors * 512).data;
  }
};

Bytes Range(uint64_t sector, uint32_t count, uint32_t flags = 0) {
  Bytes bytes = LeBytes(sector, 8);
  for (const Bytes& part : {LeBytes(count, 4), LeBytes(flags, 4)})
    bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

TEST(Blk, ReadsAndWrites) {
  BlkDriver driver;
  ASSERT_TRUE(driver.StartAll());
  const Answer first = driver.Request(blk::kTypeIn, 7, {}, 512);
  EXPECT_EQ(first.data, Pattern(7, 512));
  EXPECT_EQ(first.length, 513u);
  EXPECT_EQ(first.status, blk::kStatusOk);
  const Bytes data = Pattern(1234, 1024);
  const Answer wrote = driver.Request(blk::kTypeOut, 7, data);
  EXPECT_EQ(wrote.length, 1u);
  EXPECT_EQ(wrote.status, blk::kStatusOk);
  EXPECT_EQ(driver.Read(7, 2), data);
  EXPECT_EQ(driver.Read(9), Pattern(9, 512));
  ASSERT_TRUE(driver.StartAll());
  EXPECT_EQ(driver.Read(7, 2), data) << "the disk survives a reset";
}

TEST(Blk, AnyArrangementOfDescriptors) {
  BlkDriver driver;
  ASSERT_TRUE(driver.StartAll());
  Bytes readable(16);
  readable[8] = 5;
  const uint64_t from = driver.Place(readable), to = driver.Allocate(513);
  std::vector<Buffer> chain;
  for (uint32_t i = 0; i < 16; ++i) chain.push_back({from + i, 1, false});
  for (uint32_t i = 0; i < 27; ++i) chain.push_back({to + i * 19, 19, true});
  EXPECT_EQ(driver.Submit(0, chain), (std::vector<UsedElement>{{0, 513}}));
  EXPECT_EQ(Bytes(driver.host.At(to, 513), driver.host.At(to) + 512), Pattern(5, 512));
}

TEST(Blk, FailsWhatItShould) {
  BlkDriver driver;
  ASSERT_TRUE(driver.StartAll());
  const Answer beyond = driver.Request(blk::kTypeIn, 2048, {}, 512);
  EXPECT_EQ(beyond.status, blk::kStatusIoErr);
  EXPECT_EQ(beyond.length, 0u) << "nothing at the start of the writable part";
  EXPECT_EQ(driver.Status(blk::kTypeIn, ~uint64_t{0}, {}, 512), blk::kStatusIoErr);
  EXPECT_EQ(driver.Status(blk::kTypeIn, 0, {}, 100), blk::kStatusIoErr);
  EXPECT_EQ(driver.Status(blk::kTypeOut, 2047, Bytes(1024)), blk::kStatusIoErr);
  EXPECT_EQ(driver.Status(blk::kTypeOut, 0, Bytes(100)), blk::kStatusIoErr);
  EXPECT_EQ(driver.Status(77, 0), blk::kStatusUnsupported);
  for (uint32_t type = blk::kTypeZoneAppend; type <= blk::kTypeZoneResetAll; ++type)
    EXPECT_EQ(driver.Status(type, 0, {}, 64), blk::kStatusUnsupported) << type;
  const uint64_t to = driver.Allocate(1);
  const auto used = driver.Submit(0, {{driver.Place(Bytes(10)), 10, false}, {to, 1, true}});
  ASSERT_EQ(used.size(), 1u);
  EXPECT_EQ(used[0].length, 1u);
  EXPECT_EQ(*driver.host.At(to), blk::kStatusIoErr) << "a header of 10 bytes";
  EXPECT_EQ(driver.Submit(0, {{driver.Place(Bytes(16)), 16, false}}).size(), 1u) << "no status";
}

TEST(Blk, OtherRequests) {
  BlkDriver driver;
  ASSERT_TRUE(driver.StartAll());
  EXPECT_EQ(driver.Status(blk::kTypeFlush, 0), blk::kStatusOk);
  const Answer id = driver.Request(blk::kTypeGetId, 0, {}, 20);
  EXPECT_EQ(std::string(id.data.begin(), id.data.end()), std::string("vitro-reference-blk\0", 20));
  const Answer lifetime = driver.Request(blk::kTypeGetLifetime, 0, {}, 6);
  EXPECT_LE(LoadLe<uint16_t>(&lifetime.data[0]), blk::kMaxPreEolInfo);
  EXPECT_LE(LoadLe<uint16_t>(&lifetime.data[2]), blk::kMaxLifetimeEstimate);
  Bytes two = Range(10, 2);
  const Bytes second = Range(20, 3, 1);
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(driver.Status(blk::kTypeWriteZeroes, 0, two), blk::kStatusOk);
  EXPECT_EQ(driver.Read(10, 2), Bytes(1024));
  EXPECT_EQ(driver.Read(20, 3), Bytes(1536));
  EXPECT_EQ(driver.Read(23), Pattern(23, 512));
  EXPECT_EQ(driver.Status(blk::kTypeWriteZeroes, 0, Range(0, 1, 2)), blk::kStatusUnsupported);
  EXPECT_EQ(driver.Status(blk::kTypeDiscard, 0, Range(0, 1)), blk::kStatusOk);
  EXPECT_EQ(driver.Status(blk::kTypeDiscard, 0, Range(0, 1, 1)), blk::kStatusUnsupported);
  EXPECT_EQ(driver.Status(blk::kTypeDiscard, 0, Range(2040, 9)), blk::kStatusIoErr);
  EXPECT_EQ(driver.Status(blk::kTypeDiscard, 0, Bytes(17)), blk::kStatusIoErr);
  EXPECT_EQ(driver.Status(blk::kTypeSecureErase, 0, Range(0, 8)), blk::kStatusOk);
  ASSERT_TRUE(driver.Start(kPlain, 64));
  for (uint32_t type : {blk::kTypeDiscard, blk::kTypeWriteZeroes, blk::kTypeSecureErase})
    EXPECT_EQ(driver.Status(type, 0, Range(0, 8)), blk::kStatusUnsupported) << "not negotiated";
}

TEST(Blk, ReadOnly) {
  BlkDriver driver("ro=1");
  ASSERT_TRUE(driver.StartAll());
  EXPECT_EQ(driver.Status(blk::kTypeOut, 3, Bytes(512)), blk::kStatusIoErr);
  EXPECT_EQ(driver.Read(3), Pattern(3, 512));
}

TEST(Blk, ConfigFollowsTheFeatures) {
  BlkDriver driver;
  EXPECT_EQ(driver.Config(blk::kConfigNumQueues, 2), 2u) << "readable before FEATURES_OK";
  ASSERT_TRUE(driver.Negotiate(kPlain));
  EXPECT_EQ(driver.Config(blk::kConfigNumQueues, 2), 0u);
  EXPECT_EQ(driver.Config(blk::kConfigCapacity, 8), 2048u);
  EXPECT_EQ(driver.ops->queue_max_size(driver.device, 1), 0u) << "without MQ";
  EXPECT_FALSE(driver.WriteConfig(blk::kConfigWriteback, 1, 1));
  ASSERT_TRUE(driver.Negotiate(kPlain.With(blk::kFeatureConfigWce)));
  EXPECT_EQ(driver.Config(blk::kConfigWriteback, 1), 0u) << "without FLUSH";
  EXPECT_FALSE(driver.WriteConfig(blk::kConfigWriteback, 1, 1));
  ASSERT_TRUE(driver.Negotiate(driver.Offered()));
  EXPECT_EQ(driver.Config(blk::kConfigWriteback, 1), 1u);
  EXPECT_TRUE(driver.WriteConfig(blk::kConfigWriteback, 0, 1));
  EXPECT_EQ(driver.Config(blk::kConfigWriteback, 1), 0u);
  EXPECT_FALSE(driver.WriteConfig(blk::kConfigWriteback, 2, 1));
  EXPECT_FALSE(driver.WriteConfig(blk::kConfigWriteback, 1, 2)) << "would reach into the padding";
  EXPECT_EQ(driver.ops->queue_max_size(driver.device, 1), 128u);
}

// Zones
// ----------------------------------------------------------------------------------------------

constexpr uint64_t kFirst =
    uint64_t{Zones::kConventional} * Zones::kZoneSectors;  // sequential zone
constexpr uint64_t ZoneAt(uint64_t n) { return kFirst + n * Zones::kZoneSectors; }

class ZonedDriver : public BlkDriver {
 public:
  explicit ZonedDriver(const std::string& options = "zoned=hm") : BlkDriver(options) {
    EXPECT_TRUE(StartAll());
  }
  int Write(uint64_t sector, uint32_t sectors = 8) {
    return Status(blk::kTypeOut, sector, Pattern(sector, sectors * 512));
  }
  // State and, relative to the zone's start, write pointer.
  std::pair<blk::ZoneState, uint64_t> Zone(uint64_t sector) {
    const Answer report = Request(blk::kTypeZoneReport, sector, {}, 128);
    EXPECT_EQ(report.status, blk::kStatusOk);
    EXPECT_EQ(LoadLe<uint64_t>(&report.data[0]), 1u);
    const uint8_t* zone = &report.data[64];
    return {static_cast<blk::ZoneState>(zone[blk::kZoneStateOffset]),
            LoadLe<uint64_t>(zone + blk::kZoneWp) - LoadLe<uint64_t>(zone + blk::kZoneStart)};
  }
};

using State = blk::ZoneState;
using At = std::pair<State, uint64_t>;

TEST(Zoned, HostManagedNeedsTheFeature) {
  BlkDriver managed("zoned=hm"), aware("zoned=ha");
  EXPECT_FALSE(managed.Negotiate(kPlain));
  EXPECT_FALSE(managed.Offered().Has(blk::kFeatureDiscard));
  ASSERT_TRUE(aware.Negotiate(kPlain));
  for (uint32_t offset = blk::kConfigZoneSectors; offset < blk::kConfigSize; ++offset)
    EXPECT_EQ(aware.Config(offset, 1), 0u);
  ASSERT_TRUE(managed.Negotiate(kPlain.With(blk::kFeatureZoned)));
  EXPECT_EQ(managed.Config(blk::kConfigZonedModel, 1), blk::kModelHostManaged);
  EXPECT_EQ(managed.Config(blk::kConfigZoneSectors, 4), 64u);
}

TEST(Zoned, WritePointer) {
  ZonedDriver driver;
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kEmpty, 0}));
  EXPECT_EQ(driver.Read(kFirst), Bytes(512)) << "unwritten";
  EXPECT_EQ(driver.Write(kFirst), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kImplicitlyOpen, 8}));
  EXPECT_EQ(driver.Write(kFirst), blk::kStatusZoneUnalignedWp);
  EXPECT_EQ(driver.Write(kFirst + 8, 1), blk::kStatusZoneUnalignedWp) << "granularity";
  EXPECT_EQ(driver.Write(kFirst + 8, 56), blk::kStatusZoneInvalidCmd) << "beyond capacity";
  EXPECT_EQ(driver.Write(kFirst + 8, 64), blk::kStatusZoneInvalidCmd) << "into the next zone";
  EXPECT_EQ(driver.Status(blk::kTypeIn, kFirst + 63, {}, 1024), blk::kStatusZoneInvalidCmd);
  EXPECT_EQ(driver.Write(kFirst + 8, 48), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst).first, State::kFull);
  EXPECT_EQ(driver.Write(kFirst + 56), blk::kStatusZoneInvalidCmd);
  EXPECT_EQ(driver.Read(kFirst, 8), Pattern(kFirst, 4096));
  EXPECT_EQ(driver.Status(blk::kTypeZoneReset, kFirst), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kEmpty, 0}));
  EXPECT_EQ(driver.Read(kFirst), Bytes(512));
  EXPECT_EQ(driver.Write(3, 1), blk::kStatusOk) << "conventional";
}

TEST(Zoned, StatesFollowTheCommands) {
  ZonedDriver driver;
  const auto command = [&](uint32_t type) { return driver.Status(type, kFirst); };
  EXPECT_EQ(command(blk::kTypeZoneClose), blk::kStatusZoneInvalidCmd) << "empty";
  EXPECT_EQ(command(blk::kTypeZoneFinish), blk::kStatusZoneInvalidCmd) << "empty";
  EXPECT_EQ(command(blk::kTypeZoneOpen), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kExplicitlyOpen, 0}));
  EXPECT_EQ(command(blk::kTypeZoneClose), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kEmpty, 0}));
  driver.Write(kFirst);
  EXPECT_EQ(command(blk::kTypeZoneClose), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kClosed, 8}));
  EXPECT_EQ(command(blk::kTypeZoneOpen), blk::kStatusOk);
  EXPECT_EQ(command(blk::kTypeZoneFinish), blk::kStatusOk);
  EXPECT_EQ(command(blk::kTypeZoneFinish), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst).first, State::kFull);
  EXPECT_EQ(driver.Read(kFirst + 8), Bytes(512)) << "never written";
  EXPECT_EQ(command(blk::kTypeZoneOpen), blk::kStatusZoneInvalidCmd);
  EXPECT_EQ(driver.Status(blk::kTypeZoneResetAll, 0), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kEmpty, 0}));
  EXPECT_EQ(driver.Status(blk::kTypeZoneOpen, kFirst + 1), blk::kStatusZoneInvalidCmd);
  EXPECT_EQ(driver.Status(blk::kTypeZoneOpen, 0), blk::kStatusZoneInvalidCmd) << "conventional";
}

TEST(Zoned, Limits) {
  ZonedDriver driver;
  for (uint64_t n = 0; n < 5; ++n) EXPECT_EQ(driver.Write(ZoneAt(n)), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst).first, State::kClosed) << "made room";
  EXPECT_EQ(driver.Write(ZoneAt(5)), blk::kStatusOk);
  EXPECT_EQ(driver.Write(ZoneAt(6)), blk::kStatusZoneActiveResource);
  driver.Status(blk::kTypeZoneResetAll, 0);
  for (uint64_t n = 0; n < 4; ++n)
    EXPECT_EQ(driver.Status(blk::kTypeZoneOpen, ZoneAt(n)), blk::kStatusOk);
  EXPECT_EQ(driver.Status(blk::kTypeZoneOpen, ZoneAt(4)), blk::kStatusZoneOpenResource);
  EXPECT_EQ(driver.Write(ZoneAt(4)), blk::kStatusZoneOpenResource);
  EXPECT_EQ(driver.Zone(ZoneAt(4)), (At{State::kEmpty, 0}));
}

TEST(Zoned, Append) {
  ZonedDriver driver;
  const auto append = [&](uint64_t sector, uint32_t sectors) {
    const Answer answer =
        driver.Request(blk::kTypeZoneAppend, sector, Pattern(5, sectors * 512), 8);
    return std::pair(answer.status, LoadLe<uint64_t>(answer.data.data()));
  };
  EXPECT_EQ(append(kFirst, 8), std::pair(int{blk::kStatusOk}, kFirst));
  EXPECT_EQ(append(kFirst, 16), std::pair(int{blk::kStatusOk}, kFirst + 8));
  EXPECT_EQ(append(kFirst, 40).first, blk::kStatusZoneInvalidCmd) << "more than max_append_sectors";
  EXPECT_EQ(append(kFirst + 8, 8).first, blk::kStatusZoneInvalidCmd);
  EXPECT_EQ(append(0, 8).first, blk::kStatusZoneInvalidCmd) << "conventional";
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kImplicitlyOpen, 24}));
  ZonedDriver without("zoned=hm,max-append=0");
  EXPECT_EQ(without.Status(blk::kTypeZoneAppend, kFirst, Bytes(4096), 8), blk::kStatusUnsupported);
}

TEST(Zoned, FailedZonesAndSecureErase) {
  ZonedDriver driver("zoned=hm,failed-zones=1");
  EXPECT_EQ(driver.Write(2048 - 128), blk::kStatusZoneInvalidCmd) << "read-only";
  EXPECT_EQ(driver.Status(blk::kTypeIn, 2048 - 128, {}, 512), blk::kStatusOk);
  EXPECT_EQ(driver.Status(blk::kTypeIn, 2048 - 64, {}, 512), blk::kStatusZoneInvalidCmd);
  driver.Write(kFirst);
  EXPECT_EQ(driver.Status(blk::kTypeSecureErase, 0, Range(kFirst, 8)), blk::kStatusZoneInvalidCmd);
  EXPECT_EQ(driver.Status(blk::kTypeSecureErase, 0, Range(kFirst, 128)), blk::kStatusOk);
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kEmpty, 0}));
}

TEST(Zoned, HostAwareTakesWritesAnywhere) {
  ZonedDriver driver("zoned=ha");
  EXPECT_EQ(driver.Write(kFirst + 9, 3), blk::kStatusOk);
  EXPECT_EQ(driver.Read(kFirst + 9, 3), Pattern(kFirst + 9, 1536));
  EXPECT_EQ(driver.Zone(kFirst), (At{State::kImplicitlyOpen, 12}));
  EXPECT_EQ(driver.Status(blk::kTypeZoneAppend, kFirst, Bytes(4096), 8),
            blk::kStatusZoneInvalidCmd);
}

TEST(Zoned, ReportsAndGrows) {
  ZonedDriver driver("zoned=hm,capacity=200");
  const Answer report = driver.Request(blk::kTypeZoneReport, 70, {}, 64 * 10 + 5);
  EXPECT_EQ(LoadLe<uint64_t>(&report.data[0]), 3u);
  EXPECT_EQ(report.length, 64u * 4);
  EXPECT_EQ(LoadLe<uint64_t>(&report.data[64 * 3 + blk::kZoneCap]), 8u) << "a smaller last zone";
  EXPECT_EQ(driver.Status(blk::kTypeZoneReport, 200, {}, 640), blk::kStatusIoErr);
  EXPECT_EQ(driver.ops->stimulate_config_change(driver.device), 0);
  EXPECT_EQ(driver.Config(blk::kConfigCapacity, 8), 256u);
  EXPECT_EQ(driver.Zone(255).first, State::kEmpty);
}

}  // namespace
}  // namespace vitro::ref
