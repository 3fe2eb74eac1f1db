// SPDX-License-Identifier: Apache-2.0
// Lints: the advice of the appendix "Creating New Device Types", applied to a profile or to the two
// versions of one. A profile with findings is still a profile: what cannot be read at all is
// refused by the parser.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "suite/profile/profile.h"

namespace vitro {

enum class LintSeverity {
  kInfo,   // worth knowing
  kWarn,   // against the advice
  kError,  // cannot be so: no bus can carry it, or it contradicts what is in use already
};
std::string_view Name(LintSeverity severity);

class LintFindings;

struct LintRule {
  std::string_view id;  // "lint.config.wide-action"
  LintSeverity severity;
  std::string_view
      section;              // of the appendix, or a section number where the advice follows from it
  std::string_view advice;  // what to do
  // One of them: looks at a profile, or at two versions of it.
  void (*look)(const Profile& profile, LintFindings& findings) = nullptr;
  void (*compare)(const Profile& now, const Profile& before, LintFindings& findings) = nullptr;
};
const std::vector<LintRule>& LintRules();

struct LintFinding {
  const LintRule* rule = nullptr;
  int line = 0;  // in the profile's file; 0: all of it
  std::string found;
};

// Where a rule puts what it found.
class LintFindings {
 public:
  template <typename... Args>
  void Add(int line, fmt::format_string<Args...> format, Args&&... args) {
    list.push_back({rule, line, fmt::format(format, std::forward<Args>(args)...)});
  }
  const LintRule* rule = nullptr;
  std::vector<LintFinding> list;
};

// Sorted by line.
std::vector<LintFinding> Lint(const Profile& profile);
// What changed between two versions. Lines are those of `now`, or 0 for what is gone.
std::vector<LintFinding> LintChange(const Profile& now, const Profile& before);

}  // namespace vitro
