// SPDX-License-Identifier: Apache-2.0
#include "harness/oracle/packed_rules.h"

#include <algorithm>

namespace vitro {
namespace {

#define SPLIT "dev.basic.virtqueues."
#define PACKED "dev.basic.packed-virtqueues."
constexpr struct {
  std::string_view split, packed;
} kSisters[] = {
    {SPLIT "the-virtqueue-descriptor-table.1", PACKED "the-virtqueue-descriptor-table.1"},
    {SPLIT "the-virtqueue-descriptor-table.2", PACKED "the-virtqueue-descriptor-table.3"},
    {"dev.basic.message-framing.1", PACKED "scatter-gather-support.1"},
    {"dev.basic.message-framing.2", PACKED "scatter-gather-support.2"},
    {SPLIT "the-virtqueue-used-ring.2", "derived.packed.used-length"},
    {SPLIT "available-buffer-notification-suppression.1", "derived.packed.device-event.valid"},
    {SPLIT "available-buffer-notification-suppression.3", "derived.packed.device-event.valid"},
    {SPLIT "available-buffer-notification-suppression.5", "derived.packed.spurious"},
    {SPLIT "used-buffer-notification-suppression.1", "derived.packed.event.enabled"},
    {SPLIT "used-buffer-notification-suppression.2", "derived.packed.event.disabled"},
    {SPLIT "used-buffer-notification-suppression.3", "derived.packed.event.enabled"},
    {SPLIT "used-buffer-notification-suppression.5", "derived.packed.event.descriptor"},
    {SPLIT "used-buffer-notification-suppression.6", "derived.packed.event.descriptor-only"},
    {"derived.event-idx.avail-event", "derived.packed.device-event.enough"},
};
#undef SPLIT
#undef PACKED

}  // namespace

std::string_view InPackedRings(std::string_view requirement) {
  const auto* found =
      std::ranges::find(kSisters, requirement, [](const auto& s) { return s.split; });
  return found == std::end(kSisters) ? requirement : found->packed;
}

}  // namespace vitro
