// SPDX-License-Identifier: Apache-2.0
// Resource objects from the driver's side (2.12.1.3), for the checks that need some. What stands in
// an object is a matter of its type, so that a suite can only make objects of types that it knows:
// those of Vitro's experimental device, two of them, the second depending on the first.
#pragma once

#include "suite/checks/admin_command.h"

namespace vitro {

class ObjectDriver {
 public:
  ObjectDriver(Context& c, AdminDriver& admin) : c_(c), admin_(admin) {}

  // Brings the device up, has all commands used and, unless told otherwise, sets the driver's
  // capabilities to these limits. Ends the check if the device has no type that is known.
  void Begin(bool set_limits = true);
  // The same limits as the device, or lower ones; no check ends by that.
  AdminReply SetLimits(uint32_t bins, uint32_t flags, uint32_t labels);
  // What the device says of bins.
  uint32_t bin_limit() const { return bin_limit_; }
  uint32_t bin_flags() const { return bin_flags_; }
  uint32_t label_limit() const { return label_limit_; }

  static bool Known(const Context& c);
  static Bytes Bin(uint64_t colour, uint64_t weight);
  static Bytes Label(uint32_t bin, uint64_t value);
  static AdminCommand SetBins(uint32_t limit, uint32_t flags);

  AdminCommand CreateBin(uint32_t id, const Bytes& data) const;
  AdminReply Create(uint16_t type, uint32_t id, const Bytes& data);
  AdminReply Modify(uint16_t type, uint32_t id, const Bytes& data);
  AdminReply Query(uint16_t type, uint32_t id);
  AdminCommand QueryCommand(uint16_t type, uint32_t id) const;
  AdminReply Destroy(uint16_t type, uint32_t id);
  // Create, or the end of the check: a device may have limits of its own.
  void MustCreate(uint16_t type, uint32_t id, const Bytes& data);
  // Judges that a QUERY gives these data.
  void ExpectData(uint16_t type, uint32_t id, const Bytes& data, const std::string& requirement,
                  const std::string& because);

 private:
  // Which of the two disputed opcodes is QUERY: the one that gives data back.
  void FindQuery();

  Context& c_;
  AdminDriver& admin_;
  uint32_t bin_limit_ = 0, bin_flags_ = 0, label_limit_ = 0;
  uint16_t query_ = admin::kResourceObjQuery, modify_ = admin::kResourceObjModify;
};

// Called by AddAdminObjectChecks().
void AddAdminCapabilityChecks(std::vector<Check>& list);

}  // namespace vitro
