// SPDX-License-Identifier: Apache-2.0
// The checks on virtqueues once more, on packed rings (2.8), and under each interrupt plan that
// changes how a device tells of used buffers: one vector for everything, no vector at all, INTx. A
// device must not tie what it does with buffers to the format of its rings or to how it is asked to
// notify.
#pragma once

#include <vector>

#include "suite/checks/check.h"

namespace vitro {

// "used.length.is-true@packed", "used.length.is-true@intx": the check "used.length.is-true" under
// that circumstance. What is said of split rings alone has no variant on packed ones, and what both
// formats have a rule for is judged by the packed one's. That a variant can fail is proven by the
// original, and by the checks of chapter "packed".
const std::vector<Check>& Variants();
bool IsVariant(const Check& check);

}  // namespace vitro
