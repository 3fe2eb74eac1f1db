// SPDX-License-Identifier: Apache-2.0
// What the checks of the device configuration space (2.5) share: the fields as far as they are
// known, and ways to read all of the space. Known are block devices and Vitro's experimental type.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "suite/checks/check.h"
#include "suite/checks/context.h"

namespace vitro {

struct ConfigField {
  uint32_t offset, width;  // bytes
};
struct ConfigLayout {
  uint32_t size = 0;
  std::vector<ConfigField> read_only;  // of every driver and always
  // A driver that negotiated all may write here what it reads there.
  std::vector<ConfigField> writable;
  std::vector<ConfigField> unsettled;  // may read otherwise before FEATURES_OK
};
std::optional<ConfigLayout> ConfigLayoutOf(const Context& c);

// Vitro's own experimental device, not somebody else's of the same id.
bool IsVitrosOwn(const Context& c);
void RequireVitrosOwn(Context& c);

// All device-specific features of a device whose fields are known, or else none.
FeatureSet FieldFeatures(const Context& c);

// One access and what it gave.
struct ConfigPiece {
  uint32_t offset = 0;
  Bytes bytes;
  friend bool operator==(const ConfigPiece&, const ConfigPiece&) = default;
};
// At most this many bytes of config space are looked at.
inline constexpr uint32_t kMostConfig = 256;
// What can be read, in aligned pieces of 4 bytes, or of 1 where those are refused.
std::vector<ConfigPiece> ReadConfigSpace(Context& c);
// The same, but ends the check with a device whose config changes all the time by itself.
std::vector<ConfigPiece> ReadConfigAtRest(Context& c);
// By offset.
std::map<uint32_t, uint8_t> Flatten(const std::vector<ConfigPiece>& pieces);
// Compares all of the space with what it was. `say` is what ought to be.
void ExpectConfigUnchanged(Context& c, const std::vector<ConfigPiece>& before,
                           const char* requirement, const std::string& say);

// Judges a field of 64 bits: in one read, or in halves where a transport has none so wide (4.1.3.1,
// 4.2.2.2).
void ExpectWide(Context& c, uint32_t offset, uint64_t value, const char* requirement,
                const std::string& because);

// Has the device said that its config changed since this was last asked?
bool SaidToHaveChanged(Context& c);

void AddConfigWriteChecks(std::vector<Check>& list);

}  // namespace vitro
