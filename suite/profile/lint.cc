// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/lint.h"

#include <cctype>
#include <tuple>

#include "suite/profile/lint_rules.h"

namespace vitro {
namespace {

std::vector<LintFinding> Sorted(LintFindings findings) {
  // Those of a line in the order of the rules, which are in one vector.
  std::sort(findings.list.begin(), findings.list.end(),
            [](const LintFinding& a, const LintFinding& b) {
              return std::tie(a.line, a.rule, a.found) < std::tie(b.line, b.rule, b.found);
            });
  return std::move(findings.list);
}

}  // namespace

std::string_view Name(LintSeverity severity) {
  switch (severity) {
    case LintSeverity::kInfo:
      return "info";
    case LintSeverity::kWarn:
      return "warn";
    case LintSeverity::kError:
      return "error";
  }
  return "?";
}

bool Mentions(std::string_view expression, std::string_view name) {
  const auto in_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  };
  for (size_t at = expression.find(name); at != std::string_view::npos;
       at = expression.find(name, at + 1)) {
    const size_t end = at + name.size();
    if ((at == 0 || !in_name(expression[at - 1])) &&
        (end == expression.size() || !in_name(expression[end])))
      return true;
  }
  return false;
}

const std::vector<LintRule>& LintRules() {
  static const std::vector<LintRule> rules = [] {
    std::vector<LintRule> list;
    AddQueueLints(list);
    AddConfigLints(list);
    AddIdLints(list);
    AddVectorLints(list);
    AddFeatureLints(list);
    AddChangeLints(list);
    return list;
  }();
  return rules;
}

std::vector<LintFinding> Lint(const Profile& profile) {
  LintFindings findings;
  for (const LintRule& rule : LintRules()) {
    findings.rule = &rule;
    if (rule.look != nullptr) rule.look(profile, findings);
  }
  return Sorted(std::move(findings));
}

std::vector<LintFinding> LintChange(const Profile& now, const Profile& before) {
  LintFindings findings;
  for (const LintRule& rule : LintRules()) {
    findings.rule = &rule;
    if (rule.compare != nullptr) rule.compare(now, before, findings);
  }
  return Sorted(std::move(findings));
}

}  // namespace vitro
