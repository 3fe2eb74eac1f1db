// SPDX-License-Identifier: Apache-2.0
// One group administration command as the reference device sees it (2.12.1), and its answer.
#pragma once

#include <algorithm>
#include <utility>

#include "harness/base/bytes.h"
#include "harness/virtio/admin.h"

namespace vitro::ref {

struct AdminCommand {
  uint16_t opcode = 0, group = 0;
  uint64_t member = 0;
  Bytes data;          // command_specific_data as far as the driver supplied it
  uint8_t absent = 0;  // what stands for each byte that it did not
  uint64_t room = 0;   // bytes that there are for command_specific_result

  // An integer of the data, bytes that are not there included.
  template <typename T>
  T Get(size_t at) const {
    uint8_t raw[sizeof(T)];
    for (size_t i = 0; i < sizeof raw; ++i) raw[i] = at + i < data.size() ? data[at + i] : absent;
    return LoadLe<T>(raw);
  }
  Bytes GetBytes(size_t at, size_t length) const {
    Bytes bytes(length, absent);
    for (size_t i = 0; i < length && at + i < data.size(); ++i) bytes[i] = data[at + i];
    return bytes;
  }
};

struct AdminAnswer {
  uint16_t status = admin::kOk, qualifier = admin::kQOk;
  Bytes result;

  static AdminAnswer Of(Bytes result) { return {admin::kOk, admin::kQOk, std::move(result)}; }
  static AdminAnswer Error(uint16_t status, uint16_t qualifier = admin::kQInvalidCommand) {
    return {status, qualifier, {}};
  }
  static AdminAnswer Invalid(uint16_t qualifier) { return Error(admin::kEinval, qualifier); }
};

}  // namespace vitro::ref
