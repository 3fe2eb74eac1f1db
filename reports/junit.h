// SPDX-License-Identifier: Apache-2.0
// JUnit XML for CI. Failures, errors and skips are three different things; a warning is a pass with
// output, or a failure with --strict.
#pragma once

#include <string>

#include "reports/record.h"

namespace vitro::reports {

// REQUIRES: `run` comes from FoldRun or LoadRun.
std::string RenderJunit(const Json& run);

}  // namespace vitro::reports
