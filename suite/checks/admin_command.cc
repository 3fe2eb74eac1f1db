// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/admin_command.h"

#include <algorithm>

namespace vitro {
namespace {

constexpr uint32_t kMostQueues = 8;
constexpr int kMostTries = 16;           // of a command that is answered EAGAIN
constexpr uint32_t kListRoom = 64;       // bytes: opcodes 0 to 511
constexpr uint32_t kCapListRoom = 1024;  // capability ids 0 to 8191
constexpr uint32_t kRoom = 256;
// The opcodes that VIRTIO 1.4 defines.
constexpr uint64_t kKnownOpcodes = (uint64_t{1} << (admin::kDevModeSet + 1)) - 1;

}  // namespace

Bytes Encode(const AdminCommand& command) {
  Bytes bytes = LeBytes(command.opcode | uint64_t{command.group} << 16, 4);
  bytes.resize(admin::kMemberId, command.reserved);
  const Bytes member = LeBytes(command.member, 8);
  bytes.insert(bytes.end(), member.begin(), member.end());
  bytes.insert(bytes.end(), command.data.begin(), command.data.end());
  if (command.exact) return bytes;
  // Both parts are multiples of 64 bits (2.13.2).
  bytes.resize((bytes.size() + admin::kUnit - 1) / admin::kUnit * admin::kUnit);
  return bytes;
}

AdminReply Decode(ByteView writable, uint32_t used_length) {
  AdminReply reply;
  reply.length = static_cast<uint32_t>(std::min<size_t>(used_length, writable.size()));
  Bytes written(writable.begin(), writable.begin() + reply.length);
  written.resize(std::max<size_t>(written.size(), admin::kResult));
  reply.status = LoadLe<uint16_t>(&written[admin::kStatus]);
  reply.qualifier = LoadLe<uint16_t>(&written[admin::kQualifier]);
  reply.result.assign(written.begin() + admin::kResult, written.end());
  return reply;
}

std::string StatusToText(uint16_t status, uint16_t qualifier) {
  static constexpr std::pair<uint16_t, const char*> kNames[] = {
      {admin::kOk, "OK"},         {admin::kEnxio, "ENXIO"},   {admin::kEagain, "EAGAIN"},
      {admin::kEnomem, "ENOMEM"}, {admin::kEbusy, "EBUSY"},   {admin::kEexist, "EEXIST"},
      {admin::kEinval, "EINVAL"}, {admin::kEnospc, "ENOSPC"},
  };
  static constexpr const char* kQualifiers[] = {"",
                                                ", INVALID_COMMAND",
                                                ", INVALID_OPCODE",
                                                ", INVALID_FIELD",
                                                ", INVALID_GROUP",
                                                ", INVALID_MEMBER",
                                                ", NORESOURCE",
                                                ", TRYAGAIN"};
  const auto* const name = std::find_if(std::begin(kNames), std::end(kNames),
                                        [&](const auto& each) { return each.first == status; });
  std::string text = name != std::end(kNames) ? name->second : fmt::format("status {}", status);
  text += qualifier < std::size(kQualifiers) ? kQualifiers[qualifier]
                                             : fmt::format(", qualifier {}", qualifier);
  return text;
}

bool HasBit(const Bytes& bitmap, uint32_t bit) {
  return bit / 8 < bitmap.size() && (bitmap[bit / 8] >> bit % 8 & 1) != 0;
}

// Commands ----------------------------------------------------------------------------------------

AdminCommand ListQuery() { return {.what = "LIST_QUERY", .result = kListRoom}; }

AdminCommand ListUse(uint64_t opcodes) {
  return {.what = "LIST_USE", .opcode = admin::kListUse, .data = LeBytes(opcodes, 8)};
}

AdminCommand CapIdListQuery() {
  return {.what = "CAP_ID_LIST_QUERY", .opcode = admin::kCapIdListQuery, .result = kCapListRoom};
}

AdminCommand DeviceCapGet(uint16_t id) {
  return {.what = fmt::format("DEVICE_CAP_GET of capability {:#x}", id),
          .opcode = admin::kDeviceCapGet,
          .data = LeBytes(id, admin::kCapData),
          .result = kRoom};
}

AdminCommand DriverCapSet(uint16_t id, const Bytes& data) {
  AdminCommand command{.what = fmt::format("DRIVER_CAP_SET of capability {:#x}", id),
                       .opcode = admin::kDriverCapSet,
                       .data = LeBytes(id, admin::kCapData)};
  command.data.insert(command.data.end(), data.begin(), data.end());
  return command;
}

AdminCommand ResourceCommand(uint16_t opcode, uint16_t type, uint32_t id, const Bytes& data,
                             uint32_t result) {
  static constexpr const char* kNames[] = {"CREATE", "QUERY", "MODIFY", "DESTROY"};
  const uint32_t nth = opcode - admin::kResourceObjCreate;
  AdminCommand command{
      .what = fmt::format("{} of object {} of type {:#x}", kNames[std::min(nth, 3u)], id, type),
      .opcode = opcode,
      .data = LeBytes(type | uint64_t{id} << 32, 8),
      .result = result};
  if (opcode != admin::kResourceObjDestroy) command.data.resize(admin::kObjData);  // flags
  command.data.insert(command.data.end(), data.begin(), data.end());
  return command;
}

AdminCommand OtherCommand(uint16_t opcode) {
  return {.what = fmt::format("command {:#x}", opcode),
          .opcode = opcode,
          .data = Bytes(32),
          .result = kRoom};
}

// The driver --------------------------------------------------------------------------------------

Needs AdminNeeds() { return {.offered = {feature::kAdminVq}}; }

void AdminDriver::Up(uint32_t queue_size, FeatureSet with) {
  c_.Up({.with = with.With(feature::kAdminVq), .queues = 1, .driver_ok = false, .prepare = false});
  // Only now: where registers tell them, they are valid once the feature was negotiated.
  const DeviceIdentity& identity = c_.session().transport().identity();
  first_ = identity.admin_queue_index;
  count_ = std::min(identity.admin_queue_count, kMostQueues);
  if (count_ == 0) c_.NotApplicable("no administration virtqueue of the device is known");
  queue_ = first_;
  for (uint32_t i = 0; i < count_; ++i) {
    const uint32_t most = queue_size == 0 ? 0 : c_.MaxQueueSize(first_ + i);
    c_.SetupQueue(first_ + i, std::min(queue_size, most));
  }
  c_.DriverOk();
}

AdminReply AdminDriver::SendOnce(const std::string& what, const Bytes& readable, uint32_t writable,
                                 const Framing& framing) {
  const Exchange exchange{what, queue_, readable, writable, std::nullopt, 0};
  std::vector<op::Segment> segments = c_.Lay(exchange, framing);
  uint64_t address = 0;
  for (const op::Segment& segment : segments)
    if (segment.writable && address == 0) address = segment.address;
  const uint64_t seed = c_.session().FreshSeed();
  c_.PublishAt(exchange, std::move(segments), framing, false, seed);
  c_.Notify(queue_);
  const Observation used = c_.WaitUsed(queue_, 1);
  c_.Expect(Accept::Equal(1), "derived.used.progress", fmt::format("{} is used once", what));
  if (used.value != 1) c_.NotApplicable(fmt::format("{} was not used", what));
  if (writable >= admin::kReplyReserved)
    c_.Expect(Accept::LengthRange(admin::kReplyReserved, writable),
              "dev.admin.administration-virtqueues.8",
              fmt::format("status and status qualifier of {} are written", what));
  last_ = Decode(c_.Do(op::ReadAnswer{queue_}).bytes, used.used_len);
  last_.address = address;
  last_.seed = seed;
  return last_;
}

AdminReply AdminDriver::SendBytes(const std::string& what, const Bytes& readable, uint32_t writable,
                                  const Framing& framing) {
  for (int tries = 1; tries < kMostTries; ++tries)
    if (SendOnce(what, readable, writable, framing).status != admin::kEagain) return last_;
  c_.NotApplicable(fmt::format("{} was answered EAGAIN {} times in a row", what, kMostTries - 1));
}

AdminReply AdminDriver::Send(const AdminCommand& command) {
  return SendBytes(command.what, Encode(command), admin::kResult + command.result);
}

Bytes AdminDriver::List() {
  const AdminReply reply = Send(ListQuery());
  if (!reply.ok())
    c_.NotApplicable("LIST_QUERY was answered " + StatusToText(reply.status, reply.qualifier));
  listed_ = LoadLe(ByteView(reply.result).first(std::min<size_t>(8, reply.result.size())));
  last_list_ = reply.result;
  return reply.result;
}

uint64_t AdminDriver::usable() const { return listed_ & kKnownOpcodes; }

void AdminDriver::UseAll() {
  List();
  const AdminReply reply = Send(ListUse(usable()));
  if (!reply.ok())
    c_.NotApplicable("LIST_USE of all commands that the device lists was answered " +
                     StatusToText(reply.status, reply.qualifier));
}

void AdminDriver::Need(std::initializer_list<uint16_t> opcodes) {
  for (const uint16_t opcode : opcodes)
    if (!Lists(opcode))
      c_.NotApplicable(fmt::format("the device does not list command {:#x}", opcode));
}

Bytes AdminDriver::Capabilities() {
  Need({admin::kCapIdListQuery, admin::kDeviceCapGet, admin::kDriverCapSet});
  const AdminReply reply = Send(CapIdListQuery());
  if (!reply.ok())
    c_.NotApplicable("CAP_ID_LIST_QUERY was answered " +
                     StatusToText(reply.status, reply.qualifier));
  return reply.result;
}

// Judgements --------------------------------------------------------------------------------------

void AdminDriver::ExpectOk(const std::string& requirement, const std::string& because) {
  ExpectStatus(admin::kOk, requirement, because);
}

void AdminDriver::ExpectFailure(const std::string& requirement, const std::string& because) {
  c_.Do(op::Read{last_.address + admin::kStatus, 2});
  c_.Expect(Accept::NotEqual(admin::kOk), requirement, because);
}

void AdminDriver::ExpectStatus(uint16_t status, const std::string& requirement,
                               const std::string& because) {
  c_.Do(op::Read{last_.address + admin::kStatus, 2});
  c_.Expect(Accept::Equal(status), requirement, because);
}

void AdminDriver::ExpectInvalid(uint16_t qualifier, const std::string& requirement,
                                const std::string& because) {
  c_.Do(op::Read{last_.address + admin::kStatus, 4});
  c_.Expect(Accept::Equal(admin::kEinval | uint32_t{qualifier} << 16), requirement,
            fmt::format("{}, which is {}", because, StatusToText(admin::kEinval, qualifier)));
}

void AdminDriver::ExpectSame(const AdminReply& earlier, const std::string& requirement,
                             const std::string& because) {
  Bytes bytes = LeBytes(earlier.status | uint64_t{earlier.qualifier} << 16, 4);
  bytes.resize(admin::kResult);
  bytes.insert(bytes.end(), earlier.result.begin(), earlier.result.end());
  // Reserved bytes are left out; lengths are compared by who cares.
  const auto length = std::min<size_t>(bytes.size(), std::max(last_.length, 4u));
  c_.Do(op::Read{last_.address, 4});
  c_.Expect(Accept::SameBytes(Bytes(bytes.begin(), bytes.begin() + 4)), requirement, because);
  if (length <= admin::kResult) return;
  c_.Do(op::Read{last_.address + admin::kResult, length - admin::kResult});
  c_.Expect(Accept::SameBytes(Bytes(bytes.begin() + admin::kResult,
                                    bytes.begin() + static_cast<std::ptrdiff_t>(length))),
            requirement, because);
}

}  // namespace vitro
