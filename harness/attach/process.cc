// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace vitro {
namespace {

Result<> MakePipe(UniqueFd& reader, UniqueFd& writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Fail(ErrorKind::kHarness, "pipe2: {}", strerror(errno));
  reader.Reset(ends[0]);
  writer.Reset(ends[1]);
  return {};
}

void PollFor(std::vector<pollfd> fds, Duration at_most) {
  timespec timeout{
      .tv_sec = std::chrono::duration_cast<std::chrono::seconds>(at_most).count(),
      .tv_nsec = (at_most % std::chrono::seconds(1)).count(),
  };
  ppoll(fds.data(), fds.size(), &timeout, nullptr);
}

// The child's side of fork: only calls that are safe there, for the parent may have threads. Never
// returns; a failure goes to `report` as an errno.
[[noreturn]] void Become(char* const* argv, pid_t parent, int input, int output, int report,
                         std::span<const int> pass) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent died before prctl: no signal will come
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // The pipe ends may themselves be 0, 1 or 2 if the parent runs without them.
  int safe_input = fcntl(input, F_DUPFD_CLOEXEC, 3),
      safe_output = fcntl(output, F_DUPFD_CLOEXEC, 3);
  int safe_report = fcntl(report, F_DUPFD_CLOEXEC, 3);
  dup2(safe_input, 0);
  dup2(safe_output, 1);
  dup2(safe_output, 2);
  // Everything else closes on exec, also what a library opened without O_CLOEXEC.
  syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
  for (int fd : pass) fcntl(fd, F_SETFD, 0);
  execvp(argv[0], argv);
  int error = errno;
  (void)!write(safe_report, &error, sizeof error);
  _exit(127);
}

std::string SignalName(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? fmt::format("{} (SIG{})", number, name) : fmt::format("{}", number);
}

}  // namespace

Result<std::vector<std::string>> SplitCommand(std::string_view command) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < command.size(); ++i) {
    char c = command[i];
    char next = i + 1 < command.size() ? command[i + 1] : 0;
    if (quote == '\'') {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\\' && next != 0 && (quote == 0 || next == '"' || next == '\\')) {
      word += next;
      in_word = true;
      ++i;
    } else if (quote == '"') {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) words.push_back(std::exchange(word, ""));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0)
    return Fail(ErrorKind::kUsage, "the command '{}' has an open {} quote", command, quote);
  if (in_word) words.push_back(word);
  if (words.empty() || words[0].empty()) return Fail(ErrorKind::kUsage, "the command is empty");
  return words;
}

std::string FillPlaceholders(std::string_view text,
                             const std::map<std::string, std::string>& values) {
  std::string filled;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t end = text[i] == '{' ? text.find('}', i) : std::string_view::npos;
    auto value = end == std::string_view::npos
                     ? values.end()
                     : values.find(std::string(text.substr(i + 1, end - i - 1)));
    if (value == values.end()) {
      filled += text[i];
    } else {
      filled += value->second;
      i = end;
    }
  }
  return filled;
}

Result<ScratchDirectory> ScratchDirectory::Create() {
  const char* base = getenv("TMPDIR");
  std::string name = base != nullptr && *base != 0 ? base : "/tmp";
  if (name.size() > 60) name = "/tmp";  // leave room for a socket's name
  name += "/vitro-XXXXXX";
  if (mkdtemp(name.data()) == nullptr)
    return Fail(ErrorKind::kHarness, "cannot make the directory {}: {}", name, strerror(errno));
  return ScratchDirectory(name);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Result<Process> Process::Start(const std::vector<std::string>& argv, std::span<const int> pass) {
  if (argv.empty()) return Fail(ErrorKind::kUsage, "the command is empty");
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  UniqueFd input, output, report, report_end;
  Process process;
  VITRO_TRY(MakePipe(input, process.input_));
  VITRO_TRY(MakePipe(process.output_, output));
  VITRO_TRY(MakePipe(report, report_end));
  fcntl(process.output_.get(), F_SETFL, O_NONBLOCK);
  // Room for a talkative device between two of our waits; less is fine too.
  fcntl(process.output_.get(), F_SETPIPE_SZ, 1 << 20);

  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) return Fail(ErrorKind::kHarness, "fork: {}", strerror(errno));
  if (pid == 0) Become(words.data(), parent, input.get(), output.get(), report_end.get(), pass);
  process.pid_ = pid;
  setpgid(pid, pid);  // both sides do, so that it is done whoever comes first
  process.pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process.pidfd_) return Fail(ErrorKind::kHarness, "pidfd_open: {}", strerror(errno));
  input.Reset();
  output.Reset();
  report_end.Reset();
  // The pipe closes without a word when exec succeeds.
  int error = 0;
  ssize_t count;
  do count = read(report.get(), &error, sizeof error);
  while (count < 0 && errno == EINTR);
  if (count == sizeof error) {
    process.WaitExit(Deadline::After(std::chrono::seconds(5)));
    return Fail(ErrorKind::kAttach, "cannot execute '{}': {}", argv[0], strerror(error));
  }
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      reaped_(other.reaped_),
      status_(other.status_),
      pidfd_(std::move(other.pidfd_)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      tail_(std::move(other.tail_)) {}

Process::~Process() { Kill(Duration{0}); }

void Process::KeepTail(const char* data, size_t size) {
  tail_.append(data, size);
  // Cut seldom: erasing at the front moves everything.
  if (tail_.size() > 2 * kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
}

void Process::Pump() {
  char buffer[4096];
  // Bounded, so that a device that prints for ever does not hold us for ever.
  for (int i = 0; i < 1024 && output_; ++i) {
    ssize_t count = read(output_.get(), buffer, sizeof buffer);
    if (count > 0) {
      KeepTail(buffer, static_cast<size_t>(count));
    } else if (count == 0) {
      output_.Reset();  // it and all its children have closed it
    } else if (errno != EINTR) {
      return;
    }
  }
}

std::string Process::Tail() const {
  return tail_.size() > kTailBytes ? tail_.substr(tail_.size() - kTailBytes) : tail_;
}

std::string Process::LastWords() const {
  constexpr size_t kMost = 300;
  size_t start = tail_.size() > kMost ? tail_.size() - kMost : 0;
  // From the start of a line on, if one starts there at all.
  if (size_t line = start > 0 ? tail_.find('\n', start) : 0; line + 1 < tail_.size() && start > 0)
    start = line + 1;
  std::string words;
  for (char c : tail_.substr(start)) {
    if (c == '\n') {
      if (!words.empty() && !words.ends_with(" | ")) words += " | ";
    } else {
      words += static_cast<unsigned char>(c) < 32 ? ' ' : c;
    }
  }
  while (words.ends_with(" | ")) words.resize(words.size() - 3);
  return words;
}

bool Process::Running() {
  if (pid_ < 0 || reaped_) return false;
  siginfo_t info{};
  int seen = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  if (seen == 0 && info.si_pid == 0) return true;
  if (seen != 0 && errno == EINTR) return true;
  // What it started must not outlive it. As long as it is a zombie its group's number is its own.
  kill(-pid_, SIGKILL);
  // Without a status (SIGCHLD ignored by somebody) it counts as ended with code 0.
  if (waitpid(pid_, &status_, 0) != pid_) status_ = 0;
  reaped_ = true;
  return false;
}

bool Process::WaitExit(Deadline deadline) {
  while (Running()) {
    if (deadline.Passed()) return false;
    // Its output is taken in meanwhile: it might wait for that before it can end.
    PollFor({{pidfd_.get(), POLLIN, 0}, {output_.get(), POLLIN, 0}}, deadline.Left());
    Pump();
  }
  Pump();
  return true;
}

std::string Process::Ended() {
  if (Running()) return "";
  if (WIFSIGNALED(status_))
    return fmt::format("process {} was killed by signal {}", pid_, SignalName(WTERMSIG(status_)));
  return fmt::format("process {} exited with code {}", pid_, WEXITSTATUS(status_));
}

void Process::Kill(Duration grace) {
  if (!Running()) return;
  if (grace > Duration{0}) {
    kill(-pid_, SIGTERM);
    if (WaitExit(Deadline::After(grace))) return;
  }
  kill(-pid_, SIGKILL);
  WaitExit(Deadline::After(std::chrono::seconds(5)));
}

Result<UniqueFd> ConnectWhenReady(const std::string& path, Process* process, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Fail(ErrorKind::kUsage, "the socket path '{}' is longer than {} bytes", path,
                sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  UniqueFd socket_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_fd) return Fail(ErrorKind::kHarness, "socket: {}", strerror(errno));
  for (Duration nap = microseconds(200);;) {
    if (connect(socket_fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
      return socket_fd;
    int error = errno;
    bool ended = process != nullptr && !process->Running();
    if (process != nullptr) process->Pump();
    std::string words = process == nullptr ? "" : process->LastWords();
    if (!words.empty()) words = "; it printed: " + words;
    if (ended)
      return Fail(ErrorKind::kAttach, "{} before it listened on {}{}", process->Ended(), path,
                  words);
    if (error != ENOENT && error != ECONNREFUSED && error != EAGAIN && error != EINTR)
      return Fail(ErrorKind::kAttach, "cannot connect to {}: {}", path, strerror(error));
    if (deadline.Passed())
      return Fail(ErrorKind::kAttach, "nothing listens on {} in time ({}){}", path, strerror(error),
                  words);
    // Its end or its output cuts a nap short. Nothing tells of listen(2), and inotify tells of
    // bind(2) at the price of some 10 ms when the watch is closed, more than most back-ends take to
    // start.
    PollFor({{process != nullptr ? process->exit_fd() : -1, POLLIN, 0},
             {process != nullptr ? process->output_fd() : -1, POLLIN, 0}},
            std::min(nap, deadline.Left()));
    nap = std::min<Duration>(nap * 5 / 4, milliseconds(2));
  }
}

}  // namespace vitro
