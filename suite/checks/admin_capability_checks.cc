// SPDX-License-Identifier: Apache-2.0
// Checks of device and driver capabilities (2.12.1.2). What a capability's fields mean is known of
// Vitro's experimental device only; elsewhere they are taken as they come.
#include "harness/virtio/experimental.h"
#include "suite/checks/admin_objects.h"

namespace vitro {
namespace {

namespace xp = experimental;

constexpr const char* kCommands = "dev.admin.group-cmds.device-and-driver-capabilities.1";
constexpr const char* kLimits = "dev.admin.group-cmds.device-and-driver-capabilities.2";
constexpr const char* kFlags = "dev.admin.group-cmds.device-and-driver-capabilities.3";
constexpr const char* kDisableLive = "dev.admin.group-cmds.device-and-driver-capabilities.7";
constexpr const char* kNotListed = "dev.admin.group-cmds.device-and-driver-capabilities.8";
constexpr const char* kReset = "dev.admin.group-cmds.device-and-driver-capabilities.9";
constexpr const char* kUnsetIsZero = "dev.admin.group-cmds.device-and-driver-capabilities.10";

constexpr uint32_t kMostCapabilities = 64;

void EachListedOneIsThere(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  const Bytes caps = admin.Capabilities();
  uint32_t found = 0;
  for (uint32_t bit = 0; bit < 8 * caps.size() && found < kMostCapabilities; ++bit) {
    if (!HasBit(caps, bit)) continue;
    ++found;
    const auto id = static_cast<uint16_t>(bit);
    const AdminReply reply = admin.Send(DeviceCapGet(id));
    admin.ExpectOk(kCommands, fmt::format("DEVICE_CAP_GET of listed capability {:#x} works", id));
    if (!reply.ok()) continue;
    admin.Send(DriverCapSet(id, reply.result));
    c.Do(op::Read{admin.last().address, 2});
    const std::string because =
        fmt::format("the driver may set capability {:#x} to what the device says", id);
    // There may be fields of it that cannot be written.
    if (ObjectDriver::Known(c))
      c.Expect(Accept::Equal(admin::kOk), kLimits, because);
    else
      c.Advise(Accept::Equal(admin::kOk), kLimits, because);
  }
  if (found == 0) c.NotApplicable("the device lists no capabilities");
}

void NotListed(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  const Bytes caps = admin.Capabilities();
  std::vector<uint16_t> ids = {0xffff, admin::kFirstReservedCap};
  for (const uint16_t from : {uint16_t{1}, admin::kFirstTypeCap}) {
    uint16_t id = from;
    while (HasBit(caps, id)) ++id;
    ids.push_back(id);
  }
  for (const uint16_t id : ids) {
    if (HasBit(caps, id)) continue;
    for (const AdminCommand& command : {DeviceCapGet(id), DriverCapSet(id, Bytes(8))}) {
      admin.Send(command);
      admin.ExpectStatus(admin::kEnxio, kNotListed,
                         command.what + ", which is not listed, is answered ENXIO");
    }
  }
}

void LowerLimits(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin(false);
  const uint32_t most = objects.bin_limit();
  for (const uint32_t limit : {most, most - 1, most / 2, 1u, 0u, most}) {
    admin.Send(ObjectDriver::SetBins(limit, objects.bin_flags()));
    admin.ExpectOk(
        kLimits,
        fmt::format("a limit of {} is taken, which is not above the device's {}", limit, most));
  }
}

void FewerFlags(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin(false);
  const uint32_t all = objects.bin_flags();
  // Every subset, and all of them at the end.
  for (uint32_t flags = (all - 1) & all;; flags = (flags - 1) & all) {
    admin.Send(ObjectDriver::SetBins(objects.bin_limit(), flags));
    admin.ExpectOk(kFlags, fmt::format("flags {:#x} are taken, which are among the device's {:#x}",
                                       flags, all));
    if (flags == all) break;
  }
}

void UnsetLimitIsZero(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin(false);
  c.BeginHostile();
  objects.Create(xp::kTypeBin, 0, ObjectDriver::Bin(1, 1));
  admin.ExpectFailure(kUnsetIsZero,
                      "no object is created before the driver has set a limit for its type");
}

void ResetDropsThem(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin(false);
  c.BeginHostile();
  const std::string untaken = "the device does not take a limit that was never set to be zero";
  if (objects.Create(xp::kTypeBin, 0, ObjectDriver::Bin(1, 1)).ok()) c.NotApplicable(untaken);
  if (!objects.SetLimits(objects.bin_limit(), 0, objects.label_limit()).ok())
    c.NotApplicable("DRIVER_CAP_SET does not succeed");
  objects.MustCreate(xp::kTypeBin, 0, ObjectDriver::Bin(1, 1));
  objects.Begin(false);
  c.BeginHostile();
  objects.Create(xp::kTypeBin, 0, ObjectDriver::Bin(1, 1));
  admin.ExpectFailure(kReset, "the driver's limit is unset again after a reset");
}

void DisabledWithObjects(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  objects.MustCreate(xp::kTypeBin, 0, ObjectDriver::Bin(3, 4));
  c.BeginHostile();
  admin.Send(ObjectDriver::SetBins(0, 0));
  admin.ExpectStatus(admin::kEbusy, kDisableLive,
                     "a capability of which an object exists is not disabled, but EBUSY");
  if (admin.last().ok()) return;
  objects.ExpectData(xp::kTypeBin, 0, ObjectDriver::Bin(3, 4), "dev.admin.group-cmds.8",
                     "the object is as before after that failure");
}

}  // namespace

void AddAdminCapabilityChecks(std::vector<Check>& list) {
  const Needs needs = AdminNeeds();
  list.push_back({.id = "admin.capability.listed",
                  .title = "Each listed capability can be had, and set to what the device says",
                  .section = "2.12.1.2.4",
                  .requirements = {kCommands, kLimits},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-cap-listed-missing"},
                  .run = EachListedOneIsThere});
  list.push_back({.id = "admin.capability.not-listed",
                  .title = "Capabilities that are not listed are answered ENXIO",
                  .section = "2.12.1.2.4",
                  .requirements = {kNotListed},
                  .tags = {"admin", "odd"},
                  .needs = needs,
                  .faults = {"admin-cap-unknown-einval"},
                  .run = NotListed});
  list.push_back({.id = "admin.capability.lower-limits",
                  .title = "The driver may set any limit up to the device's",
                  .section = "2.12.1.2.4",
                  .requirements = {kLimits},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-cap-limit-exact"},
                  .run = LowerLimits});
  list.push_back({.id = "admin.capability.fewer-flags",
                  .title = "The driver may set any of the device's capability flags",
                  .section = "2.12.1.2.4",
                  .requirements = {kFlags},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-cap-flags-exact"},
                  .run = FewerFlags});
  list.push_back({.id = "admin.capability.unset-limit",
                  .title = "A limit that the driver has not set counts as zero",
                  .section = "2.12.1.2.4",
                  .requirements = {kUnsetIsZero},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-cap-default-full"},
                  .run = UnsetLimitIsZero});
  list.push_back({.id = "admin.capability.reset",
                  .title = "A reset drops what the driver has set",
                  .section = "2.12.1.2.4",
                  .requirements = {kReset},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-caps-survive-reset"},
                  .run = ResetDropsThem});
  list.push_back({.id = "admin.capability.disabled-with-objects",
                  .title = "A capability is not disabled while objects of it exist",
                  .section = "2.12.1.2.4",
                  .requirements = {kDisableLive, "dev.admin.group-cmds.8"},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-cap-disable-live"},
                  .run = DisabledWithObjects});
}

}  // namespace vitro
