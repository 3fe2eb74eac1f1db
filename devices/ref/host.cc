// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/host.h"

#include <algorithm>

namespace vitro::ref {

bool Host::Read(uint64_t address, void* to, uint64_t length) const {
  return length == 0 || host_->read(host_->context, address, to, length) == 0;
}

bool Host::Write(uint64_t address, const void* from, uint64_t length) const {
  return length == 0 || host_->write(host_->context, address, from, length) == 0;
}

bool Host::Probe(uint64_t address) const {
  uint8_t byte;
  return host_->map(host_->context, address, 1) != nullptr || Read(address, &byte, 1);
}

bool Host::Accessible(uint64_t address, uint64_t length) const {
  if (length == 0) return true;
  const uint64_t last = address + length - 1;
  if (last < address) return false;
  if (host_->map(host_->context, address, length) != nullptr) return true;
  // It may lie across regions: walk it. No region is smaller than a page.
  constexpr uint64_t kPage = 4096;
  for (uint64_t at = address;;) {
    const uint64_t end = std::min(last, at | (kPage - 1));
    if (!Probe(at) || !Probe(end)) return false;
    if (end == last) return true;
    at = end + 1;
  }
}

uint64_t Host::SomewhereInMemory(uint64_t known) const {
  if (Probe(0)) return 0;
  for (unsigned bit = 12; bit < 64; ++bit)
    if (Probe(uint64_t{1} << bit)) return uint64_t{1} << bit;
  return known;
}

void Host::InvertByte(uint64_t address) const {
  uint8_t byte;
  if (!Read(address, &byte, 1)) return;
  byte = static_cast<uint8_t>(~byte);
  Write(address, &byte, 1);
}

}  // namespace vitro::ref
