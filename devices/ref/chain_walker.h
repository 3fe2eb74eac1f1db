// SPDX-License-Identifier: Apache-2.0
// ChainWalker: from a head index to a Chain, with every check of 2.7.5 (descriptor table)
// and 2.7.5.3 (indirect descriptors) that the device's own safety needs. PackedWalker: from a slot
// of a packed ring.
#pragma once

#include <cstdint>
#include <string>

#include "devices/ref/chain.h"

namespace vitro::ref {

// What walking the two formats has in common.
class ChainBuilder {
 public:
  struct Table {
    uint64_t desc_address = 0;  // the descriptor table, or the descriptor ring
    uint32_t size = 0;
    bool indirect_negotiated = false;
  };
  const std::string& reason() const { return reason_; }

 protected:
  struct Descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;  // of a split queue; the buffer ID of a packed one
  };
  ChainBuilder(const Host& host, const FaultSwitch& faults, const Table& table)
      : host_(host), fault(faults), table_(table) {}

  bool Broken(std::string reason);
  // False also if it is not guest memory; no reason is given then.
  bool ReadRaw(uint64_t address, uint8_t (&raw)[16]) const;
  bool CheckIndirect(const Descriptor& referring);
  bool Append(Descriptor descriptor, Chain& chain);

  const Host& host_;
  const FaultSwitch& fault;
  Table table_;

 private:
  bool Place(Descriptor& descriptor);

  uint32_t appended_ = 0;
  std::string reason_;
};

class ChainWalker : public ChainBuilder {
 public:
  ChainWalker(const Host& host, const FaultSwitch& faults, const Table& table)
      : ChainBuilder(host, faults, table) {}
  // False with reason() if the chain is malformed.
  bool Walk(uint16_t head, Chain& chain);

 private:
  bool ReadDescriptor(uint64_t address, Descriptor& descriptor) const;
  bool WalkIndirect(const Descriptor& referring, Chain& chain);
  void SpoilTable(uint16_t head, Descriptor descriptor) const;
};

// The same for a list of a packed ring (2.8.6, 2.8.7), which begins at a slot.
class PackedWalker : public ChainBuilder {
 public:
  PackedWalker(const Host& host, const FaultSwitch& faults, const Table& table)
      : ChainBuilder(host, faults, table) {}
  bool Walk(uint32_t slot, Chain& chain);

 private:
  bool ReadDescriptor(uint64_t address, Descriptor& descriptor) const;
  bool WalkIndirect(const Descriptor& referring, Chain& chain);
};

}  // namespace vitro::ref
