// SPDX-License-Identifier: Apache-2.0
// The checks on virtqueues once more under each interrupt plan that changes how a device tells of
// used buffers: one vector for everything, no vector at all, INTx. A device must not tie what it
// does with buffers to how it is asked to notify.
#pragma once

#include <vector>

#include "suite/checks/check.h"

namespace vitro {

// "used.id.known@intx": the check "used.id.known" under the plan "intx". They judge the same
// requirements; that each can fail is proven by the original. For attachments with
// Ability::kInterruptPlans only.
const std::vector<Check>& InterruptVariants();
bool IsVariant(const Check& check);

}  // namespace vitro
