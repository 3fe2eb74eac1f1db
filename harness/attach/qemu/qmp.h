// SPDX-License-Identifier: Apache-2.0
// Qmp: QEMU's monitor protocol: JSON objects, one a line: a greeting, commands with their answers,
// and events in between.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/attach/qemu/line_stream.h"

namespace vitro::qemu {

class Qmp {
 public:
  // `lost` tells how the other side ended, in a sentence.
  Qmp(UniqueFd socket, Duration timeout, std::function<std::string()> lost)
      : stream_(std::move(socket)), timeout_(timeout), lost_(std::move(lost)) {}

  // Carries a command out; gives its "return". kRefused, with the reason it told, if it answers
  // with an error; kDeviceLost when it ends or does not speak the protocol; kTimeout.
  Result<nlohmann::json> Execute(const std::string& command, nlohmann::json arguments = {});
  // Waits for an event that no earlier call has waited for. Errors: kTimeout, kDeviceLost.
  Result<> Await(const std::string& event);
  LineStream& stream() { return stream_; }

 private:
  // The next object; events are counted and given as well.
  Result<nlohmann::json> Next(Deadline deadline, const std::string& to);
  // The next object that is no event.
  Result<nlohmann::json> NextAnswer(Deadline deadline, const std::string& to);
  tl::unexpected<Error> Lost(std::string why);

  LineStream stream_;
  const Duration timeout_;
  const std::function<std::string()> lost_;
  bool greeted_ = false;
  uint64_t next_id_ = 1;
  std::map<std::string, uint64_t> events_;  // how many have come that nobody waited for
  std::string broken_;
};

}  // namespace vitro::qemu
