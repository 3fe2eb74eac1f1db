// SPDX-License-Identifier: Apache-2.0
// Selectors: what they mean, and that none is silently without effect.
#include "suite/run/select.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Check MakeCheck() {
  Check check;
  check.id = "reset.status.zero";
  check.requirements = {"dev.basic.device-reset.1", "dev.basic.device-reset.10"};
  check.tags = {"odd", "slow"};
  return check;
}

TEST(Selects, ByTheBeginningOfAnIdAtADot) {
  const Check check = MakeCheck();
  for (const char* selector :
       {"reset", "reset.", "reset.status", "reset.status.", "reset.status.zero",
        "dev.basic.device-reset", "dev.basic.device-reset.1", "dev.", "tag:odd", "tag:slow"})
    EXPECT_TRUE(Selects(selector, check)) << selector;
  for (const char* selector :
       {"res", "reset.stat", "status", "reset.status.zero.x", "dev.basic.dev",
        "dev.basic.device-reset.2", "tag:", "tag:od", "odd", "RESET"})
    EXPECT_FALSE(Selects(selector, check)) << selector;
}

TEST(SelectChecks, NothingAskedForIsEverythingInOrder) {
  const auto all = SelectChecks({});
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), AllChecks().size());
  for (size_t i = 0; i < all->size(); ++i) EXPECT_EQ((*all)[i], &AllChecks()[i]);
}

TEST(SelectChecks, IncludesThenExcludes) {
  const auto features = SelectChecks({{"features"}, {}});
  ASSERT_TRUE(features);
  const auto without = SelectChecks({{"features"}, {"features.offer"}});
  ASSERT_TRUE(without);
  EXPECT_LT(without->size(), features->size());
  for (const Check* check : *without) {
    EXPECT_TRUE(check->id.starts_with("features."));
    EXPECT_FALSE(check->id.starts_with("features.offer."));
  }
  // Named twice is selected once.
  EXPECT_EQ(SelectChecks({{"features", "features.offer"}, {}})->size(), features->size());
}

TEST(SelectChecks, TellsWhichSelectorMatchesNothing) {
  for (const Selection& selection :
       {Selection{{"reset", "no.such"}, {}}, Selection{{"reset"}, {"no.such"}}}) {
    const auto checks = SelectChecks(selection);
    ASSERT_FALSE(checks);
    EXPECT_EQ(checks.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(checks.error().message, HasSubstr("'no.such' matches no check"));
  }
  EXPECT_FALSE(SelectChecks({{""}, {}})) << "an empty argument is a mistake, not everything";
}

TEST(SelectChecks, AnEmptySelectionIsAnError) {
  const auto checks = SelectChecks({{"reset"}, {"reset"}});
  ASSERT_FALSE(checks);
  EXPECT_EQ(checks.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(checks.error().message, HasSubstr("empty"));
}

TEST(SelectionFile, HasOneSelectorALine) {
  const std::string path = std::filesystem::path(testing::TempDir()) /
                           ("vitro-select-test-" + std::to_string(::getpid()));
  std::ofstream(path) << "# a comment\n\nreset\n  features.offer  # why\r\n-reset.config\n\t\n"
                         "- tag:slow\nlast";
  Selection selection{{"first"}, {}};
  ASSERT_TRUE(ReadSelectionFile(path, selection));
  std::filesystem::remove(path);
  EXPECT_THAT(selection.include, ElementsAre("first", "reset", "features.offer", "last"));
  EXPECT_THAT(selection.exclude, ElementsAre("reset.config", "tag:slow"));
  const auto missing = ReadSelectionFile(path, selection);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(missing.error().message, HasSubstr(path + ": No such file"));
}

}  // namespace
}  // namespace vitro
