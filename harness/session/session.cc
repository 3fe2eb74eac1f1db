// SPDX-License-Identifier: Apache-2.0
#include "harness/session/session.h"

#include <algorithm>

#include "harness/oracle/packed_rules.h"
#include "harness/session/observations.h"
#include "harness/transport/read_until.h"

namespace vitro {
namespace {

constexpr Duration kShortestWindow = std::chrono::milliseconds(5);
constexpr Duration kLongestWindow = std::chrono::milliseconds(100);
constexpr int kWindowFactor = 20;

}  // namespace

Session::Session(GuestMemory& memory, Transport& transport, SessionOptions options)
    : memory_(memory),
      transport_(transport),
      options_(std::move(options)),
      shadow_(memory, options_.seed * 2),
      allocator_(memory),
      oracle_(memory, shadow_, state_, transport,
              [this](Finding finding) { Report(std::move(finding)); }) {}

void Session::Report(Finding finding) {
  finding.requirement = Applied(finding.requirement);
  finding.operation = trace_.empty() ? 0 : trace_.size() - 1;
  findings_.push_back(std::move(finding));
}

std::string Session::Applied(const std::string& requirement) const {
  if (!state_.accepted.Has(feature::kRingPacked)) return requirement;
  return std::string(InPackedRings(requirement));
}

Duration Session::quiet_window() const {
  return std::clamp<Duration>(slowest_response_ * kWindowFactor, kShortestWindow, kLongestWindow);
}

Result<Observation> Session::Perform(const Operation& operation) {
  if (options_.before) options_.before(operation);
  trace_.push_back({operation, {}, false, ""});
  const size_t index = trace_.size() - 1;
  auto result = std::visit([this](const auto& each) { return Do(each); }, operation);
  if (!result) {
    trace_[index].failed = true;
    trace_[index].note = result.error().message;
    return result;
  }
  trace_[index].observed = *result;
  if (std::holds_alternative<op::Expect>(operation)) return result;
  last_ = *result;
  CollectNotifications();
  oracle_.JudgeMemory(false);
  return result;
}

Result<> Session::Finish() {
  VITRO_TRY(Perform(op::Quiesce{}));
  oracle_.JudgeMemory(true);
  return {};
}

Program Session::program(std::string check) const {
  Program program{std::move(check), options_.seed, {}};
  for (const Step& step : trace_) program.operations.push_back(step.operation);
  return program;
}

std::vector<std::string> Session::TraceTail(size_t steps) const {
  std::vector<std::string> lines;
  for (size_t i = trace_.size() > steps ? trace_.size() - steps : 0; i < trace_.size(); ++i) {
    const Step& step = trace_[i];
    std::string line = fmt::format("{:4} {}", i, ToText(step.operation, true));
    if (step.failed)
      line += " -> could not be done: " + step.note;
    else if (step.observed.refused)
      line += " -> refused";
    else if (!step.note.empty())
      line += " -> " + step.note;
    lines.push_back(std::move(line));
  }
  return lines;
}

void Session::CollectNotifications() {
  for (const uint32_t index : watched_) {
    const uint64_t count = transport_.TakeQueueNotifications(index);
    notifications_[index] += count;
    oracle_.Count(index, count);
  }
  config_notifications_ += transport_.TakeConfigNotifications();
}

Result<Virtqueue*> Session::Queue(uint32_t index) {
  auto it = state_.queues.find(index);
  if (it == state_.queues.end()) return Fail(ErrorKind::kUsage, "queue {} is not set up", index);
  return it->second.get();
}

Result<Observation> Session::Do(const op::ReadFeatures&) {
  VITRO_ASSIGN(state_.offered, transport_.ReadFeatures());
  Observation observation = Value(state_.offered.word(0));
  observation.bytes = LeBytes(state_.offered.word(0), 8);
  const Bytes high = LeBytes(state_.offered.word(1), 8);
  observation.bytes.insert(observation.bytes.end(), high.begin(), high.end());
  trace_.back().note = fmt::format("{:#x} {:#x}", state_.offered.word(0), state_.offered.word(1));
  return observation;
}

Result<Observation> Session::Do(const op::AcceptFeatures& accept) {
  auto result = transport_.AcceptFeatures(accept.features);
  if (Refused(result)) return RefusedObservation();
  VITRO_TRY(result);
  state_.accepted = accept.features;
  return Observation{};
}

Result<Observation> Session::Do(const op::ReadStatus&) {
  VITRO_ASSIGN(const uint8_t status, transport_.ReadStatus());
  // What a device used before it said that it is suspended was in order (3.4.2).
  if ((status & status::kSuspend) && !(status & status::kDriverOk) && state_.running()) {
    oracle_.JudgeMemory(false);
    for (const auto& [index, queue] : state_.queues)
      taken_early_[index] += oracle_.TakeUsed(index).buffers;
  }
  // The driver's idea of the status follows what the device confirms, FEATURES_OK above all.
  state_.status = status;
  trace_.back().note = fmt::format("{:#x}", status);
  return Value(status);
}

Result<Observation> Session::Do(const op::WriteStatus& write) {
  if (write.status == 0)
    return Fail(ErrorKind::kUsage, "writing status 0 is the operation 'reset'");
  // Before the call: a device may use buffers at once when it sees DRIVER_OK.
  state_.status = write.status;
  state_.was_reset = false;  // what comes now is not an echo of the reset any more
  return Done(transport_.WriteStatus(write.status));
}

Result<Observation> Session::Do(const op::Reset&) {
  VITRO_TRY(transport_.Reset());
  VITRO_ASSIGN(const uint8_t status,
               ReadUntil(
                   transport_, ResponseDeadline(), [this] { return transport_.ReadStatus(); },
                   [](uint8_t read) { return read == 0; }));
  trace_.back().note = fmt::format("{:#x}", status);
  if (status != 0) return Value(status);
  CollectNotifications();
  oracle_.JudgeMemory(false);  // what came before the reset completed, by the rules of before
  // Counted as before the reset; the queues are watched on, so that one after it is seen (2.4.1).
  for (const uint32_t index : watched_)
    notifications_[index] += transport_.TakeQueueNotifications(index);
  state_.status = 0;
  state_.accepted = {};
  state_.was_reset = true;
  state_.hostile = false;  // a new life of the device, and a new driver
  state_.queues.clear();
  taken_early_.clear();
  oracle_.DeviceWasReset();
  return Value(status);
}

Result<Observation> Session::Do(const op::Reconnect&) {
  VITRO_TRY(transport_.Reconnect());
  oracle_.JudgeMemory(false);
  oracle_.DeviceWasReset();
  state_.queues.clear();
  notifications_.clear();
  state_.status = 0;
  state_.accepted = {};
  return Observation{};
}

Result<Observation> Session::Do(const op::ReadConfig& read) {
  auto bytes = transport_.ReadConfig(read.offset, read.width);
  if (Refused(bytes)) return RefusedObservation();
  VITRO_TRY(bytes);
  Observation observation =
      Value(LoadLe(ByteView(*bytes).first(std::min<size_t>(8, bytes->size()))));
  observation.bytes = *std::move(bytes);
  trace_.back().note = fmt::format("{:#x}", observation.value);
  return observation;
}

Result<Observation> Session::Do(const op::WriteConfig& write) {
  return Done(transport_.WriteConfig(write.offset, write.bytes));
}

Result<Observation> Session::Do(const op::ReadGeneration&) {
  VITRO_ASSIGN(const uint32_t generation, transport_.ReadGeneration());
  trace_.back().note = fmt::format("{}", generation);
  return Value(generation);
}

Result<Observation> Session::Do(const op::StimulateConfigChange&) {
  return Done(transport_.StimulateConfigChange());
}

Result<Observation> Session::Do(const op::TakeConfigNotifications&) {
  CollectNotifications();
  trace_.back().note = fmt::format("{}", config_notifications_);
  return Value(std::exchange(config_notifications_, 0));
}

Result<Observation> Session::Do(const op::WaitConfigNotification&) {
  VITRO_TRY(transport_.WaitUntil(
      [&] {
        CollectNotifications();
        return config_notifications_ > 0;
      },
      ResponseDeadline()));
  trace_.back().note = fmt::format("{}", config_notifications_);
  return Value(std::exchange(config_notifications_, 0));
}

Result<Observation> Session::Do(const op::ReadQueueMaxSize& read) {
  VITRO_ASSIGN(const uint32_t size, transport_.QueueMaxSize(read.queue));
  trace_.back().note = fmt::format("{}", size);
  return Value(size);
}

Result<Observation> Session::Do(const op::SetupQueue& setup) {
  const QueueLayout layout{setup.size, setup.desc, setup.driver, setup.device};
  auto queue = Virtqueue::Create(memory_, shadow_, layout, state_.accepted);
  if (queue->usable() && setup.keep == 0) VITRO_TRY(queue->ZeroRings());
  auto result = transport_.SetupQueue(setup.queue, layout);
  if (Refused(result)) return RefusedObservation();
  VITRO_TRY(result);
  state_.queues.insert_or_assign(setup.queue, std::move(queue));
  watched_.insert(setup.queue);
  oracle_.BeforeExpose(setup.queue);
  return Observation{};
}

Result<Observation> Session::Do(const op::ResetQueue& reset) {
  auto result = transport_.ResetQueue(reset.queue);
  if (Refused(result)) return RefusedObservation();
  VITRO_TRY(result);
  CollectNotifications();
  oracle_.JudgeMemory(false);
  oracle_.QueueWasReset(reset.queue);
  state_.queues.erase(reset.queue);
  return Observation{};
}

Result<Observation> Session::Do(const op::Notify& notify) {
  const auto queue = state_.queues.find(notify.queue);
  const uint16_t next = queue == state_.queues.end() ? 0 : queue->second->avail_position();
  return Done(transport_.NotifyWithData(notify.queue, next));
}

Result<Observation> Session::Do(const op::Publish& publish) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(publish.queue));
  VITRO_ASSIGN(const uint16_t head, queue->Publish(publish, oracle_.IsFresh(publish.segments)));
  oracle_.BeforeExpose(publish.queue);
  trace_.back().note = fmt::format("head {}", head);
  return Value(head);
}

Result<Observation> Session::Do(const op::Expose& expose) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(expose.queue));
  VITRO_TRY(queue->Expose());
  return Observation{};
}

Result<Observation> Session::Do(const op::SetAvailFlags& set) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(set.queue));
  oracle_.SuppressionChanged(set.queue);
  VITRO_TRY(queue->SetAvailFlags(set.flags));
  return Observation{};
}

Result<Observation> Session::Do(const op::SetUsedEvent& set) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(set.queue));
  oracle_.SuppressionChanged(set.queue);
  VITRO_TRY(queue->SetUsedEvent(set.event));
  return Observation{};
}

Result<Observation> Session::Do(const op::WaitUsed& wait) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(wait.queue));
  const auto start = Clock::now();
  VITRO_ASSIGN(bool came, transport_.WaitUntil([&] { return queue->Pending() >= wait.count; },
                                               ResponseDeadline()));
  if (came) slowest_response_ = std::max<Duration>(slowest_response_, Clock::now() - start);
  // First what was written where nothing may be, while it is known what stood there: once a buffer
  // is used, its memory is like any other.
  oracle_.JudgeMemory(false);
  auto [taken, buffers] = oracle_.TakeUsed(wait.queue);
  buffers += std::exchange(taken_early_[wait.queue], 0);
  Observation observation = Value(buffers);
  if (!taken.empty()) {
    observation.used_id = taken.back().id;
    observation.used_len = taken.back().len;
  }
  std::string note = fmt::format("{} used", buffers);
  for (size_t i = 0; i < std::min<size_t>(taken.size(), 6); ++i)
    note += fmt::format("{} id {} len {}", i ? "," : ":", taken[i].id, taken[i].len);
  trace_.back().note = std::move(note);
  return observation;
}

Result<Observation> Session::Do(const op::Churn& churn) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(churn.queue));
  const Virtqueue::Chain* chain = oracle_.last_taken(churn.queue);
  if (chain == nullptr || churn.batch == 0)
    return Fail(ErrorKind::kUsage, "no chain of queue {} was used before, or the batch is empty",
                churn.queue);
  op::Publish publish;
  publish.queue = churn.queue;
  publish.segments = chain->segments;
  publish.hold = 1;
  uint32_t used = 0;
  while (used < churn.count) {
    const uint32_t batch = std::min(churn.batch, churn.count - used);
    for (uint32_t i = 0; i < batch; ++i) VITRO_TRY(queue->Publish(publish, false));
    if (used == 0) oracle_.BeforeExpose(churn.queue);
    VITRO_TRY(queue->Expose());
    VITRO_TRY(transport_.NotifyWithData(churn.queue, queue->avail_position()));
    VITRO_ASSIGN(const bool came, transport_.WaitUntil([&] { return queue->Pending() >= batch; },
                                                       ResponseDeadline()));
    used += oracle_.TakeUsed(churn.queue).buffers;
    if (!came) break;
  }
  trace_.back().note = fmt::format("{} used", used);
  return Value(used);
}

Result<Observation> Session::Do(const op::ReadAnswer& read) {
  Observation observation = last_;  // the used element's id and length stay in view
  observation.bytes.clear();
  if (const Virtqueue::Chain* chain = oracle_.last_taken(read.queue)) {
    for (const op::Segment& segment : chain->segments) {
      if (!segment.writable) continue;
      VITRO_ASSIGN(const Bytes bytes, memory_.Read(segment.address, segment.length));
      observation.bytes.insert(observation.bytes.end(), bytes.begin(), bytes.end());
    }
  }
  const auto from = observation.bytes.begin();
  const size_t offset = std::min<size_t>(read.offset, observation.bytes.size());
  observation.bytes.erase(from, from + static_cast<std::ptrdiff_t>(offset));
  if (read.length != 0) {
    observation.bytes.resize(std::min<size_t>(read.length, observation.bytes.size()));
    const ByteView bytes = observation.bytes;
    observation.value = LoadLe(bytes.first(std::min<size_t>(8, bytes.size())));
  }
  trace_.back().note =
      ToHex(ByteView(observation.bytes).first(std::min<size_t>(16, observation.bytes.size())));
  return observation;
}

Result<Observation> Session::Do(const op::ReadUsedFlags& read) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(read.queue));
  trace_.back().note = fmt::format("{:#x}", queue->used_flags());
  return Value(queue->used_flags());
}

Result<Observation> Session::Do(const op::ReadUsedIdx& read) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(read.queue));
  const uint16_t position = queue->used_position();
  trace_.back().note =
      queue->packed() ? fmt::format("{:#x}", position) : fmt::format("{}", position);
  return Value(position);
}

Result<Observation> Session::Do(const op::ReadAvailEvent& read) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(read.queue));
  trace_.back().note = fmt::format("{}", queue->avail_event());
  return Value(queue->avail_event());
}

Result<Observation> Session::Do(const op::TakeNotifications& take) {
  VITRO_TRY(CheckNotifications());
  CollectNotifications();
  trace_.back().note = fmt::format("{}", notifications_[take.queue]);
  return Value(std::exchange(notifications_[take.queue], 0));
}

Result<> Session::CheckNotifications() const {
  const Abilities& abilities = transport_.abilities();
  if (abilities.Has(Ability::kUsedNotification)) return {};
  return Fail(ErrorKind::kUnsupported, "{}", abilities.WhyNot(Ability::kUsedNotification));
}

Result<Observation> Session::Do(const op::WaitNotifications& wait) {
  VITRO_TRY(CheckNotifications());
  VITRO_TRY(transport_.WaitUntil(
      [&] {
        CollectNotifications();
        return notifications_[wait.queue] >= wait.count;
      },
      ResponseDeadline()));
  trace_.back().note = fmt::format("{}", notifications_[wait.queue]);
  return Value(std::exchange(notifications_[wait.queue], 0));
}

Result<Observation> Session::Do(const op::Quiesce&) {
  VITRO_TRY(transport_.Quiesce(quiet_window()));
  const bool exact = transport_.abilities().Has(Ability::kExactQuiet);
  for (auto& [index, queue] : state_.queues) oracle_.TakeUsed(index);
  CollectNotifications();
  for (auto& [index, queue] : state_.queues) {
    // "None came" is said only after the whole response deadline, not after the quiet window.
    if (oracle_.Owes(index) && !exact)
      VITRO_TRY(transport_.WaitUntil(
          [&, queue_index = index] {
            CollectNotifications();
            return !oracle_.Owes(queue_index);
          },
          ResponseDeadline()));
    oracle_.Settle(index, exact);
  }
  return Observation{};
}

Result<Observation> Session::Do(const op::Write& write) {
  VITRO_TRY(shadow_.Write(write.address, write.bytes));
  oracle_.Written({write.address, write.bytes.size()});
  return Observation{};
}

Result<Observation> Session::Do(const op::Fill& fill) {
  const GuestRange range{fill.address, fill.length};
  VITRO_TRY(shadow_.Poison(range, fill.seed));
  oracle_.Written(range);
  oracle_.Poisoned(range);
  return Observation{};
}

Result<Observation> Session::Do(const op::Lend& lend) {
  VITRO_TRY(memory_.Read(lend.address, lend.length));
  state_.lent.push_back({lend.address, lend.length});
  return Observation{};
}

Result<Observation> Session::Do(const op::Read& read) {
  Observation observation;
  VITRO_ASSIGN(observation.bytes, memory_.Read(read.address, read.length));
  observation.value =
      LoadLe(ByteView(observation.bytes).first(std::min<size_t>(8, observation.bytes.size())));
  trace_.back().note =
      ToHex(ByteView(observation.bytes).first(std::min<size_t>(16, observation.bytes.size())));
  return observation;
}

Result<Observation> Session::Do(const op::Hostile&) {
  state_.hostile = true;
  return Observation{};
}

Result<Observation> Session::Do(const op::RawDescriptor& raw) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(raw.queue));
  VITRO_TRY(queue->WriteDescriptor(raw));
  return Observation{};
}

Result<Observation> Session::Do(const op::RawAvailable& raw) {
  VITRO_ASSIGN(Virtqueue * queue, Queue(raw.queue));
  VITRO_TRY(queue->WriteAvailable(raw.head, raw.step));
  return Observation{};
}

Result<Observation> Session::Do(const op::Expect& expect) {
  judged_.insert(Applied(expect.requirement));
  if (!Accepts(expect, last_)) {
    Report({expect.requirement, expect.because, DescribeAccepted(expect),
            DescribeObserved(expect, last_), expect.severity, 0});
    trace_.back().note = "NOT as expected: " + DescribeObserved(expect, last_);
  }
  return last_;
}

}  // namespace vitro
