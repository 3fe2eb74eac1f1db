// SPDX-License-Identifier: Apache-2.0
#include "reports/matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "reports/clauses.h"
#include "reports/html_parts.h"
#include "reports/text.h"

namespace vitro::reports {
namespace {

struct NaturalOrder {
  bool operator()(const std::string& a, const std::string& b) const { return NaturalLess(a, b); }
};

struct Cell {
  std::optional<Outcome> worst;  // nothing: no check of this clause ran
  int checks = 0, judged = 0, bad = 0;
};

// What one check did on all devices.
struct CheckRow {
  std::string title, section;
  std::map<size_t, const Json*> results;  // by column
  bool Differs() const {
    return std::ranges::any_of(results, [](const auto& entry) {
      const Outcome outcome = OutcomeOf(*entry.second);
      return outcome <= Outcome::kWarn;
    });
  }
};

struct Matrix {
  explicit Matrix(const std::vector<MatrixColumn>& all) : columns(all) {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].run.is_null()) continue;
      if (spec_version.empty()) spec_version = Str(columns[i].run.at("spec"), "version");
      for (const Json& result : columns[i].run.at("results")) Add(i, result);
    }
  }

  void Add(size_t column, const Json& result) {
    const std::string& section = Str(result, "section");
    const Outcome outcome = OutcomeOf(result);
    Cell& cell = rows[section].try_emplace(column).first->second;
    cell.worst = cell.worst ? Worse(*cell.worst, outcome) : outcome;
    ++cell.checks;
    cell.judged += IsJudged(outcome) ? 1 : 0;
    cell.bad += outcome <= Outcome::kWarn ? 1 : 0;
    const std::string& id = Str(result, "id");
    subjects[section].insert(id.substr(0, id.find('.')));
    CheckRow& check = checks[id];
    check.title = Str(result, "title");
    check.section = section;
    check.results[column] = &result;
  }

  // "2.7.8 used, framing"
  std::string Label(const std::string& section) const {
    std::string label;
    for (const std::string& subject : subjects.at(section))
      label += (label.empty() ? "" : ", ") + subject;
    return label;
  }

  const std::vector<MatrixColumn>& columns;
  std::string spec_version;
  std::map<std::string, std::map<size_t, Cell>, NaturalOrder> rows;  // section -> column -> cell
  std::map<std::string, std::set<std::string>> subjects;             // first words of check ids
  std::map<std::string, CheckRow, NaturalOrder> checks;
};

std::string VerdictOf(const MatrixColumn& column) {
  return column.run.is_null() ? column.problem : VerdictSentence(column.run);
}

std::string_view ColourOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return "32";
    case Outcome::kWarn:
      return "33";
    case Outcome::kInfo:
      return "34";
    case Outcome::kWaived:
      return "36";
    case Outcome::kNotObservable:
    case Outcome::kNotApplicable:
      return "2";
    default:
      return IsViolation(outcome) ? "31" : "35";
  }
}

}  // namespace

std::string RenderMatrixText(const std::vector<MatrixColumn>& columns,
                             const TerminalOptions& options) {
  const Matrix matrix(columns);
  const auto paint = [&](std::string_view style, const std::string& text) {
    return options.color ? fmt::format("\x1b[{}m{}\x1b[0m", style, text) : text;
  };
  std::string out;
  for (size_t i = 0; i < columns.size(); ++i) {
    const bool none = columns[i].run.is_null();
    const bool good = !none && Verdict(columns[i].run) == kConformant;
    out += fmt::format("{:>3}  {}  {}\n", i + 1, paint("1", OneLine(columns[i].name)),
                       paint(none   ? "35"
                             : good ? "32"
                                    : "31",
                             OneLine(VerdictOf(columns[i]))));
  }
  constexpr size_t kLabel = 35;
  const size_t room = options.width > 50 ? static_cast<size_t>(options.width) - kLabel : 40;
  const size_t at_once = std::max<size_t>(1, room / 3);
  for (size_t from = 0; from < columns.size(); from += at_once) {
    const size_t to = std::min(columns.size(), from + at_once);
    out += "\n" + PadRight("", kLabel);
    for (size_t i = from; i < to; ++i) out += fmt::format("{:>3}", i + 1);
    out += "\n";
    std::string clause;
    for (const auto& [section, cells] : matrix.rows) {
      if (Clause(section) != clause) {
        clause = Clause(section);
        out += paint("1", fmt::format("{} {}", clause, ClauseTitle(matrix.spec_version, clause))) +
               "\n";
      }
      out += PadRight(
          Shorten(fmt::format("  {:<12} {}", section, matrix.Label(section)), kLabel - 1), kLabel);
      for (size_t i = from; i < to; ++i) {
        const auto cell = cells.find(i);
        const auto outcome = cell == cells.end() ? std::nullopt : cell->second.worst;
        out += "  " + (outcome ? paint(ColourOf(*outcome), std::string(Word(*outcome).mark))
                               : std::string(" "));
      }
      out += "\n";
    }
  }
  out +=
      "\n✓ pass  ✗ fail, crash, hang or lost  ! warning  i info  ? harness error  "
      "– not applicable or not observable\n";
  return out;
}

namespace {

void WriteTable(HtmlWriter& out, const Matrix& matrix) {
  out << "<div class=\"wide\"><table class=\"matrix\"><thead><tr><th>Clause</th>";
  for (size_t i = 0; i < matrix.columns.size(); ++i) {
    const MatrixColumn& column = matrix.columns[i];
    // The kind is told in the list above; what differs is what comes behind it.
    const std::string name =
        fmt::format("{} {}", i + 1, OneLine(column.name.substr(column.name.find(':') + 1)));
    out << "<th class=\"device\"><span>";
    if (column.report.empty())
      out << name;
    else
      out << "<a href=\"" << column.report << "\">" << name << "</a>";
    out << "</span></th>";
  }
  out << "</tr></thead>\n<tbody>";
  std::string clause;
  for (const auto& [section, cells] : matrix.rows) {
    if (Clause(section) != clause) {
      clause = Clause(section);
      out << "<tr class=\"clause\"><th colspan=\"" << matrix.columns.size() + 1 << "\">" << clause
          << " " << ClauseTitle(matrix.spec_version, clause) << "</th></tr>\n";
    }
    out << "<tr><th>" << section << " <span class=\"dim\">" << matrix.Label(section)
        << "</span></th>";
    for (size_t i = 0; i < matrix.columns.size(); ++i) {
      const auto found = cells.find(i);
      if (found == cells.end()) {
        out << "<td></td>";
        continue;
      }
      const Cell& cell = found->second;
      const OutcomeWord& word = Word(*cell.worst);
      out << "<td class=\"o-" << word.word << "\" title=\""
          << fmt::format("{}: {} of {} checks judged, {} did not pass; worst: {}", section,
                         cell.judged, cell.checks, cell.bad, word.word)
          << "\">" << word.mark;
      if (cell.bad > 1) out << "<small>" << cell.bad << "</small>";
      out << "</td>";
    }
    out << "</tr>\n";
  }
  out << "</tbody></table></div>\n";
}

void WriteFindings(HtmlWriter& out, const Matrix& matrix) {
  out << "<section><h2>What did not pass</h2>\n";
  bool any = false;
  for (const auto& [id, check] : matrix.checks) {
    if (!check.Differs()) continue;
    any = true;
    out << "<details><summary><code>" << id << "</code> <span class=\"dim\">" << check.section
        << "</span> " << OneLine(check.title) << "</summary><ul class=\"found\">";
    for (const auto& [column, result] : check.results) {
      const Outcome outcome = OutcomeOf(*result);
      if (outcome > Outcome::kWarn) continue;
      out << "<li>";
      WriteChip(out, outcome);
      out << " <b>" << OneLine(matrix.columns[column].name) << "</b> "
          << Shorten(OneLine(Str(*result, "because")), 300) << "</li>";
    }
    size_t passed = 0;
    for (const auto& [column, result] : check.results)
      passed += OutcomeOf(*result) == Outcome::kPass ? 1 : 0;
    out << "<li class=\"dim\">passed by " << passed << " of " << check.results.size()
        << "</li></ul></details>\n";
  }
  if (!any) out << "<p>Everything that was judged passed.</p>";
  out << "</section>\n";
}

}  // namespace

std::string RenderMatrixHtml(const std::vector<MatrixColumn>& columns) {
  const Matrix matrix(columns);
  HtmlWriter out;
  out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
         "<title>Vitro: devices side by side</title>\n<style>\n";
  out.Embed(Asset("report.css"));
  out << "</style></head>\n<body class=\"matrix-page\"><header class=\"masthead\"><p "
         "class=\"kicker\">"
         "<b>Vitro</b> · comparison</p><h1>"
      << Count(static_cast<int64_t>(columns.size()), "device")
      << " side by side</h1></header>\n<main>";
  out << "<section><h2>Devices</h2><ol class=\"devices\">";
  for (const MatrixColumn& column : columns) {
    const bool none = column.run.is_null();
    const std::string_view state = none                                 ? "o-harness-error"
                                   : Verdict(column.run) == kConformant ? "o-pass"
                                                                        : "o-fail";
    out << "<li class=\"" << state << "\"><code>" << OneLine(column.name) << "</code> ";
    if (column.report.empty())
      out << OneLine(VerdictOf(column));
    else
      out << "<a href=\"" << column.report << "\">" << OneLine(VerdictOf(column)) << "</a>";
    out << "</li>\n";
  }
  out << "</ol></section>\n<section><h2>Clauses</h2>\n";
  WriteTable(out, matrix);
  out << "</section>\n";
  WriteFindings(out, matrix);
  out << "</main></body></html>\n";
  return out.Take();
}

}  // namespace vitro::reports
