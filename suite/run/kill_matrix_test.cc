// SPDX-License-Identifier: Apache-2.0
// The kill matrix: every check passes on the faultless reference devices, and every seeded fault is
// caught by the checks that name it. One test per check and device, so that a filter picks them.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "devices/ref/faults.h"
#include "harness/attach/attach.h"
#include "suite/checks/check.h"
#include "suite/checks/variants.h"
#include "suite/run/kill_matrix.h"
#include "suite/run/probe.h"

namespace vitro {
namespace {

const char* const kFaultless[] = {"admin",
                                  "blk",
                                  "blk,ro=1",
                                  "blk,zoned=hm",
                                  "entropy",
                                  "experimental",
                                  "blk,level=mmio",
                                  "experimental,level=mmio",
                                  "blk,level=pci",
                                  "experimental,level=pci,multiplier=0",
                                  "entropy,level=pci,msix=0",
                                  "blk,level=pci,transitional=1"};
// These differ from the others in what stands around the device only: checks of their level.
const char* const kFaultlessPci[] = {
    "blk,level=pci,shm=1,vendor=1", "blk,level=pci,second-caps=1", "entropy,level=pci,msix=2",
    "blk,level=pci,vfs=2",
    "blk,level=pci,notification-data=0,notif-config-data=0,ring-reset=0,flr=0,multiplier=2"};
// These differ from the others in their rings only.
const char* const kFaultlessPacked[] = {"blk,packed=1", "entropy,packed=1,queue-size=12",
                                        "experimental,packed=1", "blk,level=pci,packed=1",
                                        "blk,level=mmio,packed=1"};
// These differ from the others in that they can be suspended.
const char* const kFaultlessSuspend[] = {"blk,suspend=1", "entropy,suspend=1,packed=1",
                                         "experimental,suspend=1", "blk,suspend=1,level=pci",
                                         "experimental,suspend=1,level=mmio"};
// These differ from the others in administration commands only.
const char* const kFaultlessAdmin[] = {
    "admin,level=pci",         "admin,busy=1",
    "admin,numbers=text",      "blk,level=pci,vfs=2",
    "entropy,level=pci,vfs=1", "experimental,level=pci,vfs=3,eager=1"};

// Faults that leave nothing to check: the device cannot be attached.
const char* const kNoneToAttach[] = {"reads-all-ones"};

class Faultless : public testing::Test {
 public:
  Faultless(const Check& check, std::string device) : check_(check), device_(std::move(device)) {}
  void TestBody() override {
    const CheckResult result = RunOn(check_, AttachTo(device_, ""), kFineLimit);
    const bool fine = IsFine(result.outcome);
    EXPECT_TRUE(fine) << Describe(result);
    if (fine)
      fmt::print("{} on {}: {} {}\n", check_.id, device_, Name(result.outcome), result.because);
  }

 private:
  const Check& check_;
  std::string device_;
};

class Caught : public testing::Test {
 public:
  Caught(const Check& check, std::string fault) : check_(check), fault_(std::move(fault)) {}
  void TestBody() override {
    const std::string attach = AttachOfFault(fault_);
    ASSERT_FALSE(attach.empty()) << check_.id << " names fault '" << fault_
                                 << "', which is not there";
    const CheckResult result = RunOn(check_, attach, kHangLimit);
    const bool caught = IsCaught(result.outcome);
    EXPECT_TRUE(caught) << check_.id << " does not catch " << attach << "\n" << Describe(result);
    if (caught) fmt::print("{} catches {}: {}\n", check_.id, attach, Describe(result));
  }

 private:
  const Check& check_;
  std::string fault_;
};

TEST(KillMatrix, EveryFaultIsNamedByACheckAndEveryCheckNamesAFault) {
  std::set<std::string> named;
  for (const Check& check : AllChecks()) {
    EXPECT_FALSE(check.faults.empty()) << check.id << " has no seeded fault that trips it";
    for (const std::string& fault : check.faults) named.insert(fault.substr(fault.rfind(':') + 1));
  }
  for (const std::string fault : kNoneToAttach) named.insert(fault);
  for (const auto& fault : ref::AllFaults())
    EXPECT_TRUE(named.contains(std::string(fault.name))) << "no check names fault " << fault.name;
}

TEST(KillMatrix, AFunctionThatIsNotThereIsNotAttached) {
  for (const std::string fault : kNoneToAttach) {
    const auto probed = Probe(*OpenAttachment(AttachOfFault(fault)).value(), {});
    ASSERT_FALSE(probed) << fault;
    EXPECT_EQ(probed.error().kind, ErrorKind::kAttach) << fault << ": " << probed.error().message;
  }
}

TEST(KillMatrix, EveryReferenceDeviceAnswersTheProbe) {
  for (const std::string device : kFaultless)
    EXPECT_TRUE(FactsOf(AttachTo(device, "")).facts.offered.Has(feature::kVersion1)) << device;
}

void RegisterAll() {
  std::vector<const Check*> checks;
  for (const Check& check : AllChecks()) checks.push_back(&check);
  for (const Check& check : Variants())
    if (check.HasTag("packed")) checks.push_back(&check);
  for (const Check* each : checks) {
    const Check& check = *each;
    std::vector<std::string> devices(std::begin(kFaultless), std::end(kFaultless));
    if (check.HasTag("admin"))
      devices.insert(devices.end(), std::begin(kFaultlessAdmin), std::end(kFaultlessAdmin));
    if (check.level() == "pci")
      devices.insert(devices.end(), std::begin(kFaultlessPci), std::end(kFaultlessPci));
    if (check.HasTag("suspend"))
      devices.assign(std::begin(kFaultlessSuspend), std::end(kFaultlessSuspend));
    if (check.HasTag("packed"))
      devices.assign(std::begin(kFaultlessPacked), std::end(kFaultlessPacked));
    // Some are in both lists.
    std::sort(devices.begin(), devices.end());
    devices.erase(std::unique(devices.begin(), devices.end()), devices.end());
    for (const std::string& device : devices)
      testing::RegisterTest(
          "Faultless", TestName(check.id + "@" + device).c_str(), nullptr, nullptr, __FILE__,
          __LINE__, [&check, device]() -> testing::Test* { return new Faultless(check, device); });
    for (const std::string& fault : check.faults)
      testing::RegisterTest(
          "Caught", TestName(check.id + "@" + fault).c_str(), nullptr, nullptr, __FILE__, __LINE__,
          [&check, fault]() -> testing::Test* { return new Caught(check, fault); });
  }
}

}  // namespace
}  // namespace vitro

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  vitro::AttachReferenceDevices();
  vitro::RegisterAll();
  return RUN_ALL_TESTS();
}
