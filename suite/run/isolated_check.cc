// SPDX-License-Identifier: Apache-2.0
#include "suite/run/isolated_check.h"

#include <sstream>

#include "suite/run/codec.h"

namespace vitro {
namespace {

constexpr size_t kTraceTail = 40;

// Writes every step down before it is taken.
RunOptions Recorded(RunOptions options, FlightRecorder& recorder) {
  options.before = [&recorder](const std::string& line) { recorder.Append(line); };
  return options;
}

std::string Answer(const CheckResult& result) {
  return ToJson(result).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Result<std::unique_ptr<IsolatedJob>> StartCheck(const Check& check, Attachment& attachment,
                                                const DeviceFacts& facts, const RunOptions& options,
                                                Duration limit) {
  return IsolatedJob::Start(
      [&check, &attachment, &facts, options](FlightRecorder& recorder) {
        return Answer(RunCheck(check, attachment, facts, Recorded(options, recorder)));
      },
      limit);
}

Result<std::unique_ptr<IsolatedJob>> ServeChecks(const std::vector<const Check*>& checks,
                                                 Attachment& attachment, const DeviceFacts& facts,
                                                 const RunOptions& options) {
  return IsolatedJob::Serve(
      [&checks, &attachment, &facts, options](FlightRecorder& recorder, uint64_t index) {
        attachment.RenewFromNowOn();
        return Answer(RunCheck(*checks[index], attachment, facts, Recorded(options, recorder)));
      });
}

Result<std::unique_ptr<IsolatedJob>> StartProgram(const Program& program, Attachment& attachment,
                                                  const RunOptions& options, Duration limit) {
  return IsolatedJob::Start(
      [&program, &attachment, options](FlightRecorder& recorder) {
        return Answer(RunProgram(program, attachment, Recorded(options, recorder)));
      },
      limit);
}

CheckResult ResultOf(const std::string& check_id, uint64_t seed,
                     const IsolatedJob::Ending& ending) {
  CheckResult result;
  if (ending.answer) {
    result = ResultFromJson(nlohmann::json::parse(*ending.answer));
    if (!ending.output.empty())
      result.device_log += (result.device_log.empty() ? "" : "\n") + ending.output;
    return result;
  }
  result.id = check_id;
  result.duration_us = ending.duration_us;
  result.device_log = ending.output;
  result.program =
      fmt::format("vitro-program 1\ncheck {}\nseed {}\n{}", check_id, seed, ending.recorded);
  std::istringstream lines(ending.recorded);
  std::vector<std::string> trace;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 200) line = line.substr(0, 200) + "..";
    trace.push_back(fmt::format("{:4} {}", trace.size(), line));
  }
  const std::string last = trace.empty() ? "attaching" : trace.back().substr(5);
  if (trace.size() > kTraceTail)
    trace.erase(trace.begin(), trace.end() - static_cast<std::ptrdiff_t>(kTraceTail));
  result.trace = std::move(trace);
  result.sent = last;
  if (ending.timed_out) {
    result.outcome = Outcome::kHang;
    result.because = fmt::format("no answer within {} ms; the last step was: {}",
                                 ending.duration_us / 1000, last);
  } else {
    result.outcome = Outcome::kCrash;
    result.because = fmt::format(
        "the process that the device lives in was {}; the last step was: {}", ending.how, last);
  }
  result.observed = ending.timed_out ? "no answer" : ending.how;
  result.accepted = {"the device goes on"};
  return result;
}

}  // namespace vitro
