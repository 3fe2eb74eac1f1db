// SPDX-License-Identifier: Apache-2.0
// The shape of a run record as tables, and one function that brings untrusted JSON into that shape:
// known fields only, of the right type, absent ones filled in. What the tables say is what
// run_record.schema.json says; a test holds the two together.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "reports/record.h"

namespace vitro::reports {

enum class Type {
  kString,         // default ""
  kStringOrNull,   // default null
  kInteger,        // default 0
  kIntegerOrNull,  // default null
  kBoolean,        // default false
  kStrings,        // list of strings, default []
  kObject,         // one object of the nested shape
  kObjects,        // list of objects of the nested shape, default []
};

struct Field {
  const char* name;
  Type type;
  bool required = false;
  std::span<const Field> nested = {};
};

extern const std::span<const Field> kBeginShape;        // the "begin" line
extern const std::span<const Field> kRequirementShape;  // a row of the catalogue
extern const std::span<const Field> kResultShape;       // a "result" line
extern const std::span<const Field> kEndShape;          // the "end" line

// `in` in the given shape. null means absent. Fields that the shape does not know are dropped and
// their names ("result.colour") added to `unknown`. A wrong type or a missing required field is an
// Error.
Result<Json> Conform(const Json& in, std::span<const Field> shape, const std::string& where,
                     std::set<std::string>* unknown);

}  // namespace vitro::reports
