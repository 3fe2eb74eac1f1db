// SPDX-License-Identifier: Apache-2.0
// DirectDevice: one device in this process, behind the C ABI of devices/abi/vitro_device.h: its
// table of operations, its instance, and the host that the instance was made with. It is driven to
// rest, so that "nothing more happens" is exact here. At which level it is driven is up to who has
// it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "harness/base/deadline.h"
#include "harness/base/result.h"
#include "harness/memory/guest_memory.h"
#include "harness/transport/transport.h"

namespace vitro {

enum class DirectLevel { kCore, kPci, kMmio };
const char* Name(DirectLevel level);

class DirectDevice {
 public:
  // What the device tells its host. Calls may come from threads of the device's own.
  struct Events {
    std::function<void(uint16_t queue)> queue_signalled;
    std::function<void()> config_signalled;
    std::function<void(uint64_t address, uint32_t data)> message_sent;
    std::function<void(bool asserted)> line_set;
  };

  // Creates a device of `ops` (which must outlive it) over `memory`, to be driven at `level`.
  // `options` as in the attach string. kAttach with the device's own words if it refuses; kAttach
  // for a table that does not fit.
  static Result<std::unique_ptr<DirectDevice>> Create(const vitro_device_ops* ops,
                                                      DirectLevel level, const std::string& options,
                                                      GuestMemory& memory, Events events);
  // Checks version, size and mandatory operations only, and that there is some level.
  static Result<> CheckOps(const vitro_device_ops* ops);
  // Why a table that CheckOps() has let pass cannot be driven at that level; "" if it can.
  static std::string WhyNot(const vitro_device_ops* ops, DirectLevel level);
  ~DirectDevice();
  DirectDevice(const DirectDevice&) = delete;
  DirectDevice& operator=(const DirectDevice&) = delete;

  const vitro_device_ops* ops() const { return ops_; }
  vitro_device* get() const { return device_; }
  const DeviceIdentity& identity() const { return identity_; }
  const std::string& log() const { return log_; }

  // As Transport's.
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline);
  Result<> Quiesce();
  std::string WhyNoStimulus() const;
  Result<> StimulateConfigChange();

 private:
  DirectDevice(const vitro_device_ops* ops, GuestMemory& memory, Events events);
  vitro_host MakeHost();

  const vitro_device_ops* ops_;
  GuestMemory& memory_;
  Events events_;
  vitro_host host_;
  vitro_device* device_ = nullptr;
  DeviceIdentity identity_;
  std::string log_;
};

}  // namespace vitro
