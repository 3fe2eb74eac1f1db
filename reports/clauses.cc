// SPDX-License-Identifier: Apache-2.0
#include "reports/clauses.h"

#include <utility>

namespace vitro::reports {
namespace {

constexpr std::pair<std::string_view, std::string_view> kClauses[] = {
    {"2", "Basic Facilities"},
    {"2.1", "Device Status Field"},
    {"2.2", "Feature Bits"},
    {"2.3", "Notifications"},
    {"2.4", "Device Reset"},
    {"2.5", "Device Configuration Space"},
    {"2.6", "Virtqueues"},
    {"2.7", "Split Virtqueues"},
    {"2.8", "Packed Virtqueues"},
    {"2.9", "Driver Notifications"},
    {"2.10", "Shared Memory Regions"},
    {"2.11", "Exporting Objects"},
    {"2.12", "Device Groups"},
    {"2.13", "Administration Virtqueues"},
    {"3", "Initialization and Operation"},
    {"3.1", "Device Initialization"},
    {"3.2", "Device Operation"},
    {"3.3", "Device Cleanup"},
    {"3.4", "Device Suspend"},
    {"4", "Transports"},
    {"4.1", "Virtio Over PCI Bus"},
    {"4.2", "Virtio Over MMIO"},
    {"4.3", "Virtio Over Channel I/O"},
    {"5", "Device Types"},
    {"5.1", "Network Device"},
    {"5.2", "Block Device"},
    {"5.3", "Console Device"},
    {"5.4", "Entropy Device"},
    {"5.5", "Memory Balloon Device"},
    {"5.6", "SCSI Host Device"},
    {"5.7", "GPU Device"},
    {"5.8", "Input Device"},
    {"5.9", "Crypto Device"},
    {"5.10", "Socket Device"},
    {"5.11", "File System Device"},
    {"5.12", "RPMB Device"},
    {"5.13", "IOMMU Device"},
    {"5.14", "Sound Device"},
    {"5.15", "Memory Device"},
    {"5.16", "I2C Adapter Device"},
    {"5.17", "SCMI Device"},
    {"5.18", "GPIO Device"},
    {"5.19", "PMEM Device"},
    {"5.20", "CAN Device"},
    {"5.21", "SPI Controller Device"},
    {"5.22", "Media Device"},
    {"5.23", "RTC Device"},
    {"6", "Reserved Feature Bits"},
    {"6.2", "Reserved Feature Bits"},
};

}  // namespace

std::string_view ClauseTitle(std::string_view spec_version, std::string_view clause) {
  if (spec_version != "1.4") return "";
  for (const auto& [number, title] : kClauses) {
    if (number == clause) return title;
  }
  return "";
}

}  // namespace vitro::reports
