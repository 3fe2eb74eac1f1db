// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/sriov_parts.h"

#include <algorithm>

namespace vitro {
namespace {

constexpr uint32_t kMostRoom = 64 << 10;  // bytes of parts that a driver takes
constexpr uint32_t kMostParts = 1024;

DevicePart HeaderAt(ByteView bytes, uint64_t address) {
  DevicePart part;
  part.type = LoadLe<uint16_t>(&bytes[admin::kPartType]);
  part.flags = bytes[admin::kPartFlags];
  part.selector = LoadLe<uint64_t>(&bytes[admin::kPartSelector]);
  part.length = LoadLe<uint32_t>(&bytes[admin::kPartLength]);
  part.address = address;
  return part;
}

}  // namespace

Bytes EncodeParts(const DeviceParts& parts) {
  Bytes bytes;
  for (const DevicePart& part : parts) {
    Bytes header(admin::kPartHeader);
    StoreLe<uint16_t>(&header[admin::kPartType], part.type);
    header[admin::kPartFlags] = part.flags;
    StoreLe<uint64_t>(&header[admin::kPartSelector], part.selector);
    StoreLe<uint32_t>(&header[admin::kPartLength], part.length);
    bytes.insert(bytes.end(), header.begin(), header.end());
    bytes.insert(bytes.end(), part.value.begin(), part.value.end());
  }
  return bytes;
}

std::string PartName(const DevicePart& part) {
  switch (part.type) {
    case admin::kPartDevFeatures:
      return "DEV_FEATURES";
    case admin::kPartDrvFeatures:
      return "DRV_FEATURES";
    case admin::kPartPciCommonCfg:
      return fmt::format("PCI_COMMON_CFG at {}", part.selector & UINT32_MAX);
    case admin::kPartDeviceStatus:
      return "DEVICE_STATUS";
    case admin::kPartVqCfg:
      return fmt::format("VQ_CFG of queue {}", part.selector & UINT16_MAX);
    case admin::kPartVqNotifyCfg:
      return fmt::format("VQ_NOTIFY_CFG of queue {}", part.selector & UINT16_MAX);
    default:
      return fmt::format("type {:#x}", part.type);
  }
}

const DevicePart* FindPart(const DeviceParts& parts, uint16_t type, uint64_t selector) {
  const auto it = std::find_if(parts.begin(), parts.end(), [&](const DevicePart& part) {
    return part.type == type && part.selector == selector;
  });
  return it == parts.end() ? nullptr : &*it;
}

void PartsDriver::Begin() {
  owner_.Need({admin::kResourceObjCreate, admin::kResourceObjDestroy, admin::kDevPartsMetadataGet,
               admin::kDevPartsGet, admin::kDevPartsSet, admin::kDevModeSet});
  AdminDriver& admin = owner_.admin();
  if (!HasBit(admin.Capabilities(), admin::kCapDevParts))
    c_.NotApplicable("the device does not list the capability for device parts");
  Bytes limits = admin.Send(DeviceCapGet(admin::kCapDevParts)).result;
  limits.resize(admin::kDevPartsCapBytes);
  const AdminReply reply = admin.Send(DriverCapSet(admin::kCapDevParts, limits));
  if (!reply.ok() || limits[0] == 0 || limits[1] == 0)
    c_.NotApplicable("the device has no room for device parts objects of both kinds");
}

AdminReply PartsDriver::MakeObject(uint8_t kind, uint32_t id) {
  if (object_)
    owner_.Send(ResourceCommand(admin::kResourceObjDestroy, admin::kObjDevParts, 0), member_);
  object_.reset();
  const AdminReply reply =
      owner_.Send(ResourceCommand(admin::kResourceObjCreate, admin::kObjDevParts, id,
                                  LeBytes(kind, admin::kObjDevPartsBytes)),
                  member_);
  if (reply.ok() && id == 0) object_ = kind;
  return reply;
}

void PartsDriver::NeedObject(uint8_t kind) {
  if (object_ == kind) return;
  const AdminReply reply = MakeObject(kind);
  if (!reply.ok())
    c_.NotApplicable("a device parts object was not created: " +
                     StatusToText(reply.status, reply.qualifier));
}

AdminReply PartsDriver::Metadata(uint8_t type, uint32_t room) {
  NeedObject(admin::kDevPartsGets);
  AdminCommand command{.what = fmt::format("DEV_PARTS_METADATA_GET of type {}", type),
                       .opcode = admin::kDevPartsMetadataGet,
                       .data = Bytes(admin::kPartsSelected),
                       .result = room};
  command.data[admin::kPartsType] = type;
  return owner_.Send(command, member_);
}

AdminCommand PartsDriver::GetCommand(uint32_t object, uint8_t type, const Bytes& headers) const {
  AdminCommand command{.what = type == admin::kGetAll ? "DEV_PARTS_GET of all parts"
                                                      : "DEV_PARTS_GET of selected parts",
                       .opcode = admin::kDevPartsGet,
                       .data = LeBytes(uint64_t{object} << 32, admin::kPartsSelected),
                       .result = std::max(room_, 256u)};
  command.data[admin::kPartsType] = type;
  command.data.insert(command.data.end(), headers.begin(), headers.end());
  return command;
}

AdminReply PartsDriver::Get(uint8_t type, const Bytes& headers) {
  if (room_ == 0) {
    Bytes size = Metadata(admin::kMetadataSize, 8).result;
    size.resize(8);
    room_ = std::min((LoadLe<uint32_t>(size.data()) + 7) & ~7u, kMostRoom);
  }
  NeedObject(admin::kDevPartsGets);
  return owner_.Send(GetCommand(0, type, headers), member_);
}

AdminCommand PartsDriver::SetCommand(uint32_t object, const Bytes& parts) const {
  AdminCommand command{.what = "DEV_PARTS_SET",
                       .opcode = admin::kDevPartsSet,
                       .data = LeBytes(uint64_t{object} << 32, admin::kPartsToSet)};
  command.data.insert(command.data.end(), parts.begin(), parts.end());
  return command;
}

AdminReply PartsDriver::Set(const Bytes& parts) {
  NeedObject(admin::kDevPartsSets);
  return owner_.Send(SetCommand(0, parts), member_);
}

AdminReply PartsDriver::SetMode(uint8_t flags) {
  return owner_.Send(
      {.what = flags == admin::kModeStopped ? "DEV_MODE_SET to stopped" : "DEV_MODE_SET to running",
       .opcode = admin::kDevModeSet,
       .data = LeBytes(flags, 1)},
      member_);
}

void PartsDriver::Stop() {
  const AdminReply reply = SetMode(admin::kModeStopped);
  if (!reply.ok())
    c_.NotApplicable("a member was not stopped: " + StatusToText(reply.status, reply.qualifier));
}

void PartsDriver::Resume() {
  const AdminReply reply = SetMode(0);
  if (!reply.ok())
    c_.NotApplicable("a member was not resumed: " + StatusToText(reply.status, reply.qualifier));
}

DeviceParts PartsDriver::GetAll() {
  const AdminReply reply = Get(admin::kGetAll);
  if (!reply.ok())
    c_.NotApplicable("DEV_PARTS_GET was answered " + StatusToText(reply.status, reply.qualifier));
  return PartsOf(reply);
}

// What follows the last part up to a multiple of 8 bytes is zero, as is a header that is none.
DeviceParts PartsDriver::PartsOf(const AdminReply& reply) {
  DeviceParts parts;
  const ByteView all(reply.result);
  size_t at = 0;
  while (at + admin::kPartHeader <= all.size() && parts.size() < kMostParts) {
    DevicePart part = HeaderAt(all.subspan(at), reply.address + admin::kResult + at);
    at += admin::kPartHeader;
    if (part.type == 0 || part.length > all.size() - at) break;
    const ByteView value = all.subspan(at, part.length);
    part.value.assign(value.begin(), value.end());
    at += part.length;
    parts.push_back(std::move(part));
  }
  return parts;
}

DeviceParts PartsDriver::HeadersOf(const AdminReply& reply) {
  DeviceParts parts;
  const ByteView all(reply.result);
  for (size_t at = admin::kMetadataHeaders;
       at + admin::kPartHeader <= all.size() && parts.size() < kMostParts; at += admin::kPartHeader)
    parts.push_back(HeaderAt(all.subspan(at), reply.address + admin::kResult + at));
  return parts;
}

}  // namespace vitro
