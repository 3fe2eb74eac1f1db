// SPDX-License-Identifier: Apache-2.0
// The walk through configuration space, on functions that are right and on functions that are not.
#include "harness/transport/pci/pci_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/transport/pci/pci_transport.h"

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Configuration space of 256 bytes and BARs of plain memory.
class FakeFunction : public PciFunction {
 public:
  FakeFunction() {
    Put(pci::kVendorId, 4, 0x10421af4);
    Put(pci::kStatus, 2, pci::kStatusCapabilities);
    Put(pci::kCapabilitiesPointer, 1, 0x40);
    Put(pci::kInterruptPin, 1, 1);
    masks_[0] = 0xfffff000;                              // 4 KiB of memory
    masks_[2] = 0xffffffe0 | 1;                          // 32 bytes of I/O
    masks_[4] = 0xffffc000 | 4, masks_[5] = UINT32_MAX;  // 16 KiB, 64-bit
    Capability(0x40, 0x50, virtio_pci::kCommonCfg, 4, 0, 0x38);
    Capability(0x50, 0x60, virtio_pci::kIsrCfg, 4, 0x1000, 1);
    Capability(0x60, 0x74, virtio_pci::kNotifyCfg, 4, 0x3000, 0x1000);
    Put(0x70, 4, 4);
    Put(0x74, 4, 0x0002'0011);  // MSI-X with 3 vectors, the end of the list
    Put(0x78, 4, 0), Put(0x7c, 4, 0x800);
  }
  void Put(uint32_t at, uint32_t width, uint32_t value) {
    for (uint32_t i = 0; i < width; ++i) config_[at + i] = static_cast<uint8_t>(value >> (8 * i));
  }
  void Capability(uint8_t at, uint8_t next, uint8_t type, uint8_t bar, uint32_t offset,
                  uint32_t length) {
    Put(at, 4, pci::kCapVendor | next << 8 | 16 << 16 | uint32_t{type} << 24);
    Put(at + 4, 4, bar), Put(at + 8, 4, offset), Put(at + 12, 4, length);
  }

  std::string name() const override { return "fake"; }
  Result<uint32_t> ReadConfig(uint32_t offset, uint32_t width) override {
    if (absent_) return static_cast<uint32_t>(UINT64_MAX >> (64 - 8 * width));
    return static_cast<uint32_t>(LoadLe(ByteView(config_).subspan(offset, width)));
  }
  Result<> WriteConfig(uint32_t offset, uint32_t width, uint32_t value) override {
    const uint32_t bar = (offset - pci::kBar0) / 4;
    if (offset >= pci::kBar0 && bar < pci::kBars) {
      if (bar == stuck_) return {};
      value = (value & masks_[bar]) | (masks_[bar] & (bar == 5 ? 0 : 0xf));
    }
    Put(offset, width, value);
    return {};
  }
  Result<uint64_t> ReadBar(unsigned, uint64_t, uint32_t) override { return 0; }
  Result<> WriteBar(unsigned, uint64_t, uint32_t, uint64_t) override { return {}; }
  void BarMapped(unsigned bar, uint64_t address, bool) override { mapped_[bar] = address; }
  Message MessageOf(unsigned) const override { return {}; }
  uint64_t TakeMessages(unsigned) override { return 0; }
  uint64_t TakeStrayMessages() override { return 0; }
  Result<bool> LineAsserted() override { return false; }
  uint64_t TakeLineRises() override { return 0; }
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline) override { return done(); }
  Result<> Quiesce(Duration) override { return {}; }
  bool exact_quiet() const override { return true; }
  std::string WhyNoStimulus() const override { return "a fake has nothing to change"; }
  Result<> StimulateConfigChange() override { return {}; }

  Bytes config_ = Bytes(256);
  uint32_t masks_[6] = {};
  unsigned stuck_ = 99;
  bool absent_ = false;
  std::map<unsigned, uint64_t> mapped_;
};

TEST(PciLayout, FindsIdsBarsAndStructures) {
  FakeFunction function;
  const auto layout = ReadPciLayout(function);
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_EQ(layout->vendor_id, virtio_pci::kVendorId);
  EXPECT_EQ(layout->VirtioId(), 2u);
  EXPECT_FALSE(layout->transitional());
  EXPECT_EQ(layout->bars[0].size, 4096u);
  EXPECT_TRUE(layout->bars[2].io);
  EXPECT_EQ(layout->bars[2].size, 32u);
  EXPECT_TRUE(layout->bars[4].wide);
  EXPECT_EQ(layout->bars[4].size, 16384u);
  EXPECT_EQ(layout->bars[5].size, 0u) << "the upper half of BAR 4 is no BAR";
  ASSERT_EQ(layout->structures.size(), 3u);
  EXPECT_EQ(layout->Usable(virtio_pci::kNotifyCfg)->notify_off_multiplier, 4u);
  ASSERT_TRUE(layout->msix);
  EXPECT_EQ(layout->msix->vectors, 3u);
  EXPECT_EQ(layout->msix->pba_offset, 0x800u);
  EXPECT_THAT(layout->problems, ElementsAre());
}

TEST(PciLayout, AssignsBarsApartAndEnablesTheFunction) {
  FakeFunction function;
  auto layout = ReadPciLayout(function);
  ASSERT_TRUE(layout && AssignBars(function, *layout));
  EXPECT_EQ(function.mapped_.size(), 3u);
  EXPECT_EQ(layout->bars[0].address % 4096, 0u);
  EXPECT_EQ(layout->bars[4].address % 16384, 0u);
  EXPECT_GE(layout->bars[4].address, layout->bars[0].address + 4096);
  EXPECT_EQ(*function.ReadConfig(pci::kCommand, 2), 7u);
}

TEST(PciLayout, EndsAtALoopAndSaysSo) {
  FakeFunction function;
  function.Put(0x61, 1, 0x50);
  const auto layout = ReadPciLayout(function);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->structures.size(), 3u);
  EXPECT_THAT(layout->problems, ElementsAre(HasSubstr("loop")));
}

TEST(PciLayout, DoesNotFollowAPointerIntoTheHeader) {
  FakeFunction function;
  function.Put(0x41, 1, 0x10);
  const auto layout = ReadPciLayout(function);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->structures.size(), 1u);
  EXPECT_THAT(layout->problems, ElementsAre(HasSubstr("into the header")));
}

TEST(PciLayout, AStructureOutsideItsBarIsNotUsed) {
  FakeFunction function;
  function.Capability(0x50, 0x60, virtio_pci::kIsrCfg, 4, 0x4000, 1);
  auto layout = ReadPciLayout(function);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->Usable(virtio_pci::kIsrCfg), nullptr);
  EXPECT_EQ(layout->All(virtio_pci::kIsrCfg).size(), 1u);
  function.Capability(0x50, 0x60, virtio_pci::kIsrCfg, 4, 0xfffffff0, 0x20);
  layout = ReadPciLayout(function);
  EXPECT_EQ(layout->Usable(virtio_pci::kIsrCfg), nullptr) << "offset + length wraps at 32 bits";
  function.Capability(0x50, 0x60, virtio_pci::kIsrCfg, 7, 0, 1);
  layout = ReadPciLayout(function);
  EXPECT_EQ(layout->Usable(virtio_pci::kIsrCfg), nullptr) << "there is no BAR 7";
}

std::string WhyNot(std::unique_ptr<FakeFunction> function) {
  auto transport = PciTransport::Create(std::move(function), {});
  if (transport) return "it can be attached";
  EXPECT_EQ(transport.error().kind, ErrorKind::kAttach);
  return transport.error().message;
}

TEST(PciTransport, SaysWhyAFunctionCannotBeAttached) {
  auto absent = std::make_unique<FakeFunction>();
  absent->absent_ = true;
  EXPECT_THAT(WhyNot(std::move(absent)), HasSubstr("all-ones"));

  auto stuck = std::make_unique<FakeFunction>();
  stuck->stuck_ = 4;
  stuck->Put(pci::kBar0 + 16, 4, 0xffffc004);  // reads a size, takes no address
  EXPECT_THAT(WhyNot(std::move(stuck)), HasSubstr("BAR 4"));
}

// Why a function that is attached cannot be driven.
std::string WhyNotDriven(std::unique_ptr<FakeFunction> function) {
  auto transport = PciTransport::Create(std::move(function), {});
  if (!transport) return transport.error().message;
  EXPECT_TRUE((*transport)->abilities().Has(Ability::kPciFunction));
  EXPECT_TRUE((*transport)->ReadRegister("pci", 0, 4)) << "its registers can be looked at";
  EXPECT_FALSE((*transport)->abilities().Has(Ability::kDeviceStatus));
  const auto status = (*transport)->ReadStatus();
  if (status) return "it can be driven";
  EXPECT_EQ(status.error().kind, ErrorKind::kUnsupported);
  return status.error().message;
}

TEST(PciTransport, ShowsTheRegistersOfAFunctionThatCannotBeDriven) {
  auto common = std::make_unique<FakeFunction>();
  common->Capability(0x40, 0x50, virtio_pci::kCommonCfg, 4, 0x4000, 0x38);
  EXPECT_THAT(WhyNotDriven(std::move(common)), HasSubstr("common configuration"));

  auto notify = std::make_unique<FakeFunction>();
  notify->Put(0x51, 1, 0x74);
  EXPECT_THAT(WhyNotDriven(std::move(notify)), HasSubstr("notification"));
}

TEST(PciTransport, RefusesPlansThatTheFunctionHasNoMeansFor) {
  auto without_pin = std::make_unique<FakeFunction>();
  without_pin->Put(pci::kInterruptPin, 1, 0);
  auto transport = PciTransport::Create(std::move(without_pin), {});
  ASSERT_TRUE(transport) << transport.error().message;
  auto intx = (*transport)->UseInterrupts("intx", true);
  ASSERT_FALSE(intx);
  EXPECT_EQ(intx.error().kind, ErrorKind::kRefused);
  auto nonsense = (*transport)->UseInterrupts("pigeon", true);
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(nonsense.error().message, HasSubstr("one-vector"));
}

}  // namespace
}  // namespace vitro
