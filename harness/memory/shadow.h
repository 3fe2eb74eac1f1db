// SPDX-License-Identifier: Apache-2.0
// Shadow: what guest memory holds as far as the driver knows. All memory starts out as poison, a
// pattern in which every byte depends on its address; the driver's own writes are made in both; so
// whatever differs was written by the device. Nothing outside this class decides who wrote a byte.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/memory/guest_memory.h"

namespace vitro {

// The poison of one byte. Seeds 2n and 2n + 1 differ in every bit of every byte, so that a byte
// that still holds poison after the same request under both was certainly not written.
uint8_t PoisonByte(uint64_t seed, uint64_t address);

class Shadow {
 public:
  // A maximal run of bytes that differ from what the driver knows.
  struct Change {
    GuestRange range;
    Bytes before;  // at most 64 bytes of the run
    Bytes after;
  };

  // Fills all of `memory` with poison made of `seed`. `memory` must outlive this.
  Shadow(GuestMemory& memory, uint64_t seed);

  // The driver's own write. kUsage unless the range is memory.
  Result<> Write(uint64_t address, ByteView bytes);
  // Fills with poison of `seed`.
  Result<> Poison(GuestRange range, uint64_t seed);
  // Takes what is in memory now as known: after the driver looked at what the device wrote there.
  void Accept(GuestRange range);
  // What the driver believes stands there.
  ByteView Known(GuestRange range) const;

  // All changes in the part of memory that was handed out so far (everything below the high-water
  // mark plus a margin) or, if `everything`, in all memory. In address order.
  std::vector<Change> Diff(bool everything) const;

 private:
  // Of memory, in known_.
  uint64_t Offset(uint64_t address) const;

  GuestMemory& memory_;
  Bytes known_;       // the regions one after another
  uint64_t touched_;  // in known_: bytes below this were handed out or written by the driver
};

}  // namespace vitro
