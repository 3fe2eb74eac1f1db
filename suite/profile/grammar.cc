// SPDX-License-Identifier: Apache-2.0
// The grammars that are not made of a profile: that of block devices (5.2), whose answers are what
// was written before, and that of what was learned of an unknown type.
#include "suite/profile/grammar.h"

#include <algorithm>

#include "harness/base/bytes.h"
#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "suite/profile/built_in.h"
#include "suite/profile/profile_grammar.h"

namespace vitro {
namespace {

class BlkGrammar : public Grammar {
 public:
  explicit BlkGrammar(const DeviceFacts& facts)
      : read_only_(facts.offered.Has(blk::kFeatureRo)),
        zoned_(facts.offered.Has(blk::kFeatureZoned)),
        queues_(std::max(1u, facts.queue_count)) {
    if (facts.config.size() >= 8) capacity_ = LoadLe(ByteView(facts.config).first(8));
    sectors_ = std::clamp<uint64_t>(capacity_, 1, kPrepared);
  }
  std::string name() const override { return "blk"; }

  std::vector<Exchange> Preparation() const override {
    if (read_only_) return {};
    Exchange write{fmt::format("write of sectors 0 to {}", sectors_ - 1),
                   0,
                   Header(blk::kTypeOut, 0),
                   1,
                   Bytes{blk::kStatusOk},
                   1};
    const Bytes data = Data();
    write.readable.insert(write.readable.end(), data.begin(), data.end());
    return {write};
  }

  Exchange Request(uint64_t n) const override {
    const uint64_t sector = n % sectors_;
    Exchange read{fmt::format("read of sector {}", sector),
                  0,
                  Header(blk::kTypeIn, sector),
                  blk::kSectorSize + 1,
                  std::nullopt,
                  blk::kSectorSize + 1};
    if (!read_only_) {
      const Bytes data = Data();
      const auto from = data.begin() + static_cast<std::ptrdiff_t>(sector * blk::kSectorSize);
      read.expected = Bytes(from, from + blk::kSectorSize);
      read.expected->push_back(blk::kStatusOk);
    }
    return read;
  }

  // The sectors that others rely on get the bytes that they have.
  std::optional<Exchange> LargeRequest(uint32_t bytes) const override {
    const uint64_t count = SectorsOf(bytes);
    if (read_only_ || zoned_ || count > capacity_) return std::nullopt;
    Exchange write{fmt::format("write of {} sectors", count),
                   0,
                   Header(blk::kTypeOut, 0),
                   1,
                   Bytes{blk::kStatusOk},
                   1};
    const Bytes data = Pattern(kPattern, count * blk::kSectorSize);
    write.readable.insert(write.readable.end(), data.begin(), data.end());
    return write;
  }
  std::optional<Exchange> LargeAnswer(uint32_t bytes) const override {
    const uint64_t count = SectorsOf(bytes);
    if (read_only_ || zoned_ || count > capacity_) return std::nullopt;
    const auto length = static_cast<uint32_t>(count * blk::kSectorSize);
    Exchange read{fmt::format("read of {} sectors", count),
                  0,
                  Header(blk::kTypeIn, 0),
                  length + 1,
                  Pattern(kPattern, length),
                  length + 1};
    read.expected->push_back(blk::kStatusOk);
    return read;
  }

  std::optional<Exchange> RequestOn(uint32_t queue, uint64_t n) const override {
    if (queue >= queues_) return std::nullopt;
    Exchange exchange = Request(n);
    exchange.queue = queue;
    return exchange;
  }

  std::vector<Exchange> Tour() const override {
    std::vector<Exchange> tour = Preparation();
    for (uint64_t n = 0; n < sectors_; ++n) tour.push_back(Request(n));
    return tour;
  }

 private:
  static constexpr uint64_t kPrepared = 4;  // sectors at the start of the disk that the suite uses

  static Bytes Header(uint32_t type, uint64_t sector) {
    Bytes header(blk::kRequestHeaderSize);
    StoreLe<uint32_t>(header.data() + blk::kRequestType, type);
    StoreLe<uint64_t>(header.data() + blk::kRequestSector, sector);
    return header;
  }
  static uint64_t SectorsOf(uint32_t bytes) {
    return (uint64_t{bytes} + blk::kSectorSize - 1) / blk::kSectorSize;
  }
  Bytes Data() const { return Pattern(kPattern, sectors_ * blk::kSectorSize); }

  static constexpr uint64_t kPattern = 0xb10c;

  bool read_only_;
  bool zoned_;
  uint32_t queues_;
  uint64_t capacity_ = kPrepared;
  uint64_t sectors_ = kPrepared;
};

class LearnedGrammar : public Grammar {
 public:
  explicit LearnedGrammar(std::vector<LearnedShape> shapes) : shapes_(std::move(shapes)) {}
  std::string name() const override { return "learned buffer shapes"; }
  Exchange Request(uint64_t) const override { return Make(shapes_.front()); }
  std::optional<Exchange> RequestOn(uint32_t queue, uint64_t) const override {
    for (const LearnedShape& shape : shapes_)
      if (shape.queue == queue) return Make(shape);
    return std::nullopt;
  }

 private:
  static Exchange Make(const LearnedShape& shape) {
    return {fmt::format("{} readable bytes {:#04x}, {} writable", shape.readable, shape.fill,
                        shape.writable),
            shape.queue,
            Bytes(shape.readable, shape.fill),
            shape.writable,
            std::nullopt,
            0};
  }
  std::vector<LearnedShape> shapes_;
};

}  // namespace

bool IsVitroExperimental(const DeviceFacts& facts) { return facts.name == experimental::kName; }

std::unique_ptr<Grammar> MakeGrammar(const DeviceFacts& facts,
                                     std::optional<FeatureSet> negotiated) {
  if (facts.device_id == device_id::kBlk) return std::make_unique<BlkGrammar>(facts);
  const Profile* profile = facts.profile != nullptr ? facts.profile : BuiltInProfile(facts);
  if (profile != nullptr)
    if (auto grammar = MakeProfileGrammar(*profile, facts, negotiated)) return grammar;
  if (!facts.learned.empty()) return std::make_unique<LearnedGrammar>(facts.learned);
  return nullptr;
}

}  // namespace vitro
