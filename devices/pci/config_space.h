// SPDX-License-Identifier: Apache-2.0
// ConfigSpace: the 4096 bytes of a PCI function's configuration space: what is there after reset,
// which bits a driver can write, the list of capabilities. What writes do is the function's
// business.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "harness/base/bytes.h"

namespace vitro::pcidev {

class ConfigSpace {
 public:
  static constexpr uint32_t kBytes = 4096;

  ConfigSpace();

  // While the function is put together.
  void Put(uint32_t offset, uint32_t width, uint32_t value, uint32_t writable = 0);
  // `flags` are the low bits of a BAR; kBarType64 takes the next one as well. size: a power of 2.
  void AddBar(unsigned index, uint64_t size, uint32_t flags, bool takes_address = true);
  // Appends to the list of capabilities; `body` begins with the id, its second byte is filled in.
  // Returns the position, 0 if there is no room.
  uint8_t AddCapability(const Bytes& body);
  // Fault "cap-list-loop".
  void CloseLoop();
  // What has been put is what a reset restores.
  void Seal() { initial_ = bytes_; }

  void Reset() { bytes_ = initial_; }
  uint32_t Read(uint32_t offset, uint32_t width) const;
  // Changes the bits that can be written.
  void Write(uint32_t offset, uint32_t width, uint32_t value);
  // Without regard to what a driver can write.
  void Store(uint32_t offset, uint32_t width, uint32_t value);

 private:
  std::array<uint8_t, kBytes> bytes_{}, writable_{}, initial_{};
  uint32_t next_free_ = 0x40;
  uint8_t first_ = 0, last_ = 0;  // capabilities
};

}  // namespace vitro::pcidev
