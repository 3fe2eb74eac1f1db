// SPDX-License-Identifier: Apache-2.0
#include "suite/gtest/message.h"

#include <sstream>

#include "harness/program/text.h"
#include "suite/catalogue/catalogue.h"

namespace vitro {
namespace {

std::string Indented(const std::string& text) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) result += "    " + line + "\n";
  return result;
}

// "dev.basic.device-reset.1 (2.4.1, MUST): the device status reads 0 ..."
std::string DescribeRequirement(const std::string& id) {
  const Requirement* requirement = Catalogue::Get().Find(id);
  if (requirement == nullptr) return id;
  return fmt::format("{} (VIRTIO 1.4, {}, {}): {}", id, requirement->section, requirement->keyword,
                     requirement->title);
}

}  // namespace

std::string DescribeDevice(const Probed& probed) {
  const DeviceFacts& facts = probed.facts;
  return fmt::format(
      "device   {} (type {}), vendor {:#x}\nfeatures {}\nqueues   {}\nconfig   {} bytes\n",
      facts.name, facts.device_id, facts.vendor_id, FeaturesText(facts.offered), facts.queue_count,
      facts.config_size);
}

std::string DescribeFindings(const CheckResult& result) {
  std::string text;
  for (const WeighedFinding& weighed : result.findings) {
    const Finding& finding = weighed.finding;
    text += fmt::format(
        "{}: {}\n  requirement {}\n  accepted    {}\n  observed    {}\n  at step     {}\n",
        Name(weighed.severity), finding.message, DescribeRequirement(finding.requirement),
        finding.accepted, finding.observed, finding.operation);
  }
  return text;
}

std::string DescribeFailure(const Check& check, const CheckResult& result,
                            const std::string& program) {
  std::string text = fmt::format("{}: {}\n  {}\n", Name(result.outcome), check.id, result.because);
  text += fmt::format("a conforming device: {}\n", check.title);
  if (!check.section.empty()) text += fmt::format("section: VIRTIO 1.4, {}\n", check.section);
  if (!result.findings.empty()) {
    text += DescribeFindings(result);
  } else {
    for (const std::string& id : check.requirements)
      text += fmt::format("requirement: {}\n", DescribeRequirement(id));
    for (const std::string& accepted : result.accepted)
      text += fmt::format("accepted: {}\n", accepted);
    if (!result.observed.empty()) text += fmt::format("observed: {}\n", result.observed);
  }
  if (!result.sent.empty()) text += fmt::format("sent: {}\n", result.sent);
  if (!result.trace.empty()) {
    text += "trace (the last steps):\n";
    for (const std::string& line : result.trace) text += "    " + line + "\n";
  }
  if (!result.device_log.empty()) text += "the device said:\n" + Indented(result.device_log);
  if (!program.empty()) text += fmt::format("program: {}\n", program);
  return text;
}

std::string AgainText(const std::string& executable, const std::string& test) {
  return fmt::format(
      "again: {0} --gtest_filter={1}\nin a debugger: VITRO_IN_PROCESS=1 gdb --args {0} "
      "--gtest_filter={1}\n",
      executable, test);
}

}  // namespace vitro
