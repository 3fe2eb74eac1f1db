// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/admin_objects.h"

#include "harness/virtio/experimental.h"

namespace vitro {

namespace xp = experimental;

bool ObjectDriver::Known(const Context& c) { return IsVitroExperimental(c.facts()); }

Bytes ObjectDriver::Bin(uint64_t colour, uint64_t weight) {
  Bytes data = LeBytes(colour, 8);
  const Bytes second = LeBytes(weight, 8);
  data.insert(data.end(), second.begin(), second.end());
  return data;
}

Bytes ObjectDriver::Label(uint32_t bin, uint64_t value) { return Bin(bin, value); }

AdminCommand ObjectDriver::SetBins(uint32_t limit, uint32_t flags) {
  return DriverCapSet(xp::kCapBins, LeBytes(limit | uint64_t{flags} << 32, 8));
}

void ObjectDriver::Begin(bool set_limits) {
  if (!Known(c_))
    c_.NotApplicable(
        "what stands in an object depends on its type, and this suite knows none of this device");
  admin_.Up();
  admin_.UseAll();
  admin_.Need({admin::kResourceObjCreate, admin::kResourceObjQuery, admin::kResourceObjModify,
               admin::kResourceObjDestroy});
  const Bytes caps = admin_.Capabilities();
  auto get = [&](uint16_t id) -> uint64_t {
    if (!HasBit(caps, id))
      c_.NotApplicable(fmt::format("the device does not list capability {:#x}", id));
    const AdminReply reply = admin_.Send(DeviceCapGet(id));
    Bytes data = reply.result;
    data.resize(8);
    return reply.ok() ? LoadLe<uint64_t>(data.data()) : 0;
  };
  const uint64_t bins = get(xp::kCapBins);
  bin_limit_ = static_cast<uint32_t>(bins);
  bin_flags_ = static_cast<uint32_t>(bins >> 32);
  label_limit_ = static_cast<uint32_t>(get(xp::kCapLabels));
  if (bin_limit_ == 0 || label_limit_ == 0)
    c_.NotApplicable("the device has room for no objects of a known type");
  if (!set_limits) return;
  const AdminReply reply = SetLimits(bin_limit_, bin_flags_, label_limit_);
  if (!reply.ok())
    c_.NotApplicable("DRIVER_CAP_SET was answered " + StatusToText(reply.status, reply.qualifier));
  FindQuery();
}

AdminReply ObjectDriver::SetLimits(uint32_t bins, uint32_t flags, uint32_t labels) {
  const AdminReply first = admin_.Send(SetBins(bins, flags));
  if (!first.ok()) return first;
  return admin_.Send(DriverCapSet(xp::kCapLabels, LeBytes(labels, 8)));
}

void ObjectDriver::FindQuery() {
  for (const uint16_t opcode : {admin::kResourceObjQuery, admin::kResourceObjModify}) {
    MustCreate(xp::kTypeBin, 0, Bin(1, 2));
    const AdminReply reply =
        admin_.Send(ResourceCommand(opcode, xp::kTypeBin, 0, {}, xp::kObjectSize));
    const bool gives = reply.ok() && !reply.result.empty();
    Destroy(xp::kTypeBin, 0);
    if (!gives) continue;
    query_ = opcode;
    modify_ =
        opcode == admin::kResourceObjQuery ? admin::kResourceObjModify : admin::kResourceObjQuery;
    return;
  }
}

AdminCommand ObjectDriver::CreateBin(uint32_t id, const Bytes& data) const {
  return ResourceCommand(admin::kResourceObjCreate, xp::kTypeBin, id, data);
}

AdminReply ObjectDriver::Create(uint16_t type, uint32_t id, const Bytes& data) {
  return admin_.Send(ResourceCommand(admin::kResourceObjCreate, type, id, data));
}

AdminReply ObjectDriver::Modify(uint16_t type, uint32_t id, const Bytes& data) {
  AdminCommand command = ResourceCommand(admin::kResourceObjModify, type, id, data);
  command.opcode = modify_;
  return admin_.Send(command);
}

AdminCommand ObjectDriver::QueryCommand(uint16_t type, uint32_t id) const {
  AdminCommand command = ResourceCommand(admin::kResourceObjQuery, type, id, {}, xp::kObjectSize);
  command.opcode = query_;
  return command;
}

AdminReply ObjectDriver::Query(uint16_t type, uint32_t id) {
  return admin_.Send(QueryCommand(type, id));
}

AdminReply ObjectDriver::Destroy(uint16_t type, uint32_t id) {
  return admin_.Send(ResourceCommand(admin::kResourceObjDestroy, type, id));
}

void ObjectDriver::MustCreate(uint16_t type, uint32_t id, const Bytes& data) {
  const AdminReply reply = Create(type, id, data);
  if (!reply.ok())
    c_.NotApplicable(fmt::format("object {} of type {:#x} was not created: {}", id, type,
                                 StatusToText(reply.status, reply.qualifier)));
}

void ObjectDriver::ExpectData(uint16_t type, uint32_t id, const Bytes& data,
                              const std::string& requirement, const std::string& because) {
  const AdminReply reply = Query(type, id);
  admin_.ExpectOk(requirement, because);
  if (!reply.ok()) return;
  c_.Do(op::Read{reply.address + admin::kResult, data.size()});
  c_.Expect(Accept::SameBytes(data), requirement, because);
}

}  // namespace vitro
