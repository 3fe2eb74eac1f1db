// SPDX-License-Identifier: Apache-2.0
#include "suite/catalogue/parse.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>

#include "suite/toml/row.h"

namespace vitro {
namespace {

constexpr size_t kMinTitle = 10;
// Areas of rules of Vitro's own; "legacy" is what the standard says outside of its normative parts.
constexpr std::string_view kDerivedArea = "derived", kLegacyArea = "legacy";

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> set) {
  return std::find(set.begin(), set.end(), text) != set.end();
}

bool IsId(std::string_view text) {
  return !text.empty() && text.find("..") == std::string_view::npos && !text.ends_with('.') &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
         });
}

bool IsSection(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.back() != '.' &&
         text.find("..") == std::string_view::npos &&
         text.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool IsKeyword(std::string_view text) {
  while (true) {
    const size_t end = text.find('/');
    if (!IsOneOf(text.substr(0, end), {"MUST", "MUST NOT", "SHALL", "SHOULD", "SHOULD NOT",
                                       "RECOMMENDED", "MAY", "MAY NOT", "CAN"}))
      return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

template <typename Enum, size_t n>
std::optional<Enum> Named(const std::array<Enum, n>& values, std::string_view name) {
  for (Enum value : values)
    if (Name(value) == name) return value;
  return std::nullopt;
}

constexpr std::array kLevels = {Level::kAny, Level::kPci, Level::kMmio, Level::kCcw};
constexpr std::array kObservables = {Observable::kDriver, Observable::kPeer,
                                     Observable::kStatistical, Observable::kStress,
                                     Observable::kNone};
constexpr std::array kLowered = {Severity::kWarn, Severity::kInfo};

// A table whose strings stay in `strings`.
class Row : private TomlRow {
 public:
  Row(Place place, const toml::table& table, std::deque<std::string>& strings)
      : TomlRow(place, table), strings_(strings) {}
  using TomlRow::Finish;
  using TomlRow::place;

  Result<std::string_view> Required(std::string_view key) {
    VITRO_ASSIGN(const std::string text, TomlRow::Required(key));
    return std::string_view(strings_.emplace_back(text));
  }

  // "" if the key is not there.
  Result<std::string_view> Optional(std::string_view key) {
    VITRO_ASSIGN(const std::string text, TomlRow::Optional(key));
    return std::string_view(strings_.emplace_back(text));
  }

  // As Required(), and `fits` has to hold for it.
  template <typename Predicate>
  Result<std::string_view> Required(std::string_view key, Predicate fits) {
    VITRO_ASSIGN(const std::string_view text, Required(key));
    if (!fits(text)) return NotOne(key, text);
    return text;
  }

  tl::unexpected<Error> NotOne(std::string_view key, std::string_view text) const {
    return Wrong(PlaceOf(key), "\"{}\" is no {}", text, key);
  }

 private:
  std::deque<std::string>& strings_;
};

// `area` is the file's name without its ending.
Result<Requirement> ParseRequirement(Row& row, std::string_view area) {
  Requirement result;
  result.area = area;
  result.derived = area == kDerivedArea || area == kLegacyArea;
  VITRO_ASSIGN(result.id, row.Required("id", IsId));
  const std::string beginning = area == kDerivedArea  ? "derived."
                                : area == kLegacyArea ? "derived.legacy."
                                                      : fmt::format("dev.{}.", area);
  if (!result.id.starts_with(beginning))
    return Wrong(row.place(), "{} does not begin with {}", result.id, beginning);
  VITRO_ASSIGN(result.section, row.Required("section", IsSection));
  VITRO_ASSIGN(result.keyword, row.Required("keyword", IsKeyword));
  if (!result.derived) {
    const auto known = [](std::string_view text) { return IsOneOf(text, {"1.2", "1.3", "1.4"}); };
    VITRO_ASSIGN(result.since, row.Required("since", known));
  }
  VITRO_ASSIGN(const std::string_view level, row.Required("level"));
  if (!Named(kLevels, level)) return row.NotOne("level", level);
  result.level = *Named(kLevels, level);
  VITRO_ASSIGN(const std::string_view observable, row.Required("observable"));
  if (!Named(kObservables, observable)) return row.NotOne("observable", observable);
  result.observable = *Named(kObservables, observable);
  VITRO_ASSIGN(result.title, row.Required("title"));
  if (result.title.size() < kMinTitle || result.title.size() > kMaxTitle)
    return Wrong(row.place(), "the title has {} characters, not {} to {}", result.title.size(),
                 kMinTitle, kMaxTitle);
  if (result.title.ends_with('.')) return Wrong(row.place(), "the title ends with a full stop");
  VITRO_ASSIGN(result.needs, row.Optional("needs"));
  VITRO_ASSIGN(result.interpretation, row.Optional("interpretation"));
  VITRO_ASSIGN(const std::string_view severity, row.Optional("severity"));
  if (!severity.empty()) {
    result.at_most = Named(kLowered, severity);
    if (!result.at_most) return row.NotOne("severity", severity);
  }
  if (result.interpretation.empty() && (result.derived || result.at_most))
    return Wrong(row.place(), "there is no interpretation, which {} needs",
                 result.derived ? "a derived rule" : "a lowered severity");
  VITRO_ASSIGN(result.advice, row.Optional("advice"));
  VITRO_TRY(row.Finish());
  return result;
}

Result<Hole> ParseHole(Row& row) {
  Hole result;
  VITRO_ASSIGN(result.match, row.Required("match", [](std::string_view text) {
    return IsId(text.ends_with('.') ? text.substr(0, text.size() - 1) : text);
  }));
  VITRO_ASSIGN(result.reason, row.Required("reason"));
  if (!result.reason.ends_with('.'))
    return Wrong(row.place(), "the reason does not end with a full stop");
  VITRO_TRY(row.Finish());
  return result;
}

}  // namespace

Result<> ParseCatalogueFile(std::string_view name, std::string_view text, CatalogueData& data) {
  VITRO_ASSIGN(const toml::table root, ParseToml(name, text));
  const std::string_view area = data.strings.emplace_back(name.substr(0, name.rfind('.')));
  for (const auto& [key, node] : root) {
    const std::string_view kind = key.str();
    const toml::array* rows = node.as_array();
    if (!IsOneOf(kind, {"requirement", "hole"}) || rows == nullptr ||
        !rows->is_homogeneous<toml::table>())
      return Wrong(PlaceOf(name, node), "{} is neither [[requirement]] nor [[hole]]", kind);
    for (const toml::node& each : *rows) {
      Row row(PlaceOf(name, each), *each.as_table(), data.strings);
      if (kind == "hole") {
        VITRO_ASSIGN(const Hole hole, ParseHole(row));
        data.holes.push_back(hole);
      } else {
        VITRO_ASSIGN(const Requirement requirement, ParseRequirement(row, area));
        data.requirements.push_back(requirement);
      }
    }
  }
  return {};
}

Result<> CheckCatalogue(const CatalogueData& data) {
  std::unordered_set<std::string_view> ids, titles, matches;
  for (const Requirement& each : data.requirements) {
    if (!ids.insert(each.id).second)
      return Fail(ErrorKind::kUsage, "there are two requirements {}", each.id);
    if (!titles.insert(each.title).second)
      return Fail(ErrorKind::kUsage, "{} has the title of another requirement", each.id);
  }
  for (const Hole& hole : data.holes) {
    if (!matches.insert(hole.match).second)
      return Fail(ErrorKind::kUsage, "there are two holes for {}", hole.match);
    const bool fits = std::any_of(
        data.requirements.begin(), data.requirements.end(), [&](const Requirement& each) {
          return each.observable != Observable::kNone && Fits(hole.match, each.id);
        });
    if (!fits)
      return Fail(ErrorKind::kUsage, "the hole {} fits no requirement that can be observed",
                  hole.match);
  }
  return {};
}

}  // namespace vitro
