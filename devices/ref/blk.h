// SPDX-License-Identifier: Apache-2.0
// The reference block device (5.2): a disk in memory. Takes requests in any arrangement of
// descriptors; the status byte is the last device-writable byte. Constants: harness/virtio/blk.h.
//
// Options  queues=N        request queues, 1 to 64 (2). Without VIRTIO_BLK_F_MQ only the first is
// there.
//          capacity=N      sectors of 512 bytes (2048).
//          ro=1            offers VIRTIO_BLK_F_RO, and no longer DISCARD, WRITE_ZEROES,
//          SECURE_ERASE. zoned=hm|ha     (none) a host-managed or host-aware zoned device, see
//          blk_zoned.h. Offers neither
//                          DISCARD nor WRITE_ZEROES.
// The disk survives device reset. Initially sector n reads as Pattern(n, 512). Fields of the
// configuration space that belong to a feature read as 0 when it was not negotiated (before
// FEATURES_OK: not offered). stimulate_config_change grows the disk by 8 sectors, or by one zone.
// A request of a feature that was not negotiated is answered UNSUPP. The used length counts what
// was written from the start of the writable part without a gap, so it is 0 for a failed read.
#pragma once

#include <memory>
#include <optional>

#include "devices/ref/blk_disk.h"
#include "devices/ref/blk_zoned.h"
#include "devices/ref/device_core.h"

namespace vitro::ref {

std::unique_ptr<DeviceCore> CreateBlk(const vitro_host* host, Options& options);
// The same with zoned=hm unless told otherwise.
std::unique_ptr<DeviceCore> CreateZoned(const vitro_host* host, Options& options);

}  // namespace vitro::ref
