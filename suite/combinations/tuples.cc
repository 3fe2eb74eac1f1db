// SPDX-License-Identifier: Apache-2.0
#include "suite/combinations/tuples.h"

#include <numeric>

namespace vitro {

Tuples::Tuples(const Model& model, const std::vector<unsigned>& parameters, unsigned size,
               std::optional<unsigned> also)
    : size_(size + (also ? 1 : 0)), values_(model.values) {
  const size_t n = parameters.size();
  if (size > n) return;
  std::vector<size_t> at(size);
  std::iota(at.begin(), at.end(), size_t{0});
  size_t turn = 1;
  for (;;) {
    common_.push_back(static_cast<uint8_t>(turn - 1));
    size_t tuples = also ? values_[*also] : 1;
    for (size_t i : at) {
      chosen_.push_back(static_cast<uint16_t>(parameters[i]));
      tuples *= values_[parameters[i]];
    }
    if (also) chosen_.push_back(static_cast<uint16_t>(*also));
    first_.push_back(count_);
    count_ += tuples;
    turn = size;
    while (turn > 0 && at[turn - 1] == n - size + turn - 1) --turn;
    if (turn == 0) return;
    std::iota(at.begin() + static_cast<std::ptrdiff_t>(turn) - 1, at.end(), at[turn - 1] + 1);
  }
}

Settings Tuples::Decode(size_t choice, size_t tuple) const {
  Settings settings(size_);
  size_t index = tuple - first_[choice];
  for (unsigned i = size_; i-- > 0;) {
    const unsigned parameter = Chosen(choice)[i];
    settings[i] = {parameter, static_cast<unsigned>(index % values_[parameter])};
    index /= values_[parameter];
  }
  return settings;
}

uint64_t Tuples::Choices(uint64_t parameters, unsigned size) {
  uint64_t ways = 1;
  for (unsigned i = 0; i < size; ++i) ways = ways * (parameters - i) / (i + 1);
  return ways;
}

}  // namespace vitro
