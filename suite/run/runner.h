// SPDX-License-Identifier: Apache-2.0
// Runner: the checks of a selection on one device, isolated from one another, some at a time; every
// result is handed on as soon as it is there. Where a device is dear to start and can be renewed, a
// process and its device serve one check after another for as long as they pass; what does not pass
// there is asked again, of a fresh device, and only that answer counts.
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
  bool fresh = false;  // a device of its own for every check, even where one can be renewed
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
