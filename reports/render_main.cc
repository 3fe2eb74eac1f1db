// SPDX-License-Identifier: Apache-2.0
// For the tests of this room: reports_render RECORD OUT_DIR writes every report of a record.
#include <cstdio>

#include "reports/record.h"
#include "reports/write.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: reports_render RECORD OUT_DIR\n");
    return 2;
  }
  const auto run = vitro::reports::LoadRun(argv[1]);
  if (!run) {
    std::fprintf(stderr, "%s\n", run.error().message.c_str());
    return 2;
  }
  const std::string formats[] = {"html", "junit", "md"};
  const auto paths = vitro::reports::WriteReports(*run, argv[2], formats);
  if (!paths) {
    std::fprintf(stderr, "%s\n", paths.error().message.c_str());
    return 5;
  }
  for (const std::string& path : *paths) std::printf("%s\n", path.c_str());
  return 0;
}
