// SPDX-License-Identifier: Apache-2.0
// The options of a reference device: "key=value,key=value", each key at most once. Asking for a key
// marks it as known; what was never asked for is an error, so that a typing error never goes
// unseen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vitro::ref {

class Options {
 public:
  explicit Options(std::string_view text);

  bool Has(std::string_view key) const;
  // Decimal or 0x-hexadecimal, from minimum to maximum.
  uint64_t Number(std::string_view key, uint64_t fallback, uint64_t minimum, uint64_t maximum);
  // "1" or "0"; a key alone means 1.
  bool Flag(std::string_view key);
  std::string Text(std::string_view key, std::string_view fallback);

  // Reports a problem found by the device itself; the first one is kept.
  void Complain(std::string problem);
  // One sentence about the first problem, unknown keys included; "" if there is none.
  std::string Problem() const;

 private:
  struct Entry {
    std::string key, value;
    bool known = false;
  };
  Entry* Find(std::string_view key);

  std::vector<Entry> entries_;
  std::string problem_;
};

}  // namespace vitro::ref
