// SPDX-License-Identifier: Apache-2.0
// Peer: the process that a device lives in, as far as its transport has to know it: when it ends,
// how it ended, and what it printed. Whoever starts processes (harness/attach) implements it.
#pragma once

#include <string>

namespace vitro {

class Peer {
 public:
  virtual ~Peer() = default;
  // Becomes readable once the process has ended (a pidfd); -1 if the process is not ours to watch.
  virtual int exit_fd() const = 0;
  // Readable when there is output for Pump(); -1 for none. Output is taken in whenever the
  // transport waits, so a talkative device never blocks while we wait for it.
  virtual int output_fd() const = 0;
  virtual void Pump() = 0;
  // "" while it runs; then e.g. "process 12 was killed by signal 11 (SIGSEGV)".
  virtual std::string Ended() = 0;
  // True once it has ended by itself with exit code 0.
  virtual bool EndedCleanly() = 0;
  // True once a signal has ended it.
  virtual bool EndedBySignal() = 0;
  // The last kilobytes it printed.
  virtual std::string Output() = 0;
  // The last lines of that, short enough to be part of a sentence.
  virtual std::string LastWords() = 0;
};

}  // namespace vitro
