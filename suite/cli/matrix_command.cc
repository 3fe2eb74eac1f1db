// SPDX-License-Identifier: Apache-2.0
// `vitro matrix`: the same checks on several devices, and one page that compares them. Each device
// is run by a `vitro run` of its own, so that its record stands by itself. Several run at once:
// most of the time a device is waited for.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <list>
#include <map>
#include <thread>

#include "harness/attach/attach.h"
#include "harness/attach/process.h"
#include "harness/attach/qemu/qemu_attachment.h"
#include "reports/matrix.h"
#include "reports/record.h"
#include "reports/text.h"
#include "suite/cli/commands.h"
#include "suite/cli/stop_signals.h"

namespace vitro::cli {
namespace {

constexpr int kTickMs = 200;

struct MatrixArguments {
  std::vector<std::string> attach;
  std::vector<std::string> select, exclude;
  std::string qemu = "qemu-system-x86_64";
  uint64_t seed = 1;
  uint32_t devices = 0;  // 0: as many as there are processors
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

// One device: a `vitro run` under way.
struct Column {
  size_t index;  // in the order that was asked for
  std::string attach;
  bool shares;  // what is behind it may be behind others as well
  Clock::time_point start;
  Process process;
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Back-ends that run already, or that a command starts, may serve the same files.
bool MayShare(const std::string& attach) {
  const auto parsed = ParseAttach(attach);
  return parsed && parsed->kind == "vhost-user";
}

class MatrixCommand {
 public:
  explicit MatrixCommand(const MatrixArguments& arguments)
      : arguments_(arguments), terminal_(reports::DetectTerminal(stdout)) {}

  Result<int> Execute() {
    attach_ = arguments_.attach;
    if (attach_.empty()) {
      VITRO_ASSIGN(attach_, KnownQemuDevices(arguments_.qemu));
    }
    std::error_code error;
    std::filesystem::create_directories(arguments_.out, error);
    if (error)
      return Fail(ErrorKind::kUsage, "--out {}: {}; expected a directory that can be written",
                  arguments_.out, error.message());
    VITRO_ASSIGN(self_, OwnPath());
    stop_ = StopSignals();
    VITRO_TRY(RunAll());
    std::vector<reports::MatrixColumn> columns;
    for (auto& [index, column] : done_) columns.push_back(std::move(column));
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
  Result<> RunAll() {
    for (size_t i = 0; i < attach_.size(); ++i) waiting_.push_back(i);
    while (!running_.empty() || (!waiting_.empty() && !stopped_)) {
      if (!stopped_) VITRO_TRY(StartMore());
      DrawProgress();
      Wait();
      for (auto column = running_.begin(); column != running_.end();) {
        if (column->process.Running()) {
          ++column;
          continue;
        }
        Finish(*column);
        column = running_.erase(column);
      }
    }
    return {};
  }

  size_t AtOnce() const {
    return arguments_.devices != 0 ? arguments_.devices
                                   : std::max(1u, std::thread::hardware_concurrency());
  }

  Result<> StartMore() {
    for (auto next = waiting_.begin(); next != waiting_.end() && running_.size() < AtOnce();) {
      const bool shares = MayShare(attach_[*next]);
      if (shares && std::ranges::any_of(running_, &Column::shares)) {
        ++next;
        continue;
      }
      VITRO_ASSIGN(Process process, Process::Start(CommandOf(*next)));
      running_.push_back({*next, attach_[*next], shares, Clock::now(), std::move(process)});
      next = waiting_.erase(next);
    }
    return {};
  }

  std::string DirectoryOfColumn(size_t index) const {
    return arguments_.out + "/" + DirectoryOf(index, attach_[index]);
  }

  std::vector<std::string> CommandOf(size_t index) const {
    std::vector<std::string> argv = {self_, "run", attach_[index]};
    argv.insert(argv.end(), arguments_.select.begin(), arguments_.select.end());
    for (const std::string& exclude : arguments_.exclude)
      argv.insert(argv.end(), {"--exclude", exclude});
    argv.insert(argv.end(), {"--quiet", "--seed", std::to_string(arguments_.seed), "--out",
                             DirectoryOfColumn(index)});
    if (arguments_.jobs != 0) argv.insert(argv.end(), {"--jobs", std::to_string(arguments_.jobs)});
    if (arguments_.fresh) argv.push_back("--fresh");
    if (arguments_.timeout_ms != 0)
      argv.insert(argv.end(), {"--timeout", std::to_string(arguments_.timeout_ms)});
    return argv;
  }

  // Until one of them ends or says something, the clock has to go on, or all shall stop.
  void Wait() {
    std::vector<pollfd> fds = {{stopped_ ? -1 : stop_.get(), POLLIN, 0}};
    for (Column& column : running_) {
      fds.push_back({column.process.exit_fd(), POLLIN, 0});
      fds.push_back({column.process.output_fd(), POLLIN, 0});
    }
    ::poll(fds.data(), fds.size(), terminal_.tty ? kTickMs : -1);
    for (Column& column : running_) column.process.Pump();
    if ((fds[0].revents & POLLIN) == 0) return;
    stopped_ = true;
    // Handed on to all of them first, so that their records are whole at the same time.
    for (Column& column : running_) ::kill(column.process.pid(), SIGTERM);
    for (Column& column : running_) column.process.Kill(std::chrono::seconds(10));
  }

  void Finish(Column& ended) {
    ended.process.Pump();
    const int status = ended.process.wait_status();
    reports::MatrixColumn column;
    column.name = ended.attach;
    // Codes 2 and 4 mean that nothing was recorded: the reason is on its stderr.
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    if (code == kUsage || code == kNoDevice) {
      column.problem = ended.process.LastWords();
    } else if (auto run = reports::LoadRun(DirectoryOfColumn(ended.index))) {
      column.run = *std::move(run);
      column.report = DirectoryOf(ended.index, ended.attach) + "/report.html";
    } else {
      column.problem = run.error().message;
    }
    ClearProgress();
    fmt::print("[{}/{}] {} {:.1f} s  {}\n", ended.index + 1, attach_.size(), ended.attach,
               SecondsSince(ended.start),
               column.run.is_null() ? column.problem : reports::VerdictSentence(column.run));
    std::fflush(stdout);
    done_.emplace(ended.index, std::move(column));
  }

  // The last line of a terminal: what runs, and since when.
  void DrawProgress() {
    if (!terminal_.tty) return;
    std::string line = fmt::format("{} of {}", done_.size(), attach_.size());
    for (const Column& column : running_)
      line += fmt::format("{} {} {:.0f} s", &column == &running_.front() ? ":" : ",", column.attach,
                          SecondsSince(column.start));
    fmt::print("\r\x1b[K{}", reports::Shorten(line, static_cast<size_t>(terminal_.width) - 1));
    std::fflush(stdout);
  }
  void ClearProgress() const {
    if (terminal_.tty) fmt::print("\r\x1b[K");
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
  std::vector<std::string> attach_;
  UniqueFd stop_;
  bool stopped_ = false;
  std::list<size_t> waiting_;  // indices of attach_
  std::list<Column> running_;
  std::map<size_t, reports::MatrixColumn> done_;  // by index of attach_
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
  matrix
      ->add_option("--devices", arguments->devices,
                   "Devices at a time; default: one per processor, of vhost-user one")
      ->check(CLI::Range(1u, 64u));
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
