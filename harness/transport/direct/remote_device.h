// SPDX-License-Identifier: Apache-2.0
// RemoteDevice: a device of the C ABI that lives elsewhere. Its table's operations carry each call
// there and return when it is answered; those cannot fail, so that a loss shows in Health(), and a
// lost device answers with zeros from then on.
#pragma once

#include <optional>
#include <string>

#include "devices/abi/vitro_device.h"
#include "harness/base/deadline.h"
#include "harness/base/result.h"
#include "harness/memory/guest_memory.h"
#include "harness/transport/transport.h"

namespace vitro {

// Not thread-safe.
class RemoteDevice {
 public:
  virtual ~RemoteDevice() = default;
  // With the operations that the device has; create() is not used.
  virtual const vitro_device_ops* ops() const = 0;
  // A fresh device over `memory`, which becomes one with the device's. What the device tells goes
  // to `host`, in calls and in TakeIn() and Wait(). kAttach with the device's own words.
  virtual Result<vitro_device*> Open(const vitro_host* host, GuestMemory& memory) = 0;
  // Why the device is lost, kDeviceLost or kTimeout.
  virtual Result<> Health() const = 0;
  virtual void TakeIn() = 0;
  // Waits until the device tells something.
  virtual void Wait(Duration at_most) = 0;
  // Does run() do all the work there is?
  virtual bool exact_quiet() const = 0;
  virtual std::optional<Transport::Death> Died() = 0;
  virtual std::string Log() = 0;
};

}  // namespace vitro
