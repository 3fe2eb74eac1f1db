// SPDX-License-Identifier: Apache-2.0
#include "reports/shape.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace vitro::reports {
namespace {

using enum Type;

constexpr Field kSuite[] = {
    {"name", kString}, {"version", kString}, {"tree", kString}, {"catalogue_hash", kString}};
constexpr Field kSpec[] = {{"name", kString}, {"version", kString}, {"document", kString}};
constexpr Field kQueue[] = {{"index", kInteger}, {"max_size", kInteger}};
constexpr Field kBlindSpot[] = {{"what", kString, true}, {"why", kString}};
constexpr Field kDevice[] = {
    {"attach", kString},        {"kind", kString},
    {"level", kString},         {"name", kString},
    {"device_id", kInteger},    {"device_type", kString},
    {"vendor_id", kInteger},    {"offered_features", kStrings},
    {"offered_words", kString}, {"queues", kObjects, false, kQueue},
    {"config_size", kInteger},  {"config_hash", kString},
    {"process", kString},       {"binary_hash", kString},
    {"observes", kStrings},     {"cannot_observe", kObjects, false, kBlindSpot},
    {"layout", kStrings},
};
constexpr Field kEnvironment[] = {{"os", kString},
                                  {"kernel", kString},
                                  {"machine", kString},
                                  {"compiler", kString},
                                  {"cpus", kInteger}};
constexpr Field kInvocation[] = {
    {"argv", kStrings},         {"seed", kInteger},   {"profile", kStringOrNull},
    {"waivers", kStringOrNull}, {"strict", kBoolean}, {"jobs", kInteger},
    {"timeout_ms", kInteger},   {"start", kString},
};
constexpr Field kBegin[] = {
    {"suite", kObject, true, kSuite},           {"spec", kObject, true, kSpec},
    {"device", kObject, true, kDevice},         {"environment", kObject, false, kEnvironment},
    {"invocation", kObject, true, kInvocation}, {"planned", kInteger},
};
constexpr Field kRequirement[] = {
    {"id", kString, true}, {"title", kString}, {"section", kString},        {"area", kString},
    {"keyword", kString},  {"level", kString}, {"since", kString},          {"observable", kString},
    {"checks", kStrings},  {"hole", kString},  {"interpretation", kString},
};
constexpr Field kFinding[] = {{"requirement", kString},
                              {"severity", kString, true},
                              {"message", kString},
                              {"operation", kIntegerOrNull}};
constexpr Field kEvidence[] = {
    {"program", kString}, {"trace", kStrings}, {"device_stderr", kString}};
constexpr Field kResult[] = {
    {"id", kString, true},
    {"title", kString},
    {"section", kString},
    {"requirements", kStrings},
    {"tags", kStrings},
    {"level", kString},
    {"outcome", kString, true},
    {"sent", kString},
    {"accepted", kStrings},
    {"observed", kString},
    {"because", kString},
    {"advice", kString},
    {"findings", kObjects, false, kFinding},
    {"duration_us", kInteger},
    {"seed", kInteger},
    {"evidence", kObject, false, kEvidence},
    {"reproduce", kString},
};
constexpr Field kEnd[] = {
    {"end", kStringOrNull}, {"interrupted", kBoolean}, {"exit_code", kIntegerOrNull}};

const char* Expected(Type type) {
  switch (type) {
    case kString:
      return "a string";
    case kStringOrNull:
      return "a string or null";
    case kInteger:
      return "an integer";
    case kIntegerOrNull:
      return "an integer or null";
    case kBoolean:
      return "true or false";
    case kStrings:
      return "a list of strings";
    case kObject:
      return "an object";
    case kObjects:
      return "a list of objects";
  }
  return "?";
}

bool HasType(const Json& value, Type type) {
  switch (type) {
    case kString:
    case kStringOrNull:
      return value.is_string();
    case kInteger:
    case kIntegerOrNull:
      return value.is_number_integer();
    case kBoolean:
      return value.is_boolean();
    case kStrings:
      return value.is_array() &&
             std::all_of(value.begin(), value.end(), [](const Json& v) { return v.is_string(); });
    case kObject:
      return value.is_object();
    case kObjects:
      return value.is_array() &&
             std::all_of(value.begin(), value.end(), [](const Json& v) { return v.is_object(); });
  }
  return false;
}

Result<Json> Absent(const Field& field, const std::string& where) {
  switch (field.type) {
    case kString:
      return Json("");
    case kStringOrNull:
    case kIntegerOrNull:
      return Json(nullptr);
    case kInteger:
      return Json(0);
    case kBoolean:
      return Json(false);
    case kStrings:
    case kObjects:
      return Json::array();
    case kObject:
      return Conform(Json::object(), field.nested, where, nullptr);
  }
  return Json(nullptr);
}

Result<Json> Value(const Json& value, const Field& field, const std::string& where,
                   std::set<std::string>* unknown) {
  if (!HasType(value, field.type)) {
    return Fail(ErrorKind::kUsage, "{} is {}, expected {}", where, value.type_name(),
                Expected(field.type));
  }
  if (field.type == kObject) return Conform(value, field.nested, where, unknown);
  if (field.type != kObjects) return value;
  Json list = Json::array();
  for (const Json& entry : value) {
    VITRO_ASSIGN(Json row, Conform(entry, field.nested, where, unknown));
    list.push_back(std::move(row));
  }
  return list;
}

}  // namespace

const std::span<const Field> kBeginShape = kBegin;
const std::span<const Field> kRequirementShape = kRequirement;
const std::span<const Field> kResultShape = kResult;
const std::span<const Field> kEndShape = kEnd;

Result<Json> Conform(const Json& in, std::span<const Field> shape, const std::string& where,
                     std::set<std::string>* unknown) {
  if (!in.is_object()) {
    return Fail(ErrorKind::kUsage, "{} is {}, expected an object", where, in.type_name());
  }
  Json out = Json::object();
  for (const Field& field : shape) {
    const std::string name = where + "." + field.name;
    const auto it = in.find(field.name);
    if (it != in.end() && !it->is_null()) {
      VITRO_ASSIGN(out[field.name], Value(*it, field, name, unknown));
    } else if (field.required) {
      return Fail(ErrorKind::kUsage, "{} is missing", name);
    } else {
      VITRO_ASSIGN(out[field.name], Absent(field, name));
    }
  }
  if (unknown == nullptr) return out;
  for (const auto& [key, value] : in.items()) {
    const bool known = key == "kind" || std::any_of(shape.begin(), shape.end(),
                                                    [&](const Field& f) { return key == f.name; });
    if (!known) unknown->insert(where + "." + key);
  }
  return out;
}

}  // namespace vitro::reports
