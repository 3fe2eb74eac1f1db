// SPDX-License-Identifier: Apache-2.0
#include "suite/run/select.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "suite/checks/variants.h"

namespace vitro {
namespace {

// "a.b" begins "a.b", "a.b.c", but not "a.bc".
bool Begins(const std::string& prefix, const std::string& id) {
  return id.starts_with(prefix) &&
         (id.size() == prefix.size() || prefix.ends_with('.') || id[prefix.size()] == '.');
}

}  // namespace

bool Selects(const std::string& selector, const Check& check) {
  if (selector.starts_with("tag:")) return check.HasTag(selector.substr(4));
  if (selector.starts_with('@')) return check.id.ends_with(selector);
  return Begins(selector, check.id) ||
         std::any_of(check.requirements.begin(), check.requirements.end(),
                     [&](const std::string& id) { return Begins(selector, id); });
}

Result<std::vector<const Check*>> SelectChecks(const Selection& selection, bool variants) {
  std::vector<const Check*> all;
  for (const Check& check : AllChecks()) all.push_back(&check);
  if (variants)
    for (const Check& check : Variants()) all.push_back(&check);
  auto known = [&](const std::string& selector) {
    return std::any_of(all.begin(), all.end(),
                       [&](const Check* check) { return Selects(selector, *check); });
  };
  for (const auto* selectors : {&selection.include, &selection.exclude})
    for (const std::string& selector : *selectors)
      if (!known(selector))
        return Fail(ErrorKind::kUsage,
                    "'{}' matches no check: expected the beginning of a check id, of a requirement "
                    "id, or tag:NAME; 'vitro list checks' shows them",
                    selector);
  std::vector<const Check*> chosen;
  for (const Check* check : all) {
    auto selects = [&](const std::string& selector) { return Selects(selector, *check); };
    if (!selection.include.empty() &&
        std::none_of(selection.include.begin(), selection.include.end(), selects))
      continue;
    if (std::any_of(selection.exclude.begin(), selection.exclude.end(), selects)) continue;
    chosen.push_back(check);
  }
  if (chosen.empty())
    return Fail(ErrorKind::kUsage,
                "the selection is empty: everything it names is excluded as well");
  return chosen;
}

std::vector<const Check*> AtLevelOf(const Abilities& abilities, FeatureSet offered,
                                    std::vector<const Check*> checks) {
  const auto here = [&](const Check* check) {
    const auto& needs = check->needs.abilities;
    const bool has_plan = std::ranges::find(needs, Ability::kInterruptPlans) == needs.end() ||
                          abilities.Has(Ability::kInterruptPlans);
    return (!IsVariant(*check) || has_plan) &&
           (!check->HasTag("packed") || offered.Has(feature::kRingPacked)) &&
           (check->level() != "pci" || abilities.Has(Ability::kPciFunction)) &&
           (check->level() != "mmio" || abilities.Has(Ability::kMmioWindow));
  };
  if (std::ranges::any_of(checks, here))
    std::erase_if(checks, [&](const Check* check) { return !here(check); });
  return checks;
}

Result<> ReadSelectionFile(const std::string& path, Selection& selection) {
  std::ifstream file(path);
  if (!file)
    return Fail(ErrorKind::kUsage, "{}: {}; expected a file with one selector a line", path,
                std::strerror(errno));
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find('#'));
    const size_t from = line.find_first_not_of(" \t\r");
    if (from == std::string::npos) continue;
    line = line.substr(from, line.find_last_not_of(" \t\r") - from + 1);
    if (line[0] == '-')
      selection.exclude.push_back(
          line.substr(std::min(line.size(), line.find_first_not_of(" \t", 1))));
    else
      selection.include.push_back(line);
  }
  return {};
}

}  // namespace vitro
