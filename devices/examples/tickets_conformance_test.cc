// SPDX-License-Identifier: Apache-2.0
// The ticket dispenser under the whole suite, as its author would have it: the device linked into a
// GoogleTest binary of their own. `--gtest_filter=Vitro/tickets.reset*` picks tests, and
// VITRO_IN_PROCESS=1 keeps a debugger in the process.
#include <gtest/gtest.h>

#include "suite/gtest/vitro_gtest.h"

int main(int argc, char** argv) {
  vitro::RegisterConformanceTests(
      {.device = vitro_device_entry(VITRO_ABI_VERSION), .name = "tickets", .strict = true});
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
