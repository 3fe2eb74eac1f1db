// SPDX-License-Identifier: Apache-2.0
#include "suite/combinations/covering_array.h"

#include <algorithm>
#include <random>
#include <utility>

#include "suite/combinations/tuples.h"

namespace vitro {
namespace {

// A tuple takes a byte while a parameter is added.
constexpr uint64_t kMaxTuples = uint64_t{1} << 28;
constexpr uint64_t kLookUp = 50;  // steps that it takes to see whether a tuple occurs
// Reducing looks at all tuples of all rows again and again: up to so many, so often.
constexpr uint64_t kReduceWork = 10'000'000;
constexpr unsigned kReduceRounds = 40;  // in a row without success

class Ipog {
 public:
  Ipog(const RowSpace& space, unsigned strength, const CoverLimits& limits);
  std::optional<std::vector<Row>> Run();

 private:
  bool Start();
  bool Add(size_t column);
  void Extend(const Tuples& tuples, unsigned parameter);
  bool Grow(const Tuples& tuples);
  void Place(const Settings& settings);
  // Whether the tuple occurs in any allowed row.
  bool Occurs(const Settings& settings);
  bool Decide(Row& row, const Settings& settings);
  void Fill();
  void Reduce();
  void Loosen(const Tuples& tuples, std::vector<uint16_t>& times, Row& row);
  bool Merge();
  bool Work(uint64_t steps) {
    work_ += steps;
    return work_ <= limits_.max_work && rows_.size() <= limits_.max_rows;
  }
  uint64_t Extending(uint64_t choices) const { return choices * rows_.size() * strength_; }
  size_t Pick(size_t n) { return static_cast<size_t>(random_() % n); }

  const RowSpace& space_;
  const Model& model_;
  CoverLimits limits_;
  std::mt19937_64 random_;
  std::vector<unsigned> columns_;  // parameters with a choice, those with most values first
  unsigned strength_;
  std::vector<Row> rows_;
  std::vector<uint8_t> open_;  // of each tuple with the parameter that is being added
  uint64_t work_ = 0;
};

Ipog::Ipog(const RowSpace& space, unsigned strength, const CoverLimits& limits)
    : space_(space), model_(space.model()), limits_(limits), random_(limits.seed) {
  for (unsigned parameter = 0; parameter < model_.values.size(); ++parameter)
    if (space_.ValuesOf(parameter).size() > 1) columns_.push_back(parameter);
  std::sort(columns_.begin(), columns_.end(), [&](unsigned a, unsigned b) {
    return std::pair(model_.values[b], a) < std::pair(model_.values[a], b);
  });
  strength_ = static_cast<unsigned>(std::min<size_t>(strength, columns_.size()));
}

std::optional<std::vector<Row>> Ipog::Run() {
  if (space_.CountRows() == 0u) return rows_;
  if (!Start()) return std::nullopt;
  for (size_t column = strength_; column < columns_.size(); ++column)
    if (!Add(column)) return std::nullopt;
  Fill();
  Reduce();
  return std::move(rows_);
}

// All that the first parameters can be together.
bool Ipog::Start() {
  uint64_t least_rows = 1;
  for (unsigned i = 0; i < strength_; ++i) least_rows *= model_.values[columns_[i]];
  if (least_rows > kMaxTuples) return false;
  const std::vector<unsigned> first(columns_.begin(), columns_.begin() + strength_);
  const Tuples tuples(model_, first, strength_);
  const Row nothing(model_.values.size(), kAny);
  for (size_t tuple = 0; tuple < tuples.count(); ++tuple) {
    Row row = nothing;
    if (Decide(row, tuples.Decode(0, tuple))) rows_.push_back(std::move(row));
    if (!Work(1)) return false;
  }
  // Each of these rows will be looked at for each choice of parameters: what is sure to take too
  // long is not begun.
  return columns_.size() == strength_ ||
         CoverWork(columns_.size(), strength_, rows_.size()) <= limits_.max_work;
}

bool Ipog::Add(size_t column) {
  const unsigned parameter = columns_[column];
  uint64_t values = model_.values[parameter];
  for (unsigned i = 0; i + 1 < strength_; ++i) values *= model_.values[columns_[i]];
  const uint64_t choices = Tuples::Choices(column, strength_ - 1);
  if (choices > kMaxTuples / values || !Work(Extending(choices))) return false;
  const std::vector<unsigned> before(columns_.begin(),
                                     columns_.begin() + static_cast<std::ptrdiff_t>(column));
  const Tuples tuples(model_, before, strength_ - 1, parameter);
  open_.assign(tuples.count(), 1);
  Extend(tuples, parameter);
  return Grow(tuples);
}

// Each row gets the value of the parameter with which it covers most that is still open.
void Ipog::Extend(const Tuples& tuples, unsigned parameter) {
  const unsigned values = model_.values[parameter];
  std::vector<uint64_t> used(values);
  std::vector<size_t> of_row;
  for (Row& row : rows_) {
    std::vector<uint64_t> gain(values);
    of_row.clear();
    row[parameter] = 0;
    tuples.ForEach(row, [&](size_t, size_t tuple) {
      of_row.push_back(tuple);
      for (unsigned value = 0; value < values; ++value) gain[value] += open_[tuple + value];
    });
    std::optional<unsigned> best;
    const size_t from = Pick(values);
    for (unsigned i = 0; i < values; ++i) {
      const auto value = static_cast<unsigned>((from + i) % values);
      row[parameter] = static_cast<uint16_t>(value);
      if (gain[value] == 0 || !space_.StillPossible(row, parameter)) continue;
      if (!best || std::pair(gain[value], used[*best]) > std::pair(gain[*best], used[value]))
        best = value;
    }
    row[parameter] = kAny;
    if (!best) continue;
    row[parameter] = static_cast<uint16_t>(*best);
    ++used[*best];
    for (size_t tuple : of_row) open_[tuple + *best] = 0;
  }
}

// What is open still goes where rows are undecided, or into new ones.
bool Ipog::Grow(const Tuples& tuples) {
  for (size_t choice = 0; choice < tuples.choices(); ++choice)
    for (size_t tuple = tuples.First(choice); tuple < tuples.End(choice); ++tuple) {
      if (!open_[tuple]) continue;
      const Settings settings = tuples.Decode(choice, tuple);
      if (!Work(kLookUp)) return false;
      if (!Occurs(settings)) continue;
      Place(settings);
      if (!Work(rows_.size() * strength_)) return false;
    }
  return true;
}

void Ipog::Place(const Settings& settings) {
  Row* best = nullptr;
  size_t least = settings.size() + 1;
  for (Row& row : rows_) {
    size_t undecided = 0;
    bool fits = true;
    for (const Setting& setting : settings) {
      undecided += row[setting.parameter] == kAny;
      fits = fits && (row[setting.parameter] == kAny || row[setting.parameter] == setting.value);
    }
    if (!fits || undecided >= least) continue;
    if (undecided == 0) return;
    Row decided = row;
    if (!Decide(decided, settings)) continue;
    best = &row;
    least = undecided;
  }
  if (!best) best = &rows_.emplace_back(model_.values.size(), kAny);
  Decide(*best, settings);
}

bool Ipog::Occurs(const Settings& settings) {
  Row row(model_.values.size(), kAny);
  return Decide(row, settings);
}

bool Ipog::Decide(Row& row, const Settings& settings) {
  for (const Setting& setting : settings)
    row[setting.parameter] = static_cast<uint16_t>(setting.value);
  return space_.StillPossible(row, settings);
}

void Ipog::Fill() {
  Row wish(model_.values.size());
  for (Row& row : rows_) {
    for (size_t i = 0; i < wish.size(); ++i)
      wish[i] = static_cast<uint16_t>(Pick(model_.values[i]));
    row = *space_.Complete(row, wish);
  }
}

// Undecides what no tuple needs, row by row, merges rows that then fit together, and fills anew.
void Ipog::Reduce() {
  const uint64_t choices = Tuples::Choices(columns_.size(), strength_);
  if (columns_.size() == strength_ || choices * rows_.size() > kReduceWork / 4) return;
  const Tuples tuples(model_, columns_, strength_);
  if (tuples.count() > kReduceWork) return;
  uint64_t work = 0;
  for (unsigned round = 0; round < kReduceRounds && work < kReduceWork; ++round) {
    const size_t before = rows_.size();
    work += choices * rows_.size();
    std::vector<uint16_t> times(tuples.count());
    for (const Row& row : rows_) tuples.ForEach(row, [&](size_t, size_t tuple) { ++times[tuple]; });
    std::shuffle(rows_.begin(), rows_.end(), random_);
    for (Row& row : rows_) Loosen(tuples, times, row);
    while (Merge()) {
    }
    Fill();
    if (rows_.size() < before) round = 0;
  }
}

// Keeps what this row alone covers.
void Ipog::Loosen(const Tuples& tuples, std::vector<uint16_t>& times, Row& row) {
  std::vector<char> needed(row.size());
  tuples.ForEach(row, [&](size_t choice, size_t tuple) {
    if (times[tuple] != 1) return;
    for (unsigned i = 0; i < tuples.size(); ++i) needed[tuples.Chosen(choice)[i]] = true;
  });
  Row loose = row;
  for (size_t i = 0; i < row.size(); ++i)
    if (!needed[i]) loose[i] = kAny;
  tuples.ForEach(row, [&](size_t, size_t tuple) { --times[tuple]; });
  tuples.ForEach(loose, [&](size_t, size_t tuple) { ++times[tuple]; });
  row = std::move(loose);
}

// Merges two rows, if any fit together.
bool Ipog::Merge() {
  for (size_t i = 0; i < rows_.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      Row both = rows_[j];
      bool fits = true;
      for (size_t p = 0; fits && p < both.size(); ++p) {
        fits = both[p] == kAny || rows_[i][p] == kAny || both[p] == rows_[i][p];
        if (both[p] == kAny) both[p] = rows_[i][p];
      }
      if (!fits || !space_.Possible(both)) continue;
      rows_[j] = std::move(both);
      rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    }
  return false;
}

}  // namespace

uint64_t CoverWork(uint64_t parameters, unsigned strength, uint64_t rows) {
  return Tuples::Choices(parameters, strength) * rows * strength;
}

std::optional<std::vector<Row>> Cover(const RowSpace& space, unsigned strength,
                                      const CoverLimits& limits) {
  return Ipog(space, strength, limits).Run();
}

std::optional<std::vector<FeatureSet>> CoverFeatures(const FeatureSpace& space, unsigned strength,
                                                     const CoverLimits& limits) {
  const auto rows = Cover(space.rows(), strength, limits);
  if (!rows) return std::nullopt;
  std::vector<FeatureSet> sets;
  for (const Row& row : *rows) sets.push_back(space.FromRow(row));
  return sets;
}

}  // namespace vitro
