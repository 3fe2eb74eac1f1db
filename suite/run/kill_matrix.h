// SPDX-License-Identifier: Apache-2.0
// What the kill matrices have in common: a check on a reference device, with and without a fault.
#pragma once

#include <string>

#include "suite/checks/check.h"
#include "suite/run/outcome.h"
#include "suite/run/probe.h"

namespace vitro {

// A hang costs this much; everything else ends by itself long before, also on a busy machine.
inline constexpr Duration kHangLimit = std::chrono::seconds(4);
inline constexpr Duration kFineLimit = std::chrono::seconds(60);

// To be said once, at a program's start.
void AttachReferenceDevices();
// The attach string of a reference device, "NAME[,option=value...]", with a fault or "".
std::string AttachTo(const std::string& device, const std::string& fault);
// What a check names as a fault, "NAME" or "DEVICE[,options]:NAME", to an attach string; "" if
// there is no such fault.
std::string AttachOfFault(const std::string& spec);
// What the device behind an attach string is; asked once. With `profile` a built-in one is used
// that the device does not show by itself. What goes wrong is a failure of the test.
const Probed& FactsOf(const std::string& attach, const std::string& profile = "");
CheckResult RunOn(const Check& check, const std::string& attach, Duration limit,
                  const std::string& profile = "");

// An info is not a pass either: some rows of the standard allow no more.
bool IsCaught(Outcome outcome);
bool IsFine(Outcome outcome);
// For people: the outcome, and what was found.
std::string Describe(const CheckResult& result);
// With underscores for what names of tests may not have.
std::string TestName(std::string name);

}  // namespace vitro
