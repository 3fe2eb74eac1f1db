// SPDX-License-Identifier: Apache-2.0
// Attach strings: what they parse to, and that each mistake is told in one sentence.
#include "harness/attach/attach.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "devices/abi/vitro_device.h"
#include "devices/ref/registry.h"
#include "harness/attach/reference.h"

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

TEST(ParseAttach, TakesItApart) {
  const auto string = ParseAttach("ref:blk,fault=x,queues=2");
  ASSERT_TRUE(string);
  EXPECT_EQ(string->kind, "ref");
  EXPECT_EQ(string->where, "blk");
  EXPECT_THAT(string->options, ElementsAre(Pair("fault", "x"), Pair("queues", "2")));
  EXPECT_EQ(string->OptionsText(), "fault=x,queues=2");
  EXPECT_EQ(string->text, "ref:blk,fault=x,queues=2");
}

TEST(ParseAttach, TheFirstColonEndsTheKind) {
  const auto string = ParseAttach("inproc:/a:b/c.so,x=1:2");
  ASSERT_TRUE(string);
  EXPECT_EQ(string->where, "/a:b/c.so");
  EXPECT_EQ(string->options.at("x"), "1:2");
}

TEST(ParseAttach, QuotesHoldCommasAndEqualsSigns) {
  const auto string =
      ParseAttach("vhost-user:\"/run/a,b.sock\",spawn=\"back-end --opt a=1,b=2 {path}\",x=y");
  ASSERT_TRUE(string);
  EXPECT_EQ(string->where, "/run/a,b.sock");
  EXPECT_EQ(string->options.at("spawn"), "back-end --opt a=1,b=2 {path}");
  EXPECT_EQ(string->options.at("x"), "y");
  EXPECT_EQ(ParseAttach("ref:blk,a=x\"y,z\"w")->options.at("a"), "xy,zw");
}

TEST(ParseAttach, ValuesMayBeEmptyAndHoldEqualsSigns) {
  const auto string = ParseAttach("ref:blk,a=,b=c=d");
  ASSERT_TRUE(string);
  EXPECT_EQ(string->options.at("a"), "");
  EXPECT_EQ(string->options.at("b"), "c=d");
}

TEST(ParseAttach, EachMistakeIsAUsageErrorInOneSentence) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"", "is not an attach string: expected ref:NAME"},
      {"blk", "'blk' is not an attach string"},
      {"ref", "'ref' is not an attach string"},
      {"nbd:blk", "'nbd:blk' is not an attach string"},
      {"REF:blk", "is not an attach string"},
      {":blk", "is not an attach string"},
      {"ref:", "a name is missing after 'ref:'"},
      {"ref:,fault=x", "a name is missing after 'ref:'"},
      {"inproc:", "a path is missing after 'inproc:'"},
      {"ref:blk,fault", "'fault' is not key=value"},
      {"ref:blk,=x", "'=x' is not key=value"},
      {"ref:blk,", "'' is not key=value"},
      {"ref:blk,a=1,a=2", "'a' is given twice"},
      {"vhost-user:x,spawn=\"a", "a quote is not closed"}};
  for (auto [text, message] : mistakes) {
    const auto string = ParseAttach(text);
    ASSERT_FALSE(string) << text;
    EXPECT_EQ(string.error().kind, ErrorKind::kUsage) << text;
    EXPECT_THAT(string.error().message, HasSubstr(message));
    EXPECT_THAT(string.error().message, Not(HasSubstr("\n")));
  }
}

TEST(AttachString, TakeLeavesTheRest) {
  auto string = ParseAttach("vhost-user:x,spawn=a,type=blk").value();
  EXPECT_EQ(string.Take("spawn"), "a");
  EXPECT_EQ(string.Take("spawn"), std::nullopt);
  EXPECT_THAT(string.options, ElementsAre(Pair("type", "blk")));
}

class OpenTest : public testing::Test {
 protected:
  void SetUp() override { SetReferenceDevices({ref::FindReferenceDevice, "blk, entropy"}); }
  void TearDown() override { SetReferenceDevices({}); }
  GuestMemory memory = GuestMemory::CreateDefault().value();
};

TEST_F(OpenTest, AReferenceDeviceIsFreshEachTime) {
  auto attachment = OpenAttachment("ref:blk,queues=1").value();
  EXPECT_TRUE(attachment->independent());
  EXPECT_EQ(attachment->string().text, "ref:blk,queues=1");
  auto first = attachment->Attach(memory).value();
  auto second = attachment->Attach(memory).value();
  ASSERT_TRUE(first->WriteStatus(1));
  EXPECT_EQ(first->ReadStatus().value(), 1);
  EXPECT_EQ(second->ReadStatus().value(), 0);
  EXPECT_EQ(first->identity().device_id, 2u);
  EXPECT_EQ(first->identity().queue_count, 1u);
}

TEST_F(OpenTest, AnUnknownReferenceDeviceNamesTheOthers) {
  const auto attachment = OpenAttachment("ref:nope");
  ASSERT_FALSE(attachment);
  EXPECT_EQ(attachment.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(attachment.error().message,
              HasSubstr("no reference device 'nope'; there are: blk, entropy"));
}

TEST_F(OpenTest, OptionsThatTheDeviceRefusesAreToldInItsOwnWords) {
  auto attachment = OpenAttachment("ref:blk,nope=1").value();
  const auto transport = attachment->Attach(memory);
  ASSERT_FALSE(transport);
  EXPECT_THAT(transport.error().message, HasSubstr("this device has no option 'nope'"));
}

TEST_F(OpenTest, ALibraryThatIsNotThereOrIsNone) {
  auto attachment = OpenAttachment("inproc:/nonexistent/device.so");
  ASSERT_FALSE(attachment);
  EXPECT_EQ(attachment.error().kind, ErrorKind::kAttach);
  EXPECT_THAT(attachment.error().message, HasSubstr("/nonexistent/device.so: No such file"));
  attachment = OpenAttachment("inproc:/proc/self/status");
  ASSERT_FALSE(attachment);
  EXPECT_EQ(attachment.error().kind, ErrorKind::kAttach);
  EXPECT_THAT(attachment.error().message, HasSubstr("cannot be loaded"));
}

// A table whose create() says which options it was given, and refuses.
const vitro_device_ops* Telltale() {
  static const vitro_device_ops ops = [] {
    vitro_device_ops table = *ref::FindReferenceDevice("blk");
    table.name = "telltale";
    table.create = [](const vitro_host* host, const char* options, vitro_device**) {
      host->log(host->context, options);
      return -1;
    };
    return table;
  }();
  return &ops;
}

TEST_F(OpenTest, ALinkedDeviceGetsItsOptionsAsTheyAre) {
  for (const std::string options : {"", "a=1", "b=1,a=2,c=x=y", "flag", "flag,b=1", "=", ",,"}) {
    auto attachment = OpenDeviceOps(Telltale(), options);
    EXPECT_EQ(attachment->string().where, "telltale");
    const auto transport = attachment->Attach(memory);
    ASSERT_FALSE(transport);
    EXPECT_EQ(transport.error().kind, ErrorKind::kAttach);
    const std::string reason = options.empty() ? "create() refused without a reason" : options;
    EXPECT_EQ(transport.error().message, "telltale: " + reason);
  }
}

TEST_F(OpenTest, ALinkedDeviceThatIsNoneIsRefusedWhenAttached) {
  EXPECT_EQ(OpenDeviceOps(nullptr, "")->Attach(memory).error().kind, ErrorKind::kAttach);
  vitro_device_ops ops = *ref::FindReferenceDevice("blk");
  ops.abi_version = VITRO_ABI_VERSION + 1;
  EXPECT_THAT(OpenDeviceOps(&ops, "")->Attach(memory).error().message, HasSubstr("ABI version"));
  ops = *ref::FindReferenceDevice("blk");
  ops.notify = nullptr;
  EXPECT_THAT(OpenDeviceOps(&ops, "")->Attach(memory).error().message,
              HasSubstr("no operation 'notify'"));
  ops = *ref::FindReferenceDevice("blk");
  ops.size = 8;
  EXPECT_THAT(OpenDeviceOps(&ops, "")->Attach(memory).error().message, HasSubstr("8 bytes"));
}

}  // namespace
}  // namespace vitro
