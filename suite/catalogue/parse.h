// SPDX-License-Identifier: Apache-2.0
// Reads the catalogue's data files (suite/catalogue/data/*.toml) and refuses what is not in order.
// Used when the suite is built and in tests; the suite itself has the finished table.
//
// A requirement is a table [[requirement]] of strings. All rows have
//   id          "dev.AREA.BLOCK.N" with the area that the file is named after; "derived.WHAT" in
//               derived.toml, "derived.legacy.WHAT" in legacy.toml, whose rows are derived ones too
//   section     of VIRTIO 1.4, "2.1.2"
//   keyword     "MUST NOT"; where a statement has several, joined by '/' in the order of the text
//   level       any | pci | mmio | ccw: where it can be touched
//   observable  driver | peer | statistical | stress | none: see catalogue.h
//   title       what a conforming device does, in our own words
// and those of the standard
//   since       "1.2" (or earlier), "1.3" or "1.4": the version in which the statement first stands
// and some have
//   needs           what it takes besides, joined by ','
//   interpretation  how Vitro reads it. Derived rows all have one: from what it follows
//   severity        warn | info: at most this, because the standard is at odds with itself here
//   advice          to a device author
// A hole is a table [[hole]] of `match` and `reason`: see catalogue.h.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"
#include "suite/catalogue/catalogue.h"

namespace vitro {

inline constexpr size_t kMaxTitle = 130;  // characters: a line of the report

// The contents of one or more files. The rows' texts live in `strings`.
struct CatalogueData {
  std::deque<std::string> strings;
  std::vector<Requirement> requirements;
  std::vector<Hole> holes;
};

// Adds the file `name` ("basic.toml") with the contents `text` to `data`. On an error (kUsage, its
// message begins with file name and line number) `data` is left with what came before that line.
Result<> ParseCatalogueFile(std::string_view name, std::string_view text, CatalogueData& data);

// What holds across files: ids, titles and matches are unique, and each hole fits some requirement
// that something can observe.
Result<> CheckCatalogue(const CatalogueData& data);

}  // namespace vitro
