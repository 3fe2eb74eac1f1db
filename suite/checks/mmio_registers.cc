// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/mmio_registers.h"

#include <algorithm>

#include "harness/transport/interrupt_plans.h"

namespace vitro {

using namespace mmio;  // NOLINT: the names of the registers

uint64_t MmioRead(Context& c, uint32_t offset, uint32_t width) {
  return c.Do(op::ReadRegister{"mmio", offset, width}).value;
}

void MmioWrite(Context& c, uint32_t offset, uint64_t value, uint32_t width) {
  c.Do(op::WriteRegister{"mmio", offset, width, value});
}

uint64_t MmioQueueRead(Context& c, uint32_t queue, uint32_t offset) {
  MmioWrite(c, kQueueSel, queue);
  return MmioRead(c, offset);
}

void HandleInterruptsByHand(Context& c) { c.Do(op::Interrupts{std::string(interrupts::kIntx), 0}); }

bool AcknowledgeAll(Context& c) {
  c.Do(op::Quiesce{});
  const uint64_t events = MmioRead(c, kInterruptStatus);
  if (events != 0) MmioWrite(c, kInterruptAck, events);
  return events == 0 || MmioRead(c, kInterruptStatus) == 0;
}

std::vector<uint32_t> MmioQueues(const Context& c) {
  constexpr uint32_t kMost = 16;
  std::vector<uint32_t> queues;
  const uint32_t count = c.facts().queue_count;
  for (uint32_t queue = 0; queue < std::min(count, kMost); ++queue) queues.push_back(queue);
  if (count > kMost) queues.push_back(count - 1);
  return queues;
}

FeatureSet UsualFeatures(Context& c, FeatureSet with) {
  c.Up({.with = with});
  return c.session().state().accepted;
}

void AtEveryStage(Context& c, const Look& look) {
  const FeatureSet features = UsualFeatures(c);
  c.Reset();
  look("after a reset");
  c.Do(op::WriteStatus{status::kAcknowledge});
  look("with ACKNOWLEDGE set");
  c.Do(op::WriteStatus{status::kAcknowledge | status::kDriver});
  look("with DRIVER set");
  c.Offered();
  if (!c.Negotiate(features)) c.NotApplicable("the device refused the features");
  look("with FEATURES_OK set");
  for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) c.SetupQueue(queue);
  look("with queues set up");
  c.DriverOk();
  look("with DRIVER_OK set");
  if (c.session().state().queues.contains(c.request_queue()) && c.facts().queue_count > 0 &&
      MakeGrammar(c.facts()) != nullptr) {
    const Exchange request = c.grammar().Request(0);
    c.Publish(request);
    c.Notify(request.queue);
    c.WaitUsed(request.queue, 1);
    c.Do(op::Quiesce{});
    look("after a request");
  }
  c.Do(op::WriteStatus{status::kAcknowledge | status::kDriver | status::kFeaturesOk |
                       status::kDriverOk | status::kFailed});
  look("with FAILED set");
  c.Do(op::Reset{});
  look("after another reset");
}

bool MmioDriver::Begin(FeatureSet features) {
  MmioWrite(c_, kStatus, 0);
  c_.Do(op::WaitRegister{"mmio", kStatus, 4, UINT64_MAX, 0});
  MmioWrite(c_, kStatus, status::kAcknowledge);
  MmioWrite(c_, kStatus, status::kAcknowledge | status::kDriver);
  if (features.word(1) != 0) {
    AcceptWord(3, features);
    AcceptWord(2, features);
  }
  AcceptWord(1, features);
  AcceptWord(0, features);
  MmioWrite(c_, kStatus, status::kAcknowledge | status::kDriver | status::kFeaturesOk);
  return (MmioRead(c_, kStatus) & status::kFeaturesOk) != 0;
}

void MmioDriver::AcceptWord(uint32_t word, FeatureSet features) {
  MmioWrite(c_, kDriverFeaturesSel, word);
  MmioWrite(c_, kDriverFeatures, features.word(word / 2) >> (word % 2 * 32) & UINT32_MAX);
}

std::vector<MmioArea> MmioAreas(const op::SetupQueue& setup) {
  return {{kQueueDescLow, setup.desc},
          {kQueueDriverLow, setup.driver},
          {kQueueDeviceLow, setup.device}};
}

void MmioDriver::Describe(const op::SetupQueue& setup) {
  MmioWrite(c_, kQueueSel, setup.queue);
  MmioWrite(c_, kQueueSize, setup.size);
  for (const MmioArea& area : MmioAreas(setup)) {
    MmioWrite(c_, area.low, area.address & UINT32_MAX);
    MmioWrite(c_, area.low + 4, area.address >> 32);
  }
}

void MmioDriver::SetupQueue(const op::SetupQueue& setup) {
  Describe(setup);
  MmioWrite(c_, kQueueReady, 1);
}

void MmioDriver::DriverOk() {
  MmioWrite(c_, kStatus,
            status::kAcknowledge | status::kDriver | status::kFeaturesOk | status::kDriverOk);
}

std::vector<op::SetupQueue> UpForMmioDriver(Context& c) {
  const FeatureSet features = UsualFeatures(c);
  c.Reset();
  HandleInterruptsByHand(c);
  c.AcknowledgeAndDriver();
  c.Offered();
  if (!c.Negotiate(features)) c.NotApplicable("the device refused the features");
  std::vector<op::SetupQueue> setups;
  for (uint32_t queue = 0; queue <= c.request_queue(); ++queue)
    setups.push_back(c.SetupQueue(queue));
  c.DriverOk();
  return setups;
}

}  // namespace vitro
