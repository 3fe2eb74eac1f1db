// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/direct/direct_transport.h"

#include <cstddef>
#include <cstring>

namespace vitro {
namespace {

// One more than the largest queue index that notifications are counted for (le16 in every
// transport).
constexpr size_t kQueues = 65536;
// A device that says it is busy this often in one wait without an end is not driven further: the
// caller's deadline decides, and this keeps the clock from being read on every step.
constexpr int kStepsPerClock = 16;
constexpr Duration kRestDeadline = std::chrono::seconds(10);

}  // namespace

Result<> DirectTransport::CheckOps(const vitro_device_ops* ops) {
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
  const std::pair<bool, const char*> mandatory[] = {{ops->create, "create"},
                                                    {ops->destroy, "destroy"},
                                                    {ops->identity, "identity"},
                                                    {ops->offered_features, "offered_features"},
                                                    {ops->accept_features, "accept_features"},
                                                    {ops->get_status, "get_status"},
                                                    {ops->set_status, "set_status"},
                                                    {ops->reset, "reset"},
                                                    {ops->config_read, "config_read"},
                                                    {ops->config_write, "config_write"},
                                                    {ops->queue_max_size, "queue_max_size"},
                                                    {ops->queue_setup, "queue_setup"},
                                                    {ops->notify, "notify"},
                                                    {ops->run, "run"}};
  for (auto [there, name] : mandatory)
    if (!there) return Fail(ErrorKind::kAttach, "the device library has no operation '{}'", name);
  return {};
}

DirectTransport::DirectTransport(const vitro_device_ops* ops, GuestMemory& memory)
    : ops_(ops), memory_(memory), host_(MakeHost()), queue_notifications_(kQueues) {}

vitro_host DirectTransport::MakeHost() {
  vitro_host host{};
  host.size = sizeof host;
  host.abi_version = VITRO_ABI_VERSION;
  host.context = this;
  host.read = [](void* context, uint64_t address, void* to, uint64_t length) {
    const uint8_t* at = static_cast<DirectTransport*>(context)->memory_.At(address, length);
    if (length != 0 && at == nullptr) return -1;
    if (length != 0) std::memcpy(to, at, length);
    return 0;
  };
  host.write = [](void* context, uint64_t address, const void* from, uint64_t length) {
    uint8_t* at = static_cast<DirectTransport*>(context)->memory_.At(address, length);
    if (length != 0 && at == nullptr) return -1;
    if (length != 0) std::memcpy(at, from, length);
    return 0;
  };
  host.map = [](void* context, uint64_t address, uint64_t length) -> void* {
    return static_cast<DirectTransport*>(context)->memory_.At(address, length);
  };
  host.signal_queue = [](void* context, uint16_t queue) {
    ++static_cast<DirectTransport*>(context)->queue_notifications_[queue];
  };
  host.signal_config = [](void* context) {
    ++static_cast<DirectTransport*>(context)->config_notifications_;
  };
  host.log = [](void* context, const char* line) {
    auto& log = static_cast<DirectTransport*>(context)->log_;
    if (log.size() < 16384) log += (log.empty() ? "" : "\n") + std::string(line);
  };
  return host;
}

Result<std::unique_ptr<DirectTransport>> DirectTransport::Create(const vitro_device_ops* ops,
                                                                 const std::string& options,
                                                                 GuestMemory& memory) {
  VITRO_TRY(CheckOps(ops));
  std::unique_ptr<DirectTransport> transport(new DirectTransport(ops, memory));
  if (ops->create(&transport->host_, options.c_str(), &transport->device_) != 0 ||
      transport->device_ == nullptr)
    return Fail(ErrorKind::kAttach, "{}: {}", ops->name ? ops->name : "device",
                transport->log_.empty() ? "create() refused without a reason" : transport->log_);

  vitro_identity identity{};
  identity.size = sizeof identity;
  ops->identity(transport->device_, &identity);
  transport->identity_ = {ops->name ? ops->name : "", identity.device_id, identity.vendor_id,
                          identity.queue_count, identity.config_size, identity.admin_queue_index,
                          identity.admin_queue_count};
  Abilities& abilities = transport->abilities_;
  for (Ability ability :
       {Ability::kDeviceStatus, Ability::kReset, Ability::kConfigSpace, Ability::kConfigWrite,
        Ability::kConfigNotification, Ability::kDeviceId, Ability::kExactQuiet,
        Ability::kUnofferedBits, Ability::kUsedNotification, Ability::kQueuesBeforeDriverOk})
    abilities.Allow(ability);
  auto optional = [&](bool there, Ability ability, const char* name) {
    if (there)
      abilities.Allow(ability);
    else
      abilities.Deny(ability, fmt::format("the device library has no operation '{}'", name));
  };
  optional(ops->config_generation, Ability::kGeneration, "config_generation");
  optional(ops->queue_reset, Ability::kQueueReset, "queue_reset");
  optional(ops->size > offsetof(vitro_device_ops, stimulate_config_change) &&
               ops->stimulate_config_change,
           Ability::kStimulus, "stimulate_config_change");
  return transport;
}

DirectTransport::~DirectTransport() {
  if (device_ != nullptr) ops_->destroy(device_);
}

Result<FeatureSet> DirectTransport::ReadFeatures() {
  uint64_t words[2] = {};
  ops_->offered_features(device_, words);
  return FeatureSet::FromWords(words[0], words[1]);
}

Result<> DirectTransport::AcceptFeatures(FeatureSet features) {
  const uint64_t words[2] = {features.word(0), features.word(1)};
  ops_->accept_features(device_, words);
  return {};
}

Result<uint8_t> DirectTransport::ReadStatus() { return ops_->get_status(device_); }

Result<> DirectTransport::WriteStatus(uint8_t status) {
  ops_->set_status(device_, status);
  return {};
}

Result<> DirectTransport::Reset() {
  ops_->reset(device_);
  return {};
}

Result<Bytes> DirectTransport::ReadConfig(uint32_t offset, uint32_t width) {
  Bytes bytes(width);
  if (ops_->config_read(device_, offset, bytes.data(), width) != 0)
    return Fail(ErrorKind::kRefused, "config read at {} of {} bytes", offset, width);
  return bytes;
}

Result<> DirectTransport::WriteConfig(uint32_t offset, ByteView bytes) {
  if (ops_->config_write(device_, offset, bytes.data(), static_cast<uint32_t>(bytes.size())) != 0)
    return Fail(ErrorKind::kRefused, "config write at {} of {} bytes", offset, bytes.size());
  return {};
}

Result<uint32_t> DirectTransport::ReadGeneration() {
  if (ops_->config_generation == nullptr)
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kGeneration));
  return ops_->config_generation(device_);
}

Result<uint32_t> DirectTransport::QueueMaxSize(uint32_t queue) {
  return ops_->queue_max_size(device_, queue);
}

Result<> DirectTransport::SetupQueue(uint32_t queue, const QueueLayout& layout) {
  vitro_queue setup{};
  setup.size = sizeof setup;
  setup.queue_size = layout.size;
  setup.desc_address = layout.desc;
  setup.driver_address = layout.driver;
  setup.device_address = layout.device;
  if (ops_->queue_setup(device_, queue, &setup) != 0)
    return Fail(ErrorKind::kRefused, "set-up of queue {} with size {}", queue, layout.size);
  return {};
}

Result<> DirectTransport::ResetQueue(uint32_t queue) {
  if (ops_->queue_reset == nullptr)
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kQueueReset));
  if (ops_->queue_reset(device_, queue) != 0)
    return Fail(ErrorKind::kRefused, "reset of queue {}", queue);
  return {};
}

Result<> DirectTransport::Notify(uint32_t queue) {
  ops_->notify(device_, queue);
  return {};
}

Result<> DirectTransport::StimulateConfigChange() {
  if (!abilities_.Has(Ability::kStimulus))
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kStimulus));
  if (ops_->stimulate_config_change(device_) != 0)
    return Fail(ErrorKind::kRefused, "the device has nothing in its config that changes");
  return {};
}

uint64_t DirectTransport::TakeQueueNotifications(uint32_t queue) {
  return queue < kQueues ? queue_notifications_[queue].exchange(0) : 0;
}

uint64_t DirectTransport::TakeConfigNotifications() { return config_notifications_.exchange(0); }

Result<bool> DirectTransport::WaitUntil(const std::function<bool()>& done, Deadline deadline) {
  for (int step = 1; !done(); ++step) {
    if (ops_->run(device_) == 0) return done();
    if (step % kStepsPerClock == 0 && deadline.Passed()) return done();
  }
  return true;
}

Result<> DirectTransport::Quiesce(Duration) {
  // At rest means at rest: the window of other carriers does not apply. A device that is never at
  // rest is a device's fault that the caller meets as a timeout.
  const Deadline deadline = Deadline::After(kRestDeadline);
  VITRO_TRY(WaitUntil([] { return false; }, deadline));
  if (deadline.Passed()) return Fail(ErrorKind::kTimeout, "the device did not come to rest");
  return {};
}

}  // namespace vitro
