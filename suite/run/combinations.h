// SPDX-License-Identifier: Apache-2.0
// RunCombinations(): the feature sets of one device (2.2): which there are, which are tried, what
// came of it, and for those that failed, the fewest bits that it takes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "suite/checks/feature_sets.h"
#include "suite/combinations/shrink.h"
#include "suite/run/probe.h"
#include "suite/run/set_sweep.h"

namespace vitro {

struct CombinationOptions {
  SetDepth depth = SetDepth::kNegotiate;
  uint64_t budget = 1 << 20;         // sets
  std::optional<unsigned> strength;  // of the covering array; nullopt: the highest that fits
  RunOptions run;
  Duration limit = std::chrono::seconds(2);  // for one set
  int stop_fd = -1;
  std::optional<Clock::time_point> until;
  // About ten times a second; `what` is "valid sets", "invalid sets" or "reducing".
  std::function<void(const char* what, const SweepState&, uint64_t of)> tick;
  // About once a second, and before failures are reduced: the run as it would be if it were stopped
  // now. One can go on from there.
  std::function<void()> checkpoint;
};

// What failed, with everything taken away that does not matter.
struct ReducedFailure {
  Interaction interaction;
  Outcome outcome = Outcome::kFail;
  std::string because;
  uint64_t sets = 0;    // of those that were written down, how many it explains
  std::string program;  // its text; empty if nothing failed when tried alone
};

// Two bits have four values together.
struct PairCoverage {
  std::vector<unsigned> bits;
  // Row i has i digits: of how many of the four values of bits i and j < i there are valid sets,
  // and how many of them were tried.
  std::vector<std::string> possible, tried;
};

struct Combinations {
  NegotiableFeatures negotiable;
  std::optional<uint64_t> valid;  // how many sets; nullopt: 2^64 or more
  bool exhaustive = false;
  unsigned strength = 0;         // of the covering array otherwise
  std::vector<FeatureSet> sets;  // then
  uint64_t planned = 0;          // how many are tried
  SweepState sweep;              // of the valid sets
  SweepResult ended;
  std::vector<InvalidSet> invalid;
  SweepState invalid_sweep;
  SweepResult invalid_ended;
  std::vector<ReducedFailure> reduced;
  uint64_t unexplained = 0;  // failures that were written down and are not among them
  PairCoverage pairs;

  bool complete() const {
    return ended.end == SweepEnd::kComplete && invalid_ended.end == SweepEnd::kComplete;
  }
};

// Decides what is to be tried. kUsage if no plan fits the budget.
Result<Combinations> PlanRun(const Probed& probed, const CombinationOptions& options);
// Tries what `run` has not tried yet, and reduces what failed.
Result<> RunCombinations(Attachment& attachment, const Probed& probed,
                         const CombinationOptions& options, Combinations& run);

}  // namespace vitro
