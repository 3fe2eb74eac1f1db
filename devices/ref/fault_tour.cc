// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/fault_tour.h"

#include <fmt/format.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "devices/ref/admin/admin_tour.h"
#include "devices/ref/packed_tour.h"
#include "devices/ref/tourist.h"
#include "harness/virtio/blk.h"
#include "harness/virtio/experimental.h"

namespace vitro::ref {
namespace {

namespace xp = experimental;

void Features(Tourist& t) {
  for (int session = 0; session < 3; ++session) {
    const FeatureSet offered = t.Offered();
    t.Note("offers {:x} {:x}", offered.word(0), offered.word(1));
    t.Note("all: {}", t.Negotiate(offered));
    t.Note("least: {}", t.Negotiate(t.With(kPlain)));
    t.Note("VERSION_1: {}", t.Negotiate(kPlain));
    t.Note("unoffered: {}", t.Negotiate(t.With(kPlain).With(60)));
    t.Note("bit 1 alone: {}", t.Negotiate(kPlain.With(1)));
  }
  t.Note("bit 1 alone: {}", t.Start(kPlain.With(1), 8, 1));
  t.Do(t.Request(1));
  t.NoteState("end");
}

// All sixteen sets of the rings' bits: some faults need each of the four to be just so.
void FeatureSets(Tourist& t) {
  constexpr unsigned kBits[] = {feature::kIndirectDesc, feature::kEventIdx, feature::kInOrder,
                                feature::kRingReset};
  for (unsigned n = 0; n < 16; ++n) {
    FeatureSet set = kPlain;
    for (unsigned i = 0; i < std::size(kBits); ++i)
      if ((n >> i & 1) != 0) set.Add(kBits[i]);
    t.Begin(set);
    t.Note("config {:x} {:x}", t.Config(blk::kConfigSize - 1, 1),
           t.Config(experimental::kConfigGated, 4));
    t.Do(t.Request(1));
  }
}

void Status(Tourist& t) {
  for (int session = 0; session < 2; ++session) {
    t.NoteState("reset");
    t.Negotiate(t.With(kRings));
    t.NoteState("negotiated");
    for (uint32_t i = 0; i < t.queues(); ++i) t.SetupQueue(i, 8);
    t.Offer(0, t.Request(1));
    t.RunDevice();
    t.NoteState("set up");
    t.Kick(0);
    t.NoteState("notified early");
    t.AddStatus(status::kDriverOk);
    t.RunDevice();
    t.NoteState("DRIVER_OK");
    t.Do(t.Request(1));
    t.Reset();
    t.NoteState("reset");
    t.Offer(0, t.Request(1));
    t.Kick(0);
    t.NoteState("after reset");
  }
  t.Begin(kRings);
  t.AddStatus(status::kFailed);
  t.Reset();
  t.NoteState("reset from FAILED");
  t.Begin(kNoEvents);
  for (int i = 0; i < 3; ++i) t.Do(t.Request(2));
  t.NoteState("other features");
}

void AvailableIndexBeforeSetup(Tourist& t) {
  t.Negotiate(t.With(kRings));
  vitro_queue setup = t.Layout(0, 8);
  setup.driver_address = t.Allocate(64);
  t.Note("{}", t.SetupQueue(0, setup));
  t.NoteState("set up");
}

void Requests(Tourist& t, FeatureSet features) {
  t.host.hash_at_signal = true;
  t.Begin(features);
  for (uint32_t parts : {1u, 2u, 3u, 4u, 1u, 2u}) {
    t.Do(t.Request(parts));
    t.NoteState("request");
  }
  for (uint32_t i = 0; i < 8; ++i) t.Publish(0, t.PutChain(0, {{t.Allocate(64), 64, true}}));
  t.Kick(0);
  t.NoteUsed(0);
  t.NoteState("full ring");
  t.Kick(0);
  t.NoteUsed(0);
  t.NoteState("spurious");
  t.host.Store<uint16_t>(t.rings[0].used + 2, 4000);
  t.Do(t.Request(1));
  t.NoteState("used index overwritten");
}

void Shapes(Tourist& t) {
  t.Begin(kNoEvents);
  std::vector<Buffer> chain = t.Request(1);
  while (chain.size() < 8) chain.push_back({t.Allocate(1), 1, true});
  t.Do(chain);
  t.NoteState("as long as the queue");
  t.Indirect(t.Request(10), 0, 0);
  t.NoteState("indirect");
  t.Indirect(t.Request(2), split::kDescWrite, 0);
  t.NoteState("indirect with WRITE");
  t.Indirect(t.Request(2), 0, 1);
  t.NoteState("indirect unaligned");
  t.Begin(kNoEvents);
  const auto request = t.Request(1);
  const uint64_t desc = t.rings[0].desc;
  t.PutDescriptor(desc, request[0].address, request[0].length,
                  split::kDescNext | (request[0].writable ? split::kDescWrite : 0), 1);
  t.PutDescriptor(desc + 16, t.PutTable({request.back()}), 16, split::kDescIndirect, 0);
  t.Publish(0, 0);
  t.Kick(0);
  t.NoteUsed(0);
  t.NoteState("indirect last");
}

void Sizes(Tourist& t) {
  t.Begin(kNoEvents, 4);
  t.Do(t.Request(1, 65536));
  t.Do(t.Request(1, 1024));
  t.NoteState("large");
  const uint32_t tail = t.queues() == 1 ? 512 : 513;
  auto chain = t.Request(1);
  chain.back() = {TestHost::kBase + TestHost::kSize - tail, tail, true};
  t.Do(chain);
  t.NoteState("end of memory");
  t.Note("maximum {} {}", t.ops->queue_max_size(t.device, 0), t.ops->queue_max_size(t.device, 1));
  t.Note("without features {}", t.Start(kPlain, 4, 1));
  t.Note("maximum {} {}", t.ops->queue_max_size(t.device, 0), t.ops->queue_max_size(t.device, 1));
  t.Negotiate(t.With(kPlain));
  t.SetupQueue(1, 8);
  t.AddStatus(status::kDriverOk);
  t.Do({{t.Allocate(512), 512, true}}, 1);
  t.NoteState("only the second queue");
}

void Suppression(Tourist& t) {
  for (const FeatureSet features : {kNoEvents, kRings}) {
    t.Begin(features);
    const uint64_t used_event = t.rings[0].avail + split::UsedEventOffset(8);
    for (uint16_t flags : {0, 1})
      for (uint16_t ahead : {0, 1, 2, 40, 65535}) {
        t.host.Store<uint16_t>(t.rings[0].avail, flags);
        t.host.Store<uint16_t>(used_event, static_cast<uint16_t>(t.UsedIdx(0) + ahead));
        const uint32_t batch = ahead == 1 ? 3 : 1;
        for (uint32_t i = 0; i < batch; ++i) t.Offer(0, t.Request(1));
        t.Kick(0);
        t.NoteUsed(0);
        t.NoteState("suppression");
      }
  }
  // After a session of n buffers, an event at n is not yet due.
  for (int session = 0; session < 2; ++session) {
    t.Begin(kRings);
    for (int i = 0; i < 3; ++i) t.Offer(0, t.Request(1));
    t.Kick(0);
    t.NoteState("session");
  }
}

void Wrap(Tourist& t) {
  t.Begin(kRings, 16);
  const Buffer buffer{t.Allocate(64), 64, true};
  t.host.Store<uint16_t>(t.rings[0].avail + split::UsedEventOffset(16), 65535);
  for (uint32_t i = 0; i < 65536 + 64; i += 12) {
    for (uint32_t j = 0; j < 12; ++j) t.Offer(0, {buffer});
    t.Kick(0);
  }
  t.Note("signals {} index {}", t.host.queue_signals[0], t.UsedIdx(0));
}

void InOrder(Tourist& t) {
  t.Begin(kNoEvents.With(feature::kInOrder));
  for (int i = 0; i < 4; ++i) t.Offer(0, t.Request(1));
  t.Kick(0);
  t.NoteUsed(0);
}

void QueueReset(Tourist& t) {
  t.Begin(kRings);
  t.Do(t.Request(1));
  t.Note("reset {}", t.ops->queue_reset(t.device, 0));
  t.Offer(0, t.Request(1));
  t.Kick(0);
  t.NoteState("after queue reset");
  vitro_queue setup = t.Layout(0, 4);
  setup.desc_address += 0x400;
  setup.driver_address += 0x400;
  setup.device_address += 0x400;
  t.Note("again {}", t.SetupQueue(0, setup));
  for (int i = 0; i < 6; ++i) t.Do(t.Request(1));
  t.NoteState("after");
}

// Nothing is seen of a device that does not offer VIRTIO_F_SUSPEND.
void Suspend(Tourist& t) {
  if (!t.Offered().Has(feature::kSuspend)) return;
  const auto set = [&](uint8_t bits) { t.ops->set_status(t.device, t.Status() | bits); };
  t.Negotiate(t.With(kPlain.With(feature::kSuspend)));
  set(status::kSuspend);
  t.NoteState("before DRIVER_OK");
  t.Reset();
  t.Begin(kPlain.With(feature::kSuspend));
  t.Do(t.Request(1));
  for (int i = 0; i < 3; ++i) t.Offer(0, t.Request(1));
  t.ops->notify(t.device, 0);
  set(status::kSuspend);
  t.NoteState("suspended");
  t.RunDevice();
  t.Offer(0, t.Request(1));
  t.Kick(0);
  t.NoteUsed(0);
  t.ops->stimulate_config_change(t.device);
  t.WriteConfig(xp::kConfigLimit, 0x5a, 4);
  t.WriteConfig(blk::kConfigWriteback, 0, 1);
  t.NoteState("suspended still");
  set(status::kDriverOk);
  t.RunDevice();
  t.NoteUsed(0);
  t.Note("config {:x} {:x}", t.Config(xp::kConfigLimit, 4), t.Config(blk::kConfigWriteback, 1));
  t.NoteState("resumed");
  t.Do(t.Request(1));
}

void Config(Tourist& t) {
  const auto read_all = [&](const char* when) {
    for (uint32_t width : {1u, 2u, 4u, 8u})
      for (uint32_t offset = 0; offset < 112; offset += width)
        t.Note("{} config {}/{} = {:x}", when, offset, width, t.Config(offset, width));
    t.Note("generation {}", t.ops->config_generation(t.device));
  };
  read_all("at first");
  t.Negotiate(kPlain);
  read_all("without features");
  t.Begin(kRings);
  read_all("with features");
  t.Note("change {}", t.ops->stimulate_config_change(t.device));
  t.NoteState("changed");
  for (uint32_t width : {1u, 4u, 8u})
    for (uint32_t offset = 0; offset < 112; offset += width) {
      t.Note("write {}", t.WriteConfig(offset, 0x0101010101010101, width));
      t.Note("generation {}", t.ops->config_generation(t.device));
      read_all("written");
    }
  t.Reset();
  read_all("after reset");
}

// A half of a wide field, each thing that may come in between, and the other half.
void WideConfig(Tourist& t) {
  const auto note = [&] {
    for (uint32_t offset = 0; offset < xp::kConfigSize; offset += 8)
      t.Note("{} = {:x}", offset, t.Config(offset, 8));
    t.Note("generation {} signals {}", t.ops->config_generation(t.device), t.host.config_signals);
  };
  const std::function<void()> between[] = {[] {},
                                           [&] { t.Config(0, 4); },
                                           [&] { t.ops->config_generation(t.device); },
                                           [&] { t.WriteConfig(xp::kConfigLimit, 5, 4); },
                                           [&] { t.ops->queue_max_size(t.device, 1); },
                                           [&] { t.ops->queue_reset(t.device, 1); },
                                           [&] { t.Kick(0); },
                                           [&] { t.ops->get_status(t.device); },
                                           [&] { t.ops->stimulate_config_change(t.device); },
                                           [&] { t.RunDevice(); },
                                           [&] { t.Negotiate(t.With(kRings)); }};
  for (const auto& act : between)
    for (uint32_t first : {0u, 4u})
      for (uint32_t field : {xp::kConfigThreshold, xp::kConfigShared}) {
        t.Begin(kRings);
        t.WriteConfig(field + first, 0x11111111, 4);
        act();
        t.WriteConfig(field + 4 - first, 0x22222222, 4);
        note();
      }
  t.Negotiate(kPlain);
  t.WriteConfig(xp::kConfigThreshold, 1, 4);
  t.AddStatus(status::kDriverOk);
  t.WriteConfig(xp::kConfigThreshold + 4, 1, 4);
  note();
  t.WriteConfig(xp::kConfigThreshold + 6, 0x99999999, 4);
  t.WriteConfig(xp::kConfigThreshold + 2, 0x1234, 2);
  t.WriteConfig(xp::kConfigTearable + 6, 0x98765432, 4);
  t.WriteConfig(xp::kConfigWide + 4, 0x77777777, 4);
  note();
  t.Note("low {:x} generation {}", t.Config(xp::kConfigWide, 4),
         t.ops->config_generation(t.device));
  for (int i = 0; i < 256; ++i) t.ops->stimulate_config_change(t.device);
  t.Note("high {:x} generation {}", t.Config(xp::kConfigWide + 4, 4),
         t.ops->config_generation(t.device));
  t.Reset();
  t.WriteConfig(xp::kConfigThreshold, 1, 8);
  note();
}

// 256 changes in a row.
void ManyChanges(Tourist& t) {
  t.Begin(kRings);
  for (int i = 0; i < 256; ++i) t.ops->stimulate_config_change(t.device);
  t.Note("generation {}", t.ops->config_generation(t.device));
}

// Each way to break a ring, then a reset and requests on all queues.
void Broken(Tourist& t, const std::function<void(Tourist&)>& breaks) {
  t.Begin(kRings);
  breaks(t);
  t.Kick(0);
  t.NoteUsed(0);
  t.NoteState("broken");
  t.Do({{t.Allocate(512), 512, true}}, t.queues() - 1);
  t.NoteState("queues");
  t.Reset();
  t.NoteState("reset");
  t.Begin(kRings);
  for (uint32_t queue = 0; queue < t.queues(); ++queue) t.Do({{t.Allocate(512), 512, true}}, queue);
  t.NoteState("again");
}

// A block request with `out` as its data and `in` bytes of room for an answer.
void BlkRequest(Tourist& t, uint32_t type, uint64_t sector, const Bytes& out, uint32_t in) {
  Bytes readable = LeBytes(type, 8);
  const Bytes le_sector = LeBytes(sector, 8);
  readable.insert(readable.end(), le_sector.begin(), le_sector.end());
  readable.insert(readable.end(), out.begin(), out.end());
  const uint64_t answer = t.Allocate(in + 1);
  t.Do(
      {{t.Place(readable), static_cast<uint32_t>(readable.size()), false}, {answer, in + 1, true}});
  t.Note("type {} sector {}: answer {}", type, sector,
         ToHex(Bytes(t.host.At(answer, in + 1), t.host.At(answer) + in + 1)));
}

Bytes Ranges(const std::vector<std::array<uint64_t, 3>>& ranges) {
  Bytes bytes;
  for (const auto& [sector, count, flags] : ranges)
    for (const Bytes& part : {LeBytes(sector, 8), LeBytes(count, 4), LeBytes(flags, 4)})
      bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

void Blk(Tourist& t) {
  t.Begin(kNoEvents);
  BlkRequest(t, blk::kTypeIn, 3, {}, 1024);
  BlkRequest(t, blk::kTypeOut, 3, Pattern(99, 512), 0);
  for (uint32_t flags : {0, 1, 2})
    for (uint32_t type : {blk::kTypeDiscard, blk::kTypeWriteZeroes, blk::kTypeSecureErase})
      BlkRequest(t, type, 0, Ranges({{100 + type, 1, flags}, {200 + type, 1, flags}}), 0);
  for (uint64_t sector : {3u, 100 + blk::kTypeWriteZeroes, 200 + blk::kTypeWriteZeroes})
    BlkRequest(t, blk::kTypeIn, sector, {}, 512);
  for (uint32_t type = 4; type < 32; ++type) BlkRequest(t, type, 0, {}, 20);
  t.Note("without FLUSH: {}", t.Start(kPlain.With(blk::kFeatureConfigWce), 8, 1));
  t.Note("writeback {}", t.Config(blk::kConfigWriteback, 1));
  t.Note("write 1: {}", t.WriteConfig(blk::kConfigWriteback, 1, 1));
  BlkRequest(t, blk::kTypeFlush, 0, {}, 0);
}

constexpr uint64_t kZoneSize = 64, kFirstZone = 4 * kZoneSize;  // the first sequential zone

// Appends, and writes of `sectors` at `sector`; the state of zones is seen in reports.
void Append(Tourist& t, uint64_t sector, uint32_t sectors) {
  BlkRequest(t, blk::kTypeZoneAppend, sector, Pattern(sector, sectors * 512), 8);
}
void Write(Tourist& t, uint64_t sector, uint32_t sectors) {
  BlkRequest(t, blk::kTypeOut, sector, Pattern(sector + 1, sectors * 512), 0);
}
void Zone(Tourist& t, uint32_t type, uint64_t sector) { BlkRequest(t, type, sector, {}, 0); }

void ZonedRequests(Tourist& t) {
  t.Begin(kNoEvents);
  for (uint32_t type = blk::kTypeZoneOpen; type <= blk::kTypeZoneReset; type += 2) Zone(t, type, 0);
  Zone(t, blk::kTypeZoneClose, kFirstZone);
  Zone(t, blk::kTypeZoneFinish, kFirstZone);
  Append(t, 0, 8);
  Append(t, kFirstZone, 8);
  Append(t, kFirstZone, 32);
  Append(t, kFirstZone + 8, 8);
  Append(t, kFirstZone + kZoneSize, 40);
  Write(t, kFirstZone + 48, 8);
  Write(t, kFirstZone + 2 * kZoneSize, 64);
  Write(t, kFirstZone + 3 * kZoneSize, 1);
  Write(t, kFirstZone + 3 * kZoneSize, 56);
  Zone(t, blk::kTypeZoneOpen, kFirstZone + 3 * kZoneSize);
  Write(t, 2048 - 2 * kZoneSize, 8);
  BlkRequest(t, blk::kTypeIn, 2048 - kZoneSize, {}, 512);
  BlkRequest(t, blk::kTypeIn, kFirstZone - 1, {}, 1024);
  BlkRequest(t, blk::kTypeZoneReport, 0, {}, 64 * 12);
  BlkRequest(t, blk::kTypeSecureErase, 0, Ranges({{kFirstZone, 8, 0}}), 0);
  BlkRequest(t, blk::kTypeSecureErase, 0, Ranges({{kFirstZone, kZoneSize, 0}}), 0);
  BlkRequest(t, blk::kTypeZoneReport, kFirstZone, {}, 64 * 3);
}

void ZonedStates(Tourist& t) {
  t.Begin(kNoEvents);
  const auto zone = [](uint64_t n) { return kFirstZone + n * kZoneSize; };
  for (uint64_t n = 0; n < 8; ++n) Write(t, zone(n), 8);
  BlkRequest(t, blk::kTypeZoneReport, kFirstZone, {}, 64 * 10);
  Zone(t, blk::kTypeZoneFinish, zone(5));
  BlkRequest(t, blk::kTypeZoneReport, kFirstZone, {}, 64 * 10);
  Zone(t, blk::kTypeZoneReset, zone(4));
  BlkRequest(t, blk::kTypeIn, zone(4), {}, 512);
  Zone(t, blk::kTypeZoneResetAll, 0);
  BlkRequest(t, blk::kTypeZoneReport, kFirstZone, {}, 64 * 10);
  for (uint64_t n = 0; n < 8; ++n) Zone(t, blk::kTypeZoneOpen, zone(n));
  Write(t, zone(7), 8);
  t.Begin(kNoEvents);
  Zone(t, blk::kTypeZoneResetAll, 0);
  for (uint64_t n = 0; n < 6; ++n) {
    Write(t, zone(n), 8);
    Zone(t, blk::kTypeZoneClose, zone(n));
  }
  Zone(t, blk::kTypeZoneOpen, zone(6));
}

void MoveRings(Tourist& t) {
  t.ops->queue_reset(t.device, 0);
  vitro_queue setup = t.Layout(0, 8);
  setup.device_address = 64;
  t.SetupQueue(0, setup);
  t.Publish(0, t.PutChain(0, {{t.Allocate(8), 8, true}}));
  t.rings[0].used = t.Layout(0, 8).device_address;
}

void DoNotOverrun(Tourist& t) {
  // The used ring of a new size is not looked at: only whether the process lives.
  t.Note("size 0: {}", t.SetupQueue(0, 0u));
}

std::vector<TourStage> MakeStages() {
  std::vector<TourStage> stages;
  const auto add = [&](std::string_view name, std::function<void(Tourist&)> go) {
    stages.push_back({name, [go](char letter, const std::string& options) {
                        Tourist tourist(letter, options);
                        go(tourist);
                        return tourist.text;
                      }});
  };
  const auto add_broken = [&](std::string_view name, std::function<void(Tourist&)> breaks) {
    add(name, [breaks](Tourist& t) { Broken(t, breaks); });
  };
  add("features", Features);
  add("feature-sets", FeatureSets);
  add("status", Status);
  add("available-index", AvailableIndexBeforeSetup);
  add("requests", [](Tourist& t) { Requests(t, kPlain); });
  add("requests-event-idx", [](Tourist& t) { Requests(t, kRings); });
  add("shapes", Shapes);
  add("sizes", Sizes);
  add("suppression", Suppression);
  add("in-order", InOrder);
  add("queue-reset", QueueReset);
  add("suspend", Suspend);
  add("packed-laps", PackedLaps);
  add("packed-lists", PackedLists);
  add("packed-events", PackedEvents);
  add("config", Config);
  add("many-changes", ManyChanges);
  add("size-0", DoNotOverrun);
  add("notify-out-of-range", [](Tourist& t) { t.Begin(kPlain), t.Kick(9); });
  const auto add_for = [&](char device, std::string_view name, void (*go)(Tourist&)) {
    stages.push_back({name, [device, go](char letter, const std::string& options) {
                        if (letter != device) return std::string();
                        Tourist tourist(letter, options);
                        go(tourist);
                        return tourist.text;
                      }});
  };
  add_for('a', "admin-lists", AdminLists);
  add_for('a', "admin-objects", AdminObjects);
  add_for('a', "admin-short", AdminShort);
  add_for('x', "wide-config", WideConfig);
  add_for('b', "blk", Blk);
  add_for('z', "zoned-requests", ZonedRequests);
  add_for('z', "zoned-states", ZonedStates);
  add_broken("head", [](Tourist& t) { t.Publish(0, 9); });
  add_broken("next", [](Tourist& t) {
    t.PutDescriptor(t.rings[0].desc, t.Allocate(8), 8, split::kDescNext, 9);
    t.Publish(0, 0);
  });
  add_broken("loop", [](Tourist& t) {
    t.PutDescriptor(t.rings[0].desc, t.Allocate(8), 8, split::kDescNext | split::kDescWrite, 0);
    t.Publish(0, 0);
  });
  add_broken("jump", [](Tourist& t) { t.host.Store<uint16_t>(t.rings[0].avail + 2, 20); });
  add_broken("address", [](Tourist& t) {
    auto chain = t.Request(1);
    chain.back().address = 64;
    t.Offer(0, chain);
  });
  add_broken("used-ring", MoveRings);
  add_broken("nested", [](Tourist& t) {
    const uint64_t table = t.Allocate(16);
    t.PutDescriptor(table, table, 16, split::kDescIndirect, 0);
    t.PutDescriptor(t.rings[0].desc, table, 16, split::kDescIndirect, 0);
    t.Publish(0, 0);
  });
  add_broken("table-length", [](Tourist& t) {
    t.PutDescriptor(t.rings[0].desc, t.Allocate(32), 17, split::kDescIndirect, 0);
    t.Publish(0, 0);
  });
  add("wrap", Wrap);
  return stages;
}

}  // namespace

const std::vector<TourStage>& TourStages() {
  static const std::vector<TourStage> stages = MakeStages();
  return stages;
}

TourResult Tour(const TourStage& stage, char letter, const std::string& options) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return {"no pipe", 0};
  const pid_t child = fork();
  if (child == 0) {
    // Processor time, so that a busy machine makes nobody look hung.
    const itimerval limit = {{0, 0}, {1, 500000}};
    setitimer(ITIMER_VIRTUAL, &limit, nullptr);
    std::string text = stage.go(letter, options);
    for (size_t done = 0; done < text.size();) {
      const ssize_t n = write(pipe_ends[1], text.data() + done, text.size() - done);
      if (n <= 0) break;
      done += static_cast<size_t>(n);
    }
    _exit(0);
  }
  close(pipe_ends[1]);
  TourResult result;
  char buffer[65536];
  for (ssize_t n; (n = read(pipe_ends[0], buffer, sizeof buffer)) > 0;)
    result.transcript.append(buffer, static_cast<size_t>(n));
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return result;
}

}  // namespace vitro::ref
