// SPDX-License-Identifier: Apache-2.0
// GuestMemory: the driver's memory as the device sees it: one memfd, mapped once, shown to the
// device as one or more regions of guest-physical addresses. Addresses in no region are holes. Must
// not know queues or devices.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "harness/base/bytes.h"
#include "harness/base/result.h"
#include "harness/base/unique_fd.h"

namespace vitro {

// Half-open range [address, address + length) of guest-physical addresses.
struct GuestRange {
  uint64_t address = 0;
  uint64_t length = 0;
  uint64_t end() const { return address + length; }
  bool Contains(uint64_t at) const { return at >= address && at - address < length; }
  bool Contains(const GuestRange& other) const {
    return other.address >= address && other.length <= length &&
           other.address - address <= length - other.length;
  }
  friend bool operator==(const GuestRange&, const GuestRange&) = default;
};

class GuestMemory {
 public:
  struct Region {
    GuestRange range;
    uint64_t file_offset;  // into fd(): the address itself, so that the file (sparse) is memory
                           // from address 0 on to a device that can map it in one piece only;
                           // after Become(fd, offset) what follows from that
    uint8_t* host;         // range.length bytes
  };

  // Regions must be page aligned, ascending and not overlap. Fails with kHarness.
  static Result<GuestMemory> Create(std::span<const GuestRange> regions);
  // Two adjacent regions from 1 MiB on, 2 MiB each: small enough to compare often, and address 0
  // and everything above are holes.
  static Result<GuestMemory> CreateDefault();

  GuestMemory(GuestMemory&&) noexcept;
  GuestMemory& operator=(GuestMemory&&) = delete;
  ~GuestMemory();

  int fd() const { return fd_.get(); }
  // Becomes memory that another has mapped as well: `fd` is that of a GuestMemory of the same
  // regions, and is not kept. Addresses and pointers stay; all of it reads 0. Fails with kHarness.
  Result<> Become(int fd);
  // The same with a file of any kind, in which the first region starts at `offset` (whole pages)
  // and that has span() bytes from there on.
  Result<> Become(int fd, uint64_t offset);
  // Bytes from the first region's start to the last one's end.
  uint64_t span() const { return mapped_; }
  std::span<const Region> regions() const { return regions_; }
  // Total bytes of all regions.
  uint64_t size() const { return size_; }

  // Pointer to [address, address + length), or nullptr unless all of it is memory. Adjacent regions
  // are adjacent in the mapping as well, so a range may cross from one into the next.
  uint8_t* At(uint64_t address, uint64_t length) const;
  bool IsMemory(GuestRange range) const { return At(range.address, range.length) != nullptr; }

  // Fail with kUsage unless the whole range is memory.
  Result<> Write(uint64_t address, ByteView bytes);
  Result<Bytes> Read(uint64_t address, uint64_t length) const;

  // Little-endian loads and stores that the other side may race with. `address` must be memory and
  // aligned to the type. Loads acquire and stores release, as the rings need (2.7.6, 2.7.8).
  template <typename T>
  T Load(uint64_t address) const {
    return __atomic_load_n(reinterpret_cast<const T*>(At(address, sizeof(T))), __ATOMIC_ACQUIRE);
  }
  template <typename T>
  void Store(uint64_t address, T value) {
    __atomic_store_n(reinterpret_cast<T*>(At(address, sizeof(T))), value, __ATOMIC_RELEASE);
  }

 private:
  GuestMemory() = default;
  UniqueFd fd_;
  uint8_t* mapping_ = nullptr;  // from the first region's start to the last one's end
  uint64_t mapped_ = 0;
  uint64_t size_ = 0;
  std::vector<Region> regions_;
};

}  // namespace vitro
