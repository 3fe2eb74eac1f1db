// SPDX-License-Identifier: Apache-2.0
#include "suite/catalogue/catalogue.h"

#include <algorithm>

namespace vitro {
namespace {

Severity SeverityOfOne(std::string_view keyword) {
  if (keyword == "MUST" || keyword == "MUST NOT" || keyword == "SHALL") return Severity::kFail;
  if (keyword == "SHOULD" || keyword == "SHOULD NOT" || keyword == "RECOMMENDED")
    return Severity::kWarn;
  return Severity::kInfo;
}

}  // namespace

std::string_view Name(Level level) {
  switch (level) {
    case Level::kAny:
      return "any";
    case Level::kPci:
      return "pci";
    case Level::kMmio:
      return "mmio";
    case Level::kCcw:
      return "ccw";
  }
  return "?";
}

std::string_view Name(Observable observable) {
  switch (observable) {
    case Observable::kDriver:
      return "driver";
    case Observable::kPeer:
      return "peer";
    case Observable::kStatistical:
      return "statistical";
    case Observable::kStress:
      return "stress";
    case Observable::kNone:
      return "none";
  }
  return "?";
}

std::string_view Name(Severity severity) {
  switch (severity) {
    case Severity::kFail:
      return "fail";
    case Severity::kWarn:
      return "warn";
    case Severity::kInfo:
      return "info";
  }
  return "?";
}

Severity SeverityOf(std::string_view keyword) {
  Severity strongest = Severity::kInfo;
  while (!keyword.empty()) {
    const size_t end = keyword.find('/');
    strongest = std::min(strongest, SeverityOfOne(keyword.substr(0, end)));
    if (end == std::string_view::npos) break;
    keyword.remove_prefix(end + 1);
  }
  return strongest;
}

Severity SeverityOf(const Requirement& requirement) {
  return std::max(SeverityOf(requirement.keyword), requirement.at_most.value_or(Severity::kFail));
}

bool Fits(std::string_view match, std::string_view id) {
  return match.ends_with('.') ? id.starts_with(match) : id == match;
}

const Requirement* Catalogue::Find(std::string_view id) const {
  const auto at = std::lower_bound(
      by_id_.begin(), by_id_.end(), id,
      [&](uint16_t index, std::string_view wanted) { return all_[index].id < wanted; });
  return at != by_id_.end() && all_[*at].id == id ? &all_[*at] : nullptr;
}

std::vector<const Requirement*> Catalogue::Select(std::string_view selector) const {
  if (selector.ends_with('.')) selector.remove_suffix(1);
  std::vector<const Requirement*> selected;
  for (const Requirement& each : all_) {
    const bool fits = selector.empty() ||
                      (each.id.starts_with(selector) &&
                       (each.id.size() == selector.size() || each.id[selector.size()] == '.'));
    if (fits) selected.push_back(&each);
  }
  return selected;
}

std::string_view Catalogue::HoleReason(std::string_view id) const {
  const Hole* longest = nullptr;
  for (const Hole& hole : holes_)
    if (Fits(hole.match, id) && (longest == nullptr || hole.match.size() > longest->match.size()))
      longest = &hole;
  return longest == nullptr ? std::string_view() : longest->reason;
}

}  // namespace vitro
