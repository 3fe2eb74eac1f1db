// SPDX-License-Identifier: Apache-2.0
#include "devices/serve/guest_map.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vitro::serve {
namespace {

using vhost_user::MemoryRegion;

// A front-end that adds and removes for ever is told to stop.
constexpr size_t kMostMappings = 1024;

bool Overlap(uint64_t a, uint64_t b, uint64_t a_size, uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

}  // namespace

GuestMap::~GuestMap() {
  for (const Mapping& mapping : mappings_) munmap(mapping.start, mapping.length);
}

Result<> GuestMap::Add(const MemoryRegion& region, const UniqueFd& fd) {
  const auto& [guest, size, user, offset] = region;
  struct stat info;
  if (!fd || fstat(fd.get(), &info) != 0)
    return Fail(ErrorKind::kRefused, "a memory region without a file");
  const auto file_size = static_cast<uint64_t>(info.st_size);
  if (size == 0 || guest > UINT64_MAX - size || user > UINT64_MAX - size || offset > file_size ||
      size > file_size - offset)
    return Fail(ErrorKind::kRefused, "the memory region {:#x}+{:#x} is not within its file", guest,
                size);
  if (regions_.size() >= kSlots || mappings_.size() >= kMostMappings)
    return Fail(ErrorKind::kRefused, "more than {} memory regions", kSlots);
  for (const Region& other : regions_)
    if (Overlap(guest, other.told.guest_address, size, other.told.size) ||
        Overlap(user, other.told.user_address, size, other.told.size))
      return Fail(ErrorKind::kRefused, "the memory region {:#x}+{:#x} overlaps another", guest,
                  size);
  const uint64_t before = offset % static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  void* start = mmap(nullptr, size + before, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(),
                     static_cast<off_t>(offset - before));
  if (start == MAP_FAILED)
    return Fail(ErrorKind::kRefused, "cannot map a memory region: {}", strerror(errno));
  mappings_.push_back({start, size + before});
  regions_.push_back({region, static_cast<uint8_t*>(start) + before});
  return {};
}

Result<> GuestMap::Remove(const MemoryRegion& region) {
  const auto removed = std::erase_if(regions_, [&](const Region& each) {
    return each.told.guest_address == region.guest_address && each.told.size == region.size &&
           each.told.user_address == region.user_address;
  });
  if (removed == 0) return Fail(ErrorKind::kRefused, "no such memory region");
  return {};
}

uint8_t* GuestMap::At(uint64_t address, uint64_t& length) const {
  for (const auto& [told, host] : regions_) {
    if (address < told.guest_address || address - told.guest_address >= told.size) continue;
    const uint64_t into = address - told.guest_address;
    length = std::min(length, told.size - into);
    return host + into;
  }
  return nullptr;
}

bool GuestMap::IsMemory(uint64_t address, uint64_t length) const {
  while (length != 0) {
    uint64_t part = length;
    if (At(address, part) == nullptr) return false;
    address += part;
    length -= part;
  }
  return true;
}

bool GuestMap::Read(uint64_t address, void* to, uint64_t length) const {
  if (!IsMemory(address, length)) return false;
  for (auto* out = static_cast<uint8_t*>(to); length != 0;) {
    uint64_t part = length;
    const uint8_t* at = At(address, part);
    std::memcpy(out, at, part);
    out += part;
    address += part;
    length -= part;
  }
  return true;
}

bool GuestMap::Write(uint64_t address, const void* from, uint64_t length) const {
  if (!IsMemory(address, length)) return false;
  for (const auto* in = static_cast<const uint8_t*>(from); length != 0;) {
    uint64_t part = length;
    uint8_t* at = At(address, part);
    std::memcpy(at, in, part);
    in += part;
    address += part;
    length -= part;
  }
  return true;
}

uint64_t GuestMap::GuestAddressOf(uint64_t user_address) const {
  for (const auto& [told, host] : regions_)
    if (user_address >= told.user_address && user_address - told.user_address < told.size)
      return told.guest_address + (user_address - told.user_address);
  // No memory stays no memory, aligned as it was.
  return user_address | uint64_t{1} << 63;
}

}  // namespace vitro::serve
