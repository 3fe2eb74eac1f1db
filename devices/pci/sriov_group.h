// SPDX-License-Identifier: Apache-2.0
// The groups of a physical function (2.12): the self group, which has the one capability that
// device parts need (2.12.1.4.1), and the SR-IOV group, whose members are the virtual functions:
// legacy access (2.12.1.1) and device parts (2.12.1.4).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "devices/pci/member.h"
#include "devices/ref/admin/group.h"

namespace vitro::pcidev {

// Most device parts objects of a kind (get, set) that each member may have.
using PartsLimits = std::array<uint8_t, 2>;

class SriovGroup : public ref::AdminGroup {
 public:
  SriovGroup(const FunctionOptions& options, std::vector<std::unique_ptr<Member>>& members)
      : fault_(options.fault), members_(members) {}
  // Where in the main BAR drivers notify the first member (LEGACY_NOTIFY_INFO).
  void SetNotifyAddress(uint64_t offset) { notify_at_ = offset; }

  // What VF Enable and NumVFs say.
  void SetVfs(bool enable, uint32_t count);
  // By the number of the virtual function; nullptr if there is none such now.
  Member* Find(uint64_t id) const;
  // Of the driver's capability.
  void SetLimits(PartsLimits limits) { limits_ = limits; }
  // The most objects of a kind that one member has.
  uint32_t Objects(uint8_t kind) const;

  bool Exists() const override { return enabled_ || fault_("sriov-group-without-enable"); }
  bool HasMember(uint64_t id) const override;
  List Commands() const override;
  ref::AdminAnswer CarryOut(const ref::AdminCommand& command) override;
  void Reset() override;

 private:
  using Command = ref::AdminCommand;
  using Answer = ref::AdminAnswer;

  Answer LegacyAccess(Member& member, const Command& command);
  Answer NotifyInfo(uint64_t member) const;
  Answer ObjectCommand(const Command& command);
  Answer CreateObject(const Command& command);
  Answer PartsCommand(Member& member, const Command& command);
  Answer Metadata(Member& member, const Command& command);
  Answer GetParts(Member& member, const Command& command);
  Answer SetParts(Member& member, const Command& command);
  Answer SetMode(Member& member, const Command& command);
  // What is to be answered: faults change what stands first.
  Parts InOrder(Parts parts, bool metadata) const;

  const ref::FaultSwitch fault_;
  std::vector<std::unique_ptr<Member>>& members_;
  uint64_t notify_at_ = 0;
  bool enabled_ = false;
  uint32_t count_ = 0;
  PartsLimits limits_{};
  std::map<uint64_t, std::map<uint32_t, uint8_t>> objects_;  // kind by id, by member
  std::map<uint64_t, uint32_t> gets_;                        // fault "sriov-parts-get-once"
};

class OwnerGroup : public ref::AdminGroup {
 public:
  explicit OwnerGroup(SriovGroup& members) : members_(members) {}
  static constexpr PartsLimits kLimits = {4, 4};

  bool HasMember(uint64_t id) const override { return id == 0; }
  List Commands() const override;
  ref::AdminAnswer CarryOut(const ref::AdminCommand& command) override;
  void Reset() override { members_.SetLimits({}); }

 private:
  ref::AdminAnswer SetCapability(const ref::AdminCommand& command);

  SriovGroup& members_;
};

}  // namespace vitro::pcidev
