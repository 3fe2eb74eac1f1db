// SPDX-License-Identifier: Apache-2.0
// The options and errors of "vhost-user:..." attach strings; devices are in device_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fstream>

#include "harness/attach/process.h"
#include "harness/attach/vhost_user_attachment.h"

namespace vitro {
namespace {

using testing::HasSubstr;

AttachString String(std::string where, std::map<std::string, std::string> options = {}) {
  return {"vhost-user", std::move(where), std::move(options), ""};
}

class VhostUserAttachmentTest : public testing::Test {
 protected:
  void SetUp() override {
    auto scratch = ScratchDirectory::Create();
    ASSERT_TRUE(scratch);
    scratch_ = std::make_unique<ScratchDirectory>(std::move(*scratch));
    auto memory = GuestMemory::CreateDefault();
    ASSERT_TRUE(memory);
    memory_ = std::make_unique<GuestMemory>(std::move(*memory));
    path_ = scratch_->path() + "/s.sock";
  }
  // Binds path_; listens if asked.
  UniqueFd Bind(bool listening) {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (listening) {
      EXPECT_EQ(listen(fd.get(), 4), 0);
    }
    return fd;
  }
  Error AttachError(AttachString string) {
    auto attachment = OpenVhostUser(std::move(string));
    if (!attachment) return attachment.error();
    auto transport = (*attachment)->Attach(*memory_);
    return transport ? Error{ErrorKind::kHarness, "attached"} : transport.error();
  }

  std::unique_ptr<ScratchDirectory> scratch_;
  std::unique_ptr<GuestMemory> memory_;
  std::string path_;
};

TEST_F(VhostUserAttachmentTest, WrongOptionsAreUsageErrors) {
  const std::pair<const char*, const char*> cases[] = {
      {"queues", "0"},        {"queues", "257"}, {"queues", "2x"},      {"queue-size", "-1"},
      {"config-size", "300"}, {"timeout", ""},   {"mode", "interrupt"}, {"reset", "hard"},
      {"server", "yes"},      {"type", "blok"},  {"spawn", "'open"},    {"stimulus", "\"open"},
      {"colour", "red"},
  };
  for (auto [key, value] : cases) {
    auto attachment = OpenVhostUser(String("/x", {{"server", "1"}, {key, value}}));
    if (std::string_view(key) == "server") attachment = OpenVhostUser(String("/x", {{key, value}}));
    ASSERT_FALSE(attachment) << key << "=" << value;
    EXPECT_EQ(attachment.error().kind, ErrorKind::kUsage) << attachment.error().message;
    EXPECT_THAT(attachment.error().message, testing::AnyOf(HasSubstr(key), HasSubstr("open")));
  }
  EXPECT_EQ(OpenVhostUser(String("")).error().kind, ErrorKind::kUsage);
}

TEST_F(VhostUserAttachmentTest, EachWayOfNotBeingThereIsOneSentence) {
  Error missing = AttachError(String(path_));
  EXPECT_EQ(missing.kind, ErrorKind::kAttach);
  EXPECT_EQ(missing.message, "there is no socket at " + path_ + ": No such file or directory");
  {
    UniqueFd bound = Bind(false);
    Error deaf = AttachError(String(path_));
    EXPECT_EQ(deaf.kind, ErrorKind::kAttach);
    EXPECT_EQ(deaf.message, "nobody listens on " + path_);
  }
  unlink(path_.c_str());
  std::ofstream(path_) << "x";
  Error file = AttachError(String(path_));
  EXPECT_EQ(file.kind, ErrorKind::kAttach);
  EXPECT_EQ(file.message, path_ + " is not a socket");
}

TEST_F(VhostUserAttachmentTest, AListenerThatNeverAnswersTimesOut) {
  UniqueFd listener = Bind(true);
  Error error = AttachError(String(path_, {{"timeout", "30"}}));
  EXPECT_EQ(error.kind, ErrorKind::kAttach);
  EXPECT_THAT(error.message, HasSubstr("GET_FEATURES within 30 ms"));
}

TEST_F(VhostUserAttachmentTest, ACommandThatCannotRunSaysSo) {
  Error error = AttachError(String("x", {{"spawn", "/nonexistent/back-end {path}"}}));
  EXPECT_EQ(error.kind, ErrorKind::kAttach);
  EXPECT_EQ(error.message, "cannot execute '/nonexistent/back-end': No such file or directory");
}

TEST_F(VhostUserAttachmentTest, ACommandThatNeverListensTimesOut) {
  Error error = AttachError(
      String("x", {{"spawn", "sh -c 'echo dum di dum; cat' {path}"}, {"timeout", "1000"}}));
  EXPECT_EQ(error.kind, ErrorKind::kAttach);
  EXPECT_THAT(error.message, HasSubstr("nothing listens on"));
  EXPECT_THAT(error.message, HasSubstr("dum di dum"));
}

TEST_F(VhostUserAttachmentTest, AServerWaitsForItsBackEndAndNoLonger) {
  Error error = AttachError(String(path_, {{"server", "1"}, {"timeout", "30"}}));
  EXPECT_EQ(error.kind, ErrorKind::kAttach);
  EXPECT_THAT(error.message, HasSubstr("no back-end connected"));
  EXPECT_NE(access(path_.c_str(), F_OK), 0);  // swept up
  UniqueFd other = Bind(true);
  EXPECT_THAT(AttachError(String(path_, {{"server", "1"}, {"timeout", "30"}})).message,
              HasSubstr("Address already in use"));
  other.Reset();  // leaves a stale file, which is replaced
  EXPECT_THAT(AttachError(String(path_, {{"server", "1"}, {"timeout", "30"}})).message,
              HasSubstr("no back-end connected"));
}

}  // namespace
}  // namespace vitro
