// SPDX-License-Identifier: Apache-2.0
// Capabilities and resource objects (2.12.1.2, 2.12.1.3) of the reference device with
// administration virtqueues. What capabilities and types of objects it has:
// harness/virtio/experimental.h. Knows nothing of queues, groups and lists of commands.
#pragma once

#include <array>
#include <map>
#include <optional>

#include "devices/ref/admin/command.h"
#include "devices/ref/faults.h"

namespace vitro::ref {

class AdminObjects {
 public:
  explicit AdminObjects(const FaultSwitch& fault) : fault_(fault) {}

  void Reset();
  // After each command, whatever it was.
  void CommandEnded();

  AdminAnswer CapIdListQuery() const;
  AdminAnswer DeviceCapGet(const AdminCommand& command) const;
  AdminAnswer DriverCapSet(const AdminCommand& command);

  AdminAnswer Create(const AdminCommand& command);
  AdminAnswer Modify(const AdminCommand& command);
  AdminAnswer Query(const AdminCommand& command) const;
  AdminAnswer Destroy(const AdminCommand& command);

 private:
  struct Object {
    Bytes data;
    Bytes first;  // at creation
  };
  struct Kind {
    uint32_t device_limit = 0, device_flags = 0;
    std::optional<uint32_t> limit;  // the driver's capability, once set
    std::map<uint32_t, Object> objects;
    std::map<uint32_t, Object> late;  // fault "admin-create-late": not there yet
    std::map<uint32_t, bool> destroyed;
  };

  // By position: bins, labels. nullptr if there is none such.
  Kind* KindOfCap(uint16_t id);
  const Kind* KindOfCap(uint16_t id) const;
  Kind* KindOfType(uint16_t type);
  const Kind* KindOfType(uint16_t type) const;
  uint32_t LimitOf(const Kind& kind) const;
  bool DependedOn(uint16_t type, uint32_t id) const;
  // May an object of this type hold these data?
  bool GoodData(uint16_t type, const Bytes& data) const;
  AdminAnswer Missing() const;
  AdminAnswer MayCreate(const Kind& kind, uint16_t type, uint32_t id, const Bytes& data) const;

  const FaultSwitch& fault_;
  std::array<Kind, 2> kinds_ = MakeKinds();
  static std::array<Kind, 2> MakeKinds();
};

}  // namespace vitro::ref
