// SPDX-License-Identifier: Apache-2.0
// Several runs side by side: what is said of each, and what is not.
#include "reports/matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/text.h"

namespace vitro::reports {
namespace {

using testing::HasSubstr;
using testing::Not;

class MatrixTest : public testing::Test {
 protected:
  void SetUp() override {
    auto run = LoadRun(VITRO_REPORTS_DIR "/golden/made.jsonl");
    ASSERT_TRUE(run) << run.error().message;
    columns_ = {{"qemu:virtio-blk-pci", "01-blk/report.html", *run, ""},
                {"qemu:<none>", "", nullptr, "QEMU has no such device"}};
  }
  std::vector<MatrixColumn> columns_;
};

TEST_F(MatrixTest, TextNumbersTheDevicesAndSaysWhatBecameOfEach) {
  const std::string text = RenderMatrixText(columns_, {});
  EXPECT_THAT(text, HasSubstr("  1  qemu:virtio-blk-pci  not conformant: "));
  EXPECT_THAT(text, HasSubstr("  2  qemu:<none>  QEMU has no such device\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b["))) << "no colours where none were asked for";
}

TEST_F(MatrixTest, ACellIsTheWorstOutcomeOfItsClause) {
  // The made run has, in section 2.2.2, a bit that was accepted although it was not offered.
  const std::string text = RenderMatrixText(columns_, {});
  const size_t row = text.find("  2.2");
  ASSERT_NE(row, std::string::npos);
  EXPECT_THAT(text.substr(row, text.find('\n', row) - row), HasSubstr("✗"));
}

TEST_F(MatrixTest, NarrowTerminalsGetSeveralTables) {
  std::vector<MatrixColumn> many(30, columns_[0]);
  TerminalOptions options;
  options.width = 60;
  const std::string text = RenderMatrixText(many, options);
  // Behind the list of devices and before the legend.
  const std::string tables = text.substr(text.find("\n\n"), text.rfind("\n✓") - text.find("\n\n"));
  for (const std::string_view line : Lines(tables)) EXPECT_LE(Columns(line), 60u) << line;
  EXPECT_THAT(text, HasSubstr(" 30\n"));
}

TEST_F(MatrixTest, PageLinksTheReportsAndEscapesWhatItWasGiven) {
  const std::string page = RenderMatrixHtml(columns_);
  EXPECT_THAT(page, HasSubstr("<a href=\"01-blk/report.html\">"));
  EXPECT_THAT(page, HasSubstr("qemu:&lt;none&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<none>")));
  EXPECT_THAT(page, HasSubstr("What did not pass"));
  EXPECT_THAT(page, Not(HasSubstr("src=\"http")));
}

}  // namespace
}  // namespace vitro::reports
