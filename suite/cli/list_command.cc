// SPDX-License-Identifier: Apache-2.0
// `vitro list`: checks, requirements, faults, profiles.
#include <nlohmann/json.hpp>

#include "devices/ref/faults.h"
#include "devices/ref/registry.h"
#include "suite/catalogue/catalogue.h"
#include "suite/cli/commands.h"
#include "suite/profile/built_in.h"
#include "suite/run/run_record.h"
#include "suite/run/select.h"

namespace vitro::cli {
namespace {

using nlohmann::json;

struct ListArguments {
  std::string what;
  std::vector<std::string> select;
  bool as_json = false;
};

bool NamesFault(const Check& check, std::string_view fault) {
  for (const std::string& spec : check.faults)
    if (std::string_view(spec).substr(spec.rfind(':') + 1) == fault) return true;
  return false;
}

std::string NeedsText(const Needs& needs) {
  std::string text;
  auto add = [&](const std::string& item) { text += (text.empty() ? "" : ", ") + item; };
  if (needs.device_id != 0) add(fmt::format("device id {}", needs.device_id));
  for (Ability ability : needs.abilities) add(Name(ability));
  for (unsigned bit : needs.offered) add(fmt::format("feature {}", bit));
  for (unsigned bit : needs.absent) add(fmt::format("no feature {}", bit));
  if (needs.requests) add("requests");
  if (needs.queues > 1) add(fmt::format("{} queues", needs.queues));
  return text;
}

Result<json> Checks(const std::vector<std::string>& select) {
  VITRO_ASSIGN(const auto checks, SelectChecks({select, {}}));
  json rows = json::array();
  for (const Check* check : checks)
    rows.push_back({{"id", check->id},
                    {"level", check->level()},
                    {"section", check->section},
                    {"title", check->title},
                    {"requirements", check->requirements},
                    {"tags", check->tags},
                    {"needs", NeedsText(check->needs)},
                    {"faults", check->faults}});
  return rows;
}

Result<json> Requirements(const std::vector<std::string>& select) {
  const auto judged_by = ChecksByRequirement();
  json rows = json::array();
  std::vector<std::string> selectors = select.empty() ? std::vector<std::string>{""} : select;
  for (const std::string& selector : selectors) {
    const auto found = Catalogue::Get().Select(selector);
    if (found.empty())
      return Fail(ErrorKind::kUsage,
                  "'{}' matches no requirement: expected the beginning of an id, "
                  "as in dev.basic or dev.blk.device-operation",
                  selector);
    for (const Requirement* requirement : found) {
      json checks = json::array();
      if (const auto it = judged_by.find(std::string(requirement->id)); it != judged_by.end())
        checks = it->second;
      const std::string_view hole =
          checks.empty() ? Catalogue::Get().HoleReason(requirement->id) : std::string_view();
      rows.push_back({{"id", requirement->id},
                      {"section", requirement->section},
                      {"keyword", requirement->keyword},
                      {"level", Name(requirement->level)},
                      {"observable", Name(requirement->observable)},
                      {"since", requirement->since},
                      {"title", requirement->title},
                      {"interpretation", requirement->interpretation},
                      {"checks", std::move(checks)},
                      {"hole", hole}});
    }
  }
  return rows;
}

bool IsSelected(std::string_view name, const std::vector<std::string>& select) {
  return select.empty() || std::any_of(select.begin(), select.end(), [&](const std::string& each) {
           return name.starts_with(each);
         });
}

Result<json> Profiles(const std::vector<std::string>& select) {
  json rows = json::array();
  for (std::string_view name : BuiltInProfileNames()) {
    if (!IsSelected(name, select)) continue;
    const Profile& profile = *BuiltInProfile(name);
    rows.push_back({{"name", name},
                    {"id", profile.id},
                    {"title", profile.title},
                    {"section", profile.section},
                    {"features", profile.features.size()},
                    {"fields", profile.fields.size()},
                    {"config_bytes", profile.config_size()},
                    {"queues", profile.queues.size()},
                    {"requests", profile.requests.size()}});
  }
  if (rows.empty()) return Fail(ErrorKind::kUsage, "'{}' matches no profile", select.front());
  return rows;
}

Result<json> Faults(const std::vector<std::string>& select) {
  json rows = json::array();
  for (const auto& fault : ref::AllFaults()) {
    const std::string name(fault.name);
    if (!IsSelected(name, select)) continue;
    json checks = json::array();
    for (const Check& check : AllChecks())
      if (NamesFault(check, fault.name)) checks.push_back(check.id);
    json devices = json::array();
    for (char letter : fault.devices) devices.push_back(ref::AttachByLetter(letter));
    rows.push_back({{"name", name},
                    {"devices", std::move(devices)},
                    {"source", fault.source},
                    {"description", fault.description},
                    {"caught_by", std::move(checks)}});
  }
  if (rows.empty()) return Fail(ErrorKind::kUsage, "'{}' matches no fault", select.front());
  return rows;
}

std::string Joined(const json& list) {
  std::string text;
  for (const json& item : list) text += (text.empty() ? "" : ", ") + item.get<std::string>();
  return text;
}

void PrintForPeople(const std::string& what, const json& rows) {
  for (const json& row : rows) {
    if (what == "checks") {
      fmt::print("{}  [{}]\n    {}\n    judges {}\n", row["id"].get<std::string>(),
                 row["section"].get<std::string>(), row["title"].get<std::string>(),
                 Joined(row["requirements"]));
      if (const std::string needs = row["needs"]; !needs.empty())
        fmt::print("    needs {}\n", needs);
      fmt::print("    must catch {}\n", Joined(row["faults"]));
    } else if (what == "requirements") {
      fmt::print("{}  [{}, {}]\n    {}\n", row["id"].get<std::string>(),
                 row["section"].get<std::string>(), row["keyword"].get<std::string>(),
                 row["title"].get<std::string>());
      if (const std::string text = row["interpretation"]; !text.empty())
        fmt::print("    interpretation: {}\n", text);
      if (!row["checks"].empty())
        fmt::print("    checked by {}\n", Joined(row["checks"]));
      else if (const std::string hole = row["hole"]; !hole.empty())
        fmt::print("    no check: {}\n", hole);
      else
        fmt::print("    not observable by a driver\n");
    } else if (what == "profiles") {
      fmt::print("{:<13} {:>5}  {:<7} {} ({} feature bits, {} config fields, {} requests)\n",
                 row["name"].get<std::string>(), row["id"].get<uint32_t>(),
                 row["section"].get<std::string>(), row["title"].get<std::string>(),
                 row["features"].get<size_t>(), row["fields"].get<size_t>(),
                 row["requests"].get<size_t>());
    } else {
      fmt::print(
          "{}  ({}{})\n    {}\n    caught by {}\n", row["name"].get<std::string>(),
          Joined(row["devices"]),
          row["source"].get<std::string>().empty() ? "" : "; " + row["source"].get<std::string>(),
          row["description"].get<std::string>(), Joined(row["caught_by"]));
    }
  }
  fmt::print("{} {}\n", rows.size(), what);
}

}  // namespace

void AddList(CLI::App& app, CommandLine& line) {
  auto arguments = std::make_shared<ListArguments>();
  CLI::App* list =
      app.add_subcommand("list", "List checks, requirements, seeded faults or profiles");
  list->add_option("WHAT", arguments->what, "checks, requirements, faults or profiles")
      ->required()
      ->check(CLI::IsMember({"checks", "requirements", "faults", "profiles"}));
  list->add_option("SELECT", arguments->select,
                   "Only these: beginnings of ids; for checks also tag:NAME");
  list->add_flag("--json", arguments->as_json, "As JSON");
  list->callback([arguments, &line] {
    auto rows = arguments->what == "checks"         ? Checks(arguments->select)
                : arguments->what == "requirements" ? Requirements(arguments->select)
                : arguments->what == "faults"       ? Faults(arguments->select)
                                                    : Profiles(arguments->select);
    if (!rows) {
      line.exit_code = Complain(rows.error());
    } else if (arguments->as_json) {
      fmt::print("{}\n", rows->dump(2));
    } else {
      PrintForPeople(arguments->what, *rows);
    }
  });
}

}  // namespace vitro::cli
