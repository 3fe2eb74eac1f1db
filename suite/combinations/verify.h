// SPDX-License-Identifier: Apache-2.0
// Whether rows are a covering array. Shares no code with what makes them, and works differently: it
// looks for every combination of values among the rows, and has a proof by search for each that is
// missing. Slow, and simple enough to be believed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/virtio/features.h"
#include "suite/combinations/feature_space.h"
#include "suite/combinations/model.h"

namespace vitro {

// The first thing that is wrong, as a sentence: a row that is incomplete or forbidden, or values of
// `strength` parameters that are together in an allowed row and in none of these. For parameters of
// up to 64 values.
std::optional<std::string> FindGap(const Model& model, const std::vector<Row>& rows,
                                   unsigned strength);
// The same for sets of feature bits, whose numbers are the parameters'.
std::optional<std::string> FindGap(FeatureSet offered, FeatureSet always,
                                   const std::vector<FeatureRule>& rules,
                                   const std::vector<FeatureSet>& sets, unsigned strength);

}  // namespace vitro
