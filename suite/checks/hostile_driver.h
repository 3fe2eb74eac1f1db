// SPDX-License-Identifier: Apache-2.0
// What the checks of hostile drivers share: a queue under siege, buffers that are spoilt before the
// device sees them, and the verdict on what follows. The standard leaves open what a device does
// then: ignore it, use the buffer without writing, stop until reset, end the carrier's connection.
// All of that is accepted; dying, hanging, writing elsewhere and not coming back are not.
#pragma once

#include <vector>

#include "suite/checks/check.h"
#include "suite/checks/context.h"

namespace vitro {

struct Siege {
  uint32_t queue = 0;              // the one whose rings are broken
  std::vector<uint32_t> siblings;  // request queues that stay as they should be
  uint32_t size = 0;               // queue size of `queue`
  // A legal buffer may still be served on the broken queue. False where the rings themselves are
  // past that.
  bool may_go_on = true;
};

// The device is up with its first two request queues (or queue 0 where no request is known), and
// the driver is hostile from here on. `second`: the siege is laid to the second of them.
Siege Besiege(Context& c, FeatureSet with = {}, uint32_t queue_size = 0, bool second = false);

// An operation that may make the carrier hang up: false then. Ends the check if the device died of
// a signal, or did not answer.
bool Dare(Context& c, const Operation& operation);

// Publishes a legal request (64 bytes of 1 each way where none is known) without making it
// available. In several descriptors, so that there is one to spoil at each end.
Virtqueue::Chain Hold(Context& c, const Siege& siege, const Framing& framing = {{8}, {8}});
// The i-th descriptor of a held chain as it stands, to be changed and written back.
op::RawDescriptor DescriptorOf(const Siege& siege, const Virtqueue::Chain& chain, size_t i);
// The same for an entry of its indirect table: 16 bytes for memory.
Bytes EncodeDescriptor(uint64_t address, uint32_t length, uint16_t flags, uint16_t next);
Bytes TableEntry(const Virtqueue::Chain& chain, size_t i);
// Writes the first descriptor of a request at `at`, where a device that follows it has gone astray,
// and the second at `then`, which is index `index` of the same table. The device-writable part was
// given to nobody.
void SetTrap(Context& c, const Siege& siege, uint64_t at, uint64_t then, uint32_t index);
uint64_t EndOfMemory(Context& c);

// Makes what is held available, notifies, and judges all that has to hold after.
void Unleash(Context& c, const Siege& siege);
// The latter only.
void Aftermath(Context& c, const Siege& siege);

void AddHostileSetupChecks(std::vector<Check>& list);

}  // namespace vitro
