// SPDX-License-Identifier: Apache-2.0
// Checks of the common configuration registers (4.1.4.3): feature windows, queue_select,
// queue_size, queue addresses in halves, config generation. Reset is in pci_reset_checks.cc.
#include <algorithm>
#include <bit>

#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"
#include "harness/virtio/split_ring.h"
#include "suite/checks/chapters.h"
#include "suite/checks/config_space.h"
#include "suite/checks/pci_registers.h"
#include "suite/checks/queue_life.h"

namespace vitro {
namespace {

namespace common = virtio_pci::common;

#define VITRO_COMMON_ROW "dev.pci.pci-device-layout.common-configuration-structure-layout."
constexpr const char* kDeviceFeature = VITRO_COMMON_ROW "3";
constexpr const char* kDriverFeature = VITRO_COMMON_ROW "4";
constexpr const char* kGeneration = VITRO_COMMON_ROW "6";
constexpr const char* kUnavailable = VITRO_COMMON_ROW "14";
constexpr const char* kPowerOfTwo = VITRO_COMMON_ROW "15";
constexpr const char* kAdminQueues = VITRO_COMMON_ROW "16";
#undef VITRO_COMMON_ROW
constexpr const char* kHalves = "dev.pci.pci-device-layout.1";
constexpr const char* kSelect = "derived.pci.queue-select";
constexpr const char* kNumQueues = "derived.pci.num-queues";
constexpr const char* kQueueSize = "derived.pci.queue-size";
constexpr const char* kAddresses = "derived.pci.queue-address";

// Features ----------------------------------------------------------------------------------------

uint64_t OfferedWord(Context& c, uint32_t select) {
  WriteCommon(c, common::kDeviceFeatureSelect, 4, select);
  return ReadCommon(c, common::kDeviceFeature, 4);
}

// Bits 64 to 127 that this standard defines, as far as the type is known.
std::optional<uint64_t> DefinedHighBits(uint32_t type) {
  if (type == device_id::kNet) return 0x7f;
  if (type == device_id::kUnknown || type == device_id::kExperimental) return std::nullopt;
  return 0;
}

void ShowsFeaturesInWindows(Context& c) {
  FindDevice(c);
  const uint64_t low = OfferedWord(c, 0), high = OfferedWord(c, 1);
  const auto defined = DefinedHighBits(c.facts().device_id);
  for (const uint32_t select : {2u, 3u}) {
    const uint64_t mask = defined ? *defined >> (32 * (select - 2)) & UINT32_MAX : UINT32_MAX;
    OfferedWord(c, select);
    c.Expect(
        Accept::Masked(~mask, 0), kDeviceFeature,
        fmt::format("device_feature shows no undefined bit with device_feature_select {}", select));
  }
  // Bits from 128 up are reserved.
  for (const uint32_t select :
       {4u, 5u, 8u, 31u, 0x100u, 0x10000u, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
    OfferedWord(c, select);
    c.Expect(Accept::Equal(0), kDeviceFeature,
             fmt::format("device_feature shows 0 with device_feature_select {:#x}", select));
    if (c.failed()) return;
  }
  // In any order, and as often as one likes.
  for (const uint32_t select : {1u, 0u, 0u, 1u, 1u}) {
    OfferedWord(c, select);
    c.Expect(Accept::Equal(select == 0 ? low : high), kDeviceFeature,
             fmt::format("device_feature shows word {} again", select));
  }
  ReadCommon(c, common::kDeviceFeatureSelect, 4);
  c.Expect(Accept::Equal(1), kDeviceFeature, "device_feature_select reads as it was written");
}

uint64_t AcceptedWord(Context& c, uint32_t select) {
  WriteCommon(c, common::kDriverFeatureSelect, 4, select);
  return ReadCommon(c, common::kDriverFeature, 4);
}

void ShowsAcceptedFeaturesInWindows(Context& c) {
  FindDevice(c);
  const FeatureSet features = c.DefaultFeatures() & c.Offered();
  const FeatureSet offered = c.session().state().offered;
  // One bit less in the lower word: it must not be the offer that is shown.
  const uint64_t words[2] = {features.word(0) & UINT32_MAX, features.word(0) >> 32};
  const auto accept = [&](uint32_t select, uint32_t device_select) {
    WriteCommon(c, common::kDriverFeatureSelect, 4, select);
    WriteCommon(c, common::kDeviceFeatureSelect, 4, device_select);
    WriteCommon(c, common::kDriverFeature, 4, words[select]);
  };
  const auto expect = [&](uint32_t select) {
    AcceptedWord(c, select);
    // Of bits that were not offered the device may show what it likes.
    const uint64_t valid = offered.word(0) >> (32 * select) & UINT32_MAX;
    c.Expect(Accept::Masked(valid, words[select]), kDriverFeature,
             fmt::format("driver_feature shows word {} as the driver wrote it", select));
  };
  for (const auto& [first, second] : {std::pair(0u, 1u), {1u, 0u}}) {
    // The selector of the other register points elsewhere.
    accept(first, second);
    accept(second, first);
    for (const uint32_t select : {first, second, second, first}) {
      WriteCommon(c, common::kDeviceFeatureSelect, 4, 1 - select);
      expect(select);
    }
    // Written again, the other way.
    accept(second, second);
    accept(first, 0xffffffff);
    for (const uint32_t select : {0u, 1u}) expect(select);
    if (c.failed()) return;
  }
  OfferedWord(c, 1);
  AcceptedWord(c, 0);
  ReadCommon(c, common::kDeviceFeature, 4);
  c.Expect(Accept::Equal(offered.word(0) >> 32), kDeviceFeature,
           "driver_feature_select leaves what device_feature shows");
}

// Queues ------------------------------------------------------------------------------------------

void KnowsItsQueuesByNumber(Context& c) {
  RequireCommon(c);
  const AdminQueueRange admin = AdminQueues(c);
  NegotiatePlain(c);
  const auto count = static_cast<uint32_t>(ReadCommon(c, common::kNumQueues, 2));
  std::vector<uint64_t> beyond = {0xff,   0x100,  0x101,  0x3ff,  0x400,
                                  0x7fff, 0x8000, 0xff00, 0xfffe, 0xffff};
  for (uint64_t more = 0; more < 3; ++more) beyond.push_back(count + more);
  std::ranges::sort(beyond);
  for (const uint64_t queue : beyond) {
    if (queue < count || queue > UINT16_MAX || admin.Has(queue)) continue;
    // From a queue that is there, so that a lost write shows.
    QueueRead(c, 0, common::kQueueSize, 2);
    SelectQueue(c, queue);
    if (ReadCommon(c, common::kQueueSelect, 2) == queue) {
      ReadCommon(c, common::kQueueSize, 2);
      c.Expect(
          Accept::Equal(0), kUnavailable,
          fmt::format("queue_size is 0 for queue {:#x}, which the device does not have", queue));
    } else if (ReadCommon(c, common::kQueueSize, 2) != 0) {
      // Which queue is the current one may be argued about; that the driver is misled may not.
      c.Advise(Accept::Equal(0), kSelect,
               fmt::format("queue_size is 0 after queue_select was written {:#x}, a queue that "
                           "the device does not have",
                           queue));
    }
    if (c.failed()) return;
  }
}

// What a queue is told stays with it.
void KeepsItsQueuesApart(Context& c) {
  NegotiatePlain(c, QueueFeatures(c));
  const auto count = static_cast<uint32_t>(ReadCommon(c, common::kNumQueues, 2));
  if (count < 2) c.NotApplicable("the device has one queue");
  std::vector<uint32_t> queues;
  for (const uint32_t queue : QueuesToTry(count))
    if (QueueRead(c, queue, common::kQueueSize, 2) != 0) queues.push_back(queue);
  const auto address = [](uint32_t queue) { return 0x1000000 + uint64_t{queue} * 0x10000; };
  for (const uint32_t queue : queues) QueueWrite(c, queue, common::kQueueDesc, 4, address(queue));
  for (auto queue = queues.rbegin(); queue != queues.rend(); ++queue) {
    QueueRead(c, *queue, common::kQueueDesc, 4);
    c.Expect(
        Accept::Equal(address(*queue)), kSelect,
        fmt::format("queue {} has the address that was written while it was selected", *queue));
  }
  for (const uint32_t queue : queues) {
    SelectQueue(c, queue);
    ReadCommon(c, common::kQueueSelect, 2);
    c.Expect(Accept::Equal(queue), kSelect, "queue_select reads as it was written");
  }
}

void HasTheQueuesItClaims(Context& c) {
  NegotiateAll(c);
  const auto count = static_cast<uint32_t>(ReadCommon(c, common::kNumQueues, 2));
  if (count == 0) return;
  WriteCommon(c, common::kQueueSelect, 2, count - 1);
  ReadCommon(c, common::kQueueSize, 2);
  c.Advise(Accept::NotEqual(0), kNumQueues,
           fmt::format("queue {}, the last of the {} that num_queues tells, is there with all "
                       "features",
                       count - 1, count));
}

// Accepted: 0 and the powers of two.
Accept PowerOfTwo() {
  std::vector<uint64_t> right = {0};
  for (uint64_t size = 1; size <= split::kMaxQueueSize; size *= 2) right.push_back(size);
  return Accept::In(right);
}

void HasPowersOfTwoAsSizes(Context& c) {
  RequireCommon(c);
  for (const bool negotiated : {false, true}) {
    negotiated ? NegotiatePlain(c) : c.Reset();
    for (const uint32_t queue : QueuesToTry(c.facts().queue_count)) {
      QueueRead(c, queue, common::kQueueSize, 2);
      c.Expect(PowerOfTwo(), kPowerOfTwo,
               fmt::format("queue_size of queue {} is 0 or a power of two {} negotiation", queue,
                           negotiated ? "after" : "before"));
    }
  }
}

void TakesASmallerSize(Context& c) {
  NegotiatePlain(c, QueueFeatures(c));
  for (const uint32_t queue : QueuesToTry(c.facts().queue_count)) {
    const uint64_t most = QueueRead(c, queue, common::kQueueSize, 2);
    if (most < 2 || !std::has_single_bit(most)) continue;
    for (uint64_t size = most / 2; size >= 1; size /= 4) {
      QueueWrite(c, queue, common::kQueueSize, 2, size);
      ReadCommon(c, common::kQueueSize, 2);
      c.Expect(Accept::Equal(size), kQueueSize,
               fmt::format("queue_size of queue {} is reduced to {}", queue, size));
      if (c.failed()) return;
    }
    QueueWrite(c, queue, common::kQueueSize, 2, most);
  }
}

void HasAdminQueuesBeyondTheOthers(Context& c) {
  if (!HasCommon(c, common::kAdminQueueNum, 2))
    c.NotApplicable("the common configuration structure ends before admin_queue_num");
  NegotiatePlain(c, {feature::kAdminVq});
  const uint64_t count = ReadCommon(c, common::kNumQueues, 2);
  const uint64_t index = ReadCommon(c, common::kAdminQueueIndex, 2);
  c.Expect(Accept::Range(count, UINT16_MAX), kAdminQueues,
           "admin_queue_index is not below num_queues");
  ReadCommon(c, common::kAdminQueueNum, 2);
  c.Expect(Accept::Range(0, 0x10000 - index), kAdminQueues,
           "all administration virtqueues have numbers of 16 bits");
}

// Addresses ---------------------------------------------------------------------------------------

struct Half {
  uint32_t offset;
  uint64_t value;
};

// Writes the halves in this order, then reads them all.
void ExpectHalves(Context& c, uint32_t queue, const std::vector<Half>& halves,
                  const std::string& order) {
  for (const Half& half : halves) WriteCommon(c, half.offset, 4, half.value);
  for (const Half& half : halves) {
    ReadCommon(c, half.offset, 4);
    c.Expect(
        Accept::Equal(half.value), kHalves,
        fmt::format("each half of the addresses of queue {} reads as written, {}", queue, order));
  }
}

void TakesAddressesInHalves(Context& c) {
  NegotiatePlain(c);
  const uint32_t queue = c.request_queue();
  SelectQueue(c, queue);
  const std::vector<Half> up = {
      {common::kQueueDesc, 0x11223340},   {common::kQueueDesc + 4, 0x1},
      {common::kQueueDriver, 0x55667780}, {common::kQueueDriver + 4, 0x2},
      {common::kQueueDevice, 0x99aabbc0}, {common::kQueueDevice + 4, 0x3}};
  ExpectHalves(c, queue, up, "the lower halves first");
  std::vector<Half> down = up;
  std::ranges::reverse(down);
  for (Half& half : down) half.value ^= half.value > 3 ? 0xffff00 : 0x7;
  ExpectHalves(c, queue, down, "the upper halves first");
  // One half alone leaves the other.
  for (const Half& half : up) {
    WriteCommon(c, half.offset, 4, half.value);
    const auto other = std::ranges::find(down, half.offset ^ 4, &Half::offset);
    ReadCommon(c, half.offset, 4);
    c.Expect(Accept::Equal(half.value), kHalves, "a half that is written alone is taken");
    const bool written = half.offset % 8 == 4;  // the lower half went before
    ReadCommon(c, half.offset ^ 4, 4);
    c.Expect(Accept::Equal(written ? std::ranges::find(up, half.offset ^ 4, &Half::offset)->value
                                   : other->value),
             kHalves, "the other half stays as it was");
    if (c.failed()) return;
  }
}

// Which halves the device is told in which order, with what between them (W13).
enum class Order { kHighFirst, kOtherQueueBetween, kRubbishFirst, kReadBetween, kCount };

void WriteTorn(RegisterDriver& driver, const op::SetupQueue& setup, Order order, uint32_t queues) {
  driver.Write(common::kQueueSelect, 2, setup.queue);
  driver.Write(common::kQueueSize, 2, setup.size);
  for (const auto& [offset, address] : {std::pair(common::kQueueDesc, setup.desc),
                                        {common::kQueueDriver, setup.driver},
                                        {common::kQueueDevice, setup.device}}) {
    const uint64_t low = address & UINT32_MAX, high = address >> 32;
    if (order == Order::kRubbishFirst) {
      driver.Write(offset, 4, 0xdeadbee0);
      driver.Write(offset + 4, 4, 0xdead);
    }
    const bool high_first = order == Order::kHighFirst || order == Order::kRubbishFirst;
    driver.Write(high_first ? offset + 4 : offset, 4, high_first ? high : low);
    if (order == Order::kReadBetween) {
      driver.Read(offset, 4);
      driver.Read(offset + 4, 4);
      driver.Read(common::kDeviceStatus, 1);
      driver.Read(common::kQueueSize, 2);
    }
    if (order == Order::kOtherQueueBetween) {
      // Both halves of another queue in between, which is not enabled; and what stood in the upper
      // half before must not stay.
      driver.Write(offset + 4, 4, 0x5);
      driver.Write(common::kQueueSelect, 2, (setup.queue + 1) % queues);
      driver.Write(offset, 4, 0xcafe000);
      driver.Write(offset + 4, 4, 0x7);
      driver.Write(common::kQueueSelect, 2, setup.queue);
    }
    driver.Write(high_first ? offset : offset + 4, 4, high_first ? low : high);
  }
  driver.Write(common::kQueueEnable, 2, 1);
}

void WorksAtAddressesWrittenTorn(Context& c) {
  const PciLayout& layout = LayoutOf(c);
  const auto* common_structure = layout.Usable(virtio_pci::kCommonCfg);
  const auto* notify_structure = layout.Usable(virtio_pci::kNotifyCfg);
  if (common_structure == nullptr || notify_structure == nullptr)
    c.NotApplicable("the function has no structures that can be used");
  const uint32_t queues = std::max(1u, c.facts().queue_count);
  for (int n = 0; n < static_cast<int>(Order::kCount); ++n) {
    const auto order = static_cast<Order>(n);
    const uint32_t queue = c.request_queue();
    // Only where the neighbour is not itself set up.
    if (order == Order::kOtherQueueBetween && queue + 1 >= queues) continue;
    const auto setups = UpForRegisters(c, QueueFeatures(c));
    RegisterDriver driver(c, *common_structure, *notify_structure);
    if (!driver.Begin(c.session().state().accepted)) return;
    for (const auto& setup : setups)
      if (setup.queue != queue) driver.SetupQueue(setup);
    WriteTorn(driver, setups.back(), order, queues);
    driver.DriverOk();
    for (uint64_t round = 0; round < 3; ++round) {
      const Exchange request = c.grammar().Request(round);
      c.Publish(request);
      driver.Notify(queue);
      c.WaitUsed(queue, 1);
      c.Expect(Accept::Equal(1), kAddresses,
               "a queue is where the last two halves of each address say, whatever came before");
      if (c.failed()) return;
    }
    c.Reset();
  }
}

// Device configuration ----------------------------------------------------------------------------

// Where device types have fields of 64 bits.
std::vector<uint32_t> WideFields(uint32_t type) {
  switch (type) {
    case device_id::kBlk:
    case 19:  // vsock
      return {0};
    case 20:  // crypto
      return {48};
    case 23:  // iommu
      return {0, 8, 16};
    case 24:  // mem
      return {0, 16, 24, 32, 40, 48};
    case 27:  // pmem
      return {0, 8};
    case device_id::kExperimental:
      return {experimental::kConfigTearable};
    default:
      return {};
  }
}

void ShowsConfigInHalves(Context& c) {
  if (c.facts().device_id == device_id::kExperimental && !IsVitrosOwn(c))
    c.NotApplicable("this is not Vitro's own experimental device");
  const auto fields = WideFields(c.facts().device_id);
  if (fields.empty()) c.NotApplicable("no field of 64 bits is known of this device type");
  c.Up();
  for (const uint32_t at : fields) {
    if (at + 8 > c.facts().config_size) continue;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < 8; ++i) bytes |= c.Do(op::ReadConfig{at + i, 1}).value << (8 * i);
    const uint64_t low = c.Do(op::ReadConfig{at, 4}).value;
    for (const uint32_t half : {4u, 0u, 0u, 4u, 4u}) {
      c.Do(op::ReadConfig{at + half, 4});
      c.Expect(Accept::Answered(), kHalves,
               fmt::format("the halves of the field at {} are read one by one", at));
      // Single bytes are no access that a device has to know. Where it shows that it does, they
      // say what is right.
      if (c.last().refused || low == 0 || low != (bytes & UINT32_MAX)) continue;
      c.Expect(Accept::Equal(bytes >> (8 * half) & UINT32_MAX), kHalves,
               fmt::format("the {} half of the field at {} is its own",
                           half == 0 ? "lower" : "upper", at));
    }
    if (c.failed()) return;
  }
}

// The generation tells that what was read is new, however much has changed in between.
void MovesTheGeneration(Context& c) {
  RequireCommon(c);
  c.Up();
  const auto read_all = [&] {
    Bytes all;
    for (uint32_t at = 0; at + 4 <= std::min(c.facts().config_size, 64u); at += 4)
      for (const uint8_t byte : c.Do(op::ReadConfig{at, 4}).bytes) all.push_back(byte);
    return all;
  };
  // The register has 8 bits.
  for (const int changes : {1, 2, 1, 255, 256, 257}) {
    const Bytes before = read_all();
    const uint64_t generation = ReadCommon(c, common::kConfigGeneration, 1);
    for (int i = 0; i < changes; ++i)
      if (c.Do(op::StimulateConfigChange{}).refused)
        c.NotApplicable("the device has nothing in its config space that changes");
    c.Do(op::Quiesce{});
    if (read_all() == before) {
      if (changes > 1) continue;  // back to where it was
      c.NotApplicable("the config space was not changed by the stimulus");
    }
    ReadCommon(c, common::kConfigGeneration, 1);
    const std::string because =
        fmt::format("config_generation is another one after {} change(s) and a read", changes);
    // By the letter it is always another one, and a device that moves it when the driver reads
    // after a change keeps to that. But many count each change, and no driver is that slow: advice.
    if (changes % 256 == 0)
      c.Advise(Accept::NotEqual(generation), kGeneration, because);
    else
      c.Expect(Accept::NotEqual(generation), kGeneration, because);
    if (c.failed()) return;
  }
}

void AddFeatureWindowChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "pci.common.device-feature",
      .title = "device_feature shows the offer for every device_feature_select, and 0 beyond",
      .section = "4.1.4.3",
      .requirements = {kDeviceFeature},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:feature-select-ignored", "blk,level=pci:feature-select-wraps"},
      .run = ShowsFeaturesInWindows,
  });
  list.push_back({
      .id = "pci.common.driver-feature",
      .title = "driver_feature shows what the driver wrote for each driver_feature_select",
      .section = "4.1.4.3",
      .requirements = {kDriverFeature, kDeviceFeature},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:driver-feature-not-readable",
                 "blk,level=pci:driver-feature-select-shared"},
      .run = ShowsAcceptedFeaturesInWindows,
  });
}

void AddQueueRegisterChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "pci.common.queue-select-unavailable",
      .title = "queue_size is 0 for every queue that the device does not have",
      .section = "4.1.4.3",
      .requirements = {kUnavailable, kSelect},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:queue-select-ignored", "blk,level=pci:queue-select-truncated",
                 "blk,level=pci:queue-size-shown-for-missing"},
      .run = KnowsItsQueuesByNumber,
  });
  list.push_back({
      .id = "pci.common.queue-select",
      .title = "The registers behind queue_select are those of the selected queue",
      .section = "4.1.4.3",
      .requirements = {kSelect},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:queue-select-ignored"},
      .run = KeepsItsQueuesApart,
  });
  list.push_back({
      .id = "pci.common.num-queues",
      .title = "The last queue that num_queues tells is there when all features are accepted",
      .section = "4.1.4.3",
      .requirements = {kNumQueues},
      .tags = {"pci", "advice"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:num-queues-wrong"},
      .run = HasTheQueuesItClaims,
  });
  list.push_back({
      .id = "pci.common.queue-size-power-of-two",
      .title = "queue_size is 0 or a power of two while packed virtqueues are not negotiated",
      .section = "4.1.4.3",
      .requirements = {kPowerOfTwo},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:queue-size-not-power-of-two"},
      .run = HasPowersOfTwoAsSizes,
  });
  list.push_back({
      .id = "pci.common.queue-size-reduced",
      .title = "A smaller queue_size that the driver writes is taken, for each queue",
      .section = "4.1.4.3",
      .requirements = {kQueueSize},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:queue-size-write-ignored"},
      .run = TakesASmallerSize,
  });
  list.push_back({
      .id = "pci.common.admin-queues",
      .title = "The administration virtqueues are numbered beyond all others, within 16 bits",
      .section = "4.1.4.3",
      .requirements = {kAdminQueues},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}, .offered = {feature::kAdminVq}},
      .faults = {"admin,level=pci:admin-queue-index-low"},
      .run = HasAdminQueuesBeyondTheOthers,
  });
}

void AddAddressChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "pci.common.address-halves",
      .title = "The halves of each queue address are written and read on their own",
      .section = "4.1.3",
      .requirements = {kHalves},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction}},
      .faults = {"blk,level=pci:queue-address-needs-64-bit-write",
                 "blk,level=pci:queue-address-high-clears-low",
                 "blk,level=pci:common-offsets-shifted"},
      .run = TakesAddressesInHalves,
  });
  list.push_back({
      .id = "pci.common.address-torn",
      .title = "A queue works at addresses whose halves came in any order, others in between",
      .section = "4.1.4.3",
      .requirements = {kAddresses},
      .tags = {"pci", "odd"},
      .needs = {.abilities = {Ability::kPciFunction}, .requests = true},
      .faults = {"blk,level=pci:queue-address-of-wrong-queue",
                 "blk,level=pci:queue-address-high-clears-low"},
      .run = WorksAtAddressesWrittenTorn,
  });
}

}  // namespace

void AddPciCommonChecks(std::vector<Check>& list) {
  AddFeatureWindowChecks(list);
  AddQueueRegisterChecks(list);
  AddAddressChecks(list);
  list.push_back({
      .id = "pci.common.generation",
      .title = "config_generation is another one once a changed field was read, after any number",
      .section = "4.1.4.3",
      .requirements = {kGeneration},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction, Ability::kConfigSpace, Ability::kStimulus},
                .config_bytes = 4},
      .faults = {"blk,level=pci:generation-stuck"},
      .run = MovesTheGeneration,
  });
  list.push_back({
      .id = "pci.device.halves",
      .title = "Each half of 64 bits of device configuration reads alone, as byte by byte",
      .section = "4.1.3",
      .requirements = {kHalves},
      .tags = {"pci"},
      .needs = {.abilities = {Ability::kPciFunction, Ability::kConfigSpace}, .config_bytes = 8},
      .faults = {"blk,level=pci:config-halves-torn"},
      .run = ShowsConfigInHalves,
  });
}

}  // namespace vitro
