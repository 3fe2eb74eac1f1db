// SPDX-License-Identifier: Apache-2.0
// Lints on what changed between two versions of a profile: old drivers have to go on working, and
// new things have to be announced by a new feature bit.
#include "suite/profile/lint_rules.h"

namespace vitro {
namespace {

bool IsNew(const Profile& before, unsigned bit) { return before.FindFeature(bit) == nullptr; }

// Nothing of this is there for a driver that knows the old bits only.
bool GatedByNewBit(const Profile& now, const Profile& before, const FeatureCondition& condition) {
  return Any(condition, [&](const FeatureClause& clause) {
    return std::all_of(clause.begin(), clause.end(), [&](unsigned bit) {
      return now.FindFeature(bit) != nullptr && IsNew(before, bit);
    });
  });
}

// A new bit is said to stand for another behaviour of this.
bool AnnouncedAsBehaviour(const Profile& now, const Profile& before, std::string_view name) {
  return Any(now.features, [&](const ProfileFeature& feature) {
    return IsNew(before, feature.bit) && Any(feature.gates, [&](const std::string& gate) {
             return gate.starts_with("behaviour ") && Mentions(gate, name);
           });
  });
}

template <typename Row>
const Row* Named(const std::vector<Row>& rows, std::string_view name) {
  for (const Row& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

void AnotherType(const Profile& now, const Profile& before, LintFindings& findings) {
  if (now.id != before.id) findings.Add(now.id_line, "the id is {} and was {}", now.id, before.id);
}

// --- Feature bits ----------------------------------------------------------------------------

void BitGone(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileFeature& old : before.features)
    if (now.FindFeature(old.bit) == nullptr)
      findings.Add(0, "bit {} was {} and is no more", old.bit, old.name);
}

void BitRenamed(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileFeature& feature : now.features) {
    const ProfileFeature* old = before.FindFeature(feature.bit);
    if (old != nullptr && old->name != feature.name)
      findings.Add(feature.line, "bit {} is {} and was {}", feature.bit, feature.name, old->name);
  }
}

// More is required, or less is allowed: what an old driver accepts may be refused.
void BitRestricted(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileFeature& feature : now.features) {
    const ProfileFeature* old = before.FindFeature(feature.bit);
    if (old == nullptr) continue;
    for (const FeatureClause& clause : feature.requires_)
      if (!Contains(old->requires_, clause))
        findings.Add(feature.line, "{} requires {}, which it did not", feature.name,
                     now.FeatureName(clause.front()));
    for (unsigned bit : feature.conflicts)
      if (!Contains(old->conflicts, bit) && !IsNew(before, bit))
        findings.Add(feature.line, "{} conflicts with {}, which it did not", feature.name,
                     now.FeatureName(bit));
  }
}

// A driver that did without is refused.
void NowRequired(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const FeatureClause& clause : now.requires_)
    if (!Contains(before.requires_, clause))
      findings.Add(now.requires_line, "every driver has to accept {}{}, which it had not",
                   now.FeatureName(clause.front()), clause.size() > 1 ? " or an alternative" : "");
}

// --- Configuration space ---------------------------------------------------------------------

void FieldMoved(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileField& old : before.fields) {
    const ProfileField* field = now.FindField(old.name);
    if (field == nullptr)
      findings.Add(0, "field {} at offset {} is no more", old.name, old.offset);
    else if (field->offset != old.offset || field->width != old.width || field->count < old.count)
      findings.Add(field->line, "field {} is {} x {} bytes at offset {} and was {} x {} at {}",
                   field->name, field->count, field->width, field->offset, old.count, old.width,
                   old.offset);
  }
}

void FieldBehaves(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileField& old : before.fields) {
    const ProfileField* field = now.FindField(old.name);
    if (field == nullptr || AnnouncedAsBehaviour(now, before, old.name)) continue;
    const char* what = field->access != old.access             ? "access"
                       : field->action != old.action           ? "action"
                       : field->commit != old.commit           ? "commit"
                       : field->changes != old.changes         ? "changes"
                       : field->values != old.values           ? "values"
                       : field->reset_value != old.reset_value ? "reset_value"
                       : field->exists != old.exists           ? "feature"
                       : field->count != old.count             ? "count"
                                                               : nullptr;
    if (what != nullptr) findings.Add(field->line, "{} of field {} changed", what, field->name);
  }
}

void FieldAdded(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileField& field : now.fields)
    if (before.FindField(field.name) == nullptr && !GatedByNewBit(now, before, field.exists))
      findings.Add(field.line, "field {} is new, and no new bit tells that it is there",
                   field.name);
}

void FieldNotAtTail(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileField& field : now.fields)
    if (before.FindField(field.name) == nullptr && field.offset < before.config_size())
      findings.Add(field.line, "field {} is new at offset {}, and there were {} bytes already",
                   field.name, field.offset, before.config_size());
}

// --- Virtqueues and requests -----------------------------------------------------------------

void QueueMoved(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileQueue& old : before.queues) {
    const ProfileQueue* queue = now.FindQueue(old.name);
    if (queue == nullptr)
      findings.Add(0, "virtqueue {} of index {} is no more", old.name, old.index);
    else if (queue->index != old.index || queue->direction != old.direction)
      findings.Add(queue->line, "virtqueue {} has another {}", queue->name,
                   queue->index != old.index ? "index" : "direction");
  }
}

void QueueAdded(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileQueue& queue : now.queues) {
    const ProfileQueue* old = before.FindQueue(queue.name);
    if (old == nullptr && !GatedByNewBit(now, before, queue.exists))
      findings.Add(queue.line, "virtqueue {} is new, and no new bit tells that it is there",
                   queue.name);
    const bool new_bit_counts = Any(now.features, [&](const ProfileFeature& feature) {
      return IsNew(before, feature.bit) && Mentions(queue.count, feature.name);
    });
    if (old != nullptr &&
        (old->exists != queue.exists || (old->count != queue.count && !new_bit_counts)))
      findings.Add(queue.line, "there are virtqueues {} under other conditions than before",
                   queue.name);
  }
}

// The parts that an old driver knows.
std::vector<ProfilePart> Known(const Profile& now, const Profile& before,
                               std::vector<ProfilePart> parts) {
  std::erase_if(parts,
                [&](const ProfilePart& part) { return GatedByNewBit(now, before, part.exists); });
  return parts;
}

bool SamePart(const ProfilePart& a, const ProfilePart& b) {
  return a.name == b.name && a.width == b.width && a.length == b.length &&
         a.most_length == b.most_length && a.exists == b.exists && a.values == b.values &&
         a.length_of == b.length_of && a.field == b.field && a.echo_of == b.echo_of &&
         a.mask == b.mask;
}

bool SameParts(const std::vector<ProfilePart>& a, const std::vector<ProfilePart>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), SamePart);
}

void RequestChanged(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileRequest& request : now.requests) {
    const ProfileRequest* old = before.FindRequest(request.name);
    if (old == nullptr && !GatedByNewBit(now, before, request.exists))
      findings.Add(request.line, "request {} is new, and no new bit tells that it is understood",
                   request.name);
    if (old == nullptr || AnnouncedAsBehaviour(now, before, request.name)) continue;
    if (old->queue != request.queue || old->exists != request.exists ||
        !SameParts(Known(now, before, request.readable), old->readable) ||
        !SameParts(Known(now, before, request.writable), old->writable))
      findings.Add(request.line, "request {} is another one for drivers that knew it",
                   request.name);
  }
  for (const ProfileRequest& old : before.requests)
    if (now.FindRequest(old.name) == nullptr) findings.Add(0, "request {} is no more", old.name);
}

// --- Device parts ----------------------------------------------------------------------------

void DevicePart(const Profile& now, const Profile& before, LintFindings& findings) {
  for (const ProfileDevicePart& old : before.device_parts) {
    const ProfileDevicePart* part = Named(now.device_parts, old.name);
    if (part == nullptr) {
      findings.Add(0, "device part {} is no more", old.name);
    } else if (part->type != old.type) {
      findings.Add(part->line, "device part {} is type {:#x} and was {:#x}", part->name, part->type,
                   old.type);
    } else if (part->fields.size() < old.fields.size() ||
               !std::equal(old.fields.begin(), old.fields.end(), part->fields.begin(), SamePart)) {
      findings.Add(part->line, "device part {} does not begin with the fields it had", part->name);
    }
  }
}

}  // namespace

void AddChangeLints(std::vector<LintRule>& rules) {
  using enum LintSeverity;
  const auto add = [&](std::string_view id, LintSeverity severity, std::string_view section,
                       std::string_view advice,
                       void (*compare)(const Profile&, const Profile&, LintFindings&)) {
    rules.push_back({id, severity, section, advice, nullptr, compare});
  };
  add("lint.change.id", kError, kAboutIds, "a type keeps its id; another type has its own profile",
      AnotherType);
  add("lint.change.bit-gone", kWarn, kAboutFeatures,
      "keep the row, so that the bit is not used again for something else", BitGone);
  add("lint.change.bit-renamed", kError, kAboutFeatures,
      "take a bit that was never used: drivers know this one by its old meaning", BitRenamed);
  add("lint.change.bit-restricted", kWarn, kAboutFeatures,
      "drivers may accept what they accepted before: take a new bit for the new rule",
      BitRestricted);
  add("lint.change.bit-mandatory", kError, kAboutFeatures,
      "let drivers do without: they were written before it", NowRequired);
  add("lint.change.field-moved", kError, kAboutFeatures,
      "leave fields where they are, and add new ones at the end under a new bit", FieldMoved);
  add("lint.change.field-behaviour", kWarn, kAboutFeatures,
      "take a new feature bit, and name the field in its gates: \"behaviour FIELD ...\"",
      FieldBehaves);
  add("lint.change.field-added", kWarn, kAboutFeatures,
      "take a new feature bit, and name it in the field's feature = [...]", FieldAdded);
  add("lint.change.field-not-last", kWarn, kAboutFeatures,
      "add fields at the end: drivers know what was there as something else", FieldNotAtTail);
  add("lint.change.queue-moved", kError, kAboutFeatures,
      "leave virtqueues where they are, and add new ones behind them", QueueMoved);
  add("lint.change.queue-added", kWarn, kAboutFeatures,
      "take a new feature bit, and name it in the virtqueue's feature = [...] or count",
      QueueAdded);
  add("lint.change.request", kWarn, kAboutFeatures,
      "take a new feature bit, and name it in feature = [...] of what is new in the request",
      RequestChanged);
  add("lint.change.device-part", kError, kAboutParts,
      "leave the fields of a device part as they are, and add new ones at its end", DevicePart);
}

}  // namespace vitro
