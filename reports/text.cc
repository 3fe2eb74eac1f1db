// SPDX-License-Identifier: Apache-2.0
#include "reports/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace vitro::reports {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the well-formed UTF-8 sequence at the start of `text` and its code point; 0 if there is
// none.
size_t Sequence(std::string_view text, uint32_t* code_point) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) {
    *code_point = first;
    return 1;
  }
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  uint32_t value = first & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
    return 0;
  *code_point = value;
  return length;
}

bool IsDirectionOverride(uint32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F;
}

}  // namespace

std::string ToUtf8(std::string_view bytes, int* replaced) {
  std::string out;
  out.reserve(bytes.size());
  int count = 0;
  while (!bytes.empty()) {
    uint32_t code_point = 0;
    const size_t length = Sequence(bytes, &code_point);
    if (length == 0) {
      out += kReplacement;
      ++count;
    } else {
      out += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<size_t>(length, 1));
  }
  if (replaced != nullptr) *replaced = count;
  return out;
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    uint32_t c = 0;
    const size_t length = Sequence(text, &c);
    if (length == 0) {
      out += kReplacement;
    } else if ((c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0)) {
      out += fmt::format("\\x{:02x}", c);
    } else if (IsDirectionOverride(c) || c == 0xFFFE || c == 0xFFFF) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string OneLine(std::string_view text) {
  std::string out = Printable(text);
  std::replace(out.begin(), out.end(), '\n', ' ');
  std::replace(out.begin(), out.end(), '\t', ' ');
  return out;
}

size_t Columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

std::string Shorten(std::string_view text, size_t columns) {
  if (Columns(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  size_t end = 0;
  for (size_t kept = 0; end < text.size(); ++end) {
    const bool starts = (static_cast<uint8_t>(text[end]) & 0xC0) != 0x80;
    if (starts && kept++ == columns - 1) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string PadRight(std::string_view text, size_t columns) {
  const size_t have = Columns(text);
  return std::string(text) + std::string(columns > have ? columns - have : 0, ' ');
}

std::string PadLeft(std::string_view text, size_t columns) {
  const size_t have = Columns(text);
  return std::string(columns > have ? columns - have : 0, ' ') + std::string(text);
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<std::string> Wrap(std::string_view text, size_t columns) {
  std::vector<std::string> out;
  for (std::string_view rest : Lines(text)) {
    while (Columns(rest) > columns) {
      // The last space that keeps the line short enough, else the first space after it.
      size_t cut = std::string_view::npos;
      size_t at = 0;
      for (size_t i = 0; i < rest.size(); ++i) {
        if ((static_cast<uint8_t>(rest[i]) & 0xC0) != 0x80) ++at;
        if (rest[i] != ' ' || i == 0) continue;
        if (at - 1 > columns && cut != std::string_view::npos) break;
        cut = i;
        if (at - 1 > columns) break;
      }
      if (cut == std::string_view::npos) break;
      out.emplace_back(rest.substr(0, cut));
      rest.remove_prefix(cut + 1);
    }
    out.emplace_back(rest);
  }
  return out;
}

std::string Duration(int64_t microseconds) {
  const double us = static_cast<double>(microseconds);
  if (microseconds < 1'000) return fmt::format("{} µs", microseconds);
  if (microseconds < 10'000) return fmt::format("{:.1f} ms", us / 1e3);
  if (microseconds < 1'000'000) return fmt::format("{:.0f} ms", us / 1e3);
  if (microseconds < 60'000'000) return fmt::format("{:.1f} s", us / 1e6);
  const int64_t seconds = microseconds / 1'000'000;
  return fmt::format("{} min {} s", seconds / 60, seconds % 60);
}

std::string Count(int64_t n, std::string_view singular) {
  return fmt::format("{} {}{}", n, singular, n == 1 ? "" : "s");
}

bool NaturalLess(std::string_view a, std::string_view b) {
  size_t i = 0;
  size_t j = 0;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      while (i < a.size() && a[i] == '0') ++i;
      while (j < b.size() && b[j] == '0') ++j;
      const size_t from_a = i;
      const size_t from_b = j;
      while (i < a.size() && digit(a[i])) ++i;
      while (j < b.size() && digit(b[j])) ++j;
      if (i - from_a != j - from_b) return i - from_a < j - from_b;
      const int order = a.substr(from_a, i - from_a).compare(b.substr(from_b, j - from_b));
      if (order != 0) return order < 0;
      continue;
    }
    if (a[i] != b[j]) return a[i] < b[j];
    ++i;
    ++j;
  }
  return a.size() - i < b.size() - j;
}

std::string Clause(std::string_view section) {
  const size_t dot = section.find('.');
  if (dot == std::string_view::npos) return std::string(section);
  return std::string(section.substr(0, section.find('.', dot + 1)));
}

}  // namespace vitro::reports
