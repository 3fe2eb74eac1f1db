// SPDX-License-Identifier: Apache-2.0
// RunCheck(): one check against one fresh device, in this process. Isolation is another's business
// (suite/run/isolate.h).
#pragma once

#include <functional>

#include "harness/attach/attach.h"
#include "harness/program/program.h"
#include "suite/checks/check.h"
#include "suite/run/outcome.h"

namespace vitro {

struct RunOptions {
  uint64_t seed = 1;
  Duration response = std::chrono::milliseconds(1000);  // see SessionOptions
  // Called before every operation with its program text: the flight recorder.
  std::function<void(const std::string& line)> before;
};

CheckResult RunCheck(const Check& check, Attachment& attachment, const DeviceFacts& facts,
                     const RunOptions& options);

// Runs a recorded program and judges it again, by its Expect operations and by the oracle.
CheckResult RunProgram(const Program& program, Attachment& attachment, const RunOptions& options);

// What an operation that could not be carried out says of the device; `transport` may be null.
Outcome OutcomeOf(const Error& error, Transport* transport);

// The device's weight of a finding: by the requirement's keyword, or less if the finding says so.
Outcome Weigh(const Finding& finding);

}  // namespace vitro
