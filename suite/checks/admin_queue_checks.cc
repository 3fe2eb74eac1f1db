// SPDX-License-Identifier: Apache-2.0
// Checks of administration virtqueues (2.13): the lengths of the two parts of a command's buffer,
// what is written into it, and the order in which commands are carried out.
#include <algorithm>
#include <functional>

#include "harness/virtio/experimental.h"
#include "suite/checks/admin_objects.h"
#include "suite/checks/chapters.h"

namespace vitro {
namespace {

namespace xp = experimental;

constexpr const char* kZeroExtended = "dev.admin.administration-virtqueues.1";
constexpr const char* kReplyCut = "dev.admin.administration-virtqueues.2";
constexpr const char* kSurplusIgnored = "dev.admin.administration-virtqueues.3";
constexpr const char* kOnlyStructure = "dev.admin.administration-virtqueues.4";
constexpr const char* kInitialised = "dev.admin.administration-virtqueues.5";
constexpr const char* kLengthNoReason = "dev.admin.administration-virtqueues.6";
constexpr const char* kUnits = "dev.admin.administration-virtqueues.7";
constexpr const char* kStatusWritten = "dev.admin.administration-virtqueues.8";
constexpr const char* kOrder = "dev.admin.administration-virtqueues.9";
constexpr const char* kAgain = "dev.admin.administration-virtqueues.11";
constexpr const char* kFraming = "dev.basic.message-framing.1";
constexpr const char* kProgress = "derived.used.progress";
constexpr const char* kRecovers = "derived.reset.recovers";

constexpr uint64_t kFirstCommands = 0x3;

// A fresh device with all commands in use and, where objects are known, room for them.
void Fresh(Context& c, AdminDriver& admin, ObjectDriver& objects) {
  if (ObjectDriver::Known(c)) return objects.Begin();
  admin.Up();
  admin.UseAll();
}

// Commands of every length that this device is known to carry out.
std::vector<AdminCommand> Samples(Context& c, AdminDriver& admin, ObjectDriver& objects) {
  Fresh(c, admin, objects);
  std::vector<AdminCommand> samples = {ListQuery(), ListUse(admin.usable())};
  if (!admin.Lists(admin::kCapIdListQuery)) return samples;
  samples.push_back(CapIdListQuery());
  const Bytes caps = admin.Capabilities();
  for (uint32_t id = 0; id < 8 * caps.size(); ++id) {
    if (!HasBit(caps, id)) continue;
    const AdminReply reply = admin.Send(DeviceCapGet(static_cast<uint16_t>(id)));
    samples.push_back(DeviceCapGet(static_cast<uint16_t>(id)));
    if (reply.ok()) samples.push_back(DriverCapSet(static_cast<uint16_t>(id), reply.result));
    break;
  }
  if (ObjectDriver::Known(c)) samples.push_back(objects.CreateBin(0, ObjectDriver::Bin(5, 6)));
  return samples;
}

// Sends both to devices in the same state; the answers are the same. `of` names the case.
void ExpectSameAnswer(Context& c, AdminDriver& admin, ObjectDriver& objects,
                      const AdminCommand& command, const Bytes& plain, const Bytes& odd,
                      const char* requirement, const std::string& of) {
  const uint32_t writable = admin::kResult + command.result;
  const bool creates = command.opcode == admin::kResourceObjCreate;
  auto object = [&] { return objects.Query(xp::kTypeBin, 0); };
  Fresh(c, admin, objects);
  const AdminReply expected = admin.SendBytes(command.what, plain, writable);
  const AdminReply expected_object = creates ? object() : AdminReply();
  Fresh(c, admin, objects);
  admin.SendBytes(command.what, odd, writable);
  admin.ExpectStatus(expected.status, kLengthNoReason,
                     fmt::format("{} is not refused for its length with {}", command.what, of));
  const std::string because = fmt::format("{} with {} is answered as without", command.what, of);
  admin.ExpectSame(expected, requirement, because);
  if (!creates || !expected.ok()) return;
  object();
  admin.ExpectSame(expected_object, requirement, because);
}

// Every multiple of 8 bytes, as drivers keep to (2.13.2).
void ShortReadablePart(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  for (const AdminCommand& command : Samples(c, admin, objects)) {
    const Bytes whole = Encode(command);
    for (size_t length = admin::kUnit; length < whole.size(); length += admin::kUnit) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      Bytes zeros = cut;
      zeros.resize(whole.size());
      ExpectSameAnswer(
          c, admin, objects, command, zeros, cut, kZeroExtended,
          fmt::format("{} of {} device-readable bytes, the rest zero", length, whole.size()));
    }
  }
}

void LongReadablePart(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  for (const AdminCommand& command : Samples(c, admin, objects)) {
    const Bytes whole = Encode(command);
    for (const size_t more : {8, 64, 1024}) {
      Bytes longer = whole;
      // A list may go on, with zeros.
      longer.resize(whole.size() + more, command.opcode == admin::kListUse ? 0 : 0xff);
      ExpectSameAnswer(c, admin, objects, command, whole, longer, kSurplusIgnored,
                       fmt::format("{} device-readable bytes too many", more));
    }
  }
}

void ShortWritablePart(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  Fresh(c, admin, objects);
  std::vector<AdminCommand> commands = {ListQuery()};
  if (admin.Lists(admin::kCapIdListQuery)) commands.push_back(CapIdListQuery());
  if (ObjectDriver::Known(c)) {
    objects.MustCreate(xp::kTypeBin, 0, ObjectDriver::Bin(5, 6));
    commands.push_back(objects.QueryCommand(xp::kTypeBin, 0));
  }
  for (const AdminCommand& command : commands) {
    const AdminReply whole = admin.Send(command);
    if (!whole.ok()) continue;
    for (uint32_t room = admin::kResult; room < whole.length;
         room += room < 64 ? admin::kUnit : 64) {
      const std::string of = fmt::format("{} with {} device-writable bytes", command.what, room);
      admin.SendBytes(of, Encode(command), room);
      c.Expect(Accept::LengthRange(room, room), kInitialised,
               of + " has all of them written, as there would be more");
      admin.ExpectOk(kLengthNoReason, of + " is not refused for its length");
      admin.ExpectSame(whole, kReplyCut, of + " holds the beginning of the whole answer");
    }
  }
}

void LongWritablePart(Context& c) {
  constexpr uint32_t kMore = 256;
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  Fresh(c, admin, objects);
  std::vector<std::pair<AdminCommand, uint32_t>> commands = {{ListUse(admin.usable()), 0}};
  if (ObjectDriver::Known(c)) {
    objects.MustCreate(xp::kTypeBin, 0, ObjectDriver::Bin(5, 6));
    commands.emplace_back(objects.QueryCommand(xp::kTypeBin, 0), xp::kObjectSize);
    commands.emplace_back(objects.SetBins(objects.bin_limit(), objects.bin_flags()), 0);
  }
  for (const auto& [command, result] : commands) {
    const uint32_t described = admin::kResult + result;
    const std::string of =
        fmt::format("{} with {} device-writable bytes too many", command.what, kMore);
    const AdminReply reply = admin.SendBytes(of, Encode(command), described + kMore);
    c.Expect(Accept::LengthRange(described, described), kOnlyStructure,
             of + " has the length of the structure as its used length");
    admin.ExpectOk(kLengthNoReason, of + " is not refused for its length");
    Bytes poison(kMore);
    for (uint32_t i = 0; i < kMore; ++i)
      poison[i] = PoisonByte(reply.seed, reply.address + described + i);
    c.Do(op::Read{reply.address + described, kMore});
    c.Expect(Accept::SameBytes(poison), kOnlyStructure, of + " has none of those written");
  }
}

void AnswersAreWritten(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.List();
  // One that succeeds, and two that fail, without a result in the answer.
  AdminCommand stranger = ListUse(kFirstCommands);
  stranger.group = 0xffff;
  for (const AdminCommand& command : {ListUse(admin.usable()), stranger, OtherCommand(0x7fff)}) {
    const AdminReply reply = admin.SendBytes(command.what, Encode(command), admin::kResult);
    c.Expect(Accept::LengthRange(admin::kResult, admin::kResult), kUnits,
             fmt::format("the 64 bits of the answer to {} are written", command.what));
    c.Expect(Accept::LengthRange(admin::kResult, admin::kResult), kInitialised,
             fmt::format("all of the answer to {} is written", command.what));
    uint32_t poison = 0;
    for (uint32_t i = 4; i-- > 0;) poison = poison << 8 | PoisonByte(reply.seed, reply.address + i);
    c.Do(op::Read{reply.address, 4});
    c.Expect(Accept::NotEqual(poison), kStatusWritten,
             fmt::format("status and status qualifier of {} are written", command.what));
  }
}

// The two parts cut at will (2.7.4): 10 descriptors at most.
void InPieces(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  std::vector<Framing> framings(4);
  framings[0].readable = {4, 4, 4, 4, 4};
  framings[1].readable = {1, 1, 2, 7};
  framings[1].writable = {1, 1, 2, 7};
  framings[2].readable = {2};
  framings[2].writable = {2, 2, 3};
  framings[3].readable = {16};
  framings[3].writable = {8};
  // What stands in the first descriptor alone must not be enough.
  AdminCommand stranger = ListQuery();
  stranger.group = 0xffff;
  stranger.what += " to a group type that is reserved";
  for (const AdminCommand& command : {ListQuery(), stranger}) {
    const AdminReply plain = admin.Send(command);
    const Bytes whole = c.Do(op::Read{plain.address, plain.length}).bytes;
    for (const Framing& framing : framings) {
      admin.SendBytes(command.what + " in pieces", Encode(command), plain.length, framing);
      c.Expect(Accept::SameBytes(whole), kFraming,
               command.what + " is answered alike however its buffer is cut into descriptors");
    }
  }
}

void EveryQueueServes(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  for (uint32_t nth = 0; nth < admin.queues(); ++nth) {
    admin.UseQueue(nth);
    admin.Send(ListQuery());
    admin.ExpectOk("dev.admin.group-cmds.5",
                   fmt::format("LIST_QUERY succeeds on administration virtqueue {}", nth));
    if (!admin.Lists(admin::kCapIdListQuery)) continue;
    // The list in use is the group's, whichever queue it came by.
    admin.Send(CapIdListQuery());
    admin.ExpectOk("dev.admin.group-cmds.12",
                   "a command that LIST_USE allowed on another queue is legal");
  }
}

// Makes the commands available one by one, notifies once, and has them used. Statuses in the order
// of the commands; nothing if there were other answers than those.
struct Batch {
  std::vector<uint64_t> addresses;
  bool complete = false;
};
Batch SendBatch(Context& c, const AdminDriver& admin, const std::vector<AdminCommand>& commands) {
  Batch batch;
  for (const AdminCommand& command : commands) {
    const Exchange exchange{command.what,    admin.queue(),
                            Encode(command), admin::kResult + command.result,
                            std::nullopt,    0};
    std::vector<op::Segment> segments = c.Lay(exchange);
    batch.addresses.push_back(segments.back().address);
    c.PublishAt(exchange, std::move(segments), {}, true);
  }
  c.Do(op::Expose{admin.queue()});
  c.Notify(admin.queue());
  const auto count = static_cast<uint32_t>(commands.size());
  const Observation used = c.WaitUsed(admin.queue(), count);
  c.Expect(Accept::Equal(count), kProgress, "all commands that are outstanding are used");
  batch.complete = used.value == count;
  return batch;
}

uint32_t BatchSize(Context& c, const AdminDriver& admin) {
  const auto& queues = c.session().state().queues;
  const auto it = queues.find(admin.queue());
  return it == queues.end() ? 1 : std::clamp(it->second->layout().size / 2, 1u, 32u);
}

void ManyOutstanding(Context& c) {
  AdminDriver admin(c);
  admin.Up(64);
  const AdminReply plain = admin.Send(ListQuery());
  for (int round = 0; round < 3; ++round) {
    std::vector<AdminCommand> commands(BatchSize(c, admin), ListQuery());
    for (size_t i = 0; i < commands.size(); i += 3) commands[i] = OtherCommand(0x7fff);
    const Batch batch = SendBatch(c, admin, commands);
    if (!batch.complete) return;
    for (size_t i = 0; i < commands.size(); ++i) {
      const bool odd = i % 3 == 0;
      c.Do(op::Read{batch.addresses[i], 2});
      c.Expect(odd ? Accept::Equal(admin::kEinval) : Accept::In({plain.status, admin::kEagain}),
               odd ? "dev.admin.group-cmds.1" : "dev.admin.group-cmds.5",
               fmt::format("{} among others is answered as alone", commands[i].what));
    }
  }
}

void InTheOrderQueued(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  objects.Begin();
  const AdminCommand create = objects.CreateBin(0, ObjectDriver::Bin(7, 8));
  const AdminCommand query = objects.QueryCommand(xp::kTypeBin, 0);
  const AdminCommand destroy = ResourceCommand(admin::kResourceObjDestroy, xp::kTypeBin, 0);
  // Each finds what the one before it left.
  const std::vector<AdminCommand> cycle = {create, query, destroy, query};
  std::vector<AdminCommand> commands;
  while (commands.size() + cycle.size() <= BatchSize(c, admin))
    commands.insert(commands.end(), cycle.begin(), cycle.end());
  if (commands.empty()) c.NotApplicable("the administration virtqueue is too small");
  for (int round = 0; round < 4; ++round) {
    const Batch batch = SendBatch(c, admin, commands);
    if (!batch.complete) return;
    bool again = false;
    for (const uint64_t address : batch.addresses)
      again = again || c.Do(op::Read{address, 2}).value == admin::kEagain;
    if (again) {
      objects.Destroy(xp::kTypeBin, 0);
      continue;
    }
    for (size_t i = 0; i < commands.size(); ++i) {
      c.Do(op::Read{batch.addresses[i], 2});
      const bool last_query = i % cycle.size() == 3;
      c.Expect(last_query ? Accept::NotEqual(admin::kOk) : Accept::Equal(admin::kOk), kOrder,
               fmt::format("{} finds what the command queued before it left", commands[i].what));
    }
    return;
  }
  c.NotApplicable("some of the commands were answered EAGAIN each time");
}

bool MeansAgain(const AdminReply& reply) {
  return reply.status == admin::kEagain || reply.status == admin::kEnomem;
}

// Sends the command 12 times; after each answer that asks for another try, `expect_nothing` sees
// that nothing happened. True if there was one.
bool TryAgainAndAgain(AdminDriver& admin, const AdminCommand& command,
                      const std::function<void(const std::string&)>& expect_nothing,
                      const std::function<void()>& undo) {
  bool any = false;
  for (int i = 0; i < 12; ++i) {
    const AdminReply reply = admin.SendOnce(command.what, Encode(command), admin::kResult);
    if (MeansAgain(reply)) {
      any = true;
      expect_nothing(fmt::format("{} that was answered {} did not happen", command.what,
                                 StatusToText(reply.status, reply.qualifier)));
    }
    undo();
  }
  return any;
}

void AgainMeansNothingHappened(Context& c) {
  AdminDriver admin(c);
  ObjectDriver objects(c, admin);
  Fresh(c, admin, objects);
  bool any = false;
  if (admin.Lists(admin::kCapIdListQuery))
    any = TryAgainAndAgain(
        admin, ListUse(kFirstCommands),
        [&](const std::string& because) {
          admin.Send(CapIdListQuery());
          admin.ExpectOk(kAgain, because);
        },
        [&] { admin.UseAll(); });
  if (ObjectDriver::Known(c))
    any = TryAgainAndAgain(
              admin, objects.CreateBin(0, ObjectDriver::Bin(1, 1)),
              [&](const std::string& because) {
                objects.Query(xp::kTypeBin, 0);
                admin.ExpectFailure(kAgain, because);
              },
              [&] { objects.Destroy(xp::kTypeBin, 0); }) ||
          any;
  if (!any) c.NotApplicable("the device answered neither EAGAIN nor ENOMEM");
}

void PartsOfNoUse(Context& c) {
  AdminDriver admin(c);
  admin.Up();
  admin.UseAll();
  c.BeginHostile();
  struct Parts {
    uint32_t readable, writable;
  };
  for (const Parts parts : {Parts{0, 16},
                            {24, 0},
                            {1, 16},
                            {7, 16},
                            {25, 16},
                            {24, 1},
                            {24, 3},
                            {24, 7},
                            {24, 13},
                            {1, 1},
                            {65536, 65536}}) {
    Bytes readable = Encode(ListQuery());
    readable.resize(parts.readable, 0xff);
    c.Publish(
        {"a command of unusual length", admin.queue(), readable, parts.writable, std::nullopt, 0});
    c.Notify(admin.queue());
    c.Do(op::Quiesce{});
  }
  c.ExpectSurvives();
  admin.Up();
  admin.Send(ListQuery());
  admin.ExpectOk(kRecovers, "LIST_QUERY succeeds after a reset");
}

}  // namespace

void AddAdminQueueChecks(std::vector<Check>& list) {
  const Needs needs = AdminNeeds();
  list.push_back({.id = "admin.queue.short-readable",
                  .title = "Device-readable bytes that a command lacks are taken to be zero",
                  .section = "2.13.1",
                  .requirements = {kZeroExtended, kLengthNoReason},
                  .tags = {"admin", "odd"},
                  .needs = needs,
                  .faults = {"admin-short-readable-refused", "admin-short-readable-garbage"},
                  .run = ShortReadablePart});
  list.push_back({.id = "admin.queue.long-readable",
                  .title = "Device-readable bytes beyond what a command is long are ignored",
                  .section = "2.13.1",
                  .requirements = {kSurplusIgnored, kLengthNoReason},
                  .tags = {"admin", "odd"},
                  .needs = needs,
                  .faults = {"admin-long-readable-refused", "admin-long-readable-used"},
                  .run = LongReadablePart});
  list.push_back({.id = "admin.queue.short-writable",
                  .title = "An answer is cut to the device-writable part without an error",
                  .section = "2.13.1",
                  .requirements = {kReplyCut, kInitialised, kLengthNoReason},
                  .tags = {"admin", "odd"},
                  .needs = needs,
                  .faults = {"admin-short-writable-refused", "admin-short-writable-silent"},
                  .run = ShortWritablePart});
  list.push_back({.id = "admin.queue.long-writable",
                  .title = "Nothing is written beyond the structure of an answer",
                  .section = "2.13.1",
                  .requirements = {kOnlyStructure, kLengthNoReason},
                  .tags = {"admin", "odd"},
                  .needs = needs,
                  .faults = {"admin-long-writable-filled"},
                  .run = LongWritablePart});
  list.push_back({.id = "admin.queue.answer-written",
                  .title = "Every answer is written, status and status qualifier first",
                  .section = "2.13.1",
                  .requirements = {kStatusWritten, kInitialised, kUnits},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-ok-not-written", "admin-partial-reply"},
                  .run = AnswersAreWritten});
  list.push_back({.id = "admin.queue.pieces",
                  .title = "A command may lie in any number of descriptors",
                  .section = "2.7.4",
                  .requirements = {kFraming},
                  .tags = {"admin", "odd"},
                  .needs = needs,
                  .faults = {"admin-header-in-one-descriptor"},
                  .run = InPieces});
  list.push_back({.id = "admin.queue.every-queue",
                  .title = "Each administration virtqueue serves commands",
                  .section = "2.13",
                  .requirements = {kStatusWritten, kProgress, "dev.admin.group-cmds.5",
                                   "dev.admin.group-cmds.12"},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-second-queue-dead"},
                  .run = EveryQueueServes});
  list.push_back({.id = "admin.queue.many-outstanding",
                  .title = "Many outstanding commands are answered, good ones and bad ones",
                  .section = "2.12.1.5",
                  .requirements = {"dev.admin.group-cmds.5", "dev.admin.group-cmds.1", kProgress},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin:used-never", "admin-invalid-opcode-ok"},
                  .run = ManyOutstanding});
  list.push_back({.id = "admin.queue.order",
                  .title = "Commands of one administration virtqueue are carried out in order",
                  .section = "2.13.1",
                  .requirements = {kOrder},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-create-late"},
                  .run = InTheOrderQueued});
  list.push_back({.id = "admin.queue.again",
                  .title = "A command that is answered EAGAIN or ENOMEM has done nothing",
                  .section = "2.13.1",
                  .requirements = {kAgain},
                  .tags = {"admin"},
                  .needs = needs,
                  .faults = {"admin-again-created", "admin-again-list-taken"},
                  .run = AgainMeansNothingHappened});
  list.push_back(
      {.id = "admin.queue.hostile-lengths",
       .title = "Commands of any length do no harm",
       .section = "2.13.2",
       .requirements = {"derived.alive.no-crash", "derived.alive.no-hang", kRecovers},
       .tags = {"admin", "hostile"},
       .needs = needs,
       .faults = {"admin-short-header-crash", "admin:crash-on-notify", "admin:hang-on-notify"},
       .run = PartsOfNoUse});
}

}  // namespace vitro
