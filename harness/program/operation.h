// SPDX-License-Identifier: Apache-2.0
// Operation: one thing that a driver does, or looks at, as data. Checks perform operations, the
// trace lists them, a reproducer is a list of them. Each struct names its fields once, in Fields();
// text form and parser follow from that. Must not know how an operation is carried out.
//
// Numbers are guest-physical addresses, bytes, or the standard's own units. Operations that look at
// something yield an Observation, to which the Expect operations that follow refer.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "harness/base/bytes.h"
#include "harness/virtio/features.h"

namespace vitro::op {

// Device and features (2.1, 2.2, 2.4)
struct ReadFeatures {  // yields the offered bits 0-63 as value, all 16 bytes as bytes
  static constexpr const char* kName = "read-features";
  template <typename V>
  void Fields(V&) {}
};
struct AcceptFeatures {
  static constexpr const char* kName = "accept-features";
  FeatureSet features;
  template <typename V>
  void Fields(V& v) {
    v("features", features);
  }
};
struct ReadStatus {  // yields the device status
  static constexpr const char* kName = "read-status";
  template <typename V>
  void Fields(V&) {}
};
struct WriteStatus {
  static constexpr const char* kName = "write-status";
  uint8_t status = 0;
  template <typename V>
  void Fields(V& v) {
    v("status", status);
  }
};
// Asks for a reset and waits until the status reads 0 or the deadline passes; yields the status.
struct Reset {
  static constexpr const char* kName = "reset";
  template <typename V>
  void Fields(V&) {}
};
struct Reconnect {  // the carrier's connection is closed and made anew
  static constexpr const char* kName = "reconnect";
  template <typename V>
  void Fields(V&) {}
};

// Config space (2.5)
struct ReadConfig {  // yields the value and the bytes, or is refused
  static constexpr const char* kName = "read-config";
  uint32_t offset = 0, width = 1;
  template <typename V>
  void Fields(V& v) {
    v("offset", offset), v("width", width);
  }
};
struct WriteConfig {
  static constexpr const char* kName = "write-config";
  uint32_t offset = 0;
  Bytes bytes;
  template <typename V>
  void Fields(V& v) {
    v("offset", offset), v("bytes", bytes);
  }
};
struct ReadGeneration {
  static constexpr const char* kName = "read-generation";
  template <typename V>
  void Fields(V&) {}
};
struct StimulateConfigChange {  // out of band: the device's config changes now
  static constexpr const char* kName = "stimulate-config-change";
  template <typename V>
  void Fields(V&) {}
};
struct TakeConfigNotifications {  // yields how many came since last asked
  static constexpr const char* kName = "take-config-notifications";
  template <typename V>
  void Fields(V&) {}
};

// Virtqueues (2.6, 2.7)
struct ReadQueueMaxSize {
  static constexpr const char* kName = "read-queue-max-size";
  uint32_t queue = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue);
  }
};
// Sets a queue up at these addresses; the driver's state of the queue starts anew. Rings that lie
// in memory are zeroed first unless `keep` is 1.
struct SetupQueue {
  static constexpr const char* kName = "setup-queue";
  uint32_t queue = 0, size = 0;
  uint64_t desc = 0, driver = 0, device = 0;
  uint32_t keep = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue), v("size", size), v("desc", desc), v("driver", driver), v("device", device);
    v("keep", keep);
  }
};
struct ResetQueue {
  static constexpr const char* kName = "reset-queue";
  uint32_t queue = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue);
  }
};
struct Notify {  // an available buffer notification
  static constexpr const char* kName = "notify";
  uint32_t queue = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue);
  }
};
// One element of a chain.
struct Segment {
  uint64_t address = 0;
  uint32_t length = 0;
  bool writable = false;  // device-writable
  friend bool operator==(const Segment&, const Segment&) = default;
};
// Makes a chain available. The first `direct` segments stand in the descriptor table; the others,
// if any, in an indirect table at `table` that one further descriptor refers to, with `table_flags`
// in addition to INDIRECT. With hold=1 the available index does not move yet. Yields the head.
struct Publish {
  static constexpr const char* kName = "publish";
  uint32_t queue = 0;
  std::vector<Segment> segments;
  uint32_t direct = UINT32_MAX;  // more than there are segments: all of them
  uint64_t table = 0;
  uint32_t table_flags = 0;
  uint32_t hold = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue), v("segments", segments), v("direct", direct), v("table", table);
    v("table-flags", table_flags), v("hold", hold);
  }
};
struct Expose {  // moves the available index over everything held
  static constexpr const char* kName = "expose";
  uint32_t queue = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue);
  }
};
// Makes the chain that was taken last available again, `count` times in all, at most `batch` at
// once with one notification each, and takes what is used. Yields how many were. For long runs: a
// whole turn of the 16-bit indices is one operation.
struct Churn {
  static constexpr const char* kName = "churn";
  uint32_t queue = 0, count = 1, batch = 1;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue), v("count", count), v("batch", batch);
  }
};
struct SetAvailFlags {
  static constexpr const char* kName = "set-avail-flags";
  uint32_t queue = 0;
  uint16_t flags = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue), v("flags", flags);
  }
};
struct SetUsedEvent {
  static constexpr const char* kName = "set-used-event";
  uint32_t queue = 0;
  uint16_t event = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue), v("event", event);
  }
};
// Waits until `count` more chains were used, or the deadline passes, or the device is at rest.
// Takes what came. Yields how many as value; `len` and `id` of the last one.
struct WaitUsed {
  static constexpr const char* kName = "wait-used";
  uint32_t queue = 0, count = 1;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue), v("count", count);
  }
};
// Yields the device-writable bytes of the chain that was taken last, in chain order, as bytes.
struct ReadAnswer {
  static constexpr const char* kName = "read-answer";
  uint32_t queue = 0;
  uint32_t offset = 0;
  uint32_t length = 0;  // 0: all that follows
  template <typename V>
  void Fields(V& v) {
    v("queue", queue);
    v("offset", offset);
    v("length", length);
  }
};
struct ReadUsedFlags {
  static constexpr const char* kName = "read-used-flags";
  uint32_t queue = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue);
  }
};
struct ReadUsedIdx {
  static constexpr const char* kName = "read-used-idx";
  uint32_t queue = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue);
  }
};
struct ReadAvailEvent {
  static constexpr const char* kName = "read-avail-event";
  uint32_t queue = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue);
  }
};
struct TakeNotifications {  // yields how many used buffer notifications came since last asked
  static constexpr const char* kName = "take-notifications";
  uint32_t queue = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue);
  }
};
// The same, but waits up to the response deadline for `count` of them.
struct WaitNotifications {
  static constexpr const char* kName = "wait-notifications";
  uint32_t queue = 0, count = 1;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue), v("count", count);
  }
};
struct WaitConfigNotification {  // likewise, for one configuration change notification
  static constexpr const char* kName = "wait-config-notification";
  template <typename V>
  void Fields(V&) {}
};
// Lets the device do all it would do without the driver: to rest, or for the quiet window.
struct Quiesce {
  static constexpr const char* kName = "quiesce";
  template <typename V>
  void Fields(V&) {}
};

// The levels with registers (4.1, 4.2). `region` as in Transport::ReadRegister().
struct ReadRegister {  // yields the value, or is refused
  static constexpr const char* kName = "read-register";
  std::string region;
  uint64_t offset = 0;
  uint32_t width = 4;
  template <typename V>
  void Fields(V& v) {
    v("region", region), v("offset", offset), v("width", width);
  }
};
struct WriteRegister {
  static constexpr const char* kName = "write-register";
  std::string region;
  uint64_t offset = 0;
  uint32_t width = 4;
  uint64_t value = 0;
  template <typename V>
  void Fields(V& v) {
    v("region", region), v("offset", offset), v("width", width), v("value", value);
  }
};
// Reads a register until `observed & mask == value`, or the response deadline passes; yields what
// was read last.
struct WaitRegister {
  static constexpr const char* kName = "wait-register";
  std::string region;
  uint64_t offset = 0;
  uint32_t width = 4;
  uint64_t mask = UINT64_MAX, value = 0;
  template <typename V>
  void Fields(V& v) {
    v("region", region), v("offset", offset), v("width", width), v("mask", mask);
    v("value", value);
  }
};
// How interrupts travel from the next set-up of queues on: a name of interrupt_plans.h. With
// handler=0 nobody reads the ISR status or acknowledges but the operations that follow.
struct Interrupts {
  static constexpr const char* kName = "interrupts";
  std::string plan;
  uint32_t handler = 1;
  template <typename V>
  void Fields(V& v) {
    v("plan", plan), v("handler", handler);
  }
};
struct Interface {  // modern, window or legacy; see Transport::UseInterface()
  static constexpr const char* kName = "interface";
  std::string name;
  template <typename V>
  void Fields(V& v) {
    v("name", name);
  }
};
// Waits up to the response deadline for `count` messages of an MSI-X vector (4294967295: of none
// that is programmed); with count=0 only looks. Yields how many came since last asked.
struct WaitMessages {
  static constexpr const char* kName = "wait-messages";
  uint32_t vector = 0, count = 0;
  template <typename V>
  void Fields(V& v) {
    v("vector", vector), v("count", count);
  }
};
// Waits up to the response deadline until the interrupt line has this level; yields its level.
struct WaitLine {
  static constexpr const char* kName = "wait-line";
  uint32_t level = 1;
  template <typename V>
  void Fields(V& v) {
    v("level", level);
  }
};
struct ReadLine {  // yields 1 if the interrupt line is asserted
  static constexpr const char* kName = "read-line";
  template <typename V>
  void Fields(V&) {}
};
struct TakeLineRises {  // yields how often the line was asserted since last asked
  static constexpr const char* kName = "take-line-rises";
  template <typename V>
  void Fields(V&) {}
};

// The driver's memory
struct Write {
  static constexpr const char* kName = "write";
  uint64_t address = 0;
  Bytes bytes;
  template <typename V>
  void Fields(V& v) {
    v("address", address), v("bytes", bytes);
  }
};
struct Fill {  // poison: a pattern of seed and address; seeds 2n and 2n+1 differ in every bit
  static constexpr const char* kName = "fill";
  uint64_t address = 0, length = 0, seed = 0;
  template <typename V>
  void Fields(V& v) {
    v("address", address), v("length", length), v("seed", seed);
  }
};
// Memory that a device may write from now on although no queue of the session covers it: rings and
// buffers of a member of the device's group, which is driven through its owner.
struct Lend {
  static constexpr const char* kName = "lend";
  uint64_t address = 0, length = 0;
  template <typename V>
  void Fields(V& v) {
    v("address", address), v("length", length);
  }
};
struct Read {  // yields the bytes
  static constexpr const char* kName = "read";
  uint64_t address = 0, length = 0;
  template <typename V>
  void Fields(V& v) {
    v("address", address), v("length", length);
  }
};

// What a conforming driver never does
struct Hostile {  // from here on the driver is not conforming: what it is promised shrinks
  static constexpr const char* kName = "hostile";
  template <typename V>
  void Fields(V&) {}
};
struct RawDescriptor {  // writes one entry of the descriptor table
  static constexpr const char* kName = "raw-descriptor";
  uint32_t queue = 0, index = 0;
  uint64_t address = 0;
  uint32_t length = 0;
  uint16_t flags = 0, next = 0;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue), v("index", index), v("address", address), v("length", length);
    v("flags", flags), v("next", next);
  }
};
struct RawAvailable {  // puts a head into the next ring entry and moves the available index by
                       // `step`
  static constexpr const char* kName = "raw-available";
  uint32_t queue = 0;
  uint16_t head = 0, step = 1;
  template <typename V>
  void Fields(V& v) {
    v("queue", queue), v("head", head), v("step", step);
  }
};

// A judgement on the last observation. A device is as it should be if the observed `what` is
// accepted. Kinds: "in" (one of values), "not-in", "range" (values[0] to values[1]), "mask"
// (observed & values[0] == values[1]), "bytes" (equal), "refused", "answered".
struct Expect {
  static constexpr const char* kName = "expect";
  std::string what = "value";  // value, len, id, bytes
  std::string kind = "in";
  std::vector<uint64_t> values;
  Bytes bytes;
  std::string requirement;  // catalogue id
  std::string severity;     // "": as the requirement's keyword says; warn, info
  std::string because;
  template <typename V>
  void Fields(V& v) {
    v("what", what), v("kind", kind), v("values", values), v("bytes", bytes);
    v("for", requirement), v("severity", severity), v("because", because);
  }
};

}  // namespace vitro::op

namespace vitro {

using Operation = std::variant<
    op::ReadFeatures, op::AcceptFeatures, op::ReadStatus, op::WriteStatus, op::Reset, op::Reconnect,
    op::ReadConfig, op::WriteConfig, op::ReadGeneration, op::StimulateConfigChange,
    op::TakeConfigNotifications, op::WaitConfigNotification, op::ReadQueueMaxSize, op::SetupQueue,
    op::ResetQueue, op::Notify, op::Publish, op::Expose, op::SetAvailFlags, op::SetUsedEvent,
    op::WaitUsed, op::Churn, op::ReadAnswer, op::ReadUsedFlags, op::ReadUsedIdx, op::ReadAvailEvent,
    op::TakeNotifications, op::WaitNotifications, op::Quiesce, op::ReadRegister, op::WriteRegister,
    op::WaitRegister, op::Interrupts, op::Interface, op::WaitMessages, op::WaitLine, op::ReadLine,
    op::TakeLineRises, op::Write, op::Fill, op::Lend, op::Read, op::Hostile, op::RawDescriptor,
    op::RawAvailable, op::Expect>;

// What an operation yielded.
struct Observation {
  bool refused = false;  // the device or carrier said no
  uint64_t value = 0;
  Bytes bytes;
  uint32_t used_id = 0, used_len = 0;  // of the last used element taken
};

// "name key=value ..." on one line; fields with default values are left out. With `shorten`, long
// bytes are cut, for people; such text does not parse back to the same operation.
std::string ToText(const Operation& operation, bool shorten = false);

// Does the observation satisfy the expectation?
bool Accepts(const op::Expect& expect, const Observation& observed);
// The accepted set and the observed value in words, e.g. "value = 0x0" and "value = 0x4".
std::string DescribeAccepted(const op::Expect& expect);
std::string DescribeObserved(const op::Expect& expect, const Observation& observed);

}  // namespace vitro
