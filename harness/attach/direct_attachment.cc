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

struct Plan {
  const vitro_device_ops* ops = nullptr;
  DirectLevel level = DirectLevel::kCore;
  bool wrapped = false;  // a transport of Vitro's stands around the device
  std::string interrupts, interface;
};

class DirectAttachment : public Attachment {
 public:
  DirectAttachment(AttachString string, std::string options, Plan plan)
      : string_(std::move(string)), options_(std::move(options)), plan_(std::move(plan)) {
    if (plan_.level != DirectLevel::kCore) string_.options["level"] = Name(plan_.level);
  }
  const AttachString& string() const override { return string_; }
  bool independent() const override { return true; }
  Result<std::unique_ptr<Transport>> Attach(GuestMemory& memory) override {
    switch (plan_.level) {
      case DirectLevel::kCore:
        return AttachCore(memory);
      case DirectLevel::kPci:
        return AttachPci(memory);
      case DirectLevel::kMmio:
        return AttachMmio(memory);
    }
    return Fail(ErrorKind::kHarness, "no such level");
  }

 private:
  Result<std::unique_ptr<Transport>> AttachCore(GuestMemory& memory) {
    VITRO_ASSIGN(auto transport, DirectTransport::Create(plan_.ops, options_, memory));
    return std::unique_ptr<Transport>(std::move(transport));
  }
  Result<std::unique_ptr<Transport>> AttachPci(GuestMemory& memory) {
    VITRO_ASSIGN(auto function, DirectPciFunction::Create(plan_.ops, options_, memory));
    PciTransportOptions options;
    options.interrupts = plan_.interrupts;
    options.interface = plan_.interface;
    options.wrapped = plan_.wrapped;
    VITRO_ASSIGN(auto transport, PciTransport::Create(std::move(function), std::move(options)));
    return std::unique_ptr<Transport>(std::move(transport));
  }
  Result<std::unique_ptr<Transport>> AttachMmio(GuestMemory& memory) {
    VITRO_ASSIGN(auto window, DirectMmioWindow::Create(plan_.ops, options_, memory));
    MmioTransportOptions options;
    options.interrupts = plan_.interrupts;
    options.wrapped = plan_.wrapped;
    VITRO_ASSIGN(auto transport, MmioTransport::Create(std::move(window), options));
    return std::unique_ptr<Transport>(std::move(transport));
  }

  AttachString string_;
  std::string options_;  // as the device gets them
  Plan plan_;
};

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
Result<> Wrap(Plan& plan, bool ours) {
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

Result<std::unique_ptr<Attachment>> OpenDirect(AttachString string, const vitro_device_ops* ops,
                                               bool ours) {
  VITRO_TRY(DirectDevice::CheckOps(ops));
  AttachString rest = string;
  VITRO_ASSIGN(const auto level, TakeLevel(rest));
  Plan plan;
  plan.ops = ops;
  plan.level = level.value_or(BestLevel(ops));
  VITRO_TRY(Wrap(plan, ours));
  if (plan.level != DirectLevel::kCore) plan.interrupts = rest.Take("interrupts").value_or("");
  if (plan.level == DirectLevel::kPci) plan.interface = rest.Take("interface").value_or("");
  std::string options = rest.OptionsText();
  return std::make_unique<DirectAttachment>(std::move(string), std::move(options), std::move(plan));
}

std::unique_ptr<Attachment> OpenLinked(AttachString string, std::string options,
                                       const vitro_device_ops* ops) {
  Plan plan;
  plan.ops = ops;
  if (DirectDevice::CheckOps(ops)) plan.level = BestLevel(ops);
  return std::make_unique<DirectAttachment>(std::move(string), std::move(options), std::move(plan));
}

}  // namespace vitro
