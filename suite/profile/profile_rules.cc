// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/profile_rules.h"

#include <algorithm>
#include <map>

#include "suite/profile/expression.h"

namespace vitro {
namespace {

template <typename... Args>
tl::unexpected<Error> At(const Profile& profile, int line, fmt::format_string<Args...> format,
                         Args&&... args) {
  return Fail(ErrorKind::kUsage, "{}:{}: {}", profile.file, line,
              fmt::format(format, std::forward<Args>(args)...));
}

template <typename Row>
Result<> NamesOnce(const Profile& profile, std::string_view kind, const std::vector<Row>& rows) {
  std::map<std::string_view, int> lines;
  for (const Row& row : rows) {
    const auto [first, fresh] = lines.emplace(row.name, row.line);
    if (!fresh)
      return At(profile, row.line, "there is a second {} {}, expected only that of line {}", kind,
                row.name, first->second);
  }
  return {};
}

// All of `open`, what those require without alternative, and so on.
FeatureSet Needed(const Profile& profile, std::vector<unsigned> open) {
  FeatureSet needed;
  while (!open.empty()) {
    const unsigned next = open.back();
    open.pop_back();
    if (needed.Has(next)) continue;
    needed.Add(next);
    if (const ProfileFeature* feature = profile.FindFeature(next))
      for (const FeatureClause& clause : feature->requires_)
        if (clause.size() == 1) open.push_back(clause.front());
  }
  return needed;
}

bool Conflict(const Profile& profile, unsigned a, unsigned b) {
  const auto names = [&](unsigned one, unsigned other) {
    const ProfileFeature* feature = profile.FindFeature(one);
    return feature != nullptr && std::find(feature->conflicts.begin(), feature->conflicts.end(),
                                           other) != feature->conflicts.end();
  };
  return names(a, b) || names(b, a);
}

// The bit of `needed` that excludes `bit`, if there is one.
std::optional<unsigned> Opponent(const Profile& profile, FeatureSet needed, unsigned bit) {
  for (unsigned each = 0; each < feature::kBits; ++each)
    if (needed.Has(each) && Conflict(profile, each, bit)) return each;
  return std::nullopt;
}

Result<> CanBeAccepted(const Profile& profile, const ProfileFeature& feature) {
  // Everything that the bit cannot do without, itself included.
  const FeatureSet needed = Needed(profile, {feature.bit});
  for (unsigned bit = 0; bit < feature::kBits; ++bit) {
    if (!needed.Has(bit)) continue;
    if (const auto opponent = Opponent(profile, needed, bit))
      return At(profile, feature.line,
                "{0} comes with both {1} and {2}, which conflict, expected a set that has {0}",
                feature.name, profile.FeatureName(*opponent), profile.FeatureName(bit));
    const ProfileFeature* row = profile.FindFeature(bit);
    if (row == nullptr) continue;
    for (const FeatureClause& clause : row->requires_)
      if (std::all_of(clause.begin(), clause.end(),
                      [&](unsigned one) { return Opponent(profile, needed, one).has_value(); }))
        return At(profile, feature.line,
                  "{0} conflicts with all alternatives that {1} requires, expected a set that has "
                  "{0}",
                  feature.name, row->name);
    if (bit != feature.bit && Needed(profile, {bit}).Has(feature.bit))
      return At(profile, feature.line,
                "{} and {} require each other, expected requirements without a circle (bits that "
                "cannot be without each other are one bit)",
                feature.name, row->name);
  }
  return {};
}

// There is a set that a driver may accept.
Result<> CheckRequired(const Profile& profile) {
  std::vector<unsigned> single;
  for (const FeatureClause& clause : profile.requires_)
    if (clause.size() == 1) single.push_back(clause.front());
  const FeatureSet needed = Needed(profile, single);
  for (unsigned bit = 0; bit < feature::kBits; ++bit) {
    if (!needed.Has(bit)) continue;
    if (const auto opponent = Opponent(profile, needed, bit))
      return At(profile, profile.requires_line,
                "every driver has to accept both {} and {}, which conflict, expected a set of "
                "features that can be accepted",
                profile.FeatureName(bit), profile.FeatureName(*opponent));
  }
  for (const FeatureClause& clause : profile.requires_)
    if (std::all_of(clause.begin(), clause.end(),
                    [&](unsigned one) { return Opponent(profile, needed, one).has_value(); }))
      return At(
          profile, profile.requires_line,
          "what every driver has to accept conflicts with {}, expected one that it may accept",
          profile.FeatureName(clause.front()));
  return {};
}

Result<> CheckGate(const Profile& profile, const ProfileFeature& feature, const std::string& gate) {
  const size_t space = gate.find(' ');
  const std::string kind = gate.substr(0, space);
  const std::string name = space == std::string::npos ? "" : gate.substr(space + 1);
  if (kind != "field" && kind != "queue" && kind != "request" && kind != "behaviour")
    return At(profile, feature.line,
              "{} gates \"{}\", expected \"field NAME\", \"queue NAME\", \"request NAME\" or "
              "\"behaviour TEXT\"",
              feature.name, gate);
  const bool known = kind == "field"     ? profile.FindField(name) != nullptr
                     : kind == "queue"   ? profile.FindQueue(name) != nullptr
                     : kind == "request" ? profile.FindRequest(name) != nullptr
                                         : !name.empty();
  if (!known)
    return At(profile, feature.line, "{} gates {} \"{}\", expected the name of a [[{}]]",
              feature.name, kind, name, kind);
  return {};
}

Result<> CheckFeatures(const Profile& profile) {
  VITRO_TRY(NamesOnce(profile, "feature", profile.features));
  std::map<unsigned, const ProfileFeature*> rows;
  for (const ProfileFeature& feature : profile.features) {
    const auto [first, fresh] = rows.emplace(feature.bit, &feature);
    if (!fresh)
      return At(profile, feature.line, "{} is bit {}, which is {} of line {}, expected another bit",
                feature.name, feature.bit, first->second->name, first->second->line);
  }
  for (const ProfileFeature& feature : profile.features) {
    const auto itself = [&](const FeatureClause& clause) {
      return std::find(clause.begin(), clause.end(), feature.bit) != clause.end();
    };
    if (std::any_of(feature.requires_.begin(), feature.requires_.end(), itself) ||
        itself(feature.conflicts))
      return At(profile, feature.line, "{} requires or excludes itself, expected other bits",
                feature.name);
    VITRO_TRY(CanBeAccepted(profile, feature));
    for (const std::string& gate : feature.gates) VITRO_TRY(CheckGate(profile, feature, gate));
  }
  return CheckRequired(profile);
}

Result<> CheckFields(const Profile& profile) {
  VITRO_TRY(NamesOnce(profile, "field", profile.fields));
  std::vector<const ProfileField*> sorted;
  for (const ProfileField& field : profile.fields) {
    if (field.name == "n")
      return At(profile, field.line,
                "there is a field n, expected another name: n counts queues in their index");
    sorted.push_back(&field);
  }
  std::sort(sorted.begin(), sorted.end(), [](const ProfileField* a, const ProfileField* b) {
    return std::pair(a->offset, a->line) < std::pair(b->offset, b->line);
  });
  for (size_t i = 1; i < sorted.size(); ++i) {
    const ProfileField &before = *sorted[i - 1], &field = *sorted[i];
    if (uint64_t{before.offset} + before.size() > field.offset)
      return At(profile, field.line,
                "{} begins at offset {}, expected {} or more: {} of line {} has {} bytes from {}",
                field.name, field.offset, before.offset + before.size(), before.name, before.line,
                before.size(), before.offset);
  }
  return {};
}

Result<> CheckQueues(const Profile& profile) {
  VITRO_TRY(NamesOnce(profile, "queue", profile.queues));
  for (const ProfileQueue& queue : profile.queues) {
    bool in_index = false;
    const ValueOfName value_of = [&](std::string_view name) -> std::optional<int64_t> {
      const ProfileField* field = profile.FindField(name);
      const bool known = field != nullptr ? field->count == 1 && field->width <= 8
                         : name == "n"    ? in_index
                                          : profile.FeatureBit(name).has_value();
      return known ? std::optional<int64_t>(0) : std::nullopt;
    };
    for (const std::string* expression : {&queue.count, &queue.index}) {
      in_index = expression == &queue.index;
      if (const auto value = Evaluate(*expression, value_of); !value)
        return At(profile, queue.line, "{} of {}: {}", in_index ? "index" : "count", queue.name,
                  value.error().message);
    }
  }
  return {};
}

uint64_t TotalLength(const std::vector<ProfilePart>& parts) {
  uint64_t total = 0;
  for (const ProfilePart& part : parts) total += part.size();
  return total;
}

Result<> CheckParts(const Profile& profile, const ProfileRequest& request) {
  std::vector<ProfilePart> all = request.readable;
  all.insert(all.end(), request.writable.begin(), request.writable.end());
  VITRO_TRY(NamesOnce(profile, "readable part", request.readable));
  VITRO_TRY(NamesOnce(profile, "writable part", request.writable));
  const auto in = [](const std::vector<ProfilePart>& parts, const std::string& name) {
    const auto found = std::find_if(parts.begin(), parts.end(),
                                    [&](const ProfilePart& each) { return each.name == name; });
    return found == parts.end() ? nullptr : &*found;
  };
  for (const ProfilePart& part : request.readable) {
    if (!part.echo_of.empty())
      return At(profile, part.line, "{} is readable and has echo_of, expected it to be writable",
                part.name);
    if (part.width == 0 && !(part.length_of.empty() && part.field.empty()))
      return At(profile, part.line, "{} has {}, which only integers have", part.name,
                part.field.empty() ? "length_of" : "field");
    if (!part.length_of.empty() && in(all, part.length_of) == nullptr)
      return At(profile, part.line, "{} is the length of {}, expected a part of {}", part.name,
                part.length_of, request.name);
    if (part.field.empty()) continue;
    const ProfileField* field = profile.FindField(part.field);
    if (field == nullptr || field->count != 1 || field->width > part.width)
      return At(profile, part.line,
                "{} is what {} reads, expected a [[field]] of one element of at most {} bytes",
                part.name, part.field, part.width);
  }
  for (const ProfilePart& part : request.writable) {
    if (!part.length_of.empty() || !part.field.empty())
      return At(profile, part.line, "{} is writable and has {}, expected it to be readable",
                part.name, part.field.empty() ? "length_of" : "field");
    if (part.echo_of.empty()) continue;
    const ProfilePart* source = in(request.readable, part.echo_of);
    if (source == nullptr)
      return At(profile, part.line, "{} is an echo of {}, expected a readable part of {}",
                part.name, part.echo_of, request.name);
    if (source->size() != part.size() || source->least_size() != part.least_size() ||
        part.width != 0)
      return At(profile, part.line, "{} has another length than {}, of which it is an echo",
                part.name, source->name);
  }
  return {};
}

Result<> CheckRequest(const Profile& profile, const ProfileRequest& request) {
  const ProfileQueue* queue = profile.FindQueue(request.queue);
  if (queue == nullptr)
    return At(profile, request.line, "{} is made on {}, expected the name of a [[queue]]",
              request.name, request.queue);
  if (queue->direction == QueueDirection::kToDevice && !request.writable.empty())
    return At(profile, request.writable.front().line,
              "{} has a writable part, expected none on {}, a queue to the device", request.name,
              queue->name);
  if (queue->direction == QueueDirection::kFromDevice && !request.readable.empty())
    return At(profile, request.readable.front().line,
              "{} has a readable part, expected none on {}, a queue from the device", request.name,
              queue->name);
  if (request.readable.empty() && request.writable.empty())
    return At(profile, request.line, "{} has no bytes, expected readable or writable parts",
              request.name);
  if (request.least_length.value_or(0) > TotalLength(request.writable))
    return At(profile, request.line, "{} has the least length {}, expected at most {}, all of it",
              request.name, *request.least_length, TotalLength(request.writable));
  return CheckParts(profile, request);
}

}  // namespace

Result<> CheckProfile(const Profile& profile) {
  VITRO_TRY(CheckFields(profile));
  VITRO_TRY(CheckQueues(profile));
  VITRO_TRY(NamesOnce(profile, "device_part", profile.device_parts));
  for (const ProfileDevicePart& part : profile.device_parts)
    VITRO_TRY(NamesOnce(profile, "field", part.fields));
  VITRO_TRY(NamesOnce(profile, "request", profile.requests));
  for (const ProfileRequest& request : profile.requests) VITRO_TRY(CheckRequest(profile, request));
  return CheckFeatures(profile);
}

}  // namespace vitro
