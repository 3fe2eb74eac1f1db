// SPDX-License-Identifier: Apache-2.0
// The grammars of the device types that the suite speaks: block (5.2), entropy (5.4), network as
// far as one transmits (5.1), Vitro's experimental type, and whatever was learned of an unknown
// one.
#include "suite/profile/grammar.h"

#include <algorithm>

#include "harness/base/bytes.h"
#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"

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

class EntropyGrammar : public Grammar {
 public:
  std::string name() const override { return "entropy"; }
  Exchange Request(uint64_t n) const override {
    const auto length = static_cast<uint32_t>(32 + n % 32);
    return {fmt::format("{} bytes of entropy", length), 0, {}, length, std::nullopt, 1};
  }
  std::optional<Exchange> LargeAnswer(uint32_t bytes) const override {
    return Exchange{fmt::format("{} bytes of entropy", bytes), 0, {}, bytes, std::nullopt, 1};
  }
};

class NetGrammar : public Grammar {
 public:
  std::string name() const override { return "net (transmit)"; }
  Exchange Request(uint64_t n) const override {
    // struct virtio_net_hdr of 12 bytes (5.1.6), then a broadcast frame of a local experimental
    // EtherType (IEEE 802).
    Bytes frame(12 + 60);
    std::fill_n(frame.begin() + 12, 6, uint8_t{0xff});
    frame[18] = 0x02;
    frame[12 + 12] = 0x88;
    frame[12 + 13] = 0xb5;
    const Bytes payload = Pattern(n + 1, 46);
    std::copy(payload.begin(), payload.end(), frame.begin() + 12 + 14);
    return {fmt::format("frame {}", n), kTransmit, std::move(frame), 0, Bytes{}, 0};
  }

 private:
  static constexpr uint32_t kTransmit = 1;  // transmitq1 (5.1.2)
};

class ExperimentalGrammar : public Grammar {
 public:
  std::string name() const override { return "experimental"; }
  Exchange Request(uint64_t n) const override { return Echo(static_cast<uint32_t>(4 + n % 61), n); }
  std::optional<Exchange> RequestOn(uint32_t queue, uint64_t n) const override {
    if (queue == experimental::kEchoQueue) return Request(n);
    if (queue != experimental::kStreamQueue) return std::nullopt;
    return Exchange{"bytes for the stream", queue, Pattern(n, 8 + n % 32), 0, Bytes{}, 0};
  }
  std::optional<Exchange> LargeAnswer(uint32_t bytes) const override { return Echo(bytes, 1); }
  std::optional<Exchange> LargeRequest(uint32_t bytes) const override { return Echo(bytes, 1); }

 private:
  static Exchange Echo(uint32_t length, uint64_t seed) {
    Exchange echo{fmt::format("echo of {} bytes", length),
                  experimental::kEchoQueue,
                  Bytes(experimental::kEchoHeaderSize),
                  length + 1,
                  Bytes{},
                  length + 1};
    StoreLe<uint32_t>(echo.readable.data(), experimental::kOpEcho);
    StoreLe<uint32_t>(echo.readable.data() + 4, length);
    const Bytes payload = Pattern(seed, length);
    echo.readable.insert(echo.readable.end(), payload.begin(), payload.end());
    for (uint8_t byte : payload) echo.expected->push_back(byte ^ experimental::kEchoMask);
    echo.expected->push_back(experimental::kStatusOk);
    return echo;
  }
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

std::unique_ptr<Grammar> MakeGrammar(const DeviceFacts& facts) {
  if (IsVitroExperimental(facts)) return std::make_unique<ExperimentalGrammar>();
  switch (facts.device_id) {
    case device_id::kBlk:
      return std::make_unique<BlkGrammar>(facts);
    case device_id::kEntropy:
      return std::make_unique<EntropyGrammar>();
    case device_id::kNet:
      return std::make_unique<NetGrammar>();
    default:
      break;
  }
  if (!facts.learned.empty()) return std::make_unique<LearnedGrammar>(facts.learned);
  return nullptr;
}

}  // namespace vitro
