// SPDX-License-Identifier: Apache-2.0
// Connection: the conversation with a vhost-user back-end: requests matched with replies and
// acknowledgements (REPLY_ACK), the channel on which the back-end makes requests of its own, and
// the watch over its process. Every wait has a deadline and ends at once when the process ends.
// Knows messages, not virtqueues.
#pragma once

#include <poll.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/base/bytes.h"
#include "harness/base/deadline.h"
#include "harness/base/result.h"
#include "harness/base/unique_fd.h"
#include "harness/transport/peer.h"
#include "harness/transport/vhost_user/message_stream.h"
#include "harness/virtio/vhost_user.h"

namespace vitro::vhost_user {

// Once the back-end is lost, every call fails with the same kDeviceLost.
class Connection {
 public:
  // `peer` may be null. `timeout` is how long the back-end may take for any one answer.
  Connection(UniqueFd socket, std::shared_ptr<Peer> peer, Duration timeout);

  // One that is lost already.
  explicit Connection(Error lost) : timeout_(0), lost_(std::move(lost)) {}

  // From now on messages without a reply of their own ask for an acknowledgement.
  void UseReplyAck(bool on) { reply_ack_ = on; }
  bool uses_reply_ack() const { return reply_ack_; }

  // Sends a message that has no reply of its own. Acknowledgements are collected by Sync(), so that
  // a series of messages costs one round trip.
  Result<> Send(Request request, ByteView payload = {}, std::span<const int> fds = {});
  // Sends a message and returns the payload of its reply.
  Result<Bytes> Call(Request request, ByteView payload = {});
  Result<uint64_t> CallU64(Request request);
  // After it, the back-end has worked off all that was sent. kRefused if it answered any message
  // with "failed".
  Result<> Sync();
  // The same, and notices a back-end that acknowledged a message and closed the connection over it,
  // as libvhost-user does.
  Result<> SyncTwice();

  // Makes the channel for the back-end's own requests and hands it over (SET_BACKEND_REQ_FD).
  Result<> OpenBackendChannel();
  // Accepts IOTLB misses and failures on it. Nothing follows: all there is has been mapped.
  void AllowIotlb(bool on) { iotlb_ = on; }
  // Accepts VRING_CALL and VRING_ERR on it, for rings below `rings`.
  void AllowInband(uint32_t rings) { calls_.resize(rings); }
  // What arrived on it since this was last asked.
  uint64_t TakeConfigChanges() { return std::exchange(config_changes_, 0); }
  uint64_t TakeCalls(uint32_t ring) {
    return ring < calls_.size() ? std::exchange(calls_[ring], 0) : 0;
  }
  uint64_t ring_errors() const { return ring_errors_; }

  // Takes in whatever is there and waits for more at most `at_most`, or until one of `others` is
  // ready. The descriptors in `others` are polled but not read.
  Result<> Wait(std::span<pollfd> others, Duration at_most);

  // Ends the conversation because the back-end broke the protocol, in a way only the caller can
  // tell.
  tl::unexpected<Error> Break(const std::string& how);

  // The back-end closed the connection, of its own will: it broke no rule and its process did not
  // fail.
  bool closed_in_peace() const { return lost_ && closed_in_peace_; }
  const std::optional<Error>& lost() const { return lost_; }
  Peer* peer() const { return peer_.get(); }

 private:
  struct Expected {
    Request request;
    bool is_ack;
  };

  tl::unexpected<Error> Lose(const Error& error);
  Result<> Check() const;
  Result<> Transmit(Request request, bool need_reply, ByteView payload, std::span<const int> fds);
  // Waits until done(); kTimeout, and lost, when that takes too long.
  Result<> Until(const std::function<bool()>& done, const char* what);
  Result<> ServeSocket();
  Result<> ServeChannel();
  Result<> HandleReply(Message message);
  Result<> HandleRequest(const Message& message);
  Result<> HandleRingRequest(const Message& message);

  MessageStream socket_;
  MessageStream channel_;
  std::shared_ptr<Peer> peer_;
  Duration timeout_;
  bool reply_ack_ = false;
  bool iotlb_ = false;
  bool unconfirmed_ = false;  // something was sent that nothing answers
  std::deque<Expected> expected_;
  std::optional<Bytes> reply_;
  std::string refused_;  // the first failed acknowledgement since Sync()
  Request last_sent_ = Request::kNone;
  Request blame_ = Request::kNone;  // named as the cause of a loss instead of last_sent_
  uint64_t config_changes_ = 0;
  uint64_t ring_errors_ = 0;
  std::vector<uint64_t> calls_;
  std::vector<pollfd> polls_;
  bool closed_in_peace_ = false;
  std::optional<Error> lost_;
};

}  // namespace vitro::vhost_user
