// SPDX-License-Identifier: Apache-2.0
// Checks of device parts of a member (2.12.1.4, 2.14): what is got, in which order, and what may be
// set.
#include <algorithm>

#include "suite/checks/sriov_parts.h"

namespace vitro {
namespace {

#define VITRO_ROW "dev.admin.group-cmds.device-parts."
constexpr const char* kRepeatedGet = VITRO_ROW "2";
constexpr const char* kOrder = VITRO_ROW "3";
constexpr const char* kNotWhileRunning = VITRO_ROW "4";
constexpr const char* kRepeatedSet = VITRO_ROW "5";
constexpr const char* kLengths = VITRO_ROW "6";
constexpr const char* kDevFeatures = VITRO_ROW "7";
constexpr const char* kDefaults = VITRO_ROW "22";
constexpr const char* kAfterDevFeatures = VITRO_ROW "24";
constexpr const char* kConfigAfterDevFeatures = VITRO_ROW "25";
constexpr const char* kConfigAfterFeatures = VITRO_ROW "26";
constexpr const char* kReadOnly = VITRO_ROW "28";
#undef VITRO_ROW
constexpr const char* kObjectNeeded = "derived.admin.parts-object";

constexpr uint32_t kNumQueues = virtio_pci::common::kNumQueues;
constexpr uint32_t kGeneration = virtio_pci::common::kConfigGeneration;

// Of the order, as the type of each part against the one before it.
void ExpectOrder(Context& c, const DeviceParts& parts, const std::string& where) {
  for (size_t i = 1; i < parts.size(); ++i) {
    // Only these have a place in the order.
    if (parts[i].type > admin::kPartVqNotifyCfg || parts[i - 1].type > admin::kPartVqNotifyCfg)
      continue;
    c.Do(op::Read{parts[i].address + admin::kPartType, 2});
    c.Expect(
        Accept::Range(parts[i - 1].type, UINT16_MAX), kOrder,
        fmt::format("{} comes before {} in {}", PartName(parts[i]), PartName(parts[i - 1]), where));
  }
}

// "preceded by": where the first one of `before` is there at all, it comes first.
void ExpectPrecedes(Context& c, const DeviceParts& parts, uint16_t before, uint16_t after,
                    const char* requirement, const std::string& where) {
  const auto first = [&](uint16_t type) {
    return std::find_if(parts.begin(), parts.end(),
                        [&](const DevicePart& part) { return part.type == type; });
  };
  const auto one = first(before), other = first(after);
  if (one == parts.end() || other == parts.end()) return;
  // The type of the part that stands first of the two.
  c.Do(op::Read{std::min(one->address, other->address) + admin::kPartType, 2});
  c.Expect(Accept::Equal(before), requirement,
           fmt::format("{} precedes {} in {}", PartName(*one), PartName(*other), where));
}

void ExpectFeaturesFirst(Context& c, const DeviceParts& parts, const std::string& where) {
  using namespace admin;
  ExpectPrecedes(c, parts, kPartDevFeatures, kPartDrvFeatures, kAfterDevFeatures, where);
  ExpectPrecedes(c, parts, kPartDevFeatures, kPartPciCommonCfg, kConfigAfterDevFeatures, where);
  ExpectPrecedes(c, parts, kPartDrvFeatures, kPartPciCommonCfg, kConfigAfterFeatures, where);
}

void GotAgainAndInOrder(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  parts.Stop();
  const AdminReply first = parts.Get(admin::kGetAll);
  owner.admin().ExpectOk(kRepeatedGet, "DEV_PARTS_GET of all parts succeeds");
  const DeviceParts all = PartsDriver::PartsOf(first);
  ExpectOrder(c, all, "the answer to DEV_PARTS_GET");
  ExpectFeaturesFirst(c, all, "the answer to DEV_PARTS_GET");
  for (int again = 0; again < 2; ++again) {
    parts.Get(admin::kGetAll);
    owner.admin().ExpectSame(first, kRepeatedGet,
                             "DEV_PARTS_GET gives the same parts of a stopped member again");
  }
}

void MetadataInOrder(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  parts.Stop();
  const AdminReply counted = parts.Metadata(admin::kMetadataCount, 8);
  Bytes count = counted.result;
  count.resize(4);
  const uint64_t room =
      admin::kMetadataHeaders + uint64_t{LoadLe<uint32_t>(count.data())} * admin::kPartHeader;
  if (!counted.ok() || room > 64 << 10)
    c.NotApplicable("the device tells no count of parts that could be listed");
  const AdminReply listed = parts.Metadata(admin::kMetadataList, static_cast<uint32_t>(room));
  if (!listed.ok()) c.NotApplicable("the device lists no metadata of its parts");
  ExpectFeaturesFirst(c, PartsDriver::HeadersOf(listed), "the list of metadata");
}

// Asked for in the wrong order, parts come in the right one.
void SelectedInOrder(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  parts.Stop();
  DeviceParts wanted = parts.GetAll();
  if (wanted.size() < 2) c.NotApplicable("the device has less than two parts");
  std::reverse(wanted.begin(), wanted.end());
  for (DevicePart& part : wanted) part.value.clear();
  const AdminReply reply = parts.Get(admin::kGetSelected, EncodeParts(wanted));
  if (!reply.ok())
    c.NotApplicable("DEV_PARTS_GET of selected parts was answered " +
                    StatusToText(reply.status, reply.qualifier));
  ExpectOrder(c, PartsDriver::PartsOf(reply), "the answer to selected parts");
}

// Setting -----------------------------------------------------------------------------------------

// The parts up to the nth, `last` in place of that one: those that have to precede it are there.
Bytes UpTo(const DeviceParts& parts, size_t nth, const DevicePart& last) {
  DeviceParts some(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(nth));
  some.push_back(last);
  return EncodeParts(some);
}

void SetWhileStopped(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  const DeviceParts all = parts.GetAll();
  const Bytes bytes = EncodeParts(all);
  parts.Stop();
  for (int time = 1; time <= 3; ++time) {
    parts.Set(bytes);
    owner.admin().ExpectOk(
        kRepeatedSet, fmt::format("the parts that a stopped member has are set, time {}", time));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    parts.Set(UpTo(all, i, all[i]));
    owner.admin().ExpectOk(kRepeatedSet,
                           fmt::format("the parts up to {} are set", PartName(all[i])));
  }
  parts.Resume();
  c.BeginHostile();
  parts.Set(bytes);
  owner.admin().ExpectFailure(kNotWhileRunning, "DEV_PARTS_SET fails while the member is running");
}

// A device may ignore parts that are optional.
void SetOfOtherLengths(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  const DeviceParts all = parts.GetAll();
  parts.Stop();
  c.BeginHostile();
  for (size_t i = 0; i < all.size(); ++i) {
    const DevicePart& part = all[i];
    if (part.optional()) continue;
    for (const uint32_t length :
         {part.length - 1, part.length + 1, part.length + 8, uint32_t{0}, uint32_t{UINT32_MAX}}) {
      if (length == part.length) continue;
      DevicePart other = part;
      other.length = length;
      other.value.resize(std::min(length, part.length + 8));
      parts.Set(UpTo(all, i, other));
      owner.admin().ExpectFailure(
          kLengths, fmt::format("DEV_PARTS_SET of {} with length {} instead of {} fails",
                                PartName(part), length, part.length));
    }
  }
}

// Sets the parts up to the nth with that one changed, and judges that it reads as before.
void ExpectUnchanged(Context& c, SriovDriver& owner, PartsDriver& parts, const DeviceParts& all,
                     size_t nth, const char* requirement) {
  const DevicePart& part = all[nth];
  DevicePart changed = part;
  changed.value[0] ^= 1;
  parts.Set(UpTo(all, nth, changed));
  const AdminReply reply = owner.admin().last();
  const DeviceParts now = parts.GetAll();
  const DevicePart* after = FindPart(now, part.type, part.selector);
  if (after == nullptr || after->length != part.length) return;
  c.Do(op::Read{after->address + admin::kPartHeader, part.length});
  c.Expect(Accept::SameBytes(part.value), requirement,
           fmt::format("{} is as before after DEV_PARTS_SET of another value was answered {}",
                       PartName(part), StatusToText(reply.status, reply.qualifier)));
}

void FixedPartsStay(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  parts.Stop();
  const DeviceParts all = parts.GetAll();
  c.BeginHostile();
  bool any = false;
  for (size_t i = 0; i < all.size(); ++i) {
    const bool features = all[i].type == admin::kPartDevFeatures;
    const bool read_only = all[i].type == admin::kPartPciCommonCfg && all[i].selector == kNumQueues;
    if ((!features && !read_only) || all[i].value.empty()) continue;
    any = true;
    ExpectUnchanged(c, owner, parts, all, i, features ? kDevFeatures : kReadOnly);
  }
  if (!any) c.NotApplicable("the device has neither DEV_FEATURES nor num_queues as a part");
}

// The default ------------------------------------------------------------------------------------

// Those of a device that some driver has found and negotiated with, as far as there are parts.
Bytes Negotiated(DeviceParts parts) {
  for (DevicePart& part : parts) {
    if (part.type == admin::kPartDrvFeatures && part.length >= 8)
      StoreLe<uint64_t>(part.value.data(), uint64_t{1} << feature::kVersion1);
    if (part.type == admin::kPartDeviceStatus && part.length == 1)
      part.value[0] = status::kAcknowledge | status::kDriver | status::kFeaturesOk;
  }
  return EncodeParts(parts);
}

void ExpectDefaults(Context& c, PartsDriver& parts, const DeviceParts& fresh,
                    const std::string& after) {
  const DeviceParts now = parts.GetAll();
  for (const DevicePart& part : fresh) {
    const DevicePart* same = FindPart(now, part.type, part.selector);
    // Nothing says that the generation starts anew.
    const bool generation = part.type == admin::kPartPciCommonCfg && part.selector == kGeneration;
    if (same == nullptr || same->length != part.length || part.length == 0 || generation) continue;
    c.Do(op::Read{same->address + admin::kPartHeader, part.length});
    c.Expect(Accept::SameBytes(part.value), kDefaults,
             fmt::format("{} of the member is the default after {}", PartName(part), after));
  }
}

void ResetRestoresDefaults(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  const DeviceParts fresh = parts.GetAll();
  if (!owner.Lists(admin::kLegacyCommonCfgWrite) || !owner.Lists(admin::kLegacyCommonCfgRead))
    c.NotApplicable("members cannot be reset by commands: there is no legacy access");
  LegacyMember member(c, owner, 1);
  const auto set = [&] {
    parts.Stop();
    return parts.Set(Negotiated(fresh)).ok();
  };
  if (!set()) c.NotApplicable("the device sets no parts of a device that was negotiated with");
  member.Reset();
  ExpectDefaults(c, parts, fresh, "it was reset before it was resumed");
  // Once more, with the parts in effect.
  set();
  parts.Resume();
  member.Reset();
  ExpectDefaults(c, parts, fresh, "it was reset once it was resumed");
}

void FunctionResetRestoresDefaults(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  const uint32_t base = owner.ConfigOf(1);
  const uint64_t alive = ReadPci(c, base + pci::kRevisionId, 4);
  if (alive == UINT32_MAX)
    c.NotObservable("the attachment does not reach configuration space of virtual functions");
  const uint32_t express = FindVfCapability(c, base, pci::kCapExpress);
  if (express == 0 ||
      (ReadPci(c, express + pci::kExpressDeviceCapabilities, 4) & pci::kExpressFlrCapable) == 0)
    c.NotApplicable("the virtual function has no function level reset");
  const DeviceParts fresh = parts.GetAll();
  parts.Stop();
  if (!parts.Set(Negotiated(fresh)).ok())
    c.NotApplicable("the device sets no parts of a device that was negotiated with");
  const uint64_t control = ReadPci(c, express + pci::kExpressDeviceControl, 2);
  WritePci(c, express + pci::kExpressDeviceControl, 2, control | pci::kExpressInitiateFlr);
  // It is given 100 ms; until then it may not answer.
  c.Do(op::WaitRegister{"pci", base + pci::kRevisionId, 4, UINT32_MAX, alive});
  c.Do(op::Quiesce{});
  parts.MakeObject(admin::kDevPartsGets);
  ExpectDefaults(c, parts, fresh, "a function level reset");
}

// Objects -----------------------------------------------------------------------------------------

void ObjectsAreNeeded(Context& c) {
  SriovDriver owner(c);
  owner.Up();
  PartsDriver parts(c, owner, 1);
  parts.Begin();
  const Bytes bytes = EncodeParts(parts.GetAll());
  parts.Stop();
  c.BeginHostile();
  const auto advise = [&](const AdminCommand& command, const std::string& because) {
    const AdminReply reply = owner.Send(command, 1);
    c.Do(op::Read{reply.address, 2});
    c.Advise(Accept::NotEqual(admin::kOk), kObjectNeeded, because);
  };
  parts.MakeObject(admin::kDevPartsGets);
  advise(parts.SetCommand(0, bytes), "an object that gets parts does not set them");
  advise(parts.GetCommand(9, admin::kGetAll, {}), "an object that is not there gets no parts");
  advise(parts.SetCommand(9, bytes), "an object that is not there sets no parts");
  parts.MakeObject(admin::kDevPartsSets);
  advise(parts.GetCommand(0, admin::kGetAll, {}), "an object that sets parts does not get them");
}

}  // namespace

void AddSriovPartsChecks(std::vector<Check>& list) {
  const Needs needs = SriovNeeds();
  list.push_back({.id = "admin.sriov.parts.get",
                  .title = "Parts are got more than once, each time in their order",
                  .section = "2.12.1.4.4.1",
                  .requirements = {kRepeatedGet, kOrder, kAfterDevFeatures, kConfigAfterDevFeatures,
                                   kConfigAfterFeatures},
                  .tags = {"admin", "sriov"},
                  .needs = needs,
                  .faults = {"sriov-parts-get-once", "sriov-parts-status-last",
                             "sriov-parts-driver-first", "sriov-parts-config-first"},
                  .run = GotAgainAndInOrder});
  list.push_back(
      {.id = "admin.sriov.parts.metadata",
       .title = "Metadata of parts is listed with features before configuration",
       .section = "2.12.1.4.4.1",
       .requirements = {kAfterDevFeatures, kConfigAfterDevFeatures, kConfigAfterFeatures},
       .tags = {"admin", "sriov"},
       .needs = needs,
       .faults = {"sriov-metadata-reversed"},
       .run = MetadataInOrder});
  list.push_back({.id = "admin.sriov.parts.selected",
                  .title = "Selected parts come in their order, not in that of the request",
                  .section = "2.12.1.4.4.1",
                  .requirements = {kOrder},
                  .tags = {"admin", "sriov", "odd"},
                  .needs = needs,
                  .faults = {"sriov-parts-order-of-request"},
                  .run = SelectedInOrder});
  list.push_back({.id = "admin.sriov.parts.set",
                  .title = "Parts are set any number of times, of a stopped member only",
                  .section = "2.12.1.4.4.1",
                  .requirements = {kRepeatedSet, kNotWhileRunning},
                  .tags = {"admin", "sriov", "hostile"},
                  .needs = needs,
                  .faults = {"sriov-parts-set-once", "sriov-parts-set-running"},
                  .run = SetWhileStopped});
  list.push_back({.id = "admin.sriov.parts.length",
                  .title = "A part of another length than the device's is not set",
                  .section = "2.12.1.4.4.1",
                  .requirements = {kLengths},
                  .tags = {"admin", "sriov", "hostile"},
                  .needs = needs,
                  .faults = {"sriov-parts-length-ignored", "sriov-parts-cut-crash"},
                  .run = SetOfOtherLengths});
  list.push_back({.id = "admin.sriov.parts.fixed",
                  .title = "Device features and read-only configuration are not set",
                  .section = "2.12.1.4.4.1",
                  .requirements = {kDevFeatures, kReadOnly},
                  .tags = {"admin", "sriov", "hostile"},
                  .needs = needs,
                  .faults = {"sriov-parts-dev-features-set", "sriov-parts-read-only-set"},
                  .run = FixedPartsStay});
  list.push_back({.id = "admin.sriov.parts.reset",
                  .title = "A reset of a member puts its parts back to their defaults",
                  .section = "2.12.1.4.4.1",
                  .requirements = {kDefaults},
                  .tags = {"admin", "sriov"},
                  .needs = needs,
                  .faults = {"sriov-parts-survive-reset"},
                  .run = ResetRestoresDefaults});
  list.push_back({.id = "admin.sriov.parts.flr",
                  .title = "A function level reset of a member puts its parts back to defaults",
                  .section = "2.12.1.4.4.1",
                  .requirements = {kDefaults},
                  .tags = {"admin", "sriov"},
                  .needs = needs,
                  .faults = {"sriov-parts-survive-flr", "sriov-parts-survive-reset"},
                  .run = FunctionResetRestoresDefaults});
  list.push_back({.id = "admin.sriov.parts.objects",
                  .title = "Parts are got and set through objects of that purpose only",
                  .section = "2.12.1.4.3",
                  .requirements = {kObjectNeeded},
                  .tags = {"admin", "sriov", "hostile"},
                  .needs = needs,
                  .faults = {"sriov-parts-object-ignored"},
                  .run = ObjectsAreNeeded});
}

}  // namespace vitro
