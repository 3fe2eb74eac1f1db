// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/direct/direct_transport.h"

#include <cstddef>
#include <utility>

namespace vitro {
namespace {

// One more than the largest queue index that notifications are counted for (le16 in every
// transport).
constexpr size_t kQueues = 65536;

}  // namespace

DirectTransport::DirectTransport() : queue_notifications_(kQueues) {}

Result<std::unique_ptr<DirectTransport>> DirectTransport::Create(
    const vitro_device_ops* ops, const std::string& options, GuestMemory& memory,
    std::shared_ptr<RemoteDevice> remote) {
  std::unique_ptr<DirectTransport> transport(new DirectTransport());
  DirectTransport* self = transport.get();
  DirectDevice::Events events;
  events.queue_signalled = [self](uint16_t queue) { ++self->queue_notifications_[queue]; };
  events.config_signalled = [self] { ++self->config_notifications_; };
  VITRO_ASSIGN(self->instance_, DirectDevice::Create(ops, DirectLevel::kCore, options, memory,
                                                     std::move(events), std::move(remote)));
  ops = self->ops_ = self->instance_->ops();
  self->device_ = self->instance_->get();
  Abilities& abilities = transport->abilities_;
  for (Ability ability :
       {Ability::kDeviceStatus, Ability::kReset, Ability::kConfigSpace, Ability::kConfigWrite,
        Ability::kConfigNotification, Ability::kDeviceId, Ability::kUnofferedBits,
        Ability::kUsedNotification, Ability::kQueuesBeforeDriverOk})
    abilities.Allow(ability);
  abilities.Set(Ability::kExactQuiet, self->instance_->exact_quiet(),
                "the device works on its own");
  auto optional = [&](bool there, Ability ability, const char* name) {
    abilities.Set(ability, there, fmt::format("the device library has no operation '{}'", name));
  };
  optional(ops->config_generation, Ability::kGeneration, "config_generation");
  optional(ops->queue_reset, Ability::kQueueReset, "queue_reset");
  optional(self->instance_->WhyNoStimulus().empty(), Ability::kStimulus, "stimulate_config_change");
  return transport;
}

Result<FeatureSet> DirectTransport::ReadFeatures() {
  uint64_t words[2] = {};
  ops_->offered_features(device_, words);
  return instance_->Checked(FeatureSet::FromWords(words[0], words[1]));
}

Result<> DirectTransport::AcceptFeatures(FeatureSet features) {
  const uint64_t words[2] = {features.word(0), features.word(1)};
  ops_->accept_features(device_, words);
  return instance_->Health();
}

Result<uint8_t> DirectTransport::ReadStatus() {
  return instance_->Checked(ops_->get_status(device_));
}

Result<> DirectTransport::WriteStatus(uint8_t status) {
  ops_->set_status(device_, status);
  return instance_->Health();
}

Result<> DirectTransport::Reset() {
  ops_->reset(device_);
  return instance_->Health();
}

Result<Bytes> DirectTransport::ReadConfig(uint32_t offset, uint32_t width) {
  Bytes bytes(width);
  const bool answered = ops_->config_read(device_, offset, bytes.data(), width) == 0;
  VITRO_TRY(instance_->Health());
  if (!answered) return Fail(ErrorKind::kRefused, "config read at {} of {} bytes", offset, width);
  return bytes;
}

Result<> DirectTransport::WriteConfig(uint32_t offset, ByteView bytes) {
  const auto width = static_cast<uint32_t>(bytes.size());
  const bool taken = ops_->config_write(device_, offset, bytes.data(), width) == 0;
  VITRO_TRY(instance_->Health());
  if (!taken)
    return Fail(ErrorKind::kRefused, "config write at {} of {} bytes", offset, bytes.size());
  return {};
}

Result<uint32_t> DirectTransport::ReadGeneration() {
  if (ops_->config_generation == nullptr)
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kGeneration));
  return instance_->Checked(ops_->config_generation(device_));
}

Result<uint32_t> DirectTransport::QueueMaxSize(uint32_t queue) {
  return instance_->Checked(ops_->queue_max_size(device_, queue));
}

Result<> DirectTransport::SetupQueue(uint32_t queue, const QueueLayout& layout) {
  vitro_queue setup{};
  setup.size = sizeof setup;
  setup.queue_size = layout.size;
  setup.desc_address = layout.desc;
  setup.driver_address = layout.driver;
  setup.device_address = layout.device;
  const bool taken = ops_->queue_setup(device_, queue, &setup) == 0;
  VITRO_TRY(instance_->Health());
  if (!taken)
    return Fail(ErrorKind::kRefused, "set-up of queue {} with size {}", queue, layout.size);
  return {};
}

Result<> DirectTransport::ResetQueue(uint32_t queue) {
  if (ops_->queue_reset == nullptr)
    return Fail(ErrorKind::kUnsupported, "{}", abilities_.WhyNot(Ability::kQueueReset));
  const bool taken = ops_->queue_reset(device_, queue) == 0;
  VITRO_TRY(instance_->Health());
  if (!taken) return Fail(ErrorKind::kRefused, "reset of queue {}", queue);
  return {};
}

Result<> DirectTransport::Notify(uint32_t queue) {
  ops_->notify(device_, queue);
  return instance_->Health();
}

uint64_t DirectTransport::TakeQueueNotifications(uint32_t queue) {
  instance_->TakeIn();
  return queue < kQueues ? queue_notifications_[queue].exchange(0) : 0;
}

uint64_t DirectTransport::TakeConfigNotifications() {
  instance_->TakeIn();
  return config_notifications_.exchange(0);
}

}  // namespace vitro
