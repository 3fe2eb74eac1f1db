// SPDX-License-Identifier: Apache-2.0
// `vitro serve`: puts a device of the C ABI, a reference device or one in a library, behind shared
// memory or vhost-user, where other programs and other attachments of Vitro can drive it.
#include <signal.h>

#include "devices/abi/vitro_shm_server.h"
#include "devices/serve/vhost_user_back_end.h"
#include "harness/attach/attach.h"
#include "harness/attach/direct_attachment.h"
#include "harness/transport/shm/segment.h"
#include "suite/cli/commands.h"
#include "suite/cli/stop_signals.h"

namespace vitro::cli {
namespace {

struct Arguments {
  std::string device, on;
  bool once = false, polling = false, no_status = false;
};

struct Served {
  AttachString device;
  DirectPlan plan;
};

Result<Served> FindDevice(const Arguments& arguments) {
  Served served;
  VITRO_ASSIGN(served.device, ParseAttach(arguments.device));
  VITRO_ASSIGN(const vitro_device_ops* ops, FindDeviceOps(served.device));
  VITRO_ASSIGN(served.plan, PlanDirect(served.device, ops, served.device.kind == "ref"));
  if (!(served.plan.interrupts + served.plan.interface).empty())
    return Fail(ErrorKind::kUsage,
                "'{}': interrupts= and interface= are the driver's choice, not the device's: give "
                "them to 'vitro run'",
                served.device.text);
  return served;
}

void Announce(const Served& served, const Arguments& arguments) {
  fmt::print("serving {} on {}; Ctrl-C ends it\n", served.device.text, arguments.on);
  std::fflush(stdout);
}

uint32_t ShmLevel(DirectLevel level) {
  switch (level) {
    case DirectLevel::kPci:
      return VITRO_SHM_PCI;
    case DirectLevel::kMmio:
      return VITRO_SHM_MMIO;
    case DirectLevel::kCore:
      break;
  }
  return VITRO_SHM_CORE;
}

vitro_shm_server* serving = nullptr;  // for the signal handler
void StopServing(int) { __atomic_store_n(&serving->stop, 1, __ATOMIC_RELAXED); }

Result<> ServeShm(const Served& served, const Arguments& arguments, const std::string& where) {
  if (arguments.no_status)
    return Fail(ErrorKind::kUsage, "--no-status is for vhost-user: shm has no such feature");
  VITRO_TRY(ShmSegment::CheckName(where));
  const std::string name = where.starts_with('/') ? where : "/" + where;
  vitro_shm_server server{};
  server.name = name.c_str();
  server.ops = served.plan.ops;
  server.options = served.plan.options.c_str();
  server.level = ShmLevel(served.plan.level);
  server.wrapped = served.plan.wrapped;
  server.once = arguments.once;
  serving = &server;
  struct sigaction action {};
  action.sa_handler = StopServing;  // without SA_RESTART: waits end
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  if (vitro_shm_server_open(&server, arguments.polling ? 0 : 1) != 0)
    return Fail(ErrorKind::kAttach, "{}", server.error);
  Announce(served, arguments);
  if (arguments.polling)
    vitro_shm_serve_polling(&server);
  else
    vitro_shm_serve_blocking(&server);
  return {};
}

Result<> ServeVhostUser(const Served& served, const Arguments& arguments, const std::string& path) {
  if (served.plan.level != DirectLevel::kCore)
    return Fail(ErrorKind::kUsage, "'{}': vhost-user carries level core only, not {}",
                served.device.text, Name(served.plan.level));
  if (arguments.polling)
    return Fail(ErrorKind::kUsage, "--polling is for shm: over vhost-user a device is kicked");
  const UniqueFd stop = StopSignals();
  VITRO_ASSIGN(const auto back_end,
               serve::VhostUserBackEnd::Listen({path, served.plan.ops, served.plan.options,
                                                arguments.once, stop.get(), !arguments.no_status}));
  Announce(served, arguments);
  return back_end->Serve();
}

Result<> Serve(const Arguments& arguments) {
  VITRO_ASSIGN(const Served served, FindDevice(arguments));
  VITRO_ASSIGN(const AttachString on, ParseAttach(arguments.on));
  if (!on.options.empty())
    return Fail(ErrorKind::kUsage, "--on {}: where a device is served has no option '{}'",
                arguments.on, on.options.begin()->first);
  if (on.kind == "shm") return ServeShm(served, arguments, on.where);
  if (on.kind == "vhost-user") return ServeVhostUser(served, arguments, on.where);
  return Fail(ErrorKind::kUsage, "--on {}: expected shm:NAME or vhost-user:PATH", arguments.on);
}

}  // namespace

void AddServe(CLI::App& app, CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* serve = app.add_subcommand("serve", "Put a device behind shared memory or vhost-user");
  serve->add_option("DEVICE", arguments->device, "ref:NAME or inproc:PATH, with its options")
      ->required();
  serve->add_option("--on", arguments->on, "Where: shm:NAME, or vhost-user:PATH (level core only)")
      ->required();
  serve->add_flag("--once", arguments->once, "End when the first driver has left");
  serve->add_flag("--polling", arguments->polling,
                  "The device works when it likes, on a processor of its own (shm only)");
  serve->add_flag("--no-status", arguments->no_status,
                  "Do not offer the STATUS protocol feature: for front-ends that negotiate it and "
                  "tell no DRIVER_OK (vhost-user only)");
  serve->callback([arguments, &line] {
    if (auto served = Serve(*arguments); !served) line.exit_code = Complain(served.error());
  });
}

}  // namespace vitro::cli
