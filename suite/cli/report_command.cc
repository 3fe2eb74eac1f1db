// SPDX-License-Identifier: Apache-2.0
// `vitro report`: renders a recorded run again, without the device.
#include "reports/record.h"
#include "reports/terminal.h"
#include "reports/write.h"
#include "suite/cli/commands.h"

namespace vitro::cli {
namespace {

struct ReportArguments {
  std::string run;
  std::string out;
  std::vector<std::string> formats = {"html", "junit", "md"};
};

Result<int> Report(const ReportArguments& arguments) {
  VITRO_ASSIGN(const reports::Json run, reports::LoadRun(arguments.run));
  auto options = reports::DetectTerminal(stdout);
  options.quiet = true;
  reports::TerminalReporter(stdout, options).End(run);
  if (!arguments.out.empty()) {
    VITRO_ASSIGN(const auto paths, reports::WriteReports(run, arguments.out, arguments.formats));
    for (const std::string& path : paths) fmt::print("{}\n", path);
  }
  return reports::ExitCode(run);
}

}  // namespace

void AddReport(CLI::App& app, CommandLine& line) {
  auto arguments = std::make_shared<ReportArguments>();
  CLI::App* report =
      app.add_subcommand("report", "Show a recorded run, and render its reports again");
  report->add_option("RUN", arguments->run, "run.jsonl, run.json, or a directory that has one")
      ->required();
  report->add_option("--out", arguments->out, "Write the reports into this directory");
  report->add_option("--report", arguments->formats, "Formats: html, junit, md, json")
      ->delimiter(',')
      ->check(CLI::IsMember({"html", "junit", "md", "json"}));
  report->callback([arguments, &line] {
    auto code = Report(*arguments);
    line.exit_code = code ? *code : Complain(code.error());
  });
}

}  // namespace vitro::cli
