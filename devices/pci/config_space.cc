// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/config_space.h"

#include <algorithm>

#include "harness/virtio/pci.h"

namespace vitro::pcidev {
namespace {

constexpr uint32_t kEndOfCapabilities = 0x100;

}  // namespace

ConfigSpace::ConfigSpace() {
  Put(pci::kCommand, 2, 0,
      pci::kCommandIo | pci::kCommandMemory | pci::kCommandMaster | pci::kCommandIntxDisable);
  Put(pci::kInterruptLine, 1, 0, 0xff);
}

void ConfigSpace::Put(uint32_t offset, uint32_t width, uint32_t value, uint32_t writable) {
  for (uint32_t i = 0; i < width; ++i) {
    bytes_[offset + i] = static_cast<uint8_t>(value >> 8 * i);
    writable_[offset + i] = static_cast<uint8_t>(writable >> 8 * i);
  }
}

void ConfigSpace::AddBar(unsigned index, uint64_t size, uint32_t flags, bool takes_address) {
  const uint64_t mask = takes_address ? ~(size - 1) : 0;
  const uint32_t at = pci::kBar0 + 4 * index;
  Put(at, 4, flags, static_cast<uint32_t>(mask));
  if ((flags & pci::kBarIo) == 0 && (flags & pci::kBarTypeMask) == pci::kBarType64)
    Put(at + 4, 4, 0, static_cast<uint32_t>(mask >> 32));
}

uint8_t ConfigSpace::AddCapability(const Bytes& body) {
  if (next_free_ + body.size() > kEndOfCapabilities) return 0;
  const auto position = static_cast<uint8_t>(next_free_);
  std::copy(body.begin(), body.end(), bytes_.begin() + position);
  bytes_[position + 1] = 0;
  bytes_[last_ == 0 ? pci::kCapabilitiesPointer : last_ + 1u] = position;
  if (first_ == 0) first_ = position;
  last_ = position;
  next_free_ = (next_free_ + static_cast<uint32_t>(body.size()) + 3) & ~3u;
  bytes_[pci::kStatus] |= pci::kStatusCapabilities;
  return position;
}

void ConfigSpace::CloseLoop() {
  if (last_ != 0) bytes_[last_ + 1u] = first_;
}

uint32_t ConfigSpace::Read(uint32_t offset, uint32_t width) const {
  return static_cast<uint32_t>(LoadLe(ByteView(&bytes_[offset], width)));
}

void ConfigSpace::Write(uint32_t offset, uint32_t width, uint32_t value) {
  for (uint32_t i = 0; i < width; ++i) {
    const auto byte = static_cast<uint8_t>(value >> 8 * i);
    const uint8_t mask = writable_[offset + i];
    bytes_[offset + i] = static_cast<uint8_t>((bytes_[offset + i] & ~mask) | (byte & mask));
  }
}

void ConfigSpace::Store(uint32_t offset, uint32_t width, uint32_t value) {
  for (uint32_t i = 0; i < width; ++i) bytes_[offset + i] = static_cast<uint8_t>(value >> 8 * i);
}

}  // namespace vitro::pcidev
