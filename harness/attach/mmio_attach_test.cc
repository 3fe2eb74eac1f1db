// SPDX-License-Identifier: Apache-2.0
// level=mmio: from an attach string through the reference window to the driver over MMIO.
#include <gmock/gmock.h>

#include "devices/mmio/mmio_device.h"
#include "devices/ref/registry.h"
#include "harness/attach/attach.h"
#include "harness/attach/direct_attachment.h"
#include "harness/attach/reference.h"
#include "harness/virtio/mmio.h"

namespace vitro {
namespace {

using testing::HasSubstr;

class MmioAttachTest : public testing::Test {
 protected:
  void SetUp() override {
    ReferenceDevices reference;
    reference.find = ref::FindReferenceDevice;
    reference.wrap_mmio = ref::WrapInMmio;
    SetReferenceDevices(reference);
  }
  void TearDown() override { SetReferenceDevices({}); }
  Result<std::unique_ptr<Transport>> Attach(const std::string& text) {
    auto attachment = OpenAttachment(text);
    if (!attachment) return tl::make_unexpected(attachment.error());
    return (*attachment)->Attach(memory);
  }
  GuestMemory memory = GuestMemory::CreateDefault().value();
};

TEST_F(MmioAttachTest, AReferenceDeviceIsAWindow) {
  auto transport = Attach("ref:blk,level=mmio").value();
  EXPECT_TRUE(transport->abilities().Has(Ability::kMmioWindow));
  EXPECT_FALSE(transport->abilities().Has(Ability::kPciFunction));
  EXPECT_TRUE(transport->abilities().Has(Ability::kStimulus));
  EXPECT_TRUE(transport->abilities().Has(Ability::kExactQuiet));
  EXPECT_EQ(transport->identity().device_id, 2u);
  EXPECT_EQ(transport->identity().level, "mmio");
  EXPECT_FALSE(transport->identity().level_is_ours);
  EXPECT_EQ(transport->identity().queue_count, 2u);
  EXPECT_EQ(transport->identity().config_size, 96u);
  EXPECT_TRUE(transport->ReadFeatures().value().Has(feature::kVersion1));
  EXPECT_EQ(transport->ReadRegister("mmio", mmio::kMagicValue, 4).value(), mmio::kMagic);
  EXPECT_EQ(transport->ReadRegister("mmio", mmio::kMagicValue, 2).value(), 0xffffu);
  EXPECT_EQ(transport->pci(), nullptr);
}

TEST_F(MmioAttachTest, OptionsReachTheDeviceAndTheWindow) {
  EXPECT_EQ(Attach("ref:blk,level=mmio,queues=1").value()->identity().queue_count, 1u);
  auto transport = Attach("ref:blk,level=mmio,shm=1").value();
  EXPECT_EQ(transport->ReadRegister("mmio", mmio::kShmLenLow, 4).value(), 0x10000u);
  EXPECT_THAT(Attach("ref:blk,level=mmio,nope=1").error().message, HasSubstr("no option 'nope'"));
  transport = Attach("ref:blk,level=mmio,interrupts=polling").value();
  EXPECT_FALSE(transport->abilities().Has(Ability::kUsedNotification));
  const auto refused = Attach("ref:blk,level=mmio,interrupts=one-vector");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
}

TEST_F(MmioAttachTest, FaultsOfTheWindowNeedTheWindow) {
  EXPECT_TRUE(Attach("ref:blk,level=mmio,fault=mmio-magic-wrong"));
  EXPECT_TRUE(Attach("ref:blk,level=mmio,fault=used-never"));
  EXPECT_FALSE(Attach("ref:blk,fault=mmio-magic-wrong"));
}

// Somebody else's device of the core level: the window is ours, and nothing of it is the device's.
TEST_F(MmioAttachTest, AWindowOfOursIsNotCreditedToTheDevice) {
  const vitro_device_ops mine = *ref::FindReferenceDevice("entropy");
  auto attachment =
      OpenDirect(ParseAttach("inproc:mine.so,level=mmio").value(), &mine, false).value();
  auto transport = attachment->Attach(memory).value();
  EXPECT_FALSE(transport->abilities().Has(Ability::kMmioWindow));
  EXPECT_THAT(transport->abilities().WhyNot(Ability::kMmioWindow), HasSubstr("Vitro's own"));
  EXPECT_TRUE(transport->identity().level_is_ours);
  EXPECT_TRUE(transport->abilities().Has(Ability::kReset));
}

}  // namespace
}  // namespace vitro
