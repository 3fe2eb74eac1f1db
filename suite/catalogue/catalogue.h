// SPDX-License-Identifier: Apache-2.0
// Catalogue: what VIRTIO 1.4 demands of a device, as data. One row for each normative device
// statement, in our own words, and in area "derived" Vitro's own rules, which follow from the
// standard's definitions. It says nothing of checks; the join is made where both are known.
//
//   const Catalogue& catalogue = Catalogue::Get();
//   const Requirement* row = catalogue.Find("dev.basic.device-reset.1");
//   if (row != nullptr && SeverityOf(*row) == Severity::kFail) ...
//
// The data are suite/catalogue/data/*.toml, turned into a table when the suite is built
// (compile.cc), as reading the text would take 10 ms of each start. Floor 5; depends on nothing of
// ours.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace vitro {

// Where the requirement can be touched.
enum class Level : uint8_t { kAny, kPci, kMmio, kCcw };
std::string_view Name(Level level);

// What it takes to see that the requirement is not met.
enum class Observable : uint8_t {
  kDriver,       // a driver alone
  kPeer,         // somebody behind the device as well: a network peer, a backend that changes
  kStatistical,  // a driver, by frequency
  kStress,       // a driver that races the device
  kNone,         // nothing: a permission, or a matter of the device's insides
};
std::string_view Name(Observable observable);

// What an unmet requirement amounts to.
enum class Severity : uint8_t { kFail, kWarn, kInfo };
std::string_view Name(Severity severity);

// One row. Members that a row does not have are "".
struct Requirement {
  std::string_view id;              // "dev.basic.device-reset.1", "derived.used.progress"
  std::string_view area;            // "basic", "pci", "blk", ...; "derived"
  std::string_view section;         // of VIRTIO 1.4: "2.4.1"
  std::string_view keyword;         // "MUST NOT"; several in the order of the text: "SHOULD/MUST"
  std::string_view since;           // "1.2" (or earlier), "1.3", "1.4"; "" for derived rows
  std::string_view title;           // what a conforming device does, a phrase without a full stop
  std::string_view needs;           // what it takes besides: "RING_RESET", "no EVENT_IDX"
  std::string_view interpretation;  // how Vitro reads it where the standard is unclear or silent
  std::string_view advice;          // to a device author
  Level level = Level::kAny;
  Observable observable = Observable::kDriver;
  std::optional<Severity> at_most;  // where the standard is at odds with itself: no more than this
  bool derived = false;
};

// By the strongest keyword, and no more than at_most. A row of several keywords ("SHOULD/MUST") has
// weaker parts: whoever judges those lowers the severity; the interpretation says which they are.
Severity SeverityOf(const Requirement& requirement);
// The same for a keyword on its own; kInfo for what is none.
Severity SeverityOf(std::string_view keyword);

// Why there is no check yet for the requirements that `match` fits: an id, or with a dot at its end
// the beginning of ids.
struct Hole {
  std::string_view match;
  std::string_view reason;  // one sentence
};

class Catalogue {
 public:
  // The catalogue of this build.
  static const Catalogue& Get();

  // `by_id` holds indices into `all`, in the order of the ids. The catalogue copies none of it.
  Catalogue(std::span<const Requirement> all, std::span<const uint16_t> by_id,
            std::span<const Hole> holes, std::string_view hash)
      : all_(all), by_id_(by_id), holes_(holes), hash_(hash) {}

  // Area by area in the order of the standard, within an area in the order of the text; the derived
  // rows come last.
  std::span<const Requirement> all() const { return all_; }
  // nullptr if there is no such row.
  const Requirement* Find(std::string_view id) const;
  // `selector` is an id or the beginning of one up to a dot, which may be left out: "dev.blk"
  // selects all block rows, "" selects everything. In the order of all().
  std::vector<const Requirement*> Select(std::string_view selector) const;

  std::span<const Hole> holes() const { return holes_; }
  // The reason of the longest match; "" if none fits. A requirement that has a check is no hole,
  // whatever stands here.
  std::string_view HoleReason(std::string_view id) const;

  // SHA-256 over the data files, 64 hexadecimal digits.
  std::string_view hash() const { return hash_; }

 private:
  std::span<const Requirement> all_;
  std::span<const uint16_t> by_id_;
  std::span<const Hole> holes_;
  std::string_view hash_;
};

// True if `match`, as in Hole, fits the id.
bool Fits(std::string_view match, std::string_view id);

}  // namespace vitro
