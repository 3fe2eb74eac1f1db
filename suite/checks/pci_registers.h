// SPDX-License-Identifier: Apache-2.0
// What the checks of a PCI function (4.1) share: its registers as operations, so that a check is a
// program that replays; its structures wherever they lie; and a device brought up register by
// register. Depends on the layout as the transport found it, and on nothing of a carrier.
#pragma once

#include <string>
#include <vector>

#include "harness/transport/pci/pci_layout.h"
#include "harness/virtio/pci.h"
#include "suite/checks/context.h"

namespace vitro {

// The structures as they were found. Ends the check where there is no PCI function.
const PciLayout& LayoutOf(Context& c);

// Each is one access, whose value Expect() may judge next; reads that are refused yield 0.
uint64_t ReadPci(Context& c, uint32_t offset, uint32_t width);  // configuration space
void WritePci(Context& c, uint32_t offset, uint32_t width, uint64_t value);
uint64_t ReadCommon(Context& c, uint32_t offset, uint32_t width);
void WriteCommon(Context& c, uint32_t offset, uint32_t width, uint64_t value);
void SelectQueue(Context& c, uint32_t queue);
// Two: queue_select first.
uint64_t QueueRead(Context& c, uint32_t queue, uint32_t offset, uint32_t width);
void QueueWrite(Context& c, uint32_t queue, uint32_t offset, uint32_t width, uint64_t value);

// Steps 1 to 3 and 1 to 6 of initialisation (3.1.1); they end the check where that is not possible.
void FindDevice(Context& c);
void NegotiatePlain(Context& c, FeatureSet with = {});
// The same with all that is offered, as some queues come with features; plainly if that is refused.
void NegotiateAll(Context& c);

// The administration virtqueues that the registers tell once VIRTIO_F_ADMIN_VQ is negotiated
// (4.1.4.3); the device is reset. None where it is not offered.
struct AdminQueueRange {
  uint32_t index = 0, count = 0;
  bool Has(uint64_t queue) const { return queue >= index && queue - index < count; }
};
AdminQueueRange AdminQueues(Context& c);

// Function level reset, with what a bus driver saves and restores around it; MSI-X is off then.
// Ends the check if the function has none.
void FunctionLevelReset(Context& c);

// Ends the check if the function has no common configuration structure that can be used.
void RequireCommon(Context& c);
// The common configuration structure is long enough to have the register at `offset`.
bool HasCommon(Context& c, uint32_t offset, uint32_t width);

// "bar4" for a BAR as a region, and a register of a structure in it.
std::string BarRegion(unsigned bar);
uint64_t StructureRead(Context& c, const VirtioCapability& structure, uint64_t offset,
                       uint32_t width);
void StructureWrite(Context& c, const VirtioCapability& structure, uint64_t offset, uint32_t width,
                    uint64_t value);

// The registers of struct virtio_pci_common_cfg that every device has, in natural widths; 64-bit
// ones as two halves (4.1.3.1).
struct CommonRegister {
  uint32_t offset, width;
  const char* name;
  bool writable;
  bool of_queue;  // of the queue that queue_select tells
};
const std::vector<CommonRegister>& CommonRegisters();

// Queue numbers to look at: all, or of very many the first and the last.
std::vector<uint32_t> QueuesToTry(uint32_t count);

// The window of VIRTIO_PCI_CAP_PCI_CFG (4.1.4.9). Ends the check if there is none.
class PciWindow {
 public:
  explicit PciWindow(Context& c);
  // Writes bar, offset and length of the capability. `length` is that of the access: 1, 2 or 4.
  void Aim(unsigned bar, uint64_t offset, uint32_t length);
  // An access to pci_cfg_data of `width` bytes; 0: as long as the window's length.
  uint64_t Read(uint32_t width = 0);
  void Write(uint64_t value, uint32_t width = 0);
  uint32_t position() const { return position_; }

 private:
  Context& c_;
  uint32_t position_, length_ = 4;
};

// A device brought up through one common configuration structure and one notification structure,
// register by register, with the same queues as `setups`. The session has to know those queues
// (SetupQueue) and their rings have to be unused; nothing is notified to the driver.
class RegisterDriver {
 public:
  RegisterDriver(Context& c, const VirtioCapability& common, const VirtioCapability& notify)
      : c_(c), common_(common), notify_(notify) {}
  // Writes 0 to the status and waits until it reads 0, which the last observation is to say.
  void Reset();
  // Reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK. False if the device does not take them.
  bool Begin(FeatureSet features);
  void SetupQueue(const op::SetupQueue& setup);
  void DriverOk();
  // An available buffer notification of 16 bits.
  void Notify(uint32_t queue);

  uint64_t Read(uint32_t offset, uint32_t width) {
    return StructureRead(c_, common_, offset, width);
  }
  void Write(uint32_t offset, uint32_t width, uint64_t value) {
    StructureWrite(c_, common_, offset, width, value);
  }

 private:
  Context& c_;
  const VirtioCapability common_, notify_;
};

// Prepares the device for requests, then sets the queues up to the request queue up, unused, with
// interrupts off. Yields their set-ups, the request queue's last, for a RegisterDriver.
std::vector<op::SetupQueue> UpForRegisters(Context& c, FeatureSet with = {},
                                           std::vector<uint32_t> queues = {});

}  // namespace vitro
