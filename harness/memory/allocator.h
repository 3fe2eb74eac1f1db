// SPDX-License-Identifier: Apache-2.0
// Allocator: hands out guest memory, never the same byte twice, with guard bytes between any two
// pieces. The guards hold poison like all memory nobody was given, so the shadow sees them change.
#pragma once

#include <cstdint>

#include "harness/memory/guest_memory.h"

namespace vitro {

class Allocator {
 public:
  static constexpr uint64_t kGuard = 64;  // bytes before and after every piece

  explicit Allocator(const GuestMemory& memory)
      : end_(memory.regions().back().range.end()), next_(memory.regions().front().range.address) {}

  // `align` is a power of two. The piece starts at an address that is a multiple of `align` and,
  // with `skew`, that many bytes further. kHarness when memory is used up.
  Result<uint64_t> Allocate(uint64_t length, uint64_t align = 16, uint64_t skew = 0) {
    const uint64_t start = ((next_ + kGuard + align - 1) & ~(align - 1)) + skew;
    if (start < next_ || length > end_ - kGuard || start > end_ - kGuard - length)
      return Fail(ErrorKind::kHarness, "out of guest memory: {} bytes asked for, {} left", length,
                  end_ - next_);
    next_ = start + length;
    return start;
  }
  // A piece that ends with the last byte of memory. kHarness if that was given out before.
  Result<uint64_t> AllocateAtEnd(uint64_t length) {
    if (length + kGuard > end_ - next_)
      return Fail(ErrorKind::kHarness, "no {} bytes left at the end of guest memory", length);
    end_ -= length;
    const uint64_t start = end_;
    end_ -= kGuard;
    return start;
  }

 private:
  uint64_t end_;   // one past the last byte that is still free
  uint64_t next_;  // one past the last piece from the front
};

}  // namespace vitro
