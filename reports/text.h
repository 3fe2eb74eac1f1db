// SPDX-License-Identifier: Apache-2.0
// Text of unknown origin, made safe to show. A run record holds what a device under test printed,
// and a device under test is not trusted: control bytes must not reach a terminal, an XML parser or
// a browser.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vitro::reports {

// Replaces every byte that is not part of well-formed UTF-8 by U+FFFD. Returns how many were
// replaced through `replaced` if it is given.
std::string ToUtf8(std::string_view bytes, int* replaced = nullptr);

// As ToUtf8, and control characters (C0 without newline and tab, DEL, C1) and the direction
// overrides of Unicode become visible: "\x1b", "\u202e".
std::string Printable(std::string_view text);

// As Printable, and newlines become spaces: for places that hold one line.
std::string OneLine(std::string_view text);

// Columns of a terminal that the text takes; every code point counts as one.
size_t Columns(std::string_view text);

// Cuts to at most `columns` columns; what is cut is replaced by "…".
std::string Shorten(std::string_view text, size_t columns);

// Pads with spaces on the right (or left) to `columns` columns.
std::string PadRight(std::string_view text, size_t columns);
std::string PadLeft(std::string_view text, size_t columns);

std::vector<std::string_view> Lines(std::string_view text);

// Breaks lines at spaces so that each has at most `columns` columns; a longer word stays whole.
std::vector<std::string> Wrap(std::string_view text, size_t columns);

// "412 µs", "1.2 ms", "3.4 s", "2 min 5 s".
std::string Duration(int64_t microseconds);

// "1 check", "3 checks"; the plural is the singular with an s.
std::string Count(int64_t n, std::string_view singular);

// Compares section numbers and ids the way people do: 2.9 before 2.10.
bool NaturalLess(std::string_view a, std::string_view b);

// The clause a section belongs to: "2.7.10.2" -> "2.7". A section without a dot is its own clause.
std::string Clause(std::string_view section);

}  // namespace vitro::reports
