// SPDX-License-Identifier: Apache-2.0
// The reference experimental device, and the bytes of the entropy device.
#include "devices/ref/experimental.h"

#include <gmock/gmock.h>

#include "devices/ref/registry.h"
#include "devices/ref/test_driver.h"
#include "harness/virtio/experimental.h"

namespace vitro::ref {
namespace {

namespace xp = vitro::experimental;
using testing::ElementsAre;

class Driver : public TestDriver {
 public:
  Driver() : TestDriver(FindReferenceDevice("experimental"), "") {}

  // The status, or -1; `answer` and `length` are filled in.
  int Echo(uint32_t opcode, uint32_t claimed, const Bytes& payload, uint32_t room) {
    Bytes readable = LeBytes(opcode | uint64_t{claimed} << 32, 8);
    readable.insert(readable.end(), payload.begin(), payload.end());
    const uint64_t from = Place(readable), to = Allocate(room);
    const auto size = static_cast<uint32_t>(readable.size());
    const auto used = Submit(0, {{from, 3, false}, {from + 3, size - 3, false}, {to, room, true}});
    if (used.size() != 1) return -1;
    length = used[0].length;
    answer.assign(host.At(to, room), host.At(to) + room);
    return answer.back();
  }
  Bytes answer;
  uint32_t length = 0;
};

TEST(Experimental, ChecksumNeedsGated) {
  Driver driver;
  EXPECT_TRUE(driver.Negotiate(kPlain.With(0).With(1)));
  EXPECT_TRUE(driver.Negotiate(kPlain.With(0)));
  EXPECT_EQ(driver.Config(xp::kConfigGated, 4), xp::kGatedValue);
  EXPECT_FALSE(driver.Negotiate(kPlain.With(1)));
  EXPECT_EQ(driver.Config(xp::kConfigGated, 4), 0u);
}

TEST(Experimental, Echoes) {
  Driver driver;
  ASSERT_TRUE(driver.Start(kPlain, 8, 2));
  EXPECT_EQ(driver.Echo(1, 3, {1, 2, 3}, 4), xp::kStatusOk);
  EXPECT_THAT(driver.answer, ElementsAre(0x5b, 0x58, 0x59, 0));
  EXPECT_EQ(driver.length, 4u);
  EXPECT_EQ(driver.Echo(1, 3, {1, 2, 3}, 10), xp::kStatusOk);
  EXPECT_EQ(driver.length, 3u) << "the status is not next to the payload";
  EXPECT_EQ(driver.Echo(1, 0, {}, 1), xp::kStatusOk);
  EXPECT_EQ(driver.Echo(1, 4, {1, 2, 3}, 10), xp::kStatusBad);
  EXPECT_EQ(driver.Echo(1, 3, {1, 2, 3}, 3), xp::kStatusBad) << "no room";
  EXPECT_EQ(driver.Echo(2, 3, {1, 2, 3}, 10), xp::kStatusUnsupported);
  EXPECT_EQ(driver.length, 0u);
}

TEST(Experimental, ChecksumsAndLimits) {
  Driver driver;
  ASSERT_TRUE(driver.Negotiate(kPlain.With(0).With(1)));
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigLimit, 3, 4));
  ASSERT_TRUE(driver.SetupQueue(0, 8));
  driver.AddStatus(status::kDriverOk);
  EXPECT_EQ(driver.Echo(1, 2, {200, 100}, 7), xp::kStatusOk);
  EXPECT_THAT(driver.answer, ElementsAre(200 ^ 0x5a, 100 ^ 0x5a, 44, 1, 0, 0, 0));
  EXPECT_EQ(driver.Echo(1, 4, {1, 2, 3, 4}, 9), xp::kStatusTooLong);
  driver.Reset();
  EXPECT_EQ(driver.Config(xp::kConfigLimit, 4), xp::kDefaultLimit);
}

TEST(Experimental, StreamsGoOn) {
  Driver driver;
  ASSERT_TRUE(driver.Start(kPlain, 8, 2));
  const uint64_t to = driver.Allocate(8);
  for (uint64_t round = 0; round < 2; ++round) {
    EXPECT_THAT(driver.Submit(1, {{to, 8, true}}),
                ElementsAre(UsedElement{static_cast<uint32_t>(round), 8}));
    for (uint64_t i = 0; i < 8; ++i)
      EXPECT_EQ(*driver.host.At(to + i), PatternByte(0, 8 * round + i));
  }
  EXPECT_EQ(driver.Submit(1, {{driver.Place({3, 4}), 2, false}})[0].length, 0u);
  driver.Submit(1, {{to, 1, true}});
  EXPECT_EQ(*driver.host.At(to), PatternByte(7, 16));
}

TEST(Experimental, CommandActsOnItsLastByte) {
  Driver driver;
  ASSERT_TRUE(driver.Start(kPlain, 8, 2));
  const uint32_t generation = driver.ops->config_generation(driver.device);
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigCommand, 0x0205, 2));
  EXPECT_EQ(driver.Config(xp::kConfigCommand, 4), 0x0205u);
  EXPECT_EQ(driver.Config(xp::kConfigCounter, 4), 0u);
  EXPECT_EQ(driver.host.config_signals, 0u);
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigCommand + 2, 1, 2));
  EXPECT_EQ(driver.Config(xp::kConfigCounter, 4), 0x010205u);
  EXPECT_EQ(driver.Config(xp::kConfigCommand, 4), 0u);
  EXPECT_EQ(driver.host.config_signals, 1u);
  EXPECT_EQ(driver.ops->config_generation(driver.device), generation + 1);
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigCommand, 1, 4));
  EXPECT_EQ(driver.Config(xp::kConfigCounter, 4), 0x010206u);
  EXPECT_FALSE(driver.WriteConfig(xp::kConfigCommand, 1, 8)) << "counter is read-only";
}

TEST(Experimental, WideFields) {
  Driver driver;
  ASSERT_TRUE(driver.Start(kPlain, 8, 2));
  EXPECT_EQ(driver.Config(xp::kConfigWide, 8), xp::WideValue(1));
  driver.ops->stimulate_config_change(driver.device);
  EXPECT_EQ(driver.Config(xp::kConfigWide, 8), xp::WideValue(2));
  EXPECT_EQ(driver.Config(xp::kConfigTearable, 8), xp::kDefaultTearable);
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigTearable + 4, 0x11111111, 4));
  EXPECT_EQ(driver.Config(xp::kConfigTearable, 8), 0x11111111'5a5a5a5aull);
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigTearable, 0xeeeeeeee, 4));
  EXPECT_EQ(driver.Config(xp::kConfigTearable, 8), 0x11111111'eeeeeeeeull);
  EXPECT_FALSE(driver.WriteConfig(xp::kConfigWide, 1, 8));
  driver.Reset();
  EXPECT_FALSE(driver.WriteConfig(xp::kConfigTearable, 1, 8)) << "before FEATURES_OK";
  EXPECT_EQ(driver.Config(xp::kConfigTearable, 8), xp::kDefaultTearable);
}

// The pieces of a 64-bit value, by offset and width, in an order.
using Pieces = std::vector<std::pair<uint32_t, uint32_t>>;

TEST(Experimental, ThresholdActsOnceAllOfItWasWritten) {
  constexpr uint64_t kValue = 0x11223344'55667788;
  const Pieces orders[] = {{{0, 8}},
                           {{0, 4}, {4, 4}},
                           {{4, 4}, {0, 4}},
                           {{4, 4}, {4, 4}, {0, 4}},
                           {{6, 2}, {2, 4}, {0, 2}},
                           {{7, 1}, {0, 4}, {4, 2}, {6, 1}}};
  for (const Pieces& order : orders) {
    Driver driver;
    ASSERT_TRUE(driver.Start(kPlain, 8, 2));
    for (size_t i = 0; i < order.size(); ++i) {
      const auto [at, width] = order[i];
      EXPECT_EQ(driver.Config(xp::kConfigActions, 4), 0u);
      EXPECT_EQ(driver.host.config_signals, 0u);
      EXPECT_TRUE(driver.WriteConfig(xp::kConfigThreshold + at, kValue >> (8 * at), width));
    }
    EXPECT_EQ(driver.Config(xp::kConfigActions, 4), 1u);
    EXPECT_EQ(driver.Config(xp::kConfigApplied, 8), kValue);
    EXPECT_EQ(driver.Config(xp::kConfigThreshold, 8), kValue);
    EXPECT_EQ(driver.host.config_signals, 1u);
  }
}

TEST(Experimental, AResetForgetsHalfOfThreshold) {
  Driver driver;
  ASSERT_TRUE(driver.Start(kPlain, 8, 2));
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigThreshold, 1, 4));
  EXPECT_EQ(driver.Config(xp::kConfigThreshold, 8), 0xa5a5a5a5'00000001ull);
  ASSERT_TRUE(driver.Start(kPlain, 8, 2));
  EXPECT_EQ(driver.Config(xp::kConfigThreshold, 8), xp::kDefaultThreshold);
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigThreshold + 4, 2, 4));
  EXPECT_EQ(driver.Config(xp::kConfigActions, 4), 0u);
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigThreshold, 3, 4));
  EXPECT_EQ(driver.Config(xp::kConfigApplied, 8), 0x00000002'00000003ull);
}

TEST(Experimental, SharedHasTheHalvesWrittenLast) {
  Driver driver;
  ASSERT_TRUE(driver.Start(kPlain, 8, 2));
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigShared, 7, 4));
  driver.ops->stimulate_config_change(driver.device);
  EXPECT_TRUE(driver.WriteConfig(xp::kConfigShared + 4, 9, 4));
  EXPECT_EQ(driver.Config(xp::kConfigShared, 8), 0x00000009'00000002ull);
}

TEST(Entropy, IsReproducibleAndVaried) {
  const auto bytes = [](const std::string& options) {
    TestDriver driver(FindReferenceDevice("entropy"), options);
    EXPECT_TRUE(driver.Start(kPlain));
    const uint64_t to = driver.Allocate(100000);
    EXPECT_THAT(driver.Submit(0, {{to, 100000, true}}), ElementsAre(UsedElement{0, 100000}));
    return Bytes(driver.host.At(to, 100000), driver.host.At(to) + 100000);
  };
  EXPECT_EQ(bytes("seed=7"), bytes("seed=7"));
  EXPECT_NE(bytes("seed=7"), bytes("seed=8"));
  uint32_t counts[256] = {};
  for (uint8_t byte : bytes("")) ++counts[byte];
  for (uint32_t count : counts) EXPECT_NEAR(count, 100000 / 256, 120);
}

}  // namespace
}  // namespace vitro::ref
