// SPDX-License-Identifier: Apache-2.0
// SweepProgress: how far a sweep has come, in memory that outlives the process that writes it. One
// writer at a time; lock-free, because the writer may die at any instant.
#pragma once

#include <atomic>
#include <boost/interprocess/anonymous_shared_memory.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <string_view>

#include "suite/run/set_sweep.h"

namespace vitro {

class SweepProgress {
 public:
  SweepProgress()
      : region_(boost::interprocess::anonymous_shared_memory(sizeof(Shared))),
        shared_(*static_cast<Shared*>(region_.get_address())) {}

  // The writer. Begin() before a set is tried, Done() after.
  void Begin(uint64_t number, FeatureSet set) {
    shared_.next.store(number, std::memory_order_relaxed);
    shared_.low.store(set.word(0), std::memory_order_relaxed);
    shared_.high.store(set.word(1), std::memory_order_relaxed);
    shared_.busy.store(1, std::memory_order_release);
  }
  void Done(uint64_t number, bool taken) {
    Open();
    if (taken) Add(shared_.taken);
    shared_.next.store(number + 1, std::memory_order_relaxed);
    shared_.busy.store(0, std::memory_order_release);
    shared_.edition.store(shared_.edition.load(std::memory_order_relaxed) + 1,
                          std::memory_order_release);
  }
  void Fail(const SetFailure& failure);
  void NotObservable() {
    Open();
    Add(shared_.not_observable);
  }

  // The reader, and the writer once the one before it has ended.
  bool busy() const { return shared_.busy.load(std::memory_order_acquire) != 0; }
  uint64_t next() const { return shared_.next.load(std::memory_order_relaxed); }
  FeatureSet set() const {
    return FeatureSet::FromWords(shared_.low.load(std::memory_order_relaxed),
                                 shared_.high.load(std::memory_order_relaxed));
  }
  void Load(const SweepState& state);
  // The same at any time, as it stood between two sets. False where it never stands still for that
  // long; then `state` is of no use.
  bool Snapshot(SweepState& state) const;
  // All but the time.
  void Store(SweepState& state, bool with_failures) const;

 private:
  struct Record {
    uint64_t number, low, high;
    uint32_t outcome;
    char because[236];
  };
  using Counter = std::atomic<uint64_t>;
  struct Shared {
    Counter edition;  // odd while what a set came to is being written down
    Counter next, low, high, taken, not_observable;
    std::atomic<uint32_t> busy, recorded;
    Counter outcomes[11];
    Record records[SweepState::kMostFailures];
  };
  static_assert(Counter::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free);
  // There is one writer.
  static void Add(Counter& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // From here to the end of Done() nobody may believe what stands here.
  void Open() {
    shared_.edition.store(shared_.edition.load(std::memory_order_relaxed) | 1,
                          std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
  }
  void StoreCounts(SweepState& state) const;
  void StoreFailures(SweepState& state, uint32_t count) const;

  boost::interprocess::mapped_region region_;
  Shared& shared_;
};

}  // namespace vitro
