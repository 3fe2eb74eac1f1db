// SPDX-License-Identifier: Apache-2.0
// Results and facts as JSON: across the process boundary of isolation and into the run record.
#pragma once

#include <nlohmann/json.hpp>

#include "harness/transport/transport.h"
#include "suite/profile/grammar.h"
#include "suite/run/outcome.h"

namespace vitro {

nlohmann::json ToJson(const CheckResult& result);
CheckResult ResultFromJson(const nlohmann::json& json);
nlohmann::json ToJson(const DeviceFacts& facts);
DeviceFacts FactsFromJson(const nlohmann::json& json);
nlohmann::json ToJson(const Abilities& abilities);
Abilities AbilitiesFromJson(const nlohmann::json& json);

Outcome OutcomeFromName(const std::string& name);

}  // namespace vitro
