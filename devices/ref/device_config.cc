// SPDX-License-Identifier: Apache-2.0
// The configuration space of the reference devices (2.5).
#include <algorithm>

#include "devices/ref/device_core.h"
#include "harness/virtio/experimental.h"

namespace vitro::ref {

bool DeviceCore::FieldShown(unsigned feature_bit) const {
  if (fault("config-gate-ignored")) return true;
  return FeaturesOk() ? features_.Has(feature_bit) : DeviceFeatures().Has(feature_bit);
}

Bytes DeviceCore::VisibleConfig() const {
  Bytes image = ConfigImage();
  for (const auto& [offset, byte] : overlay_)
    if (offset < image.size()) image[offset] = byte;
  if (fault("config-differs-again") && FeaturesOk() && negotiations_ % 2 == 0) image.back() ^= 1;
  return image;
}

// Fault "config-read-past-end-leaks": whatever lies there, another byte each time.
bool DeviceCore::ReadPastEnd(uint32_t offset, uint8_t* to, uint32_t width) {
  const Bytes image = VisibleConfig();
  for (uint32_t i = 0; i < width; ++i)
    to[i] = offset + i < image.size() ? image[offset + i] : static_cast<uint8_t>(leak_ += 0x9d);
  return true;
}

bool DeviceCore::ConfigRead(uint32_t offset, void* value, uint32_t width) {
  auto* to = static_cast<uint8_t*>(value);
  const Bytes image = VisibleConfig();
  if (!IsAccessWidth(width)) return false;
  if (fault("config-unaligned-crash") && offset % width != 0) Crash();
  if (offset > image.size() || width > image.size() - offset) {
    if (fault("config-read-past-end-leaks") && offset < UINT32_MAX - 8)
      return ReadPastEnd(offset, to, width);
    return false;
  }
  if (fault("config-unreadable-before-features-ok") && !FeaturesOk()) return false;
  if (fault("gated-field-refused") && offset == experimental::kConfigGated &&
      features_.Contains({experimental::kFeatureGated, feature::kEventIdx}))
    return false;
  if (fault("config-byte-reads-wrong") && width == 1) offset &= ~3u;
  Saw(Act::kConfigRead);
  if (generation_owed_ && offset % 8 < 4) {
    generation_owed_ = false;
    ++generation_;
  }
  std::copy_n(image.begin() + offset, width, to);
  if (fault("config-zero-before-features-ok") && !FeaturesOk()) std::fill_n(to, width, uint8_t{0});
  if (fault("config-generation-restless")) ++generation_;
  return true;
}

bool DeviceCore::ConfigWrite(uint32_t offset, const void* value, uint32_t width) {
  if (!IsAccessWidth(width)) return false;
  const ByteView bytes(static_cast<const uint8_t*>(value), width);
  bool result = false;
  if (WriteConfigFaults(offset, bytes, result)) return result;
  return WriteConfigField(offset, bytes);
}

// A write is taken whole or not at all.
bool DeviceCore::WriteConfigField(uint32_t offset, ByteView bytes) {
  const size_t size = ConfigImage().size();
  if (offset > size || bytes.size() > size - offset) return false;
  // A driver may not write before it has negotiated (3.1.1 step 4), but a legacy one (3.1.2).
  if (!FeaturesOk() && !legacy_ && !fault("config-acts-before-features-ok")) return false;
  // Ignored, not refused (3.4.2).
  if (Suspended() && !fault("suspend-config-written")) return true;
  for (uint32_t i = 0; i < bytes.size(); ++i)
    if (!ConfigWritable(offset + i)) return false;
  if (!AcceptConfigWrite(offset, bytes)) return false;
  for (uint32_t i = 0; i < bytes.size(); ++i) WriteConfigByte(offset + i, bytes[i]);
  ConfigWritten(offset, static_cast<uint32_t>(bytes.size()));
  return true;
}

void DeviceCore::SetConfigByte(uint32_t offset, uint8_t byte) {
  ConfigWritable(offset) ? WriteConfigByte(offset, byte) : void(overlay_[offset] = byte);
}

// True if a fault took the write; `result` is then what the driver is told.
bool DeviceCore::WriteConfigFaults(uint32_t offset, ByteView bytes, bool& result) {
  const Bytes image = VisibleConfig();
  const bool inside = offset <= image.size() && bytes.size() <= image.size() - offset;
  if (fault("config-write-past-end") && !inside && !image.empty()) {
    overlay_[0] = static_cast<uint8_t>(~image[0]);
    return result = true;
  }
  const auto width = static_cast<uint32_t>(bytes.size());
  if (fault("config-unaligned-crash") && offset % width != 0) Crash();
  if (!FeaturesOk() || !inside) return false;
  const bool read_only_half = fault("config-read-only-half-writable") && !ConfigWritable(offset) &&
                              offset % 8 >= 4 && offset % 8 + width <= 8;
  const bool run_over = fault("config-run-over-taken") && ConfigWritable(offset);
  if (fault("config-read-only-writable") || read_only_half || run_over) {
    for (uint32_t i = 0; i < width; ++i) SetConfigByte(offset + i, bytes[i]);
    ConfigWritten(offset, width);
    return result = true;
  }
  if (fault("config-unaligned-rounds-down") && offset % width != 0) {
    WriteConfigField(offset - offset % width, bytes);
    return result = true;
  }
  if (fault("config-halfword-swapped") && width == 2) {
    result = WriteConfigField(offset, Bytes{bytes[1], bytes[0]});
    return true;
  }
  if (fault("config-write-hits-neighbour") && bytes.size() == 1 && ConfigWritable(offset)) {
    result = WriteConfigField(offset, bytes);
    for (uint32_t at = offset + 1; at < offset + 4 && at < image.size(); ++at)
      if (ConfigWritable(at)) WriteConfigByte(at, 0);
    return true;
  }
  return false;
}

void DeviceCore::MoveGeneration() {
  if (fault("config-generation-on-low-half")) {
    generation_owed_ = true;
  } else if (!fault("config-generation-static")) {
    ++generation_;
  }
}

uint32_t DeviceCore::ConfigGeneration() {
  Saw(Act::kGenerationRead);
  return fault("config-generation-8-bit") ? generation_ & 0xff : generation_;
}

void DeviceCore::ConfigChanged() {
  MoveGeneration();
  // Before DRIVER_OK there is nobody to notify: the driver reads the config when it gets there.
  if (Suspended() && !fault("suspend-config-told-at-once"))
    config_news_ = true;
  else if ((DriverOk() || Suspended()) && !fault("config-change-not-notified"))
    host_.SignalConfig();
}

bool DeviceCore::StimulateConfigChange() { return ChangeConfig(); }

}  // namespace vitro::ref
