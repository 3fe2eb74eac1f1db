// SPDX-License-Identifier: Apache-2.0
// `vitro new`: a project for a new device type that conforms before anything was written.
#include <filesystem>
#include <fstream>

#include "suite/cli/commands.h"
#include "suite/cli/new_texts.h"
#include "suite/profile/built_in.h"

namespace vitro::cli {
namespace {

namespace fs = std::filesystem;

struct Replacement {
  std::string from, to;
};

// A file of the project: the text it is made of, and what is put where.
struct NewFile {
  std::string path;
  std::string_view source;
  std::vector<Replacement> replacements;
};

std::vector<NewFile> Files(const std::string& name) {
  std::string upper = name;
  for (char& c : upper)
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  const std::vector<Replacement> in = {{"@NAME@", name}, {"@UPPER@", upper}};
  return {
      {"README.md", "suite/cli/new/README.md.in", in},
      {name + ".toml", "suite/cli/new/profile.toml.in", in},
      // The example is the skeleton: it is whole, and its own tests keep it so.
      {name + ".c",
       "devices/examples/minimal.c",
       {{", like an entropy device (5.4).", "."},
        {" -I devices/abi devices/examples/minimal.c -o minimal.so",
         fmt::format(" {}.c -o {}.so", name, name)},
        {"full.device_id = 4;",
         fmt::format("full.device_id = 65535; /* for experiments; as in {}.toml */", name)},
        {"minimal example device", "device " + name}}},
      {"vitro_device.h", "devices/abi/vitro_device.h", {}},
      {name + "_test.cc", "suite/cli/new/device_test.cc.in", in},
      {"CMakeLists.txt", "suite/cli/new/CMakeLists.txt.in", in},
      {".github/workflows/vitro.yml", "suite/cli/new/workflow.yml.in", in},
  };
}

Result<std::string> TextOf(const NewFile& file) {
  for (const EmbeddedText& each : NewProjectTexts()) {
    if (each.name != file.source) continue;
    std::string text(each.text);
    for (const auto& [from, to] : file.replacements) {
      size_t at = text.find(from);
      if (at == std::string::npos && from.front() != '@')
        return Fail(ErrorKind::kHarness, "{} has no \"{}\"", file.source, from);
      for (; at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    }
    return text;
  }
  return Fail(ErrorKind::kHarness, "{} is not part of this program", file.source);
}

Result<> CheckName(const std::string& name) {
  const bool word =
      !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos;
  if (!word)
    return Fail(ErrorKind::kUsage,
                "'{}' is no name for a device type: expected a word of a-z and 0-9 that begins "
                "with a letter",
                name);
  if (!BuiltInProfileText(name).empty())
    return Fail(ErrorKind::kUsage, "'{}' is a device type that Vitro knows: expected another name",
                name);
  return {};
}

Result<> Create(const fs::path& path, const std::string& text) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (error || !out)
    return Fail(ErrorKind::kUsage, "{}: cannot be written, expected a directory that can be",
                path.string());
  return {};
}

Result<> New(const std::string& name, const fs::path& directory) {
  VITRO_TRY(CheckName(name));
  std::error_code ignored;
  if (fs::exists(directory, ignored) && !fs::is_empty(directory, ignored))
    return Fail(ErrorKind::kUsage, "{} is there already: expected a new or an empty directory",
                directory.string());
  for (const NewFile& file : Files(name)) {
    VITRO_ASSIGN(const std::string text, TextOf(file));
    VITRO_TRY(Create(directory / file.path, text));
    fmt::print("{}\n", (directory / file.path).string());
  }
  fmt::print("\nIt conforms as it is; {} says how to see that, and what comes next.\n",
             (directory / "README.md").string());
  return {};
}

}  // namespace

void AddNew(CLI::App& app, CommandLine& line) {
  struct Arguments {
    std::string name, directory;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "new", "Begin a device type: a profile, a device that conforms, tests and a CI job");
  command->add_option("NAME", arguments->name, "One word of a-z and 0-9")->required();
  command->add_option("--dir", arguments->directory, "Where to; default: ./NAME");
  command->callback([arguments, &line] {
    const std::string& where =
        arguments->directory.empty() ? arguments->name : arguments->directory;
    if (auto made = New(arguments->name, where); !made) line.exit_code = Complain(made.error());
  });
}

}  // namespace vitro::cli
