// SPDX-License-Identifier: Apache-2.0
// Device status, feature negotiation, reset, virtqueue set-up. See device_config.cc for the
// configuration space and device_queues.cc for the work on queues.
#include "devices/ref/device_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "devices/ref/packed_queue.h"
#include "devices/ref/split_queue.h"
#include "harness/virtio/split_ring.h"
#include "harness/virtio/status.h"

namespace vitro::ref {
namespace {

bool HasJust(FeatureSet set, FeatureSet on, FeatureSet off) {
  return set.Contains(on) && (set & off).empty();
}

}  // namespace

CommonOptions ReadCommonOptions(Options& options, std::string_view letters) {
  CommonOptions common;
  common.eager = options.Flag("eager");
  common.legacy = options.Flag("legacy");
  common.packed = options.Flag("packed");
  common.queue_size =
      static_cast<uint32_t>(options.Number("queue-size", 128, 1, split::kMaxQueueSize));
  const std::string name = options.Text("fault", "");
  common.suspend = options.Flag("suspend") || name.starts_with("suspend-");
  if (name.starts_with("packed-")) common.packed = true;
  if (!std::has_single_bit(common.queue_size) && !common.packed)
    options.Complain(fmt::format("option 'queue-size={}' is not a power of 2", common.queue_size));
  if (name.empty()) return common;
  const FaultInfo* info = FindFault(name);
  if (info == nullptr) {
    options.Complain(fmt::format("there is no fault '{}'", name));
  } else if (info->devices.find_first_of(letters) == info->devices.npos) {
    options.Complain(fmt::format("fault '{}' is not one of this device's", name));
  } else {
    common.fault = FaultSwitch(info);
  }
  return common;
}

DeviceCore::DeviceCore(const vitro_host* host, const CommonOptions& options, uint32_t queue_count)
    : fault(options.fault),
      host_(host),
      eager_(options.eager),
      legacy_(options.legacy),
      packed_(options.packed),
      suspend_(options.suspend),
      queue_size_(options.queue_size) {
  if (fault("queue-max-not-power-of-two")) queue_size_ = 100;
  queues_.reserve(queue_count);
  for (uint32_t i = 0; i < queue_count; ++i) FormatQueue(queues_.emplace_back());
}

void DeviceCore::Identity(vitro_identity& identity) const {
  identity.device_id = DeviceId();
  identity.vendor_id = 0;
  identity.admin_queue_count = AdminQueueCount();
  identity.queue_count = static_cast<uint32_t>(queues_.size()) - identity.admin_queue_count;
  identity.admin_queue_index = identity.admin_queue_count == 0 ? 0 : identity.queue_count;
  identity.config_size = static_cast<uint32_t>(ConfigImage().size());
}

// Feature bits (2.2)
// ---------------------------------------------------------------------------------

FeatureSet DeviceCore::PlainOffer() const {
  FeatureSet offer =
      DeviceFeatures() | FeatureSet{feature::kIndirectDesc, feature::kEventIdx, feature::kVersion1,
                                    feature::kInOrder, feature::kRingReset};
  if (legacy_) offer.Add(feature::kNotifyOnEmpty);
  if (packed_) offer.Add(feature::kRingPacked);
  if (suspend_) offer.Add(feature::kSuspend);
  if (fault("version-1-not-offered")) offer.Remove(feature::kVersion1);
  if (fault("offers-reserved-bit")) offer.Add(44);
  if (fault("offers-foreign-bit")) offer.Add(22);
  if (fault("offers-sr-iov")) offer.Add(feature::kSrIov);
  if (fault("offers-admin-vq")) offer.Add(feature::kAdminVq);
  return offer;
}

void DeviceCore::RemoveOneFeatureAReset(FeatureSet& offer) {
  if (!offer_read_) ++resets_offered_;
  constexpr unsigned kExpendable[] = {feature::kInOrder, feature::kRingReset, feature::kEventIdx,
                                      feature::kIndirectDesc};
  for (uint32_t i = 0; i + 1 < resets_offered_ && i < std::size(kExpendable); ++i)
    offer.Remove(kExpendable[i]);
}

FeatureSet DeviceCore::OfferedFeatures() {
  FeatureSet offer = PlainOffer();
  if (fault("offered-features-change")) RemoveOneFeatureAReset(offer);
  offer_read_ = true;
  return offer;
}

void DeviceCore::AcceptFeatures(FeatureSet features) {
  // The features are settled by FEATURES_OK (3.1.1 step 5); later writes mean nothing.
  if (FeaturesOk()) return;
  accepted_ = features;
  if (fault("high-features-lost"))
    accepted_ = FeatureSet::FromWords(accepted_.word(0) & 0xffffffffu, 0);
}

bool DeviceCore::RefusedTogether() const {
  if (fault("features-ok-hang") &&
      HasJust(accepted_, {feature::kEventIdx, feature::kInOrder}, {feature::kIndirectDesc}))
    Hang();
  return fault("features-ok-refused-together") &&
         HasJust(accepted_, {feature::kIndirectDesc, feature::kEventIdx},
                 {feature::kInOrder, feature::kRingReset});
}

bool DeviceCore::CrashesTogether() const {
  return fault("features-together-crash") &&
         HasJust(features_, {feature::kEventIdx, feature::kRingReset},
                 {feature::kIndirectDesc, feature::kInOrder});
}

bool DeviceCore::NegotiationHolds(FeatureSet offered) const {
  if (!offered.Contains(accepted_) && !fault("features-ok-for-unoffered")) return false;
  // Without a legacy interface 6.1 lets a device refuse to operate without VERSION_1.
  if (!accepted_.Has(feature::kVersion1) && !fault("version-1-not-offered") && !legacy_)
    return false;
  if (fault("features-ok-refused-subset") && accepted_ != offered) return false;
  if (RefusedTogether()) return false;
  if (fault("features-ok-refused-twice") &&
      std::find(taken_.begin(), taken_.end(), accepted_) != taken_.end())
    return false;
  return AcceptableFeatures(accepted_);
}

void DeviceCore::Negotiate() {
  const bool was_offer_read = std::exchange(offer_read_, true);
  const bool holds = NegotiationHolds(OfferedFeatures());
  offer_read_ = was_offer_read;
  if (!holds) return;
  const Bytes before = VisibleConfig();
  status_ |= status::kFeaturesOk;
  if (fault("features-ok-refused-twice")) taken_.push_back(accepted_);
  features_ = accepted_;
  ++negotiations_;
  if (first_features_.empty()) first_features_ = features_;
  if (fault("reset-keeps-features")) features_ = first_features_;
  for (Queue& queue : queues_) FormatQueue(queue);
  // Fields that belong to features not accepted disappear.
  if (VisibleConfig() != before) MoveGeneration();
}

void DeviceCore::FormatQueue(Queue& queue) {
  const bool packed = features_.Has(feature::kRingPacked);
  const bool any_size = packed || fault("queue-max-not-power-of-two");
  const uint32_t max_size = any_size ? queue_size_ : std::bit_floor(queue_size_);
  if (!queue.ring || queue.ring->packed() != packed) {
    queue.ring =
        packed ? std::unique_ptr<Virtqueue>(std::make_unique<PackedQueue>(host_, fault, max_size))
               : std::make_unique<SplitQueue>(host_, fault, max_size);
  }
  queue.ring->SetFeatures(features_);
}

// Device status (2.1)
// --------------------------------------------------------------------------------

bool DeviceCore::FeaturesOk() const { return status_ & status::kFeaturesOk; }
bool DeviceCore::DriverOk() const { return status_ & status::kDriverOk; }

uint8_t DeviceCore::GetStatus() {
  Saw(Act::kStatusRead);
  if (fault("status-not-read-back")) return status_ & static_cast<uint8_t>(~status::kDriver);
  return status_;
}

void DeviceCore::SetStatus(uint8_t value) {
  // A driver can set bits but not clear them; DEVICE_NEEDS_RESET is the device's.
  const bool was_suspended = Suspended();
  status_ |= value & (status::kAcknowledge | status::kDriver | status::kFailed);
  if ((value & status::kFeaturesOk) && !FeaturesOk()) Negotiate();
  if (was_suspended) {
    if (value & status::kDriverOk) Resume();
    return;
  }
  const bool was_running = DriverOk();
  if ((value & status::kDriverOk) && FeaturesOk() && !was_running) EnterDriverOk();
  if ((value & status::kSuspend) && suspend_ &&
      ((was_running && features_.Has(feature::kSuspend)) || fault("suspend-at-any-time")))
    EnterSuspend();
}

bool DeviceCore::Suspended() const { return status_ & status::kSuspend; }

// What is available is used, and told, before the device says that it is suspended (3.4.2).
void DeviceCore::EnterSuspend() {
  if (fault("suspend-ignored")) return;
  for (Queue& queue : queues_)
    if (fault("suspend-drops-buffers") && queue.ring->enabled()) {
      Chain dropped;
      queue.ring->Next(dropped);
    }
  // Those that were not notified of may wait.
  suspending_ = true;
  while (!fault("suspend-goes-on-serving") && Run()) {
  }
  suspending_ = false;
  status_ |= status::kSuspend;
  status_ &= static_cast<uint8_t>(~status::kDriverOk);
}

void DeviceCore::Resume() {
  if (fault("suspend-for-ever")) return;
  status_ |= status::kDriverOk;
  status_ &= static_cast<uint8_t>(~status::kSuspend);
  if (fault("suspend-forgets-used"))
    for (Queue& queue : queues_) queue.ring->ForgetUsed();
  if (std::exchange(config_news_, false) && !fault("suspend-config-never-told"))
    host_.SignalConfig();
  // Whatever became available meanwhile.
  for (Queue& queue : queues_) queue.pending = queue.ring->enabled();
}

void DeviceCore::EnterDriverOk() {
  status_ |= status::kDriverOk;
  serves_over_reset_ = false;
  Saw(Act::kDriverOk);
  OnDriverOk();
  if (fault("config-change-spurious")) host_.SignalConfig();
}

// Device reset (2.4)
// ---------------------------------------------------------------------------------

void DeviceCore::Reset() {
  const bool was_driver_ok = DriverOk();
  const bool was_error = status_ & (status::kNeedsReset | status::kFailed);
  const Bytes before = VisibleConfig();
  if (!(fault("reset-keeps-failed") && was_error)) status_ = 0;
  if (fault("reset-keeps-status") && was_driver_ok) status_ = status::kDriverOk;
  if (fault("reset-keeps-queues") && was_driver_ok) serves_over_reset_ = true;
  accepted_ = features_ = FeatureSet();
  offer_read_ = false;
  config_news_ = false;
  stopped_ = false;
  overlay_.clear();
  ResetQueues();
  OnReset();
  if (VisibleConfig() != before) MoveGeneration();
  if (eager_) WorkSignals();
}

void DeviceCore::ResetQueues() {
  for (Queue& queue : queues_) {
    const bool was_enabled = queue.ring->enabled();
    queue.ring->DeviceReset();
    queue.pending = false;
    queue.last.reset();
    queue.held.reset();
    queue.held_back.clear();
    queue.completions = 0;
    queue.signal_later = fault("reset-notifies") && was_enabled;
  }
}

// Virtqueue set-up (2.6)
// -----------------------------------------------------------------------------

uint32_t DeviceCore::QueueMaxSize(uint32_t queue) {
  Saw(Act::kQueueLook);
  return queue < queues_.size() && QueueAvailable(queue) ? queues_[queue].ring->max_size() : 0;
}

bool DeviceCore::QueueSetup(uint32_t index, const vitro_queue& setup) {
  if (QueueMaxSize(index) == 0) return false;
  Queue& queue = queues_[index];
  const bool faulty_enabled = fault("reset-keeps-queues") || fault("queue-reset-keeps-serving");
  if (queue.ring->enabled() && !faulty_enabled) return false;
  if (!queue.ring->Setup(setup)) return false;
  queue.ring->SetFeatures(features_);
  queue.last.reset();
  if (fault("consumes-before-driver-ok")) queue.pending = true;
  return true;
}

bool DeviceCore::QueueReset(uint32_t index) {
  if ((!features_.Has(feature::kRingReset) && !legacy_) || index >= queues_.size()) return false;
  Queue& queue = queues_[index];
  const bool was_enabled = queue.ring->enabled();
  Saw(Act::kQueueReset);
  queue.ring->QueueReset();
  queue.last.reset();
  queue.held.reset();
  if (!fault("queue-reset-keeps-serving")) queue.pending = false;
  if (fault("queue-reset-notifies") && was_enabled) queue.signal_later = true;
  if (eager_) WorkSignals();
  return true;
}

}  // namespace vitro::ref
