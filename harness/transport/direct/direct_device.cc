// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/direct/direct_device.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace vitro {
namespace {

// A device that says it is busy this often in one wait without an end is not driven further: the
// caller's deadline decides, and this keeps the clock from being read on every step.
constexpr int kStepsPerClock = 16;
constexpr Duration kRestDeadline = std::chrono::seconds(10);
// How often memory is looked at where a device works when it likes, and need not notify.
constexpr Duration kFirstNap = microseconds(20), kLongestNap = milliseconds(1);

// The members from `pci` on are not in every table of version 1.
template <typename T>
bool HasMember(const vitro_device_ops* ops, T vitro_device_ops::*member) {
  const auto offset =
      reinterpret_cast<const char*>(&(ops->*member)) - reinterpret_cast<const char*>(ops);
  return ops->size >= offset + sizeof(T) && ops->*member != nullptr;
}

using Operation = std::pair<bool, const char*>;

const char* MissingCore(const vitro_device_ops* ops) {
  const Operation core[] = {{ops->offered_features, "offered_features"},
                            {ops->accept_features, "accept_features"},
                            {ops->get_status, "get_status"},
                            {ops->set_status, "set_status"},
                            {ops->reset, "reset"},
                            {ops->config_read, "config_read"},
                            {ops->config_write, "config_write"},
                            {ops->queue_max_size, "queue_max_size"},
                            {ops->queue_setup, "queue_setup"},
                            {ops->notify, "notify"}};
  for (auto [there, name] : core)
    if (!there) return name;
  return nullptr;
}

const char* MissingPci(const vitro_device_ops* ops) {
  if (!HasMember(ops, &vitro_device_ops::pci)) return "pci";
  const vitro_pci_ops& pci = *ops->pci;
  if (pci.size < sizeof pci) return "pci->bar_write";
  const Operation all[] = {{pci.config_read, "pci->config_read"},
                           {pci.config_write, "pci->config_write"},
                           {pci.bar_read, "pci->bar_read"},
                           {pci.bar_write, "pci->bar_write"}};
  for (auto [there, name] : all)
    if (!there) return name;
  return nullptr;
}

const char* MissingMmio(const vitro_device_ops* ops) {
  if (!HasMember(ops, &vitro_device_ops::mmio)) return "mmio";
  const vitro_mmio_ops& mmio = *ops->mmio;
  if (mmio.size < sizeof mmio) return "mmio->write";
  if (mmio.read == nullptr) return "mmio->read";
  return mmio.write == nullptr ? "mmio->write" : nullptr;
}

const char* Missing(const vitro_device_ops* ops, DirectLevel level) {
  switch (level) {
    case DirectLevel::kCore:
      return MissingCore(ops);
    case DirectLevel::kPci:
      return MissingPci(ops);
    case DirectLevel::kMmio:
      return MissingMmio(ops);
  }
  return "?";
}

}  // namespace

const char* Name(DirectLevel level) {
  switch (level) {
    case DirectLevel::kCore:
      return "core";
    case DirectLevel::kPci:
      return "pci";
    case DirectLevel::kMmio:
      return "mmio";
  }
  return "?";
}

Result<> DirectDevice::CheckOps(const vitro_device_ops* ops) {
  if (ops == nullptr)
    return Fail(ErrorKind::kAttach, "the device library does not serve ABI version {}",
                VITRO_ABI_VERSION);
  if (ops->abi_version != VITRO_ABI_VERSION)
    return Fail(ErrorKind::kAttach, "the device library has ABI version {}, this Vitro has {}",
                ops->abi_version, VITRO_ABI_VERSION);
  // Members are only added at the end: what version 1 began with must be there.
  if (ops->size < offsetof(vitro_device_ops, stimulate_config_change))
    return Fail(ErrorKind::kAttach,
                "the device library's operations table is {} bytes, at least {} were expected",
                ops->size, offsetof(vitro_device_ops, stimulate_config_change));
  const Operation mandatory[] = {{ops->create, "create"},
                                 {ops->destroy, "destroy"},
                                 {ops->identity, "identity"},
                                 {ops->run, "run"}};
  for (auto [there, name] : mandatory)
    if (!there) return Fail(ErrorKind::kAttach, "the device library has no operation '{}'", name);
  const char* core = MissingCore(ops);
  if (core == nullptr || MissingPci(ops) == nullptr || MissingMmio(ops) == nullptr) return {};
  return Fail(ErrorKind::kAttach, "the device library has no operation '{}'", core);
}

std::string DirectDevice::WhyNot(const vitro_device_ops* ops, DirectLevel level) {
  const char* missing = Missing(ops, level);
  if (missing == nullptr) return "";
  return fmt::format("the device library cannot be driven at level {}: it has no operation '{}'",
                     Name(level), missing);
}

DirectDevice::DirectDevice(const vitro_device_ops* ops, GuestMemory& memory, Events events)
    : ops_(ops), memory_(memory), events_(std::move(events)), host_(MakeHost()) {}

vitro_host DirectDevice::MakeHost() {
  vitro_host host{};
  host.size = sizeof host;
  host.abi_version = VITRO_ABI_VERSION;
  host.context = this;
  host.read = [](void* context, uint64_t address, void* to, uint64_t length) {
    const uint8_t* at = static_cast<DirectDevice*>(context)->memory_.At(address, length);
    if (length != 0 && at == nullptr) return -1;
    if (length != 0) std::memcpy(to, at, length);
    return 0;
  };
  host.write = [](void* context, uint64_t address, const void* from, uint64_t length) {
    uint8_t* at = static_cast<DirectDevice*>(context)->memory_.At(address, length);
    if (length != 0 && at == nullptr) return -1;
    if (length != 0) std::memcpy(at, from, length);
    return 0;
  };
  host.map = [](void* context, uint64_t address, uint64_t length) -> void* {
    return static_cast<DirectDevice*>(context)->memory_.At(address, length);
  };
  host.signal_queue = [](void* context, uint16_t queue) {
    const Events& events = static_cast<DirectDevice*>(context)->events_;
    if (events.queue_signalled) events.queue_signalled(queue);
  };
  host.signal_config = [](void* context) {
    const Events& events = static_cast<DirectDevice*>(context)->events_;
    if (events.config_signalled) events.config_signalled();
  };
  host.log = [](void* context, const char* line) {
    auto& log = static_cast<DirectDevice*>(context)->log_;
    if (log.size() < 16384) log += (log.empty() ? "" : "\n") + std::string(line);
  };
  host.send_message = [](void* context, uint64_t address, uint32_t data) {
    const Events& events = static_cast<DirectDevice*>(context)->events_;
    if (events.message_sent) events.message_sent(address, data);
  };
  host.set_line = [](void* context, int asserted) {
    const Events& events = static_cast<DirectDevice*>(context)->events_;
    if (events.line_set) events.line_set(asserted != 0);
  };
  return host;
}

Result<std::unique_ptr<DirectDevice>> DirectDevice::Create(const vitro_device_ops* ops,
                                                           DirectLevel level,
                                                           const std::string& options,
                                                           GuestMemory& memory, Events events,
                                                           std::shared_ptr<RemoteDevice> remote) {
  if (remote != nullptr) ops = remote->ops();
  VITRO_TRY(CheckOps(ops));
  if (const std::string why = WhyNot(ops, level); !why.empty())
    return Fail(ErrorKind::kAttach, "{}", why);
  std::unique_ptr<DirectDevice> device(new DirectDevice(ops, memory, std::move(events)));
  device->remote_ = std::move(remote);
  VITRO_TRY(device->Open(options));
  vitro_identity identity{};
  identity.size = sizeof identity;
  ops->identity(device->device_, &identity);
  device->identity_ = {ops->name ? ops->name : "", identity.device_id,   identity.vendor_id,
                       identity.queue_count,       identity.config_size, identity.admin_queue_index,
                       identity.admin_queue_count};
  return device;
}

Result<> DirectDevice::Open(const std::string& options) {
  if (remote_ != nullptr) {
    VITRO_ASSIGN(device_, remote_->Open(&host_, memory_));
    return {};
  }
  if (ops_->create(&host_, options.c_str(), &device_) == 0 && device_ != nullptr) return {};
  device_ = nullptr;
  return Fail(ErrorKind::kAttach, "{}: {}", ops_->name != nullptr ? ops_->name : "device",
              log_.empty() ? "create() refused without a reason" : log_);
}

DirectDevice::~DirectDevice() {
  if (device_ != nullptr) ops_->destroy(device_);
}

Result<bool> DirectDevice::WaitUntil(const std::function<bool()>& done, Deadline deadline) {
  if (!exact_quiet()) return Watch(done, deadline);
  for (int step = 1; !done(); ++step) {
    const bool worked = ops_->run(device_) != 0;
    VITRO_TRY(Health());
    if (!worked) return done();
    if (step % kStepsPerClock == 0 && deadline.Passed()) return done();
  }
  return true;
}

Result<bool> DirectDevice::Watch(const std::function<bool()>& done, Deadline deadline) {
  for (Duration nap{0};;) {
    TakeIn();
    if (done()) return true;
    VITRO_TRY(Health());
    if (deadline.Passed()) return false;
    remote_->Wait(std::min(nap, deadline.Left()));
    nap = std::clamp(nap * 2, kFirstNap, kLongestNap);
  }
}

Result<> DirectDevice::Quiesce(Duration window) {
  if (!exact_quiet()) {
    VITRO_TRY(Watch([] { return false; }, Deadline::After(window)));
    return {};
  }
  // At rest means at rest: the window of other carriers does not apply. A device that is never at
  // rest is a device's fault that the caller meets as a timeout.
  const Deadline deadline = Deadline::After(kRestDeadline);
  VITRO_TRY(WaitUntil([] { return false; }, deadline));
  if (deadline.Passed()) return Fail(ErrorKind::kTimeout, "the device did not come to rest");
  return {};
}

std::string DirectDevice::WhyNoStimulus() const {
  if (HasMember(ops_, &vitro_device_ops::stimulate_config_change)) return "";
  return "the device library has no operation 'stimulate_config_change'";
}

Result<> DirectDevice::StimulateConfigChange() {
  if (const std::string why = WhyNoStimulus(); !why.empty())
    return Fail(ErrorKind::kUnsupported, "{}", why);
  const bool changed = ops_->stimulate_config_change(device_) == 0;
  VITRO_TRY(Health());
  if (!changed)
    return Fail(ErrorKind::kRefused, "the device has nothing in its config that changes");
  return {};
}

}  // namespace vitro
