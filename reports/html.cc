// SPDX-License-Identifier: Apache-2.0
// The page as a whole: head, verdict, identity, what to look at, legend. Results and coverage have
// files of their own.
#include "reports/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reports/clauses.h"
#include "reports/html_parts.h"
#include "reports/text.h"

namespace vitro::reports {

std::string_view Asset(std::string_view name) {
  for (const EmbeddedText& each : ReportAssets())
    if (each.name == name) return each.text;
  return {};
}

void HtmlWriter::Escape(std::string_view text) {
  for (const char c : Printable(text)) {
    switch (c) {
      case '&':
        out_ += "&amp;";
        break;
      case '<':
        out_ += "&lt;";
        break;
      case '>':
        out_ += "&gt;";
        break;
      case '"':
        out_ += "&quot;";
        break;
      case '\'':
        out_ += "&#39;";
        break;
      default:
        out_ += c;
    }
  }
}

const std::string& Str(const Json& object, const char* name) {
  return object.at(name).get_ref<const std::string&>();
}

int64_t Int(const Json& object, const char* name) { return object.at(name).get<int64_t>(); }

std::string Fragment(std::string_view id) {
  std::string out = "#";
  for (const char c : id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_' || c == '~' || c == '/';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<uint8_t>(c));
  }
  return out;
}

std::string ClauseId(std::string_view clause) { return fmt::format("_clause-{}", clause); }

std::string ClauseHeading(const Page& page, std::string_view clause) {
  const std::string_view title = ClauseTitle(page.spec_version, clause);
  if (clause.empty()) return "Outside the specification";
  return title.empty() ? std::string(clause) : fmt::format("{} {}", clause, title);
}

Page::Page(const Json& record) : run(record), spec_version(Str(record.at("spec"), "version")) {
  std::set<std::string> taken;
  for (const Json& result : run.at("results")) {
    const std::string& id = Str(result, "id");
    std::string anchor = id;
    for (int n = 2; !taken.insert(anchor).second; ++n) anchor = fmt::format("{}~{}", id, n);
    anchor_of_check.try_emplace(id, anchors.size());
    anchors.push_back(std::move(anchor));
  }
  for (const Json& row : run.at("coverage")) requirements[Str(row, "id")] = &row;
}

void WriteChip(HtmlWriter& out, Outcome outcome) {
  const OutcomeWord& word = Word(outcome);
  out << "<span class=\"chip o-" << word.word << "\"><i aria-hidden=\"true\">" << word.mark
      << "</i>" << word.word << "</span>";
}

namespace {

// The attach string as far as it fits a heading; all of it stands with the device's identity.
std::string ShortAttach(const Json& run) {
  constexpr size_t kMost = 48;
  const std::string text = OneLine(Str(run.at("device"), "attach"));
  if (text.size() <= kMost) return text;
  // Cut between options where there are any, and never inside a character.
  size_t end = text.rfind(',', kMost);
  if (end == std::string::npos || end < kMost / 2) {
    end = kMost;
    while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  }
  return text.substr(0, end) + "…";
}

void WriteHead(HtmlWriter& out, const Json& run) {
  out << "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
         "form-action 'none'\">\n<link rel=\"icon\" href=\"data:,\">\n<title>"
      << Verdict(run) << ": " << ShortAttach(run) << " – Vitro</title>\n<style>\n";
  out.Embed(Asset("report.css"));
  out << "</style>\n</head>\n<body>\n";
}

std::string Sum(const Json& totals, bool (*belongs)(Outcome)) {
  int64_t sum = 0;
  for (const OutcomeWord& word : kOutcomes) {
    if (belongs(word.outcome)) sum += Int(totals.at("by_outcome"), std::string(word.word).c_str());
  }
  return std::to_string(sum);
}

std::string_view VerdictClass(const std::string& verdict) {
  if (verdict == kConformant) return "good";
  return verdict == kNotConformant ? "bad" : "open";
}

// One bar, split by outcome.
void WriteTallyBar(HtmlWriter& out, const Json& totals) {
  out << "<div class=\"bar tally\" aria-hidden=\"true\">";
  for (const OutcomeWord& word : kOutcomes) {
    const int64_t n = Int(totals.at("by_outcome"), std::string(word.word).c_str());
    if (n == 0) continue;
    out << "<span class=\"o-" << word.word << "\" style=\"flex:" << n << "\" title=\"" << n << " "
        << word.word << "\"></span>";
  }
  out << "</div>\n";
}

void WriteMasthead(HtmlWriter& out, const Json& run) {
  const Json& totals = run.at("totals");
  const Json& requirements = totals.at("requirements");
  const std::string verdict = Verdict(run);
  std::string shown = verdict;
  if (!shown.empty()) shown[0] = static_cast<char>(std::toupper(static_cast<uint8_t>(shown[0])));
  out << "<header class=\"masthead " << VerdictClass(verdict)
      << "\">\n<p class=\"kicker\"><b>Vitro</b> " << Str(run.at("spec"), "name") << " "
      << Str(run.at("spec"), "version") << " conformance report</p>\n<h1><span class=\"verdict\">"
      << shown << "</span> <span class=\"of\">" << ShortAttach(run)
      << "</span></h1>\n<p class=\"lede\">";
  out << Count(Int(totals, "results"), "check") << ": <b>" << Int(totals.at("by_outcome"), "pass")
      << "</b> passed, <b>" << Sum(totals, IsViolation) << "</b> failed, <b>"
      << Int(totals.at("by_outcome"), "warn") << "</b> warned, <b>"
      << Sum(totals, [](Outcome outcome) { return !IsJudged(outcome); }) << "</b> not judged.";
  if (Int(requirements, "total") > 0) {
    out << " Of <b>" << Int(requirements, "applicable") << "</b> requirements on this device, <b>"
        << Int(requirements, "observable_here") << "</b> can be seen at this level and <b>"
        << Int(requirements, "checked") << "</b> came to a judgement.";
  }
  out << "</p>\n";
  WriteTallyBar(out, totals);
  if (run.at("invocation").at("interrupted").get<bool>()) {
    out << "<p class=\"note\">The run was interrupted: what follows is only what had been "
           "recorded.</p>\n";
  }
  if (const int64_t lost = Int(totals, "lost"); lost > 0) {
    out << "<p class=\"note\">" << lost << " of " << Int(totals, "planned")
        << " planned results are not in the record.</p>\n";
  }
  out << "</header>\n";
}

void WriteEntry(HtmlWriter& out, std::string_view name, const std::string& value,
                bool mono = false) {
  if (value.empty()) return;
  out << "<dt>" << name << "</dt><dd>";
  if (mono) {
    out << "<code>" << value << "</code>";
  } else {
    out << value;
  }
  out << "</dd>";
}

std::string Hex(int64_t value) { return fmt::format("0x{:04x}", static_cast<uint64_t>(value)); }

std::string Queues(const Json& queues) {
  std::string text;
  for (const Json& queue : queues) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", Int(queue, "index"),
                        Int(queue, "max_size"));
  }
  return text;
}

std::string Joined(const Json& strings, std::string_view separator) {
  std::string text;
  for (const Json& entry : strings) {
    if (!text.empty()) text += separator;
    text += entry.get_ref<const std::string&>();
  }
  return text;
}

void WriteFeatures(HtmlWriter& out, const Json& device) {
  const Json& features = device.at("offered_features");
  if (features.empty()) return;
  out << "<dt>Features</dt><dd><ul class=\"bits\">";
  for (const Json& feature : features) {
    out << "<li><code>" << feature.get_ref<const std::string&>() << "</code></li>";
  }
  out << "</ul>";
  if (!Str(device, "offered_words").empty()) {
    out << "<code class=\"dim\">" << Str(device, "offered_words") << "</code>";
  }
  out << "</dd>";
}

void WriteDeviceCard(HtmlWriter& out, const Json& device) {
  out << "<section class=\"card\"><h2>Device</h2><dl>";
  WriteEntry(out, "Name", Str(device, "name"));
  WriteEntry(out, "Type",
             fmt::format("{}, device id {}", Str(device, "device_type"), Int(device, "device_id")));
  WriteEntry(out, "Attached by", Str(device, "attach"), true);
  WriteEntry(out, "Level", Str(device, "level"));
  WriteEntry(out, "Queue sizes", Queues(device.at("queues")), true);
  WriteEntry(out, "Config space", Count(Int(device, "config_size"), "byte"));
  out << "</dl>\n<details><summary>"
      << Count(static_cast<int64_t>(device.at("offered_features").size()), "feature")
      << " and all identity</summary><dl>";
  WriteFeatures(out, device);
  WriteEntry(out, "Vendor", Hex(Int(device, "vendor_id")), true);
  WriteEntry(out, "Kind", Str(device, "kind"));
  WriteEntry(out, "Config hash", Str(device, "config_hash"), true);
  WriteEntry(out, "Process", Str(device, "process"), true);
  WriteEntry(out, "Binary", Str(device, "binary_hash"), true);
  WriteEntry(out, "Observes", Joined(device.at("observes"), ", "));
  if (!device.at("layout").empty()) {
    out << "<dt>Registers</dt><dd><ul class=\"plain\">";
    for (const Json& line : device.at("layout"))
      out << "<li>" << line.get<std::string>() << "</li>";
    out << "</ul></dd>";
  }
  if (!device.at("cannot_observe").empty()) {
    out << "<dt>Cannot observe</dt><dd><ul class=\"plain\">";
    for (const Json& blind : device.at("cannot_observe")) {
      out << "<li>" << Str(blind, "what") << " <span class=\"dim\">" << Str(blind, "why")
          << "</span></li>";
    }
    out << "</ul></dd>";
  }
  out << "</dl></details></section>\n";
}

// A word of a command line as one would type it.
std::string Quote(const std::string& word) {
  const bool plain = word.find_first_of(" \t\n\"'\\$`!*?[](){}<>|&;#~") == std::string::npos;
  if (plain && !word.empty()) return word;
  std::string quoted(1, '\'');
  for (const char c : word) {
    if (c == '\'') {
      quoted.append("'\\''");
    } else {
      quoted.push_back(c);
    }
  }
  quoted.push_back('\'');
  return quoted;
}

std::string CommandLine(const Json& argv) {
  std::string line;
  for (const Json& entry : argv) {
    if (!line.empty()) line.push_back(' ');
    line += Quote(entry.get_ref<const std::string&>());
  }
  return line;
}

std::string StrOr(const Json& object, const char* name, const char* otherwise) {
  const Json& value = object.at(name);
  return value.is_string() ? value.get<std::string>() : otherwise;
}

void WriteRunCard(HtmlWriter& out, const Json& run) {
  const Json& suite = run.at("suite");
  const Json& spec = run.at("spec");
  const Json& invocation = run.at("invocation");
  const Json& environment = run.at("environment");
  out << "<section class=\"card\"><h2>Run</h2><dl>";
  out << "<dt>Command</dt><dd><pre class=\"command copyable\">"
      << CommandLine(invocation.at("argv")) << "</pre></dd>";
  WriteEntry(
      out, "Suite",
      fmt::format("{} {} ({})", Str(suite, "name"), Str(suite, "version"), Str(suite, "tree")));
  WriteEntry(
      out, "Specification",
      fmt::format("{} {}, {}", Str(spec, "name"), Str(spec, "version"), Str(spec, "document")));
  WriteEntry(out, "Seed", invocation.at("seed").dump(), true);
  WriteEntry(out, "Started", Str(invocation, "start"));
  WriteEntry(out, "Ended", StrOr(invocation, "end", "cut off"));
  out << "</dl>\n<details><summary>All conditions</summary><dl>";
  WriteEntry(out, "Catalogue", Str(suite, "catalogue_hash"), true);
  WriteEntry(out, "Profile", StrOr(invocation, "profile", "none"), true);
  WriteEntry(out, "Waivers", StrOr(invocation, "waivers", "none"), true);
  WriteEntry(
      out, "Warnings",
      invocation.at("strict").get<bool>() ? "strict: a warning is a failure" : "do not fail");
  WriteEntry(out, "Jobs", std::to_string(Int(invocation, "jobs")));
  WriteEntry(out, "Deadline", fmt::format("{} ms per check", Int(invocation, "timeout_ms")));
  WriteEntry(out, "Machine",
             fmt::format("{} {} {}, {}", Str(environment, "os"), Str(environment, "kernel"),
                         Str(environment, "machine"), Count(Int(environment, "cpus"), "CPU")));
  WriteEntry(out, "Compiler", Str(environment, "compiler"));
  WriteEntry(out, "Exit code", std::to_string(ExitCode(run)), true);
  out << "</dl></details></section>\n";
}

void WriteAttention(HtmlWriter& out, const Page& page) {
  const Json& results = page.run.at("results");
  std::vector<size_t> worth;
  for (size_t i = 0; i < results.size(); ++i) {
    const Outcome outcome = OutcomeOf(results[i]);
    if (IsFailure(page.run, results[i]) || outcome == Outcome::kHarnessError ||
        outcome == Outcome::kWarn)
      worth.push_back(i);
  }
  if (worth.empty()) return;
  // Warnings last: they can wait.
  std::ranges::stable_partition(worth,
                                [&](size_t i) { return OutcomeOf(results[i]) != Outcome::kWarn; });
  out << "<section class=\"attention\"><h2>To look at</h2>\n<ol>";
  for (const size_t i : worth) {
    out << "<li>";
    WriteChip(out, OutcomeOf(results[i]));
    out << "<div><a href=\"" << Fragment(page.anchors[i]) << "\">"
        << OneLine(Str(results[i], "title")) << "</a><p>"
        << Shorten(OneLine(Str(results[i], "because")), 240) << "</p></div></li>\n";
  }
  out << "</ol></section>\n";
}

void WriteNotes(HtmlWriter& out, const Json& notes) {
  if (notes.empty()) return;
  out << "<details class=\"quiet\"><summary>Notes on this record (" << notes.size()
      << ")</summary><ul>";
  for (const Json& note : notes) out << "<li>" << note.get_ref<const std::string&>() << "</li>";
  out << "</ul></details>\n";
}

void WriteLegend(HtmlWriter& out) {
  out << "<section id=\"_legend\" class=\"legend\"><h2>Legend</h2>\n<div class=\"columns\"><dl>";
  for (const OutcomeWord& word : kOutcomes) {
    out << "<dt>";
    WriteChip(out, word.outcome);
    out << "</dt><dd>" << word.meaning << "</dd>";
  }
  out << "</dl><dl>";
  for (const StateWord& state : kStates) {
    out << "<dt><span class=\"chip s-" << state.word << "\">" << state.word << "</span></dt><dd>"
        << state.meaning << "</dd>";
  }
  out << "</dl></div>\n<p class=\"dim keys js-only\">Keys: <kbd>/</kbd> search, <kbd>j</kbd> "
         "<kbd>k</kbd> next and "
         "previous check, <kbd>Enter</kbd> open, <kbd>Esc</kbd> clear filters.</p></section>\n";
}

}  // namespace

std::string RenderHtml(const Json& run) {
  const Page page(run);
  HtmlWriter out;
  WriteHead(out, run);
  out << "<a class=\"skip\" href=\"#_results\">Skip to the results</a>\n";
  WriteMasthead(out, run);
  out << "<main>\n";
  out << "<div class=\"cards\">\n";
  WriteDeviceCard(out, run.at("device"));
  WriteRunCard(out, run);
  out << "</div>\n";
  WriteAttention(out, page);
  WriteClauseStrip(out, page);
  WriteResults(out, page);
  WriteCoverage(out, page);
  WriteLegend(out);
  WriteNotes(out, run.at("notes"));
  out << "</main>\n<footer>Made by " << Str(run.at("suite"), "name") << " "
      << Str(run.at("suite"), "version")
      << " from run.json, which holds everything that is shown here and more.</footer>\n<script>\n";
  out.Embed(Asset("report.js"));
  out << "</script>\n</body>\n</html>\n";
  return out.Take();
}

}  // namespace vitro::reports
