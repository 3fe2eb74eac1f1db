// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/admin/admin_tour.h"

#include "devices/ref/tourist.h"
#include "harness/virtio/admin.h"

namespace vitro::ref {
namespace {

// One administration command: the whole device-readable part as words of 64 bits. `room` bytes of
// answer are written down.
void Admin(Tourist& t, const std::vector<uint64_t>& words, uint32_t room, uint32_t queue = 2,
           uint32_t length = UINT32_MAX) {
  Bytes readable;
  for (const uint64_t word : words)
    for (const uint8_t byte : LeBytes(word, 8)) readable.push_back(byte);
  readable.resize(std::min<size_t>(readable.size(), length));
  const uint64_t answer = t.Allocate(room);
  std::vector<Buffer> buffers;
  Tourist::Split(t.Place(readable), static_cast<uint32_t>(readable.size()), 2, false, buffers);
  buffers.push_back({answer, room, true});
  t.Do(buffers, queue);
  t.Note("command {:x}: answer {}", words[0],
         ToHex(Bytes(t.host.At(answer, room), t.host.At(answer) + room)));
}

bool BeginAdmin(Tourist& t) {
  const bool good = t.Start(t.With(kPlain.With(feature::kAdminVq)), 16, 4);
  t.Note("start: {}", good);
  return good;
}

// The self group, member 0: opcode, two words of header, data.
void Command(Tourist& t, uint64_t opcode, std::vector<uint64_t> data, uint32_t room = 24) {
  data.insert(data.begin(), {opcode, 0, 0});
  Admin(t, data, room);
}

}  // namespace

void AdminLists(Tourist& t) {
  for (int session = 0; session < 2; ++session) {
    BeginAdmin(t);
    Command(t, admin::kCapIdListQuery, {});
    Command(t, admin::kListQuery, {});
    for (const uint64_t list : {0x3f83, 0x83, 0x7ffff, 0x3, 0x3f83}) {
      Command(t, admin::kListUse, {list}, 8);
      Command(t, admin::kListQuery, {});
      Command(t, admin::kCapIdListQuery, {});
      Command(t, admin::kDeviceCapGet, {0x800});
    }
    for (const uint64_t header : {0x10000, 0x30000, 0x37fff, 0x7fff, 0x100, 0x10007, 0x12}) {
      Admin(t, {header, 0, 0, 0}, 64);
      Admin(t, {header, 0, 1, 0}, 64);
      t.NoteState("invalid");
      Command(t, admin::kCapIdListQuery, {});
    }
    for (const uint64_t opcode : {0u, 7u}) {
      Admin(t, {opcode, 0, 1}, 24);
      Admin(t, {opcode | uint64_t{1} << 40, 0, 0}, 24);
    }
    Admin(t, {0, 0, 0}, 24, 3);
    for (const uint32_t length : {8u, 16u, 24u, 32u, 40u}) {
      Admin(t, {0, 0, 0, 0}, 24, 2, length);
      Admin(t, {8, 0, 0, 0x800, 0x801}, 24, 2, length);
    }
    Admin(t, {8, 0, 0, 0x800, 0x801}, 8);
    Admin(t, {0, 0, 0}, 8);
  }
}

void AdminObjects(Tourist& t) {
  constexpr uint64_t kBin0 = 0x200, kBin1 = kBin0 | 1ull << 32, kBin3 = kBin0 | 3ull << 32;
  constexpr uint64_t kLabel0 = 0x201;
  for (int session = 0; session < 2; ++session) {
    BeginAdmin(t);
    Command(t, admin::kListUse, {0x3f83}, 8);
    Command(t, admin::kCapIdListQuery, {}, 512);
    Command(t, admin::kDeviceCapGet, {0x900});
    Command(t, admin::kResourceObjQuery, {kBin0, 0});
    Command(t, admin::kResourceObjCreate, {kBin0, 0, 1, 1}, 8);
    Command(t, admin::kDriverCapSet, {0x800, 4 | 1ull << 32}, 8);
    Command(t, admin::kDriverCapSet, {0x800, 8}, 8);
    Command(t, admin::kDriverCapSet, {0x801, 4}, 8);
    for (const uint64_t id : {kBin3, kBin0, kBin0}) {
      Command(t, admin::kResourceObjCreate, {id, 0, 1, 1}, 8);
      Command(t, admin::kResourceObjQuery, {id, 0});
    }
    Command(t, admin::kResourceObjCreate, {kBin0, 0, 7, 7}, 8);
    Command(t, admin::kResourceObjQuery, {kBin0, 0});
    Command(t, admin::kResourceObjModify, {kBin0, 0, 5, 5}, 8);
    Command(t, admin::kResourceObjModify, {kBin0, 0, 5, 5000}, 8);
    Command(t, admin::kResourceObjQuery, {kBin0, 0});
    Command(t, admin::kResourceObjCreate, {kLabel0, 0, 0, 9}, 8);
    Command(t, admin::kResourceObjModify, {kBin0, 0, 6, 6}, 8);
    Command(t, admin::kResourceObjDestroy, {kBin0}, 8);
    Command(t, admin::kResourceObjDestroy, {kLabel0}, 8);
    Command(t, admin::kDriverCapSet, {0x800, 0}, 8);
    Command(t, admin::kResourceObjDestroy, {kBin0}, 8);
    Command(t, admin::kResourceObjDestroy, {kBin1}, 8);
    Command(t, admin::kResourceObjCreate, {kBin0, 0, 1, 1}, 8);
    for (uint64_t id = 1; id < 8; ++id)
      Command(t, admin::kResourceObjCreate, {kBin0 | id << 32, 0, 1, 1}, 8);
  }
}

void AdminShort(Tourist& t) {
  BeginAdmin(t);
  Admin(t, {0}, 24, 2, 4);
}

}  // namespace vitro::ref
