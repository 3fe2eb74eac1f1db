// SPDX-License-Identifier: Apache-2.0
// `vitro replay`: runs a recorded program on a device and judges it again.
#include <cerrno>
#include <cstring>
#include <fstream>

#include "suite/cli/commands.h"
#include "suite/run/isolated_check.h"

namespace vitro::cli {
namespace {

struct ReplayArguments {
  std::string program, attach;
  uint32_t timeout_ms = 10000, response_ms = 1000;
};

Result<Program> LoadProgram(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    return Fail(ErrorKind::kUsage, "{}: {}; expected a program that vitro wrote", path,
                std::strerror(errno));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto program = ParseProgram(text);
  if (!program) return Fail(ErrorKind::kUsage, "{}: {}", path, program.error().message);
  return program;
}

void Print(const CheckResult& result) {
  for (const std::string& step : result.trace) fmt::print("{}\n", step);
  for (const WeighedFinding& weighed : result.findings)
    fmt::print(
        "\n{}: {}\n  requirement  {}\n  accepted     {}\n  observed     {}\n  at step      {}\n",
        Name(weighed.severity), weighed.finding.message, weighed.finding.requirement,
        weighed.finding.accepted, weighed.finding.observed, weighed.finding.operation);
  fmt::print("\n{}{}{}\n", Name(result.outcome), result.because.empty() ? "" : ": ",
             result.because);
  if (!result.device_log.empty()) fmt::print("\nthe device said:\n{}\n", result.device_log);
}

Result<int> Replay(const ReplayArguments& arguments) {
  VITRO_ASSIGN(const Program program, LoadProgram(arguments.program));
  VITRO_ASSIGN(auto attachment, OpenAttachment(arguments.attach));
  RunOptions options;
  options.response = milliseconds(arguments.response_ms);
  VITRO_ASSIGN(auto job,
               StartProgram(program, *attachment, options, milliseconds(arguments.timeout_ms)));
  const CheckResult result = ResultOf(program.check, program.seed, job->Wait());
  Print(result);
  switch (result.outcome) {
    case Outcome::kPass:
    case Outcome::kInfo:
    case Outcome::kWarn:
      return kConformant;
    case Outcome::kNotApplicable:
    case Outcome::kNotObservable:
      return kNothingRan;
    case Outcome::kHarnessError:
      return kHarnessError;
    default:
      return kNotConformant;
  }
}

}  // namespace

void AddReplay(CLI::App& app, CommandLine& line) {
  auto arguments = std::make_shared<ReplayArguments>();
  CLI::App* replay = app.add_subcommand("replay", "Run a recorded program and judge it again");
  replay->add_option("PROGRAM", arguments->program, "Program text, as in OUT/programs")->required();
  replay->add_option("ATTACH", arguments->attach, "Where the device is (see vitro --help)")
      ->required();
  replay->add_option("--timeout", arguments->timeout_ms, "Limit for all of it, in milliseconds")
      ->check(CLI::Range(10u, 3600000u))
      ->capture_default_str();
  replay
      ->add_option("--response", arguments->response_ms,
                   "How long the device may take to answer, in milliseconds")
      ->check(CLI::Range(1u, 600000u))
      ->capture_default_str();
  replay->callback([arguments, &line] {
    auto code = Replay(*arguments);
    line.exit_code = code ? *code : Complain(code.error());
  });
}

}  // namespace vitro::cli
