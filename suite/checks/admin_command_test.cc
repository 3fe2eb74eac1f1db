// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/admin_command.h"

#include <gtest/gtest.h>

namespace vitro {
namespace {

TEST(AdminCommand, IsLaidOutAsDescribed) {
  AdminCommand command = ListUse(0x1122334455667788);
  command.group = 0x0201;
  command.member = 0x0807060504030201;
  command.reserved = 0xee;
  const Bytes bytes = Encode(command);
  EXPECT_EQ(ToHex(bytes),
            "01000102"
            "eeeeeeeeeeeeeeeeeeeeeeee"
            "0102030405060708"
            "8877665544332211");
}

TEST(AdminCommand, PartsAreMultiplesOf64Bits) {
  for (size_t size = 0; size < 20; ++size) {
    AdminCommand command = DriverCapSet(3, Bytes(size, 1));
    EXPECT_EQ(Encode(command).size(), 32 + (size + 7) / 8 * 8);
  }
}

TEST(AdminCommand, ResourceCommandsHaveTheirHeaders) {
  EXPECT_EQ(
      ToHex(ByteView(Encode(ResourceCommand(admin::kResourceObjDestroy, 0x201, 7))).subspan(24)),
      "0102000007000000");
  const Bytes create = Encode(ResourceCommand(admin::kResourceObjCreate, 0x200, 1, {1, 2, 3}));
  EXPECT_EQ(create.size(), 24u + 8 + 8 + 8);
  EXPECT_EQ(create[40], 1);
}

TEST(AdminCommand, WhatWasNotWrittenIsZero) {
  const Bytes poison(24, 0xcc);
  AdminReply reply = Decode(poison, 0);
  EXPECT_EQ(reply.status, 0);
  EXPECT_TRUE(reply.result.empty());
  reply = Decode(poison, 2);
  EXPECT_EQ(reply.status, 0xcccc);
  EXPECT_EQ(reply.qualifier, 0);
  reply = Decode(poison, 20);
  EXPECT_EQ(reply.result.size(), 12u);
  EXPECT_EQ(Decode(poison, 4000).length, 24u) << "a device may claim anything";
}

TEST(AdminCommand, StatusesHaveNames) {
  EXPECT_EQ(StatusToText(0, 0), "OK");
  EXPECT_EQ(StatusToText(admin::kEinval, admin::kQInvalidGroup), "EINVAL, INVALID_GROUP");
  EXPECT_EQ(StatusToText(99, 77), "status 99, qualifier 77");
}

TEST(AdminCommand, BitsBeyondTheBitmapAreClear) {
  EXPECT_TRUE(HasBit({0x80}, 7));
  EXPECT_FALSE(HasBit({0x80}, 6));
  EXPECT_FALSE(HasBit({0xff}, 8));
}

}  // namespace
}  // namespace vitro
