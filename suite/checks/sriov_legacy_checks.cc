// SPDX-License-Identifier: Apache-2.0
// Checks of legacy access to members of an SR-IOV group (2.12.1.1): what its commands refuse, that
// a member can be driven by them, and where it can be notified beside them.
#include <algorithm>
#include <bit>

#include "suite/checks/config_fields.h"
#include "suite/checks/sriov.h"

namespace vitro {
namespace {

namespace legacy = virtio_pci::legacy;
namespace sriov = pci::sriov;

#define VITRO_ROW "dev.admin.group-cmds.legacy-interface."
constexpr const char* kLittleEndian = VITRO_ROW "2";
constexpr const char* kOneCommonField = VITRO_ROW "3";
constexpr const char* kOneDeviceField = VITRO_ROW "4";
constexpr const char* kCommonWrite = VITRO_ROW "5";
constexpr const char* kCommonRead = VITRO_ROW "6";
constexpr const char* kDeviceWrite = VITRO_ROW "7";
constexpr const char* kDeviceRead = VITRO_ROW "8";
constexpr const char* kIds = VITRO_ROW "9";
constexpr const char* kOwnerId = VITRO_ROW "10";
constexpr const char* kNotifyWorks = VITRO_ROW "11";
constexpr const char* kLastEntry = VITRO_ROW "13";
constexpr const char* kBarThere = VITRO_ROW "14";
constexpr const char* kAligned = VITRO_ROW "15";
constexpr const char* kNoVfBar0 = VITRO_ROW "17";
#undef VITRO_ROW

constexpr uint32_t kMostOffset = 255;  // the offset is a byte

struct Field {
  uint32_t offset, bytes;
  const char* name;
};
// Without MSI-X, which nobody enables here.
constexpr Field kCommonFields[] = {{legacy::kDeviceFeatures, 4, "Device Features"},
                                   {legacy::kDriverFeatures, 4, "Driver Features"},
                                   {legacy::kQueueAddress, 4, "Queue Address"},
                                   {legacy::kQueueSize, 2, "Queue Size"},
                                   {legacy::kQueueSelect, 2, "Queue Select"},
                                   {legacy::kQueueNotify, 2, "Queue Notify"},
                                   {legacy::kDeviceStatus, 1, "Device Status"},
                                   {legacy::kIsrStatus, 1, "ISR Status"}};

struct Access {
  uint32_t offset, bytes;
};

// Accesses to parts of two fields that lie side by side, to all of both, and beyond the last. The
// two registers of MSI-X may be counted in: neither reading has a field across 20, 22 or 24.
std::vector<Access> WrongCommonAccesses() {
  std::vector<Access> wrong;
  for (size_t i = 0; i + 1 < std::size(kCommonFields); ++i) {
    const Field &one = kCommonFields[i], &next = kCommonFields[i + 1];
    wrong.push_back({next.offset - 1, 2});
    wrong.push_back({one.offset, one.bytes + next.bytes});
  }
  for (const Access access : {Access{19, 2},
                              {18, 4},
                              {20, 4},
                              {21, 2},
                              {23, 2},
                              {24, 1},
                              {24, 4},
                              {254, 1},
                              {kMostOffset, 8}})
    wrong.push_back(access);
  return wrong;
}

void RefusesOtherThanCommonFields(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  LegacyMember member(c, owner, 1);
  member.Require();
  member.Reset();
  for (const Field& field : kCommonFields) {
    owner.Read(admin::kLegacyCommonCfgRead, 1, field.offset, field.bytes);
    owner.admin().ExpectOk(kCommonRead, fmt::format("{} is read as a whole", field.name));
  }
  c.BeginHostile();
  for (const Access& each : WrongCommonAccesses()) {
    const std::string what =
        fmt::format("of {} bytes at {}, which is no single field, fails", each.bytes, each.offset);
    owner.Read(admin::kLegacyCommonCfgRead, 1, each.offset, each.bytes);
    owner.admin().ExpectFailure(kOneCommonField, "a read " + what);
    owner.Write(admin::kLegacyCommonCfgWrite, 1, each.offset, 0, each.bytes);
    owner.admin().ExpectFailure(kOneCommonField, "a write " + what);
  }
}

// The device config -------------------------------------------------------------------------------

// All fields of the type, whatever was negotiated: where they lie does not change.
std::vector<ProfileField> AllFields(const Context& c) {
  if (c.profile() == nullptr) return {};
  return FieldsWith(c, FeatureSet::Range(0, feature::kBits - 1));
}

void RefusesOtherThanDeviceFields(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  owner.Need({admin::kLegacyDevCfgRead, admin::kLegacyDevCfgWrite});
  const auto fields = AllFields(c);
  // Members may have fields that the owner has not.
  uint32_t end = std::max(c.facts().config_size, c.profile() == nullptr ? kMostOffset + 1 : 0);
  if (c.profile() != nullptr)
    for (const ProfileField& field : c.profile()->fields)
      end = std::max(end, field.offset + field.size());
  std::vector<Access> wrong;
  for (size_t i = 0; i + 1 < fields.size(); ++i) {
    const uint32_t next = fields[i + 1].offset;
    const bool side_by_side = fields[i].offset + fields[i].size() == next;
    const bool both = side_by_side && !IsPadding(fields[i]) && !IsPadding(fields[i + 1]);
    if (both && next + 1 <= c.facts().config_size) wrong.push_back({next - 1, 2});
  }
  if (end <= kMostOffset) wrong.push_back({end, 1});
  if (end < kMostOffset + 8) wrong.push_back({kMostOffset, 8});
  if (end != 0 && end <= kMostOffset) wrong.push_back({end - 1, 8});
  if (wrong.empty()) c.NotApplicable("nothing is known of where fields of this type begin and end");
  c.BeginHostile();
  for (const Access& each : wrong) {
    const std::string what =
        fmt::format("of {} bytes at {}, which is no single field, fails", each.bytes, each.offset);
    owner.Read(admin::kLegacyDevCfgRead, 1, each.offset, each.bytes);
    owner.admin().ExpectFailure(kOneDeviceField, "a read " + what);
    owner.Write(admin::kLegacyDevCfgWrite, 1, each.offset, 0, each.bytes);
    owner.admin().ExpectFailure(kOneDeviceField, "a write " + what);
  }
}

// What was read last, from a field of the device config.
uint64_t ReadField(Context& c, SriovDriver& owner, const ProfileField& field) {
  const AdminReply reply = owner.Read(admin::kLegacyDevCfgRead, 1, field.offset, field.width);
  owner.admin().ExpectOk(kDeviceRead, fmt::format("field '{}' is read", field.name));
  return c.Do(op::Read{reply.address + admin::kResult, field.width}).value;
}

void DeviceConfigIsReadAndWritten(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  owner.Need({admin::kLegacyDevCfgRead, admin::kLegacyDevCfgWrite});
  LegacyMember member(c, owner, 1);
  member.Begin();
  const uint64_t features = member.Common(legacy::kDriverFeatures, 4);
  for (const ProfileField& field : AllFields(c)) {
    const bool there = Holds(field.exists, FeatureSet::FromWords(features, 0)) &&
                       std::has_single_bit(field.width) && field.width <= 8 &&
                       field.offset + field.width <= c.facts().config_size;
    if (!there || field.offset > kMostOffset) continue;
    const uint64_t now = ReadField(c, owner, field);
    if (field.access == FieldAccess::kReadOnly || field.action) continue;
    if (field.commit == FieldCommit::kLater) continue;
    const auto value = LegalValue(field, now ^ 1, now);
    if (!value) continue;
    owner.Write(admin::kLegacyDevCfgWrite, 1, field.offset, *value, field.width);
    owner.admin().ExpectOk(kDeviceWrite, fmt::format("field '{}' is written", field.name));
    ReadField(c, owner, field);
    c.Expect(Accept::Equal(*value), kDeviceWrite,
             fmt::format("field '{}' reads as it was written", field.name));
    owner.Write(admin::kLegacyDevCfgWrite, 1, field.offset, now, field.width);
  }
}

// A member in use ---------------------------------------------------------------------------------

void ExpectUsed(Context& c, LegacyMember& member, const char* requirement,
                const std::string& because) {
  member.WaitUsedIdx(member.published());
  c.Expect(Accept::Equal(member.published()), requirement, because);
}

void ServesADriver(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  LegacyMember member(c, owner, 1);
  member.Begin();
  member.Common(legacy::kDeviceStatus, 1);
  constexpr uint8_t kBits = status::kAcknowledge | status::kDriver | status::kDriverOk;
  c.Expect(Accept::Masked(kBits, kBits), kCommonRead, "Device Status reads as it was written");
  member.Common(legacy::kQueueAddress, 4);
  c.Expect(Accept::Equal(member.queue_address()), kLittleEndian,
           "Queue Address reads as it was written, little-endian");
  member.Common(legacy::kQueueSize, 2);
  c.Expect(Accept::NotEqual(0), kCommonRead, "Queue Size is that of a queue that is there");
  for (uint64_t n = 0; n < 3; ++n) {
    member.Publish(n);
    member.Notify();
    ExpectUsed(c, member, kCommonWrite,
               fmt::format("request {} is used by a member that was set up and notified", n));
  }
  // One more life.
  member.Reset();
  member.Common(legacy::kDeviceStatus, 1);
  c.Expect(Accept::Equal(0), kCommonWrite, "Device Status reads 0 after 0 was written");
  member.Common(legacy::kQueueAddress, 4);
  c.Expect(Accept::Equal(0), kCommonWrite, "Queue Address reads 0 after a reset");
}

void MembersAreApart(Context& c) {
  SriovDriver owner(c);
  owner.Up(2, 2);
  LegacyMember first(c, owner, 1), second(c, owner, 2);
  first.Require();
  first.Reset();
  second.Reset();
  second.SetCommon(legacy::kDeviceStatus, 1, status::kAcknowledge);
  second.SetCommon(legacy::kDeviceStatus, 1, status::kAcknowledge | status::kDriver);
  second.Common(legacy::kDeviceStatus, 1);
  c.Expect(Accept::Equal(status::kAcknowledge | status::kDriver), kCommonWrite,
           "what was written to the status of member 2 is read from it");
  first.Common(legacy::kDeviceStatus, 1);
  c.Expect(Accept::Equal(0), kCommonWrite, "the status of member 1 is not that of member 2");
}

// Notification addresses --------------------------------------------------------------------------

void NotificationAddresses(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  owner.Need({admin::kLegacyNotifyInfo});
  ReadPci(c, owner.position() + sriov::kVfBar0, 4);
  const uint64_t before = c.last().value;
  WritePci(c, owner.position() + sriov::kVfBar0, 4, UINT32_MAX);
  ReadPci(c, owner.position() + sriov::kVfBar0, 4);
  c.Expect(Accept::Equal(0), kNoVfBar0, "VF BAR0 reads 0 whatever is written to it");
  WritePci(c, owner.position() + sriov::kVfBar0, 4, before);

  LegacyMember member(c, owner, 1);
  member.Begin();
  const AdminReply reply =
      owner.Send({.what = "LEGACY_NOTIFY_INFO",
                  .opcode = admin::kLegacyNotifyInfo,
                  .result = admin::kNotifyInfoEntries * admin::kNotifyInfoBytes},
                 1);
  owner.admin().ExpectOk("dev.admin.group-cmds.5", "LEGACY_NOTIFY_INFO succeeds");
  Bytes result = reply.result;
  result.resize(admin::kNotifyInfoEntries * admin::kNotifyInfoBytes);
  const auto at = [&](uint32_t entry, uint32_t field) {
    return reply.address + admin::kResult + entry * admin::kNotifyInfoBytes + field;
  };
  c.Do(op::Read{at(admin::kNotifyInfoEntries - 1, admin::kNotifyInfoFlags), 1});
  if (reply.result.size() == result.size())
    c.Expect(Accept::Equal(admin::kNotifyInfoEnd), kLastEntry, "the last entry ends the list");
  for (uint32_t i = 0; i < admin::kNotifyInfoEntries; ++i) {
    const uint8_t* entry = &result[i * admin::kNotifyInfoBytes];
    const uint8_t flags = entry[admin::kNotifyInfoFlags];
    if (flags == admin::kNotifyInfoEnd) break;
    c.Do(op::Read{at(i, admin::kNotifyInfoOffset), 8});
    c.Expect(Accept::Masked(1, 0), kAligned, fmt::format("offset of entry {} is even", i));
    const uint8_t bar = entry[admin::kNotifyInfoBar];
    // BARs of members are not mapped here.
    if (flags != admin::kNotifyInfoOwner || entry[admin::kNotifyInfoOffset] % 2 != 0) continue;
    const auto& bars = LayoutOf(c).bars;
    const uint64_t offset = LoadLe<uint64_t>(&entry[admin::kNotifyInfoOffset]);
    if (bar >= pci::kBars || bars[bar].size == 0) {
      c.Do(op::Read{at(i, admin::kNotifyInfoBar), 1});
      std::vector<uint64_t> there;
      for (uint64_t each = 0; each < pci::kBars; ++each)
        if (bars[each].size != 0) there.push_back(each);
      c.Expect(Accept::In(there), kBarThere, fmt::format("BAR of entry {} is there", i));
      continue;
    }
    member.Publish(i);
    c.Do(op::WriteRegister{BarRegion(bar), offset, 2, member.queue()});
    ExpectUsed(c, member, kNotifyWorks,
               fmt::format("a member is notified at the address of entry {}", i));
  }
}

void IdsAreNotTransitional(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  owner.Need({admin::kLegacyCommonCfgWrite, admin::kLegacyCommonCfgRead, admin::kLegacyDevCfgWrite,
              admin::kLegacyDevCfgRead, admin::kLegacyNotifyInfo});
  ReadPci(c, pci::kDeviceId, 2);
  c.Expect(Accept::Range(virtio_pci::kModernIdBase, virtio_pci::kLastModernId), kOwnerId,
           "the owner has the PCI Device ID of a non-transitional device");
  const auto judge = [&](uint32_t base, const std::string& who) {
    ReadPci(c, base + pci::kRevisionId, 1);
    c.Expect(Accept::Range(1, 0xff), kIds,
             fmt::format("the PCI Revision ID of {} is 1 or higher", who));
    ReadPci(c, base + pci::kSubsystemDeviceId, 2);
    c.Expect(Accept::Range(0x40, 0xffff), kIds,
             fmt::format("the PCI Subsystem Device ID of {} is 0x40 or higher", who));
  };
  judge(0, "the owner");
  for (uint64_t vf = 1; vf <= owner.enabled(); ++vf) {
    const uint32_t base = owner.ConfigOf(vf);
    // Where a carrier does not reach virtual functions, nobody answers.
    if (ReadPci(c, base + pci::kRevisionId, 4) == UINT32_MAX) continue;
    judge(base, fmt::format("virtual function {}", vf));
  }
}

}  // namespace

void AddSriovLegacyChecks(std::vector<Check>& list) {
  Needs needs = SriovNeeds();
  list.push_back({.id = "admin.sriov.legacy.common-fields",
                  .title = "Legacy access to a member's common configuration is to single fields",
                  .section = "2.12.1.1.6",
                  .requirements = {kOneCommonField, kCommonRead},
                  .tags = {"admin", "sriov", "hostile"},
                  .needs = needs,
                  .faults = {"sriov-legacy-straddle-ok", "sriov-legacy-beyond-ok"},
                  .run = RefusesOtherThanCommonFields});
  list.push_back({.id = "admin.sriov.legacy.device-fields",
                  .title = "Legacy access to a member's device config is to single fields",
                  .section = "2.12.1.1.6",
                  .requirements = {kOneDeviceField},
                  .tags = {"admin", "sriov", "hostile"},
                  .needs = needs,
                  .faults = {"sriov-legacy-config-straddle-ok", "sriov-legacy-config-beyond-ok"},
                  .run = RefusesOtherThanDeviceFields});
  list.push_back({.id = "admin.sriov.legacy.members-apart",
                  .title = "Legacy access reaches the member that it names",
                  .section = "2.12.1.1.6",
                  .requirements = {kCommonWrite},
                  .tags = {"admin", "sriov"},
                  .needs = needs,
                  .faults = {"sriov-legacy-wrong-member", "sriov-legacy-read-zeros"},
                  .run = MembersAreApart});
  list.push_back(
      {.id = "admin.sriov.legacy.ids",
       .title = "Owner and members with legacy access have the IDs of non-transitional devices",
       .section = "2.12.1.1.6",
       .requirements = {kIds, kOwnerId},
       .tags = {"admin", "sriov"},
       .needs = needs,
       .faults = {"sriov-vf-revision-zero", "sriov-vf-subsystem-low",
                  "blk,level=pci,vfs=1:revision-zero", "blk,level=pci,vfs=1:subsystem-id-low",
                  "blk,level=pci,vfs=1:device-id-out-of-range"},
       .run = IdsAreNotTransitional});
  needs.requests = true;
  list.push_back({.id = "admin.sriov.legacy.device-config",
                  .title = "A member's device config is read and written by commands",
                  .section = "2.12.1.1.6",
                  .requirements = {kDeviceWrite, kDeviceRead},
                  .tags = {"admin", "sriov"},
                  .needs = needs,
                  .faults = {"experimental,level=pci,vfs=1:sriov-legacy-config-write-lost",
                             "experimental,level=pci,vfs=1:sriov-legacy-config-read-shifted"},
                  .run = DeviceConfigIsReadAndWritten});
  list.push_back({.id = "admin.sriov.legacy.serves",
                  .title = "A member serves a driver that reaches it by commands alone",
                  .section = "2.12.1.1.6",
                  .requirements = {kCommonWrite, kCommonRead, kLittleEndian},
                  .tags = {"admin", "sriov"},
                  .needs = needs,
                  .faults = {"sriov-legacy-write-big-endian", "sriov-legacy-read-big-endian",
                             "sriov-legacy-write-lost", "sriov-legacy-read-zeros"},
                  .run = ServesADriver});
  list.push_back(
      {.id = "admin.sriov.legacy.notify",
       .title = "A member is notified at the addresses that LEGACY_NOTIFY_INFO gives",
       .section = "2.12.1.1.6",
       .requirements = {kNotifyWorks, kLastEntry, kBarThere, kAligned, kNoVfBar0},
       .tags = {"admin", "sriov"},
       .needs = needs,
       .faults = {"sriov-notify-address-dead", "sriov-notify-info-full", "sriov-notify-bar-missing",
                  "sriov-notify-offset-odd", "sriov-vf-bar0"},
       .run = NotificationAddresses});
}

}  // namespace vitro
