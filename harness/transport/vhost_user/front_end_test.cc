// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/vhost_user/front_end.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <optional>

#include "harness/transport/vhost_user/config_lies.h"
#include "harness/transport/vhost_user/fake_back_end.h"
#include "harness/transport/vhost_user/hand_queue.h"
#include "harness/virtio/status.h"

namespace vitro::vhost_user {
namespace {

using std::chrono::seconds;
namespace pf = protocol_feature;

constexpr uint8_t kNegotiated = status::kAcknowledge | status::kDriver | status::kFeaturesOk;

#define ASSERT_OK(expression)                            \
  do {                                                   \
    auto&& assert_ok = (expression);                     \
    ASSERT_TRUE(assert_ok) << assert_ok.error().message; \
  } while (false)

class FrontEndTest : public testing::Test {
 protected:
  void SetUp() override {
    auto memory = GuestMemory::CreateDefault();
    ASSERT_OK(memory);
    memory_.emplace(std::move(*memory));
    base_ = memory_->regions().front().range.address;
  }

  Result<std::unique_ptr<FrontEnd>> Create(FakeOptions fake = {}, FrontEndOptions options = {}) {
    options.dial = [this, fake]() -> Result<Link> {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return Fail(ErrorKind::kHarness, "socketpair");
      back_end_.reset();
      back_end_ = std::make_unique<FakeBackEnd>(UniqueFd(ends[0]), fake);
      return Link{UniqueFd(ends[1]), peer_};
    };
    options.timeout = timeout_;
    return FrontEnd::Create(*memory_, std::move(options));
  }
  void Start(FakeOptions fake = {}, FrontEndOptions options = {}) {
    auto front_end = Create(fake, std::move(options));
    ASSERT_OK(front_end);
    front_end_ = std::move(*front_end);
  }

  // Everything a driver does, once. The first error ends it.
  Result<> Drive() {
    FrontEnd& device = *front_end_;
    VITRO_TRY(device.Reset());
    VITRO_TRY(device.WriteStatus(status::kAcknowledge | status::kDriver));
    VITRO_ASSIGN(FeatureSet offered, device.ReadFeatures());
    VITRO_TRY(device.AcceptFeatures(offered));
    VITRO_TRY(device.WriteStatus(kNegotiated));
    VITRO_ASSIGN(uint8_t status, device.ReadStatus());
    if ((status & status::kFeaturesOk) == 0) return Fail(ErrorKind::kRefused, "no FEATURES_OK");
    HandQueue queue(*memory_, base_, 8);
    VITRO_TRY(device.SetupQueue(0, queue.layout()));
    VITRO_TRY(device.WriteStatus(kNegotiated | status::kDriverOk));
    if (device.abilities().Has(Ability::kConfigSpace)) VITRO_TRY(device.ReadConfig(4, 4));
    queue.Publish({{base_ + 0x8000, 16, false}, {base_ + 0x9000, 32, true}});
    VITRO_TRY(device.Notify(0));
    VITRO_ASSIGN(bool used,
                 device.WaitUntil([&] { return queue.AllUsed(); }, Deadline::After(seconds(20))));
    if (!used) return Fail(ErrorKind::kTimeout, "not used");
    if (*memory_->Read(base_ + 0x9000, 32) != Bytes(32, 0x42))
      return Fail(ErrorKind::kHarness, "wrong data");
    VITRO_TRY(device.Reset());
    return {};
  }

  Duration timeout_ = seconds(20);
  std::optional<GuestMemory> memory_;
  uint64_t base_ = 0;
  std::shared_ptr<Peer> peer_;
  std::unique_ptr<FakeBackEnd> back_end_;
  std::unique_ptr<FrontEnd> front_end_;
};

TEST_F(FrontEndTest, DrivesAWellBehavedBackEnd) {
  Start();
  EXPECT_EQ(front_end_->identity().queue_count, 2u);
  EXPECT_EQ(front_end_->identity().config_size, 24u);
  for (int i = 0; i < 3; ++i) ASSERT_OK(Drive());
  EXPECT_EQ(back_end_->Count(Request::kAddMemReg), 2);
  EXPECT_EQ(back_end_->Count(Request::kGetVringBase), 3);
}

TEST_F(FrontEndTest, DrivesABackEndWithoutAnyProtocolFeature) {
  FakeOptions fake;
  fake.features &= ~(1ull << kFeatureProtocolFeatures);
  Start(fake);
  EXPECT_EQ(front_end_->identity().queue_count, 1u);
  EXPECT_FALSE(front_end_->abilities().Has(Ability::kConfigSpace));
  ASSERT_OK(front_end_->AcceptFeatures(FeatureSet{feature::kVersion1}));
  EXPECT_EQ(back_end_->accepted, 1ull << 32);
  EXPECT_EQ(back_end_->Count(Request::kSetMemTable), 1);
  ASSERT_OK(Drive());
  EXPECT_EQ(back_end_->Count(Request::kGetProtocolFeatures), 0);
  EXPECT_EQ(back_end_->Count(Request::kSetVringEnable), 0);
}

TEST_F(FrontEndTest, HidesTheCarriersBitsAndPutsThemBack) {
  Start();
  auto offered = front_end_->ReadFeatures();
  ASSERT_OK(offered);
  EXPECT_EQ(*offered, (FeatureSet{feature::kVersion1, feature::kIndirectDesc}));
  ASSERT_OK(front_end_->AcceptFeatures(*offered));
  EXPECT_EQ(back_end_->accepted, 1ull << 32 | 1ull << 28 | 1ull << 30);
  auto high = front_end_->AcceptFeatures(FeatureSet{64});
  ASSERT_FALSE(high);
  EXPECT_EQ(high.error().kind, ErrorKind::kUnsupported);
}

TEST_F(FrontEndTest, ADriverThatAcceptsNothingAcceptsNone) {
  Start();
  for (uint8_t last : {status::kFeaturesOk, status::kDriverOk}) {
    ASSERT_OK(front_end_->AcceptFeatures(FeatureSet{feature::kVersion1, feature::kIndirectDesc}));
    ASSERT_OK(front_end_->Reset());
    ASSERT_OK(front_end_->WriteStatus(status::kAcknowledge | status::kDriver));
    ASSERT_OK(front_end_->WriteStatus(status::kAcknowledge | status::kDriver | last));
    EXPECT_EQ(back_end_->accepted, 1ull << 30);
  }
}

TEST_F(FrontEndTest, CountsEachNotificationOfTheDeviceAndNotThatOfTheSetUp) {
  Start();
  ASSERT_OK(front_end_->AcceptFeatures(FeatureSet{feature::kVersion1}));
  HandQueue queue(*memory_, base_, 8);
  ASSERT_OK(front_end_->SetupQueue(0, queue.layout()));
  ASSERT_OK(front_end_->WriteStatus(kNegotiated | status::kDriverOk));
  EXPECT_EQ(front_end_->TakeQueueNotifications(0), 0u);
  for (int i = 0; i < 3; ++i) queue.Publish({{base_ + 0x9000, 32, true}});
  ASSERT_OK(front_end_->Notify(0));
  uint64_t count = 0;
  auto all = front_end_->WaitUntil(
      [&] { return (count += front_end_->TakeQueueNotifications(0)) == 3 && queue.AllUsed(); },
      Deadline::After(seconds(20)));
  ASSERT_OK(all);
  EXPECT_TRUE(*all);
  EXPECT_EQ(front_end_->TakeQueueNotifications(1), 0u);
  EXPECT_EQ(front_end_->TakeQueueNotifications(99), 0u);
}

TEST_F(FrontEndTest, NoticesAUsedBufferWithoutANotification) {
  FakeOptions fake;
  fake.notify = false;
  Start(fake);
  ASSERT_OK(Drive());
}

TEST_F(FrontEndTest, AKickBeforeDriverOkIsNotLost) {
  Start();
  ASSERT_OK(front_end_->AcceptFeatures(FeatureSet{feature::kVersion1}));
  HandQueue queue(*memory_, base_, 8);
  ASSERT_OK(front_end_->SetupQueue(0, queue.layout()));
  queue.Publish({{base_ + 0x9000, 32, true}});
  ASSERT_OK(front_end_->Notify(0));
  EXPECT_EQ(front_end_->Notify(1).error().kind, ErrorKind::kUnsupported);
  auto early =
      front_end_->WaitUntil([&] { return queue.AllUsed(); }, Deadline::After(milliseconds(20)));
  ASSERT_OK(early);
  EXPECT_FALSE(*early);
  ASSERT_OK(front_end_->WriteStatus(kNegotiated | status::kDriverOk));
  auto used = front_end_->WaitUntil([&] { return queue.AllUsed(); }, Deadline::After(seconds(20)));
  ASSERT_OK(used);
  EXPECT_TRUE(*used);
}

TEST_F(FrontEndTest, InBandNotifications) {
  FakeOptions fake;
  fake.protocol_features |= 1 << pf::kInbandNotifications;
  FrontEndOptions options;
  options.notify = NotifyMode::kInband;
  Start(fake, options);
  ASSERT_OK(Drive());
  EXPECT_EQ(back_end_->inband_kicks, 1u);
  EXPECT_EQ(back_end_->Count(Request::kSetVringCall), 0);
  auto refused = Create({}, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
}

TEST_F(FrontEndTest, PollModeSendsNoCallDescriptor) {
  FrontEndOptions options;
  options.notify = NotifyMode::kPoll;
  Start({}, options);
  ASSERT_OK(Drive());
  EXPECT_EQ(front_end_->TakeQueueNotifications(0), 0u);
}

TEST_F(FrontEndTest, StatusIsTheBackEndsWhereItKeepsOne) {
  FakeOptions fake;
  fake.protocol_features |= 1 << pf::kStatus | 1 << pf::kResetDevice;
  Start(fake);
  EXPECT_TRUE(front_end_->abilities().Has(Ability::kDeviceStatus));
  EXPECT_TRUE(front_end_->abilities().Has(Ability::kReset));
  ASSERT_OK(front_end_->WriteStatus(3));
  EXPECT_EQ(back_end_->status, 3u);
  back_end_->status = 0x43;  // DEVICE_NEEDS_RESET
  EXPECT_EQ(*front_end_->ReadStatus(), 0x43);
  ASSERT_OK(front_end_->Reset());
  EXPECT_EQ(back_end_->status, 0u);
  EXPECT_EQ(back_end_->Count(Request::kResetDevice), 1);
  back_end_->status = 0x100;
  auto wide = front_end_->ReadStatus();
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().kind, ErrorKind::kDeviceLost);
  EXPECT_NE(wide.error().message.find("8 bits"), std::string::npos) << wide.error().message;
}

TEST_F(FrontEndTest, PackedRingsStartWithBothWrapCountersSet) {
  FakeOptions fake;
  fake.features |= 1ull << feature::kRingPacked;
  Start(fake);
  ASSERT_OK(front_end_->AcceptFeatures(FeatureSet{feature::kVersion1, feature::kRingPacked}));
  HandQueue queue(*memory_, base_, 8);
  ASSERT_OK(front_end_->SetupQueue(0, queue.layout()));
  ASSERT_OK(front_end_->WriteStatus(kNegotiated | status::kDriverOk));
  EXPECT_EQ(back_end_->vring_base, 0x80008000u);
}

TEST_F(FrontEndTest, ConfigReadsAndWrites) {
  Start();
  EXPECT_EQ(LoadLe(*front_end_->ReadConfig(4, 4)), 0x08070605u);
  ASSERT_OK(front_end_->WriteConfig(5, Bytes{0xaa}));
  EXPECT_EQ(LoadLe(*front_end_->ReadConfig(4, 4)), 0x0807aa05u);
  EXPECT_EQ(front_end_->ReadConfig(4, 3).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(front_end_->ReadConfig(21, 4).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(front_end_->ReadGeneration().error().kind, ErrorKind::kUnsupported);
}

// The fake back-end keeps its config to itself.
TEST_F(FrontEndTest, ConfigWritesOfAnyRangeGoOut) {
  Start();
  const std::pair<uint32_t, size_t> ranges[] = {
      {24, 1}, {23, 2}, {0, 257}, {UINT32_MAX, 2}, {0, 0}};
  for (const auto& [offset, size] : ranges) {
    const auto written = front_end_->WriteConfig(offset, Bytes(size, 0xee));
    EXPECT_EQ(written.has_value(), size == 0);
    EXPECT_EQ(back_end_->last_set_config, uint64_t{offset} << 32 | size);
    EXPECT_EQ(LoadLe(*front_end_->ReadConfig(0, 8)), 0x0807060504030201u);
  }
}

// Every way in which header and payload can disagree: the fake refuses, and one that trusts headers
// shows that the messages do reach beyond what they carry.
TEST_F(FrontEndTest, ConfigMessagesThatLieGoOut) {
  const auto send_all = [&] {
    size_t refused = 0;
    for (const ConfigLie& lie : kConfigLies) {
      const Bytes payload(lie.carried, 0x77);
      const auto sent = front_end_->SendConfigMessage(lie.request, lie.header, payload);
      if (!sent) {
        EXPECT_EQ(sent.error().kind, ErrorKind::kRefused) << sent.error().message;
        ++refused;
      }
      EXPECT_TRUE(front_end_->ReadConfig(0, 8)) << "the connection lives on";
    }
    return refused;
  };
  Start();
  EXPECT_GT(send_all(), 5u);
  EXPECT_EQ(LoadLe(*front_end_->ReadConfig(0, 8)), 0x0807060504030201u);
  EXPECT_EQ(back_end_->overruns, 0u);

  FakeOptions trusting;
  trusting.trusting_config = true;
  Start(trusting);
  send_all();
  EXPECT_GT(back_end_->overruns, 0u);
  EXPECT_NE(LoadLe(*front_end_->ReadConfig(0, 8)), 0x0807060504030201u);
}

TEST_F(FrontEndTest, FindsEveryConfigSize) {
  for (uint32_t size : {0u, 1u, 2u, 59u, 60u, 128u, 255u, 256u}) {
    FakeOptions fake;
    fake.config_size = size;
    Start(fake);
    EXPECT_EQ(front_end_->identity().config_size, size);
    ASSERT_OK(front_end_->Reconnect());
    EXPECT_EQ(front_end_->identity().config_size, size);
  }
}

TEST_F(FrontEndTest, ALieAboutConfigSizeIsABrokenProtocol) {
  FakeOptions fake;
  fake.lying_config = true;
  auto front_end = Create(fake);
  ASSERT_FALSE(front_end);
  EXPECT_EQ(front_end.error().kind, ErrorKind::kAttach);
  EXPECT_NE(front_end.error().message.find("broke the vhost-user protocol"), std::string::npos);
}

TEST_F(FrontEndTest, ManyClaimedQueuesCostNothing) {
  FakeOptions fake;
  for (uint64_t claimed : {uint64_t{128}, uint64_t{65536}, ~uint64_t{0}, uint64_t{0}}) {
    fake.queues = claimed;
    Start(fake);
    EXPECT_EQ(front_end_->identity().queue_count, 1u);
    FrontEndOptions options;
    options.device_id = 1;
    Start(fake, options);
    EXPECT_EQ(front_end_->identity().queue_count, 2u);
    options.queues = 5;
    Start(fake, options);
    EXPECT_EQ(front_end_->identity().queue_count, 5u);
  }
}

TEST_F(FrontEndTest, ConfigChangesAreCountedAndAnswered) {
  Start();
  EXPECT_EQ(front_end_->TakeConfigNotifications(), 0u);
  back_end_->SendOnChannel(FakeBackEnd::Raw(2, kFlagVersion));
  ASSERT_OK(front_end_->Quiesce(milliseconds(1)));
  back_end_->SendOnChannel(FakeBackEnd::Raw(2, kFlagVersion | kFlagNeedReply));
  uint64_t count = 0;
  auto all = front_end_->WaitUntil(
      [&] {
        count += front_end_->TakeConfigNotifications();
        return count == 2 && back_end_->channel_replies == 1;
      },
      Deadline::After(seconds(20)));
  ASSERT_OK(all);
  EXPECT_TRUE(*all) << count;
}

TEST_F(FrontEndTest, AStimulusIsRunWhileTheDeviceIsServed) {
  FrontEndOptions options;
  options.stimulate = [this](const std::function<void(Duration)>& serve) -> Result<> {
    back_end_->SendOnChannel(FakeBackEnd::Raw(2, kFlagVersion | kFlagNeedReply));
    Deadline deadline = Deadline::After(seconds(20));
    while (back_end_->channel_replies == 0 && !deadline.Passed()) serve(milliseconds(1));
    return {};
  };
  Start({}, options);
  EXPECT_TRUE(front_end_->abilities().Has(Ability::kStimulus));
  ASSERT_OK(front_end_->StimulateConfigChange());
  EXPECT_EQ(front_end_->TakeConfigNotifications(), 1u);
}

TEST_F(FrontEndTest, BadRequestsOnTheChannelBreakTheProtocol) {
  const std::pair<const char*, Bytes> cases[] = {
      {"request 99", FakeBackEnd::Raw(99, kFlagVersion)},
      {"request 3", FakeBackEnd::Raw(3, kFlagVersion, Bytes(24))},
      {"request 1", FakeBackEnd::Raw(1, kFlagVersion, Bytes(32))},
      {"VRING_CALL without", FakeBackEnd::Raw(4, kFlagVersion, Bytes(8))},
      {"version is not 1", FakeBackEnd::Raw(2, 0)},
      {"a reply", FakeBackEnd::Raw(2, kFlagVersion | kFlagReply)},
      {"announces 5000 bytes", FakeBackEnd::Raw(2, kFlagVersion, Bytes(5000))},
  };
  for (const auto& [what, bytes] : cases) {
    Start();
    back_end_->SendOnChannel(bytes);
    auto lost = front_end_->WaitUntil([] { return false; }, Deadline::After(seconds(20)));
    ASSERT_FALSE(lost) << what;
    EXPECT_EQ(lost.error().kind, ErrorKind::kDeviceLost);
    EXPECT_NE(lost.error().message.find(what), std::string::npos) << lost.error().message;
    EXPECT_FALSE(front_end_->Notify(0));
  }
}

TEST_F(FrontEndTest, InBandCallsForAQueueThatIsNotThereBreakTheProtocol) {
  FakeOptions fake;
  fake.protocol_features |= 1 << pf::kInbandNotifications;
  FrontEndOptions options;
  options.notify = NotifyMode::kInband;
  for (const Bytes& payload : {LeBytes(2, 8), LeBytes(0xffffffff, 8), Bytes(4)}) {
    Start(fake, options);
    back_end_->SendOnChannel(FakeBackEnd::Raw(4, kFlagVersion, payload));
    auto lost = front_end_->Quiesce(seconds(20));
    ASSERT_FALSE(lost);
    EXPECT_NE(lost.error().message.find("broke the vhost-user protocol: VRING_CALL"),
              std::string::npos);
  }
}

TEST_F(FrontEndTest, AFailedAcknowledgementOfFeaturesShowsInTheStatus) {
  FakeOptions fake;
  fake.mischief_at = Request::kSetFeatures;
  fake.mischief = Mischief::kRefuse;
  Start(fake);
  ASSERT_OK(front_end_->AcceptFeatures(FeatureSet{feature::kVersion1}));
  ASSERT_OK(front_end_->WriteStatus(kNegotiated));
  EXPECT_EQ(*front_end_->ReadStatus(), kNegotiated & ~status::kFeaturesOk);
  ASSERT_OK(front_end_->Reset());
  EXPECT_EQ(*front_end_->ReadStatus(), 0);
}

TEST_F(FrontEndTest, AFailedAcknowledgementOfARingIsARefusal) {
  FakeOptions fake;
  fake.mischief_at = Request::kSetVringNum;
  fake.mischief = Mischief::kRefuse;
  Start(fake);
  auto driven = Drive();
  ASSERT_FALSE(driven);
  EXPECT_EQ(driven.error().kind, ErrorKind::kRefused);
  EXPECT_NE(driven.error().message.find("SET_VRING_NUM"), std::string::npos);
  EXPECT_FALSE(front_end_->Died());
}

TEST_F(FrontEndTest, ALostBackEndStaysLostUntilReconnected) {
  Start();
  back_end_.reset();
  Result<bool> waited = front_end_->WaitUntil([] { return false; }, Deadline::After(seconds(20)));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::kDeviceLost);
  EXPECT_FALSE(front_end_->ReadFeatures());
  EXPECT_FALSE(front_end_->ReadStatus());
  EXPECT_FALSE(front_end_->WriteStatus(1));
  EXPECT_FALSE(front_end_->Reset());
  EXPECT_FALSE(front_end_->ReadConfig(0, 1));
  EXPECT_FALSE(front_end_->SetupQueue(0, {}));
  EXPECT_FALSE(front_end_->Notify(0));
  EXPECT_FALSE(front_end_->Died()) << "a thread of this process is no process that ended";
  ASSERT_OK(front_end_->Reconnect());
  EXPECT_FALSE(front_end_->Died());
  ASSERT_OK(Drive());
}

TEST_F(FrontEndTest, SilenceEndsAtTheDeadline) {
  timeout_ = milliseconds(50);
  FakeOptions fake;
  fake.mischief_at = Request::kGetConfig;
  fake.mischief = Mischief::kSilence;
  FrontEndOptions options;
  options.config_size = 24;  // so that it is not asked before
  Start(fake, options);
  auto read = front_end_->ReadConfig(0, 4);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kTimeout);
  EXPECT_NE(read.error().message.find("GET_CONFIG within 50 ms"), std::string::npos);
  EXPECT_EQ(front_end_->ReadConfig(0, 4).error().kind, ErrorKind::kDeviceLost);
}

TEST_F(FrontEndTest, WaitUntilDoesNotPassItsDeadlineByMuch) {
  Start();
  for (int i = 0; i < 20; ++i) {
    auto before = Clock::now();
    auto waited = front_end_->WaitUntil([] { return false; }, Deadline::After(milliseconds(3)));
    ASSERT_OK(waited);
    EXPECT_FALSE(*waited);
    EXPECT_GE(Clock::now() - before, milliseconds(3));
  }
}

// Every misdeed at every message: no hang, no leak, no crash, and the right kind of error.
class HostileTest : public FrontEndTest,
                    public testing::WithParamInterface<std::tuple<Request, int>> {};

TEST_P(HostileTest, EndsWell) {
  auto count_fds = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  auto fds_before = count_fds();
  FakeOptions fake;
  fake.protocol_features |= 1 << pf::kStatus | 1 << pf::kResetDevice;
  fake.mischief_at = std::get<0>(GetParam());
  fake.mischief = static_cast<Mischief>(std::get<1>(GetParam()));
  bool harmless = fake.mischief == Mischief::kNone || fake.mischief == Mischief::kDribble;
  // A 1 in answer to these is no refusal but a poor device.
  if (fake.mischief == Mischief::kRefuse &&
      (fake.mischief_at == Request::kGetFeatures || fake.mischief_at == Request::kGetQueueNum ||
       fake.mischief_at == Request::kGetProtocolFeatures))
    harmless = true;
  if (fake.mischief == Mischief::kSilence) timeout_ = milliseconds(20);
  auto created = Create(fake);
  Error error{ErrorKind::kUsage, "nothing failed"};
  bool failed = false;
  if (!created) {
    error = created.error();
    failed = true;
    EXPECT_TRUE(error.kind == ErrorKind::kAttach) << error.message;
  } else {
    front_end_ = std::move(*created);
    auto driven = Drive();
    if (driven) driven = Drive();
    failed = !driven;
    if (failed) error = driven.error();
  }
  EXPECT_EQ(failed, !harmless) << error.message;
  if (failed) {
    EXPECT_TRUE(error.kind == ErrorKind::kAttach || error.kind == ErrorKind::kDeviceLost ||
                error.kind == ErrorKind::kTimeout || error.kind == ErrorKind::kRefused)
        << Name(error.kind) << ": " << error.message;
    EXPECT_FALSE(error.message.empty());
  }
  front_end_.reset();
  back_end_.reset();
  EXPECT_EQ(count_fds(), fds_before) << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    EachMessage, HostileTest,
    testing::Combine(
        testing::Values(Request::kGetFeatures, Request::kGetProtocolFeatures,
                        Request::kSetBackendReqFd, Request::kSetOwner, Request::kGetMaxMemSlots,
                        Request::kAddMemReg, Request::kGetQueueNum, Request::kGetConfig,
                        Request::kSetFeatures, Request::kGetStatus, Request::kSetStatus,
                        Request::kSetVringNum, Request::kSetVringBase, Request::kSetVringAddr,
                        Request::kSetVringCall, Request::kSetVringErr, Request::kSetVringKick,
                        Request::kSetVringEnable, Request::kGetVringBase, Request::kResetDevice),
        testing::Range(0, kMischiefs)));

}  // namespace
}  // namespace vitro::vhost_user
