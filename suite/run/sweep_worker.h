// SPDX-License-Identifier: Apache-2.0
// The child's side of a sweep: a device, and one set after the other.
#pragma once

#include <string>

#include "suite/run/sweep_progress.h"

namespace vitro {

// From progress.next() to the end of the walk, or to where the device has to be had anew. Returns
// "" then, or why there is no device.
std::string WorkThroughSets(const SetWalk& walk, Attachment& attachment, const DeviceFacts& facts,
                            const SweepOptions& options, SweepProgress& progress);

}  // namespace vitro
