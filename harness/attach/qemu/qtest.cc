// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/qemu/qtest.h"

#include <algorithm>
#include <charconv>

namespace vitro::qemu {
namespace {

// What a line from outside looks like in a message.
std::string Shown(std::string_view line) {
  std::string shown;
  for (char c : line.substr(0, 80)) shown += c >= ' ' && c <= '~' ? c : '?';
  return line.size() > 80 ? shown + "..." : shown;
}

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

tl::unexpected<Error> Qtest::Lost(std::string why) {
  if (broken_.empty()) broken_ = std::move(why);
  return Fail(ErrorKind::kDeviceLost, "{}", broken_);
}

bool Qtest::TakeInterrupt(std::string_view line) {
  const bool raise = line.starts_with("IRQ raise ");
  if (!raise && !line.starts_with("IRQ lower ")) return false;
  line.remove_prefix(10);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc() || end != line.data() + line.size()) return false;
  if (number >= kLines) return true;
  if (raise && !level_[number]) ++rises_[number];
  level_[number] = raise;
  return true;
}

Result<std::string> Qtest::Ask(std::string_view commands, unsigned count) {
  if (!broken_.empty()) return Lost("");
  const Deadline deadline = Deadline::After(timeout_);
  if (auto sent = stream_.Send(commands, deadline); !sent) {
    if (sent.error().kind == ErrorKind::kDeviceLost) return Lost(lost_());
    // Half a command may be on its way: what comes back can no longer be told apart.
    return Lost(fmt::format("QEMU stopped reading its qtest socket: {}", sent.error().message));
  }
  std::string answer;
  unsigned missing = late_ + count;
  for (;;) {
    stream_.Fill();
    while (missing > 0) {
      auto line = stream_.Next();
      if (!line) break;
      if (TakeInterrupt(*line)) continue;
      const bool ok = *line == "OK" || line->starts_with("OK ");
      if (!ok && (line->starts_with("FAIL") || line->starts_with("ERR")))
        return Lost(
            fmt::format("QEMU's qtest refused '{}': {}", FirstLine(commands), Shown(*line)));
      if (!ok)
        return Lost(
            fmt::format("QEMU's qtest answered '{}' to '{}'", Shown(*line), FirstLine(commands)));
      answer.assign(*line, std::min<size_t>(line->size(), 3));
      --missing;
    }
    late_ = 0;
    if (missing == 0) return answer;
    if (stream_.closed()) return Lost(lost_());
    if (deadline.Passed()) {
      late_ = missing;
      return Fail(ErrorKind::kTimeout, "QEMU did not answer '{}' within {} ms", FirstLine(commands),
                  std::chrono::duration_cast<milliseconds>(timeout_).count());
    }
    stream_.Wait(deadline);
  }
}

Result<uint64_t> Qtest::AskNumber(std::string_view commands, unsigned count) {
  VITRO_ASSIGN(const std::string answer, Ask(commands, count));
  uint64_t value = 0;
  const bool hex = answer.size() > 2 && answer[0] == '0' && answer[1] == 'x';
  const char* end = answer.data() + answer.size();
  const auto [stop, error] =
      std::from_chars(answer.data() + (hex ? 2 : 0), end, value, hex ? 16 : 10);
  if (error != std::errc() || stop != end)
    return Lost(
        fmt::format("QEMU's qtest answered 'OK {}' to '{}'", Shown(answer), FirstLine(commands)));
  return value;
}

Result<> Qtest::TakeIn() {
  if (!broken_.empty()) return Lost("");
  stream_.Fill();
  while (auto line = stream_.Next()) {
    if (TakeInterrupt(*line)) continue;
    const bool answer = *line == "OK" || line->starts_with("OK ");
    if (answer && late_ > 0) {
      --late_;
      continue;
    }
    return Lost(fmt::format("QEMU's qtest said '{}' without being asked", Shown(*line)));
  }
  if (stream_.closed()) return Lost(lost_());
  return {};
}

bool Qtest::AnyAsserted(unsigned first, unsigned last) const {
  for (unsigned line = first; line <= last && line < kLines; ++line)
    if (level_[line]) return true;
  return false;
}

uint64_t Qtest::TakeRises(unsigned first, unsigned last) {
  uint64_t sum = 0;
  for (unsigned line = first; line <= last && line < kLines; ++line)
    sum += std::exchange(rises_[line], 0);
  return sum;
}

}  // namespace vitro::qemu
