// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/mmio/mmio_transport.h"

#include <algorithm>

#include "harness/transport/interrupt_plans.h"
#include "harness/transport/read_until.h"
#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/mmio.h"

namespace vitro {
namespace {

using namespace mmio;  // NOLINT: the names of the registers, which this file is about

// Queue indices are looked for up to the first of so many in a row that are not there. Device types
// number their queues without large gaps.
constexpr uint32_t kQueueGap = 64;
constexpr uint32_t kMostQueues = 1024;
// How long a virtqueue reset may take before its silence is told as a timeout.
constexpr Duration kQueueResetDeadline = std::chrono::seconds(5);
// A line that stays asserted whatever is acknowledged would keep the handler for ever.
constexpr int kMostInterrupts = 8;

// Sizes of the configuration structures of chapter 5, all features counted. No register tells them,
// so that a driver knows them by the device type.
std::optional<uint64_t> ConfigBytesOf(uint32_t device_id) {
  switch (device_id) {
    case device_id::kNet:
      return 28;
    case device_id::kBlk:
      return blk::kConfigSize;
    case device_id::kConsole:
      return 12;
    case device_id::kEntropy:
      return 0;
    case 5:  // balloon
      return 16;
    case 8:  // scsi
      return 36;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<std::unique_ptr<MmioTransport>> MmioTransport::Create(std::unique_ptr<MmioWindow> window,
                                                             const MmioTransportOptions& options) {
  std::unique_ptr<MmioTransport> transport(new MmioTransport(std::move(window)));
  VITRO_TRY(transport->Identify());
  VITRO_TRY(transport->MeasureConfig());
  VITRO_TRY(transport->CountQueues());
  transport->SetAbilities(options.wrapped);
  if (!options.interrupts.empty()) {
    auto used = transport->UseInterrupts(options.interrupts, true);
    if (!used) return Fail(ErrorKind::kUsage, "{}", used.error().message);
  }
  return transport;
}

Result<> MmioTransport::Identify() {
  const std::string name = window_->name();
  if (window_->size() < kConfig)
    return Fail(ErrorKind::kAttach, "{}: the window has {} bytes, the registers alone take {}",
                name, window_->size(), kConfig);
  VITRO_ASSIGN(const uint32_t magic, Read(kMagicValue));
  if (magic != kMagic)
    return Fail(ErrorKind::kAttach,
                "{}: no virtio device: MagicValue reads {:#x}, expected {:#x} (\"virt\")", name,
                magic, kMagic);
  VITRO_ASSIGN(const uint32_t version, Read(kVersion));
  if (version == 1)
    return Fail(ErrorKind::kAttach,
                "{}: a legacy device: Version reads 1, which is from before the standard; expected "
                "2 (in QEMU: -global virtio-mmio.force-legacy=false)",
                name);
  if (version != kVersion2)
    return Fail(ErrorKind::kAttach, "{}: Version reads {}, expected 2", name, version);
  VITRO_ASSIGN(identity_.device_id, Read(kDeviceId));
  if (identity_.device_id == 0)
    return Fail(ErrorKind::kAttach, "{}: DeviceID reads 0: a placeholder without a device", name);
  VITRO_ASSIGN(identity_.vendor_id, Read(kVendorId));
  identity_.name = name;
  // Nothing is defined from bit 128 on. Who shows something there does not tell the higher words
  // apart, and what it shows in them is no offer.
  VITRO_TRY(Write(kDeviceFeaturesSel, 4));
  VITRO_ASSIGN(const uint32_t beyond, Read(kDeviceFeatures));
  decodes_high_words_ = beyond == 0;
  return {};
}

// Nothing tells how long the fields are: at most as long as the device type and the window allow,
// and no longer than somebody answers, which all ones tell. A field of ones at the end is given up,
// which costs something to look at and no wrong judgement.
Result<> MmioTransport::MeasureConfig() {
  const uint64_t room = window_->size() - kConfig;
  uint64_t size = std::min(ConfigBytesOf(identity_.device_id).value_or(room), room);
  for (; size > 0; --size) {
    VITRO_ASSIGN(const uint64_t last, window_->Read(kConfig + size - 1, 1));
    if (last != 0xff) break;
  }
  identity_.config_size = static_cast<uint32_t>(size);
  return {};
}

Result<> MmioTransport::CountQueues() {
  for (uint32_t queue = 0; queue < std::min(identity_.queue_count + kQueueGap, kMostQueues);
       ++queue) {
    VITRO_ASSIGN(const uint32_t size, QueueMaxSize(queue));
    if (size != 0) identity_.queue_count = queue + 1;
  }
  // Without an end: the register does not tell missing queues apart.
  if (identity_.queue_count == kMostQueues) identity_.queue_count = 1;
  return {};
}

void MmioTransport::SetAbilities(bool wrapped) {
  identity_.level = "mmio";
  identity_.level_is_ours = wrapped;
  for (Ability ability : {Ability::kDeviceStatus, Ability::kReset, Ability::kConfigSpace,
                          Ability::kConfigWrite, Ability::kGeneration, Ability::kConfigNotification,
                          Ability::kQueueReset, Ability::kDeviceId, Ability::kUnofferedBits,
                          Ability::kUsedNotification, Ability::kQueuesBeforeDriverOk})
    abilities_.Allow(ability);
  if (window_->exact_quiet()) abilities_.Allow(Ability::kExactQuiet);
  const std::string why = window_->WhyNoStimulus();
  abilities_.Set(Ability::kStimulus, why.empty(), why);
  abilities_.Set(Ability::kMmioWindow, !wrapped,
                 "the register window around the device is Vitro's own");
  abilities_.Deny(Ability::kPciFunction, "the device is attached by its MMIO registers");
  abilities_.Deny(Ability::kInterruptPlans, "over MMIO there is one interrupt");
}

// Registers ---------------------------------------------------------------------------------------

Result<uint32_t> MmioTransport::Read(uint32_t offset) {
  VITRO_ASSIGN(const uint64_t value, window_->Read(offset, 4));
  return static_cast<uint32_t>(value);
}

Result<> MmioTransport::CheckInside(uint64_t offset, uint32_t width) const {
  if (!IsAccessWidth(width))
    return Fail(ErrorKind::kUsage, "an access is 1, 2, 4 or 8 bytes wide, not {}", width);
  if (offset > window_->size() || width > window_->size() - offset)
    return Fail(ErrorKind::kRefused, "{} bytes at {:#x} are not in the window of {:#x} bytes",
                width, offset, window_->size());
  return {};
}

Result<uint64_t> MmioTransport::ReadRegister(const std::string& region, uint64_t offset,
                                             uint32_t width) {
  if (region != "mmio") return Fail(ErrorKind::kRefused, "there is no '{}' over MMIO", region);
  VITRO_TRY(CheckInside(offset, width));
  return window_->Read(offset, width);
}

Result<> MmioTransport::WriteRegister(const std::string& region, uint64_t offset, uint32_t width,
                                      uint64_t value) {
  if (region != "mmio") return Fail(ErrorKind::kRefused, "there is no '{}' over MMIO", region);
  VITRO_TRY(CheckInside(offset, width));
  return window_->Write(offset, width, value);
}

// Features, status, configuration -----------------------------------------------------------------

Result<FeatureSet> MmioTransport::ReadFeatures() {
  uint64_t words[4] = {};
  for (uint32_t word = 0; word < (decodes_high_words_ ? 4 : 2); ++word) {
    VITRO_TRY(Write(kDeviceFeaturesSel, word));
    VITRO_ASSIGN(words[word], Read(kDeviceFeatures));
  }
  return FeatureSet::FromWords(words[0] | words[1] << 32, words[2] | words[3] << 32);
}

// The higher words first, and only if there is something in them: some devices take them for one of
// the lower ones, and what is written last stands.
Result<> MmioTransport::AcceptFeatures(FeatureSet features) {
  const bool high = features.word(1) != 0 || accepted_.word(1) != 0;
  for (int word = high ? 3 : 1; word >= 0; --word) {
    const uint64_t half = features.word(static_cast<unsigned>(word) / 2) >> (word % 2 * 32);
    VITRO_TRY(Write(kDriverFeaturesSel, static_cast<uint32_t>(word)));
    VITRO_TRY(Write(kDriverFeatures, static_cast<uint32_t>(half)));
  }
  accepted_ = features;
  return {};
}

Result<uint8_t> MmioTransport::ReadStatus() {
  VITRO_ASSIGN(const uint32_t status, Read(kStatus));
  return static_cast<uint8_t>(status);
}

Result<> MmioTransport::WriteStatus(uint8_t status) { return Write(kStatus, status); }

Result<> MmioTransport::Reset() {
  HandleInterrupt();  // what came before belongs to the life that ends
  accepted_ = {};
  for (auto& [queue, is_set_up] : set_up_) is_set_up = false;
  return Write(kStatus, 0);
}

Result<Bytes> MmioTransport::ReadConfig(uint32_t offset, uint32_t width) {
  if (!IsNaturalAccess(offset, width, 4))
    return Fail(ErrorKind::kRefused, "a driver does not read {} bytes at {} over MMIO", width,
                offset);
  VITRO_TRY(CheckInside(uint64_t{kConfig} + offset, width));
  VITRO_ASSIGN(const uint64_t value, window_->Read(uint64_t{kConfig} + offset, width));
  return LeBytes(value, width);
}

Result<> MmioTransport::WriteConfig(uint32_t offset, ByteView bytes) {
  const auto width = static_cast<uint32_t>(bytes.size());
  if (!IsNaturalAccess(offset, width, 4))
    return Fail(ErrorKind::kRefused, "a driver does not write {} bytes at {} over MMIO", width,
                offset);
  VITRO_TRY(CheckInside(uint64_t{kConfig} + offset, width));
  return window_->Write(uint64_t{kConfig} + offset, width, LoadLe(bytes));
}

Result<uint32_t> MmioTransport::ReadGeneration() { return Read(kConfigGeneration); }

Result<> MmioTransport::StimulateConfigChange() { return window_->StimulateConfigChange(); }

// Virtqueues --------------------------------------------------------------------------------------

Result<uint32_t> MmioTransport::QueueMaxSize(uint32_t queue) {
  VITRO_TRY(Write(kQueueSel, queue));
  return Read(kQueueSizeMax);
}

Result<> MmioTransport::SetAddress(uint32_t low, uint64_t address) {
  VITRO_TRY(Write(low, static_cast<uint32_t>(address)));
  return Write(low + 4, static_cast<uint32_t>(address >> 32));
}

// The steps of 4.2.3.2.
Result<> MmioTransport::SetupQueue(uint32_t queue, const QueueLayout& layout) {
  VITRO_TRY(Write(kQueueSel, queue));
  VITRO_ASSIGN(const uint32_t in_use, Read(kQueueReady));
  if (in_use != 0)
    return Fail(ErrorKind::kRefused, "queue {} is in use: QueueReady reads {}", queue, in_use);
  VITRO_ASSIGN(const uint32_t most, Read(kQueueSizeMax));
  if (most == 0) return Fail(ErrorKind::kRefused, "queue {} is not available", queue);
  VITRO_TRY(Write(kQueueSize, layout.size));
  VITRO_TRY(SetAddress(kQueueDescLow, layout.desc));
  VITRO_TRY(SetAddress(kQueueDriverLow, layout.driver));
  VITRO_TRY(SetAddress(kQueueDeviceLow, layout.device));
  VITRO_TRY(Write(kQueueReady, 1));
  VITRO_ASSIGN(const uint32_t ready, Read(kQueueReady));
  if (ready != 1)
    return Fail(ErrorKind::kRefused, "queue {} with size {}: QueueReady reads {}", queue,
                layout.size, ready);
  set_up_[queue] = true;
  return {};
}

Result<> MmioTransport::ResetQueue(uint32_t queue) {
  if (!accepted_.Has(feature::kRingReset))
    return Fail(ErrorKind::kRefused, "VIRTIO_F_RING_RESET was not negotiated");
  VITRO_TRY(Write(kQueueSel, queue));
  VITRO_ASSIGN(const uint32_t ready, Read(kQueueReady));
  if (ready == 0) return Fail(ErrorKind::kRefused, "queue {} is not in use", queue);
  HandleInterrupt();  // what came before the reset belongs to the queue
  VITRO_TRY(Write(kQueueReset, 1));
  VITRO_ASSIGN(const uint32_t ongoing, ReadUntil(
                                           *window_, Deadline::After(kQueueResetDeadline),
                                           [this] { return Read(kQueueReset); },
                                           [](uint32_t reset) { return reset == 0; }));
  if (ongoing != 0)
    return Fail(ErrorKind::kRefused, "reset of queue {}: QueueReset stays 1", queue);
  HandleInterrupt();  // and so does what came while it was under way
  VITRO_TRY(Write(kQueueSel, queue));
  VITRO_ASSIGN(const uint32_t still_ready, Read(kQueueReady));
  if (still_ready != 0)
    return Fail(ErrorKind::kRefused, "reset of queue {}: QueueReady still reads {}", queue,
                still_ready);
  set_up_[queue] = false;
  return {};
}

Result<> MmioTransport::NotifyWithData(uint32_t queue, uint16_t next) {
  const bool data = accepted_.Has(feature::kNotificationData);
  return Write(kQueueNotify, data ? (queue & 0xffff) | uint32_t{next} << 16 : queue);
}

// Interrupts --------------------------------------------------------------------------------------

Result<> MmioTransport::UseInterrupts(const std::string& plan, bool handler) {
  if (plan != interrupts::kIntx && plan != interrupts::kPolling)
    return Fail(ErrorKind::kRefused, "over MMIO the interrupt plans are {} and {}, not '{}'",
                interrupts::kIntx, interrupts::kPolling, plan);
  polling_ = plan == interrupts::kPolling;
  handler_ = handler && !polling_;
  for (Ability ability : {Ability::kUsedNotification, Ability::kConfigNotification})
    abilities_.Set(ability, !polling_, "the driver polls: interrupt plan 'polling'");
  return {};
}

// Takes the interrupt away before it looks at anything, so that what comes later interrupts again.
void MmioTransport::HandleInterrupt() {
  if (!handler_) return;
  for (int i = 0; i < kMostInterrupts; ++i) {
    if (!window_->LineAsserted().value_or(false)) return;
    const uint32_t events =
        Read(kInterruptStatus).value_or(0) & (kInterruptUsedBuffer | kInterruptConfigChange);
    if (events == 0 || !Write(kInterruptAck, events)) return;
    if ((events & kInterruptConfigChange) != 0) ++config_notifications_;
    if ((events & kInterruptUsedBuffer) == 0) continue;
    // For each active queue (4.2.3.4.1); where none is, for whoever may have sent it late.
    const bool any = std::ranges::any_of(set_up_, [](const auto& each) { return each.second; });
    for (const auto& [queue, is_set_up] : set_up_)
      if (is_set_up || !any) ++queue_notifications_[queue];
  }
}

uint64_t MmioTransport::TakeQueueNotifications(uint32_t queue) {
  HandleInterrupt();
  return std::exchange(queue_notifications_[queue], 0);
}

uint64_t MmioTransport::TakeConfigNotifications() {
  HandleInterrupt();
  return std::exchange(config_notifications_, 0);
}

NotificationRoute MmioTransport::RouteOf(uint32_t queue) const {
  if (!handler_) return NotificationRoute::kNone;
  const auto others = std::ranges::count_if(
      set_up_, [&](const auto& each) { return each.second && each.first != queue; });
  return others > 0 ? NotificationRoute::kShared : NotificationRoute::kOwn;
}

Result<bool> MmioTransport::WaitUntil(const std::function<bool()>& done, Deadline deadline) {
  return window_->WaitUntil(done, deadline);
}

}  // namespace vitro
