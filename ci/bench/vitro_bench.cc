// SPDX-License-Identifier: Apache-2.0
// What Vitro itself costs: each benchmark is one step of a run, on the reference devices,
// in-process. "direct" is the driver alone (SplitQueue over DirectTransport), "session" the same
// under the oracle, with the trace kept: their ratio is the price of judging.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "devices/mmio/mmio_device.h"
#include "devices/pci/pci_device.h"
#include "devices/ref/registry.h"
#include "harness/attach/attach.h"
#include "harness/attach/reference.h"
#include "harness/driver/split_queue.h"
#include "harness/program/program.h"
#include "harness/session/session.h"
#include "harness/virtio/status.h"
#include "suite/catalogue/catalogue.h"
#include "suite/checks/feature_sets.h"
#include "suite/run/isolated_check.h"
#include "suite/run/probe.h"
#include "suite/run/sweep_progress.h"

namespace vitro {
namespace {

constexpr uint32_t kQueueSize = 16;
// A session keeps every step and every byte of memory it handed out: a new one now and then.
constexpr int kRequestsPerSession = 256;

// The value, or the end of the program: a benchmark of a failure measures nothing.
template <typename T>
T Must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "vitro_bench: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// A request of each type: a one-sector read (5.2.6), 512 random bytes (5.4.6).
std::vector<op::Segment> Request(const std::string& device, uint64_t data) {
  if (device == "entropy") return {{data, 512, true}};
  return {{data, 16, false}, {data + 0x100, 512, true}, {data + 0x400, 1, true}};
}

uint8_t Up(unsigned steps) { return static_cast<uint8_t>(steps); }
constexpr unsigned kNegotiated = status::kAcknowledge | status::kDriver | status::kFeaturesOk;

// "blk" is short for "ref:blk".
std::string AttachOf(const std::string& name) {
  return name.find(':') == std::string::npos ? "ref:" + name : name;
}

// A fresh device and its memory.
struct Device {
  explicit Device(const std::string& name)
      : attachment(Must(OpenAttachment(AttachOf(name)))),
        memory(Must(GuestMemory::CreateDefault())),
        transport(Must(attachment->Attach(memory))) {}

  void Negotiate() {
    Must(transport->Reset());
    Must(transport->WriteStatus(Up(status::kAcknowledge)));
    Must(transport->WriteStatus(Up(status::kAcknowledge | status::kDriver)));
    benchmark::DoNotOptimize(Must(transport->ReadFeatures()));
    Must(transport->AcceptFeatures(FeatureSet{feature::kVersion1}));
    Must(transport->WriteStatus(Up(kNegotiated)));
    if (Must(transport->ReadStatus()) != kNegotiated) std::exit(1);
  }

  std::unique_ptr<Attachment> attachment;
  GuestMemory memory;
  std::unique_ptr<Transport> transport;
};

// ---- From reset to FEATURES_OK

void NegotiateDirect(benchmark::State& state, const std::string& name) {
  Device device(name);
  for (auto _ : state) device.Negotiate();
}

void NegotiateSession(benchmark::State& state, const std::string& name) {
  Device device(name);
  auto session = std::make_unique<Session>(device.memory, *device.transport, SessionOptions{});
  for (auto _ : state) {
    Must(session->Perform(op::Reset{}));
    Must(session->Perform(op::WriteStatus{Up(status::kAcknowledge)}));
    Must(session->Perform(op::WriteStatus{Up(status::kAcknowledge | status::kDriver)}));
    Must(session->Perform(op::ReadFeatures{}));
    Must(session->Perform(op::AcceptFeatures{FeatureSet{feature::kVersion1}}));
    Must(session->Perform(op::WriteStatus{Up(kNegotiated)}));
    if (Must(session->Perform(op::ReadStatus{})).value != kNegotiated) std::exit(1);
    if (session->trace().size() < 7 * kRequestsPerSession) continue;
    state.PauseTiming();
    session = std::make_unique<Session>(device.memory, *device.transport, SessionOptions{});
    state.ResumeTiming();
  }
}

// ---- Sets of feature bits: the whole of a device's in the order of their space, round and round

void WalkSets(benchmark::State& state, const std::string& name) {
  Device device(name);
  DeviceFacts facts;
  facts.offered = Must(device.transport->ReadFeatures());
  const SetWalk walk(FindNegotiable(facts).Space());
  uint64_t n = 0;
  FeatureSet set = walk.At(0);
  for (auto _ : state) {
    benchmark::DoNotOptimize(set);
    set = n + 1 < walk.size() ? walk.After(n, set) : walk.At(0);
    n = n + 1 < walk.size() ? n + 1 : 0;
  }
}

constexpr const char* kStorageDaemon =
    "vhost-user:blk,type=blk,spawn=\"qemu-storage-daemon"
    " --blockdev driver=null-co,node-name=d0,size=1048576,read-zeroes=on"
    " --export type=vhost-user-blk,id=e0,node-name=d0,addr.type=unix,addr.path={path},"
    "writable=on,num-queues=2\"";

void NegotiateSets(benchmark::State& state, const std::string& name) {
  Device device(name);
  DeviceFacts facts;
  facts.offered = Must(device.transport->ReadFeatures());
  const SetWalk walk(FindNegotiable(facts).Space());
  SweepProgress progress;
  uint64_t n = 0;
  FeatureSet set = walk.At(0);
  for (auto _ : state) {
    progress.Begin(n, set);
    const bool taken =
        Must(NegotiateQuickly(*device.transport, set, std::chrono::milliseconds(100)));
    if (!taken) std::exit(1);
    progress.Done(n, taken);
    set = n + 1 < walk.size() ? walk.After(n, set) : walk.At(0);
    n = n + 1 < walk.size() ? n + 1 : 0;
  }
  state.SetItemsProcessed(state.iterations());
}

// ---- One register of the common configuration (4.1.4.3), or of the window (4.2.2)

void ReadRegister(benchmark::State& state, const std::string& name) {
  Device device(name);
  const bool pci = device.transport->pci() != nullptr;
  const std::string region = pci ? "common" : "mmio";
  for (auto _ : state)
    benchmark::DoNotOptimize(
        Must(device.transport->ReadRegister(region, pci ? 0x14 : 0x70, pci ? 1 : 4)));
}

// ---- A request through a split virtqueue: published, notified, used, taken

op::SetupQueue Layout(uint64_t base) {
  op::SetupQueue setup;
  setup.size = kQueueSize;
  setup.desc = base;
  setup.driver = base + 0x1000;
  setup.device = base + 0x2000;
  return setup;
}

void SubmitDirect(benchmark::State& state, const std::string& name) {
  Device device(name);
  device.Negotiate();
  const uint64_t base = device.memory.regions().front().range.address;
  Shadow shadow(device.memory, 1);
  const auto setup = Layout(base);
  const QueueLayout layout{setup.size, setup.desc, setup.driver, setup.device};
  SplitQueue queue(device.memory, shadow, layout, {});
  Must(queue.ZeroRings());
  Must(device.transport->SetupQueue(0, layout));
  Must(device.transport->WriteStatus(Up(kNegotiated | status::kDriverOk)));
  op::Publish publish;
  publish.segments = Request(name, base + 0x8000);
  Must(shadow.Write(base + 0x8000, Bytes(16)));
  for (auto _ : state) {
    Must(queue.Publish(publish, false));
    Must(device.transport->Notify(0));
    if (!Must(device.transport->WaitUntil([&] { return queue.Pending() != 0; },
                                          Deadline::After(std::chrono::seconds(1)))))
      std::exit(1);
    const auto element = queue.Used();
    queue.SkipUsed(1);
    queue.Complete(*queue.Find(element.id));
    benchmark::DoNotOptimize(device.transport->TakeQueueNotifications(0));
  }
  state.SetItemsProcessed(state.iterations());
}

void SubmitSession(benchmark::State& state, const std::string& name) {
  std::unique_ptr<Device> device;
  std::unique_ptr<Session> session;
  op::Publish publish;
  auto restart = [&] {
    session.reset();
    device = std::make_unique<Device>(name);
    device->Negotiate();
    session = std::make_unique<Session>(device->memory, *device->transport, SessionOptions{});
    Must(session->Perform(op::Reset{}));
    Must(session->Perform(op::WriteStatus{Up(status::kAcknowledge | status::kDriver)}));
    Must(session->Perform(op::ReadFeatures{}));
    Must(session->Perform(op::AcceptFeatures{FeatureSet{feature::kVersion1}}));
    Must(session->Perform(op::WriteStatus{Up(kNegotiated)}));
    auto allocate = [&](uint64_t length) {
      return Must(session->allocator().Allocate(length, 0x1000));
    };
    op::SetupQueue setup;
    setup.size = kQueueSize;
    setup.desc = allocate(0x1000);
    setup.driver = allocate(0x1000);
    setup.device = allocate(0x1000);
    Must(session->Perform(setup));
    Must(session->Perform(op::WriteStatus{Up(kNegotiated | status::kDriverOk)}));
    const uint64_t data = allocate(0x1000);
    Must(session->Perform(op::Write{data, Bytes(16)}));
    publish.segments = Request(name, data);
  };
  restart();
  int requests = 0;
  for (auto _ : state) {
    Must(session->Perform(publish));
    Must(session->Perform(op::Notify{0}));
    if (Must(session->Perform(op::WaitUsed{0, 1})).value != 1 || !session->findings().empty())
      std::exit(1);
    if (++requests % kRequestsPerSession != 0) continue;
    state.PauseTiming();
    restart();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations());
}

// ---- Programs

Program SomeProgram() {
  Program program;
  program.check = "framing.example";
  for (uint64_t i = 0; i < 100; ++i) {
    program.operations.push_back(op::Fill{0x100000 + i * 0x1000, 512, i});
    op::Publish publish;
    publish.segments = Request("blk", 0x100000 + i * 0x1000);
    program.operations.push_back(publish);
    program.operations.push_back(op::Notify{0});
    program.operations.push_back(op::WaitUsed{0, 1});
    op::Expect expect;
    expect.values = {1};
    expect.requirement = "dev.basic.device-reset.1";
    program.operations.push_back(expect);
  }
  return program;
}

void PrintProgram(benchmark::State& state) {
  const Program program = SomeProgram();
  for (auto _ : state) benchmark::DoNotOptimize(ToText(program));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(program.operations.size()));
}

void ParseProgramText(benchmark::State& state) {
  const Program program = SomeProgram();
  const std::string text = ToText(program);
  for (auto _ : state) benchmark::DoNotOptimize(Must(ParseProgram(text)));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(program.operations.size()));
}

// ---- What a run begins with, and what each of its checks costs at least

void FindRequirements(benchmark::State& state) {
  const auto all = Catalogue::Get().all();
  for (auto _ : state)
    for (const Requirement& requirement : all)
      benchmark::DoNotOptimize(Catalogue::Get().Find(requirement.id));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(all.size()));
}

void ProbeDevice(benchmark::State& state, const std::string& name) {
  auto attachment = Must(OpenAttachment("ref:" + name));
  for (auto _ : state) benchmark::DoNotOptimize(Must(Probe(*attachment, {})));
}

void EmptyCheck(benchmark::State& state, const std::string& name) {
  auto attachment = Must(OpenAttachment("ref:" + name));
  const Probed probed = Must(Probe(*attachment, {}));
  Check check;
  check.id = "bench.empty";
  check.run = [](Context&) {};
  for (auto _ : state) {
    auto job = Must(StartCheck(check, *attachment, probed.facts, {}, std::chrono::seconds(10)));
    if (ResultOf(check.id, 1, job->Wait()).outcome != Outcome::kPass) std::exit(1);
  }
}

// A session in which nothing is done: memory is poisoned at its start and compared at its end.
void EmptySession(benchmark::State& state, const std::string& name) {
  for (auto _ : state) {
    Device device(name);
    Session session(device.memory, *device.transport, SessionOptions{});
    Must(session.Finish());
  }
}

void EmptyProcess(benchmark::State& state) {
  for (auto _ : state) {
    auto job = Must(IsolatedJob::Start([](FlightRecorder&) { return std::string("done"); },
                                       std::chrono::seconds(10)));
    if (!job->Wait().answer) std::exit(1);
  }
}

void RegisterAll() {
  for (const std::string device : {"blk", "entropy"}) {
    benchmark::RegisterBenchmark(("negotiate/direct/" + device).c_str(), NegotiateDirect, device);
    benchmark::RegisterBenchmark(("negotiate/session/" + device).c_str(), NegotiateSession, device);
    benchmark::RegisterBenchmark(("submit/direct/" + device).c_str(), SubmitDirect, device);
    benchmark::RegisterBenchmark(("submit/session/" + device).c_str(), SubmitSession, device);
  }
  for (const std::string device : {"blk", "entropy"})
    benchmark::RegisterBenchmark(("sets/negotiate/" + device).c_str(), NegotiateSets, device);
  // In real time: half of it is the daemon's.
  if (std::system("command -v qemu-storage-daemon >/dev/null") == 0)
    benchmark::RegisterBenchmark("sets/negotiate/storage-daemon", NegotiateSets, kStorageDaemon)
        ->UseRealTime();
  benchmark::RegisterBenchmark("sets/walk/blk", WalkSets, "blk");
  std::vector<std::string> with_registers = {"blk,level=pci", "blk,level=mmio"};
  // In real time: half of it is QEMU's.
  for (const std::string device : {"qemu:virtio-blk-pci", "qemu:virtio-blk-device"})
    if (OpenAttachment(device)) with_registers.push_back(device);
  for (const std::string& device : with_registers) {
    const auto add = [&](const std::string& step, auto* run) {
      benchmark::RegisterBenchmark((step + "/" + device).c_str(), run, device)->UseRealTime();
    };
    add("register", ReadRegister);
    add("negotiate/direct", NegotiateDirect);
    add("submit/direct", SubmitDirect);
    add("submit/session", SubmitSession);
  }
  benchmark::RegisterBenchmark("program/print", PrintProgram);
  benchmark::RegisterBenchmark("program/parse", ParseProgramText);
  benchmark::RegisterBenchmark("catalogue/find-all", FindRequirements);
  benchmark::RegisterBenchmark("session/empty", EmptySession, "blk");
  // In real time: most of it passes in the child.
  benchmark::RegisterBenchmark("isolate/process", EmptyProcess)->UseRealTime();
  benchmark::RegisterBenchmark("isolate/check", EmptyCheck, "blk")->UseRealTime();
  benchmark::RegisterBenchmark("isolate/probe", ProbeDevice, "blk")->UseRealTime();
}

}  // namespace
}  // namespace vitro

int main(int argc, char** argv) {
  vitro::SetReferenceDevices({vitro::ref::FindReferenceDevice, "blk, entropy, experimental",
                              vitro::pcidev::AsPciFunction, vitro::ref::WrapInMmio});
  vitro::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
