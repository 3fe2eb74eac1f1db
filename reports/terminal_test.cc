// SPDX-License-Identifier: Apache-2.0
#include "reports/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "reports/test_util.h"
#include "reports/text.h"

namespace vitro::reports {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What a reporter prints for a record, on a clock that goes on 30 ms with each look.
std::string Shown(const std::string& jsonl, TerminalOptions options) {
  std::chrono::milliseconds now{0};
  options.clock = [&now] { return now += std::chrono::milliseconds(30); };
  FILE* out = std::tmpfile();
  {
    TerminalReporter reporter(out, options);
    for (std::string_view text : Lines(jsonl)) {
      const Json line = Json::parse(text);
      if (line["kind"] == "begin") reporter.Begin(line);
      if (line["kind"] != "result") continue;
      reporter.Started(line["id"].get<std::string>());
      reporter.Result(line);
      reporter.Tick();
    }
    const auto run = FoldRun(jsonl);
    EXPECT_TRUE(run) << run.error().message;
    reporter.End(*run);
  }
  std::string shown(static_cast<size_t>(std::ftell(out)), '\0');
  std::rewind(out);
  EXPECT_EQ(std::fread(shown.data(), 1, shown.size(), out), shown.size());
  std::fclose(out);
  return shown;
}

std::string Made() { return ReadText(GoldenPath("made.jsonl")); }

TEST(Terminal, Plain) { ExpectGolden("terminal.txt", Shown(Made(), {})); }

TEST(Terminal, InteractiveWithColour) {
  TerminalOptions options;
  options.tty = options.color = true;
  options.width = 120;
  ExpectGolden("terminal.ansi", Shown(Made(), options));
}

TEST(Terminal, WithoutColourThereAreNoEscapes) {
  EXPECT_THAT(Shown(Made(), {}), Not(HasSubstr("\x1b")));
  TerminalOptions options;
  options.tty = true;
  EXPECT_THAT(Shown(Made(), options), Not(HasSubstr("\x1b[1;31m")));
}

TEST(Terminal, TheProgressLineNeverWraps) {
  TerminalOptions options;
  options.tty = true;
  for (int width : {40, 60, 80, 120}) {
    options.width = width;
    const std::string shown = Shown(Made(), options);
    for (size_t at = 0; (at = shown.find('\r', at)) != std::string::npos; ++at) {
      const size_t end = shown.find("\x1b[K", at);
      ASSERT_NE(end, std::string::npos);
      EXPECT_LT(Columns(shown.substr(at + 1, end - at - 1)), static_cast<size_t>(width));
    }
  }
}

TEST(Terminal, TheVerdictIsTheLastLine) {
  const std::string shown = Shown(Made(), {});
  EXPECT_THAT(shown, ::testing::EndsWith("\nnot conformant\n"));
  const std::string partial = Shown(Stream({BeginLine(), ResultLine("a.a", "pass")}), {});
  EXPECT_THAT(partial, ::testing::EndsWith("\nincomplete (interrupted)\n"));
}

TEST(Terminal, QuietShowsOnlyTheEnd) {
  TerminalOptions options;
  options.quiet = true;
  const std::string shown = Shown(Made(), options);
  EXPECT_THAT(shown, Not(HasSubstr("blk.capacity")));
  EXPECT_THAT(shown, HasSubstr("split.used-length"));
}

TEST(Terminal, TheDeviceCannotWriteToTheTerminal) {
  Json result = ResultLine("a.a", "crash");
  result["because"] = "\x1b]0;title\x07 \x1b[2J gone\r";
  result["evidence"] = {{"device_stderr", "\x1b[31mred\x9b"}};
  const std::string shown = Shown(Stream({BeginLine(), result, EndLine()}), {});
  EXPECT_THAT(shown, Not(HasSubstr("\x1b")));
  EXPECT_THAT(shown, Not(HasSubstr("\r")));
  EXPECT_THAT(shown, HasSubstr("\\x1b[2J gone\\x0d"));
}

TEST(Terminal, NoColorIsHonoured) {
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(UseColor(STDOUT_FILENO));
  ::unsetenv("NO_COLOR");
  FILE* file = std::tmpfile();
  EXPECT_FALSE(UseColor(::fileno(file))) << "a file is no terminal";
  EXPECT_FALSE(DetectTerminal(file).tty);
  std::fclose(file);
}

}  // namespace
}  // namespace vitro::reports
