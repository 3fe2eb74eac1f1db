// SPDX-License-Identifier: Apache-2.0
// Process: a device's process: started from a command line without a shell, watched, ended, reaped.
// It lives in a process group of its own, dies with the thread that started it, inherits no file
// descriptor but its standard ones and those it is given, and its output is kept in a bounded tail.
// Knows no device.
#pragma once

#include <sys/types.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/deadline.h"
#include "harness/base/result.h"
#include "harness/base/unique_fd.h"

namespace vitro {

// Splits as a shell does: blanks separate; '...' and "..." quote; \ takes the next character
// literally (inside "..." only before " and \). Nothing is expanded. kUsage on an open quote or an
// empty command.
Result<std::vector<std::string>> SplitCommand(std::string_view command);

// Replaces each {name} that `values` knows; other braces stay as they are.
std::string FillPlaceholders(std::string_view text,
                             const std::map<std::string, std::string>& values);

// A fresh directory only this user can enter; removed with all it holds when destroyed.
class ScratchDirectory {
 public:
  // Below $TMPDIR or /tmp: short, for a socket's path has 107 bytes. Fails with kHarness.
  static Result<ScratchDirectory> Create();
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();
  const std::string& path() const { return path_; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

class Process {
 public:
  // How much of the end of its output is kept.
  static constexpr size_t kTailBytes = 16384;

  // Starts a program; argv[0] is searched in PATH. kAttach if it cannot be executed (then nothing
  // was started), kHarness if the machine has no room for it. Its standard input is a pipe that
  // stays open and empty; output and error are one pipe that Pump() empties. It inherits `pass`,
  // descriptors of 3 and above, under the same numbers.
  static Result<Process> Start(const std::vector<std::string>& argv,
                               std::span<const int> pass = {});

  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  // Kills what still runs.
  ~Process();

  pid_t pid() const { return pid_; }
  // Becomes readable when the process ends.
  int exit_fd() const { return pidfd_.get(); }
  // Readable when there is output to Pump().
  int output_fd() const { return output_.get(); }
  // Takes in the output there is, without waiting.
  void Pump();
  // The end of its output.
  std::string Tail() const;
  // The last lines of that in one, "a | b", at most some 300 bytes: to be part of a sentence.
  std::string LastWords() const;

  // False once it has ended; reaps it then.
  bool Running();
  // Waits for its end. False if the deadline passed first.
  bool WaitExit(Deadline deadline);
  // How it ended: "process 12 exited with code 1", "process 12 was killed by signal 11 (SIGSEGV)";
  // "" while it runs.
  std::string Ended();
  // As of waitpid(2); valid once Running() is false.
  int wait_status() const { return status_; }

  // Asks the whole group to end (SIGTERM), and ends it (SIGKILL) when `grace` has passed. Reaps.
  void Kill(Duration grace);

 private:
  Process() = default;
  void KeepTail(const char* data, size_t size);

  pid_t pid_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  UniqueFd pidfd_, input_, output_;
  std::string tail_;
};

// Waits until a server listens on the Unix socket at `path` and connects to it; `process` may be
// null. Errors: kAttach when the process ends before, or when the deadline passes; kHarness.
Result<UniqueFd> ConnectWhenReady(const std::string& path, Process* process, Deadline deadline);

}  // namespace vitro
