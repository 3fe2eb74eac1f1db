// SPDX-License-Identifier: Apache-2.0
// The session's operations on registers and interrupts (4.1, 4.2).
#include "harness/session/observations.h"
#include "harness/session/session.h"
#include "harness/transport/read_until.h"

namespace vitro {
Result<Observation> Session::Do(const op::ReadRegister& read) {
  auto value = transport_.ReadRegister(read.region, read.offset, read.width);
  if (Refused(value)) return RefusedObservation();
  VITRO_TRY(value);
  trace_.back().note = fmt::format("{:#x}", *value);
  return Value(*value);
}

Result<Observation> Session::Do(const op::WriteRegister& write) {
  return Done(transport_.WriteRegister(write.region, write.offset, write.width, write.value));
}

Result<Observation> Session::Do(const op::WaitRegister& wait) {
  VITRO_ASSIGN(const uint64_t value,
               ReadUntil(
                   transport_, ResponseDeadline(),
                   [&] { return transport_.ReadRegister(wait.region, wait.offset, wait.width); },
                   [&](uint64_t read) { return (read & wait.mask) == wait.value; }));
  trace_.back().note = fmt::format("{:#x}", value);
  return Value(value);
}

Result<Observation> Session::Do(const op::Interrupts& interrupts) {
  return Done(transport_.UseInterrupts(interrupts.plan, interrupts.handler != 0));
}

Result<Observation> Session::Do(const op::Interface& interface) {
  auto result = transport_.UseInterface(interface.name);
  if (Refused(result)) return RefusedObservation();
  VITRO_TRY(result);
  state_.legacy = interface.name == "legacy";
  return Observation{};
}

Result<Observation> Session::Do(const op::WaitMessages& wait) {
  uint64_t count = transport_.TakeMessages(wait.vector);
  VITRO_TRY(transport_.WaitUntil(
      [&] {
        count += transport_.TakeMessages(wait.vector);
        return count >= wait.count;
      },
      ResponseDeadline()));
  trace_.back().note = fmt::format("{}", count);
  return Value(count);
}

Result<Observation> Session::Do(const op::WaitLine& wait) {
  VITRO_ASSIGN(const bool level,
               ReadUntil(
                   transport_, ResponseDeadline(), [this] { return transport_.LineAsserted(); },
                   [&](bool asserted) { return asserted == (wait.level != 0); }));
  trace_.back().note = level ? "asserted" : "not asserted";
  return Value(level ? 1 : 0);
}

Result<Observation> Session::Do(const op::ReadLine&) {
  VITRO_ASSIGN(const bool level, transport_.LineAsserted());
  trace_.back().note = level ? "asserted" : "not asserted";
  return Value(level ? 1 : 0);
}

Result<Observation> Session::Do(const op::TakeLineRises&) {
  const uint64_t rises = transport_.TakeLineRises();
  trace_.back().note = fmt::format("{}", rises);
  return Value(rises);
}

}  // namespace vitro
