// SPDX-License-Identifier: Apache-2.0
// What a person reads when the run is over: failures in full, coverage, totals, verdict.
#include <fmt/format.h>

#include "reports/terminal.h"
#include "reports/text.h"

namespace vitro::reports {
namespace {

constexpr size_t kIndent = 13;
constexpr size_t kStderrLines = 8;

const std::string& Text(const Json& object, const char* name) {
  return object.at(name).get_ref<const std::string&>();
}

int64_t Number(const Json& object, std::string_view name) {
  return object.at(std::string(name)).get<int64_t>();
}

const Json* FindRequirement(const Json& run, const std::string& id) {
  for (const Json& row : run.at("coverage")) {
    if (Text(row, "id") == id) return &row;
  }
  return nullptr;
}

std::string LastLines(const std::string& text, size_t count) {
  const std::vector<std::string_view> lines = Lines(text);
  std::string out;
  for (size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); ++i) {
    if (!out.empty()) out += '\n';
    out += lines[i];
  }
  return out;
}

}  // namespace

// "  observed   text", wrapped and indented.
void TerminalReporter::PrintField(std::string_view name, std::string_view text) {
  if (text.empty()) return;
  std::string_view label = name;
  const size_t width = static_cast<size_t>(options_.width);
  for (const std::string& line : Wrap(Printable(text), width - kIndent)) {
    const std::string margin = PadRight(label, kIndent - 2);
    Print("  " + (label.empty() ? margin : Paint("2", margin)) + line + "\n");
    label = "";
  }
}

void TerminalReporter::PrintFailure(const Json& run, const Json& result) {
  const Outcome outcome = OutcomeOf(result);
  Print(fmt::format("{} {}  {}\n", PaintOutcome(outcome, Word(outcome).word),
                    Paint("1", OneLine(Text(result, "id"))), OneLine(Text(result, "section"))));
  PrintField("", Text(result, "title"));
  PrintField("sent", Text(result, "sent"));
  std::string accepted;
  for (const Json& entry : result.at("accepted")) {
    accepted += (accepted.empty() ? "" : "\nor ") + entry.get<std::string>();
  }
  PrintField("accepted", accepted);
  PrintField("observed", Text(result, "observed"));
  PrintField("because", Text(result, "because"));
  for (const Json& finding : result.at("findings")) {
    std::string text = Text(finding, "message");
    const Json& operation = finding.at("operation");
    if (!operation.is_null()) text += fmt::format(" (operation {})", operation.get<int64_t>());
    if (!Text(finding, "requirement").empty()) text += "\n" + Text(finding, "requirement");
    PrintField(Text(finding, "severity"), text);
  }
  for (const Json& name : result.at("requirements")) {
    const std::string id = name.get<std::string>();
    const Json* row = FindRequirement(run, id);
    if (row == nullptr) {
      PrintField("requires", id);
    } else {
      PrintField("requires", fmt::format("{} ({}, {})\n{}", id, Text(*row, "section"),
                                         Text(*row, "keyword"), Text(*row, "title")));
    }
  }
  PrintField("advice", Text(result, "advice"));
  if (outcome != Outcome::kFail && outcome != Outcome::kWarn) {
    PrintField("stderr", LastLines(Text(result.at("evidence"), "device_stderr"), kStderrLines));
  }
  // Not wrapped: it is there to be copied.
  const std::string& command = Text(result, "reproduce");
  if (!command.empty()) {
    Print("  " + Paint("2", PadRight("reproduce", kIndent - 2)) + OneLine(command) + "\n");
  }
  Print("\n");
}

void TerminalReporter::PrintCoverage(const Json& run) {
  const Json& areas = run.at("coverage_by_area");
  bool header = false;
  int64_t others = 0, derived = 0;
  for (const Json& area : areas) {
    if (!area.at("applies").get<bool>()) {
      // Rules of the suite's own are no statements, whatever they are about.
      const bool own = Text(area, "area") == "derived" || Text(area, "area") == "legacy";
      (own ? derived : others) += Number(area, "total");
      continue;
    }
    if (!header) {
      Print(Paint("1", fmt::format("{:<10}{:>6}{:>10}{:>8}{:>8}{:>8}{:>8}{:>11}{:>9}{:>7}",
                                   "coverage", "total", "seen here", "judged", "passed", "failed",
                                   "warned", "unsettled", "not run", "holes")) +
            "\n");
      header = true;
    }
    const auto cell = [&](std::string_view name, int width, std::string_view style) {
      const int64_t n = Number(area, name);
      const std::string text = fmt::format("{:>{}}", n, width);
      return Paint(n == 0 ? "2" : style, text);
    };
    Print(fmt::format("{}{}{}{}{}{}{}{}{}{}\n",
                      PadRight(Shorten(OneLine(Text(area, "area")), 9), 10), cell("total", 6, ""),
                      cell("observable_here", 10, ""), cell("checked", 8, ""),
                      cell("passed", 8, "32"), cell("failed", 8, "1;31"), cell("warned", 8, "33"),
                      cell("unsettled", 11, ""), cell("not_run", 9, ""), cell("holes", 7, "")));
  }
  if (header && others > 0) {
    Print(Paint("2", fmt::format("and {} for other device types{}", Count(others, "requirement"),
                                 derived > 0 ? ", " + Count(derived, "derived rule") : "")) +
          "\n");
  }
  if (header) Print("\n");
}

void TerminalReporter::PrintTotals(const Json& run) {
  const Json& totals = run.at("totals");
  std::string line;
  for (const OutcomeWord& word : kOutcomes) {
    const int64_t n = Number(totals.at("by_outcome"), word.word);
    if (n == 0) continue;
    line +=
        (line.empty() ? "" : ", ") + PaintOutcome(word.outcome, fmt::format("{} {}", n, word.word));
  }
  for (const Json& note : run.at("notes")) {
    Print(Paint("2", "note: " + OneLine(note.get<std::string>())) + "\n");
  }
  const auto elapsed = options_.clock() - begin_;
  Print(fmt::format("{} in {}: {}\n", Count(Number(totals, "results"), "check"),
                    Duration(elapsed.count() * 1000), line.empty() ? "no results" : line));
  std::string verdict = Verdict(run);
  const std::string_view style = verdict == kConformant      ? "1;32"
                                 : verdict == kNotConformant ? "1;31"
                                                             : "1;33";
  if (run.at("invocation").at("interrupted").get<bool>()) verdict += " (interrupted)";
  Print(Paint(style, verdict) + "\n");
}

void TerminalReporter::End(const Json& run) {
  ClearProgress();
  int64_t shown = 0;
  for (const Json& result : run.at("results")) {
    if (!IsFailure(run, result) && OutcomeOf(result) != Outcome::kHarnessError) continue;
    if (shown++ == 0) Print("\n");
    PrintFailure(run, result);
  }
  if (shown == 0 && !options_.quiet) Print("\n");
  PrintCoverage(run);
  PrintTotals(run);
}

}  // namespace vitro::reports
