// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/qemu/qemu_attachment.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>

#include "harness/attach/qemu/carriers.h"
#include "harness/transport/mmio/mmio_transport.h"
#include "harness/transport/pci/pci_transport.h"

namespace vitro {
namespace {

using qemu::Machine;
using qemu::MachinePlan;

constexpr milliseconds kHelpTimeout{10'000};

struct QemuConfig {
  MachinePlan plan;
  unsigned devfn = qemu::kDeviceSlot << 3;
  bool behind_port = false;
  PciTransportOptions pci;
  MmioTransportOptions mmio;
};

// Runs it to its end and gives what it printed.
Result<std::string> OutputOf(const std::string& binary, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), binary);
  auto process = Process::Start(arguments);
  if (!process && process.error().kind == ErrorKind::kAttach)
    return Fail(ErrorKind::kAttach, "there is no QEMU: {}", process.error().message);
  if (!process) return tl::make_unexpected(process.error());
  if (!process->WaitExit(Deadline::After(kHelpTimeout)))
    return Fail(ErrorKind::kAttach, "'{} {}' does not end", binary, arguments[1]);
  if (process->wait_status() != 0)
    return Fail(ErrorKind::kAttach, "'{} {}' fails: {}; it printed: {}", binary, arguments[1],
                process->Ended(), process->LastWords());
  return process->Tail();
}

Result<std::string> ChooseAccelerator(const std::string& binary) {
  VITRO_ASSIGN(const std::string help, OutputOf(binary, {"-accel", "help"}));
  // With tcg virtual time runs by itself, as it does for every other user of the device.
  for (const char* name : {"tcg", "qtest"})
    if (("\n" + help).find(fmt::format("\n{}\n", name)) != std::string::npos) return name;
  return Fail(ErrorKind::kAttach, "{} has neither the tcg nor the qtest accelerator", binary);
}

class QemuAttachment : public Attachment {
 public:
  QemuAttachment(AttachString string, QemuConfig config)
      : string_(std::move(string)), config_(std::move(config)) {}

  const AttachString& string() const override { return string_; }
  bool independent() const override { return true; }

  bool renewable() const override { return true; }
  void RenewFromNowOn() override { config_.plan.renewable = true; }

  Result<std::unique_ptr<Transport>> Attach(GuestMemory& memory) override {
    // Nobody but us has it when its transport has ended.
    std::shared_ptr<Machine> machine = std::exchange(kept_, nullptr);
    if (machine == nullptr || machine.use_count() != 1 || !machine->Renew(memory)) {
      VITRO_ASSIGN(machine, Machine::Start(config_.plan, memory));
    }
    if (config_.plan.renewable) kept_ = machine;
    if (config_.plan.machine == "microvm") {
      VITRO_ASSIGN(auto window, qemu::OpenMmioWindow(std::move(machine)));
      VITRO_ASSIGN(auto transport, MmioTransport::Create(std::move(window), config_.mmio));
      return std::unique_ptr<Transport>(std::move(transport));
    }
    VITRO_ASSIGN(auto function, qemu::OpenPciFunction(std::move(machine), config_.plan.machine,
                                                      config_.devfn, config_.behind_port));
    VITRO_ASSIGN(auto transport, PciTransport::Create(std::move(function), config_.pci));
    return std::unique_ptr<Transport>(std::move(transport));
  }

 private:
  AttachString string_;
  QemuConfig config_;
  std::shared_ptr<Machine> kept_;  // the last one, if it may be renewed
};

// "4", "04.1", "0x4": slot and function as the property addr= has them.
Result<unsigned> ParseAddress(const std::string& text) {
  unsigned slot = 0, function = 0;
  const char* start = text.c_str() + (text.starts_with("0x") ? 2 : 0);
  const char* end = text.c_str() + text.size();
  auto [at, error] = std::from_chars(start, end, slot, 16);
  bool good = error == std::errc();
  if (good && at != end && *at == '.') {
    const auto second = std::from_chars(at + 1, end, function, 16);
    good = second.ec == std::errc();
    at = second.ptr;
  }
  if (!good || at != end || slot > 31 || function > 7)
    return Fail(ErrorKind::kUsage, "qemu: addr={} is not a slot of the root bus", text);
  return slot << 3 | function;
}

class Options {
 public:
  explicit Options(std::map<std::string, std::string> all) : all_(std::move(all)) {}
  std::string Take(const std::string& key, std::string otherwise = "") {
    auto it = all_.find(key);
    if (it == all_.end()) return otherwise;
    std::string value = std::move(it->second);
    all_.erase(it);
    return value;
  }
  Result<std::string> TakeWord(const std::string& key, std::initializer_list<const char*> words) {
    const std::string value = Take(key);
    std::string known;
    for (const char* word : words) {
      if (value == word || value.empty()) return value;
      known += fmt::format("{}{}", known.empty() ? "" : ", ", word);
    }
    return Fail(ErrorKind::kUsage, "qemu: {}={} is none of {}", key, value, known);
  }
  qemu::Properties& rest() { return all_; }

 private:
  std::map<std::string, std::string> all_;
};

Result<QemuConfig> ParseOptions(const AttachString& string) {
  QemuConfig config;
  MachinePlan& plan = config.plan;
  Options options(string.options);
  plan.device = string.where;
  if (plan.device.find_first_of(",={} \t\n") != std::string::npos)
    return Fail(ErrorKind::kUsage, "qemu: '{}' is not a device", plan.device);
  plan.binary = options.Take("qemu", plan.binary);
  VITRO_ASSIGN(plan.accelerator, options.TakeWord("accel", {"tcg", "qtest"}));
  VITRO_ASSIGN(plan.machine, options.TakeWord("machine", {"q35", "pc", "microvm"}));
  const bool window = plan.device.ends_with("-device");
  if (plan.machine.empty()) plan.machine = window ? "microvm" : "q35";
  if (window && plan.machine != "microvm")
    return Fail(ErrorKind::kUsage, "qemu: {} is a device for machine=microvm", plan.device);
  const bool mmio = plan.machine == "microvm";
  if (mmio && (plan.device.find("-pci") != std::string::npos))
    return Fail(ErrorKind::kUsage, "qemu: machine=microvm takes {}-device, not {}",
                qemu::FamilyOf(plan.device), plan.device);
  if (const std::string text = options.Take("args"); !text.empty()) {
    VITRO_ASSIGN(plan.arguments, SplitCommand(text));
  }
  if (const std::string text = options.Take("timeout"); !text.empty()) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 3'600'000)
      return Fail(ErrorKind::kUsage, "qemu: timeout={} is not a number from 1 to 3600000", text);
    plan.timeout = milliseconds(value);
  }
  config.pci.interrupts = config.mmio.interrupts = options.Take("interrupts");
  config.pci.interface = options.Take("interface");
  VITRO_ASSIGN(const std::string port, options.TakeWord("port", {"0", "1"}));
  config.behind_port = port == "1";
  VITRO_ASSIGN(const std::string stimulus, options.TakeWord("stimulus", {"unplug"}));
  const bool unplug = !stimulus.empty();
  if (mmio && (config.behind_port || !config.pci.interface.empty()))
    return Fail(ErrorKind::kUsage,
                "qemu: port= and interface= are for PCI functions, not for machine=microvm");
  if (config.behind_port && plan.machine != "q35")
    return Fail(ErrorKind::kUsage, "qemu: only machine=q35 has PCI Express root ports");

  qemu::Properties& properties = options.rest();
  if (properties.contains("bus"))
    return Fail(ErrorKind::kUsage,
                "qemu: the device's bus is chosen here; for one behind a root "
                "port say port=1");
  if (config.behind_port && properties.contains("addr"))
    return Fail(ErrorKind::kUsage,
                "qemu: behind a root port there is one slot: addr= has no sense");
  VITRO_ASSIGN(plan.back_end, qemu::MakeBackEnd(plan.device, properties));
  plan.properties = properties;
  for (const auto& [key, value] : plan.back_end.properties) plan.properties.emplace(key, value);
  if (auto id = plan.properties.extract("id")) plan.id = id.mapped();
  if (unplug) {
    if (!config.behind_port && plan.machine != "pc")
      return Fail(ErrorKind::kUsage,
                  "qemu: stimulus=unplug: the root bus of machine={} lets no device go; say port=1 "
                  "or machine=pc",
                  plan.machine);
    plan.back_end.stimulus = qemu::Stimulus::kUnplug;
  }
  if (mmio) return config;
  if (config.behind_port) {
    plan.properties["bus"] = "vitro-root-port";
    plan.back_end.arguments.insert(
        plan.back_end.arguments.begin(),
        {"-device",
         fmt::format("pcie-root-port,id=vitro-root-port,chassis=1,addr={:#x}", qemu::kPortSlot)});
  } else {
    const auto& addr =
        plan.properties.emplace("addr", fmt::format("{:#x}", qemu::kDeviceSlot)).first->second;
    VITRO_ASSIGN(config.devfn, ParseAddress(addr));
  }
  // Boot ROMs are files that need not be there, and nobody runs them.
  const std::string family = qemu::FamilyOf(plan.device);
  if (family == "virtio-net" || family == "virtio-vga") plan.properties.emplace("romfile", "");
  return config;
}

}  // namespace

Result<std::unique_ptr<Attachment>> OpenQemu(AttachString string) {
  VITRO_ASSIGN(QemuConfig config, ParseOptions(string));
  if (config.plan.accelerator.empty()) {
    VITRO_ASSIGN(config.plan.accelerator, ChooseAccelerator(config.plan.binary));
  }
  return std::make_unique<QemuAttachment>(std::move(string), std::move(config));
}

Result<QemuFacts> AskQemu(const std::string& binary) {
  VITRO_ASSIGN(const std::string text, OutputOf(binary, {"--version"}));
  const std::string before = "version ";
  const size_t at = text.find(before);
  if (at == std::string::npos)
    return Fail(ErrorKind::kAttach, "'{} --version' tells no version", binary);
  const size_t start = at + before.size();
  VITRO_ASSIGN(const std::string accelerator, ChooseAccelerator(binary));
  return QemuFacts{text.substr(start, text.find_first_of(" \n", start) - start), accelerator};
}

Result<std::vector<std::string>> KnownQemuDevices(const std::string& binary) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return Fail(ErrorKind::kHarness, "socketpair: {}", strerror(errno));
  UniqueFd ours(ends[0]), first(ends[1]), theirs(fcntl(first.get(), F_DUPFD_CLOEXEC, 3));
  first.Reset();
  // The monitor's answer is made for programs, unlike -device help.
  const int pass[] = {theirs.get()};
  VITRO_ASSIGN(Process process, Process::Start({binary, "-machine", "none", "-nodefaults",
                                                "-no-user-config", "-display", "none", "-chardev",
                                                fmt::format("socket,id=qmp,fd={}", theirs.get()),
                                                "-mon", "chardev=qmp,mode=control"},
                                               pass));
  theirs.Reset();
  qemu::Qmp qmp(std::move(ours), kHelpTimeout, [&process] {
    process.WaitExit(Deadline::After(std::chrono::seconds(1)));
    return fmt::format("QEMU tells no devices: {}", process.LastWords());
  });
  VITRO_ASSIGN(const nlohmann::json list,
               qmp.Execute("qom-list-types", {{"implements", "device"}, {"abstract", false}}));
  std::set<std::string> types;
  for (const nlohmann::json& type : list)
    if (type.is_object() && type.contains("name") && type["name"].is_string())
      types.insert(type["name"].get<std::string>());
  return qemu::AttachStringsOf([&](const std::string& type, const std::string& property) {
    if (!types.contains(type) || property.empty()) return types.contains(type);
    const auto known = qmp.Execute("device-list-properties", {{"typename", type}});
    return known &&
           known->dump().find(fmt::format("\"name\":\"{}\"", property)) != std::string::npos;
  });
}

}  // namespace vitro
