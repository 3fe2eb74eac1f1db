// SPDX-License-Identifier: Apache-2.0
// SetSweep: feature sets tried one after the other on a device that lives in a process of its own.
// Which set is being tried stands in shared memory before it is, so that a device that crashes or
// hangs over a set costs that set only: the sweep goes on behind it with a fresh device.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/attach/attach.h"
#include "suite/checks/context.h"
#include "suite/combinations/feature_space.h"
#include "suite/run/run_check.h"

namespace vitro {

// Sets by number: all of a space in its order, or a list.
class SetWalk {
 public:
  // `space` is counted, and has fewer sets than 2^64.
  explicit SetWalk(FeatureSpace space);
  explicit SetWalk(std::vector<FeatureSet> list) : size_(list.size()), list_(std::move(list)) {}
  uint64_t size() const { return size_; }
  FeatureSet At(uint64_t n) const;
  // At(n + 1), where `set` is At(n): cheap.
  FeatureSet After(uint64_t n, FeatureSet set) const;

 private:
  uint64_t size_ = 0;
  std::optional<FeatureSpace> space_;
  std::vector<FeatureSet> list_;
};

struct SetFailure {
  uint64_t number = 0;  // in the walk
  FeatureSet set;
  Outcome outcome = Outcome::kFail;
  std::string because;
};

// How far a sweep has come. A sweep can go on from it.
struct SweepState {
  uint64_t next = 0;                    // number of the set to try next
  uint64_t taken = 0;                   // sets with which FEATURES_OK stayed set
  uint64_t not_observable = 0;          // sets that the attachment cannot carry
  std::array<uint64_t, 11> outcomes{};  // sets that did not pass, by Outcome
  std::vector<SetFailure> failures;     // the first of them, at most kMostFailures
  Duration took{0};

  static constexpr size_t kMostFailures = 1000;
  uint64_t failed() const;
};

enum class SweepEnd {
  kComplete,
  kStopped,        // by stop_fd
  kTimeUp,         // at `until`
  kTooManyDeaths,  // the device ended over kMostDeaths sets
  kDeviceGone,     // it cannot be attached any more
};

struct SweepOptions {
  RunOptions run;
  Duration limit = std::chrono::seconds(2);  // for one set
  int stop_fd = -1;
  std::optional<Clock::time_point> until;
  // Tries set number n in a session and tells whether it was taken. Empty: sets are negotiated and
  // nothing more, in a tight loop beside all sessions.
  std::function<bool(Context&, uint64_t n, FeatureSet)> trial;
  std::function<void(const SweepState&)> tick;  // about ten times a second; without failures
  // About once a second, with all there is, as it stands between two sets: a sweep can go on from
  // there, whatever becomes of this process.
  std::function<void()> checkpoint;

  static constexpr int kMostDeaths = 100;
};

struct SweepResult {
  SweepEnd end = SweepEnd::kComplete;
  std::string why;  // for kDeviceGone
};

// Tries the sets from state.next on and brings `state` up to date. An Error is the harness's own.
Result<SweepResult> SweepSets(const SetWalk& walk, Attachment& attachment, const DeviceFacts& facts,
                              const SweepOptions& options, SweepState& state);

// One negotiation as the tight loop does it. True if FEATURES_OK stayed set; kTimeout if the reset
// before it did not complete within `response`.
Result<bool> NegotiateQuickly(Transport& transport, FeatureSet set, Duration response);

}  // namespace vitro
