// SPDX-License-Identifier: Apache-2.0
// Checks of the legacy interface of transitional devices over PCI (4.1.2.3, 4.1.4.10, 4.1.5.1.1.1,
// 4.1.5.1.3.1, and the legacy sections of 2, 3, 5.2 and 6).
#include <algorithm>

#include "harness/transport/interrupt_plans.h"
#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/pci_registers.h"

namespace vitro {
namespace {

namespace legacy = virtio_pci::legacy;

constexpr const char* kRevision = "derived.legacy.revision-id";
constexpr const char* kSubsystem = "derived.legacy.subsystem-id";
constexpr const char* kBar = "derived.legacy.bar";
constexpr const char* kConfigOffset = "derived.legacy.config-offset";
constexpr const char* kConfigWidths = "derived.legacy.config-widths";
constexpr const char* kLowFeatures = "derived.legacy.low-features";
constexpr const char* kWorks = "derived.legacy.works";
constexpr const char* kReset = "derived.legacy.reset";
constexpr const char* kQueueAddress = "derived.legacy.queue-address-reset";
constexpr const char* kIsrClear = "derived.legacy.isr-clear";
constexpr const char* kEarlyConfig = "derived.legacy.config-before-features";
constexpr const char* kEarlyUse = "derived.legacy.use-before-driver-ok";
constexpr const char* kOnEmpty = "derived.legacy.notify-on-empty";
constexpr const char* kAnyLayout = "derived.legacy.any-layout";
constexpr const char* kWritebackStatus = "derived.legacy.blk-writeback-status";
constexpr const char* kWritebackFeatures = "derived.legacy.blk-writeback-features";

constexpr uint8_t kFound = status::kAcknowledge | status::kDriver;

uint64_t ReadLegacy(Context& c, uint32_t offset, uint32_t width) {
  return c.Do(op::ReadRegister{"legacy", offset, width}).value;
}

void RequireTransitional(Context& c) {
  if (!LayoutOf(c).transitional()) c.NotApplicable("this is no transitional device by its ID");
}

// A driver that knows nothing but the legacy interface --------------------------------------------

// Resets the device by both interfaces, and goes on by the legacy one.
void UseLegacy(Context& c) {
  RequireTransitional(c);
  c.Reset();
  if (c.Do(op::Interface{"legacy"}).refused)
    c.NotApplicable("the function has no legacy interface in BAR 0");
  c.Reset();
}

// A queue of its full size in one piece of memory (2.7.2). False if there is none of that number.
bool SetupLegacyQueue(Context& c, uint32_t queue) {
  const uint32_t size = c.MaxQueueSize(queue);
  c.Expect(Accept::NotEqual(0), kWorks,
           fmt::format("the legacy queue size of queue {} is not 0", queue));
  if (size == 0) return false;
  const uint64_t to_used =
      (split::DescTableBytes(size) + split::AvailRingBytes(size) + legacy::kQueueAlign - 1) /
      legacy::kQueueAlign * legacy::kQueueAlign;
  const uint64_t start = c.Allocate(to_used + split::UsedRingBytes(size), legacy::kQueueAlign);
  c.Do(op::SetupQueue{queue, size, start, start + split::DescTableBytes(size), start + to_used});
  return true;
}

// ACKNOWLEDGE, DRIVER, features of the device type that are needed, all queues up to the request
// queue. The device is in use from then on, DRIVER_OK or not.
bool LegacyBegin(Context& c) {
  c.AcknowledgeAndDriver();
  c.Do(op::ReadStatus{});
  c.Expect(Accept::Masked(kFound, kFound), kWorks, "the legacy device status reads as written");
  FeatureSet features = c.grammar().needed_features().With(feature::kAnyLayout) & c.Offered();
  c.Do(op::AcceptFeatures{features});
  for (uint32_t queue = 0; queue <= c.request_queue(); ++queue)
    if (!SetupLegacyQueue(c, queue)) return false;
  return true;
}

void LegacyDriverOk(Context& c) { c.Do(op::WriteStatus{kFound | status::kDriverOk}); }

// Header, data and status of a block request in descriptors of their own, as without ANY_LAYOUT.
Framing LegacyFraming(const Context& c) {
  Framing framing;
  if (c.facts().device_id != device_id::kBlk) return framing;
  framing.readable = {blk::kRequestHeaderSize};
  framing.writable = {blk::kSectorSize};
  return framing;
}

void ExpectServed(Context& c, const char* requirement, uint64_t requests) {
  for (uint64_t n = 0; n < requests && !c.failed(); ++n)
    c.Submit(c.grammar().Request(n), requirement, LegacyFraming(c));
}

// Ids and BAR -------------------------------------------------------------------------------------

void HasRevisionZero(Context& c) {
  RequireTransitional(c);
  ReadPci(c, pci::kRevisionId, 1);
  c.Expect(Accept::Equal(0), kRevision, "the PCI Revision ID of a transitional device is 0");
}

void HasItsTypeAsSubsystem(Context& c) {
  RequireTransitional(c);
  const uint64_t id = ReadPci(c, pci::kDeviceId, 2);
  for (const auto& each : virtio_pci::kTransitionalIds) {
    if (each.pci_device_id != id) continue;
    ReadPci(c, pci::kSubsystemDeviceId, 2);
    c.Expect(Accept::Equal(each.device_id), kSubsystem,
             fmt::format("the PCI Subsystem Device ID is the virtio device ID that the PCI Device "
                         "ID {:#x} stands for",
                         id));
    return;
  }
  c.NotApplicable(
      fmt::format("the PCI Device ID {:#x} is not in the table of transitional IDs", id));
}

void HasTheLegacyBar(Context& c) {
  RequireTransitional(c);
  const PciLayout& layout = LayoutOf(c);
  const uint32_t needed = layout.msix ? legacy::kBytesWithMsix : legacy::kBytes;
  ReadPci(c, pci::kBar0, 4);
  c.Expect(Accept::Masked(pci::kBarIo, pci::kBarIo), kBar, "BAR 0 is in I/O space");
  if (layout.bars[0].size < needed)
    c.Expect(Accept::Range(1, 0), kBar,
             fmt::format("BAR 0 has room for the {} bytes of the legacy registers", needed));
}

// Device configuration ----------------------------------------------------------------------------

struct Field {
  uint32_t offset, width;
};

// Leading fields of the types that have a transitional ID, in the widths of the modern interface.
std::vector<Field> LeadingFields(uint32_t type) {
  switch (type) {
    case device_id::kNet:
      return {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}};
    case device_id::kBlk:
      return {{0, 4}, {4, 4}, {8, 4}, {12, 4}};
    case device_id::kConsole:
      return {{0, 2}, {2, 2}, {4, 4}};
    case 5:  // balloon
      return {{0, 4}, {4, 4}};
    case 8:  // SCSI
      return {{0, 4}, {4, 4}, {8, 4}, {12, 4}, {16, 4}, {20, 4}, {24, 4}};
    default:
      return {};
  }
}

std::vector<Field> LeadingFieldsOrEnd(Context& c) {
  RequireTransitional(c);
  if (!LayoutOf(c).bars[0].io) c.NotApplicable("the function has no legacy interface in BAR 0");
  auto fields = LeadingFields(c.facts().device_id);
  std::erase_if(fields, [&](const Field& field) {
    return field.offset + field.width > c.facts().config_size;
  });
  if (fields.empty()) c.NotApplicable("no configuration field is known of this device type");
  return fields;
}

// The interrupt plan says whether MSI-X is enabled, and so where the fields are.
struct Place {
  std::string plan;
  uint32_t offset;
};

std::vector<Place> PlacesOfConfig(Context& c) {
  std::vector<Place> places = {{std::string(interrupts::kPolling), legacy::kBytes}};
  if (!LayoutOf(c).msix) return places;
  places.push_back({std::string(interrupts::kPerQueue), legacy::kBytesWithMsix});
  places.push_back(places.front());  // they move back
  return places;
}

void HasItsConfigBehindTheHeaders(Context& c) {
  const auto fields = LeadingFieldsOrEnd(c);
  if (LayoutOf(c).Usable(virtio_pci::kDeviceCfg) == nullptr)
    c.NotApplicable("there is no device-specific configuration structure to compare with");
  c.Reset();
  for (const Place& place : PlacesOfConfig(c)) {
    c.Do(op::Interrupts{place.plan});
    for (const Field& field : fields) {
      const uint64_t right = c.Do(op::ReadRegister{"device", field.offset, field.width}).value;
      ReadLegacy(c, place.offset + field.offset, field.width);
      c.Expect(Accept::Equal(right), kConfigOffset,
               fmt::format("byte {} of the configuration is at byte {} of the legacy registers",
                           field.offset, place.offset + field.offset));
    }
    if (c.failed()) return;
  }
}

void ReadsConfigInEveryWidth(Context& c) {
  const auto fields = LeadingFieldsOrEnd(c);
  c.Reset();
  c.Do(op::Interrupts{std::string(interrupts::kPolling)});
  const uint32_t end = fields.back().offset + fields.back().width;
  std::vector<uint64_t> bytes;
  for (uint32_t at = 0; at < end; ++at) bytes.push_back(ReadLegacy(c, legacy::kBytes + at, 1));
  for (const uint32_t width : {1u, 2u, 4u}) {
    for (uint32_t at = 0; at + width <= end; at += width) {
      uint64_t right = 0;
      for (uint32_t i = 0; i < width; ++i) right |= bytes[at + i] << (8 * i);
      ReadLegacy(c, legacy::kBytes + at, width);
      c.Expect(
          Accept::Equal(right), kConfigWidths,
          fmt::format("{} byte(s) at {} of the configuration read as byte by byte", width, at));
      if (c.failed()) return;
    }
  }
}

// Driving -----------------------------------------------------------------------------------------

void ServesALegacyDriver(Context& c) {
  c.Up();  // the grammar's preparations
  UseLegacy(c);
  for (int round = 0; round < 2; ++round) {
    if (!LegacyBegin(c)) return;
    LegacyDriverOk(c);
    ExpectServed(c, kWorks, 4);
    if (c.failed()) return;
    c.Reset();
  }
  // A driver of the other interface comes after it.
  c.Do(op::Interface{"modern"});
  c.Up({.prepare = false});
  c.Submit(c.grammar().Request(0), kWorks);
}

void ForgetsHighFeatures(Context& c) {
  RequireTransitional(c);
  FeatureSet high;
  for (const unsigned bit : {feature::kNotificationData, feature::kNotifConfigData})
    if (c.facts().offered.Has(bit)) high.Add(bit);
  c.Up();
  c.Up({.with = high, .prepare = false});
  UseLegacy(c);
  if (!LegacyBegin(c)) return;
  LegacyDriverOk(c);
  ExpectServed(c, kLowFeatures, 2);
}

void IsServedBeforeDriverOk(Context& c) {
  c.Up();
  UseLegacy(c);
  if (!LegacyBegin(c)) return;
  const Exchange request = c.grammar().Request(0);
  c.Publish(request, LegacyFraming(c));
  c.Notify(request.queue);
  if (c.WaitUsed(request.queue, 1).value == 1) {
    ExpectServed(c, kEarlyUse, 3);
    LegacyDriverOk(c);
  } else {
    // Drivers that wait for it here wait for ever. Others find it done later.
    c.Advise(Accept::Equal(1), kEarlyUse, "a request is used before DRIVER_OK");
    LegacyDriverOk(c);
    c.WaitUsed(request.queue, 1);
    c.Expect(Accept::Equal(1), kEarlyUse,
             "a request that was made before DRIVER_OK is used at DRIVER_OK at the latest");
    if (c.last().value != 1) return;
  }
  ExpectServed(c, kEarlyUse, 2);
}

void IsResetByTheLegacyStatus(Context& c) {
  c.Up();
  UseLegacy(c);
  if (!LegacyBegin(c)) return;
  LegacyDriverOk(c);
  ExpectServed(c, kWorks, 1);
  c.Do(op::WriteRegister{"legacy", legacy::kDeviceStatus, 1, 0});
  c.Do(op::WaitRegister{"legacy", legacy::kDeviceStatus, 1, 0xff, 0});
  c.Expect(Accept::Equal(0), kReset, "the legacy device status reads 0 once 0 was written to it");
  for (uint32_t queue = 0; queue <= c.request_queue(); ++queue) {
    c.Do(op::WriteRegister{"legacy", legacy::kQueueSelect, 2, queue});
    ReadLegacy(c, legacy::kQueueAddress, 4);
    c.Expect(Accept::Equal(0), kQueueAddress,
             fmt::format("the legacy queue address of queue {} is 0 after a reset", queue));
  }
}

void ClearsTheLegacyIsrStatus(Context& c) {
  c.Up();
  UseLegacy(c);
  op::Interrupts intx{std::string(interrupts::kIntx)};
  intx.handler = 0;
  if (c.Do(intx).refused) c.NotApplicable("the function has no interrupt pin");
  if (!LegacyBegin(c)) return;
  LegacyDriverOk(c);
  for (uint64_t n = 0; n < 3; ++n) {
    const Exchange request = c.grammar().Request(n);
    c.Publish(request, LegacyFraming(c));
    c.Notify(request.queue);
    c.WaitUsed(request.queue, 1);
    c.Do(op::WaitLine{1});
    c.Expect(Accept::Equal(1), kIsrClear, "the interrupt line is asserted for a used buffer");
    c.Do(op::Quiesce{});
    ReadLegacy(c, legacy::kIsrStatus, 1);
    c.Expect(Accept::Masked(virtio_pci::kIsrQueue, virtio_pci::kIsrQueue), kIsrClear,
             "the legacy ISR status has the bit of queues set");
    ReadLegacy(c, legacy::kIsrStatus, 1);
    c.Expect(Accept::Masked(virtio_pci::kIsrQueue, 0), kIsrClear,
             "the legacy ISR status is clear once it was read");
    c.Do(op::WaitLine{0});
    c.Expect(Accept::Equal(0), kIsrClear, "the interrupt line is released by the read");
    if (c.failed()) return;
  }
}

void NotifiesWhenEmpty(Context& c) {
  c.Up();
  UseLegacy(c);
  if (!LegacyBegin(c)) return;
  const uint64_t bit = uint64_t{1} << feature::kNotifyOnEmpty;
  if ((ReadLegacy(c, legacy::kDeviceFeatures, 4) & bit) == 0)
    c.NotApplicable("VIRTIO_F_NOTIFY_ON_EMPTY (bit 24) is not offered to legacy drivers");
  c.Do(op::AcceptFeatures{c.session().state().accepted.With(feature::kNotifyOnEmpty)});
  LegacyDriverOk(c);
  for (uint64_t n = 0; n < 2; ++n) {
    const Exchange request = c.grammar().Request(n);
    c.Do(op::SetAvailFlags{request.queue, split::kAvailNoInterrupt});
    c.Do(op::TakeNotifications{request.queue});
    c.Publish(request, LegacyFraming(c));
    c.Notify(request.queue);
    c.WaitUsed(request.queue, 1);
    c.Expect(Accept::Equal(1), kWorks, "the only request is used");
    c.Do(op::WaitNotifications{request.queue, 1});
    c.Expect(Accept::NotEqual(0), kOnEmpty,
             "a notification comes when nothing is available any more, suppressed or not");
    if (c.failed()) return;
  }
}

void OffersAnyLayout(Context& c) {
  RequireTransitional(c);
  if (!LayoutOf(c).bars[0].io) c.NotApplicable("the function has no legacy interface in BAR 0");
  c.Reset();
  ReadLegacy(c, legacy::kDeviceFeatures, 4);
  const uint64_t bit = uint64_t{1} << feature::kAnyLayout;
  c.Expect(Accept::Masked(bit, bit), kAnyLayout, "VIRTIO_F_ANY_LAYOUT (bit 27) is offered");
}

// Block devices -----------------------------------------------------------------------------------

uint64_t ReadWriteback(Context& c) { return c.Do(op::ReadConfig{blk::kConfigWriteback, 1}).value; }

void WriteWriteback(Context& c, uint8_t value) {
  c.Do(op::WriteConfig{blk::kConfigWriteback, Bytes{value}});
}

void TakesConfigBeforeFeatures(Context& c) {
  UseLegacy(c);
  for (const uint8_t value : {0, 1, 0, 1}) {
    c.AcknowledgeAndDriver();
    WriteWriteback(c, value);
    ReadWriteback(c);
    c.Expect(Accept::Equal(value), kEarlyConfig,
             "writeback takes a value before the features are read");
    if (c.failed()) return;
    c.Reset();
  }
}

void KeepsItsCacheMode(Context& c) {
  UseLegacy(c);
  for (const uint8_t value : {0, 1}) {
    WriteWriteback(c, value);
    if (ReadWriteback(c) != value)
      c.NotApplicable("writeback does not take a value before the features are read");
    for (const uint8_t status : {status::kAcknowledge, kFound}) {
      c.Do(op::WriteStatus{status});
      ReadWriteback(c);
      c.Expect(Accept::Equal(value), kWritebackStatus,
               fmt::format("writeback stays {} when the status becomes {:#x}", value, status));
    }
    c.Offered();
    // CONFIG_WCE without FLUSH, and nothing at all before that.
    for (const FeatureSet features : {FeatureSet(), FeatureSet{blk::kFeatureConfigWce}}) {
      c.Do(op::AcceptFeatures{features});
      ReadWriteback(c);
      c.Expect(Accept::Equal(value), kWritebackFeatures,
               fmt::format("writeback stays {} when features are written", value));
    }
    LegacyDriverOk(c);
    ReadWriteback(c);
    c.Expect(
        Accept::Equal(value), kWritebackStatus,
        fmt::format("writeback stays {} at DRIVER_OK of a driver that accepted CONFIG_WCE", value));
    c.Reset();
  }
}

Check Simple(const char* id, const char* title, const char* section, const char* requirement,
             std::vector<std::string> faults, void (*run)(Context&)) {
  return {.id = id,
          .title = title,
          .section = section,
          .requirements = {requirement},
          .tags = {"pci", "legacy"},
          .needs = {.abilities = {Ability::kPciFunction}},
          .faults = std::move(faults),
          .run = run};
}

void AddLegacyIdChecks(std::vector<Check>& list) {
  list.push_back(Simple("pci.legacy.revision-id", "A transitional device has PCI Revision ID 0",
                        "4.1.2", kRevision, {"blk,level=pci:legacy-revision-1"}, HasRevisionZero));
  list.push_back(Simple(
      "pci.legacy.subsystem-id", "A transitional device has its type as PCI Subsystem Device ID",
      "4.1.2", kSubsystem,
      {"blk,level=pci:legacy-subsystem-wrong", "blk,level=pci,transitional=1:pci-device-id-wrong"},
      HasItsTypeAsSubsystem));
  list.push_back(Simple("pci.legacy.bar",
                        "A transitional device has its legacy registers in BAR 0, in I/O space",
                        "4.1.4.10", kBar, {"blk,level=pci:legacy-bar-missing"}, HasTheLegacyBar));
}

void AddLegacyConfigChecks(std::vector<Check>& list) {
  list.push_back(Simple("pci.legacy.config-offset",
                        "Legacy device configuration follows the headers, which MSI-X makes longer",
                        "4.1.4.10", kConfigOffset, {"blk,level=pci:legacy-offset-fixed"},
                        HasItsConfigBehindTheHeaders));
  list.push_back(Simple("pci.legacy.config-widths",
                        "Legacy device configuration reads the same in every width", "4.1.4.10",
                        kConfigWidths, {"blk,level=pci,transitional=1:config-halves-torn"},
                        ReadsConfigInEveryWidth));
  Check early =
      Simple("pci.legacy.config-before-features",
             "Device configuration is written before the features are read", "3.1", kEarlyConfig,
             {"blk,level=pci:legacy-config-late"}, TakesConfigBeforeFeatures);
  early.needs.device_id = device_id::kBlk;
  early.needs.offered = {blk::kFeatureConfigWce};
  list.push_back(early);
}

void AddLegacyDrivingChecks(std::vector<Check>& list) {
  const auto serving = [&](Check check) {
    check.needs.requests = true;
    list.push_back(std::move(check));
  };
  serving(Simple("pci.legacy.traffic",
                 "A driver that knows the legacy interface only is served, again after a reset",
                 "2.2.3", kWorks,
                 {"blk,level=pci:legacy-queue-size-zero", "blk,level=pci:legacy-status-ignored"},
                 ServesALegacyDriver));
  serving(Simple("pci.legacy.high-features",
                 "Features from bit 32 up of an earlier driver do not bind a legacy one",
                 "4.1.4.10", kLowFeatures, {"blk,level=pci:legacy-features-high"},
                 ForgetsHighFeatures));
  serving(Simple("pci.legacy.before-driver-ok", "A legacy driver is served before DRIVER_OK", "3.1",
                 kEarlyUse, {"blk,level=pci:legacy-needs-driver-ok"}, IsServedBeforeDriverOk));
  Check reset =
      Simple("pci.legacy.reset",
             "The legacy status resets the device, and its queue addresses are 0 then", "4.1.4.10",
             kQueueAddress, {"blk,level=pci:legacy-queue-address-kept"}, IsResetByTheLegacyStatus);
  reset.requirements.push_back(kReset);
  serving(std::move(reset));
  serving(Simple("pci.legacy.notify-on-empty",
                 "With NOTIFY_ON_EMPTY a queue that ran empty is notified in spite of suppression",
                 "6.3", kOnEmpty, {"blk,level=pci:legacy-notify-on-empty-ignored"},
                 NotifiesWhenEmpty));
  list.back().needs.abilities.push_back(Ability::kUsedNotification);
  serving(Simple("pci.legacy.isr", "Reading the legacy ISR status clears it and releases INTx",
                 "4.1.4.10", kIsrClear, {"blk,level=pci:legacy-isr-not-cleared"},
                 ClearsTheLegacyIsrStatus));
}

}  // namespace

void AddPciLegacyChecks(std::vector<Check>& list) {
  AddLegacyIdChecks(list);
  AddLegacyConfigChecks(list);
  AddLegacyDrivingChecks(list);
  list.push_back(Simple("pci.legacy.any-layout",
                        "A transitional device offers ANY_LAYOUT to legacy drivers", "6.3",
                        kAnyLayout, {"blk,level=pci:legacy-any-layout-missing"}, OffersAnyLayout));
  Check cache = Simple(
      "pci.legacy.blk-cache-mode",
      "The cache mode stays when a legacy driver sets status bits and features", "5.2.5",
      kWritebackStatus,
      {"blk,level=pci:legacy-writeback-by-status", "blk,level=pci:legacy-writeback-by-features"},
      KeepsItsCacheMode);
  cache.requirements.push_back(kWritebackFeatures);
  cache.needs.device_id = device_id::kBlk;
  cache.needs.offered = {blk::kFeatureConfigWce};
  list.push_back(cache);
}

}  // namespace vitro
