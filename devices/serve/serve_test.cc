// SPDX-License-Identifier: Apache-2.0
// The vhost-user back-end against front-ends that lie, break off and come again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

#include "devices/ref/registry.h"
#include "devices/serve/guest_map.h"
#include "devices/serve/vhost_user_back_end.h"
#include "harness/base/bytes.h"

namespace vitro::serve {
namespace {

using vhost_user::MemoryRegion;
using vhost_user::Request;

UniqueFd MemoryFile(uint64_t size) {
  UniqueFd fd(memfd_create("serve-test", MFD_CLOEXEC));
  EXPECT_EQ(ftruncate(fd.get(), static_cast<off_t>(size)), 0);
  return fd;
}

TEST(GuestMap, FindsBytesByBothAddresses) {
  const UniqueFd fd = MemoryFile(0x4000);
  GuestMap map;
  ASSERT_TRUE(map.Add({0x10000, 0x1000, 0x770000, 0x1800}, fd));
  ASSERT_TRUE(map.Add({0x11000, 0x1000, 0x790000, 0x3000}, fd));
  EXPECT_EQ(map.GuestAddressOf(0x770010), 0x10010u);
  EXPECT_EQ(map.GuestAddressOf(0x790fff), 0x11fffu);
  EXPECT_EQ(map.GuestAddressOf(0x10000) & ~(uint64_t{1} << 63), 0x10000u);
  EXPECT_NE(map.GuestAddressOf(0x10000), 0x10000u) << "a guest address is no user address";
  const Bytes sent = Pattern(7, 0x20);
  ASSERT_TRUE(map.Write(0x10ff0, sent.data(), sent.size())) << "across two regions";
  Bytes back(sent.size());
  ASSERT_TRUE(map.Read(0x10ff0, back.data(), back.size()));
  EXPECT_EQ(back, sent);
  Bytes in_file(0x10);
  ASSERT_EQ(pread(fd.get(), in_file.data(), 0x10, 0x1800 + 0xff0), 0x10);
  EXPECT_EQ(in_file, Bytes(sent.begin(), sent.begin() + 0x10));
  EXPECT_FALSE(map.Write(0x11ff0, sent.data(), sent.size())) << "its end is no memory";
  ASSERT_TRUE(map.Read(0x11ff0, back.data(), 0x10));
  EXPECT_EQ(Bytes(back.begin(), back.begin() + 0x10), Bytes(0x10)) << "and nothing was written";
  uint64_t length = 0x100;
  uint8_t* at = map.At(0x10ff0, length);
  EXPECT_EQ(length, 0x10u);
  ASSERT_TRUE(map.Remove({0x10000, 0x1000, 0x770000, 0}));
  EXPECT_FALSE(map.Read(0x10ff0, back.data(), 1));
  EXPECT_EQ(at[0], sent[0]) << "a device may still have it";
  EXPECT_FALSE(map.Remove({0x10000, 0x1000, 0x770000, 0}));
}

TEST(GuestMap, RefusesRegionsThatLie) {
  const UniqueFd fd = MemoryFile(0x4000);
  GuestMap map;
  ASSERT_TRUE(map.Add({0x10000, 0x1000, 0x770000, 0}, fd));
  const MemoryRegion lies[] = {
      {0x20000, 0, 0x780000, 0},                // empty
      {0x20000, 0x1000, 0x780000, 0x3001},      // beyond the file
      {0x20000, 0x4001, 0x780000, 0},           // longer than the file
      {0x20000, 0x1000, 0x780000, UINT64_MAX},  // an offset that wraps
      {UINT64_MAX - 1, 0x1000, 0x780000, 0},    // addresses that wrap
      {0x20000, 0x1000, UINT64_MAX - 1, 0},
      {0x10fff, 0x1000, 0x780000, 0},  // overlaps by guest address
      {0x20000, 0x1000, 0x770fff, 0},  // and by user address
  };
  for (const MemoryRegion& lie : lies) {
    const auto added = map.Add(lie, fd);
    ASSERT_FALSE(added) << lie.guest_address;
    EXPECT_EQ(added.error().kind, ErrorKind::kRefused);
  }
  EXPECT_FALSE(map.Add({0x20000, 0x1000, 0x780000, 0}, UniqueFd())) << "no file";
}

class BackEndTest : public testing::Test {
 protected:
  void SetUp() override {
    stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
    path_ = fmt::format("/tmp/vitro-serve-test-{}.sock", getpid());
    auto back_end = VhostUserBackEnd::Listen(
        {path_, ref::FindReferenceDevice("entropy"), "", false, stop_.get()});
    ASSERT_TRUE(back_end) << back_end.error().message;
    thread_ = std::thread([it = std::move(*back_end)]() mutable {
      const auto served = it->Serve();
      EXPECT_TRUE(served) << served.error().message;
    });
  }
  void TearDown() override {
    const uint64_t one = 1;
    ASSERT_EQ(write(stop_.get(), &one, sizeof one), ssize_t{sizeof one});
    thread_.join();
    EXPECT_NE(access(path_.c_str(), F_OK), 0) << "the socket is gone";
  }

  UniqueFd Connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static Bytes Raw(uint32_t request, uint32_t flags, uint32_t size, const Bytes& payload = {}) {
    Bytes bytes;
    for (uint32_t word : {request, flags, size}) {
      const Bytes more = LeBytes(word, 4);
      bytes.insert(bytes.end(), more.begin(), more.end());
    }
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
  }
  static Bytes Plain(Request request, const Bytes& payload = {}) {
    return Raw(static_cast<uint32_t>(request), 1, static_cast<uint32_t>(payload.size()), payload);
  }
  // Is there an answer (of some bytes) or the end (0)? -1: neither in time.
  static ssize_t Answer(const UniqueFd& fd) {
    pollfd poll_fd{fd.get(), POLLIN, 0};
    if (poll(&poll_fd, 1, 10'000) != 1) return -1;
    uint8_t bytes[64];
    return std::max<ssize_t>(0, recv(fd.get(), bytes, sizeof bytes, 0));
  }

  UniqueFd stop_;
  std::string path_;
  std::thread thread_;
};

TEST_F(BackEndTest, LeavesFrontEndsThatBreakTheProtocolAndServesTheNext) {
  const Bytes ring_state = Bytes(8, 0xff);
  const Bytes broken[] = {
      Raw(1, 0, 0),                              // no version
      Raw(1, 1, UINT32_MAX),                     // 4 GiB of payload
      Plain(Request::kSetFeatures, Bytes(4)),    // half a payload
      Plain(Request::kSetVringNum, ring_state),  // no such ring
      Plain(Request::kSetVringEnable, Bytes(3)),
      Plain(Request::kSetVringAddr, Bytes(40, 0xff)),
      Plain(Request::kSetVringKick, Bytes(8)),  // without its descriptor
      Plain(Request::kSetVringCall, Bytes(8, 0x0f)),
      Plain(Request::kSetMemTable, Bytes(8, 0xff)),
      Plain(Request::kSetMemTable, Bytes(2)),
      Plain(Request::kAddMemReg, Bytes(40)),
      Plain(Request::kRemMemReg, Bytes(8)),
      Plain(Request::kSetBackendReqFd),
  };
  for (const Bytes& message : broken) {
    const UniqueFd fd = Connect();
    ASSERT_EQ(send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(message.size()));
    EXPECT_EQ(Answer(fd), 0) << ToHex(message);
  }
  const UniqueFd half = Connect();
  ASSERT_EQ(send(half.get(), "\1\0\0\0\1", 5, MSG_NOSIGNAL), 5);
  ASSERT_EQ(shutdown(half.get(), SHUT_WR), 0);
  EXPECT_EQ(Answer(half), 0);
  const UniqueFd good = Connect();
  const Bytes question = Plain(Request::kGetFeatures);
  ASSERT_EQ(send(good.get(), question.data(), question.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(question.size()));
  EXPECT_EQ(Answer(good), 20);
}

TEST_F(BackEndTest, RefusesConfigBeyondTheEnd) {
  const UniqueFd fd = Connect();
  for (const vhost_user::ConfigHeader header :
       {vhost_user::ConfigHeader{0, 1, 0}, {0, 4097, 0}, {UINT32_MAX, 2, 0}, {0, UINT32_MAX, 0}}) {
    Bytes payload(sizeof header);
    StoreLe(payload.data(), header);
    const Bytes question = Plain(Request::kGetConfig, payload);
    ASSERT_EQ(send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(question.size()));
    EXPECT_EQ(Answer(fd), ssize_t{vhost_user::kHeaderSize}) << "an empty reply is the no";
  }
}

// As front-ends do that know neither the protocol features nor the device status.
TEST_F(BackEndTest, ServesAFrontEndThatTellsNoStatus) {
  const UniqueFd fd = Connect();
  const auto say = [&](Request request, const Bytes& payload, const UniqueFd& with = UniqueFd()) {
    Bytes bytes = Plain(request, payload);
    iovec vec{bytes.data(), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &vec;
    message.msg_iovlen = 1;
    if (with) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof(int));
      StoreLe(CMSG_DATA(c), with.get());
    }
    ASSERT_EQ(sendmsg(fd.get(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  };
  const auto bytes_of = [](const auto& value) {
    Bytes bytes(sizeof value);
    StoreLe(bytes.data(), value);
    return bytes;
  };
  const UniqueFd memory = MemoryFile(0x4000);
  auto* guest = static_cast<uint8_t*>(
      mmap(nullptr, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0));
  ASSERT_NE(guest, MAP_FAILED);
  const UniqueFd kick(eventfd(0, EFD_CLOEXEC)), call(eventfd(0, EFD_CLOEXEC));
  for (int round = 1; round <= 2; ++round) {
    std::memset(guest, 0, 0x4000);
    say(Request::kSetFeatures, LeBytes(uint64_t{1} << 32, 8));
    Bytes table = LeBytes(1, 8);
    const Bytes region = bytes_of(MemoryRegion{0x10000, 0x4000, 0x770000, 0});
    table.insert(table.end(), region.begin(), region.end());
    say(Request::kSetMemTable, table, memory);
    say(Request::kSetVringNum, bytes_of(vhost_user::VringState{0, 8}));
    say(Request::kSetVringBase, bytes_of(vhost_user::VringState{0, 0}));
    say(Request::kSetVringAddr,
        bytes_of(vhost_user::VringAddr{0, 0, 0x770000, 0x772000, 0x771000, 0}));
    say(Request::kSetVringCall, LeBytes(0, 8), call);
    say(Request::kSetVringKick, LeBytes(0, 8), kick);
    // One device-writable buffer of 64 bytes at 0x13000.
    StoreLe<uint64_t>(guest, 0x13000);
    StoreLe<uint32_t>(guest + 8, 64);
    StoreLe<uint16_t>(guest + 12, 2);
    __atomic_store_n(reinterpret_cast<uint16_t*>(guest + 0x1002), uint16_t{1}, __ATOMIC_RELEASE);
    const uint64_t one = 1;
    ASSERT_EQ(write(kick.get(), &one, sizeof one), ssize_t{sizeof one});
    pollfd called{call.get(), POLLIN, 0};
    ASSERT_EQ(poll(&called, 1, 10'000), 1) << "round " << round;
    uint64_t count = 0;
    ASSERT_EQ(read(call.get(), &count, sizeof count), ssize_t{sizeof count});
    EXPECT_EQ(__atomic_load_n(reinterpret_cast<uint16_t*>(guest + 0x2002), __ATOMIC_ACQUIRE), 1);
    EXPECT_EQ(LoadLe<uint32_t>(guest + 0x2008), 64u) << "bytes written";
    say(Request::kGetVringBase, bytes_of(vhost_user::VringState{0, 0}));
    EXPECT_EQ(Answer(fd), 20);
  }
  munmap(guest, 0x4000);
}

TEST(BackEnd, TellsWhyItCannotServe) {
  const auto* ops = ref::FindReferenceDevice("entropy");
  auto bad = VhostUserBackEnd::Listen({"/tmp/x", ops, "fault=never-heard-of", false, -1});
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("never-heard-of"), std::string::npos) << bad.error().message;
  EXPECT_EQ(VhostUserBackEnd::Listen({std::string(200, 'x'), ops, "", false, -1}).error().kind,
            ErrorKind::kUsage);
  EXPECT_EQ(VhostUserBackEnd::Listen({"/nowhere/socket", ops, "", false, -1}).error().kind,
            ErrorKind::kAttach);
}

}  // namespace
}  // namespace vitro::serve
