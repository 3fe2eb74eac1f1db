// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/context.h"
#include "harness/virtio/split_ring.h"

#include <algorithm>

namespace vitro {
namespace {

constexpr uint32_t kUsualQueueSize = 16;

Accept MakeAccept(const char* kind, std::vector<uint64_t> values, Bytes bytes = {}) {
  Accept accept;
  accept.expect.kind = kind;
  accept.expect.values = std::move(values);
  accept.expect.bytes = std::move(bytes);
  return accept;
}

// Cuts `total` bytes into segments of the given lengths; the rest, or everything, is one more.
std::vector<uint32_t> Cut(uint32_t total, const std::vector<uint32_t>& lengths) {
  std::vector<uint32_t> cut;
  for (uint32_t length : lengths) {
    if (total == 0) break;
    cut.push_back(std::min(length, total));
    total -= cut.back();
  }
  if (total > 0) cut.push_back(total);
  return cut;
}

Accept AcceptPart(const AnswerPart& part) {
  constexpr uint64_t kFew = 64;
  if (part.values.empty()) return Accept::SameBytes(part.bytes);
  if (part.values.size() == 1)
    return Accept::Range(part.values.front().first, part.values.front().second);
  std::vector<uint64_t> values;
  auto [least, most] = part.values.front();
  for (const auto& [from, to] : part.values) {
    least = std::min(least, from), most = std::max(most, to);
    for (uint64_t i = 0; i <= std::min(to - from, kFew); ++i) values.push_back(from + i);
  }
  return values.size() <= kFew ? Accept::In(std::move(values)) : Accept::Range(least, most);
}

}  // namespace

Accept Accept::In(std::vector<uint64_t> values) { return MakeAccept("in", std::move(values)); }
Accept Accept::NotEqual(uint64_t value) { return MakeAccept("not-in", {value}); }
Accept Accept::Range(uint64_t from, uint64_t to) { return MakeAccept("range", {from, to}); }
Accept Accept::Masked(uint64_t mask, uint64_t value) { return MakeAccept("mask", {mask, value}); }
Accept Accept::SameBytes(Bytes bytes) { return MakeAccept("bytes", {}, std::move(bytes)); }
Accept Accept::Refused() { return MakeAccept("refused", {}); }
Accept Accept::Answered() { return MakeAccept("answered", {}); }
Accept Accept::LengthRange(uint64_t from, uint64_t to) {
  Accept accept = Range(from, to);
  accept.expect.what = "len";
  return accept;
}

Framing Framing::Pieces(uint32_t length) {
  Framing framing;
  framing.readable.assign(4096, length);
  framing.writable = framing.readable;
  return framing;
}

Observation Context::Do(const Operation& operation) {
  auto result = session_.Perform(operation);
  if (!result) throw CheckEnded{CheckEnded::Why::kError, result.error()};
  return *std::move(result);
}

void Context::Expect(Accept accept, const std::string& requirement, const std::string& because) {
  accept.expect.requirement = requirement;
  accept.expect.because = because;
  Do(accept.expect);
}

void Context::Advise(Accept accept, const std::string& requirement, const std::string& because) {
  accept.expect.severity = "warn";
  Expect(std::move(accept), requirement, because);
}

void Context::Note(Accept accept, const std::string& requirement, const std::string& because) {
  accept.expect.severity = "info";
  Expect(std::move(accept), requirement, because);
}

void Context::NotApplicable(const std::string& why) {
  throw CheckEnded{CheckEnded::Why::kNotApplicable, {ErrorKind::kRefused, why}};
}

void Context::NotObservable(const std::string& why) {
  throw CheckEnded{CheckEnded::Why::kNotObservable, {ErrorKind::kUnsupported, why}};
}

void Context::Reset() {
  const Observation status = Do(op::Reset{});
  if (status.value != 0) {
    Expect(Accept::Equal(0), "dev.basic.device-reset.1",
           "the status reads 0 once a reset is complete");
    throw CheckEnded{CheckEnded::Why::kError,
                     {ErrorKind::kTimeout, "the device did not complete a reset"}};
  }
}

void Context::AcknowledgeAndDriver() {
  Do(op::WriteStatus{status::kAcknowledge});
  Do(op::WriteStatus{status::kAcknowledge | status::kDriver});
}

FeatureSet Context::Offered() {
  Do(op::ReadFeatures{});
  return session_.state().offered;
}

bool Context::NegotiateAfresh(FeatureSet features) {
  Reset();
  AcknowledgeAndDriver();
  Offered();
  return Negotiate(features);
}

bool Context::Negotiate(FeatureSet features) {
  constexpr uint8_t kWithFeatures = status::kAcknowledge | status::kDriver | status::kFeaturesOk;
  if (Do(op::AcceptFeatures{features}).refused) return false;
  Do(op::WriteStatus{kWithFeatures});
  return (Do(op::ReadStatus{}).value & status::kFeaturesOk) != 0;
}

FeatureSet Context::DefaultFeatures(FeatureSet with) {
  FeatureSet features = with.With(feature::kVersion1);
  if (wants_packed_) features.Add(feature::kRingPacked);
  if (facts_.offered.Has(feature::kOrderPlatform)) features.Add(feature::kOrderPlatform);
  if (grammar_ != nullptr) features = features | grammar_->needed_features();
  if (profile() != nullptr) profile()->Complete(profile()->requires_, facts_.offered, features);
  // A device that does not offer VERSION_1 is found out by a check of its own.
  if (!facts_.offered.Has(feature::kVersion1)) features.Remove(feature::kVersion1);
  return features;
}

void Context::DriverOk() {
  Do(op::WriteStatus{status::kAcknowledge | status::kDriver | status::kFeaturesOk |
                     status::kDriverOk});
}

void Context::NegotiateSomehow(FeatureSet wanted, bool exact) {
  // Some devices do not work without what their type or platform asks for (6.2, 5.2.5.2 for zoned
  // disks): those are added before it is given up. Ring features are not, they are what is tested.
  constexpr FeatureSet kOfTypeOrPlatform = FeatureSet::FromWords(
      0xffffff | uint64_t{1} << feature::kAccessPlatform | ~uint64_t{0} << 50, ~uint64_t{0});
  if (NegotiateAfresh(wanted)) return;
  const std::string refused = fmt::format("the device refused the features {:#x}", wanted.word(0));
  if (exact) NotApplicable(refused);
  if (NegotiateAfresh(wanted | (session_.state().offered & kOfTypeOrPlatform))) return;
  NegotiateAfresh(session_.state().offered);
  Expect(Accept::Masked(status::kFeaturesOk, status::kFeaturesOk), "derived.features.usable",
         "FEATURES_OK stays set for some set of the offered features");
  NotApplicable(refused);
}

void Context::Up(const BringUp& how) {
  NegotiateSomehow(DefaultFeatures(how.with), how.exact);
  std::vector<uint32_t> queues = how.only;
  if (queues.empty() && how.queues > 0)
    for (uint32_t queue = 0; queue < how.queues; ++queue) queues.push_back(queue);
  if (queues.empty()) {
    // A request queue of a higher number: the ones below it are set up as a driver would.
    for (uint32_t queue = 0; queue <= request_queue(); ++queue) queues.push_back(queue);
  }
  for (uint32_t queue : queues) SetupQueue(queue, how.queue_size);
  if (!how.driver_ok) return;
  DriverOk();
  if (!how.prepare || grammar_ == nullptr) return;
  const auto preparation = grammar_->Preparation();
  for (const Exchange& exchange : preparation) {
    if (std::find(queues.begin(), queues.end(), exchange.queue) == queues.end()) continue;
    Submit(exchange, "derived.used.progress");
  }
  if (preparation.empty()) return;
  Do(op::Quiesce{});
  if (!Has(Ability::kUsedNotification)) return;
  for (uint32_t queue : queues) Do(op::TakeNotifications{queue});
}

uint32_t Context::MaxQueueSize(uint32_t queue) {
  return static_cast<uint32_t>(Do(op::ReadQueueMaxSize{queue}).value);
}

uint32_t Context::DefaultQueueSize(uint32_t queue) {
  const uint32_t most = MaxQueueSize(queue);
  return most == 0 ? kUsualQueueSize : std::min(most, kUsualQueueSize);
}

uint32_t Context::request_queue() const {
  return grammar_ == nullptr ? 0 : grammar_->Request(0).queue;
}

std::vector<uint32_t> Context::RequestQueues(uint32_t most) const {
  std::vector<uint32_t> queues;
  for (uint32_t queue = 0; queue < std::min(facts_.queue_count, 64u) && queues.size() < most;
       ++queue)
    if (grammar_ != nullptr && grammar_->RequestOn(queue, 0)) queues.push_back(queue);
  return queues;
}

uint64_t Context::Allocate(uint64_t length, uint64_t align, uint64_t skew) {
  auto address = session_.allocator().Allocate(length, align, skew);
  if (!address) throw CheckEnded{CheckEnded::Why::kError, address.error()};
  return *address;
}

op::SetupQueue Context::SetupQueue(uint32_t queue, uint32_t size) {
  if (size == 0) size = DefaultQueueSize(queue);
  const op::SetupQueue setup = LayQueue(queue, size);
  Do(setup);
  return setup;
}

op::SetupQueue Context::LayQueue(uint32_t queue, uint32_t size) {
  const Virtqueue::Areas areas = AreasOf(size);
  op::SetupQueue setup{queue, size};
  setup.desc = Allocate(areas.desc_bytes, areas.desc_align);
  setup.driver = Allocate(areas.driver_bytes, areas.driver_align);
  setup.device = Allocate(areas.device_bytes, areas.device_align);
  return setup;
}

op::Read Context::UsedArea(const op::SetupQueue& setup) const {
  const Virtqueue::Areas areas = AreasOf(setup.size);
  if (packed()) return {setup.desc, areas.desc_bytes};
  return {setup.device, areas.device_bytes};
}

std::vector<op::Segment> Context::Lay(const Exchange& exchange, const Framing& framing) {
  std::vector<op::Segment> segments;
  auto add = [&](uint32_t total, const std::vector<uint32_t>& lengths, bool writable) {
    for (uint32_t length : Cut(total, lengths)) segments.push_back({0, length, writable});
  };
  add(static_cast<uint32_t>(exchange.readable.size()), framing.readable, false);
  add(exchange.writable, framing.writable, true);
  for (size_t i = 0; i < segments.size(); ++i) {
    if (framing.at_end && i + 1 == segments.size()) {
      auto address = session_.allocator().AllocateAtEnd(segments[i].length);
      if (!address) throw CheckEnded{CheckEnded::Why::kError, address.error()};
      segments[i].address = *address;
    } else {
      segments[i].address = Allocate(segments[i].length, 16, framing.skew);
    }
  }
  return segments;
}

uint16_t Context::Publish(const Exchange& exchange, const Framing& framing, bool hold,
                          std::optional<uint64_t> seed) {
  return PublishAt(exchange, Lay(exchange, framing), framing, hold, seed);
}

uint16_t Context::PublishAt(const Exchange& exchange, std::vector<op::Segment> segments,
                            const Framing& framing, bool hold, std::optional<uint64_t> seed) {
  op::Publish publish;
  publish.queue = exchange.queue;
  publish.segments = std::move(segments);
  publish.direct = framing.direct;
  publish.table_flags = framing.table_flags;
  publish.hold = hold ? 1 : 0;
  publish.table = framing.table_at;
  if (framing.direct < publish.segments.size() && framing.table_at == 0)
    publish.table = Allocate((publish.segments.size() - framing.direct) * split::kDescSize, 16,
                             framing.table_skew);
  const uint64_t poison = seed.value_or(session_.FreshSeed());
  const size_t needed = std::min<size_t>(publish.segments.size(), publish.direct) +
                        (publish.direct < publish.segments.size() ? 1 : 0);
  if (packed() && framing.direct > 0 && framing.direct < publish.segments.size())
    NotApplicable("a list of a packed ring is direct or indirect, not both");
  const auto queue = session_.state().queues.find(exchange.queue);
  if (queue != session_.state().queues.end() && needed > queue->second->layout().size)
    NotApplicable(fmt::format("the request takes {} descriptors, queue {} has {}", needed,
                              exchange.queue, queue->second->layout().size));
  size_t taken = 0;
  for (const op::Segment& segment : publish.segments) {
    if (segment.writable) {
      Do(op::Fill{segment.address, segment.length, poison});
      continue;
    }
    const auto from = exchange.readable.begin() + static_cast<std::ptrdiff_t>(taken);
    Do(op::Write{segment.address, Bytes(from, from + segment.length)});
    taken += segment.length;
  }
  return static_cast<uint16_t>(Do(publish).value);
}

Observation Context::Submit(const Exchange& exchange, const std::string& requirement,
                            const Framing& framing, std::optional<uint64_t> seed) {
  Publish(exchange, framing, false, seed);
  return Answer(exchange, requirement);
}

Observation Context::Answer(const Exchange& exchange, const std::string& requirement) {
  Notify(exchange.queue);
  const Observation used = WaitUsed(exchange.queue, 1);
  Expect(Accept::Equal(1), requirement, fmt::format("{} is used once", exchange.what));
  if (used.value != 1) return used;
  const Observation answer = Do(op::ReadAnswer{exchange.queue});
  if (exchange.expected)
    Expect(Accept::SameBytes(*exchange.expected), requirement,
           fmt::format("{} is answered with the right bytes", exchange.what));
  for (const AnswerPart& part : exchange.answer) {
    const auto width = static_cast<uint32_t>(part.bytes.size());
    if (part.offset + width > used.used_len) continue;  // not written, as the device says
    Do(op::ReadAnswer{exchange.queue, part.offset, width});
    Expect(AcceptPart(part), requirement,
           fmt::format("{} is answered with a right {}", exchange.what, part.name));
  }
  return answer;
}

bool Context::Works(const std::string& requirement) {
  const size_t before = session_.findings().size();
  for (const Exchange& exchange : grammar_->Tour()) Submit(exchange, requirement);
  return session_.findings().size() == before;
}

void Context::ExpectSurvives() {
  auto digested = Try(op::Quiesce{});
  // Some back-ends hang up only when they are next spoken to.
  if (digested) digested = Try(op::Reset{});
  if (!digested) {
    // A carrier may end the connection on nonsense; then a new one must find a device that works. A
    // process that died of a signal, or one that cannot be had again, is for the report to tell.
    const bool crashed = session_.transport().Died().value_or(Transport::Death{}).by_signal;
    if (digested.error().kind != ErrorKind::kDeviceLost || crashed || !Try(op::Reconnect{}))
      throw CheckEnded{CheckEnded::Why::kError, digested.error()};
    Do(op::Reset{});
  }
  Expect(Accept::Equal(0), "derived.reset.recovers",
         "a reset brings the device back after whatever a driver did");
  if (last().value != 0) return;
  Up();
  if (grammar_ != nullptr) Submit(grammar_->Request(1), "derived.reset.recovers");
}

uint32_t Context::DescriptorsOf(const Exchange& exchange, const Framing& framing) const {
  const size_t segments =
      Cut(static_cast<uint32_t>(exchange.readable.size()), framing.readable).size() +
      Cut(exchange.writable, framing.writable).size();
  const size_t direct = std::min<size_t>(framing.direct, segments);
  return static_cast<uint32_t>(direct + (direct < segments ? 1 : 0));
}

}  // namespace vitro
