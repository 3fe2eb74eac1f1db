// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/admin/objects.h"

#include "harness/virtio/experimental.h"

namespace vitro::ref {

namespace xp = vitro::experimental;

std::array<AdminObjects::Kind, 2> AdminObjects::MakeKinds() {
  std::array<Kind, 2> kinds;
  kinds[0].device_limit = xp::kBinLimit;
  kinds[0].device_flags = xp::kBinFlags;
  kinds[1].device_limit = xp::kLabelLimit;
  return kinds;
}

void AdminObjects::Reset() {
  for (Kind& kind : kinds_) {
    if (!fault_("admin-caps-survive-reset")) kind.limit.reset();
    if (!fault_("admin-objects-survive-reset")) kind.objects.clear();
    kind.late.clear();
    kind.destroyed.clear();
  }
}

void AdminObjects::CommandEnded() {
  for (Kind& kind : kinds_) {
    // Those of the command before: of this one there is nothing in `late` that is visible yet.
    for (auto it = kind.late.begin(); it != kind.late.end();) {
      if (it->second.first.empty()) {
        it->second.first = it->second.data;  // made by the command that ends now
        ++it;
      } else {
        kind.objects[it->first] = it->second;
        it = kind.late.erase(it);
      }
    }
  }
}

const AdminObjects::Kind* AdminObjects::KindOfCap(uint16_t id) const {
  if (id != xp::kCapBins && id != xp::kCapLabels) return nullptr;
  return &kinds_[id - xp::kCapBins];
}
AdminObjects::Kind* AdminObjects::KindOfCap(uint16_t id) {
  return const_cast<Kind*>(std::as_const(*this).KindOfCap(id));
}
const AdminObjects::Kind* AdminObjects::KindOfType(uint16_t type) const {
  if (type != xp::kTypeBin && type != xp::kTypeLabel) return nullptr;
  return &kinds_[type - xp::kTypeBin];
}
AdminObjects::Kind* AdminObjects::KindOfType(uint16_t type) {
  return const_cast<Kind*>(std::as_const(*this).KindOfType(type));
}

uint32_t AdminObjects::LimitOf(const Kind& kind) const {
  return kind.limit.value_or(fault_("admin-cap-default-full") ? kind.device_limit : 0);
}

// Capabilities
// ------------------------------------------------------------------------------------

AdminAnswer AdminObjects::CapIdListQuery() const {
  Bytes bitmap(admin::kUnit * (xp::kCapLabels / 64 + 1));
  for (const uint16_t id : {xp::kCapBins, xp::kCapLabels})
    bitmap[id / 8] |= static_cast<uint8_t>(1u << id % 8);
  if (fault_("admin-cap-listed-missing")) bitmap[xp::kCapBins / 8] |= 0x80;
  return AdminAnswer::Of(std::move(bitmap));
}

AdminAnswer AdminObjects::DeviceCapGet(const AdminCommand& command) const {
  uint16_t id = command.Get<uint16_t>(0);
  if (fault_("admin-long-readable-used") && command.data.size() > admin::kCapData)
    id = command.Get<uint16_t>(command.data.size() - admin::kUnit);
  const Kind* kind = KindOfCap(id);
  if (kind == nullptr)
    return AdminAnswer::Error(fault_("admin-cap-unknown-einval") ? admin::kEinval : admin::kEnxio);
  return AdminAnswer::Of(LeBytes(kind->device_limit | uint64_t{kind->device_flags} << 32, 8));
}

AdminAnswer AdminObjects::DriverCapSet(const AdminCommand& command) {
  Kind* kind = KindOfCap(command.Get<uint16_t>(0));
  if (kind == nullptr)
    return AdminAnswer::Error(fault_("admin-cap-unknown-einval") ? admin::kEinval : admin::kEnxio);
  const auto limit = command.Get<uint32_t>(admin::kCapData);
  const auto flags = command.Get<uint32_t>(admin::kCapData + 4);
  const bool good = limit <= kind->device_limit && (flags & ~kind->device_flags) == 0 &&
                    !(fault_("admin-cap-limit-exact") && limit != kind->device_limit) &&
                    !(fault_("admin-cap-flags-exact") && flags != 0 && flags != kind->device_flags);
  if (!good) return AdminAnswer::Invalid(admin::kQInvalidField);
  if (!fault_("admin-cap-disable-live") && !kind->objects.empty() &&
      kind->objects.rbegin()->first >= limit)
    return AdminAnswer::Error(admin::kEbusy);
  kind->limit = limit;
  return {};
}

// Resource objects
// --------------------------------------------------------------------------------

bool AdminObjects::DependedOn(uint16_t type, uint32_t id) const {
  if (type != xp::kTypeBin) return false;
  return std::any_of(kinds_[1].objects.begin(), kinds_[1].objects.end(), [&](const auto& each) {
    return LoadLe<uint32_t>(each.second.data.data()) == id;
  });
}

bool AdminObjects::GoodData(uint16_t type, const Bytes& data) const {
  if (type == xp::kTypeBin) return LoadLe<uint64_t>(&data[8]) <= xp::kMostWeight;
  return kinds_[0].objects.contains(LoadLe<uint32_t>(data.data()));
}

AdminAnswer AdminObjects::Missing() const {
  return AdminAnswer::Error(fault_("admin-missing-object-einval") ? admin::kEinval : admin::kEnxio);
}

AdminAnswer AdminObjects::MayCreate(const Kind& kind, uint16_t type, uint32_t id,
                                    const Bytes& data) const {
  if (id >= LimitOf(kind) || !GoodData(type, data))
    return AdminAnswer::Invalid(admin::kQInvalidField);
  if (kind.objects.contains(id) && !fault_("admin-create-twice-ok"))
    return AdminAnswer::Error(admin::kEexist);
  if (fault_("admin-destroyed-id-blocked") && kind.destroyed.contains(id))
    return AdminAnswer::Error(admin::kEnospc, admin::kQNoResource);
  if (fault_("admin-ids-in-order-only") && id != kind.objects.size())
    return AdminAnswer::Error(admin::kEnospc, admin::kQNoResource);
  const bool half = kind.objects.size() >= LimitOf(kind) / 2;
  if (fault_("admin-half-limit") && half)
    return AdminAnswer::Error(admin::kEnospc, admin::kQNoResource);
  if (fault_("admin-no-space-einval") && half) return AdminAnswer::Invalid(admin::kQInvalidCommand);
  return {};
}

AdminAnswer AdminObjects::Create(const AdminCommand& command) {
  const auto type = command.Get<uint16_t>(admin::kObjType);
  const auto id = command.Get<uint32_t>(admin::kObjId);
  Kind* kind = KindOfType(type);
  if (kind == nullptr) return AdminAnswer::Error(admin::kEnxio);
  if (command.Get<uint64_t>(admin::kObjFlags) != 0)
    return AdminAnswer::Invalid(admin::kQInvalidField);
  const Bytes data = command.GetBytes(admin::kObjData, xp::kObjectSize);
  const AdminAnswer verdict = MayCreate(*kind, type, id, data);
  if (verdict.status == admin::kOk && fault_("admin-create-late")) {
    kind->late[id] = {data, {}};
    return verdict;
  }
  if (verdict.status == admin::kOk) kind->objects[id] = {data, data};
  if (verdict.status == admin::kEexist && fault_("admin-failure-changes"))
    kind->objects[id] = {data, data};
  return verdict;
}

AdminAnswer AdminObjects::Modify(const AdminCommand& command) {
  const auto type = command.Get<uint16_t>(admin::kObjType);
  const auto id = command.Get<uint32_t>(admin::kObjId);
  Kind* kind = KindOfType(type);
  if (kind == nullptr || !kind->objects.contains(id)) return Missing();
  Object& object = kind->objects[id];
  const Bytes data = command.GetBytes(admin::kObjData, xp::kObjectSize);
  const bool busy = DependedOn(type, id) && !fault_("admin-modify-in-use-ok");
  const bool good = command.Get<uint64_t>(admin::kObjFlags) == 0 && GoodData(type, data);
  if ((!busy && good) || fault_("admin-failed-modify-changes")) object.data = data;
  if (busy) return AdminAnswer::Error(admin::kEbusy);
  return good ? AdminAnswer() : AdminAnswer::Invalid(admin::kQInvalidField);
}

AdminAnswer AdminObjects::Query(const AdminCommand& command) const {
  const Kind* kind = KindOfType(command.Get<uint16_t>(admin::kObjType));
  if (kind == nullptr) return Missing();
  const auto it = kind->objects.find(command.Get<uint32_t>(admin::kObjId));
  if (it == kind->objects.end()) return Missing();
  return AdminAnswer::Of(fault_("admin-query-stale") ? it->second.first : it->second.data);
}

AdminAnswer AdminObjects::Destroy(const AdminCommand& command) {
  const auto type = command.Get<uint16_t>(admin::kObjType);
  const auto id = command.Get<uint32_t>(admin::kObjId);
  Kind* kind = KindOfType(type);
  if (kind == nullptr || !kind->objects.contains(id))
    return fault_("admin-missing-object-ok") ? AdminAnswer() : Missing();
  if (DependedOn(type, id) && !fault_("admin-destroy-in-use-ok"))
    return AdminAnswer::Error(admin::kEbusy);
  kind->objects.erase(id);
  kind->destroyed[id] = true;
  return {};
}

}  // namespace vitro::ref
