// SPDX-License-Identifier: Apache-2.0
// vitro_gtest from outside: a binary that uses it is run, and its output and exit code are looked
// at.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int exit_code = -1;  // of a process that ended by itself
  std::string output;
};

// Where the victims leave their programs; gone when the tests are over.
struct OutDirectory {
  ~OutDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  }
  const std::string path = std::filesystem::path(testing::TempDir()) /
                           ("vitro-gtest-test-" + std::to_string(::getpid()));
};

// Runs the victim by the shell: `variables` as "NAME=value NAME=value", arguments as text.
Outcome RunVictim(const std::string& variables, const std::string& arguments) {
  static const OutDirectory out;
  // Not what the ctest around this asks for.
  const std::string command =
      "env -u GTEST_TOTAL_SHARDS -u GTEST_SHARD_INDEX -u GTEST_OUTPUT "
      "-u GTEST_FILTER VITRO_OUT=" +
      out.path + " " + variables + " " + VITRO_VICTIM + " --gtest_color=no " + arguments + " 2>&1";
  Outcome outcome;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  for (size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    outcome.output.append(buffer, got);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  return outcome;
}

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

constexpr const char* kLength = "--gtest_filter=*.used_length_is_true";

TEST(VitroGtest, ListsTestsWithoutTouchingTheDevice) {
  const Outcome outcome = RunVictim("VITRO_VICTIM=no-such-option=1", "--gtest_list_tests");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, HasSubstr("Vitro/victim.\n  probe\n"));
  EXPECT_THAT(outcome.output, HasSubstr("\n  used_length_is_true\n"));
}

TEST(VitroGtest, PassesAFaultlessDevice) {
  const Outcome outcome = RunVictim("", "--gtest_filter=Vitro/victim.probe:*.used_length_is_true");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("[  PASSED  ] 2 tests."));
  EXPECT_THAT(outcome.output, HasSubstr("Vitro reference block device (type 2)"));
}

TEST(VitroGtest, SkipsWithTheReasonWhatDoesNotApply) {
  const Outcome outcome = RunVictim("", "--gtest_filter=*.entropy_request_fresh");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("[  SKIPPED ] 1 test"));
  EXPECT_THAT(outcome.output, HasSubstr("not-applicable: "));
}

TEST(VitroGtest, AFailureSaysEverything) {
  const Outcome outcome = RunVictim("VITRO_VICTIM=fault=used-len-exceeds-buffer", kLength);
  EXPECT_EQ(outcome.exit_code, 1);
  for (const char* what :
       {"victim_main.cc", "fail: used.length.is-true",
        "requirement dev.basic.virtqueues.the-virtqueue-used-ring.2 (VIRTIO 1.4, 2.7.8",
        "accepted    len <= ", "observed    len = ", "sent: ", "trace (the last steps):",
        "publish ", "again: " VITRO_VICTIM " --gtest_filter=Vitro/victim.used_length_is_true\n",
        "VITRO_IN_PROCESS=1"})
    EXPECT_THAT(outcome.output, HasSubstr(what));
  // The program is there and is one.
  const size_t at = outcome.output.find("program: ");
  ASSERT_NE(at, std::string::npos) << outcome.output;
  const size_t from = at + sizeof "program: " - 1;
  std::ifstream program(outcome.output.substr(from, outcome.output.find('\n', at) - from));
  std::string line;
  std::getline(program, line);
  EXPECT_EQ(line, "vitro-program 1");
}

TEST(VitroGtest, AWarningPassesUnlessStrict) {
  const std::string device = "VITRO_VICTIM=fault=event-idx-always-notifies";
  const std::string filter = "--gtest_filter=*.event_idx_used_event_silent";
  Outcome outcome = RunVictim(device, filter);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("\nwarn: "));
  outcome = RunVictim("VITRO_VICTIM_STRICT=1 " + device, filter);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("warn: event-idx.used-event.silent"));
}

TEST(VitroGtest, ACrashFailsOneTestAndTheOthersRun) {
  const Outcome outcome =
      RunVictim("VITRO_VICTIM=fault=crash-on-notify",
                "--gtest_filter=*.used_length_is_true:*.features_offer_version_1");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("crash: used.length.is-true"));
  EXPECT_THAT(outcome.output, HasSubstr("the last step was: notify"));
  EXPECT_THAT(outcome.output, HasSubstr("[  PASSED  ] 1 test."));
}

TEST(VitroGtest, AHangEndsAtTheDeadline) {
  const Outcome outcome =
      RunVictim("VITRO_VICTIM_LIMIT=1500 VITRO_VICTIM=fault=hang-on-notify", kLength);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("hang: used.length.is-true"));
  EXPECT_THAT(outcome.output, HasSubstr("the last step was: notify"));
}

// Whatever the filter picks, a device that cannot be looked at fails exactly one test.
TEST(VitroGtest, ADeviceThatCannotBeLookedAtFailsOneTest) {
  const std::string device = "VITRO_VICTIM=no-such-option=1";
  for (const char* filter : {"*", "*.reset_*"}) {
    const Outcome outcome = RunVictim(device, std::string("--gtest_filter=") + filter);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.output, HasSubstr("1 FAILED TEST"));
    EXPECT_EQ(Count(outcome.output, "this device has no option 'no-such-option'"), 1u);
    EXPECT_THAT(outcome.output, HasSubstr("the device could not be looked at: see Vitro/victim."));
  }
  const Outcome repeated = RunVictim(device, "--gtest_filter=*.reset_* --gtest_repeat=2");
  EXPECT_EQ(repeated.exit_code, 1);
  EXPECT_EQ(Count(repeated.output, "1 FAILED TEST"), 2u);
}

TEST(VitroGtest, WrongArgumentsFailTheProbe) {
  Outcome outcome = RunVictim("VITRO_VICTIM_SELECT=no.such.check", "");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("[  FAILED  ] Vitro/victim.probe"));
  EXPECT_THAT(outcome.output, HasSubstr("'no.such.check' matches no check"));
  outcome = RunVictim("VITRO_VICTIM_DEVICE=none", "");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("neither a device nor an attach string was given"));
}

TEST(VitroGtest, SelectsShardsAndRepeats) {
  const std::string select = "VITRO_VICTIM_SELECT=used";
  const std::string all = RunVictim(select, "--gtest_list_tests").output;
  EXPECT_THAT(all, HasSubstr("used_length_is_true"));
  EXPECT_THAT(all, Not(HasSubstr("reset_")));
  const size_t tests = Count(all, "\n  ");
  size_t ran = 0;
  for (int shard = 0; shard < 2; ++shard) {
    const Outcome outcome =
        RunVictim(select + " GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=" + std::to_string(shard), "");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    ran += Count(outcome.output, "[ RUN      ]");
  }
  EXPECT_EQ(ran, tests);
  const Outcome twice = RunVictim(select, std::string("--gtest_repeat=2 ") + kLength);
  EXPECT_EQ(twice.exit_code, 0) << twice.output;
  EXPECT_EQ(Count(twice.output, "[       OK ]"), 2u);
}

TEST(VitroGtest, OutputNamesOutcomeAndRequirement) {
  const std::string path = std::filesystem::path(testing::TempDir()) /
                           ("vitro-gtest-test-" + std::to_string(::getpid()) + ".json");
  RunVictim("VITRO_VICTIM=fault=used-len-exceeds-buffer",
            std::string(kLength) + " --gtest_output=json:" + path);
  std::ifstream file(path);
  const auto json = nlohmann::json::parse(file, nullptr, false);
  std::filesystem::remove(path);
  ASSERT_FALSE(json.is_discarded());
  const auto& test = json.at("testsuites").at(0).at("testsuite").at(0);
  EXPECT_EQ(test.at("classname"), "Vitro/victim");
  EXPECT_EQ(test.at("outcome"), "fail");
  EXPECT_EQ(test.at("requirement"), "dev.basic.virtqueues.the-virtqueue-used-ring.2");
  EXPECT_EQ(test.at("failures").size(), 1u);
}

TEST(VitroGtest, InProcessRunsInTheTestProcess) {
  Outcome outcome = RunVictim("VITRO_IN_PROCESS=1", kLength);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  outcome = RunVictim("VITRO_IN_PROCESS=1 VITRO_VICTIM=fault=crash-on-notify", kLength);
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, Not(HasSubstr("crash: used.length.is-true")));
}

}  // namespace
