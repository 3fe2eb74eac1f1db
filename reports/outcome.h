// SPDX-License-Identifier: Apache-2.0
// The closed vocabulary of a run record: what a result may be, what a requirement may be, and what
// a whole run may be. Every renderer takes words, marks and colours from here, so that no two
// reports call the same thing by two names.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace vitro::reports {

// Worst first: the order is the rank by which several outcomes combine into one.
enum class Outcome {
  kFail,
  kCrash,
  kHang,
  kDeviceLost,
  kHarnessError,
  kWarn,
  kPass,
  kWaived,
  kInfo,
  kNotObservable,
  kNotApplicable,
};

struct OutcomeWord {
  Outcome outcome;
  std::string_view word;     // as in the record, on the command line and in CSS classes
  std::string_view mark;     // one column, readable without colour
  std::string_view meaning;  // one sentence for the legend
};

inline constexpr std::array<OutcomeWord, 11> kOutcomes = {{
    {Outcome::kFail, "fail", "✗", "The device violated a MUST."},
    {Outcome::kCrash, "crash", "✗", "The device's process died while the check drove it."},
    {Outcome::kHang, "hang", "✗", "The device did not answer before the deadline."},
    {Outcome::kDeviceLost, "device-lost", "✗",
     "The device broke off, or broke the protocol that carries it."},
    {Outcome::kHarnessError, "harness-error", "?",
     "Vitro or the machine failed. It says nothing about the device, and the run is incomplete."},
    {Outcome::kWarn, "warn", "!", "A SHOULD was not followed, or advice was not taken."},
    {Outcome::kPass, "pass", "✓", "What was observed is in the accepted set."},
    {Outcome::kWaived, "waived", "~",
     "It failed, and a waiver with a reason covers it. Not a pass."},
    {Outcome::kInfo, "info", "i", "Something worth knowing. No judgement."},
    {Outcome::kNotObservable, "not-observable", "–",
     "This level or attachment cannot show it. Not a pass."},
    {Outcome::kNotApplicable, "not-applicable", "–",
     "A feature or queue that the check needs is not there. Not a pass."},
}};

inline constexpr const OutcomeWord& Word(Outcome outcome) {
  return kOutcomes[static_cast<size_t>(outcome)];
}
std::optional<Outcome> ParseOutcome(std::string_view word);

// The device did wrong: enough for "not conformant".
inline constexpr bool IsViolation(Outcome outcome) { return outcome <= Outcome::kDeviceLost; }
// The check did not judge the device, for a stated reason.
inline constexpr bool IsSkip(Outcome outcome) {
  return outcome == Outcome::kWaived || outcome == Outcome::kNotObservable ||
         outcome == Outcome::kNotApplicable;
}
// The check came to a judgement about the device.
inline constexpr bool IsJudged(Outcome outcome) {
  return IsViolation(outcome) || outcome == Outcome::kWarn || outcome == Outcome::kPass;
}
inline constexpr Outcome Worse(Outcome a, Outcome b) { return a < b ? a : b; }

// What is known of one requirement after the run. The six add up to the total.
struct StateWord {
  std::string_view word;
  std::string_view key;  // the counter's name in coverage_by_area and totals
  std::string_view meaning;
};
inline constexpr std::array<StateWord, 6> kStates = {{
    {"failed", "failed", "At least one check saw it violated."},
    {"warned", "warned", "At least one check warned, none failed."},
    {"passed", "passed", "At least one check passed, none failed or warned."},
    {"unsettled", "unsettled", "Its checks ran, and none could judge it here."},
    {"not-run", "not_run", "It has checks, and none of them was in this run."},
    {"hole", "holes", "No check exists for it. The reason is given."},
}};

// Verdicts of a run.
inline constexpr std::string_view kConformant = "conformant";
inline constexpr std::string_view kNotConformant = "not conformant";
inline constexpr std::string_view kIncomplete = "incomplete";
inline constexpr std::string_view kNothingRan = "nothing ran";

}  // namespace vitro::reports
