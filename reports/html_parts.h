// SPDX-License-Identifier: Apache-2.0
// Internal to reports/: the writer of HTML and the parts of the page.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/embedded_text.h"
#include "reports/record.h"

namespace vitro {

// report.css and report.js, as the build put them into the program.
std::span<const EmbeddedText> ReportAssets();

}  // namespace vitro

namespace vitro::reports {

// "report.css" or "report.js".
std::string_view Asset(std::string_view name);

// Markup can only be made from a literal in this program, so what comes from a record cannot become
// any.
struct Markup {
  consteval Markup(const char* literal) : text(literal) {}  // NOLINT: implicit on purpose
  std::string_view text;
};

// out << "<p>" << text << "</p>": literals are markup, every other string is escaped, for text and
// for attribute values in double quotes alike.
class HtmlWriter {
 public:
  HtmlWriter& operator<<(Markup markup) {
    out_ += markup.text;
    return *this;
  }
  template <typename S>
  requires std::same_as<S, std::string> || std::same_as<S, std::string_view> HtmlWriter& operator<<(
      const S& text) {
    Escape(text);
    return *this;
  }
  template <std::integral N>
  requires(!std::same_as<N, char> && !std::same_as<N, bool>) HtmlWriter& operator<<(N number) {
    out_ += std::to_string(number);
    return *this;
  }
  // Our own style and script, and nothing else.
  void Embed(std::string_view asset) { out_ += asset; }
  std::string Take() { return std::move(out_); }

 private:
  void Escape(std::string_view text);
  std::string out_;
};

// What the parts of the page share.
struct Page {
  explicit Page(const Json& record);

  const Json& run;
  std::string spec_version;
  std::vector<std::string> anchors;                 // per result: its id in the page, unique
  std::map<std::string, size_t> anchor_of_check;    // check id -> first result
  std::map<std::string, const Json*> requirements;  // id -> row of coverage
};

// A string of the record. `object` has the field: the record is in shape.
const std::string& Str(const Json& object, const char* name);
int64_t Int(const Json& object, const char* name);

// "#..." for a link to an id in the page.
std::string Fragment(std::string_view id);
std::string ClauseId(std::string_view clause);
// "2.7 Split Virtqueues"
std::string ClauseHeading(const Page& page, std::string_view clause);

void WriteChip(HtmlWriter& out, Outcome outcome);
void WriteClauseStrip(HtmlWriter& out, const Page& page);
void WriteResults(HtmlWriter& out, const Page& page);
void WriteCoverage(HtmlWriter& out, const Page& page);

}  // namespace vitro::reports
