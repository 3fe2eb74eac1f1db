// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM as something that can be polled for.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>

#include "harness/base/unique_fd.h"

namespace vitro::cli {

// From now on they end nothing by themselves: the descriptor becomes readable instead.
inline UniqueFd StopSignals() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  return UniqueFd(::signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace vitro::cli
