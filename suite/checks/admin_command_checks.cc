// SPDX-License-Identifier: Apache-2.0
// Checks of what holds for every administration command (2.12.1.5): group type, opcode and member
// are looked at, status and qualifier tell what was wrong, and what was invalid has no effect.
#include "suite/checks/admin_command.h"
#include "suite/checks/chapters.h"

namespace vitro {
namespace {

constexpr const char* kValidated = "dev.admin.group-cmds.1";
constexpr const char* kGroup = "dev.admin.group-cmds.2";
constexpr const char* kOpcode = "dev.admin.group-cmds.3";
constexpr const char* kMember = "dev.admin.group-cmds.4";
constexpr const char* kSucceeds = "dev.admin.group-cmds.5";
constexpr const char* kFails = "dev.admin.group-cmds.6";
constexpr const char* kNoSideEffects = "dev.admin.group-cmds.7";
constexpr const char* kSrIov = "dev.admin.group-cmds.17";
constexpr const char* kUnusedIgnored = "derived.admin.unused-ignored";
constexpr const char* kReservedZero = "derived.admin.reserved-zero";
constexpr const char* kQualifierOk = "derived.admin.qualifier-with-ok";
constexpr const char* kSelfMust = "dev.admin.group-cmds.device-and-driver-capabilities.5";
constexpr const char* kSelfShould = "dev.admin.group-cmds.device-and-driver-capabilities.6";

// The standard reserves what comes after 1, and a later version may begin with 2.
constexpr uint16_t kNoGroup = 0xffff;

// Of the first two commands, one that is in the list, one that is not, and one that is no opcode.
std::vector<AdminCommand> AllKinds(const AdminDriver& admin) {
  std::vector<AdminCommand> commands = {ListQuery(), ListUse(3), OtherCommand(0x7fff)};
  for (const AdminCommand& command : {CapIdListQuery(), OtherCommand(admin::kResourceObjDestroy)})
    if (admin.Lists(command.opcode)) commands.push_back(command);
  return commands;
}

// The opcodes up to 63 that the device does not list, and some beyond.
std::vector<uint16_t> UnsupportedOpcodes(const AdminDriver& admin) {
  std::vector<uint16_t> opcodes;
  for (uint16_t opcode = 2; opcode < 64; ++opcode)
    if (!admin.Lists(opcode)) opcodes.push_back(opcode);
  for (const uint16_t opcode : {0x0100, 0x0101, 0x7fff})
    if (!HasBit(admin.last_list(), opcode)) opcodes.push_back(opcode);
  return opcodes;
}

void InvalidGroup(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  for (const uint16_t group : {uint16_t{0x4000}, uint16_t{0x8000}, kNoGroup})
    for (AdminCommand command : AllKinds(admin)) {
      // The group decides, also where opcode and member are wrong as well.
      for (const uint64_t member : {uint64_t{0}, uint64_t{7}}) {
        command.group = group;
        command.member = member;
        admin.Send(command);
        const std::string because =
            fmt::format("{} to reserved group type {:#x} fails", command.what, group);
        admin.ExpectFailure(kValidated, because);
        admin.ExpectInvalid(admin::kQInvalidGroup, kGroup, because);
      }
    }
}

// A device without SR-IOV, or whose VFs are not enabled: nobody here enables them.
void SrIovGroup(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  for (AdminCommand command : AllKinds(admin)) {
    for (const uint64_t member : {uint64_t{0}, uint64_t{1}}) {
      command.group = admin::kGroupSrIov;
      command.member = member;
      admin.Send(command);
      admin.ExpectInvalid(
          admin::kQInvalidGroup, kSrIov,
          fmt::format("{} to the SR-IOV group fails while there are no VFs", command.what));
    }
  }
}

void CapabilityCommandsOfOtherGroups(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  admin.Need({admin::kCapIdListQuery, admin::kDriverCapSet});
  for (AdminCommand command : {CapIdListQuery(), DriverCapSet(0, Bytes(8))}) {
    for (const uint16_t group : {admin::kGroupSrIov, kNoGroup}) {
      command.group = group;
      command.member = group == admin::kGroupSrIov ? 1 : 0;
      admin.Send(command);
      const std::string because =
          fmt::format("{} for group type {:#x} is answered EINVAL", command.what, group);
      admin.ExpectStatus(admin::kEinval, kSelfMust, because);
      admin.ExpectStatus(admin::kEinval, kSelfShould, because);
    }
  }
}

void InvalidOpcode(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  for (const uint16_t opcode : UnsupportedOpcodes(admin))
    for (const uint64_t member : {uint64_t{0}, uint64_t{7}}) {
      AdminCommand command = OtherCommand(opcode);
      command.member = member;
      admin.Send(command);
      const std::string because =
          fmt::format("command {:#x} that the device does not list fails", opcode);
      admin.ExpectFailure(kFails, because);
      admin.ExpectFailure(kValidated, because);
      admin.ExpectInvalid(admin::kQInvalidOpcode, kOpcode, because);
    }
  // What has a structure of its own, the device need not understand at all.
  for (const uint16_t opcode : {admin::kOtherStructures, uint16_t{0xffff}}) {
    admin.Send(OtherCommand(opcode));
    c.Do(op::Read{admin.last().address, 2});
    c.Advise(Accept::NotEqual(admin::kOk), kOpcode,
             fmt::format("command {:#x}, which is reserved, fails", opcode));
  }
}

void InvalidMember(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  bool asked = false;
  for (const uint64_t member : {uint64_t{1}, uint64_t{0x100000000}, ~uint64_t{0}}) {
    // 2.12.1.3 gives the member a meaning in each group; 2.12.1.2 only says that it is set to zero.
    for (const uint16_t opcode : {admin::kResourceObjDestroy, admin::kResourceObjQuery}) {
      if (!admin.Lists(opcode)) continue;
      AdminCommand command = ResourceCommand(opcode, 0, 0, {}, 64);
      command.member = member;
      admin.Send(command);
      const std::string because =
          fmt::format("{} for member {:#x} of the self group fails", command.what, member);
      admin.ExpectFailure(kValidated, because);
      admin.ExpectInvalid(admin::kQInvalidMember, kMember, because);
      asked = true;
    }
    if (!admin.Lists(admin::kCapIdListQuery)) continue;
    AdminCommand command = CapIdListQuery();
    command.member = member;
    admin.Send(command);
    c.Do(op::Read{admin.last().address, 4});
    c.Advise(Accept::Equal(admin::kEinval | uint32_t{admin::kQInvalidMember} << 16), kMember,
             fmt::format("{} for member {:#x} of the self group fails", command.what, member));
    asked = true;
  }
  if (!asked) c.NotApplicable("the device lists no command that uses the group member id");
}

void UnusedFieldsAreIgnored(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  AdminCommand query = ListQuery();
  const AdminReply plain = admin.Send(query);
  query.member = 7;
  admin.Send(query);
  admin.ExpectSame(plain, kUnusedIgnored, "LIST_QUERY has no use for the group member id");
  for (AdminCommand command : {ListQuery(), ListUse(admin.usable()), CapIdListQuery()}) {
    if (!admin.Lists(command.opcode)) continue;
    const AdminReply expected = admin.Send(command);
    command.reserved = 0xff;
    admin.Send(command);
    admin.ExpectSame(expected, kUnusedIgnored,
                     fmt::format("{} is answered whatever its reserved bytes hold", command.what));
  }
}

void AnswersAreInOrder(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  auto judge = [&](const AdminCommand& command) {
    const AdminReply reply = admin.Send(command);
    if (reply.ok()) {
      c.Do(op::Read{reply.address + admin::kQualifier, 2});
      c.Expect(Accept::Equal(admin::kQOk), kQualifierOk,
               fmt::format("the status qualifier is 0 when {} succeeds", command.what));
    }
    if (reply.length < admin::kResult) return;
    c.Do(op::Read{reply.address + admin::kReplyReserved, 4});
    c.Expect(Accept::Equal(0), kReservedZero,
             fmt::format("the reserved bytes of the answer to {} are 0", command.what));
  };
  std::vector<AdminCommand> right = {ListQuery(), ListUse(admin.usable())};
  if (admin.Lists(admin::kCapIdListQuery)) right.push_back(CapIdListQuery());
  for (const AdminCommand& command : right) {
    admin.Send(command);
    admin.ExpectOk(kSucceeds, command.what + " succeeds");
    judge(command);
  }
  judge(OtherCommand(0x7fff));
}

// A row of nonsense, after which everything is as it was.
void InvalidCommandsHaveNoEffect(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  const uint64_t before = admin.listed();
  std::vector<AdminCommand> nonsense;
  for (const uint16_t opcode : UnsupportedOpcodes(admin)) nonsense.push_back(OtherCommand(opcode));
  for (AdminCommand command : AllKinds(admin)) {
    command.group = kNoGroup;
    nonsense.push_back(command);
  }
  if (admin.Lists(admin::kResourceObjDestroy)) {
    AdminCommand command = OtherCommand(admin::kResourceObjDestroy);
    command.member = ~uint64_t{0};
    nonsense.push_back(command);
  }
  for (const AdminCommand& command : nonsense) {
    const AdminReply reply = admin.Send(command);
    if (reply.status != admin::kEinval) continue;
    c.Do(op::ReadStatus{});
    c.Expect(Accept::Masked(status::kNeedsReset, 0), kNoSideEffects,
             fmt::format("{} that is invalid brings the device into no error state", command.what));
  }
  // The list may have grown meanwhile.
  admin.List();
  c.Do(op::Read{admin.last().address + admin::kResult, 8});
  c.Expect(Accept::Masked(before, before), kNoSideEffects,
           "LIST_QUERY lists what it listed before invalid commands");
  if (admin.Lists(admin::kCapIdListQuery)) {
    admin.Send(CapIdListQuery());
    admin.ExpectOk(kNoSideEffects, "invalid commands leave the list in use");
  }
}

}  // namespace

void AddAdminCommandChecks(std::vector<Check>& list) {
  const Needs needs = AdminNeeds();
  list.push_back({.id = "admin.command.invalid-group",
                  .title = "A reserved group type fails as INVALID_GROUP, whatever else is wrong",
                  .section = "2.12.1.5",
                  .requirements = {kGroup, kValidated},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-invalid-group-wrong", "admin-opcode-before-group"},
                  .run = InvalidGroup});
  list.push_back({.id = "admin.command.sr-iov-group",
                  .title = "Commands for the SR-IOV group fail as long as there are no VFs",
                  .section = "2.12.1.5",
                  .requirements = {kSrIov},
                  .tags = {"admin", "odd"},
                  .needs = needs,
                  .faults = {"admin-sriov-group-served", "admin-invalid-group-wrong"},
                  .run = SrIovGroup});
  list.push_back(
      {.id = "admin.command.invalid-opcode",
       .title = "Commands that the device does not list fail as INVALID_OPCODE",
       .section = "2.12.1.5",
       .requirements = {kOpcode, kValidated, kFails},
       .tags = {"admin", "hostile"},
       .needs = needs,
       .faults = {"admin-invalid-opcode-ok", "admin-invalid-opcode-wrong", "admin-opcode-8-bit"},
       .run = InvalidOpcode});
  list.push_back({.id = "admin.command.invalid-member",
                  .title = "A member that the self group does not have fails as INVALID_MEMBER",
                  .section = "2.12.1.5",
                  .requirements = {kMember, kValidated},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-member-ignored"},
                  .run = InvalidMember});
  list.push_back({.id = "admin.command.unused-fields",
                  .title = "Fields that a command has no use for are ignored",
                  .section = "2.12.1",
                  .requirements = {kUnusedIgnored},
                  .tags = {"admin", "odd"},
                  .needs = needs,
                  .faults = {"admin-member-always-checked", "admin-reserved-checked"},
                  .run = UnusedFieldsAreIgnored});
  list.push_back({.id = "admin.command.answers",
                  .title = "Success is told as OK without a qualifier, and reserved bytes are zero",
                  .section = "2.12.1",
                  .requirements = {kSucceeds, kQualifierOk, kReservedZero},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-qualifier-with-ok", "admin-reply-reserved-not-zero"},
                  .run = AnswersAreInOrder});
  list.push_back({.id = "admin.command.no-side-effects",
                  .title = "Commands that are answered EINVAL leave the device as it was",
                  .section = "2.12.1.5",
                  .requirements = {kNoSideEffects},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-einval-breaks", "admin-einval-drops-list"},
                  .run = InvalidCommandsHaveNoEffect});
  list.push_back({.id = "admin.capability.other-groups",
                  .title = "Commands for capabilities fail for any group but the self group",
                  .section = "2.12.1.2.4",
                  .requirements = {kSelfMust, kSelfShould},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-sriov-group-served"},
                  .run = CapabilityCommandsOfOtherGroups});
}

}  // namespace vitro
