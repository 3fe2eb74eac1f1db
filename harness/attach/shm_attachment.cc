// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/shm_attachment.h"

#include <poll.h>

#include <atomic>
#include <charconv>

#include "harness/attach/direct_attachment.h"
#include "harness/attach/spawned_peer.h"
#include "harness/transport/shm/shm_device.h"

namespace vitro {
namespace {

struct Config {
  std::string name;
  std::string spawn;
  DirectPlan plan;  // interrupts and interface
  Duration timeout = milliseconds(5000);
  bool own_name() const { return spawn.find("{name}") != std::string::npos; }
};

// A name that nothing else has, in this process or another.
std::string FreshName() {
  static std::atomic<uint64_t> count = 0;
  const auto now = Clock::now().time_since_epoch().count();
  return fmt::format("/vitro-{}-{}-{:x}", getpid(), ++count, now);
}

// Removes a name of shared memory, unless somebody else has done so.
class NameGuard {
 public:
  explicit NameGuard(std::string name) : name_(std::move(name)) {}
  NameGuard(const NameGuard&) = delete;
  NameGuard& operator=(const NameGuard&) = delete;
  ~NameGuard() { boost::interprocess::shared_memory_object::remove(name_.c_str()); }

 private:
  std::string name_;
};

Result<std::unique_ptr<ShmSegment>> OpenNow(const std::string& name) {
  auto segment = ShmSegment::Open(name);
  // Nobody said that it will come.
  if (!segment && segment.error().kind == ErrorKind::kTimeout)
    return Fail(ErrorKind::kAttach, "{}", segment.error().message);
  return segment;
}

// Nothing tells when a process has created a segment: it is tried again and again. The process's
// end or output cuts each nap short.
Result<std::unique_ptr<ShmSegment>> OpenWhenReady(const std::string& name, Process& process,
                                                  Deadline deadline) {
  for (Duration nap = microseconds(200);; nap = std::min<Duration>(nap * 5 / 4, milliseconds(2))) {
    auto segment = ShmSegment::Open(name);
    if (segment || segment.error().kind != ErrorKind::kTimeout) return segment;
    const bool ended = !process.Running();
    process.Pump();
    std::string words = process.LastWords();
    if (!words.empty()) words = "; it printed: " + words;
    if (ended)
      return Fail(ErrorKind::kAttach, "{} before there was shared memory {}{}", process.Ended(),
                  name, words);
    if (deadline.Passed())
      return Fail(ErrorKind::kAttach, "{}, and the command creates none in time{}",
                  segment.error().message, words);
    pollfd fds[] = {{process.exit_fd(), POLLIN, 0}, {process.output_fd(), POLLIN, 0}};
    const auto left = std::min(nap, deadline.Left());
    const timespec timeout{0, std::min<long>(999'999'999, left.count())};
    ppoll(fds, 2, &timeout, nullptr);
  }
}

class ShmAttachment : public Attachment {
 public:
  ShmAttachment(AttachString string, Config config)
      : string_(std::move(string)), config_(std::move(config)) {}
  const AttachString& string() const override { return string_; }
  bool independent() const override { return config_.own_name(); }

  Result<std::unique_ptr<Transport>> Attach(GuestMemory& memory) override {
    std::shared_ptr<SpawnedPeer> peer;
    VITRO_ASSIGN(auto segment, config_.spawn.empty() ? OpenNow(config_.name) : Spawn(peer));
    VITRO_ASSIGN(auto device, ShmDevice::Claim(std::move(segment), peer, config_.timeout));
    DirectPlan plan = config_.plan;
    plan.level = device->level();
    plan.wrapped = device->wrapped();
    if (plan.level == DirectLevel::kCore && !(plan.interrupts + plan.interface).empty())
      return Fail(ErrorKind::kUsage,
                  "'{}': the device has level core, which has no interrupts= and no interface=",
                  string_.text);
    return AttachDirect(plan, memory, std::move(device));
  }

 private:
  Result<std::unique_ptr<ShmSegment>> Spawn(std::shared_ptr<SpawnedPeer>& peer) {
    const std::string name = config_.own_name() ? FreshName() : config_.name;
    // Words are split first, so that a name with a blank stays one word.
    VITRO_ASSIGN(auto argv, SplitCommand(config_.spawn));
    for (auto& word : argv) word = FillPlaceholders(word, {{"name", name}});
    VITRO_ASSIGN(Process process, Process::Start(argv));
    peer = std::make_shared<SpawnedPeer>(std::move(process));
    // Once both sides have it, or one of them has failed, nobody else needs the name; and whatever
    // becomes of them, the memory is gone when they are.
    std::optional<NameGuard> guard;
    if (config_.own_name()) guard.emplace(name);
    return OpenWhenReady(name, peer->process(), Deadline::After(config_.timeout));
  }

  AttachString string_;
  Config config_;
};

Result<Config> TakeConfig(AttachString& string) {
  Config config;
  config.name = string.where;
  config.spawn = string.Take("spawn").value_or("");
  config.plan.interrupts = string.Take("interrupts").value_or("");
  config.plan.interface = string.Take("interface").value_or("");
  if (auto text = string.Take("timeout")) {
    uint32_t value = 0;
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value < 1 ||
        value > 3'600'000)
      return Fail(ErrorKind::kUsage, "shm: timeout={} is not a number from 1 to 3600000", *text);
    config.timeout = milliseconds(value);
  }
  if (!string.options.empty())
    return Fail(ErrorKind::kUsage,
                "shm: there is no option '{}'; a device is given its own where it "
                "is started",
                string.options.begin()->first);
  VITRO_TRY(ShmSegment::CheckName(config.name));
  if (!config.spawn.empty()) VITRO_TRY(SplitCommand(config.spawn));
  return config;
}

}  // namespace

Result<std::unique_ptr<Attachment>> OpenShm(AttachString string) {
  AttachString rest = string;
  VITRO_ASSIGN(Config config, TakeConfig(rest));
  if (config.spawn.empty()) VITRO_TRY(OpenNow(config.name));
  return std::make_unique<ShmAttachment>(std::move(string), std::move(config));
}

}  // namespace vitro
