// SPDX-License-Identifier: Apache-2.0
// GuestMap: guest memory as a vhost-user front-end shares it (SET_MEM_TABLE, ADD_MEM_REG): mappings
// of its descriptors, found by guest or by user address. What it says is checked: no access leaves
// a mapping, and no mapping goes beyond its file.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/base/result.h"
#include "harness/base/unique_fd.h"
#include "harness/virtio/vhost_user.h"

namespace vitro::serve {

class GuestMap {
 public:
  static constexpr uint32_t kSlots = 32;

  GuestMap() = default;
  GuestMap(const GuestMap&) = delete;
  GuestMap& operator=(const GuestMap&) = delete;
  ~GuestMap();

  // kRefused for a region that overlaps another, does not lie in its file, or is one too many.
  Result<> Add(const vhost_user::MemoryRegion& region, const UniqueFd& fd);
  // kRefused if there is none such.
  Result<> Remove(const vhost_user::MemoryRegion& region);
  void Clear() { regions_.clear(); }

  // The bytes at a guest address that lie in one region, at most `length`, which becomes how many
  // they are; nullptr if there are none. Valid as long as this object, also once removed.
  uint8_t* At(uint64_t address, uint64_t& length) const;
  // Copies, across regions. False, with nothing copied, unless all of it is guest memory.
  bool Read(uint64_t address, void* to, uint64_t length) const;
  bool Write(uint64_t address, const void* from, uint64_t length) const;
  // The guest address of a user address; an address beyond all memory if it is none.
  uint64_t GuestAddressOf(uint64_t user_address) const;

 private:
  struct Mapping {
    void* start;
    uint64_t length;
  };
  struct Region {
    vhost_user::MemoryRegion told;
    uint8_t* host;
  };
  bool IsMemory(uint64_t address, uint64_t length) const;

  std::vector<Region> regions_;
  // Of removed regions too: a device may have pointers to them until its end.
  std::vector<Mapping> mappings_;
};

}  // namespace vitro::serve
