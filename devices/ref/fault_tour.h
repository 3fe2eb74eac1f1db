// SPDX-License-Identifier: Apache-2.0
// For tests only: a tour of what a driver can see of a reference device, written down as text. A
// fault is implemented if the tour of a device that has it differs from the tour of one that has
// none.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vitro::ref {

struct TourResult {
  std::string transcript;
  int signal = 0;  // that ended the process, e.g. SIGABRT; SIGVTALRM if it hung
};

// Stages of the tour; each starts with a new device.
struct TourStage {
  std::string_view name;
  std::function<std::string(char letter, const std::string& options)> go;
};
const std::vector<TourStage>& TourStages();

// Runs one stage in a process of its own. `letter` as in faults.def.
TourResult Tour(const TourStage& stage, char letter, const std::string& options);

}  // namespace vitro::ref
