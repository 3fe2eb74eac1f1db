// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/config_model.h"

#include <algorithm>

#include "suite/checks/config_fields.h"

namespace vitro {

ConfigModel::Rule ConfigModel::RuleOf(const ProfileField& field) {
  if (field.changes == FieldChanges::kByDevice || field.action) return Rule::kUnknown;
  if (field.access == FieldAccess::kReadOnly)
    return field.changes == FieldChanges::kNever ? Rule::kConstant : Rule::kUnknown;
  return field.commit == FieldCommit::kEachWrite ? Rule::kWritten : Rule::kUnknown;
}

ConfigModel::ConfigModel(std::vector<ProfileField> fields, uint32_t size)
    : fields_(std::move(fields)), bytes_(size) {
  for (const ProfileField& field : fields_)
    for (uint32_t i = 0; i < field.size() && field.offset + i < size; ++i) {
      bytes_[field.offset + i].rule = RuleOf(field);
      bytes_[field.offset + i].field = &field;
    }
}

bool ConfigModel::IsDriversRight(uint32_t offset, size_t width) const {
  if (offset >= bytes_.size() || bytes_[offset].field == nullptr || all_odd_) return false;
  const ProfileField& field = *bytes_[offset].field;
  if (field.access != FieldAccess::kReadWrite) return false;
  if (field.width == 8) return width == 4 && (offset - field.offset) % 4 == 0;
  return offset == field.offset && width == field.width;
}

bool ConfigModel::BecomesLegal(const ProfileField& field, uint32_t offset, ByteView bytes) const {
  if (field.values.empty()) return true;
  uint64_t value = 0;
  for (uint32_t i = 0; i < field.width; ++i) {
    const uint32_t at = field.offset + i;
    const Byte& byte = bytes_[at];
    const bool written = at >= offset && at - offset < bytes.size();
    if (!written && byte.allowed.size() != 1) return false;
    value |= uint64_t{written ? bytes[at - offset] : byte.allowed[0]} << (8 * i);
  }
  return IsLegalValue(field, value);
}

void ConfigModel::Write(uint32_t offset, ByteView bytes) {
  const bool right = IsDriversRight(offset, bytes.size());
  for (uint32_t i = 0; i < bytes.size() && offset + i < bytes_.size(); ++i) {
    Byte& byte = bytes_[offset + i];
    if (byte.rule != Rule::kWritten) continue;
    if (!BecomesLegal(*byte.field, offset, bytes)) {
      byte.anything = true;
    } else if (right) {
      byte.anything = false;
      byte.allowed = {bytes[i]};
    } else {
      byte.allowed.push_back(bytes[i]);
    }
  }
}

void ConfigModel::Observe(uint32_t offset, ByteView bytes) {
  for (uint32_t i = 0; i < bytes.size() && offset + i < bytes_.size(); ++i) {
    Byte& byte = bytes_[offset + i];
    byte.anything = byte.rule == Rule::kUnknown;
    byte.allowed = {bytes[i]};
  }
}

std::optional<uint32_t> ConfigModel::FirstOdd(uint32_t offset, ByteView bytes) const {
  for (uint32_t i = 0; i < bytes.size() && offset + i < bytes_.size(); ++i)
    if (Expected(offset + i, bytes[i]) != bytes[i]) return offset + i;
  return std::nullopt;
}

uint8_t ConfigModel::Expected(uint32_t offset, uint8_t read) const {
  if (offset >= bytes_.size()) return read;
  const Byte& byte = bytes_[offset];
  if (byte.anything || byte.allowed.empty() ||
      std::find(byte.allowed.begin(), byte.allowed.end(), read) != byte.allowed.end())
    return read;
  return byte.allowed.back();
}

bool ConfigModel::IsReadOnly(uint32_t offset) const {
  return offset < bytes_.size() && bytes_[offset].field != nullptr &&
         bytes_[offset].field->access == FieldAccess::kReadOnly;
}

}  // namespace vitro
