// SPDX-License-Identifier: Apache-2.0
#include "harness/memory/shadow.h"

#include <algorithm>
#include <cstring>

namespace vitro {
namespace {

constexpr uint64_t kMargin =
    64 * 1024;  // compared beyond what was handed out, after every operation
constexpr uint64_t kBlock = 4096;

void FillPoison(uint8_t* to, uint64_t length, uint64_t seed, uint64_t address) {
  const uint64_t invert = seed % 2 == 0 ? 0 : ~uint64_t{0};
  uint64_t i = 0;
  for (; i < length && (address + i) % 8 != 0; ++i) to[i] = PoisonByte(seed, address + i);
  for (; i + 8 <= length; i += 8) {
    const uint64_t block = PatternBlock(seed / 2, (address + i) / 8) ^ invert;
    std::memcpy(to + i, &block, 8);
  }
  for (; i < length; ++i) to[i] = PoisonByte(seed, address + i);
}

}  // namespace

uint8_t PoisonByte(uint64_t seed, uint64_t address) {
  const uint8_t byte = PatternByte(seed / 2, address);
  return seed % 2 == 0 ? byte : static_cast<uint8_t>(~byte);
}

Shadow::Shadow(GuestMemory& memory, uint64_t seed)
    : memory_(memory), known_(memory.size()), touched_(0) {
  for (const auto& region : memory.regions()) {
    FillPoison(region.host, region.range.length, seed, region.range.address);
    std::memcpy(known_.data() + Offset(region.range.address), region.host, region.range.length);
  }
}

uint64_t Shadow::Offset(uint64_t address) const {
  uint64_t before = 0;
  for (const auto& region : memory_.regions()) {
    if (region.range.Contains(address)) return before + (address - region.range.address);
    before += region.range.length;
  }
  return before;
}

Result<> Shadow::Write(uint64_t address, ByteView bytes) {
  VITRO_TRY(memory_.Write(address, bytes));
  if (!bytes.empty()) Accept({address, bytes.size()});
  return {};
}

Result<> Shadow::Poison(GuestRange range, uint64_t seed) {
  if (range.length == 0) return {};
  uint8_t* at = memory_.At(range.address, range.length);
  if (at == nullptr)
    return Fail(ErrorKind::kUsage, "{:#x}+{:#x} is not guest memory", range.address, range.length);
  FillPoison(at, range.length, seed, range.address);
  Accept(range);
  return {};
}

void Shadow::Accept(GuestRange range) {
  const uint8_t* at = memory_.At(range.address, range.length);
  if (at == nullptr || range.length == 0) return;
  const uint64_t offset = Offset(range.address);
  std::memcpy(known_.data() + offset, at, range.length);
  touched_ = std::max(touched_, offset + range.length);
}

ByteView Shadow::Known(GuestRange range) const {
  if (range.length == 0 || memory_.At(range.address, range.length) == nullptr) return {};
  return ByteView(known_).subspan(Offset(range.address), range.length);
}

std::vector<Shadow::Change> Shadow::Diff(bool everything) const {
  std::vector<Change> changes;
  const uint64_t limit =
      everything ? known_.size() : std::min<uint64_t>(known_.size(), touched_ + kMargin);
  for (const auto& region : memory_.regions()) {
    const uint64_t offset = Offset(region.range.address);
    const uint64_t length =
        std::min(region.range.length, limit > offset ? limit - offset : uint64_t{0});
    const uint8_t* known = known_.data() + offset;
    bool open = false;  // the last change may still grow; a change never crosses a region
    for (uint64_t block = 0; block < length; block += kBlock) {
      const uint64_t size = std::min(kBlock, length - block);
      if (std::memcmp(region.host + block, known + block, size) == 0) continue;
      for (uint64_t i = block; i < block + size; ++i) {
        if (region.host[i] == known[i]) continue;
        const uint64_t address = region.range.address + i;
        if (open && address == changes.back().range.end())
          changes.back().range.length = address + 1 - changes.back().range.address;
        else
          changes.push_back({{address, 1}, {}, {}});
        open = true;
      }
    }
  }
  for (Change& change : changes) {
    const uint64_t shown = std::min<uint64_t>(change.range.length, 64);
    ByteView before = Known({change.range.address, shown});
    change.before.assign(before.begin(), before.end());
    const uint8_t* after = memory_.At(change.range.address, shown);
    change.after.assign(after, after + shown);
  }
  return changes;
}

}  // namespace vitro
