// SPDX-License-Identifier: Apache-2.0
// Group administration commands from the driver's side (2.12.1, 2.13): what is put into a buffer,
// what is read out of it, and a driver that sends them. Knows the standard only; it shares nothing
// with the devices but the facts of harness/virtio/admin.h.
//
//   AdminDriver admin(c);
//   admin.Up();
//   const AdminReply reply = admin.Send(ListQuery());
//   admin.ExpectOk("dev.admin.group-cmds.5", "LIST_QUERY succeeds");
#pragma once

#include <string>
#include <vector>

#include "harness/virtio/admin.h"
#include "suite/checks/check.h"
#include "suite/checks/context.h"

namespace vitro {

// One command as a driver means it.
struct AdminCommand {
  std::string what;  // for people: "LIST_QUERY"
  uint16_t opcode = 0;
  Bytes data;           // command_specific_data
  uint32_t result = 0;  // bytes of room for command_specific_result
  uint16_t group = admin::kGroupSelf;
  uint64_t member = 0;
  uint8_t reserved = 0;  // each of the reserved bytes
  bool exact = false;    // the data end where they end: their length means something
};
// The device-readable part.
Bytes Encode(const AdminCommand& command);

// What a driver makes of the device-writable part: bytes that the device did not write are zero.
struct AdminReply {
  uint16_t status = 0, qualifier = 0;
  Bytes result;          // as long as the device wrote
  uint32_t length = 0;   // used length, no more than there was room for
  uint64_t address = 0;  // of the device-writable part, if that is one segment
  uint64_t seed = 0;     // of the poison that it held
  bool ok() const { return status == admin::kOk; }
};
AdminReply Decode(ByteView writable, uint32_t used_length);
// "EINVAL, INVALID_GROUP"
std::string StatusToText(uint16_t status, uint16_t qualifier);

// A bitmap of le64 (lists of commands and of capabilities).
bool HasBit(const Bytes& bitmap, uint32_t bit);

// The commands. Names of group types and members are put in by who wants others.
AdminCommand ListQuery();
AdminCommand ListUse(uint64_t opcodes);
AdminCommand CapIdListQuery();
AdminCommand DeviceCapGet(uint16_t id);
AdminCommand DriverCapSet(uint16_t id, const Bytes& data);
// `opcode`: one of the four. `data`: of the object, for CREATE and MODIFY; `result` for QUERY.
AdminCommand ResourceCommand(uint16_t opcode, uint16_t type, uint32_t id, const Bytes& data = {},
                             uint32_t result = 0);
// Any other opcode, with some data and some room.
AdminCommand OtherCommand(uint16_t opcode);

class AdminDriver {
 public:
  explicit AdminDriver(Context& c) : c_(c) {}

  // The initialisation sequence with VIRTIO_F_ADMIN_VQ and all administration virtqueues, at most
  // 8, beside queue 0. Ends the check if there is none. `queue_size`: at most this, 0 as elsewhere.
  // `with`: more features, which were offered.
  void Up(uint32_t queue_size = 0, FeatureSet with = {});
  uint32_t queue() const { return first_; }
  uint32_t queues() const { return count_; }
  // Has LIST_USE said that all commands will be used that the device lists and 1.4 knows. Ends the
  // check if that fails.
  void UseAll();
  // The opcodes listed when UseAll() or List() asked last, of the first 64.
  uint64_t listed() const { return listed_; }
  // Those among them that 1.4 knows: a driver uses no others.
  uint64_t usable() const;
  bool Lists(uint16_t opcode) const { return opcode < 64 && (listed_ >> opcode & 1) != 0; }
  // The whole bitmap of it.
  const Bytes& last_list() const { return last_list_; }
  // LIST_QUERY, or the end of the check.
  Bytes List();
  // The same for capabilities. Ends the check if the device has none of these commands.
  Bytes Capabilities();
  // Ends the check unless all of these are listed.
  void Need(std::initializer_list<uint16_t> opcodes);

  // Sends a command and has it answered; sends it again as long as the answer is EAGAIN. What holds
  // for all answers is judged. Ends the check if there is no answer.
  AdminReply Send(const AdminCommand& command);
  // The same without a structure: `readable` as it is, `writable` bytes of room.
  AdminReply SendBytes(const std::string& what, const Bytes& readable, uint32_t writable,
                       const Framing& framing = {});
  // Once only, whatever the answer.
  AdminReply SendOnce(const std::string& what, const Bytes& readable, uint32_t writable,
                      const Framing& framing = {});
  void UseQueue(uint32_t nth) { queue_ = first_ + nth; }

  // Judgements on the last answer, which was written to one segment.
  void ExpectOk(const std::string& requirement, const std::string& because);
  void ExpectFailure(const std::string& requirement, const std::string& because);
  void ExpectStatus(uint16_t status, const std::string& requirement, const std::string& because);
  // EINVAL with this qualifier.
  void ExpectInvalid(uint16_t qualifier, const std::string& requirement,
                     const std::string& because);
  // The answer as far as it was written, status and all, is the same as an earlier one.
  void ExpectSame(const AdminReply& earlier, const std::string& requirement,
                  const std::string& because);
  const AdminReply& last() const { return last_; }

 private:
  Context& c_;
  uint32_t first_ = 0, count_ = 0, queue_ = 0;
  uint64_t listed_ = 0;
  Bytes last_list_;
  AdminReply last_;
};

// What all checks of administration commands need.
Needs AdminNeeds();

}  // namespace vitro
