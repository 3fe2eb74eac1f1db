// SPDX-License-Identifier: Apache-2.0
// The `vitro` command.
#include <cstdio>

#include "devices/mmio/mmio_device.h"
#include "devices/pci/pci_device.h"
#include "devices/ref/registry.h"
#include "harness/attach/reference.h"
#include "suite/cli/commands.h"
#include "suite/run/run_record.h"

namespace vitro::cli {
namespace {

constexpr const char* kDescription =
    "Vitro drives a virtio device as a driver would, judges every step by VIRTIO 1.4, and reports.";

constexpr const char* kFooter = R"(Attach strings say where the device is:
  ref:blk                             a reference device of Vitro's own (ref:blk,fault=last-byte-refused:
                                      with a seeded fault; 'vitro list faults' shows them)
  inproc:./libmydev.so                a library with the C ABI of devices/abi/vitro_device.h; what
                                      follows a comma goes to the device
  ref:blk,level=pci                   the same behind a PCI function (level=mmio: an MMIO window);
                                      interrupts=intx or another interrupt plan
  qemu:virtio-blk-pci,packed=on       a device of QEMU, in a QEMU of its own (*-device: over MMIO)
  vhost-user:/run/blk.sock,type=blk   a vhost-user back-end that runs
  'vhost-user:blk,type=blk,spawn="my-backend --socket {path}"'
                                      the same, started by Vitro, a fresh one for every check
  shm:/mydev                          a device in another process, in shared memory: what 'vitro serve'
                                      or a program of devices/abi/vitro_shm_server.h serves there
  vhost-user does not tell the device type: type= does, by name or id. queues=N where the back-end
  claims more than it serves; server=1 where it connects to Vitro. README.md has all options.

Examples:
  vitro run ref:blk                              every check; reports in ./vitro-report
  vitro run inproc:./libmydev.so reset indirect  the checks that begin with "reset" or "indirect"
  vitro run ATTACH tag:hostile --exclude config  by tag, without some
  vitro matrix qemu:virtio-blk-pci ref:blk,level=pci
                                                 devices side by side
  vitro combinations ref:blk --depth io          every set of its feature bits that fits the budget
  vitro replay vitro-report/programs/ID.vitro ATTACH
  vitro serve inproc:./libmydev.so --on shm:/mydev   a device for other programs to drive
  vitro new mydev                                a project for a new device type
  vitro lint mydev.toml mydev-1.0.toml           a device type's profile, by the advice for new ones
  vitro list requirements dev.basic              what the standard asks, and which check asks it

Exit codes: 0 conformant, 1 not conformant, 2 usage or selection error, 3 nothing ran, 4 the device
could not be attached, 5 harness error, 130 interrupted (a partial report was written).

A run writes to the device (block devices: the first 128 sectors). Never name a disk that holds
something you want to keep.)";

void AttachReferenceDevices() {
  std::string names;
  for (const auto& device : ref::ReferenceDevices())
    names += (names.empty() ? "" : ", ") + std::string(device.name);
  SetReferenceDevices({ref::FindReferenceDevice, names, pcidev::AsPciFunction, ref::WrapInMmio});
}

// What is wrong with the command line, in one sentence that says what is expected instead.
std::string Sentence(const CLI::App& app, const CLI::ParseError& error,
                     const std::vector<std::string>& argv) {
  const auto chosen = app.get_subcommands();
  if (!chosen.empty())
    return fmt::format("{}: {}; 'vitro {} --help' says what is expected", chosen[0]->get_name(),
                       error.what(), chosen[0]->get_name());
  std::string names;
  for (const CLI::App* command : app.get_subcommands(nullptr))
    names += (names.empty() ? "" : ", ") + command->get_name();
  return fmt::format("{} is not a command: expected one of {}; 'vitro --help' says more",
                     argv.size() > 1 ? fmt::format("'{}'", argv[1]) : std::string("nothing"),
                     names);
}

}  // namespace

int Complain(const Error& error) {
  std::fprintf(stderr, "vitro: %s\n", error.message.c_str());
  switch (error.kind) {
    case ErrorKind::kUsage:
      return kUsage;
    case ErrorKind::kAttach:
    case ErrorKind::kDeviceLost:
    case ErrorKind::kTimeout:
    case ErrorKind::kRefused:
      return kNoDevice;
    default:
      return kHarnessError;
  }
}

int Main(int argc, char** argv) {
  AttachReferenceDevices();
  CommandLine line;
  line.argv.assign(argv, argv + argc);
  CLI::App app(kDescription, "vitro");
  app.footer(kFooter);
  app.set_version_flag("--version", "vitro " + SuiteVersion::Version() + " (" +
                                        SuiteVersion::Tree() + "), VIRTIO 1.4");
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  AddDoctor(app, line);
  AddList(app, line);
  AddRun(app, line);
  AddMatrix(app, line);
  AddCombinations(app, line);
  AddProbe(app, line);
  AddReplay(app, line);
  AddReport(app, line);
  AddNew(app, line);
  AddLint(app, line);
  AddServe(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return Complain({ErrorKind::kUsage, Sentence(app, error, line.argv)});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vitro: %s\n", error.what());
    return kHarnessError;
  }
  return line.exit_code;
}

}  // namespace vitro::cli

int main(int argc, char** argv) { return vitro::cli::Main(argc, argv); }
