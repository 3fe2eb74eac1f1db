// SPDX-License-Identifier: Apache-2.0
// failure: the device violated something. error: the check could not end as it should (crash, hang,
// device lost, harness error). skipped: not judged, and why. One testsuite per clause of the
// specification. A run that is incomplete or in which nothing ran gets an erroneous case of its
// own, so that no reader of the file sees green where the exit code is not 0.
#include "reports/junit.h"

#include <fmt/format.h>

#include <map>
#include <pugixml.hpp>
#include <sstream>

#include "reports/clauses.h"
#include "reports/text.h"

namespace vitro::reports {
namespace {

using pugi::xml_node;

const std::string& Str(const Json& object, const char* name) {
  return object.at(name).get_ref<const std::string&>();
}

void Set(xml_node node, const char* name, const std::string& value) {
  node.append_attribute(name) = OneLine(value).c_str();
}

std::string Seconds(int64_t microseconds) {
  return fmt::format("{:.6f}", static_cast<double>(microseconds) / 1e6);
}

enum class Case { kPassed, kFailure, kError, kSkipped };

Case CaseOf(const Json& run, const Json& result) {
  const Outcome outcome = OutcomeOf(result);
  if (IsSkip(outcome)) return Case::kSkipped;
  if (outcome == Outcome::kHarnessError) return Case::kError;
  if (!IsFailure(run, result)) return Case::kPassed;
  const bool judged = outcome == Outcome::kFail || outcome == Outcome::kWarn;
  return judged ? Case::kFailure : Case::kError;
}

struct Counts {
  int tests = 0;
  int failures = 0;
  int errors = 0;
  int skipped = 0;
  int64_t time_us = 0;

  void Add(Case what, int64_t us) {
    ++tests;
    failures += what == Case::kFailure ? 1 : 0;
    errors += what == Case::kError ? 1 : 0;
    skipped += what == Case::kSkipped ? 1 : 0;
    time_us += us;
  }
  void SetOn(xml_node node) const {
    node.append_attribute("tests") = tests;
    node.append_attribute("failures") = failures;
    node.append_attribute("errors") = errors;
    node.append_attribute("skipped") = skipped;
    node.append_attribute("time") = Seconds(time_us).c_str();
  }
};

// The case in words, for a person who reads it in a CI page.
std::string Details(const Json& result) {
  std::string text;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{}: {}\n", name, value);
  };
  add("title", Str(result, "title"));
  add("section", Str(result, "section"));
  for (const Json& entry : result.at("requirements")) add("requirement", entry.get<std::string>());
  add("sent", Str(result, "sent"));
  for (const Json& entry : result.at("accepted")) add("accepted", entry.get<std::string>());
  add("observed", Str(result, "observed"));
  add("because", Str(result, "because"));
  for (const Json& finding : result.at("findings")) {
    const std::string& requirement = Str(finding, "requirement");
    add(Str(finding, "severity"),
        fmt::format("{}{}{}", requirement, requirement.empty() ? "" : ": ",
                    Str(finding, "message")));
  }
  add("advice", Str(result, "advice"));
  add("reproduce", Str(result, "reproduce"));
  return Printable(text);
}

void AddCase(xml_node suite, const Json& run, const Json& result, const std::string& name) {
  const std::string& outcome = Str(result, "outcome");
  xml_node node = suite.append_child("testcase");
  Set(node, "classname",
      fmt::format("vitro.{}", Str(result, "id").substr(0, Str(result, "id").rfind('.'))));
  Set(node, "name", name);
  Set(node, "time", Seconds(result.at("duration_us").get<int64_t>()));
  const std::string message =
      fmt::format("{}: {}", outcome,
                  Str(result, "because").empty() ? "no reason given" : Str(result, "because"));
  const auto problem = [&](const char* element) {
    xml_node child = node.append_child(element);
    Set(child, "type", outcome);
    Set(child, "message", message);
    child.text() = Details(result).c_str();
  };
  switch (CaseOf(run, result)) {
    case Case::kFailure:
      problem("failure");
      break;
    case Case::kError:
      problem("error");
      break;
    case Case::kSkipped:
      Set(node.append_child("skipped"), "message", message);
      break;
    case Case::kPassed:
      if (OutcomeOf(result) != Outcome::kPass) {
        node.append_child("system-out").text() =
            (OneLine(message) + "\n" + Details(result)).c_str();
      }
      break;
  }
  const std::string& stderr_text = Str(result.at("evidence"), "device_stderr");
  if (!stderr_text.empty() && CaseOf(run, result) != Case::kSkipped) {
    node.append_child("system-err").text() = Printable(stderr_text).c_str();
  }
}

void AddProperties(xml_node suite, const Json& run) {
  xml_node properties = suite.append_child("properties");
  const auto add = [&](const char* name, const std::string& value) {
    xml_node property = properties.append_child("property");
    Set(property, "name", name);
    Set(property, "value", value);
  };
  const Json& device = run.at("device");
  add("vitro.version", Str(run.at("suite"), "version"));
  add("vitro.tree", Str(run.at("suite"), "tree"));
  add("spec", Str(run.at("spec"), "name") + " " + Str(run.at("spec"), "version"));
  add("device.attach", Str(device, "attach"));
  add("device.type", Str(device, "device_type"));
  add("device.level", Str(device, "level"));
  add("seed", run.at("invocation").at("seed").dump());
  add("verdict", Verdict(run));
}

// Why the run as a whole is no success although no check failed, or "".
std::string RunProblem(const Json& run) {
  const Json& totals = run.at("totals");
  if (run.at("invocation").at("interrupted").get<bool>()) return "the run was interrupted";
  if (const int64_t lost = totals.at("lost").get<int64_t>(); lost > 0) {
    return fmt::format("{} of {} planned results are missing", lost,
                       totals.at("planned").get<int64_t>());
  }
  return Verdict(run) == kNothingRan ? "nothing ran: no check came to a judgement" : "";
}

}  // namespace

std::string RenderJunit(const Json& run) {
  pugi::xml_document document;
  xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  xml_node root = document.append_child("testsuites");
  Set(root, "name", fmt::format("vitro {}", Str(run.at("device"), "attach")));
  Counts all;
  const auto add_suite = [&](const std::string& name) {
    const bool first = root.first_child().empty();
    xml_node suite = root.append_child("testsuite");
    Set(suite, "name", name);
    Set(suite, "timestamp", Str(run.at("invocation"), "start"));
    if (first) AddProperties(suite, run);
    return suite;
  };

  const Json& results = run.at("results");
  std::map<std::string, int> seen;
  for (size_t i = 0; i < results.size();) {
    const std::string clause = Clause(Str(results[i], "section"));
    const std::string_view title = ClauseTitle(Str(run.at("spec"), "version"), clause);
    xml_node suite = add_suite(fmt::format("{}{}{}", clause.empty() ? "no clause" : clause,
                                           title.empty() ? "" : " ", title));
    Counts counts;
    for (; i < results.size() && Clause(Str(results[i], "section")) == clause; ++i) {
      const int n = ++seen[Str(results[i], "id")];
      AddCase(suite, run, results[i],
              n == 1 ? Str(results[i], "id") : fmt::format("{}~{}", Str(results[i], "id"), n));
      const int64_t us = results[i].at("duration_us").get<int64_t>();
      counts.Add(CaseOf(run, results[i]), us);
      all.Add(CaseOf(run, results[i]), us);
    }
    counts.SetOn(suite);
  }
  if (const std::string problem = RunProblem(run); !problem.empty()) {
    xml_node suite = add_suite("the run");
    xml_node node = suite.append_child("testcase");
    Set(node, "classname", "vitro.run");
    Set(node, "name", "run.complete");
    xml_node error = node.append_child("error");
    Set(error, "type", Verdict(run));
    Set(error, "message", problem);
    Counts one;
    one.Add(Case::kError, 0);
    one.SetOn(suite);
    all.Add(Case::kError, 0);
  }
  all.SetOn(root);
  std::ostringstream out;
  document.save(out, "  ");
  return out.str();
}

}  // namespace vitro::reports
