// SPDX-License-Identifier: Apache-2.0
// Carrier: what stands between the driver and a device that is reached by registers: a bus, or what
// plays one. It carries accesses, shows interrupts, and lets the device work. PciFunction and
// MmioWindow are carriers; the transports over them know the standard, carriers do not.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "harness/base/deadline.h"
#include "harness/base/result.h"
#include "harness/transport/transport.h"

namespace vitro {

// Any call may fail with kDeviceLost (then every later one does too) or kTimeout.
class Carrier {
 public:
  virtual ~Carrier() = default;

  // For people: what the device or its owner calls it.
  virtual std::string name() const = 0;

  // The interrupt line of the device (INTA# or the one of MMIO): its level as last seen, after
  // taking in what there is to see; and how often it was asserted since this was last asked.
  virtual Result<bool> LineAsserted() = 0;
  virtual uint64_t TakeLineRises() = 0;

  // As Transport::WaitUntil() and Transport::Quiesce().
  virtual Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) = 0;
  virtual Result<> Quiesce(Duration window) = 0;
  // Is "nothing more will happen" known here, not guessed from a time window?
  virtual bool exact_quiet() const = 0;

  // "Change your config now". "" if that can be done, else why not.
  virtual std::string WhyNoStimulus() const = 0;
  virtual Result<> StimulateConfigChange() = 0;

  virtual std::optional<Transport::Death> Died() { return std::nullopt; }
  virtual std::string DeviceLog() { return ""; }
};

}  // namespace vitro
