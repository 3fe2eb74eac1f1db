// SPDX-License-Identifier: Apache-2.0
// What all reference devices have in common: options, status, features, config, rings,
// notifications, broken rings, resets. The entropy device stands for the rest where the type does
// not matter.
#include <gmock/gmock.h>

#include "devices/ref/registry.h"
#include "devices/ref/test_driver.h"
#include "harness/virtio/blk.h"
#include "harness/virtio/experimental.h"

namespace vitro::ref {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class EntropyDriver : public TestDriver {
 public:
  explicit EntropyDriver(const std::string& options = "")
      : TestDriver(FindReferenceDevice("entropy"), options) {}
  std::vector<UsedElement> Ask(uint32_t length) {
    return Submit(0, {{Allocate(length), length, true}});
  }
};

bool NeedsReset(const TestDriver& driver) { return driver.Status() & status::kNeedsReset; }

TEST(Registry, KnowsItsDevices) {
  EXPECT_THAT(ReferenceDevices(), SizeIs(5));
  for (const ReferenceDevice& device : ReferenceDevices()) {
    EXPECT_EQ(FindReferenceDevice(device.name), device.ops);
    EXPECT_TRUE(TestDriver(device.ops, "").created()) << device.name;
  }
  EXPECT_EQ(FindReferenceDevice("toaster"), nullptr);
}

TEST(Options, BadOnesAreRefusedWithOneSentence) {
  for (const char* options :
       {"colour=red", "fault=nonsense", "fault=entropy-constant", "queues=0", "queues=two",
        "queue-size=3", "ro=2", "ro=1,ro=1", "zoned=yes", "=1"}) {
    TestDriver driver(FindReferenceDevice("blk"), options);
    EXPECT_FALSE(driver.created()) << options;
    EXPECT_THAT(driver.host.lines, SizeIs(1)) << options;
  }
}

TEST(Options, GoodOnesAreTaken) {
  TestDriver driver(FindReferenceDevice("blk"),
                    "queues=4,capacity=0x1000,queue-size=16,eager=1,ro");
  ASSERT_TRUE(driver.created()) << driver.host.lines[0];
  EXPECT_EQ(driver.Config(blk::kConfigCapacity, 8), 0x1000u);
  EXPECT_EQ(driver.ops->queue_max_size(driver.device, 3), 16u);
  EXPECT_EQ(driver.ops->queue_max_size(driver.device, 4), 0u);
  EXPECT_TRUE(driver.Offered().Has(blk::kFeatureRo));
}

TEST(Identity, FillsOnlyWhatFits) {
  EntropyDriver driver;
  vitro_identity identity{};
  identity.size = 12;
  identity.queue_count = 77;
  driver.ops->identity(driver.device, &identity);
  EXPECT_EQ(identity.device_id, 4u);
  EXPECT_EQ(identity.queue_count, 77u);
}

TEST(Status, FollowsTheDriver) {
  EntropyDriver driver;
  EXPECT_EQ(driver.Status(), 0);
  driver.AddStatus(status::kAcknowledge);
  driver.AddStatus(status::kDriver);
  EXPECT_EQ(driver.Status(), 3);
  driver.AddStatus(status::kDriverOk);
  EXPECT_EQ(driver.Status(), 3) << "DRIVER_OK without FEATURES_OK";
  driver.Reset();
  EXPECT_EQ(driver.Status(), 0);
  ASSERT_TRUE(driver.Start(kPlain));
  EXPECT_EQ(driver.Status(), 15);
  driver.AddStatus(status::kSuspend);
  EXPECT_EQ(driver.Status(), 15) << "SUSPEND is not offered";
}

TEST(Features, OnlySubsetsWithVersion1AreTaken) {
  EntropyDriver driver;
  EXPECT_TRUE(driver.Negotiate(driver.Offered()));
  EXPECT_TRUE(driver.Negotiate(kPlain));
  EXPECT_FALSE(driver.Negotiate({}));
  EXPECT_FALSE(driver.Negotiate({feature::kIndirectDesc}));
  EXPECT_FALSE(driver.Negotiate(kPlain.With(44)));
  EXPECT_FALSE(driver.Negotiate(kPlain.With(100)));
  driver.Accept(kPlain);
  driver.AddStatus(status::kFeaturesOk);
  EXPECT_TRUE(driver.Status() & status::kFeaturesOk) << "a second try in the same session";
}

TEST(Features, AreSettledByFeaturesOk) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Negotiate(kPlain));
  driver.Accept(kRings);
  EXPECT_EQ(driver.ops->queue_reset(driver.device, 0), -1) << "RING_RESET came too late";
}

TEST(Queues, SetupChecksSizeAndAlignment) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Negotiate(kPlain));
  EXPECT_FALSE(driver.SetupQueue(1, 8)) << "no such queue";
  EXPECT_FALSE(driver.SetupQueue(0, 0u));
  EXPECT_FALSE(driver.SetupQueue(0, 12));
  EXPECT_FALSE(driver.SetupQueue(0, 256)) << "larger than the maximum";
  for (auto member :
       {&vitro_queue::desc_address, &vitro_queue::driver_address, &vitro_queue::device_address}) {
    vitro_queue setup = driver.Layout(0, 8);
    setup.*member += 1;
    EXPECT_FALSE(driver.SetupQueue(0, setup));
  }
  EXPECT_TRUE(driver.SetupQueue(0, 8));
  EXPECT_FALSE(driver.SetupQueue(0, 8)) << "enabled already";
}

TEST(Queues, NothingIsServedBeforeDriverOk) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Negotiate(kPlain));
  ASSERT_TRUE(driver.SetupQueue(0, 8));
  EXPECT_THAT(driver.Ask(16), IsEmpty());
  EXPECT_EQ(driver.host.queue_signals[0], 0u);
  driver.AddStatus(status::kDriverOk);
  driver.RunDevice();
  EXPECT_THAT(driver.TakeUsed(0), ElementsAre(UsedElement{0, 16})) << "late, not never";
  EXPECT_EQ(driver.host.queue_signals[0], 1u);
}

TEST(Queues, IndicesWrap) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kPlain, 4));
  const uint64_t buffer = driver.Allocate(8);
  for (int i = 0; i < 70000; ++i)
    ASSERT_THAT(driver.Submit(0, {{buffer, 8, true}}), SizeIs(1)) << i;
  EXPECT_EQ(driver.host.queue_signals[0], 70000u);
}

TEST(Queues, AFullRingIsServedInOneGo) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kPlain, 8));
  for (int i = 0; i < 8; ++i) driver.Offer(0, {{driver.Allocate(8), 8, true}});
  driver.Kick(0);
  EXPECT_THAT(driver.TakeUsed(0), SizeIs(8));
  EXPECT_EQ(driver.host.queue_signals[0], 1u) << "one notification for the batch";
}

TEST(Queues, EagerDevicesWorkInsideNotify) {
  EntropyDriver driver("eager=1");
  ASSERT_TRUE(driver.Start(kPlain));
  driver.Offer(0, {{driver.Allocate(8), 8, true}});
  driver.ops->notify(driver.device, 0);
  EXPECT_THAT(driver.TakeUsed(0), SizeIs(1));
  EXPECT_EQ(driver.ops->run(driver.device), 0);
}

TEST(Queues, TheUsedIndexInMemoryIsNotTrusted) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kPlain));
  driver.Ask(8);
  driver.host.Store<uint16_t>(driver.rings[0].used + 2, 77);
  driver.Offer(0, {{driver.Allocate(8), 8, true}});
  driver.Kick(0);
  EXPECT_EQ(driver.UsedIdx(0), 2);
}

TEST(Chains, MayHaveAnyShape) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kRings, 8));
  EXPECT_THAT(driver.Submit(0, {{0, 0, false},
                                {driver.Allocate(4), 4, false},
                                {0, 0, true},
                                {driver.Allocate(3), 3, true},
                                {driver.Allocate(5), 5, true}}),
              ElementsAre(UsedElement{0, 8}));
  std::vector<Buffer> eight(8, Buffer{driver.Allocate(1), 1, true});
  EXPECT_THAT(driver.Submit(0, eight), ElementsAre(UsedElement{5, 8})) << "as long as the queue";
}

TEST(Chains, IndirectTablesOfEveryKind) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kRings, 8));
  auto& ring = driver.rings[0];
  const auto refer = [&](uint64_t table, uint32_t entries, unsigned flags) {
    driver.PutDescriptor(ring.desc, table, 16 * entries, split::kDescIndirect | flags, 0);
    driver.Publish(0, 0);
    driver.Kick(0);
    return driver.TakeUsed(0);
  };
  const Buffer one{driver.Allocate(3), 3, true};
  EXPECT_THAT(refer(driver.PutTable({one, one}), 2, 0), ElementsAre(UsedElement{0, 6}));
  EXPECT_THAT(refer(driver.PutTable({one}, 1), 1, 0), ElementsAre(UsedElement{0, 3}))
      << "unaligned";
  EXPECT_THAT(refer(driver.PutTable({one}), 1, split::kDescWrite), ElementsAre(UsedElement{0, 3}));
  EXPECT_THAT(refer(driver.PutTable(std::vector<Buffer>(500, one)), 500, 0),
              ElementsAre(UsedElement{0, 1500}));
  driver.PutDescriptor(ring.desc + 16, one.address, 3, split::kDescNext | split::kDescWrite, 2);
  driver.PutDescriptor(ring.desc + 32, driver.PutTable({one, one}), 32, split::kDescIndirect, 0);
  driver.Publish(0, 1);
  driver.Kick(0);
  EXPECT_THAT(driver.TakeUsed(0), ElementsAre(UsedElement{1, 9})) << "at the end of a chain";
}

TEST(Notifications, AvailableFlagsAreObeyed) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kPlain));
  driver.host.Store<uint16_t>(driver.rings[0].avail, 1);
  driver.host.Store<uint16_t>(driver.rings[0].avail + 4 + 16, 5);  // used_event: to be ignored
  EXPECT_THAT(driver.Ask(8), SizeIs(1));
  EXPECT_EQ(driver.host.queue_signals[0], 0u);
  driver.host.Store<uint16_t>(driver.rings[0].avail, 0);
  EXPECT_THAT(driver.Ask(8), SizeIs(1));
  EXPECT_EQ(driver.host.queue_signals[0], 1u);
}

TEST(Notifications, UsedEventIsObeyed) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kRings));
  const uint64_t used_event = driver.rings[0].avail + split::UsedEventOffset(8);
  const uint64_t avail_event = driver.rings[0].used + split::AvailEventOffset(8);
  driver.host.Store<uint16_t>(driver.rings[0].avail, 1);  // to be ignored
  driver.host.Store<uint16_t>(used_event, 2);
  for (uint32_t i = 0; i < 5; ++i) {
    driver.Ask(8);
    EXPECT_EQ(driver.host.queue_signals[0], i < 2 ? 0u : 1u) << i;
    EXPECT_EQ(driver.host.Load<uint16_t>(avail_event), i + 1);
  }
  driver.host.Store<uint16_t>(used_event, 6);
  for (int i = 0; i < 4; ++i) driver.Offer(0, {{driver.Allocate(8), 8, true}});
  driver.Kick(0);
  EXPECT_EQ(driver.host.queue_signals[0], 2u) << "in the middle of a batch";
  EXPECT_EQ(driver.host.Load<uint16_t>(driver.rings[0].used), 0) << "used flags";
}

TEST(Notifications, SpuriousOnesAreHarmless) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kPlain));
  for (uint32_t queue : {0u, 1u, 7u, 65535u, 0x80000000u}) driver.Kick(queue);
  EXPECT_THAT(driver.Ask(8), SizeIs(1));
  driver.Kick(0);
  EXPECT_THAT(driver.TakeUsed(0), IsEmpty());
  EXPECT_EQ(driver.Status(), 15);
}

// Broken rings: each one alone, and after a reset everything works again.
struct Malice {
  const char* name;
  void (*act)(EntropyDriver&);
};

void RawChain(EntropyDriver& driver, unsigned flags, uint32_t length, uint64_t address) {
  driver.PutDescriptor(driver.rings[0].desc, address, length, flags, 0);
  driver.Publish(0, 0);
}
void Table(EntropyDriver& driver, uint32_t bytes, unsigned entry_flags, unsigned entry_next) {
  const uint64_t table = driver.Allocate(64);
  driver.PutDescriptor(table, driver.Allocate(8), 8, entry_flags, entry_next);
  RawChain(driver, split::kDescIndirect, bytes, table);
}
void MoveRing(EntropyDriver& driver, uint64_t vitro_queue::*member) {
  driver.ops->queue_reset(driver.device, 0);
  vitro_queue setup = driver.Layout(0, 8);
  setup.*member = uint64_t{1} << 40;
  driver.SetupQueue(0, setup);
  driver.rings[0].avail = driver.Layout(0, 8).driver_address;
  driver.Publish(0, 0);
}

const Malice kMalice[] = {
    {"head", [](EntropyDriver& d) { d.Publish(0, 8); }},
    {"head-65535", [](EntropyDriver& d) { d.Publish(0, 65535); }},
    {"next",
     [](EntropyDriver& d) {
       d.PutDescriptor(d.rings[0].desc, d.Allocate(8), 8, split::kDescNext | split::kDescWrite, 8);
       d.Publish(0, 0);
     }},
    {"loop",
     [](EntropyDriver& d) {
       d.PutDescriptor(d.rings[0].desc, d.Allocate(8), 8, split::kDescNext | split::kDescWrite, 0);
       d.Publish(0, 0);
     }},
    {"order",
     [](EntropyDriver& d) {
       d.Offer(0, {{d.Allocate(8), 8, true}, {d.Allocate(8), 8, false}});
     }},
    {"address", [](EntropyDriver& d) { RawChain(d, split::kDescWrite, 8, 0); }},
    {"address-end",
     [](EntropyDriver& d) {
       RawChain(d, split::kDescWrite, 9, TestHost::kBase + TestHost::kSize - 8);
     }},
    {"address-wraps", [](EntropyDriver& d) { RawChain(d, split::kDescWrite, 16, ~uint64_t{7}); }},
    {"too-long",
     [](EntropyDriver& d) {
       d.Offer(0, {{0, 0xffffffff, true}, {0, 0xffffffff, true}});
     }},
    {"jump", [](EntropyDriver& d) { d.host.Store<uint16_t>(d.rings[0].avail + 2, 9); }},
    {"jump-back", [](EntropyDriver& d) { d.host.Store<uint16_t>(d.rings[0].avail + 2, 0xffff); }},
    {"table-length", [](EntropyDriver& d) { Table(d, 17, split::kDescWrite, 0); }},
    {"table-empty", [](EntropyDriver& d) { Table(d, 0, split::kDescWrite, 0); }},
    {"table-next", [](EntropyDriver& d) { Table(d, 16, split::kDescWrite | split::kDescNext, 1); }},
    {"table-loop", [](EntropyDriver& d) { Table(d, 32, split::kDescWrite | split::kDescNext, 0); }},
    {"table-nested", [](EntropyDriver& d) { Table(d, 16, split::kDescIndirect, 0); }},
    {"table-address", [](EntropyDriver& d) { RawChain(d, split::kDescIndirect, 16, 64); }},
    {"table-and-next",
     [](EntropyDriver& d) {
       RawChain(d, split::kDescIndirect | split::kDescNext, 16, d.Allocate(16));
     }},
    {"ring-desc", [](EntropyDriver& d) { MoveRing(d, &vitro_queue::desc_address); }},
    {"ring-avail", [](EntropyDriver& d) { MoveRing(d, &vitro_queue::driver_address); }},
    {"ring-used", [](EntropyDriver& d) { MoveRing(d, &vitro_queue::device_address); }},
};

TEST(BrokenRings, StopTheDeviceUntilReset) {
  for (const Malice& malice : kMalice) {
    SCOPED_TRACE(malice.name);
    EntropyDriver driver;
    ASSERT_TRUE(driver.Start(kRings));
    malice.act(driver);
    driver.Kick(0);
    EXPECT_TRUE(NeedsReset(driver));
    EXPECT_EQ(driver.host.config_signals, 1u);
    EXPECT_THAT(driver.host.lines, SizeIs(testing::Ge(1u)));
    driver.Kick(0);
    EXPECT_EQ(driver.host.config_signals, 1u) << "said once";
    ASSERT_TRUE(driver.Start(kRings));
    EXPECT_EQ(driver.Status(), 15);
    EXPECT_THAT(driver.Ask(8), ElementsAre(UsedElement{0, 8}));
  }
}

TEST(BrokenRings, IndirectWithoutTheFeature) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kPlain));
  Table(driver, 16, split::kDescWrite, 0);
  driver.Kick(0);
  EXPECT_TRUE(NeedsReset(driver));
}

TEST(QueueReset, StartsOver) {
  EntropyDriver driver;
  ASSERT_TRUE(driver.Start(kRings, 8));
  driver.Ask(8);
  EXPECT_EQ(driver.ops->queue_reset(driver.device, 0), 0);
  driver.Offer(0, {{driver.Allocate(8), 8, true}});
  driver.Kick(0);
  EXPECT_EQ(driver.UsedIdx(0), 1) << "not served";
  ASSERT_TRUE(driver.SetupQueue(0, 4));
  EXPECT_THAT(driver.Ask(8), ElementsAre(UsedElement{0, 8}));
  EXPECT_EQ(driver.ops->queue_reset(driver.device, 1), -1);
}

TEST(Config, HasBounds) {
  TestDriver driver(FindReferenceDevice("experimental"), "");
  ASSERT_TRUE(driver.Negotiate(kPlain));
  uint8_t raw[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  constexpr uint32_t kEnd = experimental::kConfigSize;
  for (uint32_t offset : {kEnd - 7, kEnd, 0xfffffff8u, 0xffffffffu}) {
    EXPECT_EQ(driver.ops->config_read(driver.device, offset, raw, 8), -1) << offset;
    EXPECT_EQ(driver.ops->config_write(driver.device, offset, raw, 8), -1) << offset;
  }
  EXPECT_EQ(driver.ops->config_read(driver.device, 0, raw, 3), -1);
  EXPECT_EQ(raw[0], 1) << "a refused read leaves the value alone";
  EXPECT_EQ(driver.Config(experimental::kConfigVersion, 4), 1u);
}

TEST(Config, ChangesAreTold) {
  TestDriver driver(FindReferenceDevice("blk"), "");
  ASSERT_TRUE(driver.Start(kPlain));
  const uint32_t before = driver.ops->config_generation(driver.device);
  EXPECT_EQ(driver.ops->stimulate_config_change(driver.device), 0);
  EXPECT_NE(driver.ops->config_generation(driver.device), before);
  EXPECT_EQ(driver.host.config_signals, 1u);
  EXPECT_EQ(driver.Config(blk::kConfigCapacity, 8), 2056u);
}

}  // namespace
}  // namespace vitro::ref
