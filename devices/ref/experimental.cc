// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/experimental.h"

#include <algorithm>
#include <optional>

#include "devices/ref/admin/administration.h"
#include "devices/ref/admin/self_group.h"
#include "devices/ref/wide_action.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"

namespace vitro::ref {
namespace {

namespace xp = vitro::experimental;

constexpr uint64_t kPiece = 16 << 10;  // how much is copied at a time

class Experimental : public DeviceCore {
 public:
  // `admin`: the device has administration virtqueues as well.
  Experimental(const vitro_host* host, const CommonOptions& common,
               std::optional<AdminOptions> admin)
      : DeviceCore(host, common, xp::kQueueCount + (admin ? xp::kAdminQueueCount : 0)),
        threshold_(fault, xp::kDefaultThreshold) {
    RestoreFields();
    if (!admin) return;
    self_group_.emplace(fault, admin->numbers_of_text);
    administration_.emplace(fault, admin->busy,
                            Administration::Groups{{admin::kGroupSelf, &*self_group_}});
  }

 protected:
  uint32_t DeviceId() const override { return device_id::kExperimental; }

  FeatureSet DeviceFeatures() const override {
    if (fault("offers-unmet-dependency")) return {xp::kFeatureChecksum};
    const FeatureSet own{xp::kFeatureGated, xp::kFeatureChecksum};
    return administration_ ? own.With(feature::kAdminVq) : own;
  }

  uint32_t AdminQueueCount() const override { return administration_ ? xp::kAdminQueueCount : 0; }
  bool QueueAvailable(uint32_t queue) const override {
    if (queue == xp::kStreamQueue &&
        (fault("queue-missing") || (fault("feature-hides-other-queue") && Gated())))
      return false;
    return queue < xp::kQueueCount || features().Has(feature::kAdminVq);
  }

  bool AcceptableFeatures(FeatureSet accepted) const override {
    if (fault("features-ok-unmet-dependency") || fault("offers-unmet-dependency")) return true;
    return !accepted.Has(xp::kFeatureChecksum) || accepted.Has(xp::kFeatureGated);
  }

  Bytes ConfigImage() const override {
    Bytes image(xp::kConfigSize);
    const bool gated =
        (Gated() || fault("config-gate-ignored")) && !fault("feature-without-effect");
    const bool other = fault("feature-changes-other-field") && Gated();
    StoreLe<uint32_t>(&image[xp::kConfigVersion], xp::kVersion + (other ? 1 : 0));
    StoreLe<uint32_t>(&image[xp::kConfigCounter], counter_);
    StoreLe<uint32_t>(&image[xp::kConfigGated], gated ? xp::kGatedValue : 0);
    StoreLe<uint64_t>(&image[xp::kConfigWide], xp::WideValue(wide_count_));
    StoreLe<uint64_t>(&image[xp::kConfigThreshold], threshold_.value());
    StoreLe<uint64_t>(&image[xp::kConfigApplied], threshold_.applied());
    StoreLe<uint32_t>(&image[xp::kConfigActions], threshold_.actions());
    std::copy_n(limit_, sizeof limit_, &image[xp::kConfigLimit]);
    std::copy_n(command_, sizeof command_, &image[xp::kConfigCommand]);
    std::copy_n(tearable_, sizeof tearable_, &image[xp::kConfigTearable]);
    std::copy_n(shared_, sizeof shared_, &image[xp::kConfigShared]);
    return image;
  }

  bool ConfigWritable(uint32_t offset) const override {
    return (offset >= xp::kConfigLimit && offset < xp::kConfigCounter) ||
           (offset >= xp::kConfigTearable && offset < xp::kConfigReserved2) ||
           offset >= xp::kConfigShared;
  }

  void WriteConfigByte(uint32_t offset, uint8_t byte) override {
    if (offset >= xp::kConfigShared) {
      shared_[offset - xp::kConfigShared] = byte;
    } else if (offset >= xp::kConfigThreshold) {
      threshold_.WriteByte(offset - xp::kConfigThreshold, byte);
    } else if (offset >= xp::kConfigTearable) {
      tearable_[offset - xp::kConfigTearable] = byte;
      // As if the field were held in one register that each write of a half clears first.
      if (fault("config-torn-write"))
        std::fill_n(tearable_ + (offset < xp::kConfigTearable + 4 ? 4 : 0), 4, uint8_t{0});
    } else if (offset >= xp::kConfigCommand) {
      command_[offset - xp::kConfigCommand] = byte;
    } else {
      limit_[offset - xp::kConfigLimit] = byte;
    }
  }

  void ConfigWritten(uint32_t offset, uint32_t width) override {
    const uint32_t end = offset + width;
    if (end > xp::kConfigShared) WriteShared(offset, end);
    const int64_t first = int64_t{offset} - xp::kConfigThreshold;
    bool acted = threshold_.Written(first, first + width - 1);
    const uint32_t trigger = xp::kConfigCommand + (fault("config-action-on-first-half") ? 0 : 3);
    if (offset <= trigger && end > trigger) {
      counter_ += LoadLe<uint32_t>(command_);
      StoreLe<uint32_t>(command_, 0);
      acted = true;
    }
    if (acted) ConfigChanged();
  }

  bool ChangeConfig() override {
    ++wide_count_;
    StoreLe(shared_, xp::WideValue(wide_count_));
    ConfigChanged();
    return true;
  }

  void Saw(Act act) override {
    if ((act == Act::kConfigRead && fault("config-wide-half-lost-by-config-read")) ||
        (act == Act::kGenerationRead && fault("config-wide-half-lost-by-generation")) ||
        (act == Act::kQueueLook && fault("config-wide-half-lost-by-queue-look")) ||
        (act == Act::kQueueReset && fault("config-wide-half-lost-by-queue-reset")) ||
        (act == Act::kKick && fault("config-wide-half-lost-by-kick")) ||
        (act == Act::kStatusRead && fault("config-wide-half-lost-by-status-read")) ||
        (act == Act::kWait && fault("config-wide-half-lost-by-waiting")) ||
        (act == Act::kDriverOk && fault("config-wide-half-lost-by-driver-ok")))
      threshold_.Forget();
  }
  void OnDriverOk() override { limit_in_effect_ = LoadLe<uint32_t>(limit_); }
  void OnReset() override {
    if (administration_) administration_->Reset();
    const uint32_t limit = LoadLe<uint32_t>(limit_);
    const uint64_t tearable = LoadLe<uint64_t>(tearable_);
    RestoreFields();
    if (fault("reset-writes-config-back")) {
      StoreLe(limit_, limit);
      StoreLe(tearable_, tearable);
    }
  }

  bool Serve(uint32_t queue, Chain& chain) override {
    if (queue == xp::kEchoQueue) return Echo(chain);
    if (queue == xp::kStreamQueue) return Stream(chain);
    // A chain that is not served is used all the same: the driver sees an empty answer.
    if (queue > xp::kQueueCount && fault("admin-second-queue-dead")) return true;
    return administration_->Serve(chain);
  }

 private:
  struct Request {
    uint32_t opcode = 0, length = 0;
    uint64_t payload_at = xp::kEchoHeaderSize;  // offset in the readable part
  };

  // Fault "config-write-restores-other-half": the bytes not written are those of the last write.
  void WriteShared(uint32_t offset, uint32_t end) {
    const uint32_t from = std::max(offset, xp::kConfigShared) - xp::kConfigShared;
    if (fault("config-write-restores-other-half"))
      for (uint32_t i = 0; i < sizeof shared_; ++i)
        if (i < from || xp::kConfigShared + i >= end) shared_[i] = last_shared_[i];
    std::copy_n(shared_, sizeof shared_, last_shared_);
  }

  void RestoreFields() {
    threshold_.Reset();
    StoreLe<uint64_t>(shared_, 0);
    StoreLe<uint64_t>(last_shared_, 0);
    StoreLe<uint32_t>(limit_, xp::kDefaultLimit);
    StoreLe<uint32_t>(command_, 0);
    StoreLe<uint64_t>(tearable_, xp::kDefaultTearable);
    counter_ = sum_ = 0;
    position_ = 0;
  }

  bool ReadHeader(const Chain& chain, Request& request) const {
    uint8_t header[xp::kEchoHeaderSize] = {};
    uint64_t size = std::min<uint64_t>(sizeof header, chain.readable_bytes());
    if (fault("header-in-one-descriptor") && !chain.readable().empty()) {
      request.payload_at = chain.readable().front().length;
      size = std::min<uint64_t>(size, request.payload_at);
    }
    if (!chain.Read(0, header, size)) return false;
    request.opcode = LoadLe<uint32_t>(header);
    request.length = LoadLe<uint32_t>(header + 4);
    return true;
  }

  bool Gated() const { return features().Has(xp::kFeatureGated); }
  bool checksum() const { return features().Has(xp::kFeatureChecksum); }

  uint8_t Check(const Chain& chain, const Request& request) const {
    if (chain.readable_bytes() < xp::kEchoHeaderSize) return xp::kStatusBad;
    if (fault("features-ok-unmet-dependency") && checksum() && !features().Has(xp::kFeatureGated))
      return xp::kStatusBad;
    if (request.opcode != xp::kOpEcho) return xp::kStatusUnsupported;
    const uint64_t answer = uint64_t{request.length} + (checksum() ? xp::kChecksumSize : 0) + 1;
    if (request.length != chain.readable_bytes() - request.payload_at ||
        answer > chain.writable_bytes())
      return xp::kStatusBad;
    return request.length > limit_in_effect_ ? xp::kStatusTooLong : xp::kStatusOk;
  }

  bool Echo(Chain& chain) {
    // Without a place for the status there is nothing to answer.
    if (chain.writable_bytes() == 0) return true;
    Request request;
    if (!ReadHeader(chain, request)) return false;
    const uint8_t status = Check(chain, request);
    if (status == xp::kStatusOk && !CopyPayload(chain, request)) return false;
    if (fault("feature-changes-answer") && Gated()) return true;
    return chain.Write(chain.writable_bytes() - 1, &status, 1);
  }

  bool CopyPayload(Chain& chain, const Request& request) {
    uint32_t sum = 0;
    Bytes bytes;
    for (uint64_t done = 0; done < request.length; done += bytes.size()) {
      bytes.resize(std::min(kPiece, request.length - done));
      if (!chain.Read(request.payload_at + done, bytes.data(), bytes.size())) return false;
      for (uint8_t& byte : bytes) {
        sum += byte;
        byte ^= xp::kEchoMask;
      }
      if (!chain.Write(done, bytes.data(), bytes.size())) return false;
    }
    if (!checksum()) return true;
    uint8_t raw[xp::kChecksumSize];
    StoreLe(raw, sum);
    return chain.Write(request.length, raw, sizeof raw);
  }

  bool Stream(Chain& chain) {
    Bytes bytes;
    for (uint64_t done = 0; done < chain.readable_bytes(); done += bytes.size()) {
      bytes.resize(std::min(kPiece, chain.readable_bytes() - done));
      if (!chain.Read(done, bytes.data(), bytes.size())) return false;
      for (uint8_t byte : bytes) sum_ += byte;
    }
    for (uint64_t done = 0; done < chain.writable_bytes(); done += bytes.size()) {
      bytes.resize(std::min(kPiece, chain.writable_bytes() - done));
      for (uint8_t& byte : bytes) byte = PatternByte(sum_, position_++);
      if (!chain.Write(done, bytes.data(), bytes.size())) return false;
    }
    return true;
  }

  uint8_t limit_[4] = {}, command_[4] = {}, tearable_[8] = {}, shared_[8] = {};
  uint8_t last_shared_[8] = {};
  WideAction threshold_;
  uint32_t limit_in_effect_ = xp::kDefaultLimit;
  uint32_t counter_ = 0;
  uint32_t wide_count_ = 1;
  uint32_t sum_ = 0;
  uint64_t position_ = 0;
  std::optional<SelfGroup> self_group_;
  std::optional<Administration> administration_;
};

std::unique_ptr<DeviceCore> Create(const vitro_host* host, Options& options, bool admin) {
  const CommonOptions common = ReadCommonOptions(options, admin ? "ax" : "x");
  std::optional<AdminOptions> admin_options;
  if (admin) admin_options = ReadAdminOptions(options, common.fault);
  return std::make_unique<Experimental>(host, common, admin_options);
}

}  // namespace

std::unique_ptr<DeviceCore> CreateExperimental(const vitro_host* host, Options& options) {
  return Create(host, options, options.Flag("admin"));
}

std::unique_ptr<DeviceCore> CreateAdmin(const vitro_host* host, Options& options) {
  return Create(host, options, true);
}

}  // namespace vitro::ref
