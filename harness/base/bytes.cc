// SPDX-License-Identifier: Apache-2.0
#include "harness/base/bytes.h"

namespace vitro {

std::string ToHex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

Result<Bytes> FromHex(std::string_view hex) {
  auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (hex.size() % 2 != 0)
    return Fail(ErrorKind::kUsage, "'{}' has an odd number of hexadecimal digits", hex);
  Bytes bytes(hex.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return Fail(ErrorKind::kUsage, "'{}' is not hexadecimal", hex);
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return bytes;
}

uint64_t PatternBlock(uint64_t seed, uint64_t block) {
  // splitmix64 over eight-byte blocks: cheap, and no two seeds share a long run.
  uint64_t x = seed * 0x9e3779b97f4a7c15ull + (block + 1) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

uint8_t PatternByte(uint64_t seed, uint64_t position) {
  return static_cast<uint8_t>(PatternBlock(seed, position / 8) >> (position % 8 * 8));
}

Bytes Pattern(uint64_t seed, size_t length) {
  Bytes bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = PatternByte(seed, i);
  return bytes;
}

}  // namespace vitro
