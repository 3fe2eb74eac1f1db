// SPDX-License-Identifier: Apache-2.0
#include "reports/combinations.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace vitro::reports {
namespace {

std::string InThousands(std::string digits) {
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}
std::string Number(const Json& object, const char* name) {
  return InThousands(std::to_string(object.at(name).get<uint64_t>()));
}

std::string ValidSets(const Json& record) {
  const Json& valid = record.at("space").at("valid");
  return valid.is_null() ? "2^64 or more" : InThousands(valid.get<std::string>());
}

bool IsWhole(const Json& record) {
  const Json& sweep = record.at("sweep");
  return sweep.at("tried") == sweep.at("planned");
}

// "12,345 a second"
std::string Rate(const Json& sweep) {
  const int64_t took = Int(sweep, "took_us");
  if (took <= 0) return "";
  const double rate = static_cast<double>(Int(sweep, "tried")) * 1e6 / static_cast<double>(took);
  return rate < 10 ? fmt::format("{:.1f} a second", rate)
                   : InThousands(fmt::format("{:.0f}", rate)) + " a second";
}

// "2 fail, 3 hang", worst first.
std::string Outcomes(const Json& sweep) {
  std::string text;
  for (const OutcomeWord& word : kOutcomes)
    if (const auto it = sweep.at("outcomes").find(word.word); it != sweep.at("outcomes").end())
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ",
                          InThousands(std::to_string(it->get<uint64_t>())), word.word);
  return text.empty() ? "nothing wrong" : text;
}

constexpr const char* kCannotRefuse =
    "this carrier has no device status: a device that refuses a set can only hang up";

std::string WhyEnded(const Json& sweep) {
  const std::string& ended = Str(sweep, "ended");
  if (ended == "stopped") return "interrupted";
  if (ended == "time-up") return "the time was up";
  if (ended == "too-many-deaths") return "given up: the device ended over too many sets";
  if (ended == "device-gone") return "the device is gone: " + OneLine(Str(sweep, "why"));
  return "";
}

std::string Names(const Json& bits) {
  std::string text;
  for (const Json& bit : bits) text += (text.empty() ? "" : ", ") + Str(bit, "name");
  return text;
}

// What sets fail: "EVENT_IDX (29) and IN_ORDER (35) without RING_RESET (40)".
std::string Interaction(const Json& reduced) {
  const std::string on = Names(reduced.at("on")), off = Names(reduced.at("off"));
  if (on.empty() && off.empty()) return "every set";
  if (off.empty()) return "sets with " + on;
  if (on.empty()) return "sets without " + off;
  return fmt::format("sets with {}, without {}", on, off);
}

// Failures that say the same, the first of each; what is beyond `most` is left out.
constexpr size_t kMostShown = 6;
struct Alike {
  const Json* first;
  int64_t sets = 1;
};
std::vector<Alike> Grouped(const Json& failures, size_t most) {
  std::vector<Alike> groups;
  for (const Json& failure : failures) {
    const auto same = std::ranges::find_if(groups, [&](const Alike& each) {
      return Str(*each.first, "because") == Str(failure, "because");
    });
    if (same != groups.end())
      ++same->sets;
    else if (groups.size() < most)
      groups.push_back({&failure});
  }
  return groups;
}

std::string_view StyleOf(Outcome outcome) {
  if (IsViolation(outcome)) return "31";
  return outcome == Outcome::kWarn ? "33" : "34";
}

}  // namespace

std::string CombinationsVerdict(const Json& record) {
  switch (record.at("exit_code").get<int>()) {
    case 0:
      return std::string(kConformant);
    case 1:
      return std::string(kNotConformant);
    case 3:
      return std::string(kNothingRan);
    default:
      return std::string(kIncomplete);
  }
}

std::string CombinationsSentence(const Json& record) {
  const Json& plan = record.at("plan");
  const Json& sweep = record.at("sweep");
  const std::string tried = Number(sweep, "tried");
  if (plan.at("exhaustive").get<bool>())
    return IsWhole(record) ? fmt::format("all {} valid sets were tried", tried)
                           : fmt::format("{} of {} valid sets were tried, of a walk through all",
                                         tried, ValidSets(record));
  return fmt::format(
      "{} of {} valid sets were tried: {}a covering array of strength {}, with none, "
      "all, singles and all but one",
      tried, ValidSets(record),
      IsWhole(record) ? "" : fmt::format("part of the {} of ", Number(plan, "sets")),
      Int(plan, "strength"));
}

std::string RenderCombinationsText(const Json& record, const TerminalOptions& options) {
  const auto paint = [&](std::string_view style, const std::string& text) {
    return options.color ? fmt::format("\x1b[{}m{}\x1b[0m", style, text) : text;
  };
  const Json& space = record.at("space");
  const Json& sweep = record.at("sweep");
  const Json& invalid = record.at("invalid");
  std::string out = fmt::format("{}\n", paint("1", OneLine(Str(record.at("device"), "attach"))));
  out += fmt::format("  bits     {} free, {} in every set, {} left out; {}\n",
                     space.at("free").size(), space.at("always").size(),
                     space.at("left_out").size(), Count(Int(space, "rules"), "rule"));
  out += fmt::format("  depth    {}\n", Str(record.at("invocation"), "depth"));
  const auto row = [&](const char* name, const Json& each) {
    out += fmt::format("  {:<8} {} of {} tried, {} taken by the device: {}{}\n", name,
                       Number(each, "tried"), Number(each, "planned"), Number(each, "taken"),
                       Outcomes(each),
                       Rate(each).empty() || Int(each, "tried") == 0 ? "" : "; " + Rate(each));
    if (const std::string why = WhyEnded(each); !why.empty())
      out += "           " + paint("33", why) + "\n";
  };
  if (!record.at("can_refuse").get<bool>()) out += fmt::format("  note     {}\n", kCannotRefuse);
  row("valid", sweep);
  row("invalid", invalid);
  for (const Json& reduced : record.at("reduced")) {
    const Outcome outcome = OutcomeOf(reduced);
    out += fmt::format("\n{} {}\n       {}\n       {}\n",
                       paint(StyleOf(outcome), PadRight(Word(outcome).word, 6)),
                       Interaction(reduced), OneLine(Str(reduced, "because")),
                       reduced.at("alone").get<bool>()
                           ? OneLine(Str(reduced, "reproduce"))
                           : std::string("it did not fail again when it was tried alone"));
  }
  if (Int(record, "unexplained") != 0)
    out += fmt::format("\n{} that {} of these: not reduced\n",
                       Count(Int(record, "unexplained"), "recorded failure"),
                       Int(record, "unexplained") == 1 ? "is none" : "are none");
  for (const Alike& alike : Grouped(invalid.at("failures"), kMostShown)) {
    const Outcome outcome = OutcomeOf(*alike.first);
    out += fmt::format("\n{} {}\n       {}, the first {}\n",
                       paint(StyleOf(outcome), PadRight(Word(outcome).word, 6)),
                       OneLine(Str(*alike.first, "because")), Count(alike.sets, "invalid set"),
                       Str(*alike.first, "set"));
  }
  const std::string verdict = CombinationsVerdict(record);
  const char* style = verdict == kConformant ? "1;32" : verdict == kNotConformant ? "1;31" : "1;33";
  out += fmt::format("\n{}: {}\n", paint(style, verdict), CombinationsSentence(record));
  return out;
}

namespace {

constexpr const char* kPageStyle = R"(
.pairs { overflow-x: auto; margin: 0.5rem 0 0; }
.pairs svg { display: block; font: 11px var(--mono); }
.pairs text { fill: var(--ink-2); }
.pairs rect { stroke: var(--paper); stroke-width: 2; fill: var(--pale-bar); }
.pairs .full { fill: var(--green-bar); }
.pairs .part { fill: var(--teal-bg); stroke: var(--teal-bar); stroke-width: 1; }
.pairs .never { fill: var(--sunk); }
.pairs .hit { fill: var(--f); }
.key { display: flex; flex-wrap: wrap; gap: 0.3rem 1.4rem; color: var(--ink-2); font-size: 0.8125rem; margin-top: 0.9rem; }
.key i { display: inline-block; width: 0.9em; height: 0.9em; border-radius: 3px; margin-right: 0.45em; vertical-align: -0.1em; background: var(--k); border: 1px solid var(--e, transparent); }
.failure { background: var(--card); border: 1px solid var(--line); border-left: 3px solid var(--f); border-radius: 10px; padding: 0.9rem 1.2rem; margin-bottom: 0.9rem; }
.failure p { margin-top: 0.4rem; }
.failure pre { overflow-x: auto; background: var(--sunk); border-radius: 6px; padding: 0.5rem 0.75rem; margin-top: 0.6rem; }
.with b { font-weight: 650; }
.with code { background: var(--sunk); border-radius: 4px; padding: 0.1em 0.4em; }
.with s code { color: var(--ink-2); }
)";

constexpr int kCell = 24, kLabel = 250, kTop = 8;

std::string ShortName(const std::string& name) {
  return name.starts_with("VIRTIO_") ? name.substr(7) : name;
}

void WriteHead(HtmlWriter& out, const Json& record) {
  out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
         "<meta name=\"color-scheme\" content=\"light dark\">"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">"
         "<link rel=\"icon\" href=\"data:,\"><title>Feature sets of "
      << OneLine(Str(record.at("device"), "attach")) << " – Vitro</title>\n<style>\n";
  out.Embed(Asset("report.css"));
  out.Embed(kPageStyle);
  out << "</style></head>\n<body>";
}

std::string Capital(std::string text) {
  text[0] = static_cast<char>(std::toupper(static_cast<uint8_t>(text[0])));
  return text;
}

void WriteMasthead(HtmlWriter& out, const Json& record) {
  const std::string verdict = CombinationsVerdict(record);
  const std::string_view look = verdict == kConformant      ? "good"
                                : verdict == kNotConformant ? "bad"
                                                            : "open";
  out << "<header class=\"masthead " << look << "\"><p class=\"kicker\"><b>Vitro</b> "
      << Str(record.at("spec"), "name") << " " << Str(record.at("spec"), "version")
      << " sets of feature bits</p><h1><span class=\"verdict\">" << Capital(verdict)
      << "</span> <span class=\"of\">" << Shorten(OneLine(Str(record.at("device"), "attach")), 60)
      << "</span></h1>\n<p class=\"lede\">" << Capital(CombinationsSentence(record))
      << ". The device took <b>" << Number(record.at("sweep"), "taken") << "</b>; of <b>"
      << Number(record.at("invalid"), "tried") << "</b> sets that no driver may accept it took <b>"
      << Number(record.at("invalid"), "taken") << "</b>.</p>\n";
  for (const char* part : {"sweep", "invalid"})
    if (const std::string why = WhyEnded(record.at(part)); !why.empty())
      out << "<p class=\"note\">"
          << (part[0] == 's' ? std::string("Valid") : std::string("Invalid")) << " sets: " << why
          << ".</p>\n";
  if (!record.at("can_refuse").get<bool>())
    out << "<p class=\"note\">" << Capital(kCannotRefuse) << "."
        << "</p>\n";
  out << "</header>\n";
}

void WriteEntry(HtmlWriter& out, std::string_view name, const std::string& value) {
  out << "<dt>" << name << "</dt><dd>" << value << "</dd>";
}

void WriteBits(HtmlWriter& out, std::string_view name, const Json& bits) {
  if (bits.empty()) return;
  out << "<dt>" << name << "</dt><dd><ul class=\"bits\">";
  for (const Json& bit : bits) out << "<li><code>" << ShortName(Str(bit, "name")) << "</code></li>";
  out << "</ul></dd>";
}

void WriteCards(HtmlWriter& out, const Json& record) {
  const Json& space = record.at("space");
  const Json& sweep = record.at("sweep");
  const Json& invocation = record.at("invocation");
  out << "<div class=\"cards\"><section class=\"card\"><h2>Bits</h2><dl>";
  WriteBits(out, "Free", space.at("free"));
  WriteBits(out, "In every set", space.at("always"));
  WriteBits(out, "Left out", space.at("left_out"));
  WriteEntry(out, "Rules", Number(space, "rules"));
  WriteEntry(out, "Valid sets", ValidSets(record));
  out << "</dl></section>\n<section class=\"card\"><h2>Run</h2><dl>";
  const std::string depth = Str(invocation, "depth");
  WriteEntry(out, "Depth",
             depth == "io"       ? "requests on every queue, under the oracle"
             : depth == "config" ? "config space read, negotiated again"
                                 : "negotiated to FEATURES_OK");
  WriteEntry(out, "Valid sets",
             fmt::format("{} of {} tried: {}", Number(sweep, "tried"), Number(sweep, "planned"),
                         Outcomes(sweep)));
  WriteEntry(out, "Invalid sets",
             fmt::format("{} of {} tried: {}", Number(record.at("invalid"), "tried"),
                         Number(record.at("invalid"), "planned"), Outcomes(record.at("invalid"))));
  WriteEntry(out, "Rate", Rate(sweep));
  WriteEntry(out, "Time", Duration(Int(sweep, "took_us")));
  const std::string& profile = Str(invocation, "profile_name");
  WriteEntry(out, "Profile", profile.empty() ? "none: bits are taken to be independent" : profile);
  WriteEntry(out, "Device",
             fmt::format("{}, {}", OneLine(Str(record.at("device"), "name")),
                         Str(record.at("device"), "device_type")));
  WriteEntry(out, "Started", Str(invocation, "start"));
  out << "</dl></section></div>\n";
}

bool Involves(const Json& reduced, int64_t bit) {
  for (const char* part : {"on", "off"})
    for (const Json& each : reduced.at(part))
      if (Int(each, "bit") == bit) return true;
  return false;
}

// The worst that the two bits (or the one) have part in; only what was reduced to a few bits.
std::optional<Outcome> WorstOf(const Json& record, int64_t a, int64_t b) {
  std::optional<Outcome> worst;
  for (const Json& reduced : record.at("reduced")) {
    const size_t bits = reduced.at("on").size() + reduced.at("off").size();
    if (!reduced.at("alone").get<bool>() || !Involves(reduced, a) || !Involves(reduced, b))
      continue;
    if (a == b && bits != 1) continue;
    const Outcome outcome = OutcomeOf(reduced);
    worst = worst ? Worse(*worst, outcome) : outcome;
  }
  return worst;
}

void WriteCell(HtmlWriter& out, const Json& record, size_t row, size_t column) {
  const Json& pairs = record.at("pairs");
  const Json& free = record.at("space").at("free");
  const int64_t a = pairs.at("bits")[row].get<int64_t>(),
                b = pairs.at("bits")[column].get<int64_t>();
  const auto digit = [&](const char* name) {
    return pairs.at(name)[row].get_ref<const std::string&>()[column] - '0';
  };
  const std::optional<Outcome> worst = WorstOf(record, a, b);
  std::string look = "never", tip = ShortName(Str(free[row], "name"));
  if (row != column) {
    const int possible = digit("possible"), tried = digit("tried");
    look = tried == 0 ? "none" : tried >= possible ? "full" : "part";
    tip += fmt::format(" and {}: {} of {} values tried", ShortName(Str(free[column], "name")),
                       tried, possible);
  }
  if (worst) {
    look = fmt::format("hit o-{}", Word(*worst).word);
    tip += fmt::format("; in a {}", Word(*worst).word);
  }
  out << "<rect x=\"" << kLabel + static_cast<int>(column) * kCell << "\" y=\""
      << kTop + static_cast<int>(row) * kCell << "\" width=\"" << kCell << "\" height=\"" << kCell
      << "\" rx=\"5\" class=\"" << look << "\"><title>" << tip << "</title></rect>";
}

void WriteKey(HtmlWriter& out) {
  out << "<p class=\"key\"><span><i style=\"--k:var(--green-bar)\"></i>every value of the pair "
         "that "
         "a valid set has was tried</span><span><i "
         "style=\"--k:var(--teal-bg);--e:var(--teal-bar)\">"
         "</i>some</span><span><i style=\"--k:var(--pale-bar)\"></i>none</span><span><i "
         "style=\"--k:var(--red-bar)\"></i>part of a failure</span><span><i "
         "style=\"--k:var(--orange-bar)\"></i>of a hang</span><span><i "
         "style=\"--k:var(--rose-bar)\"></i>of a crash</span><span><i "
         "style=\"--k:var(--amber-bar)\"></i>of a warning</span></p>\n";
}

// A triangle: rows and columns are the free bits; a pair has a cell, and each bit by itself one.
void WritePairs(HtmlWriter& out, const Json& record) {
  const Json& free = record.at("space").at("free");
  const size_t count = record.at("pairs").at("bits").size();
  if (count < 2) return;
  const int side = static_cast<int>(count) * kCell;
  out << "<section><h2>Pairs of bits</h2>\n<div class=\"pairs\"><svg role=\"img\" "
         "aria-label=\"which pairs of feature bits were covered and which failed\" width=\""
      << kLabel + side + 260 << "\" height=\"" << kTop + side + 4 << "\">\n";
  for (size_t row = 0; row < count; ++row) {
    const int middle = kTop + static_cast<int>(row) * kCell + kCell / 2 + 4;
    const std::string name = ShortName(Str(free[row], "name"));
    out << "<text x=\"" << kLabel - 8 << "\" y=\"" << middle << "\" text-anchor=\"end\">"
        << Shorten(name, 34) << "</text>";
    for (size_t column = 0; column <= row; ++column) WriteCell(out, record, row, column);
    // Columns are told where they begin, at the diagonal.
    out << "<text x=\"" << kLabel + static_cast<int>(row + 1) * kCell + 6 << "\" y=\"" << middle
        << "\">" << Int(free[row], "bit") << "</text>\n";
  }
  out << "</svg></div>\n";
  WriteKey(out);
  out << "</section>\n";
}

void WriteBitList(HtmlWriter& out, const Json& bits) {
  for (const Json& bit : bits) out << " <code>" << ShortName(Str(bit, "name")) << "</code>";
}

void WriteFailures(HtmlWriter& out, const Json& record) {
  const Json& all = record.at("reduced");
  const int64_t unexplained = Int(record, "unexplained");
  if (all.empty() && unexplained == 0) return;
  out << "<section><h2>What failed, reduced</h2>\n";
  for (const Json& reduced : all) {
    const Outcome outcome = OutcomeOf(reduced);
    out << "<div class=\"failure o-" << Word(outcome).word << "\"><p class=\"with\">";
    WriteChip(out, outcome);
    out << " ";
    if (reduced.at("on").empty() && reduced.at("off").empty()) out << "<b>every set</b>";
    if (!reduced.at("on").empty()) out << "<b>with</b>";
    WriteBitList(out, reduced.at("on"));
    if (!reduced.at("off").empty()) out << " <b>without</b><s style=\"text-decoration:none\">";
    WriteBitList(out, reduced.at("off"));
    if (!reduced.at("off").empty()) out << "</s>";
    out << "</p><p>" << OneLine(Str(reduced, "because")) << "</p><p class=\"dim\">"
        << Count(Int(reduced, "sets"), "recorded set") << "; the first was <code>"
        << Str(reduced, "example") << "</code></p>";
    if (reduced.at("alone").get<bool>())
      out << "<pre>" << Str(reduced, "reproduce") << "</pre>";
    else
      out << "<p class=\"note\">It did not fail again when it was tried alone.</p>";
    out << "</div>\n";
  }
  if (unexplained != 0)
    out << "<p class=\"dim\">" << Count(unexplained, "recorded failure")
        << " beside these, not reduced.</p>";
  out << "</section>\n";
}

void WriteInvalid(HtmlWriter& out, const Json& record) {
  const Json& invalid = record.at("invalid");
  out << "<section><h2>Sets that no driver may accept</h2><div class=\"scroll\"><table><thead><tr>"
         "<th>Kind</th><th>What came of it</th><th>Sets</th></tr></thead><tbody>";
  const bool whole = Int(invalid, "tried") == Int(invalid, "planned");
  for (const Json& kind : invalid.at("kinds")) {
    const int64_t failed = Int(kind, "failed");
    out << "<tr><td>" << Str(kind, "kind") << "</td><td>"
        << (failed != 0 ? Count(failed, "set") + " did not pass"
            : whole     ? std::string("refused, or taken without harm")
                        : std::string("nothing wrong so far"))
        << "</td><td class=\"num\">" << Number(kind, "planned") << "</td></tr>";
  }
  out << "</tbody></table></div>\n";
  for (const Alike& alike : Grouped(invalid.at("failures"), 4 * kMostShown)) {
    out << "<p>";
    WriteChip(out, OutcomeOf(*alike.first));
    out << " " << OneLine(Str(*alike.first, "because")) << " <span class=\"dim\">"
        << Count(alike.sets, "set") << ", the first</span> <code>" << Str(*alike.first, "set")
        << "</code></p>\n";
  }
  out << "</section>\n";
}

}  // namespace

std::string RenderCombinationsHtml(const Json& record) {
  HtmlWriter out;
  WriteHead(out, record);
  WriteMasthead(out, record);
  out << "<main>";
  WriteCards(out, record);
  WritePairs(out, record);
  WriteFailures(out, record);
  WriteInvalid(out, record);
  out << "</main><footer>Made by " << Str(record.at("suite"), "name") << " "
      << Str(record.at("suite"), "version") << " (" << Str(record.at("suite"), "tree")
      << "): <code>";
  for (const Json& word : record.at("invocation").at("argv"))
    out << word.get_ref<const std::string&>() << " ";
  out << "</code></footer></body></html>\n";
  return out.Take();
}

}  // namespace vitro::reports
