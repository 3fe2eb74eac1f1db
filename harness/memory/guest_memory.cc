// SPDX-License-Identifier: Apache-2.0
#include "harness/memory/guest_memory.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace vitro {
namespace {

constexpr uint64_t kPage = 4096;

}  // namespace

Result<GuestMemory> GuestMemory::Create(std::span<const GuestRange> ranges) {
  GuestMemory memory;
  uint64_t previous_end = 0;
  for (const GuestRange& range : ranges) {
    if (range.length == 0 || range.address % kPage != 0 || range.length % kPage != 0 ||
        range.address < previous_end || range.address > UINT64_MAX - range.length)
      return Fail(ErrorKind::kHarness,
                  "memory region {:#x}+{:#x} must be whole pages, above the region before it",
                  range.address, range.length);
    previous_end = range.end();
    memory.regions_.push_back({range, range.address, nullptr});
    memory.size_ += range.length;
  }
  const uint64_t start = memory.regions_.empty() ? 0 : memory.regions_.front().range.address;
  memory.fd_ = UniqueFd(::memfd_create("vitro-guest-memory", MFD_CLOEXEC));
  if (!memory.fd_ || ::ftruncate(memory.fd_.get(), static_cast<off_t>(previous_end)) != 0)
    return Fail(ErrorKind::kHarness, "cannot create guest memory up to {:#x}: {}", previous_end,
                std::strerror(errno));
  memory.mapped_ = previous_end - start;
  // Holes between regions cost addresses only.
  void* mapping = ::mmap(nullptr, memory.mapped_, PROT_READ | PROT_WRITE, MAP_SHARED,
                         memory.fd_.get(), static_cast<off_t>(start));
  if (mapping == MAP_FAILED)
    return Fail(ErrorKind::kHarness, "cannot map guest memory: {}", std::strerror(errno));
  memory.mapping_ = static_cast<uint8_t*>(mapping);
  for (Region& region : memory.regions_)
    region.host = memory.mapping_ + (region.range.address - start);
  return memory;
}

Result<GuestMemory> GuestMemory::CreateDefault() {
  constexpr uint64_t kMiB = 1 << 20;
  static constexpr std::array<GuestRange, 2> kRegions = {GuestRange{kMiB, 2 * kMiB},
                                                         GuestRange{3 * kMiB, 2 * kMiB}};
  return Create(kRegions);
}

Result<> GuestMemory::Become(int fd) {
  return Become(fd, regions_.empty() ? 0 : regions_.front().range.address);
}

Result<> GuestMemory::Become(int fd, uint64_t offset) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy ||
      ::fallocate(copy.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(offset), static_cast<off_t>(mapped_)) != 0 ||
      ::mmap(mapping_, mapped_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, copy.get(),
             static_cast<off_t>(offset)) == MAP_FAILED)
    return Fail(ErrorKind::kHarness, "cannot share guest memory: {}", std::strerror(errno));
  fd_ = std::move(copy);
  for (Region& region : regions_)
    region.file_offset = offset + static_cast<uint64_t>(region.host - mapping_);
  return {};
}

GuestMemory::GuestMemory(GuestMemory&& other) noexcept
    : fd_(std::move(other.fd_)),
      mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_(std::exchange(other.mapped_, 0)),
      size_(std::exchange(other.size_, 0)),
      regions_(std::move(other.regions_)) {}

GuestMemory::~GuestMemory() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_);
}

uint8_t* GuestMemory::At(uint64_t address, uint64_t length) const {
  for (size_t i = 0; i < regions_.size(); ++i) {
    if (!regions_[i].range.Contains(address)) continue;
    // The end of the run of adjacent regions that this one starts.
    uint64_t end = regions_[i].range.end();
    for (size_t next = i + 1; next < regions_.size() && regions_[next].range.address == end; ++next)
      end = regions_[next].range.end();
    if (length > end - address) return nullptr;
    return regions_[i].host + (address - regions_[i].range.address);
  }
  return nullptr;
}

Result<> GuestMemory::Write(uint64_t address, ByteView bytes) {
  uint8_t* at = At(address, bytes.size());
  if (at == nullptr && !bytes.empty())
    return Fail(ErrorKind::kUsage, "{:#x}+{:#x} is not guest memory", address, bytes.size());
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return {};
}

Result<Bytes> GuestMemory::Read(uint64_t address, uint64_t length) const {
  const uint8_t* at = At(address, length);
  if (at == nullptr && length != 0)
    return Fail(ErrorKind::kUsage, "{:#x}+{:#x} is not guest memory", address, length);
  return Bytes(at, at + length);
}

}  // namespace vitro
