// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/faults.h"

#include <cstdlib>

namespace vitro::ref {

const FaultInfo* FindFault(std::string_view name) {
  for (const FaultInfo& fault : kFaults)
    if (fault.name == name) return &fault;
  return nullptr;
}

void Crash() { std::abort(); }

void Hang() {
  // The volatile access keeps the compiler from dropping a loop without effect.
  volatile unsigned spin = 0;
  for (;;) spin = spin + 1;
}

}  // namespace vitro::ref
