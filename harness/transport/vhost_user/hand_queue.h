// SPDX-License-Identifier: Apache-2.0
// For tests: a split virtqueue laid out and driven by hand, independent of harness/driver.
#pragma once

#include <initializer_list>

#include "harness/memory/guest_memory.h"
#include "harness/transport/transport.h"
#include "harness/virtio/split_ring.h"

namespace vitro::vhost_user {

class HandQueue {
 public:
  struct Buffer {
    uint64_t address;
    uint32_t length;
    bool device_writes;
  };

  // Takes three pages at `base`.
  HandQueue(GuestMemory& memory, uint64_t base, uint16_t size)
      : memory_(memory), base_(base), size_(size) {
    Clear();
  }
  QueueLayout layout() const { return {size_, base_, base_ + 0x1000, base_ + 0x2000}; }
  void Clear() {
    (void)memory_.Write(base_, Bytes(0x3000));
    next_ = 0;
  }

  // Publishes a chain; descriptors are used one after the other.
  void Publish(std::initializer_list<Buffer> chain) {
    auto first = static_cast<uint16_t>(descriptor_ % size_);
    for (auto it = chain.begin(); it != chain.end(); ++it) {
      auto index = static_cast<uint16_t>(descriptor_++ % size_);
      bool last = it + 1 == chain.end();
      uint64_t at = base_ + split::kDescSize * index;
      memory_.Store<uint64_t>(at, it->address);
      memory_.Store<uint32_t>(at + 8, it->length);
      memory_.Store<uint16_t>(at + 12,
                              static_cast<uint16_t>((it->device_writes ? split::kDescWrite : 0) |
                                                    (last ? 0 : split::kDescNext)));
      memory_.Store<uint16_t>(at + 14, static_cast<uint16_t>(last ? 0 : descriptor_ % size_));
    }
    memory_.Store<uint16_t>(base_ + 0x1004 + 2ull * (next_ % size_), first);
    memory_.Store<uint16_t>(base_ + 0x1002, ++next_);
  }
  void SuppressNotifications() {
    memory_.Store<uint16_t>(base_ + 0x1000, split::kAvailNoInterrupt);
  }

  uint16_t used_index() const { return memory_.Load<uint16_t>(base_ + 0x2002); }
  uint32_t used_length(uint16_t index) const {
    return memory_.Load<uint32_t>(base_ + 0x2004 + 8ull * (index % size_) + 4);
  }
  bool AllUsed() const { return used_index() == next_; }

 private:
  GuestMemory& memory_;
  uint64_t base_;
  uint16_t size_;
  uint16_t next_ = 0;
  uint32_t descriptor_ = 0;
};

}  // namespace vitro::vhost_user
