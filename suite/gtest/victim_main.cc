// SPDX-License-Identifier: Apache-2.0
// A test binary around a reference device with a fault of one's choice, for vitro_gtest_test:
// VITRO_VICTIM holds its options, e.g. "fault=used-len-zero", VITRO_VICTIM_DEVICE its name.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "devices/ref/registry.h"
#include "suite/gtest/vitro_gtest.h"

namespace {

std::string Variable(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  vitro::ConformanceTests tests{.options = Variable("VITRO_VICTIM", ""), .name = "victim"};
  tests.device = vitro::ref::FindReferenceDevice(Variable("VITRO_VICTIM_DEVICE", "blk"));
  if (const std::string select = Variable("VITRO_VICTIM_SELECT", ""); !select.empty())
    tests.select = {select};
  tests.strict = Variable("VITRO_VICTIM_STRICT", "0") == "1";
  tests.limit = std::chrono::milliseconds(std::stoi(Variable("VITRO_VICTIM_LIMIT", "60000")));
  vitro::RegisterConformanceTests(tests);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
