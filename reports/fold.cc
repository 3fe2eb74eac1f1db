// SPDX-License-Identifier: Apache-2.0
// Judging: what a list of results says about each requirement, each area and the whole run.
#include "reports/fold.h"

#include <algorithm>
#include <map>
#include <set>

#include "reports/text.h"

namespace vitro::reports {
namespace {

using std::string;

const string& Text(const Json& object, const char* name) {
  return object.at(name).get_ref<const string&>();
}

// requirement -> check -> outcome, worst of several runs of the check.
using Outcomes = std::map<string, std::map<string, Outcome>>;

Outcome OfSeverity(const string& severity) {
  if (severity == "fail") return Outcome::kFail;
  return severity == "warn" ? Outcome::kWarn : Outcome::kInfo;
}

void AddOutcome(Outcomes* all, const string& requirement, const string& check, Outcome outcome) {
  auto [it, fresh] = (*all)[requirement].try_emplace(check, outcome);
  if (!fresh) it->second = Worse(it->second, outcome);
}

// What one result says about each requirement it names or has findings on.
void Judge(const Json& result, Outcomes* all) {
  const Outcome outcome = OutcomeOf(result);
  const string& check = Text(result, "id");
  std::map<string, Outcome> found;  // worst finding per requirement
  bool attributed = false;          // some finding explains the outcome
  for (const Json& finding : result["findings"]) {
    const string& requirement = Text(finding, "requirement");
    if (requirement.empty()) continue;
    const Outcome severity = OfSeverity(Text(finding, "severity"));
    attributed = attributed || severity == outcome;
    auto [it, fresh] = found.try_emplace(requirement, severity);
    if (!fresh) it->second = Worse(it->second, severity);
  }
  // A waiver covers the findings too.
  if (outcome == Outcome::kWaived) {
    for (auto& [requirement, severity] : found) severity = Outcome::kWaived;
  }
  std::set<string> named;
  for (const Json& name : result["requirements"]) named.insert(name.get<string>());
  for (const string& requirement : named) {
    const auto it = found.find(requirement);
    Outcome says = outcome;
    if ((outcome == Outcome::kFail || outcome == Outcome::kWarn) && attributed) {
      says = it == found.end() ? Outcome::kInfo : it->second;
    } else if (it != found.end() && it->second != Outcome::kInfo) {
      says = Worse(outcome, it->second);
    }
    AddOutcome(all, requirement, check, says);
  }
  for (const auto& [requirement, severity] : found) {
    if (!named.contains(requirement) && severity != Outcome::kInfo) {
      AddOutcome(all, requirement, check, severity);
    }
  }
}

// A device that was lost has not shown what it does: no requirement fails by it, and none passes.
std::string_view StateOf(bool has_checks, const std::map<string, Outcome>& outcomes) {
  bool violated = false, lost = false, warned = false, passed = false;
  for (const auto& [check, outcome] : outcomes) {
    lost = lost || outcome == Outcome::kDeviceLost;
    violated = violated || (IsViolation(outcome) && outcome != Outcome::kDeviceLost);
    warned = warned || outcome == Outcome::kWarn;
    passed = passed || outcome == Outcome::kPass;
  }
  if (violated) return "failed";
  if (warned) return "warned";
  if (!has_checks) return "hole";
  if (outcomes.empty()) return "not-run";
  return passed && !lost ? "passed" : "unsettled";
}

// Areas that every device has; the others are named after a device type.
bool Applies(const Json& row, const Json& device) {
  static const std::set<string> kCommon = {"basic", "admin", "pci", "mmio", "ccw"};
  const string& area = Text(row, "area");
  return kCommon.contains(area) || area == Text(device, "device_type");
}

bool ObservableHere(const Json& row, const Json& device) {
  const string& level = Text(row, "level");
  return Applies(row, device) && Text(row, "observable") != "none" &&
         (level == "any" || level.empty() || level == Text(device, "level"));
}

Json Coverage(RunParts* parts, const Outcomes& outcomes) {
  const Json& device = parts->begin.at("device");
  Json coverage = Json::array();
  std::set<string> known;
  for (Json& row : parts->catalogue) {
    const string id = Text(row, "id");
    known.insert(id);
    const auto it = outcomes.find(id);
    const std::map<string, Outcome> mine =
        it == outcomes.end() ? std::map<string, Outcome>{} : it->second;
    const bool has_checks = !row["checks"].empty();
    const string state(StateOf(has_checks, mine));
    if (has_checks) {
      row["hole"] = "";
    } else if (Text(row, "hole").empty()) {
      row["hole"] = "no reason is recorded";
    }
    if (state == "hole" && !mine.empty()) {
      parts->notes.push_back(
          fmt::format("{} names {}, which the catalogue lists without a check; it stays a hole.",
                      mine.begin()->first, id));
    }
    row["applies"] = Applies(row, device);
    row["observable_here"] = ObservableHere(row, device);
    row["state"] = state;
    row["best"] = nullptr;
    row["outcomes"] = Json::object();
    Outcome best = Outcome::kNotApplicable;
    for (const auto& [check, outcome] : mine) {
      row["outcomes"][check] = Word(outcome).word;
      best = Worse(best, outcome);
    }
    // A check that could not judge does not outrank one that did.
    if (state == "passed") best = Outcome::kPass;
    if (state != "hole" && !mine.empty()) row["best"] = Word(best).word;
    coverage.push_back(std::move(row));
  }
  for (const auto& [id, by_check] : outcomes) {
    if (known.contains(id) || parts->catalogue.empty()) continue;
    parts->notes.push_back(
        fmt::format("{} names {}, which is not in the catalogue.", by_check.begin()->first, id));
  }
  return coverage;
}

Json EmptyCounters() {
  Json counters = {{"total", 0}, {"applicable", 0}, {"observable_here", 0}, {"checked", 0}};
  for (const StateWord& state : kStates) counters[string(state.key)] = 0;
  return counters;
}

void CountRow(const Json& row, Json* counters) {
  const auto bump = [&](const string& name) {
    (*counters)[name] = (*counters)[name].get<int64_t>() + 1;
  };
  const string& state = Text(row, "state");
  bump("total");
  if (row["applies"].get<bool>()) bump("applicable");
  if (row["observable_here"].get<bool>()) bump("observable_here");
  if (state == "failed" || state == "warned" || state == "passed") bump("checked");
  bump(string(StateKey(state)));
}

// One object per area, in the order of the catalogue; areas of other device types come last.
Json CoverageByArea(const Json& coverage) {
  std::vector<Json> areas;
  std::map<string, size_t> index;
  for (const Json& row : coverage) {
    const string& area = Text(row, "area");
    const auto [it, fresh] = index.try_emplace(area, areas.size());
    if (fresh) {
      Json entry = Json::object();
      entry["area"] = area;
      entry["applies"] = row["applies"];
      entry.update(EmptyCounters());
      areas.push_back(std::move(entry));
    }
    CountRow(row, &areas[it->second]);
  }
  Json sorted = Json::array();
  for (const bool applies : {true, false}) {
    for (Json& area : areas) {
      if (area["applies"].get<bool>() != applies) continue;
      area.erase("applicable");
      sorted.push_back(area);
    }
  }
  return sorted;
}

// By section, then id; the same check twice stays in the order of the record.
Json InOrder(const Json& results) {
  std::vector<const Json*> order;
  for (const Json& result : results) order.push_back(&result);
  std::sort(order.begin(), order.end(), [](const Json* a, const Json* b) {
    for (const char* key : {"section", "id"}) {
      if (NaturalLess(Text(*a, key), Text(*b, key))) return true;
      if (NaturalLess(Text(*b, key), Text(*a, key))) return false;
    }
    return a < b;  // both point into one array
  });
  Json sorted = Json::array();
  for (const Json* result : order) sorted.push_back(*result);
  return sorted;
}

struct Tally {
  int64_t judged = 0;
  int64_t violations = 0;
  int64_t warnings = 0;
  int64_t harness_errors = 0;
};

Json Totals(const Json& run) {
  Json by_outcome = Json::object();
  for (const OutcomeWord& word : kOutcomes) by_outcome[string(word.word)] = 0;
  Tally tally;
  int64_t duration = 0;
  for (const Json& result : run["results"]) {
    const Outcome outcome = OutcomeOf(result);
    Json& counter = by_outcome[Text(result, "outcome")];
    counter = counter.get<int64_t>() + 1;
    tally.judged += IsJudged(outcome) ? 1 : 0;
    tally.violations += IsViolation(outcome) ? 1 : 0;
    tally.warnings += outcome == Outcome::kWarn ? 1 : 0;
    tally.harness_errors += outcome == Outcome::kHarnessError ? 1 : 0;
    duration += std::clamp<int64_t>(result["duration_us"].get<int64_t>(), 0, int64_t{1} << 40);
  }
  Json requirements = EmptyCounters();
  for (const Json& row : run["coverage"]) CountRow(row, &requirements);

  const int64_t results = static_cast<int64_t>(run["results"].size());
  const int64_t lost = std::max<int64_t>(run["planned"].get<int64_t>() - results, 0);
  const bool interrupted = run["invocation"]["interrupted"].get<bool>();
  const bool strict = run["invocation"]["strict"].get<bool>();
  const bool wrong = tally.violations > 0 || (strict && tally.warnings > 0);
  const bool incomplete = tally.harness_errors > 0 || lost > 0;
  std::string_view verdict = kConformant;
  int code = 0;
  if (wrong) {
    verdict = kNotConformant;
    code = 1;
  } else if (interrupted || incomplete) {
    verdict = kIncomplete;
    code = 5;
  } else if (tally.judged == 0) {
    verdict = kNothingRan;
    code = 3;
  }
  if (interrupted) code = 130;
  return {{"results", results},
          {"planned", run["planned"]},
          {"lost", lost},
          {"by_outcome", by_outcome},
          {"requirements", requirements},
          {"duration_us", duration},
          {"verdict", verdict},
          {"exit_code", code}};
}

}  // namespace

std::string_view StateKey(std::string_view state) {
  for (const StateWord& entry : kStates) {
    if (entry.word == state) return entry.key;
  }
  return "unsettled";
}

Json Assemble(RunParts parts) {
  Json run = Json::object();
  run["format"] = 1;
  run.update(parts.begin);
  const bool cut_off = parts.end.is_null();
  // Keys of a Json are kept in a vector: a reference into `run` ends with the next new key.
  Json invocation = run["invocation"];
  invocation["end"] = cut_off ? Json(nullptr) : parts.end["end"];
  invocation["interrupted"] = cut_off || parts.end["interrupted"].get<bool>();
  invocation["exit_code"] = cut_off ? Json(nullptr) : parts.end["exit_code"];
  run["invocation"] = invocation;

  const Json results = InOrder(parts.results);
  Outcomes outcomes;
  for (const Json& result : results) Judge(result, &outcomes);

  run["results"] = results;
  run["coverage"] = Coverage(&parts, outcomes);
  run["coverage_by_area"] = CoverageByArea(run["coverage"]);
  run["totals"] = Totals(run);
  const int64_t lost = run["totals"]["lost"].get<int64_t>();
  if (lost > 0 && !invocation["interrupted"].get<bool>()) {
    parts.notes.push_back(fmt::format("{} of {} planned results are missing from the record.", lost,
                                      run["planned"].get<int64_t>()));
  }
  const Json& said = invocation["exit_code"];
  if (!said.is_null() && said != run["totals"]["exit_code"]) {
    parts.notes.push_back(fmt::format("The run ended with exit code {}; its results say {}.",
                                      said.get<int64_t>(), ExitCode(run)));
  }
  run["notes"] = Json(parts.notes);
  return run;
}

}  // namespace vitro::reports
