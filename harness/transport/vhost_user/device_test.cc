// SPDX-License-Identifier: Apache-2.0
// The vhost-user front-end against the real back-ends of a Debian machine: qemu-storage-daemon
// (blk), virtiofsd (fs), dpdk-testpmd (net). A program that is not there fails its tests.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "harness/attach/process.h"
#include "harness/attach/vhost_user_attachment.h"
#include "harness/transport/vhost_user/config_lies.h"
#include "harness/transport/vhost_user/front_end.h"
#include "harness/transport/vhost_user/hand_queue.h"
#include "harness/virtio/status.h"

namespace vitro::vhost_user {
namespace {

using std::chrono::seconds;

constexpr uint8_t kNegotiated = status::kAcknowledge | status::kDriver | status::kFeaturesOk;

#define ASSERT_OK(expression)                            \
  do {                                                   \
    auto&& assert_ok = (expression);                     \
    ASSERT_TRUE(assert_ok) << assert_ok.error().message; \
  } while (false)

class RealDevice : public testing::Test {
 protected:
  void SetUp() override {
    auto memory = GuestMemory::CreateDefault();
    ASSERT_OK(memory);
    memory_ = std::make_unique<GuestMemory>(std::move(*memory));
    auto scratch = ScratchDirectory::Create();
    ASSERT_OK(scratch);
    scratch_ = std::make_unique<ScratchDirectory>(std::move(*scratch));
    base_ = memory_->regions().front().range.address;
    data_ = base_ + 0x10000;
  }

  void Open(const std::string& program, std::map<std::string, std::string> options,
            std::string where = "back-end") {
    ASSERT_EQ(access(program.c_str(), X_OK), 0) << program << " is needed and not there";
    AttachString string{"vhost-user", std::move(where), std::move(options), ""};
    auto attachment = OpenVhostUser(string);
    ASSERT_OK(attachment);
    attachment_ = std::move(*attachment);
  }
  void Attach() {
    transport_.reset();
    auto transport = attachment_->Attach(*memory_);
    ASSERT_OK(transport);
    transport_ = std::move(*transport);
  }
  FrontEnd& front_end() { return static_cast<FrontEnd&>(*transport_); }

  // Up to FEATURES_OK, with `wanted` of what is offered and VIRTIO_F_VERSION_1.
  void Negotiate(FeatureSet wanted = {}) {
    ASSERT_OK(transport_->Reset());
    ASSERT_OK(transport_->WriteStatus(status::kAcknowledge));
    ASSERT_OK(transport_->WriteStatus(status::kAcknowledge | status::kDriver));
    auto offered = transport_->ReadFeatures();
    ASSERT_OK(offered);
    ASSERT_TRUE(offered->Has(feature::kVersion1));
    EXPECT_FALSE(offered->Has(kFeatureProtocolFeatures));
    ASSERT_OK(transport_->AcceptFeatures((*offered & wanted).With(feature::kVersion1)));
    ASSERT_OK(transport_->WriteStatus(kNegotiated));
    auto status = transport_->ReadStatus();
    ASSERT_OK(status);
    EXPECT_EQ(*status, kNegotiated);
  }
  void DriverOk() { ASSERT_OK(transport_->WriteStatus(kNegotiated | status::kDriverOk)); }

  void NotifyAndWait(HandQueue& queue, uint32_t index) {
    ASSERT_OK(transport_->Notify(index));
    auto done =
        transport_->WaitUntil([&] { return queue.AllUsed(); }, Deadline::After(seconds(10)));
    ASSERT_OK(done);
    ASSERT_TRUE(*done) << "not used in time: " << transport_->DeviceLog();
  }

  // `word` in the command line of the only child of ours that has it.
  pid_t Child(const std::string& word) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::string pid = entry.path().filename();
      if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream stat(entry.path() / "stat"), command(entry.path() / "cmdline");
      std::string text, line;
      std::getline(stat, line);
      std::getline(command, text);
      size_t parent = line.rfind(") ");
      if (parent == std::string::npos || text.find(word) == std::string::npos) continue;
      if (std::stoi(line.substr(parent + 4)) == getpid()) return std::stoi(pid);
    }
    return -1;
  }

  std::unique_ptr<GuestMemory> memory_;
  std::unique_ptr<ScratchDirectory> scratch_;
  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<Transport> transport_;
  uint64_t base_ = 0, data_ = 0;
};

// ---- qemu-storage-daemon
// --------------------------------------------------------------------------

class StorageDaemon : public RealDevice {
 protected:
  static constexpr uint64_t kSectors = 2048;

  void SetUp() override {
    RealDevice::SetUp();
    std::ofstream disk(scratch_->path() + "/disk.img");
    for (uint64_t sector = 0; sector < kSectors; ++sector) disk << std::string(512, Mark(sector));
    disk.close();
  }
  static char Mark(uint64_t sector) { return static_cast<char>('A' + sector % 26); }

  void OpenDaemon(std::map<std::string, std::string> options = {}) {
    options["spawn"] =
        "qemu-storage-daemon --blockdev driver=file,node-name=f0,filename=" + scratch_->path() +
        "/disk.img,locking=off --blockdev driver=raw,node-name=d0,file=f0 "
        "--export type=vhost-user-blk,id=e0,node-name=d0,addr.type=unix,addr.path={path},"
        "writable=on,num-queues=2 --chardev socket,id=q,path={dir}/qmp.sock,server=on,wait=off "
        "--monitor chardev=q";
    options["type"] = "blk";
    Open("/usr/bin/qemu-storage-daemon", std::move(options));
  }

  // One read of one sector through queue `index`; the driver areas are at `at`.
  void ReadSector(uint32_t index, HandQueue& queue, uint64_t sector) {
    ASSERT_OK(memory_->Write(data_, LeBytes(0, 8)));  // type IN, reserved
    ASSERT_OK(memory_->Write(data_ + 8, LeBytes(sector, 8)));
    ASSERT_OK(memory_->Write(data_ + 0x1000, Bytes(513, 0xee)));
    queue.Publish({{data_, 16, false}, {data_ + 0x1000, 512, true}, {data_ + 0x1200, 1, true}});
    NotifyAndWait(queue, index);
    EXPECT_EQ(*memory_->Read(data_ + 0x1000, 512), Bytes(512, static_cast<uint8_t>(Mark(sector))));
    EXPECT_EQ(memory_->Load<uint8_t>(data_ + 0x1200), 0);
  }
  void SetUpAndRead(uint64_t sector) {
    HandQueue queue(*memory_, base_, 16);
    ASSERT_OK(transport_->SetupQueue(0, queue.layout()));
    DriverOk();
    ReadSector(0, queue, sector);
    EXPECT_EQ(queue.used_length(0), 513u);
  }
};

TEST_F(StorageDaemon, IsDescribedAsItIs) {
  OpenDaemon();
  Attach();
  EXPECT_EQ(transport_->identity().device_id, 2u);
  EXPECT_EQ(transport_->identity().queue_count, 2u);
  EXPECT_EQ(transport_->identity().config_size, 60u);
  EXPECT_EQ(*transport_->QueueMaxSize(1), 256u);
  EXPECT_EQ(*transport_->QueueMaxSize(2), 0u);
  const Abilities& abilities = transport_->abilities();
  EXPECT_TRUE(abilities.Has(Ability::kConfigSpace));
  EXPECT_TRUE(abilities.Has(Ability::kConfigNotification));
  EXPECT_FALSE(abilities.Has(Ability::kDeviceStatus));
  EXPECT_NE(abilities.WhyNot(Ability::kDeviceStatus).find("STATUS"), std::string::npos);
  EXPECT_FALSE(abilities.Has(Ability::kReset));
  EXPECT_FALSE(abilities.Has(Ability::kUnofferedBits));
  auto capacity = transport_->ReadConfig(0, 8);
  ASSERT_OK(capacity);
  EXPECT_EQ(LoadLe(*capacity), kSectors);
  EXPECT_EQ(LoadLe(*transport_->ReadConfig(59, 1)), 0u);
  EXPECT_EQ(transport_->ReadConfig(57, 4).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(transport_->ReadConfig(0xfffffffe, 4).error().kind, ErrorKind::kRefused);
}

TEST_F(StorageDaemon, ReadsAndNotifiesOnce) {
  OpenDaemon();
  Attach();
  Negotiate();
  SetUpAndRead(5);
  (void)transport_->Quiesce(milliseconds(20));
  // Exactly one: the signal that libvhost-user makes on SET_VRING_CALL is not the device's.
  EXPECT_EQ(transport_->TakeQueueNotifications(0), 1u);
  EXPECT_EQ(transport_->TakeQueueNotifications(0), 0u);
}

TEST_F(StorageDaemon, ServesTheSecondQueue) {
  OpenDaemon();
  Attach();
  Negotiate();
  HandQueue first(*memory_, base_, 16), second(*memory_, base_ + 0x4000, 8);
  ASSERT_OK(transport_->SetupQueue(0, first.layout()));
  ASSERT_OK(transport_->SetupQueue(1, second.layout()));
  DriverOk();
  ReadSector(1, second, 7);
  ReadSector(0, first, 8);
}

TEST_F(StorageDaemon, WorksAgainAfterEachReset) {
  OpenDaemon();
  Attach();
  for (uint64_t round = 0; round < 5; ++round) {
    Negotiate(round % 2 ? FeatureSet{feature::kIndirectDesc} : FeatureSet{});
    SetUpAndRead(round);
  }
}

TEST_F(StorageDaemon, WorksAgainAfterReconnecting) {
  OpenDaemon();
  Attach();
  pid_t daemon = Child("qemu-storage-daemon");
  ASSERT_GT(daemon, 0);
  for (uint64_t round = 0; round < 3; ++round) {
    Negotiate();
    SetUpAndRead(round);
    ASSERT_OK(transport_->Reconnect());
  }
  EXPECT_EQ(Child("qemu-storage-daemon"), daemon);  // it survives a disconnection
}

TEST_F(StorageDaemon, PollModeNeedsNoNotification) {
  OpenDaemon({{"mode", "poll"}});
  Attach();
  Negotiate();
  SetUpAndRead(3);
  EXPECT_EQ(transport_->TakeQueueNotifications(0), 0u);
}

TEST_F(StorageDaemon, RefusesLegacyDriversByClosing) {
  OpenDaemon();
  Attach();
  ASSERT_OK(transport_->AcceptFeatures(FeatureSet{feature::kIndirectDesc}));
  ASSERT_OK(transport_->WriteStatus(kNegotiated));
  EXPECT_EQ(*transport_->ReadStatus(), kNegotiated & ~status::kFeaturesOk);
  auto lost = transport_->ReadConfig(0, 8);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::kDeviceLost);
  EXPECT_NE(lost.error().message.find("SET_FEATURES"), std::string::npos) << lost.error().message;
  Negotiate();  // the reset in it makes a new connection
  SetUpAndRead(1);
}

TEST_F(StorageDaemon, AReadOnlyConfigFieldCostsTheConnection) {
  OpenDaemon();
  Attach();
  auto written = transport_->WriteConfig(0, LeBytes(1, 8));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kDeviceLost);
  EXPECT_NE(written.error().message.find("SET_CONFIG"), std::string::npos)
      << written.error().message;
  ASSERT_OK(transport_->Reconnect());
  ASSERT_OK(transport_->WriteConfig(32, LeBytes(1, 1)));  // writeback may be written
  EXPECT_EQ(LoadLe(*transport_->ReadConfig(32, 1)), 1u);
}

// An error, or the end of the connection, but not of the process; and a driver that behaves is
// served as before.
TEST_F(StorageDaemon, LivesOnWhenConfigMessagesLie) {
  OpenDaemon();
  Attach();
  const Bytes before = *transport_->ReadConfig(0, 8);
  for (size_t i = 0; i < std::size(kConfigLies); ++i) {
    SCOPED_TRACE(i);
    const ConfigLie& lie = kConfigLies[i];
    const auto sent =
        front_end().SendConfigMessage(lie.request, lie.header, Bytes(lie.carried, 0x77));
    if (!sent) {
      EXPECT_TRUE(sent.error().kind == ErrorKind::kRefused ||
                  sent.error().kind == ErrorKind::kDeviceLost)
          << sent.error().message;
    }
    ASSERT_FALSE(transport_->Died()) << transport_->Died()->how;
    ASSERT_OK(transport_->Reconnect());
    EXPECT_EQ(*transport_->ReadConfig(0, 8), before);
  }
  Negotiate();
  SetUpAndRead(4);
}

TEST_F(StorageDaemon, ResetCanMeanANewConnection) {
  OpenDaemon({{"reset", "reconnect"}});
  Attach();
  EXPECT_TRUE(transport_->abilities().Has(Ability::kReset));
  for (uint64_t round = 0; round < 3; ++round) {
    Negotiate();
    SetUpAndRead(round);
  }
}

// The daemon of QEMU 7.2 changes its config on no command: only the running of one is tested here.
TEST_F(StorageDaemon, AStimulusIsACommandWithOurPaths) {
  OpenDaemon({{"stimulus",
               "sh -c 'test -S {path} && touch \"$1\"' sh '" + scratch_->path() + "/it ran'"}});
  Attach();
  ASSERT_TRUE(transport_->abilities().Has(Ability::kStimulus));
  ASSERT_OK(transport_->StimulateConfigChange());
  EXPECT_TRUE(std::filesystem::exists(scratch_->path() + "/it ran"));
  OpenDaemon({{"stimulus", "sh -c 'echo no such node; exit 4'"}});
  Attach();
  auto failed = transport_->StimulateConfigChange();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::kHarness);
  EXPECT_NE(failed.error().message.find("exited with code 4; it printed: no such node"),
            std::string::npos)
      << failed.error().message;
}

TEST_F(StorageDaemon, ItsDeathIsNoticedAtOnce) {
  OpenDaemon();
  Attach();
  Negotiate();
  pid_t daemon = Child("qemu-storage-daemon");
  ASSERT_GT(daemon, 0);
  auto before = Clock::now();
  kill(daemon, SIGKILL);
  auto waited = transport_->WaitUntil([] { return false; }, Deadline::After(seconds(30)));
  EXPECT_LT(Clock::now() - before, seconds(5));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::kDeviceLost);
  std::string expected = fmt::format("process {} was killed by signal 9 (SIGKILL)", daemon);
  EXPECT_NE(waited.error().message.find(expected), std::string::npos) << waited.error().message;
  EXPECT_EQ(transport_->ReadStatus().error().kind, ErrorKind::kDeviceLost);
  EXPECT_EQ(transport_->Reset().error().kind, ErrorKind::kDeviceLost);
  ASSERT_TRUE(transport_->Died());
  EXPECT_NE(transport_->Died()->how.find(expected), std::string::npos) << transport_->Died()->how;
  ASSERT_OK(transport_->Reconnect());  // starts it anew
  Negotiate();
  SetUpAndRead(2);
}

TEST_F(StorageDaemon, SeveralLiveAtOnce) {
  OpenDaemon();
  EXPECT_TRUE(attachment_->independent());
  Attach();
  auto other_memory = GuestMemory::CreateDefault();
  ASSERT_OK(other_memory);
  auto other = attachment_->Attach(*other_memory);
  ASSERT_OK(other);
  Negotiate();
  SetUpAndRead(2);
  EXPECT_EQ(LoadLe(*(*other)->ReadConfig(0, 8)), kSectors);
}

TEST_F(StorageDaemon, ASecondFrontEndWaitsUnanswered) {
  std::string path = scratch_->path() + "/blk.sock";
  auto daemon = Process::Start(
      {"/usr/bin/qemu-storage-daemon", "--blockdev", "driver=null-co,node-name=d0,size=65536",
       "--export", "type=vhost-user-blk,id=e0,node-name=d0,addr.type=unix,addr.path=" + path});
  ASSERT_OK(daemon);
  ASSERT_OK(ConnectWhenReady(path, &*daemon, Deadline::After(seconds(10))));
  Open("/usr/bin/qemu-storage-daemon", {{"timeout", "300"}, {"type", "blk"}}, path);
  EXPECT_FALSE(attachment_->independent());
  Attach();
  auto other_memory = GuestMemory::CreateDefault();
  ASSERT_OK(other_memory);
  auto other = attachment_->Attach(*other_memory);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::kAttach);
  EXPECT_NE(other.error().message.find("another front-end"), std::string::npos)
      << other.error().message;
}

TEST_F(StorageDaemon, ACommandThatFailsIsReportedWithItsWords) {
  Open("/usr/bin/qemu-storage-daemon", {{"spawn", "qemu-storage-daemon --export {path}"}});
  auto transport = attachment_->Attach(*memory_);
  ASSERT_FALSE(transport);
  EXPECT_EQ(transport.error().kind, ErrorKind::kAttach);
  EXPECT_NE(transport.error().message.find("exited with code 1"), std::string::npos)
      << transport.error().message;
  EXPECT_NE(transport.error().message.find("--export"), std::string::npos)
      << transport.error().message;
}

// ---- virtiofsd
// ------------------------------------------------------------------------------------

class FileSystemDaemon : public RealDevice {
 protected:
  void SetUp() override {
    RealDevice::SetUp();
    std::filesystem::create_directory(scratch_->path() + "/shared");
    Open("/usr/lib/qemu/virtiofsd",
         {{"spawn", "/usr/lib/qemu/virtiofsd -f --socket-path={path} -o source=" +
                        scratch_->path() + "/shared -o sandbox=chroot -o cache=none"},
          {"type", "fs"}});
    Attach();
  }
  void FuseInit() {
    HandQueue queue(*memory_, base_, 16);
    ASSERT_OK(transport_->SetupQueue(1, queue.layout()));
    DriverOk();
    fuse_in_header header{};
    fuse_init_in init{};
    header.len = sizeof header + sizeof init;
    header.opcode = FUSE_INIT;
    header.unique = 77;
    init.major = FUSE_KERNEL_VERSION;
    init.minor = FUSE_KERNEL_MINOR_VERSION;
    StoreLe(memory_->At(data_, sizeof header), header);
    StoreLe(memory_->At(data_ + 0x100, sizeof init), init);
    queue.Publish({{data_, sizeof header, false},
                   {data_ + 0x100, sizeof init, false},
                   {data_ + 0x1000, sizeof(fuse_out_header), true},
                   {data_ + 0x1100, sizeof(fuse_init_out), true}});
    NotifyAndWait(queue, 1);
    auto reply = LoadLe<fuse_out_header>(memory_->At(data_ + 0x1000, sizeof(fuse_out_header)));
    EXPECT_EQ(reply.error, 0);
    EXPECT_EQ(reply.unique, 77u);
    EXPECT_EQ(LoadLe<fuse_init_out>(memory_->At(data_ + 0x1100, sizeof(fuse_init_out))).major,
              static_cast<uint32_t>(FUSE_KERNEL_VERSION));
  }
};

TEST_F(FileSystemDaemon, IsDescribedAsItIs) {
  EXPECT_EQ(transport_->identity().queue_count, 2u);
  EXPECT_EQ(transport_->identity().config_size, 0u);
  EXPECT_FALSE(transport_->abilities().Has(Ability::kConfigSpace));
  EXPECT_EQ(transport_->ReadConfig(0, 4).error().kind, ErrorKind::kUnsupported);
}

TEST_F(FileSystemDaemon, AnswersFuseInit) {
  Negotiate();
  FuseInit();
}

TEST_F(FileSystemDaemon, IsStartedAnewForEachConnection) {
  for (int round = 0; round < 3; ++round) {
    pid_t daemon = Child("virtiofsd");
    Negotiate();
    FuseInit();
    ASSERT_OK(transport_->Reconnect());
    EXPECT_NE(Child("virtiofsd"), daemon);
  }
}

TEST_F(FileSystemDaemon, ItsDeathIsNoticedDuringAnOperation) {
  pid_t daemon = Child("virtiofsd");
  ASSERT_GT(daemon, 0);
  kill(daemon, SIGSEGV);
  Result<> result;
  for (int i = 0; i < 1000 && result; ++i) result = transport_->Reset();
  ASSERT_FALSE(transport_->WaitUntil([] { return false; }, Deadline::After(seconds(10))));
  ASSERT_TRUE(transport_->Died());
  EXPECT_TRUE(transport_->Died()->by_signal);
  EXPECT_NE(transport_->Died()->how.find("signal 11 (SIGSEGV)"), std::string::npos)
      << transport_->Died()->how;
}

// ---- dpdk-testpmd
// ---------------------------------------------------------------------------------

class TestPmd : public RealDevice {
 protected:
  static constexpr uint32_t kFrame = 64, kHeader = 12;

  static std::string Command(const std::string& device) {
    return "dpdk-testpmd --lcores '(0,1)@0' --no-huge -m 256 --no-pci --no-shconf --no-telemetry "
           "--vdev 'net_vhost0,iface={path},queues=1," +
           device +
           "' -- --auto-start --forward-mode=io --no-mlockall --total-num-mbufs=2048 --rxq=1 "
           "--txq=1";
  }
  // As a client of ours it is there a second sooner.
  void OpenTestPmd(const std::string& more = "", bool client = true) {
    std::map<std::string, std::string> options;
    std::string device = (client ? "client=1" : "client=0") + more;
    options["server"] = client ? "1" : "0";
    options["spawn"] = Command(device);
    options["type"] = "net";
    options["timeout"] = "20000";
    Open("/usr/bin/dpdk-testpmd", std::move(options));
    Attach();
  }
  // Sends frames on queue 1 until one comes back on queue 0: the first ones may be dropped.
  void Echo() {
    HandQueue receive(*memory_, base_, 16), transmit(*memory_, base_ + 0x4000, 16);
    ASSERT_OK(transport_->SetupQueue(0, receive.layout()));
    ASSERT_OK(transport_->SetupQueue(1, transmit.layout()));
    DriverOk();
    ASSERT_EQ(*transport_->ReadStatus(), kNegotiated | status::kDriverOk);
    receive.Publish({{data_ + 0x4000, 2048, true}});
    ASSERT_OK(transport_->Notify(0));
    Bytes frame(kHeader + kFrame, 0x5a);
    std::fill_n(frame.begin(), kHeader, 0);
    ASSERT_OK(memory_->Write(data_, frame));
    Deadline deadline = Deadline::After(seconds(20));
    while (!receive.AllUsed() && !deadline.Passed()) {
      transmit.Publish({{data_, kHeader + kFrame, false}});
      NotifyAndWait(transmit, 1);
      ASSERT_OK(transport_->WaitUntil([&] { return receive.AllUsed(); },
                                      Deadline::After(milliseconds(100))));
    }
    ASSERT_TRUE(receive.AllUsed()) << transport_->DeviceLog();
    EXPECT_EQ(receive.used_length(0), kHeader + kFrame);
    EXPECT_EQ(*memory_->Read(data_ + 0x4000 + kHeader, kFrame), Bytes(kFrame, 0x5a));
  }
};

TEST_F(TestPmd, IsDescribedAsItIs) {
  OpenTestPmd();
  EXPECT_EQ(transport_->identity().queue_count, 2u);  // it says 128
  EXPECT_TRUE(transport_->abilities().Has(Ability::kDeviceStatus));
  EXPECT_TRUE(transport_->abilities().Has(Ability::kReset));
  EXPECT_TRUE(transport_->abilities().Has(Ability::kUnofferedBits));
  EXPECT_FALSE(transport_->abilities().Has(Ability::kConfigSpace));
}

TEST_F(TestPmd, EchoesAFrame) {
  OpenTestPmd();
  Negotiate();
  Echo();
}

TEST_F(TestPmd, EchoesAfterResetAndReconnection) {
  OpenTestPmd();
  Negotiate();
  Echo();
  Negotiate(FeatureSet{feature::kIndirectDesc});
  Echo();
  ASSERT_OK(transport_->Reconnect());
  Negotiate();
  Echo();
}

TEST_F(TestPmd, RefusesUnofferedFeaturesInItsStatus) {
  OpenTestPmd();
  ASSERT_OK(transport_->Reset());
  auto offered = transport_->ReadFeatures();
  ASSERT_OK(offered);
  ASSERT_FALSE(offered->Has(feature::kSrIov));
  ASSERT_OK(transport_->AcceptFeatures(FeatureSet{feature::kVersion1, feature::kSrIov}));
  ASSERT_OK(transport_->WriteStatus(kNegotiated));
  auto status = transport_->ReadStatus();
  ASSERT_OK(status);
  EXPECT_EQ(*status & status::kFeaturesOk, 0);
  Negotiate();
  Echo();
}

TEST_F(TestPmd, WorksAsAServerToo) {
  OpenTestPmd("", false);
  Negotiate();
  Echo();
  ASSERT_OK(transport_->Reconnect());
  Negotiate();
  Echo();
}

TEST_F(TestPmd, WorksBehindAnIommu) {
  OpenTestPmd(",iommu-support=1");
  for (int round = 0; round < 2; ++round) {
    Negotiate(FeatureSet{feature::kAccessPlatform});
    Echo();
  }
}

// A packed ring by hand: it needs both wrap counters set in SET_VRING_BASE.
TEST_F(TestPmd, EchoesThroughPackedRings) {
  constexpr uint16_t kWrite = 2, kAvail = 1 << 7, kUsed = 1 << 15;
  OpenTestPmd();
  for (int round = 0; round < 2; ++round) {
    Negotiate(FeatureSet{feature::kRingPacked});
    ASSERT_OK(memory_->Write(base_, Bytes(0x8000)));
    auto layout = [](uint64_t at) { return QueueLayout{16, at, at + 0x1000, at + 0x2000}; };
    ASSERT_OK(transport_->SetupQueue(0, layout(base_)));
    ASSERT_OK(transport_->SetupQueue(1, layout(base_ + 0x4000)));
    DriverOk();
    auto publish = [this](uint64_t at, uint64_t address, uint32_t length, uint16_t flags) {
      memory_->Store<uint64_t>(at, address);
      memory_->Store<uint32_t>(at + 8, length);
      memory_->Store<uint16_t>(at + 12, 7);
      memory_->Store<uint16_t>(at + 14, flags);
    };
    auto used = [this](uint64_t at) { return (memory_->Load<uint16_t>(at + 14) & kUsed) != 0; };
    publish(base_, data_ + 0x4000, 2048, kWrite | kAvail);
    ASSERT_OK(transport_->Notify(0));
    ASSERT_OK(memory_->Write(data_, Bytes(kHeader + kFrame)));
    // At most one round of the ring: the wrap counter stays 1.
    for (uint64_t i = 0; i < 16 && !used(base_); ++i) {
      publish(base_ + 0x4000 + 16 * i, data_, kHeader + kFrame, kAvail);
      ASSERT_OK(transport_->Notify(1));
      ASSERT_OK(
          transport_->WaitUntil([&] { return used(base_); }, Deadline::After(milliseconds(200))));
    }
    ASSERT_TRUE(used(base_)) << transport_->DeviceLog();
    EXPECT_EQ(memory_->Load<uint32_t>(base_ + 8), kHeader + kFrame);
    EXPECT_EQ(memory_->Load<uint16_t>(base_ + 12), 7);
  }
}

}  // namespace
}  // namespace vitro::vhost_user
