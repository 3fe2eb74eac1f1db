// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/feature_names.h"

#include <fmt/format.h>

#include "harness/virtio/features.h"

namespace vitro {
namespace {

struct NamedBit {
  uint32_t device_id;  // 0: of every type
  unsigned bit;
  const char* name;
};

// Chapter 5, each type's "Feature bits", and chapter 6.
constexpr NamedBit kNamedBits[] = {
    {0, 24, "VIRTIO_F_NOTIFY_ON_EMPTY"},
    {0, 27, "VIRTIO_F_ANY_LAYOUT"},
    {0, 28, "VIRTIO_F_INDIRECT_DESC"},
    {0, 29, "VIRTIO_F_EVENT_IDX"},
    {0, 32, "VIRTIO_F_VERSION_1"},
    {0, 33, "VIRTIO_F_ACCESS_PLATFORM"},
    {0, 34, "VIRTIO_F_RING_PACKED"},
    {0, 35, "VIRTIO_F_IN_ORDER"},
    {0, 36, "VIRTIO_F_ORDER_PLATFORM"},
    {0, 37, "VIRTIO_F_SR_IOV"},
    {0, 38, "VIRTIO_F_NOTIFICATION_DATA"},
    {0, 39, "VIRTIO_F_NOTIF_CONFIG_DATA"},
    {0, 40, "VIRTIO_F_RING_RESET"},
    {0, 41, "VIRTIO_F_ADMIN_VQ"},
    {0, 43, "VIRTIO_F_SUSPEND"},
    {1, 0, "VIRTIO_NET_F_CSUM"},
    {1, 1, "VIRTIO_NET_F_GUEST_CSUM"},
    {1, 2, "VIRTIO_NET_F_CTRL_GUEST_OFFLOADS"},
    {1, 3, "VIRTIO_NET_F_MTU"},
    {1, 5, "VIRTIO_NET_F_MAC"},
    {1, 6, "VIRTIO_NET_F_GSO"},
    {1, 7, "VIRTIO_NET_F_GUEST_TSO4"},
    {1, 8, "VIRTIO_NET_F_GUEST_TSO6"},
    {1, 9, "VIRTIO_NET_F_GUEST_ECN"},
    {1, 10, "VIRTIO_NET_F_GUEST_UFO"},
    {1, 11, "VIRTIO_NET_F_HOST_TSO4"},
    {1, 12, "VIRTIO_NET_F_HOST_TSO6"},
    {1, 13, "VIRTIO_NET_F_HOST_ECN"},
    {1, 14, "VIRTIO_NET_F_HOST_UFO"},
    {1, 15, "VIRTIO_NET_F_MRG_RXBUF"},
    {1, 16, "VIRTIO_NET_F_STATUS"},
    {1, 17, "VIRTIO_NET_F_CTRL_VQ"},
    {1, 18, "VIRTIO_NET_F_CTRL_RX"},
    {1, 19, "VIRTIO_NET_F_CTRL_VLAN"},
    {1, 20, "VIRTIO_NET_F_CTRL_RX_EXTRA"},
    {1, 21, "VIRTIO_NET_F_GUEST_ANNOUNCE"},
    {1, 22, "VIRTIO_NET_F_MQ"},
    {1, 23, "VIRTIO_NET_F_CTRL_MAC_ADDR"},
    {1, 41, "VIRTIO_NET_F_GUEST_RSC4"},
    {1, 42, "VIRTIO_NET_F_GUEST_RSC6"},
    {1, 50, "VIRTIO_NET_F_DEVICE_STATS"},
    {1, 51, "VIRTIO_NET_F_HASH_TUNNEL"},
    {1, 52, "VIRTIO_NET_F_VQ_NOTF_COAL"},
    {1, 53, "VIRTIO_NET_F_NOTF_COAL"},
    {1, 54, "VIRTIO_NET_F_GUEST_USO4"},
    {1, 55, "VIRTIO_NET_F_GUEST_USO6"},
    {1, 56, "VIRTIO_NET_F_HOST_USO"},
    {1, 57, "VIRTIO_NET_F_HASH_REPORT"},
    {1, 59, "VIRTIO_NET_F_GUEST_HDRLEN"},
    {1, 60, "VIRTIO_NET_F_RSS"},
    {1, 61, "VIRTIO_NET_F_RSC_EXT"},
    {1, 62, "VIRTIO_NET_F_STANDBY"},
    {1, 63, "VIRTIO_NET_F_SPEED_DUPLEX"},
    {1, 64, "VIRTIO_NET_F_RSS_CONTEXT"},
    {1, 65, "VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO"},
    {1, 66, "VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM"},
    {1, 67, "VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO"},
    {1, 68, "VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM"},
    {1, 69, "VIRTIO_NET_F_OUT_NET_HEADER"},
    {1, 70, "VIRTIO_NET_F_IPSEC"},
    {2, 0, "VIRTIO_BLK_F_BARRIER"},
    {2, 1, "VIRTIO_BLK_F_SIZE_MAX"},
    {2, 2, "VIRTIO_BLK_F_SEG_MAX"},
    {2, 4, "VIRTIO_BLK_F_GEOMETRY"},
    {2, 5, "VIRTIO_BLK_F_RO"},
    {2, 6, "VIRTIO_BLK_F_BLK_SIZE"},
    {2, 7, "VIRTIO_BLK_F_SCSI"},
    {2, 9, "VIRTIO_BLK_F_FLUSH"},
    {2, 10, "VIRTIO_BLK_F_TOPOLOGY"},
    {2, 11, "VIRTIO_BLK_F_CONFIG_WCE"},
    {2, 12, "VIRTIO_BLK_F_MQ"},
    {2, 13, "VIRTIO_BLK_F_DISCARD"},
    {2, 14, "VIRTIO_BLK_F_WRITE_ZEROES"},
    {2, 15, "VIRTIO_BLK_F_LIFETIME"},
    {2, 16, "VIRTIO_BLK_F_SECURE_ERASE"},
    {2, 17, "VIRTIO_BLK_F_ZONED"},
    {3, 0, "VIRTIO_CONSOLE_F_SIZE"},
    {3, 1, "VIRTIO_CONSOLE_F_MULTIPORT"},
    {3, 2, "VIRTIO_CONSOLE_F_EMERG_WRITE"},
    {5, 0, "VIRTIO_BALLOON_F_MUST_TELL_HOST"},
    {5, 1, "VIRTIO_BALLOON_F_STATS_VQ"},
    {5, 2, "VIRTIO_BALLOON_F_DEFLATE_ON_OOM"},
    {5, 3, "VIRTIO_BALLOON_F_FREE_PAGE_HINT"},
    {5, 4, "VIRTIO_BALLOON_F_PAGE_POISON"},
    {5, 5, "VIRTIO_BALLOON_F_PAGE_REPORTING"},
    {8, 0, "VIRTIO_SCSI_F_INOUT"},
    {8, 1, "VIRTIO_SCSI_F_HOTPLUG"},
    {8, 2, "VIRTIO_SCSI_F_CHANGE"},
    {8, 3, "VIRTIO_SCSI_F_T10_PI"},
    {16, 0, "VIRTIO_GPU_F_VIRGL"},
    {16, 1, "VIRTIO_GPU_F_EDID"},
    {16, 2, "VIRTIO_GPU_F_RESOURCE_UUID"},
    {16, 3, "VIRTIO_GPU_F_RESOURCE_BLOB"},
    {16, 4, "VIRTIO_GPU_F_CONTEXT_INIT"},
    {16, 5, "VIRTIO_GPU_F_BLOB_ALIGNMENT"},
    {17, 0, "VIRTIO_RTC_F_ALARM"},
    {19, 0, "VIRTIO_VSOCK_F_STREAM"},
    {19, 1, "VIRTIO_VSOCK_F_SEQPACKET"},
    {19, 2, "VIRTIO_VSOCK_F_NO_IMPLIED_STREAM"},
    {20, 0, "VIRTIO_CRYPTO_F_REVISION_1"},
    {20, 1, "VIRTIO_CRYPTO_F_CIPHER_STATELESS_MODE"},
    {20, 2, "VIRTIO_CRYPTO_F_HASH_STATELESS_MODE"},
    {20, 3, "VIRTIO_CRYPTO_F_MAC_STATELESS_MODE"},
    {20, 4, "VIRTIO_CRYPTO_F_AEAD_STATELESS_MODE"},
    {20, 5, "VIRTIO_CRYPTO_F_AKCIPHER_STATELESS_MODE"},
    {23, 0, "VIRTIO_IOMMU_F_INPUT_RANGE"},
    {23, 1, "VIRTIO_IOMMU_F_DOMAIN_RANGE"},
    {23, 2, "VIRTIO_IOMMU_F_MAP_UNMAP"},
    {23, 3, "VIRTIO_IOMMU_F_BYPASS"},
    {23, 4, "VIRTIO_IOMMU_F_PROBE"},
    {23, 5, "VIRTIO_IOMMU_F_MMIO"},
    {23, 6, "VIRTIO_IOMMU_F_BYPASS_CONFIG"},
    {24, 0, "VIRTIO_MEM_F_ACPI_PXM"},
    {24, 1, "VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE"},
    {24, 2, "VIRTIO_MEM_F_PERSISTENT_SUSPEND"},
    {25, 0, "VIRTIO_SND_F_CTLS"},
    {26, 0, "VIRTIO_FS_F_NOTIFICATION"},
    {27, 0, "VIRTIO_PMEM_F_SHMEM_REGION"},
    {32, 0, "VIRTIO_SCMI_F_P2A_CHANNELS"},
    {32, 1, "VIRTIO_SCMI_F_SHARED_MEMORY"},
    {34, 0, "VIRTIO_I2C_F_ZERO_LENGTH_REQUEST"},
    {36, 0, "VIRTIO_CAN_F_CAN_CLASSIC"},
    {36, 1, "VIRTIO_CAN_F_CAN_FD"},
    {36, 2, "VIRTIO_CAN_F_RTR_FRAMES"},
    {36, 3, "VIRTIO_CAN_F_LATE_TX_ACK"},
    {41, 0, "VIRTIO_GPIO_F_IRQ"},
};

}  // namespace

std::string FeatureName(uint32_t device_id, unsigned bit) {
  for (const NamedBit& named : kNamedBits)
    if (named.bit == bit && (named.device_id == 0 || named.device_id == device_id))
      return fmt::format("{} ({})", named.name, bit);
  return fmt::format("bit {}", bit);
}

std::optional<unsigned> ReservedFeatureBit(std::string_view name) {
  for (const NamedBit& named : kNamedBits)
    if (named.device_id == 0 && named.name == name) return named.bit;
  return std::nullopt;
}

}  // namespace vitro
