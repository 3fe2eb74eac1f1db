// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/options.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace vitro::ref {

Options::Options(std::string_view text) {
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t equals = item.find('=');
    Entry entry{std::string(item.substr(0, equals)),
                std::string(equals == item.npos ? "1" : item.substr(equals + 1))};
    if (entry.key.empty()) Complain(fmt::format("'{}' is not of the form key=value", item));
    if (Has(entry.key)) Complain(fmt::format("option '{}' is given twice", entry.key));
    entries_.push_back(std::move(entry));
  }
}

Options::Entry* Options::Find(std::string_view key) {
  for (Entry& entry : entries_)
    if (entry.key == key) {
      entry.known = true;
      return &entry;
    }
  return nullptr;
}

bool Options::Has(std::string_view key) const {
  for (const Entry& entry : entries_)
    if (entry.key == key) return true;
  return false;
}

uint64_t Options::Number(std::string_view key, uint64_t fallback, uint64_t minimum,
                         uint64_t maximum) {
  const Entry* entry = Find(key);
  if (entry == nullptr) return fallback;
  std::string_view digits = entry->value;
  const bool hex = digits.starts_with("0x");
  if (hex) digits.remove_prefix(2);
  uint64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, number, hex ? 16 : 10);
  if (result.ec != std::errc() || result.ptr != end || number < minimum || number > maximum) {
    Complain(fmt::format("option '{}={}' is not a number from {} to {}", key, entry->value, minimum,
                         maximum));
    return fallback;
  }
  return number;
}

bool Options::Flag(std::string_view key) { return Number(key, 0, 0, 1) != 0; }

std::string Options::Text(std::string_view key, std::string_view fallback) {
  const Entry* entry = Find(key);
  return entry ? entry->value : std::string(fallback);
}

void Options::Complain(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
}

std::string Options::Problem() const {
  if (!problem_.empty()) return problem_;
  for (const Entry& entry : entries_)
    if (!entry.known) return fmt::format("this device has no option '{}'", entry.key);
  return "";
}

}  // namespace vitro::ref
