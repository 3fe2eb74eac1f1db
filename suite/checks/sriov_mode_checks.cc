// SPDX-License-Identifier: Apache-2.0
// Checks of the mode of a member (2.12.1.4.3.4, 2.12.1.4.4.1): what a stopped one leaves alone,
// what it goes on answering, and what it takes up again.
#include <algorithm>

#include "suite/checks/sriov_parts.h"

namespace vitro {
namespace {

namespace legacy = virtio_pci::legacy;

#define VITRO_ROW "dev.admin.group-cmds.device-parts."
constexpr const char* kDrained = VITRO_ROW "9";
constexpr const char* kTakesKicks = VITRO_ROW "11";
constexpr const char* kAnswersReads = VITRO_ROW "12";
constexpr const char* kSameInterfaces = VITRO_ROW "13";
constexpr const char* kNoPme = VITRO_ROW "14";
constexpr const char* kLeavesMemory = VITRO_ROW "15";
constexpr const char* kNoNotifications = VITRO_ROW "16";
constexpr const char* kStopsAgain = VITRO_ROW "20";
constexpr const char* kResumesAgain = VITRO_ROW "21";
#undef VITRO_ROW

void SetAgain(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  parts.SetMode(0);
  owner.admin().ExpectOk(kResumesAgain, "a member that is running is resumed");
  parts.Stop();
  parts.SetMode(admin::kModeStopped);
  owner.admin().ExpectOk(kStopsAgain, "a member that is stopped is stopped");
  parts.Resume();
  parts.SetMode(0);
  owner.admin().ExpectOk(kResumesAgain, "a member that was resumed is resumed");
}

// What a member was lent, as it is now.
using Held = std::vector<std::pair<LegacyMember::Piece, Bytes>>;
Held Hold(Context& c, const LegacyMember& member) {
  Held held;
  for (const LegacyMember::Piece& piece : member.lent())
    held.emplace_back(piece, c.Do(op::Read{piece.address, piece.length}).bytes);
  return held;
}

void ExpectHeld(Context& c, const Held& held, const char* requirement, const std::string& because) {
  c.Do(op::Quiesce{});
  for (const auto& [piece, bytes] : held) {
    c.Do(op::Read{piece.address, piece.length});
    c.Expect(Accept::SameBytes(bytes), requirement, because);
  }
}

// Both the commands that drive a member and those that stop it.
struct StoppedMember {
  explicit StoppedMember(Context& c) : owner(c), parts(c, owner, 1), member(c, owner, 1) {
    owner.Up();
    parts.Begin();
    member.Begin();
  }
  SriovDriver owner;
  PartsDriver parts;
  LegacyMember member;
};

void DrainsBeforeItStops(Context& c) {
  StoppedMember s(c);
  for (uint64_t n = 0; n < 2; ++n) s.member.Publish(n);
  s.member.Notify();
  s.parts.Stop();
  const Held held = Hold(c, s.member);
  ExpectHeld(c, held, kDrained,
             "rings and buffers stay as they are once the stop of a busy member was answered");
}

void LeavesAllAlone(Context& c) {
  StoppedMember s(c);
  s.member.Publish(0);
  s.member.Notify();
  s.member.WaitUsedIdx(1);
  s.parts.Stop();
  s.member.Common(legacy::kIsrStatus, 1);  // takes what is there
  s.member.Publish(1);
  const Held held = Hold(c, s.member);
  s.member.Notify();
  c.Do(op::Read{s.owner.admin().last().address, 2});
  c.Expect(Accept::Equal(admin::kOk), kTakesKicks, "a stopped member is notified");
  ExpectHeld(c, held, kLeavesMemory, "a stopped member leaves its rings and buffers alone");
  s.member.Common(legacy::kIsrStatus, 1);
  c.Advise(Accept::Equal(0), kNoNotifications,
           "ISR status of a stopped member that was notified reads 0");
  s.parts.Resume();
  s.member.WaitUsedIdx(2);
  c.Expect(Accept::Equal(2), kTakesKicks,
           "what a stopped member was notified of is used once it is resumed");
}

// Configuration space
// ------------------------------------------------------------------------------

struct Register {
  uint32_t offset, width;
  const char* name;
};
constexpr Register kHeader[] = {{pci::kRevisionId, 1, "Revision ID"},
                                {pci::kClassCode, 1, "Class Code"},
                                {pci::kHeaderType, 1, "Header Type"},
                                {pci::kSubsystemVendorId, 2, "Subsystem Vendor ID"},
                                {pci::kSubsystemDeviceId, 2, "Subsystem ID"},
                                {pci::kStatus, 2, "Status"},
                                {pci::kCapabilitiesPointer, 1, "Capabilities Pointer"}};

void AnswersOnItsBus(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  const uint32_t base = owner.ConfigOf(1);
  if (ReadPci(c, base + pci::kRevisionId, 4) == UINT32_MAX)
    c.NotObservable("the attachment does not reach configuration space of virtual functions");
  std::vector<uint64_t> before;
  for (const Register& reg : kHeader) before.push_back(ReadPci(c, base + reg.offset, reg.width));
  const uint32_t power = FindVfCapability(c, base, pci::kCapPowerManagement);
  const uint64_t command = ReadPci(c, base + pci::kCommand, 2);
  parts.Stop();
  for (size_t i = 0; i < before.size(); ++i) {
    ReadPci(c, base + kHeader[i].offset, kHeader[i].width);
    c.Expect(Accept::Equal(before[i]), kAnswersReads,
             fmt::format("{} of a stopped member reads as before", kHeader[i].name));
  }
  for (const uint64_t value : {command ^ pci::kCommandMaster, command}) {
    WritePci(c, base + pci::kCommand, 2, value);
    ReadPci(c, base + pci::kCommand, 2);
    c.Expect(Accept::Equal(value), kSameInterfaces,
             "Bus Master Enable of a stopped member is written");
  }
  if (power == 0) return;
  ReadPci(c, power + pci::kPowerControl, 2);
  c.Expect(Accept::Masked(pci::kPowerPmeStatus, 0), kNoPme, "PME_Status of a stopped member is 0");
}

}  // namespace

void AddSriovModeChecks(std::vector<Check>& list) {
  Needs needs = SriovNeeds();
  list.push_back({.id = "admin.sriov.mode.again",
                  .title = "A stopped member can be stopped, and a running one resumed",
                  .section = "2.12.1.4.4.1",
                  .requirements = {kStopsAgain, kResumesAgain},
                  .tags = {"admin", "sriov"},
                  .needs = needs,
                  .faults = {"sriov-stop-again-fails", "sriov-resume-again-fails"},
                  .run = SetAgain});
  list.push_back(
      {.id = "admin.sriov.mode.config-space",
       .title = "A stopped member answers on its bus as a running one",
       .section = "2.12.1.4.4.1",
       .requirements = {kAnswersReads, kSameInterfaces, kNoPme},
       .tags = {"admin", "sriov"},
       .needs = needs,
       .faults = {"sriov-stop-reads-ones", "sriov-stop-config-ignored", "sriov-stop-pme"},
       .run = AnswersOnItsBus});
  needs.requests = true;
  list.push_back({.id = "admin.sriov.mode.drains",
                  .title = "The stop of a member is answered once it has come to rest",
                  .section = "2.12.1.4.4.1",
                  .requirements = {kDrained},
                  .tags = {"admin", "sriov"},
                  .needs = needs,
                  .faults = {"sriov-stop-early"},
                  .run = DrainsBeforeItStops});
  list.push_back(
      {.id = "admin.sriov.mode.stopped",
       .title = "A stopped member leaves memory alone and takes up later what it was notified of",
       .section = "2.12.1.4.4.1",
       .requirements = {kLeavesMemory, kTakesKicks, kNoNotifications},
       .tags = {"admin", "sriov"},
       .needs = needs,
       .faults = {"sriov-stop-ignored", "sriov-stop-kick-lost", "sriov-stop-signals"},
       .run = LeavesAllAlone});
}

}  // namespace vitro
