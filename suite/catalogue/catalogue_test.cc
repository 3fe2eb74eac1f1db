// SPDX-License-Identifier: Apache-2.0
#include "suite/catalogue/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace vitro {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The normative device statements of VIRTIO 1.4, counted in the standard's text, not in these data.
const std::map<std::string_view, int>& StatementsByArea() {
  static const std::map<std::string_view, int> counts = {
      {"basic", 61}, {"admin", 94},  {"pci", 65},    {"mmio", 12},    {"ccw", 19},  {"net", 162},
      {"blk", 59},   {"console", 4}, {"entropy", 1}, {"balloon", 14}, {"scsi", 19}, {"gpu", 8},
      {"input", 4},  {"crypto", 78}, {"vsock", 8},   {"fs", 9},       {"rpmb", 37}, {"iommu", 60},
      {"sound", 17}, {"mem", 50},    {"i2c", 7},     {"scmi", 16},    {"gpio", 13}, {"pmem", 7},
      {"can", 4},    {"spi", 5},     {"media", 9},   {"rtc", 88}};
  return counts;
}

// Areas whose rows are expected to have checks unless they are a hole.
bool HasChecks(std::string_view area) {
  return area == "admin" || area == "basic" || area == "blk" || area == "entropy" ||
         area == "derived" || area == "legacy" || area == "mmio" || area == "pci";
}

TEST(Catalogue, HasEachNormativeDeviceStatement) {
  std::map<std::string_view, int> counts;
  int normative = 0;
  for (const Requirement& each : Catalogue::Get().all()) {
    if (each.derived) continue;
    ++counts[each.area];
    ++normative;
  }
  EXPECT_EQ(counts, StatementsByArea());
  EXPECT_EQ(normative, 930);
}

TEST(Catalogue, CountsObservables) {
  std::map<std::string_view, int> counts;
  for (const Requirement& each : Catalogue::Get().all())
    if (!each.derived) ++counts[Name(each.observable)];
  const std::map<std::string_view, int> expected = {
      {"driver", 631}, {"peer", 173}, {"statistical", 6}, {"stress", 12}, {"none", 108}};
  EXPECT_EQ(counts, expected);
}

TEST(Catalogue, KeywordsAreThoseOfTheStandard) {
  std::map<std::string_view, int> counts;
  for (const Requirement& each : Catalogue::Get().all())
    if (!each.derived) ++counts[each.keyword];
  EXPECT_EQ(counts["MUST"], 553);
  EXPECT_EQ(counts["MUST NOT"], 93);
  EXPECT_EQ(counts["SHALL"], 9);
  EXPECT_EQ(counts["SHOULD"], 133);
  EXPECT_EQ(counts["SHOULD NOT"], 24);
  EXPECT_EQ(counts["MAY"], 83);
}

TEST(Catalogue, DerivedRowsComeLastAndAreNeverCountedAmongTheStatements) {
  bool derived = false;
  for (const Requirement& each : Catalogue::Get().all()) {
    EXPECT_EQ(each.derived, each.area == "derived" || each.area == "legacy") << each.id;
    EXPECT_EQ(each.area == "legacy", each.id.starts_with("derived.legacy.")) << each.id;
    EXPECT_EQ(each.derived, each.id.starts_with("derived.")) << each.id;
    EXPECT_EQ(each.derived, each.since.empty()) << each.id;
    EXPECT_TRUE(each.derived || !derived) << each.id;
    derived = each.derived;
  }
  EXPECT_TRUE(derived);
}

TEST(Catalogue, FindsEachRowAndNoOther) {
  const Catalogue& catalogue = Catalogue::Get();
  for (const Requirement& each : catalogue.all()) EXPECT_EQ(catalogue.Find(each.id), &each);
  EXPECT_EQ(catalogue.Find(""), nullptr);
  EXPECT_EQ(catalogue.Find("dev.basic.device-reset"), nullptr);
  EXPECT_EQ(catalogue.Find("dev.basic.device-reset.9"), nullptr);
  EXPECT_EQ(catalogue.Find("zzz"), nullptr);
}

TEST(Catalogue, RowReadsAsInTheData) {
  const Requirement* row = Catalogue::Get().Find("dev.basic.virtqueues.virtqueue-reset.1");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->area, "basic");
  EXPECT_EQ(row->section, "2.6.1.1.1");
  EXPECT_EQ(row->keyword, "MUST NOT");
  EXPECT_EQ(row->since, "1.2");
  EXPECT_EQ(row->needs, "RING_RESET");
  EXPECT_EQ(row->level, Level::kAny);
  EXPECT_EQ(row->observable, Observable::kDriver);
  EXPECT_FALSE(row->derived);
  const Requirement* pci = Catalogue::Get().Find("dev.admin.group-cmds.device-parts.10");
  ASSERT_NE(pci, nullptr);
  EXPECT_EQ(pci->level, Level::kPci);
  EXPECT_EQ(pci->observable, Observable::kStress);
}

TEST(Catalogue, SelectsByBeginningUpToADot) {
  const Catalogue& catalogue = Catalogue::Get();
  EXPECT_EQ(catalogue.Select("").size(), catalogue.all().size());
  EXPECT_EQ(catalogue.Select("dev").size(), 930u);
  EXPECT_EQ(catalogue.Select("dev.blk").size(), 59u);
  EXPECT_EQ(catalogue.Select("dev.blk.").size(), 59u);
  EXPECT_THAT(catalogue.Select("dev.bl"), IsEmpty());
  EXPECT_THAT(catalogue.Select("dev.entropy.device-operation.1"),
              ElementsAre(catalogue.Find("dev.entropy.device-operation.1")));
  // Not .10 and on.
  EXPECT_EQ(catalogue.Select("dev.blk.device-operation.1").size(), 1u);
}

TEST(Severity, FollowsTheStrongestKeyword) {
  EXPECT_EQ(SeverityOf("MUST"), Severity::kFail);
  EXPECT_EQ(SeverityOf("MUST NOT"), Severity::kFail);
  EXPECT_EQ(SeverityOf("SHALL"), Severity::kFail);
  EXPECT_EQ(SeverityOf("SHOULD"), Severity::kWarn);
  EXPECT_EQ(SeverityOf("SHOULD NOT"), Severity::kWarn);
  EXPECT_EQ(SeverityOf("RECOMMENDED"), Severity::kWarn);
  EXPECT_EQ(SeverityOf("MAY"), Severity::kInfo);
  EXPECT_EQ(SeverityOf("MAY NOT"), Severity::kInfo);
  EXPECT_EQ(SeverityOf("CAN"), Severity::kInfo);
  EXPECT_EQ(SeverityOf("SHOULD/MUST"), Severity::kFail);
  EXPECT_EQ(SeverityOf("MAY/SHOULD"), Severity::kWarn);
  EXPECT_EQ(SeverityOf("MUST NOT/SHOULD NOT/MAY"), Severity::kFail);
  EXPECT_EQ(SeverityOf(""), Severity::kInfo);
}

TEST(Severity, IsNoMoreThanTheRowAllows) {
  EXPECT_EQ(SeverityOf({.keyword = "MUST"}), Severity::kFail);
  EXPECT_EQ(SeverityOf({.keyword = "MUST", .at_most = Severity::kWarn}), Severity::kWarn);
  EXPECT_EQ(SeverityOf({.keyword = "SHOULD", .at_most = Severity::kWarn}), Severity::kWarn);
  EXPECT_EQ(SeverityOf({.keyword = "MAY", .at_most = Severity::kWarn}), Severity::kInfo);
}

// Places where the standard contradicts itself never make a failure on their own.
TEST(Severity, ContradictionsOfTheStandardAreWarnings) {
  for (std::string_view id : {"dev.basic.feature-bits.3", "dev.admin.administration-virtqueues.9",
                              "dev.admin.group-cmds.device-and-driver-capabilities.5",
                              "dev.net.device-operation.packet-transmission.11"}) {
    const Requirement* row = Catalogue::Get().Find(id);
    ASSERT_NE(row, nullptr) << id;
    EXPECT_EQ(SeverityOf(*row), Severity::kWarn) << id;
    EXPECT_FALSE(row->interpretation.empty()) << id;
  }
}

TEST(Hole, MatchesIdsExactlyAndBeginningsWithADot) {
  EXPECT_TRUE(Fits("dev.blk.x.1", "dev.blk.x.1"));
  EXPECT_FALSE(Fits("dev.blk.x.1", "dev.blk.x.10"));
  EXPECT_TRUE(Fits("dev.blk.", "dev.blk.x.10"));
  EXPECT_FALSE(Fits("dev.blk", "dev.blk.x.10"));
}

TEST(Hole, LongestMatchGivesTheReason) {
  const Hole holes[] = {
      {"dev.net.", "short."}, {"dev.net.rss.", "long."}, {"dev.net.rss.1", "id."}};
  const Catalogue catalogue({}, {}, holes, "");
  EXPECT_EQ(catalogue.HoleReason("dev.net.tx.1"), "short.");
  EXPECT_EQ(catalogue.HoleReason("dev.net.rss.2"), "long.");
  EXPECT_EQ(catalogue.HoleReason("dev.net.rss.1"), "id.");
  EXPECT_EQ(catalogue.HoleReason("dev.net.rss.11"), "long.");
  EXPECT_EQ(catalogue.HoleReason("dev.blk.rss.1"), "");
}

// A row that something could observe has a check or a reason why not. Which rows have checks is
// known only where checks are; here the areas that have them are taken on trust.
TEST(Hole, EveryObservableRowOutsideTheCheckedAreasIsOne) {
  for (const Requirement& each : Catalogue::Get().all()) {
    if (each.observable == Observable::kNone || HasChecks(each.area)) continue;
    EXPECT_NE(Catalogue::Get().HoleReason(each.id), "") << each.id;
  }
}

// There only what a driver alone cannot bring about, and what is not driven yet; of those, some
// have checks all the same. That no other row is left without is tested with the checks.
TEST(Hole, InTheCheckedAreasThatIsPackedSuspendPeerAndStressOnly) {
  for (const Requirement& each : Catalogue::Get().all()) {
    if (each.observable == Observable::kNone || !HasChecks(each.area)) continue;
    const bool out_of_reach =
        each.observable != Observable::kDriver ||
        each.id.starts_with("dev.basic.packed-virtqueues.") ||
        each.id.starts_with("dev.basic.init.device-suspend.") ||
        // On the bus alone, and of a part without a number.
        each.id == "dev.admin.group-cmds.device-parts.8" ||
        each.id == "dev.admin.group-cmds.device-parts.27" ||
        each.id.find("non-transitional-device-with-legacy-driver") != std::string_view::npos;
    EXPECT_TRUE(out_of_reach || Catalogue::Get().HoleReason(each.id).empty()) << each.id;
  }
}

TEST(Names, AreDistinct) {
  const std::set<std::string_view> names = {
      Name(Level::kAny),         Name(Level::kPci),         Name(Level::kMmio),
      Name(Level::kCcw),         Name(Observable::kDriver), Name(Observable::kPeer),
      Name(Observable::kStress), Name(Observable::kNone),   Name(Observable::kStatistical),
      Name(Severity::kFail),     Name(Severity::kWarn),     Name(Severity::kInfo)};
  EXPECT_EQ(names.size(), 12u);
}

}  // namespace
}  // namespace vitro
