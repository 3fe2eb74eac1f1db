// SPDX-License-Identifier: Apache-2.0
// The list of checks against the catalogue and the seeded faults: what a check refers to exists,
// and every requirement that a driver can observe has a check or a written reason why not.
#include "suite/checks/check.h"
#include "suite/checks/variants.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "devices/ref/faults.h"
#include "devices/ref/registry.h"
#include "suite/catalogue/catalogue.h"

namespace vitro {
namespace {

// "2.7" of "2.7.5.3.1".
std::string_view MainSection(std::string_view section) {
  const size_t dot = section.find('.');
  return dot == std::string_view::npos ? section : section.substr(0, section.find('.', dot + 1));
}

// Requirement ids that some check judges.
const std::set<std::string, std::less<>>& Checked() {
  static const auto ids = [] {
    std::set<std::string, std::less<>> all;
    for (const auto* list : {&AllChecks(), &Variants()})
      for (const Check& check : *list)
        all.insert(check.requirements.begin(), check.requirements.end());
    return all;
  }();
  return ids;
}

bool ObservableByADriver(const Requirement& requirement) {
  return requirement.observable == Observable::kDriver ||
         requirement.observable == Observable::kStatistical;
}

TEST(Checks, IdsAreUniqueSlugs) {
  std::set<std::string> ids, underscored;
  for (const Check& check : AllChecks()) {
    EXPECT_TRUE(ids.insert(check.id).second) << check.id << " is there twice";
    std::string name = check.id;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '.' || c == '-'; }, '_');
    EXPECT_TRUE(underscored.insert(name).second) << check.id << " cannot be told from another";
    EXPECT_GE(std::count(check.id.begin(), check.id.end(), '.'), 1) << check.id;
    bool word_start = true;
    for (char c : check.id) {
      const bool separator = c == '.' || c == '-';
      EXPECT_TRUE(separator ? !word_start
                            : std::islower(static_cast<unsigned char>(c)) != 0 ||
                                  std::isdigit(static_cast<unsigned char>(c)) != 0)
          << check.id;
      word_start = separator;
    }
    EXPECT_FALSE(word_start) << check.id;
    // "queue.reset.2" would be an ordinal; a number with a meaning has a word before it.
    const std::string last = check.id.substr(check.id.rfind('.') + 1);
    EXPECT_FALSE(std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; }))
        << check.id << " ends with an ordinal";
  }
}

TEST(Checks, EachIsComplete) {
  for (const Check& check : AllChecks()) {
    EXPECT_FALSE(check.title.empty()) << check.id;
    EXPECT_FALSE(check.title.ends_with('.')) << check.id << ": " << check.title;
    EXPECT_EQ(check.title.find('\n'), std::string::npos) << check.id;
    EXPECT_GE(std::count(check.title.begin(), check.title.end(), ' '), 2)
        << check.id << ": a sentence";
    EXPECT_FALSE(check.section.empty()) << check.id;
    EXPECT_FALSE(check.requirements.empty()) << check.id;
    EXPECT_TRUE(check.run) << check.id;
    EXPECT_EQ(FindCheck(check.id), &check);
    for (const std::string& tag : check.tags) EXPECT_FALSE(tag.empty()) << check.id;
  }
  EXPECT_EQ(FindCheck("no.such.check"), nullptr);
}

TEST(Checks, RequirementsAreInTheCatalogue) {
  for (const Check& check : AllChecks()) {
    std::set<std::string> seen;
    for (const std::string& id : check.requirements) {
      EXPECT_NE(Catalogue::Get().Find(id), nullptr) << check.id << " names " << id;
      EXPECT_TRUE(seen.insert(id).second) << check.id << " names " << id << " twice";
    }
  }
}

// A check's section is where the standard describes what it does; a statement of the standard that
// it judges stands nearby. Vitro's own rules hold everywhere, and what status, negotiation and
// reset lead to shows anywhere.
TEST(Checks, SectionsFitTheRequirements) {
  for (const Check& check : AllChecks()) {
    EXPECT_TRUE(std::all_of(check.section.begin(), check.section.end(),
                            [](unsigned char c) { return std::isdigit(c) != 0 || c == '.'; }))
        << check.id << ": " << check.section;
    const std::string_view main = MainSection(check.section);
    if (main == "2.1" || main == "2.2" || main == "2.4" || main == "3.1") continue;
    std::string sections;
    bool related = false;
    for (const std::string& id : check.requirements) {
      const Requirement* requirement = Catalogue::Get().Find(id);
      if (requirement == nullptr || requirement->derived) continue;
      related = related || main == MainSection(requirement->section);
      sections += fmt::format(" {} ({})", requirement->section, id);
    }
    EXPECT_TRUE(related || sections.empty() || check.HasTag("hostile"))
        << check.id << " is of section " << check.section << ", its requirements are of"
        << sections;
  }
}

TEST(Checks, FaultsAreSeededInTheDeviceNamed) {
  for (const Check& check : AllChecks()) {
    std::set<std::string> seen;
    for (const std::string& spec : check.faults) {
      EXPECT_TRUE(seen.insert(spec).second) << check.id << " names " << spec << " twice";
      const size_t colon = spec.rfind(':');
      const std::string name = colon == std::string::npos ? spec : spec.substr(colon + 1);
      const ref::FaultInfo* fault = ref::FindFault(name);
      ASSERT_NE(fault, nullptr) << check.id << " names fault " << spec;
      if (colon == std::string::npos) continue;
      const std::string device = spec.substr(0, spec.find_first_of(",:"));
      const auto devices = ref::ReferenceDevices();
      const auto found = std::find_if(devices.begin(), devices.end(),
                                      [&](const auto& each) { return each.name == device; });
      ASSERT_NE(found, devices.end()) << check.id << " names device " << device;
      // A block device is a zoned one with zoned=hm; at a level any device has what is around it.
      const auto around = [&](std::string_view level, char letter) {
        return spec.find(level) != std::string::npos &&
               fault->devices.find(letter) != std::string_view::npos;
      };
      const bool has =
          fault->devices.find(found->letter) != std::string_view::npos ||
          around("level=pci", 'p') || around("level=mmio", 'm') ||
          // One with administration virtqueues is an experimental one besides.
          (found->letter == 'a' && fault->devices.find('x') != std::string_view::npos) ||
          (found->letter == 'b' && spec.find("zoned=") != std::string::npos &&
           fault->devices.find('z') != std::string_view::npos);
      EXPECT_TRUE(has) << check.id << ": " << device << " has no fault " << name;
    }
  }
}

TEST(Checks, TypeSpecificOnesSayWhichType) {
  for (const Check& check : AllChecks())
    for (auto [prefix, device_id] : {std::pair("blk.", 2u), std::pair("entropy.", 4u)})
      EXPECT_TRUE(!check.id.starts_with(prefix) || check.needs.device_id == device_id) << check.id;
}

// The join: what a driver can observe has a check, or there stands written why it has none.
TEST(Join, EveryObservableRequirementHasACheckOrAReason) {
  std::string neither;
  for (const Requirement& each : Catalogue::Get().all()) {
    if (each.observable == Observable::kNone) continue;
    if (Checked().contains(each.id) || !Catalogue::Get().HoleReason(each.id).empty()) continue;
    neither += fmt::format("  {} ({}, {}, {}): {}\n", each.id, each.section, each.keyword,
                           Name(each.observable), each.title);
  }
  EXPECT_EQ(neither, "") << "have neither a check nor a reason in holes.toml:\n" << neither;
}

// A reason is for what has no check. One for the beginning of ids may cover rows that have.
TEST(Join, NoReasonIsGivenForARequirementThatHasACheck) {
  for (const Hole& hole : Catalogue::Get().holes()) {
    if (hole.match.ends_with('.')) {
      const auto rows = Catalogue::Get().Select(hole.match);
      const bool open = std::any_of(rows.begin(), rows.end(), [](const Requirement* row) {
        return !Checked().contains(row->id);
      });
      EXPECT_TRUE(open) << "every requirement of " << hole.match << " has a check";
    } else {
      EXPECT_FALSE(Checked().contains(hole.match)) << hole.match << " has a check";
    }
  }
}

TEST(Join, CoverageByArea) {
  struct Count {
    int rows = 0, observable = 0, checked = 0, holes = 0;
  };
  std::map<std::string_view, Count> areas;
  for (const Requirement& each : Catalogue::Get().all()) {
    Count& count = areas[each.area];
    ++count.rows;
    if (ObservableByADriver(each)) ++count.observable;
    if (Checked().contains(each.id))
      ++count.checked;
    else if (!Catalogue::Get().HoleReason(each.id).empty())
      ++count.holes;
  }
  fmt::print("{:10} {:>5} {:>12} {:>8} {:>7}\n", "area", "rows", "by a driver", "checked",
             "reason");
  Count all;
  for (const auto& [area, count] : areas) {
    fmt::print("{:10} {:5} {:12} {:8} {:7}\n", area, count.rows, count.observable, count.checked,
               count.holes);
    all.rows += count.rows;
    all.observable += count.observable;
    all.checked += count.checked;
    all.holes += count.holes;
  }
  fmt::print("{:10} {:5} {:12} {:8} {:7}\n", "all", all.rows, all.observable, all.checked,
             all.holes);
  EXPECT_EQ(static_cast<size_t>(all.rows), Catalogue::Get().all().size());
}

}  // namespace
}  // namespace vitro
