// SPDX-License-Identifier: Apache-2.0
// Every reporter against its golden file, and against a record that tries to break out of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pugixml.hpp>

#include "reports/html.h"
#include "reports/junit.h"
#include "reports/markdown.h"
#include "reports/test_util.h"
#include "reports/text.h"

namespace vitro::reports {
namespace {

using ::testing::HasSubstr;

TEST(Golden, RunJson) { ExpectGolden("run.json", MadeRun().dump(1) + "\n"); }
// Style and script have files of their own; a change there is no change of what the page says.
std::string WithoutAssets(std::string html) {
  for (const char* tag : {"style", "script"}) {
    const size_t start = html.find(fmt::format("<{}>", tag));
    const size_t end = html.find(fmt::format("</{}>", tag));
    if (start < end && end != std::string::npos) html.erase(start, end - start);
  }
  return html;
}

TEST(Golden, Html) { ExpectGolden("report.html", WithoutAssets(RenderHtml(MadeRun()))); }
TEST(Golden, Junit) { ExpectGolden("junit.xml", RenderJunit(MadeRun())); }
TEST(Golden, Markdown) { ExpectGolden("summary.md", RenderMarkdown(MadeRun())); }

// A record in which every string of the made record attacks.
Json Poison(const Json& in, const std::string& key) {
  if (in.is_object()) {
    Json out = Json::object();
    for (const auto& [name, value] : in.items()) out[name] = Poison(value, name);
    return out;
  }
  if (in.is_array()) {
    Json out = Json::array();
    for (const Json& value : in) out.push_back(Poison(value, key));
    return out;
  }
  const bool vocabulary = key == "kind" || key == "outcome" || key == "severity";
  if (!in.is_string() || vocabulary) return in;
  return in.get<std::string>() +
         "\"'><script>alert(1)</script><img src=x onerror=alert(1)> ]]> --> </style> &amp; "
         "`````\n```\n"
         "| @someone \x1b[31m\x07\u202e\u0001";
}

Json PoisonedRun() {
  std::vector<Json> lines;
  const std::string text = ReadText(GoldenPath("made.jsonl"));
  for (std::string_view line : Lines(text)) lines.push_back(Poison(Json::parse(line), ""));
  return Fold(lines);
}

void ExpectNoControlCharacters(const std::string& text) {
  for (const char c : text) {
    ASSERT_TRUE(static_cast<uint8_t>(c) >= 0x20 || c == '\n' || c == '\t')
        << "control character " << static_cast<int>(c);
  }
  EXPECT_EQ(text.find("\u202e"), std::string::npos);
}

size_t CountOf(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++n;
  return n;
}

TEST(Escaping, HtmlHoldsNoMarkupOfTheRecord) {
  const std::string html = RenderHtml(PoisonedRun());
  EXPECT_EQ(CountOf(html, "<script"), 1u) << "ours";
  EXPECT_EQ(CountOf(html, "</script"), 1u);
  EXPECT_EQ(CountOf(html, "</style"), 1u);
  EXPECT_EQ(CountOf(html, "<img"), 0u);
  ExpectNoControlCharacters(html);
  EXPECT_GT(CountOf(html, "&lt;script&gt;alert(1)"), 100u);
  EXPECT_GT(CountOf(html, "\\x1b[31m"), 100u);
}

TEST(Escaping, JunitIsWellFormed) {
  const std::string xml = RenderJunit(PoisonedRun());
  ExpectNoControlCharacters(xml);
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(xml.c_str()));
  EXPECT_EQ(document.select_nodes("//testcase").size(), 27u);
  EXPECT_TRUE(document.select_nodes("//script").empty());
}

TEST(Escaping, MarkdownHoldsNoMarkupOfTheRecord) {
  const std::string text = RenderMarkdown(PoisonedRun());
  ExpectNoControlCharacters(text);
  // Only inside code spans and fences may "<script" stand as it is; six backticks cannot be closed
  // by five.
  bool fenced = false;
  std::string fence;
  for (std::string_view line : Lines(text)) {
    if (!fenced && line.substr(0, 3) == "```") {
      fence = std::string(line.substr(0, line.find_first_not_of('`')));
      fenced = true;
    } else if (fenced && line == fence) {
      fenced = false;
    } else if (!fenced && line.find("<script") != std::string_view::npos) {
      EXPECT_NE(line.find("``````"), std::string_view::npos) << line;
    }
  }
  EXPECT_FALSE(fenced);
}

TEST(Junit, FailuresErrorsAndSkipsAreDifferentThings) {
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(RenderJunit(MadeRun()).c_str()));
  const pugi::xml_node root = document.child("testsuites");
  EXPECT_EQ(root.attribute("tests").as_int(), 27);
  EXPECT_EQ(root.attribute("failures").as_int(), 2) << "fail";
  EXPECT_EQ(root.attribute("errors").as_int(), 4) << "crash, hang, device-lost, harness-error";
  EXPECT_EQ(root.attribute("skipped").as_int(), 8) << "not-applicable, not-observable, waived";
  EXPECT_EQ(document.select_nodes("//failure").size(), 2u);
  EXPECT_EQ(document.select_nodes("//error").size(), 4u);
  EXPECT_EQ(document.select_nodes("//skipped[@message]").size(), 8u);
  const auto warned = document.select_node("//testcase[@name='status.needs-reset']").node();
  EXPECT_TRUE(warned.child("failure").empty());
  EXPECT_FALSE(warned.child("system-out").empty());
}

TEST(Junit, AWarningFailsAStrictRun) {
  const std::string xml =
      RenderJunit(Fold({BeginLine(true), ResultLine("a.a", "warn"), EndLine()}));
  EXPECT_THAT(xml, HasSubstr("<failure type=\"warn\""));
}

TEST(Junit, IsNeverGreenWhenTheExitCodeIsNot) {
  const std::vector<std::vector<Json>> runs = {
      {BeginLine(), EndLine()},
      {BeginLine(), ResultLine("a.a", "pass")},
      {BeginLine(), ResultLine("a.a", "pass"), EndLine(true)},
      {BeginLine(), ResultLine("a.a", "not-observable"), EndLine()},
  };
  for (const auto& lines : runs) {
    const Json run = Fold(lines);
    EXPECT_NE(ExitCode(run), 0);
    EXPECT_THAT(RenderJunit(run), HasSubstr("<error type=")) << run["totals"].dump();
  }
}

// As many requirements and checks as the real thing.
Json LargeRun() {
  std::vector<Json> lines = {BeginLine()};
  Json catalogue = {{"kind", "catalogue"}, {"requirements", Json::array()}};
  for (int i = 0; i < 930; ++i) {
    catalogue["requirements"].push_back(
        {{"id", fmt::format("dev.basic.a-section-of-the-specification.{}", i)},
         {"title",
          "A requirement in a sentence that is about as long as such sentences usually are"},
         {"section", fmt::format("2.{}.{}.1", i % 13 + 1, i % 7 + 1)},
         {"area", i % 2 == 0 ? "basic" : "net"},
         {"keyword", "MUST NOT"},
         {"level", "any"},
         {"checks",
          i % 3 == 0 ? Json::array() : Json::array({fmt::format("check.number-{}", i % 300)})},
         {"hole", "a reason why there is no check for this requirement, in one sentence"}});
  }
  lines.push_back(catalogue);
  for (int i = 0; i < 300; ++i) {
    Json result = ResultLine(fmt::format("check.number-{}", i), i % 10 == 0 ? "fail" : "pass",
                             fmt::format("dev.basic.a-section-of-the-specification.{}", i + 1));
    result["sent"] = "what the driver did, in a sentence or two of text that explains it well";
    result["because"] = "why that is the outcome, in a sentence or two of text that explains it";
    for (int n = 0; n < 500; ++n) {
      result["evidence"]["trace"].push_back(fmt::format("{:4} publish-chain 0 [16r 512w 1w]", n));
    }
    lines.push_back(result);
  }
  lines.push_back(EndLine());
  return Fold(lines);
}

TEST(Html, StaysSmallWithTheWholeCatalogue) {
  EXPECT_LT(RenderHtml(LargeRun()).size(), 1'500'000u);
}

TEST(Markdown, StaysBelowTheLimitOfAStepSummary) {
  EXPECT_LT(RenderMarkdown(LargeRun()).size(), 1'000'000u);
}

TEST(Html, AnEmptyRunIsAPageToo) {
  EXPECT_THAT(RenderHtml(Fold({BeginLine(), EndLine()})),
              HasSubstr("The record holds no results."));
}

TEST(Html, TheSameCheckTwiceHasTwoAnchors) {
  const std::string html = RenderHtml(
      Fold({BeginLine(), ResultLine("a.a", "pass"), ResultLine("a.a", "fail"), EndLine()}));
  EXPECT_THAT(html, HasSubstr("id=\"a.a\""));
  EXPECT_THAT(html, HasSubstr("id=\"a.a~2\""));
}

TEST(Text, NaturalOrder) {
  EXPECT_TRUE(NaturalLess("2.9", "2.10"));
  EXPECT_FALSE(NaturalLess("2.10", "2.9"));
  EXPECT_TRUE(NaturalLess("2.7", "2.7.1"));
  EXPECT_FALSE(NaturalLess("2.7", "2.7"));
  EXPECT_EQ(Clause("2.7.10.2"), "2.7");
  EXPECT_EQ(Clause("2"), "2");
}

TEST(Text, Utf8) {
  EXPECT_EQ(ToUtf8("a\xC0\x80z"), "a\uFFFD\uFFFDz") << "overlong";
  EXPECT_EQ(ToUtf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "surrogate";
  EXPECT_EQ(ToUtf8("µ✓😀"), "µ✓😀");
  EXPECT_EQ(ToUtf8("\xE2\x9C"), "\uFFFD\uFFFD") << "cut off";
  EXPECT_EQ(Shorten("µµµµ", 3), "µµ…");
  EXPECT_EQ(Printable("a\x1b[0m\u0085"), "a\\x1b[0m\\x85");
}

TEST(Text, Wrap) {
  using ::testing::ElementsAre;
  EXPECT_THAT(Wrap("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(Wrap("averylongword b", 5), ElementsAre("averylongword", "b"));
  EXPECT_THAT(Wrap("one\n\ntwo", 9), ElementsAre("one", "", "two"));
}

}  // namespace
}  // namespace vitro::reports
