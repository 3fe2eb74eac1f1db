// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/registry.h"

#include "devices/ref/abi_glue.h"
#include "devices/ref/blk.h"
#include "devices/ref/entropy.h"
#include "devices/ref/experimental.h"
#include "harness/virtio/experimental.h"

namespace vitro::ref {
namespace {

constexpr vitro_device_ops kAdmin = MakeOps<CreateAdmin>(experimental::kName);
constexpr vitro_device_ops kBlk = MakeOps<CreateBlk>("Vitro reference block device");
constexpr vitro_device_ops kEntropy = MakeOps<CreateEntropy>("Vitro reference entropy device");
constexpr vitro_device_ops kExperimental = MakeOps<CreateExperimental>(experimental::kName);
constexpr vitro_device_ops kZoned = MakeOps<CreateZoned>("Vitro reference zoned block device");

constexpr ReferenceDevice kDevices[] = {
    {"admin", 'a',
     "experimental with admin=1: two administration virtqueues; busy=0 numbers=table|text",
     &kAdmin},
    {"blk", 'b', "block device in memory: queues=2 capacity=2048 ro=0 zoned=none|hm|ha", &kBlk},
    {"entropy", 'e', "entropy device, one queue: seed=1", &kEntropy},
    {"experimental", 'x', "device type 65535: config fields of every kind, echo and source queues",
     &kExperimental},
    {"zoned", 'z', "host-managed zoned block device: blk with zoned=hm", &kZoned},
};

}  // namespace

std::span<const ReferenceDevice> ReferenceDevices() { return kDevices; }

std::string_view AttachByLetter(char letter) {
  if (letter == 'm') return "blk,level=mmio";
  if (letter == 'p') return "blk,level=pci";
  for (const ReferenceDevice& device : kDevices)
    if (device.letter == letter) return device.name;
  return {};
}

const vitro_device_ops* FindReferenceDevice(std::string_view name) {
  for (const ReferenceDevice& device : kDevices)
    if (device.name == name) return device.ops;
  return nullptr;
}

}  // namespace vitro::ref
