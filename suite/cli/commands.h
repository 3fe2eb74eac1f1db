// SPDX-License-Identifier: Apache-2.0
// The subcommands of `vitro`: each adds itself to the command line and returns its exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "harness/base/result.h"

namespace vitro::cli {

// The exit codes of the design.
enum ExitCode {
  kConformant = 0,
  kNotConformant = 1,
  kUsage = 2,
  kNothingRan = 3,
  kNoDevice = 4,
  kHarnessError = 5,
  kInterrupted = 130,
};

// What every command gets.
struct CommandLine {
  std::vector<std::string> argv;  // as invoked
  int exit_code = kConformant;    // set by the command that ran
};

void AddDoctor(CLI::App& app, CommandLine& line);
void AddList(CLI::App& app, CommandLine& line);
void AddRun(CLI::App& app, CommandLine& line);
void AddMatrix(CLI::App& app, CommandLine& line);
void AddCombinations(CLI::App& app, CommandLine& line);
void AddProbe(CLI::App& app, CommandLine& line);
void AddReplay(CLI::App& app, CommandLine& line);
void AddLint(CLI::App& app, CommandLine& line);
void AddNew(CLI::App& app, CommandLine& line);
void AddServe(CLI::App& app, CommandLine& line);
void AddReport(CLI::App& app, CommandLine& line);

// Says what went wrong, in one sentence on stderr, and returns the exit code for that kind of
// error.
int Complain(const Error& error);

}  // namespace vitro::cli
