// SPDX-License-Identifier: Apache-2.0
// For the test of the seeded faults only: the part of the tour that drives packed virtqueues.
#pragma once

#include "devices/ref/tourist.h"

namespace vitro::ref {

// Nothing is seen of a device that does not offer VIRTIO_F_RING_PACKED.
void PackedLaps(Tourist& t);
void PackedLists(Tourist& t);
void PackedEvents(Tourist& t);

}  // namespace vitro::ref
