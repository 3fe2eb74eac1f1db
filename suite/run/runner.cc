// SPDX-License-Identifier: Apache-2.0
#include "suite/run/runner.h"

#include <poll.h>

#include <algorithm>

#include "suite/run/isolated_check.h"

namespace vitro {
namespace {

constexpr int kTickMs = 100;

struct Running {
  const Check* check;
  std::unique_ptr<IsolatedJob> job;
};

CheckResult NotAsked(const Check& check, const Inapplicable& why) {
  CheckResult result;
  result.id = check.id;
  result.outcome = why.observable ? Outcome::kNotApplicable : Outcome::kNotObservable;
  result.because = why.why;
  return result;
}

}  // namespace

Result<bool> RunChecks(const std::vector<const Check*>& checks, Attachment& attachment,
                       const Probed& probed, const RunnerOptions& options) {
  std::vector<Running> running;
  size_t next = 0;
  while (next < checks.size() || !running.empty()) {
    while (next < checks.size() && running.size() < std::max(1u, options.jobs)) {
      const Check& check = *checks[next++];
      if (auto why = WhyInapplicable(check, probed.facts, probed.abilities)) {
        if (options.finished) options.finished(check, NotAsked(check, *why));
        continue;
      }
      if (options.started) options.started(check);
      VITRO_ASSIGN(auto job,
                   StartCheck(check, attachment, probed.facts, options.run, options.limit));
      running.push_back({&check, std::move(job)});
    }
    std::vector<pollfd> fds = {{options.stop_fd, POLLIN, 0}};
    int timeout = kTickMs;
    for (const Running& each : running) {
      fds.push_back({each.job->fd(), POLLIN, 0});
      timeout = std::min(timeout, each.job->deadline().LeftMs());
    }
    if (running.empty()) timeout = 0;
    ::poll(fds.data(), fds.size(), timeout);
    if (fds[0].revents != 0) return false;  // what runs is ended by its destructor
    std::erase_if(running, [&](Running& each) {
      auto ending = each.job->Advance();
      if (!ending) return false;
      if (options.finished)
        options.finished(*each.check, ResultOf(each.check->id, options.run.seed, *ending));
      return true;
    });
    if (options.tick) options.tick();
  }
  return true;
}

}  // namespace vitro
