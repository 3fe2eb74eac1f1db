// SPDX-License-Identifier: Apache-2.0
// `vitro matrix`: the same checks on several devices, and one page that compares them. Each device
// is run by a `vitro run` of its own, so that its record stands by itself.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "harness/attach/process.h"
#include "harness/attach/qemu/qemu_attachment.h"
#include "reports/matrix.h"
#include "reports/record.h"
#include "suite/cli/commands.h"
#include "suite/cli/stop_signals.h"

namespace vitro::cli {
namespace {

struct MatrixArguments {
  std::vector<std::string> attach;
  std::vector<std::string> select, exclude;
  std::string qemu = "qemu-system-x86_64";
  uint64_t seed = 1;
  uint32_t jobs = 0, timeout_ms = 0;
  bool fresh = false;
  std::string out = "vitro-matrix";
};

// "03-qemu-virtio-blk-pci": unique, and safe as a file name.
std::string DirectoryOf(size_t index, const std::string& attach) {
  std::string name = fmt::format("{:02}-", index + 1);
  for (const char c : attach) {
    if (name.size() > 60) break;
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  }
  return name;
}

Result<std::string> OwnPath() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length < 0) return Fail(ErrorKind::kHarness, "/proc/self/exe: {}", std::strerror(errno));
  return std::string(path, static_cast<size_t>(length));
}

class MatrixCommand {
 public:
  explicit MatrixCommand(const MatrixArguments& arguments)
      : arguments_(arguments), terminal_(reports::DetectTerminal(stdout)) {}

  Result<int> Execute() {
    std::vector<std::string> attach = arguments_.attach;
    if (attach.empty()) {
      VITRO_ASSIGN(attach, KnownQemuDevices(arguments_.qemu));
    }
    std::error_code error;
    std::filesystem::create_directories(arguments_.out, error);
    if (error)
      return Fail(ErrorKind::kUsage, "--out {}: {}; expected a directory that can be written",
                  arguments_.out, error.message());
    VITRO_ASSIGN(self_, OwnPath());
    stop_ = StopSignals();
    std::vector<reports::MatrixColumn> columns;
    for (size_t i = 0; i < attach.size() && !stopped_; ++i) {
      VITRO_ASSIGN(auto column, RunOne(i, attach.size(), attach[i]));
      columns.push_back(std::move(column));
    }
    fmt::print("\n{}", reports::RenderMatrixText(columns, terminal_));
    const std::string page = arguments_.out + "/matrix.html";
    std::ofstream file(page);
    file << reports::RenderMatrixHtml(columns);
    file.close();
    if (!file) return Fail(ErrorKind::kHarness, "{}: {}", page, std::strerror(errno));
    fmt::print("{}\n", page);
    return ExitCodeOf(columns);
  }

 private:
  Result<reports::MatrixColumn> RunOne(size_t index, size_t all, const std::string& attach) {
    const std::string directory = DirectoryOf(index, attach);
    std::vector<std::string> argv = {self_, "run", attach};
    argv.insert(argv.end(), arguments_.select.begin(), arguments_.select.end());
    for (const std::string& exclude : arguments_.exclude)
      argv.insert(argv.end(), {"--exclude", exclude});
    argv.insert(argv.end(), {"--quiet", "--seed", std::to_string(arguments_.seed), "--out",
                             arguments_.out + "/" + directory});
    if (arguments_.jobs != 0) argv.insert(argv.end(), {"--jobs", std::to_string(arguments_.jobs)});
    if (arguments_.fresh) argv.push_back("--fresh");
    if (arguments_.timeout_ms != 0)
      argv.insert(argv.end(), {"--timeout", std::to_string(arguments_.timeout_ms)});
    fmt::print("[{}/{}] {} ", index + 1, all, attach);
    std::fflush(stdout);
    const auto start = Clock::now();
    VITRO_ASSIGN(Process process, Process::Start(argv));
    Watch(process);
    const int status = process.wait_status();
    reports::MatrixColumn column;
    column.name = attach;
    // Codes 2 and 4 mean that nothing was recorded: the reason is on its stderr.
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    if (code == kUsage || code == kNoDevice) {
      column.problem = process.LastWords();
    } else if (auto run = reports::LoadRun(arguments_.out + "/" + directory)) {
      column.run = *std::move(run);
      column.report = directory + "/report.html";
    } else {
      column.problem = run.error().message;
    }
    const auto took = std::chrono::duration<double>(Clock::now() - start).count();
    fmt::print("{:.1f} s  {}\n", took,
               column.run.is_null() ? column.problem : reports::VerdictSentence(column.run));
    return column;
  }

  // Waits for its end; a stop signal is handed on, so that its record is whole.
  void Watch(Process& process) {
    while (process.Running()) {
      pollfd fds[] = {{process.exit_fd(), POLLIN, 0},
                      {process.output_fd(), POLLIN, 0},
                      {stopped_ ? -1 : stop_.get(), POLLIN, 0}};
      if (::poll(fds, std::size(fds), -1) < 0 && errno != EINTR) return;
      process.Pump();
      if ((fds[2].revents & POLLIN) != 0) {
        stopped_ = true;
        process.Kill(std::chrono::seconds(10));
      }
    }
    process.Pump();
  }

  int ExitCodeOf(const std::vector<reports::MatrixColumn>& columns) const {
    if (stopped_) return kInterrupted;
    bool judged = false, wrong = false, broken = false, absent = false;
    for (const auto& column : columns) {
      const int code = column.run.is_null() ? kNoDevice : reports::ExitCode(column.run);
      judged |= code == kConformant || code == kNotConformant;
      wrong |= code == kNotConformant;
      broken |= code == kHarnessError;
      absent |= code == kNoDevice;
    }
    return broken   ? kHarnessError
           : wrong  ? kNotConformant
           : absent ? kNoDevice
           : judged ? 0
                    : kNothingRan;
  }

  const MatrixArguments& arguments_;
  reports::TerminalOptions terminal_;
  std::string self_;
  UniqueFd stop_;
  bool stopped_ = false;
};

}  // namespace

void AddMatrix(CLI::App& app, CommandLine& line) {
  auto arguments = std::make_shared<MatrixArguments>();
  CLI::App* matrix = app.add_subcommand(
      "matrix", "Run the same checks on several devices and compare them on one page");
  matrix->add_option("ATTACH", arguments->attach,
                     "Attach strings; none: every virtio device that QEMU can start by itself");
  matrix->add_option("--select", arguments->select, "Selectors as for run")->delimiter(',');
  matrix->add_option("--exclude", arguments->exclude, "Leave these out")->delimiter(',');
  matrix->add_option("--qemu", arguments->qemu, "The QEMU whose devices are meant")
      ->capture_default_str();
  matrix->add_option("--seed", arguments->seed, "Seed of everything random")->capture_default_str();
  matrix->add_option("--jobs", arguments->jobs, "Checks at a time, as for run")
      ->check(CLI::Range(1u, 256u));
  matrix->add_flag("--fresh", arguments->fresh, "A device for every check, as for run");
  matrix->add_option("--timeout", arguments->timeout_ms, "Limit of one check, in milliseconds")
      ->check(CLI::Range(10u, 3600000u));
  matrix->add_option("--out", arguments->out, "Directory: matrix.html, and a report per device")
      ->capture_default_str();
  matrix->callback([arguments, &line] {
    auto code = MatrixCommand(*arguments).Execute();
    line.exit_code = code ? *code : Complain(code.error());
  });
}

}  // namespace vitro::cli
