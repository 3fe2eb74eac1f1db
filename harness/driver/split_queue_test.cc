// SPDX-License-Identifier: Apache-2.0
// The driver's side of a split virtqueue, byte by byte as the standard has it (2.7).
#include "harness/driver/split_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vitro {
namespace {

using testing::ElementsAre;

constexpr uint64_t kBase = 1 << 20;
constexpr QueueLayout kLayout{4, kBase, kBase + 0x1000, kBase + 0x2000};

class SplitQueueTest : public testing::Test {
 protected:
  // Address, length, flags, next of a descriptor.
  std::vector<uint64_t> Descriptor(uint64_t table, uint32_t index) const {
    const uint8_t* at = memory.At(table + 16 * index, 16);
    return {LoadLe<uint64_t>(at), LoadLe<uint32_t>(at + 8), LoadLe<uint16_t>(at + 12),
            LoadLe<uint16_t>(at + 14)};
  }
  uint16_t Avail(uint32_t index) const { return memory.Load<uint16_t>(kLayout.driver + 2 * index); }

  GuestMemory memory = GuestMemory::CreateDefault().value();
  Shadow shadow{memory, 1};
  SplitQueue queue{memory, shadow, kLayout, {}};
};

TEST_F(SplitQueueTest, RingsMustBeAlignedMemory) {
  EXPECT_TRUE(queue.usable());
  const QueueLayout bad[] = {{0, kBase, kBase + 0x1000, kBase + 0x2000},
                             {65536, kBase, kBase + 0x110000, kBase + 0x150000},
                             {4, 16, kBase + 0x1000, kBase + 0x2000},         // not memory
                             {4, kBase, (5 << 20) - 8, kBase + 0x2000},       // ends beyond memory
                             {4, kBase + 8, kBase + 0x1000, kBase + 0x2000},  // alignment 16
                             {4, kBase, kBase + 0x1001, kBase + 0x2000},      // 2
                             {4, kBase, kBase + 0x1000, kBase + 0x2002}};     // 4
  for (const QueueLayout& layout : bad) {
    SplitQueue unusable(memory, shadow, layout, {});
    EXPECT_FALSE(unusable.usable());
    EXPECT_EQ(unusable.Publish({.segments = {{kBase, 1, false}}}, false).error().kind,
              ErrorKind::kUsage);
    EXPECT_EQ(unusable.ZeroRings().error().kind, ErrorKind::kUsage);
    EXPECT_EQ(unusable.Expose().error().kind, ErrorKind::kUsage);
    EXPECT_EQ(unusable.used_position(), 0);
    EXPECT_EQ(unusable.avail_event(), 0);
    EXPECT_EQ(unusable.Used().id, 0u);
  }
}

TEST_F(SplitQueueTest, ZeroesItsRingsAndNothingElse) {
  ASSERT_TRUE(queue.ZeroRings());
  for (const GuestRange area : {queue.DescriptorArea(), queue.DriverArea(), queue.DeviceArea()})
    EXPECT_EQ(memory.Read(area.address, area.length).value(), Bytes(area.length));
  EXPECT_EQ(queue.DescriptorArea().length, 64u);
  EXPECT_EQ(queue.DriverArea().length, 6 + 2 * 4u);
  EXPECT_EQ(queue.DeviceArea().length, 6 + 8 * 4u);
  EXPECT_EQ(*memory.At(queue.DriverArea().end(), 1), PoisonByte(1, queue.DriverArea().end()));
}

TEST_F(SplitQueueTest, WritesADirectChain) {
  ASSERT_TRUE(queue.ZeroRings());
  const auto head = queue.Publish(
      {.segments = {{0x100, 10, false}, {0x200, 20, true}, {0x300, 30, true}}}, false);
  ASSERT_TRUE(head);
  EXPECT_EQ(*head, 0);
  EXPECT_THAT(Descriptor(kBase, 0), ElementsAre(0x100, 10, split::kDescNext, 1));
  EXPECT_THAT(Descriptor(kBase, 1),
              ElementsAre(0x200, 20, split::kDescNext | split::kDescWrite, 2));
  EXPECT_THAT(Descriptor(kBase, 2), ElementsAre(0x300, 30, split::kDescWrite, 0));
  EXPECT_EQ(Avail(1), 1);  // index
  EXPECT_EQ(Avail(2), 0);  // first entry
  EXPECT_EQ(queue.free_descriptors(), 1u);
  EXPECT_EQ(queue.outstanding().front().WritableLength(), 50u);
  EXPECT_TRUE(shadow.Diff(true).empty()) << "all of it is known to be the driver's";
}

TEST_F(SplitQueueTest, WritesAnIndirectTableBehindDirectDescriptors) {
  op::Publish publish{.segments = {{0x100, 10, false}, {0x200, 20, false}, {0x300, 30, true}},
                      .direct = 1,
                      .table = kBase + 0x3000,
                      .table_flags = split::kDescWrite};
  ASSERT_TRUE(queue.Publish(publish, false));
  EXPECT_THAT(Descriptor(kBase, 0), ElementsAre(0x100, 10, split::kDescNext, 1));
  EXPECT_THAT(Descriptor(kBase, 1),
              ElementsAre(kBase + 0x3000, 32, split::kDescIndirect | split::kDescWrite, 0));
  EXPECT_THAT(Descriptor(kBase + 0x3000, 0), ElementsAre(0x200, 20, split::kDescNext, 1));
  EXPECT_THAT(Descriptor(kBase + 0x3000, 1), ElementsAre(0x300, 30, split::kDescWrite, 0));
  EXPECT_EQ(queue.outstanding().front().table, (GuestRange{kBase + 0x3000, 32}));
  EXPECT_EQ(queue.free_descriptors(), 2u);
}

TEST_F(SplitQueueTest, AnIndirectTableOutsideOfMemoryIsAMistakeOfTheCaller) {
  op::Publish publish{.segments = {{0x100, 10, false}}, .direct = 0, .table = 16};
  EXPECT_EQ(queue.Publish(publish, false).error().kind, ErrorKind::kUsage);
}

TEST_F(SplitQueueTest, AChainThatCannotBePublishedTakesNoDescriptors) {
  EXPECT_EQ(queue.Publish({}, false).error().kind, ErrorKind::kUsage);
  op::Publish publish;
  publish.segments.assign(5, {0x100, 1, false});
  EXPECT_EQ(queue.Publish(publish, false).error().kind, ErrorKind::kUsage);
  op::Publish no_table{.segments = {{0x100, 10, false}}, .direct = 0, .table = 16};
  EXPECT_FALSE(queue.Publish(no_table, false));
  EXPECT_EQ(queue.free_descriptors(), 4u);
  EXPECT_TRUE(queue.outstanding().empty());
  publish.segments.resize(4);
  EXPECT_TRUE(queue.Publish(publish, false));
}

TEST_F(SplitQueueTest, HeldChainsAreExposedAtOnce) {
  ASSERT_TRUE(queue.ZeroRings());
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(queue.Publish({.segments = {{0x100, 1, false}}, .hold = 1}, false));
  EXPECT_EQ(Avail(1), 0);
  EXPECT_EQ(queue.avail_position(), 0);
  ASSERT_TRUE(queue.Expose());
  EXPECT_EQ(Avail(1), 3);
  EXPECT_EQ(Avail(2 + 2), 2) << "the third entry names the third head";
}

TEST_F(SplitQueueTest, DescriptorsComeBackAndHeadsAreFound) {
  std::vector<uint16_t> heads;
  for (int i = 0; i < 2; ++i)
    heads.push_back(
        queue.Publish({.segments = {{0x100, 1, false}, {0x200, 1, true}}}, true).value());
  EXPECT_THAT(heads, ElementsAre(0, 2));
  EXPECT_EQ(queue.Find(2), 1u);
  EXPECT_EQ(queue.Find(1), std::nullopt) << "no head";
  EXPECT_EQ(queue.Find(0x10002), std::nullopt) << "all 32 bits of the id count";
  const Virtqueue::Chain chain = queue.Complete(1);
  EXPECT_EQ(chain.id, 2);
  EXPECT_TRUE(chain.fresh);
  EXPECT_EQ(queue.Find(2), std::nullopt);
  EXPECT_EQ(queue.free_descriptors(), 2u);
  EXPECT_EQ(queue.Publish({.segments = {{0x100, 1, false}}}, false).value(), 2);
}

TEST_F(SplitQueueTest, RingsAndIndicesWrap) {
  ASSERT_TRUE(queue.ZeroRings());
  for (uint32_t i = 0; i < 65536 + 6; ++i) {
    ASSERT_TRUE(queue.Publish({.segments = {{0x100, 1, false}}}, false));
    memory.Store<uint16_t>(kLayout.device + 2, static_cast<uint16_t>(i + 1));
    ASSERT_EQ(queue.Pending(), 1);
    queue.SkipUsed(1);
    queue.Complete(0);
  }
  EXPECT_EQ(queue.avail_position(), 6);
  EXPECT_EQ(Avail(1), 6);
  EXPECT_EQ(queue.last_used(), 6);
}

TEST_F(SplitQueueTest, ReadsWhatTheDeviceWrote) {
  ASSERT_TRUE(queue.ZeroRings());
  const uint64_t used = kLayout.device;
  memory.Store<uint16_t>(used, 1);
  memory.Store<uint16_t>(used + 2, 0xfffe);
  memory.Store<uint32_t>(used + 4 + 8, 3);
  memory.Store<uint32_t>(used + 4 + 12, 4096);
  memory.Store<uint16_t>(used + 4 + 8 * 4, 0x1234);
  EXPECT_EQ(queue.used_flags(), 1);
  EXPECT_EQ(queue.used_position(), 0xfffe);
  EXPECT_EQ(queue.Pending(), 0xfffe);
  queue.SkipUsed(5);
  EXPECT_EQ(queue.Used().id, 3u) << "entry 5 of a ring of 4 is entry 1";
  EXPECT_EQ(queue.Used().len, 4096u);
  EXPECT_EQ(queue.avail_event(), 0x1234);
}

TEST_F(SplitQueueTest, SuppressionStandsWhereItBelongs) {
  ASSERT_TRUE(queue.SetAvailFlags(1));
  ASSERT_TRUE(queue.SetUsedEvent(0xbeef));
  EXPECT_EQ(Avail(0), 1);
  EXPECT_EQ(Avail(2 + 4), 0xbeef) << "right behind the ring";
  EXPECT_EQ(queue.avail_flags(), 1);
  EXPECT_EQ(queue.used_event(), 0xbeef);
}

TEST_F(SplitQueueTest, RawWritesGoWhereTheyAreTold) {
  ASSERT_TRUE(queue.ZeroRings());
  ASSERT_TRUE(queue.WriteDescriptor(
      {.index = 3, .address = UINT64_MAX, .length = 7, .flags = 0xffff, .next = 9}));
  EXPECT_THAT(Descriptor(kBase, 3), ElementsAre(UINT64_MAX, 7, 0xffff, 9));
  EXPECT_EQ(queue.WriteDescriptor({.index = 4}).error().kind, ErrorKind::kUsage);
  ASSERT_TRUE(queue.WriteAvailable(77, 5));
  EXPECT_EQ(Avail(1), 5);
  EXPECT_EQ(Avail(2), 77);
}

}  // namespace
}  // namespace vitro
