// SPDX-License-Identifier: Apache-2.0
// level=pci: reference devices inside the reference function, and the functions of others.
#include <gmock/gmock.h>

#include "devices/abi/vitro_device.h"
#include "devices/pci/pci_device.h"
#include "devices/ref/registry.h"
#include "harness/attach/attach.h"
#include "harness/attach/reference.h"
#include "harness/transport/pci/pci_layout.h"

namespace vitro {
namespace {

using testing::HasSubstr;

class PciAttachTest : public testing::Test {
 protected:
  void SetUp() override {
    SetReferenceDevices({ref::FindReferenceDevice, "blk, entropy", pcidev::AsPciFunction, {}});
  }
  void TearDown() override { SetReferenceDevices({}); }

  Result<std::unique_ptr<Transport>> Attach(const std::string& text) {
    VITRO_ASSIGN(auto attachment, OpenAttachment(text));
    return attachment->Attach(memory);
  }
  std::string Complaint(const std::string& text) {
    auto transport = Attach(text);
    return transport ? "" : transport.error().message;
  }
  GuestMemory memory = GuestMemory::CreateDefault().value();
};

TEST_F(PciAttachTest, AReferenceDeviceIsAFunctionOfItsOwn) {
  auto transport = Attach("ref:blk,level=pci,queues=1").value();
  EXPECT_TRUE(transport->abilities().Has(Ability::kPciFunction));
  EXPECT_TRUE(transport->abilities().Has(Ability::kInterruptPlans));
  ASSERT_NE(transport->pci(), nullptr);
  EXPECT_EQ(transport->pci()->device_id, 0x1042);
  EXPECT_EQ(transport->identity().device_id, 2u);
  EXPECT_EQ(transport->identity().queue_count, 1u);
  EXPECT_EQ(OpenAttachment("ref:blk,level=pci").value()->string().options.at("level"), "pci");
}

TEST_F(PciAttachTest, OptionsAreDividedBetweenFunctionDeviceAndDriver) {
  auto transport = Attach("ref:blk,level=pci,msix=2,capacity=77,interrupts=intx").value();
  EXPECT_EQ(transport->pci()->msix->vectors, 2u);
  EXPECT_EQ(LoadLe(transport->ReadConfig(0, 4).value()), 77u);
  EXPECT_TRUE(Attach("ref:blk,level=pci,fault=blk-data-shifted"));
  EXPECT_TRUE(Attach("ref:blk,level=pci,fault=isr-not-set"));
  EXPECT_THAT(Complaint("ref:blk,fault=isr-not-set"), HasSubstr("not one of this device's"));
  EXPECT_THAT(Complaint("ref:blk,interrupts=intx"), HasSubstr("no option 'interrupts'"));
}

TEST_F(PciAttachTest, VirtualFunctionsAreReachedByTheirRoutingIds) {
  constexpr uint64_t kSriov = pci::kFirstExtended, kFirst = pci::kConfigBytes;
  auto transport = Attach("ref:blk,level=pci,vfs=1").value();
  EXPECT_EQ(transport->ReadRegister("pci", kFirst + pci::kRevisionId, 1).value(), 0xffu);
  ASSERT_TRUE(transport->WriteRegister("pci", kSriov + pci::sriov::kNumVfs, 2, 1));
  ASSERT_TRUE(
      transport->WriteRegister("pci", kSriov + pci::sriov::kControl, 2, pci::sriov::kVfEnable));
  EXPECT_EQ(transport->ReadRegister("pci", kFirst + pci::kRevisionId, 1).value(), 1u);
  EXPECT_EQ(transport->ReadRegister("pci", 2 * kFirst, 4).value(), UINT32_MAX);
  EXPECT_EQ(transport->ReadRegister("pci", kFirst << 16, 4).error().kind, ErrorKind::kRefused);
  // Without them there is the function alone.
  auto plain = Attach("ref:blk,level=pci").value();
  EXPECT_EQ(plain->ReadRegister("pci", kSriov, 4).value(), 0u);
  EXPECT_EQ(plain->ReadRegister("pci", kFirst, 4).value(), UINT32_MAX);
  EXPECT_THAT(Complaint("ref:blk,level=pci,vfs=1,transitional=1"), HasSubstr("option 'vfs'"));
}

TEST_F(PciAttachTest, LevelsThatAreNotThere) {
  auto attachment = OpenAttachment("ref:blk,level=ccw");
  ASSERT_FALSE(attachment);
  EXPECT_EQ(attachment.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(attachment.error().message,
              HasSubstr("there is no level 'ccw': expected core, pci or mmio"));
  SetReferenceDevices({ref::FindReferenceDevice, "blk", {}, {}});
  EXPECT_THAT(Complaint("ref:blk,level=pci"),
              HasSubstr("cannot be driven at level pci: it has no operation 'pci'"));
}

TEST_F(PciAttachTest, AFunctionAroundAForeignDeviceIsNotTheDevices) {
  auto transport = Attach("inproc:" VITRO_REF_BLK_SO ",level=pci").value();
  EXPECT_FALSE(transport->abilities().Has(Ability::kPciFunction));
  EXPECT_EQ(transport->abilities().WhyNot(Ability::kPciFunction),
            "the PCI function around this device is Vitro's own");
  EXPECT_TRUE(transport->abilities().Has(Ability::kInterruptPlans));
}

TEST_F(PciAttachTest, ATableWithPciOnlyIsDrivenByIt) {
  auto attachment =
      OpenDeviceOps(pcidev::AsPciFunction(ref::FindReferenceDevice("blk")), "queues=1");
  EXPECT_EQ(attachment->string().options.at("level"), "pci");
  auto transport = attachment->Attach(memory).value();
  EXPECT_TRUE(transport->abilities().Has(Ability::kPciFunction));
}

}  // namespace
}  // namespace vitro
