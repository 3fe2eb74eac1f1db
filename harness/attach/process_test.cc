// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>

namespace vitro {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

Process Shell(const std::string& script) {
  auto process = Process::Start({"sh", "-c", script});
  EXPECT_TRUE(process) << process.error().message;
  return *std::move(process);
}

TEST(SplitCommand, SplitsAsAShellDoes) {
  EXPECT_THAT(*SplitCommand("a b  c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(*SplitCommand(" 'a b' \"c d\"e ''"), ElementsAre("a b", "c de", ""));
  EXPECT_THAT(*SplitCommand("a\\ b \"\\\"\\x\" '\\'"), ElementsAre("a b", "\"\\x", "\\"));
  EXPECT_THAT(*SplitCommand("--vdev 'net_vhost0,iface={path}'"),
              ElementsAre("--vdev", "net_vhost0,iface={path}"));
  for (const char* bad : {"", "  ", "'a", "\"a", "'' a"}) {
    auto words = SplitCommand(bad);
    ASSERT_FALSE(words) << bad;
    EXPECT_EQ(words.error().kind, ErrorKind::kUsage);
  }
}

TEST(FillPlaceholders, LeavesOtherBracesAlone) {
  EXPECT_EQ(FillPlaceholders("{path} {x} {\"a\":{path}} {", {{"path", "/p"}}),
            "/p {x} {\"a\":/p} {");
}

TEST(ScratchDirectory, IsRemovedWithItsContents) {
  std::string path;
  {
    auto directory = ScratchDirectory::Create();
    ASSERT_TRUE(directory);
    path = directory->path();
    std::filesystem::create_directory(path + "/a");
    std::ofstream(path + "/a/b") << "x";
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
    ScratchDirectory moved = std::move(*directory);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Process, TellsTheExitCode) {
  Process process = Shell("exit 3");
  EXPECT_TRUE(process.WaitExit(Deadline::After(seconds(20))));
  EXPECT_EQ(process.Ended(), fmt::format("process {} exited with code 3", process.pid()));
}

TEST(Process, TellsTheSignal) {
  Process process = Shell("kill -SEGV $$");
  EXPECT_TRUE(process.WaitExit(Deadline::After(seconds(20))));
  EXPECT_EQ(process.Ended(),
            fmt::format("process {} was killed by signal 11 (SIGSEGV)", process.pid()));
}

TEST(Process, InheritsWhatItIsGivenAndNothingElse) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]), writer(ends[1]);
  const int pass[] = {writer.get()};
  auto process = Process::Start(
      {"sh", "-c",
       fmt::format("echo given >/proc/self/fd/{}; ls /proc/self/fd/{}", ends[1], ends[0])},
      pass);
  ASSERT_TRUE(process);
  EXPECT_TRUE(process->WaitExit(Deadline::After(seconds(20))));
  EXPECT_NE(process->wait_status(), 0) << "the other end is not there";
  char buffer[16];
  ASSERT_EQ(read(reader.get(), buffer, sizeof buffer), 6);
  EXPECT_EQ(std::string(buffer, 6), "given\n");
  EXPECT_NE(fcntl(ends[1], F_GETFD) & FD_CLOEXEC, 0) << "ours stays as it was";
}

TEST(Process, KeepsTheEndOfItsOutput) {
  Process process = Shell("echo out; echo err >&2");
  EXPECT_TRUE(process.WaitExit(Deadline::After(seconds(20))));
  EXPECT_THAT(process.Tail(), HasSubstr("out\n"));
  EXPECT_THAT(process.Tail(), HasSubstr("err\n"));
  // More than the pipe takes and more than is kept.
  Process talker = Shell("yes 0123456789abcdef | head -c 3000000; echo the end");
  EXPECT_TRUE(talker.WaitExit(Deadline::After(seconds(20))));
  EXPECT_EQ(talker.Tail().size(), Process::kTailBytes);
  EXPECT_TRUE(talker.Tail().ends_with("the end\n"));
}

TEST(Process, LastWordsFitIntoASentence) {
  Process process = Shell("printf 'a\\tb\\n\\nc\\n'");
  EXPECT_TRUE(process.WaitExit(Deadline::After(seconds(20))));
  EXPECT_EQ(process.LastWords(), "a b | c");
  Process talker = Shell("seq 100000");
  EXPECT_TRUE(talker.WaitExit(Deadline::After(seconds(20))));
  EXPECT_LT(talker.LastWords().size(), 600u);
  EXPECT_THAT(talker.LastWords(), testing::MatchesRegex("[0-9]{5} [|].* [|] 100000"));
  Process line = Shell("yes | tr -d '\\n' | head -c 1000; echo");
  EXPECT_TRUE(line.WaitExit(Deadline::After(seconds(20))));
  EXPECT_THAT(line.LastWords(), HasSubstr("yyyy"));
}

TEST(Process, AProgramThatIsNotThereIsNotStarted) {
  auto process = Process::Start({"/nonexistent/program"});
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().kind, ErrorKind::kAttach);
  EXPECT_EQ(process.error().message,
            "cannot execute '/nonexistent/program': No such file or directory");
}

TEST(Process, EndsOnRequestAndByForce) {
  Process polite = Shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done");
  EXPECT_EQ(polite.Ended(), "");
  polite.Kill(seconds(20));
  EXPECT_FALSE(polite.Running());
  Process stubborn = Shell("trap '' TERM; echo ready; while :; do sleep 10; done");
  while (stubborn.Tail().empty()) stubborn.Pump();
  stubborn.Kill(milliseconds(20));
  EXPECT_THAT(stubborn.Ended(), HasSubstr("signal 9 (SIGKILL)"));
}

TEST(Process, LeavesNoZombieAndNoDescendant) {
  pid_t pid, child = -1;
  {
    Process process = Shell("sleep 1000 & echo $!; wait");
    pid = process.pid();
    while (process.Tail().find('\n') == std::string::npos) process.Pump();
    child = std::stoi(process.Tail());
  }
  EXPECT_EQ(kill(pid, 0), -1);
  // The grandchild is init's to reap; it may be a zombie for a moment, or for ever without an init.
  Deadline deadline = Deadline::After(seconds(20));
  auto lives = [&] {
    std::ifstream stat(fmt::format("/proc/{}/stat", child));
    std::string line;
    return std::getline(stat, line) && line.find(") Z ") == std::string::npos &&
           line.find(") X ") == std::string::npos;
  };
  while (lives() && !deadline.Passed()) {
  }
  EXPECT_FALSE(lives());
}

TEST(Process, ChildrenThatOutliveTheirParentEndWithIt) {
  Process process = Shell("sleep 1000 & echo $!");
  EXPECT_TRUE(process.WaitExit(Deadline::After(seconds(20))));
  EXPECT_THAT(process.Ended(), HasSubstr("code 0"));
}

TEST(Process, InheritsNothingButStandardStreams) {
  UniqueFd leak(open("/dev/null", O_RDONLY));  // without O_CLOEXEC, as libraries do
  int high = fcntl(leak.get(), F_DUPFD, 100);
  UniqueFd other(high);
  Process process = Shell("ls /proc/self/fd | wc -l");
  EXPECT_TRUE(process.WaitExit(Deadline::After(seconds(20))));
  EXPECT_EQ(std::stoi(process.Tail()), 4);  // 0, 1, 2 and the directory
}

TEST(Process, StandardInputStaysOpen) {
  Process process = Shell("cat; echo ended");
  EXPECT_FALSE(process.WaitExit(Deadline::After(milliseconds(30))));
  EXPECT_EQ(process.Tail(), "");
}

TEST(Process, HasItsOwnGroup) {
  Process process = Shell("cat");
  EXPECT_EQ(getpgid(process.pid()), process.pid());
}

UniqueFd ListenOn(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(fd.get(), 1), 0);
  return fd;
}

TEST(ConnectWhenReady, ConnectsOnceThereIsAListener) {
  auto directory = ScratchDirectory::Create();
  ASSERT_TRUE(directory);
  std::string path = directory->path() + "/s";
  auto early = ConnectWhenReady(path, nullptr, Deadline::After(milliseconds(20)));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().kind, ErrorKind::kAttach);
  EXPECT_THAT(early.error().message, HasSubstr("nothing listens on"));
  UniqueFd listener = ListenOn(path);
  EXPECT_TRUE(ConnectWhenReady(path, nullptr, Deadline::After(seconds(20))));
}

TEST(ConnectWhenReady, TellsOfAProcessThatEndsFirst) {
  Process process = Shell("echo no such option; exit 2");
  auto socket = ConnectWhenReady("/tmp/never-there.sock", &process, Deadline::After(seconds(20)));
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().kind, ErrorKind::kAttach);
  EXPECT_THAT(socket.error().message, HasSubstr("exited with code 2"));
  EXPECT_THAT(socket.error().message, HasSubstr("no such option"));
}

TEST(ConnectWhenReady, APathTooLongIsWrongUse) {
  auto socket = ConnectWhenReady(std::string(200, 'x'), nullptr, Deadline::After(seconds(1)));
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace vitro
