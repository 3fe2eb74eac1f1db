// SPDX-License-Identifier: Apache-2.0
// Writes the reports of a run into a directory. Each file appears whole or not at all.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reports/record.h"

namespace vitro::reports {

// The formats that WriteReports knows: json, html, junit, md.
std::span<const std::string_view> ReportFormats();

// Creates `out_dir` if needed, writes run.json (always) and then report.html, junit.xml and
// summary.md as `formats` asks, each by rename over the old one. Returns the paths in the order
// written. An unknown format is an Error (kUsage) before anything is written.
Result<std::vector<std::string>> WriteReports(const Json& run, const std::string& out_dir,
                                              std::span<const std::string> formats);

// Writes one file by a temporary beside it, fsync and rename.
Result<> WriteAtomically(const std::string& path, std::string_view text);

}  // namespace vitro::reports
