// SPDX-License-Identifier: Apache-2.0
// `vitro lint`: the advice of "Creating New Device Types", applied to a profile.
#include <nlohmann/json.hpp>

#include "suite/cli/commands.h"
#include "suite/profile/built_in.h"
#include "suite/profile/lint.h"

namespace vitro::cli {
namespace {

using nlohmann::json;

struct LintArguments {
  std::string profile, before;
  bool strict = false, as_json = false;
};

// "Device Improvements" of the appendix, or section 2.2.
std::string Source(std::string_view section) {
  const bool number = section.find_first_not_of("0123456789.") == std::string_view::npos;
  return number ? fmt::format("VIRTIO 1.4, {}", section)
                : fmt::format("Creating New Device Types, \"{}\"", section);
}

json Row(const Profile& profile, const LintFinding& finding) {
  return {{"lint", finding.rule->id},
          {"severity", Name(finding.rule->severity)},
          {"file", profile.file},
          {"line", finding.line},
          {"found", finding.found},
          {"advice", finding.rule->advice},
          {"section", Source(finding.rule->section)}};
}

std::string Counted(size_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

void PrintForPeople(const Profile& profile, const std::vector<LintFinding>& findings,
                    const std::map<LintSeverity, size_t>& totals) {
  for (const LintFinding& finding : findings) {
    const std::string line = finding.line == 0 ? "" : fmt::format(":{}", finding.line);
    fmt::print("{}{}: {}: {}\n", profile.file, line, Name(finding.rule->severity), finding.found);
    fmt::print("    {}\n", finding.rule->advice);
    fmt::print("    {} ({})\n", finding.rule->id, Source(finding.rule->section));
  }
  const auto total = [&](LintSeverity severity) {
    const auto found = totals.find(severity);
    return found == totals.end() ? 0 : found->second;
  };
  fmt::print("{}: {}, {}, {}\n", profile.name,
             Counted(total(LintSeverity::kError), "error", "errors"),
             Counted(total(LintSeverity::kWarn), "warning", "warnings"),
             Counted(total(LintSeverity::kInfo), "remark", "remarks"));
}

Result<int> RunLints(const LintArguments& arguments) {
  VITRO_ASSIGN(const Profile profile, OpenProfile(arguments.profile));
  std::vector<LintFinding> findings = Lint(profile);
  if (!arguments.before.empty()) {
    VITRO_ASSIGN(const Profile before, OpenProfile(arguments.before));
    const std::vector<LintFinding> changes = LintChange(profile, before);
    findings.insert(findings.end(), changes.begin(), changes.end());
  }
  std::map<LintSeverity, size_t> totals;
  for (const LintFinding& finding : findings) ++totals[finding.rule->severity];
  if (arguments.as_json) {
    json rows = json::array();
    for (const LintFinding& finding : findings) rows.push_back(Row(profile, finding));
    fmt::print("{}\n", json{{"profile", profile.name}, {"findings", std::move(rows)}}.dump(2));
  } else {
    PrintForPeople(profile, findings, totals);
  }
  const bool bad =
      totals[LintSeverity::kError] != 0 || (arguments.strict && totals[LintSeverity::kWarn] != 0);
  return bad ? kNotConformant : kConformant;
}

}  // namespace

void AddLint(CLI::App& app, CommandLine& line) {
  auto arguments = std::make_shared<LintArguments>();
  CLI::App* lint = app.add_subcommand(
      "lint", "Judge the profile of a device type by the advice for new device types");
  lint->add_option("PROFILE", arguments->profile, "A TOML file, or a built-in profile's name")
      ->required();
  lint->add_option("OLD", arguments->before,
                   "An older version of it: also says what changed without a feature bit");
  lint->add_flag("--strict", arguments->strict, "Warnings count as errors: exit code 1");
  lint->add_flag("--json", arguments->as_json, "As JSON");
  lint->callback([arguments, &line] {
    auto code = RunLints(*arguments);
    line.exit_code = code ? *code : Complain(code.error());
  });
}

}  // namespace vitro::cli
