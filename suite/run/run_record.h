// SPDX-License-Identifier: Apache-2.0
// The lines of run.jsonl (reports/run_record.schema.json describes their fold): who ran what on
// which device, the catalogue as it was, each result as it came, and the end.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/attach/attach.h"
#include "suite/checks/check.h"
#include "suite/run/outcome.h"
#include "suite/run/probe.h"

namespace vitro {

// Version and tree state of this build.
struct SuiteVersion {
  static std::string Version();  // "0.1.0"
  static std::string Tree();     // e.g. "v0.1.0-3-gabc" or "unknown"
};

// What was asked for, as it goes into the record.
struct Invocation {
  std::vector<std::string> argv;
  uint64_t seed = 1;
  bool strict = false;
  uint32_t jobs = 1;
  int64_t timeout_ms = 0;
  std::string start;  // UTC, ISO 8601
};

std::string UtcNow();
// Quoted for a POSIX shell, if it needs to be.
std::string ShellQuote(const std::string& text);

nlohmann::json DeviceJson(const AttachString& attach, const Probed& probed);
nlohmann::json BeginLine(const AttachString& attach, const Probed& probed,
                         const Invocation& invocation, size_t planned);
nlohmann::json CatalogueLine();
// Which checks judge a requirement, by its id: those on packed rings too, but not the repetitions
// under interrupt plans, which judge what their originals judge.
std::map<std::string, std::vector<std::string>> ChecksByRequirement();
// `program_path`: where the program text was written, relative to the record; "" if nowhere.
nlohmann::json ResultLine(const Check& check, const CheckResult& result, uint64_t seed,
                          const std::string& program_path, const std::string& reproduce);
nlohmann::json EndLine(bool interrupted, int exit_code);

}  // namespace vitro
