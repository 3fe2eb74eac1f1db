// SPDX-License-Identifier: Apache-2.0
// Device parts of a member from the owner's side (2.12.1.4, 2.14): the objects by which they are
// got and set, the member's mode, and the parts of an answer. One object exists at a time, so that
// the lowest limits will do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "suite/checks/sriov.h"

namespace vitro {

// A part as it stands in an answer.
struct DevicePart {
  uint16_t type = 0;
  uint8_t flags = 0;
  uint64_t selector = 0;
  Bytes value;
  uint32_t length = 0;   // as the header says
  uint64_t address = 0;  // of the header
  bool optional() const { return (flags & admin::kPartOptional) != 0; }
};
using DeviceParts = std::vector<DevicePart>;

Bytes EncodeParts(const DeviceParts& parts);
// "device features", "virtqueue 1"
std::string PartName(const DevicePart& part);
const DevicePart* FindPart(const DeviceParts& parts, uint16_t type, uint64_t selector = 0);

class PartsDriver {
 public:
  PartsDriver(Context& c, SriovDriver& owner, uint64_t member)
      : c_(c), owner_(owner), member_(member) {}

  // Sets the driver's capability to what the device has. Ends the check if the device has no
  // commands for parts, or no capability for them.
  void Begin();

  // Each has the object that it needs made first; the check ends if that fails.
  AdminReply Metadata(uint8_t type, uint32_t room);
  AdminReply Get(uint8_t type, const Bytes& headers = {});
  AdminReply Set(const Bytes& parts);
  AdminReply SetMode(uint8_t flags);
  // The same, or the end of the check.
  DeviceParts GetAll();
  void Stop();
  void Resume();

  // The parts of an answer to Get(), and the headers of one to Metadata().
  static DeviceParts PartsOf(const AdminReply& reply);
  static DeviceParts HeadersOf(const AdminReply& reply);
  // An object of this kind and id, in place of the one there is.
  AdminReply MakeObject(uint8_t kind, uint32_t id = 0);
  AdminCommand SetCommand(uint32_t object, const Bytes& parts) const;
  AdminCommand GetCommand(uint32_t object, uint8_t type, const Bytes& headers) const;

 private:
  void NeedObject(uint8_t kind);

  Context& c_;
  SriovDriver& owner_;
  const uint64_t member_;
  std::optional<uint8_t> object_;  // the kind of object 0
  uint32_t room_ = 0;              // for all parts
};

}  // namespace vitro
