// SPDX-License-Identifier: Apache-2.0
// Session: performs operations on one live device. The driver does each, the oracle judges what
// followed, the trace keeps both. Checks, replay and fuzzing all drive a device through this class
// and nothing else, so what one of them found the others can repeat.
//
//   Session session(memory, *transport, {});
//   auto status = session.Perform(op::ReadStatus{});
//   session.Perform(op::Expect{.values = {0}, .requirement = "dev.basic.device-reset.1"});
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "harness/driver/driver_state.h"
#include "harness/memory/allocator.h"
#include "harness/memory/shadow.h"
#include "harness/oracle/finding.h"
#include "harness/oracle/oracle.h"
#include "harness/program/program.h"
#include "harness/transport/transport.h"

namespace vitro {

struct SessionOptions {
  uint64_t seed = 1;  // of the poison
  // How long a device may take to answer before it is taken to be silent.
  Duration response = std::chrono::milliseconds(1000);
  // Told of every operation before it is carried out, so that a crash cannot lose it.
  std::function<void(const Operation&)> before;
};

class Session {
 public:
  // One operation performed and what it yielded.
  struct Step {
    Operation operation;
    Observation observed;
    bool failed = false;  // it could not be carried out: `note` says why
    std::string note;
  };

  // `memory` and `transport` must outlive the session.
  Session(GuestMemory& memory, Transport& transport, SessionOptions options);

  // Carries out, judges, records. An Error says that the operation could not be carried out;
  // refusals by the device are observations. Expect operations never fail: they record a finding.
  Result<Observation> Perform(const Operation& operation);
  // To be called at the end: lets the device come to rest, takes what is left, compares all memory.
  Result<> Finish();

  const std::vector<Step>& trace() const { return trace_; }
  const std::vector<Finding>& findings() const { return findings_; }
  // Requirement ids that some Expect operation judged.
  const std::set<std::string>& judged() const { return judged_; }
  Program program(std::string check) const;
  // The last `steps` steps for people, one line each.
  std::vector<std::string> TraceTail(size_t steps) const;

  const Observation& last() const { return last_; }
  const DriverState& state() const { return state_; }
  const Transport& transport() const { return transport_; }
  Transport& transport() { return transport_; }
  Allocator& allocator() { return allocator_; }
  GuestMemory& memory() { return memory_; }
  // A poison seed that nothing used before; even, so that the next odd one is its complement.
  uint64_t FreshSeed() { return fresh_seed_ += 2; }

  // How long "nothing happens" is watched where quiescence is not exact: 20 times the slowest
  // answer seen so far, between 5 and 100 ms.
  Duration quiet_window() const;

  void Report(Finding finding);

 private:
  Result<Observation> Do(const op::ReadFeatures&);
  Result<Observation> Do(const op::AcceptFeatures&);
  Result<Observation> Do(const op::ReadStatus&);
  Result<Observation> Do(const op::WriteStatus&);
  Result<Observation> Do(const op::Reset&);
  Result<Observation> Do(const op::Reconnect&);
  Result<Observation> Do(const op::ReadConfig&);
  Result<Observation> Do(const op::WriteConfig&);
  Result<Observation> Do(const op::ReadGeneration&);
  Result<Observation> Do(const op::StimulateConfigChange&);
  Result<Observation> Do(const op::TakeConfigNotifications&);
  Result<Observation> Do(const op::WaitConfigNotification&);
  Result<Observation> Do(const op::ReadQueueMaxSize&);
  Result<Observation> Do(const op::SetupQueue&);
  Result<Observation> Do(const op::ResetQueue&);
  Result<Observation> Do(const op::Notify&);
  Result<Observation> Do(const op::Publish&);
  Result<Observation> Do(const op::Expose&);
  Result<Observation> Do(const op::SetAvailFlags&);
  Result<Observation> Do(const op::SetUsedEvent&);
  Result<Observation> Do(const op::WaitUsed&);
  Result<Observation> Do(const op::Churn&);
  Result<Observation> Do(const op::ReadAnswer&);
  Result<Observation> Do(const op::ReadUsedFlags&);
  Result<Observation> Do(const op::ReadUsedIdx&);
  Result<Observation> Do(const op::ReadAvailEvent&);
  Result<Observation> Do(const op::TakeNotifications&);
  Result<Observation> Do(const op::WaitNotifications&);
  Result<Observation> Do(const op::Quiesce&);
  Result<Observation> Do(const op::ReadRegister&);
  Result<Observation> Do(const op::WriteRegister&);
  Result<Observation> Do(const op::WaitRegister&);
  Result<Observation> Do(const op::Interrupts&);
  Result<Observation> Do(const op::Interface&);
  Result<Observation> Do(const op::WaitMessages&);
  Result<Observation> Do(const op::WaitLine&);
  Result<Observation> Do(const op::ReadLine&);
  Result<Observation> Do(const op::TakeLineRises&);
  Result<Observation> Do(const op::Write&);
  Result<Observation> Do(const op::Fill&);
  Result<Observation> Do(const op::Lend&);
  Result<Observation> Do(const op::Read&);
  Result<Observation> Do(const op::Hostile&);
  Result<Observation> Do(const op::RawDescriptor&);
  Result<Observation> Do(const op::RawAvailable&);
  Result<Observation> Do(const op::Expect&);

  Result<Virtqueue*> Queue(uint32_t index);
  // The requirement as it reads for the ring format in use.
  std::string Applied(const std::string& requirement) const;
  // kUnsupported where used buffer notifications cannot be seen.
  Result<> CheckNotifications() const;
  // Moves notifications that arrived from the transport to the oracle and the counts below.
  void CollectNotifications();
  Deadline ResponseDeadline() const { return Deadline::After(options_.response); }
  static Observation Value(uint64_t value) {
    Observation observation;
    observation.value = value;
    return observation;
  }

  GuestMemory& memory_;
  Transport& transport_;
  SessionOptions options_;
  Shadow shadow_;
  Allocator allocator_;
  DriverState state_;
  Oracle oracle_;
  std::vector<Step> trace_;
  std::vector<Finding> findings_;
  std::set<std::string> judged_;
  Observation last_;
  std::set<uint32_t> watched_;                  // queues that were set up at any time
  std::map<uint32_t, uint64_t> notifications_;  // seen, not yet taken by an operation
  std::map<uint32_t, uint32_t> taken_early_;    // used before a suspend; for the next WaitUsed
  uint64_t config_notifications_ = 0;
  uint64_t fresh_seed_ = 1000;
  Duration slowest_response_{0};
};

}  // namespace vitro
