// SPDX-License-Identifier: Apache-2.0
// What the session's operations make of the transport's answers. Private to harness/session.
#pragma once

#include "harness/base/result.h"
#include "harness/program/operation.h"

namespace vitro {

// A refusal by the device is something to observe; all else is an Error.
template <typename T>
bool Refused(const Result<T>& result) {
  return !result && result.error().kind == ErrorKind::kRefused;
}

inline Observation RefusedObservation() {
  Observation observation;
  observation.refused = true;
  return observation;
}

// Of an operation that was carried out or refused, and gives nothing back.
inline Result<Observation> Done(const Result<>& result) {
  if (Refused(result)) return RefusedObservation();
  VITRO_TRY(result);
  return Observation{};
}

}  // namespace vitro
