// SPDX-License-Identifier: Apache-2.0
// ShmDevice: a device behind a segment of devices/abi/vitro_shm.h, claimed: Vitro's side of the
// mailbox, as a table of the C ABI, so that what drives a device in this process drives it as well.
// Every call has a deadline and ends at once when the device's process does. Nothing that is read
// in the segment is believed.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

#include "harness/transport/direct/direct_device.h"
#include "harness/transport/direct/remote_device.h"
#include "harness/transport/peer.h"
#include "harness/transport/shm/segment.h"

namespace vitro {

class ShmDevice : public RemoteDevice {
 public:
  // Claims the segment. `peer` is the device's process if it is ours to watch, else null. `timeout`
  // is how long any one answer may take. kAttach if its device has ended, or another drives it.
  static Result<std::shared_ptr<ShmDevice>> Claim(std::unique_ptr<ShmSegment> segment,
                                                  std::shared_ptr<Peer> peer, Duration timeout);
  // Ends the device, and lets go.
  ~ShmDevice() override;
  ShmDevice(const ShmDevice&) = delete;
  ShmDevice& operator=(const ShmDevice&) = delete;

  DirectLevel level() const;
  // Are the level's registers Vitro's?
  bool wrapped() const { return segment_->header().flags & VITRO_SHM_WRAPPED; }

  const vitro_device_ops* ops() const override { return &ops_; }
  Result<vitro_device*> Open(const vitro_host* host, GuestMemory& memory) override;
  Result<> Health() const override;
  void TakeIn() override;
  void Wait(Duration at_most) override;
  bool exact_quiet() const override { return segment_->header().flags & VITRO_SHM_DRIVEN; }
  std::optional<Transport::Death> Died() override;
  std::string Log() override;

 private:
  struct Answer {
    int result = -1;
    uint64_t values[7] = {};
  };
  struct Calls;  // the operations of the table

  ShmDevice(std::unique_ptr<ShmSegment> segment, std::shared_ptr<Peer> peer, Duration timeout);
  void FillTable();
  Result<> ClaimIt();
  Result<> ShareMemory(GuestMemory& memory);
  // Makes a request and waits for its answer. A device that is lost answers -1 and zeros.
  Answer Call(uint32_t opcode, std::initializer_list<uint64_t> arguments = {});
  // Waits until `request` is answered; what it is waited for is said in the error.
  Result<> Await(uint32_t request, const std::string& what);
  // Why the device will answer no more, if it is known.
  Result<> CheckAlive(const std::string& what);
  void Deliver(const vitro_shm_event& event);
  void Lose(Error error);

  std::unique_ptr<ShmSegment> segment_;
  std::shared_ptr<Peer> peer_;
  Duration timeout_;
  uint64_t self_ = 0;    // as the segment names this process
  uint64_t device_ = 0;  // and the device's
  bool claimed_ = false, opened_ = false;
  uint32_t request_ = 0;  // the last one made
  uint64_t head_ = 0;     // events taken in
  const vitro_host* host_ = nullptr;
  vitro_device_ops ops_{};
  vitro_pci_ops pci_{};
  vitro_mmio_ops mmio_{};
  vitro_identity identity_{};
  Deadline last_look_ = Deadline::After(Duration{0});  // whether it lives
  std::optional<Error> lost_;
};

}  // namespace vitro
