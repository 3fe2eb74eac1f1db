// SPDX-License-Identifier: Apache-2.0
// Finding: one thing that was not as the standard has it. What it weighs (fail, warn) follows from
// the requirement's keyword in the catalogue, unless `severity` says less.
#pragma once

#include <string>
#include <vector>

namespace vitro {

struct Finding {
  std::string requirement;  // catalogue id
  std::string message;      // what was wrong, in one sentence
  std::string accepted;     // what would have been right
  std::string observed;
  std::string severity;  // "" (by the keyword), "warn" or "info"
  size_t operation = 0;  // index into the trace
};

}  // namespace vitro
