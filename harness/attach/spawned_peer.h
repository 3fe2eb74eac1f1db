// SPDX-License-Identifier: Apache-2.0
// SpawnedPeer: a process that was started for a device, as the device's transport watches it. Ends
// with its last owner.
#pragma once

#include <sys/wait.h>

#include <string>

#include "harness/attach/process.h"
#include "harness/transport/peer.h"

namespace vitro {

class SpawnedPeer : public Peer {
 public:
  // How long it may take to end by itself when asked, before it is killed.
  static constexpr milliseconds kGrace{500};

  explicit SpawnedPeer(Process process) : process_(std::move(process)) {}
  ~SpawnedPeer() override { process_.Kill(kGrace); }
  int exit_fd() const override { return process_.exit_fd(); }
  int output_fd() const override { return process_.output_fd(); }
  void Pump() override { process_.Pump(); }
  std::string Ended() override { return process_.Ended(); }
  bool EndedCleanly() override { return !process_.Running() && process_.wait_status() == 0; }
  bool EndedBySignal() override {
    return !process_.Running() && WIFSIGNALED(process_.wait_status());
  }
  std::string Output() override { return process_.Tail(); }
  std::string LastWords() override { return process_.LastWords(); }
  Process& process() { return process_; }

 private:
  Process process_;
};

}  // namespace vitro
