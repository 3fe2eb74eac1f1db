// SPDX-License-Identifier: Apache-2.0
// Whatever a child does, the parent gets an ending, in time, and keeps what was written down.
#include "suite/run/isolate.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace vitro {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr Duration kLong = std::chrono::seconds(60);
constexpr Duration kShort = std::chrono::milliseconds(300);

IsolatedJob::Ending EndingOf(IsolatedJob::Work work, Duration limit = kLong) {
  auto job = IsolatedJob::Start(std::move(work), limit);
  EXPECT_TRUE(job);
  return (*job)->Wait();
}

[[noreturn]] void Sleep() {
  for (;;) ::pause();
}

// Both ends of a pipe that tell when the last process that holds one of them is gone.
class LifeLine {
 public:
  LifeLine() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    read_ = UniqueFd(ends[0]);
    write_ = UniqueFd(ends[1]);
  }
  // True once nobody but this process holds the writing end.
  bool Cut() {
    write_.Reset();
    pollfd poll_fd{read_.get(), POLLIN, 0};
    char byte;
    return ::poll(&poll_fd, 1, 20000) == 1 && ::read(read_.get(), &byte, 1) == 0;
  }

 private:
  UniqueFd read_, write_;
};

TEST(Isolate, TheAnswerComesBack) {
  const auto ending = EndingOf([](FlightRecorder&) { return "42"; });
  EXPECT_EQ(ending.answer, "42");
  EXPECT_FALSE(ending.timed_out);
  EXPECT_GE(ending.duration_us, 0);
}

TEST(Isolate, AnEmptyAnswerIsAnAnswer) {
  EXPECT_EQ(EndingOf([](FlightRecorder&) { return ""; }).answer, "");
}

TEST(Isolate, ABigAnswerComesWhole) {
  const auto ending = EndingOf([](FlightRecorder&) { return std::string(20 << 20, 'x'); });
  ASSERT_TRUE(ending.answer);
  EXPECT_EQ(*ending.answer, std::string(20 << 20, 'x'));
}

// A process that is kept: it counts its requests, prints, and does as it is told.
std::unique_ptr<IsolatedJob> Keep() {
  auto job = IsolatedJob::Serve([count = 0](FlightRecorder& recorder, uint64_t request) mutable {
    recorder.Append(fmt::format("request {}", request));
    std::printf("printed for %d\n", static_cast<int>(request));
    std::fflush(stdout);
    if (request == 99) ::raise(SIGKILL);
    if (request == 98) Sleep();
    return fmt::format("{} of {}", request, ++count);
  });
  EXPECT_TRUE(job);
  return *std::move(job);
}

TEST(IsolateServe, OneProcessAnswersOneRequestAfterAnother) {
  auto job = Keep();
  for (int i = 1; i <= 3; ++i) {
    EXPECT_TRUE(job->idle());
    ASSERT_TRUE(job->Ask(10 + i, kLong));
    EXPECT_FALSE(job->idle());
    const auto ending = job->Wait();
    EXPECT_EQ(ending.answer, fmt::format("{} of {}", 10 + i, i));
    EXPECT_EQ(ending.recorded, fmt::format("request {}\n", 10 + i));
    EXPECT_EQ(ending.output, fmt::format("printed for {}\n", 10 + i));
  }
}

TEST(IsolateServe, WhatDiesOrHangsIsOverAndTold) {
  auto crashing = Keep();
  ASSERT_TRUE(crashing->Ask(1, kLong));
  EXPECT_TRUE(crashing->Wait().answer);
  ASSERT_TRUE(crashing->Ask(99, kLong));
  const auto crash = crashing->Wait();
  EXPECT_EQ(crash.answer, std::nullopt);
  EXPECT_EQ(crash.how, "killed by signal 9 (Killed)");
  EXPECT_EQ(crash.recorded, "request 99\n");
  EXPECT_FALSE(crashing->idle());

  auto hanging = Keep();
  ASSERT_TRUE(hanging->Ask(98, kShort));
  EXPECT_TRUE(hanging->Wait().timed_out);
  EXPECT_FALSE(hanging->idle());
}

TEST(IsolateServe, OneThatDiedWhileItWaitedShowsAtTheNextRequest) {
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  const UniqueFd opens(gate[0]), opened(gate[1]);
  auto job = IsolatedJob::Serve([&](FlightRecorder&, uint64_t request) {
    const pid_t itself = ::getpid();
    if (request == 1 && ::fork() == 0) {
      char byte;
      if (::read(opens.get(), &byte, 1) == 1) ::kill(itself, SIGKILL);
      ::_exit(0);
    }
    return "answered";
  });
  ASSERT_TRUE(job);
  ASSERT_TRUE((*job)->Ask(1, kLong));
  EXPECT_EQ((*job)->Wait().answer, "answered");
  ASSERT_EQ(::write(opened.get(), "x", 1), 1);
  // It dies some time now; a request that it does not answer is a death, not a hang.
  IsolatedJob::Ending ending;
  do {
    ASSERT_TRUE((*job)->Ask(0, kLong));
    ending = (*job)->Wait();
  } while (ending.answer);
  EXPECT_TRUE(ending.by_signal);
}

TEST(Isolate, ACrashIsNamedByItsSignal) {
  const auto ending = EndingOf([](FlightRecorder& recorder) -> std::string {
    recorder.Append("before");
    ::raise(SIGKILL);
    return "never";
  });
  EXPECT_EQ(ending.answer, std::nullopt);
  EXPECT_TRUE(ending.by_signal);
  EXPECT_FALSE(ending.timed_out);
  EXPECT_EQ(ending.how, "killed by signal 9 (Killed)");
  EXPECT_EQ(ending.recorded, "before\n");
}

TEST(Isolate, AnExitOfTheChildIsNoAnswer) {
  const auto ending = EndingOf([](FlightRecorder&) -> std::string { ::_exit(7); });
  EXPECT_EQ(ending.answer, std::nullopt);
  EXPECT_FALSE(ending.by_signal);
  EXPECT_EQ(ending.how, "exited with code 7");
}

TEST(Isolate, AHangEndsAtTheDeadline) {
  LifeLine line;
  const auto start = Clock::now();
  const auto ending = EndingOf(
      [](FlightRecorder& recorder) -> std::string {
        recorder.Append("last step");
        Sleep();
      },
      kShort);
  EXPECT_TRUE(ending.timed_out);
  EXPECT_EQ(ending.answer, std::nullopt);
  EXPECT_GE(Clock::now() - start, kShort);
  EXPECT_LT(Clock::now() - start, kLong / 2);
  EXPECT_EQ(ending.recorded, "last step\n");
  EXPECT_TRUE(line.Cut());
}

TEST(Isolate, SignalsThatTheChildIgnoresDoNotSaveIt) {
  const auto ending = EndingOf(
      [](FlightRecorder&) -> std::string {
        for (int number = 1; number < 32; ++number) ::signal(number, SIG_IGN);
        Sleep();
      },
      kShort);
  EXPECT_TRUE(ending.timed_out);
}

// Devices close what they did not open; that must not look like an end.
TEST(Isolate, AHangWithAllFilesClosedEndsAtTheDeadline) {
  const auto ending = EndingOf(
      [](FlightRecorder&) -> std::string {
        ::close_range(3, ~0u, 0);
        Sleep();
      },
      kShort);
  EXPECT_TRUE(ending.timed_out);
  EXPECT_EQ(ending.answer, std::nullopt);
}

TEST(Isolate, AChildThatGoesOnAfterItsAnswerIsEnded) {
  LifeLine line;
  const auto ending = EndingOf([](FlightRecorder&) {
    if (::fork() == 0) Sleep();
    return "done";
  });
  EXPECT_EQ(ending.answer, "done");
  EXPECT_TRUE(line.Cut()) << "what it started was left behind";
}

TEST(Isolate, AGrandchildDiesWithAHangingChild) {
  LifeLine line;
  const auto ending = EndingOf(
      [](FlightRecorder&) -> std::string {
        ::fork();
        Sleep();
      },
      kShort);
  EXPECT_TRUE(ending.timed_out);
  EXPECT_TRUE(line.Cut());
}

// The grandchild holds the pipe, so that the crash shows at the deadline only; it is a crash all
// the same.
TEST(Isolate, ACrashIsACrashEvenIfAGrandchildLivesOn) {
  LifeLine line;
  const auto ending = EndingOf(
      [](FlightRecorder&) -> std::string {
        if (::fork() == 0) Sleep();
        ::raise(SIGKILL);
        return "never";
      },
      kShort);
  EXPECT_FALSE(ending.timed_out);
  EXPECT_TRUE(ending.by_signal);
  EXPECT_TRUE(line.Cut());
}

TEST(Isolate, TheOutputsTailIsKept) {
  auto ending = EndingOf([](FlightRecorder&) {
    std::printf("to stdout\n");
    std::fflush(stdout);
    ::write(STDERR_FILENO, "to stderr\n", 10);
    return "";
  });
  EXPECT_EQ(ending.output, "to stdout\nto stderr\n");
  ending = EndingOf([](FlightRecorder&) {
    for (int i = 0; i < 100000; ++i) std::printf("line %d\n", i);
    std::fflush(stdout);
    return "";
  });
  EXPECT_THAT(ending.output, EndsWith("line 99999\n"));
  EXPECT_LT(ending.output.size(), 20000u);
}

TEST(Isolate, TheParentsUnwrittenOutputIsNotWrittenTwice) {
  std::printf("from the parent");
  const auto ending = EndingOf([](FlightRecorder&) {
    std::fflush(stdout);
    return "";
  });
  std::printf("\n");
  EXPECT_EQ(ending.output, "");
}

TEST(Isolate, TheRecorderCountsWhatDoesNotFit) {
  const auto ending = EndingOf([](FlightRecorder& recorder) {
    recorder.Append("first");
    for (int i = 0; i < 10; ++i) recorder.Append(std::string(1 << 20, 'x'));
    recorder.Append("last");
    return "";
  });
  EXPECT_THAT(ending.recorded, StartsWith("first\nxxx"));
  EXPECT_THAT(ending.recorded, HasSubstr("\nlast\n"));
  EXPECT_THAT(ending.recorded, EndsWith("# 7 more steps did not fit\n"));
}

TEST(Isolate, AJobThatIsDroppedIsEnded) {
  LifeLine line;
  {
    auto job = IsolatedJob::Start([](FlightRecorder&) -> std::string { Sleep(); }, kLong);
    ASSERT_TRUE(job);
    EXPECT_EQ((*job)->Advance(), std::nullopt);
  }
  EXPECT_TRUE(line.Cut());
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was left";
}

TEST(Isolate, ManyJobsRunSideBySide) {
  std::vector<std::unique_ptr<IsolatedJob>> jobs;
  for (int i = 0; i < 16; ++i)
    jobs.push_back(
        IsolatedJob::Start([i](FlightRecorder&) { return std::to_string(i); }, kLong).value());
  for (int i = 0; i < 16; ++i)
    EXPECT_EQ(jobs[static_cast<size_t>(i)]->Wait().answer, std::to_string(i));
}

}  // namespace
}  // namespace vitro
