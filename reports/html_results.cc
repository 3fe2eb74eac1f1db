// SPDX-License-Identifier: Apache-2.0
// The strip of clauses, the filters, and the list of results with their drawers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "reports/clauses.h"
#include "reports/html_parts.h"
#include "reports/text.h"

namespace vitro::reports {
namespace {

constexpr size_t kTraceLines = 60;  // of a result that is no pass
constexpr size_t kTraceLinesPass = 16;
constexpr size_t kTextColumns = 4000;  // of one field; run.json has all of it

struct ByNature {
  bool operator()(const std::string& a, const std::string& b) const { return NaturalLess(a, b); }
};

struct ClauseTally {
  std::array<int64_t, kOutcomes.size()> outcomes{};
  int64_t results = 0;
  int64_t requirements = 0;
  int64_t holes = 0;
};

std::map<std::string, ClauseTally, ByNature> Tally(const Page& page) {
  std::map<std::string, ClauseTally, ByNature> clauses;
  for (const Json& result : page.run.at("results")) {
    ClauseTally& tally = clauses[Clause(Str(result, "section"))];
    ++tally.outcomes[static_cast<size_t>(OutcomeOf(result))];
    ++tally.results;
  }
  for (const Json& row : page.run.at("coverage")) {
    if (!row.at("applies").get<bool>()) continue;
    ClauseTally& tally = clauses[Clause(Str(row, "section"))];
    ++tally.requirements;
    tally.holes += Str(row, "state") == "hole" ? 1 : 0;
  }
  return clauses;
}

std::string Describe(const Page& page, const std::string& clause, const ClauseTally& tally) {
  std::string text = ClauseHeading(page, clause) + "\n";
  std::string counts;
  for (const OutcomeWord& word : kOutcomes) {
    const int64_t n = tally.outcomes[static_cast<size_t>(word.outcome)];
    if (n > 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", n, word.word);
  }
  text += counts.empty() ? "no results" : counts;
  if (tally.requirements > 0) {
    text += fmt::format("\n{}, {}", Count(tally.requirements, "requirement"),
                        Count(tally.holes, "hole"));
  }
  return text;
}

void WriteClauseCell(HtmlWriter& out, const Page& page, const std::string& clause,
                     const ClauseTally& tally) {
  const auto worst =
      std::find_if(tally.outcomes.begin(), tally.outcomes.end(), [](int64_t n) { return n > 0; });
  const std::string label = clause.empty() ? "–" : clause;
  if (worst == tally.outcomes.end()) {
    out << "<a class=\"cell empty\" href=\"#_coverage\" title=\"" << Describe(page, clause, tally)
        << "\"><b>" << label << "</b><span>0</span></a>";
    return;
  }
  const auto outcome = static_cast<Outcome>(worst - tally.outcomes.begin());
  out << "<a class=\"cell o-" << Word(outcome).word << "\" href=\"" << Fragment(ClauseId(clause))
      << "\" data-clause=\"" << clause << "\" title=\"" << Describe(page, clause, tally) << "\"><b>"
      << label << "</b><span>" << tally.results << "</span></a>";
}

void WriteFilters(HtmlWriter& out, const Page& page) {
  out << "<div class=\"filters js-only\" role=\"search\">\n<div class=\"buttons\">";
  for (const OutcomeWord& word : kOutcomes) {
    const int64_t n = Int(page.run.at("totals").at("by_outcome"), std::string(word.word).c_str());
    if (n == 0) continue;
    out << "<button type=\"button\" class=\"chip o-" << word.word << "\" data-filter=\""
        << word.word << "\" aria-pressed=\"false\"><i aria-hidden=\"true\">" << word.mark << "</i>"
        << word.word << " <b>" << n << "</b></button>";
  }
  out << "</div>\n<div class=\"find\"><input type=\"search\" id=\"_search\" placeholder=\"Search "
         "checks, "
         "requirements, text\" aria-label=\"Search the results\" autocomplete=\"off\" "
         "spellcheck=\"false\">"
         "<span id=\"_shown\" role=\"status\"></span>"
         "<button type=\"button\" id=\"_clear\" hidden>Show all</button></div>\n</div>\n";
}

void WriteText(HtmlWriter& out, Markup name, const std::string& text) {
  if (text.empty()) return;
  out << "<dt>" << name << "</dt><dd class=\"text\">" << Shorten(text, kTextColumns) << "</dd>";
}

void WriteAccepted(HtmlWriter& out, const Json& accepted) {
  if (accepted.empty()) return;
  out << "<dt>Accepted</dt><dd><ul class=\"plain accepted\">";
  for (const Json& entry : accepted) {
    out << "<li>" << Shorten(entry.get_ref<const std::string&>(), kTextColumns) << "</li>";
  }
  out << "</ul></dd>";
}

void WriteFindings(HtmlWriter& out, const Page& page, const Json& findings) {
  if (findings.empty()) return;
  out << "<dt>Findings</dt><dd><ul class=\"plain findings\">";
  for (const Json& finding : findings) {
    const std::string& requirement = Str(finding, "requirement");
    const Outcome outcome = ParseOutcome(Str(finding, "severity")).value_or(Outcome::kInfo);
    out << "<li>";
    WriteChip(out, outcome);
    out << "<div>" << Shorten(Str(finding, "message"), kTextColumns);
    if (!requirement.empty() || !finding.at("operation").is_null()) {
      out << "<span class=\"dim\">";
      if (page.requirements.contains(requirement)) {
        out << "<a href=\"" << Fragment(requirement) << "\"><code>" << requirement << "</code></a>";
      } else {
        out << "<code>" << requirement << "</code>";
      }
      if (!finding.at("operation").is_null()) out << " at operation " << Int(finding, "operation");
      out << "</span>";
    }
    out << "</div></li>";
  }
  out << "</ul></dd>";
}

void WriteRequirements(HtmlWriter& out, const Page& page, const Json& requirements) {
  if (requirements.empty()) return;
  out << "<dt>Requirements</dt><dd><ul class=\"plain requirements\">";
  for (const Json& entry : requirements) {
    const std::string& id = entry.get_ref<const std::string&>();
    const auto it = page.requirements.find(id);
    if (it == page.requirements.end()) {
      out << "<li><code>" << id << "</code> <span class=\"dim\">not in the catalogue</span></li>";
      continue;
    }
    const Json& row = *it->second;
    out << "<li>" << Str(row, "title") << "<span class=\"dim\"><a href=\"" << Fragment(id)
        << "\"><code>" << id << "</code></a> " << Str(row, "section") << " <span class=\"keyword\">"
        << Str(row, "keyword") << "</span></span>";
    if (!Str(row, "interpretation").empty()) {
      out << "<p class=\"ruling\">Ruling: " << Str(row, "interpretation") << "</p>";
    }
    out << "</li>";
  }
  out << "</ul></dd>";
}

// The number that opens a line of a trace ("  17 wait-used"), or -1.
int64_t OperationOf(std::string_view line) {
  const size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos) return -1;
  int64_t number = -1;
  for (char c : line.substr(start, 9)) {
    if (c < '0' || c > '9') break;
    number = std::max<int64_t>(number, 0) * 10 + (c - '0');
  }
  return number;
}

void WriteEvidence(HtmlWriter& out, const Json& result) {
  const Json& evidence = result.at("evidence");
  const Json& trace = evidence.at("trace");
  const size_t limit = OutcomeOf(result) == Outcome::kPass ? kTraceLinesPass : kTraceLines;
  if (!trace.empty()) {
    std::set<int64_t> marked;
    for (const Json& finding : result.at("findings")) {
      if (!finding.at("operation").is_null()) marked.insert(Int(finding, "operation"));
    }
    const size_t first = trace.size() > limit ? trace.size() - limit : 0;
    out << "<dt>Trace</dt><dd><pre class=\"trace\" tabindex=\"0\">";
    if (first > 0)
      out << "<span class=\"dim\">… " << first << " earlier lines are in run.json</span>\n";
    for (size_t i = first; i < trace.size(); ++i) {
      const std::string line = Shorten(OneLine(trace[i].get_ref<const std::string&>()), 400);
      if (marked.contains(OperationOf(line))) {
        out << "<mark>" << line << "</mark>\n";
      } else {
        out << line << "\n";
      }
    }
    out << "</pre></dd>";
  }
  const std::string& text = Str(evidence, "device_stderr");
  if (!text.empty()) {
    out << "<dt>Device stderr</dt><dd><pre class=\"trace\" tabindex=\"0\">"
        << Shorten(text, kTextColumns) << "</pre></dd>";
  }
  const std::string& program = Str(evidence, "program");
  if (!program.empty()) out << "<dt>Program</dt><dd><code>" << program << "</code></dd>";
}

void WriteDrawer(HtmlWriter& out, const Page& page, const Json& result, const std::string& anchor) {
  out << "<dl class=\"drawer\">";
  WriteText(out, "Sent", Str(result, "sent"));
  WriteAccepted(out, result.at("accepted"));
  const bool odd = IsJudged(OutcomeOf(result)) && OutcomeOf(result) != Outcome::kPass;
  if (!Str(result, "observed").empty()) {
    out << "<dt>Observed</dt><dd class=\"text observed";
    if (odd) out << " odd";
    out << "\">" << Shorten(Str(result, "observed"), kTextColumns) << "</dd>";
  }
  WriteText(out, "Because", Str(result, "because"));
  WriteText(out, "Advice", Str(result, "advice"));
  WriteFindings(out, page, result.at("findings"));
  WriteRequirements(out, page, result.at("requirements"));
  WriteEvidence(out, result);
  if (!Str(result, "reproduce").empty()) {
    out << "<dt>Reproduce</dt><dd><pre class=\"command copyable\">" << Str(result, "reproduce")
        << "</pre></dd>";
  }
  out << "<dt>Check</dt><dd class=\"facts\"><a href=\"" << Fragment(anchor) << "\"><code>"
      << Str(result, "id") << "</code></a><span>level " << Str(result, "level")
      << "</span><span>seed " << result.at("seed").dump() << "</span>";
  for (const Json& tag : result.at("tags")) {
    out << "<span class=\"tag\">" << tag.get_ref<const std::string&>() << "</span>";
  }
  out << "</dd></dl>";
}

void WriteRow(HtmlWriter& out, const Page& page, size_t i, const std::string& clause) {
  const Json& result = page.run.at("results")[i];
  const std::string& outcome = Str(result, "outcome");
  out << "<details class=\"row o-" << outcome << "\" id=\"" << page.anchors[i]
      << "\" data-outcome=\"" << outcome << "\" data-clause=\"" << clause << "\"><summary>";
  WriteChip(out, OutcomeOf(result));
  out << "<span class=\"what\"><span class=\"title\">" << OneLine(Str(result, "title"))
      << "</span><code>" << OneLine(Str(result, "id")) << "</code></span><span class=\"section\">"
      << OneLine(Str(result, "section")) << "</span><span class=\"time\">"
      << Duration(Int(result, "duration_us")) << "</span></summary>\n";
  WriteDrawer(out, page, result, page.anchors[i]);
  out << "</details>\n";
}

}  // namespace

void WriteClauseStrip(HtmlWriter& out, const Page& page) {
  const auto clauses = Tally(page);
  out << "<nav class=\"strip\" aria-label=\"Clauses of the specification\"><h2>Clauses</h2>\n";
  std::string chapter;
  bool open = false;
  for (const auto& [clause, tally] : clauses) {
    const std::string mine = clause.substr(0, clause.find('.'));
    if (!open || mine != chapter) {
      if (open) out << "</div></div>\n";
      out << "<div class=\"chapter\"><h3>" << ClauseHeading(page, mine)
          << "</h3><div class=\"cells\">";
      chapter = mine;
      open = true;
    }
    WriteClauseCell(out, page, clause, tally);
  }
  if (open) out << "</div></div>\n";
  out << "</nav>\n";
}

void WriteResults(HtmlWriter& out, const Page& page) {
  const Json& results = page.run.at("results");
  out << "<section id=\"_results\" class=\"results\"><h2>Results</h2>\n";
  if (results.empty()) out << "<p class=\"dim\">The record holds no results.</p>\n";
  if (!results.empty()) WriteFilters(out, page);
  std::string clause;
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string mine = Clause(Str(results[i], "section"));
    if (i == 0 || mine != clause) {
      if (i != 0) out << "</div>\n";
      out << "<div class=\"group\" id=\"" << ClauseId(mine) << "\"><h3>"
          << ClauseHeading(page, mine) << "</h3>\n";
      clause = mine;
    }
    WriteRow(out, page, i, mine);
  }
  if (!results.empty()) out << "</div>\n";
  out << "<p class=\"nothing\" id=\"_nothing\" hidden>No check matches.</p></section>\n";
}

}  // namespace vitro::reports
