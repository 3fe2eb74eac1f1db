// SPDX-License-Identifier: Apache-2.0
// FrontEnd: virtqueues: telling the back-end where they are, starting, stopping, notifications.
#include <fcntl.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>

#include "harness/transport/vhost_user/front_end.h"
#include "harness/transport/vhost_user/wire.h"
#include "harness/virtio/status.h"

namespace vitro::vhost_user {
namespace {

// An eventfd read gives the number of notifications since the last one.
uint64_t TakeCount(int fd) {
  uint64_t count = 0;
  return fd >= 0 && read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

}  // namespace

Result<> FrontEnd::MakeEventFds(Ring& ring) {
  for (UniqueFd* fd : {&ring.kick, &ring.call, &ring.error}) {
    if (*fd) continue;
    fd->Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!*fd) return Fail(ErrorKind::kHarness, "eventfd: {}", strerror(errno));
  }
  return {};
}

Result<> FrontEnd::SendRingFd(Request request, uint32_t queue, int fd) {
  uint64_t payload = queue | (fd < 0 ? kVringNoFd : 0);
  return connection_->Send(request, AsBytes(payload), std::span<const int>(&fd, fd < 0 ? 0 : 1));
}

Result<> FrontEnd::SendRingState(Request request, uint32_t queue, uint32_t number) {
  return connection_->Send(request, AsBytes(VringState{queue, number}));
}

Result<> FrontEnd::SendRingAddress(uint32_t queue) {
  const QueueLayout& layout = rings_[queue].layout;
  // With an IOMMU, addresses are I/O virtual ones: ours are guest addresses.
  uint64_t offset = accepted_ >> feature::kAccessPlatform & 1 ? 0 : kUserOffset;
  VringAddr address{queue, 0, layout.desc + offset, layout.device + offset, layout.driver + offset,
                    0};
  return connection_->Send(Request::kSetVringAddr, AsBytes(address));
}

// Tells the back-end's IOTLB of every region, one to one, before it has to ask.
Result<> FrontEnd::ShareIotlb() {
  for (const auto& region : memory_.regions()) {
    IotlbMessage update{region.range.address,
                        region.range.length,
                        UserAddress(region.range.address),
                        3,
                        kIotlbUpdate,
                        {}};
    VITRO_TRY(connection_->Send(Request::kIotlbMsg, AsBytes(update)));
  }
  return {};
}

// Starts those of `queues` that are set up and not running. Two round trips, however many they are.
Result<> FrontEnd::StartRings(std::span<const uint32_t> queues) {
  bool packed = accepted_ >> feature::kRingPacked & 1;
  std::vector<uint32_t> starting;
  for (uint32_t queue : queues)
    if (rings_[queue].set_up && !rings_[queue].running) starting.push_back(queue);
  if (starting.empty()) return {};
  for (uint32_t queue : starting) {
    Ring& ring = rings_[queue];
    VITRO_TRY(SendRingState(Request::kSetVringNum, queue, ring.layout.size));
    VITRO_TRY(SendRingState(Request::kSetVringBase, queue, packed ? kPackedFreshBase : 0));
    VITRO_TRY(SendRingAddress(queue));
    if (options_.notify == NotifyMode::kInband) continue;
    int call = options_.notify == NotifyMode::kCall ? ring.call.get() : -1;
    VITRO_TRY(SendRingFd(Request::kSetVringCall, queue, call));
    VITRO_TRY(SendRingFd(Request::kSetVringErr, queue, ring.error.get()));
  }
  // Not sooner: DPDK keeps the map per ring and has no ring before it hears of one.
  if (accepted_ >> feature::kAccessPlatform & 1) VITRO_TRY(ShareIotlb());
  VITRO_TRY(connection_->Sync());
  // libvhost-user signals a call eventfd when it gets one ("in case of I/O hang after
  // reconnecting"). No ring runs yet, so nothing of the device's is lost here.
  for (uint32_t queue : starting) TakeCount(rings_[queue].call.get());
  for (uint32_t queue : starting) {
    Ring& ring = rings_[queue];
    // The kick descriptor starts the ring: last, as DPDK wants it.
    if (options_.notify != NotifyMode::kInband)
      VITRO_TRY(SendRingFd(Request::kSetVringKick, queue, ring.kick.get()));
    if (offered_ >> kFeatureProtocolFeatures & 1)
      VITRO_TRY(SendRingState(Request::kSetVringEnable, queue, 1));
    ring.running = true;
  }
  return {};
}

Result<> FrontEnd::StopRing(uint32_t queue) {
  Ring& ring = rings_[queue];
  if (!ring.running) return {};
  if (offered_ >> kFeatureProtocolFeatures & 1)
    VITRO_TRY(SendRingState(Request::kSetVringEnable, queue, 0));
  VITRO_ASSIGN(Bytes reply,
               connection_->Call(Request::kGetVringBase, AsBytes(VringState{queue, 0})));
  if (reply.size() != sizeof(VringState) || LoadLe<VringState>(reply.data()).index != queue)
    return connection_->Break(fmt::format("the reply to GET_VRING_BASE for queue {} is {}", queue,
                                          reply.empty() ? "empty" : ToHex(reply)));
  ring.running = false;
  return {};
}

Result<uint32_t> FrontEnd::QueueMaxSize(uint32_t queue) {
  return queue < rings_.size() ? options_.queue_size : 0;
}

Result<> FrontEnd::SetupQueue(uint32_t queue, const QueueLayout& layout) {
  if (connection_->lost()) return tl::make_unexpected(*connection_->lost());
  if (queue >= rings_.size())
    return Fail(ErrorKind::kRefused, "there is no queue {}: the back-end has {}", queue,
                rings_.size());
  VITRO_TRY(StopRing(queue));
  Ring& ring = rings_[queue];
  ring = Ring{};
  ring.layout = layout;
  VITRO_TRY(MakeEventFds(ring));
  ring.set_up = true;
  if ((status_ & status::kDriverOk) == 0) return {};
  VITRO_TRY(StartRings(std::span(&queue, 1)));
  VITRO_TRY(connection_->Sync());
  return DeliverEarlyKicks();
}

Result<> FrontEnd::ResetQueue(uint32_t queue) {
  if (!abilities_.Has(Ability::kQueueReset))
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kQueueReset));
  if (queue >= rings_.size())
    return Fail(ErrorKind::kRefused, "there is no queue {}: the back-end has {}", queue,
                rings_.size());
  VITRO_TRY(StopRing(queue));
  VITRO_TRY(connection_->Sync());
  rings_[queue] = Ring{};
  return {};
}

Result<> FrontEnd::Notify(uint32_t queue) {
  if (connection_->lost()) return tl::make_unexpected(*connection_->lost());
  if (queue >= rings_.size() || !rings_[queue].set_up)
    return Fail(ErrorKind::kUnsupported,
                "vhost-user has no way to notify queue {}, which is not set up", queue);
  Ring& ring = rings_[queue];
  if (!ring.running) {
    // There is nobody to tell before DRIVER_OK. The descriptor must not carry it either: a back-end
    // may take the kick of a ring that it knows and that is not enabled yet, and do nothing.
    ring.early_kick = true;
    return {};
  }
  return Kick(queue);
}

Result<> FrontEnd::DeliverEarlyKicks() {
  for (uint32_t queue = 0; queue < rings_.size(); ++queue)
    if (rings_[queue].running && std::exchange(rings_[queue].early_kick, false))
      VITRO_TRY(Kick(queue));
  return {};
}

Result<> FrontEnd::Kick(uint32_t queue) {
  Ring& ring = rings_[queue];
  if (options_.notify == NotifyMode::kInband) {
    VITRO_TRY(SendRingState(Request::kVringKick, queue, 0));
    return connection_->Sync();
  }
  uint64_t one = 1;
  if (write(ring.kick.get(), &one, sizeof one) != sizeof one && errno != EAGAIN)
    return Fail(ErrorKind::kHarness, "cannot write a kick eventfd: {}", strerror(errno));
  return {};
}

void FrontEnd::DrainCall(uint32_t queue) {
  Ring& ring = rings_[queue];
  if (ring.running) ring.notifications += TakeCount(ring.call.get());
  ring.notifications += connection_->TakeCalls(queue);
}

// One wait for anything at all from the back-end.
Result<> FrontEnd::WaitOnce(Duration at_most) {
  polls_.clear();
  polled_.clear();
  for (uint32_t queue = 0; queue < rings_.size(); ++queue) {
    if (!rings_[queue].running) continue;
    polls_.push_back({rings_[queue].call.get(), POLLIN, 0});
    polled_.push_back(queue);
  }
  auto waited = connection_->Wait(polls_, at_most);
  for (size_t i = 0; i < polls_.size(); ++i)
    if (polls_[i].revents != 0) DrainCall(polled_[i]);
  return waited;
}

uint64_t FrontEnd::TakeQueueNotifications(uint32_t queue) {
  if (queue >= rings_.size()) return 0;
  // In band, they arrive on a socket that somebody has to read. A loss shows at the next call.
  if (options_.notify == NotifyMode::kInband && alive()) (void)connection_->Wait({}, Duration{0});
  DrainCall(queue);
  return std::exchange(rings_[queue].notifications, 0);
}

uint64_t FrontEnd::TakeConfigNotifications() {
  if (alive()) (void)connection_->Wait({}, Duration{0});
  return connection_->TakeConfigChanges();
}

Result<bool> FrontEnd::WaitUntil(const std::function<bool()>& done, Deadline deadline) {
  // A used buffer need not come with a notification, so memory is looked at again and again: at
  // once, then after 50 microseconds, then more and more seldom. An event cuts each nap short.
  constexpr Duration kFirstNap = microseconds(50), kLongestNap = milliseconds(1);
  constexpr int kEager = 3;
  Duration nap{0};
  for (int pass = 0;; ++pass) {
    if (done()) return true;
    if (deadline.Passed()) return false;
    auto waited = WaitOnce(std::min(nap, deadline.Left()));
    // What a back-end finished before it died still counts; the next call will tell of its death.
    if (!waited) {
      if (done()) return true;
      return tl::make_unexpected(waited.error());
    }
    if (pass >= kEager) nap = std::clamp(nap * 2, kFirstNap, kLongestNap);
  }
}

Result<> FrontEnd::Quiesce(Duration window) {
  Deadline deadline = Deadline::After(window);
  do {
    VITRO_TRY(WaitOnce(deadline.Left()));
  } while (!deadline.Passed());
  return {};
}

}  // namespace vitro::vhost_user
