// SPDX-License-Identifier: Apache-2.0
// SelfGroup: the group of the reference experimental device alone (2.12): capabilities and resource
// objects. All that is defined for SR-IOV groups only (legacy access, device parts) it has not.
#pragma once

#include "devices/ref/admin/group.h"
#include "devices/ref/admin/objects.h"
#include "devices/ref/faults.h"

namespace vitro::ref {

class SelfGroup : public AdminGroup {
 public:
  // `numbers_of_text`: MODIFY and QUERY have the numbers of the text on them instead of those of
  // the table of opcodes.
  SelfGroup(const FaultSwitch& fault, bool numbers_of_text)
      : fault_(fault), numbers_of_text_(numbers_of_text), objects_(fault) {}

  bool HasMember(uint64_t id) const override { return id == 0; }
  List Commands() const override;
  AdminAnswer CarryOut(const AdminCommand& command) override;
  void CommandEnded() override { objects_.CommandEnded(); }
  void Reset() override { objects_.Reset(); }

 private:
  const FaultSwitch& fault_;
  bool numbers_of_text_;
  AdminObjects objects_;
};

}  // namespace vitro::ref
