// SPDX-License-Identifier: Apache-2.0
#include "suite/catalogue/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <fstream>
#include <iterator>
#include <sstream>

namespace vitro {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kRow = R"([[requirement]]
id = "dev.blk.x.1"
section = "5.2.6.2"
keyword = "SHOULD/MUST"
since = "1.3"
level = "pci"
observable = "stress"
title = "a device does as it should"
)";

std::string ErrorOf(std::string_view name, std::string_view text) {
  CatalogueData data;
  const auto parsed = ParseCatalogueFile(name, text, data);
  return parsed ? "" : parsed.error().message;
}

std::string Replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result(text);
  const size_t at = result.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return result.replace(at, from.size(), to);
}

TEST(Parse, TakesARow) {
  CatalogueData data;
  const std::string text = std::string(kRow) +
                           "needs = \"RO\"\ninterpretation = \"Read so.\"\n"
                           "severity = \"warn\"\nadvice = \"Do so.\"\n";
  ASSERT_TRUE(ParseCatalogueFile("blk.toml", text, data));
  ASSERT_EQ(data.requirements.size(), 1u);
  const Requirement& row = data.requirements[0];
  EXPECT_EQ(row.id, "dev.blk.x.1");
  EXPECT_EQ(row.area, "blk");
  EXPECT_EQ(row.section, "5.2.6.2");
  EXPECT_EQ(row.keyword, "SHOULD/MUST");
  EXPECT_EQ(row.since, "1.3");
  EXPECT_EQ(row.level, Level::kPci);
  EXPECT_EQ(row.observable, Observable::kStress);
  EXPECT_EQ(row.title, "a device does as it should");
  EXPECT_EQ(row.needs, "RO");
  EXPECT_EQ(row.interpretation, "Read so.");
  EXPECT_EQ(row.advice, "Do so.");
  EXPECT_EQ(row.at_most, Severity::kWarn);
  EXPECT_EQ(SeverityOf(row), Severity::kWarn);
}

TEST(Parse, TakesAHole) {
  CatalogueData data;
  ASSERT_TRUE(ParseCatalogueFile("holes.toml",
                                 "[[hole]]\nmatch = \"dev.net.\"\nreason = \"Not yet.\"\n", data));
  ASSERT_EQ(data.holes.size(), 1u);
  EXPECT_EQ(data.holes[0].match, "dev.net.");
  EXPECT_EQ(data.holes[0].reason, "Not yet.");
}

TEST(Parse, BrokenTomlIsOneErrorWithItsLine) {
  const std::string message = ErrorOf("blk.toml", "# a comment\n\n[[requirement]\nid = 1\n");
  EXPECT_THAT(message, StartsWith("blk.toml:3: "));
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_THAT(ErrorOf("blk.toml", "[[requirement]]\nid = \"dev.blk"), StartsWith("blk.toml:2: "));
}

struct Mistake {
  std::string_view from, to, message;
};

TEST(Parse, NamesTheMistakeAndItsLine) {
  const Mistake mistakes[] = {
      {"id = \"dev.blk.x.1\"\n", "", "blk.toml:1: there is no id"},
      {"dev.blk.x.1", "dev.net.x.1", "blk.toml:1: dev.net.x.1 does not begin with dev.blk."},
      {"dev.blk.x.1", "dev.blk.X.1", "blk.toml:2: \"dev.blk.X.1\" is no id"},
      {"5.2.6.2", "5.2.", "blk.toml:3: \"5.2.\" is no section"},
      {"SHOULD/MUST", "SHOULD/WILL", "blk.toml:4: \"SHOULD/WILL\" is no keyword"},
      {"SHOULD/MUST", "SHOULD/", "blk.toml:4: \"SHOULD/\" is no keyword"},
      {"1.3", "0.9.5", "blk.toml:5: \"0.9.5\" is no since"},
      {"since = \"1.3\"\n", "", "blk.toml:1: there is no since"},
      {"\"pci\"", "\"usb\"", "blk.toml:6: \"usb\" is no level"},
      {"\"stress\"", "\"maybe\"", "blk.toml:7: \"maybe\" is no observable"},
      {"a device does as it should", "short", "blk.toml:1: the title has 5 characters"},
      {"it should", "it should.", "blk.toml:1: the title ends with a full stop"},
      {"it should", "it sh\\u00f6uld", "blk.toml:8: title has a character that is not printable"},
      {"\"a device does as it should\"", "7", "blk.toml:8: title is not a string"},
      {"\"a device does as it should\"", "\"\"", "blk.toml:8: title is empty"},
      {"since", "sinse = \"1.3\"\nsince", "blk.toml:5: sinse is not a key of this table"},
      {"since", "severity = \"warn\"\nsince", "blk.toml:1: there is no interpretation"},
      {"since", "severity = \"fail\"\nsince", "blk.toml:5: \"fail\" is no severity"},
      {"[[requirement]]", "[[requirements]]", "blk.toml:1: requirements is neither"},
      {"[[requirement]]", "[requirement]", "blk.toml:1: requirement is neither"},
  };
  for (const Mistake& each : mistakes)
    EXPECT_THAT(ErrorOf("blk.toml", Replaced(kRow, each.from, each.to)), StartsWith(each.message));
}

TEST(Parse, DerivedRowsSayWhatTheyFollowFromAndNotSinceWhen) {
  const std::string derived = Replaced(kRow, "dev.blk.x.1", "derived.x");
  EXPECT_THAT(ErrorOf("derived.toml", derived + "interpretation = \"So.\"\n"),
              StartsWith("derived.toml:5: since is not a key"));
  const std::string without = Replaced(derived, "since = \"1.3\"\n", "");
  EXPECT_THAT(ErrorOf("derived.toml", without), HasSubstr("there is no interpretation"));
  EXPECT_EQ(ErrorOf("derived.toml", without + "interpretation = \"So.\"\n"), "");
}

TEST(Parse, HolesAreSentences) {
  EXPECT_THAT(ErrorOf("holes.toml", "[[hole]]\nmatch = \"dev.\"\nreason = \"no\"\n"),
              StartsWith("holes.toml:1: the reason does not end"));
  EXPECT_THAT(ErrorOf("holes.toml", "[[hole]]\nmatch = \"..\"\nreason = \"No.\"\n"),
              StartsWith("holes.toml:2: \"..\" is no match"));
}

std::string ErrorAcross(std::vector<std::string> texts, std::string_view hole = "") {
  CatalogueData data;
  for (const std::string& text : texts) EXPECT_TRUE(ParseCatalogueFile("blk.toml", text, data));
  if (!hole.empty()) data.holes.push_back({hole, "No."});
  const auto checked = CheckCatalogue(data);
  return checked ? "" : checked.error().message;
}

TEST(Check, FindsWhatIsThereTwiceAndHolesThatFitNothing) {
  const std::string row(kRow);
  EXPECT_EQ(ErrorAcross({row}, "dev.blk."), "");
  EXPECT_THAT(ErrorAcross({row, row}), HasSubstr("two requirements dev.blk.x.1"));
  EXPECT_THAT(ErrorAcross({row, Replaced(row, "x.1", "x.2")}), HasSubstr("title of another"));
  EXPECT_THAT(ErrorAcross({row}, "dev.blk.y."), HasSubstr("fits no requirement"));
  EXPECT_THAT(ErrorAcross({Replaced(row, "stress", "none")}, "dev.blk."),
              HasSubstr("fits no requirement"));
}

// The build's table is made of the files as they stand, and the hash covers every byte of them.
TEST(Table, IsThatOfTheDataFiles) {
  CatalogueData data;
  std::string digested;
  std::istringstream areas(VITRO_CATALOGUE_AREAS);
  for (std::string area; std::getline(areas, area, ',');) {
    const std::string name = area + ".toml";
    std::ifstream in(std::string(VITRO_CATALOGUE_DATA) + "/" + name, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto parsed = ParseCatalogueFile(name, text, data);
    ASSERT_TRUE(parsed) << parsed.error().message;
    digested += name + "\n" + text;
  }
  ASSERT_TRUE(CheckCatalogue(data));
  const auto all = Catalogue::Get().all();
  ASSERT_EQ(all.size(), data.requirements.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const Requirement& expected = data.requirements[i];
    EXPECT_EQ(all[i].id, expected.id);
    EXPECT_EQ(all[i].title, expected.title);
    EXPECT_EQ(all[i].interpretation, expected.interpretation);
    EXPECT_EQ(all[i].advice, expected.advice);
    EXPECT_EQ(SeverityOf(all[i]), SeverityOf(expected));
  }
  EXPECT_EQ(Catalogue::Get().holes().size(), data.holes.size());

  unsigned char bytes[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(digested.data()), digested.size(), bytes);
  std::string hash;
  for (unsigned char byte : bytes) hash += fmt::format("{:02x}", byte);
  EXPECT_EQ(Catalogue::Get().hash(), hash);
}

}  // namespace
}  // namespace vitro
