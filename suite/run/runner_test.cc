// SPDX-License-Identifier: Apache-2.0
// The runner: each check gets its device and its result, and where devices are renewed, what one
// remembers is not held against it.
#include "suite/run/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>

#include "harness/session/scripted_device.h"
#include "suite/checks/context.h"

namespace vitro {
namespace {

using testing::ElementsAre;

constexpr const char* kMust = "dev.basic.device-reset.1";

// Devices whose config generation says how many transports there have been in this process.
class CountingAttachment : public Attachment {
 public:
  explicit CountingAttachment(bool renewable) : renewable_(renewable) {}
  const AttachString& string() const override { return string_; }
  bool independent() const override { return true; }
  bool renewable() const override { return renewable_; }
  void RenewFromNowOn() override { renews_ = true; }
  Result<std::unique_ptr<Transport>> Attach(GuestMemory& memory) override {
    auto device = std::make_unique<ScriptedDevice>(memory);
    device->generation = ++attached_;
    EXPECT_TRUE(renews_);
    return std::unique_ptr<Transport>(std::move(device));
  }

 private:
  const bool renewable_;
  bool renews_ = false;
  uint32_t attached_ = 0;
  AttachString string_;
};

class RunnerTest : public testing::Test {
 protected:
  // Looks at how many there have been before, and expects none.
  void AddFreshOnly(const std::string& id) {
    Add(id, [](Context& c) {
      c.Do(op::ReadGeneration{});
      c.Expect(Accept::Equal(1), kMust, "the device is fresh");
    });
  }
  Check& Add(const std::string& id, std::function<void(Context&)> body) {
    auto check = std::make_unique<Check>();
    check->id = id;
    check->run = std::move(body);
    checks_.push_back(std::move(check));
    return *checks_.back();
  }

  std::map<std::string, CheckResult> Run(bool renewable, bool fresh = false) {
    CountingAttachment attachment(renewable);
    std::vector<const Check*> list;
    for (const auto& check : checks_) list.push_back(check.get());
    std::map<std::string, CheckResult> results;
    RunnerOptions options;
    options.fresh = fresh;
    options.limit = std::chrono::seconds(60);
    options.finished = [&](const Check& check, const CheckResult& result) {
      order_.push_back(check.id);
      EXPECT_TRUE(results.emplace(check.id, result).second) << check.id << " has two results";
    };
    auto done = RunChecks(list, attachment, {}, options);
    EXPECT_TRUE(done && *done);
    return results;
  }
  std::vector<std::unique_ptr<Check>> checks_;
  std::vector<std::string> order_;
};

void Remembers(Context& c) {
  c.Do(op::ReadGeneration{});
  c.Expect(Accept::NotEqual(1), kMust, "the device has served others");
}

TEST_F(RunnerTest, EachCheckHasAFreshDeviceWhereNoneCanBeRenewed) {
  for (const char* id : {"a", "b", "c"}) AddFreshOnly(id);
  for (const auto& [id, result] : Run(false)) EXPECT_EQ(result.outcome, Outcome::kPass) << id;
  EXPECT_THAT(order_, ElementsAre("a", "b", "c"));
}

TEST_F(RunnerTest, WhatPassesHandsItsDeviceOn) {
  AddFreshOnly("a");
  Add("b", Remembers);
  Add("c", Remembers);
  for (const auto& [id, result] : Run(true)) EXPECT_EQ(result.outcome, Outcome::kPass) << id;
}

TEST_F(RunnerTest, FreshMeansFresh) {
  for (const char* id : {"a", "b", "c"}) AddFreshOnly(id);
  for (const auto& [id, result] : Run(true, true)) EXPECT_EQ(result.outcome, Outcome::kPass) << id;
}

TEST_F(RunnerTest, WhatFailsOnARenewedDeviceIsAskedOfAFreshOne) {
  AddFreshOnly("a");
  AddFreshOnly("b");
  AddFreshOnly("c");
  for (const auto& [id, result] : Run(true)) EXPECT_EQ(result.outcome, Outcome::kPass) << id;
}

TEST_F(RunnerTest, WhatFailsOnAFreshDeviceTooFails) {
  AddFreshOnly("a");
  Add("b", [](Context& c) {
    c.Do(op::ReadGeneration{});
    c.Expect(Accept::Equal(0), kMust, "never so");
  });
  const auto results = Run(true);
  EXPECT_EQ(results.at("a").outcome, Outcome::kPass);
  EXPECT_EQ(results.at("b").outcome, Outcome::kFail);
  EXPECT_EQ(results.at("b").observed, "value = 0x1") << "that of the fresh one";
}

TEST_F(RunnerTest, ACrashCostsItsCheckOnly) {
  AddFreshOnly("a");
  Add("b", [](Context& c) {
    c.Do(op::ReadStatus{});
    ::raise(SIGKILL);
  });
  Add("c", [](Context& c) { c.Do(op::ReadStatus{}); });
  const auto results = Run(true);
  EXPECT_EQ(results.at("a").outcome, Outcome::kPass);
  EXPECT_EQ(results.at("b").outcome, Outcome::kCrash);
  EXPECT_EQ(results.at("c").outcome, Outcome::kPass);
}

TEST_F(RunnerTest, HostileChecksAreGivenAFreshDeviceAndLeaveNone) {
  AddFreshOnly("a");
  Add("b", [](Context& c) {
    c.Do(op::ReadGeneration{});
    c.Expect(Accept::Equal(1), kMust, "the device is fresh");
  }).tags = {"hostile"};
  Add("c", Remembers);
  for (const auto& [id, result] : Run(true)) EXPECT_EQ(result.outcome, Outcome::kPass) << id;
}

}  // namespace
}  // namespace vitro
