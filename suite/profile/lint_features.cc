// SPDX-License-Identifier: Apache-2.0
// Lints on feature bits: what each is for, and what one is for with others.
#include <map>
#include <numeric>
#include <set>

#include "suite/profile/lint_rules.h"

namespace vitro {
namespace {

constexpr size_t kUnrelated = 3;  // so many things that have nothing to do with each other

bool PartsName(const std::vector<ProfilePart>& parts, unsigned bit) {
  return Any(parts, [&](const ProfilePart& part) { return Names(part.exists, bit); });
}

// Everything that is there, or there in another way, by this bit: what it says itself and what
// names it. "field NAME", "queue NAME", ... as in ProfileFeature::gates.
std::set<std::string> Gated(const Profile& profile, const ProfileFeature& feature) {
  std::set<std::string> gated(feature.gates.begin(), feature.gates.end());
  for (const ProfileField& field : profile.fields)
    if (Names(field.exists, feature.bit)) gated.insert("field " + field.name);
  for (const ProfileQueue& queue : profile.queues)
    if (Names(queue.exists, feature.bit) || Mentions(queue.index, feature.name) ||
        Mentions(queue.count, feature.name))
      gated.insert("queue " + queue.name);
  for (const ProfileRequest& request : profile.requests)
    if (Names(request.exists, feature.bit) || PartsName(request.readable, feature.bit) ||
        PartsName(request.writable, feature.bit))
      gated.insert("request " + request.name);
  return gated;
}

void GatesNothing(const Profile& profile, LintFindings& findings) {
  for (const ProfileFeature& feature : profile.features)
    if (Gated(profile, feature).empty())
      findings.Add(feature.line, "nothing is said to come with {}", feature.name);
}

// "field NAME" is gated, and the field does not say so.
void GateMismatch(const Profile& profile, LintFindings& findings) {
  for (const ProfileFeature& feature : profile.features) {
    ProfileFeature silent = feature;
    silent.gates.clear();
    const std::set<std::string> named = Gated(profile, silent);
    for (const std::string& gate : feature.gates)
      if (!gate.starts_with("behaviour ") && !named.contains(gate))
        findings.Add(feature.line, "{} gates {}, which does not name the bit", feature.name, gate);
  }
}

void AlwaysTogether(const Profile& profile, LintFindings& findings) {
  std::map<std::set<std::string>, const ProfileFeature*> seen;
  for (const ProfileFeature& feature : profile.features) {
    std::set<std::string> gated;
    for (const std::string& gate : Gated(profile, feature)) gated.insert(gate);
    if (gated.empty()) continue;
    const auto [first, fresh] = seen.emplace(gated, &feature);
    if (!fresh && first->second->requires_ == feature.requires_ && !feature.legacy &&
        !Contains(feature.conflicts, first->second->bit) &&
        !Contains(first->second->conflicts, feature.bit))
      findings.Add(feature.line, "{} and {} come with the same: {}", first->second->name,
                   feature.name, *gated.begin());
  }
}

// Whether one of these has to do with the other.
bool Related(const Profile& profile, const std::string& a, const std::string& b) {
  const auto name = [](const std::string& gate) { return gate.substr(gate.find(' ') + 1); };
  const auto is = [&](const std::string& gate, const char* kind) { return gate.starts_with(kind); };
  if (is(a, "request ") && is(b, "queue ")) return profile.FindRequest(name(a))->queue == name(b);
  if (is(a, "request ") && is(b, "request "))
    return profile.FindRequest(name(a))->queue == profile.FindRequest(name(b))->queue;
  if (is(a, "field ") && is(b, "queue ")) {
    const ProfileQueue& queue = *profile.FindQueue(name(b));
    return Mentions(queue.index, name(a)) || Mentions(queue.count, name(a));
  }
  if (is(a, "field ") && is(b, "request ")) {
    const ProfileRequest& request = *profile.FindRequest(name(b));
    return Any(request.readable, [&](const ProfilePart& part) { return part.field == name(a); });
  }
  if (is(a, "field ") && is(b, "field ")) {
    const ProfileField &one = *profile.FindField(name(a)), &other = *profile.FindField(name(b));
    return one.offset + one.size() == other.offset || other.offset + other.size() == one.offset;
  }
  return a == b;
}

size_t UnrelatedGroups(const Profile& profile, const std::set<std::string>& gated) {
  const std::vector<std::string> items(gated.begin(), gated.end());
  std::vector<size_t> group(items.size());
  std::iota(group.begin(), group.end(), size_t{0});
  for (size_t i = 0; i < items.size(); ++i)
    for (size_t j = 0; j < items.size(); ++j)
      if (group[i] != group[j] && Related(profile, items[i], items[j]))
        std::replace(group.begin(), group.end(), size_t{group[j]}, size_t{group[i]});
  return std::set<size_t>(group.begin(), group.end()).size();
}

void Unrelated(const Profile& profile, LintFindings& findings) {
  for (const ProfileFeature& feature : profile.features) {
    const size_t groups = UnrelatedGroups(profile, Gated(profile, feature));
    if (groups >= kUnrelated && feature.why.empty())
      findings.Add(feature.line, "{} comes with {} things that do not depend on each other",
                   feature.name, groups);
  }
}

// 2.2: 0 to 23, 41, 42 and 50 to 127 are those of device types. 41 is ADMIN_VQ's as well.
void ReservedBit(const Profile& profile, LintFindings& findings) {
  for (const ProfileFeature& feature : profile.features)
    if (feature.bit >= 24 && feature.bit < 50 && feature.bit != 41 && feature.bit != 42)
      findings.Add(feature.line, "{} is bit {}, which is not one of device types", feature.name,
                   feature.bit);
}

void AmbiguousBit(const Profile& profile, LintFindings& findings) {
  for (const ProfileFeature& feature : profile.features)
    if (feature.bit == feature::kAdminVq)
      findings.Add(feature.line, "{} is bit 41, which is VIRTIO_F_ADMIN_VQ as well", feature.name);
}

void RequiresLegacy(const Profile& profile, LintFindings& findings) {
  for (const ProfileFeature& feature : profile.features)
    for (const ProfileFeature& other : profile.features)
      if (!feature.legacy && other.legacy && Demands(feature.requires_, other.bit))
        findings.Add(feature.line, "{} requires {}, which is not offered with VERSION_1",
                     feature.name, other.name);
}

void RequiresLegacyOfAll(const Profile& profile, LintFindings& findings) {
  for (const ProfileFeature& feature : profile.features)
    if (feature.legacy && Demands(profile.requires_, feature.bit))
      findings.Add(profile.requires_line,
                   "all drivers are to accept {}, which is not offered with VERSION_1",
                   feature.name);
}

// A bit tells what is new; what all have, none has to be told.
void Mandatory(const Profile& profile, LintFindings& findings) {
  for (const ProfileFeature& feature : profile.features)
    if (Demands(profile.requires_, feature.bit) && feature.why.empty())
      findings.Add(feature.line, "{} tells nothing: every driver has to accept it", feature.name);
}

// A bit that the condition demands excludes another one.
bool Never(const Profile& profile, const FeatureCondition& condition) {
  return Any(profile.features, [&](const ProfileFeature& feature) {
    return Demands(condition, feature.bit) &&
           Any(feature.conflicts, [&](unsigned other) { return Demands(condition, other); });
  });
}

template <typename Rows>
void NeverOf(const Profile& profile, const char* kind, const Rows& rows, LintFindings& findings) {
  for (const auto& row : rows)
    if (Never(profile, row.exists))
      findings.Add(row.line, "{} {} needs feature bits that conflict", kind, row.name);
}

void NeverThere(const Profile& profile, LintFindings& findings) {
  NeverOf(profile, "field", profile.fields, findings);
  NeverOf(profile, "virtqueue", profile.queues, findings);
  NeverOf(profile, "request", profile.requests, findings);
}

}  // namespace

void AddFeatureLints(std::vector<LintRule>& rules) {
  using enum LintSeverity;
  rules.push_back({"lint.features.nothing", kWarn, kAboutFeatures,
                   "say in gates what is there with the bit only, or drop it", GatesNothing});
  rules.push_back({"lint.features.gate-mismatch", kWarn, kAboutFeatures,
                   "name the bit in its feature = [...], too", GateMismatch});
  rules.push_back({"lint.features.together", kWarn, kAboutFeatures,
                   "what is always implemented together can use a single bit", AlwaysTogether});
  rules.push_back({"lint.features.unrelated", kWarn, kAboutFeatures,
                   "give a bit to each that makes sense without the others, or tell in why what "
                   "holds them together",
                   Unrelated});
  rules.push_back({"lint.features.reserved-bit", kError, "2.2", "take one of 0 to 23 or 50 to 127",
                   ReservedBit});
  rules.push_back({"lint.features.bit-41", kWarn, "2.2", "take another one of 0 to 23 or 50 to 127",
                   AmbiguousBit});
  rules.push_back({"lint.features.legacy", kWarn, "2.2.2",
                   "require something that a device with VERSION_1 can offer",
                   [](const Profile& profile, LintFindings& findings) {
                     RequiresLegacy(profile, findings);
                     RequiresLegacyOfAll(profile, findings);
                   }});
  rules.push_back({"lint.features.mandatory", kInfo, kAboutFeatures,
                   "make it part of the type without a bit, or tell in why what it repairs",
                   Mandatory});
  rules.push_back({"lint.features.never", kWarn, "2.2.2",
                   "ask for bits that can be accepted together", NeverThere});
}

}  // namespace vitro
