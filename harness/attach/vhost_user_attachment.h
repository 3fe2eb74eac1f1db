// SPDX-License-Identifier: Apache-2.0
// vhost-user:PATH[,spawn="command ..."][,option...]: a device behind a vhost-user socket.
//
//   spawn="..."      start this back-end for every device. {path} is the socket's path, {dir} a
//   scratch
//                    directory of its own. With {path} every device gets a fresh path and PATH is
//                    only a name; without it PATH is what the command listens on.
//   server=1         we listen and the back-end connects
//   type=NAME|ID     the device type, which vhost-user does not tell
//   queues=N         virtqueues (default: what the back-end says; 1 or 2 by type if that is
//   nonsense) queue-size=N     largest queue size (default 256), which vhost-user does not tell
//   config-size=N    bytes of config space (default: found out)
//   mode=call|poll|inband   how notifications travel
//   reset=rings|reconnect   how a back-end without RESET_DEVICE and STATUS is reset
//   timeout=MS       for any one answer, and for the start (default 5000)
//   stimulus="..."   run this to make the device change its config; {path} and {dir} as above
#pragma once

#include <memory>

#include "harness/attach/attach.h"

namespace vitro {

// kUsage for wrong options; kAttach, without a spawn= command, when PATH is no socket.
Result<std::unique_ptr<Attachment>> OpenVhostUser(AttachString string);

}  // namespace vitro
