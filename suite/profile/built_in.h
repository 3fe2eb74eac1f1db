// SPDX-License-Identifier: Apache-2.0
// The profiles that come with Vitro: those of the device types of chapter 5, and that of its own
// experimental type. Their TOML (suite/profile/data) is part of the program; each is parsed when it
// is first asked for.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "harness/base/result.h"
#include "suite/profile/profile.h"

namespace vitro {

struct DeviceFacts;

// In alphabetical order: "balloon", "blk", ...
std::vector<std::string_view> BuiltInProfileNames();
// The TOML; "" if there is no such profile.
std::string_view BuiltInProfileText(std::string_view name);
// nullptr if there is none. They live as long as the program. Not to be called by several threads.
const Profile* BuiltInProfile(std::string_view name);
// Of a type of chapter 5: experiments have one id for all of them.
const Profile* BuiltInProfile(uint32_t device_id);
// That of this device: Vitro's experimental type is known by name.
const Profile* BuiltInProfile(const DeviceFacts& facts);

// As people name profiles: a built-in one's name, or the path of a file.
Result<Profile> OpenProfile(const std::string& name_or_path);

}  // namespace vitro
