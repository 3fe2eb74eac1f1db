// SPDX-License-Identifier: Apache-2.0
// A grammar made of the requests of a profile: whoever describes a device type as data has it
// spoken to by all checks that need requests, without a line of C++. Only requests that the profile
// calls harmless are made. What a request does to the device is not part of a profile, so a type
// whose right answers depend on what was said before (a disk) has a grammar in C++ (grammar.cc).
#pragma once

#include <memory>
#include <optional>

#include "suite/profile/grammar.h"
#include "suite/profile/profile.h"

namespace vitro {

// Shapes are those of a driver that negotiated `negotiated`; if that is left out, of one that
// negotiates no more feature bits than the requests need (Grammar::needed_features()). nullptr if
// the device has no queue for any harmless request of the profile. `profile` must outlive the
// grammar.
std::unique_ptr<Grammar> MakeProfileGrammar(const Profile& profile, const DeviceFacts& facts,
                                            std::optional<FeatureSet> negotiated = std::nullopt);

}  // namespace vitro
