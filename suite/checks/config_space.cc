// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/config_space.h"

#include <algorithm>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"

namespace vitro {
namespace {

namespace xp = experimental;

// Cuts off what the config space of this device does not have.
ConfigLayout Within(ConfigLayout layout, uint32_t size) {
  layout.size = std::min(layout.size, size);
  for (auto* fields : {&layout.read_only, &layout.writable, &layout.unsettled})
    std::erase_if(*fields, [&](const auto& f) { return f.offset + f.width > layout.size; });
  return layout;
}

}  // namespace

bool IsVitrosOwn(const Context& c) {
  return IsVitroExperimental(c.facts()) && c.facts().config_size >= xp::kConfigSize;
}

void RequireVitrosOwn(Context& c) {
  if (!IsVitrosOwn(c)) c.NotApplicable("this is not Vitro's own experimental device");
}

std::optional<ConfigLayout> ConfigLayoutOf(const Context& c) {
  const uint32_t size = c.facts().config_size;
  if (IsVitrosOwn(c))
    return Within({xp::kConfigSize,
                   {{xp::kConfigVersion, 4},
                    {xp::kConfigCounter, 4},
                    {xp::kConfigGated, 4},
                    {xp::kConfigReserved, 4},
                    {xp::kConfigWide, 8}},
                   {{xp::kConfigLimit, 4}, {xp::kConfigTearable, 4}, {xp::kConfigTearable + 4, 4}},
                   {{xp::kConfigGated, 4}}},
                  size);
  if (c.facts().device_id != device_id::kBlk) return std::nullopt;
  ConfigLayout layout{blk::kConfigSize, {}, {}, {{blk::kConfigWriteback, 1}}};
  layout.read_only.push_back({blk::kConfigCapacity, 8});
  for (uint32_t offset = 8; offset < blk::kConfigSize; offset += 4)
    if (offset != blk::kConfigWriteback) layout.read_only.push_back({offset, 4});
  if (c.facts().offered.Has(blk::kFeatureConfigWce))
    layout.writable.push_back({blk::kConfigWriteback, 1});
  return Within(layout, size);
}

FeatureSet FieldFeatures(const Context& c) {
  FeatureSet features;
  if (!ConfigLayoutOf(c)) return features;
  for (unsigned bit = 0; bit < 24; ++bit)
    if (c.facts().offered.Has(bit)) features.Add(bit);
  if (c.facts().device_id != device_id::kBlk) return features;
  features.Remove(0).Remove(7);  // of legacy drivers
  // Not to be accepted for host-managed zoned devices (5.2.5.1).
  if (features.Has(blk::kFeatureZoned)) features.Remove(blk::kFeatureDiscard);
  return features;
}

std::vector<ConfigPiece> ReadConfigSpace(Context& c) {
  std::vector<ConfigPiece> pieces;
  auto read = [&](uint32_t offset, uint32_t width) {
    const Observation observation = c.Do(op::ReadConfig{offset, width});
    if (!observation.refused) pieces.push_back({offset, observation.bytes});
    return !observation.refused;
  };
  const uint32_t size = std::min(c.facts().config_size, kMostConfig);
  for (uint32_t offset = 0; offset < size; offset += 4)
    if (offset + 4 > size || !read(offset, 4))
      for (uint32_t i = offset; i < std::min(offset + 4, size); ++i) read(i, 1);
  return pieces;
}

std::vector<ConfigPiece> ReadConfigAtRest(Context& c) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto pieces = ReadConfigSpace(c);
    if (ReadConfigSpace(c) == pieces) return pieces;
  }
  c.NotApplicable("the config space changes by itself all the time");
}

std::map<uint32_t, uint8_t> Flatten(const std::vector<ConfigPiece>& pieces) {
  std::map<uint32_t, uint8_t> bytes;
  for (const ConfigPiece& piece : pieces)
    for (uint32_t i = 0; i < piece.bytes.size(); ++i) bytes[piece.offset + i] = piece.bytes[i];
  return bytes;
}

void ExpectConfigUnchanged(Context& c, const std::vector<ConfigPiece>& before,
                           const char* requirement, const std::string& say) {
  if (before.empty()) return;
  const auto now = ReadConfigSpace(c);
  const ConfigPiece* odd = &before.front();
  for (const ConfigPiece& piece : before)
    if (std::find(now.begin(), now.end(), piece) == now.end()) {
      odd = &piece;
      break;
    }
  if (now != before && SaidToHaveChanged(c)) c.NotApplicable("the config space changed meanwhile");
  c.Do(op::ReadConfig{odd->offset, static_cast<uint32_t>(odd->bytes.size())});
  c.Expect(Accept::SameBytes(odd->bytes), requirement,
           fmt::format("{} (offset {})", say, odd->offset));
}

void ExpectWide(Context& c, uint32_t offset, uint64_t value, const char* requirement,
                const std::string& because) {
  if (!c.Do(op::ReadConfig{offset, 8}).refused) {
    c.Expect(Accept::Equal(value), requirement, because);
    return;
  }
  for (const uint32_t half : {0u, 4u}) {
    c.Do(op::ReadConfig{offset + half, 4});
    c.Expect(Accept::Equal(value >> (8 * half) & UINT32_MAX), requirement, because);
  }
}

bool SaidToHaveChanged(Context& c) {
  return c.Has(Ability::kConfigNotification) && c.Do(op::TakeConfigNotifications{}).value > 0;
}

}  // namespace vitro
