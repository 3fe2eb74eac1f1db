// SPDX-License-Identifier: Apache-2.0
#include "suite/run/combinations_record.h"

#include <algorithm>

#include "harness/program/text.h"
#include "suite/profile/feature_names.h"
#include "suite/run/codec.h"
#include "suite/run/run_record.h"

namespace vitro {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;
constexpr const char* kKind = "combinations";

const char* Name(SweepEnd end) {
  switch (end) {
    case SweepEnd::kComplete:
      return "complete";
    case SweepEnd::kStopped:
      return "stopped";
    case SweepEnd::kTimeUp:
      return "time-up";
    case SweepEnd::kTooManyDeaths:
      return "too-many-deaths";
    case SweepEnd::kDeviceGone:
      return "device-gone";
  }
  return "?";
}

std::string NameOf(unsigned bit, const DeviceFacts& facts) {
  const ProfileFeature* own = facts.profile == nullptr ? nullptr : facts.profile->FindFeature(bit);
  if (own != nullptr) return fmt::format("{} ({})", own->name, bit);
  return FeatureName(facts.device_id, bit);
}

json BitsJson(FeatureSet set, const DeviceFacts& facts) {
  json bits = json::array();
  for (unsigned bit = 0; bit < feature::kBits; ++bit)
    if (set.Has(bit)) bits.push_back({{"bit", bit}, {"name", NameOf(bit, facts)}});
  return bits;
}

json SweepJson(const SweepState& state, const SweepResult& ended, uint64_t planned) {
  json outcomes = json::object(), failures = json::array();
  for (size_t i = 0; i < state.outcomes.size(); ++i)
    if (state.outcomes[i] != 0) outcomes[vitro::Name(static_cast<Outcome>(i))] = state.outcomes[i];
  for (const SetFailure& failure : state.failures)
    failures.push_back({{"number", failure.number},
                        {"set", FeaturesText(failure.set)},
                        {"outcome", vitro::Name(failure.outcome)},
                        {"because", failure.because}});
  return {{"planned", planned},
          {"tried", state.next},
          {"taken", state.taken},
          {"not_observable", state.not_observable},
          {"outcomes", std::move(outcomes)},
          {"failures", std::move(failures)},
          {"took_us", std::chrono::duration_cast<microseconds>(state.took).count()},
          {"ended", Name(ended.end)},
          {"why", ended.why}};
}

Result<SweepState> SweepFromJson(const json& sweep) {
  SweepState state;
  state.next = sweep.at("tried").get<uint64_t>();
  state.taken = sweep.at("taken").get<uint64_t>();
  state.not_observable = sweep.at("not_observable").get<uint64_t>();
  state.took = microseconds(sweep.at("took_us").get<int64_t>());
  for (const auto& [name, count] : sweep.at("outcomes").items())
    state.outcomes.at(static_cast<size_t>(OutcomeFromName(name))) = count.get<uint64_t>();
  for (const json& failure : sweep.at("failures")) {
    VITRO_ASSIGN(const FeatureSet set, ParseFeaturesText(failure.at("set").get<std::string>()));
    state.failures.push_back({failure.at("number").get<uint64_t>(), set,
                              OutcomeFromName(failure.at("outcome").get<std::string>()),
                              failure.at("because").get<std::string>()});
  }
  return state;
}

json InvalidKinds(const Combinations& run) {
  json kinds = json::array();
  for (const auto kind : {InvalidSet::Kind::kUnoffered, InvalidSet::Kind::kUnofferedInCompany,
                          InvalidSet::Kind::kUnmetRule, InvalidSet::Kind::kNoVersion1}) {
    uint64_t planned = 0, failed = 0;
    for (const InvalidSet& invalid : run.invalid) planned += invalid.kind == kind ? 1 : 0;
    for (const SetFailure& failure : run.invalid_sweep.failures)
      failed += run.invalid.at(static_cast<size_t>(failure.number)).kind == kind ? 1 : 0;
    if (planned != 0)
      kinds.push_back({{"kind", Name(kind)}, {"planned", planned}, {"failed", failed}});
  }
  return kinds;
}

json ReducedJson(const Combinations& run, const CombinationInvocation& invocation,
                 const DeviceFacts& facts) {
  json reduced = json::array();
  for (size_t i = 0; i < run.reduced.size(); ++i) {
    const ReducedFailure& each = run.reduced[i];
    reduced.push_back(
        {{"on", BitsJson(each.interaction.on, facts)},
         {"off", BitsJson(each.interaction.off, facts)},
         {"outcome", Name(each.outcome)},
         {"because", each.because},
         {"sets", each.sets},
         {"example", FeaturesText(each.interaction.example)},
         {"alone", !each.program.empty()},
         {"complete", each.interaction.complete},
         {"program", i < invocation.programs.size() ? invocation.programs[i] : ""},
         {"reproduce", i < invocation.reproduce.size() ? invocation.reproduce[i] : ""}});
  }
  return reduced;
}

json OptionsJson(const CombinationOptions& options, const CombinationInvocation& invocation,
                 const Profile* profile) {
  return {{"argv", invocation.argv},
          {"seed", options.run.seed},
          {"depth", Name(options.depth)},
          {"budget", options.budget},
          {"strength", options.strength ? json(*options.strength) : json(nullptr)},
          {"timeout_ms", std::chrono::duration_cast<milliseconds>(options.limit).count()},
          {"response_ms", std::chrono::duration_cast<milliseconds>(options.run.response).count()},
          {"profile", invocation.profile},
          {"profile_name", profile == nullptr ? "" : profile->name},
          {"strict", invocation.strict},
          {"start", invocation.start},
          {"end", UtcNow()}};
}

uint64_t CountOf(const Combinations& run, std::initializer_list<Outcome> outcomes) {
  uint64_t count = 0;
  for (const Outcome outcome : outcomes)
    count += run.sweep.outcomes[static_cast<size_t>(outcome)] +
             run.invalid_sweep.outcomes[static_cast<size_t>(outcome)];
  return count;
}

Result<ResumedRun> Read(const json& record) {
  ResumedRun resumed;
  const json& invocation = record.at("invocation");
  resumed.attach = record.at("device").at("attach").get<std::string>();
  resumed.offered = record.at("device").at("offered_words").get<std::string>();
  resumed.profile = invocation.at("profile").get<std::string>();
  resumed.strict = invocation.at("strict").get<bool>();
  const auto depth = invocation.at("depth").get<std::string>();
  for (const SetDepth each : {SetDepth::kNegotiate, SetDepth::kConfig, SetDepth::kIo})
    if (depth == Name(each)) resumed.options.depth = each;
  resumed.options.budget = invocation.at("budget").get<uint64_t>();
  if (!invocation.at("strength").is_null())
    resumed.options.strength = invocation.at("strength").get<unsigned>();
  resumed.options.run.seed = invocation.at("seed").get<uint64_t>();
  resumed.options.limit = milliseconds(invocation.at("timeout_ms").get<int64_t>());
  resumed.options.run.response = milliseconds(invocation.at("response_ms").get<int64_t>());
  VITRO_ASSIGN(resumed.sweep, SweepFromJson(record.at("sweep")));
  VITRO_ASSIGN(resumed.invalid_sweep, SweepFromJson(record.at("invalid")));
  resumed.planned = record.at("sweep").at("planned").get<uint64_t>();
  resumed.planned_invalid = record.at("invalid").at("planned").get<uint64_t>();
  resumed.complete = record.at("complete").get<bool>();
  return resumed;
}

}  // namespace

json CombinationsJson(const AttachString& attach, const Probed& probed,
                      const CombinationOptions& options, const CombinationInvocation& invocation,
                      const Combinations& run) {
  const Invocation plain{invocation.argv, options.run.seed, invocation.strict, 1, 0, ""};
  const json begin = BeginLine(attach, probed, plain, 0);
  const DeviceFacts& facts = probed.facts;
  FeatureSet free;
  const FeatureSpace space = run.negotiable.Space();
  for (const unsigned bit : space.free_bits()) free.Add(bit);
  json invalid = SweepJson(run.invalid_sweep, run.invalid_ended, run.invalid.size());
  invalid["kinds"] = InvalidKinds(run);
  return {
      {"schema", kSchema},
      {"kind", kKind},
      {"suite", begin.at("suite")},
      {"spec", begin.at("spec")},
      {"device", begin.at("device")},
      {"environment", begin.at("environment")},
      {"invocation", OptionsJson(options, invocation, facts.profile)},
      {"can_refuse", probed.abilities.Has(Ability::kDeviceStatus)},
      {"space",
       {{"valid", run.valid ? json(std::to_string(*run.valid)) : json(nullptr)},
        {"free", BitsJson(free, facts)},
        {"always", BitsJson(run.negotiable.always, facts)},
        {"left_out", BitsJson(run.negotiable.left_out, facts)},
        {"rules", run.negotiable.rules.size()}}},
      {"plan", {{"exhaustive", run.exhaustive}, {"strength", run.strength}, {"sets", run.planned}}},
      {"sweep", SweepJson(run.sweep, run.ended, run.planned)},
      {"invalid", std::move(invalid)},
      {"reduced", ReducedJson(run, invocation, facts)},
      {"unexplained", run.unexplained},
      {"pairs",
       {{"bits", run.pairs.bits}, {"possible", run.pairs.possible}, {"tried", run.pairs.tried}}},
      {"complete", run.complete()},
      {"exit_code", ExitCodeOf(run, invocation.strict)}};
}

Result<ResumedRun> ResumeFrom(const std::string& path, const json& record) {
  try {
    if (record.at("kind") != kKind || record.at("schema") != kSchema)
      return Fail(ErrorKind::kUsage,
                  "{}: schema {} of '{}': expected schema {} of '{}', as this vitro writes it",
                  path, record.at("schema").dump(), record.at("kind").dump(), kSchema, kKind);
    auto resumed = Read(record);
    if (!resumed) return Fail(ErrorKind::kUsage, "{}: {}", path, resumed.error().message);
    return resumed;
  } catch (const json::exception& error) {
    return Fail(ErrorKind::kUsage, "{}: {}; expected a record that 'vitro combinations' wrote",
                path, error.what());
  } catch (const std::out_of_range& error) {
    return Fail(ErrorKind::kUsage, "{}: {}; expected a record that 'vitro combinations' wrote",
                path, error.what());
  }
}

int ExitCodeOf(const Combinations& run, bool strict) {
  if (run.ended.end == SweepEnd::kStopped || run.invalid_ended.end == SweepEnd::kStopped)
    return 130;
  if (run.ended.end == SweepEnd::kDeviceGone || run.invalid_ended.end == SweepEnd::kDeviceGone)
    return 4;
  if (CountOf(run, {Outcome::kFail, Outcome::kCrash, Outcome::kHang, Outcome::kDeviceLost}) != 0)
    return 1;
  if (strict && CountOf(run, {Outcome::kWarn}) != 0) return 1;
  if (CountOf(run, {Outcome::kHarnessError}) != 0) return 5;
  return run.sweep.next == 0 ? 3 : 0;
}

}  // namespace vitro
