// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/variants.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "harness/oracle/packed_rules.h"
#include "harness/transport/interrupt_plans.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

constexpr std::string_view kPlans[] = {interrupts::kOneVector, interrupts::kNoVector,
                                       interrupts::kIntx};
constexpr std::string_view kChapters[] = {"reset.",     "queue.",     "framing.", "descriptor.",
                                          "indirect.",  "available.", "used.",    "suppression.",
                                          "event-idx.", "notify."};
// About what packed rings do not have: two rings with indices, a table in which chains are linked
// in any order. What takes their place has its checks in packed_checks.cc and
// packed_event_checks.cc.
constexpr std::string_view kSplitOnly[] = {
    "queue.size.maximum",
    "queue.rings.driver-area-kept",
    "descriptor.table.unchanged",
    "indirect.entries.any-order",
    "indirect.table.after-direct",
    "available.indices.wrap-at-65536",
    "used.buffers.each-once",
    "used.id.is-the-head",
    "used.index.kept-by-device",
    "used.order.in-order",
    "reset.features.event-idx-learned",
    "reset.features.event-idx-forgotten",
    "suppression.used-event.ignored",
    "event-idx.",
};

bool BeginsWithOneOf(const Check& check, const auto& prefixes) {
  return std::ranges::any_of(prefixes,
                             [&](std::string_view prefix) { return check.id.starts_with(prefix); });
}

// The plan has no way for them.
bool NeedsNotifications(const Check& check) {
  return std::ranges::any_of(check.needs.abilities, [](Ability ability) {
    return ability == Ability::kUsedNotification || ability == Ability::kConfigNotification;
  });
}

Check VariantOf(const Check& check, std::string_view name, std::string_view circumstance) {
  Check variant = check;
  variant.id = fmt::format("{}@{}", check.id, name);
  variant.title = fmt::format("{} ({})", check.title, circumstance);
  variant.faults.clear();
  return variant;
}

Check UnderPlan(const Check& check, std::string_view plan) {
  Check variant = VariantOf(check, plan, fmt::format("interrupt plan {}", plan));
  variant.tags.push_back("interrupt-plan");
  variant.needs.abilities.push_back(Ability::kInterruptPlans);
  variant.run = [run = check.run, plan = std::string(plan)](Context& c) {
    if (c.Do(op::Interrupts{plan}).refused)
      c.NotApplicable(plan == interrupts::kIntx ? "the function has no interrupt pin"
                                                : "the function has no MSI-X capability");
    run(c);
  };
  return variant;
}

Check OnPackedRings(const Check& check) {
  Check variant = VariantOf(check, "packed", "packed virtqueues");
  variant.tags.push_back("packed");
  variant.needs.offered.push_back(feature::kRingPacked);
  std::set<std::string> seen;
  std::erase_if(variant.requirements, [&](std::string& requirement) {
    requirement = InPackedRings(requirement);
    return !seen.insert(requirement).second;
  });
  variant.run = [run = check.run](Context& c) {
    c.UsePackedRings();
    run(c);
  };
  return variant;
}

}  // namespace

const std::vector<Check>& Variants() {
  static const std::vector<Check> variants = [] {
    std::vector<Check> list;
    for (const Check& check : AllChecks())
      if (BeginsWithOneOf(check, kChapters) && !BeginsWithOneOf(check, kSplitOnly))
        list.push_back(OnPackedRings(check));
    for (const std::string_view plan : kPlans)
      for (const Check& check : AllChecks())
        if (BeginsWithOneOf(check, kChapters) &&
            !(plan == interrupts::kNoVector && NeedsNotifications(check)))
          list.push_back(UnderPlan(check, plan));
    return list;
  }();
  return variants;
}

bool IsVariant(const Check& check) { return check.id.find('@') != std::string::npos; }

}  // namespace vitro
