// SPDX-License-Identifier: Apache-2.0
// While a run goes on: the progress line, and a line per result. What End prints is in
// terminal_end.cc.
#include "reports/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "reports/text.h"

namespace vitro::reports {
namespace {

constexpr std::chrono::milliseconds kRedraw{50};
constexpr size_t kBarColumns = 20;

std::string_view Style(Outcome outcome) {
  switch (outcome) {
    case Outcome::kFail:
    case Outcome::kCrash:
    case Outcome::kHang:
    case Outcome::kDeviceLost:
      return "1;31";
    case Outcome::kHarnessError:
      return "1;35";
    case Outcome::kWarn:
      return "33";
    case Outcome::kPass:
      return "32";
    case Outcome::kWaived:
      return "36";
    case Outcome::kInfo:
      return "34";
    case Outcome::kNotObservable:
    case Outcome::kNotApplicable:
      return "2";
  }
  return "0";
}

std::string Text(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? OneLine(it->get_ref<const std::string&>()) : "";
}

int64_t Number(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}

Json Part(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_object() ? *it : Json::object();
}

std::chrono::milliseconds SteadyClock() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

bool UseColor(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return ::isatty(fd) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

TerminalOptions DetectTerminal(FILE* out) {
  TerminalOptions options;
  const int fd = ::fileno(out);
  const char* term = std::getenv("TERM");
  options.tty = ::isatty(fd) == 1 && term != nullptr && std::string_view(term) != "dumb";
  options.color = UseColor(fd);
  winsize size{};
  if (options.tty && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    options.width = size.ws_col;
  }
  return options;
}

TerminalReporter::TerminalReporter(FILE* out, TerminalOptions options)
    : out_(out), options_(std::move(options)) {
  options_.width = std::clamp(options_.width, 40, 200);
  if (!options_.clock) options_.clock = SteadyClock;
  begin_ = drawn_ = options_.clock();
}

void TerminalReporter::Print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

std::string TerminalReporter::Paint(std::string_view style, std::string_view text) const {
  if (!options_.color || text.empty() || style.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", style, text);
}

std::string TerminalReporter::PaintOutcome(Outcome outcome, std::string_view text) const {
  return Paint(Style(outcome), text);
}

void TerminalReporter::Begin(const Json& begin) {
  const Json suite = Part(begin, "suite");
  const Json spec = Part(begin, "spec");
  const Json device = Part(begin, "device");
  begin_ = drawn_ = options_.clock();
  planned_ = Number(begin, "planned");
  Print(fmt::format(
      "{} {} · {} {} · {} · {}, {} level · seed {} · {}\n\n", Paint("1", Text(suite, "name")),
      Text(suite, "version"), Text(spec, "name"), Text(spec, "version"),
      Paint("1", Text(device, "attach")), Text(device, "device_type"), Text(device, "level"),
      Part(begin, "invocation").value("seed", Json(0)).dump(), Count(planned_, "check")));
}

void TerminalReporter::Started(std::string_view id) {
  running_.push_back(OneLine(id));
  DrawProgress(false);
}

std::string TerminalReporter::ResultLine(const Json& result) const {
  const Outcome outcome = OutcomeOf(result);
  const std::string id = Text(result, "id");
  const std::string section = Text(result, "section");
  const std::string time = Duration(Number(result, "duration_us"));
  const std::string word = PadRight(Word(outcome).word, 14);
  const size_t width = static_cast<size_t>(options_.width);
  std::string line =
      fmt::format("{} {} {}", PadRight(id, 40), PadRight(section, 9), PadLeft(time, 8));
  if (outcome != Outcome::kPass) {
    // Why it is no pass belongs on the line; a pass is terse.
    // Only a terminal has a width; a log has none.
    const size_t used = 15 + Columns(line) + 2;
    const size_t room = options_.tty ? width - std::min(used, width) : 400;
    if (room > 20) line += "  " + Shorten(Text(result, "because"), room);
  }
  return PaintOutcome(outcome, word) + " " + line;
}

void TerminalReporter::Result(const Json& result) {
  const Outcome outcome = OutcomeOf(result);
  const auto it = std::find(running_.begin(), running_.end(), Text(result, "id"));
  if (it != running_.end()) running_.erase(it);
  ++counts_[static_cast<size_t>(outcome)];
  ++done_;
  const bool worth_a_line = !options_.tty || IsViolation(outcome) || outcome == Outcome::kWarn ||
                            outcome == Outcome::kHarnessError;
  if (worth_a_line && !options_.quiet) {
    ClearProgress();
    Print(ResultLine(result) + "\n");
  }
  DrawProgress(false);
}

void TerminalReporter::Tick() { DrawProgress(false); }

void TerminalReporter::ClearProgress() {
  if (!progress_shown_) return;
  Print("\r\x1b[K");
  progress_shown_ = false;
}

// "━━━━━━━━──────────  42%  ✓ 57  ✗ 2  – 3  1:04  queue.used-length"
std::string TerminalReporter::ProgressLine() const {
  const int64_t planned = std::max<int64_t>({planned_, done_, 1});
  const size_t filled = static_cast<size_t>(done_ * static_cast<int64_t>(kBarColumns) / planned);
  std::string bar;
  for (size_t i = 0; i < filled; ++i) bar += "━";
  std::string rest;
  for (size_t i = filled; i < kBarColumns; ++i) rest += "─";
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(options_.clock() - begin_).count();
  const std::string head = fmt::format(" {:3}%", done_ * 100 / planned);
  const std::string clock = fmt::format("  {}:{:02}", seconds / 60, seconds % 60);
  std::string line = Paint("32", bar) + Paint("2", rest) + head;
  size_t columns = kBarColumns + Columns(head) + Columns(clock);
  for (const OutcomeWord& word : kOutcomes) {
    const int64_t n = counts_[static_cast<size_t>(word.outcome)];
    if (n == 0) continue;
    const std::string count = fmt::format("{} {}", n, word.word);
    if (columns + Columns(count) + 2 >= static_cast<size_t>(options_.width)) break;
    line += "  " + PaintOutcome(word.outcome, count);
    columns += Columns(count) + 2;
  }
  line += clock;
  std::string current = running_.empty() ? "" : running_.front();
  if (running_.size() > 1) current += fmt::format(" +{}", running_.size() - 1);
  // One column stays free: a terminal that wraps would leave lines behind.
  if (!current.empty() && columns + 12 < static_cast<size_t>(options_.width)) {
    line += "  " + Shorten(current, static_cast<size_t>(options_.width) - columns - 3);
  }
  return line;
}

void TerminalReporter::DrawProgress(bool now) {
  if (!options_.tty || options_.quiet) return;
  const auto time = options_.clock();
  if (!now && progress_shown_ && time - drawn_ < kRedraw) return;
  drawn_ = time;
  progress_shown_ = true;
  Print("\r" + ProgressLine() + "\x1b[K");
}

}  // namespace vitro::reports
