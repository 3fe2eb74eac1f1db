// SPDX-License-Identifier: Apache-2.0
// The suite as GoogleTest tests, for a device author's own test binary:
//
//   int main(int argc, char** argv) {
//     vitro::RegisterConformanceTests({.device = vitro_device_entry(VITRO_ABI_VERSION)});
//     testing::InitGoogleTest(&argc, argv);
//     return RUN_ALL_TESTS();
//   }
//
// Every check becomes one test, `Vitro/<device>.<check id with '_' for '.' and '-'>`, so that
// filters, sharding, repetition and the XML output of GoogleTest work as for any other test. Each
// runs in a forked child with a deadline: a device that crashes or hangs fails one test. What a
// check cannot ask of this device is skipped, with the reason.
//
// The test `Vitro/<device>.probe` looks at the device once, when the first of the tests runs. If
// that is not possible, the first test of the process that noticed fails, and the others are
// skipped.
//
// Environment:
//   VITRO_IN_PROCESS=1   no child processes and no deadlines, for debuggers
//   VITRO_OUT=DIR        where the programs of failed checks go; default: the tests' temporary
//   directory
//
// Children are forked: let no threads of your own run while these tests do.
#pragma once

#include <chrono>
#include <cstdint>
#include <source_location>
#include <string>
#include <vector>

#include "devices/abi/vitro_device.h"

namespace vitro {

struct ConformanceTests {
  // The device: a table of operations that is linked into this program, ...
  const vitro_device_ops* device = nullptr;
  std::string options;  // for its create(): "key=value,key=value"
  // ... or, where `device` is null, an attach string ("vhost-user:...", "inproc:...").
  std::string attach;

  // What the device's type is: a profile's file, or the name of a built-in one; "": the built-in
  // one of its id, if there is one.
  std::string profile;

  // In test names; "" for the device's own name.
  std::string name;
  // Checks to run and not to run: the beginning of a check's or a requirement's id at a dot, or
  // "tag:NAME". No `select`: all.
  std::vector<std::string> select, exclude;
  bool strict = false;  // a warning (a SHOULD that was violated) fails its test
  uint64_t seed = 1;
  std::chrono::milliseconds limit{10'000};    // for one check
  std::chrono::milliseconds response{1'000};  // a device that takes longer than this is silent
};

// To be called before RUN_ALL_TESTS(), in main() or by a static initialiser, once for each device.
// Never fails and never touches the device: what is wrong with the arguments fails the test
// `probe`. Failures are shown at `where`.
void RegisterConformanceTests(const ConformanceTests& tests,
                              std::source_location where = std::source_location::current());

}  // namespace vitro
