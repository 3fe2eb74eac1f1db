// SPDX-License-Identifier: Apache-2.0
// What is known of the fields of a device's configuration space (2.5): by the profile of its type,
// cut to what this device has, or, where there is none, by trying which bytes can be written.
#pragma once

#include <optional>
#include <vector>

#include "suite/checks/context.h"
#include "suite/profile/profile.h"

namespace vitro {

// The fields that this device has with these features, arrays as one field for each element, by
// offset. Empty without a profile.
std::vector<ProfileField> FieldsWith(const Context& c, FeatureSet features);

// Bytes that keep fields apart, by the name that a profile gives them: "reserved", "unused0",
// "padding". No driver may write them, but nothing calls them read-only.
bool IsPadding(const ProfileField& field);

// The fields of a space of which nothing is known: each byte that took another value and gave it
// back is writable, in fields as wide as such bytes lie side by side; all others are read-only.
// Writes to every byte of the first 256, and leaves each as it was: only a hostile driver does
// this.
std::vector<ProfileField> DiscoverFields(Context& c);

// A value that may be written to the field, other than `current`: `wanted` if that is one. None if
// the field takes one value only.
std::optional<uint64_t> LegalValue(const ProfileField& field, uint64_t wanted, uint64_t current);
bool IsLegalValue(const ProfileField& field, uint64_t value);

}  // namespace vitro
