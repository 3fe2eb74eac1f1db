// SPDX-License-Identifier: Apache-2.0
#include "suite/combinations/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace vitro {
namespace {

std::string Describe(const Settings& settings, const std::vector<unsigned>& names) {
  std::string text;
  for (const Setting& setting : settings)
    text +=
        fmt::format("{}{} = {}", text.empty() ? "" : ", ", names[setting.parameter], setting.value);
  return text;
}

bool Has(const Row& row, const Settings& settings) {
  return std::all_of(settings.begin(), settings.end(), [&](const Setting& setting) {
    return row[setting.parameter] == setting.value;
  });
}

std::optional<std::string> Check(const Model& model, const std::vector<Row>& rows,
                                 const std::vector<unsigned>& names) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].size() != model.values.size())
      return fmt::format("row {} has {} values, not {}", i, rows[i].size(), model.values.size());
    for (size_t parameter = 0; parameter < rows[i].size(); ++parameter)
      if (rows[i][parameter] >= model.values[parameter])
        return fmt::format("row {} has {} = {}, not one of its {} values", i, names[parameter],
                           rows[i][parameter], model.values[parameter]);
    for (const Settings& settings : model.forbidden)
      if (Has(rows[i], settings))
        return fmt::format("row {} has what is forbidden: {}", i, Describe(settings, names));
  }
  return std::nullopt;
}

// The values that each parameter still may have, a bit each.
using Domains = std::vector<uint64_t>;

// What is left of forbidden settings: those that are not certain. nullopt if they cannot occur.
std::optional<Settings> Uncertain(const Settings& settings, const Domains& domains) {
  Settings uncertain;
  for (const Setting& setting : settings) {
    const uint64_t domain = domains[setting.parameter], value = uint64_t{1} << setting.value;
    if (!(domain & value)) return std::nullopt;
    if (domain != value) uncertain.push_back(setting);
  }
  return uncertain;
}

// Takes away what would complete forbidden settings; false if one is complete.
bool Propagate(const Model& model, Domains& domains) {
  for (bool changed = true; changed;) {
    changed = false;
    for (const Settings& settings : model.forbidden) {
      const auto uncertain = Uncertain(settings, domains);
      if (!uncertain || uncertain->size() > 1) continue;
      if (uncertain->empty()) return false;
      domains[uncertain->front().parameter] &= ~(uint64_t{1} << uncertain->front().value);
      changed = true;
    }
  }
  return true;
}

// Whether an allowed row has a value of each of these domains.
bool Occurs(const Model& model, Domains domains) {
  if (!Propagate(model, domains)) return false;
  for (const Settings& settings : model.forbidden) {
    const auto uncertain = Uncertain(settings, domains);
    if (!uncertain) continue;
    const Setting& setting = uncertain->front();
    const uint64_t value = uint64_t{1} << setting.value;
    Domains without = domains;
    without[setting.parameter] &= ~value;
    if (Occurs(model, std::move(without))) return true;
    domains[setting.parameter] = value;
    return Occurs(model, std::move(domains));
  }
  return true;
}

Domains AllValues(const Model& model) {
  Domains domains;
  for (unsigned values : model.values)
    domains.push_back(values == 64 ? UINT64_MAX : (uint64_t{1} << values) - 1);
  return domains;
}

class Search {
 public:
  Search(const Model& model, const std::vector<Row>& rows, const std::vector<unsigned>& names)
      : model_(model), rows_(rows), names_(names) {}

  // Of `left` more parameters, from this one on.
  std::optional<std::string> Choose(size_t from, unsigned left, std::vector<unsigned>& chosen) {
    if (left == 0) return Look(chosen);
    for (size_t next = from; next + left <= model_.values.size(); ++next) {
      chosen.push_back(static_cast<unsigned>(next));
      if (auto gap = Choose(next + 1, left - 1, chosen)) return gap;
      chosen.pop_back();
    }
    return std::nullopt;
  }

 private:
  std::optional<std::string> Look(const std::vector<unsigned>& chosen) {
    std::set<Settings> seen;
    Settings settings;
    for (unsigned parameter : chosen) settings.push_back({parameter, 0});
    for (const Row& row : rows_) {
      for (Setting& setting : settings) setting.value = row[setting.parameter];
      seen.insert(settings);
    }
    for (Setting& setting : settings) setting.value = 0;
    for (;;) {
      if (!seen.count(settings) && Wanted(settings))
        return fmt::format("no row has {}", Describe(settings, names_));
      size_t turn = settings.size();
      while (turn > 0 && ++settings[turn - 1].value == model_.values[chosen[turn - 1]])
        settings[--turn].value = 0;
      if (turn == 0) return std::nullopt;
    }
  }
  bool Wanted(const Settings& settings) const {
    Domains domains = AllValues(model_);
    for (const Setting& setting : settings)
      domains[setting.parameter] = uint64_t{1} << setting.value;
    return Occurs(model_, std::move(domains));
  }

  const Model& model_;
  const std::vector<Row>& rows_;
  const std::vector<unsigned>& names_;
};

std::optional<std::string> FindGap(const Model& model, const std::vector<Row>& rows,
                                   unsigned strength, const std::vector<unsigned>& names) {
  if (auto wrong = Check(model, rows, names)) return wrong;
  std::vector<unsigned> chosen;
  const auto parameters = static_cast<unsigned>(model.values.size());
  return Search(model, rows, names).Choose(0, std::min(strength, parameters), chosen);
}

// What no set has together; nullopt if that cannot occur anyway.
std::optional<Settings> Forbids(const FeatureRule& rule,
                                const std::map<unsigned, unsigned>& parameter_of) {
  std::map<unsigned, unsigned> settings;
  for (unsigned bit : rule.all) {
    if (!parameter_of.count(bit)) return std::nullopt;
    settings[parameter_of.at(bit)] = 1;
  }
  for (unsigned bit : rule.any) {
    if (!parameter_of.count(bit)) continue;
    if (!settings.emplace(parameter_of.at(bit), 0).second && settings[parameter_of.at(bit)] == 1)
      return std::nullopt;
  }
  Settings forbidden;
  for (const auto& [parameter, value] : settings) forbidden.push_back({parameter, value});
  return forbidden;
}

}  // namespace

std::optional<std::string> FindGap(const Model& model, const std::vector<Row>& rows,
                                   unsigned strength) {
  std::vector<unsigned> names(model.values.size());
  std::iota(names.begin(), names.end(), 0u);
  return FindGap(model, rows, strength, names);
}

std::optional<std::string> FindGap(FeatureSet offered, FeatureSet always,
                                   const std::vector<FeatureRule>& rules,
                                   const std::vector<FeatureSet>& sets, unsigned strength) {
  Model model;
  std::vector<unsigned> bits;                 // of each parameter
  std::map<unsigned, unsigned> parameter_of;  // of each offered bit
  std::vector<Row> rows(sets.size());
  for (unsigned bit = 0; bit < feature::kBits; ++bit) {
    if (!offered.Has(bit)) continue;
    const auto parameter = static_cast<unsigned>(bits.size());
    parameter_of[bit] = parameter;
    bits.push_back(bit);
    model.values.push_back(2);
    if (always.Has(bit)) model.forbidden.push_back({{parameter, 0}});
    for (size_t i = 0; i < sets.size(); ++i) rows[i].push_back(sets[i].Has(bit));
  }
  for (size_t i = 0; i < sets.size(); ++i)
    if (!offered.Contains(sets[i])) return fmt::format("set {} has bits that are not offered", i);
  for (const FeatureRule& rule : rules)
    if (auto forbidden = Forbids(rule, parameter_of)) model.forbidden.push_back(*forbidden);
  return FindGap(model, rows, strength, bits);
}

}  // namespace vitro
