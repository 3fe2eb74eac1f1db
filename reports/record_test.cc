// SPDX-License-Identifier: Apache-2.0
#include "reports/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "reports/html.h"
#include "reports/test_util.h"
#include "reports/write.h"

namespace vitro::reports {
namespace {

using ::testing::HasSubstr;

Json Catalogue(const std::vector<std::pair<std::string, std::vector<std::string>>>& rows) {
  Json line = {{"kind", "catalogue"}, {"requirements", Json::array()}};
  for (const auto& [id, checks] : rows) {
    line["requirements"].push_back(
        {{"id", id}, {"area", "basic"}, {"level", "any"}, {"checks", checks}});
  }
  return line;
}

std::string State(const Json& run, const std::string& id) {
  for (const Json& row : run["coverage"]) {
    if (row["id"] == id) return row["state"];
  }
  return "no such requirement";
}

TEST(FoldRun, MadeRunIsJudged) {
  const Json run = MadeRun();
  EXPECT_EQ(Verdict(run), "not conformant");
  EXPECT_EQ(ExitCode(run), 1);
  EXPECT_EQ(run["notes"], Json::array());
  EXPECT_EQ(run["totals"]["results"], 27);
  for (const auto& [word, count] : run["totals"]["by_outcome"].items()) {
    EXPECT_GT(count, 0) << word << ": the made record must have every outcome word";
  }
}

TEST(FoldRun, StatesAddUpToTheTotal) {
  const Json run = MadeRun();
  const auto check = [](const Json& counters) {
    int64_t sum = 0;
    for (const StateWord& state : kStates) sum += counters[std::string(state.key)].get<int64_t>();
    EXPECT_EQ(sum, counters["total"]) << counters.dump();
  };
  check(run["totals"]["requirements"]);
  for (const Json& area : run["coverage_by_area"]) check(area);
}

TEST(FoldRun, IsDeterministicAndIndependentOfTheOrderOfResults) {
  const std::vector<Json> one = {BeginLine(), ResultLine("a.b", "pass"), ResultLine("a.a", "fail"),
                                 EndLine()};
  const std::vector<Json> two = {BeginLine(), ResultLine("a.a", "fail"), ResultLine("a.b", "pass"),
                                 EndLine()};
  EXPECT_EQ(Fold(one).dump(), Fold(two).dump());
}

struct VerdictCase {
  std::vector<std::string> outcomes;
  bool strict;
  bool interrupted;
  std::string verdict;
  int exit_code;
};

TEST(FoldRun, VerdictsAndExitCodes) {
  const VerdictCase cases[] = {
      {{"pass"}, false, false, "conformant", 0},
      {{"pass", "warn", "info", "waived", "not-observable"}, false, false, "conformant", 0},
      {{"warn"}, true, false, "not conformant", 1},
      {{"pass", "fail"}, false, false, "not conformant", 1},
      {{"pass", "crash"}, false, false, "not conformant", 1},
      {{"pass", "hang"}, false, false, "not conformant", 1},
      {{"pass", "device-lost"}, false, false, "not conformant", 1},
      {{"pass", "harness-error"}, false, false, "incomplete", 5},
      {{"fail", "harness-error"}, false, false, "not conformant", 1},
      {{"harness-error"}, false, false, "incomplete", 5},
      {{}, false, false, "nothing ran", 3},
      {{"not-applicable", "not-observable", "info", "waived"}, false, false, "nothing ran", 3},
      {{"pass"}, false, true, "incomplete", 130},
      {{"fail"}, false, true, "not conformant", 130},
      {{}, false, true, "incomplete", 130},
  };
  for (const VerdictCase& c : cases) {
    std::vector<Json> lines = {BeginLine(c.strict)};
    for (const std::string& outcome : c.outcomes)
      lines.push_back(ResultLine("x." + outcome, outcome));
    lines.push_back(EndLine(c.interrupted));
    const Json run = Fold(lines);
    EXPECT_EQ(Verdict(run), c.verdict) << run["totals"].dump();
    EXPECT_EQ(ExitCode(run), c.exit_code) << run["totals"].dump();
  }
}

TEST(FoldRun, LostResultsMakeTheRunIncomplete) {
  Json begin = BeginLine();
  begin["planned"] = 2;
  const Json run = Fold({begin, ResultLine("a.a", "pass"), EndLine()});
  EXPECT_EQ(Verdict(run), "incomplete");
  EXPECT_EQ(ExitCode(run), 5);
  EXPECT_THAT(run["notes"].dump(), HasSubstr("1 of 2 planned results"));
}

TEST(FoldRun, NoEndLineIsAnInterruptedRun) {
  const Json run = Fold({BeginLine(), ResultLine("a.a", "pass")});
  EXPECT_EQ(run["invocation"]["interrupted"], true);
  EXPECT_EQ(run["invocation"]["end"], nullptr);
  EXPECT_EQ(ExitCode(run), 130);
  EXPECT_THAT(run["notes"].dump(), HasSubstr("no \\\"end\\\" line"));
}

TEST(FoldRun, ATornLastLineIsDroppedAtEveryByte) {
  const std::string whole = Stream({BeginLine(), ResultLine("a.a", "pass")});
  const std::string last = RecordLine(ResultLine("a.b", "fail"));
  for (size_t length = 1; length + 1 < last.size(); ++length) {
    const auto run = FoldRun(whole + last.substr(0, length));
    ASSERT_TRUE(run) << length << ": " << run.error().message;
    EXPECT_EQ((*run)["totals"]["results"], 1) << length;
    EXPECT_THAT((*run)["notes"].dump(), HasSubstr("Line 3, the last, was cut off")) << length;
  }
}

TEST(FoldRun, BrokenLinesSayWhichLine) {
  const std::string begin = RecordLine(BeginLine());
  const std::string end = RecordLine(EndLine());
  const std::string pass = RecordLine(ResultLine("a.a", "pass"));
  const std::pair<std::string, std::string> cases[] = {
      {"", "empty"},
      {"\n\n", "empty"},
      {"not json\n", "line 1: is not JSON"},
      {begin + "{\"kind\":\n" + end, "line 2: is not JSON"},
      {begin + "[]\n" + end, "line 2: has no \"kind\""},
      {pass + end, "line 1: comes before \"begin\""},
      {begin + end + pass, "line 3: comes after \"end\""},
      {begin + begin, "line 2: a second \"begin\""},
      {begin + RecordLine(ResultLine("a.a", "passed")), "line 2: result.outcome is \"passed\""},
      {begin + "{\"kind\":\"result\",\"outcome\":\"pass\"}\n", "line 2: result.id is missing"},
      {begin + "{\"kind\":\"result\",\"id\":7,\"outcome\":\"pass\"}\n", "result.id is number"},
      {begin + "{\"kind\":\"catalogue\",\"requirements\":[{\"id\":\"a\"},{\"id\":\"a\"}]}\n",
       "twice"},
  };
  for (const auto& [text, message] : cases) {
    const auto run = FoldRun(text);
    ASSERT_FALSE(run) << text;
    EXPECT_EQ(run.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(run.error().message, HasSubstr(message));
  }
}

TEST(FoldRun, UnknownFieldsAndKindsAreLeftOutAndNoted) {
  Json result = ResultLine("a.a", "pass");
  result["colour"] = "blue";
  const Json run = Fold({BeginLine(), result, {{"kind", "weather"}}, EndLine()});
  EXPECT_FALSE(run["results"][0].contains("colour"));
  EXPECT_THAT(run["notes"].dump(), HasSubstr("result.colour"));
  EXPECT_THAT(run["notes"].dump(), HasSubstr("weather"));
}

TEST(FoldRun, BytesThatAreNotUtf8AreReplaced) {
  std::string text = Stream({BeginLine(), ResultLine("a.a", "pass"), EndLine()});
  text.insert(text.find("a.a"), "\xff\xc3");
  const auto run = FoldRun(text);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ((*run)["results"][0]["id"],
            "\xEF\xBF\xBD\xEF\xBF\xBD"
            "a.a");
  EXPECT_THAT((*run)["notes"].dump(), HasSubstr("2 bytes not in UTF-8"));
}

TEST(FoldRun, ASeedHas64Bits) {
  Json result = ResultLine("a.a", "pass");
  result["seed"] = UINT64_MAX;
  const Json run = Fold({BeginLine(), result, EndLine()});
  EXPECT_EQ(run["results"][0]["seed"].get<uint64_t>(), UINT64_MAX);
  EXPECT_THAT(RenderHtml(run), HasSubstr("seed 18446744073709551615"));
}

TEST(Coverage, PassedNeedsAPassAndNoFailure) {
  const Json run =
      Fold({BeginLine(),
            Catalogue({{"r.pass", {"c.pass"}},
                       {"r.mixed", {"c.mixed1", "c.mixed2"}},
                       {"r.warned", {"c.warned1", "c.warned2"}},
                       {"r.skipped", {"c.skipped"}},
                       {"r.waived", {"c.waived"}},
                       {"r.crash", {"c.crash"}},
                       {"r.lost", {"c.lost"}},
                       {"r.unrun", {"c.unrun"}},
                       {"r.hole", {}}}),
            ResultLine("c.pass", "pass", "r.pass"), ResultLine("c.mixed1", "pass", "r.mixed"),
            ResultLine("c.mixed2", "fail", "r.mixed"), ResultLine("c.warned1", "pass", "r.warned"),
            ResultLine("c.warned2", "warn", "r.warned"),
            ResultLine("c.skipped", "not-observable", "r.skipped"),
            ResultLine("c.waived", "waived", "r.waived"), ResultLine("c.crash", "crash", "r.crash"),
            ResultLine("c.lost", "device-lost", "r.lost"), EndLine()});
  EXPECT_EQ(State(run, "r.pass"), "passed");
  EXPECT_EQ(State(run, "r.mixed"), "failed");
  EXPECT_EQ(State(run, "r.warned"), "warned");
  EXPECT_EQ(State(run, "r.skipped"), "unsettled");
  EXPECT_EQ(State(run, "r.waived"), "unsettled");
  EXPECT_EQ(State(run, "r.crash"), "failed");
  EXPECT_EQ(State(run, "r.lost"), "unsettled") << "a lost device is never a failed requirement";
  EXPECT_EQ(State(run, "r.unrun"), "not-run");
  EXPECT_EQ(State(run, "r.hole"), "hole");
}

TEST(Coverage, AHoleIsNeverAPass) {
  const Json run = Fold(
      {BeginLine(), Catalogue({{"r.hole", {}}}), ResultLine("c.a", "pass", "r.hole"), EndLine()});
  EXPECT_EQ(State(run, "r.hole"), "hole");
  EXPECT_EQ(run["coverage"][0]["best"], nullptr);
  EXPECT_EQ(run["totals"]["requirements"]["passed"], 0);
  EXPECT_THAT(run["notes"].dump(), HasSubstr("stays a hole"));
}

TEST(Coverage, FindingsSayWhichRequirementFailed) {
  Json result = ResultLine("c.a", "fail", "r.innocent");
  result["requirements"].push_back("r.guilty");
  result["findings"] = {{{"requirement", "r.guilty"}, {"severity", "fail"}},
                        {{"requirement", "r.elsewhere"}, {"severity", "fail"}}};
  const Json run =
      Fold({BeginLine(),
            Catalogue({{"r.innocent", {"c.a"}}, {"r.guilty", {"c.a"}}, {"r.elsewhere", {}}}),
            result, EndLine()});
  EXPECT_EQ(State(run, "r.guilty"), "failed");
  EXPECT_EQ(State(run, "r.innocent"), "unsettled") << "neither blamed nor passed";
  EXPECT_EQ(State(run, "r.elsewhere"), "failed")
      << "a finding outside the check's own requirements";
}

TEST(Coverage, AWaiverCoversItsFindings) {
  Json result = ResultLine("c.a", "waived", "r.a");
  result["findings"] = {{{"requirement", "r.a"}, {"severity", "fail"}}};
  const Json run = Fold({BeginLine(), Catalogue({{"r.a", {"c.a"}}}), result, EndLine()});
  EXPECT_EQ(State(run, "r.a"), "unsettled");
  EXPECT_EQ(run["coverage"][0]["best"], "waived");
}

class LoadRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("vitro-reports-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

TEST_F(LoadRunTest, StreamFoldAndDirectoryAreTheSameRun) {
  const Json run = MadeRun();
  ASSERT_TRUE(WriteReports(run, Path(""), {}));
  const auto from_fold = LoadRun(Path("run.json"));
  ASSERT_TRUE(from_fold) << from_fold.error().message;
  EXPECT_EQ(from_fold->dump(), run.dump());
  const auto from_directory = LoadRun(Path(""));
  ASSERT_TRUE(from_directory);
  EXPECT_EQ(from_directory->dump(), run.dump());
  ASSERT_TRUE(WriteAtomically(Path("run.jsonl"), ReadText(GoldenPath("made.jsonl"))));
  const auto from_stream = LoadRun(Path("run.jsonl"));
  ASSERT_TRUE(from_stream);
  EXPECT_EQ(from_stream->dump(), run.dump());
}

TEST_F(LoadRunTest, APartialRunStaysPartial) {
  const Json run = Fold({BeginLine(), ResultLine("a.a", "pass")});
  ASSERT_TRUE(WriteReports(run, Path(""), {}));
  const auto loaded = LoadRun(Path("run.json"));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->dump(), run.dump());
  EXPECT_EQ(ExitCode(*loaded), 130);
}

TEST_F(LoadRunTest, TotalsOfAFileAreNotBelieved) {
  Json run = MadeRun();
  run["totals"]["verdict"] = "conformant";
  run["totals"]["exit_code"] = 0;
  run["coverage"][0]["state"] = "failed";
  ASSERT_TRUE(WriteAtomically(Path("run.json"), run.dump()));
  const auto loaded = LoadRun(Path("run.json"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(ExitCode(*loaded), 1);
  EXPECT_EQ((*loaded)["coverage"][0]["state"], "passed");
  EXPECT_THAT((*loaded)["notes"].dump(), HasSubstr("did not match"));
}

TEST_F(LoadRunTest, ErrorsNameTheFile) {
  EXPECT_THAT(LoadRun(Path("nowhere")).error().message, HasSubstr("nowhere"));
  EXPECT_THAT(LoadRun(Path("")).error().message, HasSubstr("neither run.jsonl nor run.json"));
  ASSERT_TRUE(WriteAtomically(Path("run.json"), "{\"results\": []}"));
  EXPECT_THAT(LoadRun(Path("run.json")).error().message, HasSubstr("run.json"));
}

TEST_F(LoadRunTest, AnUnknownFormatIsRefusedBeforeAnythingIsWritten) {
  const std::string formats[] = {"html", "pdf"};
  const auto paths = WriteReports(MadeRun(), Path("out"), formats);
  ASSERT_FALSE(paths);
  EXPECT_THAT(paths.error().message, HasSubstr("\"pdf\""));
  EXPECT_FALSE(std::filesystem::exists(Path("out")));
}

TEST_F(LoadRunTest, ReportsAreWrittenWholeWithoutLeftovers) {
  const std::string formats[] = {"html", "junit", "md", "json"};
  const auto paths = WriteReports(MadeRun(), Path("a/b"), formats);
  ASSERT_TRUE(paths) << paths.error().message;
  EXPECT_EQ(paths->size(), 4u);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Path("a/b"))) {
    EXPECT_NE(entry.path().extension(), ".tmp");
    ++files;
  }
  EXPECT_EQ(files, 4u);
}

}  // namespace
}  // namespace vitro::reports
