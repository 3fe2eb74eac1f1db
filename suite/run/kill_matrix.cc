// SPDX-License-Identifier: Apache-2.0
#include "suite/run/kill_matrix.h"

#include <gtest/gtest.h>

#include <map>

#include "devices/mmio/mmio_device.h"
#include "devices/pci/pci_device.h"
#include "devices/ref/faults.h"
#include "devices/ref/registry.h"
#include "harness/attach/attach.h"
#include "harness/attach/reference.h"
#include "suite/profile/built_in.h"
#include "suite/run/isolated_check.h"

namespace vitro {

void AttachReferenceDevices() {
  SetReferenceDevices({ref::FindReferenceDevice, "blk, entropy, experimental",
                       pcidev::AsPciFunction, ref::WrapInMmio});
}

std::string AttachTo(const std::string& device, const std::string& fault) {
  return "ref:" + device + (fault.empty() ? "" : ",fault=" + fault);
}

// "NAME" or "DEVICE[,options]:NAME" to an attach string.
std::string AttachOfFault(const std::string& spec) {
  const size_t colon = spec.rfind(':');
  if (colon != std::string::npos) return AttachTo(spec.substr(0, colon), spec.substr(colon + 1));
  for (const auto& fault : ref::AllFaults())
    if (fault.name == spec)
      return AttachTo(std::string(ref::AttachByLetter(fault.devices[0])), spec);
  return "";
}

const Probed& FactsOf(const std::string& attach, const std::string& profile) {
  static std::map<std::string, Probed> cache;
  static std::map<std::string, Profile> profiles;
  auto it = cache.find(attach);
  if (it == cache.end()) {
    ProbeOptions options;
    if (!profile.empty()) {
      if (!profiles.contains(profile)) profiles.emplace(profile, OpenProfile(profile).value());
      options.profile = &profiles.at(profile);
    }
    auto attachment = OpenAttachment(attach);
    auto probed =
        attachment ? Probe(**attachment, options) : tl::make_unexpected(attachment.error());
    if (!probed) ADD_FAILURE() << attach << ": " << probed.error().message;
    it = cache.emplace(attach, probed.value_or(Probed{})).first;
  }
  return it->second;
}

CheckResult RunOn(const Check& check, const std::string& attach, Duration limit,
                  const std::string& profile) {
  CheckResult result;
  auto attachment = OpenAttachment(attach);
  if (!attachment) {
    result.because = attachment.error().message;
    return result;
  }
  const Probed& probed = FactsOf(attach, profile);
  if (auto why = WhyInapplicable(check, probed.facts, probed.abilities)) {
    result.outcome = why->observable ? Outcome::kNotApplicable : Outcome::kNotObservable;
    result.because = why->why;
    return result;
  }
  auto job = StartCheck(check, **attachment, probed.facts, {}, limit);
  if (!job) {
    result.because = job.error().message;
    return result;
  }
  return ResultOf(check.id, 1, (*job)->Wait());
}

std::string Describe(const CheckResult& result) {
  std::string text = fmt::format("{}: {}", Name(result.outcome), result.because);
  for (const auto& weighed : result.findings)
    text += fmt::format("\n  {} [{}] {}; accepted: {}; observed: {}", Name(weighed.severity),
                        weighed.finding.requirement, weighed.finding.message,
                        weighed.finding.accepted, weighed.finding.observed);
  return text;
}

bool IsCaught(Outcome outcome) {
  return outcome == Outcome::kFail || outcome == Outcome::kWarn || outcome == Outcome::kInfo ||
         outcome == Outcome::kCrash || outcome == Outcome::kHang || outcome == Outcome::kDeviceLost;
}

bool IsFine(Outcome outcome) {
  return outcome == Outcome::kPass || outcome == Outcome::kNotApplicable ||
         outcome == Outcome::kNotObservable;
}

std::string TestName(std::string name) {
  for (char& c : name)
    if (c == '.' || c == '-' || c == ':' || c == ',' || c == '=') c = '_';
  return name;
}

}  // namespace vitro
