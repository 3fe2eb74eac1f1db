// SPDX-License-Identifier: Apache-2.0
// The carriers and the attachment against a real QEMU. A program that is not there fails its tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/attach/qemu/carriers.h"
#include "harness/attach/qemu/qemu_attachment.h"
#include "harness/transport/pci/pci_layout.h"
#include "harness/transport/vhost_user/hand_queue.h"
#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/mmio.h"
#include "harness/virtio/status.h"

namespace vitro::qemu {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using vhost_user::HandQueue;

constexpr uint8_t kNegotiated = status::kAcknowledge | status::kDriver | status::kFeaturesOk;

#define ASSERT_OK(expression)                            \
  do {                                                   \
    auto&& assert_ok = (expression);                     \
    ASSERT_TRUE(assert_ok) << assert_ok.error().message; \
  } while (false)

Deadline Soon() { return Deadline::After(seconds(20)); }

MachinePlan PlanOf(const std::string& device, const std::string& machine = "q35") {
  MachinePlan plan;
  plan.device = device;
  plan.machine = machine;
  plan.back_end = MakeBackEnd(device, {}).value();
  plan.properties = plan.back_end.properties;
  plan.timeout = seconds(20);
  if (machine != "microvm") plan.properties["addr"] = "4";
  return plan;
}

// A read of the first sector, by hand: into `data`.
void PublishRead(GuestMemory& memory, HandQueue& queue, uint64_t data) {
  memory.Store<uint32_t>(data, blk::kTypeIn);
  memory.Store<uint32_t>(data + 4, 0);
  memory.Store<uint64_t>(data + 8, 0);
  *memory.At(data + 0x800, 1) = 0xff;
  queue.Publish({{data, 16, false}, {data + 0x1000, 512, true}, {data + 0x800, 1, true}});
}

class RawFunction : public testing::Test {
 protected:
  void Open(const MachinePlan& plan, bool behind_port = false) {
    auto machine = Machine::Start(plan, memory_);
    ASSERT_OK(machine);
    machine_ = machine->get();
    auto function =
        OpenPciFunction(std::move(*machine), plan.machine, kDeviceSlot << 3, behind_port);
    ASSERT_OK(function);
    function_ = std::move(*function);
    auto layout = ReadPciLayout(*function_);
    ASSERT_OK(layout);
    layout_ = *layout;
    ASSERT_OK(AssignBars(*function_, layout_));
    common_ = layout_.Usable(virtio_pci::kCommonCfg);
    notify_ = layout_.Usable(virtio_pci::kNotifyCfg);
    isr_ = layout_.Usable(virtio_pci::kIsrCfg);
    ASSERT_TRUE(common_ != nullptr && notify_ != nullptr && isr_ != nullptr);
  }
  uint64_t Get(uint32_t offset, uint32_t width) {
    auto value = function_->ReadBar(common_->bar, common_->offset + offset, width);
    EXPECT_TRUE(value) << value.error().message;
    return value.value_or(0);
  }
  void Set(uint32_t offset, uint32_t width, uint64_t value) {
    auto done = function_->WriteBar(common_->bar, common_->offset + offset, width, value);
    EXPECT_TRUE(done) << done.error().message;
  }
  // Up to DRIVER_OK with VIRTIO_F_VERSION_1 and queue 0.
  void BringUp(HandQueue& queue, uint16_t config_vector, uint16_t queue_vector) {
    namespace common = virtio_pci::common;
    Set(common::kDeviceStatus, 1, 0);
    Set(common::kDeviceStatus, 1, status::kAcknowledge | status::kDriver);
    Set(common::kDriverFeatureSelect, 4, 0);
    Set(common::kDriverFeature, 4, 0);
    Set(common::kDriverFeatureSelect, 4, 1);
    Set(common::kDriverFeature, 4, 1);
    Set(common::kDeviceStatus, 1, kNegotiated);
    EXPECT_EQ(Get(common::kDeviceStatus, 1), kNegotiated);
    Set(common::kConfigMsixVector, 2, config_vector);
    Set(common::kQueueSelect, 2, 0);
    const QueueLayout at = queue.layout();
    Set(common::kQueueSize, 2, at.size);
    Set(common::kQueueMsixVector, 2, queue_vector);
    Set(common::kQueueDesc, 4, at.desc);
    Set(common::kQueueDesc + 4, 4, 0);
    Set(common::kQueueDriver, 4, at.driver);
    Set(common::kQueueDriver + 4, 4, 0);
    Set(common::kQueueDevice, 4, at.device);
    Set(common::kQueueDevice + 4, 4, 0);
    Set(common::kQueueEnable, 2, 1);
    Set(common::kDeviceStatus, 1, kNegotiated | status::kDriverOk);
  }
  void Notify() { ASSERT_OK(function_->WriteBar(notify_->bar, notify_->offset, 2, 0)); }
  void SetVector(unsigned vector, unsigned slot, bool masked = false) {
    const auto message = function_->MessageOf(slot);
    const uint64_t at = layout_.msix->table_offset + uint64_t{pci::kMsixEntryBytes} * vector;
    const uint8_t bar = layout_.msix->table_bar;
    ASSERT_OK(function_->WriteBar(bar, at, 4, message.address));
    ASSERT_OK(function_->WriteBar(bar, at + 4, 4, 0));
    ASSERT_OK(function_->WriteBar(bar, at + pci::kMsixEntryData, 4, message.data));
    ASSERT_OK(function_->WriteBar(bar, at + pci::kMsixEntryControl, 4, masked ? 1 : 0));
  }
  void EnableMsix() {
    const uint32_t at = layout_.msix->position + pci::kMsixControl;
    ASSERT_OK(function_->WriteConfig(at, 2, pci::kMsixEnable));
  }
  void ExpectFirstSector(uint64_t data) {
    EXPECT_EQ(*memory_.At(data + 0x800, 1), blk::kStatusOk);
    EXPECT_EQ(memory_.Read(data + 0x1000, 512).value(), Pattern(0, 512));
  }

  GuestMemory memory_ = GuestMemory::CreateDefault().value();
  uint64_t base_ = memory_.regions().front().range.address, data_ = base_ + 0x10000;
  std::unique_ptr<PciFunction> function_;
  Machine* machine_ = nullptr;
  PciLayout layout_;
  const VirtioCapability *common_ = nullptr, *notify_ = nullptr, *isr_ = nullptr;
};

TEST_F(RawFunction, ReadsABlockAndSeesTheMessage) {
  Open(PlanOf("virtio-blk-pci"));
  ASSERT_TRUE(layout_.msix);
  EXPECT_EQ(layout_.VirtioId(), device_id::kBlk);
  HandQueue queue(memory_, base_, 64);
  SetVector(0, 5);
  SetVector(1, 2047);
  EnableMsix();
  BringUp(queue, 0, 1);
  for (unsigned i = 0; i < 20; ++i) {
    PublishRead(memory_, queue, data_);
    Notify();
    uint64_t messages = 0;
    auto done = function_->WaitUntil(
        [&] { return (messages += function_->TakeMessages(2047)) > 0; }, Soon());
    ASSERT_OK(done);
    ASSERT_TRUE(*done);
    EXPECT_EQ(messages, 1u);
    EXPECT_TRUE(queue.AllUsed());
    ExpectFirstSector(data_);
  }
  ASSERT_OK(function_->Quiesce(milliseconds(2)));
  EXPECT_EQ(function_->TakeMessages(2047), 0u);
  EXPECT_EQ(function_->TakeMessages(5), 0u);
  EXPECT_EQ(function_->TakeStrayMessages(), 0u);
  EXPECT_FALSE(function_->LineAsserted().value());
  EXPECT_EQ(function_->TakeLineRises(), 0u);

  ASSERT_OK(function_->StimulateConfigChange());
  auto told = function_->WaitUntil([&] { return function_->TakeMessages(5) > 0; }, Soon());
  ASSERT_OK(told);
  EXPECT_TRUE(*told) << "the disk has grown";
}

TEST_F(RawFunction, AMaskedVectorIsPending) {
  Open(PlanOf("virtio-blk-pci"));
  HandQueue queue(memory_, base_, 64);
  SetVector(1, 7, true);
  EnableMsix();
  BringUp(queue, virtio_pci::kNoVector, 1);
  PublishRead(memory_, queue, data_);
  Notify();
  ASSERT_TRUE(function_->WaitUntil([&] { return queue.AllUsed(); }, Soon()).value());
  ASSERT_OK(function_->Quiesce(milliseconds(2)));
  EXPECT_EQ(function_->TakeMessages(7), 0u);
  EXPECT_EQ(function_->ReadBar(layout_.msix->pba_bar, layout_.msix->pba_offset, 4).value(), 2u);
  SetVector(1, 7, false);
  EXPECT_TRUE(
      function_->WaitUntil([&] { return function_->TakeMessages(7) == 1; }, Soon()).value());
  EXPECT_EQ(function_->ReadBar(layout_.msix->pba_bar, layout_.msix->pba_offset, 4).value(), 0u);
}

TEST_F(RawFunction, MessagesElsewhereAreStray) {
  Open(PlanOf("virtio-blk-pci"));
  HandQueue queue(memory_, base_, 64);
  SetVector(0, 1);
  EnableMsix();
  // The address of one slot with the data of another.
  const uint64_t at = layout_.msix->table_offset + uint64_t{pci::kMsixEntryBytes};
  SetVector(1, 3);
  ASSERT_OK(function_->WriteBar(layout_.msix->table_bar, at, 4, function_->MessageOf(4).address));
  BringUp(queue, 0, 1);
  PublishRead(memory_, queue, data_);
  Notify();
  ASSERT_TRUE(function_->WaitUntil([&] { return queue.AllUsed(); }, Soon()).value());
  ASSERT_OK(function_->Quiesce(milliseconds(2)));
  EXPECT_EQ(function_->TakeMessages(3), 0u);
  EXPECT_EQ(function_->TakeStrayMessages(), 1u);
  EXPECT_EQ(function_->TakeStrayMessages(), 0u);
  // A vector nobody has programmed: address 0, data 0.
  ASSERT_OK(function_->WriteBar(layout_.msix->table_bar, at, 4, 0));
  ASSERT_OK(function_->WriteBar(layout_.msix->table_bar, at + pci::kMsixEntryData, 4, 0));
  PublishRead(memory_, queue, data_);
  Notify();
  ASSERT_TRUE(function_->WaitUntil([&] { return queue.AllUsed(); }, Soon()).value());
  ASSERT_OK(function_->Quiesce(milliseconds(2)));
  EXPECT_EQ(function_->TakeStrayMessages(), 1u);
}

class RawFunctionOn : public RawFunction, public testing::WithParamInterface<const char*> {};

TEST_P(RawFunctionOn, ReadsABlockAndSeesTheLine) {
  Open(PlanOf("virtio-blk-pci", GetParam()));
  HandQueue queue(memory_, base_, 64);
  BringUp(queue, virtio_pci::kNoVector, virtio_pci::kNoVector);
  for (unsigned i = 0; i < 20; ++i) {
    PublishRead(memory_, queue, data_);
    Notify();
    // The interrupt comes a moment after the used ring has changed.
    ASSERT_TRUE(
        function_->WaitUntil([&] { return function_->LineAsserted().value_or(false); }, Soon())
            .value());
    EXPECT_TRUE(queue.AllUsed());
    ExpectFirstSector(data_);
    EXPECT_EQ(function_->TakeLineRises(), 1u);
    EXPECT_EQ(function_->ReadBar(isr_->bar, isr_->offset, 1).value(), virtio_pci::kIsrQueue);
    EXPECT_FALSE(function_->LineAsserted().value()) << "reading the ISR status deasserts it";
  }
  EXPECT_EQ(function_->TakeLineRises(), 0u);
}
INSTANTIATE_TEST_SUITE_P(Boards, RawFunctionOn, testing::Values("q35", "pc"));

TEST_F(RawFunction, ADeathIsTold) {
  Open(PlanOf("virtio-rng-pci"));
  EXPECT_FALSE(function_->Died());
  machine_->KillForTest();
  const auto status = function_->ReadConfig(0, 4);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kDeviceLost);
  EXPECT_THAT(status.error().message, HasSubstr("was killed by signal 9 (SIGKILL)"));
  EXPECT_EQ(function_->Quiesce(milliseconds(1)).error().kind, ErrorKind::kDeviceLost);
  EXPECT_EQ(function_->WaitUntil([] { return false; }, Soon()).error().kind,
            ErrorKind::kDeviceLost);
  ASSERT_TRUE(function_->Died());
  EXPECT_TRUE(function_->Died()->by_signal);
}

TEST_F(RawFunction, WaitingEndsInTime) {
  Open(PlanOf("virtio-rng-pci"));
  const auto start = Clock::now();
  unsigned looks = 0;
  auto done =
      function_->WaitUntil([&] { return ++looks, false; }, Deadline::After(milliseconds(60)));
  ASSERT_OK(done);
  EXPECT_FALSE(*done);
  EXPECT_GE(Clock::now() - start, milliseconds(60));
  EXPECT_GT(looks, 10u);
  const auto before = Clock::now();
  ASSERT_OK(function_->Quiesce(milliseconds(20)));
  EXPECT_GE(Clock::now() - before, milliseconds(20));
}

TEST_F(RawFunction, RefusesWhatABusHasNot) {
  Open(PlanOf("virtio-blk-pci"));
  EXPECT_EQ(function_->ReadConfig(1, 2).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(function_->ReadConfig(0, 8).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(function_->WriteConfig(2, 4, 0).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(function_->ReadConfig(0x100, 4).value(), 0xffffffffu);
  EXPECT_EQ(function_->ReadConfig(0x100, 1).value(), 0xffu);
  EXPECT_EQ(function_->ReadBar(3, 0, 4).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(function_->ReadBar(9, 0, 4).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(function_->ReadBar(0, 0, 8).error().kind, ErrorKind::kRefused) << "I/O";
  EXPECT_EQ(function_->ReadBar(common_->bar, 0, 3).error().kind, ErrorKind::kRefused);
}

TEST(RawWindow, ReadsABlockAndSeesTheLine) {
  auto memory = GuestMemory::CreateDefault().value();
  const uint64_t base = memory.regions().front().range.address, data = base + 0x10000;
  auto machine = Machine::Start(PlanOf("virtio-blk-device", "microvm"), memory);
  ASSERT_OK(machine);
  auto window = OpenMmioWindow(std::move(*machine));
  ASSERT_OK(window);
  MmioWindow& w = **window;
  EXPECT_EQ(w.Read(mmio::kMagicValue, 4).value(), mmio::kMagic);
  EXPECT_EQ(w.Read(mmio::kVersion, 4).value(), mmio::kVersion2);
  EXPECT_EQ(w.Read(mmio::kDeviceId, 4).value(), device_id::kBlk);
  EXPECT_EQ(w.Read(w.size(), 4).error().kind, ErrorKind::kRefused);
  HandQueue queue(memory, base, 64);
  const QueueLayout at = queue.layout();
  for (const auto& [offset, value] : std::initializer_list<std::pair<uint32_t, uint64_t>>{
           {mmio::kStatus, 0},
           {mmio::kStatus, status::kAcknowledge | status::kDriver},
           {mmio::kDriverFeaturesSel, 1},
           {mmio::kDriverFeatures, 1},
           {mmio::kStatus, kNegotiated},
           {mmio::kQueueSel, 0},
           {mmio::kQueueSize, at.size},
           {mmio::kQueueDescLow, at.desc},
           {mmio::kQueueDriverLow, at.driver},
           {mmio::kQueueDeviceLow, at.device},
           {mmio::kQueueReady, 1},
           {mmio::kStatus, kNegotiated | status::kDriverOk}})
    ASSERT_OK(w.Write(offset, 4, value));
  for (unsigned i = 0; i < 20; ++i) {
    PublishRead(memory, queue, data);
    ASSERT_OK(w.Write(mmio::kQueueNotify, 4, 0));
    // The interrupt comes a moment after the used ring has changed.
    ASSERT_TRUE(w.WaitUntil([&] { return w.LineAsserted().value_or(false); }, Soon()).value());
    EXPECT_TRUE(queue.AllUsed());
    EXPECT_EQ(memory.Read(data + 0x1000, 512).value(), Pattern(0, 512));
    EXPECT_EQ(w.TakeLineRises(), 1u);
    EXPECT_EQ(w.Read(mmio::kInterruptStatus, 4).value(), mmio::kInterruptUsedBuffer);
    ASSERT_OK(w.Write(mmio::kInterruptAck, 4, mmio::kInterruptUsedBuffer));
    EXPECT_FALSE(w.LineAsserted().value());
  }
  ASSERT_OK(w.StimulateConfigChange());
  auto told = w.WaitUntil([&] { return w.LineAsserted().value_or(false); }, Soon());
  ASSERT_OK(told);
  EXPECT_TRUE(*told) << "the disk has grown";
  // QEMU sets both bits.
  EXPECT_NE(w.Read(mmio::kInterruptStatus, 4).value() & mmio::kInterruptConfigChange, 0u);
}

TEST(Renewal, GivesADeviceAsAfterPowerOn) {
  MachinePlan plan = PlanOf("virtio-blk-device", "microvm");
  plan.renewable = true;
  auto memory = GuestMemory::CreateDefault().value();
  const uint64_t base = memory.regions().front().range.address;
  auto started = Machine::Start(plan, memory);
  ASSERT_OK(started);
  std::shared_ptr<Machine> machine = *std::move(started);
  for (int round = 0; round < 3; ++round) {
    // Every round has memory of its own, which the device must come to share.
    auto fresh = GuestMemory::CreateDefault().value();
    ASSERT_TRUE(memory.Write(base, Bytes{1, 2, 3}));
    ASSERT_TRUE(machine->Renew(fresh));
    EXPECT_EQ(fresh.Read(base, 3).value(), Bytes(3));
    auto window = OpenMmioWindow(machine);
    ASSERT_OK(window);
    EXPECT_EQ((*window)->Read(mmio::kStatus, 4).value(), 0u);
    EXPECT_EQ((*window)->TakeLineRises(), 0u);
    EXPECT_FALSE((*window)->LineAsserted().value());
    for (uint64_t status : {1, 3}) ASSERT_OK((*window)->Write(mmio::kStatus, 4, status));
    ASSERT_OK(fresh.Write(base, Bytes{8, 9}));
    EXPECT_EQ(machine->qtest().AskNumber(fmt::format("readw {:#x}\n", base)).value(), 0x0908u);
  }
}

TEST(Renewal, IsRefusedWhereSomethingMayBeLeftOver) {
  MachinePlan plan = PlanOf("virtio-blk-device", "microvm");
  auto memory = GuestMemory::CreateDefault().value();
  auto unasked = Machine::Start(plan, memory);
  ASSERT_OK(unasked);
  EXPECT_FALSE((*unasked)->Renew(memory));
  plan.renewable = true;
  auto changed = Machine::Start(plan, memory);
  ASSERT_OK(changed);
  EXPECT_TRUE((*changed)->Renew(memory));
  ASSERT_OK((*changed)->StimulateConfigChange());
  EXPECT_FALSE((*changed)->Renew(memory)) << "the disk has grown";
  auto dead = Machine::Start(plan, memory);
  ASSERT_OK(dead);
  (*dead)->KillForTest();
  EXPECT_FALSE((*dead)->Renew(memory));
}

// Each kind of stimulus reaches the driver as a configuration change notification.
class Stimuli : public testing::TestWithParam<const char*> {};

TEST_P(Stimuli, ChangeTheConfig) {
  auto memory = GuestMemory::CreateDefault().value();
  auto attachment = OpenAttachment(std::string("qemu:") + GetParam() + ",timeout=20000");
  ASSERT_OK(attachment);
  auto attached = (*attachment)->Attach(memory);
  ASSERT_OK(attached);
  Transport& device = **attached;
  ASSERT_TRUE(device.abilities().Has(Ability::kStimulus))
      << device.abilities().WhyNot(Ability::kStimulus);
  ASSERT_OK(device.Reset());
  ASSERT_OK(device.WriteStatus(status::kAcknowledge));
  ASSERT_OK(device.WriteStatus(status::kAcknowledge | status::kDriver));
  const auto offered = device.ReadFeatures();
  ASSERT_OK(offered);
  FeatureSet wanted;
  // What the config depends on: VIRTIO_NET_F_STATUS.
  if (device.identity().device_id == device_id::kNet) wanted = wanted.With(16);
  ASSERT_OK(device.AcceptFeatures((*offered & wanted).With(feature::kVersion1)));
  ASSERT_OK(device.WriteStatus(kNegotiated));
  ASSERT_EQ(device.ReadStatus().value(), kNegotiated);
  HandQueue queue(memory, memory.regions().front().range.address, 64);
  ASSERT_OK(device.SetupQueue(0, queue.layout()));
  ASSERT_OK(device.WriteStatus(kNegotiated | status::kDriverOk));
  // Queue 0 of none of them tells anything that was not asked for.
  const uint32_t bytes = 56;
  auto config = [&] {
    Bytes all;
    for (uint32_t at = 0; at < bytes; at += 4) {
      const Bytes word = device.ReadConfig(at, 4).value_or(Bytes{});
      all.insert(all.end(), word.begin(), word.end());
    }
    return all;
  };
  for (int i = 0; i < 3; ++i) {
    const Bytes before = config();
    (void)device.TakeConfigNotifications();
    ASSERT_OK(device.StimulateConfigChange());
    auto told = device.WaitUntil([&] { return device.TakeConfigNotifications() > 0; }, Soon());
    ASSERT_OK(told);
    EXPECT_TRUE(*told) << GetParam() << " " << i;
    EXPECT_NE(config(), before) << GetParam() << " " << i;
  }
}
INSTANTIATE_TEST_SUITE_P(Devices, Stimuli,
                         testing::Values("virtio-blk-pci", "virtio-net-pci-non-transitional",
                                         "virtio-net-pci-non-transitional,vectors=0",
                                         "virtio-balloon-pci", "virtio-mem-pci",
                                         "virtio-net-device", "virtio-blk-pci,port=1",
                                         "virtio-blk-pci,machine=pc,interrupts=intx"));

// An unplug: until the guest grants it the device works on, from then on nobody answers.
class Unplug : public RawFunction, public testing::WithParamInterface<std::string> {};
TEST_P(Unplug, TheDeviceWorksUntilTheGuestLetsItGo) {
  const bool behind_port = GetParam() == "q35";
  MachinePlan plan = PlanOf("virtio-blk-pci", GetParam());
  plan.back_end.stimulus = Stimulus::kUnplug;
  if (behind_port) {
    plan.properties.erase("addr");
    plan.properties["bus"] = "root-port";
    plan.back_end.arguments.insert(plan.back_end.arguments.begin(),
                                   {"-device", "pcie-root-port,id=root-port,chassis=1,addr=5"});
  }
  Open(plan, behind_port);
  HandQueue queue(memory_, base_, 64);
  SetVector(1, 7);
  EnableMsix();
  BringUp(queue, virtio_pci::kNoVector, 1);
  ASSERT_OK(machine_->StimulateConfigChange());
  EXPECT_TRUE(machine_->unplug_requested());
  for (int i = 0; i < 20; ++i) {
    PublishRead(memory_, queue, data_);
    Notify();
    const auto done = function_->WaitUntil([&] { return queue.AllUsed(); }, Soon());
    ASSERT_OK(done);
    ASSERT_TRUE(*done) << "before it is granted";
    ExpectFirstSector(data_);
  }

  const auto lost = function_->StimulateConfigChange();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::kDeviceLost);
  EXPECT_EQ(lost.error().message, "the device was unplugged");
  EXPECT_EQ(function_->ReadConfig(pci::kVendorId, 4).value_or(0), 0xffffffffu);
  const auto waited = function_->WaitUntil([] { return false; }, Soon());
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::kDeviceLost);
  EXPECT_EQ(function_->ReadBar(common_->bar, 0, 4).error().kind, ErrorKind::kDeviceLost);
  EXPECT_EQ(function_->StimulateConfigChange().error().message, "the device was unplugged");
  EXPECT_FALSE(machine_->Died()) << "QEMU itself lives on";
}
INSTANTIATE_TEST_SUITE_P(Boards, Unplug, testing::Values("q35", "pc"));

TEST(QemuAttachment, AnUnpluggedDeviceIsSaidToBeLost) {
  for (const char* text : {"qemu:virtio-blk-pci,port=1,stimulus=unplug",
                           "qemu:virtio-net-pci,machine=pc,stimulus=unplug"}) {
    auto memory = GuestMemory::CreateDefault().value();
    auto attachment = OpenAttachment(text);
    ASSERT_OK(attachment);
    auto transport = (*attachment)->Attach(memory);
    ASSERT_OK(transport);
    Transport& device = **transport;
    ASSERT_OK(device.WriteStatus(status::kAcknowledge));
    ASSERT_TRUE(device.abilities().Has(Ability::kStimulus));
    EXPECT_EQ(device.StimulateConfigChange().error().message, "the device was unplugged");
    const auto status = device.ReadStatus();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kDeviceLost);
  }
}

TEST(QemuAttachment, EveryKnownDeviceStarts) {
  const auto known = KnownQemuDevices();
  ASSERT_OK(known);
  EXPECT_GT(known->size(), 50u);
  for (const std::string& text : *known) {
    auto memory = GuestMemory::CreateDefault().value();
    auto attachment = OpenAttachment(text + ",accel=tcg,timeout=20000");
    ASSERT_OK(attachment);
    auto transport = (*attachment)->Attach(memory);
    ASSERT_TRUE(transport) << text << ": " << transport.error().message;
    const uint32_t id = (*transport)->identity().device_id;
    EXPECT_NE(id, 0u) << text;
    EXPECT_TRUE((*transport)->ReadFeatures()->Has(feature::kVersion1)) << text;
  }
}

TEST(QemuAttachment, QuotesWhatQemuSays) {
  const struct {
    const char *text, *message;
  } cases[] = {
      {"qemu:virtio-nothing-pci", "'virtio-nothing-pci' is not a valid device model name"},
      {"qemu:virtio-rng-pci,nothing=1", "'virtio-rng-pci.nothing' not found"},
      {"qemu:virtio-rng-pci,args=-nothing", "-nothing: invalid option"},
      {"qemu:virtio-blk-pci,drive=nothing", "can't find value 'nothing'"},
      {"qemu:e1000,romfile=", "cannot be driven"},
  };
  for (const auto& wrong : cases) {
    auto memory = GuestMemory::CreateDefault().value();
    auto attachment = OpenAttachment(wrong.text);
    ASSERT_OK(attachment);
    auto transport = (*attachment)->Attach(memory);
    ASSERT_FALSE(transport) << wrong.text;
    EXPECT_EQ(transport.error().kind, ErrorKind::kAttach) << wrong.text;
    EXPECT_THAT(transport.error().message, HasSubstr(wrong.message));
    EXPECT_EQ(transport.error().message.find('\n'), std::string::npos);
  }
}

TEST(QemuAttachment, TellsItsVersion) {
  const auto facts = AskQemu();
  ASSERT_OK(facts);
  EXPECT_THAT(facts->version, testing::MatchesRegex("[0-9]+\\.[0-9]+\\..*"));
  EXPECT_EQ(facts->accelerator, "tcg");
}

TEST(QemuAttachment, BehindARootPortIsAnExpressFunction) {
  auto memory = GuestMemory::CreateDefault().value();
  auto attachment = OpenAttachment("qemu:virtio-rng-pci,port=1");
  ASSERT_OK(attachment);
  auto transport = (*attachment)->Attach(memory);
  ASSERT_OK(transport);
  EXPECT_TRUE((*transport)->pci()->express);
  EXPECT_FALSE((*transport)->pci()->transitional());
}

}  // namespace
}  // namespace vitro::qemu
