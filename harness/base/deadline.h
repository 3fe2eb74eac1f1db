// SPDX-License-Identifier: Apache-2.0
// Deadline: a point on the monotonic clock. Every wait of the harness takes one; nothing sleeps.
#pragma once

#include <algorithm>
#include <chrono>

namespace vitro {

using Clock = std::chrono::steady_clock;
using Duration = std::chrono::nanoseconds;
using std::chrono::microseconds;
using std::chrono::milliseconds;

class Deadline {
 public:
  static Deadline After(Duration duration) { return Deadline(Clock::now() + duration); }
  bool Passed() const { return Clock::now() >= at_; }
  // Time left, never negative.
  Duration Left() const { return std::max(Duration{0}, Duration(at_ - Clock::now())); }
  // For poll(2): milliseconds left, rounded up so that a poll never returns early and spins.
  int LeftMs() const {
    return static_cast<int>(
        std::chrono::ceil<milliseconds>(std::min(Left(), Duration(milliseconds(1 << 30)))).count());
  }
  Clock::time_point at() const { return at_; }
  static Deadline Sooner(Deadline a, Deadline b) { return a.at_ < b.at_ ? a : b; }

 private:
  explicit Deadline(Clock::time_point at) : at_(at) {}
  Clock::time_point at_;
};

}  // namespace vitro
