// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/qemu/carriers.h"

#include "harness/virtio/mmio.h"
#include "harness/virtio/pci.h"

namespace vitro::qemu {
namespace {

constexpr uint32_t kConfigAddress = 0xcf8, kConfigData = 0xcfc;
constexpr uint32_t kConfigBytes = 256;
constexpr uint32_t kAllOnes = 0xffffffff;
constexpr int kMostCapabilities = 48;
// How a guest lets a device go: at the PCI Express slot of a root port, or at the registers that
// the ACPI tables of a pc name.
constexpr uint32_t kSlotControl = 0x18;
constexpr uint16_t kSlotPowerIndicatorOff = 3 << 8, kSlotPowerOff = 1 << 10;
constexpr uint32_t kAcpiEject = 0xae08, kAcpiBus = 0xae10;

// Interrupt lines of the I/O APIC as the boards wire them.
constexpr unsigned kFirstPirq = 16, kLastPirq = 23;  // q35: PIRQA to PIRQH, never anything else's
constexpr unsigned kPcIrq = 11;                      // pc: where we route PIRQA to PIRQD
constexpr unsigned kPcBridgeDevfn = 1 << 3;
constexpr uint32_t kPcBridgeRoutes = 0x60;
constexpr unsigned kMmioFirstIrq = 5;  // of slot 0
constexpr uint64_t kMmioBase = 0xfeb00000;
constexpr unsigned kMmioSlots = 8;

constexpr int kTurnsToInterrupt = 3;

// Messages: places in guest memory below all that drivers use.
constexpr uint64_t kMessages = 0x10000;
constexpr uint32_t kNoMessage = 0x5eafe77e;  // what stands there as long as none has come
constexpr uint32_t kMessageData = 0x4d000000;
// Where a vector points that nobody has programmed.
constexpr uint64_t kNowhere = 0;

constexpr char kSuffix[] = {'b', 'w', '?', 'l', '?', '?', '?', 'q'};
char SuffixOf(uint32_t width) { return kSuffix[(width - 1) % 8]; }

// What both carriers have in common: a machine and the lines that are the device's.
template <typename Base>
class MachineCarrier : public Base {
 public:
  MachineCarrier(std::shared_ptr<Machine> machine, unsigned first_line, unsigned last_line)
      : machine_(std::move(machine)), first_line_(first_line), last_line_(last_line) {}

  std::string name() const override { return machine_->name(); }
  Result<bool> LineAsserted() override {
    // An interrupt follows the used ring by some turns of QEMU's main loop: through a bottom half
    // and an event descriptor of its own.
    for (int turn = 0; turn < kTurnsToInterrupt; ++turn) VITRO_TRY(machine_->Turn());
    return machine_->qtest().AnyAsserted(first_line_, last_line_);
  }
  uint64_t TakeLineRises() override {
    (void)machine_->qtest().TakeIn();  // an end of QEMU shows at the next access
    return machine_->qtest().TakeRises(first_line_, last_line_);
  }
  Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) override {
    return machine_->WaitUntil(done, deadline);
  }
  Result<> Quiesce(Duration window) override { return machine_->Quiesce(window); }
  bool exact_quiet() const override { return false; }
  std::string WhyNoStimulus() const override { return machine_->WhyNoStimulus(); }
  Result<> StimulateConfigChange() override { return machine_->StimulateConfigChange(); }
  std::optional<Transport::Death> Died() override { return machine_->Died(); }
  std::string DeviceLog() override { return machine_->DeviceLog(); }

 protected:
  Result<uint64_t> ReadMemory(uint64_t address, uint32_t width) {
    return qtest().AskNumber(fmt::format("read{} {:#x}\n", SuffixOf(width), address));
  }
  Result<> WriteMemory(uint64_t address, uint32_t width, uint64_t value) {
    VITRO_TRY(qtest().Ask(fmt::format("write{} {:#x} {:#x}\n", SuffixOf(width), address, value)));
    return {};
  }
  Qtest& qtest() { return machine_->qtest(); }

  std::shared_ptr<Machine> machine_;

 private:
  const unsigned first_line_, last_line_;
};

class QemuPciFunction final : public MachineCarrier<PciFunction> {
 public:
  QemuPciFunction(std::shared_ptr<Machine> machine, unsigned first_line, unsigned last_line)
      : MachineCarrier(std::move(machine), first_line, last_line) {
    for (unsigned slot = 0; slot < kMessageSlots; ++slot) *Word(SlotAddress(slot)) = kNoMessage;
    for (uint64_t at = kNowhere; at < kNowhere + 16; at += 4) *Word(at) = kNoMessage;
  }

  Result<> Find(const std::string& board, unsigned devfn, bool behind_port) {
    if (board == "pc") {
      VITRO_TRY(Write(kPcBridgeDevfn, kPcBridgeRoutes, 4, kPcIrq * 0x01010101));
    }
    if (behind_port) VITRO_TRY(BringUpPort());
    devfn_ = behind_port ? 1 << 8 : devfn;
    behind_port_ = behind_port;
    VITRO_ASSIGN(const uint32_t ids, Read(devfn_, pci::kVendorId, 4));
    if (ids != kAllOnes) return {};
    return Fail(ErrorKind::kAttach, "QEMU has started, but {} of its {} there is no PCI function",
                behind_port ? "behind the root port" : fmt::format("in slot {}", devfn >> 3),
                behind_port ? "board" : "root bus");
  }

  Result<uint32_t> ReadConfig(uint32_t offset, uint32_t width) override {
    if (!IsNaturalAccess(offset, width, 4))
      return Fail(ErrorKind::kRefused, "no access of {} bytes at {:#x} of configuration space",
                  width, offset);
    // There is no way to what lies above: as if nobody answered.
    if (offset >= kConfigBytes) return kAllOnes >> (32 - 8 * width);
    return Read(devfn_, offset, width);
  }
  Result<> WriteConfig(uint32_t offset, uint32_t width, uint32_t value) override {
    if (!IsNaturalAccess(offset, width, 4))
      return Fail(ErrorKind::kRefused, "no access of {} bytes at {:#x} of configuration space",
                  width, offset);
    if (offset >= kConfigBytes) return {};
    return Write(devfn_, offset, width, value);
  }

  Result<uint64_t> ReadBar(unsigned bar, uint64_t offset, uint32_t width) override {
    VITRO_TRY(machine_->CheckPlugged());
    VITRO_ASSIGN(const Mapping mapping, MappingOf(bar, width));
    if (!mapping.io) return ReadMemory(mapping.address + offset, width);
    return qtest().AskNumber(
        fmt::format("in{} {:#x}\n", SuffixOf(width), mapping.address + offset));
  }
  Result<> WriteBar(unsigned bar, uint64_t offset, uint32_t width, uint64_t value) override {
    VITRO_TRY(machine_->CheckPlugged());
    VITRO_ASSIGN(const Mapping mapping, MappingOf(bar, width));
    if (!mapping.io) return WriteMemory(mapping.address + offset, width, value);
    VITRO_TRY(qtest().Ask(
        fmt::format("out{} {:#x} {:#x}\n", SuffixOf(width), mapping.address + offset, value)));
    return {};
  }
  void BarMapped(unsigned bar, uint64_t address, bool io) override {
    if (bar < mappings_.size()) mappings_[bar] = {address, io, true};
  }

  // An unplug is asked for, unless it was, and granted as an operating system does.
  Result<> StimulateConfigChange() override {
    if (!machine_->unplugs()) return machine_->StimulateConfigChange();
    VITRO_TRY(machine_->CheckPlugged());
    if (!machine_->unplug_requested()) VITRO_TRY(machine_->StimulateConfigChange());
    if (behind_port_) {
      VITRO_TRY(PowerPortOff());
    } else {
      VITRO_TRY(qtest().Ask(fmt::format("outl {:#x} 0\n", kAcpiBus)));
      VITRO_TRY(qtest().Ask(fmt::format("outl {:#x} {:#x}\n", kAcpiEject, 1u << (devfn_ >> 3))));
    }
    VITRO_TRY(machine_->AwaitUnplugged());
    VITRO_ASSIGN(const uint32_t ids, Read(devfn_, pci::kVendorId, 4));
    if (ids == kAllOnes) return machine_->CheckPlugged();
    return Fail(ErrorKind::kHarness, "QEMU has deleted the device, and its function still answers");
  }

  Message MessageOf(unsigned slot) const override {
    return {SlotAddress(slot), kMessageData | slot};
  }
  uint64_t TakeMessages(unsigned slot) override {
    if (slot >= kMessageSlots) return 0;
    const uint32_t word =
        __atomic_exchange_n(Word(SlotAddress(slot)), kNoMessage, __ATOMIC_ACQ_REL);
    if (word == kNoMessage) return 0;
    if (word == (kMessageData | slot)) return 1;
    ++strays_;
    return 0;
  }
  uint64_t TakeStrayMessages() override {
    for (unsigned slot = 0; slot < kMessageSlots; ++slot) {
      const uint32_t word = __atomic_load_n(Word(SlotAddress(slot)), __ATOMIC_ACQUIRE);
      if (word != kNoMessage && word != (kMessageData | slot)) TakeMessages(slot);
    }
    // A message is one word. More than that is a device that writes to address 0 for other reasons.
    if (__atomic_load_n(Word(kNowhere), __ATOMIC_ACQUIRE) != kNoMessage &&
        *Word(kNowhere + 4) == kNoMessage) {
      __atomic_store_n(Word(kNowhere), kNoMessage, __ATOMIC_RELEASE);
      ++strays_;
    }
    return std::exchange(strays_, 0);
  }

 private:
  struct Mapping {
    uint64_t address = 0;
    bool io = false, mapped = false;
  };

  static uint64_t SlotAddress(unsigned slot) { return kMessages + 4 * uint64_t{slot}; }
  uint32_t* Word(uint64_t address) const {
    return reinterpret_cast<uint32_t*>(machine_->low_memory() + address);
  }

  Result<Mapping> MappingOf(unsigned bar, uint32_t width) const {
    if (bar >= mappings_.size() || !mappings_[bar].mapped)
      return Fail(ErrorKind::kRefused, "BAR {} is not mapped", bar);
    if (!IsAccessWidth(width) || (mappings_[bar].io && width == 8))
      return Fail(ErrorKind::kRefused, "no access of {} bytes to BAR {}", width, bar);
    return mappings_[bar];
  }

  // Configuration mechanism 1: an address register, left alone while it already has the address,
  // and a data register. One write to the socket either way.
  std::string Select(unsigned devfn, uint32_t offset, unsigned& count) {
    const uint32_t address = 0x80000000 | devfn << 8 | (offset & 0xfc);
    count = 1;
    if (address == selected_) return "";
    selected_ = address;
    count = 2;
    return fmt::format("outl {:#x} {:#x}\n", kConfigAddress, address);
  }
  Result<uint32_t> Read(unsigned devfn, uint32_t offset, uint32_t width) {
    unsigned count = 0;
    std::string commands = Select(devfn, offset, count);
    commands += fmt::format("in{} {:#x}\n", SuffixOf(width), kConfigData + offset % 4);
    VITRO_ASSIGN(const uint64_t value, qtest().AskNumber(commands, count));
    return static_cast<uint32_t>(value);
  }
  Result<> Write(unsigned devfn, uint32_t offset, uint32_t width, uint32_t value) {
    unsigned count = 0;
    std::string commands = Select(devfn, offset, count);
    commands +=
        fmt::format("out{} {:#x} {:#x}\n", SuffixOf(width), kConfigData + offset % 4, value);
    VITRO_TRY(qtest().Ask(commands, count));
    return {};
  }

  // A bridge (type 1 header): bus 1 behind it, and windows as wide as apertures() are.
  Result<> BringUpPort() {
    const unsigned port = kPortSlot << 3;
    const Apertures all = apertures();
    VITRO_ASSIGN(const uint32_t ids, Read(port, pci::kVendorId, 4));
    if (ids == kAllOnes) return Fail(ErrorKind::kAttach, "QEMU has started without its root port");
    auto window = [](uint64_t start, uint64_t bytes) {
      const uint64_t last = start + bytes - 1;
      return static_cast<uint32_t>((start >> 16 & 0xfff0) | (last & 0xfff00000));
    };
    const uint64_t wide_last = all.prefetchable + all.prefetchable_bytes - 1;
    VITRO_TRY(Write(port, 0x18, 4, 0x00010100));  // bus numbers: primary 0, secondary 1, last 1
    VITRO_TRY(Write(
        port, 0x1c, 2,
        static_cast<uint32_t>((all.io >> 8 & 0xf0) | ((all.io + all.io_bytes - 1) & 0xf000))));
    VITRO_TRY(Write(port, 0x20, 4, window(all.memory, all.memory_bytes)));
    VITRO_TRY(Write(port, 0x24, 4, window(all.prefetchable, all.prefetchable_bytes)));
    VITRO_TRY(Write(port, 0x28, 4, static_cast<uint32_t>(all.prefetchable >> 32)));
    VITRO_TRY(Write(port, 0x2c, 4, static_cast<uint32_t>(wide_last >> 32)));
    return Write(port, pci::kCommand, 2,
                 pci::kCommandIo | pci::kCommandMemory | pci::kCommandMaster);
  }

  // Slot Control of the root port: indicator and power off, as after a hot-plug request.
  Result<> PowerPortOff() {
    const unsigned port = kPortSlot << 3;
    VITRO_ASSIGN(uint32_t at, Read(port, pci::kCapabilitiesPointer, 1));
    for (int i = 0; i < kMostCapabilities && at != 0; ++i) {
      VITRO_ASSIGN(const uint32_t head, Read(port, at, 2));
      if ((head & 0xff) == pci::kCapExpress) {
        VITRO_ASSIGN(const uint32_t control, Read(port, at + kSlotControl, 2));
        return Write(port, at + kSlotControl, 2, control | kSlotPowerIndicatorOff | kSlotPowerOff);
      }
      at = head >> 8 & 0xfc;
    }
    return Fail(ErrorKind::kHarness, "QEMU's root port has no PCI Express capability");
  }

  bool behind_port_ = false;
  unsigned devfn_ = 0;  // with the bus number above
  uint32_t selected_ = 0;
  std::array<Mapping, pci::kBars> mappings_;
  uint64_t strays_ = 0;
};

class QemuMmioWindow final : public MachineCarrier<MmioWindow> {
 public:
  QemuMmioWindow(std::shared_ptr<Machine> machine, uint64_t base, unsigned line)
      : MachineCarrier(std::move(machine), line, line), base_(base) {}

  Result<uint64_t> Read(uint64_t offset, uint32_t width) override {
    VITRO_TRY(Check(offset, width));
    return ReadMemory(base_ + offset, width);
  }
  Result<> Write(uint64_t offset, uint32_t width, uint64_t value) override {
    VITRO_TRY(Check(offset, width));
    return WriteMemory(base_ + offset, width, value);
  }
  uint64_t size() const override { return mmio::kWindowBytes; }

 private:
  Result<> Check(uint64_t offset, uint32_t width) const {
    if (!IsAccessWidth(width) || offset >= size() || width > size() - offset)
      return Fail(ErrorKind::kRefused, "no access of {} bytes at {:#x} of the window", width,
                  offset);
    return {};
  }

  const uint64_t base_;
};

}  // namespace

Result<std::unique_ptr<PciFunction>> OpenPciFunction(std::shared_ptr<Machine> machine,
                                                     const std::string& board, unsigned devfn,
                                                     bool behind_port) {
  const bool pc = board == "pc";
  auto function = std::make_unique<QemuPciFunction>(std::move(machine), pc ? kPcIrq : kFirstPirq,
                                                    pc ? kPcIrq : kLastPirq);
  VITRO_TRY(function->Find(board, devfn, behind_port));
  return function;
}

Result<std::unique_ptr<MmioWindow>> OpenMmioWindow(std::shared_ptr<Machine> machine) {
  // The board gives its slots away from the last one on.
  for (unsigned slot = kMmioSlots; slot-- > 0;) {
    const uint64_t base = kMmioBase + uint64_t{mmio::kWindowBytes} * slot;
    VITRO_ASSIGN(const uint64_t magic,
                 machine->qtest().AskNumber(fmt::format("readl {:#x}\n", base)));
    VITRO_ASSIGN(const uint64_t device_id,
                 machine->qtest().AskNumber(fmt::format("readl {:#x}\n", base + mmio::kDeviceId)));
    if (magic != mmio::kMagic || device_id == 0) continue;
    return std::make_unique<QemuMmioWindow>(std::move(machine), base, kMmioFirstIrq + slot);
  }
  return Fail(ErrorKind::kAttach, "QEMU has started, but no window of virtio-mmio has a device");
}

}  // namespace vitro::qemu
