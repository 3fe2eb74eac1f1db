// SPDX-License-Identifier: Apache-2.0
// ReadUntil(): waits for a register to read as it should. Knows no register.
#pragma once

#include <optional>

#include "harness/base/deadline.h"
#include "harness/base/result.h"

namespace vitro {

// Has `target` (a Transport or a Carrier) wait until what `read` gives is right by `done`, or until
// the deadline. The last value, right or not; an error of reading or of waiting ends it.
template <typename Target, typename Read, typename Done>
auto ReadUntil(Target& target, Deadline deadline, Read read, Done done) -> decltype(read()) {
  typename decltype(read())::value_type value{};
  std::optional<Error> error;
  VITRO_TRY(target.WaitUntil(
      [&] {
        auto got = read();
        if (got)
          value = *got;
        else
          error = got.error();
        return error.has_value() || done(value);
      },
      deadline));
  if (error) return tl::make_unexpected(*error);
  return value;
}

}  // namespace vitro
