// SPDX-License-Identifier: Apache-2.0
// Expressions that tell which index a virtqueue has and how many there are (chapter 5's
// "Virtqueues"): integers, names, + - * and parentheses. "2 * n + 1"
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "harness/base/bytes.h"
#include "suite/profile/profile.h"

namespace vitro {

// What a name stands for; nullopt if there is no such name.
using ValueOfName = std::function<std::optional<int64_t>(std::string_view name)>;
// Errors are kUsage: what was found and what was expected.
Result<int64_t> Evaluate(std::string_view expression, const ValueOfName& value_of);

// The indices of all queues of this kind that a device has with these feature bits and this
// configuration space. In the expressions a config field that is not there counts as 0.
Result<std::vector<uint32_t>> QueueIndices(const Profile& profile, const ProfileQueue& queue,
                                           FeatureSet features, ByteView config);

}  // namespace vitro
