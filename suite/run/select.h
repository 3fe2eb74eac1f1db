// SPDX-License-Identifier: Apache-2.0
// Selection of checks on the command line: by id or its beginning, by requirement id, by tag.
#pragma once

#include <string>
#include <vector>

#include "harness/base/result.h"
#include "suite/checks/check.h"

namespace vitro {

// What was asked for. A selector is the beginning of a check's id at a dot ("reset",
// "reset.status"), the beginning of a requirement id ("dev.basic.device-reset"), "tag:NAME", or
// "@NAME": the checks that are repeated on packed rings ("@packed") or under an interrupt plan.
struct Selection {
  std::vector<std::string> include;  // empty: everything
  std::vector<std::string> exclude;
};

// Does one selector mean this check?
bool Selects(const std::string& selector, const Check& check);

// In the order of AllChecks(), and with `variants` after them those of Variants(). kUsage,
// naming the selector, if one of them matches no check at all, or if nothing is left.
Result<std::vector<const Check*>> SelectChecks(const Selection& selection, bool variants = false);

// Leaves out the checks on registers of a level that this attachment does not have, on packed rings
// where the device does not offer them, and repetitions under interrupt plans where there are none
// to choose from: what they are about is not there to be observed. Those that were asked for by
// name alone stay, and say so.
std::vector<const Check*> AtLevelOf(const Abilities& abilities, FeatureSet offered,
                                    std::vector<const Check*> checks);

// Adds the selectors of a list file: one a line, "-" in front excludes, "#" starts a comment.
Result<> ReadSelectionFile(const std::string& path, Selection& selection);

}  // namespace vitro
