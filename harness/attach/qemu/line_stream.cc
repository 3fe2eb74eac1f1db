// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/qemu/line_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace vitro::qemu {

LineStream::LineStream(UniqueFd socket) : socket_(std::move(socket)) {
  fcntl(socket_.get(), F_SETFL, fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
}

void LineStream::Wait(Deadline deadline, bool to_write) {
  std::vector<pollfd> wanted = {
      {socket_.get(), static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN), 0}};
  for (const Beside& each : beside_) wanted.push_back({each.fd(), POLLIN, 0});
  poll(wanted.data(), wanted.size(), deadline.LeftMs());
  for (size_t i = 0; i < beside_.size(); ++i)
    if (wanted[i + 1].revents != 0) beside_[i].take_in();
}

Result<> LineStream::Send(std::string_view text, Deadline deadline) {
  while (!text.empty()) {
    const ssize_t sent = send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      text.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (deadline.Passed()) return Fail(ErrorKind::kTimeout, "nobody reads what is sent");
      // Read as well: the other side may itself wait until we do.
      Fill();
      Wait(deadline, true);
    } else if (errno != EINTR) {
      return Fail(ErrorKind::kDeviceLost, "the connection is closed ({})", strerror(errno));
    }
  }
  return {};
}

void LineStream::Fill() {
  char chunk[4096];
  while (!closed_) {
    const ssize_t count = recv(socket_.get(), chunk, sizeof chunk, 0);
    if (count > 0) {
      buffer_.append(chunk, static_cast<size_t>(count));
      if (buffer_.size() - start_ > kLongestLine && !HasLine()) closed_ = true;
      // A short count means that this was all.
      if (static_cast<size_t>(count) < sizeof chunk) return;
      // Bounded, so that one who sends for ever does not hold us for ever.
      if (buffer_.size() - start_ > kLongestLine) return;
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return;
    } else {
      closed_ = true;
    }
  }
}

std::optional<std::string> LineStream::Next() {
  const size_t end = buffer_.find('\n', std::max(start_, scanned_));
  if (end == std::string::npos) {
    buffer_.erase(0, start_);
    start_ = 0;
    scanned_ = buffer_.size();
    return std::nullopt;
  }
  std::string line = buffer_.substr(start_, end - start_);
  if (line.ends_with('\r')) line.pop_back();
  start_ = scanned_ = end + 1;
  return line;
}

}  // namespace vitro::qemu
