// SPDX-License-Identifier: Apache-2.0
// For tests: config messages of vhost-user whose header and payload disagree, or whose range is
// none.
#pragma once

#include "harness/virtio/vhost_user.h"

namespace vitro::vhost_user {

struct ConfigLie {
  Request request;
  ConfigHeader header;
  uint32_t carried;  // bytes of payload behind the header
};

inline constexpr uint32_t kHuge = 0xffffffff;
inline constexpr ConfigLie kConfigLies[] = {
    // Sizes of which nothing, half or too much is there.
    {Request::kSetConfig, {0, 8, kConfigWritable}, 0},
    {Request::kSetConfig, {0, 8, kConfigWritable}, 4},
    {Request::kSetConfig, {0, 4, kConfigWritable}, 8},
    {Request::kSetConfig, {0, 0, kConfigWritable}, 8},
    // Sizes of which there is no such config space, and ranges that end before they begin.
    {Request::kSetConfig, {0, kMaxConfigSize + 1, kConfigWritable}, kMaxConfigSize + 1},
    {Request::kSetConfig, {0, kMaxConfigSize + 1, kConfigWritable}, 4},
    {Request::kSetConfig, {0, kHuge, kConfigWritable}, 8},
    {Request::kSetConfig, {kHuge, 8, kConfigWritable}, 8},
    {Request::kSetConfig, {kHuge - 3, 8, kConfigWritable}, 8},
    {Request::kSetConfig, {8, kHuge - 7, kConfigWritable}, 8},
    {Request::kGetConfig, {0, 8, kConfigWritable}, 0},
    {Request::kGetConfig, {0, 0, kConfigWritable}, 8},
    {Request::kGetConfig, {0, kMaxConfigSize + 1, kConfigWritable}, kMaxConfigSize + 1},
    {Request::kGetConfig, {0, kHuge, kConfigWritable}, 8},
    {Request::kGetConfig, {kHuge - 3, 8, kConfigWritable}, 8},
    {Request::kGetConfig, {8, kHuge - 7, kConfigWritable}, 8},
};

}  // namespace vitro::vhost_user
