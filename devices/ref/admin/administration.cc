// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/admin/administration.h"

#include <algorithm>

namespace vitro::ref {
namespace {

constexpr uint64_t kMostRead = 4096;   // no command here is longer
constexpr uint64_t kMostWrite = 4096;  // what a fault writes at most

// Bytes of command_specific_data that a command has at least.
uint64_t DataLength(uint16_t opcode) {
  switch (opcode) {
    case admin::kListUse:
    case admin::kDeviceCapGet:
    case admin::kResourceObjDestroy:
      return 8;
    case admin::kDriverCapSet:
    case admin::kResourceObjQuery:
      return 16;
    case admin::kResourceObjCreate:
    case admin::kResourceObjModify:
      return 32;
    default:
      return 0;
  }
}

}  // namespace

AdminOptions ReadAdminOptions(Options& options, const FaultSwitch& fault) {
  AdminOptions admin;
  admin.busy =
      options.Flag("busy") || fault("admin-again-created") || fault("admin-again-list-taken");
  const std::string numbers = options.Text("numbers", "table");
  if (numbers != "table" && numbers != "text")
    options.Complain("option 'numbers' is neither table nor text");
  admin.numbers_of_text = numbers == "text";
  return admin;
}

void Administration::Reset() {
  for (auto& [type, lists] : lists_) {
    lists.before.insert(lists.taken.begin(), lists.taken.end());
    lists.taken.clear();
    if (!fault_("admin-list-survives-reset")) lists.used = kFirst;
    lists.set = false;
  }
  commands_ = 0;
  for (const auto& [type, group] : groups_) group->Reset();
}

// The buffer (2.13)
// -------------------------------------------------------------------------------

bool Administration::ReadCommand(const Chain& chain, AdminCommand& command, bool& reserved_clear) {
  uint64_t size = std::min(chain.readable_bytes(), kMostRead);
  if (fault_("admin-header-in-one-descriptor") && !chain.readable().empty())
    size = std::min<uint64_t>(size, chain.readable().front().length);
  if (fault_("admin-short-header-crash") && size < admin::kUnit) Crash();
  command.absent = fault_("admin-short-readable-garbage") ? 0xff : 0;
  Bytes bytes(size);
  if (!chain.Read(0, bytes.data(), size)) return false;
  bytes.resize(std::max<size_t>(bytes.size(), admin::kData), command.absent);
  command.opcode = LoadLe<uint16_t>(&bytes[admin::kOpcode]);
  if (fault_("admin-opcode-8-bit")) command.opcode &= 0xff;
  command.group = LoadLe<uint16_t>(&bytes[admin::kGroupType]);
  command.member = LoadLe<uint64_t>(&bytes[admin::kMemberId]);
  reserved_clear = std::all_of(&bytes[admin::kReserved], &bytes[admin::kMemberId],
                               [](uint8_t byte) { return byte == 0; });
  command.data.assign(bytes.begin() + admin::kData, bytes.end());
  command.room =
      chain.writable_bytes() - std::min<uint64_t>(chain.writable_bytes(), admin::kResult);
  return true;
}

bool Administration::LengthsRefused(const Chain& chain, const AdminCommand& command) const {
  const uint64_t expected = admin::kData + DataLength(command.opcode);
  if (fault_("admin-short-readable-refused") && chain.readable_bytes() < expected) return true;
  if (fault_("admin-long-readable-refused") && chain.readable_bytes() > expected) return true;
  return fault_("admin-short-writable-refused") && command.opcode == admin::kListQuery &&
         chain.writable_bytes() < admin::kResult + admin::kUnit;
}

bool Administration::Reply(Chain& chain, const AdminAnswer& answer) const {
  Bytes bytes = LeBytes(answer.status | uint64_t{answer.qualifier} << 16, admin::kResult);
  if (fault_("admin-reply-reserved-not-zero")) bytes[admin::kReplyReserved] = 1;
  if (fault_("admin-qualifier-with-ok") && answer.status == admin::kOk)
    bytes[admin::kQualifier] = admin::kQInvalidCommand;
  if (fault_("admin-success-not-ok") && answer.status == admin::kOk) bytes[admin::kStatus] = 1;
  bytes.insert(bytes.end(), answer.result.begin(), answer.result.end());
  if (fault_("admin-partial-reply") && answer.result.empty()) bytes.resize(admin::kReplyReserved);
  if (fault_("admin-long-writable-filled"))
    bytes.resize(std::max<size_t>(bytes.size(), std::min(chain.writable_bytes(), kMostWrite)));
  const size_t wanted = bytes.size();
  bytes.resize(std::min<size_t>(wanted, chain.writable_bytes()));
  if (fault_("admin-short-writable-silent") && bytes.size() < wanted) return true;
  if (fault_("admin-ok-not-written") && answer.status == admin::kOk && answer.result.empty()) {
    chain.Claim(bytes.size());
    return true;
  }
  return bytes.empty() || chain.Write(0, bytes.data(), bytes.size());
}

bool Administration::Serve(Chain& chain) {
  AdminCommand command;
  bool reserved_clear = true;
  if (!ReadCommand(chain, command, reserved_clear)) return false;
  const AdminAnswer answer = LengthsRefused(chain, command)
                                 ? AdminAnswer::Invalid(admin::kQInvalidCommand)
                                 : Process(command, reserved_clear);
  for (const auto& [type, group] : groups_) group->CommandEnded();
  if (answer.status == admin::kEinval && fault_("admin-einval-drops-list"))
    ListsOf(command.group).used = kFirst;
  if (!Reply(chain, answer)) return false;
  return answer.status != admin::kEinval || !fault_("admin-einval-breaks");
}

// Commands (2.12.1)
// -------------------------------------------------------------------------------

AdminGroup* Administration::Find(uint16_t type) const {
  if (type == admin::kGroupSrIov && fault_("admin-sriov-group-served"))
    return Find(admin::kGroupSelf);
  const auto it = groups_.find(type);
  return it == groups_.end() || !it->second->Exists() ? nullptr : it->second;
}

Administration::Lists& Administration::ListsOf(uint16_t type) {
  return lists_[fault_("sriov-lists-shared") || !groups_.contains(type) ? admin::kGroupSelf : type];
}

bool Administration::IsMember(const AdminCommand& command) const {
  // With fault "admin-sriov-group-served" it is the self group's member.
  const uint64_t shift = groups_.contains(command.group) ? 0 : 1;
  return Find(command.group)->HasMember(command.member - shift);
}

AdminAnswer Administration::Validate(const AdminCommand& command) {
  const AdminGroup* group = Find(command.group);
  const AdminGroup& asked = group != nullptr ? *group : *Find(admin::kGroupSelf);
  const List bit = command.opcode < 64 ? AdminGroup::Bit(command.opcode) : 0;
  const bool known = (Supported(asked) & bit) != 0;
  if (fault_("admin-opcode-before-group") && !known)
    return AdminAnswer::Invalid(admin::kQInvalidOpcode);
  if (group == nullptr)
    return AdminAnswer::Invalid(fault_("admin-invalid-group-wrong") ? admin::kQInvalidCommand
                                                                    : admin::kQInvalidGroup);
  if (!known && fault_("admin-invalid-opcode-wrong"))
    return AdminAnswer::Invalid(admin::kQInvalidCommand);
  if (!known) return AdminAnswer::Invalid(admin::kQInvalidOpcode);
  const Lists& lists = ListsOf(command.group);
  const bool listed = (lists.used & bit) != 0;
  if (!listed && !fault_("admin-list-ignored") &&
      !(fault_("admin-all-legal-at-first") && !lists.set))
    return AdminAnswer::Invalid(fault_("admin-not-in-list-wrong") ? admin::kQInvalidCommand
                                                                  : admin::kQInvalidOpcode);
  const bool member_used = (kFirst & bit) == 0;
  if (!IsMember(command) && !fault_("admin-member-ignored") &&
      (member_used || fault_("admin-member-always-checked")))
    return AdminAnswer::Invalid(admin::kQInvalidMember);
  return {};
}

AdminAnswer Administration::Process(const AdminCommand& command, bool reserved_clear) {
  if (fault_("admin-reserved-checked") && !reserved_clear)
    return AdminAnswer::Invalid(admin::kQInvalidCommand);
  if (fault_("admin-invalid-opcode-ok") && command.group == admin::kGroupSelf &&
      (command.opcode >= 64 ||
       (Supported(*Find(command.group)) & AdminGroup::Bit(command.opcode)) == 0))
    return {};
  const AdminAnswer verdict = Validate(command);
  if (verdict.status != admin::kOk) return verdict;
  if (busy_ && ++commands_ % 3 == 0) {
    if ((fault_("admin-again-created") && command.opcode == admin::kResourceObjCreate) ||
        (fault_("admin-again-list-taken") && command.opcode == admin::kListUse))
      CarryOut(command);
    return AdminAnswer::Error(admin::kEagain, admin::kQTryAgain);
  }
  return CarryOut(command);
}

AdminAnswer Administration::CarryOut(const AdminCommand& command) {
  if (command.opcode == admin::kListQuery) return ListQuery(command);
  if (command.opcode == admin::kListUse) return ListUse(command);
  return Find(command.group)->CarryOut(command);
}

AdminAnswer Administration::ListQuery(const AdminCommand& command) {
  const Lists& lists = ListsOf(command.group);
  List list =
      fault_("admin-list-shrinks") && lists.set ? lists.used : Supported(*Find(command.group));
  if (fault_("admin-list-without-itself")) list &= ~kFirst;
  return AdminAnswer::Of(LeBytes(list, admin::kUnit));
}

AdminAnswer Administration::ListUse(const AdminCommand& command) {
  Lists& lists = ListsOf(command.group);
  const List list = command.Get<List>(0);
  const bool bad = (list & ~Supported(*Find(command.group))) != 0 ||
                   (fault_("admin-list-refused-again") && lists.before.contains(list));
  if (bad && fault_("admin-refused-list-taken")) lists.used = list;
  if (bad) return AdminAnswer::Invalid(admin::kQInvalidField);
  if (!fault_("admin-list-not-taken"))
    lists.used = fault_("admin-list-only-grows") ? lists.used | list : list;
  lists.set = true;
  lists.taken.insert(list);
  return {};
}

}  // namespace vitro::ref
