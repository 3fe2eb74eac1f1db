// SPDX-License-Identifier: Apache-2.0
// How notifications reach a driver over PCI: MSI-X vectors by an interrupt plan (4.1.5.1.2), or
// INTx with the ISR status (4.1.5.3, 4.1.5.4).
#include <algorithm>
#include <charconv>

#include "harness/transport/interrupt_plans.h"
#include "harness/transport/pci/pci_transport.h"

namespace vitro {
namespace {

namespace common = virtio_pci::common;
namespace legacy = virtio_pci::legacy;

// A line that stays asserted with an ISR status that never runs dry would keep the handler for
// ever.
constexpr int kMostInterrupts = 8;

bool IsMsixPlan(const std::string& plan) {
  return plan != interrupts::kIntx && plan != interrupts::kPolling;
}

// The number of "vector-N".
std::optional<uint16_t> OneVectorOf(std::string_view plan) {
  if (!plan.starts_with(interrupts::kOnVector)) return std::nullopt;
  const std::string_view digits = plan.substr(interrupts::kOnVector.size());
  uint16_t vector = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), vector);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return vector;
}

}  // namespace

bool PciTransport::UsesMsix() const { return IsMsixPlan(plan_); }

Result<> PciTransport::UseInterrupts(const std::string& plan, bool handler) {
  const auto one = OneVectorOf(plan);
  if (!one && std::ranges::find(interrupts::kPlans, plan) == std::end(interrupts::kPlans)) {
    std::string names;
    for (const auto name : interrupts::kPlans)
      names += (names.empty() ? "" : ", ") + std::string(name);
    return Fail(ErrorKind::kUsage, "'{}' is no interrupt plan: expected one of {}, {}N", plan,
                names, interrupts::kOnVector);
  }
  if (IsMsixPlan(plan) && !layout_.msix)
    return Fail(ErrorKind::kRefused, "the function has no MSI-X capability");
  if (one && *one >= layout_.msix->vectors)
    return Fail(ErrorKind::kRefused, "the function has {} vectors", layout_.msix->vectors);
  if (plan == interrupts::kIntx && layout_.interrupt_pin == 0)
    return Fail(ErrorKind::kRefused, "the function has no interrupt pin");
  plan_ = plan;
  handler_ = handler;
  VITRO_TRY(EnableMsix(IsMsixPlan(plan)));
  VITRO_ASSIGN(uint32_t command, function_->ReadConfig(pci::kCommand, 2));
  command &= ~static_cast<uint32_t>(pci::kCommandIntxDisable);
  if (plan != interrupts::kIntx) command |= pci::kCommandIntxDisable;
  VITRO_TRY(function_->WriteConfig(pci::kCommand, 2, command));
  config_mapped_ = false;
  SetInterruptAbilities();
  return {};
}

void PciTransport::SetInterruptAbilities() {
  const auto allow = [&](bool there, Ability ability) {
    abilities_.Set(ability, there, fmt::format("the driver polls: interrupt plan '{}'", plan_));
  };
  const bool none = plan_ == interrupts::kPolling || plan_ == interrupts::kNoVector;
  allow(!none && plan_ != interrupts::kNoQueueVector, Ability::kUsedNotification);
  allow(!none && plan_ != interrupts::kNoConfigVector, Ability::kConfigNotification);
}

Result<> PciTransport::EnableMsix(bool on) {
  if (!layout_.msix) return {};
  const uint32_t at = layout_.msix->position + pci::kMsixControl;
  VITRO_ASSIGN(uint32_t control, function_->ReadConfig(at, 2));
  control &= ~static_cast<uint32_t>(pci::kMsixEnable | pci::kMsixFunctionMask);
  if (on) control |= pci::kMsixEnable;
  VITRO_TRY(function_->WriteConfig(at, 2, control));
  msix_enabled_ = on;
  return {};
}

// The vector that the plan has for a queue, or for configuration changes.
uint16_t PciTransport::PlannedVector(std::optional<uint32_t> queue) const {
  if (!UsesMsix() || plan_ == interrupts::kNoVector) return virtio_pci::kNoVector;
  if (const auto one = OneVectorOf(plan_)) return *one;
  const uint32_t vectors = layout_.msix->vectors;
  const auto at_most = [&](uint32_t vector) {
    return static_cast<uint16_t>(std::min(vector, vectors - 1));
  };
  if (plan_ == interrupts::kNoConfigVector) return queue ? at_most(*queue) : virtio_pci::kNoVector;
  if (plan_ == interrupts::kNoQueueVector) return queue ? virtio_pci::kNoVector : 0;
  if (plan_ == interrupts::kOneVector || !queue || vectors == 1) return 0;
  if (plan_ == interrupts::kShared) return static_cast<uint16_t>(1 + *queue / 2 % (vectors - 1));
  return at_most(*queue + 1);
}

Result<> PciTransport::ProgramVector(uint16_t vector) {
  if (!programmed_.insert(vector).second) return {};
  const auto message = function_->MessageOf(vector);
  const uint64_t entry = uint64_t{vector} * pci::kMsixEntryBytes;
  VITRO_TRY(WriteRegister("msix", entry, 4, message.address & UINT32_MAX));
  VITRO_TRY(WriteRegister("msix", entry + 4, 4, message.address >> 32));
  VITRO_TRY(WriteRegister("msix", entry + pci::kMsixEntryData, 4, message.data));
  return WriteRegister("msix", entry + pci::kMsixEntryControl, 4, 0);
}

Result<> PciTransport::MapConfigVector() {
  config_mapped_ = true;
  vector_queues_.clear();  // a new life: what is mapped from now on is all there is
  config_vector_ = virtio_pci::kNoVector;
  if (!msix_enabled_) return {};
  const uint16_t vector = PlannedVector(std::nullopt);
  if (vector != virtio_pci::kNoVector) VITRO_TRY(ProgramVector(vector));
  uint64_t taken = 0;
  if (interface_ == Interface::kLegacy) {
    VITRO_TRY(SetLegacy(legacy::kConfigMsixVector, 2, vector));
    VITRO_ASSIGN(taken, Legacy(legacy::kConfigMsixVector, 2));
  } else {
    VITRO_TRY(SetCommon(common::kConfigMsixVector, 2, vector));
    VITRO_ASSIGN(taken, Common(common::kConfigMsixVector, 2));
  }
  // NO_VECTOR read back: the device could not map it (4.1.5.1.2.1), and the driver goes without.
  config_vector_ = taken == vector ? vector : virtio_pci::kNoVector;
  return {};
}

// The queue is selected.
Result<uint16_t> PciTransport::MapQueueVector(uint32_t queue) {
  for (auto& [vector, queues] : vector_queues_) queues.erase(queue);
  if (plan_ == interrupts::kIntx) vector_queues_[virtio_pci::kNoVector].insert(queue);
  if (!msix_enabled_) return virtio_pci::kNoVector;
  const uint16_t vector = PlannedVector(queue);
  if (vector != virtio_pci::kNoVector) VITRO_TRY(ProgramVector(vector));
  uint64_t taken = 0;
  if (interface_ == Interface::kLegacy) {
    VITRO_TRY(SetLegacy(legacy::kQueueMsixVector, 2, vector));
    VITRO_ASSIGN(taken, Legacy(legacy::kQueueMsixVector, 2));
  } else {
    VITRO_TRY(SetCommon(common::kQueueMsixVector, 2, vector));
    VITRO_ASSIGN(taken, Common(common::kQueueMsixVector, 2));
  }
  if (taken != vector || vector == virtio_pci::kNoVector) return virtio_pci::kNoVector;
  vector_queues_[vector].insert(queue);
  return vector;
}

NotificationRoute PciTransport::RouteOf(uint32_t queue) const {
  const auto it = queues_.find(queue);
  // Without a handler whoever masks, unmaps or reads the ISR status sees to what comes of it.
  if (it == queues_.end() || !handler_) return NotificationRoute::kNone;
  if (!UsesMsix()) {
    if (plan_ == interrupts::kPolling) return NotificationRoute::kNone;
    const auto all = vector_queues_.find(virtio_pci::kNoVector);
    return all != vector_queues_.end() && all->second.size() > 1 ? NotificationRoute::kShared
                                                                 : NotificationRoute::kOwn;
  }
  const uint16_t vector = it->second.vector;
  if (vector == virtio_pci::kNoVector) return NotificationRoute::kNone;
  const auto sharers = vector_queues_.find(vector);
  const bool others = sharers != vector_queues_.end() && sharers->second.size() > 1;
  const bool config = vector == config_vector_ && config_changed_;
  return others || config ? NotificationRoute::kShared : NotificationRoute::kOwn;
}

void PciTransport::Collect() {
  const auto take = [&](uint16_t vector) {
    const uint64_t count = function_->TakeMessages(vector);
    messages_[vector] += count;
    return count;
  };
  for (const auto& [vector, queues] : vector_queues_) {
    if (vector == virtio_pci::kNoVector) continue;
    const uint64_t count = take(vector);
    if (count == 0) continue;
    for (const uint32_t queue : queues) queue_notifications_[queue] += count;
    if (vector == config_vector_) config_notifications_ += count;
  }
  if (config_vector_ != virtio_pci::kNoVector && !vector_queues_.contains(config_vector_))
    config_notifications_ += take(config_vector_);
  CollectLine();
}

// The interrupt handler of a driver without MSI-X (4.1.5.3, 4.1.5.4): reads the ISR status, which
// tells why and takes the interrupt away.
void PciTransport::CollectLine() {
  if (plan_ != interrupts::kIntx || !handler_) return;
  for (int i = 0; i < kMostInterrupts; ++i) {
    if (!function_->LineAsserted().value_or(false)) return;
    const auto isr = interface_ == Interface::kLegacy ? Legacy(legacy::kIsrStatus, 1)
                     : isr_                           ? Read({isr_->bar, isr_->offset}, 1)
                                                      : Result<uint64_t>(0);
    if (!isr || *isr == 0) return;
    if ((*isr & virtio_pci::kIsrQueue) != 0)
      for (const uint32_t queue : vector_queues_[virtio_pci::kNoVector])
        ++queue_notifications_[queue];
    if ((*isr & virtio_pci::kIsrConfig) != 0) ++config_notifications_;
  }
}

uint64_t PciTransport::TakeQueueNotifications(uint32_t queue) {
  Collect();
  return std::exchange(queue_notifications_[queue], 0);
}

uint64_t PciTransport::TakeConfigNotifications() {
  Collect();
  return std::exchange(config_notifications_, 0);
}

uint64_t PciTransport::TakeMessages(uint32_t vector) {
  if (vector == UINT32_MAX) return function_->TakeStrayMessages();
  Collect();
  if (vector < PciFunction::kMessageSlots) messages_[vector] += function_->TakeMessages(vector);
  return std::exchange(messages_[vector], 0);
}

}  // namespace vitro
