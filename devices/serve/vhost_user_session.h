// SPDX-License-Identifier: Apache-2.0
// VhostUserSession: one front-end's connection and the device that was made for it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "devices/serve/guest_map.h"
#include "harness/base/bytes.h"
#include "harness/base/result.h"
#include "harness/base/unique_fd.h"
#include "harness/virtio/vhost_user.h"

namespace vitro::serve {

class VhostUserSession {
 public:
  // Makes the device; kAttach with its own words if it refuses.
  static Result<std::unique_ptr<VhostUserSession>> Create(const vitro_device_ops* ops,
                                                          const std::string& options,
                                                          UniqueFd socket,
                                                          bool offer_status = true);
  ~VhostUserSession();
  VhostUserSession(const VhostUserSession&) = delete;
  VhostUserSession& operator=(const VhostUserSession&) = delete;

  // Until the front-end has left or `stop_fd` is readable: true then. kDeviceLost if it broke the
  // protocol.
  Result<bool> Serve(int stop_fd);

 private:
  struct Ring {
    uint32_t size = 0;
    vhost_user::VringAddr address{};
    UniqueFd kick, call, error;
    bool enabled = false;     // the front-end lets it be served
    bool configured = false;  // the device knows it
  };
  struct Message {
    vhost_user::Request request;
    uint32_t flags = 0;
    Bytes payload;
    std::vector<UniqueFd> fds;
  };
  // What is sent back: nothing, a reply, or (as an acknowledgement) success or not.
  struct Reply {
    bool has_payload = false;
    Bytes payload;
    bool success = true;
  };

  VhostUserSession(const vitro_device_ops* ops, UniqueFd socket);
  vitro_host MakeHost();
  vitro_identity Identity() const;

  // False at the end of the connection.
  Result<bool> ServeMessage();
  Result<bool> Receive(Message& message);
  Result<> Send(vhost_user::Request request, ByteView payload);

  Result<Reply> Handle(Message& message);
  Result<Reply> HandleDevice(Message& message);
  Result<Reply> HandleMemory(Message& message);
  Result<Reply> HandleRing(Message& message);
  Result<Reply> HandleRingFd(Message& message);
  void Reset();
  Reply GetConfig(const Message& message);
  Reply SetConfig(const Message& message);
  Result<Ring*> RingOf(uint64_t index);
  // A front-end without the STATUS protocol feature leaves the device status to us: negotiated with
  // SET_FEATURES, DRIVER_OK with the first kick, and reset when the last ring has been stopped.
  bool TellsStatus() const;
  uint64_t OfferedProtocol() const;
  void AcceptFeatures(uint64_t features);
  bool Start(uint32_t index);
  uint32_t Stop(uint32_t index);
  // A whole payload of type T; kDeviceLost if it has another size.
  template <typename T>
  static Result<T> Payload(const Message& message);

  bool MayRun() const;
  // Lets it work, one step. True if there may be more.
  bool Run();
  void Kicked(uint32_t index);
  void SignalQueue(uint16_t queue);
  void SignalConfig();

  const vitro_device_ops* ops_;
  vitro_host host_;
  vitro_device* device_ = nullptr;
  std::string log_;
  UniqueFd socket_;
  GuestMap memory_;
  std::mutex signals_;  // the device may notify from threads of its own: call descriptors, channel
  std::vector<Ring> rings_;
  UniqueFd channel_;
  uint64_t accepted_ = 0, protocol_features_ = 0;
  bool offer_status_ = true;
};

}  // namespace vitro::serve
