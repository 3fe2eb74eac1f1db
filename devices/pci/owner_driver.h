// SPDX-License-Identifier: Apache-2.0
// For the tests of the reference PCI function only: a driver of a physical function with "blk"
// inside, on top of RawDriver: enables virtual functions, sends administration commands, and drives
// a member by them.
#pragma once

#include <algorithm>
#include <vector>

#include "devices/pci/raw_driver.h"
#include "harness/virtio/admin.h"

namespace vitro::pcidev {

class OwnerDriver {
 public:
  static constexpr uint32_t kQueue = 2;  // after those of the device
  static constexpr uint32_t kSriov = pci::kFirstExtended;
  static constexpr uint64_t kLegacyNotify = 0x4000;  // in the main BAR
  static constexpr uint64_t kMemberRing = ref::TestHost::kBase + 0x60000;
  static constexpr FeatureSet kFeatures{feature::kVersion1, feature::kAdminVq, feature::kSrIov};

  explicit OwnerDriver(RawDriver& driver) : d(driver) {}

  bool Up() {
    d.Decode();
    if (!d.Negotiate(kFeatures) || !d.SetUp(kQueue, 8, 0xffff)) return false;
    d.SetStatus(RawDriver::kRunning);
    return true;
  }
  void Enable(uint32_t count) {
    d.SetPci(kSriov + pci::sriov::kControl, 2, 0);
    d.SetPci(kSriov + pci::sriov::kNumVfs, 2, count);
    d.SetPci(kSriov + pci::sriov::kControl, 2, pci::sriov::kVfEnable);
  }
  // Up, with members and all commands that are listed.
  void Begin(uint32_t count) {
    Up();
    Enable(count);
    for (const uint16_t group : {admin::kGroupSelf, admin::kGroupSrIov}) {
      Bytes list = Result(Send(admin::kListQuery, group, 0, {}, 8));
      Send(admin::kListUse, group, 0, list, 0);
    }
    Send(admin::kDriverCapSet, admin::kGroupSelf, 0, {0, 0, 0, 0, 0, 0, 0, 0, 2, 2}, 0);
  }

  // The device-writable part as far as it was used.
  Bytes Send(uint16_t opcode, uint16_t group, uint64_t member, const Bytes& data, uint32_t room) {
    RawDriver::Ring& ring = d.rings[kQueue];
    const uint64_t from = RawDriver::Base(kQueue) + 0x2000, to = from + 0x2000;
    Bytes readable = LeBytes(opcode | uint32_t{group} << 16, admin::kMemberId);
    for (const uint8_t byte : LeBytes(member, 8)) readable.push_back(byte);
    readable.insert(readable.end(), data.begin(), data.end());
    std::copy(readable.begin(), readable.end(), d.memory.At(from, readable.size()));
    Describe(ring.desc, from, static_cast<uint32_t>(readable.size()), split::kDescNext, 1);
    Describe(ring.desc + 16, to, admin::kResult + room, split::kDescWrite, 0);
    d.memory.Store<uint16_t>(ring.avail + 4 + 2 * (ring.avail_idx % ring.size), 0);
    d.memory.Store<uint16_t>(ring.avail + 2, ++ring.avail_idx);
    d.Kick(kQueue);
    // As long as it takes to serve it, and no longer: members have not worked yet then.
    while (d.UsedIdx(kQueue) != ring.avail_idx && d.ops->run(d.device) == 1) {
    }
    const uint64_t element = ring.used + 4 + 8 * ((ring.avail_idx - 1u) % ring.size);
    const auto length = std::min(d.memory.Load<uint32_t>(element + 4), admin::kResult + room);
    const uint8_t* answer = d.memory.At(to, std::max(length, 1u));
    return Bytes(answer, answer + length);
  }
  static uint32_t Status(const Bytes& answer) {
    return answer.size() < 4 ? UINT32_MAX : LoadLe<uint32_t>(answer.data());
  }
  static Bytes Result(const Bytes& answer) {
    return Bytes(answer.begin() + std::min<std::ptrdiff_t>(admin::kResult, std::ssize(answer)),
                 answer.end());
  }
  // To a member.
  Bytes Member(uint16_t opcode, uint64_t member, const Bytes& data, uint32_t room = 0) {
    return Send(opcode, admin::kGroupSrIov, member, data, room);
  }
  Bytes ReadLegacy(uint16_t opcode, uint32_t offset, uint32_t length, uint64_t member = 1) {
    return Member(opcode, member, LeBytes(offset, 1), length);
  }
  Bytes WriteLegacy(uint16_t opcode, uint32_t offset, uint64_t value, uint32_t length,
                    uint64_t member = 1) {
    Bytes data = LeBytes(offset, admin::kLegacyData);
    for (const uint8_t byte : LeBytes(value, length)) data.push_back(byte);
    return Member(opcode, member, data);
  }
  uint64_t Common(uint32_t offset, uint32_t length, uint64_t member = 1) {
    Bytes value = Result(ReadLegacy(admin::kLegacyCommonCfgRead, offset, length, member));
    value.resize(8);
    return LoadLe<uint64_t>(value.data());
  }
  uint32_t SetCommon(uint32_t offset, uint32_t length, uint64_t value, uint64_t member = 1) {
    return Status(WriteLegacy(admin::kLegacyCommonCfgWrite, offset, value, length, member));
  }

  // Member 1 as a legacy driver sets it up, with its first queue. Publish() reads a sector.
  void BeginMember() {
    namespace legacy = virtio_pci::legacy;
    SetCommon(legacy::kDeviceStatus, 1, 0);
    SetCommon(legacy::kDeviceStatus, 1, 3);
    SetCommon(legacy::kDriverFeatures, 4, Common(legacy::kDeviceFeatures, 4));
    std::fill_n(d.memory.At(kMemberRing, 0x4000), 0x4000, uint8_t{0});
    published = 0;
    SetCommon(legacy::kQueueSelect, 2, 0);
    SetCommon(legacy::kQueueAddress, 4, kMemberRing / 4096);
    SetCommon(legacy::kDeviceStatus, 1, 7);
  }
  void Publish() {
    const uint64_t header = kMemberRing + 0x3000;
    Describe(kMemberRing, header, 16, split::kDescNext, 1);
    Describe(kMemberRing + 16, header + 0x100, 513, split::kDescWrite, 0);
    const uint64_t avail = kMemberRing + split::DescTableBytes(kMemberSize);
    d.memory.Store<uint16_t>(avail + 4 + 2 * (published % kMemberSize), 0);
    d.memory.Store<uint16_t>(avail + 2, ++published);
  }
  uint32_t Kick() { return SetCommon(virtio_pci::legacy::kQueueNotify, 2, 0); }
  uint16_t MemberUsed() { return d.memory.Load<uint16_t>(kMemberRing + 0x1000 + split::kRingIdx); }
  uint32_t Mode(uint8_t flags) { return Status(Member(admin::kDevModeSet, 1, {flags})); }
  // Object 0 to get, object 1 to set.
  void MakeObjects() {
    for (const uint8_t kind : {admin::kDevPartsGets, admin::kDevPartsSets}) {
      Bytes data = LeBytes(uint64_t{kind} << 32, admin::kObjData + admin::kObjDevPartsBytes);
      data[admin::kObjData] = kind;
      Member(admin::kResourceObjCreate, 1, data);
    }
  }
  Bytes Parts(uint32_t object = 0) {
    Bytes data = LeBytes(uint64_t{object} << 32, admin::kPartsSelected);
    data[admin::kPartsType] = admin::kGetAll;
    return Member(admin::kDevPartsGet, 1, data, 1024);
  }
  uint32_t SetParts(const Bytes& parts, uint32_t object = 1) {
    Bytes data = LeBytes(uint64_t{object} << 32, admin::kPartsToSet);
    data.insert(data.end(), parts.begin(), parts.end());
    return Status(Member(admin::kDevPartsSet, 1, data));
  }

  RawDriver& d;
  uint16_t published = 0;

 private:
  static constexpr uint32_t kMemberSize = 128;
  void Describe(uint64_t at, uint64_t address, uint32_t length, unsigned flags, unsigned next) {
    d.memory.Store<uint64_t>(at, address);
    d.memory.Store<uint32_t>(at + 8, length);
    d.memory.Store<uint16_t>(at + 12, static_cast<uint16_t>(flags));
    d.memory.Store<uint16_t>(at + 14, static_cast<uint16_t>(next));
  }
};

}  // namespace vitro::pcidev
