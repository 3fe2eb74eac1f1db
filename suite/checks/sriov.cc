// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/sriov.h"

#include <algorithm>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/split_ring.h"

namespace vitro {
namespace {

namespace legacy = virtio_pci::legacy;
namespace sriov = pci::sriov;

constexpr int kMostCapabilities = 64;
constexpr int kMostWaits = 100;
constexpr uint32_t kLeastSize = 16;  // for a few requests, of which no descriptor is used twice

}  // namespace

Needs SriovNeeds() {
  return {.abilities = {Ability::kPciFunction}, .offered = {feature::kAdminVq, feature::kSrIov}};
}

std::optional<uint32_t> FindSriov(Context& c) {
  if (!LayoutOf(c).express) return std::nullopt;
  uint32_t at = pci::kFirstExtended;
  for (int i = 0; i < kMostCapabilities && at >= pci::kFirstExtended; ++i) {
    const auto header = static_cast<uint32_t>(ReadPci(c, at, 4));
    if (header == UINT32_MAX)
      c.NotObservable("extended configuration space is not reached, or nobody answers there");
    if ((header & 0xffff) == pci::kExtendedSrIov && at + sriov::kBytes <= pci::kConfigBytes)
      return at;
    at = header >> pci::kExtendedNextShift & ~3u;
  }
  return std::nullopt;
}

uint32_t FindVfCapability(Context& c, uint32_t base, uint8_t id) {
  auto at = static_cast<uint32_t>(ReadPci(c, base + pci::kCapabilitiesPointer, 1)) & 0xfc;
  for (int i = 0; i < kMostCapabilities && at >= 0x40; ++i) {
    const uint64_t head = ReadPci(c, base + at, 2);
    if ((head & 0xff) == id) return base + at;
    at = static_cast<uint32_t>(head >> 8) & 0xfc;
  }
  return 0;
}

// The owner ---------------------------------------------------------------------------------------

void SriovDriver::Begin() {
  const auto position = FindSriov(c_);
  if (!position) c_.NotApplicable("the function has no SR-IOV capability");
  position_ = *position;
  total_ = static_cast<uint32_t>(ReadPci(c_, position_ + sriov::kTotalVfs, 2));
  if (total_ == 0) c_.NotApplicable("TotalVFs is 0");
  Disable();
  admin_.Up(0, {feature::kSrIov});
}

void SriovDriver::Enable(uint32_t vfs) {
  Disable();
  enabled_ = std::min(vfs, total_);
  WritePci(c_, position_ + sriov::kNumVfs, 2, enabled_);
  const uint64_t control = ReadPci(c_, position_ + sriov::kControl, 2);
  WritePci(c_, position_ + sriov::kControl, 2, control | sriov::kVfEnable);
  // They are given time to come to life.
  c_.Do(op::Quiesce{});
}

void SriovDriver::Disable() {
  const uint64_t control = ReadPci(c_, position_ + sriov::kControl, 2);
  constexpr uint64_t kBits = sriov::kVfEnable | sriov::kVfMemoryEnable;
  if ((control & kBits) != 0) WritePci(c_, position_ + sriov::kControl, 2, control & ~kBits);
  enabled_ = 0;
}

void SriovDriver::Up(uint32_t vfs, uint32_t least) {
  Begin();
  if (total_ < least) c_.NotApplicable(fmt::format("there are no {} virtual functions", least));
  Enable(vfs);
  admin_.UseAll();
  UseAll();
}

uint32_t SriovDriver::ConfigOf(uint64_t vf) {
  const uint64_t first = ReadPci(c_, position_ + sriov::kFirstVfOffset, 2);
  const uint64_t stride = ReadPci(c_, position_ + sriov::kVfStride, 2);
  return static_cast<uint32_t>((first + stride * (vf - 1)) * pci::kConfigBytes);
}

AdminReply SriovDriver::Send(AdminCommand command, uint64_t member) {
  command.what += fmt::format(" to member {}", member);
  command.group = admin::kGroupSrIov;
  command.member = member;
  return admin_.Send(command);
}

// Commands that use no member id may want one all the same, as 2.12.1.5 says of all commands.
AdminReply SriovDriver::List() {
  AdminReply reply = Send(ListQuery(), list_member_);
  if (reply.qualifier == admin::kQInvalidMember && list_member_ == 0) {
    list_member_ = 1;
    reply = Send(ListQuery(), list_member_);
  }
  Bytes first = reply.result;
  first.resize(8);
  listed_ = reply.ok() ? LoadLe<uint64_t>(first.data()) : 0;
  return reply;
}

AdminReply SriovDriver::Use(uint64_t opcodes) { return Send(ListUse(opcodes), list_member_); }

void SriovDriver::UseAll() {
  AdminReply reply = List();
  constexpr uint64_t kKnown = (uint64_t{2} << admin::kDevModeSet) - 1;
  if (reply.ok()) reply = Use(listed_ & kKnown);
  if (!reply.ok())
    c_.NotApplicable("the lists of commands for the SR-IOV group were answered " +
                     StatusToText(reply.status, reply.qualifier));
}

void SriovDriver::Need(std::initializer_list<uint16_t> opcodes) {
  for (const uint16_t opcode : opcodes)
    if (!Lists(opcode))
      c_.NotApplicable(
          fmt::format("the device does not list command {:#x} for the SR-IOV group", opcode));
}

AdminReply SriovDriver::Read(uint16_t opcode, uint64_t member, uint32_t offset, uint32_t length) {
  const char* name = opcode == admin::kLegacyCommonCfgRead ? "COMMON" : "DEV";
  return Send({.what = fmt::format("LEGACY_{}_CFG_READ of {} bytes at {}", name, length, offset),
               .opcode = opcode,
               .data = LeBytes(offset, 1),
               .result = length},
              member);
}

AdminReply SriovDriver::Write(uint16_t opcode, uint64_t member, uint32_t offset, uint64_t value,
                              uint32_t length) {
  const char* name = opcode == admin::kLegacyCommonCfgWrite ? "COMMON" : "DEV";
  AdminCommand command{
      .what = fmt::format("LEGACY_{}_CFG_WRITE of {} bytes at {}", name, length, offset),
      .opcode = opcode,
      .data = LeBytes(offset, admin::kLegacyData),
      .exact = true};
  const Bytes data = LeBytes(value, length);
  command.data.insert(command.data.end(), data.begin(), data.end());
  return Send(command, member);
}

// A legacy driver of a member ---------------------------------------------------------------------

void LegacyMember::Require() {
  owner_.Need({admin::kLegacyCommonCfgWrite, admin::kLegacyCommonCfgRead});
}

uint64_t LegacyMember::Common(uint32_t offset, uint32_t width) {
  const AdminReply reply = owner_.Read(admin::kLegacyCommonCfgRead, id_, offset, width);
  Bytes bytes = reply.result;
  bytes.resize(8);
  c_.Do(op::Read{reply.address + admin::kResult, width});
  return reply.ok() ? LoadLe<uint64_t>(bytes.data()) : 0;
}

void LegacyMember::SetCommon(uint32_t offset, uint32_t width, uint64_t value) {
  owner_.Write(admin::kLegacyCommonCfgWrite, id_, offset, value, width);
}

void LegacyMember::Reset() {
  SetCommon(legacy::kDeviceStatus, 1, 0);
  for (int i = 0; i < kMostWaits && Common(legacy::kDeviceStatus, 1) != 0; ++i)
    c_.Do(op::Quiesce{});
}

uint64_t LegacyMember::Lend(uint64_t length, uint64_t align) {
  const uint64_t address = c_.Allocate(length, align);
  c_.Do(op::Lend{address, length});
  lent_.push_back({address, length});
  return address;
}

// In one piece of memory (2.7.2). False if there is none of that number.
bool LegacyMember::SetupQueue(uint32_t queue, uint32_t size) {
  if (size < kLeastSize || size > split::kMaxQueueSize) return false;
  const uint64_t driver_end = split::DescTableBytes(size) + split::AvailRingBytes(size);
  const uint64_t to_used =
      (driver_end + legacy::kQueueAlign - 1) / legacy::kQueueAlign * legacy::kQueueAlign;
  const uint64_t total = to_used + split::UsedRingBytes(size);
  desc_ = c_.Allocate(total, legacy::kQueueAlign);
  avail_ = desc_ + split::DescTableBytes(size);
  used_ = desc_ + to_used;
  c_.Do(op::Write{desc_, Bytes(total)});
  c_.Do(op::Lend{used_, split::UsedRingBytes(size)});
  lent_.push_back({used_, split::UsedRingBytes(size)});
  queue_ = queue, size_ = size;
  address_ = static_cast<uint32_t>(desc_ / legacy::kQueueAlign);
  SetCommon(legacy::kQueueAddress, 4, address_);
  return true;
}

void LegacyMember::Begin() {
  Require();
  Reset();
  SetCommon(legacy::kDeviceStatus, 1, status::kAcknowledge);
  SetCommon(legacy::kDeviceStatus, 1, status::kAcknowledge | status::kDriver);
  const FeatureSet with = c_.grammar().needed_features().With(feature::kAnyLayout);
  const uint64_t offered = Common(legacy::kDeviceFeatures, 4);
  SetCommon(legacy::kDriverFeatures, 4, offered & with.word(0) & UINT32_MAX);
  const uint32_t last = c_.request_queue();
  for (uint32_t queue = 0; queue <= last; ++queue) {
    SetCommon(legacy::kQueueSelect, 2, queue);
    const auto size = static_cast<uint32_t>(Common(legacy::kQueueSize, 2));
    if (queue == last)
      c_.Expect(Accept::NotEqual(0), "dev.admin.group-cmds.legacy-interface.6",
                fmt::format("Queue Size of queue {}, which serves requests, is not 0", queue));
    if (!SetupQueue(queue, size))
      c_.NotApplicable(
          fmt::format("member {} has no legacy queue {} of a size that will do", id_, queue));
  }
  SetCommon(legacy::kDeviceStatus, 1, status::kAcknowledge | status::kDriver | status::kDriverOk);
}

void LegacyMember::Publish(uint64_t n) {
  const Exchange exchange = c_.grammar().Request(n);
  const bool blk = c_.facts().device_id == device_id::kBlk;
  struct Buffer {
    uint64_t address, length;
    bool writable;
  };
  std::vector<Buffer> buffers;
  // Header, data and status of a block request each in a descriptor, as without ANY_LAYOUT.
  const auto split = [&](uint64_t address, uint64_t length, uint64_t first, bool writable) {
    if (blk && length > first && first != 0) {
      buffers.push_back({address, first, writable});
      buffers.push_back({address + first, length - first, writable});
    } else if (length != 0) {
      buffers.push_back({address, length, writable});
    }
  };
  if (!exchange.readable.empty()) {
    const uint64_t at = c_.Allocate(exchange.readable.size());
    c_.Do(op::Write{at, exchange.readable});
    split(at, exchange.readable.size(), blk::kRequestHeaderSize, false);
  }
  if (exchange.writable != 0)
    split(Lend(exchange.writable, 16), exchange.writable, exchange.writable - 1, true);
  const uint32_t head = next_descriptor_;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const uint32_t index = next_descriptor_++ % size_;
    const bool more = i + 1 < buffers.size();
    Bytes descriptor = LeBytes(buffers[i].address, split::kDescSize);
    StoreLe<uint32_t>(&descriptor[8], static_cast<uint32_t>(buffers[i].length));
    StoreLe<uint16_t>(&descriptor[12],
                      static_cast<uint16_t>((more ? split::kDescNext : 0) |
                                            (buffers[i].writable ? split::kDescWrite : 0)));
    StoreLe<uint16_t>(&descriptor[14], static_cast<uint16_t>(more ? next_descriptor_ % size_ : 0));
    c_.Do(op::Write{desc_ + split::kDescSize * index, descriptor});
  }
  const uint64_t slot = avail_ + split::kRingEntries + 2 * (published_ % size_);
  c_.Do(op::Write{slot, LeBytes(head % size_, 2)});
  c_.Do(op::Write{avail_ + split::kRingIdx, LeBytes(++published_ & 0xffff, 2)});
}

void LegacyMember::Notify() { SetCommon(legacy::kQueueNotify, 2, queue_); }

void LegacyMember::WaitUsedIdx(uint32_t index) {
  const int most = c_.Has(Ability::kExactQuiet) ? 1 : kMostWaits;
  for (int i = 0; i < most; ++i) {
    c_.Do(op::Quiesce{});
    if (c_.Do(op::Read{used_ + split::kRingIdx, 2}).value == index) return;
  }
}

}  // namespace vitro
