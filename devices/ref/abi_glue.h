// SPDX-License-Identifier: Apache-2.0
// From the C ABI of devices/abi/vitro_device.h to DeviceCore: one table of operations per factory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

#include "devices/abi/vitro_device.h"
#include "devices/ref/device_core.h"
#include "devices/ref/options.h"

namespace vitro::ref {

// Makes a device of the options it asks for; complaints go into `options`, and the device made in
// that case is thrown away.
using Factory = std::unique_ptr<DeviceCore> (*)(const vitro_host* host, Options& options);

namespace glue {

inline DeviceCore& Core(vitro_device* device) { return *reinterpret_cast<DeviceCore*>(device); }

template <Factory kFactory>
int Create(const vitro_host* host, const char* options_text, vitro_device** device) {
  if (host == nullptr || host->size < sizeof(vitro_host) || host->abi_version != VITRO_ABI_VERSION)
    return -1;
  Options options(options_text == nullptr ? "" : options_text);
  std::unique_ptr<DeviceCore> core = kFactory(host, options);
  if (const std::string problem = options.Problem(); !problem.empty()) {
    host->log(host->context, problem.c_str());
    return -1;
  }
  *device = reinterpret_cast<vitro_device*>(core.release());
  return 0;
}

inline void GetIdentity(vitro_device* device, vitro_identity* identity) {
  vitro_identity full{};
  Core(device).Identity(full);
  full.size = identity->size;
  std::memcpy(identity, &full, std::min<size_t>(identity->size, sizeof full));
}

// Reads the members that the caller's struct has.
inline int SetupQueue(vitro_device* device, uint32_t queue, const vitro_queue* setup) {
  if (setup == nullptr || setup->size < sizeof(vitro_queue)) return -1;
  return Core(device).QueueSetup(queue, *setup) ? 0 : -1;
}

inline void OfferedFeatures(vitro_device* device, uint64_t words[2]) {
  const FeatureSet offered = Core(device).OfferedFeatures();
  words[0] = offered.word(0);
  words[1] = offered.word(1);
}

}  // namespace glue

template <Factory kFactory>
constexpr vitro_device_ops MakeOps(const char* name) {
  using glue::Core;
  vitro_device_ops ops{};
  ops.size = sizeof ops;
  ops.abi_version = VITRO_ABI_VERSION;
  ops.name = name;
  ops.create = glue::Create<kFactory>;
  ops.destroy = [](vitro_device* d) { delete &Core(d); };
  ops.identity = glue::GetIdentity;
  ops.offered_features = glue::OfferedFeatures;
  ops.accept_features = [](vitro_device* d, const uint64_t words[2]) {
    Core(d).AcceptFeatures(FeatureSet::FromWords(words[0], words[1]));
  };
  ops.get_status = [](vitro_device* d) { return Core(d).GetStatus(); };
  ops.set_status = [](vitro_device* d, uint8_t status) { Core(d).SetStatus(status); };
  ops.reset = [](vitro_device* d) { Core(d).Reset(); };
  ops.config_read = [](vitro_device* d, uint32_t offset, void* value, uint32_t width) {
    return Core(d).ConfigRead(offset, value, width) ? 0 : -1;
  };
  ops.config_write = [](vitro_device* d, uint32_t offset, const void* value, uint32_t width) {
    return Core(d).ConfigWrite(offset, value, width) ? 0 : -1;
  };
  ops.config_generation = [](vitro_device* d) { return Core(d).ConfigGeneration(); };
  ops.queue_max_size = [](vitro_device* d, uint32_t queue) { return Core(d).QueueMaxSize(queue); };
  ops.queue_setup = glue::SetupQueue;
  ops.queue_reset = [](vitro_device* d, uint32_t queue) {
    return Core(d).QueueReset(queue) ? 0 : -1;
  };
  ops.notify = [](vitro_device* d, uint32_t queue) { Core(d).Notify(queue); };
  ops.run = [](vitro_device* d) { return Core(d).Run() ? 1 : 0; };
  ops.stimulate_config_change = [](vitro_device* d) {
    return Core(d).StimulateConfigChange() ? 0 : -1;
  };
  return ops;
}

}  // namespace vitro::ref
