// SPDX-License-Identifier: Apache-2.0
// GitHub refuses a step summary above 1 MB, so failures beyond a number are only counted. Text of
// the record is either escaped or inside a code span or fence that it cannot close.
#include "reports/markdown.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/text.h"

namespace vitro::reports {
namespace {

constexpr int kDetailedFailures = 50;
constexpr size_t kFieldColumns = 1500;

const std::string& Str(const Json& object, const char* name) {
  return object.at(name).get_ref<const std::string&>();
}

int64_t Int(const Json& object, std::string_view name) {
  return object.at(std::string(name)).get<int64_t>();
}

// One line of text, with nothing in it that Markdown or HTML would act on.
std::string Plain(std::string_view text) {
  std::string out;
  for (const char c : Shorten(OneLine(text), kFieldColumns)) {
    const bool starts = out.empty() && std::string_view("#+-=>").find(c) != std::string_view::npos;
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '@':
        out += "&#64;";
        break;  // no mention of a person
      default:
        if (starts || std::string_view("\\`*_[]|~").find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
  }
  return out;
}

// One line inside an HTML block, where Markdown's escapes mean nothing.
std::string InHtml(std::string_view text) {
  std::string out;
  for (const char c : Shorten(OneLine(text), kFieldColumns)) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '@':
        out += "&#64;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

size_t LongestRun(std::string_view text, char what) {
  size_t longest = 0;
  size_t run = 0;
  for (const char c : text) {
    run = c == what ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

// A code span, also in a cell of a table.
std::string Code(std::string_view text) {
  std::string inner = Shorten(OneLine(text), kFieldColumns);
  if (inner.empty()) return "";
  const std::string ticks(LongestRun(inner, '`') + 1, '`');
  if (inner.front() == '`' || inner.back() == '`') inner = " " + inner + " ";
  for (size_t at = 0; (at = inner.find('|', at)) != std::string::npos; at += 2)
    inner.insert(at, "\\");
  return ticks + inner + ticks;
}

std::string Fence(std::string_view text) {
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  const std::string inner = Shorten(Printable(text), kFieldColumns);
  const std::string fence(std::max<size_t>(3, LongestRun(inner, '`') + 1), '`');
  return fmt::format("{}text\n{}\n{}\n", fence, inner, fence);
}

std::string Identity(const Json& run) {
  const Json& suite = run.at("suite");
  const Json& spec = run.at("spec");
  const Json& device = run.at("device");
  const Json& invocation = run.at("invocation");
  std::string out = "| | |\n|---|---|\n";
  const auto row = [&](std::string_view name, const std::string& value) {
    out += fmt::format("| {} | {} |\n", name, value);
  };
  row("Device", fmt::format("{} {}", Code(Str(device, "attach")), Plain(Str(device, "name"))));
  row("Type", fmt::format("{}, device id {}, {} level", Plain(Str(device, "device_type")),
                          Int(device, "device_id"), Plain(Str(device, "level"))));
  if (!Str(device, "binary_hash").empty()) row("Binary", Code(Str(device, "binary_hash")));
  row("Suite", fmt::format("{} {} ({}), {} {}", Plain(Str(suite, "name")),
                           Plain(Str(suite, "version")), Plain(Str(suite, "tree")),
                           Plain(Str(spec, "name")), Plain(Str(spec, "version"))));
  row("Seed", invocation.at("seed").dump());
  row("Started", Plain(Str(invocation, "start")));
  return out + "\n";
}

std::string TotalsTable(const Json& totals) {
  std::string head = "|";
  std::string rule = "|";
  std::string body = "|";
  for (const OutcomeWord& word : kOutcomes) {
    const int64_t n = Int(totals.at("by_outcome"), word.word);
    if (n == 0) continue;
    head += fmt::format(" {} |", word.word);
    rule += "---:|";
    body += fmt::format(" {} |", n);
  }
  if (head == "|") return "No results.\n\n";
  return head + "\n" + rule + "\n" + body + "\n\n";
}

std::string Failure(const Json& result) {
  std::string out =
      fmt::format("<details><summary><b>{}</b> {} <code>{}</code></summary>\n\n",
                  Str(result, "outcome"), InHtml(Str(result, "title")), InHtml(Str(result, "id")));
  const auto field = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) out += fmt::format("- **{}:** {}\n", name, value);
  };
  field("Section", Plain(Str(result, "section")));
  field("Sent", Plain(Str(result, "sent")));
  std::string accepted;
  for (const Json& entry : result.at("accepted")) {
    accepted += (accepted.empty() ? "" : " or ") + Code(entry.get<std::string>());
  }
  field("Accepted", accepted);
  field("Observed", Code(Str(result, "observed")));
  field("Because", Plain(Str(result, "because")));
  for (const Json& finding : result.at("findings")) {
    const std::string& requirement = Str(finding, "requirement");
    field("Finding", fmt::format("{}: {} {}", Str(finding, "severity"),
                                 Plain(Str(finding, "message")), Code(requirement)));
  }
  std::string requirements;
  for (const Json& entry : result.at("requirements")) {
    requirements += (requirements.empty() ? "" : ", ") + Code(entry.get<std::string>());
  }
  field("Requirements", requirements);
  field("Advice", Plain(Str(result, "advice")));
  out += "\n";
  if (!Str(result, "reproduce").empty()) out += Fence(Str(result, "reproduce")) + "\n";
  const std::string& stderr_text = Str(result.at("evidence"), "device_stderr");
  if (!stderr_text.empty()) out += "Device stderr:\n\n" + Fence(stderr_text) + "\n";
  return out + "</details>\n\n";
}

std::string Failures(const Json& run) {
  std::string out;
  int count = 0;
  for (const Json& result : run.at("results")) {
    if (!IsFailure(run, result) && OutcomeOf(result) != Outcome::kHarnessError) continue;
    if (++count <= kDetailedFailures) out += Failure(result);
  }
  if (count == 0) return "";
  if (count > kDetailedFailures) {
    out += fmt::format("And {} more: they are in report.html and run.json.\n\n",
                       count - kDetailedFailures);
  }
  return fmt::format("### To look at ({})\n\n{}", count, out);
}

std::string Coverage(const Json& run) {
  if (run.at("coverage_by_area").empty()) return "";
  std::string out =
      "### Coverage\n\n| Chapter | Total | Seen here | Judged | Passed | Failed | Warned | "
      "Unsettled | Not run "
      "| Holes |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const Json& area : run.at("coverage_by_area")) {
    if (!area.at("applies").get<bool>()) continue;
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
                       Plain(Str(area, "area")), Int(area, "total"), Int(area, "observable_here"),
                       Int(area, "checked"), Int(area, "passed"), Int(area, "failed"),
                       Int(area, "warned"), Int(area, "unsettled"), Int(area, "not_run"),
                       Int(area, "holes"));
  }
  const Json& requirements = run.at("totals").at("requirements");
  out += fmt::format(
      "\n{} of {} requirements have no check; each has its reason in the report. {} of {} apply to "
      "this "
      "device type.\n\n",
      Int(requirements, "holes"), Int(requirements, "total"), Int(requirements, "applicable"),
      Int(requirements, "total"));
  return out;
}

}  // namespace

std::string RenderMarkdown(const Json& run) {
  const std::string verdict = Verdict(run);
  const std::string_view mark = verdict == kConformant      ? "✅"
                                : verdict == kNotConformant ? "❌"
                                                            : "⚠️";
  std::string out =
      fmt::format("## {} {}: {}\n\n", mark, verdict, Code(Str(run.at("device"), "attach")));
  if (run.at("invocation").at("interrupted").get<bool>()) {
    out += "The run was interrupted: this is only what had been recorded.\n\n";
  }
  out += TotalsTable(run.at("totals")) + Identity(run) + Failures(run) + Coverage(run);
  for (const Json& note : run.at("notes"))
    out += fmt::format("> {}\n>\n", Plain(note.get<std::string>()));
  return out;
}

}  // namespace vitro::reports
