// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/function_options.h"

#include <algorithm>
#include <array>
#include <bit>

#include "devices/ref/options.h"

namespace vitro::pcidev {
namespace {

constexpr std::string_view kOwn[] = {
    "transitional", "msix", "intx",        "multiplier",        "shm",
    "vendor",       "flr",  "second-caps", "notification-data", "notif-config-data",
    "ring-reset",   "vfs"};

constexpr uint64_t kMostVfs = 64;

bool IsOwn(std::string_view key, std::string_view value) {
  if (key != "fault") return std::find(std::begin(kOwn), std::end(kOwn), key) != std::end(kOwn);
  const ref::FaultInfo* info = ref::FindFault(value);
  return info != nullptr && info->devices.find('p') != std::string_view::npos;
}

void Append(std::string& list, std::string_view item) {
  if (!list.empty()) list += ',';
  list += item;
}

void Imply(const ref::FaultInfo* fault, FunctionOptions& options) {
  if (fault == nullptr) return;
  if (fault->name.starts_with("shm-")) options.shared_memory = true;
  if (fault->name.starts_with("vendor-cap-")) options.vendor = true;
  if (fault->name.starts_with("legacy-")) options.transitional = true;
  if (fault->name.starts_with("sriov-") && options.vfs == 0) options.vfs = 2;
  if (fault->name == "second-caps-dead" || fault->name == "window-bar-ignored")
    options.second_caps = true;
}

}  // namespace

FunctionOptions FunctionOptions::Split(std::string_view text, std::string& rest,
                                       std::string& problem) {
  std::string own;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t equals = std::min(item.find('='), item.size());
    const bool is_own =
        IsOwn(item.substr(0, equals), item.substr(std::min(equals + 1, item.size())));
    Append(is_own ? own : rest, item);
  }
  ref::Options parsed(own);
  auto flag = [&](std::string_view key, bool fallback) {
    return parsed.Number(key, fallback ? 1 : 0, 0, 1) != 0;
  };
  FunctionOptions options;
  options.transitional = flag("transitional", false);
  if (parsed.Has("msix"))
    options.msix_vectors = static_cast<uint32_t>(parsed.Number("msix", 0, 0, 2048));
  options.intx = flag("intx", true);
  options.multiplier = static_cast<uint32_t>(parsed.Number("multiplier", 4, 0, 65536));
  options.shared_memory = flag("shm", false);
  options.vendor = flag("vendor", false);
  options.flr = flag("flr", true);
  options.vfs = static_cast<uint32_t>(parsed.Number("vfs", 0, 0, kMostVfs));
  options.second_caps = flag("second-caps", false);
  options.notification_data = flag("notification-data", true);
  options.notif_config_data = flag("notif-config-data", true);
  options.ring_reset = flag("ring-reset", true);
  const std::string fault = parsed.Text("fault", "");
  options.fault = ref::FaultSwitch(fault.empty() ? nullptr : ref::FindFault(fault));
  Imply(options.fault.info(), options);
  if (options.fault("notify-multiplier-odd")) options.multiplier = 3;
  if (options.fault("interrupt-pin-missing")) options.intx = false;
  if (options.fault("msix-table-oversized")) options.msix_vectors = 2048;
  if (options.fault("msix-one-vector")) options.msix_vectors = 1;
  const uint32_t least = options.notification_data ? 4 : 2;
  if (options.multiplier != 0 && !options.fault("notify-multiplier-odd") &&
      (!std::has_single_bit(options.multiplier) || options.multiplier < least))
    parsed.Complain("option 'multiplier' is 0 or a power of 2, at least 4 with NOTIFICATION_DATA");
  if (options.second_caps && options.shared_memory)
    parsed.Complain("options 'shm' and 'second-caps' do not fit into one configuration space");
  if (options.vfs != 0 && (options.transitional || !options.flr))
    parsed.Complain("option 'vfs' needs a function with flr=1 that is not transitional");
  problem = parsed.Problem();
  // The device inside must do without VERSION_1 and FEATURES_OK then.
  if (options.transitional) Append(rest, "legacy=1");
  return options;
}

}  // namespace vitro::pcidev
