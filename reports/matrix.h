// SPDX-License-Identifier: Apache-2.0
// The comparison matrix: several runs side by side, devices across, clauses down. A cell says the
// worst outcome of the checks of a clause on a device; what did not pass somewhere is listed below.
#pragma once

#include <string>
#include <vector>

#include "reports/record.h"
#include "reports/terminal.h"

namespace vitro::reports {

// One device of the matrix. A device that could not be attached has no run, but a problem.
struct MatrixColumn {
  std::string name;     // its attach string
  std::string report;   // link to its own report, relative to the matrix; "" for none
  Json run = nullptr;   // as of LoadRun
  std::string problem;  // why there is no run
};

std::string RenderMatrixText(const std::vector<MatrixColumn>& columns,
                             const TerminalOptions& options);
// Self-contained, as the report of a run.
std::string RenderMatrixHtml(const std::vector<MatrixColumn>& columns);

}  // namespace vitro::reports
