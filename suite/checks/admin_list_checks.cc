// SPDX-License-Identifier: Apache-2.0
// Checks of the lists of administration commands, LIST_QUERY and LIST_USE (2.12.1).
#include "suite/checks/admin_command.h"
#include "suite/checks/chapters.h"

namespace vitro {
namespace {

constexpr const char* kSucceeds = "dev.admin.group-cmds.5";
constexpr const char* kNoSideEffects = "dev.admin.group-cmds.7";
constexpr const char* kFirstList = "dev.admin.group-cmds.11";
constexpr const char* kListTaken = "dev.admin.group-cmds.12";
constexpr const char* kNotInList = "dev.admin.group-cmds.13";
constexpr const char* kNoShrinking = "dev.admin.group-cmds.14";
constexpr const char* kSameListAgain = "dev.admin.group-cmds.15";
constexpr const char* kAlwaysListed = "derived.admin.lists-itself";

constexpr uint64_t Bit(uint16_t opcode) { return uint64_t{1} << opcode; }
constexpr uint64_t kFirstCommands = Bit(admin::kListQuery) | Bit(admin::kListUse);
constexpr uint64_t kLegacyCommands = Bit(admin::kLegacyCommonCfgWrite) |
                                     Bit(admin::kLegacyCommonCfgRead) |
                                     Bit(admin::kLegacyDevCfgWrite) | Bit(admin::kLegacyDevCfgRead);
constexpr uint64_t kCapCommands =
    Bit(admin::kCapIdListQuery) | Bit(admin::kDeviceCapGet) | Bit(admin::kDriverCapSet);
constexpr uint64_t kObjectCommands =
    Bit(admin::kResourceObjCreate) | Bit(admin::kResourceObjQuery) |
    Bit(admin::kResourceObjModify) | Bit(admin::kResourceObjDestroy);
constexpr uint64_t kPartsCommands = Bit(admin::kDevPartsMetadataGet) | Bit(admin::kDevPartsGet) |
                                    Bit(admin::kDevPartsSet) | Bit(admin::kDevModeSet);

// The first word of the list in the last answer is the observation that is judged next.
uint64_t ReadList(Context& c, AdminDriver& admin) {
  admin.List();
  return c.Do(op::Read{admin.last().address + admin::kResult, 8}).value;
}

// The command with no data: what it would do is not asked for, only whether it is let through.
AdminCommand Bare(uint16_t opcode) {
  return {.what = fmt::format("command {:#x}", opcode), .opcode = opcode, .result = 64};
}
// A command that may be sent to see whether it is in the list: it asks, and changes nothing.
std::vector<uint16_t> Questions(const AdminDriver& admin) {
  std::vector<uint16_t> opcodes;
  for (const uint16_t opcode : {admin::kCapIdListQuery, admin::kDeviceCapGet})
    if (admin.Lists(opcode)) opcodes.push_back(opcode);
  return opcodes;
}

void ListsCommands(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.Send(ListQuery());
  admin.ExpectOk(kSucceeds, "LIST_QUERY succeeds after a reset");
  if (!admin.last().ok()) return;
  ReadList(c, admin);
  c.Expect(Accept::Masked(kFirstCommands, kFirstCommands), kAlwaysListed,
           "LIST_QUERY and LIST_USE are in the list of commands");
}

// Neither asks nor does anything: until LIST_USE succeeds, no command but the two is legal.
void OnlyFirstCommandsAtFirst(Context& c) {
  AdminDriver admin(c);
  auto ask = [&](const char* when) {
    admin.List();
    bool any = false;
    for (uint16_t opcode = 0; opcode <= admin::kDevModeSet; ++opcode) {
      if (!admin.Lists(opcode) || (kFirstCommands & Bit(opcode)) != 0) continue;
      any = true;
      admin.Send(Bare(opcode));
      const std::string because =
          fmt::format("command {:#x} fails {} before LIST_USE", opcode, when);
      admin.ExpectFailure(kFirstList, because);
      admin.ExpectInvalid(admin::kQInvalidOpcode, kNotInList, because);
    }
    if (!any) c.NotApplicable("the device lists no other commands");
  };
  admin.Up();
  ask("after a reset");
  admin.UseAll();
  admin.Up();
  ask("after a reset that followed a LIST_USE");
  admin.Send(ListQuery());
  admin.ExpectOk(kFirstList, "LIST_QUERY is legal without LIST_USE");
}

void UsesTheListGiven(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.List();
  const std::vector<uint16_t> questions = Questions(admin);
  if (questions.empty())
    c.NotApplicable("the device lists no command that asks without changing anything");
  auto use = [&](uint64_t opcodes) {
    const AdminReply reply = admin.Send(ListUse(opcodes));
    // It may have dependencies of its own between commands.
    if (!reply.ok())
      c.NotApplicable(fmt::format("the device answers {} to a list of only {:#x}",
                                  StatusToText(reply.status, reply.qualifier), opcodes));
  };
  auto expect_legal = [&](uint16_t opcode) {
    const AdminReply reply = admin.Send(Bare(opcode));
    c.Do(op::Read{reply.address, 4});
    c.Expect(Accept::NotEqual(admin::kEinval | uint32_t{admin::kQInvalidOpcode} << 16), kListTaken,
             fmt::format("command {:#x} of the list in use is not an invalid opcode", opcode));
  };
  auto expect_illegal = [&](uint16_t opcode) {
    admin.Send(Bare(opcode));
    admin.ExpectFailure(kListTaken,
                        fmt::format("command {:#x}, not in the last list, fails", opcode));
    admin.ExpectInvalid(admin::kQInvalidOpcode, kNotInList,
                        fmt::format("command {:#x} that is not in the list fails", opcode));
  };
  for (const uint16_t opcode : questions) {
    use(kFirstCommands | Bit(opcode));
    expect_legal(opcode);
    for (const uint16_t other : questions)
      if (other != opcode) expect_illegal(other);
  }
  use(kFirstCommands);
  for (const uint16_t opcode : questions) expect_illegal(opcode);
}

// The driver may do without the two commands themselves from then on.
void UsesAListWithoutItself(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.List();
  const std::vector<uint16_t> questions = Questions(admin);
  if (questions.empty())
    c.NotApplicable("the device lists no command that asks without changing anything");
  const AdminReply reply = admin.Send(ListUse(Bit(questions[0])));
  if (!reply.ok())
    c.NotApplicable("the device does not take a list without LIST_QUERY and LIST_USE");
  for (const AdminCommand& command : {ListQuery(), ListUse(kFirstCommands)}) {
    admin.Send(command);
    admin.ExpectFailure(kListTaken, command.what + " fails that is not in the last list");
    admin.ExpectInvalid(admin::kQInvalidOpcode, kNotInList,
                        command.what + " that is not in the list fails");
  }
  admin.Up();
  admin.Send(ListQuery());
  admin.ExpectOk(kFirstList, "LIST_QUERY is legal again after a reset");
}

void NeverShrinks(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  uint64_t before = ReadList(c, admin);
  auto expect = [&](const char* when) {
    const uint64_t now = ReadList(c, admin);
    c.Expect(Accept::Masked(before, before), kNoShrinking,
             fmt::format("every command reported before is reported {}", when));
    before |= now;
  };
  expect("the second time");
  if (admin.Send(ListUse(kFirstCommands)).ok()) expect("after LIST_USE of the first two alone");
  admin.UseAll();
  expect("after LIST_USE of all");
  admin.Up();
  expect("after a reset");
}

void SameListAfterReset(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  std::vector<AdminCommand> lists = {ListUse(admin.usable())};
  if (admin.Send(ListUse(kFirstCommands)).ok()) lists.push_back(ListUse(kFirstCommands));
  for (const AdminCommand& list : lists) {
    admin.Up();
    admin.Send(list);
    if (admin.last().ok()) continue;
    // One refusal may have another reason than the list; two will not.
    const std::string because = "LIST_USE of a list that was taken before succeeds after a reset";
    c.Do(op::Read{admin.last().address, 2});
    c.Advise(Accept::Equal(admin::kOk), kSameListAgain, because);
    admin.Up();
    admin.Send(list);
    admin.ExpectOk(kSameListAgain, because + ", at the second attempt at least");
  }
}

// More than the device lists: a conforming driver does not do that.
void ListsThatWereNotOffered(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  c.BeginHostile();
  const std::vector<uint16_t> questions = Questions(admin);
  const uint64_t absent = ~admin.listed();
  for (const uint64_t extra : {absent & (~absent + 1), absent, uint64_t{1} << 63}) {
    if ((extra & absent) != extra || extra == 0) continue;
    // Were the list taken, the commands of before would not be legal any more.
    const AdminReply reply = admin.Send(ListUse(kFirstCommands | extra));
    if (reply.ok()) {
      // Nothing forbids that; but what it does not support stays invalid.
      for (uint16_t opcode = 0; opcode < 64; ++opcode) {
        if ((extra >> opcode & 1) == 0) continue;
        admin.Send(Bare(opcode));
        admin.ExpectInvalid(admin::kQInvalidOpcode, "dev.admin.group-cmds.3",
                            fmt::format("command {:#x} that is not supported fails", opcode));
        break;
      }
      admin.UseAll();
      continue;
    }
    if (reply.status != admin::kEinval) continue;
    for (const uint16_t opcode : questions) {
      const AdminReply after = admin.Send(Bare(opcode));
      c.Do(op::Read{after.address, 4});
      c.Expect(Accept::NotEqual(admin::kEinval | uint32_t{admin::kQInvalidOpcode} << 16),
               kNoSideEffects, "a list that was answered EINVAL leaves the one in use");
    }
  }
}

// Which commands come together --------------------------------------------------------------------

void LegacyCommandsTogether(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  const uint64_t list = ReadList(c, admin);
  const uint64_t config = list & kLegacyCommands;
  c.Expect(Accept::Masked(kLegacyCommands, config == 0 ? 0 : kLegacyCommands),
           "dev.admin.group-cmds.legacy-interface.1",
           "all or none of the four commands for legacy configuration are in the list");
  if ((list & Bit(admin::kLegacyNotifyInfo)) == 0) return;
  c.Expect(Accept::Masked(kLegacyCommands, kLegacyCommands),
           "dev.admin.group-cmds.legacy-interface.12",
           "the four commands for legacy configuration come with LEGACY_NOTIFY_INFO");
}

void CapabilityCommandsTogether(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  const uint64_t list = ReadList(c, admin);
  c.Expect(Accept::Masked(kCapCommands, (list & kCapCommands) == 0 ? 0 : kCapCommands),
           "dev.admin.group-cmds.device-and-driver-capabilities.1",
           "all or none of the three commands for capabilities are in the list");
}

// The commands for objects serve other types as well, so that they say nothing by themselves.
void PartsCommandsTogether(Context& c) {
  constexpr uint64_t kAll = kPartsCommands | kObjectCommands;
  AdminDriver admin(c);
  admin.Up();
  const uint64_t list = ReadList(c, admin);
  const bool any = (list & kPartsCommands) != 0;
  c.Expect(Accept::Masked(any ? kAll : kPartsCommands, any ? kAll : 0),
           "dev.admin.group-cmds.device-parts.1",
           "all or none of the commands for device parts are in the list");
}

}  // namespace

void AddAdminListChecks(std::vector<Check>& list) {
  const Needs needs = AdminNeeds();
  list.push_back({.id = "admin.list.query",
                  .title = "LIST_QUERY succeeds and lists itself and LIST_USE",
                  .section = "2.12.1",
                  .requirements = {kSucceeds, kAlwaysListed},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-success-not-ok", "admin-list-without-itself"},
                  .run = ListsCommands});
  list.push_back(
      {.id = "admin.list.first-commands",
       .title = "Until LIST_USE succeeds, no command but LIST_QUERY and LIST_USE is legal",
       .section = "2.12.1.5",
       .requirements = {kFirstList, kNotInList},
       .tags = {"admin", "hostile"},
       .needs = needs,
       .faults = {"admin-all-legal-at-first", "admin-list-survives-reset", "admin-list-ignored",
                  "admin-not-in-list-wrong"},
       .run = OnlyFirstCommandsAtFirst});
  list.push_back({.id = "admin.list.use",
                  .title = "The commands of the last successful LIST_USE are the legal ones",
                  .section = "2.12.1.5",
                  .requirements = {kListTaken, kNotInList},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-list-only-grows", "admin-list-not-taken", "admin-list-ignored",
                             "admin-not-in-list-wrong"},
                  .run = UsesTheListGiven});
  list.push_back({.id = "admin.list.without-itself",
                  .title = "A list without LIST_QUERY and LIST_USE blocks them until a reset",
                  .section = "2.12.1.5",
                  .requirements = {kListTaken, kNotInList, kFirstList},
                  .tags = {"admin", "odd"},
                  .needs = needs,
                  .faults = {"admin-list-only-grows", "admin-list-survives-reset"},
                  .run = UsesAListWithoutItself});
  list.push_back({.id = "admin.list.never-shrinks",
                  .title = "A command that LIST_QUERY reported once is reported from then on",
                  .section = "2.12.1.5",
                  .requirements = {kNoShrinking},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-list-shrinks"},
                  .run = NeverShrinks});
  list.push_back({.id = "admin.list.same-after-reset",
                  .title = "A list of commands that was taken before is taken after a reset",
                  .section = "2.12.1.5",
                  .requirements = {kSameListAgain},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-list-refused-again"},
                  .run = SameListAfterReset});
  list.push_back({.id = "admin.list.not-offered",
                  .title = "A refused list with commands that are not there leaves the one in use",
                  .section = "2.12.1.5",
                  .requirements = {kNoSideEffects, "dev.admin.group-cmds.3"},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-refused-list-taken"},
                  .run = ListsThatWereNotOffered});
  list.push_back({.id = "admin.list.legacy-commands",
                  .title = "Commands for legacy access are listed all together or not at all",
                  .section = "2.12.1.1.6",
                  .requirements = {"dev.admin.group-cmds.legacy-interface.1",
                                   "dev.admin.group-cmds.legacy-interface.12"},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-legacy-some", "admin-legacy-notify-alone"},
                  .run = LegacyCommandsTogether});
  list.push_back({.id = "admin.list.capability-commands",
                  .title = "Commands for capabilities are listed all together or not at all",
                  .section = "2.12.1.2.4",
                  .requirements = {"dev.admin.group-cmds.device-and-driver-capabilities.1"},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-cap-commands-some"},
                  .run = CapabilityCommandsTogether});
  list.push_back({.id = "admin.list.device-parts-commands",
                  .title = "Commands for device parts are listed all together or not at all",
                  .section = "2.12.1.4.4.1",
                  .requirements = {"dev.admin.group-cmds.device-parts.1"},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-parts-some"},
                  .run = PartsCommandsTogether});
}

}  // namespace vitro
