// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/packed_tour.h"

#include "harness/virtio/packed_ring.h"

namespace vitro::ref {
namespace {

constexpr FeatureSet kPackedRings{feature::kVersion1, feature::kIndirectDesc, feature::kRingReset,
                                  feature::kRingPacked};

// The least of a driver of queue 0 as a packed ring.
class PackedRing {
 public:
  PackedRing(Tourist& tourist, FeatureSet features, uint32_t size) : t(tourist), size_(size) {
    t.Note("negotiated {}", t.Negotiate(t.With(features)));
    SetUp();
    t.AddStatus(status::kDriverOk);
    t.RunDevice();
  }
  void SetUp() {
    const vitro_queue layout = t.Layout(0, size_);
    ring_ = layout.desc_address;
    driver_event = layout.driver_address;
    next_ = packed::kStart;
    t.Note("set up {}", t.SetupQueue(0, layout));
  }
  // `ids`: the ID goes into each descriptor of the list, or into the last one only.
  void Put(const std::vector<Buffer>& list, uint16_t id, bool ids = true) {
    for (size_t i = 0; i < list.size(); ++i) {
      const bool last = i + 1 == list.size();
      PutOne(list[i], ids || last ? id : static_cast<uint16_t>(~id),
             (list[i].writable ? packed::kDescWrite : 0) | (last ? 0 : packed::kDescNext));
    }
  }
  void PutOne(const Buffer& buffer, uint16_t id, unsigned flags) {
    const uint64_t at = ring_ + packed::kDescSize * packed::SlotOf(next_);
    t.host.Store<uint64_t>(at, buffer.address);
    t.host.Store<uint32_t>(at + packed::kDescLen, buffer.length);
    t.host.Store<uint16_t>(at + packed::kDescId, id);
    t.host.Store<uint16_t>(
        at + packed::kDescFlags,
        static_cast<uint16_t>(flags | packed::AvailableBits(packed::WrapOf(next_))));
    next_ = packed::Advance(next_, 1, size_);
  }
  void Go(const char* where) {
    t.Kick(0);
    t.NoteState(where);
  }
  uint16_t next() const { return next_; }

  Tourist& t;
  uint64_t driver_event = 0;

 private:
  uint32_t size_;
  uint64_t ring_ = 0;
  uint16_t next_ = packed::kStart;
};

bool Offers(Tourist& t) { return t.Offered().Has(feature::kRingPacked); }

}  // namespace

void PackedLaps(Tourist& t) {
  if (!Offers(t)) return;
  for (int life = 0; life < 2; ++life) {
    PackedRing ring(t, kPackedRings, 4);
    for (uint16_t n = 0; n < 7; ++n) {
      ring.Put(t.Request(1), static_cast<uint16_t>(3 - n % 4));
      ring.Go("request");
      ring.Go("nothing new");
    }
    if (life == 1) continue;
    t.Note("reset {}", t.ops->queue_reset(t.device, 0));
    ring.SetUp();
    for (uint16_t n = 0; n < 3; ++n) ring.Put({{t.Allocate(64), 64, true}}, n);
    ring.Go("after queue reset");
  }
}

void PackedLists(Tourist& t) {
  if (!Offers(t)) return;
  PackedRing ring(t, kPackedRings, 7);
  for (uint16_t n = 0; n < 6; ++n) {
    ring.Put(t.Request(2), static_cast<uint16_t>(6 - n), n % 2 == 0);
    ring.Go("list");
    // One descriptor: what stands behind it is of the lap before.
    ring.Put({{t.Allocate(64), 64, true}}, 3);
    ring.Go("single");
  }
  Bytes table;
  for (const Buffer& buffer : t.Request(3)) {
    Bytes entry(packed::kDescSize);
    StoreLe<uint64_t>(&entry[0], buffer.address);
    StoreLe<uint32_t>(&entry[packed::kDescLen], buffer.length);
    StoreLe<uint16_t>(&entry[packed::kDescFlags], buffer.writable ? packed::kDescWrite : 0);
    table.insert(table.end(), entry.begin(), entry.end());
  }
  const auto bytes = static_cast<uint32_t>(table.size());
  ring.PutOne({t.Place(table), bytes, false}, 1, packed::kDescIndirect);
  ring.Go("table");
  ring.Put({{t.Allocate(16), 16, true}}, 0x7000);
  ring.Go("an ID that cannot be");
  for (int i = 0; i < 7; ++i)
    ring.PutOne({t.Allocate(16), 16, true}, 2, packed::kDescNext | packed::kDescWrite);
  ring.Go("a list without end");
}

void PackedEvents(Tourist& t) {
  if (!Offers(t)) return;
  for (const FeatureSet& features : {kPackedRings, kPackedRings.With(feature::kEventIdx)}) {
    PackedRing ring(t, features, 6);
    for (uint16_t flags : {0, 1, 2})
      for (int ahead = 0; ahead < 4; ++ahead) {
        uint16_t event = packed::Advance(ring.next(), static_cast<uint32_t>(ahead) * 2, 6);
        if (ahead == 2)
          event = packed::Position(packed::SlotOf(ring.next()), !packed::WrapOf(ring.next()));
        if (ahead == 3) event = packed::Position(9, true);
        t.host.Store<uint16_t>(ring.driver_event, event);
        t.host.Store<uint16_t>(ring.driver_event + packed::kEventFlags, flags);
        ring.Put({{t.Allocate(64), 64, true}}, 0);
        ring.Put({{t.Allocate(64), 64, true}}, 1);
        ring.Go("event");
      }
  }
}

}  // namespace vitro::ref
