// SPDX-License-Identifier: Apache-2.0
// Tuples: the combinations of values of so many parameters at a time, numbered. Only the generator
// of covering arrays uses it; what verifies them must not.
#pragma once

#include <algorithm>
#include <array>
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
  // f(choice, tuple) for each choice all of which is decided in `row`.
  template <typename F>
  void ForEach(const Row& row, const F& f) const {
    // The tuple's number, in mixed radix, of so many parameters of the choice; the next choice
    // mostly has the first of them in common.
    std::array<size_t, kMostSize + 1> number = {};
    unsigned decided = 0;
    for (size_t choice = 0; choice < choices(); ++choice) {
      const uint16_t* const chosen = Chosen(choice);
      decided = std::min<unsigned>(decided, common_[choice]);
      while (decided < size_ && row[chosen[decided]] != kAny) {
        number[decided + 1] = number[decided] * values_[chosen[decided]] + row[chosen[decided]];
        ++decided;
      }
      if (decided == size_) f(choice, first_[choice] + number[size_]);
    }
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
  static constexpr size_t kMostSize = 8;

  unsigned size_;
  std::vector<unsigned> values_;
  std::vector<uint16_t> chosen_;  // of each choice, `size_` parameters
  std::vector<uint8_t> common_;   // of each choice, how many come first in the one before, too
  std::vector<size_t> first_;     // of each choice, its first tuple
  size_t count_ = 0;
};

}  // namespace vitro
