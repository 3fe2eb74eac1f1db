// SPDX-License-Identifier: Apache-2.0
// The outcome words of a check: a closed vocabulary, the same in record, reports and exit code.
#pragma once

#include <string>
#include <vector>

#include "harness/oracle/finding.h"

namespace vitro {

enum class Outcome {
  kPass,
  kFail,
  kWarn,
  kInfo,
  kNotApplicable,
  kNotObservable,
  kWaived,
  kCrash,
  kHang,
  kDeviceLost,
  kHarnessError,
};
const char* Name(Outcome outcome);

// A finding as it is reported: with its weight.
struct WeighedFinding {
  Finding finding;
  Outcome severity = Outcome::kFail;  // kFail, kWarn or kInfo
};

// What became of one check.
struct CheckResult {
  std::string id;
  Outcome outcome = Outcome::kHarnessError;
  std::string because;  // why that outcome
  std::string sent, observed;
  std::vector<std::string> accepted;
  std::vector<WeighedFinding> findings;
  std::vector<std::string> trace;  // the tail, for people
  std::string program;             // program text that performs it again
  std::string device_log;
  int64_t duration_us = 0;
  int64_t quiet_window_us = 0;  // 0 where quiescence was exact
};

}  // namespace vitro
