// SPDX-License-Identifier: Apache-2.0
// The lists of lints, by what they are about, and what they share.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "suite/profile/lint.h"

namespace vitro {

void AddQueueLints(std::vector<LintRule>& rules);
void AddConfigLints(std::vector<LintRule>& rules);
void AddIdLints(std::vector<LintRule>& rules);
void AddVectorLints(std::vector<LintRule>& rules);
void AddFeatureLints(std::vector<LintRule>& rules);
void AddChangeLints(std::vector<LintRule>& rules);

// Sections of the appendix.
inline constexpr std::string_view kAboutQueues = "How Many Virtqueues?";
inline constexpr std::string_view kAboutConfig = "What Device Configuration Space Layout?";
inline constexpr std::string_view kAboutIds = "What Device Number?";
inline constexpr std::string_view kAboutVectors = "How many MSI-X vectors?";
inline constexpr std::string_view kAboutFeatures = "Device Improvements";
inline constexpr std::string_view kAboutParts =
    "How to extend the existing device part definition?";

template <typename Range, typename Predicate>
bool Any(const Range& range, Predicate holds) {
  return std::any_of(range.begin(), range.end(), holds);
}

template <typename T>
bool Contains(const std::vector<T>& list, const T& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

// The bit is one of those named.
inline bool Names(const FeatureCondition& condition, unsigned bit) {
  return Any(condition, [&](const FeatureClause& clause) { return Contains(clause, bit); });
}

// The condition does not hold without the bit.
inline bool Demands(const FeatureCondition& condition, unsigned bit) {
  return Contains(condition, FeatureClause{bit});
}

// The expression has this name in it.
bool Mentions(std::string_view expression, std::string_view name);

}  // namespace vitro
