// SPDX-License-Identifier: Apache-2.0
// ConfigModel: what each byte of a configuration space (2.5) may read after a driver wrote to it,
// by the fields of the device's profile. Where a driver made an access that is not its right, a
// byte may be old or new, but nothing else; where the profile does not tell, it may be anything.
// Knows nothing of checks, so that fuzz targets can use it.
//
//   ConfigModel model(fields, size);
//   model.Observe(0, bytes);            // as it is now
//   model.Write(8, {1, 2, 3, 4});
//   if (auto odd = model.FirstOdd(0, bytes_read_now)) ...
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "harness/base/bytes.h"
#include "suite/profile/profile.h"

namespace vitro {

class ConfigModel {
 public:
  ConfigModel(std::vector<ProfileField> fields, uint32_t size);
  ConfigModel(const ConfigModel&) = delete;
  ConfigModel& operator=(const ConfigModel&) = delete;

  // From here on writes are not a driver's right, whatever their shape: before FEATURES_OK.
  void TreatWritesAsOdd(bool on) { all_odd_ = on; }
  // Is it an access that a driver may make: a field in its own width, or half of one of 64 bits
  // (4.1.3.1, 4.2.2.2)?
  bool IsDriversRight(uint32_t offset, size_t width) const;
  // The driver wrote these bytes.
  void Write(uint32_t offset, ByteView bytes);
  // The bytes read like this, and are taken to be right.
  void Observe(uint32_t offset, ByteView bytes);
  // The offset of the first byte that must not read like this.
  std::optional<uint32_t> FirstOdd(uint32_t offset, ByteView bytes) const;
  // A value that the byte may have; `read` if nothing is known of it.
  uint8_t Expected(uint32_t offset, uint8_t read) const;
  bool IsReadOnly(uint32_t offset) const;

  const std::vector<ProfileField>& fields() const { return fields_; }
  uint32_t size() const { return static_cast<uint32_t>(bytes_.size()); }

 private:
  enum class Rule : uint8_t { kUnknown, kConstant, kWritten };
  struct Byte {
    Rule rule = Rule::kUnknown;
    bool anything = true;  // until it is observed
    std::vector<uint8_t> allowed;
    const ProfileField* field = nullptr;
  };
  static Rule RuleOf(const ProfileField& field);
  // What the field holds if the allowed bytes are single; with `bytes` written over it.
  bool BecomesLegal(const ProfileField& field, uint32_t offset, ByteView bytes) const;

  std::vector<ProfileField> fields_;
  std::vector<Byte> bytes_;
  bool all_odd_ = false;
};

}  // namespace vitro
