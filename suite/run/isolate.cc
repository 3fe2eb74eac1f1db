// SPDX-License-Identifier: Apache-2.0
#include "suite/run/isolate.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <boost/interprocess/anonymous_shared_memory.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <cerrno>
#include <cstring>

namespace vitro {
namespace {

constexpr size_t kRecorderBytes = 4 << 20;
constexpr size_t kOutputTail = 8192;

// Ends the answer, so that half of one is told from a whole one.
constexpr char kEndOfAnswer = '\x04';

void WriteAll(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(fd, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    done += static_cast<size_t>(written);
  }
}

// False at the end of the requests.
bool ReadRequest(int fd, uint64_t& request) {
  size_t done = 0;
  while (done < sizeof request) {
    const ssize_t got = ::read(fd, reinterpret_cast<char*>(&request) + done, sizeof request - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

// The child's side. Never returns.
[[noreturn]] void RunChild(const IsolatedJob::Service& service, FlightRecorder& recorder, int pipe,
                           int requests, int output, int parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it died before the line above
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  for (uint64_t request; ReadRequest(requests, request);)
    WriteAll(pipe, service(recorder, request) + kEndOfAnswer);
  ::_exit(0);
}

std::string Tail(int fd) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(kOutputTail));
  std::string text(static_cast<size_t>(std::max<off_t>(0, size - from)), '\0');
  const ssize_t got = ::pread(fd, text.data(), text.size(), from);
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, got)));
  return text;
}

}  // namespace

struct FlightRecorder::Shared {
  std::atomic<uint32_t> length;
  std::atomic<uint32_t> lost;
  char text[1];
};
static_assert(std::atomic<uint32_t>::is_always_lock_free);

struct FlightRecorder::Region {
  boost::interprocess::mapped_region region =
      boost::interprocess::anonymous_shared_memory(kRecorderBytes);
  Shared* shared() const { return static_cast<Shared*>(region.get_address()); }
};

FlightRecorder::FlightRecorder() : region_(std::make_unique<Region>()) {}
FlightRecorder::~FlightRecorder() = default;

void FlightRecorder::Append(const std::string& line) {
  Shared* shared = region_->shared();
  const uint32_t length = shared->length.load(std::memory_order_relaxed);
  if (length + line.size() + 1 > kRecorderBytes - sizeof(Shared)) {
    shared->lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  std::memcpy(shared->text + length, line.data(), line.size());
  shared->text[length + line.size()] = '\n';
  shared->length.store(length + static_cast<uint32_t>(line.size()) + 1, std::memory_order_release);
}

void FlightRecorder::Clear() {
  region_->shared()->length.store(0, std::memory_order_relaxed);
  region_->shared()->lost.store(0, std::memory_order_relaxed);
}

std::string FlightRecorder::Text() const {
  const Shared* shared = region_->shared();
  std::string text(shared->text, shared->length.load(std::memory_order_acquire));
  if (const uint32_t lost = shared->lost.load())
    text += fmt::format("# {} more steps did not fit\n", lost);
  return text;
}

Result<std::unique_ptr<IsolatedJob>> IsolatedJob::Start(Work work, Duration limit) {
  VITRO_ASSIGN(auto job, Serve([work = std::move(work)](FlightRecorder& recorder, uint64_t) {
                 return work(recorder);
               }));
  VITRO_TRY(job->Ask(0, limit));
  job->requests_.Reset();
  return job;
}

Result<std::unique_ptr<IsolatedJob>> IsolatedJob::Serve(Service service) {
  std::unique_ptr<IsolatedJob> job(new IsolatedJob());
  VITRO_TRY(job->Fork(service));
  return job;
}

Result<> IsolatedJob::Fork(const Service& service) {
  int answers[2], requests[2];
  if (::pipe2(answers, O_CLOEXEC) != 0)
    return Fail(ErrorKind::kHarness, "cannot make a pipe: {}", std::strerror(errno));
  pipe_ = UniqueFd(answers[0]);
  UniqueFd write_end(answers[1]);
  // A socket: writing to a process that has died must not end this one (SIGPIPE).
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, requests) != 0)
    return Fail(ErrorKind::kHarness, "cannot make a socket: {}", std::strerror(errno));
  UniqueFd read_end(requests[0]);
  requests_ = UniqueFd(requests[1]);
  ::fcntl(answers[0], F_SETFL, O_NONBLOCK);
  output_ = UniqueFd(::memfd_create("vitro-output", MFD_CLOEXEC));
  // It is emptied between two requests.
  ::fcntl(output_.get(), F_SETFL, O_APPEND);
  const int parent = ::getpid();
  std::fflush(nullptr);  // or the child would write the parent's buffers again
  pid_ = ::fork();
  if (pid_ < 0) return Fail(ErrorKind::kHarness, "cannot fork: {}", std::strerror(errno));
  if (pid_ == 0) {
    requests_.Reset();  // or it would wait for itself
    RunChild(service, recorder_, write_end.get(), read_end.get(), output_.get(), parent);
  }
  ::setpgid(pid_, pid_);  // in both, whoever comes first
  idle_ = true;
  return {};
}

Result<> IsolatedJob::Ask(uint64_t request, Duration limit) {
  idle_ = false;
  recorder_.Clear();
  (void)!::ftruncate(output_.get(), 0);
  start_ = Clock::now();
  deadline_ = Deadline::After(limit);
  // So few bytes go at once; one that has died meanwhile shows in Advance().
  const ssize_t wrote = ::send(requests_.get(), &request, sizeof request, MSG_NOSIGNAL);
  if (wrote < 0 && errno != EPIPE)
    return Fail(ErrorKind::kHarness, "cannot ask a process: {}", std::strerror(errno));
  return {};
}

IsolatedJob::~IsolatedJob() {
  if (pid_ > 0) Finish(true);
}

std::optional<IsolatedJob::Ending> IsolatedJob::Advance() {
  char buffer[65536];
  while (!at_end_) {
    const ssize_t got = ::read(pipe_.get(), buffer, sizeof buffer);
    if (got > 0) {
      received_.append(buffer, static_cast<size_t>(got));
      // Do not wait for the end of file: a process that the device left behind may hold the pipe.
      if (Complete()) return requests_ ? TakeAnswer() : Finish(false);
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    // It is dead or dying, or it closed its files and goes on: then its deadline holds all the
    // same.
    pipe_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!pipe_) return Finish(false);
    at_end_ = true;
  }
  pollfd ended{pipe_.get(), POLLIN, 0};
  if (at_end_ && ::poll(&ended, 1, 0) == 1) return Finish(false);
  if (deadline_.Passed()) return Finish(true);
  return std::nullopt;
}

IsolatedJob::Ending IsolatedJob::Wait() {
  for (;;) {
    if (auto ending = Advance()) return *std::move(ending);
    pollfd poll_fd{pipe_.get(), POLLIN, 0};
    ::poll(&poll_fd, 1, deadline_.LeftMs());
  }
}

bool IsolatedJob::Complete() const {
  return !received_.empty() && received_.back() == kEndOfAnswer;
}

IsolatedJob::Ending IsolatedJob::Collect() {
  Ending ending;
  if (Complete()) {
    received_.pop_back();
    ending.answer = std::exchange(received_, "");
  }
  ending.recorded = recorder_.Text();
  ending.output = Tail(output_.get());
  ending.duration_us = std::chrono::duration_cast<microseconds>(Clock::now() - start_).count();
  return ending;
}

IsolatedJob::Ending IsolatedJob::TakeAnswer() {
  Ending ending = Collect();
  ending.how = "waits for the next request";
  idle_ = true;
  return ending;
}

IsolatedJob::Ending IsolatedJob::Finish(bool timed_out) {
  const bool complete = Complete();
  int status = 0;
  auto reap = [&](int flags) {
    pid_t got;
    while ((got = ::waitpid(pid_, &status, flags)) < 0 && errno == EINTR) {
    }
    return got != 0;
  };
  // A child that died on its own did not hang, even if a process that it left behind kept its pipe.
  const bool ended = timed_out && !complete && reap(WNOHANG);
  // After a complete answer nothing that the child still does matters; after end of file it is dead
  // or dying. The group goes too: what the device started must not outlive it.
  if (complete || timed_out) ::kill(-pid_, SIGKILL);
  if (!ended) reap(0);
  ::kill(-pid_, SIGKILL);
  pid_ = -1;
  Ending ending = Collect();
  ending.timed_out = timed_out && !ended;
  if (WIFSIGNALED(status)) {
    ending.by_signal = true;
    ending.how =
        fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  } else {
    ending.how = fmt::format("exited with code {}", WEXITSTATUS(status));
  }
  return ending;
}

}  // namespace vitro
