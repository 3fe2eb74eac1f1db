// SPDX-License-Identifier: Apache-2.0
// An example of a new device type in C++: a dispenser of tickets. Device id 65534, one split
// virtqueue, VERSION_1, and a configuration space of one field.
//
//   c++ -std=c++20 -shared -fPIC -I devices/abi devices/examples/tickets.cc -o tickets.so
//
// Configuration space   0 le32 step   writable; takes effect at DRIVER_OK, 1 after reset.
// Request               The device writes the next ticket, a le64, to the start of the
// device-writable
//                       part of the chain, in whatever pieces that comes; less than 8 bytes get the
//                       ticket's first bytes. Tickets start at 0 at reset and grow by `step`.
//                       Device-readable buffers are ignored.
//
// Nothing that the driver wrote is trusted: a ring that cannot be right sets DEVICE_NEEDS_RESET.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "vitro_device.h"

static_assert(std::endian::native == std::endian::little, "fields are copied as they are");

namespace {

constexpr uint8_t kAcknowledge = 1, kDriver = 2, kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64,
                  kFailed = 128;
constexpr uint16_t kDescNext = 1, kDescWrite = 2, kDescIndirect = 4, kAvailNoInterrupt = 1;
constexpr uint64_t kVersion1 = uint64_t{1} << 32;
constexpr uint32_t kMaxQueueSize = 256, kConfigSize = 4;

struct Descriptor {  // struct virtq_desc (2.7.5)
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
};
struct UsedElement {  // struct virtq_used_elem (2.7.8)
  uint32_t id, length;
};

class Tickets {
 public:
  explicit Tickets(const vitro_host* host) : host_(host) {}

  const vitro_host* host() const { return host_; }
  uint8_t status() const { return status_; }
  void SetStatus(uint8_t status);
  void Accept(const uint64_t words[2]);
  bool ConfigRead(uint32_t offset, void* value, uint32_t width) const;
  bool ConfigWrite(uint32_t offset, const void* value, uint32_t width);
  bool SetupQueue(uint32_t index, const vitro_queue& setup);
  void Notify(uint32_t index) { notified_ = notified_ || index == 0; }
  bool Run();

 private:
  template <typename T>
  bool Load(uint64_t address, T& value) const {
    return host_->read(host_->context, address, &value, sizeof value) == 0;
  }
  template <typename T>
  bool Store(uint64_t address, const T& value) const {
    return host_->write(host_->context, address, &value, sizeof value) == 0;
  }
  bool Drain(uint32_t& served);
  bool ServeChain(uint16_t head);
  bool Use(uint16_t head, uint32_t length);

  const vitro_host* host_;
  uint8_t status_ = 0;
  std::array<uint64_t, 2> accepted_{};
  std::optional<vitro_queue> queue_;
  uint16_t next_avail_ = 0, next_used_ = 0;
  bool notified_ = false;
  uint32_t step_ = 1, step_in_effect_ = 1;
  uint64_t ticket_ = 0;
};

void Tickets::SetStatus(uint8_t status) {
  status_ |= status & (kAcknowledge | kDriver | kFailed);
  // Exactly what is offered: there is no legacy interface.
  if ((status & kFeaturesOk) && accepted_ == std::array<uint64_t, 2>{kVersion1, 0})
    status_ |= kFeaturesOk;
  if ((status & kDriverOk) && (status_ & kFeaturesOk) && !(status_ & kDriverOk)) {
    step_in_effect_ = step_;
    status_ |= kDriverOk;
  }
}

void Tickets::Accept(const uint64_t words[2]) {
  if (!(status_ & kFeaturesOk)) accepted_ = {words[0], words[1]};
}

bool Tickets::ConfigRead(uint32_t offset, void* value, uint32_t width) const {
  if (offset > kConfigSize || width > kConfigSize - offset) return false;
  std::memcpy(value, reinterpret_cast<const uint8_t*>(&step_) + offset, width);
  return true;
}

bool Tickets::ConfigWrite(uint32_t offset, const void* value, uint32_t width) {
  // A driver does not write before it has negotiated (3.1.1).
  if (!(status_ & kFeaturesOk) || offset > kConfigSize || width > kConfigSize - offset)
    return false;
  std::memcpy(reinterpret_cast<uint8_t*>(&step_) + offset, value, width);
  return true;
}

bool Tickets::SetupQueue(uint32_t index, const vitro_queue& setup) {
  if (index != 0 || queue_) return false;
  if (!std::has_single_bit(setup.queue_size) || setup.queue_size > kMaxQueueSize) return false;
  if (setup.desc_address % 16 || setup.driver_address % 2 || setup.device_address % 4) return false;
  queue_ = setup;
  return true;
}

bool Tickets::Run() {
  if (!(status_ & kDriverOk) || (status_ & (kNeedsReset | kFailed))) return false;
  if (!queue_ || !notified_) return false;
  notified_ = false;
  uint32_t served = 0;
  const bool good = Drain(served);
  // The used index must be visible before the driver's wish is read (2.7.7).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  uint16_t flags = 0;
  if (served != 0 && (!Load(queue_->driver_address, flags) || !(flags & kAvailNoInterrupt)))
    host_->signal_queue(host_->context, 0);
  if (!good) {
    status_ |= kNeedsReset;
    host_->signal_config(host_->context);
  }
  // Buffers may have come meanwhile: while there was work, look again.
  notified_ = good && served != 0;
  return served != 0 || !good;
}

// Serves what is available. False if the ring is broken.
bool Tickets::Drain(uint32_t& served) {
  uint16_t available = 0, head = 0;
  if (!Load(queue_->driver_address + 2, available)) return false;
  // What stands in the ring is read only after the index that announces it.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (static_cast<uint16_t>(available - next_avail_) > queue_->queue_size) return false;
  for (; next_avail_ != available; ++next_avail_, ++served) {
    const uint64_t slot = 4 + 2ull * (next_avail_ % queue_->queue_size);
    if (!Load(queue_->driver_address + slot, head) || !ServeChain(head)) return false;
  }
  return true;
}

bool Tickets::ServeChain(uint16_t head) {
  std::array<uint8_t, 8> ticket;
  std::memcpy(ticket.data(), &ticket_, ticket.size());
  uint32_t written = 0;
  uint64_t total = 0;
  bool seen_writable = false;
  uint16_t index = head;
  // A chain has at most queue_size descriptors; one that has more is a loop.
  for (uint32_t count = 0; count < queue_->queue_size; ++count) {
    Descriptor descriptor;
    if (index >= queue_->queue_size) return false;
    if (!Load(queue_->desc_address + 16ull * index, descriptor)) return false;
    const bool writable = descriptor.flags & kDescWrite;
    // INDIRECT_DESC is not offered, and device-readable buffers come first.
    if ((descriptor.flags & kDescIndirect) || (seen_writable && !writable)) return false;
    total += descriptor.length;
    if (total > uint64_t{1} << 32) return false;
    if (writable) {
      seen_writable = true;
      const uint32_t piece = std::min<uint32_t>(descriptor.length, 8 - written);
      if (piece != 0 &&
          host_->write(host_->context, descriptor.address, ticket.data() + written, piece) != 0)
        return false;
      written += piece;
    }
    if (!(descriptor.flags & kDescNext)) {
      ticket_ += step_in_effect_;
      return Use(head, written);
    }
    index = descriptor.next;
  }
  return false;
}

bool Tickets::Use(uint16_t head, uint32_t length) {
  const uint64_t slot = 4 + 8ull * (next_used_ % queue_->queue_size);
  if (!Store(queue_->device_address + slot, UsedElement{head, length})) return false;
  ++next_used_;
  // The buffer and the entry must be seen before the index that announces them.
  std::atomic_thread_fence(std::memory_order_release);
  return Store(queue_->device_address + 2, next_used_);
}

// The C ABI
// ------------------------------------------------------------------------------------------

Tickets& Self(vitro_device* device) { return *reinterpret_cast<Tickets*>(device); }

int Create(const vitro_host* host, const char* options, vitro_device** device) {
  if (host->abi_version != VITRO_ABI_VERSION || host->size < sizeof *host) return -1;
  if (*options != '\0') {
    host->log(host->context, "this device has no options");
    return -1;
  }
  *device = reinterpret_cast<vitro_device*>(new Tickets(host));
  return 0;
}

void Identity(vitro_device*, vitro_identity* identity) {
  const vitro_identity full{identity->size, 65534, 0, 1, kConfigSize, 0, 0};
  std::memcpy(identity, &full, std::min<size_t>(identity->size, sizeof full));
}

vitro_device_ops MakeOps() {
  vitro_device_ops ops{};
  ops.size = sizeof ops;
  ops.abi_version = VITRO_ABI_VERSION;
  ops.name = "ticket dispenser";
  ops.create = Create;
  ops.destroy = [](vitro_device* d) { delete &Self(d); };
  ops.identity = Identity;
  ops.offered_features = [](vitro_device*, uint64_t words[2]) {
    words[0] = kVersion1;
    words[1] = 0;
  };
  ops.accept_features = [](vitro_device* d, const uint64_t words[2]) { Self(d).Accept(words); };
  ops.get_status = [](vitro_device* d) { return Self(d).status(); };
  ops.set_status = [](vitro_device* d, uint8_t status) { Self(d).SetStatus(status); };
  ops.reset = [](vitro_device* d) { Self(d) = Tickets(Self(d).host()); };
  ops.config_read = [](vitro_device* d, uint32_t offset, void* value, uint32_t width) {
    return Self(d).ConfigRead(offset, value, width) ? 0 : -1;
  };
  ops.config_write = [](vitro_device* d, uint32_t offset, const void* value, uint32_t width) {
    return Self(d).ConfigWrite(offset, value, width) ? 0 : -1;
  };
  ops.queue_max_size = [](vitro_device*, uint32_t queue) { return queue == 0 ? kMaxQueueSize : 0; };
  ops.queue_setup = [](vitro_device* d, uint32_t queue, const vitro_queue* setup) {
    return Self(d).SetupQueue(queue, *setup) ? 0 : -1;
  };
  ops.notify = [](vitro_device* d, uint32_t queue) { Self(d).Notify(queue); };
  ops.run = [](vitro_device* d) { return Self(d).Run() ? 1 : 0; };
  return ops;
}

}  // namespace

extern "C" const vitro_device_ops* vitro_device_entry(uint32_t host_abi_version) {
  static const vitro_device_ops ops = MakeOps();
  return host_abi_version == VITRO_ABI_VERSION ? &ops : nullptr;
}
