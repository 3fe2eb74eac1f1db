// SPDX-License-Identifier: Apache-2.0
#include "suite/combinations/diagram.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace vitro {
namespace {

// Forbidden settings with those that they contain are no news.
void Simplify(std::vector<Settings>& rest) {
  std::sort(rest.begin(), rest.end(), [](const Settings& a, const Settings& b) {
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  std::vector<Settings> kept;
  for (Settings& settings : rest)
    if (std::none_of(kept.begin(), kept.end(), [&](const Settings& other) {
          return std::includes(settings.begin(), settings.end(), other.begin(), other.end());
        }))
      kept.push_back(std::move(settings));
  rest = std::move(kept);
}

bool Names(const Settings& settings, unsigned parameter) {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const Setting& setting) { return setting.parameter == parameter; });
}

// Groups of parameters that forbidden settings tie together: the group of each parameter.
std::vector<unsigned> Groups(const Model& model) {
  std::vector<unsigned> group(model.values.size());
  std::iota(group.begin(), group.end(), 0u);
  for (const Settings& settings : model.forbidden)
    for (const Setting& setting : settings) {
      const unsigned from = group[setting.parameter], to = group[settings.front().parameter];
      std::replace(group.begin(), group.end(), from, to);
    }
  return group;
}

}  // namespace

RowCount Sum(RowCount a, RowCount b) {
  uint64_t sum = 0;
  if (!a || !b || __builtin_add_overflow(*a, *b, &sum)) return std::nullopt;
  return sum;
}

RowCount Product(RowCount a, RowCount b) {
  if (a == 0u || b == 0u) return 0;
  uint64_t product = 0;
  if (!a || !b || __builtin_mul_overflow(*a, *b, &product)) return std::nullopt;
  return product;
}

Diagram::Diagram(const Model& model, const std::vector<unsigned>& parameters,
                 const std::vector<Settings>& forbidden) {
  Order(model, parameters, forbidden);
  std::vector<unsigned> level_of(model.values.size());
  for (unsigned level = 0; level < parameters_.size(); ++level)
    level_of[parameters_[level]] = level;
  Rest rest = forbidden;
  for (Settings& settings : rest) {
    for (Setting& setting : settings) setting.parameter = level_of[setting.parameter];
    std::sort(settings.begin(), settings.end());
  }
  nodes_ = {{0, 0, 0}, {static_cast<uint32_t>(parameters_.size()), 0, 1}};
  Builder builder;
  root_ = Build(0, std::move(rest), builder);
}

// The next level is always the parameter that leaves the fewest forbidden settings half decided.
void Diagram::Order(const Model& model, const std::vector<unsigned>& parameters,
                    const std::vector<Settings>& forbidden) {
  std::vector<unsigned> left = parameters;
  std::vector<size_t> decided(forbidden.size());
  while (!left.empty()) {
    const auto half_decided = [&](unsigned parameter) {
      size_t half = 0;
      for (size_t i = 0; i < forbidden.size(); ++i) {
        const size_t now = decided[i] + Names(forbidden[i], parameter);
        half += now > 0 && now < forbidden[i].size();
      }
      return half;
    };
    const auto next = std::min_element(left.begin(), left.end(), [&](unsigned a, unsigned b) {
      return half_decided(a) < half_decided(b);
    });
    for (size_t i = 0; i < forbidden.size(); ++i) decided[i] += Names(forbidden[i], *next);
    parameters_.push_back(*next);
    values_.push_back(model.values[*next]);
    left.erase(next);
  }
}

Diagram::Node Diagram::Build(uint32_t level, Rest rest, Builder& builder) {
  if (!rest.empty() && rest.front().empty()) return kDead;
  if (level == parameters_.size()) return kEnd;
  Simplify(rest);
  while (DropCertain(rest)) Simplify(rest);
  if (!rest.empty() && rest.front().empty()) return kDead;
  const auto key = std::pair(level, rest);
  if (const auto known = builder.built.find(key); known != builder.built.end())
    return known->second;
  std::vector<Node> children;
  for (unsigned value = 0; value < values_[level]; ++value) {
    Rest next;
    bool dead = false;
    for (const Settings& settings : rest) {
      if (settings.front().parameter != level) {
        next.push_back(settings);
      } else if (settings.front().value == value) {
        next.emplace_back(settings.begin() + 1, settings.end());
        dead |= next.back().empty();
      }
    }
    children.push_back(dead ? kDead : Build(level + 1, std::move(next), builder));
  }
  const Node node = AddNode(level, children, builder);
  builder.built.emplace(key, node);
  return node;
}

// A parameter of two values that may not have one of them has the other: whether it does is no
// question any more.
bool Diagram::DropCertain(Rest& rest) const {
  Settings certain;
  for (const Settings& settings : rest)
    if (settings.size() == 1 && values_[settings[0].parameter] == 2)
      certain.push_back({settings[0].parameter, 1 - settings[0].value});
  size_t dropped = 0;
  for (Settings& settings : rest)
    dropped += std::erase_if(settings, [&](const Setting& setting) {
      return std::find(certain.begin(), certain.end(), setting) != certain.end();
    });
  return dropped > 0;
}

Diagram::Node Diagram::AddNode(uint32_t level, const std::vector<Node>& children,
                               Builder& builder) {
  RowCount count = 0;
  for (Node child : children) count = Sum(count, nodes_[child].count);
  if (count == 0u) return kDead;
  const auto [known, is_new] =
      builder.unique.emplace(std::pair(level, children), static_cast<Node>(nodes_.size()));
  if (is_new) {
    nodes_.push_back({level, static_cast<uint32_t>(children_.size()), count});
    children_.insert(children_.end(), children.begin(), children.end());
  }
  return known->second;
}

bool Diagram::Possible(const Row& row) const {
  if (root_ == kDead) return false;
  std::vector<char> reached(nodes_.size());
  reached[root_] = true;
  for (Node node = root_; node > kEnd; --node) {
    if (!reached[node]) continue;
    const uint32_t level = nodes_[node].level;
    const uint16_t decided = row[parameters_[level]];
    const unsigned first = decided == kAny ? 0 : decided;
    const unsigned end = decided == kAny ? values_[level] : decided + 1u;
    for (unsigned value = first; value < end; ++value) reached[Child(node, value)] = true;
  }
  return reached[kEnd];
}

bool Diagram::Complete(Row& row, const Row& wish) const {
  constexpr uint32_t kNever = UINT32_MAX;
  struct Best {
    uint32_t cost = kNever;  // how many differ from the wish, from here to the end
    uint16_t value = 0;
  };
  std::vector<Best> best(nodes_.size());
  best[kEnd].cost = 0;
  for (Node node = kEnd + 1; node < nodes_.size(); ++node) {
    const uint32_t level = nodes_[node].level;
    const uint16_t decided = row[parameters_[level]], wanted = wish[parameters_[level]];
    for (unsigned value = 0; value < values_[level]; ++value) {
      const uint32_t rest = best[Child(node, value)].cost;
      if (rest == kNever || (decided != kAny && decided != value)) continue;
      const uint32_t cost = rest + (wanted != kAny && wanted != value);
      if (cost < best[node].cost) best[node] = {cost, static_cast<uint16_t>(value)};
    }
  }
  if (root_ == kDead || best[root_].cost == kNever) return false;
  for (Node node = root_; node != kEnd; node = Child(node, best[node].value))
    row[parameters_[nodes_[node].level]] = best[node].value;
  return true;
}

RowSpace::RowSpace(Model model)
    : model_(std::move(model)), diagram_of_(model_.values.size(), kLoose) {
  const std::vector<unsigned> group = Groups(model_);
  for (unsigned leader = 0; leader < group.size(); ++leader) {
    std::vector<Settings> forbidden;
    for (const Settings& settings : model_.forbidden)
      if (!settings.empty() && group[settings.front().parameter] == leader)
        forbidden.push_back(settings);
    if (forbidden.empty()) continue;
    std::vector<unsigned> parameters;
    for (unsigned parameter = 0; parameter < group.size(); ++parameter)
      if (group[parameter] == leader) {
        parameters.push_back(parameter);
        diagram_of_[parameter] = diagrams_.size();
      }
    diagrams_.emplace_back(model_, parameters, forbidden);
    empty_ |= diagrams_.back().root() == Diagram::kDead;
  }
  for (const Settings& settings : model_.forbidden) empty_ |= settings.empty();
  for (unsigned parameter = 0; parameter < group.size(); ++parameter)
    if (diagram_of_[parameter] == kLoose) loose_.push_back(parameter);
}

std::vector<unsigned> RowSpace::ValuesOf(unsigned parameter) const {
  std::vector<unsigned> values;
  Row row(model_.values.size(), kAny);
  for (unsigned value = 0; value < model_.values[parameter]; ++value) {
    row[parameter] = static_cast<uint16_t>(value);
    if (!empty_ && StillPossible(row, parameter)) values.push_back(value);
  }
  return values;
}

RowCount RowSpace::CountRows() const {
  RowCount count = empty_ ? 0 : 1;
  for (const Diagram& diagram : diagrams_) count = Product(count, diagram.CountOf(diagram.root()));
  for (unsigned parameter : loose_) count = Product(count, model_.values[parameter]);
  return count;
}

bool RowSpace::Possible(const Row& row) const {
  return !empty_ && std::all_of(diagrams_.begin(), diagrams_.end(),
                                [&](const Diagram& diagram) { return diagram.Possible(row); });
}

bool RowSpace::StillPossible(const Row& row, const Settings& decided) const {
  size_t checked = kLoose;
  return std::all_of(decided.begin(), decided.end(), [&](const Setting& setting) {
    const size_t before = std::exchange(checked, diagram_of_[setting.parameter]);
    return before == checked || StillPossible(row, setting.parameter);
  });
}

std::optional<Row> RowSpace::Complete(Row row, const Row& wish) const {
  if (empty_) return std::nullopt;
  for (const Diagram& diagram : diagrams_)
    if (!diagram.Complete(row, wish)) return std::nullopt;
  for (unsigned parameter : loose_)
    if (row[parameter] == kAny) row[parameter] = wish[parameter] == kAny ? 0 : wish[parameter];
  return row;
}

}  // namespace vitro
