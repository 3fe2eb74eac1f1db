// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/admin/self_group.h"

namespace vitro::ref {

AdminGroup::List SelfGroup::Commands() const {
  List list = Bit(admin::kCapIdListQuery) | Bit(admin::kDeviceCapGet) | Bit(admin::kDriverCapSet) |
              Bit(admin::kResourceObjCreate) | Bit(admin::kResourceObjQuery) |
              Bit(admin::kResourceObjModify) | Bit(admin::kResourceObjDestroy);
  if (fault_("admin-cap-commands-some")) list &= ~Bit(admin::kDriverCapSet);
  if (fault_("admin-legacy-some"))
    list |= Bit(admin::kLegacyCommonCfgWrite) | Bit(admin::kLegacyCommonCfgRead);
  if (fault_("admin-legacy-notify-alone")) list |= Bit(admin::kLegacyNotifyInfo);
  if (fault_("admin-parts-some"))
    list |= Bit(admin::kDevPartsMetadataGet) | Bit(admin::kDevPartsGet);
  return list;
}

AdminAnswer SelfGroup::CarryOut(const AdminCommand& command) {
  const uint16_t query = numbers_of_text_ ? admin::kResourceObjModify : admin::kResourceObjQuery;
  switch (command.opcode) {
    case admin::kCapIdListQuery:
      return objects_.CapIdListQuery();
    case admin::kDeviceCapGet:
      return objects_.DeviceCapGet(command);
    case admin::kDriverCapSet:
      return objects_.DriverCapSet(command);
    case admin::kResourceObjCreate:
      return objects_.Create(command);
    case admin::kResourceObjQuery:
    case admin::kResourceObjModify:
      return command.opcode == query ? objects_.Query(command) : objects_.Modify(command);
    case admin::kResourceObjDestroy:
      return objects_.Destroy(command);
    default:  // in the list by a fault only
      return AdminAnswer::Invalid(admin::kQInvalidCommand);
  }
}

}  // namespace vitro::ref
