// SPDX-License-Identifier: Apache-2.0
// Coverage: what is known of each requirement, per area, with the reason of every hole.
#include <fmt/format.h>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace vitro::reports {
namespace {

void WriteStateBar(HtmlWriter& out, const Json& area) {
  out << "<div class=\"bar\">";
  for (const StateWord& state : kStates) {
    const int64_t n = Int(area, std::string(state.key).c_str());
    if (n == 0) continue;
    out << "<span class=\"s-" << state.word << "\" style=\"flex:" << n << "\" title=\"" << n << " "
        << state.word << "\"></span>";
  }
  out << "</div>";
}

void WriteChecks(HtmlWriter& out, const Page& page, const Json& row) {
  const Json& outcomes = row.at("outcomes");
  std::string separator;
  for (const auto& [check, outcome] : outcomes.items()) {
    const auto it = page.anchor_of_check.find(check);
    out << separator;
    separator = ", ";
    if (it == page.anchor_of_check.end()) {
      out << "<code>" << check << "</code>";
    } else {
      out << "<a href=\"" << Fragment(page.anchors[it->second]) << "\"><code>" << check
          << "</code></a>";
    }
    out << " <span class=\"t-" << outcome.get_ref<const std::string&>() << "\">"
        << outcome.get_ref<const std::string&>() << "</span>";
  }
  for (const Json& check : row.at("checks")) {
    const std::string& id = check.get_ref<const std::string&>();
    if (outcomes.contains(id)) continue;
    out << separator << "<code class=\"dim\">" << id << "</code>";
    separator = ", ";
  }
}

void WriteRequirement(HtmlWriter& out, const Page& page, const Json& row) {
  const std::string& state = Str(row, "state");
  const std::string& id = Str(row, "id");
  out << "<tr id=\"" << id << "\"><td><span class=\"chip s-" << state << "\">" << state
      << "</span></td><td>" << Str(row, "title") << "<span class=\"sub\"><code>" << id
      << "</code></span>";
  if (!Str(row, "interpretation").empty()) {
    out << "<span class=\"sub ruling\">Ruling: " << Str(row, "interpretation") << "</span>";
  }
  out << "</td><td class=\"num\">" << Str(row, "section") << "</td><td><span class=\"keyword\">"
      << Str(row, "keyword") << "</span>";
  const std::string& level = Str(row, "level");
  if (!level.empty() && level != "any") out << "<span class=\"sub\">" << level << "</span>";
  out << "</td><td class=\"checks\">";
  if (state == "hole") {
    out << Str(row, "hole");
  } else {
    WriteChecks(out, page, row);
  }
  out << "</td></tr>\n";
}

void WriteArea(HtmlWriter& out, const Page& page, const Json& area) {
  const std::string& name = Str(area, "area");
  out << "<details class=\"area\"><summary><span class=\"name\">" << name << "</span>";
  WriteStateBar(out, area);
  out << "<span class=\"figures\"><b>" << Int(area, "checked") << "</b> of " << Int(area, "total")
      << " judged</span><span class=\"figures\">" << Count(Int(area, "holes"), "hole")
      << "</span></summary>\n<div "
         "class=\"scroll\"><table><thead><tr><th>State</th><th>Requirement</th>"
         "<th>Section</th><th>Keyword</th><th>Checks, or why there is "
         "none</th></tr></thead><tbody>\n";
  for (const Json& row : page.run.at("coverage")) {
    if (Str(row, "area") == name) WriteRequirement(out, page, row);
  }
  out << "</tbody></table></div></details>\n";
}

void WriteStateLegend(HtmlWriter& out, const Json& requirements) {
  out << "<p class=\"states\">";
  for (const StateWord& state : kStates) {
    out << "<span><i class=\"swatch s-" << state.word << "\"></i>"
        << Int(requirements, std::string(state.key).c_str()) << " " << state.word << "</span>";
  }
  out << "</p>\n";
}

}  // namespace

void WriteCoverage(HtmlWriter& out, const Page& page) {
  const Json& areas = page.run.at("coverage_by_area");
  out << "<section id=\"_coverage\" class=\"coverage\"><h2>Coverage</h2>\n";
  if (areas.empty()) {
    out << "<p class=\"dim\">The record holds no catalogue.</p></section>\n";
    return;
  }
  const Json& requirements = page.run.at("totals").at("requirements");
  out << "<p class=\"intro\">" << Int(requirements, "total") << " requirements on devices, "
      << Int(requirements, "applicable") << " of them on this one, "
      << Int(requirements, "observable_here")
      << " observable at this level. A hole is a requirement that no check covers; the reason is "
         "given."
         "</p>\n";
  WriteStateLegend(out, requirements);
  bool others = false;
  for (const Json& area : areas) {
    if (!area.at("applies").get<bool>() && !others) {
      out << "<details class=\"quiet others\"><summary>Other device types</summary>\n";
      others = true;
    }
    WriteArea(out, page, area);
  }
  if (others) out << "</details>\n";
  out << "</section>\n";
}

}  // namespace vitro::reports
