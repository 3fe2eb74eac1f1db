// SPDX-License-Identifier: Apache-2.0
// Model: parameters with a few values each, and which assignments must not occur together. Feature
// bits are parameters of two values; the models that covering arrays are compared by have more.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace vitro {

struct Setting {
  unsigned parameter = 0, value = 0;
  friend auto operator<=>(const Setting&, const Setting&) = default;
};
// Some parameters, each with a value; no parameter twice.
using Settings = std::vector<Setting>;

struct Model {
  std::vector<unsigned> values;     // of each parameter, how many: its values are 0 to that - 1
  std::vector<Settings> forbidden;  // no row has all settings of any of these
};

// A value for each parameter, or kAny for "not decided yet".
using Row = std::vector<uint16_t>;
inline constexpr uint16_t kAny = 0xffff;

}  // namespace vitro
