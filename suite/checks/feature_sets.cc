// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/feature_sets.h"

#include <algorithm>
#include <bit>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "suite/checks/config_space.h"
#include "suite/profile/expression.h"

namespace vitro {
namespace {

constexpr const char* kSubset = "dev.basic.feature-bits.2";
constexpr const char* kAgain = "dev.basic.feature-bits.4";
constexpr const char* kSameConfig = "derived.features.same-config";
constexpr const char* kFields = "derived.features.fields";
constexpr const char* kGated = "derived.queue.gated";
constexpr const char* kProgress = "derived.used.progress";
constexpr const char* kRecovers = "derived.reset.recovers";

constexpr uint32_t kMostQueues = 8;  // of a device with more, the first are used

// Section 6, without the bits of transitional devices.
constexpr FeatureSet kReservedBits =
    FeatureSet::Range(28, 29) | FeatureSet::Range(32, 41) | FeatureSet{feature::kSuspend};
// Bits of the vhost-user carrier, which its front-end answers for.
constexpr FeatureSet kCarrierBits{26, feature::kVhostUserProtocol};

FeatureSet BitsOf(const Profile& profile) {
  FeatureSet bits;
  for (const ProfileFeature& each : profile.features)
    if (!each.legacy) bits.Add(each.bit);
  return bits;
}

void AddRules(const Profile& profile, FeatureSet offered, std::vector<FeatureRule>& rules) {
  // Where none of them is offered no driver could do right: then it is not held against the sets.
  for (const FeatureClause& clause : profile.requires_)
    if (Holds({clause}, offered)) rules.push_back({{}, clause});
  for (const ProfileFeature& each : profile.features) {
    for (const FeatureClause& clause : each.requires_) rules.push_back({{each.bit}, clause});
    for (const unsigned other : each.conflicts) rules.push_back({{each.bit, other}, {}});
  }
}

constexpr uint64_t kTaken = status::kFeaturesOk;

Bytes ConfigBytes(const std::vector<ConfigPiece>& pieces) {
  Bytes bytes;
  for (const auto& [offset, byte] : Flatten(pieces)) {
    bytes.resize(std::max<size_t>(bytes.size(), offset + 1));
    bytes[offset] = byte;
  }
  return bytes;
}

// Fields that a feature brings can be read with it. Of what is read without it the standard says
// nothing.
void JudgeFields(Context& c, const Profile& profile, FeatureSet set) {
  for (const ProfileField& field : profile.fields) {
    if (field.exists.empty() || !Holds(field.exists, set)) continue;
    const uint32_t width = std::min(field.width, 4u);
    if (field.offset + width > c.facts().config_size || !std::has_single_bit(width)) continue;
    c.Do(op::ReadConfig{field.offset, width});
    c.Advise(Accept::Answered(), kFields,
             fmt::format("the field {} can be read with bits {}", field.name, BitsToText(set)));
  }
}

// The indices of the queues that there are with this set; nullopt where no profile tells.
std::optional<std::vector<uint32_t>> QueuesWith(const Profile* profile, FeatureSet set,
                                                ByteView config) {
  if (profile == nullptr) return std::nullopt;
  std::vector<uint32_t> queues;
  for (const ProfileQueue& queue : profile->queues) {
    const auto indices = QueueIndices(*profile, queue, set, config);
    if (!indices) return std::nullopt;
    queues.insert(queues.end(), indices->begin(), indices->end());
  }
  return queues;
}

bool Contains(const std::vector<uint32_t>& queues, uint32_t queue) {
  return std::find(queues.begin(), queues.end(), queue) != queues.end();
}

// Queues belong to features as fields do. Those that are there without theirs are told by
// profile.queues.gated, once and not for every set.
void JudgeQueues(Context& c, const std::vector<uint32_t>& there) {
  for (const uint32_t queue : there) {
    if (queue >= std::min(c.facts().queue_count, kMostQueues)) continue;
    c.MaxQueueSize(queue);
    c.Advise(Accept::NotEqual(0), kGated,
             fmt::format("queue {} is there with the features that it belongs to", queue));
  }
}

// Those that a driver with these features may use.
std::vector<uint32_t> UsableQueues(Context& c, const std::optional<std::vector<uint32_t>>& there) {
  std::vector<uint32_t> queues;
  for (uint32_t queue = 0; queue < std::min(c.facts().queue_count, kMostQueues); ++queue) {
    const bool usable =
        there ? Contains(*there, queue) : c.facts().device_id != device_id::kBlk || queue == 0;
    if (usable && c.MaxQueueSize(queue) != 0) queues.push_back(queue);
  }
  return queues;
}

// Requests of all framings that the features bring, on one queue.
void UseQueue(Context& c, const Grammar& grammar, uint32_t queue, FeatureSet set) {
  const auto first = grammar.RequestOn(queue, 0), second = grammar.RequestOn(queue, 1);
  if (!first || !second) return;
  c.Submit(*first, kProgress);
  if (set.Has(feature::kIndirectDesc)) c.Submit(*second, kProgress, Framing::Indirect());
  // Two at once, so that their order shows.
  c.Publish(*first);
  c.Publish(*second);
  c.Notify(queue);
  c.WaitUsed(queue, 2);
  c.Expect(Accept::Equal(2), kProgress,
           fmt::format("{} and {} are used", first->what, second->what));
}

void UseQueues(Context& c, const std::vector<uint32_t>& queues, FeatureSet set) {
  const auto grammar = MakeGrammar(c.facts(), set);
  if (grammar == nullptr) return;
  // What was learned of requests holds with the features that it was learned with.
  if (!c.facts().learned.empty() && !(set & feature::kOfDeviceTypes).empty()) return;
  for (const uint32_t queue : queues) c.SetupQueue(queue);
  c.DriverOk();
  for (const Exchange& exchange : grammar->Preparation())
    if (Contains(queues, exchange.queue)) c.Submit(exchange, kProgress);
  for (const uint32_t queue : queues) UseQueue(c, *grammar, queue, set);
  if (c.Has(Ability::kExactQuiet)) c.Do(op::Quiesce{});  // elsewhere it costs a window of time
}

// One expectation, also where all is well, so that a program of it judges again.
void JudgeSameConfig(Context& c, const std::vector<ConfigPiece>& before, const std::string& bits) {
  if (before.empty()) return;
  const auto now = ReadConfigSpace(c);
  // What changes by itself is another check's business.
  if (now != before && SaidToHaveChanged(c)) return;
  const auto odd = std::find_if(before.begin(), before.end(), [&](const ConfigPiece& piece) {
    return std::find(now.begin(), now.end(), piece) == now.end();
  });
  const ConfigPiece& piece = odd == before.end() ? before.front() : *odd;
  c.Do(op::ReadConfig{piece.offset, static_cast<uint32_t>(piece.bytes.size())});
  c.Advise(
      Accept::SameBytes(piece.bytes), kSameConfig,
      fmt::format("bits {} show the same configuration again (offset {})", bits, piece.offset));
}

}  // namespace

bool ExpectTaken(Context& c, FeatureSet features, const char* requirement, const std::string& say) {
  const bool taken = c.NegotiateAfresh(features);
  c.Advise(Accept::Masked(kTaken, kTaken), requirement, say);
  return taken;
}

NegotiableFeatures FindNegotiable(const DeviceFacts& facts) {
  const Profile* profile = facts.profile;
  const FeatureSet of_type = profile == nullptr ? feature::kOfDeviceTypes : BitsOf(*profile);
  NegotiableFeatures found;
  found.offered = facts.offered & (kReservedBits | of_type);
  found.left_out = facts.offered - found.offered - kCarrierBits;
  if (profile != nullptr) AddRules(*profile, found.offered, found.rules);
  const bool zoned = facts.device_id == device_id::kBlk && found.offered.Has(blk::kFeatureZoned);
  for (const unsigned bit : {feature::kVersion1, feature::kAccessPlatform, feature::kOrderPlatform})
    if (found.offered.Has(bit)) found.always.Add(bit);
  if (zoned) found.always.Add(blk::kFeatureZoned);
  // Not for host-managed zoned devices (5.2.5.1).
  if (zoned && found.offered.Has(blk::kFeatureDiscard)) {
    found.offered.Remove(blk::kFeatureDiscard);
    found.left_out.Add(blk::kFeatureDiscard);
  }
  return found;
}

std::string BitsToText(FeatureSet set) {
  std::string text;
  for (unsigned bit = 0; bit < feature::kBits; ++bit)
    if (set.Has(bit)) text += fmt::format("{}{}", text.empty() ? "" : ", ", bit);
  return text.empty() ? "none" : text;
}

const char* Name(SetDepth depth) {
  switch (depth) {
    case SetDepth::kNegotiate:
      return "negotiate";
    case SetDepth::kConfig:
      return "config";
    case SetDepth::kIo:
      return "io";
  }
  return "?";
}

bool TrySet(Context& c, FeatureSet set, SetDepth depth) {
  const Profile* profile = c.profile();
  const std::string bits = BitsToText(set);
  if (!ExpectTaken(c, set, kSubset, fmt::format("FEATURES_OK stays set for bits {}", bits)))
    return false;
  if (depth == SetDepth::kNegotiate) return true;
  const auto config = ReadConfigSpace(c);
  SaidToHaveChanged(c);
  if (!ExpectTaken(c, set, kAgain, fmt::format("bits {} are taken again after a reset", bits)))
    return true;
  JudgeSameConfig(c, config, bits);
  if (profile != nullptr && c.Has(Ability::kConfigSpace)) JudgeFields(c, *profile, set);
  const auto there = QueuesWith(profile, set, ConfigBytes(config));
  // Not every carrier tells of a queue that it is not there.
  if (there && c.Has(Ability::kDeviceId)) JudgeQueues(c, *there);
  if (depth == SetDepth::kIo) UseQueues(c, UsableQueues(c, there), set);
  return true;
}

const char* Name(InvalidSet::Kind kind) {
  switch (kind) {
    case InvalidSet::Kind::kUnoffered:
      return "a bit that was not offered, alone";
    case InvalidSet::Kind::kUnofferedInCompany:
      return "a bit that was not offered, beside all others";
    case InvalidSet::Kind::kUnmetRule:
      return "a dependency or conflict ignored";
    case InvalidSet::Kind::kNoVersion1:
      return "VIRTIO_F_VERSION_1 left out";
  }
  return "?";
}

std::vector<InvalidSet> InvalidSets(const NegotiableFeatures& negotiable, FeatureSet offered,
                                    const Abilities& abilities) {
  using Kind = InvalidSet::Kind;
  const FeatureSpace space = negotiable.Space();
  const auto nearest = [&](FeatureSet wish) { return space.Nearest(wish).value_or(wish); };
  const FeatureSet least = nearest({}), largest = nearest(negotiable.offered);
  std::vector<InvalidSet> sets;
  for (unsigned bit = 0; bit < feature::kBits; ++bit) {
    if (!abilities.Has(Ability::kUnofferedBits)) break;
    if (offered.Has(bit) || kCarrierBits.Has(bit)) continue;
    const std::string why = fmt::format("bit {}, which was not offered", bit);
    sets.push_back({Kind::kUnoffered, least.With(bit), why});
    sets.push_back({Kind::kUnofferedInCompany, largest.With(bit), why});
  }
  if (!abilities.Has(Ability::kDeviceStatus)) return sets;  // nothing could say no
  for (const FeatureRule& rule : negotiable.rules) {
    FeatureSet all, any;
    for (const unsigned bit : rule.all) all.Add(bit);
    for (const unsigned bit : rule.any) any.Add(bit);
    if (!negotiable.offered.Contains(all)) continue;
    const std::string why =
        rule.any.empty()   ? fmt::format("bits {} together", BitsToText(all))
        : rule.all.empty() ? fmt::format("none of bits {}", BitsToText(any))
                           : fmt::format("bit {} without {}", BitsToText(all), BitsToText(any));
    sets.push_back({Kind::kUnmetRule, (least | all) - any, why});
    sets.push_back({Kind::kUnmetRule, (largest | all) - any, why + ", beside all others"});
  }
  if (negotiable.offered.Has(feature::kVersion1))
    for (const FeatureSet set : {least, largest})
      sets.push_back({Kind::kNoVersion1, set.Without(feature::kVersion1),
                      fmt::format("bits {} without VERSION_1", BitsToText(set))});
  std::erase_if(sets, [&](const InvalidSet& each) { return space.Valid(each.set); });
  return sets;
}

bool TryInvalidSet(Context& c, const InvalidSet& invalid, FeatureSet valid) {
  c.Reset();
  c.AcknowledgeAndDriver();
  c.Offered();
  c.BeginHostile();
  auto accepted = c.Try(op::AcceptFeatures{invalid.set});
  if (!accepted && accepted.error().kind == ErrorKind::kUnsupported)
    c.NotObservable(accepted.error().message);
  if (!accepted) throw CheckEnded{CheckEnded::Why::kError, accepted.error()};
  c.Do(op::WriteStatus{status::kAcknowledge | status::kDriver | status::kFeaturesOk});
  const bool taken = (c.Do(op::ReadStatus{}).value & kTaken) != 0;
  const bool unoffered = invalid.kind == InvalidSet::Kind::kUnoffered ||
                         invalid.kind == InvalidSet::Kind::kUnofferedInCompany;
  // A device may take any other set, if it then works; and may do without VERSION_1 (6.2).
  if (unoffered)
    c.Advise(Accept::Masked(kTaken, 0), kSubset,
             fmt::format("FEATURES_OK is left clear for {}", invalid.why));
  c.Do(op::Reset{});
  c.Expect(Accept::Equal(0), kRecovers,
           fmt::format("a reset brings the device back after {}", invalid.why));
  ExpectTaken(c, valid, kAgain, "a valid set is taken afterwards");
  return taken;
}

}  // namespace vitro
