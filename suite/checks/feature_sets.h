// SPDX-License-Identifier: Apache-2.0
// Which sets of an offer a driver may accept (2.2.1, 6.1), which it must not, and one set tried on
// a device: negotiated, its configuration space read, its queues used. The checks of combinations
// and the command that tries all of them judge by these.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "suite/checks/check.h"
#include "suite/checks/context.h"
#include "suite/combinations/feature_space.h"
#include "suite/profile/profile.h"

namespace vitro {

// The offer as a driver sees it that knows this standard and, by its profile, the device type.
struct NegotiableFeatures {
  FeatureSet offered;   // what valid sets are made of
  FeatureSet always;    // in every valid set: a device may not work without (6.2, 5.2.5)
  FeatureSet left_out;  // offered as well, but not for any driver of this standard to accept
  std::vector<FeatureRule> rules;

  FeatureSpace Space() const { return FeatureSpace(offered, always, rules); }
};
// Without a profile all bits that belong to device types are taken to be independent.
NegotiableFeatures FindNegotiable(const DeviceFacts& facts);

std::string BitsToText(FeatureSet set);  // "29, 35"

// Negotiates from a reset on; true if FEATURES_OK stayed set, as `say` says that it ought to.
bool ExpectTaken(Context& c, FeatureSet features, const char* requirement, const std::string& say);

// How far one set is taken.
enum class SetDepth {
  kNegotiate,  // to FEATURES_OK
  kConfig,     // and the configuration space is read, twice
  kIo,         // and every queue that the grammar knows serves requests under the oracle
};
const char* Name(SetDepth depth);  // "negotiate", "config", "io"

// Tries a valid set from a reset on. True if the device took it. With a profile the queues that
// exist are judged as well.
bool TrySet(Context& c, FeatureSet set, SetDepth depth);

// A set that no driver may accept, and why.
struct InvalidSet {
  enum class Kind { kUnoffered, kUnofferedInCompany, kUnmetRule, kNoVersion1 };
  Kind kind = Kind::kUnoffered;
  FeatureSet set;
  std::string why;  // "bit 44, which was not offered"
};
const char* Name(InvalidSet::Kind kind);
// Bits that the attachment cannot carry are left out.
std::vector<InvalidSet> InvalidSets(const NegotiableFeatures& negotiable, FeatureSet offered,
                                    const Abilities& abilities);
// Tries it as a driver that breaks the rules, and that the device is whole afterwards: `valid` is
// negotiated again. True if the device took the invalid set.
bool TryInvalidSet(Context& c, const InvalidSet& invalid, FeatureSet valid);

void AddCombinationChecks(std::vector<Check>& list);
void AddFeatureEffectChecks(std::vector<Check>& list);

}  // namespace vitro
