// SPDX-License-Identifier: Apache-2.0
// What the headers of Linux say of device types: somebody else's reading of the standard, for a
// test of the built-in profiles. In C, which the headers are: one of them has a member called
// `class`.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct LinuxNumber {
  const char* profile;
  const char* name;
  uint32_t value;
};
struct LinuxField {
  const char* profile;
  const char* name;
  size_t offset, size;
};
struct LinuxRequest {  // with the shortest lengths, and no features
  const char* profile;
  const char* name;
  size_t readable, writable;
};

extern const struct LinuxNumber kLinuxIds[];
extern const size_t kLinuxIdCount;
extern const struct LinuxNumber kLinuxBits[];
extern const size_t kLinuxBitCount;
extern const struct LinuxField kLinuxFields[];
extern const size_t kLinuxFieldCount;
extern const struct LinuxRequest kLinuxRequests[];
extern const size_t kLinuxRequestCount;

#ifdef __cplusplus
}  // extern "C"
#endif
