// SPDX-License-Identifier: Apache-2.0
#include "suite/run/runner.h"

#include <poll.h>

#include <algorithm>
#include <deque>

#include "suite/run/isolated_check.h"

namespace vitro {
namespace {

constexpr int kTickMs = 100;

struct Running {
  size_t index;  // of the check
  std::unique_ptr<IsolatedJob> job;
  bool renewed;  // the device has served other checks
};

CheckResult NotAsked(const Check& check, const Inapplicable& why) {
  CheckResult result;
  result.id = check.id;
  result.outcome = why.observable ? Outcome::kNotApplicable : Outcome::kNotObservable;
  result.because = why.why;
  return result;
}

bool IsClean(Outcome outcome) {
  return outcome == Outcome::kPass || outcome == Outcome::kNotApplicable ||
         outcome == Outcome::kNotObservable;
}

class Run {
 public:
  Run(const std::vector<const Check*>& checks, Attachment& attachment, const Probed& probed,
      const RunnerOptions& options)
      : checks_(checks), attachment_(attachment), probed_(probed), options_(options) {
    for (size_t i = 0; i < checks.size(); ++i) waiting_.push_back(i);
  }

  Result<bool> Execute() {
    while (!waiting_.empty() || !again_.empty() || !running_.empty()) {
      VITRO_TRY(StartMore());
      if (Stopped()) return false;  // what runs is ended by its destructor
      Advance();
      if (options_.tick) options_.tick();
    }
    return true;
  }

 private:
  bool Full() const { return running_.size() >= std::max(1u, options_.jobs); }

  Result<> StartMore() {
    while (!again_.empty() && !Full()) {
      const size_t index = again_.front();
      again_.pop_front();
      VITRO_TRY(Start(index, false));
    }
    while (!waiting_.empty() && !Full()) {
      const size_t index = waiting_.front();
      waiting_.pop_front();
      const Check& check = *checks_[index];
      if (auto why = WhyInapplicable(check, probed_.facts, probed_.abilities)) {
        if (options_.finished) options_.finished(check, NotAsked(check, *why));
        continue;
      }
      if (options_.started) options_.started(check);
      VITRO_TRY(Start(index, MayRenew(check)));
    }
    return {};
  }

  // After hostile input a device is not what it was, and it should be fresh before.
  bool MayRenew(const Check& check) const {
    return attachment_.renewable() && !options_.fresh && !check.HasTag("hostile");
  }

  Result<> Start(size_t index, bool may_renew) {
    Running next{index, nullptr, may_renew && !idle_.empty()};
    if (next.renewed) {
      next.job = std::move(idle_.back());
      idle_.pop_back();
    } else {
      VITRO_ASSIGN(next.job, ServeChecks(checks_, attachment_, probed_.facts, options_.run));
    }
    VITRO_TRY(next.job->Ask(index, options_.limit));
    running_.push_back(std::move(next));
    return {};
  }

  bool Stopped() const {
    std::vector<pollfd> fds = {{options_.stop_fd, POLLIN, 0}};
    int timeout = running_.empty() ? 0 : kTickMs;
    for (const Running& each : running_) {
      fds.push_back({each.job->fd(), POLLIN, 0});
      timeout = std::min(timeout, each.job->deadline().LeftMs());
    }
    ::poll(fds.data(), fds.size(), timeout);
    return fds[0].revents != 0;
  }

  void Advance() {
    std::erase_if(running_, [&](Running& each) {
      auto ending = each.job->Advance();
      if (!ending) return false;
      Finish(each, *ending);
      return true;
    });
  }

  void Finish(Running& ended, const IsolatedJob::Ending& ending) {
    const Check& check = *checks_[ended.index];
    const CheckResult result = ResultOf(check.id, options_.run.seed, ending);
    const bool clean = IsClean(result.outcome);
    if (clean && ended.job->idle() && MayRenew(check)) idle_.push_back(std::move(ended.job));
    // What a renewed device remembers must not be held against it.
    if (!clean && ended.renewed)
      again_.push_back(ended.index);
    else if (options_.finished)
      options_.finished(check, result);
  }

  const std::vector<const Check*>& checks_;
  Attachment& attachment_;
  const Probed& probed_;
  const RunnerOptions& options_;
  std::deque<size_t> waiting_, again_;  // indices of checks
  std::vector<Running> running_;
  std::vector<std::unique_ptr<IsolatedJob>> idle_;  // with a device that can be renewed
};

}  // namespace

Result<bool> RunChecks(const std::vector<const Check*>& checks, Attachment& attachment,
                       const Probed& probed, const RunnerOptions& options) {
  return Run(checks, attachment, probed, options).Execute();
}

}  // namespace vitro
