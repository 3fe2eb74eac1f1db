// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/shm/segment.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "devices/abi/vitro_shm_sync.h"

namespace vitro {
namespace {

namespace ipc = boost::interprocess;

// A segment beyond this is a mistake, and would cost address space only to find out.
constexpr uint64_t kMostBytes = uint64_t{1} << 40;
constexpr uint32_t kMostEvents = 1 << 20;

struct NamedPart {
  const char* name;
  vitro_shm_part part;
  uint64_t least;  // bytes
  uint64_t align;
};

Result<> CheckPart(const NamedPart& it, uint64_t total) {
  const auto& [name, part, least, align] = it;
  if (part.offset % align != 0)
    return Fail(ErrorKind::kAttach, "the part '{}' is at offset {:#x}, no multiple of {}", name,
                part.offset, align);
  if (part.offset < sizeof(vitro_shm_header) || part.offset > total ||
      part.size > total - part.offset)
    return Fail(ErrorKind::kAttach, "the part '{}' at {:#x}+{:#x} is not within its {:#x} bytes",
                name, part.offset, part.size, total);
  if (part.size < least)
    return Fail(ErrorKind::kAttach, "the part '{}' has {} bytes, at least {} were expected", name,
                part.size, least);
  return {};
}

Result<> CheckParts(const vitro_shm_header& header) {
  const uint64_t ring =
      sizeof(vitro_shm_events) + uint64_t{header.event_capacity} * sizeof(vitro_shm_event);
  std::array parts = {
      NamedPart{"control", header.control, sizeof(vitro_shm_control), 64},
      NamedPart{"mailbox", header.mailbox, sizeof(vitro_shm_mailbox), 64},
      NamedPart{"events", header.events, ring, 64},
      NamedPart{"log", header.log, sizeof(vitro_shm_log) + 1, 64},
      NamedPart{"memory", header.memory, VITRO_SHM_PAGE, VITRO_SHM_PAGE},
  };
  for (const NamedPart& part : parts) VITRO_TRY(CheckPart(part, header.total_size));
  std::ranges::sort(parts, {}, [](const NamedPart& part) { return part.part.offset; });
  for (size_t i = 1; i < parts.size(); ++i) {
    const NamedPart &before = parts[i - 1], &after = parts[i];
    if (after.part.offset < before.part.offset + before.part.size)
      return Fail(ErrorKind::kAttach, "the parts '{}' and '{}' overlap", before.name, after.name);
  }
  return {};
}

// Each word once: the other side could change them between two looks.
vitro_shm_header CopyHeader(const void* at) {
  vitro_shm_header copy;
  std::memcpy(&copy, at, sizeof copy);
  // Acquired, so that a header whose magic is there is whole.
  copy.magic = VITRO_SHM_LOAD(static_cast<const vitro_shm_header*>(at)->magic);
  if (copy.magic == VITRO_SHM_MAGIC) {
    std::memcpy(&copy, at, sizeof copy);
    copy.magic = VITRO_SHM_MAGIC;
  }
  copy.name[sizeof copy.name - 1] = '\0';
  for (char* c = copy.name; *c != '\0'; ++c)
    if (static_cast<unsigned char>(*c) < ' ' || *c == 127) *c = '?';
  return copy;
}

}  // namespace

Result<> CheckShmHeader(const vitro_shm_header& header, uint64_t mapped_bytes) {
  if (header.magic == 0) return Fail(ErrorKind::kTimeout, "it has no contents yet");
  if (header.magic != VITRO_SHM_MAGIC)
    return Fail(ErrorKind::kAttach, "it is none of Vitro's: it begins with {:#x}, not {:#x}",
                header.magic, VITRO_SHM_MAGIC);
  if (header.version != VITRO_SHM_VERSION)
    return Fail(ErrorKind::kAttach, "its layout has version {}, this Vitro has {}", header.version,
                VITRO_SHM_VERSION);
  if (header.total_size > mapped_bytes)
    return Fail(ErrorKind::kAttach, "it is truncated: it says {} bytes and has {}",
                header.total_size, mapped_bytes);
  if (header.level > VITRO_SHM_MMIO)
    return Fail(ErrorKind::kAttach, "it has level {}, which is not defined", header.level);
  if (!std::has_single_bit(header.event_capacity) || header.event_capacity > kMostEvents)
    return Fail(ErrorKind::kAttach, "its ring has {} events: expected a power of two up to {}",
                header.event_capacity, kMostEvents);
  constexpr uint64_t kBasic = 1u << VITRO_SHM_OPEN | 1u << VITRO_SHM_CLOSE | 1u << VITRO_SHM_RUN;
  if ((header.operations & kBasic) != kBasic)
    return Fail(ErrorKind::kAttach, "it does not serve the requests OPEN, CLOSE and RUN");
  return CheckParts(header);
}

Result<> ShmSegment::CheckName(const std::string& name) {
  const size_t start = name.starts_with('/') ? 1 : 0;
  if (name.size() == start || name.size() - start > 250 ||
      name.find('/', start) != std::string::npos || name.substr(start) == "." ||
      name.substr(start) == "..")
    return Fail(ErrorKind::kUsage,
                "'{}' is not the name of shared memory: expected one word, such as /mydev", name);
  return {};
}

Result<std::unique_ptr<ShmSegment>> ShmSegment::Open(const std::string& name) {
  VITRO_TRY(CheckName(name));
  std::unique_ptr<ShmSegment> segment(new ShmSegment());
  segment->name_ = name.starts_with('/') ? name : "/" + name;
  const auto fail = [&](ErrorKind kind, const std::string& why) {
    return Fail(kind, "shared memory {}: {}", segment->name_, why);
  };
  try {
    segment->object_ =
        ipc::shared_memory_object(ipc::open_only, segment->name_.c_str(), ipc::read_write);
    ipc::offset_t size = 0;
    if (!segment->object_.get_size(size)) return fail(ErrorKind::kAttach, "its size is not told");
    if (size == 0) return fail(ErrorKind::kTimeout, "it is empty");
    if (size < static_cast<ipc::offset_t>(sizeof(vitro_shm_header)))
      return fail(ErrorKind::kAttach, fmt::format("it is truncated: it has {} bytes", size));
    if (static_cast<uint64_t>(size) > kMostBytes)
      return fail(ErrorKind::kAttach, fmt::format("it is too large: {} bytes", size));
    segment->region_ =
        ipc::mapped_region(segment->object_, ipc::read_write, 0, static_cast<size_t>(size));
  } catch (const ipc::interprocess_exception& error) {
    if (error.get_error_code() == ipc::not_found_error)
      return fail(ErrorKind::kTimeout, "there is none; its device creates it");
    return fail(ErrorKind::kAttach, error.what());
  }
  segment->header_ = CopyHeader(segment->base());
  if (auto fits = CheckShmHeader(segment->header_, segment->region_.get_size()); !fits)
    return fail(fits.error().kind, fits.error().message);
  return segment;
}

uint32_t ShmSegment::log_room() const {
  const uint64_t room = header_.log.size - sizeof(vitro_shm_log);
  return static_cast<uint32_t>(std::min<uint64_t>(room, 1 << 20));
}

void ShmSegment::Unlink() const { ipc::shared_memory_object::remove(name_.c_str()); }

}  // namespace vitro
