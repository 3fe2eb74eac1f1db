// SPDX-License-Identifier: Apache-2.0
// The example devices and the reference module, loaded as Vitro loads any device.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include "devices/ref/test_driver.h"

namespace vitro::ref {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const vitro_device_ops* LoadDevice(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    ADD_FAILURE() << dlerror();
    return nullptr;
  }
  auto entry = reinterpret_cast<vitro_device_entry_fn>(dlsym(library, VITRO_DEVICE_ENTRY));
  EXPECT_EQ(entry(VITRO_ABI_VERSION + 1), nullptr);
  return entry(VITRO_ABI_VERSION);
}

class Example : public testing::TestWithParam<const char*> {
 protected:
  TestDriver driver{LoadDevice(GetParam()), ""};
};
INSTANTIATE_TEST_SUITE_P(All, Example, testing::Values(VITRO_MINIMAL_SO, VITRO_TICKETS_SO));

TEST_P(Example, ServesChainsOfAnyShape) {
  ASSERT_TRUE(driver.created());
  ASSERT_TRUE(driver.Start(kPlain, 8));
  const uint64_t buffer = driver.Allocate(64);
  EXPECT_THAT(driver.Submit(0, {{buffer, 8, true}}), ElementsAre(UsedElement{0, 8}));
  EXPECT_THAT(
      driver.Submit(0, {{buffer, 4, false}, {0, 0, true}, {buffer, 3, true}, {buffer, 5, true}}),
      ElementsAre(UsedElement{1, 8}));
  EXPECT_EQ(driver.host.queue_signals[0], 2u);
  for (int i = 0; i < 70000; ++i)
    ASSERT_THAT(driver.Submit(0, {{buffer, 1, true}}), SizeIs(1)) << i;
  for (int i = 0; i < 8; ++i) driver.Offer(0, {{buffer, 1, true}});
  driver.Kick(0);
  EXPECT_THAT(driver.TakeUsed(0), SizeIs(8));
}

TEST_P(Example, NegotiatesAndKeepsStill) {
  EXPECT_FALSE(driver.Negotiate({}));
  EXPECT_FALSE(driver.Negotiate(kPlain.With(3)));
  ASSERT_TRUE(driver.Negotiate(kPlain));
  ASSERT_TRUE(driver.SetupQueue(0, 8));
  EXPECT_FALSE(driver.SetupQueue(0, 8));
  EXPECT_THAT(driver.Submit(0, {{driver.Allocate(8), 8, true}}), IsEmpty()) << "before DRIVER_OK";
  driver.AddStatus(status::kDriverOk);
  driver.Kick(0);
  driver.host.Store<uint16_t>(driver.rings[0].avail, 1);
  EXPECT_THAT(driver.Submit(0, {{driver.Allocate(8), 8, true}}), SizeIs(2));
  EXPECT_EQ(driver.host.queue_signals[0], 1u) << "NO_INTERRUPT";
  driver.Kick(1);
  driver.Kick(65535);
  driver.Reset();
  EXPECT_EQ(driver.Status(), 0);
  driver.Offer(0, {{driver.Allocate(8), 8, true}});
  driver.Kick(0);
  EXPECT_THAT(driver.TakeUsed(0), IsEmpty()) << "after reset";
}

TEST_P(Example, DistrustsTheRing) {
  const auto put = [&](uint64_t address, uint32_t length, unsigned flags, unsigned next) {
    driver.PutDescriptor(driver.rings[0].desc, address, length, flags, next);
    driver.Publish(0, 0);
  };
  const uint64_t good = driver.Allocate(8);
  const std::function<void()> malice[] = {
      [&] { driver.Publish(0, 8); },
      [&] { put(good, 8, split::kDescNext | split::kDescWrite, 8); },
      [&] { put(good, 8, split::kDescNext | split::kDescWrite, 0); },
      [&] { put(64, 8, split::kDescWrite, 0); },
      [&] { put(good, 16, split::kDescIndirect, 0); },
      [&] {
        driver.Offer(0, {{good, 8, true}, {good, 8, false}});
      },
      [&] { driver.host.Store<uint16_t>(driver.rings[0].avail + 2, 9); },
  };
  for (const auto& act : malice) {
    ASSERT_TRUE(driver.Start(kPlain, 8));
    const uint32_t signals = driver.host.config_signals;
    act();
    driver.Kick(0);
    driver.Kick(0);
    EXPECT_TRUE(driver.Status() & status::kNeedsReset);
    EXPECT_EQ(driver.host.config_signals, signals + 1);
    EXPECT_THAT(driver.TakeUsed(0), IsEmpty());
  }
  ASSERT_TRUE(driver.Start(kPlain, 8));
  EXPECT_THAT(driver.Submit(0, {{good, 8, true}}), ElementsAre(UsedElement{0, 8}));
}

TEST(Tickets, HaveAStep) {
  TestDriver driver(LoadDevice(VITRO_TICKETS_SO), "");
  EXPECT_EQ(driver.Config(0, 4), 1u);
  ASSERT_TRUE(driver.Negotiate(kPlain));
  EXPECT_TRUE(driver.WriteConfig(0, 5, 4));
  EXPECT_FALSE(driver.WriteConfig(1, 5, 4));
  EXPECT_EQ(driver.Config(0, 8), ~uint64_t{0});
  ASSERT_TRUE(driver.SetupQueue(0, 8));
  driver.AddStatus(status::kDriverOk);
  const uint64_t buffer = driver.Allocate(8);
  for (uint64_t ticket : {0u, 5u, 10u}) {
    driver.Submit(0, {{buffer, 3, true}, {buffer + 3, 5, true}});
    EXPECT_EQ(driver.host.Load<uint64_t>(buffer), ticket);
  }
  driver.Reset();
  EXPECT_EQ(driver.Config(0, 4), 1u);
}

TEST(ReferenceModule, IsTheBlockDevice) {
  TestDriver driver(LoadDevice(VITRO_REF_BLK_SO), "capacity=10");
  ASSERT_TRUE(driver.created());
  EXPECT_EQ(driver.Config(0, 8), 10u);
}

}  // namespace
}  // namespace vitro::ref
