// SPDX-License-Identifier: Apache-2.0
// Member: a virtual function as a member of its owner's SR-IOV group (2.12.1.1, 2.12.1.4): its
// legacy interface, its mode, and its parts, behind the commands that reach them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "devices/pci/function.h"
#include "devices/pci/parts.h"

namespace vitro::pcidev {

class Member {
 public:
  // nullptr if the device inside refuses; it has told why.
  static std::unique_ptr<Member> Create(const vitro_device_ops* core, const vitro_host* host,
                                        const FunctionOptions& options,
                                        const std::string& core_options);

  // As after power-on: VF Enable has been set.
  void PowerOn();
  bool Run();
  uint32_t ConfigRead(uint32_t offset, uint32_t width);
  void ConfigWrite(uint32_t offset, uint32_t width, uint32_t value);

  // Legacy access. Nothing, or false, unless it is to one field.
  std::optional<Bytes> ReadCommon(uint32_t offset, uint64_t length);
  bool WriteCommon(uint32_t offset, ByteView data);
  std::optional<Bytes> ReadConfig(uint32_t offset, uint64_t length);
  bool WriteConfig(uint32_t offset, ByteView data);
  void Notify(uint16_t queue);

  bool stopped() const { return stopped_; }
  // Stops once nothing is left to do.
  void Stop();
  void Resume();
  // As they are, with what was set and has not taken effect yet.
  Parts GetParts();
  // All or nothing: false if one of them is not there, has another length, or may not change.
  bool SetParts(const Parts& parts);

 private:
  explicit Member(const FunctionOptions& options) : fault_(options.fault) {}

  bool OneConfigField(uint32_t offset, uint64_t length) const;
  // All of `data`, from `offset` of the whole structure on.
  void ReadLegacy(uint64_t offset, Bytes& data);
  bool WriteLegacy(uint64_t offset, ByteView data);
  Parts Capture();
  Part QueuePart(uint32_t queue);
  // Brings the device to what the parts say.
  void Apply(const Parts& parts);
  void ApplyQueue(uint32_t queue, const Bytes& value);

  const ref::FaultSwitch fault_;
  std::unique_ptr<Function> function_;
  bool stopped_ = false;
  bool stops_later_ = false;  // fault "sriov-stop-early"
  Parts staged_;
  uint32_t sets_ = 0;  // fault "sriov-parts-set-once"
};

}  // namespace vitro::pcidev
