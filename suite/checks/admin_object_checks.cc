// SPDX-License-Identifier: Apache-2.0
// Checks of device resource objects (2.12.1.3), on types whose data are known (admin_objects.h).
#include "harness/virtio/experimental.h"
#include "suite/checks/admin_objects.h"
#include "suite/checks/chapters.h"

namespace vitro {
namespace {

namespace xp = experimental;

constexpr const char* kTwice = "dev.admin.group-cmds.device-resource-objects.1";
constexpr const char* kMissing = "dev.admin.group-cmds.device-resource-objects.2";
constexpr const char* kNoSpace = "dev.admin.group-cmds.device-resource-objects.3";
constexpr const char* kDependedOn = "dev.admin.group-cmds.device-resource-objects.4";
constexpr const char* kAnew = "dev.admin.group-cmds.device-resource-objects.5";
constexpr const char* kAnyId = "dev.admin.group-cmds.device-resource-objects.6";
constexpr const char* kAsMany = "dev.admin.group-cmds.device-resource-objects.8";
constexpr const char* kModifyFails = "dev.admin.group-cmds.device-resource-objects.9";
constexpr const char* kQuery = "dev.admin.group-cmds.device-resource-objects.10";
constexpr const char* kReset = "dev.admin.group-cmds.device-resource-objects.11";
constexpr const char* kFails = "dev.admin.group-cmds.6";
constexpr const char* kFailureKeeps = "dev.admin.group-cmds.8";

Bytes Bin(uint64_t colour, uint64_t weight) { return ObjectDriver::Bin(colour, weight); }

void QueryGivesTheLatestData(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  objects.MustCreate(xp::kTypeBin, 1, Bin(0x1122334455667788, 9));
  objects.ExpectData(xp::kTypeBin, 1, Bin(0x1122334455667788, 9), kQuery,
                     "QUERY gives the data of the creation");
  if (!objects.Modify(xp::kTypeBin, 1, Bin(0x8877665544332211, 10)).ok())
    c.NotApplicable("MODIFY does not succeed");
  objects.ExpectData(xp::kTypeBin, 1, Bin(0x8877665544332211, 10), kQuery,
                     "QUERY gives the data of the last MODIFY");
}

void CreateTwice(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  objects.MustCreate(xp::kTypeBin, 2, Bin(1, 1));
  // Ids are unique within a type only.
  objects.MustCreate(xp::kTypeLabel, 2, ObjectDriver::Label(2, 5));
  objects.Destroy(xp::kTypeLabel, 2);
  c.BeginHostile();
  objects.Create(xp::kTypeBin, 2, Bin(2, 2));
  admin.ExpectFailure(kTwice, "an object is not created with an id that is in use");
  if (admin.last().ok()) return;
  objects.ExpectData(xp::kTypeBin, 2, Bin(1, 1), kFailureKeeps,
                     "the object that has the id is as before that failure");
}

void MissingObjects(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  objects.MustCreate(xp::kTypeBin, 0, Bin(1, 1));
  objects.Destroy(xp::kTypeBin, 0);
  c.BeginHostile();
  for (const uint32_t id : {0u, 1u}) {
    const std::string which =
        id == 0 ? "an object that was destroyed" : "an object that was never created";
    objects.Query(xp::kTypeBin, id);
    admin.ExpectFailure(kFails, fmt::format("QUERY of {} fails", which));
    admin.ExpectStatus(admin::kEnxio, kMissing, fmt::format("QUERY of {} gives ENXIO", which));
    objects.Modify(xp::kTypeBin, id, Bin(2, 2));
    admin.ExpectStatus(admin::kEnxio, kMissing, fmt::format("MODIFY of {} gives ENXIO", which));
    objects.Destroy(xp::kTypeBin, id);
    admin.ExpectStatus(admin::kEnxio, kMissing, fmt::format("DESTROY of {} gives ENXIO", which));
  }
}

void AsManyAsTheLimit(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  const uint32_t most = std::min(objects.bin_limit(), 256u);
  for (const uint32_t limit : {most, (most + 1) / 2}) {
    if (!objects.SetLimits(limit, 0, objects.label_limit()).ok())
      c.NotApplicable("DRIVER_CAP_SET does not succeed");
    for (uint32_t id = 0; id < limit; ++id) {
      objects.Create(xp::kTypeBin, id, Bin(id, id));
      admin.ExpectOk(kAsMany, fmt::format("{} objects can be created, as the limit says", limit));
      if (admin.last().ok()) continue;
      admin.ExpectStatus(admin::kEnospc, kNoSpace, "an object that cannot be created gives ENOSPC");
    }
    for (uint32_t id = 0; id < limit; ++id) objects.Destroy(xp::kTypeBin, id);
  }
}

void AnyUnusedId(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  const uint32_t limit = objects.bin_limit();
  for (const uint32_t id : {limit - 1, limit / 2, 0u}) {
    if (id == limit / 2 && limit < 3) continue;
    objects.Create(xp::kTypeBin, id, Bin(id, 1));
    admin.ExpectOk(kAnyId, fmt::format("an object with the unused id {} is created", id));
  }
}

void CreatedAnew(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  for (uint64_t round = 1; round < 5; ++round) {
    objects.Create(xp::kTypeBin, 1, Bin(round, 1));
    if (round == 1 && !admin.last().ok()) c.NotApplicable("no object can be created");
    admin.ExpectOk(kAnew, "an object can be created again after it was destroyed");
    if (!admin.last().ok()) return;
    objects.ExpectData(xp::kTypeBin, 1, Bin(round, 1), kQuery,
                       "QUERY gives the data of the latest creation");
    if (!objects.Destroy(xp::kTypeBin, 1).ok()) c.NotApplicable("DESTROY does not succeed");
  }
}

void DependedOn(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  objects.MustCreate(xp::kTypeBin, 0, Bin(1, 1));
  objects.MustCreate(xp::kTypeLabel, 0, ObjectDriver::Label(0, 5));
  c.BeginHostile();
  objects.Modify(xp::kTypeBin, 0, Bin(2, 2));
  admin.ExpectStatus(admin::kEbusy, kDependedOn,
                     "MODIFY of an object that another depends on gives EBUSY");
  objects.Destroy(xp::kTypeBin, 0);
  admin.ExpectStatus(admin::kEbusy, kDependedOn,
                     "DESTROY of an object that another depends on gives EBUSY");
  if (admin.last().ok()) return;
  objects.ExpectData(xp::kTypeLabel, 0, ObjectDriver::Label(0, 5), kFailureKeeps,
                     "the depending object is as before that failure");
  // In the reverse order of creation both can go.
  objects.Destroy(xp::kTypeLabel, 0);
  objects.Destroy(xp::kTypeBin, 0);
  c.Do(op::Read{admin.last().address, 2});
  c.Advise(Accept::Equal(admin::kOk), kDependedOn,
           "an object that no other depends on any more can be destroyed");
}

void FailedModify(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  objects.MustCreate(xp::kTypeBin, 0, Bin(1, 1));
  c.BeginHostile();
  bool failed = false;
  auto expect_unchanged = [&](const char* why) {
    if (admin.last().ok()) return;
    failed = true;
    objects.ExpectData(xp::kTypeBin, 0, Bin(1, 1), kModifyFails,
                       fmt::format("an object is as before after a MODIFY that failed, {}", why));
  };
  objects.Modify(xp::kTypeBin, 0, Bin(2, xp::kMostWeight + 1));
  expect_unchanged("for what it should hold");
  if (failed) {
    objects.MustCreate(xp::kTypeLabel, 0, ObjectDriver::Label(0, 5));
    objects.Modify(xp::kTypeBin, 0, Bin(3, 3));
    expect_unchanged("as another depends on it");
  }
  if (!failed) c.NotApplicable("no MODIFY fails");
}

void ResetDestroys(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  objects.MustCreate(xp::kTypeBin, 1, Bin(1, 1));
  objects.MustCreate(xp::kTypeBin, 2, Bin(1, 1));
  objects.Begin();
  for (const uint32_t id : {1u, 2u}) {
    objects.Query(xp::kTypeBin, id);
    admin.ExpectFailure(kReset, fmt::format("object {} is not there after a reset", id));
    objects.Create(xp::kTypeBin, id, Bin(2, 2));
    admin.ExpectOk(kReset, "an object can be created after a reset with the id of one before it");
  }
}

}  // namespace

void AddAdminObjectChecks(std::vector<Check>& list) {
  AddAdminCapabilityChecks(list);
  const Needs needs = AdminNeeds();
  const std::string section = "2.12.1.3.5";
  list.push_back({.id = "admin.object.query",
                  .title = "QUERY gives the data of the latest CREATE or MODIFY",
                  .section = section,
                  .requirements = {kQuery},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-query-stale"},
                  .run = QueryGivesTheLatestData});
  list.push_back({.id = "admin.object.created-twice",
                  .title = "An id that is in use is not given to another object of the type",
                  .section = section,
                  .requirements = {kTwice, kFailureKeeps},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-create-twice-ok", "admin-failure-changes"},
                  .run = CreateTwice});
  list.push_back({.id = "admin.object.missing",
                  .title = "Commands on objects that do not exist are answered ENXIO",
                  .section = section,
                  .requirements = {kMissing, kFails},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-missing-object-einval", "admin-missing-object-ok"},
                  .run = MissingObjects});
  list.push_back({.id = "admin.object.limit",
                  .title = "As many objects can be created as the driver's limit says",
                  .section = section,
                  .requirements = {kAsMany, kNoSpace},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-half-limit", "admin-no-space-einval"},
                  .run = AsManyAsTheLimit});
  list.push_back({.id = "admin.object.any-id",
                  .title = "An object can be created with any unused id",
                  .section = section,
                  .requirements = {kAnyId},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-ids-in-order-only"},
                  .run = AnyUnusedId});
  list.push_back({.id = "admin.object.anew",
                  .title = "A destroyed object can be created again without a reset",
                  .section = section,
                  .requirements = {kAnew, kQuery},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-destroyed-id-blocked"},
                  .run = CreatedAnew});
  list.push_back({.id = "admin.object.depended-on",
                  .title = "An object that another depends on is not changed or destroyed",
                  .section = section,
                  .requirements = {kDependedOn, kFailureKeeps},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-destroy-in-use-ok", "admin-modify-in-use-ok"},
                  .run = DependedOn});
  list.push_back({.id = "admin.object.failed-modify",
                  .title = "A MODIFY that fails leaves the object as it was",
                  .section = section,
                  .requirements = {kModifyFails},
                  .tags = {"admin", "hostile"},
                  .needs = needs,
                  .faults = {"admin-failed-modify-changes"},
                  .run = FailedModify});
  list.push_back({.id = "admin.object.reset",
                  .title = "A reset destroys all objects",
                  .section = section,
                  .requirements = {kReset},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-objects-survive-reset"},
                  .run = ResetDestroys});
}

}  // namespace vitro
