// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/config_space.h"

#include <algorithm>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "harness/virtio/mmio.h"
#include "suite/checks/config_fields.h"

namespace vitro {
namespace {

namespace xp = experimental;

// May read otherwise before FEATURES_OK than after.
bool IsUnsettled(const Context& c, const ProfileField& field) {
  if (IsVitrosOwn(c) && field.offset == xp::kConfigGated) return true;
  return field.access == FieldAccess::kReadWrite || field.changes == FieldChanges::kByDriver;
}

// Does the set have what the bit needs, and nothing that it must not be with?
bool Fits(const ProfileFeature& feature, FeatureSet set) {
  return Holds(feature.requires_, set) &&
         std::none_of(feature.conflicts.begin(), feature.conflicts.end(),
                      [&](unsigned bit) { return set.Has(bit); });
}

}  // namespace

bool IsVitrosOwn(const Context& c) {
  return IsVitroExperimental(c.facts()) && c.facts().config_size >= xp::kConfigSize;
}

void RequireVitrosOwn(Context& c) {
  if (!IsVitrosOwn(c)) c.NotApplicable("this is not Vitro's own experimental device");
}

std::optional<ConfigLayout> ConfigLayoutOf(const Context& c) {
  if (c.profile() == nullptr) return std::nullopt;
  ConfigLayout layout;
  // Whatever the driver accepts: what does not exist for it is not writable either.
  for (const ProfileField& field : FieldsWith(c, c.facts().offered)) {
    layout.size = std::max(layout.size, field.offset + field.width);
    if (IsUnsettled(c, field)) layout.unsettled.push_back({field.offset, field.width});
    if (field.access == FieldAccess::kReadOnly) {
      layout.read_only.push_back({field.offset, field.width, IsPadding(field)});
    } else if (!field.action) {
      const uint32_t width = std::min(field.width, 4u);
      for (uint32_t at = 0; at < field.width; at += width)
        layout.writable.push_back({field.offset + at, width});
    }
  }
  return layout;
}

FeatureSet FieldFeatures(const Context& c) {
  FeatureSet features;
  const Profile* profile = c.profile();
  if (profile == nullptr) return features;
  // A bit may need one that is declared after it.
  for (bool more = true; more;) {
    more = false;
    for (const ProfileFeature& feature : profile->features) {
      if (feature.legacy || features.Has(feature.bit) || !c.facts().offered.Has(feature.bit) ||
          !Fits(feature, features.With(feature::kVersion1)))
        continue;
      features.Add(feature.bit);
      more = true;
    }
  }
  // Not to be accepted for host-managed zoned devices (5.2.5.1).
  if (profile->id == device_id::kBlk && features.Has(blk::kFeatureZoned))
    features.Remove(blk::kFeatureDiscard);
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

void StimulateChange(Context& c) {
  if (c.Do(op::StimulateConfigChange{}).refused)
    c.NotApplicable("the device has nothing in its config space that changes");
  c.Do(c.Has(Ability::kConfigNotification) ? Operation(op::WaitConfigNotification{})
                                           : Operation(op::Quiesce{}));
}

bool WriteOrReconnect(Context& c, const Operation& write, const BringUp& how) {
  auto written = c.Try(write);
  if (written) return true;
  const bool crashed = c.session().transport().Died().value_or(Transport::Death{}).by_signal;
  if (written.error().kind != ErrorKind::kDeviceLost || crashed || !c.Try(op::Reconnect{}))
    throw CheckEnded{CheckEnded::Why::kError, written.error()};
  c.Up(how);
  c.BeginHostile();
  return false;
}

Operation WriteOfAnyShape(const Context& c, uint32_t offset, Bytes bytes) {
  const auto width = static_cast<uint32_t>(bytes.size());
  const bool natural = width <= 4 && offset % width == 0;
  if (!natural && c.Has(Ability::kPciFunction))
    return op::WriteRegister{"device", offset, width, LoadLe(bytes)};
  if (!natural && c.Has(Ability::kMmioWindow))
    return op::WriteRegister{"mmio", uint64_t{mmio::kConfig} + offset, width, LoadLe(bytes)};
  return op::WriteConfig{offset, std::move(bytes)};
}

void AdviseAsModelled(Context& c, ConfigModel& model, const char* requirement,
                      const std::string& say) {
  for (const ConfigPiece& piece : ReadConfigSpace(c)) {
    const auto odd = model.FirstOdd(piece.offset, piece.bytes);
    if (!odd) continue;
    c.Do(op::ReadConfig{piece.offset, static_cast<uint32_t>(piece.bytes.size())});
    Bytes right = c.last().bytes;
    for (uint32_t i = 0; i < right.size(); ++i)
      right[i] = model.Expected(piece.offset + i, right[i]);
    c.Advise(Accept::SameBytes(right), requirement, fmt::format("{} (offset {})", say, *odd));
    return;
  }
}

void Observe(Context& c, ConfigModel& model) {
  for (const ConfigPiece& piece : ReadConfigSpace(c)) model.Observe(piece.offset, piece.bytes);
}

const char* GenerationRule(const Context& c) {
  if (c.Has(Ability::kPciFunction))
    return "dev.pci.pci-device-layout.common-configuration-structure-layout.6";
  if (c.Has(Ability::kMmioWindow)) return "dev.mmio.mmio-device-register-layout.6";
  return "derived.config.generation-moves";
}

bool SaidToHaveChanged(Context& c) {
  return c.Has(Ability::kConfigNotification) && c.Do(op::TakeConfigNotifications{}).value > 0;
}

}  // namespace vitro
