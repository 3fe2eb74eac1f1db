// SPDX-License-Identifier: Apache-2.0
// What a virtio device of QEMU needs to start, and how it can be made to change its config: the one
// place that knows QEMU's devices by name. Back ends here want nothing of the host.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/attach/qemu/qmp.h"

namespace vitro::qemu {

using Properties = std::map<std::string, std::string>;

// kUnplug: no change of the config, but the guest is asked to let the device go.
enum class Stimulus { kNone, kGrowDisk, kToggleLink, kBalloon, kRequestedSize, kUnplug };

// {disk} and {socket} in arguments stand for the file of a disk and for the storage daemon's
// socket, {dir} for a scratch directory.
struct BackEnd {
  std::vector<std::string> arguments;  // before -device
  std::vector<std::string> children;   // after it: what sits on the device's own bus
  Properties properties;               // of the device, where the user gave none
  std::string memory;                  // appended to -m
  bool daemon = false;                 // a qemu-storage-daemon has to listen
  Stimulus stimulus = Stimulus::kNone;
  std::string why_no_stimulus;
};

inline constexpr uint64_t kDiskBytes = 4 << 20;
inline constexpr const char* kDeviceId = "vitro";

// "virtio-blk" of "virtio-blk-pci-non-transitional" and of "virtio-blk-device".
std::string FamilyOf(std::string_view device);
// The back end of `device`, as far as `given` does not name one. kUsage if it needs one that cannot
// be made here.
Result<BackEnd> MakeBackEnd(const std::string& device, const Properties& given);

// Makes the device change its config; `count` is how often that was done before.
Result<> Stimulate(Stimulus stimulus, Qmp& qmp, const std::string& id, uint64_t count);

// The attach strings of the virtio devices that start without anything of the host, in all their
// flavours, of a QEMU that has the types and properties which `has` says: has(type, "") or
// has(type, property).
std::vector<std::string> AttachStringsOf(
    const std::function<bool(const std::string& type, const std::string& property)>& has);

}  // namespace vitro::qemu
