// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/sriov_group.h"

#include <algorithm>

#include "devices/pci/layout.h"

namespace vitro::pcidev {
namespace {

using ref::AdminAnswer;
using ref::AdminCommand;

constexpr ref::AdminGroup::List Range(uint16_t first, uint16_t last) {
  ref::AdminGroup::List list = 0;
  for (uint16_t opcode = first; opcode <= last; ++opcode) list |= ref::AdminGroup::Bit(opcode);
  return list;
}

AdminAnswer BadField() { return AdminAnswer::Invalid(admin::kQInvalidField); }

ByteView DataFrom(const AdminCommand& command, size_t at) {
  return ByteView(command.data).subspan(std::min(at, command.data.size()));
}

Bytes WithCount(const Parts& parts) {
  Bytes bytes = LeBytes(parts.size(), admin::kMetadataHeaders);
  for (const Part& part : parts) AppendHeader(bytes, part);
  return bytes;
}

}  // namespace

// Members
// -----------------------------------------------------------------------------------------

void SriovGroup::SetVfs(bool enable, uint32_t count) {
  if (enable && !enabled_) {
    count_ = std::min<uint32_t>(count, static_cast<uint32_t>(members_.size()));
    for (const auto& member : members_) member->PowerOn();
    objects_.clear();
    gets_.clear();
  }
  enabled_ = enable;
}

Member* SriovGroup::Find(uint64_t id) const {
  if (!enabled_ || id == 0 || id > count_) return nullptr;
  return members_[id - 1].get();
}

bool SriovGroup::HasMember(uint64_t id) const {
  if (id > UINT32_MAX && fault_("sriov-member-crash")) ref::Crash();
  if (id == 0) return fault_("sriov-member-zero-taken");
  return id <= count_ ||
         (fault_("sriov-group-without-enable") && !enabled_ && id <= members_.size()) ||
         (fault_("sriov-member-beyond-taken") && id <= members_.size() + 1);
}

uint32_t SriovGroup::Objects(uint8_t kind) const {
  uint32_t most = 0;
  for (const auto& [member, objects] : objects_)
    most = std::max(most, static_cast<uint32_t>(std::count_if(
                              objects.begin(), objects.end(),
                              [&](const auto& each) { return each.second == kind; })));
  return most;
}

void SriovGroup::Reset() {
  objects_.clear();
  gets_.clear();
}

// Commands
// ----------------------------------------------------------------------------------------

ref::AdminGroup::List SriovGroup::Commands() const {
  const uint16_t last =
      fault_("sriov-parts-commands-some") ? admin::kDevPartsSet : admin::kDevModeSet;
  const List missing = fault_("sriov-legacy-commands-some") ? Bit(admin::kLegacyDevCfgRead) : 0;
  return (Range(admin::kLegacyCommonCfgWrite, admin::kLegacyNotifyInfo) & ~missing) |
         Range(admin::kResourceObjCreate, last);
}

AdminAnswer SriovGroup::CarryOut(const AdminCommand& command) {
  // Faults let other ids pass, for the first or the last member.
  const uint64_t id = std::clamp<uint64_t>(command.member, 1, members_.size());
  Member& member = *members_[fault_("sriov-legacy-wrong-member") ? 0 : id - 1];
  if (command.opcode == admin::kLegacyNotifyInfo) return NotifyInfo(id);
  if (command.opcode < admin::kLegacyNotifyInfo) return LegacyAccess(member, command);
  if (command.opcode <= admin::kResourceObjDestroy) return ObjectCommand(command);
  if (command.opcode == admin::kDevModeSet) return SetMode(member, command);
  return PartsCommand(member, command);
}

AdminAnswer SriovGroup::LegacyAccess(Member& member, const AdminCommand& command) {
  const uint32_t offset = command.Get<uint8_t>(admin::kLegacyOffset);
  std::optional<Bytes> read;
  bool written = false;
  switch (command.opcode) {
    case admin::kLegacyCommonCfgWrite:
      written = member.WriteCommon(offset, DataFrom(command, admin::kLegacyData));
      break;
    case admin::kLegacyCommonCfgRead:
      read = member.ReadCommon(offset, std::min<uint64_t>(command.room, 256));
      break;
    case admin::kLegacyDevCfgWrite:
      written = member.WriteConfig(offset, DataFrom(command, admin::kLegacyData));
      break;
    case admin::kLegacyDevCfgRead:
      read = member.ReadConfig(offset, std::min<uint64_t>(command.room, 256));
      break;
  }
  if (read) return AdminAnswer::Of(std::move(*read));
  return written ? AdminAnswer() : BadField();
}

AdminAnswer SriovGroup::NotifyInfo(uint64_t member) const {
  Bytes result(admin::kNotifyInfoEntries * admin::kNotifyInfoBytes);
  const uint32_t valid = fault_("sriov-notify-info-full") ? admin::kNotifyInfoEntries : 1;
  for (uint32_t i = 0; i < valid; ++i) {
    uint8_t* entry = &result[i * admin::kNotifyInfoBytes];
    entry[admin::kNotifyInfoFlags] = admin::kNotifyInfoOwner;
    entry[admin::kNotifyInfoBar] =
        static_cast<uint8_t>(fault_("sriov-notify-bar-missing") ? 3 : kMainBar);
    const uint64_t odd = fault_("sriov-notify-offset-odd") ? 1 : 0;
    StoreLe<uint64_t>(&entry[admin::kNotifyInfoOffset],
                      notify_at_ + (member - 1) * kLegacyNotifyStride + odd);
  }
  return AdminAnswer::Of(std::move(result));
}

// Device parts objects (2.12.1.4.2)
// ---------------------------------------------------------------

AdminAnswer SriovGroup::ObjectCommand(const AdminCommand& command) {
  if (command.Get<uint16_t>(admin::kObjType) != admin::kObjDevParts)
    return AdminAnswer::Error(admin::kEnxio);
  if (command.opcode == admin::kResourceObjCreate) return CreateObject(command);
  auto& objects = objects_[command.member];
  const auto it = objects.find(command.Get<uint32_t>(admin::kObjId));
  if (it == objects.end()) return AdminAnswer::Error(admin::kEnxio);
  if (command.opcode == admin::kResourceObjQuery)
    return AdminAnswer::Of(LeBytes(it->second, admin::kObjDevPartsBytes));
  if (command.opcode == admin::kResourceObjDestroy) {
    objects.erase(it);
    return {};
  }
  const auto kind = command.Get<uint8_t>(admin::kObjData);
  if (kind > admin::kDevPartsSets || command.Get<uint64_t>(admin::kObjFlags) != 0)
    return BadField();
  it->second = kind;
  return {};
}

AdminAnswer SriovGroup::CreateObject(const AdminCommand& command) {
  const auto id = command.Get<uint32_t>(admin::kObjId);
  const auto kind = command.Get<uint8_t>(admin::kObjData);
  auto& objects = objects_[command.member];
  if (kind > admin::kDevPartsSets || command.Get<uint64_t>(admin::kObjFlags) != 0 ||
      id >= std::max(limits_[0], limits_[1]))
    return BadField();
  if (objects.contains(id)) return AdminAnswer::Error(admin::kEexist);
  const auto same = std::count_if(objects.begin(), objects.end(),
                                  [&](const auto& each) { return each.second == kind; });
  if (same >= limits_[kind]) return AdminAnswer::Error(admin::kEnospc, admin::kQNoResource);
  objects[id] = kind;
  return {};
}

// Device parts (2.12.1.4.3)
// -----------------------------------------------------------------------

AdminAnswer SriovGroup::PartsCommand(Member& member, const AdminCommand& command) {
  if (command.Get<uint16_t>(admin::kObjType) != admin::kObjDevParts)
    return AdminAnswer::Error(admin::kEnxio);
  const auto& objects = objects_[command.member];
  const auto it = objects.find(command.Get<uint32_t>(admin::kObjId));
  const bool sets = command.opcode == admin::kDevPartsSet;
  if (!fault_("sriov-parts-object-ignored")) {
    if (it == objects.end()) return AdminAnswer::Error(admin::kEnxio);
    if ((it->second == admin::kDevPartsSets) != sets) return BadField();
  }
  if (sets) return SetParts(member, command);
  return command.opcode == admin::kDevPartsGet ? GetParts(member, command)
                                               : Metadata(member, command);
}

Parts SriovGroup::InOrder(Parts parts, bool metadata) const {
  if (fault_("sriov-metadata-reversed") && metadata) std::reverse(parts.begin(), parts.end());
  if (metadata || parts.size() < 4) return parts;
  if (fault_("sriov-parts-driver-first")) std::swap(parts[0], parts[1]);
  if (fault_("sriov-parts-config-first"))
    std::rotate(parts.begin(), parts.begin() + 2, parts.begin() + 3);
  if (fault_("sriov-parts-status-last")) std::swap(parts[3], parts.back());
  return parts;
}

AdminAnswer SriovGroup::Metadata(Member& member, const AdminCommand& command) {
  const Parts parts = InOrder(member.GetParts(), true);
  Bytes result;
  switch (command.Get<uint8_t>(admin::kPartsType)) {
    case admin::kMetadataSize:
      result = LeBytes(EncodeParts(parts).size(), admin::kUnit);
      break;
    case admin::kMetadataCount:
      result = LeBytes(parts.size(), admin::kUnit);
      break;
    case admin::kMetadataList:
      result = WithCount(parts);
      break;
    default:
      return BadField();
  }
  if (command.room < result.size()) return AdminAnswer::Error(admin::kEnomem);
  return AdminAnswer::Of(std::move(result));
}

AdminAnswer SriovGroup::GetParts(Member& member, const AdminCommand& command) {
  const auto type = command.Get<uint8_t>(admin::kPartsType);
  if (type > admin::kGetAll) return BadField();
  if (++gets_[command.member] > 1 && fault_("sriov-parts-get-once"))
    return AdminAnswer::Error(admin::kEnospc, admin::kQNoResource);
  const Parts all = member.GetParts();
  if (type == admin::kGetAll) return AdminAnswer::Of(EncodeParts(InOrder(all, false)));
  const Parts wanted = DecodeHeaders(DataFrom(command, admin::kPartsSelected));
  Parts selected;
  if (fault_("sriov-parts-order-of-request")) {
    for (const Part& part : wanted)
      if (const Part* have = pcidev::Find(all, part)) selected.push_back(*have);
  } else {
    for (const Part& part : all)
      if (pcidev::Find(wanted, part) != nullptr) selected.push_back(part);
  }
  return AdminAnswer::Of(EncodeParts(selected));
}

AdminAnswer SriovGroup::SetParts(Member& member, const AdminCommand& command) {
  if (!member.stopped() && !fault_("sriov-parts-set-running"))
    return AdminAnswer::Error(admin::kEbusy);
  const auto parts = DecodeParts(DataFrom(command, admin::kPartsToSet));
  if (!parts && fault_("sriov-parts-cut-crash")) ref::Crash();
  return parts && member.SetParts(*parts) ? AdminAnswer() : BadField();
}

AdminAnswer SriovGroup::SetMode(Member& member, const AdminCommand& command) {
  const auto flags = command.Get<uint8_t>(0);
  if ((flags & ~admin::kModeStopped) != 0) return BadField();
  const bool stop = (flags & admin::kModeStopped) != 0;
  if (stop == member.stopped() && fault_(stop ? ref::FaultId("sriov-stop-again-fails")
                                              : ref::FaultId("sriov-resume-again-fails")))
    return AdminAnswer::Error(admin::kEbusy);
  stop ? member.Stop() : member.Resume();
  return {};
}

// The owner's self group
// --------------------------------------------------------------------------

ref::AdminGroup::List OwnerGroup::Commands() const {
  return Range(admin::kCapIdListQuery, admin::kDriverCapSet);
}

AdminAnswer OwnerGroup::CarryOut(const AdminCommand& command) {
  if (command.opcode == admin::kCapIdListQuery)
    return AdminAnswer::Of(LeBytes(Bit(admin::kCapDevParts), admin::kUnit));
  if (command.Get<uint16_t>(0) != admin::kCapDevParts) return AdminAnswer::Error(admin::kEnxio);
  if (command.opcode == admin::kDeviceCapGet)
    return AdminAnswer::Of(LeBytes(kLimits[0] | uint64_t{kLimits[1]} << 8, admin::kUnit));
  return SetCapability(command);
}

AdminAnswer OwnerGroup::SetCapability(const AdminCommand& command) {
  const PartsLimits limits = {command.Get<uint8_t>(admin::kCapData),
                              command.Get<uint8_t>(admin::kCapData + 1)};
  for (uint8_t kind : {admin::kDevPartsGets, admin::kDevPartsSets}) {
    if (limits[kind] > kLimits[kind]) return BadField();
    if (limits[kind] < members_.Objects(kind)) return AdminAnswer::Error(admin::kEbusy);
  }
  members_.SetLimits(limits);
  return {};
}

}  // namespace vitro::pcidev
