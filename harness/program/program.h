// SPDX-License-Identifier: Apache-2.0
// Program: a list of operations with what is needed to run it again. Text form, one operation a
// line:
//
//   vitro-program 1
//   check status.reset-reads-zero
//   seed 1
//   write-status status=0x1
//   ...
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/program/operation.h"

namespace vitro {

struct Program {
  std::string check;  // the check that performed it, "" if none
  uint64_t seed = 1;  // of guest memory's poison
  std::vector<Operation> operations;
};

std::string ToText(const Program& program);
// kUsage with the line number and what was expected there.
Result<Program> ParseProgram(std::string_view text);
Result<Operation> ParseOperation(std::string_view line);

}  // namespace vitro
