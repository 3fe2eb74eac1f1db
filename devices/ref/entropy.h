// SPDX-License-Identifier: Apache-2.0
// The reference entropy device (5.4): fills device-writable buffers with pseudorandom bytes, always
// completely. Device-readable buffers are ignored. Option seed=N (default 1): same seed, same
// bytes.
#pragma once

#include <memory>

#include "devices/ref/device_core.h"

namespace vitro::ref {

std::unique_ptr<DeviceCore> CreateEntropy(const vitro_host* host, Options& options);

}  // namespace vitro::ref
