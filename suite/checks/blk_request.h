// SPDX-License-Identifier: Apache-2.0
// Requests of block devices (5.2.6), for the checks of chapter 5.2.
#pragma once

#include <optional>
#include <string>

#include "harness/virtio/blk.h"
#include "suite/checks/context.h"

namespace vitro {

// The suite writes to the first sectors of a disk and nowhere else.
inline constexpr uint64_t kBlkScratchSectors = 64;

Exchange BlkRequest(std::string what, uint32_t type, uint64_t sector, const Bytes& data = {},
                    uint32_t in_bytes = 0);
// struct virtio_blk_discard_write_zeroes.
Bytes BlkSegment(uint64_t sector, uint32_t count, uint32_t flags = 0);

struct BlkAnswer {
  bool used = false;
  uint8_t status = 0xff;
  Bytes data;                 // all of the device-writable part but the status byte
  uint64_t data_address = 0;  // where that lies
  bool ok() const { return used && status == blk::kStatusOk; }
};
// Makes the request and waits for it. The status byte held a value that is no status before, and is
// what Expect() judges next.
BlkAnswer AskBlk(Context& c, const Exchange& request);

// Writes sectors, and reads them again, judged against `requirement`.
bool WriteSectors(Context& c, uint64_t sector, const Bytes& data,
                  const std::string& requirement = "derived.request.answer");
void ExpectSectors(Context& c, uint64_t sector, const Bytes& data, const std::string& requirement,
                   const std::string& when);

// A field of the config space, if the device has it.
std::optional<uint64_t> BlkField(Context& c, uint32_t offset, uint32_t width);
uint64_t BlkCapacity(Context& c);  // in sectors
// Sectors of one logical block: some devices refuse requests for less. Ends the check if it is too
// large for the scratch sectors.
uint32_t BlkBlockSectors(Context& c);

}  // namespace vitro
