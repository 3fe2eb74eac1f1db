// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/direct_attachment.h"

#include <optional>
#include <utility>

#include "devices/abi/vitro_device.h"
#include "harness/attach/reference.h"
#include "harness/transport/direct/direct_mmio_window.h"
#include "harness/transport/direct/direct_pci_function.h"
#include "harness/transport/direct/direct_transport.h"
#include "harness/transport/mmio/mmio_transport.h"
#include "harness/transport/pci/pci_transport.h"

namespace vitro {
namespace {

class DirectAttachment : public Attachment {
 public:
  DirectAttachment(AttachString string, DirectPlan plan)
      : string_(std::move(string)), plan_(std::move(plan)) {
    if (plan_.level != DirectLevel::kCore) string_.options["level"] = Name(plan_.level);
  }
  const AttachString& string() const override { return string_; }
  bool independent() const override { return true; }
  Result<std::unique_ptr<Transport>> Attach(GuestMemory& memory) override {
    return AttachDirect(plan_, memory);
  }

 private:
  AttachString string_;
  DirectPlan plan_;
};

using Remote = std::shared_ptr<RemoteDevice>;

Result<std::unique_ptr<Transport>> AttachCore(const DirectPlan& plan, GuestMemory& memory,
                                              Remote remote) {
  VITRO_ASSIGN(auto transport,
               DirectTransport::Create(plan.ops, plan.options, memory, std::move(remote)));
  return std::unique_ptr<Transport>(std::move(transport));
}

Result<std::unique_ptr<Transport>> AttachPci(const DirectPlan& plan, GuestMemory& memory,
                                             Remote remote) {
  VITRO_ASSIGN(auto function,
               DirectPciFunction::Create(plan.ops, plan.options, memory, std::move(remote)));
  PciTransportOptions options;
  options.interrupts = plan.interrupts;
  options.interface = plan.interface;
  options.wrapped = plan.wrapped;
  VITRO_ASSIGN(auto transport, PciTransport::Create(std::move(function), std::move(options)));
  return std::unique_ptr<Transport>(std::move(transport));
}

Result<std::unique_ptr<Transport>> AttachMmio(const DirectPlan& plan, GuestMemory& memory,
                                              Remote remote) {
  VITRO_ASSIGN(auto window,
               DirectMmioWindow::Create(plan.ops, plan.options, memory, std::move(remote)));
  MmioTransportOptions options;
  options.interrupts = plan.interrupts;
  options.wrapped = plan.wrapped;
  VITRO_ASSIGN(auto transport, MmioTransport::Create(std::move(window), options));
  return std::unique_ptr<Transport>(std::move(transport));
}

Result<std::optional<DirectLevel>> TakeLevel(AttachString& string) {
  const auto name = string.Take("level");
  if (!name) return std::optional<DirectLevel>();
  for (DirectLevel level : {DirectLevel::kCore, DirectLevel::kPci, DirectLevel::kMmio})
    if (*name == Name(level)) return std::optional(level);
  return Fail(ErrorKind::kUsage, "'{}': there is no level '{}': expected core, pci or mmio",
              string.text, *name);
}

// The first that the device has.
DirectLevel BestLevel(const vitro_device_ops* ops) {
  for (DirectLevel level : {DirectLevel::kCore, DirectLevel::kPci, DirectLevel::kMmio})
    if (DirectDevice::WhyNot(ops, level).empty()) return level;
  return DirectLevel::kCore;
}

// Puts the reference transport of that level around a device that has only the core operations.
Result<> Wrap(DirectPlan& plan, bool ours) {
  std::string why = DirectDevice::WhyNot(plan.ops, plan.level);
  if (why.empty()) return {};
  const auto& wrap = plan.level == DirectLevel::kPci ? Reference().wrap_pci : Reference().wrap_mmio;
  const bool core = DirectDevice::WhyNot(plan.ops, DirectLevel::kCore).empty();
  if (plan.level == DirectLevel::kCore || !core || !wrap)
    return Fail(ErrorKind::kAttach, "{}", why);
  plan.ops = wrap(plan.ops);
  plan.wrapped = !ours;
  if (plan.ops == nullptr)
    return Fail(ErrorKind::kHarness, "more different devices than one process can stand around");
  return {};
}

}  // namespace

Result<std::unique_ptr<Transport>> AttachDirect(const DirectPlan& plan, GuestMemory& memory,
                                                std::shared_ptr<RemoteDevice> remote) {
  switch (plan.level) {
    case DirectLevel::kCore:
      return AttachCore(plan, memory, std::move(remote));
    case DirectLevel::kPci:
      return AttachPci(plan, memory, std::move(remote));
    case DirectLevel::kMmio:
      return AttachMmio(plan, memory, std::move(remote));
  }
  return Fail(ErrorKind::kHarness, "no such level");
}

Result<DirectPlan> PlanDirect(AttachString string, const vitro_device_ops* ops, bool ours) {
  VITRO_TRY(DirectDevice::CheckOps(ops));
  VITRO_ASSIGN(const auto level, TakeLevel(string));
  DirectPlan plan;
  plan.ops = ops;
  plan.level = level.value_or(BestLevel(ops));
  VITRO_TRY(Wrap(plan, ours));
  if (plan.level != DirectLevel::kCore) plan.interrupts = string.Take("interrupts").value_or("");
  if (plan.level == DirectLevel::kPci) plan.interface = string.Take("interface").value_or("");
  plan.options = string.OptionsText();
  return plan;
}

Result<std::unique_ptr<Attachment>> OpenDirect(AttachString string, const vitro_device_ops* ops,
                                               bool ours) {
  VITRO_ASSIGN(DirectPlan plan, PlanDirect(string, ops, ours));
  return std::make_unique<DirectAttachment>(std::move(string), std::move(plan));
}

std::unique_ptr<Attachment> OpenLinked(AttachString string, std::string options,
                                       const vitro_device_ops* ops) {
  DirectPlan plan;
  plan.ops = ops;
  plan.options = std::move(options);
  if (DirectDevice::CheckOps(ops)) plan.level = BestLevel(ops);
  return std::make_unique<DirectAttachment>(std::move(string), std::move(plan));
}

}  // namespace vitro
