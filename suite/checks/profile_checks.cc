// SPDX-License-Identifier: Apache-2.0
// Checks of a device against the profile of its type (chapter 5, "Virtqueues" and "Feature bits" of
// each type): the virtqueues that it says are there, with their feature bits and not without, and
// the bits that every driver has to accept. What a type's bits require of each other is checked
// with the feature bits.
#include <algorithm>

#include "suite/checks/chapters.h"
#include "suite/checks/context.h"
#include "suite/profile/expression.h"

namespace vitro {
namespace {

constexpr const char* kThere = "derived.profile.queues";
constexpr const char* kGated = "derived.queue.gated";
constexpr const char* kRequired = "derived.features.required";
constexpr size_t kMostOfAKind = 8;

const Profile& ProfileOf(Context& c) {
  if (!c.Has(Ability::kDeviceId))
    c.NotObservable("this carrier does not tell the maximum queue size");
  if (c.profile() == nullptr) c.NotApplicable("nothing is known of the device's type");
  if (c.profile()->queues.empty()) c.NotApplicable("the device's type has no virtqueues");
  return *c.profile();
}

// None where the expressions lead nowhere, as without a configuration space.
std::vector<uint32_t> Indices(Context& c, const ProfileQueue& queue, FeatureSet features) {
  auto indices = QueueIndices(*c.profile(), queue, features, c.facts().config);
  if (!indices) return {};
  if (indices->size() > kMostOfAKind) indices->resize(kMostOfAKind);
  return *indices;
}

void HasItsQueues(Context& c) {
  const Profile& profile = ProfileOf(c);
  bool asked = false;
  for (const ProfileQueue& queue : profile.queues) {
    FeatureSet features = c.DefaultFeatures();
    if (!profile.Complete(queue.exists, c.facts().offered, features)) continue;
    const auto indices = Indices(c, queue, features);
    if (indices.empty() || !c.NegotiateAfresh(features)) continue;
    asked = true;
    for (uint32_t index : indices) {
      c.MaxQueueSize(index);
      c.Advise(Accept::NotEqual(0), kThere,
               fmt::format("virtqueue {} is there, with index {}", queue.name, index));
    }
  }
  if (!asked) c.NotApplicable("the device took none of the features that its virtqueues need");
}

void HasNoQueuesOfOtherFeatures(Context& c) {
  const Profile& profile = ProfileOf(c);
  const FeatureSet least = c.DefaultFeatures(), offered = c.facts().offered;
  std::vector<uint32_t> there;
  for (const ProfileQueue& queue : profile.queues) {
    const auto indices = Indices(c, queue, least);
    there.insert(there.end(), indices.begin(), indices.end());
  }
  bool asked = false;
  for (const ProfileQueue& queue : profile.queues)
    for (uint32_t index : Indices(c, queue, offered)) {
      if (std::find(there.begin(), there.end(), index) != there.end()) continue;
      if (!asked && !c.NegotiateAfresh(least)) c.NotApplicable("the device refused the features");
      asked = true;
      c.MaxQueueSize(index);
      c.Note(Accept::Equal(0), kGated,
             fmt::format("virtqueue {} of index {} is not there without the features that it "
                         "comes with",
                         queue.name, index));
    }
  if (!asked) c.NotApplicable("no virtqueue depends on a feature that was offered");
}

void OffersWhatItsTypeRequires(Context& c) {
  if (c.profile() == nullptr) c.NotApplicable("nothing is known of the device's type");
  const FeatureCondition& required = c.profile()->requires_;
  if (required.empty()) c.NotApplicable("the device's type requires no feature of all drivers");
  c.Reset();
  c.AcknowledgeAndDriver();
  const FeatureSet offered = c.Offered();
  for (const FeatureClause& clause : required) {
    const FeatureSet right = Holds({clause}, offered) ? offered : offered.With(clause.front());
    Bytes bytes = LeBytes(right.word(0), 8);
    const Bytes high = LeBytes(right.word(1), 8);
    bytes.insert(bytes.end(), high.begin(), high.end());
    c.Advise(Accept::SameBytes(bytes), kRequired,
             fmt::format("{}{}, which every driver has to accept, is offered",
                         c.profile()->FeatureName(clause.front()),
                         clause.size() > 1 ? " or one of its alternatives" : ""));
  }
}

}  // namespace

void AddProfileChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "profile.queues.there",
      .title = "The virtqueues of the device's type are there once their features are negotiated",
      .section = "5",
      .requirements = {kThere},
      .tags = {},
      .needs = {},
      .faults = {"experimental:queue-missing"},
      .run = HasItsQueues,
  });
  list.push_back({
      .id = "profile.queues.gated",
      .title = "Virtqueues that come with features are not there without them",
      .section = "2.2",
      .requirements = {kGated},
      .tags = {},
      .needs = {},
      .faults = {"queue-gate-ignored"},
      .run = HasNoQueuesOfOtherFeatures,
  });
  list.push_back({
      .id = "profile.features.required",
      .title = "The features that the device's type requires of every driver are offered",
      .section = "5",
      .requirements = {kRequired},
      .tags = {},
      .needs = {},
      .faults = {"experimental:version-1-not-offered"},
      .run = OffersWhatItsTypeRequires,
  });
}

}  // namespace vitro
