// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/pci_device.h"

#include <array>
#include <cstddef>
#include <mutex>
#include <utility>

#include "devices/pci/function.h"

namespace vitro::pcidev {
namespace {

// create() is not told which table it was called through, so there is one function for each.
constexpr size_t kTables = 32;
std::array<const vitro_device_ops*, kTables> cores{};

Function& Of(vitro_device* device) { return *reinterpret_cast<Function*>(device); }

int CreateAround(const vitro_device_ops* core, const vitro_host* host, const char* options,
                 vitro_device** device) {
  if (host == nullptr || host->size < sizeof(vitro_host) || host->abi_version != VITRO_ABI_VERSION)
    return -1;
  std::unique_ptr<Function> function = Function::Create(core, host, options);
  if (function == nullptr) return -1;
  *device = reinterpret_cast<vitro_device*>(function.release());
  return 0;
}

template <size_t kIndex>
int Create(const vitro_host* host, const char* options, vitro_device** device) {
  return CreateAround(cores[kIndex], host, options, device);
}

using CreateFn = int (*)(const vitro_host*, const char*, vitro_device**);
template <size_t... kIndices>
constexpr std::array<CreateFn, kTables> AllCreates(std::index_sequence<kIndices...>) {
  return {&Create<kIndices>...};
}
constexpr std::array<CreateFn, kTables> kCreates = AllCreates(std::make_index_sequence<kTables>());

constexpr vitro_pci_ops kPciOps = {
    sizeof(vitro_pci_ops),
    [](vitro_device* d, uint32_t offset, uint32_t width) {
      return Of(d).ConfigRead(offset, width);
    },
    [](vitro_device* d, uint32_t offset, uint32_t width, uint32_t value) {
      Of(d).ConfigWrite(offset, width, value);
    },
    [](vitro_device* d, uint32_t bar, uint64_t offset, uint32_t width, uint64_t* value) {
      return Of(d).BarRead(bar, offset, width, *value) ? 0 : -1;
    },
    [](vitro_device* d, uint32_t bar, uint64_t offset, uint32_t width, uint64_t value) {
      return Of(d).BarWrite(bar, offset, width, value) ? 0 : -1;
    }};

bool HasCore(const vitro_device_ops* ops) {
  return ops != nullptr && ops->create && ops->destroy && ops->identity && ops->offered_features &&
         ops->accept_features && ops->get_status && ops->set_status && ops->reset &&
         ops->config_read && ops->config_write && ops->queue_max_size && ops->queue_setup &&
         ops->notify && ops->run;
}

bool HasStimulus(const vitro_device_ops* ops) {
  return ops->size > offsetof(vitro_device_ops, stimulate_config_change) &&
         ops->stimulate_config_change != nullptr;
}

vitro_device_ops TableFor(size_t index) {
  vitro_device_ops ops{};
  ops.size = sizeof ops;
  ops.abi_version = VITRO_ABI_VERSION;
  ops.name = cores[index]->name;
  ops.create = kCreates[index];
  ops.destroy = [](vitro_device* d) { delete &Of(d); };
  ops.identity = [](vitro_device* d, vitro_identity* identity) { Of(d).Identity(identity); };
  ops.run = [](vitro_device* d) { return Of(d).Run() ? 1 : 0; };
  if (HasStimulus(cores[index]))
    ops.stimulate_config_change = [](vitro_device* d) {
      return Of(d).StimulateConfigChange() ? 0 : -1;
    };
  ops.pci = &kPciOps;
  return ops;
}

}  // namespace

const vitro_device_ops* AsPciFunction(const vitro_device_ops* core) {
  static std::mutex mutex;
  static std::array<vitro_device_ops, kTables> tables;
  if (!HasCore(core)) return nullptr;
  std::lock_guard lock(mutex);
  for (size_t i = 0; i < kTables; ++i) {
    if (cores[i] == core) return &tables[i];
    if (cores[i] != nullptr) continue;
    cores[i] = core;
    tables[i] = TableFor(i);
    return &tables[i];
  }
  return nullptr;
}

}  // namespace vitro::pcidev
