// SPDX-License-Identifier: Apache-2.0
// One self-contained HTML page: no network, readable without JavaScript, every byte of the record
// escaped.
#pragma once

#include <string>

#include "reports/record.h"

namespace vitro::reports {

// REQUIRES: `run` comes from FoldRun or LoadRun.
std::string RenderHtml(const Json& run);

}  // namespace vitro::reports
