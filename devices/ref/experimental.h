// SPDX-License-Identifier: Apache-2.0
// The reference experimental device: a new device type (id 65535, appendix "Creating New Device
// Types") that has one of each thing a new type may have. Constants: harness/virtio/experimental.h.
//
// Feature bits   0 GATED     the field `gated` reads non-zero.
//                1 CHECKSUM  the echo queue's answers carry a checksum. Requires GATED: FEATURES_OK
//                is
//                            refused for CHECKSUM alone.
// Configuration space, 72 bytes, little-endian; read in any width of 1, 2, 4 and 8 at any offset:
//    0 le32 version    read-only, 1.
//    4 le32 limit      writable; the longest payload that echo takes, as it stands at DRIVER_OK.
//                      65536 after reset.
//    8 le32 command    writable. A write that covers the last byte (offset 11) acts: counter += the
//                      value in all four bytes, the generation moves, a configuration change
//                      notification is sent, and command reads 0 again. Until then it reads as the
//                      bytes written so far.
//   12 le32 counter    read-only; 0 after reset.
//   16 le32 gated      read-only; 0x64746167 if GATED was negotiated, else (and before FEATURES_OK)
//                      0.
//   20 le32 reserved   read-only, 0.
//   24 le64 wide       read-only; n in the low and ~n in the high half. stimulate_config_change
//                      adds 1 to n, moves the generation and notifies. Not changed by reset.
//   32 le64 tearable   writable in any pieces, no action; 0xa5a5a5a55a5a5a5a after reset.
//   40 le64 threshold  writable in any pieces and order; reads as the bytes written so far, and
//                      0xa5a5a5a55a5a5a5a after reset. Acts as soon as each of its 8 bytes has been
//                      written since it acted last, or since the reset: see
//                      devices/ref/wide_action.h. Then the generation moves and a configuration
//                      change notification is sent.
//   48 le32 reserved   read-only, 0.
//   52 le32 actions    read-only; how often threshold acted since the reset.
//   56 le64 applied    read-only; what threshold acted with last, 0 after reset.
//   64 le64 shared     writable in any pieces, no action; 0 after reset. stimulate_config_change
//                      gives it the value of wide: whoever wrote a half last, has that half.
// A write with any byte outside the writable fields, or before FEATURES_OK, is refused as a whole.
//
// Queue 0, echo. Readable: le32 opcode (1 = ECHO), le32 length, `length` bytes of payload.
// Writable:
//   the payload with each byte XOR 0x5a, then with CHECKSUM the le32 sum of the payload bytes as
//   sent, then possibly unused bytes, and as the very last byte the status: 0 OK; 1 BAD (length
//   does not fit the readable or the writable part); 2 UNSUPPORTED opcode; 3 TOO_LONG for `limit`.
//   Unless OK only the status is written. The used length counts from the start of the writable
//   part without a gap, so it includes the status byte only where nothing is unused.
// Queue 1, stream. Readable bytes are added up (modulo 2^32); writable bytes are then all filled
// with
//   PatternByte(sum, position), the position going on from request to request. Both start at 0 at
//   reset.
//
// With option admin=1 two administration virtqueues follow and VIRTIO_F_ADMIN_VQ is offered; they
// are there once that is negotiated. See devices/ref/admin/administration.h.
#pragma once

#include <memory>

#include "devices/ref/device_core.h"

namespace vitro::ref {

std::unique_ptr<DeviceCore> CreateExperimental(const vitro_host* host, Options& options);
// The same with admin=1.
std::unique_ptr<DeviceCore> CreateAdmin(const vitro_host* host, Options& options);

}  // namespace vitro::ref
