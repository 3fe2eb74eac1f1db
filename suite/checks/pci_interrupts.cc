// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/pci_interrupts.h"

#include <algorithm>

#include "suite/checks/queue_life.h"

namespace vitro::interrupt_checks {
namespace {

constexpr uint32_t kWatchAll = 16, kWatchFirst = 8;
// What was under way when it was first looked is over after so many times of rest.
constexpr int kTries = 4;

}  // namespace

void RequirePin(Context& c) {
  if (LayoutOf(c).interrupt_pin == 0) c.NotApplicable("the device has no interrupt pin");
}

void RequireIsr(Context& c) {
  if (LayoutOf(c).Usable(virtio_pci::kIsrCfg) == nullptr)
    c.NotApplicable("the device has no ISR status");
}

void UsePlan(Context& c, std::string_view plan, bool handler) {
  c.Reset();
  if (c.Do(op::Interrupts{std::string(plan), handler ? 1u : 0u}).refused)
    c.NotApplicable(fmt::format("the device lacks what interrupt plan '{}' needs", plan));
}

std::vector<uint32_t> UpWithPlan(Context& c, std::string_view plan, bool handler) {
  UsePlan(c, plan, handler);
  const auto queues = UsableQueues(c);
  if (queues.empty()) c.NotApplicable("the device has no queue that serves requests");
  c.Up({.with = QueueFeatures(c), .queues = queues.back() + 1});
  return queues;
}

bool Serve(Context& c, uint32_t queue, uint64_t n) {
  const auto exchange = c.grammar().RequestOn(queue, n);
  if (!exchange) return false;
  c.Publish(*exchange);
  c.Notify(queue);
  c.WaitUsed(queue, 1);
  c.Expect(Accept::Equal(1), "derived.used.progress", "a request is used");
  return c.last().value == 1;
}

void Stimulate(Context& c) {
  if (c.Do(op::StimulateConfigChange{}).refused)
    c.NotApplicable("the device has nothing in its config space that changes");
}

uint64_t ReadIsr(Context& c) { return c.Do(op::ReadRegister{"isr", 0, 1}).value; }

void ReadIsrUntilClear(Context& c) {
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) c.Do(op::Quiesce{});
    if (ReadIsr(c) == 0) return;
  }
}

void TakeInterrupt(Context& c) {
  for (int i = 0; i < kTries; ++i) {
    ReadIsr(c);
    if (c.Do(op::WaitLine{0}).value == 0) return;
  }
}

Msix RequireMsix(Context& c) {
  const auto& found = LayoutOf(c).msix;
  if (!found) c.NotApplicable("the device has no MSI-X capability");
  Msix msix;
  msix.vectors = found->vectors;
  msix.position = found->position;
  const uint32_t first = msix.vectors <= kWatchAll ? msix.vectors : kWatchFirst;
  for (uint32_t vector = 0; vector < first; ++vector) msix.watched.push_back(vector);
  if (first < msix.vectors) msix.watched.push_back(msix.vectors - 1);
  return msix;
}

std::vector<uint32_t> UpWithMessages(Context& c, std::string_view plan, bool handler) {
  if (plan != interrupts::kPerQueue) UpWithPlan(c, interrupts::kPerQueue, true);
  return UpWithPlan(c, plan, handler);
}

uint16_t ConfigVector(Context& c) {
  return static_cast<uint16_t>(ReadCommon(c, virtio_pci::common::kConfigMsixVector, 2));
}

uint16_t QueueVector(Context& c, uint32_t queue) {
  return static_cast<uint16_t>(QueueRead(c, queue, virtio_pci::common::kQueueMsixVector, 2));
}

void ForgetMessages(Context& c, const Msix& msix) {
  c.Do(op::Quiesce{});
  for (const uint32_t vector : msix.watched) c.Do(op::WaitMessages{vector, 0});
  c.Do(op::WaitMessages{kStray, 0});
}

void ExpectNoMessages(Context& c, const Msix& msix, const Silence& silence) {
  c.Do(op::Quiesce{});
  auto look = [&](uint32_t vector) {
    if (std::ranges::find(silence.except, vector) != silence.except.end()) return;
    c.Do(op::WaitMessages{vector, 0});
    silence.advice ? c.Advise(Accept::Equal(0), silence.requirement, silence.because)
                   : c.Expect(Accept::Equal(0), silence.requirement, silence.because);
  };
  for (const uint32_t vector : msix.watched) look(vector);
  look(kStray);
}

}  // namespace vitro::interrupt_checks
