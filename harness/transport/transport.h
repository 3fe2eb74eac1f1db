// SPDX-License-Identifier: Apache-2.0
// Transport: what a driver can do to a device at the core level, whatever carries it (chapter 4 in
// general; each kind has its folder). Registers and notifications only: rings live in guest memory
// and belong to harness/driver.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "harness/base/bytes.h"
#include "harness/base/deadline.h"
#include "harness/base/result.h"
#include "harness/memory/guest_memory.h"
#include "harness/virtio/features.h"

namespace vitro {

// What can be seen or done through an attachment. What is missing is "not observable here".
enum class Ability {
  kDeviceStatus,          // the device itself keeps the device status (2.1), FEATURES_OK included
  kReset,                 // device reset reaches the device (2.4)
  kConfigSpace,           // config space reads (2.5)
  kConfigWrite,           // config space writes
  kGeneration,            // config generation (2.5.1)
  kConfigNotification,    // device configuration change notifications (2.3)
  kQueueReset,            // virtqueue reset (2.6.1)
  kDeviceId,              // the device tells its type
  kStimulus,              // "change your config now"
  kExactQuiet,            // "nothing more will happen" is known, not guessed from a time window
  kUnofferedBits,         // feature bits that were not offered can be accepted on purpose
  kUsedNotification,      // used buffer notifications can be seen and counted (2.3)
  kQueuesBeforeDriverOk,  // queues reach the device when they are set up, not only at DRIVER_OK
  kPciFunction,           // the device is a PCI function of its own, with all its registers (4.1)
  kMmioWindow,            // the device is an MMIO register window of its own (4.2)
  kInterruptPlans,        // the driver chooses how interrupts travel (4.1.5.1.2); also around a
                          // device that is no PCI function itself
};
inline constexpr int kAbilityCount = 16;
const char* Name(Ability ability);

// The set of abilities, and for each missing one the reason, in a phrase.
class Abilities {
 public:
  void Allow(Ability ability) {
    why_not_.erase(ability);
    allowed_[ability] = true;
  }
  void Deny(Ability ability, std::string why) {
    allowed_[ability] = false;
    why_not_[ability] = std::move(why);
  }
  // One of the two; `why` counts if it is not there.
  void Set(Ability ability, bool there, std::string why) {
    there ? Allow(ability) : Deny(ability, std::move(why));
  }
  bool Has(Ability ability) const {
    auto it = allowed_.find(ability);
    return it != allowed_.end() && it->second;
  }
  std::string WhyNot(Ability ability) const {
    auto it = why_not_.find(ability);
    return it == why_not_.end() ? "this attachment does not carry it" : it->second;
  }

 private:
  std::map<Ability, bool> allowed_;
  std::map<Ability, std::string> why_not_;
};

struct DeviceIdentity {
  std::string name;        // for people; "" if the device tells none
  uint32_t device_id = 0;  // chapter 5; 0: not told
  uint32_t vendor_id = 0;
  uint32_t queue_count = 0;  // as the device claims: not to be trusted as an allocation size
  uint32_t config_size = 0;  // bytes, as claimed
  // Administration virtqueues (2.13), beyond the others; count 0: none is known. Where registers
  // tell them, they do so only once VIRTIO_F_ADMIN_VQ has been negotiated.
  uint32_t admin_queue_index = 0;
  uint32_t admin_queue_count = 0;
  std::string level = "core";  // core, pci or mmio
  bool level_is_ours = false;  // its registers are Vitro's, around a device of a lower level
};

// Where the driver put a virtqueue (2.6): guest-physical addresses, queue size in descriptors.
struct QueueLayout {
  uint32_t size = 0;
  uint64_t desc = 0;    // descriptor area
  uint64_t driver = 0;  // driver area: the available ring
  uint64_t device = 0;  // device area: the used ring
};

// How used buffer notifications of one queue reach the driver.
enum class NotificationRoute {
  kOwn,     // by a way that no other queue that is set up uses: each is known to be this queue's
  kShared,  // by a way that others use too: one may be meant for any of them
  kNone,    // not at all: the driver polls
};

struct PciLayout;

// One live device. Not thread-safe. Any call may fail with kDeviceLost (then every later one does
// too), kTimeout or kUnsupported; a refusal that the driver can see is kRefused.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual const DeviceIdentity& identity() const = 0;
  virtual const Abilities& abilities() const = 0;

  virtual Result<FeatureSet> ReadFeatures() = 0;
  virtual Result<> AcceptFeatures(FeatureSet features) = 0;

  virtual Result<uint8_t> ReadStatus() = 0;
  // `status` is not 0: that is Reset().
  virtual Result<> WriteStatus(uint8_t status) = 0;
  // Asks for a device reset; it is complete when the status reads 0 (2.4.2).
  virtual Result<> Reset() = 0;

  // Width 1, 2, 4 or 8 bytes. kRefused where the device or carrier does not answer such an access.
  virtual Result<Bytes> ReadConfig(uint32_t offset, uint32_t width) = 0;
  virtual Result<> WriteConfig(uint32_t offset, ByteView bytes) = 0;
  virtual Result<uint32_t> ReadGeneration() = 0;

  // 0: no such queue.
  virtual Result<uint32_t> QueueMaxSize(uint32_t queue) = 0;
  // Sets up and enables.
  virtual Result<> SetupQueue(uint32_t queue, const QueueLayout& layout) = 0;
  virtual Result<> ResetQueue(uint32_t queue) = 0;
  virtual Result<> Notify(uint32_t queue) = 0;
  // With what VIRTIO_F_NOTIFICATION_DATA sends along (2.9): `next` is the available index.
  virtual Result<> NotifyWithData(uint32_t queue, uint16_t /*next*/) { return Notify(queue); }

  virtual Result<> StimulateConfigChange() = 0;

  // How many notifications arrived since this was last asked. A carrier that merges notifications
  // (an eventfd does not, an edge may) counts what it can see.
  virtual uint64_t TakeQueueNotifications(uint32_t queue) = 0;
  virtual uint64_t TakeConfigNotifications() = 0;

  // Waits until done() holds. Returns true then; false when the deadline passed, or earlier where
  // it is known that the device is at rest and nothing more will happen.
  virtual Result<bool> WaitUntil(const std::function<bool()>& done, Deadline deadline) = 0;
  // Gives the device the chance to do all it would do by itself: to rest where kExactQuiet, else
  // for `window`.
  virtual Result<> Quiesce(Duration window) = 0;

  // How notifications of that queue arrive as things stand.
  virtual NotificationRoute RouteOf(uint32_t /*queue*/) const { return NotificationRoute::kOwn; }

  // The levels with registers, pci and mmio. `region` is one of the standard's structures: for PCI
  // "pci" (configuration space of the function; 4096 bytes on that of the function with the
  // next routing id, and so on: virtual functions), "common", "notify", "isr", "device", "legacy",
  // "msix" (the table), "pba" and "bar0" to "bar5"; for MMIO "mmio". Offsets are bytes into it.
  // Nothing is done beside the access itself: not even the interrupt handler runs.
  virtual Result<uint64_t> ReadRegister(const std::string& /*region*/, uint64_t /*offset*/,
                                        uint32_t /*width*/) {
    return Fail(ErrorKind::kUnsupported, "this attachment has no registers");
  }
  virtual Result<> WriteRegister(const std::string& /*region*/, uint64_t /*offset*/,
                                 uint32_t /*width*/, uint64_t /*value*/) {
    return Fail(ErrorKind::kUnsupported, "this attachment has no registers");
  }
  // The structures of a PCI function as they were found when it was attached; else nullptr.
  virtual const PciLayout* pci() const { return nullptr; }

  // How interrupts are to travel from the next set-up of queues on: a name of interrupt_plans.h.
  // With `handler` false nobody reads the ISR status or acknowledges when the line is asserted;
  // the driver does it by ReadRegister(). kRefused where the device lacks what the plan needs.
  virtual Result<> UseInterrupts(const std::string& /*plan*/, bool /*handler*/) {
    return Fail(ErrorKind::kUnsupported, "this attachment has no choice of interrupts");
  }
  // Which of a device's interfaces carries what follows: "modern", "window" (all through
  // VIRTIO_PCI_CAP_PCI_CFG, 4.1.4.9) or "legacy" (4.1.4.10). Only while the device is reset.
  // kRefused where the device has none such.
  virtual Result<> UseInterface(const std::string& /*name*/) {
    return Fail(ErrorKind::kUnsupported, "this attachment has one interface only");
  }
  // MSI-X messages of a vector since this was last asked, whatever they were for; they are counted
  // as notifications by TakeQueueNotifications() as well. `vector` UINT32_MAX: messages that belong
  // to no vector as the driver has programmed them.
  virtual uint64_t TakeMessages(uint32_t /*vector*/) { return 0; }
  // The interrupt line: its level now, and how often it was asserted since this was last asked.
  virtual Result<bool> LineAsserted() {
    return Fail(ErrorKind::kUnsupported, "this attachment has no interrupt line");
  }
  virtual uint64_t TakeLineRises() { return 0; }

  // Puts a carrier whose connection can be re-made (vhost-user) back to a fresh device;
  // kUnsupported elsewhere.
  virtual Result<> Reconnect() { return Fail(ErrorKind::kUnsupported, "nothing to reconnect"); }

  // How the device's own process ended, if it has one and it did.
  struct Death {
    bool by_signal = false;
    std::string how;  // "process 12 was killed by signal 11 (SIGSEGV)"
  };
  virtual std::optional<Death> Died() { return std::nullopt; }
  // The tail of what the device or its process said, for the report.
  virtual std::string DeviceLog() { return ""; }
};

}  // namespace vitro
