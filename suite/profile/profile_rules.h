// SPDX-License-Identifier: Apache-2.0
// What has to hold between the rows of a profile: nothing twice, nothing that is not there, fields
// that do not overlap, feature bits that can be accepted at all, requests that fit their queues.
#pragma once

#include "harness/base/result.h"
#include "suite/profile/profile.h"

namespace vitro {

// Errors are kUsage and begin with "FILE:LINE: ".
Result<> CheckProfile(const Profile& profile);

}  // namespace vitro
