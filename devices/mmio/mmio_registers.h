// SPDX-License-Identifier: Apache-2.0
// MmioRegisters: the state and the behaviour of the reference MMIO window (4.2.2) around one live
// device of the core level.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "devices/ref/faults.h"

namespace vitro::ref {

class MmioRegisters {
 public:
  struct Settings {
    FaultSwitch fault;
    bool shm = false;
  };

  // Creates the device inside; device() is nullptr if it refused. `host` must outlive this.
  MmioRegisters(const vitro_device_ops* inner, const vitro_host* host, const Settings& settings,
                const char* inner_options);
  ~MmioRegisters();
  MmioRegisters(const MmioRegisters&) = delete;
  MmioRegisters& operator=(const MmioRegisters&) = delete;

  vitro_device* device() const { return device_; }
  const vitro_device_ops* inner() const { return inner_; }

  // False: nobody answers such an access.
  bool Read(uint64_t offset, uint32_t width, uint64_t* value);
  bool Write(uint64_t offset, uint32_t width, uint64_t value);
  // As vitro_device_ops.run(): passes notifications on, and lets the device work.
  bool Run();

 private:
  struct Queue {
    uint32_t size = 0;
    uint64_t desc = 0, driver = 0, device = 0;
    bool ready = false;     // as QueueReady shows it
    bool set_up = false;    // the device inside has the queue
    bool notified = false;  // and the device inside has not been told yet
    bool was_reset = false;
    bool shows_reset = false;  // faults that keep QueueReset at 1
  };

  uint32_t ReadControl(uint32_t offset);
  void WriteControl(uint32_t offset, uint32_t value);
  bool ReadConfig(uint64_t offset, uint32_t width, uint64_t* value);
  bool WriteConfig(uint64_t offset, uint32_t width, uint64_t value);

  uint32_t DeviceFeatures();
  void WriteDriverFeatures(uint32_t value);
  void WriteStatus(uint8_t value);
  void Reset();
  uint8_t Status() const { return inner_->get_status(device_); }

  Queue* Selected();
  uint32_t QueueSizeMax();
  uint32_t QueueReady();
  void WriteQueueReady(uint32_t value);
  bool SetUp(uint32_t index);
  bool ResetInside(uint32_t index);
  void WriteQueueReset();
  void WriteQueueSize(uint32_t value);
  void WriteAddress(uint32_t offset, uint32_t value);
  void Notify(uint32_t value);

  // Interrupts. The device inside may signal from a thread of its own.
  void Raise(uint32_t bit);
  uint32_t InterruptStatus();
  void Acknowledge(uint32_t bits);
  void SetLine(bool asserted);
  uint64_t SharedMemory(uint32_t offset) const;

  const FaultSwitch fault_;
  const bool shm_;
  const vitro_device_ops* inner_;
  const vitro_host* outer_host_;
  vitro_host inner_host_;
  vitro_device* device_ = nullptr;
  vitro_identity identity_{};

  uint32_t device_features_sel_ = 0, driver_features_sel_ = 0, queue_sel_ = 0, shm_sel_ = 0;
  uint32_t driver_features_[4] = {};
  std::vector<Queue> queues_;
  uint32_t overwritten_[4] = {};  // fault "mmio-read-only-written"
  uint32_t low_latch_ = 0;        // fault "mmio-address-latch-shared"
  uint8_t stale_status_ = 0;      // fault "mmio-status-not-cleared"

  std::mutex interrupt_mutex_;
  uint32_t interrupt_status_ = 0;
  uint32_t late_bits_ = 0;       // fault "mmio-interrupt-status-after-line"
  uint32_t config_changes_ = 0;  // the generation of a device that has no count of its own
};

}  // namespace vitro::ref
