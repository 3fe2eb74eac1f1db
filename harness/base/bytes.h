// SPDX-License-Identifier: Apache-2.0
// Byte strings: the little-endian codec of everything virtio 1.x (section 1.4 of the standard), the
// hexadecimal form used in programs, and the reproducible pattern that buffers are filled with.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"

namespace vitro {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

// Little-endian load and store of any unsigned integer type; hosts we run on are little-endian.
template <typename T>
T LoadLe(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <typename T>
void StoreLe(void* to, T value) {
  std::memcpy(to, &value, sizeof value);
}
// An integer of `bytes.size()` (0 to 8) bytes.
inline uint64_t LoadLe(ByteView bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
  return value;
}
inline Bytes LeBytes(uint64_t value, size_t width) {
  Bytes bytes(width);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(value), value >>= 8;
  return bytes;
}

// The lowest `bytes` bytes of a word.
constexpr uint64_t ByteMask(uint64_t bytes) {
  return bytes >= 8 ? UINT64_MAX : (uint64_t{1} << 8 * bytes) - 1;
}
constexpr bool IsAccessWidth(uint64_t width) {
  return width == 1 || width == 2 || width == 4 || width == 8;
}
// Is that an access of at most `most` bytes, aligned to its width?
constexpr bool IsNaturalAccess(uint64_t offset, uint64_t width, uint64_t most) {
  return IsAccessWidth(width) && width <= most && offset % width == 0;
}

std::string ToHex(ByteView bytes);
// Fails with kUsage on an odd length or a character that is not hexadecimal.
Result<Bytes> FromHex(std::string_view hex);

// A pattern that depends on seed and position, so that misplaced bytes show. Position i of a
// pattern is the same whatever the length.
uint8_t PatternByte(uint64_t seed, uint64_t position);
// Bytes 8 * block to 8 * block + 7 of the pattern, as a little-endian word.
uint64_t PatternBlock(uint64_t seed, uint64_t block);
Bytes Pattern(uint64_t seed, size_t length);

}  // namespace vitro
