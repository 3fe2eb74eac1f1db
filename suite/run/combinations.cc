// SPDX-License-Identifier: Apache-2.0
#include "suite/run/combinations.h"

#include <poll.h>

#include <algorithm>
#include <bit>

#include "suite/combinations/plan.h"
#include "suite/run/isolated_check.h"

namespace vitro {
namespace {

// How long failures are reduced for, all together. Trying a set alone costs what attaching costs.
constexpr Duration kReduceTime = std::chrono::seconds(60);
// Each try of a set that hangs lasts as long as its limit.
constexpr unsigned kMostTriesOfHangs = 60;

// Sets that the picture of pairs is made from, of a walk that was broken off.
constexpr uint64_t kMostForPairs = 1 << 17;

SetWalk WalkOf(const Combinations& run) {
  if (run.exhaustive) return SetWalk(run.negotiable.Space());
  return SetWalk(run.sets);
}

// One set as a check, so that it runs in a process of its own and leaves a program behind.
Check SetCheck(FeatureSet set, SetDepth depth) {
  Check check;
  check.id = "features.combinations.set";
  check.title = "A valid set of features is taken, and the device works with it";
  check.section = "2.2.2";
  check.run = [=](Context& c) { TrySet(c, set, depth); };
  return check;
}

class Runner {
 public:
  Runner(Attachment& attachment, const Probed& probed, const CombinationOptions& options,
         Combinations& run)
      : attachment_(attachment),
        facts_(probed.facts),
        options_(options),
        run_(run),
        space_(run.negotiable.Space()) {}

  Result<> Run() {
    VITRO_TRY(SweepValid());
    if (run_.ended.end == SweepEnd::kComplete) VITRO_TRY(SweepInvalid());
    if (run_.complete() && run_.sweep.failed() != 0) Checkpoint(run_.invalid_ended);
    if (run_.ended.end != SweepEnd::kDeviceGone) VITRO_TRY(ReduceAll());
    DrawPairs();
    return {};
  }

 private:
  SweepOptions OptionsFor(const char* what, uint64_t of, SweepResult& ended) {
    SweepOptions sweep;
    sweep.run = options_.run;
    sweep.limit = options_.limit;
    sweep.stop_fd = options_.stop_fd;
    sweep.until = options_.until;
    sweep.tick = [this, what, of](const SweepState& state) {
      if (options_.tick) options_.tick(what, state, of);
    };
    sweep.checkpoint = [this, &ended] { Checkpoint(ended); };
    return sweep;
  }

  void Checkpoint(SweepResult& ended) {
    if (!options_.checkpoint) return;
    const SweepResult before = std::exchange(ended, {SweepEnd::kStopped, ""});
    options_.checkpoint();
    ended = before;
  }

  Result<> SweepValid() {
    SweepOptions sweep = OptionsFor("valid sets", run_.planned, run_.ended);
    if (options_.depth != SetDepth::kNegotiate)
      sweep.trial = [this](Context& c, uint64_t, FeatureSet set) {
        return TrySet(c, set, options_.depth);
      };
    VITRO_ASSIGN(run_.ended, SweepSets(WalkOf(run_), attachment_, facts_, sweep, run_.sweep));
    return {};
  }

  Result<> SweepInvalid() {
    std::vector<FeatureSet> sets;
    for (const InvalidSet& invalid : run_.invalid) sets.push_back(invalid.set);
    SweepOptions sweep = OptionsFor("invalid sets", sets.size(), run_.invalid_ended);
    const FeatureSet valid = space_.Nearest({}).value_or(run_.negotiable.always);
    sweep.trial = [this, valid](Context& c, uint64_t n, FeatureSet) {
      return TryInvalidSet(c, run_.invalid[static_cast<size_t>(n)], valid);
    };
    VITRO_ASSIGN(run_.invalid_ended, SweepSets(SetWalk(std::move(sets)), attachment_, facts_, sweep,
                                               run_.invalid_sweep));
    return {};
  }

  Result<CheckResult> TryAlone(FeatureSet set) {
    const Check check = SetCheck(set, options_.depth);
    // Attaching counts here, which takes some devices a while.
    const Duration limit = options_.limit + std::chrono::seconds(3);
    VITRO_ASSIGN(auto job, StartCheck(check, attachment_, facts_, options_.run, limit));
    return ResultOf(check.id, options_.run.seed, job->Wait());
  }

  Result<> ReduceAll() {
    run_.reduced.clear();
    reduce_until_ = Deadline::After(kReduceTime);
    for (const Outcome outcome : {Outcome::kCrash, Outcome::kHang, Outcome::kDeviceLost,
                                  Outcome::kFail, Outcome::kWarn, Outcome::kInfo})
      VITRO_TRY(Reduce(outcome));
    run_.unexplained = run_.sweep.failures.size();
    for (const ReducedFailure& reduced : run_.reduced)
      run_.unexplained -= std::min(run_.unexplained, reduced.sets);
    return {};
  }

  bool NoMoreTime() const {
    pollfd stop = {options_.stop_fd, POLLIN, 0};
    return reduce_until_.Passed() || ::poll(&stop, 1, 0) > 0;
  }

  // As in the sweep: attaching does not count towards the limit, and no program is kept.
  bool Ended(FeatureSet set, Outcome outcome) {
    if (NoMoreTime()) return false;
    SweepOptions sweep;
    sweep.run = options_.run;
    sweep.limit = options_.limit;
    sweep.trial = [&](Context& c, uint64_t, FeatureSet each) {
      return TrySet(c, each, options_.depth);
    };
    SweepState state;
    const auto swept = SweepSets(SetWalk({set}), attachment_, facts_, sweep, state);
    if (options_.tick) options_.tick("reducing", run_.sweep, run_.planned);
    return swept && !state.failures.empty() && state.failures.front().outcome == outcome;
  }

  // What ends alike is reduced together.
  Result<> Reduce(Outcome outcome) {
    std::vector<FeatureSet> failing;
    for (const SetFailure& failure : run_.sweep.failures)
      if (failure.outcome == outcome) failing.push_back(failure.set);
    if (failing.empty() || NoMoreTime()) return {};
    ShrinkLimits limits;
    limits.seed = options_.run.seed;
    if (outcome == Outcome::kHang) limits.max_tries = kMostTriesOfHangs;
    const auto fails = [&](FeatureSet set) { return Ended(set, outcome); };
    for (const Interaction& interaction : Shrink(space_, failing, fails, limits))
      VITRO_TRY(AddReduced(interaction, outcome));
    return {};
  }

  Result<> AddReduced(const Interaction& interaction, Outcome outcome) {
    // Nothing was tried for this one.
    if (!interaction.reproduced && NoMoreTime()) return {};
    ReducedFailure reduced;
    reduced.interaction = interaction;
    reduced.interaction.complete = interaction.complete && !NoMoreTime();
    reduced.outcome = outcome;
    for (const SetFailure& failure : run_.sweep.failures) {
      if (failure.outcome != outcome) continue;
      if (failure.set == interaction.example) reduced.because = failure.because;
      reduced.sets += failure.set == interaction.example || interaction.Explains(failure.set);
    }
    if (interaction.reproduced) {
      // The smallest set that shows it.
      const auto least = space_.Nearest({}, interaction.on, interaction.off);
      VITRO_ASSIGN(const CheckResult alone, TryAlone(least.value_or(interaction.example)));
      if (alone.outcome == outcome) {
        // The limit of a hang is another one there.
        if (outcome != Outcome::kHang) reduced.because = alone.because;
        reduced.program = alone.program;
      }
    }
    run_.reduced.push_back(std::move(reduced));
    return {};
  }

  // For each pair of bits i > j, a bit for each of their four values together.
  using Seen = std::vector<std::vector<uint8_t>>;
  static unsigned Value(FeatureSet set, unsigned i, unsigned j) {
    return (set.Has(i) ? 2u : 0u) + (set.Has(j) ? 1u : 0u);
  }

  Seen PossiblePairs(const std::vector<unsigned>& bits) const {
    Seen seen;
    for (size_t i = 0; i < bits.size(); ++i) {
      seen.emplace_back(i, uint8_t{0});
      for (size_t j = 0; j < i; ++j)
        for (unsigned value = 0; value < 4; ++value) {
          FeatureSet on, off;
          ((value & 2) != 0 ? on : off).Add(bits[i]);
          ((value & 1) != 0 ? on : off).Add(bits[j]);
          if (space_.Nearest({}, on, off)) seen[i][j] |= static_cast<uint8_t>(1u << value);
        }
    }
    return seen;
  }

  void DrawPairs() {
    const std::vector<unsigned>& bits = space_.free_bits();
    const Seen possible = PossiblePairs(bits);
    Seen tried;
    for (size_t i = 0; i < bits.size(); ++i) tried.emplace_back(i, uint8_t{0});
    const SetWalk walk = WalkOf(run_);
    const bool all = run_.exhaustive && run_.sweep.next == run_.planned;
    // An odd distance, so that no bit stands still.
    const uint64_t step = run_.sweep.next / kMostForPairs | 1;
    for (uint64_t n = 0; n < run_.sweep.next && !all; n += step) {
      const FeatureSet set = walk.At(n);
      for (size_t i = 0; i < bits.size(); ++i)
        for (size_t j = 0; j < i; ++j)
          tried[i][j] |= static_cast<uint8_t>(1u << Value(set, bits[i], bits[j]));
    }
    if (all) tried = possible;
    run_.pairs = {bits, Digits(possible), Digits(tried)};
  }

  static std::vector<std::string> Digits(const Seen& seen) {
    std::vector<std::string> rows;
    for (const auto& row : seen) {
      rows.emplace_back();
      for (const uint8_t values : row)
        rows.back() += static_cast<char>('0' + std::popcount(values));
    }
    return rows;
  }

  Attachment& attachment_;
  const DeviceFacts& facts_;
  const CombinationOptions& options_;
  Combinations& run_;
  FeatureSpace space_;
  Deadline reduce_until_ = Deadline::After(kReduceTime);
};

}  // namespace

Result<Combinations> PlanRun(const Probed& probed, const CombinationOptions& options) {
  Combinations run;
  run.negotiable = FindNegotiable(probed.facts);
  const FeatureSpace space = run.negotiable.Space();
  run.valid = space.Count();
  if (run.valid == 0)
    return Fail(ErrorKind::kUsage, "by the profile no set of the offered features is valid");
  CoverLimits limits;
  limits.seed = options.run.seed;
  Plan plan = options.strength ? PlanOfStrength(space, *options.strength, limits)
                               : PlanCombinations(space, options.budget, limits);
  if (!plan.exhaustive && plan.sets.empty())
    return Fail(ErrorKind::kUsage, "no covering array of strength {} can be had here",
                options.strength.value_or(2));
  run.exhaustive = plan.exhaustive;
  run.strength = plan.strength;
  run.planned = plan.exhaustive ? run.valid.value_or(0) : plan.sets.size();
  run.sets = std::move(plan.sets);
  run.invalid = InvalidSets(run.negotiable, probed.facts.offered, probed.abilities);
  return run;
}

Result<> RunCombinations(Attachment& attachment, const Probed& probed,
                         const CombinationOptions& options, Combinations& run) {
  return Runner(attachment, probed, options, run).Run();
}

}  // namespace vitro
