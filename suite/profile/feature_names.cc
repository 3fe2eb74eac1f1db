// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/feature_names.h"

#include <fmt/format.h>

#include "suite/profile/built_in.h"

namespace vitro {
namespace {

struct NamedBit {
  unsigned bit;
  const char* name;
};

// Chapter 6.
constexpr NamedBit kReservedBits[] = {
    {24, "VIRTIO_F_NOTIFY_ON_EMPTY"},   {27, "VIRTIO_F_ANY_LAYOUT"},
    {28, "VIRTIO_F_INDIRECT_DESC"},     {29, "VIRTIO_F_EVENT_IDX"},
    {32, "VIRTIO_F_VERSION_1"},         {33, "VIRTIO_F_ACCESS_PLATFORM"},
    {34, "VIRTIO_F_RING_PACKED"},       {35, "VIRTIO_F_IN_ORDER"},
    {36, "VIRTIO_F_ORDER_PLATFORM"},    {37, "VIRTIO_F_SR_IOV"},
    {38, "VIRTIO_F_NOTIFICATION_DATA"}, {39, "VIRTIO_F_NOTIF_CONFIG_DATA"},
    {40, "VIRTIO_F_RING_RESET"},        {41, "VIRTIO_F_ADMIN_VQ"},
    {43, "VIRTIO_F_SUSPEND"},
};

}  // namespace

std::string FeatureName(uint32_t device_id, unsigned bit) {
  for (const NamedBit& named : kReservedBits)
    if (named.bit == bit) return fmt::format("{} ({})", named.name, bit);
  if (const Profile* profile = BuiltInProfile(device_id))
    if (const ProfileFeature* feature = profile->FindFeature(bit))
      return fmt::format("{} ({})", feature->name, bit);
  return fmt::format("bit {}", bit);
}

std::optional<unsigned> ReservedFeatureBit(std::string_view name) {
  for (const NamedBit& named : kReservedBits)
    if (named.name == name) return named.bit;
  return std::nullopt;
}

}  // namespace vitro
