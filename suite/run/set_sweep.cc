// SPDX-License-Identifier: Apache-2.0
#include "suite/run/set_sweep.h"

#include <poll.h>

#include <algorithm>
#include <numeric>

#include "suite/run/isolate.h"
#include "suite/run/sweep_progress.h"
#include "suite/run/sweep_worker.h"

namespace vitro {
namespace {

constexpr int kTickMs = 100;
constexpr Duration kAttachLimit = std::chrono::seconds(20);
constexpr int kMostAttachFailures = 3;
constexpr Duration kCheckpoint = std::chrono::seconds(1);
// The worker as a whole has none of its own.
constexpr Duration kNoLimit = std::chrono::hours(24 * 365);

// One worker from its start to its end.
class Supervisor {
 public:
  Supervisor(const SetWalk& walk, Attachment& attachment, const DeviceFacts& facts,
             const SweepOptions& options, SweepState& state)
      : walk_(walk), attachment_(attachment), facts_(facts), options_(options), state_(state) {
    progress_.Load(state);
  }

  Result<SweepResult> Run() {
    const Duration before = state_.took;
    const auto start = Clock::now();
    auto result = RunAll([&] {
      state_.took = before + (Clock::now() - start);
      progress_.Store(state_, false);
      if (options_.tick) options_.tick(state_);
      Checkpoint();
    });
    state_.took = before + (Clock::now() - start);
    progress_.Store(state_, true);
    return result;
  }

 private:
  void Checkpoint() {
    if (!options_.checkpoint || !checkpoint_at_.Passed()) return;
    const SweepState before = state_;
    if (!progress_.Snapshot(state_)) {
      state_ = before;
      return;
    }
    checkpoint_at_ = Deadline::After(kCheckpoint);
    options_.checkpoint();
  }

  template <typename Tick>
  Result<SweepResult> RunAll(Tick tick) {
    int deaths = 0, attach_failures = 0;
    while (progress_.next() < walk_.size()) {
      VITRO_ASSIGN(auto job, IsolatedJob::Start(
                                 [this](FlightRecorder&) {
                                   return WorkThroughSets(walk_, attachment_, facts_, options_,
                                                          progress_);
                                 },
                                 kNoLimit));
      const uint64_t from = progress_.next();
      std::optional<SweepEnd> early;
      const auto ending = Watch(*job, tick, early);
      if (early) return SweepResult{*early, ""};
      if (progress_.next() != from) attach_failures = 0;
      if (ending && ending->answer && ending->answer->empty()) continue;
      if (progress_.busy()) {
        Bury(ending);
        if (++deaths >= SweepOptions::kMostDeaths) return SweepResult{SweepEnd::kTooManyDeaths, ""};
      } else if (++attach_failures >= kMostAttachFailures) {
        return SweepResult{SweepEnd::kDeviceGone, WhyGone(ending)};
      }
    }
    return SweepResult{};
  }

  // nullopt: it was killed, because it stood still or the sweep shall end.
  template <typename Tick>
  std::optional<IsolatedJob::Ending> Watch(IsolatedJob& job, Tick tick,
                                           std::optional<SweepEnd>& early) {
    uint64_t last = progress_.next();
    bool was_busy = progress_.busy();
    auto moved = Clock::now();
    for (;;) {
      pollfd fds[] = {{job.fd(), POLLIN, 0}, {options_.stop_fd, POLLIN, 0}};
      ::poll(fds, 2, kTickMs);
      tick();
      if (auto ending = job.Advance()) return ending;
      if (fds[1].revents != 0) early = SweepEnd::kStopped;
      if (options_.until && Clock::now() >= *options_.until) early = SweepEnd::kTimeUp;
      if (early) return std::nullopt;
      if (progress_.next() != last || progress_.busy() != was_busy) {
        last = progress_.next();
        was_busy = progress_.busy();
        moved = Clock::now();
      }
      const Duration limit = was_busy ? options_.limit : std::max(options_.limit, kAttachLimit);
      if (Clock::now() - moved > limit) return std::nullopt;
    }
  }

  // Writes down the set over which the device ended, and steps over it.
  void Bury(const std::optional<IsolatedJob::Ending>& ending) {
    SetFailure failure{progress_.next(), progress_.set(), Outcome::kHang, ""};
    if (!ending) {
      failure.because =
          fmt::format("no answer within {} ms",
                      std::chrono::duration_cast<milliseconds>(options_.limit).count());
    } else {
      failure.outcome = Outcome::kCrash;
      failure.because = "the process that the device lives in was " + ending->how;
    }
    progress_.Fail(failure);
    progress_.Done(failure.number, false);
  }

  static std::string WhyGone(const std::optional<IsolatedJob::Ending>& ending) {
    if (!ending) return "it could not be attached again: no answer in time";
    if (ending->answer) return *ending->answer;
    return "its process was " + ending->how + " while it was attached";
  }

  const SetWalk& walk_;
  Attachment& attachment_;
  const DeviceFacts& facts_;
  const SweepOptions& options_;
  SweepState& state_;
  SweepProgress progress_;
  Deadline checkpoint_at_ = Deadline::After(kCheckpoint);
};

}  // namespace

SetWalk::SetWalk(FeatureSpace space) : size_(space.Count().value_or(0)), space_(std::move(space)) {}

FeatureSet SetWalk::At(uint64_t n) const {
  return space_ ? space_->At(n) : list_[static_cast<size_t>(n)];
}

FeatureSet SetWalk::After(uint64_t n, FeatureSet set) const {
  return space_ ? space_->Next(set).value_or(set) : list_[static_cast<size_t>(n + 1)];
}

uint64_t SweepState::failed() const {
  return std::accumulate(outcomes.begin(), outcomes.end(), uint64_t{0});
}

Result<SweepResult> SweepSets(const SetWalk& walk, Attachment& attachment, const DeviceFacts& facts,
                              const SweepOptions& options, SweepState& state) {
  return Supervisor(walk, attachment, facts, options, state).Run();
}

}  // namespace vitro
