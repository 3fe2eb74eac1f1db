// SPDX-License-Identifier: Apache-2.0
// DriverState: what a driver knows of its device: how far initialisation went (3.1), which features
// were negotiated (2.2), which queues are set up. Shared by the session, which changes it, and the
// oracle, which reads it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "harness/driver/virtqueue.h"
#include "harness/virtio/features.h"
#include "harness/virtio/status.h"

namespace vitro {

struct DriverState {
  FeatureSet offered;      // as last read
  FeatureSet accepted;     // as last written
  uint8_t status = 0;      // as last written, or as read if read later
  bool was_reset = false;  // a reset completed since DRIVER_OK was last set
  bool hostile = false;    // the driver has stopped being a conforming one
  bool legacy = false;     // it uses the legacy interface
  std::map<uint32_t, std::unique_ptr<Virtqueue>> queues;  // set up and not reset
  std::vector<GuestRange> lent;  // others than the device's queues may write there

  // May buffers be used? Through the legacy interface also before DRIVER_OK (3.1.2).
  bool running() const { return (status & status::kDriverOk) != 0 || (legacy && !queues.empty()); }
  bool suspended() const { return (status & status::kSuspend) != 0 && !running(); }  // 3.4
  bool Negotiated(unsigned bit) const {
    return (status & status::kFeaturesOk) != 0 && accepted.Has(bit);
  }
};

}  // namespace vitro
