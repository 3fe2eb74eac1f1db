// SPDX-License-Identifier: Apache-2.0
// Checks of entropy devices (5.4).
#include "harness/virtio/device_id.h"
#include "suite/checks/chapters.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

constexpr const char* kRandom = "dev.entropy.device-operation.1";
constexpr const char* kFresh = "derived.entropy.fresh";
constexpr uint32_t kBytes = 64;

struct Answer {
  uint64_t address = 0;
  uint32_t length = 0;  // used length, at most what was asked for; 0 if it was not used
  Bytes bytes;
};

Answer Ask(Context& c, uint32_t bytes, std::optional<uint64_t> seed = std::nullopt) {
  const Exchange request{fmt::format("{} bytes of entropy", bytes), 0, {}, bytes, std::nullopt, 1};
  c.Publish(request, {}, false, seed);
  Answer answer;
  answer.address = c.session().state().queues.at(0)->outstanding().back().segments[0].address;
  c.Notify(0);
  const Observation used = c.WaitUsed(0, 1);
  c.Expect(Accept::Equal(1), "derived.used.progress", request.what + " are given");
  if (used.value != 1) return answer;
  answer.length = std::min(used.used_len, bytes);
  c.Expect(Accept::LengthRange(1, bytes), kRandom,
           "one or more random bytes are placed in the buffer");
  answer.bytes = c.Do(op::ReadAnswer{0}).bytes;
  return answer;
}

// The same request with poison and with its complement: a byte that holds poison both times was not
// written.
void PlacesBytes(Context& c) {
  c.Up();
  for (const uint32_t bytes : {1u, 7u, kBytes, 4096u}) {
    const uint64_t seed = c.session().FreshSeed();
    Answer answers[2];
    bool written = false;
    for (uint64_t i = 0; i < 2; ++i) {
      answers[i] = Ask(c, bytes, seed + i);
      for (uint32_t at = 0; at < answers[i].length; ++at)
        written = written || answers[i].bytes[at] != PoisonByte(seed + i, answers[i].address + at);
    }
    if (answers[0].length == 0 || answers[1].length == 0 || written) continue;
    c.Do(op::Read{answers[1].address, 1});
    c.Expect(Accept::NotEqual(answers[1].bytes[0]), kRandom,
             "the buffer differs from what the driver left in it");
  }
}

// Two buffers differ, and neither is one byte over and over. 8 bytes of each are looked at, which
// are equal by chance once in 2^56.
void FreshEachTime(Context& c) {
  constexpr uint64_t kRepeat = 0x0101010101010101;
  c.Up();
  uint64_t before = 0;
  bool any_before = false;
  for (int round = 0; round < 4; ++round) {
    const Answer answer = Ask(c, kBytes);
    if (answer.length < 8) c.NotObservable("the device gives too few bytes at a time");
    const uint64_t value = c.Do(op::Read{answer.address, 8}).value;
    c.Expect(Accept::NotEqual(kRepeat * (value & 0xff)), kFresh,
             "no buffer is one byte over and over");
    if (any_before)
      c.Expect(Accept::NotEqual(before), kFresh, "no two buffers hold the same bytes");
    before = value;
    any_before = true;
  }
}

// The device is asked to write to a buffer that it may only read (5.4.6.1).
void ReadableBuffer(Context& c) {
  c.Up();
  c.BeginHostile();
  for (const uint32_t writable : {0u, 16u}) {
    c.Publish({"a device-readable buffer", 0, Bytes(64), writable, std::nullopt, 0});
    c.Notify(0);
    c.Do(op::Quiesce{});
  }
  c.ExpectSurvives();
}

}  // namespace

void AddEntropyChecks(std::vector<Check>& list) {
  const Needs needs = {.device_id = device_id::kEntropy};
  list.push_back({.id = "entropy.request.places-bytes",
                  .title = "One or more random bytes are placed in each buffer",
                  .section = "5.4.6.2",
                  .requirements = {kRandom},
                  .tags = {"entropy"},
                  .needs = needs,
                  .faults = {"entropy-nothing-written", "entropy:used-len-zero"},
                  .run = PlacesBytes});
  list.push_back({.id = "entropy.request.fresh",
                  .title = "Buffers hold different bytes each time, and not one over and over",
                  .section = "5.4.6",
                  .requirements = {kFresh},
                  .tags = {"entropy"},
                  .needs = needs,
                  .faults = {"entropy-constant", "entropy-repeats"},
                  .run = FreshEachTime});
  list.push_back({.id = "entropy.hostile.readable-buffer",
                  .title = "A device-readable buffer does no harm",
                  .section = "5.4.6.1",
                  .requirements = {"derived.alive.no-crash", "derived.alive.no-hang",
                                   "dev.basic.virtqueues.the-virtqueue-descriptor-table.1",
                                   "derived.reset.recovers"},
                  .tags = {"entropy", "hostile"},
                  .needs = needs,
                  .faults = {"entropy:crash-on-notify", "entropy:hang-on-notify"},
                  .run = ReadableBuffer});
}

}  // namespace vitro
