// SPDX-License-Identifier: Apache-2.0
#include "devices/serve/vhost_user_back_end.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "devices/serve/vhost_user_session.h"

namespace vitro::serve {
namespace {

// Does nobody answer on that socket any more?
bool IsDeserted(const sockaddr_un& address) {
  struct stat info;
  if (stat(address.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

}  // namespace

Result<std::unique_ptr<VhostUserBackEnd>> VhostUserBackEnd::Listen(VhostUserOptions options) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = options.path;
  if (path.size() >= sizeof address.sun_path)
    return Fail(ErrorKind::kUsage, "the socket path '{}' is longer than {} bytes", path,
                sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  // Options that the device refuses are told now, not to the first front-end.
  VITRO_TRY(VhostUserSession::Create(options.ops, options.device_options, UniqueFd()));
  std::unique_ptr<VhostUserBackEnd> back_end(new VhostUserBackEnd(std::move(options)));
  UniqueFd& fd = back_end->listener_;
  fd = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  int bound = bind(fd.get(), name, sizeof address);
  if (bound != 0 && errno == EADDRINUSE && IsDeserted(address)) {
    unlink(path.c_str());
    bound = bind(fd.get(), name, sizeof address);
  }
  if (bound == 0 && listen(fd.get(), 1) == 0) return back_end;
  const int error = errno;
  if (bound != 0) fd.Reset();  // the path is another's: it must stay
  return Fail(ErrorKind::kAttach, "cannot listen on {}: {}", path, strerror(error));
}

VhostUserBackEnd::~VhostUserBackEnd() {
  if (listener_) unlink(options_.path.c_str());
}

Result<> VhostUserBackEnd::Serve() {
  for (;;) {
    pollfd fds[] = {{listener_.get(), POLLIN, 0}, {options_.stop_fd, POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[1].revents != 0) return {};
    UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) continue;
    VITRO_ASSIGN(auto session, VhostUserSession::Create(options_.ops, options_.device_options,
                                                        std::move(socket), options_.offer_status));
    const auto stopped = session->Serve(options_.stop_fd);
    if (!stopped) std::fprintf(stderr, "the front-end %s\n", stopped.error().message.c_str());
    if (options_.once || (stopped && *stopped)) return {};
  }
}

}  // namespace vitro::serve
