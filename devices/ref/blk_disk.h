// SPDX-License-Identifier: Apache-2.0
// Disk: the sectors of the reference block device, in memory. A sector that was never written reads
// as a pattern of its own number, so that data read from the wrong place shows.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <unordered_map>

#include "harness/base/bytes.h"
#include "harness/virtio/blk.h"

namespace vitro::ref {

class Disk {
 public:
  explicit Disk(uint64_t capacity) : capacity_(capacity) {}

  uint64_t capacity() const { return capacity_; }  // in sectors
  void Grow(uint64_t sectors) { capacity_ += sectors; }
  bool Contains(uint64_t sector, uint64_t count) const {
    return sector <= capacity_ && count <= capacity_ - sector;
  }

  // One sector, kSectorSize bytes.
  void Read(uint64_t sector, uint8_t* to) const {
    if (const auto it = written_.find(sector); it != written_.end())
      std::memcpy(to, it->second.data(), blk::kSectorSize);
    else
      for (uint32_t i = 0; i < blk::kSectorSize; ++i) to[i] = PatternByte(sector, i);
  }
  void Write(uint64_t sector, const uint8_t* from) {
    std::memcpy(written_[sector].data(), from, blk::kSectorSize);
  }
  void Zero(uint64_t sector, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) written_[sector + i].fill(0);
  }

 private:
  uint64_t capacity_;
  std::unordered_map<uint64_t, std::array<uint8_t, blk::kSectorSize>> written_;
};

}  // namespace vitro::ref
