// SPDX-License-Identifier: Apache-2.0
// For the test of the seeded faults only: a driver that writes down what it sees.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "devices/ref/registry.h"
#include "devices/ref/test_driver.h"
#include "harness/virtio/blk.h"
#include "harness/virtio/experimental.h"

namespace vitro::ref {

inline constexpr FeatureSet kNoEvents{feature::kVersion1, feature::kIndirectDesc,
                                      feature::kRingReset};

// A driver that writes down what it sees.
class Tourist : public TestDriver {
 public:
  Tourist(char letter, const std::string& options)
      : TestDriver(Ops(letter), options), letter_(letter) {
    EXPECT_TRUE(created()) << options;
  }
  static const vitro_device_ops* Ops(char letter) {
    for (const ReferenceDevice& device : ReferenceDevices())
      if (device.letter == letter) return device.ops;
    return nullptr;
  }

  std::string text;
  template <typename... Args>
  void Note(fmt::format_string<Args...> format, Args&&... args) {
    text += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  void NoteState(const char* where) {
    Note("{}: status {} signals {} {} config {} memory {:x} {:x}", where, Status(),
         host.queue_signals[0], host.queue_signals[1], host.config_signals, host.MemoryHash(),
         host.memory_at_signal);
  }
  void NoteUsed(uint32_t queue) {
    for (const UsedElement& element : TakeUsed(queue))
      Note("queue {} used id {} length {}", queue, element.id, element.length);
  }

  // What the device type itself needs besides the rings'.
  FeatureSet With(FeatureSet ring_features) const {
    FeatureSet own;
    for (unsigned bit = 0; bit < 24; ++bit)
      if (Offered().Has(bit)) own.Add(bit);
    return ring_features | own;
  }

  // A request that works, split at will: `parts` device-readable and as many device-writable
  // buffers.
  std::vector<Buffer> Request(uint32_t parts, uint32_t data = 512) {
    Bytes readable;
    uint32_t writable = data;
    if (letter_ == 'b' || letter_ == 'z') {
      readable = LeBytes(0, blk::kRequestHeaderSize);
      ++writable;
    } else if (letter_ == 'x' || letter_ == 'a') {
      readable = LeBytes(experimental::kOpEcho | uint64_t{data} << 32, 8);
      for (uint32_t i = 0; i < data; ++i) readable.push_back(static_cast<uint8_t>(i + 1));
      writable += With({}).Has(1) && checksum ? 5 : 1;
    }
    std::vector<Buffer> buffers;
    Split(Place(readable), static_cast<uint32_t>(readable.size()), parts, false, buffers);
    Split(Allocate(writable), writable, parts, true, buffers);
    return buffers;
  }
  static void Split(uint64_t address, uint32_t length, uint32_t parts, bool writable,
                    std::vector<Buffer>& buffers) {
    for (uint32_t i = 0; i < parts && length != 0; ++i) {
      const uint32_t piece = i + 1 == parts ? length : length / parts;
      buffers.push_back({address, piece, writable});
      address += piece;
      length -= piece;
    }
  }
  void Do(const std::vector<Buffer>& buffers, uint32_t queue = 0) {
    Offer(queue, buffers);
    Kick(queue);
    NoteUsed(queue);
  }
  void Indirect(const std::vector<Buffer>& buffers, unsigned flags, uint64_t misalign) {
    PutDescriptor(rings[0].desc, PutTable(buffers, misalign),
                  static_cast<uint32_t>(16 * buffers.size()), split::kDescIndirect | flags, 0);
    Publish(0, 0);
    Kick(0);
    NoteUsed(0);
  }
  uint32_t queues() const { return letter_ == 'e' ? 1 : 2; }
  bool Begin(FeatureSet ring_features, uint32_t size = 8) {
    const bool good = Start(With(ring_features), size, queues());
    Note("start: {}", good);
    return good;
  }

  bool checksum = true;

 private:
  char letter_;
};

}  // namespace vitro::ref
