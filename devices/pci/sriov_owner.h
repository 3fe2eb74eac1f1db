// SPDX-License-Identifier: Apache-2.0
// SriovOwner: what makes a function a physical function: its virtual functions, and the
// administration virtqueue by which their group is administered (2.12, 2.13). The queue has a
// device core of its own, which goes through status, features and resets with the device of the
// function.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "devices/pci/sriov_group.h"
#include "devices/ref/admin/administration.h"
#include "devices/ref/device_core.h"

namespace vitro::pcidev {

class SriovOwner {
 public:
  // `outer` is what the function was given; `inner` is for its devices. `queues`: how many it has
  // without the administration virtqueue, which comes next. nullptr if the device refuses to be a
  // member; it has told why.
  static std::unique_ptr<SriovOwner> Create(const vitro_device_ops* core, const vitro_host* outer,
                                            const vitro_host* inner, uint32_t queues,
                                            const FunctionOptions& options,
                                            const std::string& core_options);

  // Has that one queue, under its number of the function.
  ref::DeviceCore& queue() { return *queue_; }
  SriovGroup& group() { return group_; }
  bool RunMembers();

  // VF Enable and NumVFs as they are in configuration space.
  void SetControl(uint16_t control, uint16_t count);
  // Configuration space beyond the function's own.
  uint32_t ConfigRead(uint32_t offset, uint32_t width);
  void ConfigWrite(uint32_t offset, uint32_t width, uint32_t value);
  // A write to the notification addresses of LEGACY_NOTIFY_INFO.
  void LegacyNotify(uint64_t offset, uint32_t width, uint64_t value);

 private:
  SriovOwner(const vitro_host* inner, uint32_t queues, const FunctionOptions& options);
  // The member that an offset beyond the function's own configuration space belongs to.
  Member* Behind(uint32_t offset) const;

  const ref::FaultSwitch fault_;
  std::vector<std::unique_ptr<Member>> members_;
  SriovGroup group_;
  OwnerGroup self_;
  ref::Administration administration_;
  std::unique_ptr<ref::DeviceCore> queue_;
};

}  // namespace vitro::pcidev
