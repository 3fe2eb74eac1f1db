// SPDX-License-Identifier: Apache-2.0
// AdminGroup: one device group (2.12) as its owner sees it: who belongs to it, and what the
// commands for it do. The lists of commands, LIST_QUERY and LIST_USE are Administration's.
#pragma once

#include <cstdint>

#include "devices/ref/admin/command.h"

namespace vitro::ref {

class AdminGroup {
 public:
  using List = uint64_t;  // bit n: opcode n
  static constexpr List Bit(uint16_t opcode) { return List{1} << opcode; }

  virtual ~AdminGroup() = default;

  // Does the group exist as things stand?
  virtual bool Exists() const { return true; }
  virtual bool HasMember(uint64_t id) const = 0;
  // What it knows beside LIST_QUERY and LIST_USE.
  virtual List Commands() const = 0;
  // `command` is one of these, in the list that the driver uses, and for a member.
  virtual AdminAnswer CarryOut(const AdminCommand& command) = 0;
  // After each command, of whatever group.
  virtual void CommandEnded() {}
  // Device reset of the owner.
  virtual void Reset() {}
};

}  // namespace vitro::ref
