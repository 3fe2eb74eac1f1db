// SPDX-License-Identifier: Apache-2.0
// Covering arrays: few rows of a model in which, for any `strength` parameters, every combination
// of their values that some allowed row has, occurs. Made by IPOG (Lei, Kacker, Kuhn, Okun and
// Lawrence, "IPOG: A General Strategy for T-Way Software Testing", 2007): parameter by parameter,
// rows are first extended and then added. A reduction of our own follows, where it is cheap.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "suite/combinations/feature_space.h"

namespace vitro {

inline constexpr unsigned kLeastStrength = 2, kMostStrength = 6;

// Steps that it takes, for so many parameters and if so many rows come out.
uint64_t CoverWork(uint64_t parameters, unsigned strength, uint64_t rows);

struct CoverLimits {
  uint64_t max_rows = UINT64_MAX;
  // In steps of a few nanoseconds: what would take more is given up, mostly before it is begun.
  uint64_t max_work = 3'000'000'000;
  uint64_t seed = 1;  // the same seed, the same rows
};

// `strength` as above, or as many parameters as have a choice if they are fewer: then these are all
// rows. nullopt if it cannot be done within the limits.
std::optional<std::vector<Row>> Cover(const RowSpace& space, unsigned strength,
                                      const CoverLimits& limits = {});
// The same for feature bits.
std::optional<std::vector<FeatureSet>> CoverFeatures(const FeatureSpace& space, unsigned strength,
                                                     const CoverLimits& limits = {});

}  // namespace vitro
