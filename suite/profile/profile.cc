// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/profile.h"

#include <algorithm>

#include "suite/profile/feature_names.h"

namespace vitro {
namespace {

template <typename Row>
const Row* Named(const std::vector<Row>& rows, std::string_view name) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

bool Holds(const FeatureCondition& condition, FeatureSet features) {
  return std::all_of(condition.begin(), condition.end(), [&](const FeatureClause& clause) {
    return std::any_of(clause.begin(), clause.end(),
                       [&](unsigned bit) { return features.Has(bit); });
  });
}

const ProfileFeature* Profile::FindFeature(unsigned bit) const {
  const auto found = std::find_if(features.begin(), features.end(),
                                  [&](const ProfileFeature& each) { return each.bit == bit; });
  return found == features.end() ? nullptr : &*found;
}

bool Profile::Complete(const FeatureCondition& condition, FeatureSet offered,
                       FeatureSet& set) const {
  for (const FeatureClause& clause : condition) {
    if (Holds({clause}, set)) continue;
    const auto bit = std::find_if(clause.begin(), clause.end(),
                                  [&](unsigned each) { return offered.Has(each); });
    if (bit == clause.end()) return false;
    set.Add(*bit);
    const ProfileFeature* feature = FindFeature(*bit);
    if (feature != nullptr && !Complete(feature->requires_, offered, set)) return false;
  }
  return true;
}

std::optional<unsigned> Profile::FeatureBit(std::string_view feature_name) const {
  if (const ProfileFeature* feature = Named(features, feature_name)) return feature->bit;
  return ReservedFeatureBit(feature_name);
}

std::string Profile::FeatureName(unsigned bit) const {
  const ProfileFeature* feature = FindFeature(bit);
  return feature != nullptr ? feature->name : vitro::FeatureName(0, bit);
}

const ProfileField* Profile::FindField(std::string_view field_name) const {
  return Named(fields, field_name);
}

const ProfileQueue* Profile::FindQueue(std::string_view queue_name) const {
  return Named(queues, queue_name);
}

const ProfileRequest* Profile::FindRequest(std::string_view request_name) const {
  return Named(requests, request_name);
}

uint32_t Profile::config_size() const {
  uint32_t size = 0;
  for (const ProfileField& field : fields) size = std::max(size, field.offset + field.size());
  return size;
}

}  // namespace vitro
