// SPDX-License-Identifier: Apache-2.0
#include "suite/run/run_record.h"

#include <openssl/evp.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <thread>

#include "harness/program/text.h"
#include "harness/virtio/device_id.h"
#include "suite/catalogue/catalogue.h"
#include "suite/checks/variants.h"
#include "suite/profile/feature_names.h"
#include "suite/profile/profile.h"
#include "suite/run/version.h"

namespace vitro {
namespace {

using nlohmann::json;

std::string Sha256(ByteView bytes) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return ToHex({digest, size});
}

// Hash of the library under test; "" where there is no single file.
std::string BinaryHash(const AttachString& attach) {
  if (attach.kind != "inproc") return "";
  std::ifstream file(attach.where, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return Sha256({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

std::string OsName() {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("PRETTY_NAME=\"")) return line.substr(13, line.size() - 14);
  return "unknown";
}

json Environment() {
  utsname name{};
  ::uname(&name);
  return {{"os", OsName()},
          {"kernel", name.release},
          {"machine", name.machine},
          {"compiler", kCompiler},
          {"cpus", std::max(1u, std::thread::hardware_concurrency())}};
}

json ProfileJson(const Profile* profile) {
  if (profile == nullptr) return nullptr;
  return fmt::format("{} ({})", profile->name, profile->file);
}

}  // namespace

std::map<std::string, std::vector<std::string>> ChecksByRequirement() {
  std::map<std::string, std::vector<std::string>> checks;
  for (const auto* list : {&AllChecks(), &Variants()})
    for (const Check& check : *list)
      if (!check.HasTag("interrupt-plan"))  // they judge what their originals judge
        for (const std::string& id : check.requirements) checks[id].push_back(check.id);
  return checks;
}

std::string SuiteVersion::Version() { return kVersion; }
std::string SuiteVersion::Tree() { return kTree; }

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string ShellQuote(const std::string& text) {
  if (!text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789_-+=,./:@%") == std::string::npos)
    return text;
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

json DeviceJson(const AttachString& attach, const Probed& probed) {
  const DeviceFacts& facts = probed.facts;
  json features = json::array();
  for (unsigned bit = 0; bit < feature::kBits; ++bit)
    if (facts.offered.Has(bit)) features.push_back(FeatureName(facts.device_id, bit));
  json queues = json::array();
  for (size_t i = 0; i < facts.queue_max_sizes.size(); ++i)
    queues.push_back({{"index", i}, {"max_size", facts.queue_max_sizes[i]}});
  json observes = json::array(), cannot = json::array();
  for (int i = 0; i < kAbilityCount; ++i) {
    const auto ability = static_cast<Ability>(i);
    if (probed.abilities.Has(ability))
      observes.push_back(Name(ability));
    else
      cannot.push_back({{"what", Name(ability)}, {"why", probed.abilities.WhyNot(ability)}});
  }
  auto spawn = attach.options.find("spawn");
  return {{"attach", attach.text},
          {"kind", attach.kind},
          {"level", facts.level},
          {"layout", facts.layout},
          {"name", facts.name},
          {"device_id", facts.device_id},
          {"device_type", DeviceTypeToName(facts.device_id)},
          {"vendor_id", facts.vendor_id},
          {"offered_features", std::move(features)},
          {"offered_words", FeaturesText(facts.offered)},
          {"queues", std::move(queues)},
          {"config_size", facts.config_size},
          {"config_hash", facts.config.empty() ? "" : Sha256(facts.config)},
          {"process", spawn == attach.options.end() ? "" : spawn->second},
          {"binary_hash", BinaryHash(attach)},
          {"observes", std::move(observes)},
          {"cannot_observe", std::move(cannot)}};
}

json BeginLine(const AttachString& attach, const Probed& probed, const Invocation& invocation,
               size_t planned) {
  return {{"kind", "begin"},
          {"suite",
           {{"name", "vitro"},
            {"version", SuiteVersion::Version()},
            {"tree", SuiteVersion::Tree()},
            {"catalogue_hash", Catalogue::Get().hash()}}},
          {"spec", {{"name", "VIRTIO"}, {"version", "1.4"}, {"document", "virtio-v1.4-cs01"}}},
          {"device", DeviceJson(attach, probed)},
          {"environment", Environment()},
          {"invocation",
           {{"argv", invocation.argv},
            {"seed", invocation.seed},
            {"profile", ProfileJson(probed.facts.profile)},
            {"waivers", nullptr},
            {"strict", invocation.strict},
            {"jobs", invocation.jobs},
            {"timeout_ms", invocation.timeout_ms},
            {"start", invocation.start}}},
          {"planned", planned}};
}

json CatalogueLine() {
  const auto checks = ChecksByRequirement();
  json rows = json::array();
  for (const Requirement& requirement : Catalogue::Get().all()) {
    auto it = checks.find(std::string(requirement.id));
    const bool checked = it != checks.end();
    rows.push_back({{"id", requirement.id},
                    {"title", requirement.title},
                    {"section", requirement.section},
                    {"area", requirement.area},
                    {"keyword", requirement.keyword},
                    {"level", Name(requirement.level)},
                    {"since", requirement.since},
                    {"observable", Name(requirement.observable)},
                    {"checks", checked ? json(it->second) : json::array()},
                    {"hole", checked ? "" : Catalogue::Get().HoleReason(requirement.id)},
                    {"interpretation", requirement.interpretation}});
  }
  return {{"kind", "catalogue"}, {"requirements", std::move(rows)}};
}

json ResultLine(const Check& check, const CheckResult& result, uint64_t seed,
                const std::string& program_path, const std::string& reproduce) {
  json findings = json::array();
  for (const WeighedFinding& weighed : result.findings)
    findings.push_back({{"requirement", weighed.finding.requirement},
                        {"severity", Name(weighed.severity)},
                        {"message", weighed.finding.message},
                        {"operation", weighed.finding.operation}});
  std::string advice;
  if (!result.findings.empty())
    if (const auto* requirement = Catalogue::Get().Find(result.findings[0].finding.requirement))
      advice = requirement->advice;
  return {
      {"kind", "result"},
      {"id", check.id},
      {"title", check.title},
      {"section", check.section},
      {"requirements", check.requirements},
      {"tags", check.tags},
      {"level", check.level()},
      {"outcome", Name(result.outcome)},
      {"sent", result.sent},
      {"accepted", result.accepted},
      {"observed", result.observed},
      {"because", result.because},
      {"advice", advice},
      {"findings", std::move(findings)},
      {"duration_us", result.duration_us},
      {"seed", seed},
      {"evidence",
       {{"program", program_path}, {"trace", result.trace}, {"device_stderr", result.device_log}}},
      {"reproduce", reproduce}};
}

json EndLine(bool interrupted, int exit_code) {
  return {
      {"kind", "end"}, {"end", UtcNow()}, {"interrupted", interrupted}, {"exit_code", exit_code}};
}

}  // namespace vitro
