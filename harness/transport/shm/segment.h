// SPDX-License-Identifier: Apache-2.0
// ShmSegment: the shared memory of devices/abi/vitro_shm.h as Vitro maps it. What stands in its
// header is read once and proved before anything is derived from it. Knows the layout, not what is
// said through it.
#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <memory>
#include <string>

#include "devices/abi/vitro_shm.h"
#include "harness/base/result.h"

namespace vitro {

// Why a segment of `mapped_bytes` with that header is not one of ours, or none that can be used:
// kAttach, in a sentence without a subject. kTimeout if it is not complete yet.
Result<> CheckShmHeader(const vitro_shm_header& header, uint64_t mapped_bytes);

class ShmSegment {
 public:
  // kTimeout where there is none, or none that is complete: it may come. kAttach for one that is
  // not fit. `name` with or without the leading slash.
  static Result<std::unique_ptr<ShmSegment>> Open(const std::string& name);
  // kUsage unless it can be the name of a segment.
  static Result<> CheckName(const std::string& name);

  const std::string& name() const { return name_; }
  // The copy that was proved. Its name ends with a zero byte.
  const vitro_shm_header& header() const { return header_; }
  bool Serves(uint32_t opcode) const { return header_.operations >> opcode & 1; }

  vitro_shm_control& control() const { return *Part<vitro_shm_control>(header_.control); }
  vitro_shm_mailbox& mailbox() const { return *Part<vitro_shm_mailbox>(header_.mailbox); }
  vitro_shm_events& events() const { return *Part<vitro_shm_events>(header_.events); }
  vitro_shm_log& log() const { return *Part<vitro_shm_log>(header_.log); }
  // Bytes of text that the log may have.
  uint32_t log_room() const;
  // Of the whole segment; guest memory is at header().memory in it.
  int fd() const { return object_.get_mapping_handle().handle; }
  uint8_t* base() const { return static_cast<uint8_t*>(region_.get_address()); }

  // Removes the name; who has it mapped keeps it.
  void Unlink() const;

 private:
  ShmSegment() = default;
  template <typename T>
  T* Part(const vitro_shm_part& part) const {
    return reinterpret_cast<T*>(base() + part.offset);
  }

  std::string name_;
  boost::interprocess::shared_memory_object object_;
  boost::interprocess::mapped_region region_;
  vitro_shm_header header_{};
};

}  // namespace vitro
