// SPDX-License-Identifier: Apache-2.0
// Checks of the window of VIRTIO_PCI_CAP_PCI_CFG (4.1.4.9): what is read and written there is what
// the BAR has, in every length, and a device can be driven through it alone.
#include <algorithm>

#include "harness/transport/interrupt_plans.h"
#include "suite/checks/chapters.h"
#include "suite/checks/pci_registers.h"

namespace vitro {
namespace {

namespace common = virtio_pci::common;

constexpr const char* kWrites = "dev.pci.pci-device-layout.pci-configuration-access-capability.2";
constexpr const char* kReads = "dev.pci.pci-device-layout.pci-configuration-access-capability.3";
constexpr const char* kFields = "derived.pci.window-fields";

const VirtioCapability& Usable(Context& c, uint8_t type, const char* what) {
  const VirtioCapability* structure = LayoutOf(c).Usable(type);
  if (structure == nullptr)
    c.NotApplicable(fmt::format("the function has no {} structure within a BAR", what));
  return *structure;
}

void KeepsWhereItIsAimed(Context& c) {
  const VirtioCapability& structure = Usable(c, virtio_pci::kCommonCfg, "common configuration");
  PciWindow window(c);
  for (const uint32_t length : {4u, 2u, 1u, 4u}) {
    const uint64_t offset = structure.offset + common::kQueueSelect / 4 * 4 + (4 - length);
    window.Aim(structure.bar, offset, length);
    ReadPci(c, window.position() + virtio_pci::kCapBar, 1);
    c.Expect(Accept::Equal(structure.bar), kFields, "cap.bar of the window reads as written");
    ReadPci(c, window.position() + virtio_pci::kCapOffset, 4);
    c.Expect(Accept::Equal(offset), kFields, "cap.offset of the window reads as written");
    ReadPci(c, window.position() + virtio_pci::kCapStructLength, 4);
    c.Expect(Accept::Equal(length), kFields, "cap.length of the window reads as written");
  }
}

void ReadsAsTheBarDoes(Context& c) {
  Usable(c, virtio_pci::kCommonCfg, "common configuration");
  PciWindow window(c);
  c.Up();
  for (const auto* structure : LayoutOf(c).All(virtio_pci::kCommonCfg)) {
    if (!LayoutOf(c).InBar(*structure)) continue;
    for (const uint32_t select : {0u, 1u}) {
      StructureWrite(c, *structure, common::kDeviceFeatureSelect, 4, select);
      StructureWrite(c, *structure, common::kQueueSelect, 2, 0);
      for (const CommonRegister& each : CommonRegisters()) {
        const uint64_t right = StructureRead(c, *structure, each.offset, each.width);
        window.Aim(structure->bar, structure->offset + each.offset, each.width);
        window.Read();
        c.Expect(Accept::Equal(right), kReads,
                 fmt::format("{} reads through the window as in its BAR", each.name));
        if (c.failed()) return;
      }
    }
  }
}

void ReadsDeviceConfigAsTheBarDoes(Context& c) {
  const VirtioCapability& structure =
      Usable(c, virtio_pci::kDeviceCfg, "device-specific configuration");
  PciWindow window(c);
  c.Up();
  const uint64_t size = std::min<uint64_t>(structure.length, 24);
  for (uint64_t at = 0; at + 4 <= size; at += 4) {
    const uint64_t right = StructureRead(c, structure, at, 4);
    window.Aim(structure.bar, structure.offset + at, 4);
    window.Read();
    if (c.last().value != right && StructureRead(c, structure, at, 4) != right)
      c.NotApplicable("the device-specific configuration changes all the time");
    window.Read();
    c.Expect(Accept::Equal(right), kReads,
             fmt::format("device-specific configuration at {} reads through the window as in its "
                         "BAR",
                         at));
    if (c.failed()) return;
  }
}

void WritesWhatTheBarHas(Context& c) {
  const VirtioCapability& structure = Usable(c, virtio_pci::kCommonCfg, "common configuration");
  FindDevice(c);
  PciWindow window(c);
  for (const uint64_t select : {1, 0, 1}) {
    window.Aim(structure.bar, structure.offset + common::kDeviceFeatureSelect, 4);
    window.Write(select);
    ReadCommon(c, common::kDeviceFeatureSelect, 4);
    c.Expect(Accept::Equal(select), kWrites, "4 bytes are written through the window");
  }
  // Two bytes of the four, and one: what stands beside them stays.
  const uint64_t size = QueueRead(c, 0, common::kQueueSize, 2);
  for (const bool wide : {false, true}) {
    if (size < 4) break;
    WriteCommon(c, common::kQueueSelect, 2, 0);
    const uint64_t vector = ReadCommon(c, common::kQueueMsixVector, 2);
    window.Aim(structure.bar, structure.offset + common::kQueueSize, 2);
    // The upper half is none of a window of 2 bytes.
    window.Write(wide ? 0x00070000 | size / 2 : size / 2, wide ? 4 : 2);
    ReadCommon(c, common::kQueueSize, 2);
    c.Expect(Accept::Equal(size / 2), kWrites, "2 bytes are written through the window");
    ReadCommon(c, common::kQueueMsixVector, 2);
    c.Expect(Accept::Equal(vector), kWrites, "no more than 2 bytes are written through the window");
    WriteCommon(c, common::kQueueSize, 2, size);
  }
  for (const bool wide : {false, true}) {
    c.Reset();
    WriteCommon(c, common::kQueueSelect, 2, 0);
    window.Aim(structure.bar, structure.offset + common::kDeviceStatus, 1);
    const uint64_t beside = wide ? 0x00010000 : 0;  // this would be queue_select 1
    window.Write(beside | status::kAcknowledge, wide ? 4 : 1);
    ReadCommon(c, common::kDeviceStatus, 1);
    c.Expect(Accept::Equal(status::kAcknowledge), kWrites,
             "one byte is written through the window");
    ReadCommon(c, common::kQueueSelect, 2);
    c.Expect(Accept::Equal(0), kWrites, "no more than one byte is written through the window");
    window.Read();
    c.Expect(Accept::Equal(status::kAcknowledge), kReads, "one byte is read through the window");
  }
}

// Reading ISR status by the window is reading it (4.1.4.5).
void ClearsIsrStatus(Context& c) {
  const VirtioCapability& isr = Usable(c, virtio_pci::kIsrCfg, "ISR status");
  PciWindow window(c);
  c.Up();
  c.Reset();
  op::Interrupts intx{std::string(interrupts::kIntx)};
  intx.handler = 0;
  if (c.Do(intx).refused) c.NotApplicable("the function has no interrupt pin");
  c.Up({.prepare = false});
  for (uint64_t n = 0; n < 2; ++n) {
    const Exchange request = c.grammar().Request(n);
    c.Publish(request);
    c.Notify(request.queue);
    c.WaitUsed(request.queue, 1);
    c.Do(op::WaitLine{1});
    if (c.last().value != 1) c.NotApplicable("no interrupt came for a used buffer");
    window.Aim(isr.bar, isr.offset, 1);
    window.Read();
    c.Expect(Accept::Masked(virtio_pci::kIsrQueue, virtio_pci::kIsrQueue), kReads,
             "ISR status reads through the window with the bit of queues set");
    StructureRead(c, isr, 0, 1);
    c.Expect(Accept::Masked(virtio_pci::kIsrQueue, 0), kReads,
             "ISR status is clear once it was read through the window");
    if (c.failed()) return;
  }
}

void CanBeDrivenThroughTheWindow(Context& c) {
  c.Up();
  c.Reset();
  if (c.Do(op::Interface{"window"}).refused)
    c.NotApplicable("the function has no configuration access capability");
  c.Up();
  c.Works(kWrites);
  c.Reset();
  c.Do(op::Interface{"modern"});
  c.Up();
  c.Submit(c.grammar().Request(0), kWrites);
}

}  // namespace

void AddPciWindowChecks(std::vector<Check>& list) {
  const Needs function{.abilities = {Ability::kPciFunction}};
  const Needs serving{.abilities = {Ability::kPciFunction}, .requests = true};
  list.push_back({
      .id = "pci.window.fields",
      .title = "The driver can write bar, offset and length of the configuration access capability",
      .section = "4.1.4.9",
      .requirements = {kFields},
      .tags = {"pci"},
      .needs = function,
      .faults = {"blk,level=pci:window-fields-read-only"},
      .run = KeepsWhereItIsAimed,
  });
  list.push_back({
      .id = "pci.window.reads",
      .title = "Every common configuration register reads through the window as in its BAR",
      .section = "4.1.4.9",
      .requirements = {kReads},
      .tags = {"pci"},
      .needs = function,
      .faults = {"blk,level=pci:window-read-fixed", "blk,level=pci:window-bar-ignored"},
      .run = ReadsAsTheBarDoes,
  });
  list.push_back({
      .id = "pci.window.reads-device",
      .title = "Device-specific configuration reads through the window as in its BAR",
      .section = "4.1.4.9",
      .requirements = {kReads},
      .tags = {"pci"},
      .needs = function,
      .faults = {"blk,level=pci:window-read-fixed"},
      .run = ReadsDeviceConfigAsTheBarDoes,
  });
  list.push_back({
      .id = "pci.window.writes",
      .title = "A write through the window is one of the window's length to the BAR",
      .section = "4.1.4.9",
      .requirements = {kWrites, kReads},
      .tags = {"pci"},
      .needs = function,
      .faults = {"blk,level=pci:window-write-lost", "blk,level=pci:window-length-ignored"},
      .run = WritesWhatTheBarHas,
  });
  list.push_back({
      .id = "pci.window.isr",
      .title = "Reading ISR status through the window clears it",
      .section = "4.1.4.9",
      .requirements = {kReads},
      .tags = {"pci"},
      .needs = serving,
      .faults = {"blk,level=pci:window-isr-not-cleared"},
      .run = ClearsIsrStatus,
  });
  list.push_back({
      .id = "pci.window.traffic",
      .title = "The device can be initialised and driven through the window alone",
      .section = "4.1.4.9",
      .requirements = {kWrites},
      .tags = {"pci"},
      .needs = serving,
      .faults = {"blk,level=pci:window-write-lost"},
      .run = CanBeDrivenThroughTheWindow,
  });
}

}  // namespace vitro
