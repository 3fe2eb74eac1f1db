// SPDX-License-Identifier: Apache-2.0
#include "reports/outcome.h"

namespace vitro::reports {

std::optional<Outcome> ParseOutcome(std::string_view word) {
  for (const OutcomeWord& entry : kOutcomes) {
    if (entry.word == word) return entry.outcome;
  }
  return std::nullopt;
}

}  // namespace vitro::reports
