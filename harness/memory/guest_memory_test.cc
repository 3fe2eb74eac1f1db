// SPDX-License-Identifier: Apache-2.0
#include "harness/memory/guest_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "harness/memory/shadow.h"

namespace vitro {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(GuestMemory, RangesMayCrossAdjacentRegionsButNotHoles) {
  const GuestRange ranges[] = {{kMiB, 4096}, {kMiB + 4096, 4096}, {4 * kMiB, 4096}};
  auto memory = GuestMemory::Create(ranges).value();
  EXPECT_TRUE(memory.IsMemory({kMiB, 8192}));
  EXPECT_FALSE(memory.IsMemory({kMiB, 8193}));
  EXPECT_FALSE(memory.IsMemory({0, 1}));
  EXPECT_TRUE(memory.IsMemory({4 * kMiB + 4095, 1}));
  EXPECT_FALSE(memory.IsMemory({4 * kMiB + 4095, 2}));
  EXPECT_FALSE(memory.IsMemory({kMiB, UINT64_MAX}));
  EXPECT_EQ(memory.Write(0, Bytes{1}).error().kind, ErrorKind::kUsage);
}

TEST(GuestMemory, TheFileIsMemoryFromAddressZeroOn) {
  const GuestRange ranges[] = {{kMiB, 4096}, {4 * kMiB, 4096}};
  auto memory = GuestMemory::Create(ranges).value();
  ASSERT_TRUE(memory.Write(4 * kMiB + 5, Bytes{42}));
  uint8_t byte = 0;
  ASSERT_EQ(pread(memory.fd(), &byte, 1, 4 * kMiB + 5), 1);
  EXPECT_EQ(byte, 42);
  EXPECT_EQ(memory.regions()[1].file_offset, 4 * kMiB);
  EXPECT_EQ(memory.size(), 8192u);
}

TEST(Shadow, KnowsRegionsApart) {
  const GuestRange ranges[] = {{kMiB, 4096}, {4 * kMiB, 4096}};
  auto memory = GuestMemory::Create(ranges).value();
  Shadow shadow(memory, 1);
  EXPECT_TRUE(shadow.Diff(true).empty());
  *memory.At(4 * kMiB + 5, 1) ^= 0xff;
  auto changes = shadow.Diff(true);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].range, (GuestRange{4 * kMiB + 5, 1}));
  ASSERT_TRUE(shadow.Write(4 * kMiB + 5, Bytes{7}));
  EXPECT_TRUE(shadow.Diff(true).empty());
  EXPECT_EQ(shadow.Known({4 * kMiB + 5, 1})[0], 7);
}

TEST(GuestMemory, RefusesRegionsThatOverlapOrAreNotPages) {
  const GuestRange overlap[] = {{kMiB, 8192}, {kMiB + 4096, 4096}};
  EXPECT_FALSE(GuestMemory::Create(overlap));
  const GuestRange odd[] = {{kMiB, 100}};
  EXPECT_FALSE(GuestMemory::Create(odd));
}

TEST(GuestMemory, BecomesWhatAnotherHasMappedAndReadsZero) {
  auto first = GuestMemory::CreateDefault().value();
  auto second = GuestMemory::CreateDefault().value();
  const uint8_t* at = second.At(kMiB, 1);
  ASSERT_TRUE(first.Write(kMiB, Bytes{1, 2, 3}));
  ASSERT_TRUE(second.Write(kMiB, Bytes{4, 5, 6}));
  ASSERT_TRUE(second.Become(first.fd()));
  EXPECT_EQ(second.At(kMiB, 1), at);
  EXPECT_EQ(second.Read(kMiB, 3).value(), Bytes(3));
  EXPECT_EQ(first.Read(kMiB, 3).value(), Bytes(3));
  ASSERT_TRUE(first.Write(5 * kMiB - 1, Bytes{7}));
  EXPECT_EQ(second.Read(5 * kMiB - 1, 1).value(), Bytes{7});
}

TEST(Shadow, TellsTheDevicesWritesFromTheDrivers) {
  auto memory = GuestMemory::CreateDefault().value();
  Shadow shadow(memory, 1);
  EXPECT_TRUE(shadow.Diff(true).empty());
  ASSERT_TRUE(shadow.Write(kMiB + 100, Bytes{1, 2, 3}));
  EXPECT_TRUE(shadow.Diff(true).empty());

  ASSERT_TRUE(memory.Write(kMiB + 101, Bytes{9}));
  const uint8_t before = *memory.At(2 * kMiB, 1);
  ASSERT_TRUE(memory.Write(2 * kMiB, Bytes{static_cast<uint8_t>(before + 1)}));
  auto changes = shadow.Diff(false);
  ASSERT_EQ(changes.size(), 1u) << "far from what was handed out: only the full comparison sees it";
  EXPECT_EQ(changes[0].range, (GuestRange{kMiB + 101, 1}));
  EXPECT_EQ(changes[0].before, Bytes{2});
  EXPECT_EQ(changes[0].after, Bytes{9});
  changes = shadow.Diff(true);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[1].range, (GuestRange{2 * kMiB, 1}));

  for (const auto& change : changes) shadow.Accept(change.range);
  EXPECT_TRUE(shadow.Diff(true).empty());
}

TEST(Shadow, ChangesAreMaximalRuns) {
  auto memory = GuestMemory::CreateDefault().value();
  Shadow shadow(memory, 1);
  for (uint64_t at : {0u, 1u, 5u}) *memory.At(kMiB + at, 1) ^= 0xff;
  auto changes = shadow.Diff(true);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].range, (GuestRange{kMiB, 2}));
  EXPECT_EQ(changes[1].range, (GuestRange{kMiB + 5, 1}));
}

TEST(Shadow, PoisonOfTwinSeedsDiffersInEveryBit) {
  auto memory = GuestMemory::CreateDefault().value();
  Shadow shadow(memory, 1);
  ASSERT_TRUE(shadow.Poison({kMiB + 3, 100}, 6));
  const Bytes first = memory.Read(kMiB + 3, 100).value();
  ASSERT_TRUE(shadow.Poison({kMiB + 3, 100}, 7));
  const Bytes second = memory.Read(kMiB + 3, 100).value();
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i] ^ second[i], 0xff);
    EXPECT_EQ(first[i], PoisonByte(6, kMiB + 3 + i));
  }
  EXPECT_TRUE(shadow.Diff(true).empty());
}

}  // namespace
}  // namespace vitro
