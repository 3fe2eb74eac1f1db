// SPDX-License-Identifier: Apache-2.0
// TomlRow: one table of a TOML file, whose keys are taken one by one and checked; what is wrong is
// said in one sentence that begins with file and line. Included by the sources that parse and by no
// header: toml++ takes long to compile.
#pragma once

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1  // the packaged library is built for one C++ standard library only
#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "harness/base/result.h"

namespace vitro {

// Where something stands, for error messages.
struct Place {
  std::string_view file;
  unsigned line = 0;
};

template <typename... Args>
tl::unexpected<Error> Wrong(const Place& place, fmt::format_string<Args...> format,
                            Args&&... args) {
  return Fail(ErrorKind::kUsage, "{}:{}: {}", place.file, place.line,
              fmt::format(format, std::forward<Args>(args)...));
}

inline Place PlaceOf(std::string_view file, const toml::node& node) {
  return {file, static_cast<unsigned>(node.source().begin.line)};
}

inline Result<toml::table> ParseToml(std::string_view file, std::string_view text) {
  toml::parse_result parsed = toml::parse(text, file);
  if (!parsed)
    return Wrong({file, static_cast<unsigned>(parsed.error().source().begin.line)}, "{}",
                 parsed.error().description());
  return std::move(parsed).table();
}

inline bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// Keys have static storage. Functions that take a key remember that it was asked for.
class TomlRow {
 public:
  TomlRow(Place place, const toml::table& table) : place_(place), table_(table) {}

  const Place& place() const { return place_; }
  Place PlaceOf(std::string_view key) const {
    const toml::node* node = table_.get(key);
    return node == nullptr ? place_ : vitro::PlaceOf(place_.file, *node);
  }

  // nullptr if it is not there.
  const toml::node* Find(std::string_view key) {
    asked_.insert(key);
    return table_.get(key);
  }

  // "" if the key is not there.
  Result<std::string> Optional(std::string_view key) {
    const toml::node* node = Find(key);
    if (node == nullptr) return std::string();
    return Text(*node, key);
  }
  Result<std::string> Required(std::string_view key) {
    VITRO_ASSIGN(std::string text, Optional(key));
    if (text.empty()) return Wrong(place_, "there is no {}", key);
    return text;
  }

  // What a string node says, which is not empty.
  Result<std::string> Text(const toml::node& node, std::string_view key) const {
    const auto text = node.value_exact<std::string>();
    const Place place = vitro::PlaceOf(place_.file, node);
    if (!text) return Wrong(place, "{} is not a string", key);
    if (text->empty()) return Wrong(place, "{} is empty", key);
    if (!IsPrintable(*text))
      return Wrong(place, "{} has a character that is not printable ASCII", key);
    return *text;
  }

  // false if the key is not there.
  Result<bool> Flag(std::string_view key) {
    const toml::node* node = Find(key);
    if (node == nullptr) return false;
    const auto flag = node->value_exact<bool>();
    if (!flag) return Wrong(PlaceOf(key), "{} is neither true nor false", key);
    return *flag;
  }

  Result<std::optional<uint64_t>> OptionalNumber(std::string_view key, uint64_t least,
                                                 uint64_t most) {
    const toml::node* node = Find(key);
    if (node == nullptr) return std::nullopt;
    const auto number = node->value_exact<int64_t>();
    if (!number) return Wrong(PlaceOf(key), "{} is not an integer", key);
    if (*number < 0 || static_cast<uint64_t>(*number) < least ||
        static_cast<uint64_t>(*number) > most)
      return Wrong(PlaceOf(key), "{} is {}, expected {} to {}", key, *number, least, most);
    return static_cast<uint64_t>(*number);
  }
  Result<uint64_t> RequiredNumber(std::string_view key, uint64_t least, uint64_t most) {
    VITRO_ASSIGN(const auto number, OptionalNumber(key, least, most));
    if (!number) return Wrong(place_, "there is no {}", key);
    return *number;
  }

  // The elements of an array; none if the key is not there.
  Result<std::vector<const toml::node*>> Elements(std::string_view key) {
    std::vector<const toml::node*> elements;
    const toml::node* node = Find(key);
    if (node == nullptr) return elements;
    if (!node->is_array()) return Wrong(PlaceOf(key), "{} is not a list", key);
    for (const toml::node& each : *node->as_array()) elements.push_back(&each);
    return elements;
  }

  // An error if the table has keys that were not asked for.
  Result<> Finish() const {
    for (const auto& [key, node] : table_)
      if (!asked_.contains(key.str()))
        return Wrong(vitro::PlaceOf(place_.file, node), "{} is not a key of this table", key.str());
    return {};
  }

 private:
  Place place_;
  const toml::table& table_;
  std::unordered_set<std::string_view> asked_;
};

}  // namespace vitro
