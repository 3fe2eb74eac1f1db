// SPDX-License-Identifier: Apache-2.0
// A Markdown summary for CI pages such as GitHub's step summary.
#pragma once

#include <string>

#include "reports/record.h"

namespace vitro::reports {

// REQUIRES: `run` comes from FoldRun or LoadRun.
std::string RenderMarkdown(const Json& run);

}  // namespace vitro::reports
