// SPDX-License-Identifier: Apache-2.0
// Whether a device can be of the type that a profile describes.
#pragma once

#include "harness/base/result.h"
#include "suite/profile/profile.h"

namespace vitro {

struct DeviceFacts;

// A device with another id, too short a configuration space or too few virtqueues contradicts the
// profile: kUsage, one sentence that begins with "FILE:LINE: ". Only what holds for every device of
// the type, whatever its feature bits, is looked at. `shows_config`: the attachment carries the
// configuration space.
Result<> CheckFits(const Profile& profile, const DeviceFacts& facts, bool shows_config);

}  // namespace vitro
