// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include "devices/ref/chain_walker.h"
#include "harness/base/bytes.h"
#include "harness/virtio/packed_ring.h"

namespace vitro::ref {

using packed::kDescSize;

bool PackedWalker::ReadDescriptor(uint64_t address, Descriptor& descriptor) const {
  uint8_t raw[kDescSize];
  if (!ReadRaw(address, raw)) return false;
  descriptor.address = LoadLe<uint64_t>(raw + packed::kDescAddr);
  descriptor.length = LoadLe<uint32_t>(raw + packed::kDescLen);
  descriptor.next = LoadLe<uint16_t>(raw + packed::kDescId);
  descriptor.flags = LoadLe<uint16_t>(raw + packed::kDescFlags);
  return true;
}

bool PackedWalker::Walk(uint32_t slot, Chain& chain) {
  chain = Chain(host_, fault, 0);
  for (uint32_t count = 1;; ++count, ++slot) {
    if (count > table_.size) {
      if (fault("packed-endless-list-hangs")) Hang();
      return Broken(fmt::format("a list has more than {} descriptors", table_.size));
    }
    const bool lost = fault("packed-list-not-wrapped");
    Descriptor descriptor;
    const uint64_t at = table_.desc_address + kDescSize * (lost ? slot : slot % table_.size);
    if (!ReadDescriptor(at, descriptor)) {
      if (fault("bad-ring-crash")) Crash();
      return Broken("the descriptor ring is not guest memory");
    }
    chain.set_descriptors(count);
    // The ID of the list is that of its last descriptor (2.8.6).
    if (count == 1 || !fault("packed-id-of-first")) chain.set_head(descriptor.next);
    if (descriptor.flags & packed::kDescIndirect) {
      if (count > 1) return Broken("an indirect descriptor in a list of direct ones");
      return WalkIndirect(descriptor, chain);
    }
    if (!Append(descriptor, chain)) return false;
    if (!(descriptor.flags & packed::kDescNext)) {
      if (fault("chain-of-queue-size-refused") && count == table_.size)
        return Broken("a list is as long as the queue");
      return true;
    }
  }
}

// All entries of the table, in order; of their flags only WRITE counts (2.8.7).
bool PackedWalker::WalkIndirect(const Descriptor& referring, Chain& chain) {
  if (!CheckIndirect(referring)) return false;
  if (fault("indirect-write-flag-honoured") && (referring.flags & packed::kDescWrite))
    return Append(referring, chain);
  const uint32_t entries = referring.length / kDescSize;
  for (uint32_t i = 0; i < entries; ++i) {
    Descriptor descriptor;
    if (!ReadDescriptor(referring.address + kDescSize * i, descriptor)) {
      if (fault("bad-address-crash")) Crash();
      return Broken("an indirect table is not guest memory");
    }
    if ((descriptor.flags & packed::kDescIndirect) && fault("nested-indirect-followed")) Hang();
    if (!Append(descriptor, chain)) return false;
    if (fault("indirect-one-entry")) break;
    if (fault("packed-indirect-next-honoured") && !(descriptor.flags & packed::kDescNext)) break;
  }
  if (fault("indirect-table-written")) {
    const uint8_t zeroes[kDescSize] = {};
    host_.Write(referring.address, zeroes, sizeof zeroes);
  }
  return true;
}

}  // namespace vitro::ref
