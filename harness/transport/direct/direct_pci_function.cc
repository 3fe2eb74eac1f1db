// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/direct/direct_pci_function.h"

#include "harness/base/bytes.h"

namespace vitro {
namespace {

// Above 4 GiB, so that both halves of an address matter.
constexpr uint64_t kMessageBase = 0x1'fee00000, kMessageStride = 16;
constexpr uint32_t kMessageData = 0x5a5a0000;

}  // namespace

DirectPciFunction::DirectPciFunction() : messages_(kMessageSlots) {}

Result<std::unique_ptr<DirectPciFunction>> DirectPciFunction::Create(
    const vitro_device_ops* ops, const std::string& options, GuestMemory& memory,
    std::shared_ptr<RemoteDevice> remote) {
  std::unique_ptr<DirectPciFunction> function(new DirectPciFunction());
  DirectPciFunction* self = function.get();
  DirectDevice::Events events;
  events.message_sent = [self](uint64_t address, uint32_t data) {
    self->MessageSent(address, data);
  };
  VITRO_TRY(
      self->Open(ops, DirectLevel::kPci, options, memory, std::move(events), std::move(remote)));
  return function;
}

// Configuration space and BARs
// ----------------------------------------------------------------------------------------

Result<uint32_t> DirectPciFunction::ReadConfig(uint32_t offset, uint32_t width) {
  const uint32_t value = device().ops()->pci->config_read(device().get(), offset, width);
  return device().Checked(static_cast<uint32_t>(value & ByteMask(width)));
}

Result<> DirectPciFunction::WriteConfig(uint32_t offset, uint32_t width, uint32_t value) {
  device().ops()->pci->config_write(device().get(), offset, width, value);
  return device().Health();
}

void DirectPciFunction::BarMapped(unsigned bar, uint64_t /*address*/, bool io) {
  if (bar < bars_.size()) bars_[bar] = {true, io};
}

Result<> DirectPciFunction::CheckMapped(unsigned bar) const {
  if (bar < bars_.size() && bars_[bar].mapped) return {};
  return Fail(ErrorKind::kRefused, "BAR {} of {} is not mapped", bar, name());
}

bool DirectPciFunction::Decodes(unsigned bar) const {
  const uint32_t command = device().ops()->pci->config_read(device().get(), pci::kCommand, 2);
  return command & (bars_[bar].io ? pci::kCommandIo : pci::kCommandMemory);
}

Result<uint64_t> DirectPciFunction::ReadBar(unsigned bar, uint64_t offset, uint32_t width) {
  VITRO_TRY(CheckMapped(bar));
  uint64_t value = UINT64_MAX;
  if (!Decodes(bar) ||
      device().ops()->pci->bar_read(device().get(), bar, offset, width, &value) != 0)
    value = UINT64_MAX;
  return device().Checked(value & ByteMask(width));
}

Result<> DirectPciFunction::WriteBar(unsigned bar, uint64_t offset, uint32_t width,
                                     uint64_t value) {
  VITRO_TRY(CheckMapped(bar));
  if (Decodes(bar))
    device().ops()->pci->bar_write(device().get(), bar, offset, width, value & ByteMask(width));
  return device().Health();
}

// Interrupts
// ----------------------------------------------------------------------------------------

PciFunction::Message DirectPciFunction::MessageOf(unsigned slot) const {
  return {kMessageBase + kMessageStride * slot, kMessageData + slot};
}

void DirectPciFunction::MessageSent(uint64_t address, uint32_t data) {
  const uint64_t slot = (address - kMessageBase) / kMessageStride;
  if (address >= kMessageBase && slot < kMessageSlots) {
    const Message expected = MessageOf(static_cast<unsigned>(slot));
    if (address == expected.address && data == expected.data) {
      ++messages_[slot];
      return;
    }
  }
  ++stray_messages_;
}

uint64_t DirectPciFunction::TakeMessages(unsigned slot) {
  device().TakeIn();
  return slot < kMessageSlots ? messages_[slot].exchange(0) : 0;
}

}  // namespace vitro
