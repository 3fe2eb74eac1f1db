// SPDX-License-Identifier: Apache-2.0
#include "devices/mmio/mmio_registers.h"

#include <cstring>
#include <utility>

#include "harness/base/bytes.h"
#include "harness/virtio/mmio.h"
#include "harness/virtio/status.h"

namespace vitro::ref {
namespace {

using namespace mmio;  // NOLINT: the names of the registers, which this file is about

constexpr uint64_t kShmStride = uint64_t{1} << 40;  // far above all guest memory
constexpr uint64_t kNoRegion = UINT64_MAX;

uint64_t WithLow(uint64_t address, uint32_t low) { return (address & ~0xffffffffull) | low; }
uint64_t WithHigh(uint64_t address, uint32_t high) {
  return (address & 0xffffffffull) | uint64_t{high} << 32;
}

MmioRegisters& Self(void* context) { return *static_cast<MmioRegisters*>(context); }

}  // namespace

MmioRegisters::MmioRegisters(const vitro_device_ops* inner, const vitro_host* host,
                             const Settings& settings, const char* inner_options)
    : fault_(settings.fault), shm_(settings.shm), inner_(inner), outer_host_(host) {
  // What concerns memory and messages for people goes straight to the host; notifications become
  // bits and a line here. That one context serves both is why all calls go through this.
  inner_host_ = {};
  inner_host_.size = sizeof inner_host_;
  inner_host_.abi_version = VITRO_ABI_VERSION;
  inner_host_.context = this;
  inner_host_.read = [](void* self, uint64_t address, void* to, uint64_t length) {
    const vitro_host* outer = Self(self).outer_host_;
    return outer->read(outer->context, address, to, length);
  };
  inner_host_.write = [](void* self, uint64_t address, const void* from, uint64_t length) {
    const vitro_host* outer = Self(self).outer_host_;
    return outer->write(outer->context, address, from, length);
  };
  inner_host_.map = [](void* self, uint64_t address, uint64_t length) {
    const vitro_host* outer = Self(self).outer_host_;
    return outer->map(outer->context, address, length);
  };
  inner_host_.log = [](void* self, const char* line) {
    const vitro_host* outer = Self(self).outer_host_;
    outer->log(outer->context, line);
  };
  inner_host_.signal_queue = [](void* self, uint16_t) { Self(self).Raise(kInterruptUsedBuffer); };
  inner_host_.signal_config = [](void* self) { Self(self).Raise(kInterruptConfigChange); };
  inner_host_.send_message = [](void*, uint64_t, uint32_t) {};
  inner_host_.set_line = [](void*, int) {};
  if (inner_->create(&inner_host_, inner_options, &device_) != 0) device_ = nullptr;
  if (device_ == nullptr) return;
  identity_.size = sizeof identity_;
  inner_->identity(device_, &identity_);
  queues_.resize(identity_.queue_count);
}

MmioRegisters::~MmioRegisters() {
  if (device_ != nullptr) inner_->destroy(device_);
}

// Accesses ----------------------------------------------------------------------------------------

bool MmioRegisters::Read(uint64_t offset, uint32_t width, uint64_t* value) {
  if (offset >= kConfig) return ReadConfig(offset - kConfig, width, value);
  if (width != 4 || offset % 4 != 0) {
    if (fault_("mmio-narrow-access-crash")) Crash();
    return false;
  }
  *value = ReadControl(static_cast<uint32_t>(offset));
  return true;
}

bool MmioRegisters::Write(uint64_t offset, uint32_t width, uint64_t value) {
  if (offset >= kConfig) return WriteConfig(offset - kConfig, width, value);
  if (width != 4 || offset % 4 != 0) {
    if (fault_("mmio-narrow-access-crash")) Crash();
    return false;
  }
  WriteControl(static_cast<uint32_t>(offset), static_cast<uint32_t>(value));
  return true;
}

// Registers that are for writing only, and places where there is none, read 0.
uint32_t MmioRegisters::ReadControl(uint32_t offset) {
  const bool running = Status() & status::kDriverOk;
  switch (offset) {
    case kMagicValue:
      if (fault_("mmio-magic-wrong") && running) return __builtin_bswap32(kMagic);
      return kMagic ^ overwritten_[0];
    case kVersion:
      if (fault_("mmio-version-1") && (Status() & status::kFeaturesOk)) return 1;
      return kVersion2 ^ overwritten_[1];
    case kDeviceId:
      if (fault_("mmio-device-id-lost") && running) return 0;
      return identity_.device_id ^ overwritten_[2];
    case kVendorId:
      return identity_.vendor_id ^ overwritten_[3];
    case kDeviceFeatures:
      return DeviceFeatures();
    case kQueueSizeMax:
      return QueueSizeMax();
    case kQueueReady:
      return QueueReady();
    case kInterruptStatus:
      return InterruptStatus();
    case kStatus:
      return stale_status_ != 0 ? stale_status_ : Status();
    case kShmLenLow:
    case kShmBaseLow:
      return static_cast<uint32_t>(SharedMemory(offset));
    case kShmLenHigh:
    case kShmBaseHigh:
      return static_cast<uint32_t>(SharedMemory(offset - 4) >> 32);
    case kQueueReset: {
      const Queue* queue = Selected();
      return queue != nullptr && queue->shows_reset ? 1 : 0;
    }
    case kConfigGeneration: {
      if (fault_("mmio-generation-stuck")) return 0;
      if (inner_->config_generation != nullptr) return inner_->config_generation(device_);
      const std::lock_guard lock(interrupt_mutex_);
      return config_changes_;
    }
    case kQueueNotify:
    case kInterruptAck:
      if (fault_("mmio-write-only-read-crash")) Crash();
      return 0;
    default:
      return 0;
  }
}

void MmioRegisters::WriteControl(uint32_t offset, uint32_t value) {
  switch (offset) {
    case kMagicValue:
    case kVersion:
    case kDeviceId:
    case kVendorId:
      if (fault_("mmio-read-only-written")) overwritten_[offset / 4] = value;
      return;
    case kDeviceFeaturesSel:
      device_features_sel_ = value;
      return;
    case kDriverFeaturesSel:
      driver_features_sel_ = value;
      return;
    case kDriverFeatures:
      return WriteDriverFeatures(value);
    case kQueueSel:
      if (fault_("mmio-queue-sel-out-of-range-kept") && value >= queues_.size()) return;
      queue_sel_ = value;
      return;
    case kQueueSize:
      return WriteQueueSize(value);
    case kQueueReady:
      return WriteQueueReady(value);
    case kQueueNotify:
      return Notify(value);
    case kInterruptAck:
      return Acknowledge(value);
    case kStatus:
      return WriteStatus(static_cast<uint8_t>(value));
    case kQueueDescLow:
    case kQueueDescHigh:
    case kQueueDriverLow:
    case kQueueDriverHigh:
    case kQueueDeviceLow:
    case kQueueDeviceHigh:
      return WriteAddress(offset, value);
    case kShmSel:
      shm_sel_ = value;
      return;
    case kQueueReset:
      if (value == 1) WriteQueueReset();
      return;
    default:
      return;
  }
}

bool MmioRegisters::ReadConfig(uint64_t offset, uint32_t width, uint64_t* value) {
  if (width > 4 || offset > UINT32_MAX) return false;
  if (fault_("mmio-config-word-only") && width != 4) return false;
  if (fault_("mmio-config-at-wrong-offset")) {
    if (offset < 8) return false;
    offset -= 8;
  }
  uint8_t bytes[4] = {};
  if (inner_->config_read(device_, static_cast<uint32_t>(offset), bytes, width) != 0) return false;
  *value = LoadLe(ByteView(bytes, width));
  return true;
}

bool MmioRegisters::WriteConfig(uint64_t offset, uint32_t width, uint64_t value) {
  if (width > 4 || offset > UINT32_MAX) return false;
  if (fault_("mmio-config-word-only") && width != 4) return false;
  const Bytes bytes = LeBytes(value, width);
  return inner_->config_write(device_, static_cast<uint32_t>(offset), bytes.data(), width) == 0;
}

// Features and status -----------------------------------------------------------------------------

uint32_t MmioRegisters::DeviceFeatures() {
  uint32_t selected = device_features_sel_;
  if (fault_("mmio-feature-sel-ignored")) selected = 0;
  if (fault_("mmio-feature-sel-one-bit")) selected = selected != 0;
  if (selected >= 4) return 0;
  uint64_t words[2] = {};
  inner_->offered_features(device_, words);
  return static_cast<uint32_t>(words[selected / 2] >> (selected % 2 * 32));
}

void MmioRegisters::WriteDriverFeatures(uint32_t value) {
  const uint32_t selected = fault_("mmio-driver-feature-sel-ignored") ? 0 : driver_features_sel_;
  if (fault_("mmio-driver-features-clear-others"))
    for (uint32_t& word : driver_features_) word = 0;
  // Bits from 128 on are nobody's: a driver that accepts one gets no FEATURES_OK in the device
  // inside either way, as it cannot have been offered.
  if (selected >= 4) return;
  driver_features_[selected] = value;
  const uint64_t words[2] = {driver_features_[0] | uint64_t{driver_features_[1]} << 32,
                             driver_features_[2] | uint64_t{driver_features_[3]} << 32};
  inner_->accept_features(device_, words);
}

void MmioRegisters::WriteStatus(uint8_t value) {
  const uint8_t before = Status();
  stale_status_ = 0;
  if (value != 0) return inner_->set_status(device_, value);
  Reset();
  if (fault_("mmio-status-not-cleared")) stale_status_ = before;
}

void MmioRegisters::Reset() {
  inner_->reset(device_);
  device_features_sel_ = driver_features_sel_ = queue_sel_ = shm_sel_ = 0;
  for (uint32_t& word : driver_features_) word = 0;
  for (Queue& queue : queues_) {
    const Queue before = std::exchange(queue, {});
    queue.ready = fault_("mmio-queue-ready-not-reset") && before.ready;
    queue.shows_reset = fault_("mmio-queue-reset-kept-over-reset") && before.was_reset;
  }
  const std::lock_guard lock(interrupt_mutex_);
  if (fault_("mmio-interrupt-kept-over-reset")) return;
  interrupt_status_ = late_bits_ = 0;
  if (!fault_("mmio-line-kept-over-reset")) SetLine(false);
}

// Virtqueues --------------------------------------------------------------------------------------

MmioRegisters::Queue* MmioRegisters::Selected() {
  return queue_sel_ < queues_.size() ? &queues_[queue_sel_] : nullptr;
}

uint32_t MmioRegisters::QueueSizeMax() {
  if (fault_("mmio-queue-size-max-for-missing") && queue_sel_ >= queues_.size())
    return inner_->queue_max_size(device_, 0);
  const Queue* queue = Selected();
  if (queue == nullptr) return 0;
  if (fault_("mmio-queue-size-max-follows-size") && queue->size != 0) return queue->size;
  return inner_->queue_max_size(device_, queue_sel_);
}

uint32_t MmioRegisters::QueueReady() {
  if (fault_("mmio-queue-ready-write-only")) return 0;
  if (fault_("mmio-queue-ready-shared"))
    for (const Queue& queue : queues_)
      if (queue.ready) return 1;
  const Queue* queue = Selected();
  return queue != nullptr && queue->ready ? 1 : 0;
}

void MmioRegisters::WriteQueueSize(uint32_t value) {
  Queue* queue = Selected();
  if (queue == nullptr) {
    if (fault_("mmio-queue-sel-crash")) Crash();
    return;
  }
  if (!queue->ready) queue->size = value;
}

void MmioRegisters::WriteAddress(uint32_t offset, uint32_t value) {
  Queue* queue = fault_("mmio-queue-sel-ignored") && !queues_.empty() ? queues_.data() : Selected();
  if (queue == nullptr) {
    if (fault_("mmio-queue-sel-crash")) Crash();
    return;
  }
  if (queue->ready) return;  // a driver may not write now (4.2.2.2)
  const bool high = offset % 8 != 0;
  uint64_t& address = (offset & ~4u) == kQueueDescLow     ? queue->desc
                      : (offset & ~4u) == kQueueDriverLow ? queue->driver
                                                          : queue->device;
  if (fault_("mmio-address-latch-shared")) {
    if (high)
      address = low_latch_ | uint64_t{value} << 32;
    else
      low_latch_ = value;
  } else if (high) {
    if (!fault_("mmio-address-high-ignored")) address = WithHigh(address, value);
  } else {
    address = fault_("mmio-address-low-clears-high") ? value : WithLow(address, value);
  }
  if (fault_("mmio-queue-served-before-ready") && offset == kQueueDeviceHigh) SetUp(queue_sel_);
}

bool MmioRegisters::SetUp(uint32_t index) {
  Queue& queue = queues_[index];
  if (queue.set_up) return true;
  vitro_queue setup{};
  setup.size = sizeof setup;
  setup.queue_size = queue.size;
  setup.desc_address = queue.desc;
  setup.driver_address = queue.driver;
  setup.device_address = queue.device;
  queue.set_up = inner_->queue_setup(device_, index, &setup) == 0;
  return queue.set_up;
}

// False where the device inside cannot give the queue up: it has no such operation, or
// VIRTIO_F_RING_RESET was not negotiated.
bool MmioRegisters::ResetInside(uint32_t index) {
  if (inner_->queue_reset == nullptr || inner_->queue_reset(device_, index) != 0) return false;
  queues_[index].set_up = false;
  return true;
}

void MmioRegisters::WriteQueueReady(uint32_t value) {
  Queue* queue = Selected();
  if (queue == nullptr) {
    if (fault_("mmio-queue-sel-crash")) Crash();
    return;
  }
  if (value == 1 && !queue->ready) {
    if (!SetUp(queue_sel_)) return;
    queue->ready = true;
    queue->shows_reset = fault_("mmio-queue-reset-one-when-enabled") && queue->was_reset;
  } else if (value == 0 && queue->ready) {
    queue->ready = false;
    if (fault_("mmio-queue-ready-zero-ignored")) return;
    queue->notified = false;
    // Where that is not possible it is kept from working by not being notified.
    ResetInside(queue_sel_);
  }
}

void MmioRegisters::WriteQueueReset() {
  Queue* queue = Selected();
  if (queue == nullptr) {
    if (fault_("mmio-queue-sel-crash")) Crash();
    return;
  }
  if (!queue->ready) return;
  if (fault_("mmio-queue-reset-ignored")) {
    queue->ready = false;
    return;
  }
  if (!ResetInside(fault_("mmio-queue-reset-hits-queue-zero") ? 0 : queue_sel_)) return;
  queue->notified = false;
  queue->was_reset = true;
  queue->ready = fault_("mmio-queue-reset-keeps-ready");
  queue->shows_reset = fault_("mmio-queue-reset-stays-one");
}

// With VIRTIO_F_NOTIFICATION_DATA the index is the lower half; without, it is all there is.
void MmioRegisters::Notify(uint32_t value) {
  uint32_t index = value & 0xffff;
  if (fault_("mmio-notify-value-ignored")) index = 0;
  if (fault_("mmio-notify-uses-queue-sel")) index = queue_sel_;
  if (index >= queues_.size()) return inner_->notify(device_, index);
  Queue& queue = queues_[index];
  const bool serves = queue.ready || (queue.set_up && (fault_("mmio-queue-ready-zero-ignored") ||
                                                       fault_("mmio-queue-reset-ignored") ||
                                                       fault_("mmio-queue-served-before-ready")));
  if (serves) queue.notified = true;
}

bool MmioRegisters::Run() {
  bool any = false;
  for (uint32_t i = 0; i < queues_.size(); ++i)
    if (std::exchange(queues_[i].notified, false)) {
      inner_->notify(device_, i);
      any = true;
    }
  {
    const std::lock_guard lock(interrupt_mutex_);
    if (late_bits_ != 0) any = true;
    interrupt_status_ |= std::exchange(late_bits_, 0);
  }
  return inner_->run(device_) != 0 || any;
}

// Interrupts --------------------------------------------------------------------------------------

void MmioRegisters::SetLine(bool asserted) {
  outer_host_->set_line(outer_host_->context, asserted ? 1 : 0);
}

void MmioRegisters::Raise(uint32_t bit) {
  const std::lock_guard lock(interrupt_mutex_);
  if (bit == kInterruptConfigChange) ++config_changes_;
  if (fault_("mmio-interrupt-bits-swapped")) bit ^= kInterruptUsedBuffer | kInterruptConfigChange;
  if (fault_("mmio-interrupt-undefined-bit")) bit |= 4;
  if (fault_("mmio-interrupt-overwritten")) interrupt_status_ = 0;
  if (fault_("mmio-interrupt-status-after-line"))
    late_bits_ |= bit;
  else
    interrupt_status_ |= bit;
  SetLine(true);
  if (fault_("mmio-line-edge")) SetLine(false);
}

uint32_t MmioRegisters::InterruptStatus() {
  const std::lock_guard lock(interrupt_mutex_);
  if (fault_("mmio-interrupt-status-not-set")) return 0;
  const uint32_t value = interrupt_status_;
  if (fault_("mmio-interrupt-status-read-clears")) {
    interrupt_status_ = 0;
    SetLine(false);
  }
  return value;
}

void MmioRegisters::Acknowledge(uint32_t bits) {
  const std::lock_guard lock(interrupt_mutex_);
  if (fault_("mmio-interrupt-ack-ignored")) return;
  if (fault_("mmio-interrupt-ack-clears-all")) bits = UINT32_MAX;
  if (fault_("mmio-interrupt-undefined-bit")) bits |= 4;  // a driver does not write it
  interrupt_status_ &= ~bits;
  if (fault_("mmio-line-stuck")) return;
  if (interrupt_status_ == 0 || fault_("mmio-line-drops-early")) SetLine(false);
}

// Shared memory regions ---------------------------------------------------------------------------

// `offset` is that of a lower half.
uint64_t MmioRegisters::SharedMemory(uint32_t offset) const {
  const bool length = offset == kShmLenLow;
  uint32_t id = shm_sel_;
  if (fault_("mmio-shm-sel-ignored")) id = 0;
  // The second one is too long for 32 bits.
  if ((shm_ || fault_("mmio-shm-sel-ignored")) && id == 0) return length ? 0x10000 : kShmStride;
  if (shm_ && id == 3) return length ? uint64_t{1} << 33 : 3 * kShmStride;
  if (length && fault_("mmio-shm-length-zero")) return 0;
  if (!length && fault_("mmio-shm-base-zero")) return 0;
  return kNoRegion;
}

}  // namespace vitro::ref
