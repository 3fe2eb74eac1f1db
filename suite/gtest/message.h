// SPDX-License-Identifier: Apache-2.0
// What the tests of suite/gtest say: everything that one needs to know about a failure, without a
// report and without the vitro command.
#pragma once

#include <string>

#include "suite/checks/check.h"
#include "suite/run/outcome.h"
#include "suite/run/probe.h"

namespace vitro {

// One line each: type, features, queues, config space.
std::string DescribeDevice(const Probed& probed);
// All findings with requirement, accepted and observed.
std::string DescribeFindings(const CheckResult& result);
// The above, and what was sent, the trace's tail, the device's own words. `program` is the path of
// the program that performs it again, or "".
std::string DescribeFailure(const Check& check, const CheckResult& result,
                            const std::string& program);
// The commands that show it again.
std::string AgainText(const std::string& executable, const std::string& test);

}  // namespace vitro
