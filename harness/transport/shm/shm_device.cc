// SPDX-License-Identifier: Apache-2.0
#include "harness/transport/shm/shm_device.h"

#include <algorithm>
#include <cstring>

#include "devices/abi/vitro_shm_sync.h"
#include "harness/base/bytes.h"

namespace vitro {
namespace {

// How long an answer is waited for awake: longer than a device that is awake takes for a register.
constexpr int kSpins = 400;
// Between two looks at whether the device lives.
constexpr Duration kSlice = milliseconds(20);

uint32_t Microseconds(Duration duration) {
  const auto whole = std::chrono::ceil<microseconds>(duration).count();
  return static_cast<uint32_t>(std::clamp<int64_t>(whole, 1, 1'000'000));
}

const char* NameOf(uint32_t opcode) {
  constexpr const char* kNames[] = {"?",
                                    "OPEN",
                                    "CLOSE",
                                    "OFFERED_FEATURES",
                                    "ACCEPT_FEATURES",
                                    "GET_STATUS",
                                    "SET_STATUS",
                                    "RESET",
                                    "CONFIG_READ",
                                    "CONFIG_WRITE",
                                    "CONFIG_GENERATION",
                                    "QUEUE_MAX_SIZE",
                                    "QUEUE_SETUP",
                                    "QUEUE_RESET",
                                    "NOTIFY",
                                    "RUN",
                                    "STIMULATE",
                                    "PCI_CONFIG_READ",
                                    "PCI_CONFIG_WRITE",
                                    "BAR_READ",
                                    "BAR_WRITE",
                                    "MMIO_READ",
                                    "MMIO_WRITE"};
  return opcode < std::size(kNames) ? kNames[opcode] : "?";
}

// Data of a request: the first byte is the lowest.
uint64_t DataOf(const void* bytes, uint32_t width) {
  return LoadLe(ByteView(static_cast<const uint8_t*>(bytes), width));
}

}  // namespace

// The table --------------------------------------------------------------------------------------

// vitro_device is ours to define per instance: it stands for the ShmDevice.
struct ShmDevice::Calls {
  static ShmDevice& Self(vitro_device* device) { return *reinterpret_cast<ShmDevice*>(device); }
  static uint64_t Value(vitro_device* device, uint32_t opcode,
                        std::initializer_list<uint64_t> arguments = {}) {
    return Self(device).Call(opcode, arguments).values[0];
  }
  static int Act(vitro_device* device, uint32_t opcode,
                 std::initializer_list<uint64_t> arguments = {}) {
    return Self(device).Call(opcode, arguments).result;
  }
  static int Read(vitro_device* device, uint32_t opcode, std::initializer_list<uint64_t> arguments,
                  uint64_t* value) {
    const Answer answer = Self(device).Call(opcode, arguments);
    if (answer.result == 0) *value = answer.values[0];
    return answer.result;
  }

  static int Create(const vitro_host*, const char*, vitro_device**) { return -1; }
  static void Destroy(vitro_device* device) {
    ShmDevice& self = Self(device);
    if (self.opened_) self.Call(VITRO_SHM_CLOSE);
    self.opened_ = false;
    self.host_ = nullptr;
  }
  static void Identity(vitro_device* device, vitro_identity* identity);
  static int ConfigRead(vitro_device* device, uint32_t offset, void* value, uint32_t width) {
    if (!IsAccessWidth(width)) return -1;
    uint64_t data = 0;
    const int result = Read(device, VITRO_SHM_CONFIG_READ, {offset, width}, &data);
    if (result == 0) std::memcpy(value, &data, width);
    return result;
  }
  static int ConfigWrite(vitro_device* device, uint32_t offset, const void* value, uint32_t width) {
    if (!IsAccessWidth(width)) return -1;
    return Act(device, VITRO_SHM_CONFIG_WRITE, {offset, width, DataOf(value, width)});
  }
};

void ShmDevice::FillTable() {
  ops_.size = sizeof ops_;
  ops_.abi_version = VITRO_ABI_VERSION;
  ops_.name = segment_->header().name;
  ops_.create = Calls::Create;
  ops_.destroy = Calls::Destroy;
  ops_.identity = Calls::Identity;
  ops_.run = [](vitro_device* d) { return Calls::Act(d, VITRO_SHM_RUN) > 0 ? 1 : 0; };
  if (segment_->Serves(VITRO_SHM_STIMULATE))
    ops_.stimulate_config_change = [](vitro_device* d) {
      return Calls::Act(d, VITRO_SHM_STIMULATE);
    };
  if (level() == DirectLevel::kPci) {
    pci_.size = sizeof pci_;
    pci_.config_read = [](vitro_device* d, uint32_t offset, uint32_t width) {
      return static_cast<uint32_t>(Calls::Value(d, VITRO_SHM_PCI_CONFIG_READ, {offset, width}));
    };
    pci_.config_write = [](vitro_device* d, uint32_t offset, uint32_t width, uint32_t value) {
      Calls::Act(d, VITRO_SHM_PCI_CONFIG_WRITE, {offset, width, value});
    };
    pci_.bar_read = [](vitro_device* d, uint32_t bar, uint64_t offset, uint32_t width,
                       uint64_t* value) {
      return Calls::Read(d, VITRO_SHM_BAR_READ, {bar, offset, width}, value);
    };
    pci_.bar_write = [](vitro_device* d, uint32_t bar, uint64_t offset, uint32_t width,
                        uint64_t value) {
      return Calls::Act(d, VITRO_SHM_BAR_WRITE, {bar, offset, width, value});
    };
    ops_.pci = &pci_;
    return;
  }
  if (level() == DirectLevel::kMmio) {
    mmio_.size = sizeof mmio_;
    mmio_.read = [](vitro_device* d, uint64_t offset, uint32_t width, uint64_t* value) {
      return Calls::Read(d, VITRO_SHM_MMIO_READ, {offset, width}, value);
    };
    mmio_.write = [](vitro_device* d, uint64_t offset, uint32_t width, uint64_t value) {
      return Calls::Act(d, VITRO_SHM_MMIO_WRITE, {offset, width, value});
    };
    ops_.mmio = &mmio_;
    return;
  }
  ops_.offered_features = [](vitro_device* d, uint64_t words[2]) {
    const Answer answer = Calls::Self(d).Call(VITRO_SHM_OFFERED_FEATURES);
    words[0] = answer.values[0];
    words[1] = answer.values[1];
  };
  ops_.accept_features = [](vitro_device* d, const uint64_t words[2]) {
    Calls::Act(d, VITRO_SHM_ACCEPT_FEATURES, {words[0], words[1]});
  };
  ops_.get_status = [](vitro_device* d) {
    return static_cast<uint8_t>(Calls::Value(d, VITRO_SHM_GET_STATUS));
  };
  ops_.set_status = [](vitro_device* d, uint8_t status) {
    Calls::Act(d, VITRO_SHM_SET_STATUS, {status});
  };
  ops_.reset = [](vitro_device* d) { Calls::Act(d, VITRO_SHM_RESET); };
  ops_.config_read = Calls::ConfigRead;
  ops_.config_write = Calls::ConfigWrite;
  if (segment_->Serves(VITRO_SHM_CONFIG_GENERATION))
    ops_.config_generation = [](vitro_device* d) {
      return static_cast<uint32_t>(Calls::Value(d, VITRO_SHM_CONFIG_GENERATION));
    };
  ops_.queue_max_size = [](vitro_device* d, uint32_t queue) {
    return static_cast<uint32_t>(Calls::Value(d, VITRO_SHM_QUEUE_MAX_SIZE, {queue}));
  };
  ops_.queue_setup = [](vitro_device* d, uint32_t queue, const vitro_queue* setup) {
    return Calls::Act(d, VITRO_SHM_QUEUE_SETUP,
                      {queue, setup->queue_size, setup->desc_address, setup->driver_address,
                       setup->device_address});
  };
  if (segment_->Serves(VITRO_SHM_QUEUE_RESET))
    ops_.queue_reset = [](vitro_device* d, uint32_t queue) {
      return Calls::Act(d, VITRO_SHM_QUEUE_RESET, {queue});
    };
  ops_.notify = [](vitro_device* d, uint32_t queue) { Calls::Act(d, VITRO_SHM_NOTIFY, {queue}); };
}

void ShmDevice::Calls::Identity(vitro_device* device, vitro_identity* identity) {
  const uint32_t size = identity->size;
  vitro_identity full = Self(device).identity_;
  full.size = size;
  std::memcpy(identity, &full, std::min<size_t>(size, sizeof full));
}

// Claiming ---------------------------------------------------------------------------------------

ShmDevice::ShmDevice(std::unique_ptr<ShmSegment> segment, std::shared_ptr<Peer> peer,
                     Duration timeout)
    : segment_(std::move(segment)), peer_(std::move(peer)), timeout_(timeout) {
  FillTable();
}

DirectLevel ShmDevice::level() const {
  switch (segment_->header().level) {
    case VITRO_SHM_PCI:
      return DirectLevel::kPci;
    case VITRO_SHM_MMIO:
      return DirectLevel::kMmio;
    default:
      return DirectLevel::kCore;
  }
}

Result<std::shared_ptr<ShmDevice>> ShmDevice::Claim(std::unique_ptr<ShmSegment> segment,
                                                    std::shared_ptr<Peer> peer, Duration timeout) {
  std::shared_ptr<ShmDevice> device(new ShmDevice(std::move(segment), std::move(peer), timeout));
  VITRO_TRY(device->ClaimIt());
  return device;
}

Result<> ShmDevice::ClaimIt() {
  vitro_shm_control& control = segment_->control();
  self_ = vitro_shm_self();
  device_ = VITRO_SHM_LOAD(control.device);
  if (!vitro_shm_alive(device_))
    return Fail(ErrorKind::kAttach, "shared memory {}: its device, process {}, has ended",
                segment_->name(), static_cast<uint32_t>(device_));
  for (uint64_t driver = 0;;) {
    if (__atomic_compare_exchange_n(&control.driver, &driver, self_, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
      break;
    // One that died is followed. A driver of this process is another ShmDevice that lives.
    if (driver != 0 && vitro_shm_alive(driver))
      return Fail(ErrorKind::kAttach, "shared memory {}: process {} drives its device already",
                  segment_->name(), static_cast<uint32_t>(driver));
  }
  claimed_ = true;
  request_ = VITRO_SHM_LOAD(segment_->mailbox().request);
  auto idle = Await(request_, "what an earlier driver asked last");
  if (!idle) return Fail(ErrorKind::kAttach, "{}", idle.error().message);
  return {};
}

ShmDevice::~ShmDevice() {
  if (opened_) Call(VITRO_SHM_CLOSE);
  uint64_t self = self_;
  if (claimed_)
    __atomic_compare_exchange_n(&segment_->control().driver, &self, uint64_t{0}, false,
                                __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

Result<> ShmDevice::ShareMemory(GuestMemory& memory) {
  const vitro_shm_header& header = segment_->header();
  const auto regions = memory.regions();
  if (memory.span() > header.memory.size || regions.size() > VITRO_SHM_REGIONS)
    return Fail(ErrorKind::kAttach,
                "shared memory {}: {} bytes of guest memory in {} regions are needed; it has room "
                "for {} in {}",
                segment_->name(), memory.span(), regions.size(), header.memory.size,
                VITRO_SHM_REGIONS);
  VITRO_TRY(memory.Become(segment_->fd(), header.memory.offset));
  vitro_shm_mailbox& mailbox = segment_->mailbox();
  for (size_t i = 0; i < regions.size(); ++i) {
    VITRO_SHM_POKE(mailbox.regions[i].address, regions[i].range.address);
    VITRO_SHM_POKE(mailbox.regions[i].size, regions[i].range.length);
    VITRO_SHM_POKE(mailbox.regions[i].offset, regions[i].file_offset - header.memory.offset);
  }
  VITRO_SHM_POKE(mailbox.region_count, static_cast<uint32_t>(regions.size()));
  return {};
}

Result<vitro_device*> ShmDevice::Open(const vitro_host* host, GuestMemory& memory) {
  VITRO_TRY(ShareMemory(memory));
  // Whatever stands in the ring is another driver's.
  head_ = VITRO_SHM_LOAD(segment_->events().tail);
  VITRO_SHM_STORE(segment_->events().head, head_);
  const Answer answer = Call(VITRO_SHM_OPEN);
  if (lost_) return Fail(ErrorKind::kAttach, "{}", lost_->message);
  if (answer.result != 0) {
    const std::string log = Log();
    return Fail(ErrorKind::kAttach, "shared memory {}: {}", segment_->name(),
                log.empty() ? "its device refused without a reason" : log);
  }
  opened_ = true;
  const auto word = [&answer](int i) { return static_cast<uint32_t>(answer.values[i]); };
  identity_ = {sizeof identity_, word(0), word(1), word(2), word(3), word(4), word(5)};
  // The device before this one may have told something since.
  const uint64_t tail = VITRO_SHM_LOAD(segment_->events().tail);
  if (tail - answer.values[6] <= segment_->header().event_capacity && answer.values[6] >= head_)
    head_ = answer.values[6];
  host_ = host;
  TakeIn();
  // One that never came to life was not lost.
  if (lost_) return Fail(ErrorKind::kAttach, "{}", lost_->message);
  return reinterpret_cast<vitro_device*>(this);
}

// Requests ---------------------------------------------------------------------------------------

ShmDevice::Answer ShmDevice::Call(uint32_t opcode, std::initializer_list<uint64_t> arguments) {
  if (lost_) return {};
  vitro_shm_mailbox& mailbox = segment_->mailbox();
  VITRO_SHM_POKE(mailbox.opcode, opcode);
  size_t i = 0;
  for (uint64_t argument : arguments) VITRO_SHM_POKE(mailbox.arguments[i++], argument);
  VITRO_SHM_STORE(mailbox.request, ++request_);
  vitro_shm_control& control = segment_->control();
  vitro_shm_wake(&control.device_wake, &control.device_sleeps);
  if (auto answered = Await(request_, NameOf(opcode)); !answered) {
    Lose(answered.error());
    return {};
  }
  Answer answer;
  answer.result = VITRO_SHM_PEEK(mailbox.result);
  for (i = 0; i < std::size(answer.values); ++i)
    answer.values[i] = VITRO_SHM_PEEK(mailbox.values[i]);
  TakeIn();
  return lost_ ? Answer{} : answer;
}

Result<> ShmDevice::Await(uint32_t request, const std::string& what) {
  vitro_shm_mailbox& mailbox = segment_->mailbox();
  vitro_shm_control& control = segment_->control();
  const auto answered = [&] { return VITRO_SHM_LOAD(mailbox.answer) == request; };
  for (int spin = 0; spin < kSpins; ++spin) {
    if (answered()) return {};
    vitro_shm_pause();
  }
  const Deadline deadline = Deadline::After(timeout_);
  const uint64_t beats = VITRO_SHM_PEEK(control.heartbeat);
  for (Deadline look = Deadline::After(kSlice);;) {
    const uint32_t seen = VITRO_SHM_LOAD(control.driver_wake);
    if (answered()) return {};
    TakeIn();  // it may wait for room in the ring
    if (lost_) return tl::make_unexpected(*lost_);
    if (look.Passed()) {
      auto alive = CheckAlive(what);
      if (answered()) return {};
      VITRO_TRY(alive);
      if (deadline.Passed()) break;
      look = Deadline::After(kSlice);
    }
    vitro_shm_sleep(&control.driver_wake, seen, &control.driver_sleeps,
                    Microseconds(Deadline::Sooner(look, deadline).Left()));
  }
  const auto waited = std::chrono::duration_cast<milliseconds>(timeout_).count();
  const uint32_t pid = static_cast<uint32_t>(device_);
  if (VITRO_SHM_LOAD(mailbox.taken) == request)
    return Fail(ErrorKind::kTimeout, "process {} took the request {} and did not answer in {} ms",
                pid, what, waited);
  if (VITRO_SHM_PEEK(control.heartbeat) == beats)
    return Fail(ErrorKind::kDeviceLost,
                "process {} does not look at its mailbox: no heartbeat in {} ms, waiting for {}",
                pid, waited, what);
  return Fail(ErrorKind::kTimeout, "process {} beats but did not take the request {} in {} ms", pid,
              what, waited);
}

Result<> ShmDevice::CheckAlive(const std::string& what) {
  if (peer_ != nullptr) {
    peer_->Pump();
    const std::string ended = peer_->Ended();
    if (ended.empty()) return {};
    const std::string words = peer_->LastWords();
    return Fail(ErrorKind::kDeviceLost, "{} before it answered {}{}", ended, what,
                words.empty() ? "" : "; it printed: " + words);
  }
  if (vitro_shm_alive(device_)) return {};
  return Fail(ErrorKind::kDeviceLost, "its device, process {}, ended before it answered {}",
              static_cast<uint32_t>(device_), what);
}

void ShmDevice::Lose(Error error) {
  if (lost_) return;
  error.message = fmt::format("shared memory {}: {}", segment_->name(), error.message);
  lost_ = std::move(error);
}

Result<> ShmDevice::Health() const {
  if (lost_) return tl::make_unexpected(*lost_);
  return {};
}

// Events -----------------------------------------------------------------------------------------

void ShmDevice::TakeIn() {
  if (host_ == nullptr || lost_) return;
  vitro_shm_events& events = segment_->events();
  const uint64_t tail = VITRO_SHM_LOAD(events.tail);
  const uint32_t capacity = segment_->header().event_capacity;
  if (tail == head_) return;
  if (tail - head_ > capacity)
    return Lose({ErrorKind::kDeviceLost,
                 fmt::format("its ring of {} events claims {} new ones", capacity, tail - head_)});
  while (head_ != tail && !lost_) {
    const vitro_shm_event& entry = events.entries[head_ % capacity];
    const vitro_shm_event event = {VITRO_SHM_PEEK(entry.kind), VITRO_SHM_PEEK(entry.data),
                                   VITRO_SHM_PEEK(entry.address)};
    ++head_;
    Deliver(event);
  }
  VITRO_SHM_STORE(events.head, head_);
}

void ShmDevice::Deliver(const vitro_shm_event& event) {
  switch (event.kind) {
    case VITRO_SHM_QUEUE_SIGNAL:
      if (event.data > UINT16_MAX) break;
      return host_->signal_queue(host_->context, static_cast<uint16_t>(event.data));
    case VITRO_SHM_CONFIG_SIGNAL:
      return host_->signal_config(host_->context);
    case VITRO_SHM_MESSAGE:
      return host_->send_message(host_->context, event.address, event.data);
    case VITRO_SHM_LINE:
      return host_->set_line(host_->context, event.data != 0);
    default:
      break;
  }
  Lose({ErrorKind::kDeviceLost, fmt::format("its ring has an event of kind {} with data {:#x}, "
                                            "which is not defined",
                                            event.kind, event.data)});
}

void ShmDevice::Wait(Duration at_most) {
  if (lost_ || at_most <= Duration{0}) return;
  vitro_shm_control& control = segment_->control();
  const uint32_t seen = VITRO_SHM_LOAD(control.driver_wake);
  TakeIn();
  vitro_shm_sleep(&control.driver_wake, seen, &control.driver_sleeps,
                  Microseconds(std::min<Duration>(at_most, kSlice)));
  TakeIn();
  if (last_look_.Passed()) {
    last_look_ = Deadline::After(kSlice);
    if (auto alive = CheckAlive("anything more"); !alive) Lose(alive.error());
  }
}

std::optional<Transport::Death> ShmDevice::Died() {
  const std::string how = peer_ == nullptr ? "" : peer_->Ended();
  if (how.empty()) return std::nullopt;
  return Transport::Death{peer_->EndedBySignal(), how};
}

std::string ShmDevice::Log() {
  vitro_shm_log& log = segment_->log();
  const uint32_t length = std::min(VITRO_SHM_LOAD(log.length), segment_->log_room());
  std::string text(log.text, length);
  while (text.ends_with('\n')) text.pop_back();
  if (const uint64_t lost = VITRO_SHM_PEEK(segment_->events().lost))
    text += fmt::format("{}{} events did not fit into the ring", text.empty() ? "" : "\n", lost);
  if (peer_ == nullptr) return text;
  peer_->Pump();
  const std::string output = peer_->Output();
  return text.empty() || output.empty() ? text + output : text + "\n" + output;
}

}  // namespace vitro
