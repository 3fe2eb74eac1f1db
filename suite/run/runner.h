// SPDX-License-Identifier: Apache-2.0
// Runner: the checks of a selection on one device, each in its own process, some at a time; every
// result is handed on as soon as it is there.
#pragma once

#include <functional>
#include <vector>

#include "harness/attach/attach.h"
#include "suite/checks/check.h"
#include "suite/run/probe.h"
#include "suite/run/run_check.h"

namespace vitro {

struct RunnerOptions {
  RunOptions run;
  Duration limit = std::chrono::seconds(10);  // for one check
  uint32_t jobs = 1;                          // at a time
  // Becomes readable when the run shall end early (Ctrl-C); -1 for none.
  int stop_fd = -1;
  std::function<void(const Check&)> started;
  std::function<void(const Check&, const CheckResult&)> finished;
  std::function<void()> tick;  // about ten times a second while checks run
};

// Returns false if it was stopped before all had run. An Error is the harness's own.
Result<bool> RunChecks(const std::vector<const Check*>& checks, Attachment& attachment,
                       const Probed& probed, const RunnerOptions& options);

}  // namespace vitro
