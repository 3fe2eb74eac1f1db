// SPDX-License-Identifier: Apache-2.0
// Tuples: the combinations of values of so many parameters at a time, numbered. Only the generator
// of covering arrays uses it; what verifies them must not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "suite/combinations/model.h"

namespace vitro {

// All ways to choose `size` of `parameters`, and a number for each tuple of values of such a
// choice.
class Tuples {
 public:
  // With `also`, which comes last in each choice.
  Tuples(const Model& model, const std::vector<unsigned>& parameters, unsigned size,
         std::optional<unsigned> also = std::nullopt);

  size_t choices() const { return first_.size(); }
  size_t count() const { return count_; }
  // The tuple of the choice in `row`; nullopt if not all of it is decided.
  std::optional<size_t> In(const Row& row, size_t choice) const {
    size_t index = 0;
    const uint16_t* const chosen = &chosen_[choice * size_];
    for (unsigned i = 0; i < size_; ++i) {
      const uint16_t value = row[chosen[i]];
      if (value == kAny) return std::nullopt;
      index = index * values_[chosen[i]] + value;
    }
    return first_[choice] + index;
  }
  const uint16_t* Chosen(size_t choice) const { return &chosen_[choice * size_]; }
  unsigned size() const { return size_; }
  size_t First(size_t choice) const { return first_[choice]; }
  size_t End(size_t choice) const {
    return choice + 1 < first_.size() ? first_[choice + 1] : count_;
  }
  Settings Decode(size_t choice, size_t tuple) const;

  // How many ways to choose there are, without listing them.
  static uint64_t Choices(uint64_t parameters, unsigned size);

 private:
  unsigned size_;
  std::vector<unsigned> values_;
  std::vector<uint16_t> chosen_;
  std::vector<size_t> first_;
  size_t count_ = 0;
};

}  // namespace vitro
