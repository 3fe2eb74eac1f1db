// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/qemu/qmp.h"

namespace vitro::qemu {

using nlohmann::json;

tl::unexpected<Error> Qmp::Lost(std::string why) {
  if (broken_.empty()) broken_ = std::move(why);
  return Fail(ErrorKind::kDeviceLost, "{}", broken_);
}

Result<json> Qmp::Next(Deadline deadline, const std::string& to) {
  for (;;) {
    stream_.Fill();
    while (auto line = stream_.Next()) {
      if (line->find_first_not_of(" \t") == std::string::npos) continue;
      json object = json::parse(*line, nullptr, false);
      if (!object.is_object())
        return Lost(fmt::format("the monitor answered '{}' to '{}'", line->substr(0, 80), to));
      if (object.contains("event") && object["event"].is_string())
        ++events_[object["event"].get<std::string>()];
      return object;
    }
    if (stream_.closed()) return Lost(lost_());
    if (deadline.Passed())
      return Fail(ErrorKind::kTimeout, "the monitor did not answer '{}' within {} ms", to,
                  std::chrono::duration_cast<milliseconds>(timeout_).count());
    stream_.Wait(deadline);
  }
}

Result<json> Qmp::NextAnswer(Deadline deadline, const std::string& to) {
  for (;;) {
    VITRO_ASSIGN(json object, Next(deadline, to));
    if (!object.contains("event")) return object;
  }
}

Result<> Qmp::Await(const std::string& event) {
  const Deadline deadline = Deadline::After(timeout_);
  while (events_[event] == 0) VITRO_TRY(Next(deadline, event));
  --events_[event];
  return {};
}

Result<json> Qmp::Execute(const std::string& command, json arguments) {
  if (!broken_.empty()) return Lost("");
  const Deadline deadline = Deadline::After(timeout_);
  if (!greeted_) {
    VITRO_ASSIGN(const json greeting, NextAnswer(deadline, "a connection"));
    if (!greeting.contains("QMP")) return Lost("the monitor does not greet as QMP does");
    greeted_ = true;
    VITRO_TRY(Execute("qmp_capabilities"));
  }
  const uint64_t id = next_id_++;
  json request{{"execute", command}, {"id", id}};
  if (!arguments.is_null()) request["arguments"] = std::move(arguments);
  if (auto sent = stream_.Send(request.dump() + "\n", deadline); !sent) return Lost(lost_());
  for (;;) {
    VITRO_ASSIGN(const json answer, NextAnswer(deadline, command));
    // Answers to commands that were given up may still come.
    if (answer.contains("id") && answer["id"] != id) continue;
    if (answer.contains("return")) return answer["return"];
    if (answer.contains("error")) {
      const json description =
          answer["error"].is_object() ? answer["error"].value("desc", json()) : json();
      return Fail(ErrorKind::kRefused, "{}: {}", command,
                  description.is_string() ? description.get<std::string>() : "refused");
    }
    return Lost(fmt::format("the monitor answered {} with neither return nor error", command));
  }
}

}  // namespace vitro::qemu
