// SPDX-License-Identifier: Apache-2.0
// Grammar: how one speaks to a device type: requests that a faultless device answers, and what the
// answer is. With no grammar for a type, LearnGrammar() finds out which shapes of buffers it uses.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/bytes.h"
#include "harness/virtio/features.h"

namespace vitro {

// What is known of some bytes of an answer.
struct AnswerPart {
  std::string name;
  uint32_t offset = 0;  // in the device-writable part
  // Inclusive ranges in which the integer lies, or, where there are none, the very bytes.
  std::vector<std::pair<uint64_t, uint64_t>> values;
  Bytes bytes;  // as many as there are
};

// One request as a driver means it: what the device reads, how much it may write, what it answers.
// How that is laid out in descriptors is not part of it (2.7.4).
struct Exchange {
  std::string what;  // for people: "read of sector 3"
  uint32_t queue = 0;
  Bytes readable;
  uint32_t writable = 0;  // bytes
  // What a faultless device answers in the device-writable part; nothing where it cannot be
  // foreseen.
  std::optional<Bytes> expected;
  // Range of used lengths that is right for it, within [0, writable].
  uint32_t least_length = 0;
  std::vector<AnswerPart> answer = {};  // without `expected`: what else can be told of the answer
};

class Grammar {
 public:
  virtual ~Grammar() = default;
  virtual std::string name() const = 0;
  // Features that these requests need to have been negotiated.
  virtual FeatureSet needed_features() const { return {}; }
  // Requests to be made once, in plain framing, before Request() answers as foreseen.
  virtual std::vector<Exchange> Preparation() const { return {}; }
  // The n-th of an endless row of requests that may be outstanding at once and in any order, and
  // that leave the device as it was for the others. Different n, different requests as far as
  // possible.
  virtual Exchange Request(uint64_t n) const = 0;
  // Requests to be made in this order, each completing before the next, that show the device works.
  virtual std::vector<Exchange> Tour() const { return {Request(0), Request(1)}; }
  // A request whose device-writable part is at least `bytes` long, if the type has such. Its answer
  // is as foreseen once LargeRequest() of as many bytes, if there is one, was used.
  virtual std::optional<Exchange> LargeAnswer(uint32_t) const { return std::nullopt; }
  // A request with at least `bytes` of device-readable data.
  virtual std::optional<Exchange> LargeRequest(uint32_t) const { return std::nullopt; }
  // The same kind of request on another queue than Request(); nullopt if it serves no such
  // requests.
  virtual std::optional<Exchange> RequestOn(uint32_t queue, uint64_t n) const {
    Exchange exchange = Request(n);
    if (exchange.queue != queue) return std::nullopt;
    return exchange;
  }
};

// The shape of a buffer that a device of unknown type was seen to use.
struct LearnedShape {
  uint32_t queue = 0;
  uint32_t readable = 0, writable = 0;  // bytes
  uint8_t fill = 0;                     // every device-readable byte
};

struct DeviceFacts;
struct Profile;
// nullptr if nothing is known of how to speak to this device. The profile of the facts tells, or
// the one that is built in for its type; with none, or if it has no harmless request, what was
// learned. `negotiated` is as in MakeProfileGrammar().
std::unique_ptr<Grammar> MakeGrammar(const DeviceFacts& facts,
                                     std::optional<FeatureSet> negotiated = std::nullopt);

// What was found out about a device before any check ran (suite/run/probe).
struct DeviceFacts {
  uint32_t device_id = 0;
  uint32_t vendor_id = 0;
  std::string name;
  FeatureSet offered;
  uint32_t queue_count = 0;
  uint32_t config_size = 0;
  Bytes config;                           // at most 4096 bytes of it
  std::vector<uint32_t> queue_max_sizes;  // of the first queues, at most 64
  std::vector<LearnedShape> learned;
  // What is known of its type: what the user gave, else what is built in; nullptr if nothing.
  const Profile* profile = nullptr;
  // The level whose registers are the device's own: core, pci or mmio.
  std::string level = "core";
  // What a walk through its registers found, for people, a line each: "BAR 1: 4096 bytes of
  // memory".
  std::vector<std::string> layout;
};

// Device id 65535 is for everybody's experiments, and PCI has no number for it (4.1.2.1): Vitro's
// own is known by its name.
bool IsVitroExperimental(const DeviceFacts& facts);

}  // namespace vitro
