// SPDX-License-Identifier: Apache-2.0
// The record of a run of combinations (reports/combinations.schema.json): what reports are made
// from, and what an interrupted run goes on from.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "suite/run/combinations.h"

namespace vitro {

struct CombinationInvocation {
  std::vector<std::string> argv;
  std::string start;    // UTC, ISO 8601
  std::string profile;  // as it was asked for; "" for the built-in one, if there is one
  bool strict = false;
  std::vector<std::string> programs;   // of each reduced failure, relative to the record; or ""
  std::vector<std::string> reproduce;  // command lines, likewise
};

nlohmann::json CombinationsJson(const AttachString& attach, const Probed& probed,
                                const CombinationOptions& options,
                                const CombinationInvocation& invocation, const Combinations& run);

// What a record says of the run that it is of. Errors are kUsage, in a sentence that begins with
// `path`.
struct ResumedRun {
  std::string attach, profile;
  CombinationOptions options;  // depth, budget, strength, seed and limits
  bool strict = false;
  bool complete = false;
  uint64_t planned = 0, planned_invalid = 0;
  std::string offered;  // the words of the offer
  SweepState sweep, invalid_sweep;
};
Result<ResumedRun> ResumeFrom(const std::string& path, const nlohmann::json& record);

// 0 conformant, 1 not, 3 nothing was tried, 4 the device is gone, 130 stopped.
int ExitCodeOf(const Combinations& run, bool strict);

}  // namespace vitro
