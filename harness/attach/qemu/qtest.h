// SPDX-License-Identifier: Apache-2.0
// Qtest: QEMU's own protocol for tests: a line that asks for an access to memory, I/O ports or
// interrupts, a line that answers it, and between them lines that tell of interrupt lines. Knows
// neither processes nor devices.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "harness/attach/qemu/line_stream.h"

namespace vitro::qemu {

class Qtest {
 public:
  static constexpr unsigned kLines = 256;

  // `lost` tells how the other side ended, in a sentence. `timeout` is for any one answer.
  Qtest(UniqueFd socket, Duration timeout, std::function<std::string()> lost)
      : stream_(std::move(socket)), timeout_(timeout), lost_(std::move(lost)) {}

  // Sends `commands`, each ended by a newline, at once, and waits for all `count` answers. Gives
  // what follows "OK" in the last one. kDeviceLost when the other side ends, refuses one of them or
  // does not speak the protocol; kTimeout, after which the late answers are passed over.
  Result<std::string> Ask(std::string_view commands, unsigned count = 1);
  // The same for a last answer that is a number.
  Result<uint64_t> AskNumber(std::string_view commands, unsigned count = 1);
  // Takes in what has arrived, without waiting.
  Result<> TakeIn();

  // Of the interrupt lines `first` to `last`: is one asserted; how often was one asserted since
  // this was last asked.
  bool AnyAsserted(unsigned first, unsigned last) const;
  uint64_t TakeRises(unsigned first, unsigned last);

  int fd() const { return stream_.fd(); }
  LineStream& stream() { return stream_; }
  Duration timeout() const { return timeout_; }

 private:
  // True if the line told of an interrupt line.
  bool TakeInterrupt(std::string_view line);
  tl::unexpected<Error> Lost(std::string why);

  LineStream stream_;
  const Duration timeout_;
  const std::function<std::string()> lost_;
  unsigned late_ = 0;   // answers to calls that were given up
  std::string broken_;  // why every call fails from now on
  std::array<bool, kLines> level_{};
  std::array<uint64_t, kLines> rises_{};
};

}  // namespace vitro::qemu
