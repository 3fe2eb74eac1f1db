// SPDX-License-Identifier: Apache-2.0
#include "suite/run/run_check.h"

#include <algorithm>
#include <map>

#include "harness/session/session.h"
#include "suite/catalogue/catalogue.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

constexpr size_t kTraceTail = 40;
constexpr size_t kMostFindings = 24;
constexpr size_t kMostSent = 600;  // characters

// What a session that ended, by itself or by an error, amounts to.
void Conclude(Session& session, CheckResult& result) {
  // The heaviest first; within the same weight, in the order in which they were made. What is wrong
  // in the same way again is counted, not told: a loop over 65,536 buffers would bury everything
  // else.
  std::map<std::pair<std::string, std::string>, size_t> times;
  for (const Finding& finding : session.findings()) ++times[{finding.requirement, finding.message}];
  for (Outcome weight : {Outcome::kFail, Outcome::kWarn, Outcome::kInfo}) {
    for (const Finding& finding : session.findings()) {
      if (Weigh(finding) != weight || result.findings.size() >= kMostFindings) continue;
      auto counted = times.find({finding.requirement, finding.message});
      if (counted == times.end()) continue;  // told already
      result.findings.push_back({finding, weight});
      if (counted->second > 1)
        result.findings.back().finding.message += fmt::format(" ({} times)", counted->second);
      times.erase(counted);
    }
  }
  result.trace = session.TraceTail(kTraceTail);
  result.program = ToText(session.program(result.id));
  result.device_log = session.transport().DeviceLog();
  if (!session.transport().abilities().Has(Ability::kExactQuiet))
    result.quiet_window_us =
        std::chrono::duration_cast<microseconds>(session.quiet_window()).count();
}

// The outcome that the findings alone give.
void JudgeFindings(CheckResult& result) {
  if (result.findings.empty()) {
    result.outcome = Outcome::kPass;
    return;
  }
  const WeighedFinding& worst = result.findings.front();
  result.outcome = worst.severity;
  result.because = fmt::format("{} ({})", worst.finding.message, worst.finding.requirement);
  result.observed = worst.finding.observed;
  for (const WeighedFinding& finding : result.findings)
    if (std::find(result.accepted.begin(), result.accepted.end(), finding.finding.accepted) ==
        result.accepted.end())
      result.accepted.push_back(finding.finding.accepted);
}

// What was sent, in a sentence: the operations by name, so that a reader sees the way at a glance.
std::string Sent(const Session& session) {
  std::string sent;
  std::string last;
  int repeats = 0;
  auto flush = [&] {
    if (last.empty()) return;
    if (!sent.empty()) sent += ", ";
    sent += repeats > 1 ? fmt::format("{} x{}", last, repeats) : last;
  };
  for (const auto& step : session.trace()) {
    const std::string name =
        std::visit([](const auto& each) { return std::string(each.kName); }, step.operation);
    if (name == op::Expect::kName) continue;
    if (name != last) {
      flush();
      last = name;
      repeats = 0;
    }
    ++repeats;
  }
  flush();
  if (sent.size() > kMostSent) sent = sent.substr(0, sent.rfind(',', kMostSent)) + ", and so on";
  return sent;
}

// Runs `body` on a fresh device and fills in everything but the id.
template <typename Body>
CheckResult RunOn(std::string id, Attachment& attachment, uint64_t seed, const RunOptions& options,
                  Body body) {
  CheckResult result;
  result.id = std::move(id);
  const auto start = Clock::now();
  auto finish = [&]() -> CheckResult& {
    result.duration_us = std::chrono::duration_cast<microseconds>(Clock::now() - start).count();
    return result;
  };
  auto memory = GuestMemory::CreateDefault();
  if (!memory) {
    result.because = memory.error().message;
    return finish();
  }
  auto transport = attachment.Attach(*memory);
  if (!transport) {
    result.outcome = OutcomeOf(transport.error(), nullptr);
    result.because = transport.error().message;
    return finish();
  }
  SessionOptions session_options;
  session_options.seed = seed;
  session_options.response = options.response;
  if (options.before)
    session_options.before = [&](const Operation& operation) { options.before(ToText(operation)); };
  Session session(*memory, **transport, session_options);

  std::optional<Error> error;
  std::optional<CheckEnded::Why> why;
  try {
    body(session);
    if (auto finished = session.Finish(); !finished) error = finished.error();
  } catch (const CheckEnded& ended) {
    why = ended.why;
    error = ended.error;
  } catch (const std::exception& exception) {
    // Nothing of a device behind the C ABI throws: this is ours.
    error = Error{ErrorKind::kHarness, exception.what()};
  }
  Conclude(session, result);
  JudgeFindings(result);
  result.sent = Sent(session);
  if (!error) return finish();
  if (why && *why != CheckEnded::Why::kError) {
    // What was found before the check saw that it cannot go on stands.
    if (result.findings.empty()) {
      result.outcome = *why == CheckEnded::Why::kNotApplicable ? Outcome::kNotApplicable
                                                               : Outcome::kNotObservable;
      result.because = error->message;
    }
    return finish();
  }
  const Outcome outcome = OutcomeOf(*error, transport->get());
  // A failure that was already shown says more than that the device then stopped answering, unless
  // the device died.
  if (result.outcome != Outcome::kFail || outcome == Outcome::kCrash) {
    result.outcome = outcome;
    result.because = error->message;
    if (const auto death = (*transport)->Died()) result.because += "; " + death->how;
    result.observed = result.because;
  }
  return finish();
}

}  // namespace

Outcome OutcomeOf(const Error& error, Transport* transport) {
  if (transport != nullptr && error.kind == ErrorKind::kDeviceLost) {
    const auto death = transport->Died();
    return death && death->by_signal ? Outcome::kCrash : Outcome::kDeviceLost;
  }
  switch (error.kind) {
    case ErrorKind::kTimeout:
      return Outcome::kHang;
    case ErrorKind::kUnsupported:
      return Outcome::kNotObservable;
    case ErrorKind::kDeviceLost:
    case ErrorKind::kAttach:
      return Outcome::kDeviceLost;
    default:
      return Outcome::kHarnessError;
  }
}

const char* Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return "pass";
    case Outcome::kFail:
      return "fail";
    case Outcome::kWarn:
      return "warn";
    case Outcome::kInfo:
      return "info";
    case Outcome::kNotApplicable:
      return "not-applicable";
    case Outcome::kNotObservable:
      return "not-observable";
    case Outcome::kWaived:
      return "waived";
    case Outcome::kCrash:
      return "crash";
    case Outcome::kHang:
      return "hang";
    case Outcome::kDeviceLost:
      return "device-lost";
    case Outcome::kHarnessError:
      return "harness-error";
  }
  return "?";
}

Outcome Weigh(const Finding& finding) {
  if (finding.severity == "info") return Outcome::kInfo;
  const Requirement* requirement = Catalogue::Get().Find(finding.requirement);
  Outcome weight = Outcome::kFail;
  if (requirement != nullptr) {
    switch (SeverityOf(*requirement)) {
      case Severity::kFail:
        weight = Outcome::kFail;
        break;
      case Severity::kWarn:
        weight = Outcome::kWarn;
        break;
      case Severity::kInfo:
        weight = Outcome::kInfo;
        break;
    }
  }
  if (finding.severity == "warn" && weight == Outcome::kFail) weight = Outcome::kWarn;
  return weight;
}

CheckResult RunCheck(const Check& check, Attachment& attachment, const DeviceFacts& facts,
                     const RunOptions& options) {
  const auto grammar = MakeGrammar(facts);
  return RunOn(check.id, attachment, options.seed, options, [&](Session& session) {
    Context context(session, facts, grammar.get());
    check.run(context);
  });
}

CheckResult RunProgram(const Program& program, Attachment& attachment, const RunOptions& options) {
  return RunOn(program.check, attachment, program.seed, options, [&](Session& session) {
    for (const Operation& operation : program.operations) {
      auto result = session.Perform(operation);
      if (!result) throw CheckEnded{CheckEnded::Why::kError, result.error()};
    }
  });
}

}  // namespace vitro
