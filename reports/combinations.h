// SPDX-License-Identifier: Apache-2.0
// Renders the record of `vitro combinations` (combinations.schema.json): which sets of feature bits
// there are, which were tried, which pairs of bits that covers, and what failed.
#pragma once

#include <string>

#include "reports/record.h"
#include "reports/terminal.h"

namespace vitro::reports {

// One sentence: "all 4096 valid sets were tried".
std::string CombinationsSentence(const Json& record);
std::string CombinationsVerdict(const Json& record);  // a word of Verdict()

std::string RenderCombinationsText(const Json& record, const TerminalOptions& options);
// Self-contained.
std::string RenderCombinationsHtml(const Json& record);

}  // namespace vitro::reports
