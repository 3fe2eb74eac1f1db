// SPDX-License-Identifier: Apache-2.0
// How the reference devices become attachable as ref:NAME without the harness depending on them: a
// program that links them says so once, at its start.
#pragma once

#include <functional>
#include <string>
#include <string_view>

struct vitro_device_ops;

namespace vitro {

struct ReferenceDevices {
  std::function<const vitro_device_ops*(std::string_view name)> find;
  std::string names;  // for messages: "blk, entropy, ..."
};
void SetReferenceDevices(ReferenceDevices reference);

}  // namespace vitro
