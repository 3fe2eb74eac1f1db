// SPDX-License-Identifier: Apache-2.0
// What the checks of the device configuration space (2.5) share: the layout as far as it is known
// (config_fields.h), and ways to read all of the space, to write in any width, and to have it
// change.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "suite/checks/check.h"
#include "suite/checks/config_model.h"
#include "suite/checks/context.h"

namespace vitro {

struct ConfigField {
  uint32_t offset, width;  // bytes
  bool padding = false;
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

// All device-specific features that are offered and can be accepted together, of a device whose
// fields are known, or else none.
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

// Has the device change its config, and waits until it says so. Ends the check where nothing
// changes.
void StimulateChange(Context& c);

// Performs a write that a driver has no right to. A carrier that ends its connection over it is
// connected anew, and the device brought up again: then false, as the config as it was before says
// nothing any more.
bool WriteOrReconnect(Context& c, const Operation& write, const BringUp& how);
// A new connection takes its time: what tries many such writes stops after so many of them.
inline constexpr int kMostReconnects = 8;
// The write of these bytes at this offset, whatever its width and alignment, as far as the level of
// the device lets a driver make it: by the registers where config accesses are the standard's only.
Operation WriteOfAnyShape(const Context& c, uint32_t offset, Bytes bytes);

// Reads all of the space and warns of the first byte that the model does not allow. `say` is what
// ought to be.
void AdviseAsModelled(Context& c, ConfigModel& model, const char* requirement,
                      const std::string& say);
// Takes what the space reads now.
void Observe(Context& c, ConfigModel& model);

// The rule that tells when the generation has to move, by the level of the device.
const char* GenerationRule(const Context& c);

void AddConfigWriteChecks(std::vector<Check>& list);
void AddConfigTearChecks(std::vector<Check>& list);
void AddConfigPieceChecks(std::vector<Check>& list);
void AddConfigTornReadChecks(std::vector<Check>& list);
void AddConfigFuzzChecks(std::vector<Check>& list);

}  // namespace vitro
