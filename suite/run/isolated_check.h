// SPDX-License-Identifier: Apache-2.0
// A check in a process of its own: starts it, and makes a result of however it ended.
#pragma once

#include "suite/run/isolate.h"
#include "suite/run/run_check.h"

namespace vitro {

Result<std::unique_ptr<IsolatedJob>> StartCheck(const Check& check, Attachment& attachment,
                                                const DeviceFacts& facts, const RunOptions& options,
                                                Duration limit);
// A process that runs `checks` by index as it is asked to, one after another, and renews the device
// between them as far as the attachment can.
Result<std::unique_ptr<IsolatedJob>> ServeChecks(const std::vector<const Check*>& checks,
                                                 Attachment& attachment, const DeviceFacts& facts,
                                                 const RunOptions& options);
Result<std::unique_ptr<IsolatedJob>> StartProgram(const Program& program, Attachment& attachment,
                                                  const RunOptions& options, Duration limit);
// The child's own result; or crash, hang or harness error with all that was recorded on the way.
CheckResult ResultOf(const std::string& check_id, uint64_t seed, const IsolatedJob::Ending& ending);

}  // namespace vitro
