// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/profile_parser.h"

#include <array>
#include <fstream>
#include <iterator>
#include <limits>

#include "harness/base/bytes.h"
#include "suite/profile/profile_rules.h"
#include "suite/toml/row.h"

namespace vitro {
namespace {

using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;

constexpr uint64_t kMaxConfig = 1 << 20;   // bytes; more is a slip
constexpr uint64_t kMaxLength = 16 << 20;  // of a part of a request, in bytes
constexpr uint64_t kMaxMask = 0xff;
constexpr uint64_t kMinPartType = 0x200, kMaxPartType = 0x5ff;  // of device types (2.14)
constexpr uint64_t kMaxId = std::numeric_limits<uint32_t>::max();

template <typename Enum>
struct Word {
  std::string_view word;
  Enum value;
};
constexpr std::array<Word<FieldAccess>, 2> kAccess = {
    {{"ro", FieldAccess::kReadOnly}, {"rw", FieldAccess::kReadWrite}}};
constexpr std::array<Word<FieldCommit>, 5> kCommit = {{{"each-write", FieldCommit::kEachWrite},
                                                       {"last-byte", FieldCommit::kLastByte},
                                                       {"first-byte", FieldCommit::kFirstByte},
                                                       {"all-bytes", FieldCommit::kAllBytes},
                                                       {"later", FieldCommit::kLater}}};
constexpr std::array<Word<FieldChanges>, 3> kChanges = {{{"never", FieldChanges::kNever},
                                                         {"by-driver", FieldChanges::kByDriver},
                                                         {"by-device", FieldChanges::kByDevice}}};
constexpr std::array<Word<QueueDirection>, 3> kDirection = {
    {{"to-device", QueueDirection::kToDevice},
     {"from-device", QueueDirection::kFromDevice},
     {"requests", QueueDirection::kRequests}}};

// A key whose value is one of a few words. Without `by_default` it has to be there.
template <typename Enum, size_t n>
Result<Enum> OneOf(TomlRow& row, std::string_view key, const std::array<Word<Enum>, n>& words,
                   std::optional<Enum> by_default = std::nullopt) {
  VITRO_ASSIGN(const std::string text, by_default ? row.Optional(key) : row.Required(key));
  if (text.empty()) return *by_default;
  std::string expected;
  for (const auto& each : words) {
    if (each.word == text) return each.value;
    expected += fmt::format("{}\"{}\"", expected.empty() ? "" : ", ", each.word);
  }
  return Wrong(row.PlaceOf(key), "{} is \"{}\", expected one of {}", key, text, expected);
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// A word of letters, digits and these; not beginning with a digit.
bool IsWord(std::string_view text, std::string_view more) {
  return !text.empty() && !std::isdigit(static_cast<unsigned char>(text.front())) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) ||
                  more.find(c) != std::string_view::npos;
         });
}

// Decimal, or hexadecimal after 0x.
std::optional<uint64_t> Number(std::string_view text) {
  text = Trimmed(text);
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool IsWidth(uint64_t width) { return width == 1 || width == 2 || width == 4 || width == 8; }

class Parser {
 public:
  Parser(std::string_view file, const toml::table& root) : file_(file), root_(root) {
    profile_.file = file;
  }

  Result<Profile> Parse() {
    TomlRow top({file_, 1}, root_);
    VITRO_TRY(Top(top));
    // Bits first: everything else names them.
    VITRO_ASSIGN(auto features, Tables(top, "feature"));
    for (TomlRow& row : features) VITRO_TRY(FeatureItself(row));
    for (size_t i = 0; i < features.size(); ++i)
      VITRO_TRY(FeatureRelations(features[i], profile_.features[i]));
    VITRO_ASSIGN(profile_.requires_, Condition(top, "requires"));
    profile_.requires_line = static_cast<int>(top.PlaceOf("requires").line);
    VITRO_TRY(Each(top, "field", &Parser::Field));
    VITRO_TRY(Each(top, "queue", &Parser::Queue));
    VITRO_TRY(Each(top, "request", &Parser::Request));
    VITRO_TRY(Each(top, "device_part", &Parser::DevicePart));
    VITRO_TRY(top.Finish());
    VITRO_TRY(CheckProfile(profile_));
    return std::move(profile_);
  }

 private:
  Result<> Top(TomlRow& row) {
    VITRO_TRY(Schema(row));
    VITRO_ASSIGN(const uint64_t id, row.RequiredNumber("id", 1, kMaxId));
    profile_.id = static_cast<uint32_t>(id);
    profile_.id_line = static_cast<int>(row.PlaceOf("id").line);
    VITRO_ASSIGN(profile_.name, row.Required("name"));
    for (char c : profile_.name)
      if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
        return Wrong(row.PlaceOf("name"), "name is \"{}\", expected a word of a-z, 0-9 and '-'",
                     profile_.name);
    VITRO_ASSIGN(profile_.title, row.Required("title"));
    VITRO_ASSIGN(profile_.section, row.Optional("section"));
    if (profile_.section.find_first_not_of("0123456789.") != std::string::npos)
      return Wrong(row.PlaceOf("section"), "section is \"{}\", expected a number as \"5.2\"",
                   profile_.section);
    VITRO_ASSIGN(profile_.config_only, row.Flag("config_only"));
    VITRO_ASSIGN(profile_.vectors, Optional32(row, "vectors", 0, kMaxId));
    VITRO_ASSIGN(const auto least_vectors, Optional32(row, "least_vectors", 0, kMaxId));
    profile_.least_vectors = least_vectors.value_or(0);
    const char* vectors_key = profile_.vectors ? "vectors" : "least_vectors";
    profile_.vectors_line = static_cast<int>(row.PlaceOf(vectors_key).line);
    VITRO_ASSIGN(profile_.rationale, row.Optional("rationale"));
    VITRO_ASSIGN(const auto transports, row.Elements("transports"));
    for (const toml::node* node : transports) {
      VITRO_ASSIGN(const std::string transport, row.Text(*node, "transports"));
      if (transport != "pci" && transport != "mmio" && transport != "ccw")
        return Wrong(PlaceOf(file_, *node),
                     "transports has \"{}\", expected \"pci\", \"mmio\" or \"ccw\"", transport);
      profile_.transports.push_back(transport);
    }
    return {};
  }

  Result<> Schema(TomlRow& row) {
    const toml::node* node = row.Find("schema");
    if (node == nullptr)
      return Wrong(row.place(), "there is no schema, expected schema = {}", kProfileSchema);
    const auto schema = node->value_exact<int64_t>();
    if (schema == kProfileSchema) return {};
    if (!schema)
      return Wrong(row.PlaceOf("schema"), "schema is not an integer, expected {}", kProfileSchema);
    return Wrong(
        row.PlaceOf("schema"), "schema is {}, expected {}, the one that this vitro reads: {}",
        *schema, kProfileSchema,
        *schema < kProfileSchema ? "bring the file up to date with suite/profile/profile_parser.h"
                                 : "take the vitro that it was written for, or a newer one");
  }

  Result<> FeatureItself(TomlRow& row) {
    ProfileFeature& feature = profile_.features.emplace_back();
    feature.line = static_cast<int>(row.place().line);
    VITRO_ASSIGN(const uint64_t bit, row.RequiredNumber("bit", 0, feature::kBits - 1));
    feature.bit = static_cast<unsigned>(bit);
    VITRO_ASSIGN(feature.name, Name(row));
    VITRO_ASSIGN(feature.why, row.Optional("why"));
    VITRO_ASSIGN(feature.legacy, row.Flag("legacy"));
    return {};
  }

  Result<> FeatureRelations(TomlRow& row, ProfileFeature& feature) {
    VITRO_ASSIGN(feature.requires_, Condition(row, "requires"));
    VITRO_ASSIGN(const auto conflicts, row.Elements("conflicts"));
    for (const toml::node* node : conflicts) {
      VITRO_ASSIGN(const std::string name, row.Text(*node, "conflicts"));
      VITRO_ASSIGN(const unsigned bit, Bit(PlaceOf(file_, *node), name));
      feature.conflicts.push_back(bit);
    }
    VITRO_ASSIGN(const auto gates, row.Elements("gates"));
    for (const toml::node* node : gates) {
      VITRO_ASSIGN(std::string gate, row.Text(*node, "gates"));
      feature.gates.push_back(std::move(gate));
    }
    return row.Finish();
  }

  Result<> Field(TomlRow& row) {
    ProfileField& field = profile_.fields.emplace_back();
    field.line = static_cast<int>(row.place().line);
    VITRO_ASSIGN(field.name, Name(row));
    VITRO_ASSIGN(const uint64_t offset, row.RequiredNumber("offset", 0, kMaxConfig));
    field.offset = static_cast<uint32_t>(offset);
    VITRO_ASSIGN(const uint64_t width, row.RequiredNumber("width", 0, kMaxConfig));
    if (!IsWidth(width) && width != 6)
      return Wrong(row.PlaceOf("width"),
                   "width is {}, expected 1, 2, 4 or 8 (6 for a MAC address); an array has a count",
                   width);
    field.width = static_cast<uint32_t>(width);
    VITRO_ASSIGN(const auto count, Optional32(row, "count", 1, kMaxConfig));
    field.count = count.value_or(1);
    VITRO_ASSIGN(field.exists, Condition(row, "feature"));
    VITRO_ASSIGN(field.changes,
                 OneOf(row, "changes", kChanges, std::optional(FieldChanges::kNever)));
    VITRO_ASSIGN(const Ranges reset, Values(row, "reset_value", field.width));
    if (!reset.empty()) field.reset_value = reset.front().first;
    VITRO_ASSIGN(field.access, OneOf(row, "access", kAccess));
    if (field.access == FieldAccess::kReadWrite) VITRO_TRY(Writing(row, field));
    for (std::string_view key : {"action", "commit", "commit_when", "runtime", "values"})
      if (field.access == FieldAccess::kReadOnly && row.Find(key) != nullptr)
        return Wrong(row.PlaceOf(key), "{} has {}, which only fields of access \"rw\" have",
                     field.name, key);
    return row.Finish();
  }

  // The keys of writable fields.
  Result<> Writing(TomlRow& row, ProfileField& field) {
    VITRO_ASSIGN(field.action, row.Flag("action"));
    VITRO_ASSIGN(field.commit,
                 OneOf(row, "commit", kCommit, std::optional(FieldCommit::kEachWrite)));
    VITRO_ASSIGN(field.commit_when, row.Optional("commit_when"));
    const bool later = field.commit == FieldCommit::kLater;
    if (later && field.commit_when.empty())
      return Wrong(row.place(), "{} commits later, expected commit_when to say when", field.name);
    if (!later && !field.commit_when.empty())
      return Wrong(row.place(), "{} has commit_when, expected commit = \"later\"", field.name);
    VITRO_ASSIGN(field.runtime, row.Flag("runtime"));
    VITRO_ASSIGN(field.values, Values(row, "values", field.width));
    return {};
  }

  Result<> Queue(TomlRow& row) {
    ProfileQueue& queue = profile_.queues.emplace_back();
    queue.line = static_cast<int>(row.place().line);
    VITRO_ASSIGN(queue.name, Name(row));
    VITRO_ASSIGN(queue.index, Expression(row, "index"));
    if (queue.index.empty()) return Wrong(row.place(), "there is no index");
    VITRO_ASSIGN(const std::string count, Expression(row, "count"));
    if (!count.empty()) queue.count = count;
    VITRO_ASSIGN(queue.direction, OneOf(row, "direction", kDirection));
    VITRO_ASSIGN(queue.role, row.Optional("role"));
    VITRO_ASSIGN(queue.exists, Condition(row, "feature"));
    VITRO_ASSIGN(queue.high_rate, row.Flag("high_rate"));
    return row.Finish();
  }

  Result<> Request(TomlRow& row) {
    ProfileRequest& request = profile_.requests.emplace_back();
    request.line = static_cast<int>(row.place().line);
    VITRO_ASSIGN(request.name, Name(row, "_.-"));
    VITRO_ASSIGN(request.queue, row.Required("queue"));
    VITRO_ASSIGN(request.exists, Condition(row, "feature"));
    VITRO_ASSIGN(request.readable, Parts(row, "readable"));
    VITRO_ASSIGN(request.writable, Parts(row, "writable"));
    VITRO_ASSIGN(request.least_length, Optional32(row, "least_length", 0, kMaxId));
    VITRO_ASSIGN(request.harmless, row.Flag("harmless"));
    return row.Finish();
  }

  Result<> DevicePart(TomlRow& row) {
    ProfileDevicePart& part = profile_.device_parts.emplace_back();
    part.line = static_cast<int>(row.place().line);
    VITRO_ASSIGN(part.name, Name(row));
    VITRO_ASSIGN(const uint64_t type, row.RequiredNumber("type", kMinPartType, kMaxPartType));
    part.type = static_cast<uint32_t>(type);
    VITRO_ASSIGN(part.fields, Parts(row, "fields"));
    return row.Finish();
  }

  Result<std::vector<ProfilePart>> Parts(TomlRow& row, std::string_view key) {
    std::vector<ProfilePart> parts;
    VITRO_ASSIGN(const auto elements, row.Elements(key));
    for (const toml::node* node : elements) {
      if (!node->is_table())
        return Wrong(PlaceOf(file_, *node), "{} has something that is not a table {{ ... }}", key);
      TomlRow part(PlaceOf(file_, *node), *node->as_table());
      VITRO_ASSIGN(ProfilePart parsed, Part(part));
      parts.push_back(std::move(parsed));
    }
    return parts;
  }

  Result<ProfilePart> Part(TomlRow& row) {
    ProfilePart part;
    part.line = static_cast<int>(row.place().line);
    VITRO_ASSIGN(part.name, Name(row));
    VITRO_ASSIGN(const auto width, Optional32(row, "width", 0, kMaxLength));
    const bool has_length = row.Find("length") != nullptr;
    if (width.has_value() == has_length)
      return Wrong(row.place(), "{} has {}, expected one of them", part.name,
                   width ? "a width and a length" : "neither width nor length");
    if (has_length) VITRO_TRY(Length(row, part));
    if (width && !IsWidth(*width))
      return Wrong(row.PlaceOf("width"),
                   "width is {}, expected 1, 2, 4 or 8; bytes that are no integer have a length",
                   *width);
    part.width = width.value_or(0);
    VITRO_ASSIGN(part.exists, Condition(row, "feature"));
    VITRO_ASSIGN(part.values, Values(row, "values", has_length ? 1 : part.width));
    VITRO_ASSIGN(part.length_of, row.Optional("length_of"));
    VITRO_ASSIGN(part.field, row.Optional("field"));
    VITRO_ASSIGN(part.echo_of, row.Optional("echo_of"));
    const int sources = !part.values.empty() + !part.length_of.empty() + !part.field.empty() +
                        !part.echo_of.empty();
    if (sources > 1)
      return Wrong(row.place(),
                   "{} has {} of values, length_of, field and echo_of, expected one of them",
                   part.name, sources);
    VITRO_ASSIGN(const auto mask, Optional32(row, "mask", 0, kMaxMask));
    if (mask && part.echo_of.empty())
      return Wrong(row.PlaceOf("mask"), "{} has a mask, expected echo_of with it", part.name);
    part.mask = static_cast<uint8_t>(mask.value_or(0));
    VITRO_TRY(row.Finish());
    return part;
  }

  // A number, or [least, most].
  Result<> Length(TomlRow& row, ProfilePart& part) {
    const toml::node& node = *row.Find("length");
    std::vector<uint64_t> numbers;
    const toml::array* list = node.as_array();
    for (size_t i = 0; i < (list ? list->size() : 1); ++i) {
      const auto number = (list ? *list->get(i) : node).value_exact<int64_t>();
      if (number && *number >= 0) numbers.push_back(static_cast<uint64_t>(*number));
    }
    if (numbers.size() != (list ? 2 : 1) || numbers.front() > numbers.back() ||
        numbers.back() == 0 || numbers.back() > kMaxLength)
      return Wrong(row.PlaceOf("length"), "{} has another length than 1 to {} or [least, most]",
                   part.name, kMaxLength);
    part.length = static_cast<uint32_t>(numbers.front());
    part.most_length = static_cast<uint32_t>(numbers.back());
    return {};
  }

  // --- Kinds of values ----------------------------------------------------------------------

  static Result<std::string> Name(TomlRow& row, std::string_view more = "_.") {
    VITRO_ASSIGN(std::string name, row.Required("name"));
    if (!IsWord(name, more))
      return Wrong(row.PlaceOf("name"),
                   "name is \"{}\", expected a word of letters, digits and any of {}", name, more);
    return name;
  }

  static Result<std::optional<uint32_t>> Optional32(TomlRow& row, std::string_view key,
                                                    uint64_t least, uint64_t most) {
    VITRO_ASSIGN(const auto number, row.OptionalNumber(key, least, most));
    if (!number) return std::nullopt;
    return static_cast<uint32_t>(*number);
  }

  // An integer is an expression, too. "" if the key is not there.
  static Result<std::string> Expression(TomlRow& row, std::string_view key) {
    const toml::node* node = row.Find(key);
    if (node == nullptr || !node->is_integer()) return row.Optional(key);
    VITRO_ASSIGN(const uint64_t number, row.RequiredNumber(key, 0, kMaxId));
    return fmt::format("{}", number);
  }

  Result<unsigned> Bit(const Place& place, std::string_view name) const {
    if (const auto bit = profile_.FeatureBit(name)) return *bit;
    return Wrong(place, "{} is no feature bit, expected the name of a [[feature]] or VIRTIO_F_...",
                 name);
  }

  Result<FeatureCondition> Condition(TomlRow& row, std::string_view key) {
    FeatureCondition condition;
    VITRO_ASSIGN(const auto elements, row.Elements(key));
    for (const toml::node* node : elements) {
      VITRO_ASSIGN(const std::string text, row.Text(*node, key));
      FeatureClause& clause = condition.emplace_back();
      for (std::string_view rest = text; true;) {
        const size_t end = rest.find('|');
        VITRO_ASSIGN(const unsigned bit, Bit(PlaceOf(file_, *node), Trimmed(rest.substr(0, end))));
        clause.push_back(bit);
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
      }
    }
    return condition;
  }

  // A list of integers and ranges, or one of them alone; each fits into `width` bytes.
  Result<Ranges> Values(TomlRow& row, std::string_view key, uint32_t width) {
    Ranges ranges;
    const toml::node* node = row.Find(key);
    if (node == nullptr) return ranges;
    if (!node->is_array()) {
      VITRO_ASSIGN(const auto range, Range(*node, key, width));
      ranges.push_back(range);
      return ranges;
    }
    for (const toml::node& each : *node->as_array()) {
      VITRO_ASSIGN(const auto range, Range(each, key, width));
      ranges.push_back(range);
    }
    if (ranges.empty()) return Wrong(row.PlaceOf(key), "{} is an empty list", key);
    return ranges;
  }

  Result<std::pair<uint64_t, uint64_t>> Range(const toml::node& node, std::string_view key,
                                              uint32_t width) {
    const Place place = PlaceOf(file_, node);
    std::optional<uint64_t> from, to;
    std::string found;
    if (const auto number = node.value_exact<int64_t>()) {
      found = fmt::format("{}", *number);
      if (*number >= 0) from = to = static_cast<uint64_t>(*number);
    } else if (const auto text = node.value_exact<std::string>()) {
      found = *text;
      const size_t dash = text->find('-');
      from = Number(std::string_view(*text).substr(0, dash));
      to = dash == std::string::npos ? from : Number(std::string_view(*text).substr(dash + 1));
    }
    const uint64_t most = ByteMask(width);
    if (!from || !to || *from > *to || *to > most)
      return Wrong(place,
                   "{} has {}, expected an integer or a range \"FROM-TO\" that fits into {} {}",
                   key, found.empty() ? "something else" : "\"" + found + "\"", width,
                   width == 1 ? "byte" : "bytes");
    return std::pair(*from, *to);
  }

  // --- Tables of the top --------------------------------------------------------------------

  Result<std::vector<TomlRow>> Tables(TomlRow& top, std::string_view kind) {
    std::vector<TomlRow> rows;
    const toml::node* node = top.Find(kind);
    if (node == nullptr) return rows;
    if (!node->is_array() || !node->as_array()->is_homogeneous<toml::table>())
      return Wrong(PlaceOf(file_, *node), "{} is no list of tables, expected [[{}]]", kind, kind);
    for (const toml::node& each : *node->as_array())
      rows.emplace_back(PlaceOf(file_, each), *each.as_table());
    return rows;
  }

  Result<> Each(TomlRow& top, std::string_view kind, Result<> (Parser::*parse)(TomlRow&)) {
    VITRO_ASSIGN(auto rows, Tables(top, kind));
    for (TomlRow& row : rows) VITRO_TRY((this->*parse)(row));
    return {};
  }

  std::string_view file_;
  const toml::table& root_;
  Profile profile_;
};

}  // namespace

Result<Profile> ParseProfile(std::string_view file_name, std::string_view text) {
  VITRO_ASSIGN(const toml::table root, ParseToml(file_name, text));
  return Parser(file_name, root).Parse();
}

Result<Profile> LoadProfile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  if (!in)
    return Fail(ErrorKind::kUsage, "{}: cannot be read, expected a profile (a TOML file)", path);
  return ParseProfile(path, text);
}

}  // namespace vitro
