// SPDX-License-Identifier: Apache-2.0
// DirectDevice: one device behind the C ABI of devices/abi/vitro_device.h: its table of operations,
// its instance, and the host that the instance was made with. In this process it is driven to rest,
// so that "nothing more happens" is exact; what RemoteDevice brings here may live elsewhere. At
// which level it is driven is up to who has it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "harness/base/deadline.h"
#include "harness/base/result.h"
#include "harness/memory/guest_memory.h"
#include "harness/transport/direct/remote_device.h"
#include "harness/transport/transport.h"

namespace vitro {

enum class DirectLevel { kCore, kPci, kMmio };
const char* Name(DirectLevel level);

class DirectDevice {
 public:
  // What the device tells its host. Calls may come from threads of the device's own.
  struct Events {
    std::function<void(uint16_t queue)> queue_signalled;
    std::function<void()> config_signalled;
    std::function<void(uint64_t address, uint32_t data)> message_sent;
    std::function<void(bool asserted)> line_set;
  };

  // Creates a device of `ops` (which must outlive it) over `memory`, to be driven at `level`.
  // `options` as in the attach string. kAttach with the device's own words if it refuses; kAttach
  // for a table that does not fit. With `remote` its table is used, and it is what is opened.
  static Result<std::unique_ptr<DirectDevice>> Create(
      const vitro_device_ops* ops, DirectLevel level, const std::string& options,
      GuestMemory& memory, Events events, std::shared_ptr<RemoteDevice> remote = nullptr);
  // Checks version, size and mandatory operations only, and that there is some level.
  static Result<> CheckOps(const vitro_device_ops* ops);
  // Why a table that CheckOps() has let pass cannot be driven at that level; "" if it can.
  static std::string WhyNot(const vitro_device_ops* ops, DirectLevel level);
  ~DirectDevice();
  DirectDevice(const DirectDevice&) = delete;
  DirectDevice& operator=(const DirectDevice&) = delete;

  const vitro_device_ops* ops() const { return ops_; }
  vitro_device* get() const { return device_; }
  const DeviceIdentity& identity() const { return identity_; }
  std::string log() const { return remote_ == nullptr ? log_ : remote_->Log(); }

  // What an operation gave, unless the device was lost over it: only a remote one can be.
  template <typename T>
  Result<T> Checked(T value) const {
    VITRO_TRY(Health());
    return value;
  }
  Result<> Health() const { return remote_ == nullptr ? Result<>() : remote_->Health(); }
  // Takes in what the device has told meanwhile. Events of a device in this process come at once.
  void TakeIn() const {
    if (remote_ != nullptr) remote_->TakeIn();
  }
  bool exact_quiet() const { return remote_ == nullptr || remote_->exact_quiet(); }
  std::optional<Transport::Death> Died() const {
    return remote_ == nullptr ? std::nullopt : remote_->Died();
  }

  // As Transport's.
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline);
  Result<> Quiesce(Duration window);
  std::string WhyNoStimulus() const;
  Result<> StimulateConfigChange();

 private:
  DirectDevice(const vitro_device_ops* ops, GuestMemory& memory, Events events);
  vitro_host MakeHost();
  Result<> Open(const std::string& options);
  // Where the device works when it likes.
  Result<bool> Watch(const std::function<bool()>& done, Deadline deadline);

  const vitro_device_ops* ops_;
  GuestMemory& memory_;
  Events events_;
  vitro_host host_;
  vitro_device* device_ = nullptr;
  DeviceIdentity identity_;
  std::string log_;
  std::shared_ptr<RemoteDevice> remote_;
};

}  // namespace vitro
