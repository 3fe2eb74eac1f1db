// SPDX-License-Identifier: Apache-2.0
// LineStream: text lines over a socket, never blocking but until a deadline. Knows no protocol.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/deadline.h"
#include "harness/base/result.h"
#include "harness/base/unique_fd.h"

namespace vitro::qemu {

class LineStream {
 public:
  // A line longer than this is taken for garbage and closes the stream.
  static constexpr size_t kLongestLine = 1 << 20;

  // Takes a connected stream socket and makes it non-blocking.
  explicit LineStream(UniqueFd socket);

  int fd() const { return socket_.get(); }
  // True once the other side has closed and all lines were taken.
  bool closed() const { return closed_ && !HasLine(); }

  // Something else that is to be emptied while this waits: a program that prints into a full pipe
  // answers nobody. `fd` may turn to -1.
  struct Beside {
    std::function<int()> fd;
    std::function<void()> take_in;
  };
  void TakeInBeside(Beside beside) { beside_.push_back(std::move(beside)); }
  // Waits until there is something to read, or with `to_write` until more can be sent.
  void Wait(Deadline deadline, bool to_write = false);

  // All of `text`; kTimeout, or kDeviceLost when the other side is gone.
  Result<> Send(std::string_view text, Deadline deadline);
  // Takes in what has arrived, without waiting.
  void Fill();
  // The next whole line without its end; a last one that was never ended is not given.
  std::optional<std::string> Next();

 private:
  bool HasLine() const { return buffer_.find('\n', start_) != std::string::npos; }

  UniqueFd socket_;
  std::vector<Beside> beside_;
  std::string buffer_;
  size_t start_ = 0;    // of the next line
  size_t scanned_ = 0;  // up to here there is no end of line
  bool closed_ = false;
};

}  // namespace vitro::qemu
