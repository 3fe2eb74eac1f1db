// SPDX-License-Identifier: Apache-2.0
// IsolatedJob: work in a process of its own, with a deadline. Whatever the device under test does
// to that process (crashes, hangs, writes where it must not) costs this piece of work only. The
// answer comes back over a pipe; what was done so far stands in shared memory, so that it survives.
// A process may be kept for another piece of work, as long as nothing has happened to it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "harness/base/deadline.h"
#include "harness/base/result.h"
#include "harness/base/unique_fd.h"

namespace vitro {

// Lines that a process wrote down before each step, in memory that outlives it. One writer;
// lock-free, because the writer may die at any instant. What does not fit is counted, not kept.
class FlightRecorder {
 public:
  FlightRecorder();  // throws boost::interprocess exceptions if there is no memory
  ~FlightRecorder();
  void Append(const std::string& line);
  // Not while the writer may be at work.
  void Clear();
  // All lines that were completed.
  std::string Text() const;

 private:
  struct Shared;
  struct Region;
  std::unique_ptr<Region> region_;
};

class IsolatedJob {
 public:
  // Runs in the child; what it returns is the answer.
  using Work = std::function<std::string(FlightRecorder&)>;
  // The same for one request of several.
  using Service = std::function<std::string(FlightRecorder&, uint64_t request)>;

  // How a piece of work ended.
  struct Ending {
    std::optional<std::string> answer;  // complete, or nothing
    bool timed_out = false;             // it was killed at its deadline
    bool by_signal = false;
    std::string how;       // "killed by signal 11 (Segmentation fault)"
    std::string recorded;  // the flight recorder's text
    std::string output;    // tail of what the child wrote to stdout and stderr
    int64_t duration_us = 0;
  };

  // Starts at once. kHarness if no process can be made.
  static Result<std::unique_ptr<IsolatedJob>> Start(Work work, Duration limit);
  // A process that waits for requests: see Ask().
  static Result<std::unique_ptr<IsolatedJob>> Serve(Service service);
  ~IsolatedJob();  // kills what still runs

  // Has a process that waits (Serve(), or idle()) work on a request. kHarness if it cannot be told.
  Result<> Ask(uint64_t request, Duration limit);
  // Is there still a process, which waits for a request?
  bool idle() const { return idle_; }

  // Readable when there is something for Advance() to do.
  int fd() const { return pipe_.get(); }
  Deadline deadline() const { return deadline_; }
  // Reads what is there; returns how it ended, once it has. Kills at the deadline.
  std::optional<Ending> Advance();
  // Advance() until it ended.
  Ending Wait();

 private:
  IsolatedJob() = default;
  Result<> Fork(const Service& service);
  Ending Finish(bool timed_out);
  Ending TakeAnswer();
  bool Complete() const;  // is the answer?
  // What does not depend on how it ended.
  Ending Collect();

  Deadline deadline_ = Deadline::After(Duration{0});  // of the work at hand
  Clock::time_point start_ = Clock::now();
  FlightRecorder recorder_;
  UniqueFd pipe_;      // the child's answer; after its end, the child itself as a pidfd
  UniqueFd requests_;  // closed: no request follows the one at work
  bool idle_ = false;
  bool at_end_ = false;
  UniqueFd output_;
  int pid_ = -1;
  std::string received_;
};

}  // namespace vitro
