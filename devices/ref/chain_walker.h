// SPDX-License-Identifier: Apache-2.0
// ChainWalker: from a head index to a Chain, with every check of 2.7.5 (descriptor table)
// and 2.7.5.3 (indirect descriptors) that the device's own safety needs.
#pragma once

#include <cstdint>
#include <string>

#include "devices/ref/chain.h"

namespace vitro::ref {

class ChainWalker {
 public:
  struct Table {
    uint64_t desc_address = 0;
    uint32_t size = 0;
    bool indirect_negotiated = false;
  };
  ChainWalker(const Host& host, const FaultSwitch& faults, const Table& table)
      : host_(host), fault(faults), table_(table) {}

  // False with reason() if the chain is malformed.
  bool Walk(uint16_t head, Chain& chain);
  const std::string& reason() const { return reason_; }

 private:
  struct Descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
  };
  bool Broken(std::string reason);
  bool ReadDescriptor(uint64_t address, Descriptor& descriptor) const;
  bool WalkIndirect(const Descriptor& referring, Chain& chain);
  bool CheckIndirect(const Descriptor& referring);
  bool Append(Descriptor descriptor, Chain& chain);
  bool Place(Descriptor& descriptor);
  void SpoilTable(uint16_t head, Descriptor descriptor) const;

  const Host& host_;
  const FaultSwitch& fault;
  Table table_;
  uint32_t appended_ = 0;
  std::string reason_;
};

}  // namespace vitro::ref
