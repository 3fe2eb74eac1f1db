// SPDX-License-Identifier: Apache-2.0
// `vitro doctor`: what is on this machine that Vitro can use.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "harness/attach/qemu/qemu_attachment.h"
#include "harness/base/unique_fd.h"
#include "harness/memory/guest_memory.h"
#include "suite/cli/commands.h"
#include "suite/run/run_record.h"

namespace vitro::cli {
namespace {

// The first executable of that name in PATH and in the places where distributions put back-ends.
std::string FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::stringstream directories(std::string(path ? path : "") + ":/usr/lib/qemu:/usr/libexec");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string file = directory + "/" + name;
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

void Row(bool there, const std::string& what, const std::string& detail) {
  fmt::print("{}  {:<24} {}\n", there ? "yes" : "no ", what, detail);
}

bool Doctor() {
  fmt::print("vitro {} ({}), VIRTIO 1.4\n\nneeded for every run\n", SuiteVersion::Version(),
             SuiteVersion::Tree());
  const auto memory = GuestMemory::CreateDefault();
  Row(memory.has_value(), "guest memory (memfd)",
      memory ? "can be made and mapped" : memory.error().message);
  std::error_code error;
  const auto scratch = std::filesystem::temp_directory_path(error);
  const bool writable = !error && ::access(scratch.c_str(), W_OK) == 0;
  Row(writable, "scratch directory", error ? error.message() : scratch.string());

  fmt::print("\ndevices that Vitro can start by itself (vhost-user:...,spawn=... and qemu:...)\n");
  struct Program {
    const char *name, *what;
  };
  for (const Program& program : std::initializer_list<Program>{
           {"qemu-storage-daemon", "vhost-user-blk (Debian: qemu-system-common)"},
           {"virtiofsd", "vhost-user-fs (Debian: qemu-system-common)"},
           {"dpdk-testpmd", "vhost-user-net (Debian: dpdk-dev)"}}) {
    const std::string path = FindProgram(program.name);
    Row(!path.empty(), program.name, path.empty() ? program.what : path);
  }
  const auto qemu = AskQemu();
  Row(qemu.has_value(), "qemu-system-x86_64",
      qemu ? fmt::format("qemu:..., version {}, by the {} accelerator", qemu->version,
                         qemu->accelerator)
           : qemu.error().message + " (Debian: qemu-system-x86)");
  fmt::print("\nfor building and looking\n");
  for (const Program& program :
       std::initializer_list<Program>{{"g++", "compiler"},
                                      {"clang++-19", "compiler, sanitizers"},
                                      {"chromium", "tests of the HTML report"}}) {
    const std::string path = FindProgram(program.name);
    Row(!path.empty(), program.name, path.empty() ? program.what : path);
  }
  return memory.has_value() && writable;
}

}  // namespace

void AddDoctor(CLI::App& app, CommandLine& line) {
  app.add_subcommand("doctor", "Tell what is on this machine that Vitro can use")
      ->callback([&line] { line.exit_code = Doctor() ? kConformant : kHarnessError; });
}

}  // namespace vitro::cli
