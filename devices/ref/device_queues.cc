// SPDX-License-Identifier: Apache-2.0
// The work of the reference devices on their virtqueues (2.7.6 to 2.7.14): notifications in, chains
// served and used, notifications out, and what happens when a ring is broken.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "devices/ref/device_core.h"
#include "harness/virtio/experimental.h"
#include "harness/virtio/status.h"

namespace vitro::ref {

void DeviceCore::Notify(uint32_t index) {
  if (fault("crash-on-notify")) Crash();
  if (fault("hang-on-notify")) Hang();
  if (index >= queues_.size()) {
    if (fault("notify-out-of-range-crash")) Crash();
    return;
  }
  Saw(Act::kKick);
  Queue& queue = queues_[index];
  if (fault("notifies-before-driver-ok") && !DriverOk()) queue.signal_later = true;
  if (fault("write-after-used") && queue.last && !queue.last->writable().empty())
    host_.InvertByte(queue.last->writable().front().address);
  // Remembered even before DRIVER_OK: a driver that is early is served late, not never.
  if (queue.ring->enabled()) queue.pending = true;
  while (eager_ && Run()) {
  }
}

bool DeviceCore::MayServe(const Queue& queue, uint32_t index) const {
  if (!queue.ring->enabled() || dead_ || queue.dead || stopped_) return false;
  if (status_ & (status::kNeedsReset | status::kFailed)) return false;
  if (fault("queue-needs-others"))
    for (uint32_t i = 0; i < index; ++i)
      if (!queues_[i].ring->enabled()) return false;
  if (Suspended()) return fault("suspend-goes-on-serving");
  return DriverOk() || serves_over_reset_ || (FeaturesOk() && fault("consumes-before-driver-ok"));
}

// Notifications that faults send where none is due.
bool DeviceCore::WorkSignals() {
  bool any = false;
  for (uint32_t i = 0; i < queues_.size(); ++i)
    if (std::exchange(queues_[i].signal_later, false)) {
      host_.SignalQueue(static_cast<uint16_t>(i));
      any = true;
    }
  return any;
}

// Fault "data-after-used": a later step of work than the one that moved the used index.
bool DeviceCore::WriteHeldBack() {
  bool any = false;
  for (Queue& queue : queues_)
    for (Chain& chain : std::exchange(queue.held_back, {})) {
      chain.WriteHeldBack();
      any = true;
    }
  return any;
}

bool DeviceCore::Run() {
  Saw(Act::kWait);
  bool any = WorkSignals();
  any = WriteHeldBack() || any;
  for (uint32_t i = 0; i < queues_.size(); ++i)
    if (queues_[i].pending && MayServe(queues_[i], i)) any = ServeQueue(i) || any;
  return any;
}

// Serves what is available; true if there was anything.
bool DeviceCore::ServeQueue(uint32_t index) {
  Queue& queue = queues_[index];
  queue.pending = false;
  uint32_t served = 0;
  const bool good = Drain(index, served);
  bool signal = queue.ring->NotificationDue();
  if (good && served == 0) signal = SpuriousNotification(index) || signal;
  if (signal && !(fault("suspend-loses-notification") && suspending_))
    host_.SignalQueue(static_cast<uint16_t>(index));
  if (signal && fault("feature-notifies-twice") && features_.Has(experimental::kFeatureGated))
    host_.SignalQueue(static_cast<uint16_t>(index));
  if (!good) Broken(index, queue.ring->reason());
  return served != 0 || !good;
}

bool DeviceCore::Drain(uint32_t index, uint32_t& served) {
  Queue& queue = queues_[index];
  // A driver that makes buffers available as fast as they are used must not keep us here for ever.
  const uint32_t limit = fault("avail-jump-served") ? 65536 : 2 * queue.ring->max_size();
  do {
    Chain chain;
    while (served < limit) {
      const auto take = queue.ring->Next(chain);
      if (take == Virtqueue::Take::kBroken) return false;
      if (take == Virtqueue::Take::kNone) break;
      ++served;
      if (!Complete(index, chain)) return false;
    }
    if (queue.held) {
      const Chain odd_one = *std::exchange(queue.held, std::nullopt);
      if (!UseChain(queue, odd_one)) return false;
    }
    if (!queue.ring->PublishAvailEvent()) return false;
  } while (served < limit && queue.ring->HasAvailable());
  queue.pending = served >= limit && queue.ring->HasAvailable();
  return true;
}

bool DeviceCore::Complete(uint32_t index, Chain& chain) {
  Queue& queue = queues_[index];
  if (CrashesTogether()) Crash();
  if (!Serve(index, chain)) {
    if (fault("bad-address-crash")) Crash();
    host_.Log(fmt::format("queue {}: a buffer cannot be accessed", index));
    return false;
  }
  SpoilBuffers(chain);
  if (fault("used-never") && ++queue.completions % 4 == 0) return true;
  if (fault("in-order-violated") && features_.Has(feature::kInOrder)) {
    if (!queue.held) {
      queue.held = std::move(chain);
      return true;
    }
    const Chain earlier = *std::exchange(queue.held, std::nullopt);
    return UseChain(queue, chain) && UseChain(queue, earlier);
  }
  return UseChain(queue, chain);
}

bool DeviceCore::UseChain(Queue& queue, const Chain& chain) {
  if (!queue.ring->Use(chain)) return false;
  queue.last = chain;
  if (fault("data-after-used")) queue.held_back.push_back(chain);
  return true;
}

void DeviceCore::SpoilBuffers(const Chain& chain) const {
  if (fault("readable-buffer-written") && !chain.readable().empty())
    host_.InvertByte(chain.readable().front().address);
  if (chain.writable().empty()) return;
  const Segment &first = chain.writable().front(), &last = chain.writable().back();
  if (fault("write-past-buffer")) host_.InvertByte(last.address + last.length);
  if (fault("write-before-buffer")) host_.InvertByte(first.address - 1);
}

// The driver may notify without need (2.7.10). True if a fault makes this notify back.
bool DeviceCore::SpuriousNotification(uint32_t index) {
  Queue& queue = queues_[index];
  if (fault("spurious-notify-breaks")) Broken(index, "a notification without a buffer");
  if (fault("spurious-notify-signals")) return true;
  if (!fault("spurious-notify-uses") || !queue.last) return false;
  queue.ring->Use(*queue.last);
  return queue.ring->NotificationDue();
}

void DeviceCore::Broken(uint32_t index, const std::string& reason) {
  host_.Log(fmt::format("queue {} is broken: {}", index, reason));
  stopped_ = true;
  if (fault("error-survives-reset")) dead_ = true;
  if (fault("error-stops-siblings"))
    for (uint32_t i = 0; i < queues_.size(); ++i) queues_[i].dead = i != index;
  if (fault("no-needs-reset")) return;
  status_ |= status::kNeedsReset;
  if (DriverOk() && !fault("needs-reset-silent")) host_.SignalConfig();
}

}  // namespace vitro::ref
