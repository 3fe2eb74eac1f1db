// SPDX-License-Identifier: Apache-2.0
// The driver's side of a packed virtqueue, byte by byte as the standard has it (2.8).
#include "harness/driver/packed_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vitro {
namespace {

using testing::ElementsAre;

constexpr uint64_t kBase = 1 << 20;
constexpr QueueLayout kLayout{5, kBase, kBase + 0x1000, kBase + 0x2000};
constexpr uint16_t kAvail = packed::kDescAvail, kUsed = packed::kDescUsed;

class PackedQueueTest : public testing::Test {
 protected:
  // Address, length, ID, flags.
  std::vector<uint64_t> Descriptor(uint64_t table, uint32_t index) const {
    const uint8_t* at = memory.At(table + 16 * index, 16);
    return {LoadLe<uint64_t>(at), LoadLe<uint32_t>(at + 8), LoadLe<uint16_t>(at + 12),
            LoadLe<uint16_t>(at + 14)};
  }
  // As the device.
  void Use(uint32_t slot, uint16_t id, uint32_t len, uint16_t bits) {
    memory.Store<uint32_t>(kBase + 16 * slot + 8, len);
    memory.Store<uint16_t>(kBase + 16 * slot + 12, id);
    memory.Store<uint16_t>(kBase + 16 * slot + 14, bits);
  }
  static op::Publish List(uint32_t segments, uint32_t hold = 0) {
    op::Publish publish;
    for (uint32_t i = 0; i < segments; ++i)
      publish.segments.push_back({kBase + 0x3000 + 16 * i, 16, i + 1 == segments});
    publish.hold = hold;
    return publish;
  }
  // Takes what is next, which must be `id`.
  void Take(uint16_t id) {
    ASSERT_GE(queue.Pending(), 1u);
    ASSERT_EQ(queue.Used().id, id);
    const auto position = queue.Find(id);
    ASSERT_TRUE(position);
    queue.SkipUsed(queue.EntriesOf(queue.Complete(*position).descriptors.size()));
  }

  GuestMemory memory = GuestMemory::CreateDefault().value();
  Shadow shadow{memory, 1};
  PackedQueue queue{memory, shadow, kLayout, {}};
};

TEST_F(PackedQueueTest, AreasHaveTheSizesAndAlignmentsOfTheStandard) {
  EXPECT_TRUE(queue.usable());
  EXPECT_EQ(queue.DescriptorArea(), (GuestRange{kBase, 80}));
  EXPECT_EQ(queue.DriverArea().length, 4u);
  EXPECT_EQ(queue.DeviceArea().length, 4u);
  for (const QueueLayout& bad : {QueueLayout{0, kBase, kBase + 0x1000, kBase + 0x2000},
                                 QueueLayout{32769, kBase, kBase + 0x110000, kBase + 0x150000},
                                 QueueLayout{4, kBase + 8, kBase + 0x1000, kBase + 0x2000},
                                 QueueLayout{4, kBase, kBase + 0x1002, kBase + 0x2000},
                                 QueueLayout{4, kBase, kBase + 0x1000, kBase + 0x2002}})
    EXPECT_FALSE(PackedQueue(memory, shadow, bad, {}).usable());
}

TEST_F(PackedQueueTest, AListGoesAroundTheEndAndFlipsTheWrapCounter) {
  ASSERT_TRUE(queue.ZeroRings());
  EXPECT_EQ(queue.Publish(List(3), false).value(), 4) << "IDs from the highest downwards";
  EXPECT_THAT(Descriptor(kBase, 0), ElementsAre(kBase + 0x3000, 16, 4, packed::kDescNext | kAvail));
  EXPECT_THAT(Descriptor(kBase, 2),
              ElementsAre(kBase + 0x3020, 16, 4, packed::kDescWrite | kAvail));
  EXPECT_EQ(queue.avail_position(), packed::Position(3, true));
  Use(0, 4, 16, packed::kDescWrite | kAvail | kUsed);
  Take(4);
  EXPECT_EQ(queue.last_used(), packed::Position(3, true));

  EXPECT_EQ(queue.Publish(List(4), false).value(), 3);
  EXPECT_THAT(Descriptor(kBase, 4), ElementsAre(kBase + 0x3010, 16, 3, packed::kDescNext | kAvail));
  EXPECT_THAT(Descriptor(kBase, 0), ElementsAre(kBase + 0x3020, 16, 3, packed::kDescNext | kUsed));
  EXPECT_THAT(Descriptor(kBase, 1), ElementsAre(kBase + 0x3030, 16, 3, packed::kDescWrite | kUsed));
  EXPECT_EQ(queue.avail_position(), packed::Position(2, false));
  EXPECT_EQ(queue.Pending(), 0u);
  Use(3, 3, 0, kAvail | kUsed);
  EXPECT_FALSE(queue.Used().written);
  Take(3);
  EXPECT_EQ(queue.last_used(), packed::Position(2, false));
  EXPECT_EQ(queue.free_descriptors(), 5u);
}

TEST_F(PackedQueueTest, WhatIsHeldIsHiddenByItsFirstDescriptor) {
  ASSERT_TRUE(queue.ZeroRings());
  ASSERT_TRUE(queue.Publish(List(2, 1), false));
  ASSERT_TRUE(queue.Publish(List(1, 1), false));
  EXPECT_EQ(Descriptor(kBase, 0)[3], 0u);
  EXPECT_EQ(Descriptor(kBase, 1)[3], uint64_t{packed::kDescWrite | kAvail});
  EXPECT_EQ(Descriptor(kBase, 2)[3], uint64_t{packed::kDescWrite | kAvail});
  EXPECT_EQ(queue.avail_position(), packed::kStart);
  ASSERT_TRUE(queue.Expose());
  EXPECT_EQ(Descriptor(kBase, 0)[3], uint64_t{packed::kDescNext | kAvail});
  EXPECT_EQ(queue.avail_position(), packed::Position(3, true));
  ASSERT_TRUE(queue.Expose());
  EXPECT_TRUE(shadow.Diff(true).empty()) << "all of it is known to be the driver's";
}

TEST_F(PackedQueueTest, ATableHasNoFlagsButWriteAndAListIsOfOneKind) {
  ASSERT_TRUE(queue.ZeroRings());
  op::Publish publish = List(3);
  publish.direct = 0;
  publish.table = kBase + 0x4000;
  ASSERT_TRUE(queue.Publish(publish, false));
  EXPECT_THAT(Descriptor(kBase, 0),
              ElementsAre(kBase + 0x4000, 48, 4, packed::kDescIndirect | kAvail));
  EXPECT_THAT(Descriptor(publish.table, 0), ElementsAre(kBase + 0x3000, 16, 0, 0));
  EXPECT_THAT(Descriptor(publish.table, 2), ElementsAre(kBase + 0x3020, 16, 0, packed::kDescWrite));
  publish.direct = 1;
  EXPECT_EQ(queue.Publish(publish, false).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(queue.free_descriptors(), 4u) << "what cannot be published takes nothing";
  EXPECT_EQ(queue.Publish(List(5), false).error().kind, ErrorKind::kUsage);
}

TEST_F(PackedQueueTest, UsedOutOfOrderInAnyNumber) {
  ASSERT_TRUE(queue.ZeroRings());
  ASSERT_TRUE(queue.Publish(List(1), false));  // 4
  ASSERT_TRUE(queue.Publish(List(2), false));  // 3
  ASSERT_TRUE(queue.Publish(List(1), false));  // 2
  Use(0, 3, 16, packed::kDescWrite | kAvail | kUsed);
  Use(2, 4, 16, packed::kDescWrite | kAvail | kUsed);
  EXPECT_EQ(queue.Pending(), 2u);
  EXPECT_EQ(queue.used_position(), packed::Position(3, true));
  Take(3);
  Take(4);
  // An ID that came back already is one more, and where it ends is not known.
  Use(3, 4, 0, kAvail | kUsed);
  EXPECT_EQ(queue.Pending(), 1u);
  EXPECT_FALSE(queue.Find(queue.Used().id));
}

TEST_F(PackedQueueTest, InOrderOneStandsForABatch) {
  PackedQueue in_order{memory, shadow, kLayout, {feature::kInOrder}};
  ASSERT_TRUE(in_order.ZeroRings());
  for (uint32_t length : {1u, 2u, 1u}) ASSERT_TRUE(in_order.Publish(List(length), false));
  Use(0, 3, 16, packed::kDescWrite | kAvail | kUsed);  // the second
  EXPECT_EQ(in_order.Pending(), 2u);
  EXPECT_EQ(in_order.used_position(), packed::Position(3, true));
}

TEST_F(PackedQueueTest, TheDeviceMayWriteWhatItHas) {
  ASSERT_TRUE(queue.ZeroRings());
  EXPECT_THAT(queue.DeviceWritable(), ElementsAre(queue.DeviceArea()));
  ASSERT_TRUE(queue.Publish(List(4), false));
  EXPECT_THAT(queue.DeviceWritable(), ElementsAre(queue.DeviceArea(), GuestRange{kBase, 64}));
  Use(0, 4, 0, kAvail | kUsed);
  Take(4);
  ASSERT_TRUE(queue.Publish(List(3), false));
  EXPECT_THAT(queue.DeviceWritable(),
              ElementsAre(queue.DeviceArea(), GuestRange{kBase + 64, 16}, GuestRange{kBase, 32}));
}

TEST_F(PackedQueueTest, AsksForEventsInThreeModes) {
  PackedQueue events{memory, shadow, kLayout, {feature::kEventIdx}};
  ASSERT_TRUE(events.ZeroRings());
  EXPECT_EQ(events.AsksFor(packed::kStart, 1), true);
  ASSERT_TRUE(events.SetAvailFlags(packed::kEventDisable));
  EXPECT_EQ(events.AsksFor(packed::kStart, 1), false);
  ASSERT_TRUE(events.SetAvailFlags(packed::kEventDesc));
  ASSERT_TRUE(events.SetUsedEvent(packed::Position(1, true)));
  EXPECT_EQ(memory.Load<uint32_t>(kLayout.driver), 0x00028001u);
  EXPECT_EQ(events.AsksFor(packed::Position(1, true), 2), true);
  EXPECT_EQ(events.AsksFor(packed::Position(1, false), 1), false);
  EXPECT_EQ(events.AsksFor(packed::Position(0, true), 1), false);
  EXPECT_EQ(events.AsksFor(packed::Position(0, true), 2), std::nullopt) << "inside of a list";
  ASSERT_TRUE(events.SetAvailFlags(3));
  EXPECT_EQ(events.AsksFor(packed::kStart, 1), std::nullopt);
  ASSERT_TRUE(queue.SetAvailFlags(packed::kEventDesc));
  EXPECT_EQ(queue.AsksFor(packed::kStart, 1), std::nullopt) << "without VIRTIO_F_EVENT_IDX";
}

TEST_F(PackedQueueTest, ReadsTheDevicesWishesAndWritesRawDescriptors) {
  ASSERT_TRUE(queue.ZeroRings());
  memory.Store<uint32_t>(kLayout.device, 0x00028003u);
  EXPECT_EQ(queue.used_flags(), 2);
  EXPECT_EQ(queue.avail_event(), packed::Position(3, true));
  ASSERT_TRUE(queue.WriteDescriptor({0, 3, 0x123, 7, 0x8081, 9}));
  EXPECT_THAT(Descriptor(kBase, 3), ElementsAre(0x123, 7, 9, 0x8081));
  EXPECT_EQ(queue.WriteDescriptor({0, 5, 0, 0, 0, 0}).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(queue.WriteAvailable(0, 1).error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace vitro
