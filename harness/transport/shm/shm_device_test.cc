// SPDX-License-Identifier: Apache-2.0
// The mailbox between Vitro's side and the C server of devices/abi/vitro_shm_server.h: served by a
// thread of this process (what ThreadSanitizer sees), and by processes that die.
#include "harness/transport/shm/shm_device.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <functional>
#include <thread>

#include "devices/abi/vitro_shm_server.h"
#include "harness/transport/direct/direct_transport.h"

namespace vitro {
namespace {

// What a device that is told to misbehaves does, by the offset of a config read.
constexpr uint32_t kDie = 100, kHang = 101, kChatter = 102, kEndLoop = 103;
constexpr uint32_t kChatterEvents = 3 * VITRO_SHM_EVENTS;

// A device of the C ABI that echoes: status, features, config, and each notify as a signal.
struct Echo {
  const vitro_host* host;
  uint64_t features[2] = {};
  uint8_t status = 0;
  uint8_t config[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  uint32_t pending = 0, queue = 0;
};
Echo* Of(vitro_device* device) { return reinterpret_cast<Echo*>(device); }

vitro_shm_server* served = nullptr;  // in the process of the device

int EchoConfigRead(vitro_device* device, uint32_t offset, void* value, uint32_t width) {
  Echo& echo = *Of(device);
  if (offset == kDie) raise(SIGKILL);
  if (offset == kHang)
    for (;;) pause();
  if (offset == kEndLoop) served->stop = 1;
  if (offset == kChatter)
    for (uint32_t i = 0; i < kChatterEvents; ++i)
      echo.host->signal_queue(echo.host->context, static_cast<uint16_t>(i % 2));
  if (offset + width > sizeof echo.config) return -1;
  std::memcpy(value, echo.config + offset, width);
  return 0;
}

vitro_device_ops EchoOps() {
  vitro_device_ops ops{};
  ops.size = sizeof ops;
  ops.abi_version = VITRO_ABI_VERSION;
  ops.name = "echo";
  ops.create = [](const vitro_host* host, const char* options, vitro_device** device) {
    if (std::strcmp(options, "refuse") == 0) {
      host->log(host->context, "no such day");
      return -1;
    }
    *device = reinterpret_cast<vitro_device*>(new Echo{host});
    return 0;
  };
  ops.destroy = [](vitro_device* device) { delete Of(device); };
  ops.identity = [](vitro_device*, vitro_identity* identity) {
    identity->device_id = 4;
    identity->queue_count = 2;
    identity->config_size = 8;
  };
  ops.offered_features = [](vitro_device* device, uint64_t words[2]) {
    words[0] = Of(device)->features[0] ^ 0x1'0000'0003;
    words[1] = Of(device)->features[1] ^ 0x55;
  };
  ops.accept_features = [](vitro_device* device, const uint64_t words[2]) {
    std::memcpy(Of(device)->features, words, 16);
  };
  ops.get_status = [](vitro_device* device) { return Of(device)->status; };
  ops.set_status = [](vitro_device* device, uint8_t status) { Of(device)->status = status; };
  ops.reset = [](vitro_device* device) { *Of(device) = Echo{Of(device)->host}; };
  ops.config_read = EchoConfigRead;
  ops.config_write = [](vitro_device* device, uint32_t offset, const void* value, uint32_t width) {
    if (offset + width > 8) return -1;
    std::memcpy(Of(device)->config + offset, value, width);
    return 0;
  };
  ops.queue_max_size = [](vitro_device*, uint32_t queue) { return queue < 2 ? 64u : 0u; };
  ops.queue_setup = [](vitro_device*, uint32_t queue, const vitro_queue*) {
    return queue < 2 ? 0 : -1;
  };
  ops.notify = [](vitro_device* device, uint32_t queue) {
    ++Of(device)->pending;
    Of(device)->queue = queue;
  };
  // Inverts the first byte of guest memory for each notify, and tells.
  ops.run = [](vitro_device* device) {
    Echo& echo = *Of(device);
    if (echo.pending == 0) return 0;
    --echo.pending;
    uint8_t byte = 0;
    echo.host->read(echo.host->context, 1 << 20, &byte, 1);
    byte = static_cast<uint8_t>(~byte);
    echo.host->write(echo.host->context, 1 << 20, &byte, 1);
    echo.host->signal_queue(echo.host->context, static_cast<uint16_t>(echo.queue));
    return 1;
  };
  return ops;
}

class ShmTest : public testing::Test {
 protected:
  ShmTest() : name_(fmt::format("/vitro-device-test-{}", getpid())), ops_(EchoOps()) {
    server_.name = name_.c_str();
    server_.ops = &ops_;
  }
  ~ShmTest() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    shm_unlink(name_.c_str());
  }

  // Serves in a process of its own, until it is killed.
  void Fork(bool driven = true) {
    served = &server_;
    ASSERT_EQ(vitro_shm_server_open(&server_, driven), 0) << server_.error;
    child_ = fork();
    if (child_ == 0) {
      VITRO_SHM_STORE(server_.control->device, vitro_shm_self());
      driven ? vitro_shm_serve_blocking(&server_) : vitro_shm_serve_polling(&server_);
      _exit(0);
    }
    VITRO_SHM_STORE(server_.control->device, SideOf(child_));
  }
  static uint64_t SideOf(pid_t pid) {
    uint32_t started = 0;
    vitro_shm_process(pid, &started);
    return uint64_t{started} << 32 | static_cast<uint32_t>(pid);
  }

  Result<std::shared_ptr<ShmDevice>> Claim(Duration timeout = milliseconds(5000)) {
    VITRO_ASSIGN(auto segment, ShmSegment::Open(name_));
    return ShmDevice::Claim(std::move(segment), nullptr, timeout);
  }
  Result<std::unique_ptr<DirectTransport>> Attach(Duration timeout = milliseconds(5000)) {
    VITRO_ASSIGN(auto device, Claim(timeout));
    return DirectTransport::Create(nullptr, "", memory_, std::move(device));
  }

  const std::string name_;
  vitro_device_ops ops_;
  vitro_shm_server server_{};
  pid_t child_ = -1;
  GuestMemory memory_ = GuestMemory::CreateDefault().value();
};

// Both sides in one process, in one mapping, so that ThreadSanitizer sees what they share.
class ShmThreads : public ShmTest, public testing::WithParamInterface<bool> {
 protected:
  void Serve() {
    const bool driven = GetParam();
    ASSERT_EQ(vitro_shm_server_open(&server_, driven), 0) << server_.error;
    auto segment = ShmSegment::Open(name_);
    ASSERT_TRUE(segment) << segment.error().message;
    munmap(server_.base, server_.size);
    server_.base = nullptr;  // the segment unmaps it
    shared_base_ = (*segment)->base();
    server_.control = &(*segment)->control();
    server_.mailbox = &(*segment)->mailbox();
    server_.events = &(*segment)->events();
    server_.log = &(*segment)->log();
    server_.memory = shared_base_ + (*segment)->header().memory.offset;
    server_.base = shared_base_;
    segment_ = std::move(*segment);
    thread_ = std::thread([this, driven] {
      // Not serve_*(): those unmap at their end.
      while (!__atomic_load_n(&server_.stop, __ATOMIC_RELAXED)) {
        const uint32_t seen = VITRO_SHM_LOAD(server_.control->device_wake);
        const int worked = vitro_shm_step(&server_) ||
                           (!driven && server_.device != nullptr && ops_.run(server_.device));
        if (!worked && driven)
          vitro_shm_sleep(&server_.control->device_wake, seen, &server_.control->device_sleeps,
                          1000);
      }
      vitro_shm_end_device(&server_);
    });
  }
  ~ShmThreads() override {
    transport_.reset();
    __atomic_store_n(&server_.stop, 1, __ATOMIC_RELAXED);
    if (thread_.joinable()) thread_.join();
  }
  void Open() {
    Serve();
    auto device = ShmDevice::Claim(std::move(segment_), nullptr, milliseconds(5000));
    ASSERT_TRUE(device) << device.error().message;
    device_ = *device;
    auto transport = DirectTransport::Create(nullptr, "", memory_, *device);
    ASSERT_TRUE(transport) << transport.error().message;
    transport_ = std::move(*transport);
  }

  uint8_t* shared_base_ = nullptr;
  std::unique_ptr<ShmSegment> segment_;
  std::shared_ptr<ShmDevice> device_;  // keeps the mapping until the thread has ended
  std::unique_ptr<DirectTransport> transport_;
  std::thread thread_;
};
INSTANTIATE_TEST_SUITE_P(All, ShmThreads, testing::Values(true, false),
                         [](const auto& each) { return each.param ? "Driven" : "Free"; });

TEST_P(ShmThreads, EachOperationArrives) {
  Open();
  EXPECT_EQ(transport_->abilities().Has(Ability::kExactQuiet), GetParam());
  EXPECT_EQ(transport_->identity().device_id, 4u);
  EXPECT_EQ(transport_->identity().name, "echo");
  EXPECT_EQ(transport_->ReadFeatures()->word(0), 0x1'0000'0003u);
  ASSERT_TRUE(transport_->AcceptFeatures(FeatureSet::FromWords(0x1'0000'0000, 0x11)));
  EXPECT_EQ(transport_->ReadFeatures()->word(0), 3u);
  EXPECT_EQ(transport_->ReadFeatures()->word(1), 0x44u);
  ASSERT_TRUE(transport_->WriteStatus(0x83));
  EXPECT_EQ(transport_->ReadStatus().value(), 0x83);
  ASSERT_TRUE(transport_->WriteConfig(2, Bytes{0xaa, 0xbb}));
  EXPECT_EQ(transport_->ReadConfig(0, 8).value(), (Bytes{1, 2, 0xaa, 0xbb, 5, 6, 7, 8}));
  EXPECT_EQ(transport_->ReadConfig(4, 8).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(transport_->ReadGeneration().error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(transport_->QueueMaxSize(1).value(), 64u);
  EXPECT_TRUE(transport_->SetupQueue(1, {64, 4096, 8192, 12288}));
  EXPECT_EQ(transport_->SetupQueue(2, {64, 4096, 8192, 12288}).error().kind, ErrorKind::kRefused);
  ASSERT_TRUE(transport_->Reset());
  EXPECT_EQ(transport_->ReadStatus().value(), 0);
}

TEST_P(ShmThreads, NotificationsAndMemoryGoBothWays) {
  Open();
  for (int i = 0; i < 200; ++i) {
    uint8_t* byte = memory_.At(1 << 20, 1);
    *byte = static_cast<uint8_t>(i);
    ASSERT_TRUE(transport_->Notify(1));
    uint64_t came = 0;
    auto done =
        transport_->WaitUntil([&] { return (came += transport_->TakeQueueNotifications(1)) > 0; },
                              Deadline::After(std::chrono::seconds(10)));
    ASSERT_TRUE(done && *done) << i;
    EXPECT_EQ(came, 1u);
    EXPECT_EQ(*byte, static_cast<uint8_t>(~i));
    EXPECT_EQ(transport_->TakeQueueNotifications(0), 0u);
  }
}

TEST_P(ShmThreads, MoreEventsThanFitAreAllTakenIn) {
  Open();
  EXPECT_FALSE(transport_->ReadConfig(kChatter, 1));
  EXPECT_EQ(transport_->TakeQueueNotifications(0), kChatterEvents / 2);
  EXPECT_EQ(transport_->TakeQueueNotifications(1), kChatterEvents / 2);
  EXPECT_EQ(transport_->DeviceLog(), "");
}

TEST_P(ShmThreads, ARingThatLiesLosesTheDevice) {
  Open();
  VITRO_SHM_STORE(server_.events->tail, server_.tail + VITRO_SHM_EVENTS + 1);
  const auto status = transport_->ReadStatus();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kDeviceLost);
  EXPECT_NE(status.error().message.find("claims 4097 new ones"), std::string::npos)
      << status.error().message;
  EXPECT_EQ(transport_->Reset().error().kind, ErrorKind::kDeviceLost) << "it stays lost";
}

TEST_F(ShmTest, ADeviceThatDiesInACallIsLost) {
  Fork();
  auto transport = Attach();
  ASSERT_TRUE(transport) << transport.error().message;
  const auto start = Clock::now();
  const auto read = (*transport)->ReadConfig(kDie, 1);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kDeviceLost) << read.error().message;
  EXPECT_NE(read.error().message.find("ended before it answered CONFIG_READ"), std::string::npos)
      << read.error().message;
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(4)) << "it is noticed, not waited for";
  EXPECT_EQ((*transport)->ReadStatus().error().kind, ErrorKind::kDeviceLost);
  transport->reset();
  auto again = Attach();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kAttach);
  EXPECT_NE(again.error().message.find("has ended"), std::string::npos) << again.error().message;
}

TEST_F(ShmTest, ADeviceThatDoesNotAnswerHangs) {
  Fork();
  auto transport = Attach(milliseconds(100));
  ASSERT_TRUE(transport) << transport.error().message;
  const auto read = (*transport)->ReadConfig(kHang, 1);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kTimeout);
  EXPECT_NE(read.error().message.find("took the request CONFIG_READ and did not answer in 100 ms"),
            std::string::npos)
      << read.error().message;
}

TEST_F(ShmTest, ADeviceThatDoesNotLookAtItsMailboxIsLost) {
  Fork();
  auto transport = Attach(milliseconds(300));
  ASSERT_TRUE(transport) << transport.error().message;
  kill(child_, SIGSTOP);
  waitpid(child_, nullptr, WUNTRACED);
  const auto status = (*transport)->ReadStatus();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kDeviceLost);
  EXPECT_NE(status.error().message.find("no heartbeat"), std::string::npos)
      << status.error().message;
}

TEST_F(ShmTest, ASecondDriverIsRefused) {
  Fork();
  auto first = Attach();
  ASSERT_TRUE(first) << first.error().message;
  auto second = Claim();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kAttach);
  EXPECT_NE(second.error().message.find("drives its device already"), std::string::npos)
      << second.error().message;
  ASSERT_TRUE((*first)->ReadStatus()) << "the first one is not disturbed";
  first->reset();
  EXPECT_TRUE(Claim());
}

TEST_F(ShmTest, ADriverThatDiesIsFollowed) {
  Fork();
  for (int i = 0; i < 5; ++i) {
    const pid_t driver = fork();
    if (driver == 0) {
      auto transport = Attach();
      if (!transport || !(*transport)->WriteStatus(0x0f)) _exit(1);
      if (i % 2 == 0) (void)(*transport)->Notify(1);
      raise(SIGKILL);
    }
    int status = 0;
    waitpid(driver, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    auto next = Attach();
    ASSERT_TRUE(next) << next.error().message;
    EXPECT_EQ((*next)->ReadStatus().value(), 0) << "a fresh device";
    EXPECT_EQ((*next)->TakeQueueNotifications(1), 0u);
  }
}

TEST_F(ShmTest, ADeviceThatDiesWhileItIsWaitedForIsLost) {
  Fork(false);
  auto transport = Attach();
  ASSERT_TRUE(transport) << transport.error().message;
  ASSERT_FALSE((*transport)->abilities().Has(Ability::kExactQuiet));
  EXPECT_TRUE((*transport)->Quiesce(milliseconds(5)));
  kill(child_, SIGKILL);
  const auto start = Clock::now();
  const auto waited =
      (*transport)->WaitUntil([] { return false; }, Deadline::After(std::chrono::seconds(30)));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::kDeviceLost);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(20));
}

// A device's side that answers each request with whatever: it may lose the device, and costs no
// more than that.
TEST_F(ShmTest, NothingThatIsReadIsBelieved) {
  int opened = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    ASSERT_EQ(vitro_shm_server_open(&server_, seed % 2 != 0), 0) << server_.error;
    std::atomic<bool> stop = false;
    std::thread liar([&] {
      uint64_t at = 0;
      const auto any = [&] {
        const uint64_t block = PatternBlock(seed, ++at);
        return block % 4 == 0 ? block : block >> (block % 64);  // small ones, too
      };
      while (!stop) {
        const uint32_t request = VITRO_SHM_LOAD(server_.mailbox->request);
        if (request == VITRO_SHM_PEEK(server_.mailbox->answer)) continue;
        for (uint64_t& value : server_.mailbox->values) VITRO_SHM_POKE(value, any());
        const bool fine = VITRO_SHM_PEEK(server_.mailbox->opcode) == VITRO_SHM_OPEN || any() % 4;
        VITRO_SHM_POKE(server_.mailbox->result, fine ? 0 : static_cast<int32_t>(any()));
        VITRO_SHM_STORE(server_.log->length, static_cast<uint32_t>(any()));
        VITRO_SHM_POKE(server_.events->lost, any());
        for (uint64_t i = 0; i < 8; ++i) {
          vitro_shm_event& event = server_.events->entries[i];
          VITRO_SHM_POKE(event.kind,
                         static_cast<uint32_t>(any() % 100 == 0 ? any() : 1 + any() % 4));
          VITRO_SHM_POKE(event.data, static_cast<uint32_t>(any() & 0xffff));
          VITRO_SHM_POKE(event.address, any());
        }
        if (any() % 4 == 0)
          VITRO_SHM_STORE(server_.events->tail,
                          any() % 8 == 0 ? any() : server_.events->tail + any() % 3);
        VITRO_SHM_STORE(server_.mailbox->answer, request);
        vitro_shm_wake(&server_.control->driver_wake, &server_.control->driver_sleeps);
      }
    });
    if (auto transport = Attach(); transport) {
      ++opened;
      DirectTransport& device = **transport;
      for (int i = 0; i < 10; ++i) {
        (void)device.ReadFeatures();
        (void)device.ReadStatus();
        for (uint32_t width : {1u, 2u, 4u, 8u}) {
          auto bytes = device.ReadConfig(static_cast<uint32_t>(i), width);
          EXPECT_TRUE(!bytes || bytes->size() == width);
        }
        (void)device.SetupQueue(0, {64, 4096, 8192, 12288});
        (void)device.Notify(0);
        (void)device.WaitUntil([] { return false; }, Deadline::After(microseconds(200)));
        (void)device.TakeQueueNotifications(static_cast<uint32_t>(i));
        EXPECT_LE(device.DeviceLog().size(), VITRO_SHM_LOG_SIZE + 100);
      }
    } else {
      EXPECT_EQ(transport.error().kind, ErrorKind::kAttach) << transport.error().message;
    }
    stop = true;
    liar.join();
    vitro_shm_server_close(&server_);
  }
  EXPECT_GT(opened, 30);
}

TEST_F(ShmTest, ADeviceThatRefusesSaysWhy) {
  server_.options = "refuse";
  Fork();
  auto transport = Attach();
  ASSERT_FALSE(transport);
  EXPECT_EQ(transport.error().kind, ErrorKind::kAttach);
  EXPECT_NE(transport.error().message.find("no such day"), std::string::npos)
      << transport.error().message;
}

TEST_F(ShmTest, TooLittleGuestMemoryIsRefused) {
  server_.memory_size = VITRO_SHM_PAGE;
  Fork();
  auto transport = Attach();
  ASSERT_FALSE(transport);
  EXPECT_NE(transport.error().message.find("it has room for 4096"), std::string::npos)
      << transport.error().message;
}

TEST_F(ShmTest, OneNameHasOneServerAndADeadOneIsReplaced) {
  Fork();
  vitro_shm_server second{};
  second.name = name_.c_str();
  second.ops = &ops_;
  ASSERT_NE(vitro_shm_server_open(&second, 1), 0);
  EXPECT_NE(std::string(second.error).find("serves it already"), std::string::npos) << second.error;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
  child_ = -1;
  ASSERT_EQ(vitro_shm_server_open(&second, 1), 0) << second.error;
  vitro_shm_server_close(&second);
}

}  // namespace
}  // namespace vitro
