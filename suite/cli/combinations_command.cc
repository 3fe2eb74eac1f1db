// SPDX-License-Identifier: Apache-2.0
// `vitro combinations`: every set of feature bits that a driver may accept, or as many as fit.
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "reports/combinations.h"
#include "reports/terminal.h"
#include "reports/write.h"
#include "suite/cli/commands.h"
#include "suite/cli/stop_signals.h"
#include "suite/profile/built_in.h"
#include "suite/run/combinations_record.h"
#include "suite/run/run_record.h"

namespace vitro::cli {
namespace {

using nlohmann::json;

struct CombinationsArguments {
  std::string attach, profile;
  std::string depth = "negotiate";
  uint64_t budget = 0;  // 0: by depth
  uint32_t strength = 0;
  uint32_t seconds = 0;
  uint64_t seed = 1;
  uint32_t timeout_ms = 2000, response_ms = 1000;
  bool resume = false, strict = false, quiet = false;
  std::string out = "vitro-combinations";
};

// What takes some seconds where the device is in this process, and minutes elsewhere.
uint64_t UsualBudget(SetDepth depth) {
  switch (depth) {
    case SetDepth::kNegotiate:
      return 1 << 20;
    case SetDepth::kConfig:
      return 1 << 13;
    case SetDepth::kIo:
      return 1 << 9;
  }
  return 1;
}

SetDepth DepthNamed(const std::string& name) {
  for (const SetDepth depth : {SetDepth::kConfig, SetDepth::kIo})
    if (name == Name(depth)) return depth;
  return SetDepth::kNegotiate;
}

// One line that is written over on a terminal, and a line now and then elsewhere.
class ProgressLine {
 public:
  ProgressLine(bool quiet, reports::TerminalOptions terminal)
      : quiet_(quiet), terminal_(std::move(terminal)) {}
  ~ProgressLine() { Clear(); }

  void Show(const char* what, const SweepState& state, uint64_t of) {
    const auto now = Clock::now();
    const auto pause = terminal_.tty ? milliseconds(100) : milliseconds(10000);
    if (quiet_ || now - shown_ < pause) return;
    shown_ = now;
    if (what_ != what) start_ = {now, state.next};
    what_ = what;
    const double seconds = std::chrono::duration<double>(now - start_.at).count();
    const double rate = seconds > 0.2 ? static_cast<double>(state.next - start_.next) / seconds : 0;
    std::string line = fmt::format("{}: {} of {}", what, state.next, of);
    if (rate > 0)
      line += fmt::format(", {:.0f} a second, {:.0f} s left", rate,
                          static_cast<double>(of - state.next) / rate);
    if (state.failed() != 0) line += fmt::format(", {} did not pass", state.failed());
    if (terminal_.tty)
      fmt::print(stderr, "\r\x1b[K{}", line.substr(0, static_cast<size_t>(terminal_.width) - 1));
    else
      fmt::print(stderr, "{}\n", line);
    std::fflush(stderr);
    drawn_ = terminal_.tty;
  }
  void Clear() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
    drawn_ = false;
  }

 private:
  struct Start {
    Clock::time_point at;
    uint64_t next = 0;
  };
  bool quiet_;
  reports::TerminalOptions terminal_;
  Clock::time_point shown_ = Clock::now();
  Start start_;
  std::string what_;
  bool drawn_ = false;
};

class CombinationsCommand {
 public:
  CombinationsCommand(CombinationsArguments arguments, std::vector<std::string> argv)
      : arguments_(std::move(arguments)),
        terminal_(reports::DetectTerminal(stdout)),
        progress_(arguments_.quiet, reports::DetectTerminal(stderr)) {
    invocation_.argv = std::move(argv);
    invocation_.start = UtcNow();
  }

  Result<int> Execute() {
    std::optional<ResumedRun> resumed;
    if (arguments_.resume) {
      VITRO_ASSIGN(resumed, Resume());
    } else {
      TakeOptions();
    }
    VITRO_ASSIGN(attachment_, OpenAttachment(arguments_.attach));
    ProbeOptions probe_options;
    if (!invocation_.profile.empty()) {
      VITRO_ASSIGN(profile_, OpenProfile(invocation_.profile));
      probe_options.profile = &*profile_;
    }
    VITRO_ASSIGN(probed_, Probe(*attachment_, probe_options));
    VITRO_ASSIGN(run_, PlanRun(probed_, options_));
    if (resumed) VITRO_TRY(GoOnFrom(*resumed));
    VITRO_TRY(PrepareDirectory());
    const UniqueFd stop = StopSignals();
    options_.stop_fd = stop.get();
    if (arguments_.seconds != 0)
      options_.until = Clock::now() + std::chrono::seconds(arguments_.seconds);
    options_.tick = [this](const char* what, const SweepState& state, uint64_t of) {
      progress_.Show(what, state, of);
    };
    Result<> kept;
    options_.checkpoint = [this, &kept] {
      if (kept) kept = reports::WriteAtomically(RecordPath(), Record().dump(1) + "\n");
    };
    VITRO_TRY(RunCombinations(*attachment_, probed_, options_, run_));
    progress_.Clear();
    VITRO_TRY(kept);
    return Conclude();
  }

 private:
  void TakeOptions() {
    options_.depth = DepthNamed(arguments_.depth);
    options_.budget = arguments_.budget != 0 ? arguments_.budget : UsualBudget(options_.depth);
    if (arguments_.strength != 0) options_.strength = arguments_.strength;
    options_.run.seed = arguments_.seed;
    options_.run.response = milliseconds(arguments_.response_ms);
    options_.limit = milliseconds(arguments_.timeout_ms);
    invocation_.profile = arguments_.profile;
    invocation_.strict = arguments_.strict;
  }

  std::string RecordPath() const { return arguments_.out + "/combinations.json"; }
  json Record() const {
    return CombinationsJson(attachment_->string(), probed_, options_, invocation_, run_);
  }

  Result<ResumedRun> Resume() {
    const std::string path = RecordPath();
    std::ifstream file(path);
    if (!file)
      return Fail(ErrorKind::kUsage, "--resume: {}: {}; expected the record of an earlier run",
                  path, std::strerror(errno));
    const json record = json::parse(file, nullptr, false);
    if (record.is_discarded())
      return Fail(ErrorKind::kUsage,
                  "--resume: {} is not JSON: expected a record that 'vitro "
                  "combinations' wrote",
                  path);
    VITRO_ASSIGN(ResumedRun resumed, ResumeFrom(path, record));
    if (resumed.attach != arguments_.attach)
      return Fail(ErrorKind::kUsage, "--resume: {} is of '{}', not of '{}'", path, resumed.attach,
                  arguments_.attach);
    if (resumed.complete)
      return Fail(ErrorKind::kUsage, "--resume: the run in {} is complete: nothing is left to try",
                  path);
    options_ = resumed.options;
    invocation_.profile = resumed.profile;
    invocation_.strict = resumed.strict;
    return resumed;
  }

  // The plan follows from the options; it has to be the same for numbers to mean the same.
  Result<> GoOnFrom(const ResumedRun& resumed) {
    const std::string offered =
        DeviceJson(attachment_->string(), probed_).at("offered_words").get<std::string>();
    if (offered != resumed.offered)
      return Fail(ErrorKind::kUsage,
                  "--resume: the device offers {} now; {} was made when it "
                  "offered {}",
                  offered, RecordPath(), resumed.offered);
    if (run_.planned != resumed.planned || run_.invalid.size() != resumed.planned_invalid)
      return Fail(ErrorKind::kUsage,
                  "--resume: {} has {} valid and {} invalid sets, the profile "
                  "gives {} and {} now",
                  RecordPath(), resumed.planned, resumed.planned_invalid, run_.planned,
                  run_.invalid.size());
    run_.sweep = resumed.sweep;
    run_.invalid_sweep = resumed.invalid_sweep;
    return {};
  }

  Result<> PrepareDirectory() {
    std::error_code error;
    std::filesystem::create_directories(arguments_.out + "/programs", error);
    if (error)
      return Fail(ErrorKind::kUsage, "--out {}: {}; expected a directory that can be written",
                  arguments_.out, error.message());
    // Reports of an earlier run would be believed. Only what this command wrote goes; the record
    // that is gone on from is good until there is a newer one.
    std::error_code ignored;
    if (!arguments_.resume) std::filesystem::remove(RecordPath(), ignored);
    std::filesystem::remove(arguments_.out + "/combinations.html", ignored);
    for (const auto& entry :
         std::filesystem::directory_iterator(arguments_.out + "/programs", ignored))
      if (entry.path().filename().string().starts_with("set-"))
        std::filesystem::remove(entry.path(), ignored);
    return {};
  }

  void WritePrograms() {
    for (size_t i = 0; i < run_.reduced.size(); ++i) {
      const std::string path = fmt::format("programs/set-{}.vitro", i + 1);
      const bool there = !run_.reduced[i].program.empty();
      if (there) std::ofstream(arguments_.out + "/" + path) << run_.reduced[i].program;
      invocation_.programs.push_back(there ? path : "");
      invocation_.reproduce.push_back(
          there
              ? fmt::format("{} replay {} {}", ShellQuote(invocation_.argv[0]),
                            ShellQuote(arguments_.out + "/" + path), ShellQuote(arguments_.attach))
              : "");
    }
  }

  Result<int> Conclude() {
    WritePrograms();
    const json record = Record();
    const std::string page = arguments_.out + "/combinations.html";
    VITRO_TRY(reports::WriteAtomically(RecordPath(), record.dump(1) + "\n"));
    VITRO_TRY(reports::WriteAtomically(page, reports::RenderCombinationsHtml(record)));
    fmt::print("{}", reports::RenderCombinationsText(record, terminal_));
    fmt::print("{}\n{}\n", RecordPath(), page);
    return record.at("exit_code").get<int>();
  }

  CombinationsArguments arguments_;
  reports::TerminalOptions terminal_;
  ProgressLine progress_;
  CombinationInvocation invocation_;
  CombinationOptions options_;
  std::unique_ptr<Attachment> attachment_;
  Probed probed_;
  std::optional<Profile> profile_;
  Combinations run_;
};

}  // namespace

void AddCombinations(CLI::App& app, CommandLine& line) {
  auto arguments = std::make_shared<CombinationsArguments>();
  CLI::App* command = app.add_subcommand(
      "combinations", "Negotiate every valid set of feature bits, or as many as fit the budget");
  command->add_option("ATTACH", arguments->attach, "Where the device is (see vitro --help)")
      ->required();
  std::vector<CLI::Option*> planning;
  planning.push_back(
      command
          ->add_option("--depth", arguments->depth,
                       "What is done with each set: negotiate; config: also read the config space "
                       "and negotiate again; io: also requests on every queue, under the oracle")
          ->check(CLI::IsMember({"negotiate", "config", "io"}))
          ->capture_default_str());
  planning.push_back(command
                         ->add_option("--budget", arguments->budget,
                                      "Sets at most; default: 1048576 negotiate, 8192 config, 512 "
                                      "io")
                         ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40)));
  planning.push_back(command
                         ->add_option("--strength", arguments->strength,
                                      "Of the covering array, even where all sets would fit; "
                                      "default: all sets, or the highest that fits")
                         ->check(CLI::Range(2u, 6u)));
  planning.push_back(command->add_option("--profile", arguments->profile,
                                         "What the device's type is: a TOML file, or a built-in "
                                         "profile's name"));
  planning.push_back(command->add_option("--seed", arguments->seed, "Seed of everything random")
                         ->capture_default_str());
  planning.push_back(
      command->add_option("--timeout", arguments->timeout_ms, "Limit of one set, in milliseconds")
          ->check(CLI::Range(10u, 3600000u))
          ->capture_default_str());
  planning.push_back(command
                         ->add_option("--response", arguments->response_ms,
                                      "How long the device may take to answer, in milliseconds")
                         ->check(CLI::Range(1u, 600000u))
                         ->capture_default_str());
  planning.push_back(
      command->add_flag("--strict", arguments->strict, "Warnings count as failures"));
  command->add_option("--for", arguments->seconds, "Stop after so many seconds")
      ->check(CLI::Range(1u, 31536000u));
  CLI::Option* resume = command->add_flag(
      "--resume", arguments->resume, "Go on from the record in the out directory, as it was begun");
  for (CLI::Option* option : planning) resume->excludes(option);
  command->add_option("--out", arguments->out, "Directory for record, page and programs")
      ->capture_default_str();
  command->add_flag("-q,--quiet", arguments->quiet, "No progress");
  command->callback([arguments, &line] {
    auto code = CombinationsCommand(*arguments, line.argv).Execute();
    line.exit_code = code ? *code : Complain(code.error());
  });
}

}  // namespace vitro::cli
