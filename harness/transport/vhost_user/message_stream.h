// SPDX-License-Identifier: Apache-2.0
// MessageStream: vhost-user messages over one Unix stream socket: framing, descriptors by
// SCM_RIGHTS, limits. Never blocks, never raises SIGPIPE, and believes nothing the other side
// sends. Knows no message's meaning.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "harness/base/bytes.h"
#include "harness/base/result.h"
#include "harness/base/unique_fd.h"

namespace vitro::vhost_user {

struct Message {
  uint32_t request = 0;
  uint32_t flags = 0;
  Bytes payload;
  std::vector<UniqueFd> fds;
};

class MessageStream {
 public:
  // The longest payload of the protocol is 268 bytes; some implementations allow themselves a page.
  static constexpr uint32_t kMaxPayload = 4096;

  MessageStream() = default;
  explicit MessageStream(UniqueFd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }
  explicit operator bool() const { return static_cast<bool>(socket_); }
  void Close() { socket_.Reset(); }

  // The next message that has wholly arrived, if any. Errors are kDeviceLost: the end of the stream
  // (then ended() is true) or a message that cannot be one.
  Result<std::optional<Message>> TryReceive();
  // The other side has closed or reset the stream.
  bool ended() const { return ended_; }

  // Queues a message and sends what the socket takes at once; header and payload go in one call
  // because some back-ends (DPDK) read the header in one. The descriptors stay the caller's and
  // must live until wants_to_send() is false.
  Result<> Send(uint32_t request, uint32_t flags, ByteView payload, std::span<const int> fds);
  Result<> Flush();
  bool wants_to_send() const { return sent_ < out_.size(); }

 private:
  Result<bool> ReadTo(size_t size);

  UniqueFd socket_;
  bool ended_ = false;
  Bytes in_;  // the message being received, header first
  std::vector<UniqueFd> in_fds_;
  Bytes out_;
  size_t sent_ = 0;
  size_t fds_at_ = 0;  // where in out_ the descriptors belong
  std::vector<int> out_fds_;
};

}  // namespace vitro::vhost_user
