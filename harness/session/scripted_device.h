// SPDX-License-Identifier: Apache-2.0
// For tests of oracle and session: a device that does nothing but what the test does by hand, and a
// driver that brings it up. No clock is involved: nothing happens between two lines of a test.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "harness/session/session.h"
#include "harness/virtio/split_ring.h"

namespace vitro {

class ScriptedDevice : public Transport {
 public:
  explicit ScriptedDevice(GuestMemory& memory) : memory_(memory) {
    for (int i = 0; i < kAbilityCount; ++i) abilities_.Allow(static_cast<Ability>(i));
  }

  // What the test does as the device.
  void Poke(uint64_t address, uint64_t length = 1) {
    for (uint64_t i = 0; i < length; ++i) *memory_.At(address + i, 1) ^= 0xff;
  }
  // One entry, not announced yet; `ahead` of the index.
  void Put(uint32_t queue, uint32_t id, uint32_t len, uint16_t ahead = 0) {
    const QueueLayout& at = queues.at(queue);
    const auto slot = static_cast<uint16_t>(used_[queue] + ahead) % at.size;
    memory_.Store<uint32_t>(at.device + split::kRingEntries + slot * split::kUsedElemSize, id);
    memory_.Store<uint32_t>(at.device + split::kRingEntries + slot * split::kUsedElemSize + 4, len);
  }
  void MoveUsed(uint32_t queue, int by) {
    used_[queue] = static_cast<uint16_t>(used_[queue] + by);
    memory_.Store<uint16_t>(queues.at(queue).device + split::kRingIdx, used_[queue]);
  }
  void Use(uint32_t queue, uint32_t id, uint32_t len) {
    Put(queue, id, len);
    MoveUsed(queue, 1);
  }
  void Signal(uint32_t queue, uint64_t count = 1) { signals_[queue] += count; }

  Abilities abilities_;
  DeviceIdentity identity_;
  FeatureSet offered = FeatureSet::FromWords(~uint64_t{0}, 0);
  uint8_t status_ = 0;
  std::map<uint32_t, QueueLayout> queues;  // as the driver set them up
  std::function<void()> on_reset = [this] { status_ = 0; };
  std::function<void(uint32_t)> on_notify = [](uint32_t) {};
  std::function<void()> on_wait = [] {};  // whenever the driver waits for something
  uint64_t config_signals = 0;
  uint32_t generation = 7;
  bool refuse = false;          // everything that can be refused
  std::optional<Error> broken;  // what status and notify fail with

  const DeviceIdentity& identity() const override { return identity_; }
  const Abilities& abilities() const override { return abilities_; }
  Result<FeatureSet> ReadFeatures() override { return offered; }
  Result<> AcceptFeatures(FeatureSet) override { return Answer(); }
  Result<uint8_t> ReadStatus() override {
    if (broken) return tl::make_unexpected(*broken);
    return status_;
  }
  Result<> WriteStatus(uint8_t status) override {
    status_ = status;
    return Answer();
  }
  Result<> Reset() override {
    on_reset();
    used_.clear();
    return {};
  }
  Result<Bytes> ReadConfig(uint32_t offset, uint32_t width) override {
    VITRO_TRY(Answer());
    Bytes bytes(width);
    for (uint32_t i = 0; i < width; ++i) bytes[i] = static_cast<uint8_t>(offset + i);
    return bytes;
  }
  Result<> WriteConfig(uint32_t, ByteView) override { return Answer(); }
  Result<uint32_t> ReadGeneration() override { return generation; }
  Result<uint32_t> QueueMaxSize(uint32_t) override { return 256; }
  Result<> SetupQueue(uint32_t queue, const QueueLayout& layout) override {
    VITRO_TRY(Answer());
    queues[queue] = layout;
    used_[queue] = 0;
    return {};
  }
  Result<> ResetQueue(uint32_t) override { return Answer(); }
  Result<> Notify(uint32_t queue) override {
    VITRO_TRY(Answer());
    on_notify(queue);
    return {};
  }
  Result<> StimulateConfigChange() override { return Answer(); }
  uint64_t TakeQueueNotifications(uint32_t queue) override {
    return std::exchange(signals_[queue], 0);
  }
  uint64_t TakeConfigNotifications() override { return std::exchange(config_signals, 0); }
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline) override {
    if (!done()) on_wait();
    return done();
  }
  Result<> Quiesce(Duration) override { return {}; }

 private:
  Result<> Answer() const {
    if (broken) return tl::make_unexpected(*broken);
    if (refuse) return Fail(ErrorKind::kRefused, "no");
    return {};
  }

  GuestMemory& memory_;
  std::map<uint32_t, uint16_t> used_;
  std::map<uint32_t, uint64_t> signals_;
};

// A session with a scripted device. Queue `q` of 8 descriptors lies at Rings(q), buffers lie far
// from the rings and from each other.
class ScriptedTest : public testing::Test {
 protected:
  static constexpr uint64_t kMemory = 1 << 20;
  static constexpr uint32_t kSize = 8;
  static uint64_t Desc(uint32_t queue) { return kMemory + queue * 0x4000; }
  static uint64_t Avail(uint32_t queue) { return Desc(queue) + 0x1000; }
  static uint64_t Used(uint32_t queue) { return Desc(queue) + 0x2000; }

  Observation Do(const Operation& operation) {
    auto result = session.Perform(operation);
    EXPECT_TRUE(result) << ToText(operation) << ": " << (result ? "" : result.error().message);
    return result.value_or(Observation{});
  }
  void Negotiate(FeatureSet features = {}) {
    Do(op::Reset{});
    Do(op::WriteStatus{1});
    Do(op::WriteStatus{3});
    Do(op::AcceptFeatures{features.With(feature::kVersion1)});
    Do(op::WriteStatus{11});
  }
  void SetupQueue(uint32_t queue = 0) {
    Do(op::SetupQueue{queue, kSize, Desc(queue), Avail(queue), Used(queue), 0});
  }
  void Up(FeatureSet features = {}) {
    Negotiate(features);
    SetupQueue(0);
    SetupQueue(1);
    Do(op::WriteStatus{15});
  }
  // A chain of `readable` and `writable` bytes (either may be 0) in memory of its own; its head.
  // The writable part holds fresh poison unless told otherwise.
  uint16_t Publish(uint32_t queue, uint32_t readable, uint32_t writable, bool fresh = true) {
    op::Publish publish;
    publish.queue = queue;
    for (auto [length, writes] : {std::pair(readable, false), std::pair(writable, true)}) {
      if (length == 0) continue;
      publish.segments.push_back({next_buffer_, length, writes});
      if (writes && fresh) Do(op::Fill{next_buffer_, length, session.FreshSeed()});
      next_buffer_ += 0x200;
    }
    const auto head = static_cast<uint16_t>(Do(publish).value);
    buffers_[{queue, head}] = publish.segments;
    return head;
  }
  uint64_t Readable(uint32_t queue, uint16_t head) {
    return buffers_.at({queue, head}).front().address;
  }
  uint64_t Writable(uint32_t queue, uint16_t head) {
    return buffers_.at({queue, head}).back().address;
  }
  // As a right device: writes `length` bytes, uses the chain, notifies.
  void Serve(uint32_t queue, uint16_t head, uint32_t length) {
    if (length > 0) device.Poke(Writable(queue, head), length);
    device.Use(queue, head, length);
    device.Signal(queue);
  }
  Observation Take(uint32_t queue = 0, uint32_t count = 1) {
    return Do(op::WaitUsed{queue, count});
  }
  // Lets the oracle look, all of memory and all notifications included.
  void Finish() { EXPECT_TRUE(session.Finish()); }

  // The requirements of the findings since this was last asked.
  std::vector<std::string> Found() {
    std::vector<std::string> ids;
    for (; seen_ < session.findings().size(); ++seen_)
      ids.push_back(session.findings()[seen_].requirement);
    return ids;
  }

  GuestMemory memory = GuestMemory::CreateDefault().value();
  ScriptedDevice device{memory};
  Session session{memory, device, {}};

 private:
  uint64_t next_buffer_ = kMemory + 0x10000;
  std::map<std::pair<uint32_t, uint16_t>, std::vector<op::Segment>> buffers_;
  size_t seen_ = 0;
};

}  // namespace vitro
