// SPDX-License-Identifier: Apache-2.0
// FrontEnd: a vhost-user back-end as a virtio device at the core level. It maps a driver's acts to
// messages the way QEMU and DPDK's virtio-user do:
// - SET_FEATURES goes out when the driver accepts features. Bits 26 (LOG_ALL) and 30
//   (PROTOCOL_FEATURES) are the carrier's and hidden from the driver.
// - Rings are told to the back-end, started and enabled when the driver sets DRIVER_OK.
// - The device status is the back-end's with the STATUS protocol feature, else the front-end's own
//   notebook, as in QEMU.
// - A reset stops every running ring (GET_VRING_BASE), disables it, and then sends RESET_DEVICE or
//   status 0 where the back-end knows one of them.
// - A back-end that closes the connection over SET_FEATURES has refused the features (the protocol
//   says so): FEATURES_OK then reads 0 and the next reset reconnects.
// - Setting SET_VRING_CALL makes libvhost-user signal once: that is drained before the ring starts.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/transport/transport.h"
#include "harness/transport/vhost_user/connection.h"

namespace vitro::vhost_user {

enum class NotifyMode {
  kCall,    // eventfds both ways
  kPoll,    // no call eventfd (NOFD): the driver polls, the device sends no notifications
  kInband,  // VRING_KICK and VRING_CALL messages
};

// A connection to a back-end and, where it is ours, its process.
struct Link {
  UniqueFd socket;
  std::shared_ptr<Peer> peer;
};

struct FrontEndOptions {
  // A fresh connection, restarting the back-end if need be. Fails with kAttach.
  std::function<Result<Link>()> dial;
  // Makes the device change its configuration; empty if there is no way. It calls `serve` while it
  // waits, so that the back-end is not left without an answer meanwhile.
  std::function<Result<>(const std::function<void(Duration)>& serve)> stimulate;
  std::string name;                       // for DeviceIdentity
  uint32_t device_id = 0;                 // what the user says the device is; 0: unknown
  std::optional<uint32_t> queues;         // instead of what GET_QUEUE_NUM says
  uint32_t queue_size = 256;              // vhost-user cannot tell the largest size
  std::optional<uint32_t> config_size;    // instead of finding out
  uint32_t config_size_hint = 0;          // what it was found to be elsewhere; checked first
  Duration timeout = milliseconds(5000);  // for any one answer
  NotifyMode notify = NotifyMode::kCall;
  bool reset_by_reconnect = false;  // reset means a new connection
};

class FrontEnd : public Transport {
 public:
  // `memory` must outlive the front-end. kAttach if there is no working back-end.
  static Result<std::unique_ptr<FrontEnd>> Create(GuestMemory& memory, FrontEndOptions options);
  ~FrontEnd() override;

  const DeviceIdentity& identity() const override { return identity_; }
  const Abilities& abilities() const override { return abilities_; }
  Result<FeatureSet> ReadFeatures() override;
  Result<> AcceptFeatures(FeatureSet features) override;
  Result<uint8_t> ReadStatus() override;
  Result<> WriteStatus(uint8_t status) override;
  Result<> Reset() override;
  Result<Bytes> ReadConfig(uint32_t offset, uint32_t width) override;
  Result<> WriteConfig(uint32_t offset, ByteView bytes) override;
  Result<uint32_t> ReadGeneration() override;
  Result<uint32_t> QueueMaxSize(uint32_t queue) override;
  Result<> SetupQueue(uint32_t queue, const QueueLayout& layout) override;
  Result<> ResetQueue(uint32_t queue) override;
  Result<> Notify(uint32_t queue) override;
  Result<> StimulateConfigChange() override;
  uint64_t TakeQueueNotifications(uint32_t queue) override;
  uint64_t TakeConfigNotifications() override;
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) override;
  Result<> Quiesce(Duration window) override;
  Result<> Reconnect() override;
  std::optional<Death> Died() override;
  std::string DeviceLog() override;

  // GET_CONFIG or SET_CONFIG with a header and a payload that need not agree, as a hostile
  // front-end may send them. kRefused if the back-end says no, kDeviceLost if it hangs up over it.
  Result<> SendConfigMessage(Request request, const ConfigHeader& header, ByteView payload);

  // What was negotiated, for the report.
  uint64_t protocol_features() const { return protocol_features_; }
  uint64_t offered_protocol_features() const { return offered_protocol_features_; }

 private:
  struct Ring {
    QueueLayout layout;
    bool set_up = false;      // the driver has said where it is
    bool running = false;     // the back-end has been told
    bool early_kick = false;  // notified before it ran
    UniqueFd kick, call, error;
    uint64_t notifications = 0;
  };

  FrontEnd(GuestMemory& memory, FrontEndOptions options);

  // negotiate.cc: from a fresh connection to a device that can be driven.
  Result<> Connect();
  Result<> Handshake();
  Result<> NegotiateProtocol();
  Result<> ShareMemory();
  Result<uint32_t> CountQueues();
  Result<> FindConfigSize();
  void StateAbilities();

  // rings.cc
  Result<> StartRings(std::span<const uint32_t> queues);
  Result<> StopRing(uint32_t queue);
  Result<> SendRingFd(Request request, uint32_t queue, int fd);
  Result<> SendRingState(Request request, uint32_t queue, uint32_t number);
  Result<> SendRingAddress(uint32_t queue);
  Result<> MakeEventFds(Ring& ring);
  Result<> ShareIotlb();
  Result<> Kick(uint32_t queue);
  Result<> DeliverEarlyKicks();
  void DrainCall(uint32_t queue);
  Result<> WaitOnce(Duration at_most);

  Result<Bytes> FetchConfig(uint32_t size);
  bool HasProtocol(unsigned bit) const { return protocol_features_ >> bit & 1; }
  bool alive() const { return connection_ != nullptr && !connection_->lost(); }

  GuestMemory& memory_;
  FrontEndOptions options_;
  DeviceIdentity identity_;
  Abilities abilities_;
  std::unique_ptr<Connection> connection_;
  uint64_t offered_ = 0;   // as the back-end says, carrier bits included
  uint64_t accepted_ = 0;  // as last sent
  uint64_t offered_protocol_features_ = 0;
  uint64_t protocol_features_ = 0;
  uint8_t status_ = 0;             // the front-end's notebook
  bool features_sent_ = false;     // since the reset
  bool features_refused_ = false;  // by a failed acknowledgement or by closing the connection
  bool closed_over_features_ = false;
  std::vector<Ring> rings_;
  std::vector<pollfd> polls_;     // scratch of WaitOnce()
  std::vector<uint32_t> polled_;  // and the queues they belong to
};

}  // namespace vitro::vhost_user
