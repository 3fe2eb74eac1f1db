// SPDX-License-Identifier: Apache-2.0
// The seeded faults of the reference devices. faults.def is the one list; here it becomes data and
// a compile-time checked name, so that a fault is asked for where the decision is taken:
//
//   if (fault("used-len-zero")) length = 0;
//
// A misspelt name does not compile. A device instance has at most one fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vitro::ref {

struct FaultInfo {
  std::string_view name;
  std::string_view devices;  // letters: a = admin, b = blk, e = entropy, x = experimental,
                             // z = zoned; m = the MMIO window around any of them
  std::string_view source;   // the public bug that it is modelled on, or ""
  std::string_view description;
};

inline constexpr FaultInfo kFaults[] = {
#define FAULT(name, devices, source, description) {name, devices, source, description},
#include "devices/mmio/faults.def"
#include "devices/ref/admin/faults.def"
#include "devices/ref/faults.def"
#include "devices/ref/packed_faults.def"
#include "devices/ref/suspend_faults.def"
// Those of the transports around a device.
#include "devices/pci/faults.def"
#include "devices/pci/sriov_faults.def"
#undef FAULT
};

inline std::span<const FaultInfo> AllFaults() { return kFaults; }
// nullptr if there is no such fault.
const FaultInfo* FindFault(std::string_view name);

// A fault by name, looked up when the program is compiled.
class FaultId {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): the conversion is the idiom
  consteval FaultId(const char* name) : index_(IndexOf(name)) {}
  constexpr size_t index() const { return index_; }

 private:
  static consteval size_t IndexOf(std::string_view name) {
    for (size_t i = 0; i < std::size(kFaults); ++i)
      if (kFaults[i].name == name) return i;
    throw "no fault of that name in faults.def";
  }
  size_t index_;
};

// The fault of one device instance: asks "is it this one?".
class FaultSwitch {
 public:
  FaultSwitch() = default;
  explicit FaultSwitch(const FaultInfo* info) : index_(info ? info - kFaults : -1) {}
  bool operator()(FaultId id) const { return static_cast<ptrdiff_t>(id.index()) == index_; }
  // nullptr for a device without a fault.
  const FaultInfo* info() const { return index_ < 0 ? nullptr : &kFaults[index_]; }

 private:
  ptrdiff_t index_ = -1;
};

// What the faults that end a process do.
[[noreturn]] void Crash();
[[noreturn]] void Hang();

}  // namespace vitro::ref
