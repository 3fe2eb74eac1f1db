// SPDX-License-Identifier: Apache-2.0
// Every fault of faults.def is implemented in every device that it names: the device can be made,
// and a driver sees the difference.
#include "devices/ref/faults.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <map>
#include <set>

#include "devices/ref/fault_tour.h"
#include "devices/ref/registry.h"
#include "devices/ref/test_driver.h"

namespace vitro::ref {
namespace {

TEST(Faults, NamesAreUniqueAndWellFormed) {
  std::set<std::string_view> names;
  for (const FaultInfo& fault : AllFaults()) {
    EXPECT_TRUE(names.insert(fault.name).second) << fault.name;
    EXPECT_EQ(fault.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
              std::string_view::npos)
        << fault.name;
    EXPECT_FALSE(fault.devices.empty()) << fault.name;
    EXPECT_EQ(fault.devices.find_first_not_of("abexzmp"), std::string_view::npos) << fault.name;
    EXPECT_EQ(FindFault(fault.name), &fault);
  }
  EXPECT_EQ(FindFault("no-such-fault"), nullptr);
}

TEST(Faults, EachIsTakenByItsDevicesAndNoOther) {
  for (const FaultInfo& fault : AllFaults())
    for (const ReferenceDevice& device : ReferenceDevices()) {
      TestDriver driver(device.ops, fmt::format("fault={}", fault.name));
      const bool named = fault.devices.find(device.letter) != std::string_view::npos;
      // blk turns itself into a zoned device for a fault that only those have.
      const bool turns = device.letter == 'b' && fault.devices == "z";
      const char base = device.letter == 'z' ? 'b' : device.letter == 'a' ? 'x' : device.letter;
      const bool shares = fault.devices.find(base) != std::string_view::npos;
      EXPECT_EQ(driver.created(), named || turns || shares) << device.name << " " << fault.name;
    }
}

bool MustAbort(std::string_view fault) {
  return fault.find("crash") != fault.npos || fault == "packed-id-unchecked";
}
bool MustHang(std::string_view fault) {
  return fault == "hang-on-notify" || fault == "loop-hangs" ||
         fault == "nested-indirect-followed" || fault == "features-ok-hang" ||
         fault == "packed-endless-list-hangs";
}

const TourResult& Baseline(const TourStage& stage, char letter, const std::string& options) {
  static std::map<std::string, TourResult> known;
  const std::string key = fmt::format("{}/{}/{}", stage.name, letter, options);
  if (!known.contains(key)) known[key] = Tour(stage, letter, options);
  return known[key];
}

// What a fault implies, the device that it is compared with has as well.
std::string_view BaseOptions(std::string_view fault) {
  if (fault.starts_with("blk-read-only")) return "ro=1";
  if (fault.starts_with("admin-again-")) return "busy=1";
  if (fault.starts_with("packed-")) return "packed=1";
  if (fault.starts_with("suspend-")) return "suspend=1";
  if (fault == "zoned-fields-without-feature") return "zoned=ha";
  if (fault == "zoned-append-unsupported-wrong") return "max-append=0";
  if (fault == "zoned-read-only-zone-written" || fault == "zoned-offline-zone-read")
    return "failed-zones=1";
  return "";
}

// Looks for a stage of the tour in which the fault shows.
void ExpectVisible(const FaultInfo& fault, char letter) {
  const std::string base(BaseOptions(fault.name));
  const std::string options =
      fmt::format("fault={}{}{}", fault.name, base.empty() ? "" : ",", base);
  for (const TourStage& stage : TourStages()) {
    const TourResult& good = Baseline(stage, letter, base);
    ASSERT_EQ(good.signal, 0) << stage.name;
    const TourResult bad = Tour(stage, letter, options);
    if (bad.signal == good.signal && bad.transcript == good.transcript) continue;
    const int expected = MustAbort(fault.name) ? SIGABRT : MustHang(fault.name) ? SIGVTALRM : 0;
    EXPECT_EQ(bad.signal, expected) << fault.name << " in stage " << stage.name;
    return;
  }
  ADD_FAILURE() << "nothing in the tour shows '" << fault.name << "' in device " << letter;
}

TEST(Faults, ABaselineTourIsTheSameTwice) {
  for (const TourStage& stage : TourStages())
    for (const char letter : {'a', 'b', 'e', 'x', 'z'})
      EXPECT_EQ(Tour(stage, letter, "").transcript, Baseline(stage, letter, "").transcript);
}

TEST(Faults, EachShowsInAdmin) {
  for (const FaultInfo& fault : AllFaults())
    if (fault.devices.find('a') != std::string_view::npos) ExpectVisible(fault, 'a');
}
TEST(Faults, EachShowsInBlk) {
  for (const FaultInfo& fault : AllFaults())
    if (fault.devices.find('b') != std::string_view::npos) ExpectVisible(fault, 'b');
}
TEST(Faults, EachShowsInEntropy) {
  for (const FaultInfo& fault : AllFaults())
    if (fault.devices.find('e') != std::string_view::npos) ExpectVisible(fault, 'e');
}
TEST(Faults, EachShowsInExperimental) {
  for (const FaultInfo& fault : AllFaults())
    if (fault.devices.find('x') != std::string_view::npos) ExpectVisible(fault, 'x');
}
TEST(Faults, EachShowsInZoned) {
  for (const FaultInfo& fault : AllFaults())
    if (fault.devices.find('z') != std::string_view::npos) ExpectVisible(fault, 'z');
}

}  // namespace
}  // namespace vitro::ref
