// SPDX-License-Identifier: Apache-2.0
#include "suite/run/sweep_progress.h"

#include <algorithm>
#include <cstring>

namespace vitro {

void SweepProgress::Fail(const SetFailure& failure) {
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
}

void SweepProgress::Store(SweepState& state, bool with_failures) const {
  state.next = next();
  state.taken = shared_.taken.load();
  state.not_observable = shared_.not_observable.load();
  for (size_t i = 0; i < state.outcomes.size(); ++i) state.outcomes[i] = shared_.outcomes[i].load();
  if (!with_failures) return;
  state.failures.clear();
  for (uint32_t i = 0; i < shared_.recorded.load(std::memory_order_acquire); ++i) {
    const Record& record = shared_.records[i];
    state.failures.push_back({record.number, FeatureSet::FromWords(record.low, record.high),
                              static_cast<Outcome>(record.outcome), record.because});
  }
}

}  // namespace vitro
