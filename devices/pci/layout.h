// SPDX-License-Identifier: Apache-2.0
// FunctionLayout: how the reference PCI function shows itself (4.1.2, 4.1.4): ids, which BAR holds
// what, and the capabilities that tell it.
//
//   BAR 0      legacy interface, I/O (transitional=1)
//   BAR 1      MSI-X table and pending bits; second common, ISR and notify (second-caps=1)
//   BAR 2, 3   shared memory (shm=1)
//   BAR 4, 5   common, ISR, device config, notify; legacy notifications to members (vfs=N)
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "devices/pci/config_space.h"
#include "devices/pci/function_options.h"
#include "harness/virtio/pci.h"

namespace vitro::pcidev {

inline constexpr unsigned kMainBar = 4;  // of the virtio structures

// Routing ids of virtual functions, as the SR-IOV capability tells them.
inline constexpr uint32_t kFirstVfOffset = 1, kVfStride = 1;

enum class RegionKind {
  kLegacy,
  kCommon,
  kIsr,
  kDevice,
  kNotify,
  kTable,
  kPending,
  kSharedMemory,
  kLegacyNotify,  // of virtual functions: kLegacyNotifyStride bytes each
};
inline constexpr uint64_t kLegacyNotifyStride = 4;

struct Region {
  RegionKind kind = RegionKind::kCommon;
  unsigned bar = 0;
  uint64_t offset = 0, length = 0;
};

struct FunctionLayout {
  std::vector<Region> regions;
  std::array<uint64_t, pci::kBars> bar_sizes{};  // 0: not there
  std::array<bool, pci::kBars> bar_io{};
  uint32_t vectors = 0;
  uint32_t multiplier = 0;
  // Positions of capabilities that do something; 0: not there.
  uint8_t window = 0, vendor = 0, msix = 0, express = 0, power = 0;
  uint32_t sriov = 0;

  // Fills `space`. `problem` is set to a sentence if the options make no function.
  static FunctionLayout Make(const FunctionOptions& options, const vitro_identity& identity,
                             uint32_t queues, ConfigSpace& space, std::string& problem);
};

}  // namespace vitro::pcidev
