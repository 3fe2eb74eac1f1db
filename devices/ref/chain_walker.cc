// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/chain_walker.h"

#include <fmt/format.h>

#include <utility>

#include "harness/base/bytes.h"
#include "harness/virtio/split_ring.h"

namespace vitro::ref {

using split::kDescSize;

bool ChainBuilder::Broken(std::string reason) {
  reason_ = std::move(reason);
  return false;
}

bool ChainBuilder::ReadRaw(uint64_t address, uint8_t (&raw)[16]) const {
  return host_.Read(address, raw, sizeof raw);
}

bool ChainWalker::ReadDescriptor(uint64_t address, Descriptor& descriptor) const {
  uint8_t raw[kDescSize];
  if (!ReadRaw(address, raw)) return false;
  descriptor.address = LoadLe<uint64_t>(raw + split::kDescAddr);
  descriptor.length = LoadLe<uint32_t>(raw + split::kDescLen);
  descriptor.flags = LoadLe<uint16_t>(raw + split::kDescFlags);
  descriptor.next = LoadLe<uint16_t>(raw + split::kDescNextField);
  return true;
}

bool ChainWalker::Walk(uint16_t head, Chain& chain) {
  uint16_t index = head;
  for (uint32_t count = 1;; ++count) {
    const bool unchecked = count == 1 ? fault("head-unchecked") : fault("next-unchecked");
    if (index >= table_.size && !unchecked)
      return Broken(
          fmt::format("descriptor index {} is beyond the table of {}", index, table_.size));
    if (count > table_.size) {
      if (fault("loop-hangs")) Hang();
      return Broken(fmt::format("a chain has more than {} descriptors", table_.size));
    }
    Descriptor descriptor;
    if (!ReadDescriptor(table_.desc_address + kDescSize * index, descriptor)) {
      if (fault("bad-ring-crash")) Crash();
      return Broken("the descriptor table is not guest memory");
    }
    if (count == 1) SpoilTable(head, descriptor);
    chain.set_last(index);
    if (descriptor.flags & split::kDescIndirect) {
      if (fault("indirect-only-as-head") && count > 1) return true;
      return WalkIndirect(descriptor, chain);
    }
    if (!Append(descriptor, chain)) return false;
    if (!(descriptor.flags & split::kDescNext)) {
      if (fault("chain-of-queue-size-refused") && count == table_.size)
        return Broken("a chain is as long as the queue");
      return true;
    }
    index = descriptor.next;
  }
}

// Changes the head descriptor where a fault wants that.
void ChainWalker::SpoilTable(uint16_t head, Descriptor descriptor) const {
  if (!fault("descriptor-table-written") || descriptor.flags == 0) return;
  const uint8_t no_flags[2] = {0, 0};
  host_.Write(table_.desc_address + kDescSize * head + split::kDescFlags, no_flags, 2);
}

bool ChainBuilder::CheckIndirect(const Descriptor& referring) {
  if (!table_.indirect_negotiated)
    return Broken("an indirect descriptor without VIRTIO_F_INDIRECT_DESC");
  if (referring.flags & split::kDescNext) return Broken("an indirect descriptor has the NEXT flag");
  if (referring.length % kDescSize != 0 || referring.length == 0) {
    if (fault("indirect-bad-length-crash")) Crash();
    return Broken(fmt::format("an indirect table of {} bytes", referring.length));
  }
  if (fault("indirect-unaligned-refused") && referring.address % kDescSize != 0)
    return Broken("an indirect table is not aligned");
  if (fault("indirect-limited-to-queue-size") && referring.length / kDescSize > 4)
    return Broken("an indirect table has more than 4 entries");
  if (referring.address + referring.length < referring.address)
    return Broken("an indirect table wraps around the address space");
  return true;
}

// The WRITE flag of `referring` has no meaning (2.7.5.3.2).
bool ChainWalker::WalkIndirect(const Descriptor& referring, Chain& chain) {
  if (!CheckIndirect(referring)) return false;
  if (fault("indirect-write-flag-honoured") && (referring.flags & split::kDescWrite))
    return Append(referring, chain);
  const uint32_t entries = referring.length / kDescSize;
  uint32_t index = 0;
  for (uint32_t count = 1;; ++count) {
    if (index >= entries)
      return Broken(fmt::format("index {} is beyond an indirect table of {}", index, entries));
    if (count > entries) {
      if (fault("loop-hangs")) Hang();
      return Broken("a loop in an indirect table");
    }
    Descriptor descriptor;
    if (!ReadDescriptor(referring.address + kDescSize * index, descriptor)) {
      if (fault("bad-address-crash")) Crash();
      return Broken("an indirect table is not guest memory");
    }
    if (descriptor.flags & split::kDescIndirect) {
      if (fault("nested-indirect-followed")) Hang();
      return Broken("an indirect table inside an indirect table");
    }
    if (!Append(descriptor, chain)) return false;
    if (fault("indirect-one-entry")) break;
    if (!(descriptor.flags & split::kDescNext)) break;
    index = descriptor.next;
  }
  if (fault("indirect-table-written")) {
    const uint8_t zeroes[kDescSize] = {};
    host_.Write(referring.address, zeroes, sizeof zeroes);
  }
  return true;
}

bool ChainBuilder::Append(Descriptor descriptor, Chain& chain) {
  const bool writable = descriptor.flags & split::kDescWrite;
  if (!writable && !chain.writable().empty())
    return Broken("a device-readable descriptor after a device-writable one");
  if (chain.readable_bytes() + chain.writable_bytes() + descriptor.length > uint64_t{1} << 32)
    return Broken("a chain of more than 2^32 bytes");
  if (!Place(descriptor)) return false;
  if (fault("chain-limit-8") && ++appended_ > 8) return true;
  const auto& same_direction = writable ? chain.writable() : chain.readable();
  if (fault("first-descriptor-only") && !same_direction.empty()) return true;
  const Segment segment{descriptor.address, descriptor.length};
  writable ? chain.AddWritable(segment) : chain.AddReadable(segment);
  return true;
}

// Is the buffer guest memory? A buffer of no bytes may have any address.
bool ChainBuilder::Place(Descriptor& descriptor) {
  const uint64_t end = descriptor.address + descriptor.length;
  if (fault("last-byte-refused") && descriptor.length != 0 && !host_.Accessible(end, 1))
    return Broken("a buffer ends at the end of memory");
  if (host_.Accessible(descriptor.address, descriptor.length)) return true;
  if (fault("bad-address-crash")) Crash();
  if (fault("bad-address-writes-elsewhere") && (descriptor.flags & split::kDescWrite)) {
    descriptor.address = host_.SomewhereInMemory(table_.desc_address);
    return true;
  }
  return Broken(fmt::format("a buffer of {} bytes at {:#x} is not guest memory", descriptor.length,
                            descriptor.address));
}

}  // namespace vitro::ref
