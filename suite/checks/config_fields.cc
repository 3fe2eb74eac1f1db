// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/config_fields.h"

#include <algorithm>

#include "suite/checks/config_space.h"

namespace vitro {
namespace {

// Tries the bytes one by one, until the carrier has ended its connection over too many of them.
std::vector<bool> WritableBytes(Context& c, uint32_t size) {
  std::vector<bool> writable(size);
  int reconnects = 0;
  for (uint32_t at = 0; at < size && reconnects < kMostReconnects; ++at) {
    const op::ReadConfig read{at, 1};
    const Bytes old = c.Do(read).bytes;
    if (old.empty()) continue;
    const auto other = static_cast<uint8_t>(~old[0]);
    const auto write = [&](const Bytes& bytes) {
      const bool written = WriteOrReconnect(c, op::WriteConfig{at, bytes}, {.driver_ok = false});
      reconnects += written ? 0 : 1;
      return written;
    };
    if (!write({other})) continue;
    const bool took = c.Do(read).bytes == Bytes{other};
    if (!write(old)) continue;
    writable[at] = took && c.Do(read).bytes == old;
  }
  return writable;
}

}  // namespace

std::vector<ProfileField> FieldsWith(const Context& c, FeatureSet features) {
  std::vector<ProfileField> fields;
  if (c.profile() == nullptr) return fields;
  for (const ProfileField& field : c.profile()->fields) {
    if (!Holds(field.exists, features)) continue;
    for (uint32_t i = 0; i < field.count; ++i) {
      ProfileField element = field;
      element.offset = field.offset + i * field.width;
      element.count = 1;
      if (uint64_t{element.offset} + element.width > c.facts().config_size) break;
      if (field.count > 1) element.name = fmt::format("{}[{}]", field.name, i);
      fields.push_back(std::move(element));
    }
  }
  std::sort(fields.begin(), fields.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  return fields;
}

bool IsPadding(const ProfileField& field) {
  return field.name.starts_with("reserved") || field.name.starts_with("unused") ||
         field.name.starts_with("padding");
}

std::vector<ProfileField> DiscoverFields(Context& c) {
  const uint32_t size = std::min(c.facts().config_size, kMostConfig);
  const std::vector<bool> writable = WritableBytes(c, size);
  std::vector<ProfileField> fields;
  for (uint32_t at = 0; at < size;) {
    ProfileField field;
    field.offset = at;
    field.access = writable[at] ? FieldAccess::kReadWrite : FieldAccess::kReadOnly;
    uint32_t width = 8;
    // Fields of 64 bits are aligned to 4 bytes at least (4.1.3), narrower ones to their width.
    while (width > 1 && (at % std::min(width, 4u) != 0 || at + width > size ||
                         std::count(writable.begin() + at, writable.begin() + at + width,
                                    writable[at]) != static_cast<std::ptrdiff_t>(width)))
      width /= 2;
    field.width = width;
    field.name = fmt::format("{} byte(s) at offset {}", width, at);
    at += width;
    fields.push_back(std::move(field));
  }
  return fields;
}

bool IsLegalValue(const ProfileField& field, uint64_t value) {
  if ((value & ~ByteMask(field.width)) != 0) return false;
  return field.values.empty() ||
         std::any_of(field.values.begin(), field.values.end(),
                     [&](const auto& r) { return r.first <= value && value <= r.second; });
}

std::optional<uint64_t> LegalValue(const ProfileField& field, uint64_t wanted, uint64_t current) {
  const uint64_t mask = ByteMask(field.width);
  for (const uint64_t value : {wanted & mask, ~wanted & mask})
    if (value != current && IsLegalValue(field, value)) return value;
  for (const auto& [first, last] : field.values)
    for (const uint64_t value : {last, first})
      if (value != current) return value;
  return std::nullopt;
}

}  // namespace vitro
