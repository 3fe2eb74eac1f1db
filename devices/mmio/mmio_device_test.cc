// SPDX-License-Identifier: Apache-2.0
// The reference MMIO window, register by register, and each of its faults against the window
// without one.
#include "devices/mmio/mmio_device.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/ref/faults.h"
#include "devices/ref/registry.h"
#include "devices/ref/test_driver.h"
#include "harness/virtio/experimental.h"
#include "harness/virtio/mmio.h"

namespace vitro::ref {
namespace {

using namespace mmio;  // NOLINT: the names of the registers

constexpr uint64_t kRunning =
    status::kAcknowledge | status::kDriver | status::kFeaturesOk | status::kDriverOk;

class Window {
 public:
  Window(std::string_view name, const std::string& options)
      : ops_(WrapInMmio(FindReferenceDevice(name))), host_(*memory.get()) {
    Line() = {};
    host_.set_line = [](void*, int asserted) {
      Line().rises += asserted != 0 && !Line().level;
      Line().level = asserted != 0;
    };
    created_ = ops_->create(&host_, options.c_str(), &device_) == 0;
  }
  ~Window() {
    if (created_) ops_->destroy(device_);
  }
  bool created() const { return created_; }

  // UINT64_MAX: nobody answered.
  uint64_t Read(uint64_t offset, uint32_t width = 4) {
    uint64_t value = 0;
    return ops_->mmio->read(device_, offset, width, &value) == 0 ? value : UINT64_MAX;
  }
  bool Write(uint64_t offset, uint64_t value, uint32_t width = 4) {
    return ops_->mmio->write(device_, offset, width, value) == 0;
  }
  void Run() {
    while (ops_->run(device_) != 0) {
    }
  }
  bool RunOnce() { return ops_->run(device_) != 0; }
  bool Stimulate() { return ops_->stimulate_config_change(device_) == 0; }

  uint64_t Features(uint32_t word) {
    Write(kDeviceFeaturesSel, word);
    return Read(kDeviceFeatures);
  }
  void Accept(uint32_t word, uint64_t value) {
    Write(kDriverFeaturesSel, word);
    Write(kDriverFeatures, value);
  }
  bool Negotiate() {
    Write(kStatus, 0);
    Write(kStatus, status::kAcknowledge | status::kDriver);
    Accept(1, 1 | 1 << (feature::kRingReset - 32));
    Accept(0, Features(0));
    Write(kStatus, status::kAcknowledge | status::kDriver | status::kFeaturesOk);
    return Read(kStatus) & status::kFeaturesOk;
  }
  void Address(uint32_t low, uint64_t address) {
    if (high_first) Write(low + 4, address >> 32);
    Write(low, address & 0xffffffff);
    if (!high_first) Write(low + 4, address >> 32);
  }
  uint64_t Base(uint32_t queue) const { return TestHost::kBase + 0x4000 * (queue + 1); }
  bool SetUp(uint32_t queue) {
    std::memset(memory.At(Base(queue), 0x3000), 0, 0x3000);
    Write(kQueueSel, queue);
    Write(kQueueSize, 8);
    Address(kQueueDescLow, Base(queue));
    Address(kQueueDriverLow, Base(queue) + 0x1000);
    Address(kQueueDeviceLow, Base(queue) + 0x2000);
    Write(kQueueReady, 1);
    return Read(kQueueReady) == 1;
  }
  // A read of one sector as the next available buffer.
  void Publish(uint32_t queue) {
    const uint64_t desc = Base(queue), buffer = Base(queue) + 0x3000;
    std::memset(memory.At(buffer, 16), 0, 16);
    const struct {
      uint64_t address;
      uint32_t length;
      uint16_t flags;
    } chain[] = {{buffer, 16, 1}, {buffer + 16, 512, 3}, {buffer + 528, 1, 2}};
    for (uint16_t i = 0; i < 3; ++i) {
      memory.Store<uint64_t>(desc + 16 * i, chain[i].address);
      memory.Store<uint32_t>(desc + 16 * i + 8, chain[i].length);
      memory.Store<uint16_t>(desc + 16 * i + 12, chain[i].flags);
      memory.Store<uint16_t>(desc + 16 * i + 14, static_cast<uint16_t>(i + 1));
    }
    const auto index = memory.Load<uint16_t>(Base(queue) + 0x1002);
    memory.Store<uint16_t>(Base(queue) + 0x1004 + 2 * (index % 8), 0);
    memory.Store<uint16_t>(Base(queue) + 0x1002, static_cast<uint16_t>(index + 1));
  }
  uint16_t Used(uint32_t queue) { return memory.Load<uint16_t>(Base(queue) + 0x2002); }
  bool line() const { return Line().level; }
  uint32_t rises() const { return Line().rises; }

  TestHost memory;
  bool high_first = false;  // the order in which halves of addresses are written

 private:
  struct LineState {
    bool level = false;
    uint32_t rises = 0;
  };
  static LineState& Line() {
    static LineState state;
    return state;
  }
  const vitro_device_ops* ops_;
  vitro_host host_;
  vitro_device* device_ = nullptr;
  bool created_ = false;
};

TEST(MmioWindow, TellsWhatItIs) {
  Window window("blk", "");
  EXPECT_EQ(window.Read(kMagicValue), kMagic);
  EXPECT_EQ(window.Read(kVersion), kVersion2);
  EXPECT_EQ(window.Read(kDeviceId), 2u);
  EXPECT_EQ(window.Features(1) & 1, 1u);
  EXPECT_EQ(window.Features(4), 0u);
  EXPECT_EQ(window.Features(UINT32_MAX), 0u);
  EXPECT_EQ(window.Read(kMagicValue, 1), UINT64_MAX);
  EXPECT_EQ(window.Read(kMagicValue + 2, 4), UINT64_MAX);
  EXPECT_EQ(window.Read(kConfig, 8), UINT64_MAX);
  EXPECT_NE(window.Read(kConfig, 4), UINT64_MAX);
}

TEST(MmioWindow, PassesOptionsOnAndRefusesThoseThatNobodyHas) {
  EXPECT_TRUE(Window("blk", "shm=1,ro=1,fault=mmio-magic-wrong").created());
  EXPECT_TRUE(Window("blk", "fault=used-never").created());
  EXPECT_FALSE(Window("blk", "nonsense=1").created());
  EXPECT_FALSE(Window("entropy", "fault=blk-flush-lost").created());
}

TEST(MmioWindow, ServesAQueueAndHoldsTheLine) {
  Window window("blk", "");
  ASSERT_TRUE(window.Negotiate());
  ASSERT_TRUE(window.SetUp(0));
  window.Write(kStatus, kRunning);
  window.Publish(0);
  window.Write(kQueueNotify, 0);
  window.Run();
  EXPECT_EQ(window.Used(0), 1);
  EXPECT_TRUE(window.line());
  EXPECT_EQ(window.Read(kInterruptStatus), kInterruptUsedBuffer);
  ASSERT_TRUE(window.Stimulate());
  EXPECT_EQ(window.Read(kInterruptStatus), 3u);
  window.Write(kInterruptAck, kInterruptUsedBuffer);
  EXPECT_EQ(window.Read(kInterruptStatus), kInterruptConfigChange);
  EXPECT_TRUE(window.line());
  window.Write(kInterruptAck, kInterruptConfigChange);
  EXPECT_FALSE(window.line());
  EXPECT_EQ(window.rises(), 1u);
}

TEST(MmioWindow, ResetClearsEverything) {
  Window window("blk", "");
  ASSERT_TRUE(window.Negotiate());
  ASSERT_TRUE(window.SetUp(1));
  window.Write(kStatus, kRunning);
  ASSERT_TRUE(window.Stimulate());
  window.Write(kStatus, 0);
  EXPECT_EQ(window.Read(kStatus), 0u);
  EXPECT_EQ(window.Read(kInterruptStatus), 0u);
  EXPECT_FALSE(window.line());
  window.Write(kQueueSel, 1);
  EXPECT_EQ(window.Read(kQueueReady), 0u);
}

TEST(MmioWindow, StopsAQueueThatIsNotReady) {
  Window window("blk", "");
  ASSERT_TRUE(window.Negotiate());
  ASSERT_TRUE(window.SetUp(0));
  window.Write(kStatus, kRunning);
  window.Publish(0);
  window.Write(kQueueNotify, 0);
  window.Write(kQueueReady, 0);
  window.Run();
  EXPECT_EQ(window.Used(0), 0);
  ASSERT_TRUE(window.SetUp(0));
  window.Write(kQueueReset, 1);
  EXPECT_EQ(window.Read(kQueueReset), 0u);
  EXPECT_EQ(window.Read(kQueueReady), 0u);
}

TEST(MmioWindow, KnowsSharedMemoryRegions) {
  Window window("blk", "shm=1");
  window.Write(kShmSel, 3);
  EXPECT_EQ(window.Read(kShmLenLow), 0u);
  EXPECT_EQ(window.Read(kShmLenHigh), 2u);
  window.Write(kShmSel, 1);
  for (uint32_t offset : {kShmLenLow, kShmLenHigh, kShmBaseLow, kShmBaseHigh})
    EXPECT_EQ(window.Read(offset), 0xffffffffu);
}

TEST(MmioWindow, WrapsATableOnce) {
  const vitro_device_ops* blk = FindReferenceDevice("blk");
  EXPECT_EQ(WrapInMmio(blk), WrapInMmio(blk));
  EXPECT_NE(WrapInMmio(blk), WrapInMmio(FindReferenceDevice("entropy")));
  vitro_device_ops broken = *blk;
  broken.notify = nullptr;
  EXPECT_EQ(WrapInMmio(&broken), nullptr);
}

// What a driver sees of a device, as text.
std::string Tour(const std::string& options) {
  Window w("blk", options);
  std::string text;
  auto note = [&](auto... values) { ((text += fmt::format("{:x} ", values)), ...) += "\n"; };
  auto registers = [&] {
    for (uint32_t offset = 0; offset < 0x100; offset += 4) note(offset, w.Read(offset));
    note(w.line(), w.rises(), w.Used(0), w.Used(1));
  };
  for (uint32_t word = 0; word < 6; ++word) note(w.Features(word));
  for (uint32_t id : {0u, 1u, 255u, 256u}) w.Write(kShmSel, id), registers();
  for (uint32_t offset : {kMagicValue, kVersion}) w.Write(offset, 0x55), note(w.Read(offset));
  for (uint32_t queue : {0u, 7u, 1u, UINT32_MAX}) {
    w.Write(kQueueSel, queue), w.Write(kQueueSize, 8), note(w.Read(kQueueSizeMax));
    w.Write(kQueueSize, 0);
  }
  note(w.Read(kMagicValue, 1), w.Read(kConfig, 1), w.Read(kConfig, 4), w.Read(kConfig + 8, 2));
  for (int life = 0; life < 3; ++life) {
    note(w.Negotiate(), w.Features(0));
    // Once with the addresses in an unusual order, once outside of memory.
    if (life == 1) {
      w.Write(kQueueSel, 0), w.Write(kQueueSize, 8);
      for (uint32_t low : {kQueueDescLow, kQueueDriverLow, kQueueDeviceLow}) {
        w.Write(low + 4, 1), w.Write(low, w.Base(0) + (low - kQueueDescLow) * 0x100);
      }
      w.Write(kQueueReady, 1);
      w.Write(kQueueSel, 1);
    } else {
      w.Write(kQueueSel, 1), w.Write(kQueueDescLow, 0x5550);
      w.high_first = life == 2;
      note(w.SetUp(0));
    }
    registers();
    w.Publish(0), w.Write(kQueueNotify, 0), w.Run();
    w.Write(kStatus, kRunning);
    note(w.SetUp(1));
    for (int round = 0; round < 3; ++round) {
      w.Publish(1), w.Publish(0), w.Write(kQueueSel, 0), w.Write(kQueueNotify, 1);
      w.RunOnce(), registers(), w.Run(), registers();
      w.Stimulate(), registers();
      w.Write(kInterruptAck, 1 + round), registers();
      w.Write(kQueueNotify, 0), w.Run(), registers();
      w.Write(kInterruptAck, 3), registers();
      if (round == 0) w.Write(kQueueSel, 1), w.Write(kQueueReset, 1), registers(), w.SetUp(1);
      if (round == 1) w.Write(kQueueSel, 1), w.Write(kQueueReady, 0), registers();
      if (life == 2 && round == 1) w.Write(kQueueSel, 0), w.Write(kQueueReset, 1);
    }
    w.Stimulate(), w.Write(kStatus, 0), registers();
  }
  return text;
}

// The same in a process of its own; "killed" if that did not live to the end.
std::string TourApart(const std::string& options) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const std::string text = Tour(options);
    size_t done = 0;
    while (done < text.size()) {
      const ssize_t wrote = write(ends[1], text.data() + done, text.size() - done);
      if (wrote <= 0) break;
      done += static_cast<size_t>(wrote);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[65536];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  int ending = 0;
  waitpid(pid, &ending, 0);
  return WIFEXITED(ending) ? text : "killed";
}

TEST(MmioFaults, EachShows) {
  const std::string good = TourApart("");
  EXPECT_EQ(TourApart(""), good);
  EXPECT_EQ(good.find("killed"), std::string::npos);
  for (const FaultInfo& fault : AllFaults()) {
    if (fault.devices != "m") continue;
    const std::string bad = TourApart(fmt::format("fault={}", fault.name));
    EXPECT_FALSE(bad == good) << fault.name;  // the texts are too long to print
    EXPECT_EQ(bad == "killed", fault.name.find("crash") != std::string_view::npos) << fault.name;
  }
}

}  // namespace
}  // namespace vitro::ref
