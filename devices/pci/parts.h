// SPDX-License-Identifier: Apache-2.0
// Device parts (2.14) as they stand in commands: headers and values one after another.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/base/bytes.h"
#include "harness/virtio/admin.h"

namespace vitro::pcidev {

struct Part {
  uint16_t type = 0;
  uint8_t flags = 0;
  uint64_t selector = 0;
  Bytes value;
  // Claimed by the header; that of `value` unless only headers were sent.
  uint32_t length = 0;

  static Part Of(uint16_t type, uint64_t selector, Bytes value, uint8_t flags = 0) {
    const auto length = static_cast<uint32_t>(value.size());
    return {type, flags, selector, std::move(value), length};
  }
  bool SameAs(const Part& other) const { return type == other.type && selector == other.selector; }
};
using Parts = std::vector<Part>;

// Nullptr if there is none like it.
const Part* Find(const Parts& parts, const Part& like);

void AppendHeader(Bytes& bytes, const Part& part);
// Whole units of 8 bytes: what follows the last part is zero.
Bytes EncodeParts(const Parts& parts);
// Takes up to 15 bytes of zero, or a header of zeros, for the end. Nothing if a value is cut off.
std::optional<Parts> DecodeParts(ByteView bytes);
Parts DecodeHeaders(ByteView bytes);

}  // namespace vitro::pcidev
