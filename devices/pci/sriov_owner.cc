// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/sriov_owner.h"

#include "harness/virtio/pci.h"

namespace vitro::pcidev {
namespace {

// The queues below it are the function's device's.
class AdminQueue : public ref::DeviceCore {
 public:
  AdminQueue(const vitro_host* host, const ref::CommonOptions& options, uint32_t queue,
             ref::Administration& administration)
      : DeviceCore(host, options, queue + 1), queue_(queue), administration_(administration) {}

 protected:
  uint32_t DeviceId() const override { return 0; }
  FeatureSet DeviceFeatures() const override { return {feature::kAdminVq}; }
  uint32_t AdminQueueCount() const override { return 1; }
  bool QueueAvailable(uint32_t queue) const override {
    return queue == queue_ && features().Has(feature::kAdminVq);
  }
  bool Serve(uint32_t, ref::Chain& chain) override { return administration_.Serve(chain); }
  void OnReset() override { administration_.Reset(); }

 private:
  const uint32_t queue_;
  ref::Administration& administration_;
};

}  // namespace

SriovOwner::SriovOwner(const vitro_host* inner, uint32_t queues, const FunctionOptions& options)
    : fault_(options.fault),
      group_(options, members_),
      self_(group_),
      administration_(fault_, false, {{admin::kGroupSelf, &self_}, {admin::kGroupSrIov, &group_}}) {
  ref::CommonOptions common;
  common.fault = fault_;
  queue_ = std::make_unique<AdminQueue>(inner, common, queues, administration_);
}

std::unique_ptr<SriovOwner> SriovOwner::Create(const vitro_device_ops* core,
                                               const vitro_host* outer, const vitro_host* inner,
                                               uint32_t queues, const FunctionOptions& options,
                                               const std::string& core_options) {
  std::unique_ptr<SriovOwner> owner(new SriovOwner(inner, queues, options));
  for (uint32_t i = 0; i < options.vfs; ++i) {
    auto member = Member::Create(core, outer, options, core_options);
    if (member == nullptr) return nullptr;
    owner->members_.push_back(std::move(member));
  }
  return owner;
}

void SriovOwner::SetControl(uint16_t control, uint16_t count) {
  group_.SetVfs((control & pci::sriov::kVfEnable) != 0, count);
}

bool SriovOwner::RunMembers() {
  bool any = false;
  for (uint64_t id = 1; Member* member = group_.Find(id); ++id) any = member->Run() || any;
  return any;
}

Member* SriovOwner::Behind(uint32_t offset) const {
  const uint32_t routing = offset / pci::kConfigBytes;
  return routing < kFirstVfOffset ? nullptr
                                  : group_.Find((routing - kFirstVfOffset) / kVfStride + 1);
}

uint32_t SriovOwner::ConfigRead(uint32_t offset, uint32_t width) {
  Member* member = Behind(offset);
  return member == nullptr ? UINT32_MAX >> (32 - 8 * width)
                           : member->ConfigRead(offset % pci::kConfigBytes, width);
}

void SriovOwner::ConfigWrite(uint32_t offset, uint32_t width, uint32_t value) {
  if (Member* member = Behind(offset))
    member->ConfigWrite(offset % pci::kConfigBytes, width, value);
}

void SriovOwner::LegacyNotify(uint64_t offset, uint32_t width, uint64_t value) {
  if (width != 2 || offset % kLegacyNotifyStride != 0 || fault_("sriov-notify-address-dead"))
    return;
  if (Member* member = group_.Find(offset / kLegacyNotifyStride + 1))
    member->Notify(static_cast<uint16_t>(value));
}

}  // namespace vitro::pcidev
