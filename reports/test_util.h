// SPDX-License-Identifier: Apache-2.0
// For the tests of this room: files beside the tests, and golden files that VITRO_UPDATE_GOLDEN=1
// rewrites.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "reports/record.h"

namespace vitro::reports {

inline std::string GoldenPath(const std::string& name) {
  return std::string(VITRO_REPORTS_DIR) + "/golden/" + name;
}

inline std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << "cannot open " << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = GoldenPath(name);
  if (const char* update = std::getenv("VITRO_UPDATE_GOLDEN");
      update != nullptr && *update == '1') {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  // Not EXPECT_EQ: its message would hold both files whole.
  const std::string wanted = ReadText(path);
  size_t at = 0;
  while (at < text.size() && at < wanted.size() && text[at] == wanted[at]) ++at;
  EXPECT_TRUE(text == wanted) << name << " differs at byte " << at
                              << ": \n  wanted: " << wanted.substr(at, 120)
                              << "\n  got:    " << text.substr(at, 120)
                              << "\nVITRO_UPDATE_GOLDEN=1 writes it anew.";
}

// A run with every outcome word.
inline Json MadeRun() {
  auto run = FoldRun(ReadText(GoldenPath("made.jsonl")));
  EXPECT_TRUE(run) << run.error().message;
  return *run;
}

inline Json BeginLine(bool strict = false) {
  return {{"kind", "begin"},
          {"suite", {{"name", "vitro"}, {"version", "0.1.0"}}},
          {"spec", {{"name", "VIRTIO"}, {"version", "1.4"}}},
          {"device", {{"attach", "ref:blk"}, {"level", "core"}, {"device_type", "blk"}}},
          {"invocation", {{"argv", {"vitro", "run", "ref:blk"}}, {"strict", strict}}}};
}

inline Json ResultLine(const std::string& id, const std::string& outcome,
                       const std::string& requirement = "") {
  Json line = {{"kind", "result"}, {"id", id}, {"section", "2.4.1"}, {"outcome", outcome}};
  line["requirements"] = Json::array();
  if (!requirement.empty()) line["requirements"].push_back(requirement);
  return line;
}

inline Json EndLine(bool interrupted = false) {
  return {{"kind", "end"}, {"end", "2026-05-04T09:12:13Z"}, {"interrupted", interrupted}};
}

inline std::string Stream(const std::vector<Json>& lines) {
  std::string text;
  for (const Json& line : lines) text += RecordLine(line);
  return text;
}

// Folds lines that have to be good.
inline Json Fold(const std::vector<Json>& lines) {
  auto run = FoldRun(Stream(lines));
  EXPECT_TRUE(run) << run.error().message;
  return run ? *run : Json();
}

}  // namespace vitro::reports
