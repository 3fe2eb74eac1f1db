// SPDX-License-Identifier: Apache-2.0
// FrontEnd: features, device status, reset, configuration space.
#include "harness/transport/vhost_user/front_end.h"

#include <algorithm>
#include <numeric>

#include "harness/transport/vhost_user/wire.h"
#include "harness/virtio/status.h"

namespace vitro::vhost_user {
namespace {

namespace pf = protocol_feature;

constexpr uint64_t kCarrierBits = uint64_t{1} << kFeatureLogAll | uint64_t{1}
                                                                      << kFeatureProtocolFeatures;

}  // namespace

FrontEnd::FrontEnd(GuestMemory& memory, FrontEndOptions options)
    : memory_(memory), options_(std::move(options)) {
  identity_.config_size = options_.config_size_hint;
}

FrontEnd::~FrontEnd() = default;

Result<std::unique_ptr<FrontEnd>> FrontEnd::Create(GuestMemory& memory, FrontEndOptions options) {
  std::unique_ptr<FrontEnd> front_end(new FrontEnd(memory, std::move(options)));
  VITRO_TRY(front_end->Connect());
  return front_end;
}

Result<FeatureSet> FrontEnd::ReadFeatures() {
  // After a refusal by closing there is nobody to ask, and the answer is known.
  if (!closed_over_features_) {
    VITRO_ASSIGN(offered_, connection_->CallU64(Request::kGetFeatures));
  }
  return FeatureSet::FromWords(offered_ & ~kCarrierBits, 0);
}

Result<> FrontEnd::AcceptFeatures(FeatureSet features) {
  if (features.word(1) != 0)
    return Fail(ErrorKind::kUnsupported, "vhost-user carries feature bits 0 to 63 only");
  if (closed_over_features_) return {};  // it stays refused until a reset
  accepted_ =
      (features.word(0) & ~kCarrierBits) | (offered_ & uint64_t{1} << kFeatureProtocolFeatures);
  features_refused_ = false;
  features_sent_ = true;
  connection_->AllowIotlb(accepted_ >> feature::kAccessPlatform & 1);
  auto result = connection_->Send(Request::kSetFeatures, AsBytes(accepted_));
  if (result) result = connection_->SyncTwice();
  if (result) return {};
  // Both are a "no" that the driver sees as FEATURES_OK not set.
  if (result.error().kind == ErrorKind::kRefused) {
    features_refused_ = true;
    return {};
  }
  if (connection_->closed_in_peace()) {
    features_refused_ = closed_over_features_ = true;
    return {};
  }
  return result;
}

Result<uint8_t> FrontEnd::ReadStatus() {
  // A "no" to SET_FEATURES counts, whatever a kept status says.
  uint8_t mask = features_refused_ ? static_cast<uint8_t>(~status::kFeaturesOk) : 0xff;
  if (closed_over_features_) return status_ & mask;
  if (connection_->lost()) return tl::make_unexpected(*connection_->lost());
  if (!HasProtocol(pf::kStatus)) return status_ & mask;
  VITRO_ASSIGN(uint64_t value, connection_->CallU64(Request::kGetStatus));
  if (value > 0xff)
    return connection_->Break(
        fmt::format("GET_STATUS gave {:#x}, which is more than 8 bits", value));
  return static_cast<uint8_t>(value & mask);
}

Result<> FrontEnd::WriteStatus(uint8_t status) {
  if (status == 0) return Reset();
  // A driver that wrote no feature bits has accepted none; the back-end may know those of a session
  // before the reset.
  if ((status & (status::kFeaturesOk | status::kDriverOk)) != 0 && !features_sent_)
    VITRO_TRY(AcceptFeatures(FeatureSet()));
  if (closed_over_features_) {
    status_ = status;
    return {};
  }
  if (connection_->lost()) return tl::make_unexpected(*connection_->lost());
  if ((status & status::kDriverOk) != 0 && (status_ & status::kDriverOk) == 0) {
    std::vector<uint32_t> all(rings_.size());
    std::iota(all.begin(), all.end(), 0u);
    VITRO_TRY(StartRings(all));
  }
  status_ = status;
  if (HasProtocol(pf::kStatus)) {
    uint64_t payload = status;
    VITRO_TRY(connection_->Send(Request::kSetStatus, AsBytes(payload)));
  }
  VITRO_TRY(connection_->Sync());
  return DeliverEarlyKicks();
}

Result<> FrontEnd::Reset() {
  if (options_.reset_by_reconnect || closed_over_features_) return Reconnect();
  for (uint32_t queue = 0; queue < rings_.size(); ++queue) VITRO_TRY(StopRing(queue));
  if (HasProtocol(pf::kResetDevice)) VITRO_TRY(connection_->Send(Request::kResetDevice));
  if (HasProtocol(pf::kStatus)) {
    uint64_t payload = 0;
    VITRO_TRY(connection_->Send(Request::kSetStatus, AsBytes(payload)));
  }
  VITRO_TRY(connection_->Sync());
  for (Ring& ring : rings_) ring = Ring{};
  status_ = 0;
  accepted_ = 0;
  features_refused_ = features_sent_ = false;
  return {};
}

Result<> FrontEnd::Reconnect() {
  rings_.clear();
  status_ = 0;
  features_refused_ = closed_over_features_ = features_sent_ = false;
  auto connected = Connect();
  if (connected) return {};
  // It was attached before, so now it is lost. `connection_` may be null: make it a lost one.
  Error error = connected.error();
  if (error.kind == ErrorKind::kAttach) error.kind = ErrorKind::kDeviceLost;
  if (connection_ == nullptr || !connection_->lost())
    connection_ = std::make_unique<Connection>(error);
  return tl::make_unexpected(error);
}

// The first `size` bytes of the configuration space. Always from offset 0: libvhost-user ignores
// the offset of GET_CONFIG, and QEMU never asks otherwise.
Result<Bytes> FrontEnd::FetchConfig(uint32_t size) {
  Bytes request(sizeof(ConfigHeader) + size);
  StoreLe(request.data(), ConfigHeader{0, size, kConfigWritable});
  VITRO_ASSIGN(Bytes reply, connection_->Call(Request::kGetConfig, request));
  // An empty reply, or a header that announces nothing, is the "no" of the protocol.
  auto refused = [size] {
    return Fail(ErrorKind::kRefused, "the back-end does not give {} bytes of config space", size);
  };
  if (reply.empty()) return refused();
  if (reply.size() < sizeof(ConfigHeader))
    return connection_->Break(fmt::format("a reply of {} bytes to GET_CONFIG", reply.size()));
  auto header = LoadLe<ConfigHeader>(reply.data());
  if (header.size == 0 && reply.size() == sizeof(ConfigHeader)) return refused();
  if (header.size != size || reply.size() != request.size())
    return connection_->Break(
        fmt::format("GET_CONFIG for {} bytes was answered with {} bytes that claim to be {}", size,
                    reply.size() - sizeof(ConfigHeader), header.size));
  reply.erase(reply.begin(), reply.begin() + sizeof(ConfigHeader));
  return reply;
}

Result<Bytes> FrontEnd::ReadConfig(uint32_t offset, uint32_t width) {
  if (!IsAccessWidth(width))
    return Fail(ErrorKind::kUsage, "a config access is 1, 2, 4 or 8 bytes wide, not {}", width);
  if (!abilities_.Has(Ability::kConfigSpace))
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kConfigSpace));
  if (width > identity_.config_size || offset > identity_.config_size - width)
    return Fail(ErrorKind::kRefused,
                "config bytes {} to {} are beyond the {} bytes that the back-end serves", offset,
                uint64_t{offset} + width - 1, identity_.config_size);
  // All of it, as QEMU does: some back-ends answer to no other length.
  VITRO_ASSIGN(Bytes config, FetchConfig(identity_.config_size));
  return Bytes(config.begin() + offset, config.begin() + offset + width);
}

// Whatever the range: to keep to its bounds is the back-end's duty as well.
Result<> FrontEnd::WriteConfig(uint32_t offset, ByteView bytes) {
  if (!abilities_.Has(Ability::kConfigWrite))
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kConfigWrite));
  return SendConfigMessage(Request::kSetConfig,
                           {offset, static_cast<uint32_t>(bytes.size()), kConfigWritable}, bytes);
}

Result<> FrontEnd::SendConfigMessage(Request request, const ConfigHeader& header,
                                     ByteView payload) {
  Bytes message(sizeof header);
  StoreLe(message.data(), header);
  message.insert(message.end(), payload.begin(), payload.end());
  if (request == Request::kGetConfig)
    VITRO_TRY(connection_->Call(request, message));
  else
    VITRO_TRY(connection_->Send(request, message));
  return connection_->SyncTwice();
}

Result<uint32_t> FrontEnd::ReadGeneration() {
  return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kGeneration));
}

Result<> FrontEnd::StimulateConfigChange() {
  if (!options_.stimulate)
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kStimulus));
  return options_.stimulate([this](Duration at_most) {
    if (alive()) (void)WaitOnce(at_most);  // a loss shows at the next call
  });
}

std::optional<Transport::Death> FrontEnd::Died() {
  Peer* peer = connection_ == nullptr ? nullptr : connection_->peer();
  const std::string how = peer == nullptr ? "" : peer->Ended();
  if (how.empty()) return std::nullopt;
  return Death{peer->EndedBySignal(), how};
}

std::string FrontEnd::DeviceLog() {
  Peer* peer = connection_ == nullptr ? nullptr : connection_->peer();
  if (peer == nullptr) return "";
  peer->Pump();
  return peer->Output();
}

}  // namespace vitro::vhost_user
