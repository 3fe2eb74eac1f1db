// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/pci/pci_transport.h"

#include "harness/transport/interrupt_plans.h"
#include "harness/transport/read_until.h"
#include "harness/virtio/split_ring.h"
#include "harness/virtio/status.h"

namespace vitro {
namespace {

namespace common = virtio_pci::common;
namespace legacy = virtio_pci::legacy;

constexpr Duration kQueueResetDeadline = std::chrono::seconds(1);
constexpr uint32_t kFeatureWords = 4;                     // of 32 bits each
constexpr uint64_t kConfigSpaces = uint64_t{4096} << 16;  // of all routing ids

}  // namespace

Result<std::unique_ptr<PciTransport>> PciTransport::Create(std::unique_ptr<PciFunction> function,
                                                           PciTransportOptions options) {
  VITRO_ASSIGN(PciLayout layout, ReadPciLayout(*function));
  VITRO_TRY(AssignBars(*function, layout));
  std::unique_ptr<PciTransport> transport(new PciTransport(std::move(function), std::move(layout)));
  VITRO_TRY(transport->Start(options));
  return transport;
}

Result<> PciTransport::Start(const PciTransportOptions& options) {
  const auto usable = [&](uint8_t type) -> std::optional<VirtioCapability> {
    const VirtioCapability* found = layout_.Usable(type);
    return found == nullptr ? std::nullopt : std::optional(*found);
  };
  common_ = usable(virtio_pci::kCommonCfg);
  notify_ = usable(virtio_pci::kNotifyCfg);
  isr_ = usable(virtio_pci::kIsrCfg);
  device_ = usable(virtio_pci::kDeviceCfg);
  const auto windows = layout_.All(virtio_pci::kPciCfg);
  if (!windows.empty()) window_ = *windows.front();
  if (!options.interface.empty() && options.interface != "modern" && options.interface != "window")
    return Fail(ErrorKind::kUsage,
                "interface={}: expected modern or window; the legacy interface is driven by the "
                "checks pci.legacy",
                options.interface);
  const std::string interface = options.interface.empty() ? "modern" : options.interface;
  abilities_.Deny(Ability::kMmioWindow, "the device is a PCI function");
  identity_.level = "pci";
  identity_.level_is_ours = options.wrapped;
  identity_.name = function_->name();
  identity_.device_id = layout_.VirtioId();
  identity_.vendor_id = layout_.subsystem_vendor_id;
  if (auto used = UseInterface(interface); !used) {
    // Its registers can be looked at, and the checks on them say what is wrong with it.
    undrivable_ = "the function cannot be driven: " + used.error().message;
    for (const std::string& problem : layout_.problems) undrivable_ += "; " + problem;
    if (layout_.structures.empty())
      return Fail(ErrorKind::kAttach, "{}: {}", function_->name(), undrivable_);
    for (int i = 0; i < kAbilityCount; ++i) abilities_.Deny(static_cast<Ability>(i), undrivable_);
    abilities_.Allow(Ability::kPciFunction);
    return {};
  }

  for (Ability ability :
       {Ability::kDeviceStatus, Ability::kReset, Ability::kDeviceId, Ability::kUnofferedBits,
        Ability::kQueuesBeforeDriverOk, Ability::kInterruptPlans})
    abilities_.Allow(ability);
  for (Ability ability : {Ability::kConfigSpace, Ability::kConfigWrite})
    abilities_.Set(ability, device_.has_value(),
                   "the function has no device-specific configuration structure");
  abilities_.Allow(Ability::kGeneration);
  abilities_.Set(Ability::kQueueReset, common_->length > common::kQueueReset,
                 "the common configuration structure has no queue_reset");
  abilities_.Set(Ability::kExactQuiet, function_->exact_quiet(), "the device works on its own");
  abilities_.Set(Ability::kStimulus, function_->WhyNoStimulus().empty(),
                 function_->WhyNoStimulus());
  abilities_.Set(Ability::kPciFunction, !options.wrapped && interface == "modern",
                 options.wrapped ? "the PCI function around this device is Vitro's own"
                                 : "the checks on registers aim the window themselves");
  VITRO_ASSIGN(const uint64_t queues, Common(common::kNumQueues, 2));
  identity_.queue_count = static_cast<uint32_t>(queues);
  identity_.config_size = device_ ? static_cast<uint32_t>(device_->length) : 0;
  std::string plan = options.interrupts;
  if (plan.empty())
    plan = layout_.msix                 ? interrupts::kPerQueue
           : layout_.interrupt_pin != 0 ? interrupts::kIntx
                                        : interrupts::kPolling;
  return UseInterrupts(plan, true);
}

Result<> PciTransport::UseInterface(const std::string& name) {
  if (name == "modern" || name == "window") {
    if (!common_)
      return Fail(ErrorKind::kRefused, "it has no common configuration structure within a BAR");
    if (common_->length < common::kLeastBytes)
      return Fail(ErrorKind::kRefused,
                  "its common configuration structure is {} bytes, at least {} were expected",
                  common_->length, common::kLeastBytes);
    if (!notify_) return Fail(ErrorKind::kRefused, "it has no notification structure within a BAR");
    if (name == "window" && !window_)
      return Fail(ErrorKind::kRefused, "it has no configuration access capability");
    interface_ = name == "window" ? Interface::kWindow : Interface::kModern;
  } else if (name == "legacy") {
    if (!layout_.bars[0].io || layout_.bars[0].size < legacy::kBytes)
      return Fail(ErrorKind::kRefused, "it has no legacy interface: BAR 0 is no I/O BAR");
    interface_ = Interface::kLegacy;
  } else {
    return Fail(ErrorKind::kUsage, "'{}' is no interface: expected modern, window or legacy", name);
  }
  Forget();
  return {};
}

// Registers

Result<PciTransport::Place> PciTransport::Locate(const std::string& region, uint64_t offset,
                                                 uint32_t width) const {
  Place place;
  const std::pair<const char*, const std::optional<VirtioCapability>*> structures[] = {
      {"common", &common_}, {"notify", &notify_}, {"isr", &isr_}, {"device", &device_}};
  bool known = false;
  for (const auto& [name, structure] : structures) {
    if (region != name) continue;
    if (!*structure) return Fail(ErrorKind::kRefused, "the function has no {} structure", name);
    place = {(*structure)->bar, (*structure)->offset};
    known = true;
  }
  if (region == "msix" || region == "pba") {
    if (!layout_.msix) return Fail(ErrorKind::kRefused, "the function has no MSI-X capability");
    place = region == "msix" ? Place{layout_.msix->table_bar, layout_.msix->table_offset}
                             : Place{layout_.msix->pba_bar, layout_.msix->pba_offset};
    known = true;
  }
  if (region == "legacy") known = true;  // BAR 0
  if (region.size() == 4 && region.starts_with("bar") && region[3] >= '0' && region[3] <= '5') {
    place.bar = static_cast<unsigned>(region[3] - '0');
    known = true;
  }
  if (!known) return Fail(ErrorKind::kUsage, "'{}' is no region of registers", region);
  place.offset += offset;
  // What lies beyond belongs to somebody else on the bus.
  if (place.bar >= pci::kBars || place.offset > layout_.bars[place.bar].size ||
      width > layout_.bars[place.bar].size - place.offset)
    return Fail(ErrorKind::kRefused, "{}+{:#x} is outside of BAR {}", region, offset, place.bar);
  return place;
}

Result<uint64_t> PciTransport::ReadRegister(const std::string& region, uint64_t offset,
                                            uint32_t width) {
  if (region == "pci") {
    if (!IsNaturalAccess(offset, width, 4) || offset + width > kConfigSpaces)
      return Fail(ErrorKind::kRefused, "configuration space is read in aligned 1, 2 or 4 bytes");
    VITRO_ASSIGN(const uint32_t value, function_->ReadConfig(static_cast<uint32_t>(offset), width));
    return value;
  }
  VITRO_ASSIGN(const Place place, Locate(region, offset, width));
  return Read(place, width);
}

Result<> PciTransport::WriteRegister(const std::string& region, uint64_t offset, uint32_t width,
                                     uint64_t value) {
  if (region == "pci") {
    if (!IsNaturalAccess(offset, width, 4) || offset + width > kConfigSpaces)
      return Fail(ErrorKind::kRefused, "configuration space is written in aligned 1, 2 or 4 bytes");
    return function_->WriteConfig(static_cast<uint32_t>(offset), width,
                                  static_cast<uint32_t>(value));
  }
  VITRO_ASSIGN(const Place place, Locate(region, offset, width));
  return Write(place, width, value);
}

Result<> PciTransport::AimWindow(Place place, uint32_t width) {
  const uint32_t at = window_->position;
  VITRO_TRY(function_->WriteConfig(at + virtio_pci::kCapBar, 1, place.bar));
  VITRO_TRY(
      function_->WriteConfig(at + virtio_pci::kCapOffset, 4, static_cast<uint32_t>(place.offset)));
  return function_->WriteConfig(at + virtio_pci::kCapStructLength, 4, width);
}

Result<uint64_t> PciTransport::Read(Place place, uint32_t width) {
  if (interface_ != Interface::kWindow) return function_->ReadBar(place.bar, place.offset, width);
  if (!IsNaturalAccess(place.offset, width, 4))
    return Fail(ErrorKind::kRefused, "the window takes aligned accesses of 1, 2 or 4 bytes");
  VITRO_TRY(AimWindow(place, width));
  VITRO_ASSIGN(const uint32_t value,
               function_->ReadConfig(window_->position + virtio_pci::kCapPciData, width));
  return value;
}

Result<> PciTransport::Write(Place place, uint32_t width, uint64_t value) {
  if (interface_ != Interface::kWindow)
    return function_->WriteBar(place.bar, place.offset, width, value);
  if (!IsNaturalAccess(place.offset, width, 4))
    return Fail(ErrorKind::kRefused, "the window takes aligned accesses of 1, 2 or 4 bytes");
  VITRO_TRY(AimWindow(place, width));
  return function_->WriteConfig(window_->position + virtio_pci::kCapPciData, width,
                                static_cast<uint32_t>(value));
}

Result<uint64_t> PciTransport::Common(uint32_t offset, uint32_t width) {
  if (undrivable()) return Fail(ErrorKind::kUnsupported, "{}", undrivable_);
  return Read({common_->bar, common_->offset + offset}, width);
}

Result<> PciTransport::SetCommon(uint32_t offset, uint32_t width, uint64_t value) {
  if (undrivable()) return Fail(ErrorKind::kUnsupported, "{}", undrivable_);
  return Write({common_->bar, common_->offset + offset}, width, value);
}

Result<uint64_t> PciTransport::Legacy(uint32_t offset, uint32_t width) {
  return function_->ReadBar(0, offset, width);
}

Result<> PciTransport::SetLegacy(uint32_t offset, uint32_t width, uint64_t value) {
  return function_->WriteBar(0, offset, width, value);
}

uint32_t PciTransport::LegacyConfigOffset() const {
  return msix_enabled_ ? legacy::kBytesWithMsix : legacy::kBytes;
}

// Device and features

Result<FeatureSet> PciTransport::ReadFeatures() {
  if (undrivable()) return FeatureSet{};
  if (interface_ == Interface::kLegacy) {
    VITRO_ASSIGN(const uint64_t word, Legacy(legacy::kDeviceFeatures, 4));
    return FeatureSet::FromWords(word, 0);
  }
  uint64_t words[2] = {};
  for (uint32_t select = 0; select < kFeatureWords; ++select) {
    VITRO_TRY(SetCommon(common::kDeviceFeatureSelect, 4, select));
    VITRO_ASSIGN(const uint64_t word, Common(common::kDeviceFeature, 4));
    words[select / 2] |= word << (32 * (select % 2));
  }
  return FeatureSet::FromWords(words[0], words[1]);
}

Result<> PciTransport::AcceptFeatures(FeatureSet features) {
  accepted_ = features;
  if (interface_ == Interface::kLegacy)
    return SetLegacy(legacy::kDriverFeatures, 4, features.word(0) & UINT32_MAX);
  for (uint32_t select = 0; select < kFeatureWords; ++select) {
    const uint64_t word = (features.word(select / 2) >> (32 * (select % 2))) & UINT32_MAX;
    if (select > 1 && word == 0) continue;  // a driver that knows no such features
    VITRO_TRY(SetCommon(common::kDriverFeatureSelect, 4, select));
    VITRO_TRY(SetCommon(common::kDriverFeature, 4, word));
  }
  return {};
}

Result<uint8_t> PciTransport::ReadStatus() {
  VITRO_ASSIGN(const uint64_t status, interface_ == Interface::kLegacy
                                          ? Legacy(legacy::kDeviceStatus, 1)
                                          : Common(common::kDeviceStatus, 1));
  return static_cast<uint8_t>(status);
}

Result<> PciTransport::WriteStatus(uint8_t status) {
  if ((status & status::kDriverOk) != 0 && !config_mapped_) VITRO_TRY(MapConfigVector());
  if (interface_ == Interface::kLegacy) return SetLegacy(legacy::kDeviceStatus, 1, status);
  VITRO_TRY(SetCommon(common::kDeviceStatus, 1, status));
  const bool admin = accepted_.Has(feature::kAdminVq) && common_->length >= common::kBytes;
  if ((status & status::kFeaturesOk) == 0 || !admin) return {};
  VITRO_ASSIGN(const uint64_t index, Common(common::kAdminQueueIndex, 2));
  VITRO_ASSIGN(const uint64_t count, Common(common::kAdminQueueNum, 2));
  identity_.admin_queue_index = static_cast<uint32_t>(index);
  identity_.admin_queue_count = static_cast<uint32_t>(count);
  return {};
}

Result<> PciTransport::Reset() {
  Collect();  // what came before has its owner now
  VITRO_TRY(interface_ == Interface::kLegacy ? SetLegacy(legacy::kDeviceStatus, 1, 0)
                                             : SetCommon(common::kDeviceStatus, 1, 0));
  Forget();
  return {};
}

void PciTransport::Forget() {
  accepted_ = {};
  queues_.clear();
  config_mapped_ = false;
  config_changed_ = false;
}

// Device-specific configuration

Result<Bytes> PciTransport::ReadConfig(uint32_t offset, uint32_t width) {
  const bool legacy_interface = interface_ == Interface::kLegacy;
  const uint64_t base = legacy_interface ? LegacyConfigOffset() : 0;
  if (!legacy_interface && !device_)
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kConfigSpace));
  if (!IsNaturalAccess(offset, width, 4) || uint64_t{offset} + width > identity_.config_size)
    return Fail(ErrorKind::kRefused, "config read at {} of {} bytes", offset, width);
  VITRO_ASSIGN(const uint64_t value, legacy_interface
                                         ? function_->ReadBar(0, base + offset, width)
                                         : Read({device_->bar, device_->offset + offset}, width));
  return LeBytes(value, width);
}

Result<> PciTransport::WriteConfig(uint32_t offset, ByteView bytes) {
  const bool legacy_interface = interface_ == Interface::kLegacy;
  const uint64_t base = legacy_interface ? LegacyConfigOffset() : 0;
  if (!legacy_interface && !device_)
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kConfigWrite));
  const auto width = static_cast<uint32_t>(bytes.size());
  if (!IsNaturalAccess(offset, bytes.size(), 4) || uint64_t{offset} + width > identity_.config_size)
    return Fail(ErrorKind::kRefused, "config write at {} of {} bytes", offset, bytes.size());
  const uint64_t value = LoadLe(bytes);
  return legacy_interface ? function_->WriteBar(0, base + offset, width, value)
                          : Write({device_->bar, device_->offset + offset}, width, value);
}

Result<uint32_t> PciTransport::ReadGeneration() {
  if (interface_ == Interface::kLegacy)
    return Fail(ErrorKind::kUnsupported, "the legacy interface has no config generation");
  VITRO_ASSIGN(const uint64_t generation, Common(common::kConfigGeneration, 1));
  return static_cast<uint32_t>(generation);
}

// Virtqueues

Result<> PciTransport::Select(uint32_t queue) {
  return interface_ == Interface::kLegacy ? SetLegacy(legacy::kQueueSelect, 2, queue)
                                          : SetCommon(common::kQueueSelect, 2, queue);
}

// queue_size says the maximum only until the driver writes it, so it is remembered.
Result<PciTransport::Queue*> PciTransport::Know(uint32_t queue) {
  auto it = queues_.find(queue);
  if (it != queues_.end()) return &it->second;
  VITRO_TRY(Select(queue));
  Queue known;
  VITRO_ASSIGN(const uint64_t size, interface_ == Interface::kLegacy
                                        ? Legacy(legacy::kQueueSize, 2)
                                        : Common(common::kQueueSize, 2));
  known.max_size = static_cast<uint32_t>(size);
  if (interface_ != Interface::kLegacy) {
    VITRO_ASSIGN(const uint64_t off, Common(common::kQueueNotifyOff, 2));
    known.notify_at = off * notify_->notify_off_multiplier;
  }
  return &queues_.emplace(queue, known).first->second;
}

Result<uint32_t> PciTransport::QueueMaxSize(uint32_t queue) {
  if (queue > UINT16_MAX || undrivable()) return 0;
  VITRO_ASSIGN(const Queue* known, Know(queue));
  return known->max_size;
}

Result<> PciTransport::SetAddress(uint32_t offset, uint64_t address) {
  VITRO_TRY(SetCommon(offset, 4, address & UINT32_MAX));
  return SetCommon(offset + 4, 4, address >> 32);
}

Result<> PciTransport::SetupQueue(uint32_t queue, const QueueLayout& layout) {
  if (queue > UINT16_MAX || layout.size > UINT16_MAX)
    return Fail(ErrorKind::kRefused,
                "queue {} of size {} cannot be written to registers of 16 bits", queue,
                layout.size);
  if (interface_ == Interface::kLegacy) return SetupLegacyQueue(queue, layout);
  if (!config_mapped_) VITRO_TRY(MapConfigVector());
  VITRO_ASSIGN(Queue * known, Know(queue));
  VITRO_TRY(Select(queue));
  VITRO_TRY(SetCommon(common::kQueueSize, 2, layout.size));
  VITRO_ASSIGN(known->vector, MapQueueVector(queue));
  VITRO_TRY(SetAddress(common::kQueueDesc, layout.desc));
  VITRO_TRY(SetAddress(common::kQueueDriver, layout.driver));
  VITRO_TRY(SetAddress(common::kQueueDevice, layout.device));
  VITRO_TRY(SetCommon(common::kQueueEnable, 2, 1));
  VITRO_ASSIGN(const uint64_t enabled, Common(common::kQueueEnable, 2));
  if (enabled == 0) return Fail(ErrorKind::kRefused, "queue_enable of queue {} stays 0", queue);
  known->set_up = true;
  return {};
}

// The legacy interface takes one page number, from which all else follows (2.7.2).
Result<> PciTransport::SetupLegacyQueue(uint32_t queue, const QueueLayout& layout) {
  if (!config_mapped_) VITRO_TRY(MapConfigVector());
  VITRO_ASSIGN(Queue * known, Know(queue));
  const uint64_t driver = layout.desc + split::DescTableBytes(layout.size);
  const uint64_t end = driver + split::AvailRingBytes(layout.size);
  const uint64_t device =
      (end + legacy::kQueueAlign - 1) / legacy::kQueueAlign * legacy::kQueueAlign;
  if (layout.size != known->max_size || layout.desc % legacy::kQueueAlign != 0 ||
      layout.driver != driver || layout.device != device)
    return Fail(ErrorKind::kUnsupported,
                "the legacy interface takes a queue of its full size in one piece, from a page on");
  VITRO_TRY(Select(queue));
  VITRO_ASSIGN(known->vector, MapQueueVector(queue));
  VITRO_TRY(SetLegacy(legacy::kQueueAddress, 4, layout.desc / legacy::kQueueAlign));
  known->set_up = true;
  return {};
}

Result<> PciTransport::ResetQueue(uint32_t queue) {
  if (!abilities_.Has(Ability::kQueueReset))
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kQueueReset));
  if (interface_ == Interface::kLegacy)
    return Fail(ErrorKind::kUnsupported, "the legacy interface has no virtqueue reset");
  if (queue > UINT16_MAX) return Fail(ErrorKind::kRefused, "queue {} cannot be selected", queue);
  VITRO_TRY(Select(queue));
  VITRO_TRY(SetCommon(common::kQueueReset, 2, 1));
  VITRO_ASSIGN(const uint64_t value, ReadUntil(
                                         *this, Deadline::After(kQueueResetDeadline),
                                         [this] { return Common(common::kQueueReset, 2); },
                                         [](uint64_t reset) { return reset == 0; }));
  if (value != 0) return Fail(ErrorKind::kRefused, "queue_reset of queue {} stays 1", queue);
  auto it = queues_.find(queue);
  if (it != queues_.end()) it->second.set_up = false;
  return {};
}

Result<> PciTransport::NotifyWithData(uint32_t queue, uint16_t next) {
  if (queue > UINT16_MAX)
    return Fail(ErrorKind::kRefused, "queue {} has no number of 16 bits", queue);
  if (interface_ == Interface::kLegacy) return SetLegacy(legacy::kQueueNotify, 2, queue);
  VITRO_ASSIGN(const Queue* known, Know(queue));
  uint64_t value = queue;
  if (accepted_.Has(feature::kNotifConfigData) && common_->length > common::kQueueNotifConfigData) {
    VITRO_TRY(Select(queue));
    VITRO_ASSIGN(value, Common(common::kQueueNotifConfigData, 2));
  }
  const uint32_t width = accepted_.Has(feature::kNotificationData) ? 4 : 2;
  if (width == 4) value |= static_cast<uint64_t>(next) << 16;
  VITRO_ASSIGN(const Place place, Locate("notify", known->notify_at, width));
  return Write(place, width, value);
}

Result<> PciTransport::StimulateConfigChange() {
  if (!abilities_.Has(Ability::kStimulus))
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kStimulus));
  config_changed_ = true;
  return function_->StimulateConfigChange();
}

Result<bool> PciTransport::WaitUntil(const std::function<bool()>& done, Deadline deadline) {
  // The interrupt handler runs while the driver waits.
  return function_->WaitUntil(
      [&] {
        CollectLine();
        return done();
      },
      deadline);
}

}  // namespace vitro
