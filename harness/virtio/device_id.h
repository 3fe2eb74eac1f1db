// SPDX-License-Identifier: Apache-2.0
// Device type ids (chapter 5) and their names as used on the command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vitro {

namespace device_id {
inline constexpr uint32_t kUnknown = 0;  // "reserved (invalid)" in the standard: not told
inline constexpr uint32_t kNet = 1, kBlk = 2, kConsole = 3, kEntropy = 4;
inline constexpr uint32_t kExperimental = 65535;  // appendix "Creating New Device Types"
}  // namespace device_id

struct DeviceTypeName {
  uint32_t id;
  std::string_view name;  // also the catalogue's area
};

inline constexpr DeviceTypeName kDeviceTypes[] = {
    {1, "net"},     {2, "blk"},     {3, "console"}, {4, "entropy"},
    {5, "balloon"}, {8, "scsi"},    {16, "gpu"},    {18, "input"},
    {19, "vsock"},  {20, "crypto"}, {23, "iommu"},  {24, "mem"},
    {25, "sound"},  {26, "fs"},     {27, "pmem"},   {28, "rpmb"},
    {32, "scmi"},   {34, "i2c"},    {36, "can"},    {41, "gpio"},
    {17, "rtc"},    {45, "spi"},    {48, "media"},  {65535, "experimental"},
};

constexpr std::string_view DeviceTypeToName(uint32_t id) {
  for (const auto& type : kDeviceTypes)
    if (type.id == id) return type.name;
  return id == device_id::kUnknown ? "unknown" : "other";
}

constexpr std::optional<uint32_t> DeviceTypeFromName(std::string_view name) {
  for (const auto& type : kDeviceTypes)
    if (type.name == name) return type.id;
  return std::nullopt;
}

}  // namespace vitro
