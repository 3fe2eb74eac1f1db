// SPDX-License-Identifier: Apache-2.0
// How single values look in program text; shared by the printer and the parser.
#pragma once

#include <string>
#include <string_view>

#include "harness/base/result.h"
#include "harness/virtio/features.h"

namespace vitro {

// As it is if it is one plain word, else "quoted" with \" \\ and \n escaped.
std::string QuoteText(std::string_view text);
// "0x<high><low>" without leading zeros.
std::string FeaturesText(FeatureSet features);
Result<FeatureSet> ParseFeaturesText(std::string_view text);
// Decimal or 0x hexadecimal, at most `max`.
Result<uint64_t> ParseNumber(std::string_view text, uint64_t max = UINT64_MAX);

}  // namespace vitro
