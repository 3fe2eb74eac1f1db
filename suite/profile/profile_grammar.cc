// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/profile_grammar.h"

#include <algorithm>

#include "suite/profile/expression.h"

namespace vitro {
namespace {

constexpr uint32_t kLengths = 61;  // that one part takes in turn
constexpr uint64_t kStride = 0x9e3779b97f4a7c15;

uint32_t MostLength(const ProfilePart& part) { return std::max(part.length, part.most_length); }

// The n-th of the values that a part may have. They may be all of 2^64, which wraps to 0.
uint64_t ValueOf(const ProfilePart& part, uint64_t n) {
  uint64_t count = 0;
  for (const auto& [from, to] : part.values) count += to - from + 1;
  if (count != 0) n %= count;
  for (const auto& [from, to] : part.values) {
    if (n <= to - from) return from + n;
    n -= to - from + 1;
  }
  return n * kStride;
}

bool IsConstant(const ProfilePart& part) {
  return part.values.size() == 1 && part.values.front().first == part.values.front().second;
}

// One request with its lengths chosen, as bytes.
class Wording {
 public:
  Wording(const ProfileRequest& request, FeatureSet features, const Profile& profile,
          const Bytes& config, uint64_t n)
      : request_(request), features_(features), profile_(profile), config_(config), n_(n) {}

  // The part whose length is free has `extra` bytes more than the least, as far as it may.
  Exchange Make(uint32_t queue, uint32_t extra) const {
    Exchange exchange{What(extra), queue, {}, 0, Bytes{}, 0};
    for (const ProfilePart& part : request_.readable)
      if (Exists(part)) Append(exchange.readable, Readable(part, extra));
    for (const ProfilePart& part : request_.writable)
      if (Exists(part)) Expect(exchange, part, extra);
    exchange.least_length = std::min(request_.least_length.value_or(0), exchange.writable);
    if (exchange.expected) exchange.answer.clear();
    return exchange;
  }

  // Bytes that the free part can be longer than its least; 0 if no length is free.
  uint32_t Freedom() const {
    uint32_t most = 0;
    for (const auto* parts : {&request_.readable, &request_.writable})
      for (const ProfilePart& part : *parts)
        if (Exists(part)) most = std::max(most, MostLength(part) - part.length);
    return most;
  }

 private:
  static void Append(Bytes& bytes, const Bytes& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  bool Exists(const ProfilePart& part) const { return Holds(part.exists, features_); }

  std::string What(uint32_t extra) const {
    for (const auto* parts : {&request_.readable, &request_.writable})
      for (const ProfilePart& part : *parts)
        if (MostLength(part) > part.length)
          return fmt::format("{} of {} bytes", request_.name, Length(part, extra));
    return request_.name;
  }

  uint32_t Length(const ProfilePart& part, uint32_t extra) const {
    if (part.width != 0) return part.width;
    return part.length + std::min(extra, MostLength(part) - part.length);
  }

  const ProfilePart* Find(const std::vector<ProfilePart>& parts, const std::string& name) const {
    for (const ProfilePart& part : parts)
      if (part.name == name && Exists(part)) return &part;
    return nullptr;
  }

  Bytes Readable(const ProfilePart& part, uint32_t extra) const {
    const uint32_t length = Length(part, extra);
    if (part.width != 0) return LeBytes(Integer(part, extra), length);
    Bytes bytes = Pattern(n_ + 1, length);
    if (!part.values.empty())
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(ValueOf(part, byte));
    return bytes;
  }

  uint64_t Integer(const ProfilePart& part, uint32_t extra) const {
    if (!part.field.empty()) {
      const ProfileField* field = profile_.FindField(part.field);
      if (field == nullptr || config_.size() < field->offset + field->width) return 0;
      return LoadLe(ByteView(config_).subspan(field->offset, std::min(field->width, 8u)));
    }
    if (part.length_of.empty()) return ValueOf(part, n_);
    for (const auto* parts : {&request_.readable, &request_.writable})
      if (const ProfilePart* other = Find(*parts, part.length_of)) return Length(*other, extra);
    return 0;
  }

  // What is known of an answer: all of its bytes as long as every part can be foreseen.
  void Expect(Exchange& exchange, const ProfilePart& part, uint32_t extra) const {
    const uint32_t length = Length(part, extra);
    const ProfilePart* source = Find(request_.readable, part.echo_of);
    if (source != nullptr || IsConstant(part)) {
      Bytes known = source != nullptr ? Readable(*source, extra) : Constant(part, length);
      known.resize(length);
      if (source != nullptr)
        for (uint8_t& byte : known) byte ^= part.mask;
      if (exchange.expected) Append(*exchange.expected, known);
      exchange.answer.push_back({part.name, exchange.writable, {}, known});
    } else {
      exchange.expected.reset();
      if (part.width != 0 && !part.values.empty())
        exchange.answer.push_back({part.name, exchange.writable, part.values, Bytes(length)});
    }
    exchange.writable += length;
  }
  static Bytes Constant(const ProfilePart& part, uint32_t length) {
    const uint64_t value = part.values.front().first;
    return part.width != 0 ? LeBytes(value, length) : Bytes(length, static_cast<uint8_t>(value));
  }

  const ProfileRequest& request_;
  FeatureSet features_;
  const Profile& profile_;
  const Bytes& config_;
  uint64_t n_;
};

class ProfileGrammar : public Grammar {
 public:
  struct Served {
    uint32_t queue;
    const ProfileRequest* request;
  };

  ProfileGrammar(const Profile& profile, Bytes config, FeatureSet needed, FeatureSet features,
                 std::vector<Served> served)
      : profile_(profile),
        config_(std::move(config)),
        needed_(needed),
        features_(features),
        served_(std::move(served)) {}

  std::string name() const override { return profile_.name; }
  FeatureSet needed_features() const override { return needed_; }
  Exchange Request(uint64_t n) const override { return Make(served_.front(), n); }

  std::optional<Exchange> RequestOn(uint32_t queue, uint64_t n) const override {
    for (const Served& served : served_)
      if (served.queue == queue) return Make(served, n);
    return std::nullopt;
  }

  // Every harmless request of the queue that the others are on.
  std::vector<Exchange> Tour() const override {
    std::vector<Exchange> tour;
    for (uint64_t n = 0; n < 2; ++n)
      for (const Served& served : served_)
        if (served.queue == served_.front().queue) tour.push_back(Make(served, n));
    return tour;
  }

  std::optional<Exchange> LargeAnswer(uint32_t bytes) const override {
    return Large(bytes, [](const Exchange& exchange) { return exchange.writable; });
  }
  std::optional<Exchange> LargeRequest(uint32_t bytes) const override {
    return Large(bytes, [](const Exchange& exchange) {
      return static_cast<uint32_t>(exchange.readable.size());
    });
  }

 private:
  Wording Word(const Served& served, uint64_t n) const {
    return Wording(*served.request, features_, profile_, config_, n);
  }
  Exchange Make(const Served& served, uint64_t n) const {
    const Wording wording = Word(served, n);
    const uint64_t lengths = std::min<uint64_t>(kLengths, uint64_t{wording.Freedom()} + 1);
    return wording.Make(served.queue, static_cast<uint32_t>(n % lengths));
  }

  template <typename Size>
  std::optional<Exchange> Large(uint32_t bytes, Size size) const {
    for (const Served& served : served_) {
      if (served.queue != served_.front().queue) continue;
      const Wording wording = Word(served, 1);
      const uint32_t least = size(wording.Make(served.queue, 0));
      const uint32_t extra = bytes - std::min(bytes, least);
      if (extra > wording.Freedom()) continue;
      Exchange exchange = wording.Make(served.queue, extra);
      if (size(exchange) >= bytes) return exchange;
    }
    return std::nullopt;
  }

  const Profile& profile_;
  Bytes config_;
  FeatureSet needed_, features_;
  std::vector<Served> served_;  // not empty; the first is what Request() makes
};

// The config space; where it cannot be read, one in which there is one of everything.
Bytes ConfigOf(const Profile& profile, const DeviceFacts& facts) {
  if (!facts.config.empty()) return facts.config;
  Bytes config(profile.config_size());
  for (const ProfileField& field : profile.fields) config[field.offset] = 1;
  return config;
}

std::vector<ProfileGrammar::Served> Serve(const Profile& profile, const DeviceFacts& facts,
                                          ByteView config, FeatureSet features) {
  std::vector<ProfileGrammar::Served> served;
  for (const ProfileRequest& request : profile.requests) {
    const ProfileQueue* queue = profile.FindQueue(request.queue);
    if (!request.harmless || queue == nullptr || !Holds(request.exists, features)) continue;
    const auto indices = QueueIndices(profile, *queue, features, config);
    if (!indices) continue;  // a device that contradicts its profile is found out elsewhere
    for (uint32_t index : *indices) {
      const bool absent = index >= facts.queue_count || (index < facts.queue_max_sizes.size() &&
                                                         facts.queue_max_sizes[index] == 0);
      if (!absent) served.push_back({index, &request});
    }
  }
  return served;
}

}  // namespace

std::unique_ptr<Grammar> MakeProfileGrammar(const Profile& profile, const DeviceFacts& facts,
                                            std::optional<FeatureSet> negotiated) {
  Bytes config = ConfigOf(profile, facts);
  const FeatureSet usual = facts.offered & FeatureSet{feature::kVersion1};
  // The fewest features first: none, and then what each harmless request asks for.
  std::vector<FeatureSet> candidates = {negotiated.value_or(usual)};
  if (!negotiated)
    for (const ProfileRequest& request : profile.requests) {
      const ProfileQueue* queue = profile.FindQueue(request.queue);
      FeatureSet features = usual;
      if (request.harmless && queue != nullptr &&
          profile.Complete(request.exists, facts.offered, features) &&
          profile.Complete(queue->exists, facts.offered, features))
        candidates.push_back(features);
    }
  for (const FeatureSet& features : candidates) {
    auto served = Serve(profile, facts, config, features);
    if (served.empty()) continue;
    const FeatureSet needed = negotiated ? FeatureSet() : features - usual;
    return std::make_unique<ProfileGrammar>(profile, std::move(config), needed, features,
                                            std::move(served));
  }
  return nullptr;
}

}  // namespace vitro
