// SPDX-License-Identifier: Apache-2.0
// The reference PCI function, register by register, with a driver of its own.
#include <gmock/gmock.h>

#include "devices/pci/raw_driver.h"

namespace vitro::pcidev {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Message = RawDriver::Message;

constexpr FeatureSet kPlain{feature::kVersion1};

Message MessageOn(uint64_t vector) {
  return {RawDriver::MessageAddress(vector), static_cast<uint32_t>(vector)};
}

// Up with two queues on vectors 1 and 2, config on 0.
void BringUp(RawDriver& d, FeatureSet features, bool msix = true) {
  d.Decode();
  ASSERT_TRUE(d.Negotiate(features));
  if (msix) {
    for (uint64_t vector = 0; vector < 3; ++vector) d.Program(vector);
    d.SetMsix(pci::kMsixEnable);
    d.SetCommon(common::kConfigMsixVector, 2, 0);
  }
  ASSERT_TRUE(d.SetUp(0, 8, msix ? 1 : 0xffff));
  if (features.Has(12)) {
    ASSERT_TRUE(d.SetUp(1, 8, msix ? 2 : 0xffff));
  }
  d.SetStatus(RawDriver::kRunning);
}

constexpr FeatureSet kTwoQueues{feature::kVersion1, 12};  // VIRTIO_BLK_F_MQ

TEST(PciFunction, ShowsItsIds) {
  RawDriver d("blk", "");
  EXPECT_EQ(d.Pci(pci::kVendorId, 4), 0x10421af4u);
  EXPECT_EQ(d.Pci(pci::kRevisionId, 1), 1u);
  EXPECT_GE(d.Pci(pci::kSubsystemDeviceId, 2), 0x40u);
  EXPECT_EQ(d.Pci(pci::kInterruptPin, 1), 1u);
  RawDriver transitional("blk", "transitional=1,intx=0");
  EXPECT_EQ(transitional.Pci(pci::kVendorId, 4), 0x10011af4u);
  EXPECT_EQ(transitional.Pci(pci::kRevisionId, 1), 0u);
  EXPECT_EQ(transitional.Pci(pci::kSubsystemDeviceId, 2), 2u);
  EXPECT_EQ(transitional.Pci(pci::kInterruptPin, 1), 0u);
}

TEST(PciFunction, BarsAreSizedAndAnswerOnlyWhileDecoded) {
  RawDriver d("blk", "transitional=1,shm=1");
  const uint32_t flags[] = {1, 0, 12, 0, 4, 0};
  for (uint32_t i = 0; i < 6; ++i) {
    d.SetPci(pci::kBar0 + 4 * i, 4, UINT32_MAX);
    const uint32_t value = d.Pci(pci::kBar0 + 4 * i, 4);
    const bool high = i == 3 || i == 5;
    EXPECT_EQ(value & (i == 0 ? 3u : 15u), high ? 15u : flags[i]) << i;
  }
  EXPECT_EQ(d.Pci(pci::kBar0 + 4 * 5, 4), UINT32_MAX);
  EXPECT_EQ(d.Common(common::kNumQueues, 2), UINT64_MAX);
  d.SetPci(pci::kCommand, 2, pci::kCommandMemory);
  EXPECT_EQ(d.Common(common::kNumQueues, 2), 2u);
  EXPECT_EQ(d.Bar(0, 14, 2), UINT64_MAX);
  d.SetPci(pci::kCommand, 2, pci::kCommandIo);
  EXPECT_EQ(d.Common(common::kNumQueues, 2), UINT64_MAX);
  EXPECT_EQ(d.Bar(0, 14, 2), 0u);
}

TEST(PciFunction, RegistersAreReadAndWrittenInAnyWidth) {
  RawDriver d("blk", "");
  d.Decode();
  d.Select(1);
  EXPECT_EQ(d.Common(common::kNumQueues, 4), 2u | d.Common(common::kNumQueues + 2, 2) << 16);
  EXPECT_EQ(d.Common(common::kQueueSize, 1), 128u);
  EXPECT_EQ(d.Common(common::kQueueSize + 1, 1), 0u);
  d.SetCommon(common::kQueueDesc, 8, 0x1122334455667788);
  EXPECT_EQ(d.Common(common::kQueueDesc, 8), 0x1122334455667788u);
  EXPECT_EQ(d.Common(common::kQueueDesc + 4, 4), 0x11223344u);
  d.SetCommon(common::kQueueDesc + 6, 2, 0xaaaa);
  EXPECT_EQ(d.Common(common::kQueueDesc, 8), 0xaaaa334455667788u);
  d.Select(0);
  EXPECT_EQ(d.Common(common::kQueueDesc, 8), 0u);
  // Two registers at once: select, then size.
  d.SetCommon(common::kQueueSelect, 4, 1 | 64 << 16);
  EXPECT_EQ(d.Common(common::kQueueSelect, 2), 1u);
  EXPECT_EQ(d.Common(common::kQueueSize, 2), 64u);
  EXPECT_EQ(d.Common(common::kQueueDesc, 8), 0xaaaa334455667788u);
}

TEST(PciFunction, AQueueThatIsNotThereShowsNothing) {
  RawDriver d("blk", "");
  d.Decode();
  for (uint32_t queue : {2u, 256u, 65535u}) {
    d.Select(queue);
    d.SetCommon(common::kQueueSize, 2, 8);
    d.SetCommon(common::kQueueMsixVector, 2, 0);
    EXPECT_EQ(d.Common(common::kQueueSelect, 2), queue);
    EXPECT_EQ(d.Common(common::kQueueSize, 2), 0u);
    EXPECT_EQ(d.Common(common::kQueueMsixVector, 2), 0xffffu);
  }
}

TEST(PciFunction, FeaturesAreNegotiatedWordByWord) {
  RawDriver d("blk", "");
  d.Decode();
  const FeatureSet offered = d.Offered();
  EXPECT_TRUE(offered.Has(feature::kVersion1));
  EXPECT_TRUE(offered.Has(feature::kNotificationData));
  EXPECT_TRUE(offered.Has(feature::kNotifConfigData));
  EXPECT_TRUE(offered.Has(feature::kRingReset));
  EXPECT_EQ(offered.word(1), 0u);
  EXPECT_TRUE(d.Negotiate(offered));
  EXPECT_EQ(d.Common(common::kDriverFeature, 4), offered.word(0) >> 32);
  EXPECT_FALSE(d.Negotiate(offered.With(60)));
  RawDriver bare("blk", "notification-data=0,notif-config-data=0,ring-reset=0");
  bare.Decode();
  EXPECT_FALSE(bare.Offered().Has(feature::kNotificationData));
  EXPECT_FALSE(bare.Offered().Has(feature::kNotifConfigData));
  EXPECT_FALSE(bare.Negotiate(kPlain.With(feature::kRingReset)));
  EXPECT_FALSE(bare.Negotiate(kPlain.With(feature::kNotificationData)));
  EXPECT_TRUE(bare.Negotiate(kPlain));
}

TEST(PciFunction, MessagesGoWhereTheVectorsSay) {
  RawDriver d("blk", "");
  BringUp(d, kTwoQueues);
  d.Publish(1);
  d.Kick(1);
  d.Run();
  EXPECT_EQ(d.UsedIdx(1), 1);
  EXPECT_THAT(d.messages, ElementsAre(MessageOn(2)));
  d.messages.clear();
  ASSERT_EQ(d.ops->stimulate_config_change(d.device), 0);
  EXPECT_THAT(d.messages, ElementsAre(MessageOn(0)));
  EXPECT_FALSE(d.line);
  EXPECT_EQ(d.Bar(4, RawDriver::kIsr, 1), 2u);
}

TEST(PciFunction, AMaskedVectorIsPendingUntilItIsNot) {
  RawDriver d("blk", "");
  BringUp(d, kPlain);
  d.SetBar(RawDriver::kMsix, 16 + 12, 4, 1);
  for (int i = 0; i < 2; ++i) {
    d.Publish(0);
    d.Kick(0);
    d.Run();
  }
  EXPECT_THAT(d.messages, IsEmpty());
  EXPECT_EQ(d.Bar(RawDriver::kMsix, RawDriver::kPending, 8), 2u);
  d.SetMsix(pci::kMsixEnable | pci::kMsixFunctionMask);
  d.SetBar(RawDriver::kMsix, 16 + 12, 4, 0);
  EXPECT_THAT(d.messages, IsEmpty());
  d.SetMsix(pci::kMsixEnable);
  EXPECT_THAT(d.messages, ElementsAre(MessageOn(1)));
  EXPECT_EQ(d.Bar(RawDriver::kMsix, RawDriver::kPending, 8), 0u);
}

TEST(PciFunction, TheLineIsHeldUntilIsrIsRead) {
  RawDriver d("blk", "");
  BringUp(d, kPlain, false);
  d.Publish(0);
  d.Kick(0);
  d.Run();
  EXPECT_TRUE(d.line);
  EXPECT_TRUE(d.Pci(pci::kStatus, 2) & pci::kStatusInterrupt);
  d.SetPci(pci::kCommand, 2, 7 | pci::kCommandIntxDisable);
  EXPECT_FALSE(d.line);
  EXPECT_TRUE(d.Pci(pci::kStatus, 2) & pci::kStatusInterrupt);
  d.SetPci(pci::kCommand, 2, 7);
  EXPECT_TRUE(d.line);
  EXPECT_EQ(d.Bar(4, RawDriver::kIsr, 1), 1u);
  EXPECT_FALSE(d.line);
  EXPECT_FALSE(d.Pci(pci::kStatus, 2) & pci::kStatusInterrupt);
  EXPECT_EQ(d.Bar(4, RawDriver::kIsr, 1), 0u);
  EXPECT_THAT(d.messages, IsEmpty());
  d.ops->stimulate_config_change(d.device);
  EXPECT_TRUE(d.line);
  d.SetStatus(0);
  EXPECT_FALSE(d.line);
}

TEST(PciFunction, VectorsBeyondTheTableAreNotTaken) {
  RawDriver d("blk", "msix=2");
  d.Decode();
  for (const auto& [vector, expected] : {std::pair{1u, 1u}, {2u, 0xffffu}, {0xffffu, 0xffffu}}) {
    d.SetCommon(common::kConfigMsixVector, 2, vector);
    EXPECT_EQ(d.Common(common::kConfigMsixVector, 2), expected);
  }
  RawDriver none("blk", "msix=0");
  none.Decode();
  EXPECT_EQ(none.Capability(pci::kCapMsix), 0u);
  none.SetCommon(common::kConfigMsixVector, 2, 0);
  EXPECT_EQ(none.Common(common::kConfigMsixVector, 2), 0xffffu);
}

TEST(PciFunction, NotificationsCarryWhatWasNegotiated) {
  RawDriver d("blk", "multiplier=16");
  const FeatureSet data = kPlain.With(feature::kNotificationData).With(feature::kNotifConfigData);
  BringUp(d, data);
  d.Select(0);
  const uint64_t value = d.Common(common::kQueueNotifConfigData, 2);
  EXPECT_NE(value, 0u);
  d.Publish(0);
  d.SetBar(4, RawDriver::kNotify, 4, 0);  // the index is not asked for
  d.Run();
  EXPECT_EQ(d.UsedIdx(0), 0);
  d.SetBar(4, RawDriver::kNotify, 4, value | 1 << 16);
  d.Run();
  EXPECT_EQ(d.UsedIdx(0), 1);
}

TEST(PciFunction, AQueueIsReset) {
  RawDriver d("blk", "");
  BringUp(d, kPlain.With(feature::kRingReset));
  d.Select(0);
  d.SetCommon(common::kQueueReset, 2, 1);
  EXPECT_EQ(d.Common(common::kQueueReset, 2), 0u);
  EXPECT_EQ(d.Common(common::kQueueEnable, 2), 0u);
  EXPECT_EQ(d.Common(common::kQueueSize, 2), 128u);
  ASSERT_TRUE(d.SetUp(0, 4, 1));
  d.Publish(0);
  d.Kick(0);
  d.Run();
  EXPECT_EQ(d.UsedIdx(0), 1);
}

TEST(PciFunction, TheGenerationMovesWithTheConfig) {
  RawDriver d("blk", "");
  BringUp(d, kPlain);
  const uint64_t before = d.Common(common::kConfigGeneration, 1);
  EXPECT_EQ(d.Common(common::kConfigGeneration, 1), before);
  // As often as a count of 8 bits would need to look the same.
  for (int i = 0; i < 256; ++i) d.ops->stimulate_config_change(d.device);
  EXPECT_NE(d.Common(common::kConfigGeneration, 1), before);
}

TEST(PciFunction, TheWindowReachesTheBarsEvenWhileTheyAreNotDecoded) {
  RawDriver d("blk", "");
  EXPECT_EQ(d.WindowRead(4, common::kNumQueues, 2), 2u);
  EXPECT_EQ(d.WindowRead(4, RawDriver::kDevice, 4), 2048u);
  EXPECT_EQ(d.WindowRead(4, RawDriver::kDevice + 1, 1), 8u);
  d.WindowWrite(4, common::kQueueSelect, 2, 1);
  d.WindowWrite(4, common::kDeviceStatus, 1, 3);
  d.Decode();
  EXPECT_EQ(d.Common(common::kQueueSelect, 2), 1u);
  EXPECT_EQ(d.Status(), 3u);
}

TEST(PciFunction, AFunctionLevelResetClearsAll) {
  RawDriver d("blk", "");
  BringUp(d, kPlain);
  d.SetPci(pci::kBar0 + 16, 4, 0xe0000000);
  d.SetPci(d.Capability(pci::kCapExpress) + pci::kExpressDeviceControl, 2,
           pci::kExpressInitiateFlr);
  EXPECT_EQ(d.Pci(pci::kCommand, 2), 0u);
  EXPECT_EQ(d.Pci(pci::kBar0 + 16, 4), 4u);
  EXPECT_EQ(d.Common(0, 4), UINT64_MAX);
  d.Decode();
  EXPECT_EQ(d.Status(), 0u);
  EXPECT_EQ(d.Bar(RawDriver::kMsix, 16 + 12, 4), 1u);
  EXPECT_EQ(d.Bar(RawDriver::kMsix, 16, 4), 0u);
}

TEST(PciFunction, ALegacyDriverIsServed) {
  RawDriver d("blk", "transitional=1");
  d.Decode();
  namespace legacy = virtio_pci::legacy;
  EXPECT_EQ(d.Bar(0, legacy::kBytes, 4), 2048u);
  d.SetMsix(pci::kMsixEnable);
  EXPECT_EQ(d.Bar(0, legacy::kBytesWithMsix, 4), 2048u);
  EXPECT_EQ(d.Bar(0, legacy::kConfigMsixVector, 2), 0xffffu);
  d.SetMsix(0);
  d.SetBar(0, legacy::kDeviceStatus, 1, 3);
  d.SetBar(0, legacy::kDriverFeatures, 4, 0);
  const auto size = static_cast<uint32_t>(d.Bar(0, legacy::kQueueSize, 2));
  ASSERT_EQ(size, 128u);
  d.Lay(0, size);
  d.SetBar(0, legacy::kQueueAddress, 4, RawDriver::Base(0) / 4096);
  d.Publish(0);
  d.SetBar(0, legacy::kQueueNotify, 2, 0);  // before DRIVER_OK
  d.Run();
  EXPECT_EQ(d.UsedIdx(0), 1);
  EXPECT_EQ(d.Bar(0, legacy::kDeviceStatus, 1), 3u);
  EXPECT_EQ(d.Bar(0, legacy::kIsrStatus, 1), 1u);
  d.SetBar(0, legacy::kDeviceStatus, 1, 0);
  EXPECT_EQ(d.Bar(0, legacy::kDeviceStatus, 1), 0u);
  EXPECT_EQ(d.Bar(0, legacy::kQueueAddress, 4), 0u);
}

TEST(PciFunction, ComplainsInOneSentence) {
  const auto complaint = [](const std::string& options) {
    RawDriver d("blk", options);
    EXPECT_FALSE(d.created) << options;
    return d.memory.lines.empty() ? "" : d.memory.lines[0];
  };
  EXPECT_EQ(complaint("msix=5000"), "option 'msix=5000' is not a number from 0 to 2048");
  EXPECT_EQ(complaint("multiplier=6"),
            "option 'multiplier' is 0 or a power of 2, at least 4 with NOTIFICATION_DATA");
  EXPECT_EQ(complaint("nope=1"), "this device has no option 'nope'");
  EXPECT_EQ(complaint("shm=1,second-caps=1"),
            "options 'shm' and 'second-caps' do not fit into one configuration space");
  EXPECT_EQ(complaint("fault=nope"), "there is no fault 'nope'");
  EXPECT_EQ(complaint("fault=entropy-repeats"),
            "fault 'entropy-repeats' is not one of this device's");
}

}  // namespace
}  // namespace vitro::pcidev
