// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/parts.h"

#include <algorithm>

namespace vitro::pcidev {
namespace {

Part DecodeHeader(ByteView bytes) {
  Part part;
  part.type = LoadLe<uint16_t>(&bytes[admin::kPartType]);
  part.flags = bytes[admin::kPartFlags];
  part.selector = LoadLe<uint64_t>(&bytes[admin::kPartSelector]);
  part.length = LoadLe<uint32_t>(&bytes[admin::kPartLength]);
  return part;
}

bool IsZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

const Part* Find(const Parts& parts, const Part& like) {
  const auto it =
      std::find_if(parts.begin(), parts.end(), [&](const Part& each) { return each.SameAs(like); });
  return it == parts.end() ? nullptr : &*it;
}

void AppendHeader(Bytes& bytes, const Part& part) {
  Bytes header(admin::kPartHeader);
  StoreLe<uint16_t>(&header[admin::kPartType], part.type);
  header[admin::kPartFlags] = part.flags;
  StoreLe<uint64_t>(&header[admin::kPartSelector], part.selector);
  StoreLe<uint32_t>(&header[admin::kPartLength], part.length);
  bytes.insert(bytes.end(), header.begin(), header.end());
}

Bytes EncodeParts(const Parts& parts) {
  Bytes bytes;
  for (const Part& part : parts) {
    AppendHeader(bytes, part);
    bytes.insert(bytes.end(), part.value.begin(), part.value.end());
  }
  bytes.resize((bytes.size() + admin::kUnit - 1) / admin::kUnit * admin::kUnit);
  return bytes;
}

std::optional<Parts> DecodeParts(ByteView bytes) {
  Parts parts;
  while (!IsZero(bytes.first(std::min<size_t>(bytes.size(), admin::kPartHeader)))) {
    if (bytes.size() < admin::kPartHeader) return std::nullopt;
    Part part = DecodeHeader(bytes);
    bytes = bytes.subspan(admin::kPartHeader);
    if (part.length > bytes.size()) return std::nullopt;
    part.value.assign(bytes.begin(), bytes.begin() + part.length);
    bytes = bytes.subspan(part.length);
    parts.push_back(std::move(part));
  }
  return parts;
}

Parts DecodeHeaders(ByteView bytes) {
  Parts parts;
  for (; bytes.size() >= admin::kPartHeader; bytes = bytes.subspan(admin::kPartHeader))
    if (!IsZero(bytes.first(admin::kPartHeader))) parts.push_back(DecodeHeader(bytes));
  return parts;
}

}  // namespace vitro::pcidev
