// SPDX-License-Identifier: Apache-2.0
// Qtest and Qmp against other sides made of what they would say: answers, interrupt lines between
// them, garbage, silence, and ends in the middle.
#include "harness/attach/qemu/qtest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "harness/attach/qemu/qmp.h"

namespace vitro::qemu {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// The other end of a connection. What it says lies ready before it is asked.
class OtherSide {
 public:
  OtherSide() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ours_.Reset(ends[0]);
    theirs_.Reset(ends[1]);
  }
  UniqueFd Take() { return std::move(ours_); }
  void Say(std::string_view text) {
    EXPECT_EQ(send(theirs_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  std::string Heard() {
    char buffer[4096];
    const ssize_t count = recv(theirs_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return count > 0 ? std::string(buffer, static_cast<size_t>(count)) : "";
  }
  void End() { theirs_.Reset(); }

 private:
  UniqueFd ours_, theirs_;
};

class QtestTest : public testing::Test {
 protected:
  OtherSide other_;
  int ends_ = 0;  // how often it was asked how the other side ended
  Qtest qtest_{other_.Take(), milliseconds(50), [this] {
                 ++ends_;
                 return std::string("it ended");
               }};
};

TEST_F(QtestTest, AnswersAreNumbersOrNothing) {
  other_.Say("OK 0xdeadbeef\nOK\nOK 0x00000000000000ff\nOK little\n");
  EXPECT_EQ(qtest_.AskNumber("readl 0x10\n").value(), 0xdeadbeefu);
  EXPECT_EQ(qtest_.Ask("writel 0x10 0x1\n").value(), "");
  EXPECT_EQ(qtest_.AskNumber("readb 0x10\n").value(), 0xffu);
  EXPECT_EQ(qtest_.Ask("endianness\n").value(), "little");
  EXPECT_EQ(other_.Heard(), "readl 0x10\nwritel 0x10 0x1\nreadb 0x10\nendianness\n");
}

TEST_F(QtestTest, SeveralCommandsGoAtOnce) {
  other_.Say("OK\nIRQ raise 3\nOK 0x7\n");
  EXPECT_EQ(qtest_.AskNumber("outl 0xcf8 0x0\ninl 0xcfc\n", 2).value(), 7u);
}

TEST_F(QtestTest, InterruptLinesComeBetween) {
  other_.Say("IRQ raise 16\nOK 0x1\n");
  EXPECT_TRUE(qtest_.AskNumber("inb 0x1\n"));
  EXPECT_TRUE(qtest_.AnyAsserted(16, 23));
  EXPECT_FALSE(qtest_.AnyAsserted(0, 15));
  EXPECT_EQ(qtest_.TakeRises(16, 23), 1u);
  EXPECT_EQ(qtest_.TakeRises(16, 23), 0u);

  other_.Say("IRQ lower 16\nIRQ raise 17\nIRQ raise 17\nIRQ lower 17\nIRQ raise 17\nIRQ raise 0\n");
  ASSERT_TRUE(qtest_.TakeIn());
  EXPECT_TRUE(qtest_.AnyAsserted(16, 23));
  EXPECT_EQ(qtest_.TakeRises(16, 23), 2u) << "raised while it was raised is no rise";
  other_.Say("IRQ lower 17\n");
  ASSERT_TRUE(qtest_.TakeIn());
  EXPECT_FALSE(qtest_.AnyAsserted(16, 23));
}

TEST_F(QtestTest, LinesArriveInPieces) {
  other_.Say("IRQ rai");
  ASSERT_TRUE(qtest_.TakeIn());
  other_.Say("se 18\nO");
  ASSERT_TRUE(qtest_.TakeIn());
  EXPECT_EQ(qtest_.TakeRises(18, 18), 1u);
  other_.Say("K 0x2");
  other_.Say("a\r\n");
  EXPECT_EQ(qtest_.AskNumber("inb 0x1\n").value(), 0x2au);
}

TEST_F(QtestTest, LinesBeyondAllAreIgnored) {
  other_.Say("IRQ raise 4000000000\nIRQ raise 300\nIRQ raise 255\n");
  ASSERT_TRUE(qtest_.TakeIn());
  EXPECT_TRUE(qtest_.AnyAsserted(255, 300));
}

TEST_F(QtestTest, ALateAnswerIsPassedOver) {
  const auto silent = qtest_.AskNumber("readl 0x10\n");
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().kind, ErrorKind::kTimeout);
  EXPECT_THAT(silent.error().message, HasSubstr("did not answer 'readl 0x10' within 50 ms"));
  other_.Say("OK 0x1\nOK 0x2\n");
  EXPECT_EQ(qtest_.AskNumber("readl 0x20\n").value(), 2u);

  EXPECT_FALSE(qtest_.Ask("writel 0x10 0x1\n"));
  other_.Say("OK\n");
  EXPECT_TRUE(qtest_.TakeIn());
  other_.Say("OK 0x3\n");
  EXPECT_EQ(qtest_.AskNumber("readl 0x20\n").value(), 3u);
}

TEST_F(QtestTest, TheEndIsTold) {
  other_.Say("OK 0x1\n");
  other_.End();
  EXPECT_EQ(qtest_.AskNumber("readl 0x10\n").error().kind, ErrorKind::kDeviceLost)
      << "it could not be asked";
  for (int i = 0; i < 2; ++i) {
    const auto after = qtest_.Ask("endianness\n");
    EXPECT_EQ(after.error().kind, ErrorKind::kDeviceLost);
    EXPECT_EQ(after.error().message, "it ended");
    EXPECT_EQ(qtest_.TakeIn().error().kind, ErrorKind::kDeviceLost);
  }
  EXPECT_EQ(ends_, 1);
}

TEST_F(QtestTest, TheEndMayComeInTheMiddle) {
  other_.Say("IRQ raise 16\nOK\nOK 0x");
  other_.End();
  ASSERT_FALSE(qtest_.TakeIn());
  EXPECT_EQ(qtest_.TakeRises(16, 16), 1u) << "what came before counts";
}

TEST_F(QtestTest, WhatIsNoAnswerBreaksTheConnection) {
  for (const char* bad : {"hello", "OKAY", "", "IRQ raise x", "IRQ raise 1x", "OK zz", "OK 0x",
                          "OK -1", "OK 0x11112222333344445", "\x01\xff"}) {
    OtherSide other;
    Qtest qtest(other.Take(), milliseconds(500), [] { return "it ended"; });
    other.Say(fmt::format("{}\nOK 0x1\n", bad));
    const auto answer = qtest.AskNumber("readl 0x10\n");
    ASSERT_FALSE(answer) << bad;
    EXPECT_EQ(answer.error().kind, ErrorKind::kDeviceLost);
    EXPECT_THAT(answer.error().message, HasSubstr("to 'readl 0x10'"));
    EXPECT_EQ(qtest.Ask("endianness\n").error().message, answer.error().message);
  }
}

TEST_F(QtestTest, ARefusalIsToldWithItsWords) {
  other_.Say("FAIL Unknown command 'readl'\n");
  EXPECT_THAT(qtest_.Ask("readl 0x10\n").error().message,
              HasSubstr("refused 'readl 0x10': FAIL Unknown command 'readl'"));
}

TEST_F(QtestTest, AnAnswerNobodyAskedForBreaksTheConnection) {
  other_.Say("OK 0x1\n");
  EXPECT_THAT(qtest_.TakeIn().error().message, HasSubstr("without being asked"));
}

TEST_F(QtestTest, ALineWithoutAnEndIsNotWaitedForForEver) {
  const std::string much(1 << 16, 'x');
  Result<> result;
  for (int i = 0; result && i < 64; ++i) {
    other_.Say(much);
    result = qtest_.TakeIn();
  }
  EXPECT_FALSE(result);
}

class QmpTest : public testing::Test {
 protected:
  OtherSide other_;
  Qmp qmp_{other_.Take(), milliseconds(50), [] { return "it ended"; }};
  void Greet() { other_.Say("{\"QMP\": {\"version\": {}}}\r\n{\"return\": {}, \"id\": 1}\r\n"); }
};

TEST_F(QmpTest, GreetsOnceAndGivesReturns) {
  Greet();
  other_.Say("{\"event\": \"X\"}\n{\"return\": {\"a\": 5}, \"id\": 2}\n");
  EXPECT_EQ((*qmp_.Execute("query-x", {{"b", 1}}))["a"], 5);
  other_.Say("{\"return\": [], \"id\": 3}\n");
  EXPECT_TRUE(qmp_.Execute("query-y"));
  const std::string heard = other_.Heard();
  const size_t second = heard.find('\n') + 1;
  EXPECT_EQ(json::parse(heard.substr(0, second))["execute"], "qmp_capabilities");
  const json query = json::parse(heard.substr(second, heard.find('\n', second) - second));
  EXPECT_EQ(query, (json{{"execute", "query-x"}, {"id", 2}, {"arguments", {{"b", 1}}}}));
}

TEST_F(QmpTest, ErrorsAreRefusals) {
  Greet();
  other_.Say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such node\"}, \"id\": 2}\n");
  const auto answer = qmp_.Execute("block_resize");
  EXPECT_EQ(answer.error().kind, ErrorKind::kRefused);
  EXPECT_EQ(answer.error().message, "block_resize: no such node");
  other_.Say("{\"error\": 7, \"id\": 3}\n");
  EXPECT_EQ(qmp_.Execute("block_resize").error().kind, ErrorKind::kRefused);
}

TEST_F(QmpTest, LateAnswersArePassedOver) {
  Greet();
  EXPECT_EQ(qmp_.Execute("slow").error().kind, ErrorKind::kTimeout);
  other_.Say("{\"return\": 1, \"id\": 2}\n{\"return\": 2, \"id\": 3}\n");
  EXPECT_EQ(*qmp_.Execute("quick"), 2);
}

TEST_F(QmpTest, GarbageAndTheEndAreTold) {
  other_.Say("SSH-2.0\n");
  EXPECT_EQ(qmp_.Execute("x").error().kind, ErrorKind::kDeviceLost);
  for (const char* greeting : {"[]\n", "{\"hello\": 1}\n", "{\"QMP\": {}}\n{\"id\": 1}\n"}) {
    OtherSide other;
    Qmp qmp(other.Take(), milliseconds(500), [] { return "it ended"; });
    other.Say(greeting);
    EXPECT_EQ(qmp.Execute("x").error().kind, ErrorKind::kDeviceLost) << greeting;
  }
  OtherSide other;
  Qmp qmp(other.Take(), milliseconds(500), [] { return "it ended"; });
  other.Say("{\"QMP\": {}}\n{\"return\"");
  other.End();
  EXPECT_EQ(qmp.Execute("x").error().message, "it ended");
}

}  // namespace
}  // namespace vitro::qemu
