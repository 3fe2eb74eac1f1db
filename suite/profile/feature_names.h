// SPDX-License-Identifier: Apache-2.0
// Names of feature bits, for people: "VIRTIO_F_VERSION_1 (32)".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vitro {

// Of a bit as offered by a device of this type (0: unknown type). Bits without a name here give
// their number alone.
std::string FeatureName(uint32_t device_id, unsigned bit);

// The bit of chapter 6 that has this name: "VIRTIO_F_VERSION_1".
std::optional<unsigned> ReservedFeatureBit(std::string_view name);

}  // namespace vitro
