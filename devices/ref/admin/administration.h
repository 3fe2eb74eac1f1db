// SPDX-License-Identifier: Apache-2.0
// Administration: what stands behind the administration virtqueues of the reference experimental
// device (2.12, 2.13). It has the self group only and no SR-IOV, so that commands for the SR-IOV
// group, and all that is defined for that group alone (legacy access, device parts), are answered
// as the standard wants it of such a device. Capabilities and resource objects: objects.h.
//
// Lengths: what the driver did not supply reads as zero, what it has no room for is dropped, what
// it supplied beyond the structures is left alone. Options: busy=1 answers each third command with
// EAGAIN; numbers=text has MODIFY and QUERY under the numbers of the text on them instead of those
// of the table of opcodes.
#pragma once

#include <cstdint>
#include <set>

#include "devices/ref/admin/command.h"
#include "devices/ref/admin/objects.h"
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
  Administration(const FaultSwitch& fault, AdminOptions options)
      : fault_(fault), options_(options), objects_(fault) {}

  // Serves one command. False if guest memory could not be accessed.
  bool Serve(Chain& chain);
  void Reset();

 private:
  using List = uint64_t;  // bit n: opcode n
  static constexpr List kFirst = 0x3;

  bool ReadCommand(const Chain& chain, AdminCommand& command, bool& reserved_clear);
  AdminAnswer Process(const AdminCommand& command, bool reserved_clear);
  // What is wrong with the command whatever it is; OK if nothing is.
  AdminAnswer Validate(const AdminCommand& command) const;
  AdminAnswer CarryOut(const AdminCommand& command);
  bool LengthsRefused(const Chain& chain, const AdminCommand& command) const;
  bool Reply(Chain& chain, const AdminAnswer& answer) const;

  List Supported() const;
  AdminAnswer ListQuery();
  AdminAnswer ListUse(const AdminCommand& command);

  const FaultSwitch& fault_;
  AdminOptions options_;
  AdminObjects objects_;
  List used_ = kFirst;
  bool used_set_ = false;
  std::set<List> taken_, before_;  // fault "admin-list-refused-again": since and before a reset
  uint32_t commands_ = 0;
};

}  // namespace vitro::ref
