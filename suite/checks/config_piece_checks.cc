// SPDX-License-Identifier: Apache-2.0
// Checks of accesses to the configuration space that are no driver's right (2.5, 4.1.3.1, 4.2.2.2):
// fields written in pieces of other widths, unaligned, across fields, before FEATURES_OK; and bytes
// of which nothing is known. A device has to survive them. That it keeps other fields as they were
// and does not act on a part of a value is advice.
#include <algorithm>
#include <numeric>

#include "harness/virtio/device_id.h"
#include "suite/checks/config_tear.h"

namespace vitro {
namespace {

constexpr const char* kWriteWidth = "derived.config.write-width";
constexpr const char* kReadOnly = "derived.config.read-only-kept";
constexpr const char* kHalf = "derived.config.no-action-on-half";
constexpr const char* kPastEnd = "derived.config.past-end";
constexpr const char* kEarly = "derived.config.early-write";

// No byte of it is like another.
constexpr uint64_t kPieces = 0x18171615'e4e3e2e1;

// Pieces ------------------------------------------------------------------------------------------

struct Piece {
  uint32_t at, width;  // bytes within the field
};
using Pieces = std::vector<Piece>;

// A field of so many bytes in pieces of one width: upwards, downwards, and in disorder.
std::vector<Pieces> EvenPieces(uint32_t bytes, uint32_t width) {
  Pieces up;
  for (uint32_t at = 0; at < bytes; at += width) up.push_back({at, width});
  Pieces down(up.rbegin(), up.rend()), disorder;
  for (size_t i = 0; i < up.size(); ++i) disorder.push_back(up[(i * 3 + 2) % up.size()]);
  return {up, down, disorder};
}

std::vector<Pieces> MixedPieces(uint32_t bytes) {
  if (bytes == 8)
    return {{{0, 4}, {4, 2}, {6, 1}, {7, 1}}, {{6, 2}, {1, 1}, {0, 1}, {2, 2}, {4, 2}}};
  return {{{0, 2}, {2, 1}, {3, 1}}, {{3, 1}, {0, 1}, {2, 1}, {1, 1}}};
}

// Writable fields that this device has. Ends the check if there is none.
std::vector<ProfileField> FieldsToCut(Context& c, uint32_t least_width) {
  std::vector<ProfileField> fields = FieldsWith(c, FieldFeatures(c));
  std::erase_if(fields, [&](const ProfileField& field) {
    return field.access != FieldAccess::kReadWrite || field.width < least_width;
  });
  if (fields.empty())
    c.NotApplicable(
        fmt::format("the device has no writable config field of {} bytes or more", least_width));
  return fields;
}

// One field on a device that is up, whose driver keeps to no rule from here on.
class CutField {
 public:
  CutField(Context& c, const ProfileField& field)
      : c_(c), field_(field), how_{.with = FieldFeatures(c), .driver_ok = field.runtime} {
    c_.Up(how_);
    if (IsWide()) {
      torn_.emplace(c, field, true);
      torn_->Begin();
    }
    model_.emplace(FieldsWith(c, c.session().state().accepted),
                   std::min(c.facts().config_size, kMostConfig));
    Observe(c_, *model_);
    c_.BeginHostile();
    const Bytes old = c_.Do(op::ReadConfig{field.offset, std::min(field.width, 4u)}).bytes;
    const uint64_t current = IsWide() ? torn_->old_value() : LoadLe(old);
    value_ = LegalValue(field, kPieces, current).value_or(current);
  }

  // Writes a piece of the new value. False if what was seen before says nothing any more.
  bool Write(const Piece& piece) {
    const Bytes whole = LeBytes(value_, 8);
    const auto from = whole.begin() + static_cast<std::ptrdiff_t>(piece.at);
    return WriteAt(field_.offset + piece.at, Bytes(from, from + piece.width));
  }
  bool WriteAt(uint32_t offset, Bytes bytes) {
    if (!WriteOrReconnect(c_, WriteOfAnyShape(c_, offset, bytes), how_)) return false;
    model_->Write(offset, bytes);
    return true;
  }

  // Bytes that were not written are as before, and those that were are the old or the new ones.
  void AdviseNeighbours(const std::string& say) {
    if (SaidToHaveChanged(c_) && !IsVitrosOwn(c_)) return Observe(c_, *model_);
    AdviseAsModelled(c_, *model_, kWriteWidth,
                     fmt::format("{} (offset {}): {}", field_.name, field_.offset, say));
  }
  // Vitro's own field acted that often since it was brought up, which is seen by its log.
  void AdviseActions(int times, const std::string& when) {
    if (torn_ && torn_->IsOwnAction()) torn_->AdviseActed(value_, times, when);
  }
  bool IsWide() const { return field_.width == 8; }

 private:
  Context& c_;
  const ProfileField field_;
  const BringUp how_;
  std::optional<TornField> torn_;
  std::optional<ConfigModel> model_;
  uint64_t value_ = 0;
};

void WriteInPieces(Context& c, const ProfileField& field, const Pieces& pieces) {
  CutField cut(c, field);
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!cut.Write(pieces[i])) return;
    const bool last = i + 1 == pieces.size();
    cut.AdviseNeighbours(
        fmt::format("a piece of {} byte(s) changes those bytes only", pieces[i].width));
    if (!c.failed())
      cut.AdviseActions(last ? 1 : 0, fmt::format("{} of {} pieces", i + 1, pieces.size()));
    if (c.failed()) return;
  }
}

void TakesPieces(Context& c, uint32_t width) {
  for (const ProfileField& field : FieldsToCut(c, 2 * width)) {
    std::vector<Pieces> all = EvenPieces(field.width, width);
    if (width == 2 && field.width >= 4)
      for (Pieces& mixed : MixedPieces(field.width)) all.push_back(std::move(mixed));
    for (const Pieces& pieces : all) {
      if (field.width % width == 0) WriteInPieces(c, field, pieces);
      if (c.failed()) return;
    }
  }
  c.ExpectSurvives();
}

void TakesUnaligned(Context& c) {
  for (const ProfileField& field : FieldsToCut(c, 2)) {
    std::vector<Piece> accesses = {{0, 8}, {1, 2}, {1, 4}, {2, 4}, {3, 4}, {1, 8}, {4, 8}};
    for (const uint32_t before_end : {1u, 2u})
      for (const uint32_t width : {4u, 8u}) accesses.push_back({field.width - before_end, width});
    for (const Piece& access : accesses) {
      if (uint64_t{field.offset} + access.at + access.width > c.facts().config_size) continue;
      CutField cut(c, field);
      if (!cut.WriteAt(field.offset + access.at, LeBytes(kPieces, access.width))) continue;
      cut.AdviseNeighbours(fmt::format(
          "a write of {} bytes at offset {} of it changes those at most", access.width, access.at));
      const bool whole = access.at == 0 && access.width == 8;
      if (!c.failed() && !whole) cut.AdviseActions(0, "a write across its halves or its end");
      if (c.failed()) return;
    }
  }
  c.ExpectSurvives();
}

// Read-only fields --------------------------------------------------------------------------------

void KeepsReadOnlyHalves(Context& c) {
  if (c.profile() == nullptr)
    c.NotObservable("there is no profile of this device type that tells its fields");
  const BringUp how{.with = FieldFeatures(c), .driver_ok = false};
  c.Up(how);
  const bool counted = c.Has(Ability::kGeneration);
  bool tried = false;
  c.BeginHostile();
  for (const ProfileField& field : FieldsWith(c, c.session().state().accepted)) {
    if (field.access != FieldAccess::kReadOnly || field.width != 8) continue;
    for (const Piece& piece : {Piece{0, 4}, {4, 4}, {0, 1}, {5, 1}, {7, 1}, {2, 2}, {6, 2}}) {
      tried = true;
      SaidToHaveChanged(c);
      const uint64_t before = ReadWide(c, field.offset);
      const uint64_t generation = counted ? c.Do(op::ReadGeneration{}).value : 0;
      const Bytes other = LeBytes(~before >> (8 * piece.at), piece.width);
      if (!WriteOrReconnect(c, op::WriteConfig{field.offset + piece.at, other}, how)) continue;
      const bool changed = ReadWide(c, field.offset) != before;
      if (changed && SaidToHaveChanged(c)) continue;
      const uint32_t half = piece.at & 4;
      c.Do(op::ReadConfig{field.offset + half, 4});
      c.Advise(Accept::Equal(before >> (8 * half) & UINT32_MAX), kReadOnly,
               fmt::format("{} (offset {}) keeps its value when {} byte(s) at {} of it are written",
                           field.name, field.offset, piece.width, piece.at));
      if (!changed && counted) {
        c.Do(op::ReadGeneration{});
        c.Note(Accept::Equal(generation), "derived.config.generation-rests",
               "a write to a read-only field does not move the generation");
      }
      if (c.failed()) return;
    }
  }
  if (!tried) c.NotApplicable("the device has no read-only config field of 64 bits");
  c.ExpectSurvives();
}

// Too early ---------------------------------------------------------------------------------------

// Step 4 of initialisation lets a driver read, but not write (3.1.1).
void DoesNotActEarly(Context& c) {
  const std::vector<ProfileField> fields = FieldsToCut(c, 1);
  c.Reset();
  c.AcknowledgeAndDriver();
  c.BeginHostile();
  SaidToHaveChanged(c);
  const auto before = Flatten(ReadConfigSpace(c));
  const BringUp how{.driver_ok = false};
  for (const ProfileField& field : fields)
    for (uint32_t at = 0; at < field.width; at += 4) {
      const uint32_t width = std::min(field.width - at, 4u);
      const uint64_t value = LegalValue(field, kTornValue, 0).value_or(0);
      if (!WriteOrReconnect(
              c, op::WriteConfig{field.offset + at, LeBytes(value >> (8 * at), width)}, how))
        return c.ExpectSurvives();
    }
  const auto now = Flatten(ReadConfigSpace(c));
  // What only an action, or nothing at all, changes. That an action is harmless nobody can see, so
  // this is no more than a remark.
  for (const ProfileField& field : FieldsWith(c, FieldFeatures(c))) {
    if (field.access == FieldAccess::kReadWrite || field.changes == FieldChanges::kByDevice)
      continue;
    for (uint32_t at = field.offset; at < field.offset + field.width; ++at) {
      if (!before.contains(at) || !now.contains(at) || before.at(at) == now.at(at)) continue;
      c.Do(op::ReadConfig{at, 1});
      c.Note(
          Accept::Equal(before.at(at)), kEarly,
          fmt::format("{} stays as it is when fields are written before FEATURES_OK", field.name));
      return;
    }
  }
  c.ExpectSurvives();
}

// Bytes of which nothing is known -----------------------------------------------------------------

// The field of the profile that has this byte, if there is one.
const ProfileField* FieldAt(const std::vector<ProfileField>& fields, uint32_t offset) {
  for (const ProfileField& field : fields)
    if (offset >= field.offset && offset - field.offset < field.width) return &field;
  return nullptr;
}

// Tears what looks like a field of 64 bits, and puts it back.
void TearDiscovered(Context& c, const ProfileField& found) {
  ConfigModel model({found}, std::min(c.facts().config_size, kMostConfig));
  Observe(c, model);
  const uint64_t old = ReadWide(c, found.offset);
  for (const uint64_t value : {kTornValue, old})
    for (const uint32_t first : {0u, 4u})
      for (const uint32_t half : {first, 4 - first}) {
        const Bytes bytes = LeBytes(value >> (8 * half), 4);
        if (!WriteOrReconnect(c, op::WriteConfig{found.offset + half, bytes}, {.driver_ok = false}))
          return;
        model.Write(found.offset + half, bytes);
        AdviseAsModelled(c, model, kWriteWidth,
                         fmt::format("{}: a write of one half changes that half only", found.name));
        if (c.failed()) return;
      }
}

void AdviseReadOnly(Context& c, const ProfileField& field, uint32_t offset) {
  const Bytes now = c.Do(op::ReadConfig{offset, 1}).bytes;
  if (now.empty()) return;
  c.Do(op::WriteConfig{offset, {static_cast<uint8_t>(~now[0])}});
  c.Do(op::ReadConfig{offset, 1});
  c.Advise(Accept::SameBytes(now), kReadOnly, fmt::format("{} is read-only", field.name));
}

void WritesAreSeenWhereWritten(Context& c) {
  c.Up({.with = FieldFeatures(c), .driver_ok = false});
  ReadConfigAtRest(c);
  const auto known = FieldsWith(c, c.session().state().accepted);
  c.BeginHostile();
  const auto found = DiscoverFields(c);
  // Without a profile it is judged by halves that spoil each other, and by whether it survives.
  for (const ProfileField& field : found) {
    if (field.access == FieldAccess::kReadOnly || c.failed()) continue;
    const ProfileField* name = FieldAt(known, field.offset);
    if (name != nullptr && name->access == FieldAccess::kReadOnly)
      AdviseReadOnly(c, *name, field.offset);
    else if (field.width == 8 && (name == nullptr || !name->action))
      TearDiscovered(c, field);
  }
  if (!c.failed()) c.ExpectSurvives();
}

// Ranges that no message should carry -------------------------------------------------------------

// Where config accesses are messages, their length is a number that nothing bounds; elsewhere they
// are as wide as an access can be.
std::vector<uint32_t> LengthsToTry(const Context& c) {
  if (c.Has(Ability::kDeviceId)) return {1, 2, 4, 8};
  return {0, 1, 8, 256, 257};
}

void BoundsEveryRange(Context& c) {
  if (c.Has(Ability::kPciFunction) || c.Has(Ability::kMmioWindow))
    c.NotObservable("what lies beyond the end of a structure may be somebody else's");
  c.Up({.driver_ok = false});
  SaidToHaveChanged(c);
  auto before = ReadConfigAtRest(c);
  const uint32_t size = c.facts().config_size;
  ConfigModel model(FieldsWith(c, c.session().state().accepted), std::min(size, kMostConfig));
  Observe(c, model);
  c.BeginHostile();
  for (const uint32_t offset : {0u, size - 1, size, 256u, 0u - 8})
    for (const uint32_t length : LengthsToTry(c)) {
      if (uint64_t{offset} + length <= size && length > 0) continue;
      const Bytes bytes(length, 0xee);
      if (!WriteOrReconnect(c, op::WriteConfig{offset, bytes}, {.driver_ok = false})) {
        Observe(c, model);
        before = ReadConfigAtRest(c);
        continue;
      }
      const std::string say = fmt::format(
          "a write of {} bytes at {:#x}, out of bounds, changes no field", length, offset);
      if (offset >= size) {
        ExpectConfigUnchanged(c, before, kPastEnd, say);
      } else {
        // Bytes within bounds may be taken.
        model.Write(offset, bytes);
        AdviseAsModelled(c, model, kPastEnd, say);
        before = ReadConfigAtRest(c);
      }
      if (c.failed()) return;
      Observe(c, model);
    }
  c.ExpectSurvives();
}

// The list ----------------------------------------------------------------------------------------

const Needs kWriting{.abilities = {Ability::kConfigSpace, Ability::kConfigWrite},
                     .config_bytes = 1};

Needs WritingFieldsOf(uint32_t least_width) {
  Needs needs = kWriting;
  needs.writable_field = least_width;
  return needs;
}

void AddShapeChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "config.pieces.bytes",
      .title = "Config fields that are written byte by byte change in those bytes only",
      .section = "4.1.3.1",
      .requirements = {kWriteWidth, kHalf},
      .tags = {"hostile"},
      .needs = WritingFieldsOf(2),
      .faults = {"config-wide-acts-on-each-write", "config-wide-acts-on-low",
                 "config-wide-acts-on-high", "experimental:config-write-hits-neighbour",
                 "experimental,level=mmio:config-write-hits-neighbour"},
      .run = [](Context& c) { TakesPieces(c, 1); },
  });
  list.push_back({
      .id = "config.pieces.halfwords",
      .title = "Config fields that are written in 16 bits, or in mixed widths, change there only",
      .section = "4.1.3.1",
      .requirements = {kWriteWidth, kHalf},
      .tags = {"hostile"},
      .needs = WritingFieldsOf(4),
      .faults = {"config-halfword-swapped", "config-wide-acts-on-each-write",
                 "experimental,level=pci:config-halfword-swapped"},
      .run = [](Context& c) { TakesPieces(c, 2); },
  });
  list.push_back({
      .id = "config.pieces.unaligned",
      .title = "Writes that are unaligned or cross config fields change what they cover at most",
      .section = "4.1.3.1",
      .requirements = {kWriteWidth, kHalf, "derived.reset.recovers"},
      .tags = {"hostile"},
      .needs = WritingFieldsOf(2),
      .faults = {"config-unaligned-rounds-down", "config-unaligned-crash", "config-run-over-taken",
                 "experimental,level=pci:config-unaligned-crash"},
      .run = TakesUnaligned,
  });
}

void AddKeepingChecks(std::vector<Check>& list) {
  list.push_back({
      .id = "config.pieces.read-only",
      .title = "A read-only config field of 64 bits keeps its value when a part of it is written",
      .section = "2.5",
      .requirements = {kReadOnly},
      .tags = {"hostile"},
      .needs = kWriting,
      .faults = {"config-read-only-half-writable", "config-read-only-writable",
                 "experimental,level=mmio:config-read-only-half-writable"},
      .run = KeepsReadOnlyHalves,
  });
  list.push_back({
      .id = "config.write.before-features-ok",
      .title = "The device does not act on config writes before FEATURES_OK",
      .section = "3.1.1",
      .requirements = {kEarly},
      .tags = {"hostile"},
      .needs = WritingFieldsOf(1),
      .faults = {"config-acts-before-features-ok"},
      .run = DoesNotActEarly,
  });
  list.push_back({
      .id = "config.write.discovered",
      .title = "Whichever bytes of the config space can be written, the device survives it",
      .section = "2.5",
      .requirements = {kReadOnly, kWriteWidth, "derived.reset.recovers"},
      .tags = {"hostile"},
      .needs = kWriting,
      .faults = {"config-read-only-writable", "experimental:config-torn-write",
                 "experimental:config-read-only-writable"},
      .run = WritesAreSeenWhereWritten,
  });
  list.push_back({
      .id = "config.write.any-range",
      .title = "Config writes of a length or an offset that is out of bounds change no field",
      .section = "2.5",
      .requirements = {kPastEnd},
      .tags = {"hostile"},
      .needs = kWriting,
      .faults = {"config-write-past-end", "experimental:config-write-past-end"},
      .run = BoundsEveryRange,
  });
}

}  // namespace

void AddConfigPieceChecks(std::vector<Check>& list) {
  AddShapeChecks(list);
  AddKeepingChecks(list);
}

}  // namespace vitro
