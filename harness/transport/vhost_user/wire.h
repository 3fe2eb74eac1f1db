// SPDX-License-Identifier: Apache-2.0
// Small helpers of the vhost-user front-end: payloads as bytes, and user addresses.
#pragma once

#include <cstdint>
#include <type_traits>

#include "harness/base/bytes.h"

namespace vitro::vhost_user {

// The bytes of a payload; valid as long as the payload is.
template <typename T>
ByteView AsBytes(const T& payload) {
  static_assert(std::is_trivially_copyable_v<T>);
  return ByteView(reinterpret_cast<const uint8_t*>(&payload), sizeof payload);
}

// Ring addresses travel as "user addresses" of the front-end, which are only names for bytes of the
// shared regions. Ours are guest addresses plus a constant: no back-end that mistakes one kind for
// the other works by luck, and an address that is no memory stays one.
inline constexpr uint64_t kUserOffset = 0x5500'0000'0000;
constexpr uint64_t UserAddress(uint64_t guest_address) { return guest_address + kUserOffset; }

}  // namespace vitro::vhost_user
