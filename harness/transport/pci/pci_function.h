// SPDX-License-Identifier: Apache-2.0
// PciFunction: one PCI function as its bus shows it: configuration space, BARs, messages and the
// interrupt line. What the registers mean is PciTransport's business.
#pragma once

#include <cstdint>

#include "harness/transport/carrier.h"

namespace vitro {

class PciFunction : public Carrier {
 public:
  // Configuration space: width 1, 2 or 4, naturally aligned. From offset 4096 on that of the
  // functions with the next routing ids, 4096 bytes each: its virtual functions. A function that is
  // not there, or that the carrier does not reach, reads all-ones.
  virtual Result<uint32_t> ReadConfig(uint32_t offset, uint32_t width) = 0;
  virtual Result<> WriteConfig(uint32_t offset, uint32_t width, uint32_t value) = 0;

  // An access `offset` bytes into a BAR that was mapped; width 1, 2, 4, or 8 where wide(). kRefused
  // if the BAR was not mapped. Where nobody answers reads give all-ones.
  virtual Result<uint64_t> ReadBar(unsigned bar, uint64_t offset, uint32_t width) = 0;
  virtual Result<> WriteBar(unsigned bar, uint64_t offset, uint32_t width, uint64_t value) = 0;

  // Where BARs may be put. Sizes in bytes.
  struct Apertures {
    uint64_t memory = 0xe0000000, memory_bytes = 0x10000000;
    uint64_t prefetchable = 0x800000000, prefetchable_bytes = 0x800000000;  // 64-bit BARs only
    uint64_t io = 0xc000, io_bytes = 0x2000;
  };
  virtual Apertures apertures() const { return {}; }
  // The driver has put this BAR there, and decoding is enabled.
  virtual void BarMapped(unsigned /*bar*/, uint64_t /*address*/, bool /*io*/) {}

  // MSI-X messages. The carrier watches kMessageSlots places; a driver programs a vector with one
  // of them. Each slot's address and data are its own.
  static constexpr unsigned kMessageSlots = 2048;
  struct Message {
    uint64_t address = 0;
    uint32_t data = 0;
  };
  virtual Message MessageOf(unsigned slot) const = 0;
  // Messages that arrived at a slot since this was last asked. A carrier that cannot count what
  // comes at once says 1.
  virtual uint64_t TakeMessages(unsigned slot) = 0;
  // Messages to anywhere else, or with another slot's data, as far as the carrier can see them.
  virtual uint64_t TakeStrayMessages() = 0;
};

}  // namespace vitro
