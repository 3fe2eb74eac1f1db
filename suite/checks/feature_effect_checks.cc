// SPDX-License-Identifier: Apache-2.0
// Checks of what one feature bit changes ("Creating New Device Types": each change of the
// configuration space, each virtqueue and each other behaviour is announced by a feature bit of its
// own): two sets that differ in that bit are negotiated, and what a driver then sees of fields,
// virtqueues, answers and notifications is compared with what the profile of the device type says
// that the bit gates.
#include <algorithm>
#include <map>

#include "suite/checks/chapters.h"
#include "suite/checks/config_fields.h"
#include "suite/checks/config_space.h"
#include "suite/checks/feature_sets.h"
#include "suite/profile/expression.h"
#include "suite/profile/feature_names.h"

namespace vitro {
namespace {

constexpr const char* kEffect = "derived.features.effect";
constexpr const char* kBehaviour = "derived.features.behaviour";

constexpr uint32_t kMostQueues = 64;
constexpr uint64_t kRequests = 3;

struct Pair {
  unsigned bit = 0;
  FeatureSet with, without;
};

// For each bit of the device type: the smallest set that has it, and the same set without it.
std::vector<Pair> PairsOf(const Context& c) {
  const NegotiableFeatures negotiable = FindNegotiable(c.facts());
  const FeatureSpace space = negotiable.Space();
  std::vector<Pair> pairs;
  for (const ProfileFeature& feature : c.profile()->features) {
    if (!negotiable.offered.Has(feature.bit) || negotiable.always.Has(feature.bit)) continue;
    const auto with = space.Nearest(negotiable.always, {feature.bit});
    if (!with || !space.Valid(with->Without(feature.bit))) continue;
    pairs.push_back({feature.bit, *with, with->Without(feature.bit)});
  }
  return pairs;
}

// The configuration space as a driver sees it that negotiated `features`; nullopt if that was
// refused, or if it changes by itself.
std::optional<std::map<uint32_t, uint8_t>> SeenWith(Context& c, FeatureSet features) {
  if (!c.NegotiateAfresh(features)) return std::nullopt;
  SaidToHaveChanged(c);
  const auto seen = Flatten(ReadConfigSpace(c));
  if (SaidToHaveChanged(c)) return std::nullopt;
  return seen;
}

// The field that has this byte, of all that the profile knows.
const ProfileField* FieldOf(const Profile& profile, uint32_t offset) {
  for (const ProfileField& field : profile.fields)
    if (offset >= field.offset && offset - field.offset < field.size()) return &field;
  return nullptr;
}

bool Gates(const ProfileField& field, const Pair& pair) {
  return Holds(field.exists, pair.with) != Holds(field.exists, pair.without);
}

void JudgePair(Context& c, const Pair& pair) {
  const std::string bit = FeatureName(c.facts().device_id, pair.bit);
  const auto without = SeenWith(c, pair.without);
  const auto with = without ? SeenWith(c, pair.with) : std::nullopt;
  if (!with) return;
  // What differs belongs to the bit, or has one of its own.
  for (const auto& [offset, byte] : *with) {
    const auto other = without->find(offset);
    if (other == without->end() || other->second == byte) continue;
    const ProfileField* field = FieldOf(*c.profile(), offset);
    if (field == nullptr || Gates(*field, pair) || field->changes != FieldChanges::kNever) continue;
    c.Do(op::ReadConfig{offset, 1});
    c.Note(Accept::Equal(other->second), kEffect,
           fmt::format("{} is the same with and without {}, which does not gate it", field->name,
                       bit));
    return;
  }
  // And what belongs to the bit does not show without it.
  if (!SeenWith(c, pair.without)) return;
  for (const ProfileField& field : c.profile()->fields) {
    if (!Gates(field, pair) || !Holds(field.exists, pair.with)) continue;
    const auto shown = with->find(field.offset);
    if (shown == with->end() || shown->second == 0) continue;
    c.Do(op::ReadConfig{field.offset, 1});
    c.Note(Accept::NotEqual(shown->second), kEffect,
           fmt::format("{} does not show without {}", field.name, bit));
    if (c.failed()) return;
  }
}

void OnEachPair(Context& c, void (*judge)(Context&, const Pair&)) {
  if (c.profile() == nullptr) c.NotApplicable("nothing is known of the device's type");
  const std::vector<Pair> pairs = PairsOf(c);
  if (pairs.empty()) c.NotApplicable("no feature bit of the device's type can be left out alone");
  for (const Pair& pair : pairs) {
    judge(c, pair);
    if (c.failed()) return;
  }
}

void ChangesWhatItGates(Context& c) { OnEachPair(c, JudgePair); }

// Virtqueues --------------------------------------------------------------------------------------

// Which of the first virtqueues there are for a driver that negotiated `features`; nullopt if that
// was refused.
std::optional<std::vector<bool>> QueuesSeenWith(Context& c, FeatureSet features) {
  if (!c.NegotiateAfresh(features)) return std::nullopt;
  std::vector<bool> there;
  for (uint32_t queue = 0; queue < std::min(c.facts().queue_count, kMostQueues); ++queue)
    there.push_back(c.MaxQueueSize(queue) != 0);
  return there;
}

// Whether the profile has a virtqueue of this index with these features; nullopt if it cannot tell.
std::optional<bool> HasByProfile(const Context& c, FeatureSet features, uint32_t index) {
  bool has = false;
  for (const ProfileQueue& queue : c.profile()->queues) {
    const auto indices = QueueIndices(*c.profile(), queue, features, c.facts().config);
    if (!indices) return std::nullopt;
    has = has || std::find(indices->begin(), indices->end(), index) != indices->end();
  }
  return has;
}

void JudgeQueues(Context& c, const Pair& pair) {
  const auto without = QueuesSeenWith(c, pair.without);
  const auto with = without ? QueuesSeenWith(c, pair.with) : std::nullopt;
  if (!with) return;
  for (uint32_t queue = 0; queue < with->size(); ++queue) {
    const bool there = (*without)[queue];
    if ((*with)[queue] == there) continue;
    const auto before = HasByProfile(c, pair.without, queue),
               now = HasByProfile(c, pair.with, queue);
    if (!before || !now || *before != *now) continue;
    c.MaxQueueSize(queue);
    c.Note(there ? Accept::NotEqual(0) : Accept::Equal(0), kBehaviour,
           fmt::format("virtqueue {} is {}there with and without {}, which does not gate it", queue,
                       there ? "" : "not ", FeatureName(c.facts().device_id, pair.bit)));
    return;
  }
}

void ChangesItsQueuesOnly(Context& c) {
  if (!c.Has(Ability::kDeviceId))
    c.NotObservable("this carrier does not tell the maximum queue size");
  OnEachPair(c, JudgeQueues);
}

// A virtqueue that belongs to the bit; nullopt if none does.
std::optional<uint32_t> QueueOf(const Context& c, const Pair& pair) {
  for (uint32_t queue = 0; queue < std::min(c.facts().queue_count, kMostQueues); ++queue)
    if (HasByProfile(c, pair.with, queue).value_or(false) &&
        !HasByProfile(c, pair.without, queue).value_or(true))
      return queue;
  return std::nullopt;
}

// Something of what the bit is there for: of a bit that stands for fields or virtqueues.
void JudgeVisible(Context& c, const Pair& pair) {
  const auto field = std::ranges::find_if(c.profile()->fields, [&](const ProfileField& each) {
    // Others may well read 0 for now.
    return Gates(each, pair) && Holds(each.exists, pair.with) &&
           each.access == FieldAccess::kReadOnly && each.changes == FieldChanges::kNever &&
           each.offset + each.width <= c.facts().config_size;
  });
  const bool has_field = field != c.profile()->fields.end() && c.Has(Ability::kConfigSpace);
  const auto queue = c.Has(Ability::kDeviceId) ? QueueOf(c, pair) : std::nullopt;
  if (!has_field && !queue) return;
  const auto without = SeenWith(c, pair.without);
  const auto queues_without = QueuesSeenWith(c, pair.without);
  const auto with = SeenWith(c, pair.with);
  const auto queues_with = QueuesSeenWith(c, pair.with);
  if (!without || !with || *without != *with || queues_without != queues_with) return;
  const std::string say = fmt::format("{} shows in the field or virtqueue that comes with it",
                                      FeatureName(c.facts().device_id, pair.bit));
  if (queue) {
    const uint32_t size = c.MaxQueueSize(*queue);
    c.Note(Accept::NotEqual(size), kBehaviour, say);
  } else {
    const uint32_t width = std::min(field->width, 4u);
    const uint64_t value = c.Do(op::ReadConfig{field->offset, width}).value;
    c.Note(Accept::NotEqual(value), kBehaviour, say);
  }
}

void ShowsItsEffect(Context& c) { OnEachPair(c, JudgeVisible); }

// Answers and notifications -----------------------------------------------------------------------

// What a driver sees of a request, but for data that may be another each time.
struct Answered {
  bool used = false;
  uint32_t length = 0;
  std::vector<Bytes> parts;  // JudgedParts(), and all of it if that can be foreseen
  friend bool operator==(const Answered&, const Answered&) = default;
};
struct Served {
  std::vector<Answered> answers;
  uint64_t notifications = 0;  // 0 where they cannot be counted exactly
  friend bool operator==(const Served&, const Served&) = default;
};

// Offset and width of the integers of an answer of this length of which few values are right.
std::vector<std::pair<uint32_t, uint32_t>> JudgedParts(const Exchange& exchange, uint32_t length) {
  std::vector<std::pair<uint32_t, uint32_t>> parts;
  for (const AnswerPart& part : exchange.answer) {
    const auto width = static_cast<uint32_t>(part.bytes.size());
    if (!part.values.empty() && part.offset + width <= length)
      parts.push_back({part.offset, width});
  }
  return parts;
}

Answered Ask(Context& c, const Exchange& exchange) {
  c.Publish(exchange);
  c.Notify(exchange.queue);
  const Observation used = c.WaitUsed(exchange.queue, 1);
  Answered answered{used.value == 1, 0, {}};
  if (!answered.used) return answered;
  answered.length = used.used_len;
  for (const auto& [offset, width] : JudgedParts(exchange, used.used_len))
    answered.parts.push_back(c.Do(op::ReadAnswer{exchange.queue, offset, width}).bytes);
  if (exchange.expected) answered.parts.push_back(c.Do(op::ReadAnswer{exchange.queue}).bytes);
  return answered;
}

std::optional<Served> ServedWith(Context& c, FeatureSet features, const Grammar& grammar) {
  if (!c.NegotiateAfresh(features)) return std::nullopt;
  const uint32_t last = grammar.Request(0).queue;
  for (uint32_t queue = 0; queue <= last; ++queue) c.SetupQueue(queue);
  c.DriverOk();
  for (const Exchange& exchange : grammar.Preparation())
    if (exchange.queue <= last) Ask(c, exchange);
  Served served;
  for (uint64_t n = 0; n < kRequests; ++n) served.answers.push_back(Ask(c, grammar.Request(n)));
  if (!c.Has(Ability::kExactQuiet) || !c.Has(Ability::kUsedNotification)) return served;
  c.Do(op::Quiesce{});
  served.notifications = c.Do(op::TakeNotifications{last}).value;
  return served;
}

// Asks once more, and judges by what was seen without the bit.
void JudgeAgain(Context& c, const Exchange& exchange, const Answered& without,
                const std::string& bit) {
  const std::string same =
      fmt::format("{} is answered with {}, which is not about it, as without", exchange.what, bit);
  c.Publish(exchange);
  c.Notify(exchange.queue);
  c.WaitUsed(exchange.queue, 1);
  c.Note(Accept::Equal(without.used ? 1 : 0), kBehaviour, same);
  if (!without.used || c.last().value != 1) return;
  c.Note(Accept::LengthRange(without.length, without.length), kBehaviour, same);
  if (exchange.expected && !c.failed()) {
    c.Do(op::ReadAnswer{exchange.queue});
    c.Note(Accept::SameBytes(without.parts.back()), kBehaviour, same);
  }
  size_t part = 0;
  for (const auto& [offset, width] : JudgedParts(exchange, without.length)) {
    c.Do(op::ReadAnswer{exchange.queue, offset, width});
    c.Note(Accept::SameBytes(without.parts[part++]), kBehaviour, same);
  }
}

bool SameRequests(const Grammar& a, const Grammar& b) {
  for (uint64_t n = 0; n < kRequests; ++n) {
    const Exchange one = a.Request(n), other = b.Request(n);
    if (one.queue != other.queue || one.readable != other.readable ||
        one.writable != other.writable || one.expected != other.expected)
      return false;
  }
  return true;
}

// The same requests twice without the bit, so that what differs anyway shows, and then with it.
void JudgeRequests(Context& c, const Pair& pair) {
  const auto without = MakeGrammar(c.facts(), pair.without),
             with = MakeGrammar(c.facts(), pair.with);
  if (without == nullptr || with == nullptr || !SameRequests(*without, *with)) return;
  const auto before = ServedWith(c, pair.without, *without);
  if (!before || ServedWith(c, pair.without, *without) != before) return;
  const auto now = ServedWith(c, pair.with, *with);
  if (!now || *now == *before) return;
  const std::string bit = FeatureName(c.facts().device_id, pair.bit);
  if (now->notifications != before->notifications)  // what was observed last
    c.Note(Accept::Equal(before->notifications), kBehaviour,
           fmt::format("{} requests are notified of as often with {} as without", kRequests, bit));
  for (uint64_t n = 0; n < kRequests; ++n)
    if (now->answers[n] != before->answers[n])
      return JudgeAgain(c, with->Request(n), before->answers[n], bit);
}

void ChangesNoRequests(Context& c) { OnEachPair(c, JudgeRequests); }

}  // namespace

void AddFeatureEffectChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "features.effect.fields",
      .title = "A feature bit changes those config fields that belong to it, and no others",
      .section = "2.2",
      .requirements = {kEffect},
      .tags = {"odd"},
      .needs = {.abilities = {Ability::kConfigSpace}, .config_bytes = 1},
      .faults = {"experimental:config-gate-ignored", "feature-changes-other-field"},
      .run = ChangesWhatItGates,
  });
  list.push_back({
      .id = "features.effect.queues",
      .title = "A feature bit changes which virtqueues there are only where they belong to it",
      .section = "2.2",
      .requirements = {kBehaviour},
      .tags = {"odd"},
      .needs = {},
      .faults = {"feature-hides-other-queue"},
      .run = ChangesItsQueuesOnly,
  });
  list.push_back({
      .id = "features.effect.shows",
      .title = "A feature bit that stands for a field or a virtqueue shows in one",
      .section = "2.2",
      .requirements = {kBehaviour},
      .tags = {"odd"},
      .needs = {},
      .faults = {"feature-without-effect"},
      .run = ShowsItsEffect,
  });
  list.push_back({
      .id = "features.effect.requests",
      .title = "A feature bit does not change answers and notifications of requests that it is not "
               "about",
      .section = "2.2",
      .requirements = {kBehaviour},
      .tags = {"odd"},
      .needs = {.requests = true},
      .faults = {"feature-changes-answer", "feature-notifies-twice"},
      .run = ChangesNoRequests,
  });
}

}  // namespace vitro
