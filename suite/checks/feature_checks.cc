// SPDX-License-Identifier: Apache-2.0
// Checks of feature bits: what is offered and what becomes of what is accepted (2.2, 6, and the
// dependencies of 5.1.3.1 and 5.2.5).
#include <algorithm>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "suite/checks/chapters.h"
#include "suite/checks/context.h"
#include "suite/checks/feature_sets.h"

namespace vitro {
namespace {

namespace xp = experimental;

constexpr const char* kVersion1 = "dev.basic.reserved-feature-bits.1";
constexpr const char* kSrIov = "dev.basic.reserved-feature-bits.9";
constexpr const char* kDependency = "dev.basic.feature-bits.1";
constexpr const char* kSubset = "dev.basic.feature-bits.2";
constexpr const char* kUndefined = "dev.basic.feature-bits.3";
constexpr const char* kAgain = "dev.basic.feature-bits.4";
constexpr const char* kStable = "derived.features.stable-offer";
constexpr const char* kProgress = "derived.used.progress";
constexpr const char* kIgnoresUsedEvent =
    "dev.basic.virtqueues.used-buffer-notification-suppression.1";

// What the standard defines -----------------------------------------------------------------------

// Section 6, and those of transitional devices. Bits 26 and 30 are a carrier's.
constexpr FeatureSet kRingBits = FeatureSet::Range(28, 29) | FeatureSet::Range(32, 36) |
                                 FeatureSet::Range(38, 40) | FeatureSet{43};
constexpr FeatureSet kPassedOver{feature::kNotifyOnEmpty, feature::kAnyLayout, 26,
                                 feature::kVhostUserProtocol};
// These have checks of their own.
constexpr FeatureSet kPciBits{feature::kSrIov, feature::kAdminVq};

bool IsVitrosOwn(const Context& c) { return IsVitroExperimental(c.facts()); }

// The bits that a device of this type has (legacy ones in `legacy`); nullopt if nothing is known of
// the type.
struct TypeBits {
  FeatureSet defined, legacy;
};
std::optional<TypeBits> BitsOfType(const Context& c) {
  if (c.profile() == nullptr) return std::nullopt;
  TypeBits bits;
  for (const ProfileFeature& feature : c.profile()->features)
    (feature.legacy ? bits.legacy : bits.defined).Add(feature.bit);
  return bits;
}

// `bit` requires one of `any`. Several lines for a bit: all of them hold.
struct Dependency {
  unsigned bit;
  FeatureSet any;
};

std::vector<Dependency> Dependencies(const Context& c) {
  std::vector<Dependency> dependencies;
  if (c.profile() == nullptr) return dependencies;
  for (const ProfileFeature& feature : c.profile()->features)
    for (const FeatureClause& clause : feature.requires_) {
      FeatureSet any;
      for (unsigned bit : clause) any.Add(bit);
      dependencies.push_back({feature.bit, any});
    }
  return dependencies;
}

// Of those in the set, the ones whose requirements are in it as well.
FeatureSet Closed(const Context& c, FeatureSet set) {
  const auto dependencies = Dependencies(c);
  for (bool changed = true; changed;) {
    changed = false;
    for (const Dependency& dependency : dependencies)
      if (set.Has(dependency.bit) && (set & dependency.any).empty()) {
        set.Remove(dependency.bit);
        changed = true;
      }
  }
  return set;
}

// The set with what its members require, taken from the offer. The first alternative will do.
FeatureSet WithRequired(const Context& c, FeatureSet set, FeatureSet offered) {
  const auto dependencies = Dependencies(c);
  for (bool changed = true; changed;) {
    changed = false;
    for (const Dependency& dependency : dependencies) {
      if (!set.Has(dependency.bit) || !(set & dependency.any).empty()) continue;
      for (unsigned bit = 0; bit < feature::kBits; ++bit)
        if (dependency.any.Has(bit) && offered.Has(bit)) {
          set.Add(bit);
          changed = true;
          break;
        }
    }
  }
  return set;
}

// What a driver accepts at least: a device may refuse to work without these (6.2, 5.2.5).
FeatureSet Least(Context& c) {
  FeatureSet least = c.DefaultFeatures();
  const FeatureSet offered = c.facts().offered;
  if (offered.Has(feature::kAccessPlatform)) least.Add(feature::kAccessPlatform);
  if (c.facts().device_id == device_id::kBlk && offered.Has(blk::kFeatureZoned))
    least.Add(blk::kFeatureZoned);
  return least;
}

// The offered features that a driver which knows this standard may accept.
FeatureSet Acceptable(Context& c) {
  const auto type = BitsOfType(c);
  FeatureSet known = kRingBits | (type ? type->defined : FeatureSet());
  const bool zoned = c.facts().offered.Has(blk::kFeatureZoned);
  // Not to be accepted for host-managed zoned devices (5.2.5.1).
  if (c.facts().device_id == device_id::kBlk && zoned) known.Remove(blk::kFeatureDiscard);
  return Closed(c, (c.facts().offered & known) | Least(c));
}

// The offer ---------------------------------------------------------------------------------------

// Reads the offer and expects none of `bits` in it.
void ExpectNotOffered(Context& c, FeatureSet bits, const char* requirement,
                      const std::string& what) {
  const FeatureSet offered = c.Offered();
  const FeatureSet right = offered - bits, wrong = offered & bits;
  Bytes bytes = LeBytes(right.word(0), 8);
  const Bytes high = LeBytes(right.word(1), 8);
  bytes.insert(bytes.end(), high.begin(), high.end());
  const std::string which = wrong.empty() ? "" : fmt::format(" (here bit {})", BitsToText(wrong));
  c.Expect(Accept::SameBytes(bytes), requirement, fmt::format("{}{} is not offered", what, which));
}

void OffersVersion1(Context& c) {
  c.Do(op::ReadFeatures{});
  const uint64_t bit = uint64_t{1} << feature::kVersion1;
  c.Expect(Accept::Masked(bit, bit), kVersion1, "VIRTIO_F_VERSION_1 (bit 32) is offered");
}

void OffersNoReservedBits(Context& c) {
  ExpectNotOffered(
      c, (FeatureSet::Range(24, 49) - feature::kOfDeviceTypes) - kRingBits - kPassedOver - kPciBits,
      kUndefined, "a bit that the standard reserves");
}

void OffersOnlyBitsOfItsType(Context& c) {
  const auto type = BitsOfType(c);
  if (!type) c.NotApplicable("this suite has no list of the feature bits of this device type");
  ExpectNotOffered(c, feature::kOfDeviceTypes - type->defined - type->legacy, kUndefined,
                   "a bit that its device type does not define");
}

void OffersNoSrIov(Context& c) {
  if (c.session().transport().pci() != nullptr) c.NotApplicable("this is a PCI function");
  ExpectNotOffered(c, {feature::kSrIov}, kSrIov, "VIRTIO_F_SR_IOV off PCI");
}

void OffersNoAdminVq(Context& c) {
  const auto type = BitsOfType(c);
  if (type && type->legacy.Has(feature::kAdminVq))
    c.NotApplicable("bit 41 had another meaning for this device type");
  if (!c.facts().offered.Has(feature::kAdminVq) || c.Has(Ability::kMmioWindow))
    return ExpectNotOffered(c, {feature::kAdminVq}, kUndefined, "VIRTIO_F_ADMIN_VQ off PCI");
  // Bit 41 is undefined where there is nothing that it could stand for. Over PCI registers tell,
  // once it is negotiated.
  c.Up({.with = {feature::kAdminVq}, .driver_ok = false, .prepare = false});
  if (c.session().transport().identity().admin_queue_count == 0)
    ExpectNotOffered(c, {feature::kAdminVq}, kUndefined,
                     "VIRTIO_F_ADMIN_VQ without an administration virtqueue");
}

void OffersWhatItsFeaturesRequire(Context& c) {
  const auto dependencies = Dependencies(c);
  if (dependencies.empty())
    c.NotApplicable("no feature of this device type is known to require another");
  if (c.facts().device_id == device_id::kNet && !c.Has(Ability::kDeviceId))
    c.NotObservable("the front-end of this carrier adds features to those of the back-end");
  const FeatureSet offered = c.Offered();
  for (const Dependency& dependency : dependencies) {
    if (!offered.Has(dependency.bit) || !(offered & dependency.any).empty()) continue;
    ExpectNotOffered(
        c, {dependency.bit}, kDependency,
        fmt::format("a feature that requires bit {} without that", BitsToText(dependency.any)));
  }
  c.Do(op::ReadFeatures{});
  c.Expect(Accept::Answered(), kDependency, "every offered feature comes with what it requires");
}

void OffersTheSameAfterReset(Context& c) {
  c.Reset();
  c.AcknowledgeAndDriver();
  const Bytes first = c.Do(op::ReadFeatures{}).bytes;
  c.Do(op::ReadFeatures{});
  c.Expect(Accept::SameBytes(first), kStable, "the offer reads the same twice in a row");
  for (int round = 0; round < 3; ++round) {
    c.Negotiate(c.DefaultFeatures());
    c.Reset();
    c.AcknowledgeAndDriver();
    c.Do(op::ReadFeatures{});
    c.Expect(Accept::SameBytes(first), kStable, "the offer is the same after a reset");
  }
}

// Subsets -----------------------------------------------------------------------------------------

// `set` names the features.
bool ExpectStays(Context& c, FeatureSet features, const char* requirement, const std::string& set) {
  return ExpectTaken(c, features, requirement, fmt::format("FEATURES_OK stays set for {}", set));
}

// From FEATURES_OK onwards, with a request whose answer is not looked at.
void ExpectServes(Context& c) {
  for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) c.SetupQueue(queue);
  c.DriverOk();
  const Exchange request = c.grammar().Request(0);
  c.Publish(request);
  c.Notify(request.queue);
  c.WaitUsed(request.queue, 1);
  c.Expect(Accept::Equal(1), kProgress, "a request is used with the features that were taken");
}

bool CanServe(const Context& c, FeatureSet features) {
  if (!MakeGrammar(c.facts())) return false;  // then FEATURES_OK is all that is seen
  // What changes notifications in ways that these checks do not speak.
  const FeatureSet foreign{feature::kNotificationData, feature::kNotifConfigData};
  if (!(features & foreign).empty()) return false;
  // Device-specific features may change requests; for block devices they only add some.
  return c.facts().device_id == device_id::kBlk || (features & feature::kOfDeviceTypes).empty();
}

void TakesTheLeast(Context& c) {
  const FeatureSet least = Least(c);
  if (ExpectStays(c, least, kSubset, "the features that every driver has to accept") &&
      CanServe(c, {}))
    ExpectServes(c);
}

void TakesEachAlone(Context& c) {
  const FeatureSet acceptable = Acceptable(c), least = Least(c);
  for (unsigned bit = 0; bit < feature::kBits; ++bit) {
    if (!acceptable.Has(bit) || least.Has(bit)) continue;
    const FeatureSet set = WithRequired(c, least.With(bit), acceptable);
    if (ExpectStays(c, set, kSubset, fmt::format("bit {} and what it requires", bit)) &&
        CanServe(c, set - least))
      ExpectServes(c);
  }
}

void TakesAllButOne(Context& c) {
  const FeatureSet acceptable = Acceptable(c), least = Least(c);
  for (unsigned bit = 0; bit < feature::kBits; ++bit) {
    if (!acceptable.Has(bit) || least.Has(bit)) continue;
    const FeatureSet set = Closed(c, acceptable.Without(bit));
    if (ExpectStays(c, set, kSubset, fmt::format("all features but bit {}", bit)) &&
        CanServe(c, set - least))
      ExpectServes(c);
  }
}

void TakesAll(Context& c) {
  const FeatureSet all = Acceptable(c);
  if (ExpectStays(c, all, kSubset, "all features that it offers") && CanServe(c, all - Least(c)))
    ExpectServes(c);
}

// Negotiating again -------------------------------------------------------------------------------

void TakesTheSameAgain(Context& c) {
  const FeatureSet sets[] = {Least(c), Acceptable(c)};
  for (FeatureSet set : sets) {
    if (!ExpectStays(c, set, kSubset, "a valid set of features")) continue;
    for (int round = 0; round < 6; ++round)
      if (!ExpectStays(c, set, kAgain, "a set of features that was taken before")) return;
  }
}

void TakesOthersInTurn(Context& c) {
  const FeatureSet acceptable = Acceptable(c), least = Least(c);
  std::vector<FeatureSet> sets = {least, acceptable};
  for (unsigned bit : {feature::kEventIdx, feature::kIndirectDesc, feature::kInOrder})
    if (acceptable.Has(bit)) sets.push_back(least.With(bit));
  for (int round = 0; round < 3; ++round)
    for (FeatureSet set : sets) {
      if (!ExpectStays(c, set, round == 0 ? kSubset : kAgain,
                       fmt::format("bits {} after others", BitsToText(set))))
        return;
      if (CanServe(c, set - least)) ExpectServes(c);
    }
}

// What no driver may accept -----------------------------------------------------------------------

void RefusesUnoffered(Context& c) {
  const FeatureSet offered = c.facts().offered, least = Least(c);
  for (unsigned bit = 0; bit < feature::kBits; ++bit) {
    if (offered.Has(bit) || bit == 26 || bit == feature::kVhostUserProtocol) continue;
    c.Reset();
    c.AcknowledgeAndDriver();
    c.Offered();
    c.BeginHostile();
    auto accepted = c.Try(op::AcceptFeatures{least.With(bit)});
    if (!accepted) {
      if (accepted.error().kind == ErrorKind::kUnsupported) break;  // the carrier ends here
      throw CheckEnded{CheckEnded::Why::kError, accepted.error()};
    }
    c.Do(op::WriteStatus{status::kAcknowledge | status::kDriver | status::kFeaturesOk});
    c.Do(op::ReadStatus{});
    c.Advise(Accept::Masked(status::kFeaturesOk, 0), kSubset,
             fmt::format("FEATURES_OK is left clear for bit {}, which was not offered", bit));
    if (c.failed()) break;  // one bit tells it as well as a hundred
  }
  c.ExpectSurvives();
}

// An echo whose answer carries a checksum.
Exchange EchoWithChecksum() {
  const Bytes payload = Pattern(7, 40);
  Exchange echo{"echo with a checksum", xp::kEchoQueue, LeBytes(xp::kOpEcho, 4), 0, Bytes{}, 0};
  const Bytes length = LeBytes(payload.size(), 4);
  echo.readable.insert(echo.readable.end(), length.begin(), length.end());
  echo.readable.insert(echo.readable.end(), payload.begin(), payload.end());
  uint32_t sum = 0;
  for (uint8_t byte : payload) {
    sum += byte;
    echo.expected->push_back(byte ^ xp::kEchoMask);
  }
  const Bytes checksum = LeBytes(sum, xp::kChecksumSize);
  echo.expected->insert(echo.expected->end(), checksum.begin(), checksum.end());
  echo.expected->push_back(xp::kStatusOk);
  echo.writable = static_cast<uint32_t>(echo.expected->size());
  return echo;
}

void RefusesUnmetDependencies(Context& c) {
  bool asked = false;
  const FeatureSet acceptable = Acceptable(c), least = Least(c);
  for (const Dependency& dependency : Dependencies(c)) {
    if (!acceptable.Has(dependency.bit)) continue;
    asked = true;
    c.Reset();
    c.AcknowledgeAndDriver();
    c.Offered();
    c.BeginHostile();
    FeatureSet set = WithRequired(c, least.With(dependency.bit), acceptable) - dependency.any;
    if (!c.Negotiate(set)) {
      c.Do(op::ReadStatus{});
      c.Expect(Accept::Masked(status::kFeaturesOk, 0), kSubset,
               "FEATURES_OK is left clear for a set that cannot work");
      continue;
    }
    // It took the set, so it has to work with it.
    for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) c.SetupQueue(queue);
    c.DriverOk();
    const Exchange request = IsVitrosOwn(c) ? EchoWithChecksum() : c.grammar().Request(0);
    c.Submit(request, kSubset);
  }
  if (!asked) c.NotApplicable("no offered feature is known to require another");
}

// Features that were not negotiated have no effect ------------------------------------------------

void DoesNotUseEventIdxUnasked(Context& c) {
  c.Up();
  const Exchange request = c.grammar().Request(0);
  c.Do(op::Quiesce{});
  c.Do(op::TakeNotifications{request.queue});
  c.Do(op::SetUsedEvent{request.queue, 0x4000});
  for (int i = 0; i < 3; ++i) {
    c.Publish(request);
    c.Notify(request.queue);
    c.WaitUsed(request.queue, 1);
    c.Expect(Accept::Equal(1), kProgress, "a request is used");
    c.Do(op::WaitNotifications{request.queue, 1});
    c.Expect(Accept::NotEqual(0), kIgnoresUsedEvent,
             "a used buffer notification comes whatever stands in used_event");
  }
}

void AddOfferChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "features.offer.version-1",
      .title = "VIRTIO_F_VERSION_1 is offered",
      .section = "6.2",
      .requirements = {kVersion1},
      .tags = {},
      .needs = {},
      .faults = {"version-1-not-offered"},
      .run = OffersVersion1,
  });
  list.push_back({
      .id = "features.offer.reserved-bits",
      .title = "No feature bit is offered that the standard reserves",
      .section = "2.2.2",
      .requirements = {kUndefined},
      .tags = {},
      .needs = {},
      .faults = {"offers-reserved-bit"},
      .run = OffersNoReservedBits,
  });
  list.push_back({
      .id = "features.offer.device-type-bits",
      .title = "No device-specific feature bit is offered that the device type does not define",
      .section = "2.2.2",
      .requirements = {kUndefined},
      .tags = {},
      .needs = {},
      .faults = {"offers-foreign-bit"},
      .run = OffersOnlyBitsOfItsType,
  });
  list.push_back({
      .id = "features.offer.sr-iov",
      .title = "VIRTIO_F_SR_IOV is not offered off PCI",
      .section = "6.2",
      .requirements = {kSrIov},
      .tags = {},
      .needs = {},
      .faults = {"offers-sr-iov"},
      .run = OffersNoSrIov,
  });
  list.push_back({
      .id = "features.offer.admin-vq",
      .title = "VIRTIO_F_ADMIN_VQ is not offered without an administration virtqueue",
      .section = "2.2.2",
      .requirements = {kUndefined},
      .tags = {},
      .needs = {},
      .faults = {"offers-admin-vq"},
      .run = OffersNoAdminVq,
  });
  list.push_back({
      .id = "features.offer.dependencies",
      .title = "Every offered feature comes with the features that it requires",
      .section = "2.2.2",
      .requirements = {kDependency},
      .tags = {},
      .needs = {},
      .faults = {"experimental:offers-unmet-dependency"},
      .run = OffersWhatItsFeaturesRequire,
  });
  list.push_back({
      .id = "features.offer.stable",
      .title = "The same features are offered after every reset",
      .section = "2.2",
      .requirements = {kStable},
      .tags = {},
      .needs = {},
      .faults = {"offered-features-change"},
      .run = OffersTheSameAfterReset,
  });
}

void TakesSomething(Context& c) {
  c.Up({.driver_ok = false});
  c.Do(op::ReadStatus{});
  c.Expect(Accept::Masked(status::kFeaturesOk, status::kFeaturesOk), "derived.features.usable",
           "FEATURES_OK stays set for some set of the offered features");
}

void AddSubsetChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "features.subset.any",
      .title = "Some set of the offered features is accepted",
      .section = "2.2",
      .requirements = {"derived.features.usable"},
      .tags = {},
      .needs = {},
      .faults = {"high-features-lost", "entropy:high-features-lost"},
      .run = TakesSomething,
  });
  list.push_back({
      .id = "features.subset.least",
      .title = "The device works with a driver that accepts as few features as it may",
      .section = "2.2.2",
      .requirements = {kSubset, kProgress},
      .tags = {},
      .needs = {},
      .faults = {"features-ok-refused-subset", "high-features-lost"},
      .run = TakesTheLeast,
  });
  list.push_back({
      .id = "features.subset.each-alone",
      .title = "Each offered feature can be negotiated without the others",
      .section = "2.2.2",
      .requirements = {kSubset, kProgress},
      .tags = {"odd"},
      .needs = {},
      .faults = {"features-ok-refused-subset"},
      .run = TakesEachAlone,
  });
  list.push_back({
      .id = "features.subset.all-but-one",
      .title = "All offered features but one can be negotiated",
      .section = "2.2.2",
      .requirements = {kSubset, kProgress},
      .tags = {"odd"},
      .needs = {},
      .faults = {"features-ok-refused-subset"},
      .run = TakesAllButOne,
  });
  list.push_back({
      .id = "features.subset.all",
      .title = "All offered features can be negotiated at once",
      .section = "2.2.2",
      .requirements = {kSubset, kProgress},
      .tags = {},
      .needs = {},
      .faults = {"high-features-lost"},
      .run = TakesAll,
  });
}

void AddNegotiationChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "features.renegotiate.same",
      .title = "A set of features that was taken once is taken after every reset",
      .section = "2.2.2",
      .requirements = {kAgain},
      .tags = {},
      .needs = {},
      .faults = {"features-ok-refused-twice"},
      .run = TakesTheSameAgain,
  });
  list.push_back({
      .id = "features.renegotiate.in-turn",
      .title = "Different sets of features are taken in turn, and the device works with each",
      .section = "2.2.2",
      .requirements = {kAgain, kSubset, kProgress},
      .tags = {"odd"},
      .needs = {},
      .faults = {"features-ok-refused-twice", "features-ok-refused-subset"},
      .run = TakesOthersInTurn,
  });
  list.push_back({
      .id = "features.unoffered.refused",
      .title = "FEATURES_OK is left clear for a feature that was not offered",
      .section = "2.2.2",
      .requirements = {kSubset},
      .tags = {"hostile"},
      .needs = {.abilities = {Ability::kUnofferedBits}},
      .faults = {"features-ok-for-unoffered"},
      .run = RefusesUnoffered,
  });
  list.push_back({
      .id = "features.dependency.unmet",
      .title = "A set of features with an unmet dependency is refused, or works",
      .section = "2.2.2",
      .requirements = {kSubset},
      .tags = {"hostile"},
      .needs = {.abilities = {Ability::kDeviceStatus}, .requests = true},
      .faults = {"experimental:features-ok-unmet-dependency"},
      .run = RefusesUnmetDependencies,
  });
  list.push_back({
      .id = "features.event-idx.not-negotiated",
      .title = "EVENT_IDX has no effect unless it was negotiated",
      .section = "2.2",
      .requirements = {kIgnoresUsedEvent},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"blk:feature-position-for-mask", "used-event-always"},
      .run = DoesNotUseEventIdxUnasked,
  });
}

}  // namespace

void AddFeatureChecks(std::vector<Check>& list) {
  AddOfferChecks(list);
  AddSubsetChecks(list);
  AddNegotiationChecks(list);
  AddCombinationChecks(list);
  AddFeatureEffectChecks(list);
}

}  // namespace vitro
