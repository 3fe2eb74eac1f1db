// SPDX-License-Identifier: Apache-2.0
// The reference PCI function as the owner of an SR-IOV group, with a driver of its own; and every
// fault of devices/pci/sriov_faults.def shows to it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <functional>

#include "devices/pci/layout.h"
#include "devices/pci/owner_driver.h"
#include "devices/pci/parts.h"
#include "devices/ref/faults.h"
#include "harness/virtio/blk.h"

namespace vitro::pcidev {
namespace {

namespace legacy = virtio_pci::legacy;
using testing::ElementsAre;

constexpr uint32_t kVfSpace = kFirstVfOffset * pci::kConfigBytes;

uint32_t Invalid(uint16_t qualifier) { return admin::kEinval | uint32_t{qualifier} << 16; }

class Sriov : public testing::Test {
 protected:
  RawDriver d{"blk", "vfs=3"};
  OwnerDriver owner{d};
};

TEST_F(Sriov, HasTheCapabilityAndOffersTheFeatures) {
  EXPECT_EQ(d.Pci(OwnerDriver::kSriov, 4) & 0xffff, pci::kExtendedSrIov);
  EXPECT_EQ(d.Pci(OwnerDriver::kSriov + pci::sriov::kTotalVfs, 2), 3u);
  d.Decode();
  EXPECT_TRUE(d.Offered().Contains(OwnerDriver::kFeatures));
  ASSERT_TRUE(owner.Up());
  EXPECT_EQ(d.Common(common::kNumQueues, 2), 2u);
  EXPECT_EQ(d.Common(common::kAdminQueueIndex, 2), 2u);
  EXPECT_EQ(d.Common(common::kAdminQueueNum, 2), 1u);
}

TEST_F(Sriov, HasNoneOfItWithoutTheOption) {
  RawDriver plain("blk", "");
  EXPECT_EQ(plain.Pci(OwnerDriver::kSriov, 4), 0u);
  EXPECT_EQ(plain.Pci(kVfSpace, 4), UINT32_MAX);
  plain.Decode();
  EXPECT_FALSE(plain.Offered().Has(feature::kSrIov));
  EXPECT_FALSE(plain.Offered().Has(feature::kAdminVq));
}

TEST_F(Sriov, RefusesOptionsThatDoNotGoTogether) {
  for (const std::string options : {"vfs=1,transitional=1", "vfs=1,flr=0", "vfs=65"})
    EXPECT_FALSE(RawDriver("blk", options).created) << options;
  RawDriver admin("admin", "vfs=1");
  EXPECT_FALSE(admin.created);
  EXPECT_THAT(admin.memory.lines,
              ElementsAre("option 'vfs': the device has administration virtqueues of its own"));
}

TEST_F(Sriov, VirtualFunctionsAreThereWhileEnabled) {
  EXPECT_EQ(d.Pci(kVfSpace + pci::kRevisionId, 1), 0xffu);
  owner.Enable(2);
  EXPECT_EQ(d.Pci(kVfSpace + pci::kVendorId, 4), UINT32_MAX) << "as SR-IOV has it";
  EXPECT_EQ(d.Pci(kVfSpace + pci::kRevisionId, 1), 1u);
  EXPECT_EQ(d.Pci(kVfSpace + pci::kConfigBytes + pci::kRevisionId, 1), 1u);
  EXPECT_EQ(d.Pci(kVfSpace + 2 * pci::kConfigBytes + pci::kRevisionId, 1), 0xffu);
  d.SetPci(kVfSpace + pci::kBar0, 4, UINT32_MAX);
  EXPECT_EQ(d.Pci(kVfSpace + pci::kBar0, 4), 0u);
  d.SetPci(kVfSpace + pci::kCommand, 2, pci::kCommandMaster);
  EXPECT_EQ(d.Pci(kVfSpace + pci::kCommand, 2), pci::kCommandMaster);
  // A reset of the physical function takes them away.
  d.SetPci(d.Capability(pci::kCapExpress) + pci::kExpressDeviceControl, 2,
           pci::kExpressInitiateFlr);
  EXPECT_EQ(d.Pci(kVfSpace + pci::kRevisionId, 1), 0xffu);
}

TEST_F(Sriov, AGroupHasAsManyMembersAsAreEnabled) {
  ASSERT_TRUE(owner.Up());
  const auto list = [&](uint16_t group) {
    return OwnerDriver::Status(owner.Send(admin::kListQuery, group, 0, {}, 8));
  };
  EXPECT_EQ(list(admin::kGroupSelf), 0u);
  EXPECT_EQ(list(admin::kGroupSrIov), Invalid(admin::kQInvalidGroup));
  owner.Begin(2);
  EXPECT_EQ(list(admin::kGroupSrIov), 0u);
  for (const auto& [member, status] :
       {std::pair<uint64_t, uint32_t>{0, Invalid(admin::kQInvalidMember)},
        {1, 0},
        {2, 0},
        {3, Invalid(admin::kQInvalidMember)},
        {1ull << 32 | 1, Invalid(admin::kQInvalidMember)}})
    EXPECT_EQ(OwnerDriver::Status(owner.Member(admin::kLegacyNotifyInfo, member, {}, 64)), status)
        << member;
}

TEST_F(Sriov, LegacyAccessIsToSingleFields) {
  owner.Begin(1);
  EXPECT_EQ(owner.Common(legacy::kQueueSize, 2), 128u);
  EXPECT_EQ(owner.SetCommon(legacy::kDeviceStatus, 1, 3), 0u);
  EXPECT_EQ(owner.Common(legacy::kDeviceStatus, 1), 3u);
  EXPECT_EQ(owner.Common(legacy::kDeviceFeatures + 3, 1),
            owner.Common(legacy::kDeviceFeatures, 4) >> 24);
  for (const auto& [offset, length] :
       {std::pair{18u, 2u}, {14u, 4u}, {20u, 2u}, {19u, 2u}, {255u, 8u}, {0u, 0u}}) {
    EXPECT_EQ(OwnerDriver::Status(owner.ReadLegacy(admin::kLegacyCommonCfgRead, offset, length)),
              Invalid(admin::kQInvalidField));
    EXPECT_EQ(owner.SetCommon(offset, length, 0), Invalid(admin::kQInvalidField));
  }
  const auto config = [&](uint32_t offset, uint32_t length) {
    return OwnerDriver::Status(owner.ReadLegacy(admin::kLegacyDevCfgRead, offset, length));
  };
  EXPECT_EQ(config(blk::kConfigCapacity, 8), 0u);
  EXPECT_EQ(config(blk::kConfigCapacity + 4, 4), 0u) << "one half of it";
  EXPECT_EQ(config(7, 2), Invalid(admin::kQInvalidField));
  EXPECT_EQ(config(blk::kConfigSize, 1), Invalid(admin::kQInvalidField));
}

TEST_F(Sriov, AMemberServesALegacyDriver) {
  owner.Begin(1);
  owner.BeginMember();
  owner.Publish();
  owner.Kick();
  d.Run();
  EXPECT_EQ(owner.MemberUsed(), 1);
  EXPECT_EQ(owner.Common(legacy::kIsrStatus, 1), 1u);
  owner.Publish();
  d.SetBar(RawDriver::kMain, OwnerDriver::kLegacyNotify, 2, 0);
  d.Run();
  EXPECT_EQ(owner.MemberUsed(), 2);
}

TEST_F(Sriov, AStoppedMemberWaits) {
  owner.Begin(1);
  owner.BeginMember();
  owner.Publish();
  owner.Kick();
  EXPECT_EQ(owner.MemberUsed(), 0);
  EXPECT_EQ(owner.Mode(admin::kModeStopped), 0u);
  EXPECT_EQ(owner.MemberUsed(), 1) << "it came to rest first";
  EXPECT_EQ(owner.Mode(admin::kModeStopped), 0u);
  owner.Publish();
  EXPECT_EQ(owner.Kick(), 0u);
  d.Run();
  EXPECT_EQ(owner.MemberUsed(), 1);
  EXPECT_EQ(owner.Mode(2), Invalid(admin::kQInvalidField));
  EXPECT_EQ(owner.Mode(0), 0u);
  d.Run();
  EXPECT_EQ(owner.MemberUsed(), 2);
}

TEST_F(Sriov, AnEagerMemberWaitsAsWell) {
  RawDriver eager("blk", "vfs=1,eager=1");
  OwnerDriver driver(eager);
  driver.Begin(1);
  driver.BeginMember();
  driver.Mode(admin::kModeStopped);
  driver.Publish();
  driver.Kick();
  EXPECT_EQ(driver.MemberUsed(), 0);
  driver.Mode(0);
  EXPECT_EQ(driver.MemberUsed(), 1);
}

TEST_F(Sriov, PartsOfOneMemberAreSetAgain) {
  owner.Begin(1);
  owner.MakeObjects();
  const auto fresh = DecodeParts(OwnerDriver::Result(owner.Parts()));
  ASSERT_TRUE(fresh);
  std::vector<uint16_t> types;
  for (const Part& part : *fresh) types.push_back(part.type);
  EXPECT_THAT(types, ElementsAre(0x100, 0x101, 0x102, 0x103, 0x104, 0x104, 0x105, 0x105));
  owner.BeginMember();
  const Bytes used = OwnerDriver::Result(owner.Parts());
  EXPECT_EQ(owner.SetParts(used), admin::kEbusy | uint32_t{admin::kQInvalidCommand} << 16);
  owner.SetCommon(legacy::kDeviceStatus, 1, 0);
  EXPECT_EQ(OwnerDriver::Result(owner.Parts()), EncodeParts(*fresh));
  owner.Mode(admin::kModeStopped);
  EXPECT_EQ(owner.SetParts(used), 0u);
  EXPECT_EQ(owner.SetParts(used), 0u);
  EXPECT_EQ(OwnerDriver::Result(owner.Parts()), used);
  EXPECT_EQ(owner.Common(legacy::kDeviceStatus, 1), 0u) << "not before it is resumed";
  owner.Mode(0);
  EXPECT_EQ(owner.Common(legacy::kDeviceStatus, 1), 7u);
  owner.Publish();
  owner.Kick();
  d.Run();
  EXPECT_EQ(owner.MemberUsed(), 1);
}

TEST_F(Sriov, PartsThatAreWrongAreNotSet) {
  owner.Begin(1);
  owner.MakeObjects();
  owner.Mode(admin::kModeStopped);
  const Bytes before = OwnerDriver::Result(owner.Parts());
  const Parts all = *DecodeParts(before);
  const auto set = [&](size_t nth, const std::function<void(Part&)>& change) {
    Parts some = {all[1], all[nth]};
    change(some[1]);
    return owner.SetParts(EncodeParts(some));
  };
  const uint32_t bad = Invalid(admin::kQInvalidField);
  EXPECT_EQ(set(0, [](Part& part) { part.value[0] ^= 1; }), bad) << "device features";
  EXPECT_EQ(set(2, [](Part& part) { part.value[0] ^= 1; }), bad) << "num_queues";
  EXPECT_EQ(set(3, [](Part& part) { part.type = 0x106; }), bad);
  EXPECT_EQ(set(4, [](Part& part) { part.selector = 9; }), bad);
  EXPECT_EQ(set(4, [](Part& part) { part.length = 31; }), bad);
  EXPECT_EQ(set(4, [](Part& part) { part.length = UINT32_MAX; }), bad);
  EXPECT_EQ(owner.SetParts(before, 0), bad) << "an object that gets";
  EXPECT_EQ(owner.SetParts(before, 7) & 0xffff, admin::kEnxio);
  EXPECT_EQ(OwnerDriver::Status(owner.Parts(1)), bad) << "an object that sets";
  EXPECT_EQ(OwnerDriver::Result(owner.Parts()), before);
}

TEST_F(Sriov, ObjectsAreLimitedAndCounted) {
  owner.Begin(1);
  const auto object = [&](uint16_t opcode, uint32_t id, uint8_t kind) {
    Bytes data = LeBytes(uint64_t{id} << 32, admin::kObjData + admin::kObjDevPartsBytes);
    data[admin::kObjData] = kind;
    return OwnerDriver::Status(owner.Member(opcode, 1, data, 8)) & 0xffff;
  };
  EXPECT_EQ(object(admin::kResourceObjQuery, 0, 0), admin::kEnxio);
  EXPECT_EQ(object(admin::kResourceObjCreate, 0, 2), admin::kEinval);
  EXPECT_EQ(object(admin::kResourceObjCreate, 2, 0), admin::kEinval) << "beyond the limit";
  EXPECT_EQ(object(admin::kResourceObjCreate, 0, 0), 0u);
  EXPECT_EQ(object(admin::kResourceObjCreate, 0, 1), admin::kEexist);
  EXPECT_EQ(object(admin::kResourceObjModify, 0, 1), 0u);
  EXPECT_EQ(object(admin::kResourceObjQuery, 0, 0), 0u);
  const Bytes none = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(OwnerDriver::Status(owner.Send(admin::kDriverCapSet, 0, 0, none, 0)) & 0xffff,
            admin::kEbusy);
  EXPECT_EQ(object(admin::kResourceObjDestroy, 0, 0), 0u);
  EXPECT_EQ(OwnerDriver::Status(owner.Send(admin::kDriverCapSet, 0, 0, none, 0)), 0u);
  EXPECT_EQ(object(admin::kResourceObjCreate, 0, 0), admin::kEinval);
}

// Faults ------------------------------------------------------------------------------------------

// All that a driver of the owner meets, as text.
class Tour {
 public:
  explicit Tour(const std::string& options) : d_("blk", options), owner_(d_) {
    EXPECT_TRUE(d_.created) << options;
  }
  std::string Take() {
    Registers();
    Groups();
    LegacyAccess();
    InUse();
    Parts();
    return text_;
  }

 private:
  void Note(uint64_t value) { text_ += fmt::format("{:x} ", value); }
  void Note(const Bytes& bytes) { text_ += ToHex(bytes) + " "; }

  void Registers() {
    d_.Decode();
    Note(d_.Offered().word(0));
    d_.SetPci(OwnerDriver::kSriov + pci::sriov::kVfBar0, 4, UINT32_MAX);
    for (uint32_t at = 0; at < pci::sriov::kBytes; at += 4)
      Note(d_.Pci(OwnerDriver::kSriov + at, 4));
    owner_.Enable(1);
    for (uint32_t at = 0; at < 256; at += 4) Note(d_.Pci(kVfSpace + at, 4));
    d_.SetPci(OwnerDriver::kSriov + pci::sriov::kControl, 2, 0);
  }

  void Groups() {
    owner_.Up();
    Note(owner_.Send(admin::kListQuery, 1, 1, {}, 8));
    owner_.Begin(1);
    for (const uint16_t group : {0, 1}) {
      Note(owner_.Send(admin::kListQuery, group, 0, {}, 8));
      Note(owner_.Send(admin::kCapIdListQuery, group, 0, {}, 8));
    }
    for (const uint64_t member : {0, 1, 2, 3})
      Note(owner_.Member(admin::kLegacyNotifyInfo, member, {}, 64));
  }

  void LegacyAccess() {
    owner_.Begin(2);
    owner_.SetCommon(legacy::kDriverFeatures, 4, owner_.Common(legacy::kDeviceFeatures, 4));
    for (uint32_t offset = 0; offset < 28; ++offset)
      for (const uint32_t length : {1u, 2u, 4u}) {
        Note(owner_.ReadLegacy(admin::kLegacyCommonCfgRead, offset, length));
        if (length == 4) Note(owner_.SetCommon(offset, length, 0x10203));
      }
    for (uint32_t offset = 0; offset < 100; ++offset)
      Note(owner_.ReadLegacy(admin::kLegacyDevCfgRead, offset, 2));
    for (const uint8_t value : {0, 1}) {
      owner_.WriteLegacy(admin::kLegacyDevCfgWrite, blk::kConfigWriteback, value, 1);
      Note(owner_.ReadLegacy(admin::kLegacyDevCfgRead, blk::kConfigWriteback, 1));
    }
    owner_.SetCommon(legacy::kDeviceStatus, 1, 3, 2);
    Note(owner_.Common(legacy::kDeviceStatus, 1, 1));
  }

  void NoteMember() {
    Note(owner_.MemberUsed());
    Note(owner_.Common(legacy::kIsrStatus, 1));
  }

  void InUse() {
    owner_.Begin(1);
    owner_.BeginMember();
    owner_.Publish();
    d_.SetBar(RawDriver::kMain, OwnerDriver::kLegacyNotify, 2, 0);
    d_.Run();
    NoteMember();
    owner_.Publish();
    owner_.Kick();
    Note(owner_.Mode(0));
    Note(owner_.Mode(1));
    NoteMember();
    Note(owner_.Mode(1));
    owner_.Publish();
    owner_.Kick();
    for (uint32_t at = 0; at < 256; at += 4) Note(d_.Pci(kVfSpace + at, 4));
    d_.SetPci(kVfSpace + pci::kCommand, 2, pci::kCommandMaster);
    Note(d_.Pci(kVfSpace + pci::kCommand, 2));
    d_.Run();
    NoteMember();
    Note(owner_.Mode(0));
    d_.Run();
    NoteMember();
  }

  void Parts() {
    owner_.Begin(1);
    owner_.MakeObjects();
    Note(owner_.Parts(3));
    for (int i = 0; i < 2; ++i) Note(owner_.Parts());
    const Bytes all = OwnerDriver::Result(owner_.Parts());
    Note(owner_.SetParts(all));
    pcidev::Parts parts = DecodeParts(all).value_or(pcidev::Parts());
    Bytes list(admin::kPartsSelected);
    list[admin::kPartsType] = admin::kMetadataList;
    Note(owner_.Member(admin::kDevPartsMetadataGet, 1, list, 1024));
    Bytes headers(admin::kPartsSelected);
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) AppendHeader(headers, *part);
    Note(owner_.Member(admin::kDevPartsGet, 1, headers, 1024));
    owner_.Mode(1);
    for (int i = 0; i < 2; ++i) Note(owner_.SetParts(all));
    for (Part part : parts) {
      part.value[0] ^= 1;
      Note(owner_.SetParts(EncodeParts({part})));
      Note(owner_.Parts());
      part.value.resize(part.length -= 1);
      Note(owner_.SetParts(EncodeParts({part})));
    }
    owner_.SetCommon(legacy::kDeviceStatus, 1, 0);
    Note(owner_.Parts());
    if (parts.size() < 2) return;  // a fault gave none
    parts[1].value[0] = 1;
    owner_.SetParts(EncodeParts({parts[1]}));
    // The capabilities of a virtual function are where the owner has them.
    d_.SetPci(kVfSpace + d_.Capability(pci::kCapExpress) + pci::kExpressDeviceControl, 2,
              pci::kExpressInitiateFlr);
    Note(owner_.Parts());
  }

  RawDriver d_;
  OwnerDriver owner_;
  std::string text_;
};

TEST(SriovFaults, ABaselineTourIsTheSameTwice) {
  EXPECT_EQ(Tour("vfs=2").Take(), Tour("vfs=2").Take());
}

TEST(SriovFaults, EachShows) {
  const std::string plain = Tour("vfs=2").Take();
  for (const ref::FaultInfo& fault : ref::AllFaults()) {
    if (!fault.name.starts_with("sriov-") || fault.name.ends_with("-crash")) continue;
    EXPECT_NE(Tour(fmt::format("fault={}", fault.name)).Take(), plain) << fault.name;
  }
}

TEST(SriovFaultsDeathTest, EachCrashIsMetByTheDriverThatAsksForIt) {
  RawDriver far("blk", "fault=sriov-member-crash");
  OwnerDriver owner(far);
  owner.Begin(1);
  EXPECT_DEATH(owner.Member(admin::kLegacyNotifyInfo, UINT64_MAX, {}, 64), "");
  RawDriver cut("blk", "fault=sriov-parts-cut-crash");
  OwnerDriver setter(cut);
  setter.Begin(1);
  setter.MakeObjects();
  setter.Mode(admin::kModeStopped);
  EXPECT_DEATH(setter.SetParts(Bytes(17, 0xff)), "");
}

}  // namespace
}  // namespace vitro::pcidev
