// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/interrupt_variants.h"

#include <algorithm>
#include <string_view>

#include "harness/transport/interrupt_plans.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

constexpr std::string_view kPlans[] = {interrupts::kOneVector, interrupts::kNoVector,
                                       interrupts::kIntx};
constexpr std::string_view kChapters[] = {"reset.",     "queue.",     "framing.", "descriptor.",
                                          "indirect.",  "available.", "used.",    "suppression.",
                                          "event-idx.", "notify."};

bool IsOfVirtqueues(const Check& check) {
  return std::ranges::any_of(
      kChapters, [&](std::string_view chapter) { return check.id.starts_with(chapter); });
}

// The plan has no way for them.
bool NeedsNotifications(const Check& check) {
  return std::ranges::any_of(check.needs.abilities, [](Ability ability) {
    return ability == Ability::kUsedNotification || ability == Ability::kConfigNotification;
  });
}

Check Variant(const Check& check, std::string_view plan) {
  Check variant = check;
  variant.id = fmt::format("{}@{}", check.id, plan);
  variant.title = fmt::format("{} (interrupt plan {})", check.title, plan);
  variant.faults.clear();
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

}  // namespace

const std::vector<Check>& InterruptVariants() {
  static const std::vector<Check> variants = [] {
    std::vector<Check> list;
    for (const std::string_view plan : kPlans)
      for (const Check& check : AllChecks())
        if (IsOfVirtqueues(check) && !(plan == interrupts::kNoVector && NeedsNotifications(check)))
          list.push_back(Variant(check, plan));
    return list;
  }();
  return variants;
}

bool IsVariant(const Check& check) { return check.id.find('@') != std::string::npos; }

}  // namespace vitro
