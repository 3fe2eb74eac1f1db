// SPDX-License-Identifier: Apache-2.0
// Internal to reports/: from the parts of a record, already in shape, to a run.
#pragma once

#include <string>
#include <vector>

#include "reports/record.h"

namespace vitro::reports {

struct RunParts {
  Json begin;                      // suite, spec, device, environment, invocation, planned
  Json catalogue = Json::array();  // rows in shape
  Json results = Json::array();    // results in shape, with known outcome words
  Json end = nullptr;              // null: no "end" line
  std::vector<std::string> notes;  // what the reader had to overlook
};

Json Assemble(RunParts parts);

// The counter of a requirement's state in coverage_by_area and totals: "holes" for "hole".
std::string_view StateKey(std::string_view state);

}  // namespace vitro::reports
