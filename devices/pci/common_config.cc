// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/common_config.h"

#include <algorithm>
#include <bit>

#include "devices/ref/faults.h"
#include "harness/base/bytes.h"
#include "harness/virtio/pci.h"
#include "harness/virtio/status.h"

namespace vitro::pcidev {
namespace {

namespace common = virtio_pci::common;

}  // namespace

const CommonConfig::Register CommonConfig::kRegisters[] = {
    {common::kDeviceFeatureSelect, 4, &CommonConfig::DeviceFeatureSelect,
     &CommonConfig::SetDeviceFeatureSelect},
    {common::kDeviceFeature, 4, &CommonConfig::DeviceFeature, nullptr},
    {common::kDriverFeatureSelect, 4, &CommonConfig::DriverFeatureSelect,
     &CommonConfig::SetDriverFeatureSelect},
    {common::kDriverFeature, 4, &CommonConfig::DriverFeature, &CommonConfig::SetDriverFeature},
    {common::kConfigMsixVector, 2, &CommonConfig::ConfigVector, &CommonConfig::SetConfigVector},
    {common::kNumQueues, 2, &CommonConfig::NumQueues, nullptr},
    {common::kDeviceStatus, 1, &CommonConfig::DeviceStatus, &CommonConfig::SetDeviceStatus},
    {common::kConfigGeneration, 1, &CommonConfig::Generation, nullptr},
    {common::kQueueSelect, 2, &CommonConfig::QueueSelect, &CommonConfig::SetQueueSelect},
    {common::kQueueSize, 2, &CommonConfig::QueueSize, &CommonConfig::SetQueueSize},
    {common::kQueueMsixVector, 2, &CommonConfig::QueueVector, &CommonConfig::SetQueueVector},
    {common::kQueueEnable, 2, &CommonConfig::QueueEnable, &CommonConfig::SetQueueEnable},
    {common::kQueueNotifyOff, 2, &CommonConfig::QueueNotifyOff, nullptr},
    {common::kQueueDesc, 4, &CommonConfig::Half<&QueueState::desc, false>,
     &CommonConfig::SetHalf<&QueueState::desc, false>},
    {common::kQueueDesc + 4, 4, &CommonConfig::Half<&QueueState::desc, true>,
     &CommonConfig::SetHalf<&QueueState::desc, true>},
    {common::kQueueDriver, 4, &CommonConfig::Half<&QueueState::driver, false>,
     &CommonConfig::SetHalf<&QueueState::driver, false>},
    {common::kQueueDriver + 4, 4, &CommonConfig::Half<&QueueState::driver, true>,
     &CommonConfig::SetHalf<&QueueState::driver, true>},
    {common::kQueueDevice, 4, &CommonConfig::Half<&QueueState::device, false>,
     &CommonConfig::SetHalf<&QueueState::device, false>},
    {common::kQueueDevice + 4, 4, &CommonConfig::Half<&QueueState::device, true>,
     &CommonConfig::SetHalf<&QueueState::device, true>},
    {common::kQueueNotifConfigData, 2, &CommonConfig::NotifConfigData, nullptr},
    {common::kQueueReset, 2, &CommonConfig::QueueReset, &CommonConfig::SetQueueReset},
    {common::kAdminQueueIndex, 2, &CommonConfig::AdminQueueIndex, nullptr},
    {common::kAdminQueueNum, 2, &CommonConfig::AdminQueueNum, nullptr},
};

bool CommonConfig::Unshift(uint64_t& offset) const {
  if (!fault_("common-offsets-shifted") || offset < common::kQueueDesc) return true;
  offset -= 4;
  return offset >= common::kQueueDesc;
}

uint64_t CommonConfig::Read(uint64_t offset, uint32_t width) {
  if (offset % width != 0 && fault_("common-odd-access-crash")) ref::Crash();
  uint64_t value = 0;
  if (!Unshift(offset)) return 0;
  for (const Register& reg : kRegisters) {
    const uint64_t from = std::max<uint64_t>(offset, reg.offset);
    const uint64_t to = std::min<uint64_t>(offset + width, reg.offset + reg.bytes);
    if (from >= to) continue;
    const uint64_t part = (this->*reg.get)() >> 8 * (from - reg.offset);
    value |= (part & ByteMask(to - from)) << 8 * (from - offset);
  }
  return value;
}

void CommonConfig::Write(uint64_t offset, uint32_t width, uint64_t value) {
  if (!Unshift(offset)) return;
  narrow_ = width < 8;
  for (const Register& reg : kRegisters) {
    const uint64_t from = std::max<uint64_t>(offset, reg.offset);
    const uint64_t to = std::min<uint64_t>(offset + width, reg.offset + reg.bytes);
    if (from >= to || reg.set == nullptr) continue;
    const uint64_t mask = ByteMask(to - from) << 8 * (from - reg.offset);
    const uint64_t part = value >> 8 * (from - offset) << 8 * (from - reg.offset);
    const bool whole = to - from == reg.bytes;
    (this->*reg.set)((part & mask) | (whole ? 0 : (this->*reg.get)() & ~mask));
  }
}

void CommonConfig::Reset() {
  device_feature_select_ = driver_feature_select_ = 0;
  queue_select_ = 0;
  low_half_queue_ = 0;
}

// About the whole device
// ----------------------------------------------------------------------------------------

uint64_t CommonConfig::FeatureWord(FeatureSet features, uint32_t select) const {
  if (fault_("feature-select-ignored")) select = 0;
  if (fault_("feature-select-wraps")) select &= 1;
  if (select >= feature::kBits / 32) return 0;
  return features.word(select / 2) >> 32 * (select % 2) & UINT32_MAX;
}

void CommonConfig::SetDeviceFeatureSelect(uint64_t value) {
  device_feature_select_ = static_cast<uint32_t>(value);
}

void CommonConfig::SetDriverFeatureSelect(uint64_t value) {
  driver_feature_select_ = static_cast<uint32_t>(value);
}

uint32_t CommonConfig::DriverSelect() const {
  return fault_("driver-feature-select-shared") ? device_feature_select_ : driver_feature_select_;
}

uint64_t CommonConfig::DeviceFeature() {
  return FeatureWord(device_.Offered(), device_feature_select_);
}

uint64_t CommonConfig::DriverFeature() {
  if (fault_("driver-feature-not-readable")) return 0;
  const uint32_t select = DriverSelect();
  if (select >= feature::kBits / 32) return 0;
  return device_.accepted().word(select / 2) >> 32 * (select % 2) & UINT32_MAX;
}

void CommonConfig::SetDriverFeature(uint64_t value) {
  const uint32_t select = DriverSelect();
  // Settled by FEATURES_OK (3.1.1 step 5).
  if (select >= feature::kBits / 32 || (device_.Status() & status::kFeaturesOk)) return;
  uint64_t words[2] = {device_.accepted().word(0), device_.accepted().word(1)};
  const unsigned shift = 32 * (select % 2);
  words[select / 2] = (words[select / 2] & ~(uint64_t{UINT32_MAX} << shift)) | value << shift;
  device_.Accept(FeatureSet::FromWords(words[0], words[1]));
}

uint64_t CommonConfig::NumQueues() {
  return device_.identity().queue_count + (fault_("num-queues-wrong") ? 1 : 0);
}

void CommonConfig::SetDeviceStatus(uint64_t value) {
  if (value != 0) return device_.WriteStatus(static_cast<uint8_t>(value));
  reset_requested_ = !fault_("status-reset-ignored");
}

// About a virtqueue
// ----------------------------------------------------------------------------------------

uint32_t CommonConfig::SelectedIndex() const {
  if (fault_("queue-select-ignored")) return 0;
  return fault_("queue-select-truncated") ? queue_select_ & 0xff : queue_select_;
}

QueueState* CommonConfig::Selected() {
  const uint32_t index = SelectedIndex();
  return device_.QueueThere(index) ? &device_.queue(index) : nullptr;
}

// Once enabled a queue stays as it is.
bool CommonConfig::MayConfigure() {
  const QueueState* queue = Selected();
  return queue != nullptr && !queue->enabled;
}

uint64_t CommonConfig::QueueSize() {
  const QueueState* queue = Selected();
  if (queue == nullptr) return fault_("queue-size-shown-for-missing") ? device_.QueueMax(0) : 0;
  if (fault_("queue-size-not-power-of-two")) return 100;
  return queue->size == 0 ? device_.QueueMax(SelectedIndex()) : queue->size;
}

void CommonConfig::SetQueueSize(uint64_t value) {
  if (!MayConfigure() || fault_("queue-size-write-ignored")) return;
  // What cannot be a queue size is not taken.
  const bool any_size = device_.accepted().Has(feature::kRingPacked) && value != 0;
  if (value > device_.QueueMax(SelectedIndex()) || !(any_size || std::has_single_bit(value)))
    return;
  Selected()->size = static_cast<uint32_t>(value);
}

uint64_t CommonConfig::QueueVector() { return interrupts_.QueueVector(SelectedIndex()); }

void CommonConfig::SetQueueVector(uint64_t value) {
  if (Selected() != nullptr) interrupts_.MapQueue(SelectedIndex(), static_cast<uint16_t>(value));
}

uint64_t CommonConfig::QueueEnable() {
  const QueueState* queue = Selected();
  return queue != nullptr && (queue->enabled || queue->enable_shown) ? 1 : 0;
}

void CommonConfig::SetQueueEnable(uint64_t value) {
  if (Selected() == nullptr && fault_("queue-enable-missing-crash")) ref::Crash();
  // Only a reset disables a queue.
  if (value == 1 && MayConfigure()) device_.EnableQueue(SelectedIndex());
}

uint64_t CommonConfig::QueueNotifyOff() { return Selected() == nullptr ? 0 : SelectedIndex(); }

template <uint64_t QueueState::*kAddress, bool kHigh>
uint64_t CommonConfig::Half() {
  const QueueState* queue = Selected();
  return queue == nullptr ? 0 : queue->*kAddress >> (kHigh ? 32 : 0) & UINT32_MAX;
}

template <uint64_t QueueState::*kAddress, bool kHigh>
void CommonConfig::SetHalf(uint64_t value) {
  SetHalf(kAddress, kHigh, value);
}

void CommonConfig::SetHalf(uint64_t QueueState::*address, bool high, uint64_t value) {
  if (!MayConfigure() || (narrow_ && fault_("queue-address-needs-64-bit-write"))) return;
  QueueState* queue = Selected();
  if (!high) low_half_queue_ = SelectedIndex();
  if (high && fault_("queue-address-of-wrong-queue")) queue = &device_.queue(low_half_queue_);
  const uint64_t low = queue->*address & UINT32_MAX;
  if (!high)
    queue->*address = (queue->*address & ~uint64_t{UINT32_MAX}) | value;
  else
    queue->*address = value << 32 | (fault_("queue-address-high-clears-low") ? 0 : low);
}

uint64_t CommonConfig::NotifConfigData() {
  if (!device_.Negotiated(feature::kNotifConfigData) || Selected() == nullptr) return 0;
  return DeviceSide::NotifConfigData(SelectedIndex());
}

uint64_t CommonConfig::QueueReset() {
  const QueueState* queue = Selected();
  return queue != nullptr && queue->resetting ? 1 : 0;
}

void CommonConfig::SetQueueReset(uint64_t value) {
  const QueueState* queue = Selected();
  if (value == 1 && queue != nullptr && queue->enabled && device_.Negotiated(feature::kRingReset))
    device_.ResetQueue(SelectedIndex());
}

// About the administration virtqueues
// ----------------------------------------------------------------------------------------

uint64_t CommonConfig::AdminQueueIndex() {
  if (fault_("admin-queue-index-low")) return device_.identity().queue_count - 1;
  return device_.Negotiated(feature::kAdminVq) ? device_.identity().admin_queue_index : 0;
}

uint64_t CommonConfig::AdminQueueNum() {
  return device_.Negotiated(feature::kAdminVq) ? device_.identity().admin_queue_count : 0;
}

}  // namespace vitro::pcidev
