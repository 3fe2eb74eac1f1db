// SPDX-License-Identifier: Apache-2.0
// MmioWindow: the register window of one device (4.2) as its platform shows it.
#pragma once

#include <cstdint>

#include "harness/transport/carrier.h"

namespace vitro {

class MmioWindow : public Carrier {
 public:
  // width 1, 2, 4 or 8; where nobody answers reads give all-ones.
  virtual Result<uint64_t> Read(uint64_t offset, uint32_t width) = 0;
  virtual Result<> Write(uint64_t offset, uint32_t width, uint64_t value) = 0;
  // Bytes of the window.
  virtual uint64_t size() const = 0;
};

}  // namespace vitro
