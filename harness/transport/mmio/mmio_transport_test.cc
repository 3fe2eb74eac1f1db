// SPDX-License-Identifier: Apache-2.0
// The driver over MMIO against a scripted window: what it writes, in which order, and what it makes
// of what it reads.
#include "harness/transport/mmio/mmio_transport.h"

#include <gmock/gmock.h>

#include "harness/virtio/mmio.h"

namespace vitro {
namespace {

using namespace mmio;  // NOLINT: the names of the registers
using testing::ElementsAre;
using testing::HasSubstr;

// Registers that read as a script says, and remember what was written.
struct Script {
  std::map<uint64_t, uint64_t> registers = {{kMagicValue, kMagic}, {kVersion, 2}, {kDeviceId, 4}};
  uint64_t features[8] = {};
  bool low_words_only = false;  // the selector is one bit
  uint32_t queues = 1;
  uint32_t queue_sel = 0, features_sel = 0;
  std::map<uint32_t, bool> ready;
  int resets_take = 0;  // reads of QueueReset that yield 1
  bool line = false;
  std::vector<std::pair<uint64_t, uint64_t>> writes;
  uint64_t size = 0x200;

  uint64_t Read(uint64_t offset) {
    switch (offset) {
      case kDeviceFeatures:
        return low_words_only ? features[features_sel != 0] : features[features_sel % 8];
      case kQueueSizeMax:
        return queue_sel < queues ? 64 : 0;
      case kQueueReady:
        return ready[queue_sel] ? 1 : 0;
      case kQueueReset:
        return resets_take-- > 0 ? 1 : 0;
      default:
        return registers[offset];
    }
  }
  void Write(uint64_t offset, uint64_t value) {
    writes.emplace_back(offset, value);
    if (offset == kDeviceFeaturesSel) features_sel = static_cast<uint32_t>(value);
    if (offset == kQueueSel) queue_sel = static_cast<uint32_t>(value);
    if (offset == kQueueReady) ready[queue_sel] = value != 0;
    if (offset == kQueueReset) ready[queue_sel] = false;
    if (offset == kInterruptAck) {
      registers[kInterruptStatus] &= ~value;
      line = registers[kInterruptStatus] != 0;
    }
  }
  void Interrupt(uint64_t bits) {
    registers[kInterruptStatus] |= bits;
    line = true;
  }
};

class ScriptedWindow : public MmioWindow {
 public:
  explicit ScriptedWindow(Script& script) : script_(script) {}
  std::string name() const override { return "scripted"; }
  Result<uint64_t> Read(uint64_t offset, uint32_t) override { return script_.Read(offset); }
  Result<> Write(uint64_t offset, uint32_t, uint64_t value) override {
    script_.Write(offset, value);
    return {};
  }
  uint64_t size() const override { return script_.size; }
  Result<bool> LineAsserted() override { return script_.line; }
  uint64_t TakeLineRises() override { return 0; }
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) override {
    while (!done())
      if (deadline.Passed()) return false;
    return true;
  }
  Result<> Quiesce(Duration) override { return {}; }
  bool exact_quiet() const override { return true; }
  std::string WhyNoStimulus() const override { return "it is a script"; }
  Result<> StimulateConfigChange() override { return {}; }

 private:
  Script& script_;
};

Result<std::unique_ptr<MmioTransport>> Attach(Script& script) {
  return MmioTransport::Create(std::make_unique<ScriptedWindow>(script));
}

std::string WhyNot(Script script) {
  auto transport = Attach(script);
  EXPECT_FALSE(transport);
  if (transport) return "";
  EXPECT_EQ(transport.error().kind, ErrorKind::kAttach);
  return transport.error().message;
}

TEST(MmioTransport, TellsWhyAWindowIsNoDevice) {
  Script script;
  script.registers[kMagicValue] = 0xffffffff;
  EXPECT_THAT(WhyNot(script), HasSubstr("MagicValue reads 0xffffffff"));
  script = Script();
  script.registers[kVersion] = 1;
  EXPECT_THAT(WhyNot(script), HasSubstr("legacy"));
  script.registers[kVersion] = 3;
  EXPECT_THAT(WhyNot(script), HasSubstr("Version reads 3"));
  script = Script();
  script.registers[kDeviceId] = 0;
  EXPECT_THAT(WhyNot(script), HasSubstr("placeholder"));
  script = Script();
  script.size = 0x80;
  EXPECT_THAT(WhyNot(script), HasSubstr("128 bytes"));
}

TEST(MmioTransport, AccessesNothingOfAPlaceholder) {
  Script script;
  script.registers[kDeviceId] = 0;
  EXPECT_FALSE(Attach(script));
  EXPECT_TRUE(script.writes.empty());
}

TEST(MmioTransport, FindsQueuesAndConfig) {
  Script script;
  script.queues = 3;
  auto transport = Attach(script).value();
  EXPECT_EQ(transport->identity().queue_count, 3u);
  EXPECT_EQ(transport->identity().device_id, 4u);
  EXPECT_EQ(transport->identity().config_size, 0u);  // an entropy device has none
  script.registers[kDeviceId] = 60000;
  EXPECT_EQ(Attach(script).value()->identity().config_size, 0x100u);
  for (uint64_t offset = 0x139; offset < 0x200; ++offset) script.registers[offset] = 0xff;
  EXPECT_EQ(Attach(script).value()->identity().config_size, 57u);
  EXPECT_TRUE(transport->abilities().Has(Ability::kMmioWindow));
  EXPECT_FALSE(transport->abilities().Has(Ability::kStimulus));
}

TEST(MmioTransport, CreditsNoWindowOfItsOwnToTheDevice) {
  Script script;
  auto transport =
      MmioTransport::Create(std::make_unique<ScriptedWindow>(script), {.wrapped = true}).value();
  EXPECT_FALSE(transport->abilities().Has(Ability::kMmioWindow));
}

TEST(MmioTransport, ReadsAndAcceptsAllWordsOfFeatures) {
  Script script;
  script.features[0] = 0x30000001;
  script.features[1] = 0x101;
  script.features[3] = 0x80000000;
  auto transport = Attach(script).value();
  const FeatureSet offered = transport->ReadFeatures().value();
  EXPECT_EQ(offered, FeatureSet({0, 28, 29, 32, 40, 127}));
  script.writes.clear();
  ASSERT_TRUE(transport->AcceptFeatures(offered.Without(127)));
  EXPECT_THAT(
      script.writes,
      ElementsAre(std::pair(kDriverFeaturesSel, 1), std::pair(kDriverFeatures, 0x101),
                  std::pair(kDriverFeaturesSel, 0), std::pair(kDriverFeatures, 0x30000001)));
}

TEST(MmioTransport, TakesNoWordTwiceForAnOffer) {
  Script script;
  script.features[1] = 1;
  script.low_words_only = true;
  auto transport = Attach(script).value();
  EXPECT_EQ(transport->ReadFeatures().value(), FeatureSet({32}));
}

TEST(MmioTransport, SetsAQueueUpAndResetsIt) {
  Script script;
  auto transport = Attach(script).value();
  ASSERT_TRUE(transport->AcceptFeatures({feature::kRingReset}));
  script.writes.clear();
  ASSERT_TRUE(transport->SetupQueue(0, {16, 0x100001000, 0x2000, 0x3000}));
  EXPECT_THAT(script.writes,
              ElementsAre(std::pair(kQueueSel, 0), std::pair(kQueueSize, 16),
                          std::pair(kQueueDescLow, 0x1000), std::pair(kQueueDescHigh, 1),
                          std::pair(kQueueDriverLow, 0x2000), std::pair(kQueueDriverHigh, 0),
                          std::pair(kQueueDeviceLow, 0x3000), std::pair(kQueueDeviceHigh, 0),
                          std::pair(kQueueReady, 1)));
  EXPECT_EQ(transport->SetupQueue(0, {}).error().kind, ErrorKind::kRefused);  // in use
  EXPECT_EQ(transport->SetupQueue(1, {}).error().kind, ErrorKind::kRefused);  // not there
  script.resets_take = 3;
  ASSERT_TRUE(transport->ResetQueue(0));
  EXPECT_EQ(script.resets_take, -1);
  EXPECT_EQ(transport->ResetQueue(0).error().kind, ErrorKind::kRefused);
}

TEST(MmioTransport, NotifiesWithDataOnlyIfThatWasNegotiated) {
  Script script;
  auto transport = Attach(script).value();
  ASSERT_TRUE(transport->NotifyWithData(1, 7));
  EXPECT_EQ(script.writes.back(), std::pair(uint64_t{kQueueNotify}, uint64_t{1}));
  ASSERT_TRUE(transport->AcceptFeatures({feature::kNotificationData}));
  ASSERT_TRUE(transport->NotifyWithData(1, 7));
  EXPECT_EQ(script.writes.back(), std::pair(uint64_t{kQueueNotify}, uint64_t{0x70001}));
}

TEST(MmioTransport, AcknowledgesWhatItCounts) {
  Script script;
  script.queues = 2;
  auto transport = Attach(script).value();
  ASSERT_TRUE(transport->SetupQueue(0, {16, 0x1000, 0x2000, 0x3000}));
  EXPECT_EQ(transport->RouteOf(0), NotificationRoute::kOwn);
  script.Interrupt(3);
  EXPECT_EQ(transport->TakeQueueNotifications(0), 1u);
  EXPECT_EQ(transport->TakeConfigNotifications(), 1u);
  EXPECT_FALSE(script.line);
  ASSERT_TRUE(transport->SetupQueue(1, {16, 0x4000, 0x5000, 0x6000}));
  EXPECT_EQ(transport->RouteOf(0), NotificationRoute::kShared);
  script.Interrupt(1);
  EXPECT_EQ(transport->TakeQueueNotifications(0), 1u);
  EXPECT_EQ(transport->TakeQueueNotifications(1), 1u);
  EXPECT_EQ(transport->TakeConfigNotifications(), 0u);
}

TEST(MmioTransport, LeavesInterruptsAloneWithoutAHandler) {
  Script script;
  auto transport = Attach(script).value();
  ASSERT_TRUE(transport->SetupQueue(0, {16, 0x1000, 0x2000, 0x3000}));
  ASSERT_TRUE(transport->UseInterrupts("intx", false));
  script.Interrupt(3);
  EXPECT_EQ(transport->TakeQueueNotifications(0), 0u);
  EXPECT_EQ(transport->RouteOf(0), NotificationRoute::kNone);
  EXPECT_TRUE(transport->LineAsserted().value());
  EXPECT_EQ(transport->ReadRegister("mmio", kInterruptStatus, 4).value(), 3u);
  EXPECT_EQ(transport->UseInterrupts("per-queue", true).error().kind, ErrorKind::kRefused);
  ASSERT_TRUE(transport->UseInterrupts("intx", true));
  EXPECT_EQ(transport->TakeQueueNotifications(0), 1u);
  ASSERT_TRUE(transport->UseInterrupts("polling", true));
  EXPECT_FALSE(transport->abilities().Has(Ability::kUsedNotification));
}

TEST(MmioTransport, EndsTheHandlerOfALineThatIsStuck) {
  Script script;
  auto transport = Attach(script).value();
  script.registers[kInterruptAck] = 0;
  script.line = true;  // and no bit is set
  EXPECT_EQ(transport->TakeConfigNotifications(), 0u);
  EXPECT_TRUE(script.line);
}

TEST(MmioTransport, KnowsTheBoundsOfTheWindow) {
  Script script;
  auto transport = Attach(script).value();
  EXPECT_TRUE(transport->ReadConfig(0xfc, 4));
  EXPECT_EQ(transport->ReadConfig(0, 8).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(transport->ReadConfig(1, 2).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(transport->ReadConfig(0x100, 4).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(transport->ReadConfig(UINT32_MAX - 3, 4).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(transport->ReadRegister("mmio", 0x1fe, 4).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(transport->ReadRegister("bar0", 0, 4).error().kind, ErrorKind::kRefused);
}

}  // namespace
}  // namespace vitro
