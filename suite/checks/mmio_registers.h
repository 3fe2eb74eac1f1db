// SPDX-License-Identifier: Apache-2.0
// What the checks of virtio over MMIO (4.2) share: the registers as operations, so that a check is
// a program that replays; a device looked at in each stage of its life; and one brought up register
// by register.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/virtio/mmio.h"
#include "suite/checks/check.h"
#include "suite/checks/context.h"

namespace vitro {

// Each is one access, whose value Expect() may judge next.
uint64_t MmioRead(Context& c, uint32_t offset, uint32_t width = 4);
void MmioWrite(Context& c, uint32_t offset, uint64_t value, uint32_t width = 4);
// Two: QueueSel first.
uint64_t MmioQueueRead(Context& c, uint32_t queue, uint32_t offset);

// From here on InterruptStatus and InterruptACK are the check's.
void HandleInterruptsByHand(Context& c);
// Lets the device come to rest and acknowledges all that there is. False if a bit stays set.
bool AcknowledgeAll(Context& c);

// Queue numbers to look at: all, or of very many the first and the last.
std::vector<uint32_t> MmioQueues(const Context& c);

// The features that Up() negotiates with this device, found out by doing so.
FeatureSet UsualFeatures(Context& c, FeatureSet with = {});
// Resets, and leads the device up to requests that were served and to FAILED; `look` is called at
// every stage with a phrase for it: "after a reset".
using Look = std::function<void(const std::string& stage)>;
void AtEveryStage(Context& c, const Look& look);

// A device brought up by its registers alone, with the queues that the session has set up: they are
// made with UpForMmioDriver() and have to be unused.
class MmioDriver {
 public:
  explicit MmioDriver(Context& c) : c_(c) {}
  // Reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK. False if the device does not take them.
  bool Begin(FeatureSet features);
  void AcceptWord(uint32_t word, FeatureSet features);
  // All registers of a queue but QueueReady.
  void Describe(const op::SetupQueue& setup);
  void SetupQueue(const op::SetupQueue& setup);
  void DriverOk();

 private:
  Context& c_;
};
// Prepares the device for requests, then sets the queues up to the request queue up, unused, with
// nobody handling interrupts. Yields their set-ups, the request queue's last.
std::vector<op::SetupQueue> UpForMmioDriver(Context& c);

// The three areas of a queue by the offset of the lower half of their address.
struct MmioArea {
  uint32_t low;
  uint64_t address;
};
std::vector<MmioArea> MmioAreas(const op::SetupQueue& setup);

void AddMmioQueueChecks(std::vector<Check>& list);
void AddMmioQueueResetChecks(std::vector<Check>& list);
void AddMmioInterruptChecks(std::vector<Check>& list);
void AddMmioConfigChecks(std::vector<Check>& list);
void AddMmioHostileChecks(std::vector<Check>& list);

}  // namespace vitro
