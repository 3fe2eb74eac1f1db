// SPDX-License-Identifier: Apache-2.0
// What the checks of notification suppression share, on split and on packed rings: buffers that are
// used together, and the notifications that follow or do not.
#pragma once

#include <string>

#include "suite/checks/context.h"

namespace vitro {

// Lets the device come to rest and forgets the notifications of a queue until then.
void Settle(Context& c, uint32_t queue);
// A notification of used buffers comes, or none does until the device is at rest.
void ExpectNotified(Context& c, uint32_t queue, const std::string& requirement,
                    const std::string& because);
void ExpectSilence(Context& c, uint32_t queue, const std::string& requirement,
                   const std::string& because);

// Requests that the request queue holds at once, at most 4; the check is not applicable if none.
uint32_t LargestBatch(Context& c);
// Has `count` requests used together, with one notification of the driver's.
void UseBatch(Context& c, uint32_t queue, uint32_t count);

}  // namespace vitro
