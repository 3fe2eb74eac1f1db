// SPDX-License-Identifier: Apache-2.0
#include "devices/mmio/mmio_device.h"

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "devices/mmio/mmio_registers.h"
#include "devices/ref/faults.h"

namespace vitro::ref {
namespace {

MmioRegisters& Window(vitro_device* device) { return *reinterpret_cast<MmioRegisters*>(device); }

// Takes out what is the window's own; the rest is for the device inside.
MmioRegisters::Settings TakeSettings(std::string_view options, std::string& rest) {
  MmioRegisters::Settings settings;
  while (!options.empty()) {
    const size_t comma = options.find(',');
    const std::string_view entry = options.substr(0, comma);
    options.remove_prefix(comma == options.npos ? options.size() : comma + 1);
    constexpr std::string_view kFault = "fault=";
    const FaultInfo* fault =
        entry.starts_with(kFault) ? FindFault(entry.substr(kFault.size())) : nullptr;
    if (fault != nullptr && fault->devices == "m")
      settings.fault = FaultSwitch(fault);
    else if (entry == "shm=1" || entry == "shm=0")
      settings.shm = entry == "shm=1";
    else
      rest.append(rest.empty() ? "" : ",").append(entry);
  }
  return settings;
}

int CreateOver(const vitro_device_ops* inner, const vitro_host* host, const char* options,
               vitro_device** device) {
  if (host == nullptr || host->size < sizeof(vitro_host) || host->abi_version != VITRO_ABI_VERSION)
    return -1;
  std::string rest;
  const auto settings = TakeSettings(options == nullptr ? "" : options, rest);
  auto window = std::make_unique<MmioRegisters>(inner, host, settings, rest.c_str());
  if (window->device() == nullptr) return -1;
  *device = reinterpret_cast<vitro_device*>(window.release());
  return 0;
}

constexpr vitro_mmio_ops kMmioOps = {
    sizeof(vitro_mmio_ops),
    [](vitro_device* device, uint64_t offset, uint32_t width, uint64_t* value) {
      return Window(device).Read(offset, width, value) ? 0 : -1;
    },
    [](vitro_device* device, uint64_t offset, uint32_t width, uint64_t value) {
      return Window(device).Write(offset, width, value) ? 0 : -1;
    },
};

// create() is the one operation that does not know a device yet, and so not what it wraps either:
// there is a function for each of a few tables.
constexpr size_t kSlots = 16;
struct Slot {
  const vitro_device_ops* inner = nullptr;
  vitro_device_ops ops{};
};
std::array<Slot, kSlots> slots;
std::mutex slots_mutex;

template <size_t kSlot>
int CreateInSlot(const vitro_host* host, const char* options, vitro_device** device) {
  return CreateOver(slots[kSlot].inner, host, options, device);
}

template <size_t... kSlot>
constexpr auto Creators(std::index_sequence<kSlot...>) {
  return std::array{&CreateInSlot<kSlot>...};
}

vitro_device_ops MakeWindowOps(const vitro_device_ops* inner, size_t slot) {
  vitro_device_ops ops{};
  ops.size = sizeof ops;
  ops.abi_version = VITRO_ABI_VERSION;
  ops.name = inner->name;
  ops.create = Creators(std::make_index_sequence<kSlots>())[slot];
  ops.destroy = [](vitro_device* device) { delete &Window(device); };
  ops.identity = [](vitro_device* device, vitro_identity* identity) {
    Window(device).inner()->identity(Window(device).device(), identity);
  };
  ops.run = [](vitro_device* device) { return Window(device).Run() ? 1 : 0; };
  if (inner->size > offsetof(vitro_device_ops, stimulate_config_change) &&
      inner->stimulate_config_change != nullptr)
    ops.stimulate_config_change = [](vitro_device* device) {
      return Window(device).inner()->stimulate_config_change(Window(device).device());
    };
  ops.mmio = &kMmioOps;
  return ops;
}

bool HasCore(const vitro_device_ops* ops) {
  return ops != nullptr && ops->create && ops->destroy && ops->identity && ops->offered_features &&
         ops->accept_features && ops->get_status && ops->set_status && ops->reset &&
         ops->config_read && ops->config_write && ops->queue_max_size && ops->queue_setup &&
         ops->notify && ops->run;
}

}  // namespace

const vitro_device_ops* WrapInMmio(const vitro_device_ops* inner) {
  if (!HasCore(inner)) return nullptr;
  const std::lock_guard lock(slots_mutex);
  for (size_t i = 0; i < kSlots; ++i) {
    Slot& slot = slots[i];
    if (slot.inner != nullptr && slot.inner != inner) continue;
    if (slot.inner == nullptr) {
      slot.inner = inner;
      slot.ops = MakeWindowOps(inner, i);
    }
    return &slot.ops;
  }
  return nullptr;
}

}  // namespace vitro::ref
