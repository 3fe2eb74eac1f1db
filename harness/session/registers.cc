// SPDX-License-Identifier: Apache-2.0
// The session's operations on registers and interrupts (4.1, 4.2).
#include "harness/session/observations.h"
#include "harness/session/session.h"

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
  uint64_t value = 0;
  std::optional<Error> error;
  VITRO_TRY(transport_.WaitUntil(
      [&] {
        auto read = transport_.ReadRegister(wait.region, wait.offset, wait.width);
        if (!read) error = read.error();
        value = read.value_or(0);
        return error.has_value() || (value & wait.mask) == wait.value;
      },
      ResponseDeadline()));
  if (error) return tl::make_unexpected(*error);
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
  bool level = false;
  std::optional<Error> error;
  VITRO_TRY(transport_.WaitUntil(
      [&] {
        auto asserted = transport_.LineAsserted();
        if (!asserted) error = asserted.error();
        level = asserted.value_or(false);
        return error.has_value() || level == (wait.level != 0);
      },
      ResponseDeadline()));
  if (error) return tl::make_unexpected(*error);
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
