// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/vhost_user/connection.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "harness/transport/vhost_user/fake_back_end.h"
#include "harness/transport/vhost_user/wire.h"

namespace vitro::vhost_user {
namespace {

using std::chrono::seconds;

class FakePeer : public Peer {
 public:
  FakePeer() : exit_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  void Die(std::string how) {
    how_ = std::move(how);
    uint64_t one = 1;
    (void)!write(exit_.get(), &one, sizeof one);
  }
  int exit_fd() const override { return exit_.get(); }
  int output_fd() const override { return -1; }
  void Pump() override {}
  std::string Ended() override { return how_; }
  bool EndedBySignal() override { return how_.find("was killed by signal") != std::string::npos; }
  bool EndedCleanly() override { return how_ == "process 7 exited with code 0"; }
  std::string Output() override { return "first line\nlast words\n"; }
  std::string LastWords() override { return "first line | last words"; }

 private:
  UniqueFd exit_;
  std::string how_;
};

class ConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    theirs_ = UniqueFd(ends[0]);
    peer_ = std::make_shared<FakePeer>();
    connection_ = std::make_unique<Connection>(UniqueFd(ends[1]), peer_, timeout_);
  }
  void Put(const Bytes& bytes) {
    ASSERT_EQ(send(theirs_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), ssize_t(bytes.size()));
  }
  static Bytes Reply(Request request, uint64_t value) {
    return FakeBackEnd::Raw(static_cast<uint32_t>(request), kFlagVersion | kFlagReply,
                            LeBytes(value, 8));
  }

  Duration timeout_ = milliseconds(200);
  UniqueFd theirs_;
  std::shared_ptr<FakePeer> peer_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, MatchesRepliesAndAcknowledgementsInOrder) {
  connection_->UseReplyAck(true);
  ASSERT_TRUE(connection_->Send(Request::kSetOwner));
  ASSERT_TRUE(connection_->Send(Request::kSetVringNum, AsBytes(VringState{0, 8})));
  Put(Reply(Request::kSetOwner, 0));
  Put(Reply(Request::kSetVringNum, 0));
  Put(Reply(Request::kGetFeatures, 42));
  EXPECT_EQ(*connection_->CallU64(Request::kGetFeatures), 42u);
  EXPECT_TRUE(connection_->Sync());
}

TEST_F(ConnectionTest, ReportsTheFirstRefusalOnceAndGoesOn) {
  connection_->UseReplyAck(true);
  for (auto request : {Request::kSetOwner, Request::kSetVringNum, Request::kSetVringBase}) {
    ASSERT_TRUE(connection_->Send(request));
    Put(Reply(request, request == Request::kSetOwner ? 0 : 5));
  }
  auto refused = connection_->Sync();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kRefused);
  EXPECT_EQ(refused.error().message,
            "the vhost-user back-end refused SET_VRING_NUM (acknowledged with 0x5)");
  EXPECT_TRUE(connection_->Sync());
}

TEST_F(ConnectionTest, WithoutAcknowledgementsAQuestionIsTheBarrier) {
  ASSERT_TRUE(connection_->Send(Request::kSetOwner));
  Put(Reply(Request::kGetFeatures, 0));
  EXPECT_TRUE(connection_->Sync());
  EXPECT_TRUE(connection_->Sync());  // nothing to confirm: no question
}

TEST_F(ConnectionTest, DeathIsNoticedThoughTheSocketStaysOpen) {
  peer_->Die("process 7 was killed by signal 11 (SIGSEGV)");
  auto before = Clock::now();
  auto lost = connection_->CallU64(Request::kGetFeatures);
  EXPECT_LT(Clock::now() - before, timeout_);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::kDeviceLost);
  EXPECT_EQ(lost.error().message,
            "the vhost-user back-end died (last message: GET_FEATURES); process 7 was killed by "
            "signal 11 (SIGSEGV); it last printed: first line | last words");
  EXPECT_FALSE(connection_->closed_in_peace());
}

TEST_F(ConnectionTest, WhatWasAnsweredBeforeDeathCounts) {
  Put(Reply(Request::kGetFeatures, 42));
  peer_->Die("process 7 exited with code 0");
  EXPECT_EQ(*connection_->CallU64(Request::kGetFeatures), 42u);
  EXPECT_FALSE(connection_->CallU64(Request::kGetFeatures));
}

TEST_F(ConnectionTest, ACleanEndIsToldFromACrash) {
  for (auto [how, peaceful] : {std::pair{"process 7 exited with code 0", true},
                               std::pair{"process 7 exited with code 1", false}}) {
    SetUp();
    theirs_.Reset();
    peer_->Die(how);
    ASSERT_FALSE(connection_->CallU64(Request::kGetFeatures));
    EXPECT_EQ(connection_->closed_in_peace(), peaceful) << how;
  }
}

TEST_F(ConnectionTest, ABackEndThatReadsNothingTimesOut) {
  std::vector<uint8_t> big(4000);
  Result<> result;
  for (int i = 0; i < 1000 && result; ++i) result = connection_->Send(Request::kSetConfig, big);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kTimeout);
  EXPECT_NE(result.error().message.find("did not read SET_CONFIG"), std::string::npos)
      << result.error().message;
}

TEST_F(ConnectionTest, AFloodOnTheChannelDoesNotHoldTheDeadline) {
  ASSERT_TRUE(connection_->OpenBackendChannel());
  Bytes header(12);
  int fd = -1;
  iovec vec{header.data(), header.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &vec;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ASSERT_EQ(recvmsg(theirs_.get(), &message, 0), 12);
  fd = LoadLe<int>(CMSG_DATA(CMSG_FIRSTHDR(&message)));
  UniqueFd channel(fd);
  std::atomic<bool> stop{false};
  // Asks for replies and never reads one.
  std::thread flood([&] {
    Bytes change = FakeBackEnd::Raw(2, kFlagVersion | kFlagNeedReply);
    while (!stop) {
      pollfd poll_fd{channel.get(), POLLOUT, 0};
      poll(&poll_fd, 1, 10);
      if (send(channel.get(), change.data(), change.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
          errno != EAGAIN)
        break;
    }
  });
  auto before = Clock::now();
  auto late = connection_->CallU64(Request::kGetFeatures);
  EXPECT_LT(Clock::now() - before, seconds(20));
  stop = true;
  flood.join();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kTimeout);
}

TEST_F(ConnectionTest, AMessageThatNobodyAskedForBreaksTheProtocol) {
  Put(Reply(Request::kGetFeatures, 0));
  auto lost = connection_->Wait({}, seconds(20));
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().message.find("nothing asked for"), std::string::npos);
}

}  // namespace
}  // namespace vitro::vhost_user
