// SPDX-License-Identifier: Apache-2.0
// Machine: a QEMU process with one virtio device under test. Its processor is halted: this program
// plays it through qtest, and shares guest memory with it. Knows what a PCI function or an MMIO
// window is not; the carriers over it do.
#pragma once

#include <signal.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/attach/process.h"
#include "harness/attach/qemu/back_ends.h"
#include "harness/attach/qemu/qmp.h"
#include "harness/attach/qemu/qtest.h"
#include "harness/memory/guest_memory.h"
#include "harness/transport/transport.h"

namespace vitro::qemu {

struct MachinePlan {
  std::string binary = "qemu-system-x86_64";
  std::string accelerator = "tcg";
  std::string machine = "q35";         // "q35", "pc", "microvm"
  std::string device;                  // a type as -device has it
  Properties properties;               // of the device
  std::string id = kDeviceId;          // of the device
  std::vector<std::string> arguments;  // the user's own
  BackEnd back_end;
  Duration timeout = std::chrono::seconds(5);  // for any one answer, and for the start
  bool renewable = false;                      // Renew() will be asked for
};

class Machine {
 public:
  // Guest memory below this is no region of GuestMemory, and free for the carriers.
  static constexpr uint64_t kLowBytes = 0xa0000;

  // Starts QEMU, and waits until it answers. kAttach, with what it printed, if it does not.
  static Result<std::unique_ptr<Machine>> Start(const MachinePlan& plan, const GuestMemory& memory);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine();

  // Resets the whole machine, as if its power had been off, and lets it and `memory` have the same
  // memory again. False, and nothing can be said of the machine, where something may be left over.
  bool Renew(GuestMemory& memory);

  const std::string& name() const { return name_; }
  Qtest& qtest() { return *qtest_; }
  // The first kLowBytes of guest memory.
  uint8_t* low_memory() { return low_memory_; }

  // A round trip: QEMU's main loop has turned, and what it had to tell is taken in.
  Result<> Turn();
  // As Carrier has them.
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline);
  Result<> Quiesce(Duration window);
  std::string WhyNoStimulus() const;
  Result<> StimulateConfigChange();
  // Is the stimulus a request to unplug the device, which the guest grants at its bus?
  bool unplugs() const { return stimulus_ == Stimulus::kUnplug; }
  bool unplug_requested() const { return unplugs() && stimuli_ != 0; }
  // Waits until QEMU has taken the device away. Whatever waits for the device from then on fails
  // with kDeviceLost.
  Result<> AwaitUnplugged();
  // kDeviceLost once it was taken away.
  Result<> CheckPlugged() const;
  std::optional<Transport::Death> Died();
  std::string DeviceLog();
  // As if QEMU had crashed: for tests.
  void KillForTest() { kill(process_->pid(), SIGKILL); }

 private:
  Machine() = default;
  Result<> StartDaemon();
  Result<> Reset(GuestMemory& memory);
  // The disk as it is at the start, where there is one.
  Result<> FillDisk();
  Result<> MakeArguments(const MachinePlan& plan, const GuestMemory& memory);
  // Passes something happening or `at_most`, whatever comes first, and takes it in.
  Result<> Watch(Duration at_most);
  // What became of QEMU, in a sentence.
  std::string Lost();
  // The end of a socket that QEMU is to get; its number. The other end is kept in `ours`.
  Result<int> MakeChannel(UniqueFd& ours);
  Result<int> Pass(UniqueFd fd);
  Result<std::string> Scratch();

  std::string name_, binary_, id_;
  bool steps_clock_ = false;  // virtual time passes only when it is told to
  Clock::time_point stepped_ = Clock::now();
  Stimulus stimulus_ = Stimulus::kNone;
  std::string why_no_stimulus_;
  uint64_t stimuli_ = 0;
  bool unplugged_ = false;

  bool renewable_ = false;
  UniqueFd memory_, disk_file_;
  uint8_t* low_memory_ = nullptr;
  std::unique_ptr<ScratchDirectory> scratch_;
  std::vector<std::string> argv_;
  std::vector<UniqueFd> passed_;  // until QEMU has them
  UniqueFd qtest_socket_, qmp_socket_;
  std::string disk_, daemon_path_;
  // Ended in reverse order, all before the directory is removed.
  std::optional<Process> daemon_, process_;
  std::unique_ptr<Qtest> qtest_;
  std::unique_ptr<Qmp> qmp_;
};

}  // namespace vitro::qemu
