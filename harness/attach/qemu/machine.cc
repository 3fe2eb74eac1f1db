// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/qemu/machine.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace vitro::qemu {
namespace {

constexpr size_t kFirmwareBytes = 65536;
constexpr uint8_t kHalt = 0xf4;  // HLT: the processor rests from its first instruction on
// How long round trips follow one another without a pause while something is waited for. Most of
// what a device does is done by then.
constexpr microseconds kBusy{1500};
constexpr microseconds kFirstPause{100}, kLongestPause{5000};

void PollFor(std::initializer_list<int> fds, Duration at_most) {
  std::vector<pollfd> list;
  for (int fd : fds) list.push_back({fd, POLLIN, 0});
  const timespec timeout{
      .tv_sec = std::chrono::duration_cast<std::chrono::seconds>(at_most).count(),
      .tv_nsec = (at_most % std::chrono::seconds(1)).count(),
  };
  ppoll(list.data(), list.size(), &timeout, nullptr);
}

Result<UniqueFd> MemoryFile(const char* name, size_t size) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC));
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    return Fail(ErrorKind::kHarness, "cannot make a file in memory: {}", strerror(errno));
  return fd;
}

Result<> WriteAll(int fd, ByteView bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t count = pwrite(fd, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (count < 0 && errno != EINTR)
      return Fail(ErrorKind::kHarness, "cannot write to a file in memory: {}", strerror(errno));
    if (count > 0) at += static_cast<size_t>(count);
  }
  return {};
}

// Processes open what they inherited by this name.
std::string PathOf(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

// A value within key=value,key=value.
std::string Escaped(std::string_view value) {
  std::string escaped;
  for (char c : value) escaped += c == ',' ? std::string(",,") : std::string(1, c);
  return escaped;
}

std::string MachineText(const std::string& machine, bool unplugs) {
  // What a device under test does not need costs time to start, and its interrupts are not ours.
  if (machine == "microvm")
    return "microvm,memory-backend=vitro-ram,acpi=off,pit=off,rtc=off,isa-serial=off";
  // On that board ACPI is how a device leaves.
  if (machine == "pc")
    return fmt::format("pc,memory-backend=vitro-ram,acpi={},usb=off,hpet=off,pit=off",
                       unplugs ? "on" : "off");
  return fmt::format(
      "{},memory-backend=vitro-ram,acpi=off,usb=off,hpet=off,pit=off,sata=off,"
      "smbus=off,smm=off",
      machine);
}

}  // namespace

Machine::~Machine() {
  // Nothing is saved by asking QEMU to end by itself.
  if (process_) process_->Kill(Duration{0});
  if (daemon_) daemon_->Kill(Duration{0});
  if (low_memory_ != nullptr) munmap(low_memory_, kLowBytes);
}

Result<int> Machine::Pass(UniqueFd fd) {
  // Not one of the standard descriptors, which the process has already.
  UniqueFd copy(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return Fail(ErrorKind::kHarness, "cannot pass a descriptor: {}", strerror(errno));
  passed_.push_back(std::move(copy));
  return passed_.back().get();
}

Result<int> Machine::MakeChannel(UniqueFd& ours) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return Fail(ErrorKind::kHarness, "socketpair: {}", strerror(errno));
  ours.Reset(ends[0]);
  return Pass(UniqueFd(ends[1]));
}

Result<std::string> Machine::Scratch() {
  if (scratch_ == nullptr) {
    VITRO_ASSIGN(ScratchDirectory directory, ScratchDirectory::Create());
    scratch_ = std::make_unique<ScratchDirectory>(std::move(directory));
  }
  return scratch_->path();
}

Result<> Machine::StartDaemon() {
  VITRO_ASSIGN(const std::string directory, Scratch());
  daemon_path_ = directory + "/vhost.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, daemon_path_.c_str(), daemon_path_.size());
  // We listen and hand that down, so that QEMU can connect before the daemon is up.
  UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener ||
      bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener.get(), 1) != 0)
    return Fail(ErrorKind::kHarness, "cannot listen on {}: {}", daemon_path_, strerror(errno));
  VITRO_ASSIGN(const int listens, Pass(std::move(listener)));
  std::vector<int> pass;
  for (const UniqueFd& fd : passed_) pass.push_back(fd.get());
  auto started = Process::Start(
      {"qemu-storage-daemon", "--blockdev",
       fmt::format("driver=file,node-name=vitro-file,filename={},locking=off", disk_), "--blockdev",
       "driver=raw,node-name=vitro-disk,file=vitro-file", "--export",
       fmt::format("type=vhost-user-blk,id=vitro,node-name=vitro-disk,addr.type=fd,addr.str={},"
                   "writable=on",
                   listens)},
      pass);
  if (!started) return tl::make_unexpected(started.error());
  daemon_.emplace(std::move(*started));
  // QEMU must not hold it: else it would wait for ever where the daemon has ended.
  passed_.pop_back();
  return {};
}

Result<> Machine::MakeArguments(const MachinePlan& plan, const GuestMemory& memory) {
  const auto regions = memory.regions();
  if (regions.empty() || regions.front().range.address < kLowBytes)
    return Fail(ErrorKind::kHarness, "guest memory starts too low for a PC");
  const uint64_t ram = regions.back().range.end();
  VITRO_ASSIGN(const int ram_fd, Pass(UniqueFd(fcntl(memory.fd(), F_DUPFD_CLOEXEC, 3))));
  VITRO_ASSIGN(UniqueFd firmware, MemoryFile("vitro-firmware", kFirmwareBytes));
  VITRO_TRY(WriteAll(firmware.get(), Bytes(kFirmwareBytes, kHalt)));
  VITRO_ASSIGN(const int firmware_fd, Pass(std::move(firmware)));
  VITRO_ASSIGN(const int qtest_fd, MakeChannel(qtest_socket_));

  // The chardev's id is not free: -qtest looks for this one.
  argv_ = {plan.binary, "-nodefaults", "-no-user-config", "-display", "none",
           // The processor never runs: no room for translated code is wanted.
           "-accel", plan.accelerator == "tcg" ? "tcg,tb-size=1" : plan.accelerator, "-machine",
           MachineText(plan.machine, unplugs()), "-bios", PathOf(firmware_fd), "-object",
           fmt::format("memory-backend-file,id=vitro-ram,size={},share=on,mem-path={}", ram,
                       PathOf(ram_fd)),
           "-m", fmt::format("{}K{}", ram / 1024, plan.back_end.memory), "-chardev",
           fmt::format("socket,id=qtest,fd={}", qtest_fd), "-qtest", "chardev:qtest", "-qtest-log",
           "none"};
  if (plan.machine == "microvm")
    argv_.insert(argv_.end(), {"-global", "virtio-mmio.force-legacy=false"});
  // The slot of the root port decides, as the standard of PCI Express has it.
  if (plan.machine == "q35" && unplugs())
    argv_.insert(argv_.end(), {"-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"});
  if (stimulus_ != Stimulus::kNone || plan.renewable) {
    VITRO_ASSIGN(const int qmp_fd, MakeChannel(qmp_socket_));
    argv_.insert(argv_.end(), {"-chardev", fmt::format("socket,id=qmp,fd={}", qmp_fd), "-mon",
                               "chardev=qmp,mode=control"});
  }
  std::map<std::string, std::string> values = {{"id", plan.id}, {"socket", daemon_path_}};
  std::string all;
  for (const auto* list : {&plan.back_end.arguments, &plan.back_end.children, &plan.arguments})
    for (const std::string& word : *list) all += word;
  if (all.find("{dir}") != std::string::npos) {
    VITRO_ASSIGN(values["dir"], Scratch());
    std::ofstream(values["dir"] + "/file") << "Vitro was here.\n";
  }
  values["disk"] = disk_;
  auto append = [&](const std::vector<std::string>& words) {
    for (const std::string& word : words) argv_.push_back(FillPlaceholders(word, values));
  };
  append(plan.back_end.arguments);
  std::string device = plan.device + ",id=" + plan.id;
  for (const auto& [key, value] : plan.properties) device += "," + key + "=" + Escaped(value);
  argv_.insert(argv_.end(), {"-device", device});
  append(plan.back_end.children);
  append(plan.arguments);
  return {};
}

Result<std::unique_ptr<Machine>> Machine::Start(const MachinePlan& plan,
                                                const GuestMemory& memory) {
  std::unique_ptr<Machine> machine(new Machine());
  Machine& m = *machine;
  m.name_ = plan.device + " of QEMU";
  m.binary_ = plan.binary;
  m.id_ = plan.id;
  m.stimulus_ = plan.back_end.stimulus;
  m.why_no_stimulus_ = plan.back_end.why_no_stimulus;
  m.steps_clock_ = plan.accelerator == "qtest";
  // What the user has added, or what is behind a daemon, may remember.
  m.renewable_ = plan.renewable && plan.arguments.empty() && !plan.back_end.daemon;
  m.memory_.Reset(fcntl(memory.fd(), F_DUPFD_CLOEXEC, 3));

  void* low = mmap(nullptr, kLowBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd(), 0);
  if (low == MAP_FAILED)
    return Fail(ErrorKind::kHarness, "cannot map guest memory: {}", strerror(errno));
  m.low_memory_ = static_cast<uint8_t*>(low);
  bool disk = plan.back_end.daemon;
  for (const std::string& word : plan.back_end.arguments)
    disk = disk || word.find("{disk}") != std::string::npos;
  if (disk) {
    VITRO_ASSIGN(m.disk_file_, MemoryFile("vitro-disk", kDiskBytes));
    VITRO_TRY(m.FillDisk());
    VITRO_ASSIGN(const int fd, m.Pass(UniqueFd(fcntl(m.disk_file_.get(), F_DUPFD_CLOEXEC, 3))));
    m.disk_ = PathOf(fd);
  }
  if (plan.back_end.daemon) VITRO_TRY(m.StartDaemon());
  VITRO_TRY(m.MakeArguments(plan, memory));

  std::vector<int> pass;
  for (const UniqueFd& fd : m.passed_) pass.push_back(fd.get());
  VITRO_ASSIGN(Process process, Process::Start(m.argv_, pass));
  m.process_.emplace(std::move(process));
  m.passed_.clear();
  auto lost = [&m] { return m.Lost(); };
  m.qtest_ = std::make_unique<Qtest>(std::move(m.qtest_socket_), plan.timeout, lost);
  if (m.qmp_socket_) m.qmp_ = std::make_unique<Qmp>(std::move(m.qmp_socket_), plan.timeout, lost);
  for (LineStream* stream : {&m.qtest_->stream(), m.qmp_ ? &m.qmp_->stream() : nullptr}) {
    if (stream == nullptr) continue;
    stream->TakeInBeside({[&m] { return m.process_->output_fd(); }, [&m] { m.process_->Pump(); }});
    if (m.daemon_)
      stream->TakeInBeside({[&m] { return m.daemon_->output_fd(); }, [&m] { m.daemon_->Pump(); }});
  }

  if (auto up = m.qtest_->Ask("irq_intercept_in ioapic\n"); !up) {
    m.process_->Pump();
    std::string words = m.process_->LastWords();
    if (m.daemon_ && !m.daemon_->Running()) {
      m.daemon_->Pump();
      words += fmt::format("; qemu-storage-daemon: {}; it printed: {}", m.daemon_->Ended(),
                           m.daemon_->LastWords());
    }
    if (!m.process_->Running())
      return Fail(ErrorKind::kAttach, "QEMU does not start this device: {}",
                  words.empty() ? m.process_->Ended() : words);
    return Fail(ErrorKind::kAttach, "QEMU does not answer: {}{}{}", up.error().message,
                words.empty() ? "" : "; it printed: ", words);
  }
  return machine;
}

Result<> Machine::FillDisk() {
  if (!disk_file_) return {};
  // The same for every device: made once.
  static const Bytes content = Pattern(0, kDiskBytes);
  return WriteAll(disk_file_.get(), content);
}

bool Machine::Renew(GuestMemory& memory) {
  // A stimulus has changed what is behind the device.
  if (!renewable_ || stimuli_ != 0) return false;
  return Reset(memory).has_value() && process_->Running();
}

Result<> Machine::Reset(GuestMemory& memory) {
  VITRO_TRY(qmp_->Execute("system_reset"));
  VITRO_TRY(qmp_->Await("RESET"));
  VITRO_TRY(memory.Become(memory_.get()));
  VITRO_TRY(FillDisk());
  VITRO_TRY(Turn());
  qtest_->TakeRises(0, Qtest::kLines - 1);
  return {};
}

std::string Machine::Lost() {
  // A closed socket comes first, the exit status a moment later.
  if (!process_->WaitExit(Deadline::After(std::chrono::seconds(1))))
    return "QEMU closed its socket and runs on";
  const std::string words = process_->LastWords();
  return fmt::format("QEMU ended: {}{}{}", process_->Ended(),
                     words.empty() ? "" : "; it printed: ", words);
}

Result<> Machine::AwaitUnplugged() {
  VITRO_TRY(qmp_->Await("DEVICE_DELETED"));
  unplugged_ = true;
  return {};
}

Result<> Machine::CheckPlugged() const {
  if (!unplugged_) return {};
  return Fail(ErrorKind::kDeviceLost, "the device was unplugged");
}

Result<> Machine::Turn() {
  process_->Pump();
  VITRO_TRY(CheckPlugged());
  if (!steps_clock_) {
    // The cheapest question there is; no device has a part in it.
    VITRO_TRY(qtest_->Ask("endianness\n"));
    return {};
  }
  const auto now = Clock::now();
  const auto passed = std::max<int64_t>(1, (now - stepped_).count());
  stepped_ = now;
  VITRO_TRY(qtest_->Ask(fmt::format("clock_step {}\n", passed)));
  return {};
}

Result<> Machine::Watch(Duration at_most) {
  PollFor({qtest_->fd(), process_->exit_fd(), process_->output_fd(),
           daemon_ ? daemon_->output_fd() : -1},
          at_most);
  process_->Pump();
  if (daemon_) daemon_->Pump();
  return qtest_->TakeIn();
}

Result<bool> Machine::WaitUntil(const std::function<bool()>& done, Deadline deadline) {
  if (done()) return true;
  const Deadline busy = Deadline::After(kBusy);
  for (Duration pause = kFirstPause;;) {
    VITRO_TRY(Turn());
    if (done()) return true;
    if (deadline.Passed()) return false;
    if (!busy.Passed()) continue;
    VITRO_TRY(Watch(std::min(pause, deadline.Left())));
    if (done()) return true;
    pause = std::min<Duration>(pause * 3 / 2, kLongestPause);
  }
}

Result<> Machine::Quiesce(Duration window) {
  const Deadline end = Deadline::After(window);
  VITRO_TRY(Turn());
  while (!end.Passed()) {
    VITRO_TRY(Watch(end.Left()));
    // Virtual time has to be moved on from here.
    if (steps_clock_) VITRO_TRY(Turn());
  }
  return Turn();
}

std::string Machine::WhyNoStimulus() const {
  return stimulus_ == Stimulus::kNone ? why_no_stimulus_ : "";
}

Result<> Machine::StimulateConfigChange() {
  if (stimulus_ == Stimulus::kNone) return Fail(ErrorKind::kUnsupported, "{}", why_no_stimulus_);
  VITRO_TRY(Stimulate(stimulus_, *qmp_, id_, stimuli_));
  ++stimuli_;
  return Turn();
}

std::optional<Transport::Death> Machine::Died() {
  if (!process_ || process_->Running()) return std::nullopt;
  return Transport::Death{WIFSIGNALED(process_->wait_status()), process_->Ended()};
}

std::string Machine::DeviceLog() {
  process_->Pump();
  std::string log = process_->Tail();
  if (!daemon_) return log;
  daemon_->Pump();
  return log + daemon_->Tail();
}

}  // namespace vitro::qemu
