// SPDX-License-Identifier: Apache-2.0
// A vhost-user back-end around any device of the C ABI at level core: it serves one front-end after
// the other, each with a fresh device. Shares no code with harness/transport, so that tester and
// tested stay independent.
//
// What vhost-user cannot carry is not there: feature bits from 64 on, the device type, the config
// generation, accesses to single config fields (all of it travels at once), the largest size of a
// queue, administration virtqueues and notification data.
#pragma once

#include <memory>
#include <string>

#include "devices/abi/vitro_device.h"
#include "harness/base/result.h"
#include "harness/base/unique_fd.h"

namespace vitro::serve {

struct VhostUserOptions {
  std::string path;  // of the socket
  const vitro_device_ops* ops = nullptr;
  std::string device_options;  // for ops->create()
  bool once = false;           // end when the first front-end has left
  int stop_fd = -1;            // readable when serving shall end
  // Offers the STATUS protocol feature. Without it rings are served from their first kick on, as
  // front-ends need that negotiate the feature and then tell no DRIVER_OK.
  bool offer_status = true;
};

class VhostUserBackEnd {
 public:
  // Listens. A socket that nobody listens on any more is replaced. kAttach where that is not
  // possible, or if no device can be made; kUsage for a path that is too long.
  static Result<std::unique_ptr<VhostUserBackEnd>> Listen(VhostUserOptions options);
  ~VhostUserBackEnd();
  VhostUserBackEnd(const VhostUserBackEnd&) = delete;
  VhostUserBackEnd& operator=(const VhostUserBackEnd&) = delete;

  // Until it is told to stop. A front-end that breaks the protocol is left, with a line on stderr.
  Result<> Serve();

 private:
  explicit VhostUserBackEnd(VhostUserOptions options) : options_(std::move(options)) {}

  VhostUserOptions options_;
  UniqueFd listener_;
};

}  // namespace vitro::serve
