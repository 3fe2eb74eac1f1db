// SPDX-License-Identifier: Apache-2.0
// Diagram: a decision diagram of all rows of a model that have no forbidden settings, for
// parameters that forbidden settings tie together. One level per parameter; equal rests are shared.
// RowSpace: the diagrams of a whole model, whose parameters mostly have little to do with each
// other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "suite/combinations/model.h"

namespace vitro {

// How many: nullopt is more than 2^64 - 1.
using RowCount = std::optional<uint64_t>;
RowCount Sum(RowCount a, RowCount b);
RowCount Product(RowCount a, RowCount b);

class Diagram {
 public:
  using Node = uint32_t;
  static constexpr Node kDead = 0;  // no row leads on from here
  static constexpr Node kEnd = 1;   // below the last level

  // `parameters` are those of `model` that `forbidden` names. The time it takes grows with how many
  // of `forbidden` straddle the levels at once; for what device types require of bits it is little.
  Diagram(const Model& model, const std::vector<unsigned>& parameters,
          const std::vector<Settings>& forbidden);

  // The parameter of each level, from the root down.
  const std::vector<unsigned>& parameters() const { return parameters_; }
  Node root() const { return root_; }
  Node Child(Node node, unsigned value) const { return children_[nodes_[node].children + value]; }
  // Rows from this node to the end.
  RowCount CountOf(Node node) const { return nodes_[node].count; }

  // Whether the values that are decided in `row` occur together in some row.
  bool Possible(const Row& row) const;
  // Decides all of these parameters in `row`: what is decided stays, and as many others as can be
  // are as in `wish`. False, and nothing done, if that is not possible.
  bool Complete(Row& row, const Row& wish) const;

 private:
  struct NodeData {
    uint32_t level = 0, children = 0;  // index of the first child
    RowCount count = 0;
  };
  using Rest = std::vector<Settings>;  // by level instead of parameter
  struct Builder {
    std::map<std::pair<uint32_t, Rest>, Node> built;
    std::map<std::pair<uint32_t, std::vector<Node>>, Node> unique;
  };

  void Order(const Model& model, const std::vector<unsigned>& parameters,
             const std::vector<Settings>& forbidden);
  Node Build(uint32_t level, Rest rest, Builder& builder);
  bool DropCertain(Rest& rest) const;
  Node AddNode(uint32_t level, const std::vector<Node>& children, Builder& builder);

  std::vector<unsigned> parameters_, values_;  // by level
  std::vector<NodeData> nodes_;                // children before their parents
  std::vector<Node> children_;
  Node root_ = kDead;
};

class RowSpace {
 public:
  explicit RowSpace(Model model);

  const Model& model() const { return model_; }
  const std::vector<Diagram>& diagrams() const { return diagrams_; }
  // The parameters that nothing is said of, ascending.
  const std::vector<unsigned>& loose() const { return loose_; }
  // The values of a parameter that occur in some row.
  std::vector<unsigned> ValuesOf(unsigned parameter) const;
  RowCount CountRows() const;

  bool Possible(const Row& row) const;
  // The same, if it was possible before these parameters were decided.
  bool StillPossible(const Row& row, const Settings& decided) const;
  bool StillPossible(const Row& row, unsigned parameter) const {
    return diagram_of_[parameter] == kLoose || diagrams_[diagram_of_[parameter]].Possible(row);
  }
  // The nearest row to `wish` that has what is decided in `row`, if there is any.
  std::optional<Row> Complete(Row row, const Row& wish) const;

 private:
  static constexpr size_t kLoose = SIZE_MAX;

  Model model_;
  std::vector<Diagram> diagrams_;
  std::vector<size_t> diagram_of_;  // by parameter
  std::vector<unsigned> loose_;
  bool empty_ = false;  // nothing at all is allowed
};

}  // namespace vitro
