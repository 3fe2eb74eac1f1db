// SPDX-License-Identifier: Apache-2.0
// Probe(): what is this device? Its identity, features, queues and config space, and, where no
// grammar knows its type, which shapes of buffers it uses. Isolated like a check.
#pragma once

#include <functional>

#include "harness/attach/attach.h"
#include "suite/profile/grammar.h"

namespace vitro {

struct Probed {
  DeviceFacts facts;
  Abilities abilities;
};

struct ProbeOptions {
  Duration limit = std::chrono::seconds(10);
  bool learn = true;  // try buffers on a device whose type has no grammar
  // What the user says of the device's type; nullptr: the built-in one, if there is one. Outlives
  // what was probed.
  const Profile* profile = nullptr;
};

// kAttach if there is no device to be had or it does not survive being looked at; kUsage if the
// device refuses its options or contradicts the profile that was given.
Result<Probed> Probe(Attachment& attachment, const ProbeOptions& options);

}  // namespace vitro
