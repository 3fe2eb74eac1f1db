// SPDX-License-Identifier: Apache-2.0
// `vitro run`: attach, drive, judge, report.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "reports/record.h"
#include "reports/terminal.h"
#include "reports/write.h"
#include "suite/cli/commands.h"
#include "suite/cli/stop_signals.h"
#include "suite/profile/built_in.h"
#include "suite/run/run_record.h"
#include "suite/run/runner.h"
#include "suite/run/select.h"

namespace vitro::cli {
namespace {

using reports::Json;

struct RunArguments {
  std::string attach, profile;
  Selection selection;
  std::vector<std::string> list_files;
  uint64_t seed = 1;
  bool strict = false, quiet = false, rerun_failed = false, fresh = false;
  uint32_t jobs = 0;  // 0: as many as there are processors if devices are independent
  uint32_t timeout_ms = 10000, response_ms = 1000;
  std::string out = "vitro-report";
  std::vector<std::string> formats = {"html", "junit", "md"};
};

// run.jsonl: a line is on disk before the next check's result is awaited.
class Stream {
 public:
  // Replaces what an earlier run left in the directory.
  static Result<Stream> Open(const std::string& directory) {
    std::error_code error;
    std::filesystem::create_directories(directory + "/programs", error);
    if (!error) RemoveOld(directory);
    const std::string path = directory + "/run.jsonl";
    FILE* file = error ? nullptr : std::fopen(path.c_str(), "we");
    if (file == nullptr)
      return Fail(ErrorKind::kUsage, "--out {}: {}; expected a directory that can be written",
                  directory, error ? error.message() : std::strerror(errno));
    return Stream(file);
  }
  void Add(const Json& line) {
    const std::string text = reports::RecordLine(line);
    std::fwrite(text.data(), 1, text.size(), file_.get());
    std::fflush(file_.get());
    text_ += text;
  }
  // The record as it would be with one more line, or (null) as it is.
  Result<Json> Fold(const Json& more) const {
    return reports::FoldRun(more.is_null() ? text_ : text_ + reports::RecordLine(more));
  }

 private:
  explicit Stream(FILE* file) : file_(file, &std::fclose) {}

  // A report of an earlier run beside the record of this one would be believed. Only what vitro
  // wrote goes: the directory may hold other things.
  static void RemoveOld(const std::string& directory) {
    std::error_code ignored;
    for (const char* name : {"run.json", "report.html", "junit.xml", "summary.md"})
      if (std::filesystem::is_regular_file(directory + "/" + name, ignored))
        std::filesystem::remove(directory + "/" + name, ignored);
    for (const auto& entry : std::filesystem::directory_iterator(directory + "/programs", ignored))
      if (entry.path().extension() == ".vitro") std::filesystem::remove(entry.path(), ignored);
  }

  std::unique_ptr<FILE, int (*)(FILE*)> file_;
  std::string text_;
};

// The checks that did not pass in the record that stands in the out directory.
Result<> SelectFailed(const std::string& out, Selection& selection) {
  VITRO_ASSIGN(const Json run, reports::LoadRun(out));
  std::vector<std::string> failed;
  for (const Json& result : run.at("results"))
    if (reports::IsFailure(run, result) || result.at("outcome") == "harness-error")
      failed.push_back(result.at("id"));
  if (failed.empty())
    return Fail(ErrorKind::kUsage, "--rerun-failed: nothing failed in the run recorded in {}", out);
  selection.include = std::move(failed);
  return {};
}

constexpr uint32_t kWaitingJobs = 3;

uint32_t Jobs(const RunArguments& arguments, const Attachment& attachment) {
  if (!attachment.independent()) return 1;
  if (arguments.jobs != 0) return arguments.jobs;
  // A back-end that was started by a command may share files with its sisters: one at a time unless
  // asked for more.
  if (attachment.string().kind == "vhost-user") return 1;
  const uint32_t processors = std::max(1u, std::thread::hardware_concurrency());
  // Where no start is paid for, most of a check's time is a quiet window in which nothing happens.
  return attachment.renewable() && !arguments.fresh ? kWaitingJobs * processors : processors;
}

class RunCommand {
 public:
  RunCommand(const RunArguments& arguments, std::vector<std::string> argv)
      : arguments_(arguments), argv_(std::move(argv)), terminal_(stdout, [&] {
          auto options = reports::DetectTerminal(stdout);
          options.quiet = arguments.quiet;
          return options;
        }()) {}

  // The exit code, or why there is none.
  Result<int> Execute() {
    Selection selection = arguments_.selection;
    for (const std::string& file : arguments_.list_files)
      VITRO_TRY(ReadSelectionFile(file, selection));
    if (arguments_.rerun_failed) VITRO_TRY(SelectFailed(arguments_.out, selection));
    VITRO_ASSIGN(auto checks, SelectChecks(selection, true));
    if (!arguments_.profile.empty()) {
      VITRO_ASSIGN(profile_, OpenProfile(arguments_.profile));
    }
    VITRO_ASSIGN(auto attachment, OpenAttachment(arguments_.attach));
    Invocation invocation;
    invocation.argv = argv_;
    invocation.seed = arguments_.seed;
    invocation.strict = arguments_.strict;
    invocation.jobs = Jobs(arguments_, *attachment);
    invocation.timeout_ms = arguments_.timeout_ms;
    invocation.start = UtcNow();
    ProbeOptions probe_options;
    probe_options.limit = milliseconds(arguments_.timeout_ms);
    probe_options.profile = profile_ ? &*profile_ : nullptr;
    VITRO_ASSIGN(const Probed probed, Probe(*attachment, probe_options));
    checks = AtLevelOf(probed.abilities, probed.facts.offered, std::move(checks));

    VITRO_ASSIGN(Stream stream, Stream::Open(arguments_.out));
    stream_ = &stream;
    const UniqueFd stop = StopSignals();
    const Json begin = BeginLine(attachment->string(), probed, invocation, checks.size());
    stream.Add(begin);
    stream.Add(CatalogueLine());
    terminal_.Begin(begin);
    VITRO_ASSIGN(const bool complete,
                 RunChecks(checks, *attachment, probed, Options(invocation, stop.get())));
    return Conclude(stream, complete);
  }

 private:
  RunnerOptions Options(const Invocation& invocation, int stop_fd) {
    RunnerOptions options;
    options.run.seed = arguments_.seed;
    options.run.response = milliseconds(arguments_.response_ms);
    options.limit = milliseconds(arguments_.timeout_ms);
    options.jobs = invocation.jobs;
    options.fresh = arguments_.fresh;
    options.stop_fd = stop_fd;
    options.started = [this](const Check& check) { terminal_.Started(check.id); };
    options.finished = [this](const Check& check, const CheckResult& result) {
      Add(check, result);
    };
    options.tick = [this] { terminal_.Tick(); };
    return options;
  }

  void Add(const Check& check, const CheckResult& result) {
    std::string program_path;
    if (!result.program.empty()) {
      program_path = "programs/" + check.id + ".vitro";
      std::ofstream(arguments_.out + "/" + program_path) << result.program;
    }
    const Json line = ResultLine(check, result, arguments_.seed, program_path, Reproduce(check));
    stream_->Add(line);
    terminal_.Result(line);
  }

  std::string Reproduce(const Check& check) const {
    std::string command = fmt::format("{} run {} {} --seed {}", ShellQuote(argv_[0]),
                                      ShellQuote(arguments_.attach), check.id, arguments_.seed);
    if (!arguments_.profile.empty()) command += " --profile " + ShellQuote(arguments_.profile);
    if (arguments_.timeout_ms != RunArguments().timeout_ms)
      command += fmt::format(" --timeout {}", arguments_.timeout_ms);
    if (arguments_.response_ms != RunArguments().response_ms)
      command += fmt::format(" --response {}", arguments_.response_ms);
    return command;
  }

  Result<int> Conclude(Stream& stream, bool complete) {
    // The exit code follows from the record with its end, and stands in it.
    VITRO_ASSIGN(const Json ended, stream.Fold(EndLine(!complete, 0)));
    stream.Add(EndLine(!complete, reports::ExitCode(ended)));
    VITRO_ASSIGN(const Json run, stream.Fold(nullptr));
    terminal_.End(run);
    VITRO_ASSIGN(const auto paths, reports::WriteReports(run, arguments_.out, arguments_.formats));
    for (const std::string& path : paths) fmt::print("{}\n", path);
    return reports::ExitCode(run);
  }

  const RunArguments& arguments_;
  std::optional<Profile> profile_;
  std::vector<std::string> argv_;
  reports::TerminalReporter terminal_;
  Stream* stream_ = nullptr;
};

}  // namespace

void AddRun(CLI::App& app, CommandLine& line) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* run = app.add_subcommand("run", "Run the checks on a device and report");
  run->add_option("ATTACH", arguments->attach, "Where the device is (see vitro --help)")
      ->required();
  run->add_option("SELECT", arguments->selection.include,
                  "Beginning of a check id or requirement id, or tag:NAME; none: everything");
  run->add_option("--exclude", arguments->selection.exclude, "Leave these out (selectors as above)")
      ->delimiter(',');
  run->add_option("--list-file", arguments->list_files,
                  "File of selectors, one a line; '-' in front excludes, '#' comments");
  run->add_option("--profile", arguments->profile,
                  "What the device's type is: a TOML file, or a built-in profile's name");
  run->add_option("--seed", arguments->seed, "Seed of everything random")->capture_default_str();
  run->add_flag("--strict", arguments->strict, "Warnings count as failures");
  run->add_option("--jobs", arguments->jobs,
                  "Checks at a time; default: one per processor, three for qemu, but one for "
                  "vhost-user")
      ->check(CLI::Range(1u, 256u));
  run->add_flag(
      "--fresh", arguments->fresh,
      "Start a device for every check, where otherwise one that passes is renewed (qemu)");
  run->add_option("--timeout", arguments->timeout_ms, "Limit of one check, in milliseconds")
      ->check(CLI::Range(10u, 3600000u))
      ->capture_default_str();
  run->add_option("--response", arguments->response_ms,
                  "How long the device may take to answer, in milliseconds")
      ->check(CLI::Range(1u, 600000u))
      ->capture_default_str();
  run->add_flag("--rerun-failed", arguments->rerun_failed,
                "Only what failed in the run recorded in the out directory");
  run->add_option("--out", arguments->out, "Directory for record and reports, replaced")
      ->capture_default_str();
  run->add_option("--report", arguments->formats, "Formats: html, junit, md, json")
      ->delimiter(',')
      ->check(CLI::IsMember({"html", "junit", "md", "json"}));
  run->add_flag("-q,--quiet", arguments->quiet, "Only failures and the verdict");
  run->callback([arguments, &line] {
    auto code = RunCommand(*arguments, line.argv).Execute();
    line.exit_code = code ? *code : Complain(code.error());
  });
}

}  // namespace vitro::cli
