// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/blk_request.h"

#include <algorithm>

namespace vitro {
namespace {

constexpr uint8_t kNoStatus = 8;  // from here on no value is a status

}  // namespace

Exchange BlkRequest(std::string what, uint32_t type, uint64_t sector, const Bytes& data,
                    uint32_t in_bytes) {
  Exchange request{std::move(what), 0, Bytes(blk::kRequestHeaderSize + data.size()), in_bytes + 1,
                   std::nullopt,    1};
  StoreLe<uint32_t>(&request.readable[blk::kRequestType], type);
  StoreLe<uint64_t>(&request.readable[blk::kRequestSector], sector);
  std::copy(data.begin(), data.end(), request.readable.begin() + blk::kRequestHeaderSize);
  return request;
}

Bytes BlkSegment(uint64_t sector, uint32_t count, uint32_t flags) {
  Bytes raw(blk::kSegmentSize);
  StoreLe<uint64_t>(&raw[blk::kSegmentSector], sector);
  StoreLe<uint32_t>(&raw[blk::kSegmentCount], count);
  StoreLe<uint32_t>(&raw[blk::kSegmentFlags], flags);
  return raw;
}

BlkAnswer AskBlk(Context& c, const Exchange& request) {
  c.Publish(request, {}, true);
  // Everything that the device may write is one segment, with the status as its last byte.
  const op::Segment writable =
      c.session().state().queues.at(request.queue)->outstanding().back().segments.back();
  const uint64_t status_at = writable.address + writable.length - 1;
  while (*c.session().memory().At(status_at, 1) < kNoStatus)
    c.Do(op::Fill{writable.address, writable.length, c.session().FreshSeed()});
  c.Do(op::Expose{request.queue});
  c.Notify(request.queue);
  BlkAnswer answer;
  answer.data_address = writable.address;
  answer.used = c.WaitUsed(request.queue, 1).value == 1;
  // What hostile drivers send need not be used.
  if (!c.session().state().hostile)
    c.Expect(Accept::Equal(1), "derived.used.progress",
             fmt::format("{} is used once", request.what));
  answer.data = c.Do(op::Read{writable.address, writable.length - 1}).bytes;
  answer.status = static_cast<uint8_t>(c.Do(op::Read{status_at, 1}).value);
  return answer;
}

bool WriteSectors(Context& c, uint64_t sector, const Bytes& data, const std::string& requirement) {
  const auto what =
      fmt::format("a write of {} sectors from {}", data.size() / blk::kSectorSize, sector);
  const BlkAnswer answer = AskBlk(c, BlkRequest(what, blk::kTypeOut, sector, data));
  c.Expect(Accept::Equal(blk::kStatusOk), requirement, what + " ends with VIRTIO_BLK_S_OK");
  return answer.ok();
}

void ExpectSectors(Context& c, uint64_t sector, const Bytes& data, const std::string& requirement,
                   const std::string& when) {
  Exchange read = BlkRequest(
      fmt::format("a read of {} sectors from {} {}", data.size() / blk::kSectorSize, sector, when),
      blk::kTypeIn, sector, {}, static_cast<uint32_t>(data.size()));
  read.expected = data;
  read.expected->push_back(blk::kStatusOk);
  c.Submit(read, requirement);
}

std::optional<uint64_t> BlkField(Context& c, uint32_t offset, uint32_t width) {
  if (!c.Has(Ability::kConfigSpace) || c.facts().config_size < offset + width) return std::nullopt;
  const Observation field = c.Do(op::ReadConfig{offset, width});
  if (!field.refused) return field.value;
  if (width != 8) return std::nullopt;
  // A transport may have no access so wide (4.1.3.1, 4.2.2.2). The generation tells if the halves
  // belong together.
  for (int attempt = 0; attempt < 8; ++attempt) {
    const bool counted = c.Has(Ability::kGeneration);
    const uint64_t before = counted ? c.Do(op::ReadGeneration{}).value : 0;
    const Observation low = c.Do(op::ReadConfig{offset, 4});
    const Observation high = c.Do(op::ReadConfig{offset + 4, 4});
    if (low.refused || high.refused) return std::nullopt;
    if (!counted || c.Do(op::ReadGeneration{}).value == before) return low.value | high.value << 32;
  }
  return std::nullopt;
}

uint64_t BlkCapacity(Context& c) {
  const auto capacity = BlkField(c, blk::kConfigCapacity, 8);
  if (!capacity) c.NotObservable("the capacity cannot be read");
  return *capacity;
}

uint32_t BlkBlockSectors(Context& c) {
  uint64_t block_size = blk::kSectorSize;
  if (c.facts().offered.Has(blk::kFeatureBlkSize))
    block_size = BlkField(c, blk::kConfigBlkSize, 4).value_or(block_size);
  const auto sectors = static_cast<uint32_t>(std::max<uint64_t>(1, block_size / blk::kSectorSize));
  if (sectors > kBlkScratchSectors / 8)
    c.NotApplicable(
        fmt::format("a logical block of {} bytes is more than the suite writes", block_size));
  return sectors;
}

}  // namespace vitro
