// SPDX-License-Identifier: Apache-2.0
#include "reports/write.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "reports/html.h"
#include "reports/junit.h"
#include "reports/markdown.h"

namespace vitro::reports {
namespace {

constexpr std::array<std::string_view, 4> kFormats = {"json", "html", "junit", "md"};

tl::unexpected<Error> Cannot(const char* what, const std::string& path) {
  return Fail(ErrorKind::kHarness, "cannot {} {}: {}", what, path, std::strerror(errno));
}

Result<> WriteAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Cannot("write", path);
    text.remove_prefix(static_cast<size_t>(n));
  }
  if (::fsync(fd) != 0 && errno != EINVAL && errno != EROFS) return Cannot("write", path);
  return {};
}

}  // namespace

std::span<const std::string_view> ReportFormats() { return kFormats; }

Result<> WriteAtomically(const std::string& path, std::string_view text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Cannot("create", temporary);
  Result<> written = WriteAll(fd, text, temporary);
  if (::close(fd) != 0 && written) written = Cannot("write", temporary);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = Cannot("replace", path);
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<std::vector<std::string>> WriteReports(const Json& run, const std::string& out_dir,
                                              std::span<const std::string> formats) {
  for (const std::string& format : formats) {
    if (std::find(kFormats.begin(), kFormats.end(), format) == kFormats.end()) {
      return Fail(ErrorKind::kUsage, "no report format \"{}\"; there are {}", format,
                  fmt::join(kFormats, ", "));
    }
  }
  std::error_code error;
  std::filesystem::create_directories(out_dir, error);
  if (error) return Fail(ErrorKind::kHarness, "cannot create {}: {}", out_dir, error.message());

  std::vector<std::string> paths;
  const auto write = [&](const char* name, const std::string& text) -> Result<> {
    paths.push_back((std::filesystem::path(out_dir) / name).string());
    return WriteAtomically(paths.back(), text);
  };
  const auto wanted = [&](std::string_view format) {
    return std::find(formats.begin(), formats.end(), format) != formats.end();
  };
  VITRO_TRY(write("run.json", run.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"));
  if (wanted("html")) VITRO_TRY(write("report.html", RenderHtml(run)));
  if (wanted("junit")) VITRO_TRY(write("junit.xml", RenderJunit(run)));
  if (wanted("md")) VITRO_TRY(write("summary.md", RenderMarkdown(run)));
  return paths;
}

}  // namespace vitro::reports
