// SPDX-License-Identifier: Apache-2.0
#include "suite/run/sweep_progress.h"

#include <algorithm>
#include <cstring>

namespace vitro {

namespace {

constexpr int kMostReadings = 1000;

}  // namespace

void SweepProgress::Fail(const SetFailure& failure) {
  Open();
  Add(shared_.outcomes[static_cast<size_t>(failure.outcome)]);
  const uint32_t slot = shared_.recorded.load(std::memory_order_relaxed);
  if (slot >= SweepState::kMostFailures) return;
  Record& record = shared_.records[slot];
  record.number = failure.number;
  record.low = failure.set.word(0);
  record.high = failure.set.word(1);
  record.outcome = static_cast<uint32_t>(failure.outcome);
  const size_t length = std::min(failure.because.size(), sizeof record.because - 1);
  std::memcpy(record.because, failure.because.data(), length);
  record.because[length] = '\0';
  shared_.recorded.store(slot + 1, std::memory_order_release);
}

void SweepProgress::Load(const SweepState& state) {
  shared_.next.store(state.next);
  shared_.taken.store(state.taken);
  shared_.not_observable.store(state.not_observable);
  for (const SetFailure& failure : state.failures) Fail(failure);
  for (size_t i = 0; i < state.outcomes.size(); ++i) shared_.outcomes[i].store(state.outcomes[i]);
  shared_.edition.store(0);
}

void SweepProgress::StoreCounts(SweepState& state) const {
  state.next = next();
  state.taken = shared_.taken.load(std::memory_order_relaxed);
  state.not_observable = shared_.not_observable.load(std::memory_order_relaxed);
  for (size_t i = 0; i < state.outcomes.size(); ++i)
    state.outcomes[i] = shared_.outcomes[i].load(std::memory_order_relaxed);
}

// What was recorded once is never changed.
void SweepProgress::StoreFailures(SweepState& state, uint32_t count) const {
  state.failures.clear();
  for (uint32_t i = 0; i < count; ++i) {
    const Record& record = shared_.records[i];
    state.failures.push_back({record.number, FeatureSet::FromWords(record.low, record.high),
                              static_cast<Outcome>(record.outcome), record.because});
  }
}

bool SweepProgress::Snapshot(SweepState& state) const {
  for (int reading = 0; reading < kMostReadings; ++reading) {
    const uint64_t edition = shared_.edition.load(std::memory_order_acquire);
    if (edition % 2 != 0) continue;
    StoreCounts(state);
    const uint32_t recorded = shared_.recorded.load(std::memory_order_acquire);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (shared_.edition.load(std::memory_order_relaxed) != edition) continue;
    StoreFailures(state, recorded);
    return true;
  }
  return false;
}

void SweepProgress::Store(SweepState& state, bool with_failures) const {
  StoreCounts(state);
  if (with_failures) StoreFailures(state, shared_.recorded.load(std::memory_order_acquire));
}

}  // namespace vitro
