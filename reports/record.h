// SPDX-License-Identifier: Apache-2.0
// The run record: `run.jsonl` is what a run streams, one object per line; `run.json` is its fold,
// the one source of every report. Folding is deterministic and judges again: coverage, totals and
// verdict are computed here, from the results and the catalogue, and never believed from a file.
//
//   auto run = LoadRun("out/");            // run.jsonl, run.json, or a directory that holds one
//   if (!run) return Complain(run.error());
//   return ExitCode(*run);
//
// The shape of a run is in run_record.schema.json. How a requirement is judged:
//   - a check's outcome for a requirement is its worst finding that names the requirement; one
//     that fails by findings about others says only `info` about this one;
//   - a finding counts for the requirement it names even when the check was about something else;
//   - passed: at least one check passed, none failed or warned. `not-observable`, `not-applicable`,
//     `waived` and `info` are never passes;
//   - a crash or a hang fails what the check was about. A lost device fails the run, but
//     no requirement;
//   - hole: the catalogue knows no check for it. It stays a hole, unless a finding shows a
//     violation.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "harness/base/result.h"
#include "reports/outcome.h"

namespace vitro::reports {

// Keeps the order of keys, so that run.json reads from identity to detail. Converts from and to
// nlohmann::json implicitly.
using Json = nlohmann::ordered_json;

// One line of run.jsonl, with its newline. Bytes that are not UTF-8 are replaced, never thrown at.
std::string RecordLine(const Json& line);

// Folds the text of a run.jsonl. Without an "end" line the run counts as interrupted; a torn last
// line is dropped and noted in notes[]. Any other broken line is an Error (kUsage) that says which
// line.
Result<Json> FoldRun(std::string_view jsonl);

// Reads a run.jsonl, a run.json, or a directory that has one of them (the stream wins). Coverage
// and totals of a run.json are computed again; if they differ from what the file says, notes[] says
// so.
Result<Json> LoadRun(const std::string& path);

// 0 conformant, 1 not conformant, 3 nothing ran, 5 harness error or lost results, 130 interrupted.
int ExitCode(const Json& run);

// "conformant", "not conformant", "nothing ran", "incomplete".
std::string Verdict(const Json& run);

// The verdict as one sentence: "not conformant: 2 fail, 1 crash, 139 pass".
std::string VerdictSentence(const Json& run);

// True if this result makes the run not conformant, given the run's strictness.
bool IsFailure(const Json& run, const Json& result);

// The outcome of a result, folded or raw; kHarnessError if it has none that is known.
Outcome OutcomeOf(const Json& result);

}  // namespace vitro::reports
