// SPDX-License-Identifier: Apache-2.0
// The kill matrix over attachments: the reference devices, served by `vitro serve`, are driven over
// shm: and vhost-user:. Faultless they pass; and a fault is caught there by each check that names
// it, or the check says why it cannot see it, or this file does. Which faults no check can see on
// an attachment is the table reports/attachments.md, which this program writes:
//
//   build/test/suite/attachment_matrix_test --write reports/attachments.md
//
// and which it is held against. Without --all a tenth of the faults and checks is run.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "devices/ref/faults.h"
#include "harness/attach/attach.h"
#include "harness/attach/direct_attachment.h"
#include "suite/run/kill_matrix.h"

namespace vitro {
namespace {

enum class Kind { kShm, kVhostUser };
constexpr Kind kKinds[] = {Kind::kShm, Kind::kVhostUser};
const char* Name(Kind kind) { return kind == Kind::kShm ? "shm" : "vhost-user"; }

bool all = false;

// The same tenth each time, on each machine.
bool Selected(const std::string& name) {
  uint32_t hash = 2166136261u;
  for (char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return all || hash / 16 % 10 == 0;
}

constexpr const char* kNoWidth =
    "the config space travels as a whole, so that no access to it has a width";
constexpr const char* kNoRefusal =
    "the config space travels as a whole, so that no field of it is refused";
constexpr const char* kStopped =
    "a front-end stops the rings before a reset: neither kicks nor notifications travel then";
constexpr const char* kNoName =
    "that a write of this field is an action is known by the device's name, which vhost-user does "
    "not tell";
constexpr const char* kNoSteps =
    "it shows between two steps of the device, which runs on while the driver looks";

constexpr const char* kNoCount =
    "how many notifications a request brings is compared only where it is known that all have come";

// Faults that a check passes over on an attachment where another check sees nothing either, and
// why: what the check looks at does not reach the driver there.
struct Blind {
  const char* fault;
  const char* why;
};
constexpr Blind kBlindOverVhostUser[] = {
#define BLIND(fault, why) {fault, why},
#include "suite/run/blind_over_vhost_user.def"
#undef BLIND
};

std::string WhyBlind(Kind kind, const std::string& fault) {
  if (kind == Kind::kVhostUser)
    for (const Blind& blind : kBlindOverVhostUser)
      if (fault == blind.fault) return blind.why;
  return "";
}

// How a reference device is attached over `kind`, or why it cannot be.
struct Served {
  std::string attach, profile;
  std::string why_not;
};

Served ServedOn(Kind kind, const std::string& ref) {
  auto parsed = ParseAttach(ref);
  if (!parsed) return {"", "", parsed.error().message};
  AttachString string = *parsed;
  // These are the driver's choice, and stay on its side.
  std::string driver;
  for (const char* option : {"interrupts", "interface"})
    if (auto value = string.Take(option)) driver += fmt::format(",{}={}", option, *value);
  const std::string options = string.OptionsText();
  const std::string device = "ref:" + string.where + (options.empty() ? "" : "," + options);
  if (kind == Kind::kShm)
    return {fmt::format("shm:{}{},spawn=\"{} serve '{}' --on shm:{{name}} --once\"", string.where,
                        driver, VITRO_COMMAND, device),
            "", ""};
  const std::string level = string.Take("level").value_or("core");
  if (level != "core")
    return {"", "", fmt::format("vhost-user carries no registers (level {})", level)};
  string.Take("fault");
  const std::string rest = string.OptionsText();
  const Probed& facts = FactsOf("ref:" + string.where + (rest.empty() ? "" : "," + rest));
  const bool experimental = facts.facts.device_id == 65535;
  return {fmt::format("vhost-user:{},type={},queue-size={},spawn=\"{} serve '{}' --on "
                      "vhost-user:{{path}} --once\"",
                      string.where, facts.facts.device_id, facts.facts.queue_max_sizes.at(0),
                      VITRO_COMMAND, device),
          experimental ? "experimental" : "", ""};
}

// A fault, as checks name it, and those checks.
using Faults = std::map<std::string, std::vector<const Check*>>;

const Faults& AllNamed() {
  static const Faults faults = [] {
    Faults all_named;
    for (const Check& check : AllChecks())
      for (const std::string& fault : check.faults) all_named[fault].push_back(&check);
    return all_named;
  }();
  return faults;
}

std::string Bare(const std::string& fault) { return fault.substr(fault.rfind(':') + 1); }

// What the checks that name a fault saw of it over an attachment.
struct Seen {
  size_t checks = 0, caught = 0;
  std::set<std::string> why;  // those that did not see it did not
  std::vector<std::string> unexplained;
};

Seen Look(Kind kind, const std::string& fault, const std::vector<const Check*>& checks) {
  Seen seen;
  seen.checks = checks.size();
  const Served served = ServedOn(kind, AttachOfFault(fault));
  if (!served.why_not.empty()) {
    seen.why.insert(served.why_not);
    return seen;
  }
  // What is seen by chance only does not count as seen.
  if (WhyBlind(kind, Bare(fault)) == kNoSteps) {
    seen.why.insert(kNoSteps);
    return seen;
  }
  for (const Check* check : checks) {
    const CheckResult result = RunOn(*check, served.attach, kHangLimit, served.profile);
    if (IsCaught(result.outcome)) {
      ++seen.caught;
    } else if (result.outcome == Outcome::kNotObservable ||
               result.outcome == Outcome::kNotApplicable) {
      seen.why.insert(result.because);
    } else if (const std::string why = WhyBlind(kind, Bare(fault)); !why.empty()) {
      seen.why.insert(why);
    } else {
      seen.unexplained.push_back(fmt::format("{} on {}: {}", check->id, fault, Describe(result)));
    }
  }
  return seen;
}

// The table ----------------------------------------------------------------------------------

std::string Joined(const std::set<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

// Faults that do not show on one attachment, by the reason why.
using BlindSpots = std::map<std::string, std::vector<std::string>>;

std::string Rows(Kind kind, const BlindSpots& spots) {
  std::string rows;
  for (const auto& [why, faults] : spots) {
    std::string names;
    for (const std::string& fault : faults)
      names += fmt::format("{}`{}`", names.empty() ? "" : " ", fault);
    rows += fmt::format("| {} | {} | {} | {} |\n", names, kind == Kind::kShm ? "no" : "yes",
                        kind == Kind::kVhostUser ? "no" : "yes", why);
  }
  return rows;
}

constexpr const char* kIntroduction = R"(# Where a fault shows, and where not

The reference devices with their seeded faults, attached in three ways: in process (`inproc:` and `ref:`), in shared memory
(`shm:`) and behind vhost-user (`vhost-user:`), the latter two served by `vitro serve`. A fault is seen on an attachment if
one of the checks that name it catches it there. In process each check catches each fault that it names, and so it is
in shared memory; what vhost-user does not carry cannot be judged through it. Written by
`build/test/suite/attachment_matrix_test --write reports/attachments.md`, and held against it by that test.

)";

// Runs all of it. False if something has no explanation.
bool Write(const std::string& path) {
  std::string summary =
      "| attachment | faults seen | not seen | catches of checks that name them |\n"
      "|---|---:|---:|---:|\n";
  size_t pairs = 0;
  for (const auto& [fault, checks] : AllNamed()) pairs += checks.size();
  summary += fmt::format("| in process | {} | 0 | {} of {} |\n", AllNamed().size(), pairs, pairs);
  std::string rows;
  bool explained = true;
  for (Kind kind : kKinds) {
    size_t visible = 0, caught = 0;
    std::map<std::string, size_t> by_level;
    BlindSpots spots;
    for (const auto& [fault, checks] : AllNamed()) {
      const Seen seen = Look(kind, fault, checks);
      caught += seen.caught;
      for (const std::string& each : seen.unexplained) {
        std::fprintf(stderr, "not explained over %s: %s\n", Name(kind), each.c_str());
        explained = false;
      }
      if (seen.caught > 0)
        ++visible;
      else if (!ServedOn(kind, AttachOfFault(fault)).why_not.empty())
        ++by_level[Joined(seen.why)];
      else
        spots[Joined(seen.why)].push_back(fault);
    }
    rows += Rows(kind, spots);
    summary += fmt::format("| `{}:` | {} | {} | {} of {} |\n", Name(kind), visible,
                           AllNamed().size() - visible, caught, pairs);
    for (const auto& [why, count] : by_level)
      rows += fmt::format("| all {} of that level | yes | no | {} |\n", count, why);
  }
  std::ofstream file(path);
  file << kIntroduction << summary
       << "\nThose that are seen in process and not everywhere:\n\n"
          "| faults | `shm:` | `vhost-user:` | because |\n|---|---|---|---|\n"
       << rows;
  return explained && file.flush().good();
}

// Why the table says that a fault does not show on an attachment; "" if it does not say so.
std::string BlindnessInTable(Kind kind, const std::string& fault) {
  std::ifstream file(VITRO_ATTACHMENTS_MD);
  for (std::string line; std::getline(file, line);) {
    const auto mark = fmt::format(" | {} | {} | ", kind == Kind::kShm ? "no" : "yes",
                                  kind == Kind::kVhostUser ? "no" : "yes");
    const size_t at = line.find(mark);
    if (at == std::string::npos || line.find("`" + fault + "`") >= at) continue;
    return line.substr(at + mark.size(), line.rfind(" |") - at - mark.size());
  }
  return "";
}

// Tests --------------------------------------------------------------------------------------

class Caught : public testing::Test {
 public:
  Caught(Kind kind, std::string fault) : kind_(kind), fault_(std::move(fault)) {}
  void TestBody() override {
    const Seen seen = Look(kind_, fault_, AllNamed().at(fault_));
    for (const std::string& each : seen.unexplained) ADD_FAILURE() << each;
    if (kind_ == Kind::kShm) {
      EXPECT_EQ(seen.caught, seen.checks) << "in shared memory all shows: " << Joined(seen.why);
    }
    if (!ServedOn(kind_, AttachOfFault(fault_)).why_not.empty()) return;  // one row for its level
    EXPECT_EQ(BlindnessInTable(kind_, fault_), seen.caught == 0 ? Joined(seen.why) : std::string())
        << "reports/attachments.md is stale";
  }

 private:
  Kind kind_;
  std::string fault_;
};

class Faultless : public testing::Test {
 public:
  Faultless(Kind kind, std::string device) : kind_(kind), device_(std::move(device)) {}
  void TestBody() override {
    const Served served = ServedOn(kind_, AttachTo(device_, ""));
    ASSERT_EQ(served.why_not, "");
    for (const Check& check : AllChecks()) {
      if (!Selected(check.id + device_)) continue;
      const CheckResult result = RunOn(check, served.attach, kFineLimit, served.profile);
      EXPECT_TRUE(IsFine(result.outcome))
          << check.id << " on " << device_ << ": " << Describe(result);
    }
  }

 private:
  Kind kind_;
  std::string device_;
};

TEST(AttachmentMatrix, BlindSpotsAreOfFaultsThatThereAre) {
  std::set<std::string> named;
  for (const auto& [fault, checks] : AllNamed()) named.insert(Bare(fault));
  for (const Blind& blind : kBlindOverVhostUser)
    EXPECT_TRUE(named.contains(blind.fault)) << blind.fault;
}

void RegisterAll() {
  const std::pair<Kind, const char*> faultless[] = {
      {Kind::kShm, "admin"},
      {Kind::kShm, "blk"},
      {Kind::kShm, "blk,zoned=hm"},
      {Kind::kShm, "entropy"},
      {Kind::kShm, "experimental"},
      {Kind::kShm, "blk,level=mmio"},
      {Kind::kShm, "blk,level=pci"},
      {Kind::kShm, "experimental,level=pci,multiplier=0"},
      {Kind::kVhostUser, "blk"},
      {Kind::kVhostUser, "blk,ro=1"},
      {Kind::kVhostUser, "entropy"},
      {Kind::kVhostUser, "blk,zoned=hm"},
      {Kind::kVhostUser, "experimental"}};
  for (const auto& [on, name] : faultless) {
    const Kind kind = on;
    const std::string device = name;
    testing::RegisterTest("Faultless", TestName(fmt::format("{}@{}", Name(kind), device)).c_str(),
                          nullptr, nullptr, __FILE__, __LINE__,
                          [=]() -> testing::Test* { return new Faultless(kind, device); });
  }
  for (const auto& [name, checks] : AllNamed()) {
    if (!Selected(name)) continue;
    const std::string fault = name;
    for (Kind kind : kKinds)
      testing::RegisterTest("Caught", TestName(fmt::format("{}@{}", fault, Name(kind))).c_str(),
                            nullptr, nullptr, __FILE__, __LINE__,
                            [=]() -> testing::Test* { return new Caught(kind, fault); });
  }
}

}  // namespace
}  // namespace vitro

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  vitro::AttachReferenceDevices();
  if (argc == 3 && std::string(argv[1]) == "--write") return vitro::Write(argv[2]) ? 0 : 1;
  vitro::all = argc == 2 && std::string(argv[1]) == "--all";
  vitro::RegisterAll();
  return RUN_ALL_TESTS();
}
