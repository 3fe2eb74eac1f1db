// SPDX-License-Identifier: Apache-2.0
// What the checks of virtqueue set-up and of virtqueue reset share.
#pragma once

#include <vector>

#include "suite/checks/check.h"
#include "suite/checks/context.h"

namespace vitro {

// Initialises up to where the request queue is to be set up: the queues below it are, it is not.
// Makes no preparations. Ends the check if the features are refused.
void BeginQueues(Context& c, FeatureSet with);

// Features that more queues than the first need.
FeatureSet QueueFeatures(const Context& c);
// The queues that serve requests when those are negotiated.
std::vector<uint32_t> UsableQueues(const Context& c);

void AddQueueResetChecks(std::vector<Check>& list);

}  // namespace vitro
