// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/interrupts.h"

#include <algorithm>
#include <utility>

#include "harness/base/bytes.h"
#include "harness/virtio/pci.h"

namespace vitro::pcidev {
namespace {

using virtio_pci::kIsrConfig;
using virtio_pci::kIsrQueue;
using virtio_pci::kNoVector;

}  // namespace

Interrupts::Interrupts(const vitro_host* host, const ref::FaultSwitch& fault, bool pin,
                       uint32_t vectors, uint32_t queues)
    : host_(host),
      fault_(fault),
      pin_(pin),
      config_vector_(kNoVector),
      queue_vectors_(queues, kNoVector),
      early_(queues),
      table_(size_t{vectors} * pci::kMsixEntryBytes),
      latched_entries_(table_.size()),
      pending_(vectors) {
  FunctionReset();
}

void Interrupts::DeviceReset() {
  std::lock_guard lock(mutex_);
  const uint16_t first = queue_vectors_.empty() ? kNoVector : queue_vectors_[0];
  ForgetEvents();
  if (fault_("messages-after-reset") && (control_ & pci::kMsixEnable) && first < vectors())
    for (int i = 0; i < 3; ++i) Send(first);
  UpdateLine();
}

void Interrupts::ForgetEvents() {
  if (!fault_("vector-kept-over-reset")) {
    config_vector_ = fault_("vector-default-zero") ? Valid(0) : kNoVector;
    std::fill(queue_vectors_.begin(), queue_vectors_.end(), config_vector_);
  }
  std::fill(pending_.begin(), pending_.end(), false);
  std::fill(early_.begin(), early_.end(), false);
  latched_.clear();
  if (fault_("intx-kept-over-reset")) return;
  cause_ = 0;
  stuck_ = false;
}

void Interrupts::ResetTable() {
  std::fill(table_.begin(), table_.end(), uint8_t{0});
  if (fault_("msix-unmasked-at-first")) return;
  for (size_t at = pci::kMsixEntryControl; at < table_.size(); at += pci::kMsixEntryBytes)
    table_[at] = pci::kMsixEntryMasked;
}

void Interrupts::FunctionReset() {
  std::lock_guard lock(mutex_);
  command_ = control_ = 0;
  if (!std::exchange(powered_on_, true) || !fault_("msix-table-survives-flr")) ResetTable();
  ForgetEvents();
  UpdateLine();
}

// ISR status and the line
// ----------------------------------------------------------------------------------------

uint8_t Interrupts::ShownIsr() const {
  if (fault_("isr-not-set")) return 0;
  uint8_t shown = cause_;
  if (fault_("isr-bits-swapped"))
    shown = static_cast<uint8_t>((cause_ & kIsrQueue) << 1 | (cause_ & kIsrConfig) >> 1);
  if (fault_("isr-config-not-set")) shown &= static_cast<uint8_t>(~kIsrConfig);
  return shown;
}

bool Interrupts::InterruptStatus() const {
  std::lock_guard lock(mutex_);
  if (control_ & pci::kMsixEnable) return false;
  return cause_ != 0 && !fault_("pci-status-interrupt-missing");
}

void Interrupts::UpdateLine() {
  const bool msix = (control_ & pci::kMsixEnable) && !fault_("intx-with-msix");
  const bool disabled = (command_ & pci::kCommandIntxDisable) && !fault_("intx-ignores-disable");
  const bool level = (cause_ != 0 || stuck_) && pin_ && !msix && !disabled;
  if (level == line_) return;
  line_ = level;
  host_->set_line(host_->context, level ? 1 : 0);
  if (level && fault_("intx-edge")) host_->set_line(host_->context, 0);
}

void Interrupts::Raise(uint8_t cause) {
  cause_ = fault_("isr-bits-overwritten") ? cause : static_cast<uint8_t>(cause_ | cause);
  // An edge for each event, also while the first has not been seen.
  if (fault_("intx-edge")) line_ = false;
  UpdateLine();
}

uint8_t Interrupts::TakeIsr() {
  std::lock_guard lock(mutex_);
  const uint8_t shown = ShownIsr();
  if (fault_("isr-not-cleared")) return shown;
  if (fault_("intx-stuck") && cause_ != 0) stuck_ = true;
  cause_ = 0;
  UpdateLine();
  return shown;
}

uint8_t Interrupts::PeekIsr() const {
  std::lock_guard lock(mutex_);
  return ShownIsr();
}

// Events
// ----------------------------------------------------------------------------------------

void Interrupts::SignalQueue(uint32_t queue) {
  std::lock_guard lock(mutex_);
  if (queue >= queue_vectors_.size()) return;
  if (!(control_ & pci::kMsixEnable)) {
    const uint16_t vector = queue_vectors_[queue];
    if (fault_("messages-when-msix-disabled") && vectors() != 0)
      Send(vector < vectors() ? vector : 0);
    return Raise(kIsrQueue);
  }
  if (fault_("intx-with-msix")) Raise(kIsrQueue);
  if (early_[queue]) {
    early_[queue] = false;
    return;
  }
  SendQueue(queue);
}

void Interrupts::SendQueue(uint32_t queue) {
  uint16_t vector = queue_vectors_[queue];
  if (fault_("vector-latched")) vector = latched_.emplace(queue, vector).first->second;
  if (vector == kNoVector && fault_("message-on-no-vector")) vector = Valid(0);
  if (vector == kNoVector) return;
  if (fault_("shared-vector-lost") && SharedWithEarlier(queue)) return;
  if (fault_("vector-wrong")) vector = static_cast<uint16_t>((vector + 1) % vectors());
  Post(vector);
}

bool Interrupts::SharedWithEarlier(uint32_t queue) const {
  const auto end = queue_vectors_.begin() + queue;
  return std::find(queue_vectors_.begin(), end, *end) != end;
}

void Interrupts::SignalConfig() {
  std::lock_guard lock(mutex_);
  if (!(control_ & pci::kMsixEnable)) {
    if (fault_("messages-when-msix-disabled") && vectors() != 0) Send(0);
    return Raise(kIsrConfig);
  }
  // Set with MSI-X as well (4.1.4.5.1), where no line goes with it.
  Raise(kIsrConfig);
  uint16_t vector = config_vector_;
  if (vector == kNoVector && fault_("config-message-on-no-vector")) vector = Valid(0);
  if (vector == kNoVector) return;
  const bool shared =
      std::find(queue_vectors_.begin(), queue_vectors_.end(), vector) != queue_vectors_.end();
  if (!(fault_("config-message-lost-when-shared") && shared)) Post(vector);
}

void Interrupts::Notified(uint32_t queue) {
  std::lock_guard lock(mutex_);
  if (fault_("isr-cleared-early") && cause_ != 0) {
    cause_ = 0;
    UpdateLine();
  }
  if (fault_("used-message-before-entry") && (control_ & pci::kMsixEnable) &&
      queue < queue_vectors_.size() && queue_vectors_[queue] != kNoVector) {
    SendQueue(queue);
    early_[queue] = true;
  }
}

// MSI-X
// ----------------------------------------------------------------------------------------

bool Interrupts::msix_enabled() const {
  std::lock_guard lock(mutex_);
  return control_ & pci::kMsixEnable;
}

uint16_t Interrupts::Valid(uint16_t vector) const {
  if (vector < vectors()) return vector;
  return fault_("vector-out-of-range-taken") && vectors() != 0 ? vector : kNoVector;
}

void Interrupts::MapConfig(uint16_t vector) {
  std::lock_guard lock(mutex_);
  config_vector_ = Valid(vector);
  LatchEntry(config_vector_);
}

void Interrupts::MapQueue(uint32_t queue, uint16_t vector) {
  std::lock_guard lock(mutex_);
  if (queue >= queue_vectors_.size()) return;
  queue_vectors_[queue] = Valid(vector);
  if (fault_("vector-register-shared"))
    std::fill(queue_vectors_.begin(), queue_vectors_.end(), Valid(vector));
  LatchEntry(queue_vectors_[queue]);
}

// Fault "msix-entry-latched".
void Interrupts::LatchEntry(uint16_t vector) {
  if (vector >= vectors()) return;
  const size_t from = size_t{vector} * pci::kMsixEntryBytes;
  std::copy_n(&table_[from], pci::kMsixEntryBytes, &latched_entries_[from]);
}

void Interrupts::UnmapQueue(uint32_t queue) { MapQueue(queue, kNoVector); }

uint16_t Interrupts::ConfigVector() const {
  std::lock_guard lock(mutex_);
  return fault_("vector-register-write-only") ? kNoVector : config_vector_;
}

uint16_t Interrupts::QueueVector(uint32_t queue) const {
  std::lock_guard lock(mutex_);
  if (queue >= queue_vectors_.size() || fault_("vector-register-write-only")) return kNoVector;
  return queue_vectors_[queue];
}

// A function that may not master the bus cannot send either: that is like a mask.
bool Interrupts::Masked(uint32_t vector) const {
  if (!(command_ & pci::kCommandMaster)) return true;
  if ((control_ & pci::kMsixFunctionMask) && !fault_("function-mask-ignored")) return true;
  return table_[vector * pci::kMsixEntryBytes + pci::kMsixEntryControl] & pci::kMsixEntryMasked;
}

void Interrupts::Post(uint32_t vector) {
  if (vector >= vectors()) return;
  if (!Masked(vector) || fault_("message-sent-while-masked")) return Send(vector);
  if (!fault_("message-lost-on-masked")) pending_[vector] = true;
}

void Interrupts::Send(uint32_t vector) {
  const auto& table = fault_("msix-entry-latched") ? latched_entries_ : table_;
  const uint8_t* entry = &table[size_t{vector} * pci::kMsixEntryBytes];
  host_->send_message(host_->context, LoadLe<uint64_t>(entry),
                      LoadLe<uint32_t>(entry + pci::kMsixEntryData));
}

void Interrupts::SendUnmasked() {
  if (!(control_ & pci::kMsixEnable)) return;
  for (uint32_t vector = 0; vector < vectors(); ++vector)
    if (pending_[vector] && !Masked(vector)) {
      if (!fault_("pending-not-cleared")) pending_[vector] = false;
      Send(vector);
    }
}

void Interrupts::SetCommand(uint16_t command) {
  std::lock_guard lock(mutex_);
  command_ = command;
  UpdateLine();
  SendUnmasked();
}

void Interrupts::SetMsixControl(uint16_t control) {
  std::lock_guard lock(mutex_);
  control_ = control;
  if (!(control & pci::kMsixEnable)) std::fill(pending_.begin(), pending_.end(), false);
  UpdateLine();
  SendUnmasked();
}

// PCI has nothing to say of other accesses.
void Interrupts::CheckAccess(uint64_t offset, uint32_t width) const {
  if ((width < 4 || offset % width != 0) && fault_("msix-odd-access-crash")) ref::Crash();
}

uint64_t Interrupts::ReadTable(uint64_t offset, uint32_t width) const {
  CheckAccess(offset, width);
  std::lock_guard lock(mutex_);
  uint64_t value = 0;
  for (uint32_t i = 0; i < width && offset + i < table_.size(); ++i)
    value |= uint64_t{table_[offset + i]} << 8 * i;
  return value;
}

void Interrupts::WriteTable(uint64_t offset, uint32_t width, uint64_t value) {
  CheckAccess(offset, width);
  std::lock_guard lock(mutex_);
  for (uint32_t i = 0; i < width && offset + i < table_.size(); ++i) {
    uint8_t byte = static_cast<uint8_t>(value >> 8 * i);
    // Of the vector control word only the mask bit is there; addresses are multiples of 4.
    const uint64_t field = (offset + i) % pci::kMsixEntryBytes;
    if (field == 0) byte &= 0xfc;
    if (field == pci::kMsixEntryControl) byte &= pci::kMsixEntryMasked;
    if (field > pci::kMsixEntryControl) byte = 0;
    table_[offset + i] = byte;
  }
  SendUnmasked();
}

uint64_t Interrupts::ReadPending(uint64_t offset, uint32_t width) const {
  std::lock_guard lock(mutex_);
  uint64_t value = 0;
  if (fault_("pending-not-shown")) return 0;
  for (uint64_t bit = 0; bit < 8 * width; ++bit)
    if (const uint64_t vector = 8 * offset + bit; vector < vectors() && pending_[vector])
      value |= uint64_t{1} << bit;
  return value;
}

}  // namespace vitro::pcidev
