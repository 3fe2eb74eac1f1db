// SPDX-License-Identifier: Apache-2.0
// FrontEnd: from a fresh connection to a device that can be driven.
#include <algorithm>
#include <cstring>

#include "harness/transport/vhost_user/front_end.h"
#include "harness/transport/vhost_user/wire.h"
#include "harness/virtio/device_id.h"

namespace vitro::vhost_user {
namespace {

namespace pf = protocol_feature;

constexpr uint64_t Bit(unsigned bit) { return uint64_t{1} << bit; }

// DPDK's library answers GET_QUEUE_NUM with a constant 128. Nobody has so many: from here on the
// answer counts as none.
constexpr uint64_t kIncredibleQueues = 64;

uint32_t UsualQueues(uint32_t type) {
  switch (type) {
    case device_id::kNet:
      return 2;  // receive, transmit
    case device_id::kConsole:
      return 2;  // receive, transmit
    case 8:
      return 3;  // scsi: control, event, request
    case 5:
      return 2;  // balloon: inflate, deflate
    case 16:
      return 2;  // gpu: control, cursor
    case 18:
      return 2;  // input: event, status
    case 19:
      return 3;  // vsock: receive, transmit, event
    case 25:
      return 4;  // sound: control, event, transmit, receive
    case 26:
      return 2;  // fs: high priority, request
    default:
      return 1;
  }
}

}  // namespace

Result<> FrontEnd::Connect() {
  Error error;
  // A back-end that serves one connection may take the next one into its queue while it is ending:
  // then the next process is meant.
  for (int attempt = 0; attempt < 2; ++attempt) {
    connection_.reset();
    VITRO_ASSIGN(Link link, options_.dial());
    connection_ = std::make_unique<Connection>(std::move(link.socket), std::move(link.peer),
                                               options_.timeout);
    auto result = Handshake();
    if (result) return {};
    error = result.error();
    Peer* peer = connection_->peer();
    if (!connection_->closed_in_peace() || peer == nullptr || !peer->EndedCleanly()) break;
  }
  // A device that never came to life was not lost: it could not be attached.
  if (error.kind == ErrorKind::kTimeout)
    error.message += "; perhaps it serves another front-end, and one at a time";
  if (error.kind != ErrorKind::kHarness && error.kind != ErrorKind::kUsage)
    error.kind = ErrorKind::kAttach;
  return tl::make_unexpected(error);
}

Result<> FrontEnd::Handshake() {
  VITRO_ASSIGN(offered_, connection_->CallU64(Request::kGetFeatures));
  accepted_ = 0;
  protocol_features_ = offered_protocol_features_ = 0;
  if (offered_ & Bit(kFeatureProtocolFeatures)) VITRO_TRY(NegotiateProtocol());
  if (options_.notify == NotifyMode::kInband && !HasProtocol(pf::kInbandNotifications))
    return Fail(
        ErrorKind::kUsage,
        "mode=inband: the back-end does not offer INBAND_NOTIFICATIONS with BACKEND_REQ and "
        "REPLY_ACK");
  if (HasProtocol(pf::kBackendReq)) VITRO_TRY(connection_->OpenBackendChannel());
  VITRO_TRY(connection_->Send(Request::kSetOwner));
  VITRO_TRY(ShareMemory());
  VITRO_ASSIGN(uint32_t queues, CountQueues());
  VITRO_TRY(FindConfigSize());
  VITRO_TRY(connection_->Sync());
  identity_.name = options_.name;
  identity_.device_id = options_.device_id;
  identity_.queue_count = queues;
  rings_.clear();
  rings_.resize(queues);
  if (HasProtocol(pf::kInbandNotifications)) connection_->AllowInband(queues);
  StateAbilities();
  return {};
}

Result<> FrontEnd::NegotiateProtocol() {
  VITRO_ASSIGN(offered_protocol_features_, connection_->CallU64(Request::kGetProtocolFeatures));
  uint64_t wanted = Bit(pf::kMq) | Bit(pf::kReplyAck) | Bit(pf::kBackendReq) | Bit(pf::kConfig) |
                    Bit(pf::kBackendSendFd) | Bit(pf::kResetDevice) | Bit(pf::kConfigureMemSlots) |
                    Bit(pf::kStatus);
  uint64_t inband_needs = Bit(pf::kBackendReq) | Bit(pf::kReplyAck);
  if (options_.notify == NotifyMode::kInband &&
      (offered_protocol_features_ & inband_needs) == inband_needs)
    wanted |= Bit(pf::kInbandNotifications);
  protocol_features_ = offered_protocol_features_ & wanted;
  // Descriptors from the back-end would come on its channel: without one there is nothing to send
  // on.
  if (!HasProtocol(pf::kBackendReq)) protocol_features_ &= ~Bit(pf::kBackendSendFd);
  VITRO_TRY(connection_->Send(Request::kSetProtocolFeatures, AsBytes(protocol_features_)));
  connection_->UseReplyAck(HasProtocol(pf::kReplyAck));
  return {};
}

Result<> FrontEnd::ShareMemory() {
  std::vector<MemoryRegion> regions;
  for (const auto& region : memory_.regions())
    regions.push_back({region.range.address, region.range.length, UserAddress(region.range.address),
                       region.file_offset});
  if (HasProtocol(pf::kConfigureMemSlots)) {
    VITRO_ASSIGN(uint64_t slots, connection_->CallU64(Request::kGetMaxMemSlots));
    if (slots < regions.size())
      return Fail(ErrorKind::kAttach, "the back-end takes {} memory regions and we have {}", slots,
                  regions.size());
    int fd = memory_.fd();
    for (const auto& region : regions) {
      struct {
        uint64_t padding;
        MemoryRegion region;
      } payload{0, region};
      VITRO_TRY(connection_->Send(Request::kAddMemReg, AsBytes(payload), std::span(&fd, 1)));
    }
    return {};
  }
  if (regions.size() > kMaxTableRegions)
    return Fail(ErrorKind::kUsage, "SET_MEM_TABLE carries {} memory regions and we have {}",
                kMaxTableRegions, regions.size());
  Bytes payload = LeBytes(regions.size(), 8);
  for (const auto& region : regions) {
    ByteView bytes = AsBytes(region);
    payload.insert(payload.end(), bytes.begin(), bytes.end());
  }
  std::vector<int> fds(regions.size(), memory_.fd());
  return connection_->Send(Request::kSetMemTable, payload, fds);
}

// The number of virtqueues we are prepared to drive. What a back-end says is a hint.
Result<uint32_t> FrontEnd::CountQueues() {
  uint64_t told = 0;
  if (HasProtocol(pf::kMq)) {
    VITRO_ASSIGN(told, connection_->CallU64(Request::kGetQueueNum));
  }
  uint32_t usual = UsualQueues(options_.device_id);
  if (options_.queues) return std::min(*options_.queues, kMaxVrings);
  if (told == 0 || told >= kIncredibleQueues) return usual;
  // A net back-end counts pairs (DPDK) or queues (others); more than one pair takes VIRTIO_NET_F_MQ
  // and a control queue, which is never the back-end's.
  if (options_.device_id == device_id::kNet) return usual;
  return static_cast<uint32_t>(told);
}

// vhost-user has no question for the size of the configuration space. A front-end asks for as many
// bytes as the device type has; one that does not know the type asks for the most that is answered.
Result<> FrontEnd::FindConfigSize() {
  if (!HasProtocol(pf::kConfig)) {
    identity_.config_size = 0;
    return {};
  }
  if (options_.config_size) {
    identity_.config_size = std::min(*options_.config_size, kMaxConfigSize);
    return {};
  }
  auto answers = [this](uint32_t size) -> Result<bool> {
    if (size == 0) return true;
    if (size > kMaxConfigSize) return false;
    auto bytes = FetchConfig(size);
    if (bytes) return true;
    if (bytes.error().kind == ErrorKind::kRefused) return false;
    return tl::make_unexpected(bytes.error());
  };
  // After a reconnection the size is most likely what it was: two questions instead of nine.
  uint32_t known = identity_.config_size;
  if (known != 0) {
    VITRO_ASSIGN(bool still, answers(known));
    VITRO_ASSIGN(bool more, answers(known + 1));
    if (still && !more) return {};
  }
  VITRO_ASSIGN(bool all, answers(kMaxConfigSize));
  uint32_t low = all ? kMaxConfigSize : 0, high = kMaxConfigSize;  // low is answered
  while (!all && low + 1 < high) {
    uint32_t middle = (low + high) / 2;
    VITRO_ASSIGN(bool answered, answers(middle));
    (answered ? low : high) = middle;
  }
  identity_.config_size = low;
  return {};
}

void FrontEnd::StateAbilities() {
  abilities_ = Abilities();
  auto state = [this](Ability ability, bool there, const char* why_not) {
    if (there)
      abilities_.Allow(ability);
    else
      abilities_.Deny(ability, why_not);
  };
  bool has_status = HasProtocol(pf::kStatus), has_config = HasProtocol(pf::kConfig);
  state(Ability::kDeviceStatus, has_status,
        "the back-end does not keep the device status (no STATUS protocol feature)");
  state(
      Ability::kReset, has_status || HasProtocol(pf::kResetDevice) || options_.reset_by_reconnect,
      "the back-end cannot be told to reset (no RESET_DEVICE and no STATUS protocol feature): its "
      "rings are stopped instead");
  const char* no_config =
      "the back-end does not serve the config space (no CONFIG protocol feature)";
  state(Ability::kConfigSpace, has_config, no_config);
  state(Ability::kConfigWrite, has_config, no_config);
  state(Ability::kGeneration, false, "vhost-user does not carry the config generation");
  state(Ability::kConfigNotification, has_config && HasProtocol(pf::kBackendReq),
        "the back-end cannot tell of config changes (it takes the CONFIG and BACKEND_REQ protocol "
        "features)");
  state(Ability::kQueueReset, offered_ >> feature::kRingReset & 1,
        "the back-end does not offer VIRTIO_F_RING_RESET");
  state(Ability::kDeviceId, false,
        "vhost-user does not tell the device type (give it with type=NAME)");
  state(Ability::kStimulus, static_cast<bool>(options_.stimulate),
        "no command to make the device change its config was given (stimulus=\"...\")");
  state(Ability::kExactQuiet, false, "the device is another process");
  state(Ability::kUnofferedBits, has_status && HasProtocol(pf::kReplyAck),
        "a back-end without the STATUS and REPLY_ACK protocol features has no way to say no");
  state(Ability::kUsedNotification, options_.notify != NotifyMode::kPoll,
        "the back-end was told not to notify (mode=poll)");
  state(Ability::kQueuesBeforeDriverOk, false,
        "a vhost-user front-end starts the rings at DRIVER_OK");
}

}  // namespace vitro::vhost_user
