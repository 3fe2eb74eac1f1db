// SPDX-License-Identifier: Apache-2.0
#include "suite/run/codec.h"

#include "harness/program/text.h"

namespace vitro {

using nlohmann::json;

Outcome OutcomeFromName(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(Outcome::kHarnessError); ++i)
    if (name == Name(static_cast<Outcome>(i))) return static_cast<Outcome>(i);
  return Outcome::kHarnessError;
}

json ToJson(const CheckResult& result) {
  json findings = json::array();
  for (const WeighedFinding& weighed : result.findings)
    findings.push_back({{"requirement", weighed.finding.requirement},
                        {"severity", Name(weighed.severity)},
                        {"message", weighed.finding.message},
                        {"accepted", weighed.finding.accepted},
                        {"observed", weighed.finding.observed},
                        {"operation", weighed.finding.operation}});
  return {{"id", result.id},
          {"outcome", Name(result.outcome)},
          {"because", result.because},
          {"sent", result.sent},
          {"observed", result.observed},
          {"accepted", result.accepted},
          {"findings", std::move(findings)},
          {"trace", result.trace},
          {"program", result.program},
          {"device_log", result.device_log},
          {"duration_us", result.duration_us},
          {"quiet_window_us", result.quiet_window_us}};
}

CheckResult ResultFromJson(const json& from) {
  CheckResult result;
  result.id = from.at("id");
  result.outcome = OutcomeFromName(from.at("outcome"));
  result.because = from.at("because");
  result.sent = from.at("sent");
  result.observed = from.at("observed");
  result.accepted = from.at("accepted").get<std::vector<std::string>>();
  for (const json& finding : from.at("findings")) {
    WeighedFinding weighed;
    weighed.finding.requirement = finding.at("requirement");
    weighed.finding.message = finding.at("message");
    weighed.finding.accepted = finding.at("accepted");
    weighed.finding.observed = finding.at("observed");
    weighed.finding.operation = finding.at("operation");
    weighed.severity = OutcomeFromName(finding.at("severity"));
    result.findings.push_back(std::move(weighed));
  }
  result.trace = from.at("trace").get<std::vector<std::string>>();
  result.program = from.at("program");
  result.device_log = from.at("device_log");
  result.duration_us = from.at("duration_us");
  result.quiet_window_us = from.at("quiet_window_us");
  return result;
}

json ToJson(const DeviceFacts& facts) {
  json learned = json::array();
  for (const LearnedShape& shape : facts.learned)
    learned.push_back({shape.queue, shape.readable, shape.writable, shape.fill});
  return {{"device_id", facts.device_id},
          {"vendor_id", facts.vendor_id},
          {"name", facts.name},
          {"offered", FeaturesText(facts.offered)},
          {"queue_count", facts.queue_count},
          {"config_size", facts.config_size},
          {"config", ToHex(facts.config)},
          {"queue_max_sizes", facts.queue_max_sizes},
          {"level", facts.level},
          {"layout", facts.layout},
          {"learned", std::move(learned)}};
}

DeviceFacts FactsFromJson(const json& from) {
  DeviceFacts facts;
  facts.device_id = from.at("device_id");
  facts.vendor_id = from.at("vendor_id");
  facts.name = from.at("name");
  facts.offered = ParseFeaturesText(from.at("offered").get<std::string>()).value_or(FeatureSet{});
  facts.queue_count = from.at("queue_count");
  facts.config_size = from.at("config_size");
  facts.config = FromHex(from.at("config").get<std::string>()).value_or(Bytes());
  facts.level = from.at("level");
  facts.layout = from.at("layout").get<std::vector<std::string>>();
  facts.queue_max_sizes = from.at("queue_max_sizes").get<std::vector<uint32_t>>();
  for (const json& shape : from.at("learned"))
    facts.learned.push_back({shape.at(0), shape.at(1), shape.at(2), shape.at(3)});
  return facts;
}

json ToJson(const Abilities& abilities) {
  json all = json::object();
  for (int i = 0; i < kAbilityCount; ++i) {
    const auto ability = static_cast<Ability>(i);
    all[Name(ability)] = abilities.Has(ability) ? json(true) : json(abilities.WhyNot(ability));
  }
  return all;
}

Abilities AbilitiesFromJson(const json& from) {
  Abilities abilities;
  for (int i = 0; i < kAbilityCount; ++i) {
    const auto ability = static_cast<Ability>(i);
    const json& value = from.at(Name(ability));
    if (value.is_boolean())
      abilities.Allow(ability);
    else
      abilities.Deny(ability, value.get<std::string>());
  }
  return abilities;
}

}  // namespace vitro
