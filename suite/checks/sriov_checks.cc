// SPDX-License-Identifier: Apache-2.0
// Checks of a physical function as the owner of an SR-IOV group (2.12, 6.2): when the group exists,
// who its members are, and its own list of commands.
#include "suite/checks/chapters.h"
#include "suite/checks/sriov.h"

namespace vitro {
namespace {

constexpr const char* kOffered = "dev.basic.reserved-feature-bits.9";
constexpr const char* kGroupAndMember = "dev.admin.group-cmds.17";
constexpr const char* kMember = "dev.admin.group-cmds.4";
constexpr const char* kApart = "dev.admin.group-cmds.10";
constexpr const char* kLegacyTogether = "dev.admin.group-cmds.legacy-interface.1";
constexpr const char* kNotifyNeedsAccess = "dev.admin.group-cmds.legacy-interface.12";
constexpr const char* kPartsTogether = "dev.admin.group-cmds.device-parts.1";

constexpr uint64_t Range(uint16_t first, uint16_t last) {
  return ((uint64_t{2} << last) - 1) & ~((uint64_t{1} << first) - 1);
}
constexpr uint64_t kLegacyAccess = Range(admin::kLegacyCommonCfgWrite, admin::kLegacyDevCfgRead);
constexpr uint64_t kPartsCommands = Range(admin::kDevPartsMetadataGet, admin::kDevModeSet);
constexpr uint64_t kObjectCommands = Range(admin::kResourceObjCreate, admin::kResourceObjDestroy);

// Is VIRTIO_F_SR_IOV offered exactly where there is the capability?
void OfferedWithTheCapability(Context& c) {
  const bool there = FindSriov(c).has_value();
  c.Do(op::ReadFeatures{});
  const uint64_t bit = uint64_t{1} << feature::kSrIov;
  if (there)
    c.Advise(Accept::Masked(bit, bit), kOffered,
             "VIRTIO_F_SR_IOV (bit 37) is offered by a function with an SR-IOV capability");
  else
    c.Expect(Accept::Masked(bit, 0), kOffered,
             "VIRTIO_F_SR_IOV (bit 37) is not offered without an SR-IOV capability");
}

// Commands that name a member, of those that are listed, with data that change nothing.
std::vector<AdminCommand> MemberCommands(const SriovDriver& owner) {
  std::vector<AdminCommand> commands;
  for (const uint16_t opcode :
       {admin::kLegacyCommonCfgRead, admin::kLegacyDevCfgRead, admin::kLegacyNotifyInfo,
        admin::kResourceObjQuery, admin::kDevPartsMetadataGet, admin::kDevPartsGet})
    if (owner.Lists(opcode)) commands.push_back(OtherCommand(opcode));
  return commands;
}

void MembersAreCounted(Context& c) {
  SriovDriver owner(c);
  owner.Begin();
  // One is left out where there are more, so that TotalVFs is not what counts.
  owner.Enable(owner.total() > 1 ? owner.total() - 1 : 1);
  owner.admin().UseAll();
  owner.UseAll();
  const uint64_t count = owner.enabled();
  const auto commands = MemberCommands(owner);
  if (commands.empty()) c.NotApplicable("no command of the group names a member");
  c.BeginHostile();
  for (const AdminCommand& command : commands)
    for (const uint64_t member : {uint64_t{0}, count + 1, count + 0x100, count | uint64_t{1} << 16,
                                  count | uint64_t{1} << 32, UINT64_MAX}) {
      owner.Send(command, member);
      const std::string because =
          fmt::format("{} fails for member {} of {}", command.what, member, count);
      owner.admin().ExpectInvalid(admin::kQInvalidMember, kGroupAndMember, because);
      owner.admin().ExpectFailure(kMember, because);
    }
}

void NoGroupWithoutVfs(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  const auto commands = MemberCommands(owner);
  owner.Disable();
  c.BeginHostile();
  const auto ask = [&](const AdminCommand& command, uint64_t member) {
    owner.Send(command, member);
    owner.admin().ExpectInvalid(
        admin::kQInvalidGroup, kGroupAndMember,
        fmt::format("{} to the SR-IOV group fails once VF Enable is clear", command.what));
  };
  for (const AdminCommand& command : commands) ask(command, 1);
  ask(ListQuery(), 0);
  owner.Enable(1);
  const AdminReply back = owner.List();
  c.Do(op::Read{back.address, 2});
  c.Expect(Accept::Equal(admin::kOk), kGroupAndMember,
           "LIST_QUERY of the SR-IOV group succeeds once VF Enable is set again");
}

// LIST_USE for one group says nothing about the other.
void ListsAreApart(Context& c) {
  constexpr uint64_t kFirst = Range(admin::kListQuery, admin::kListUse);
  SriovDriver owner(c);
  owner.Up();
  const auto commands = MemberCommands(owner);
  if (commands.empty()) c.NotApplicable("no command of the group names a member");
  const auto expect_legal = [&](const std::string& when) {
    owner.Send(commands.front(), 1);
    c.Do(op::Read{owner.admin().last().address, 4});
    c.Expect(Accept::NotEqual(admin::kEinval | uint32_t{admin::kQInvalidOpcode} << 16), kApart,
             fmt::format("{} to the SR-IOV group stays legal {}", commands.front().what, when));
  };
  expect_legal("after both lists were set");
  owner.admin().Send(ListUse(kFirst));
  expect_legal("after the self group's list was cut");
  // The other way round.
  if ((owner.admin().usable() & ~kFirst) == 0) return;
  owner.admin().Send(ListUse(owner.admin().usable()));
  owner.Use(kFirst);
  if (!owner.admin().Lists(admin::kCapIdListQuery)) return;
  owner.admin().Send(CapIdListQuery());
  owner.admin().ExpectOk(kApart,
                         "a command of the self group stays legal after the SR-IOV group's list "
                         "was cut");
}

// As LIST_QUERY of the self group is judged in admin_list_checks.cc.
void CommandsComeTogether(Context& c) {
  SriovDriver owner(c);
  owner.Begin();
  owner.Enable(1);
  const AdminReply reply = owner.List();
  if (!reply.ok() || reply.result.size() < 8) c.NotApplicable("there is no list of commands");
  const uint64_t list = owner.listed();
  const auto expect = [&](uint64_t bits, bool any, const char* requirement, const char* because) {
    c.Do(op::Read{reply.address + admin::kResult, 8});
    c.Expect(Accept::Masked(bits, any ? bits : 0), requirement, because);
  };
  expect(kLegacyAccess, (list & kLegacyAccess) != 0, kLegacyTogether,
         "all or none of the four commands for legacy configuration are in the group's list");
  if (owner.Lists(admin::kLegacyNotifyInfo))
    expect(kLegacyAccess, true, kNotifyNeedsAccess,
           "the four commands for legacy configuration come with LEGACY_NOTIFY_INFO");
  const bool parts = (list & kPartsCommands) != 0;
  expect(parts ? kPartsCommands | kObjectCommands : kPartsCommands, parts, kPartsTogether,
         "all or none of the commands for device parts are in the group's list");
}

// Any command, of any length, to the group: nothing but an answer is asked for.
void SurvivesAnyCommand(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  c.BeginHostile();
  for (uint16_t opcode = 0; opcode <= admin::kDevModeSet + 1; ++opcode) {
    if (opcode == admin::kListUse) continue;
    for (const uint64_t member : {uint64_t{1}, UINT64_MAX})
      for (const uint32_t length : {0u, 1u, 8u, 9u, 31u, 200u}) {
        AdminCommand command{.what = fmt::format("command {:#x} with {} bytes", opcode, length),
                             .opcode = opcode,
                             .data = Bytes(length, 0xff),
                             .result = length,
                             .exact = true};
        owner.Send(command, member);
      }
  }
  const AdminReply reply = owner.List();
  c.Do(op::Read{reply.address, 2});
  c.Expect(Accept::Equal(admin::kOk), "dev.admin.group-cmds.5",
           "LIST_QUERY of the SR-IOV group succeeds after commands with any data");
}

}  // namespace

void AddSriovChecks(std::vector<Check>& list) {
  const Needs needs = SriovNeeds();
  list.push_back(
      {.id = "pci.features.sr-iov",
       .title = "VIRTIO_F_SR_IOV is offered exactly with an SR-IOV capability",
       .section = "6.2",
       .requirements = {kOffered},
       .tags = {"sriov"},
       .needs = {.abilities = {Ability::kPciFunction}},
       .faults = {"sriov-not-offered", "sriov-capability-missing", "blk,level=pci:offers-sr-iov"},
       .run = OfferedWithTheCapability});
  list.push_back(
      {.id = "admin.sriov.members",
       .title = "Members of an SR-IOV group are numbered from 1 to NumVFs",
       .section = "2.12.1.5",
       .requirements = {kGroupAndMember, kMember},
       .tags = {"admin", "sriov", "hostile"},
       .needs = needs,
       .faults = {"sriov-member-zero-taken", "sriov-member-beyond-taken", "sriov-member-crash"},
       .run = MembersAreCounted});
  list.push_back({.id = "admin.sriov.vfs-disabled",
                  .title = "The SR-IOV group is there while VF Enable is set",
                  .section = "2.12.1.5",
                  .requirements = {kGroupAndMember},
                  .tags = {"admin", "sriov", "hostile"},
                  .needs = needs,
                  .faults = {"sriov-group-without-enable"},
                  .run = NoGroupWithoutVfs});
  list.push_back({.id = "admin.sriov.lists-apart",
                  .title = "Each group type has its own list of commands",
                  .section = "2.12.1.5",
                  .requirements = {kApart},
                  .tags = {"admin", "sriov"},
                  .needs = needs,
                  .faults = {"sriov-lists-shared"},
                  .run = ListsAreApart});
  list.push_back(
      {.id = "admin.sriov.list",
       .title = "Commands of the SR-IOV group for one purpose are listed together or not at all",
       .section = "2.12.1.5",
       .requirements = {kLegacyTogether, kNotifyNeedsAccess, kPartsTogether},
       .tags = {"admin", "sriov"},
       .needs = needs,
       .faults = {"sriov-parts-commands-some", "sriov-legacy-commands-some"},
       .run = CommandsComeTogether});
  list.push_back({.id = "admin.sriov.any-command",
                  .title = "Commands of any data to the SR-IOV group are answered",
                  .section = "2.12.1.5",
                  .requirements = {"dev.admin.group-cmds.5"},
                  .tags = {"admin", "sriov", "hostile"},
                  .needs = needs,
                  .faults = {"sriov-member-crash"},
                  .run = SurvivesAnyCommand});
  AddSriovLegacyChecks(list);
  AddSriovPartsChecks(list);
  AddSriovModeChecks(list);
}

}  // namespace vitro
