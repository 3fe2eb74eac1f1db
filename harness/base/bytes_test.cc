// SPDX-License-Identifier: Apache-2.0
#include "harness/base/bytes.h"

#include <gtest/gtest.h>

namespace vitro {
namespace {

TEST(Bytes, HexRoundTrips) {
  const Bytes bytes = {0x00, 0x7f, 0xab, 0xff};
  EXPECT_EQ(ToHex(bytes), "007fabff");
  EXPECT_EQ(FromHex("007fABff").value(), bytes);
}

TEST(Bytes, HexRefusesWhatIsNotHex) {
  EXPECT_EQ(FromHex("123").error().kind, ErrorKind::kUsage);
  EXPECT_EQ(FromHex("0g").error().message, "'0g' is not hexadecimal");
}

TEST(Bytes, PatternDoesNotDependOnLengthAndDiffersBySeed) {
  const Bytes longer = Pattern(7, 100), shorter = Pattern(7, 13);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
  EXPECT_NE(Pattern(8, 100), longer);
  EXPECT_EQ(PatternByte(7, 42), longer[42]);
}

TEST(Bytes, LittleEndianOfAnyWidth) {
  EXPECT_EQ(LeBytes(0x0102, 2), (Bytes{2, 1}));
  EXPECT_EQ(LoadLe(Bytes{1, 2, 3}), 0x030201u);
  EXPECT_EQ(LoadLe(LeBytes(0x1122334455667788, 8)), 0x1122334455667788u);
}

}  // namespace
}  // namespace vitro
