// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/member.h"

#include <algorithm>
#include <bit>
#include <span>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "harness/virtio/status.h"

namespace vitro::pcidev {
namespace {

namespace common = virtio_pci::common;
namespace legacy = virtio_pci::legacy;
namespace xp = experimental;

struct Field {
  uint64_t offset, bytes;
};
constexpr Field kCommonFields[] = {
    {legacy::kDeviceFeatures, 4}, {legacy::kDriverFeatures, 4}, {legacy::kQueueAddress, 4},
    {legacy::kQueueSize, 2},      {legacy::kQueueSelect, 2},    {legacy::kQueueNotify, 2},
    {legacy::kDeviceStatus, 1},   {legacy::kIsrStatus, 1},
};

// Where fields of the device-specific configuration begin.
constexpr uint32_t kBlkFields[] = {0,  8,  12, 16, 18, 19, 20, 24, 25, 26, 28, 32,
                                   33, 34, 36, 40, 44, 48, 52, 56, 57, 58, 59, 60,
                                   64, 68, 72, 76, 80, 84, 88, 92, 93, 94, 95, blk::kConfigSize};
constexpr uint32_t kExperimentalFields[] = {
    xp::kConfigVersion,   xp::kConfigLimit,     xp::kConfigCommand, xp::kConfigCounter,
    xp::kConfigGated,     xp::kConfigReserved,  xp::kConfigWide,    xp::kConfigTearable,
    xp::kConfigThreshold, xp::kConfigReserved2, xp::kConfigActions, xp::kConfigApplied,
    xp::kConfigShared,    xp::kConfigSize};

std::span<const uint32_t> FieldStarts(uint32_t device_id) {
  if (device_id == device_id::kBlk) return kBlkFields;
  if (device_id == device_id::kExperimental) return kExperimentalFields;
  return {};
}

bool Straddles(uint64_t offset, uint64_t length, uint64_t boundary) {
  return offset < boundary && boundary < offset + length;
}

Bytes Reversed(ByteView bytes) { return Bytes(bytes.rbegin(), bytes.rend()); }

Bytes FeatureBytes(FeatureSet features) {
  Bytes bytes = LeBytes(features.word(0), 16);
  StoreLe<uint64_t>(&bytes[8], features.word(1));
  return bytes;
}

FeatureSet FeaturesOf(const Bytes& bytes) {
  return FeatureSet::FromWords(LoadLe<uint64_t>(&bytes[0]), LoadLe<uint64_t>(&bytes[8]));
}

}  // namespace

std::unique_ptr<Member> Member::Create(const vitro_device_ops* core, const vitro_host* host,
                                       const FunctionOptions& options,
                                       const std::string& core_options) {
  std::unique_ptr<Member> member(new Member(options));
  member->function_ = Function::CreateVirtual(core, host, options, core_options);
  if (member->function_ == nullptr) return nullptr;
  member->function_->OnReset([self = member.get()] {
    if (!self->fault_("sriov-parts-survive-reset")) self->staged_.clear();
  });
  return member;
}

void Member::PowerOn() {
  function_->ResetFunction();
  staged_.clear();
  stopped_ = stops_later_ = false;
  sets_ = 0;
}

bool Member::Run() {
  if (stopped_ && !stops_later_ && !fault_("sriov-stop-ignored")) return false;
  const bool any = function_->Run();
  if (!any) stops_later_ = false;
  return any;
}

uint32_t Member::ConfigRead(uint32_t offset, uint32_t width) {
  if (stopped_ && fault_("sriov-stop-reads-ones")) return UINT32_MAX >> (32 - 8 * width);
  return function_->ConfigRead(offset, width);
}

void Member::ConfigWrite(uint32_t offset, uint32_t width, uint32_t value) {
  if (stopped_ && fault_("sriov-stop-config-ignored")) return;
  const Parts before = staged_;
  function_->ConfigWrite(offset, width, value);
  if (fault_("sriov-parts-survive-flr")) staged_ = before;
}

// Legacy access (2.12.1.1)
// ---------------------------------------------------------------------------

void Member::ReadLegacy(uint64_t offset, Bytes& data) {
  // As one access where there can be one.
  const size_t step = std::has_single_bit(data.size()) ? data.size() : 1;
  for (size_t i = 0; i < data.size(); i += step) {
    uint64_t value = UINT64_MAX;
    function_->legacy().Read(offset + i, static_cast<uint32_t>(step), value);
    for (size_t j = 0; j < step; ++j) data[i + j] = static_cast<uint8_t>(value >> 8 * j);
  }
  if (fault_("sriov-legacy-read-big-endian")) data = Reversed(data);
}

bool Member::WriteLegacy(uint64_t offset, ByteView data) {
  const Bytes bytes =
      fault_("sriov-legacy-write-big-endian") ? Reversed(data) : Bytes(data.begin(), data.end());
  const bool taken =
      function_->legacy().Write(offset, static_cast<uint32_t>(bytes.size()), LoadLe(bytes));
  if (function_->legacy().TakeResetRequest()) function_->ResetDevice();
  return taken;
}

std::optional<Bytes> Member::ReadCommon(uint32_t offset, uint64_t length) {
  const bool one =
      std::any_of(std::begin(kCommonFields), std::end(kCommonFields), [&](const Field& field) {
        return length != 0 && offset >= field.offset &&
               offset + length <= field.offset + field.bytes;
      });
  const bool within = length != 0 && offset + length <= legacy::kBytes;
  if (!one && !(within && fault_("sriov-legacy-straddle-ok")) &&
      !(!within && length <= 8 && fault_("sriov-legacy-beyond-ok")))
    return std::nullopt;
  Bytes data(length);
  if (fault_("sriov-legacy-read-zeros")) return data;
  if (!within) return data;
  ReadLegacy(offset, data);
  return data;
}

bool Member::WriteCommon(uint32_t offset, ByteView data) {
  const bool one = std::any_of(
      std::begin(kCommonFields), std::end(kCommonFields),
      [&](const Field& field) { return offset == field.offset && data.size() == field.bytes; });
  if (one && offset == legacy::kQueueNotify) {
    Notify(LoadLe<uint16_t>(data.data()));
    return true;
  }
  if (one && fault_("sriov-legacy-write-lost") && offset != legacy::kDeviceStatus) return true;
  if (one) return WriteLegacy(offset, data);
  const bool within = !data.empty() && offset + data.size() <= legacy::kBytes;
  return (within && fault_("sriov-legacy-straddle-ok")) ||
         (!within && !data.empty() && fault_("sriov-legacy-beyond-ok"));
}

bool Member::OneConfigField(uint32_t offset, uint64_t length) const {
  const uint32_t size = function_->side().identity().config_size;
  if (length == 0 || length > 8) return false;
  if (offset + length > size) return fault_("sriov-legacy-config-beyond-ok");
  if (fault_("sriov-legacy-config-straddle-ok")) return true;
  const auto starts = FieldStarts(function_->side().identity().device_id);
  if (starts.empty()) return std::has_single_bit(length) && offset % length == 0;
  return std::none_of(starts.begin(), starts.end(),
                      [&](uint32_t start) { return Straddles(offset, length, start); });
}

std::optional<Bytes> Member::ReadConfig(uint32_t offset, uint64_t length) {
  if (!OneConfigField(offset, length)) return std::nullopt;
  Bytes data(length);
  const uint64_t shift = fault_("sriov-legacy-config-read-shifted") && offset != 0 ? 1 : 0;
  ReadLegacy(function_->legacy().ConfigOffset() + offset - shift, data);
  return data;
}

bool Member::WriteConfig(uint32_t offset, ByteView data) {
  if (!OneConfigField(offset, data.size())) return false;
  if (fault_("sriov-legacy-config-write-lost")) return true;
  // Read-only fields take a write and stay.
  WriteLegacy(function_->legacy().ConfigOffset() + offset, data);
  return true;
}

void Member::Notify(uint16_t queue) {
  if (stopped_ && fault_("sriov-stop-kick-lost")) return;
  if (stopped_ && fault_("sriov-stop-signals")) function_->interrupts().SignalQueue(queue);
  Bytes data = LeBytes(queue, 2);
  WriteLegacy(legacy::kQueueNotify, data);
}

// Mode (2.12.1.4.3.4)
// -------------------------------------------------------------------------------

void Member::Stop() {
  if (stopped_) return;
  if (fault_("sriov-stop-early")) {
    stops_later_ = true;
  } else {
    while (function_->Run()) {
    }
  }
  stopped_ = true;
  if (fault_("sriov-stop-pme"))
    function_->space().Store(function_->layout().power + pci::kPowerControl, 2,
                             pci::kPowerPmeStatus);
  if (!fault_("sriov-stop-ignored") && !fault_("sriov-stop-early"))
    function_->side().HoldNotifications();
}

void Member::Resume() {
  if (!stopped_) return;
  stopped_ = stops_later_ = false;
  if (!staged_.empty()) {
    const Parts parts = GetParts();
    staged_.clear();
    if (EncodeParts(parts) != EncodeParts(Capture())) Apply(parts);
  }
  function_->side().ReleaseNotifications();
}

// Parts (2.14)
// --------------------------------------------------------------------------------------

Part Member::QueuePart(uint32_t index) {
  DeviceSide& side = function_->side();
  const QueueState& queue = side.queue(index);
  Bytes value(admin::kVqCfgBytes);
  const uint32_t size = queue.size == 0 ? side.QueueMax(index) : queue.size;
  StoreLe<uint16_t>(&value[admin::kVqCfgSize], static_cast<uint16_t>(size));
  StoreLe<uint16_t>(&value[admin::kVqCfgVector], function_->interrupts().QueueVector(index));
  StoreLe<uint16_t>(&value[admin::kVqCfgEnabled], queue.enabled ? 1 : 0);
  StoreLe<uint64_t>(&value[admin::kVqCfgDesc], queue.desc);
  StoreLe<uint64_t>(&value[admin::kVqCfgDriver], queue.driver);
  StoreLe<uint64_t>(&value[admin::kVqCfgDevice], queue.device);
  return Part::Of(admin::kPartVqCfg, index, std::move(value));
}

Parts Member::Capture() {
  DeviceSide& side = function_->side();
  Parts parts;
  parts.push_back(
      Part::Of(admin::kPartDevFeatures, 0, FeatureBytes(side.Offered()), admin::kPartOptional));
  parts.push_back(Part::Of(admin::kPartDrvFeatures, 0, FeatureBytes(side.accepted())));
  parts.push_back(Part::Of(admin::kPartPciCommonCfg, common::kNumQueues,
                           LeBytes(side.identity().queue_count, 2)));
  uint64_t status = 0;
  function_->legacy().Read(legacy::kDeviceStatus, 1, status);
  parts.push_back(Part::Of(admin::kPartDeviceStatus, 0, LeBytes(status, 1)));
  for (uint32_t queue = 0; queue < side.queue_count(); ++queue) parts.push_back(QueuePart(queue));
  for (uint32_t queue = 0; queue < side.queue_count(); ++queue)
    parts.push_back(Part::Of(admin::kPartVqNotifyCfg, queue,
                             LeBytes(queue | uint64_t{DeviceSide::NotifConfigData(queue)} << 16,
                                     admin::kVqNotifyCfgBytes)));
  return parts;
}

Parts Member::GetParts() {
  Parts parts = Capture();
  for (Part& part : parts)
    if (const Part* set = Find(staged_, part)) part.value = set->value;
  return parts;
}

bool Member::SetParts(const Parts& parts) {
  const Parts now = GetParts();
  for (const Part& part : parts) {
    const Part* have = Find(now, part);
    if (have == nullptr) return false;
    if (have->length != part.length && !fault_("sriov-parts-length-ignored")) return false;
    const bool fixed =
        part.type == admin::kPartDevFeatures || part.type == admin::kPartPciCommonCfg;
    const bool set_all_the_same =
        (part.type == admin::kPartDevFeatures && fault_("sriov-parts-dev-features-set")) ||
        (part.type == admin::kPartPciCommonCfg && fault_("sriov-parts-read-only-set"));
    if (fixed && have->value != part.value && !set_all_the_same) return false;
  }
  if (++sets_ > 1 && fault_("sriov-parts-set-once")) return false;
  for (const Part& part : parts) {
    if (Find(now, part)->length != part.length) continue;
    std::erase_if(staged_, [&](const Part& each) { return each.SameAs(part); });
    staged_.push_back(part);
  }
  return true;
}

void Member::Apply(const Parts& parts) {
  const auto value = [&](uint16_t type) { return Find(parts, Part{.type = type})->value; };
  const uint8_t status = value(admin::kPartDeviceStatus)[0];
  const FeatureSet features = FeaturesOf(value(admin::kPartDrvFeatures));
  // Without FEATURES_OK it is a legacy driver's device that runs.
  const bool legacy_driver =
      (status & (status::kFeaturesOk | status::kDriverOk)) == status::kDriverOk;
  function_->ResetDevice();
  if (legacy_driver) {
    WriteLegacy(legacy::kDriverFeatures, LeBytes(features.word(0), 4));
  } else {
    function_->side().Accept(features);
    function_->side().WriteStatus(status & static_cast<uint8_t>(~status::kDriverOk));
  }
  for (const Part& part : parts)
    if (part.type == admin::kPartVqCfg)
      ApplyQueue(static_cast<uint32_t>(part.selector), part.value);
  if (legacy_driver)
    WriteLegacy(legacy::kDeviceStatus, LeBytes(status, 1));
  else
    function_->side().WriteStatus(status);
}

void Member::ApplyQueue(uint32_t index, const Bytes& value) {
  DeviceSide& side = function_->side();
  if (index >= side.queue_count()) return;
  QueueState& queue = side.queue(index);
  queue.size = LoadLe<uint16_t>(&value[admin::kVqCfgSize]);
  queue.desc = LoadLe<uint64_t>(&value[admin::kVqCfgDesc]);
  queue.driver = LoadLe<uint64_t>(&value[admin::kVqCfgDriver]);
  queue.device = LoadLe<uint64_t>(&value[admin::kVqCfgDevice]);
  queue.legacy_address = static_cast<uint32_t>(queue.desc / legacy::kQueueAlign);
  function_->interrupts().MapQueue(index, LoadLe<uint16_t>(&value[admin::kVqCfgVector]));
  if (LoadLe<uint16_t>(&value[admin::kVqCfgEnabled]) != 0) side.EnableQueue(index);
}

}  // namespace vitro::pcidev
