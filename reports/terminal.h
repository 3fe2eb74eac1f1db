// SPDX-License-Identifier: Apache-2.0
// What a person sees while a run goes on: a progress line on a terminal, one line per result
// elsewhere; then every failure in full, coverage per chapter, totals, and the verdict as the last
// line.
//
//   TerminalReporter reporter(stdout, DetectTerminal(stdout));
//   reporter.Begin(begin_line);
//   reporter.Started(id); ... reporter.Result(result_line); ... reporter.Tick();
//   reporter.End(run);
//
// Not thread safe: one thread reports. Text of the record is made printable before it is shown.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/record.h"

namespace vitro::reports {

struct TerminalOptions {
  bool tty = false;    // progress in place
  bool color = false;  // ANSI colours
  int width = 100;     // columns
  bool quiet = false;  // no line per result and no progress: only what End prints
  // Time since any fixed point; tests give their own. Empty: the steady clock.
  std::function<std::chrono::milliseconds()> clock;
};

// Colour on this descriptor: it is a terminal, TERM is not "dumb", and NO_COLOR is unset or empty.
bool UseColor(int fd);
TerminalOptions DetectTerminal(FILE* out);

class TerminalReporter {
 public:
  // `out` is borrowed and must outlive the reporter.
  TerminalReporter(FILE* out, TerminalOptions options);

  void Begin(const Json& begin);      // the "begin" line of the record
  void Started(std::string_view id);  // a check starts; several may be under way
  void Result(const Json& result);    // a "result" line, folded or raw
  void Tick();                        // redraws the progress line, so that the clock goes on
  void End(const Json& run);          // the folded run

 private:
  void Print(std::string_view text);
  void ClearProgress();
  void DrawProgress(bool now);
  std::string ProgressLine() const;
  std::string Paint(std::string_view style, std::string_view text) const;
  std::string PaintOutcome(Outcome outcome, std::string_view text) const;
  std::string ResultLine(const Json& result) const;
  void PrintFailure(const Json& run, const Json& result);
  void PrintField(std::string_view name, std::string_view text);
  void PrintCoverage(const Json& run);
  void PrintTotals(const Json& run);

  FILE* out_;
  TerminalOptions options_;
  std::array<int64_t, kOutcomes.size()> counts_{};
  int64_t planned_ = 0;
  int64_t done_ = 0;
  std::vector<std::string> running_;
  std::chrono::milliseconds begin_{0};
  std::chrono::milliseconds drawn_{0};
  bool progress_shown_ = false;
};

}  // namespace vitro::reports
