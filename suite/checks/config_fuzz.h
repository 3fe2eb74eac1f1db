// SPDX-License-Identifier: Apache-2.0
// A generator of steps that a random driver takes on a configuration space (2.5): accesses of any
// width at any offset, at any moment in the life of the device. Knows nothing of checks and
// sessions: what it chooses by may be a seed or the input of a fuzzer.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "harness/base/bytes.h"
#include "suite/profile/profile.h"

namespace vitro {

// Chooses a number from 0 to bound - 1; bound is 1 or more.
using Choose = std::function<uint64_t(uint64_t bound)>;
// The same choices for the same seed, on every machine.
Choose ChooseBySeed(uint64_t seed);

// How far the device is brought up (3.1.1), in this order.
enum class LifeStage { kReset, kAcknowledge, kDriver, kFeaturesOk, kDriverOk };
const char* Name(LifeStage stage);

struct ConfigStep {
  enum class Kind {
    kWrite,       // `bytes` at `offset`
    kRead,        // `width` bytes at `offset`
    kGeneration,  // reads the config generation
    kLook,        // reads status and the size of a queue
    kKick,        // an available buffer notification
    kLife,        // leads the device to `stage`, over a reset if it is past it
  };
  Kind kind = Kind::kRead;
  uint32_t offset = 0, width = 1;  // width 1, 2, 4 or 8
  Bytes bytes;
  LifeStage stage = LifeStage::kReset;
};

// What is known of the space that it is all about.
struct ConfigTarget {
  uint32_t size = 0;
  std::vector<ProfileField> fields;  // may be empty
};

// One step. Half of the accesses are a driver's right where fields are known; one in 16 goes beyond
// the end.
ConfigStep NextConfigStep(const Choose& choose, const ConfigTarget& target);

}  // namespace vitro
