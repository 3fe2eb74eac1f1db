// SPDX-License-Identifier: Apache-2.0
// Interrupts: how a function's notifications leave it (4.1.4.5, 4.1.5.1.2, 4.1.5.3, 4.1.5.4): ISR
// status and the line, or MSI-X vectors, their table and pending bits.
//
// Devices may notify from threads of their own: all calls lock, and none is made back into the
// device.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "devices/ref/faults.h"

namespace vitro::pcidev {

class Interrupts {
 public:
  Interrupts(const vitro_host* host, const ref::FaultSwitch& fault, bool pin, uint32_t vectors,
             uint32_t queues);

  // Events of the device.
  void SignalQueue(uint32_t queue);
  void SignalConfig();
  // Fault "used-message-before-entry" and "isr-cleared-early": the driver has notified.
  void Notified(uint32_t queue);

  // What configuration space says about interrupts.
  void SetCommand(uint16_t command);
  void SetMsixControl(uint16_t control);
  bool msix_enabled() const;
  // Interrupt Status, bit 3 of the PCI Status register.
  bool InterruptStatus() const;

  // ISR status: a read takes the bits and deasserts the line.
  uint8_t TakeIsr();
  uint8_t PeekIsr() const;

  // The vector registers. What cannot be mapped reads NO_VECTOR.
  void MapConfig(uint16_t vector);
  void MapQueue(uint32_t queue, uint16_t vector);
  uint16_t ConfigVector() const;
  uint16_t QueueVector(uint32_t queue) const;
  void UnmapQueue(uint32_t queue);

  // The MSI-X table and the pending bits, as bytes.
  uint64_t ReadTable(uint64_t offset, uint32_t width) const;
  void WriteTable(uint64_t offset, uint32_t width, uint64_t value);
  uint64_t ReadPending(uint64_t offset, uint32_t width) const;
  uint32_t vectors() const { return static_cast<uint32_t>(pending_.size()); }

  // Device reset (2.4): events are unmapped, ISR status is 0. The table is PCI's and stays.
  void DeviceReset();
  // Function reset: all of it.
  void FunctionReset();

 private:
  uint16_t Valid(uint16_t vector) const;
  uint8_t ShownIsr() const;
  void UpdateLine();
  void Raise(uint8_t cause);
  // Sends on a vector, or remembers it as pending.
  void Post(uint32_t vector);
  void Send(uint32_t vector);
  bool Masked(uint32_t vector) const;
  void SendUnmasked();
  void SendQueue(uint32_t queue);
  void LatchEntry(uint16_t vector);
  bool SharedWithEarlier(uint32_t queue) const;
  void ForgetEvents();
  void ResetTable();
  void CheckAccess(uint64_t offset, uint32_t width) const;

  const vitro_host* host_;
  const ref::FaultSwitch& fault_;
  const bool pin_;
  mutable std::mutex mutex_;

  uint8_t cause_ = 0;   // of the interrupt: what ISR status is made of
  bool stuck_ = false;  // fault "intx-stuck"
  bool line_ = false;   // as last told
  bool powered_on_ = false;
  uint16_t command_ = 0;
  uint16_t control_ = 0;  // of the MSI-X capability
  uint16_t config_vector_;
  std::vector<uint16_t> queue_vectors_;
  std::vector<bool> early_;  // fault "used-message-before-entry": was sent before its time
  std::map<uint32_t, uint16_t> latched_;  // fault "vector-latched": by queue
  std::vector<uint8_t> table_, latched_entries_;
  std::vector<bool> pending_;
};

}  // namespace vitro::pcidev
