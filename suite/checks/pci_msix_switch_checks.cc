// SPDX-License-Identifier: Apache-2.0
// Checks of MSI-X against INTx and against device reset (2.4, 4.1.5.3): one way of telling does not
// show while the other is in use, and none outlives the driver that chose it.
#include "suite/checks/chapters.h"
#include "suite/checks/pci_interrupts.h"

namespace vitro {
namespace {

using namespace interrupt_checks;  // NOLINT(google-build-using-namespace)

constexpr const char* kSilentAfterReset = "dev.basic.device-reset.2";
constexpr const char* kArrives = "derived.pci.message-arrives";
constexpr const char* kExclusive = "derived.pci.msix-or-intx";

constexpr uint64_t kRounds = 3;

void LeavesTheLineAlone(Context& c) {
  RequireMsix(c);
  RequirePin(c);
  const auto queues = UpWithMessages(c, interrupts::kPerQueue, true);
  // Interrupt Disable would hide what ought not to be there.
  const uint64_t command = ReadPci(c, pci::kCommand, 2);
  WritePci(c, pci::kCommand, 2, command & ~uint64_t{pci::kCommandIntxDisable});
  c.Do(op::TakeLineRises{});
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    for (const uint32_t queue : queues)
      if (!Serve(c, queue, n)) return;
    if (c.Has(Ability::kStimulus)) c.Do(op::StimulateConfigChange{});
    c.Do(op::Quiesce{});
    c.Do(op::ReadLine{});
    c.Expect(Accept::Equal(0), kExclusive, "INTx is not asserted while MSI-X is enabled");
    c.Do(op::TakeLineRises{});
    c.Expect(Accept::Equal(0), kExclusive, "INTx is not asserted while MSI-X is enabled");
  }
}

void SendsNothingWhileDisabled(Context& c) {
  const Msix msix = RequireMsix(c);
  const auto plan = LayoutOf(c).interrupt_pin != 0 ? interrupts::kIntx : interrupts::kPolling;
  const auto queues = UpWithMessages(c, plan, true);
  ForgetMessages(c, msix);
  for (uint64_t n = 0; n < kRounds; ++n) {
    for (const uint32_t queue : queues)
      if (!Serve(c, queue, n)) return;
    if (c.Has(Ability::kStimulus)) c.Do(op::StimulateConfigChange{});
  }
  ExpectNoMessages(c, msix, {kExclusive, "no message comes while MSI-X is disabled"});
}

void IsSilentAfterReset(Context& c) {
  const Msix msix = RequireMsix(c);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    const auto queues = UpWithMessages(c, interrupts::kPerQueue, true);
    for (const uint32_t queue : queues)
      if (!Serve(c, queue, n)) return;
    c.Do(op::Quiesce{});
    for (const uint32_t vector : msix.watched) c.Do(op::WaitMessages{vector, 0});
    // With nothing in flight, or with a request that was told of.
    if (n % 2 == 1) {
      c.Publish(*c.grammar().RequestOn(queues.front(), n));
      c.Notify(queues.front());
    }
    c.Reset();
    // Those of the request came before the reset was complete.
    if (n % 2 == 1)
      for (const uint32_t vector : msix.watched) c.Do(op::WaitMessages{vector, 0});
    ExpectNoMessages(c, msix, {kSilentAfterReset, "no message comes after a reset"});
  }
}

// A driver may choose anew at each reset.
void ChangesPlans(Context& c) {
  constexpr std::string_view kOrder[] = {
      interrupts::kPerQueue, interrupts::kIntx,          interrupts::kOneVector,
      interrupts::kPolling,  interrupts::kShared,        interrupts::kNoVector,
      interrupts::kIntx,     interrupts::kNoQueueVector, interrupts::kPerQueue,
  };
  RequireMsix(c);
  for (const auto plan : kOrder) {
    c.Reset();
    if (c.Do(op::Interrupts{std::string(plan)}).refused) continue;
    const auto queues = UpWithPlan(c, plan, true);
    for (const uint32_t queue : queues) {
      const bool polled = c.session().transport().RouteOf(queue) == NotificationRoute::kNone;
      c.Do(op::Quiesce{});
      if (!polled) c.Do(op::TakeNotifications{queue});
      if (!Serve(c, queue, 0)) return;
      if (polled) continue;
      c.Do(op::WaitNotifications{queue, 1});
      c.Expect(Accept::NotEqual(0), kArrives,
               fmt::format("notifications of queue {} come with interrupt plan '{}'", queue, plan));
    }
    if (c.failed()) return;
  }
}

}  // namespace

void AddPciMsixSwitchChecks(std::vector<Check>& list) {
  const Needs requests = {.abilities = {Ability::kPciFunction}, .requests = true};
  list.push_back({
      .id = "pci.msix.no-line",
      .title = "INTx is not used while MSI-X is enabled",
      .section = "4.1.5.3",
      .requirements = {kExclusive},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:intx-with-msix"},
      .run = LeavesTheLineAlone,
  });
  list.push_back({
      .id = "pci.msix.disabled",
      .title = "No message is sent while MSI-X is disabled",
      .section = "4.1.5.3",
      .requirements = {kExclusive},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:messages-when-msix-disabled"},
      .run = SendsNothingWhileDisabled,
  });
  list.push_back({
      .id = "pci.msix.silent-after-reset",
      .title = "No message is sent after a reset",
      .section = "2.4",
      .requirements = {kSilentAfterReset},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:messages-after-reset", "entropy,level=pci:messages-after-reset"},
      .run = IsSilentAfterReset,
  });
  list.push_back({
      .id = "pci.msix.plans-change",
      .title = "Interrupts travel another way after each reset, as the driver chooses",
      .section = "4.1.5.1.2",
      .requirements = {kArrives},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:shared-vector-lost"},
      .run = ChangesPlans,
  });
}

}  // namespace vitro
