// SPDX-License-Identifier: Apache-2.0
// Chain: the buffers of one descriptor chain as two byte strings, the device-readable part and the
// device-writable part. A device sees offsets into these and never the arrangement of descriptors
// (2.7.4 message framing).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "devices/ref/faults.h"
#include "devices/ref/host.h"

namespace vitro::ref {

struct Segment {
  uint64_t address = 0;
  uint32_t length = 0;
};

class Chain {
 public:
  Chain() = default;
  Chain(const Host& host, const FaultSwitch& fault, uint16_t head)
      : host_(&host), fault_(&fault), head_(head), last_(head) {}

  // The head (split), or the buffer ID (packed): what the driver is told when the chain is used.
  uint16_t head() const { return head_; }
  uint32_t descriptors() const { return descriptors_; }  // of a packed ring
  uint16_t last() const { return last_; }  // the last descriptor in the descriptor table
  const std::vector<Segment>& readable() const { return readable_; }
  const std::vector<Segment>& writable() const { return writable_; }
  uint64_t readable_bytes() const { return readable_bytes_; }
  uint64_t writable_bytes() const { return writable_bytes_; }

  // Copies from the readable part. False if [offset, offset + length) is not within it, or if guest
  // memory could not be read.
  bool Read(uint64_t offset, void* to, uint64_t length) const;
  // Copies into the writable part; false likewise.
  bool Write(uint64_t offset, const void* from, uint64_t length);

  // Bytes written without a gap from the start of the writable part: the used length (2.7.8).
  uint64_t used_length() const { return claimed_.value_or(written_); }
  // For faults only: says that so much was written.
  void Claim(uint64_t length) { claimed_ = length; }
  // For the fault "data-after-used": writes what was held back.
  void WriteHeldBack();

  // For the walker that builds the chain.
  void AddReadable(Segment segment);
  void AddWritable(Segment segment);
  void set_head(uint16_t id) { head_ = id; }
  void set_last(uint16_t index) { last_ = index; }
  void set_descriptors(uint32_t count) { descriptors_ = count; }
  void TruncateLengthsTo16Bits();

 private:
  const Host* host_ = nullptr;
  const FaultSwitch* fault_ = nullptr;
  uint16_t head_ = 0, last_ = 0;
  uint32_t descriptors_ = 0;
  std::vector<Segment> readable_, writable_;
  uint64_t readable_bytes_ = 0, writable_bytes_ = 0;
  uint64_t written_ = 0;
  std::optional<uint64_t> claimed_;
  std::optional<uint8_t> held_back_;
};

}  // namespace vitro::ref
