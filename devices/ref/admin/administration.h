// SPDX-License-Identifier: Apache-2.0
// Administration: what stands behind the administration virtqueues of a reference device (2.12,
// 2.13): it reads commands, validates them and keeps the list of commands for each group. What the
// commands do is the groups' business: self_group.h, devices/pci/sriov_group.h. Commands for groups
// that are not there are answered as the standard wants it.
//
// Lengths: what the driver did not supply reads as zero, what it has no room for is dropped, what
// it supplied beyond the structures is left alone. Options: busy=1 answers each third command with
// EAGAIN; numbers=text has MODIFY and QUERY under the numbers of the text on them instead of those
// of the table of opcodes.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "devices/ref/admin/command.h"
#include "devices/ref/admin/group.h"
#include "devices/ref/chain.h"
#include "devices/ref/faults.h"
#include "devices/ref/options.h"

namespace vitro::ref {

struct AdminOptions {
  bool busy = false;
  bool numbers_of_text = false;
};
AdminOptions ReadAdminOptions(Options& options, const FaultSwitch& fault);

class Administration {
 public:
  using Groups = std::map<uint16_t, AdminGroup*>;  // by group type; the self group is one of them

  Administration(const FaultSwitch& fault, bool busy, Groups groups)
      : fault_(fault), busy_(busy), groups_(std::move(groups)) {}

  // Serves one command. False if guest memory could not be accessed.
  bool Serve(Chain& chain);
  void Reset();

 private:
  using List = AdminGroup::List;
  static constexpr List kFirst =
      AdminGroup::Bit(admin::kListQuery) | AdminGroup::Bit(admin::kListUse);

  // What LIST_USE said of one group.
  struct Lists {
    List used = kFirst;
    bool set = false;
    std::set<List> taken, before;  // fault "admin-list-refused-again": since and before a reset
  };

  bool ReadCommand(const Chain& chain, AdminCommand& command, bool& reserved_clear);
  AdminAnswer Process(const AdminCommand& command, bool reserved_clear);
  // What is wrong with the command whatever it is; OK if nothing is.
  AdminAnswer Validate(const AdminCommand& command);
  bool IsMember(const AdminCommand& command) const;
  AdminAnswer CarryOut(const AdminCommand& command);
  bool LengthsRefused(const Chain& chain, const AdminCommand& command) const;
  bool Reply(Chain& chain, const AdminAnswer& answer) const;

  // nullptr if there is no such group now.
  AdminGroup* Find(uint16_t type) const;
  Lists& ListsOf(uint16_t type);
  static List Supported(const AdminGroup& group) { return kFirst | group.Commands(); }
  AdminAnswer ListQuery(const AdminCommand& command);
  AdminAnswer ListUse(const AdminCommand& command);

  const FaultSwitch& fault_;
  const bool busy_;
  const Groups groups_;
  std::map<uint16_t, Lists> lists_;
  uint32_t commands_ = 0;
};

}  // namespace vitro::ref
