// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/check.h"

#include <algorithm>

#include "harness/virtio/device_id.h"
#include "suite/checks/chapters.h"
#include "suite/checks/variants.h"
#include "suite/profile/profile.h"

namespace vitro {

bool Check::HasTag(std::string_view tag) const {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

std::string Check::level() const {
  for (const Ability ability : needs.abilities) {
    if (ability == Ability::kPciFunction) return "pci";
    if (ability == Ability::kMmioWindow) return "mmio";
  }
  return "core";
}

const std::vector<Check>& AllChecks() {
  static const std::vector<Check> checks = [] {
    std::vector<Check> list;
    AddStatusChecks(list);
    AddFeatureChecks(list);
    AddResetChecks(list);
    AddConfigChecks(list);
    AddQueueChecks(list);
    AddFramingChecks(list);
    AddDescriptorChecks(list);
    AddIndirectChecks(list);
    AddUsedRingChecks(list);
    AddSuppressionChecks(list);
    AddPackedChecks(list);
    AddHostileChecks(list);
    AddSuspendChecks(list);
    AddAdminListChecks(list);
    AddAdminCommandChecks(list);
    AddAdminObjectChecks(list);
    AddAdminQueueChecks(list);
    AddSriovChecks(list);
    AddPciDiscoveryChecks(list);
    AddPciCapabilityChecks(list);
    AddPciCommonChecks(list);
    AddPciResetChecks(list);
    AddPciNotifyChecks(list);
    AddPciWindowChecks(list);
    AddPciLegacyChecks(list);
    AddPciInterruptChecks(list);
    AddPciMsixChecks(list);
    AddPciHostileChecks(list);
    AddMmioChecks(list);
    AddBlkChecks(list);
    AddBlkZonedChecks(list);
    AddProfileChecks(list);
    AddEntropyChecks(list);
    return list;
  }();
  return checks;
}

const Check* FindCheck(std::string_view id) {
  for (const auto* list : {&AllChecks(), &Variants()})
    for (const Check& check : *list)
      if (check.id == id) return &check;
  return nullptr;
}

std::optional<Inapplicable> WhyInapplicable(const Check& check, const DeviceFacts& facts,
                                            const Abilities& abilities) {
  const Needs& needs = check.needs;
  if (needs.device_id != 0 && facts.device_id != needs.device_id) {
    if (facts.device_id == device_id::kUnknown)
      return Inapplicable{false,
                          fmt::format("the attachment does not tell the device type; name it "
                                      "with type={} in the attach string",
                                      DeviceTypeToName(needs.device_id))};
    return Inapplicable{true,
                        fmt::format("not of device type {}", DeviceTypeToName(needs.device_id))};
  }
  for (Ability ability : needs.abilities)
    if (!abilities.Has(ability))
      return Inapplicable{false, fmt::format("{}: {}", Name(ability), abilities.WhyNot(ability))};
  for (unsigned bit : needs.offered)
    if (!facts.offered.Has(bit))
      return Inapplicable{true, fmt::format("feature bit {} is not offered", bit)};
  for (unsigned bit : needs.absent)
    if (facts.offered.Has(bit))
      return Inapplicable{true, fmt::format("feature bit {} is offered", bit)};
  if (facts.config_size < needs.config_bytes)
    return Inapplicable{true, facts.config_size == 0
                                  ? "the device has no config space"
                                  : fmt::format("the config space has {} bytes, {} are needed",
                                                facts.config_size, needs.config_bytes)};
  if (needs.writable_field > 0) {
    if (facts.profile == nullptr)
      return Inapplicable{false, "no profile tells the config fields of this device type"};
    const auto& fields = facts.profile->fields;
    if (std::none_of(fields.begin(), fields.end(), [&](const ProfileField& field) {
          return field.access == FieldAccess::kReadWrite && field.width >= needs.writable_field;
        }))
      return Inapplicable{true, fmt::format("the device type has no writable config field of {} "
                                            "bytes or more",
                                            needs.writable_field)};
  }
  if (needs.requests || needs.queues > 0) {
    const auto grammar = MakeGrammar(facts);
    if (!grammar)
      return Inapplicable{false,
                          "no request is known that this device uses: its type has no "
                          "grammar, and it used none of the buffers that were tried"};
    uint32_t serving = 0;
    for (uint32_t queue = 0; queue < std::min(facts.queue_count, 64u); ++queue)
      serving += grammar->RequestOn(queue, 0).has_value();
    if (serving < needs.queues)
      return Inapplicable{
          true, fmt::format("{} request queues are there, {} are needed", serving, needs.queues)};
  }
  return std::nullopt;
}

}  // namespace vitro
