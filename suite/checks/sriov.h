// SPDX-License-Identifier: Apache-2.0
// The driver of a physical function (2.12, 4.1): finds the SR-IOV capability, enables virtual
// functions and sends commands to them as members of the group; and a legacy driver of one member,
// which reaches it through commands alone (2.12.1.1). Knows the standard and PCI's registers only.
//
//   SriovDriver owner(c);
//   owner.Up();
//   LegacyMember member(c, owner, 1);
//   member.Begin();
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "suite/checks/admin_command.h"
#include "suite/checks/pci_registers.h"

namespace vitro {

// Features, abilities: what all checks of an SR-IOV group need.
Needs SriovNeeds();

// The position of the SR-IOV extended capability; nothing if there is none. Ends the check where
// extended configuration space is not reached.
std::optional<uint32_t> FindSriov(Context& c);

// Where in region "pci" a capability of the virtual function lies whose configuration space begins
// at `base`; 0 if it has none of that id.
uint32_t FindVfCapability(Context& c, uint32_t base, uint8_t id);

class SriovDriver {
 public:
  explicit SriovDriver(Context& c) : c_(c), admin_(c) {}

  // Brings the device up with its administration virtqueues. Ends the check if it has no SR-IOV
  // capability or no virtual functions. None is enabled then.
  void Begin();
  // Begin(); enables `vfs` virtual functions, or as many as there are; has all commands of both
  // groups used. Ends the check if there are fewer than `least`, or if that fails.
  void Up(uint32_t vfs = 2, uint32_t least = 1);
  void Enable(uint32_t vfs);
  void Disable();
  uint32_t total() const { return total_; }
  uint32_t enabled() const { return enabled_; }
  uint32_t position() const { return position_; }
  // Where in region "pci" the configuration space of a virtual function begins, numbered from 1.
  uint32_t ConfigOf(uint64_t vf);

  AdminDriver& admin() { return admin_; }
  // The bitmap of commands listed for the group.
  uint64_t listed() const { return listed_; }
  bool Lists(uint16_t opcode) const { return (listed_ >> opcode & 1) != 0; }
  // Ends the check unless all of these are listed.
  void Need(std::initializer_list<uint16_t> opcodes);
  // LIST_QUERY and LIST_USE for the group. Some devices may want a member's id in them.
  AdminReply List();
  AdminReply Use(uint64_t opcodes);
  // All that is listed and that 1.4 knows, or the end of the check.
  void UseAll();
  AdminReply Send(AdminCommand command, uint64_t member);

  // Legacy access. `length`: of the data.
  AdminReply Read(uint16_t opcode, uint64_t member, uint32_t offset, uint32_t length);
  AdminReply Write(uint16_t opcode, uint64_t member, uint32_t offset, uint64_t value,
                   uint32_t length);

 private:
  Context& c_;
  AdminDriver admin_;
  uint32_t position_ = 0, total_ = 0, enabled_ = 0;
  uint64_t listed_ = 0, list_member_ = 0;
};

class LegacyMember {
 public:
  LegacyMember(Context& c, SriovDriver& owner, uint64_t id) : c_(c), owner_(owner), id_(id) {}

  // Ends the check unless the commands for legacy access are there and the type has requests.
  void Require();
  // Registers of the legacy header. `value` is in the driver's order; last() is as it was sent.
  uint64_t Common(uint32_t offset, uint32_t width);
  void SetCommon(uint32_t offset, uint32_t width, uint64_t value);
  void Reset();
  // Reset, status, features, queues up to the request queue, DRIVER_OK. Its rings are in memory
  // that is lent to it. Ends the check if there is no queue.
  void Begin();
  // Makes the n-th request of the grammar available.
  void Publish(uint64_t n);
  void Notify();
  uint32_t published() const { return published_; }
  uint32_t queue() const { return queue_; }
  uint32_t queue_address() const { return address_; }
  // Waits until the used index is `index`, or the member is at rest, or it took very long. The last
  // observation is the used index.
  void WaitUsedIdx(uint32_t index);
  // The ring and the device-writable buffers, as they are.
  struct Piece {
    uint64_t address = 0, length = 0;
  };
  const std::vector<Piece>& lent() const { return lent_; }

 private:
  bool SetupQueue(uint32_t queue, uint32_t size);
  uint64_t Lend(uint64_t length, uint64_t align);

  Context& c_;
  SriovDriver& owner_;
  const uint64_t id_;
  uint32_t queue_ = 0, size_ = 0, address_ = 0, published_ = 0, next_descriptor_ = 0;
  uint64_t desc_ = 0, avail_ = 0, used_ = 0;
  std::vector<Piece> lent_;
};

// Called by AddSriovChecks().
void AddSriovLegacyChecks(std::vector<Check>& list);
void AddSriovPartsChecks(std::vector<Check>& list);
void AddSriovModeChecks(std::vector<Check>& list);

}  // namespace vitro
