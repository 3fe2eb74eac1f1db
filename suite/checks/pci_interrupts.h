// SPDX-License-Identifier: Apache-2.0
// What the checks of interrupts over PCI (4.1.4.5, 4.1.5.1.2, 4.1.5.3, 4.1.5.4) share: to bring a
// device up with an interrupt plan, to have a buffer used, and to look at what came of it. The
// check itself is the interrupt handler where it asks for handler=0.
#pragma once

#include <string_view>
#include <vector>

#include "harness/transport/interrupt_plans.h"
#include "suite/checks/check.h"
#include "suite/checks/pci_registers.h"

namespace vitro::interrupt_checks {

inline constexpr uint32_t kStray = UINT32_MAX;  // messages that belong to no vector

// Ends the check where the device has no interrupt pin, ISR status or MSI-X.
void RequirePin(Context& c);
void RequireIsr(Context& c);

// Resets the device and has interrupts delivered by that plan; ends the check where the device
// lacks what the plan needs.
void UsePlan(Context& c, std::string_view plan, bool handler);
// The same, and brings up all queues that serve requests, which are returned, lowest first.
std::vector<uint32_t> UpWithPlan(Context& c, std::string_view plan, bool handler);
// Makes a request on a queue and waits for it to be used. False if it was not: a failure then.
bool Serve(Context& c, uint32_t queue, uint64_t n);
// Has the device change its config; ends the check if there is nothing that changes.
void Stimulate(Context& c);

// The line and the ISR status
uint64_t ReadIsr(Context& c);
// Reads the ISR status until it is 0, a few times with rest in between: interrupts that were still
// under way may set it again. The last observation is that of the last read.
void ReadIsrUntilClear(Context& c);
// Takes the interrupt as a handler would, and waits for the line to go down. The last observation
// is the line's.
void TakeInterrupt(Context& c);

// MSI-X
struct Msix {
  uint32_t vectors = 0;
  uint8_t position = 0;           // of the capability
  std::vector<uint32_t> watched;  // the first vectors and the last; all where they are few
};
// Ends the check where the device has no MSI-X.
Msix RequireMsix(Context& c);
// As UpWithPlan(). All vectors that the plan per-queue uses are programmed and unmasked before, so
// that messages show also where the plan maps nothing to them.
std::vector<uint32_t> UpWithMessages(Context& c, std::string_view plan, bool handler);
uint16_t ConfigVector(Context& c);
uint16_t QueueVector(Context& c, uint32_t queue);
// Lets the device come to rest and takes all messages that came.
void ForgetMessages(Context& c, const Msix& msix);
// Judges that none came since, on any watched vector but `except` and to nowhere else.
struct Silence {
  const char* requirement;
  const char* because;
  bool advice = false;  // a warning at most
  std::vector<uint32_t> except = {};
};
void ExpectNoMessages(Context& c, const Msix& msix, const Silence& silence);

}  // namespace vitro::interrupt_checks
