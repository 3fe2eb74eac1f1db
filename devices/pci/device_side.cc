// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/device_side.h"

#include <algorithm>
#include <utility>

#include "harness/base/bytes.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "harness/virtio/status.h"

namespace vitro::pcidev {
namespace {

constexpr uint32_t kMostQueues = 65536;
constexpr FeatureSet kOfRings{feature::kIndirectDesc, feature::kEventIdx, feature::kRingPacked,
                              feature::kInOrder, feature::kRingReset};

uint32_t QueueIndices(const vitro_identity& identity) {
  const uint64_t admin = identity.admin_queue_count == 0
                             ? 0
                             : uint64_t{identity.admin_queue_index} + identity.admin_queue_count;
  return static_cast<uint32_t>(
      std::min<uint64_t>(std::max<uint64_t>(identity.queue_count, admin), kMostQueues));
}

}  // namespace

DeviceSide::DeviceSide(const vitro_device_ops* ops, vitro_device* device,
                       const FunctionOptions& options)
    : ops_(ops), device_(device), options_(options) {
  identity_.size = sizeof identity_;
  ops_->identity(device_, &identity_);
  queues_.resize(QueueIndices(identity_));
  if (ops_->config_generation) device_generation_ = ops_->config_generation(device_);
}

void DeviceSide::AddAdminQueue(ref::DeviceCore& queue) {
  admin_ = &queue;
  identity_.admin_queue_index = queue_count();
  identity_.admin_queue_count = 1;
  queues_.emplace_back();
}

bool DeviceSide::IsAdminQueue(uint32_t queue) const {
  return admin_ != nullptr && queue == identity_.admin_queue_index;
}

// Features
// ----------------------------------------------------------------------------------------

FeatureSet DeviceSide::Offered() {
  uint64_t words[2] = {};
  ops_->offered_features(device_, words);
  FeatureSet offered = FeatureSet::FromWords(words[0], words[1]);
  if (options_.notification_data) offered.Add(feature::kNotificationData);
  if (options_.notif_config_data) offered.Add(feature::kNotifConfigData);
  if (!RingReset()) offered.Remove(feature::kRingReset);
  if (admin_ != nullptr) {
    // What the administration virtqueue cannot do no queue does.
    offered = offered - (kOfRings - admin_->OfferedFeatures());
    offered.Add(feature::kAdminVq);
    if (!options_.fault("sriov-not-offered")) offered.Add(feature::kSrIov);
  }
  return offered.Without(feature::kNotifyOnEmpty);  // of the legacy interface only (6.3)
}

FeatureSet DeviceSide::LegacyOffered() {
  uint64_t words[2] = {};
  ops_->offered_features(device_, words);
  FeatureSet offered = FeatureSet::FromWords(words[0] & UINT32_MAX, 0);
  if (!options_.fault("legacy-any-layout-missing")) offered.Add(feature::kAnyLayout);
  return offered;
}

void DeviceSide::Accept(FeatureSet features) {
  accepted_ = features;
  // The device inside knows nothing of the function's own.
  if (options_.notification_data) features.Remove(feature::kNotificationData);
  if (options_.notif_config_data) features.Remove(feature::kNotifConfigData);
  if (admin_ != nullptr) {
    admin_->AcceptFeatures(features & admin_->OfferedFeatures());
    features = features - FeatureSet{feature::kAdminVq, feature::kSrIov};
  }
  const uint64_t words[2] = {features.word(0), features.word(1)};
  ops_->accept_features(device_, words);
}

bool DeviceSide::Negotiated(unsigned feature_bit) const {
  if (legacy_use_ && feature_bit >= 32)
    return options_.fault("legacy-features-high") &&
           (feature_bit == feature::kNotifConfigData && options_.notif_config_data);
  return accepted_.Has(feature_bit) && (Status() & status::kFeaturesOk);
}

// Status and reset
// ----------------------------------------------------------------------------------------

void DeviceSide::WriteStatus(uint8_t value) {
  // The device inside may offer what the function does not.
  if ((accepted_.Has(feature::kRingReset) && !RingReset()) ||
      accepted_.Has(feature::kNotifyOnEmpty))
    value &= static_cast<uint8_t>(~status::kFeaturesOk);
  if (value == 0) return;
  ops_->set_status(device_, value);
  if (admin_ == nullptr) return;
  // It is as far as the device is.
  constexpr uint8_t kDecided = status::kFeaturesOk | status::kDriverOk;
  admin_->SetStatus(value & static_cast<uint8_t>(~kDecided | ops_->get_status(device_)));
}

uint8_t DeviceSide::Status() const {
  const uint8_t own = ops_->get_status(device_);
  return admin_ == nullptr
             ? own
             : static_cast<uint8_t>(own | (admin_->GetStatus() & status::kNeedsReset));
}

void DeviceSide::Reset() {
  ops_->reset(device_);
  if (admin_ != nullptr) admin_->Reset();
  held_.clear();
  accepted_ = FeatureSet();
  legacy_use_ = false;
  const ref::FaultSwitch& fault = options_.fault;
  for (QueueState& queue : queues_) {
    const QueueState before = queue;
    queue = QueueState();
    if (fault("queue-size-not-reset")) queue.size = before.size;
    if (fault("queue-enable-not-reset")) queue.enable_shown = before.enabled || before.enable_shown;
    if (fault("queue-reset-set-on-reset")) queue.resetting = true;
    if (fault("legacy-queue-address-kept")) queue.legacy_address = before.legacy_address;
  }
  interrupts_->DeviceReset();
}

// Virtqueues
// ----------------------------------------------------------------------------------------

uint32_t DeviceSide::QueueMax(uint32_t queue) const {
  if (IsAdminQueue(queue)) return admin_->QueueMaxSize(queue);
  return queue < queues_.size() ? ops_->queue_max_size(device_, queue) : 0;
}

bool DeviceSide::EnableQueue(uint32_t index) {
  QueueState& state = queues_[index];
  vitro_queue setup{};
  setup.size = sizeof setup;
  setup.queue_size = state.size == 0 ? QueueMax(index) : state.size;
  setup.desc_address = state.desc;
  setup.driver_address = state.driver;
  setup.device_address = state.device;
  const bool taken = IsAdminQueue(index) ? admin_->QueueSetup(index, setup)
                                         : ops_->queue_setup(device_, index, &setup) == 0;
  if (!taken) return false;
  state.enabled = true;
  state.resetting = options_.fault("queue-reset-reads-one-forever") && state.resetting;
  return true;
}

bool DeviceSide::ResetQueue(uint32_t index) {
  const bool done = IsAdminQueue(index)
                        ? admin_->QueueReset(index)
                        : ops_->queue_reset != nullptr && ops_->queue_reset(device_, index) == 0;
  if (!done) return false;
  queues_[index] = QueueState();
  queues_[index].enable_shown = options_.fault("queue-reset-keeps-enable");
  queues_[index].resetting = options_.fault("queue-reset-reads-one-forever");
  interrupts_->UnmapQueue(index);
  return true;
}

void DeviceSide::Notify(uint32_t queue) {
  if (holding_) {
    held_.insert(queue);
    return;
  }
  interrupts_->Notified(queue);
  IsAdminQueue(queue) ? admin_->Notify(queue) : ops_->notify(device_, queue);
}

void DeviceSide::ReleaseNotifications() {
  holding_ = false;
  for (const uint32_t queue : std::exchange(held_, {})) Notify(queue);
}

// Nobody can take it for the index.
uint16_t DeviceSide::NotifConfigData(uint32_t queue) {
  return static_cast<uint16_t>(queue + 0x5100);
}

uint16_t DeviceSide::NotificationValue(uint32_t queue) const {
  const bool config_data =
      Negotiated(feature::kNotifConfigData) && !options_.fault("notif-config-data-ignored");
  return config_data ? NotifConfigData(queue) : static_cast<uint16_t>(queue);
}

// Device-specific configuration
// ----------------------------------------------------------------------------------------

// Fault "config-halves-torn": is this the high half of a 64-bit field?
bool DeviceSide::Torn(uint64_t offset, uint32_t width) const {
  if (width != 4) return false;
  if (identity_.device_id == device_id::kBlk) return offset == 4;
  return offset == experimental::kConfigWide + 4 || offset == experimental::kConfigTearable + 4;
}

bool DeviceSide::ReadConfig(uint64_t offset, uint32_t width, uint64_t& value) {
  if (options_.fault("config-halves-torn") && Torn(offset, width)) offset -= 4;
  uint8_t raw[8] = {};
  if (offset > UINT32_MAX ||
      ops_->config_read(device_, static_cast<uint32_t>(offset), raw, width) != 0)
    return false;
  value = LoadLe<uint64_t>(raw);
  return true;
}

bool DeviceSide::WriteConfig(uint64_t offset, uint32_t width, uint64_t value) {
  uint8_t raw[8];
  StoreLe(raw, value);
  return offset <= UINT32_MAX &&
         ops_->config_write(device_, static_cast<uint32_t>(offset), raw, width) == 0;
}

uint8_t DeviceSide::Generation() {
  if (options_.fault("generation-stuck")) return generation_;
  bool moved = config_moved_.exchange(false);
  if (ops_->config_generation) {
    const uint32_t now = ops_->config_generation(device_);
    moved = now != device_generation_;
    device_generation_ = now;
  }
  if (moved) ++generation_;
  return generation_;
}

// The legacy interface
// ----------------------------------------------------------------------------------------

void DeviceSide::BeginLegacyUse() {
  legacy_use_ = true;
  if (Status() & status::kDriverOk) return;
  constexpr uint8_t kBegun = status::kAcknowledge | status::kDriver;
  ops_->set_status(device_, kBegun);
  ops_->set_status(device_, kBegun | status::kFeaturesOk);
  ops_->set_status(device_, kBegun | status::kFeaturesOk | status::kDriverOk);
}

}  // namespace vitro::pcidev
