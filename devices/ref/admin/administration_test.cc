// SPDX-License-Identifier: Apache-2.0
// The administration virtqueues of the reference device, driven on the C ABI.
#include "devices/ref/admin/administration.h"

#include <gmock/gmock.h>

#include "devices/ref/registry.h"
#include "devices/ref/test_driver.h"
#include "harness/virtio/experimental.h"

namespace vitro::ref {
namespace {

namespace xp = vitro::experimental;
using testing::ElementsAre;

constexpr uint64_t kInvalid = admin::kEinval;
constexpr uint64_t Invalid(uint64_t qualifier) { return kInvalid | qualifier << 16; }
constexpr uint64_t kAll = 0x3f83;

class Driver : public TestDriver {
 public:
  explicit Driver(const std::string& options = "")
      : TestDriver(FindReferenceDevice("admin"), options) {}

  bool Up() { return Start(kPlain.With(feature::kAdminVq), 16, 4); }
  // Status and qualifier of a command of the self group; `result` and `length` are filled in.
  uint64_t Command(uint64_t opcode, std::vector<uint64_t> data = {}, uint32_t room = 24,
                   uint32_t queue = 2) {
    data.insert(data.begin(), {opcode, 0, 0});
    return Send(data, room, queue);
  }
  uint64_t Send(const std::vector<uint64_t>& words, uint32_t room, uint32_t queue = 2) {
    Bytes readable;
    for (const uint64_t word : words)
      for (const uint8_t byte : LeBytes(word, 8)) readable.push_back(byte);
    const uint64_t to = Allocate(room);
    const auto used = Submit(
        queue,
        {{Place(readable), static_cast<uint32_t>(readable.size()), false}, {to, room, true}});
    if (used.size() != 1) return ~uint64_t{0};
    length = used[0].length;
    result.clear();
    for (uint32_t at = 8; at + 8 <= length; at += 8) result.push_back(host.Load<uint64_t>(to + at));
    return host.Load<uint64_t>(to);
  }
  std::vector<uint64_t> result;
  uint32_t length = 0;
};

TEST(Administration, IsThereOnceNegotiated) {
  Driver driver;
  vitro_identity identity{};
  identity.size = sizeof identity;
  driver.ops->identity(driver.device, &identity);
  EXPECT_EQ(identity.queue_count, 2u);
  EXPECT_EQ(identity.admin_queue_index, 2u);
  EXPECT_EQ(identity.admin_queue_count, 2u);
  ASSERT_TRUE(driver.Start(kPlain, 8, 2));
  EXPECT_EQ(driver.ops->queue_max_size(driver.device, 2), 0u);
  ASSERT_TRUE(driver.Up());
  EXPECT_EQ(driver.ops->queue_max_size(driver.device, 3), 128u);
}

TEST(Administration, OlderHostsSeeNoAdministrationQueues) {
  Driver driver;
  vitro_identity identity{};
  identity.size = offsetof(vitro_identity, admin_queue_index);
  driver.ops->identity(driver.device, &identity);
  EXPECT_EQ(identity.queue_count, 2u);
  EXPECT_EQ(identity.admin_queue_count, 0u);
}

TEST(Administration, KeepsListsOfCommands) {
  Driver driver;
  ASSERT_TRUE(driver.Up());
  EXPECT_EQ(driver.Command(admin::kListQuery), 0u);
  EXPECT_THAT(driver.result, ElementsAre(kAll));
  EXPECT_EQ(driver.Command(admin::kCapIdListQuery), Invalid(admin::kQInvalidOpcode));
  EXPECT_EQ(driver.Command(admin::kListUse, {kAll | 1 << 2}), Invalid(admin::kQInvalidField));
  EXPECT_EQ(driver.Command(admin::kListUse, {0x81}), 0u);
  EXPECT_EQ(driver.length, 8u);
  EXPECT_EQ(driver.Command(admin::kCapIdListQuery, {}, 8, 3), 0u) << "on the other queue";
  EXPECT_EQ(driver.Command(admin::kListUse, {kAll}), Invalid(admin::kQInvalidOpcode));
  ASSERT_TRUE(driver.Up());
  EXPECT_EQ(driver.Command(admin::kCapIdListQuery), Invalid(admin::kQInvalidOpcode));
  EXPECT_EQ(driver.Command(admin::kListUse, {kAll}), 0u);
}

TEST(Administration, TellsWhatIsInvalid) {
  Driver driver;
  ASSERT_TRUE(driver.Up());
  driver.Command(admin::kListUse, {kAll});
  EXPECT_EQ(driver.Send({0x10000, 0, 1}, 24), Invalid(admin::kQInvalidGroup)) << "SR-IOV";
  EXPECT_EQ(driver.Send({0x27fff, 0, 9}, 24), Invalid(admin::kQInvalidGroup));
  EXPECT_EQ(driver.Send({0x7fff, 0, 9}, 24), Invalid(admin::kQInvalidOpcode));
  EXPECT_EQ(driver.Send({admin::kDevModeSet, 0, 0}, 24), Invalid(admin::kQInvalidOpcode));
  EXPECT_EQ(driver.Send({admin::kCapIdListQuery, 0, 9}, 24), Invalid(admin::kQInvalidMember));
  EXPECT_EQ(driver.Send({admin::kListQuery, 0, 9}, 24), 0u);
}

TEST(Administration, TakesAnyLengths) {
  Driver driver;
  ASSERT_TRUE(driver.Up());
  EXPECT_EQ(driver.Send({0}, 16), 0u);
  EXPECT_THAT(driver.result, ElementsAre(kAll));
  EXPECT_EQ(driver.Send({0, 0, 0, ~0ull, ~0ull}, 200), 0u);
  EXPECT_EQ(driver.length, 16u);
  EXPECT_EQ(driver.Send({0, 0, 0}, 8), 0u);
  EXPECT_EQ(driver.length, 8u);
  EXPECT_EQ(driver.Send({}, 3) & 0xffffff, 0u) << "all of it zero";
  EXPECT_EQ(driver.length, 3u);
}

TEST(Administration, HasCapabilities) {
  Driver driver;
  ASSERT_TRUE(driver.Up());
  driver.Command(admin::kListUse, {kAll});
  EXPECT_EQ(driver.Command(admin::kCapIdListQuery, {}, 512), 0u);
  EXPECT_EQ(driver.result.size(), 33u);
  EXPECT_EQ(driver.result.back(), 3u) << "0x800 and 0x801";
  EXPECT_EQ(driver.Command(admin::kDeviceCapGet, {xp::kCapBins}), 0u);
  EXPECT_THAT(driver.result, ElementsAre(8 | 3ull << 32));
  EXPECT_EQ(driver.Command(admin::kDeviceCapGet, {7}) & 0xffff, admin::kEnxio);
  EXPECT_EQ(driver.Command(admin::kDriverCapSet, {xp::kCapBins, 9}),
            Invalid(admin::kQInvalidField));
  EXPECT_EQ(driver.Command(admin::kDriverCapSet, {xp::kCapBins, 5 | 4ull << 32}),
            Invalid(admin::kQInvalidField));
  EXPECT_EQ(driver.Command(admin::kDriverCapSet, {xp::kCapBins, 5 | 2ull << 32}), 0u);
}

TEST(Administration, HasObjects) {
  constexpr uint64_t kBin = xp::kTypeBin, kLabel = xp::kTypeLabel;
  for (const bool text : {false, true}) {
    Driver driver(text ? "numbers=text" : "");
    const uint64_t query = text ? admin::kResourceObjModify : admin::kResourceObjQuery;
    const uint64_t modify = text ? admin::kResourceObjQuery : admin::kResourceObjModify;
    ASSERT_TRUE(driver.Up());
    driver.Command(admin::kListUse, {kAll});
    EXPECT_EQ(driver.Command(admin::kResourceObjCreate, {kBin, 0, 1, 2}),
              Invalid(admin::kQInvalidField))
        << "there is no limit yet";
    driver.Command(admin::kDriverCapSet, {xp::kCapBins, 2});
    driver.Command(admin::kDriverCapSet, {xp::kCapLabels, 1});
    EXPECT_EQ(driver.Command(admin::kResourceObjCreate, {kBin, 0, 1, 2}), 0u);
    EXPECT_EQ(driver.Command(admin::kResourceObjCreate, {kBin, 0, 1, 2}) & 0xffff, admin::kEexist);
    EXPECT_EQ(driver.Command(admin::kResourceObjCreate, {kBin | 2ull << 32, 0, 1, 2}),
              Invalid(admin::kQInvalidField));
    EXPECT_EQ(driver.Command(modify, {kBin, 0, 3, 4}), 0u);
    EXPECT_EQ(driver.Command(query, {kBin, 0}), 0u);
    EXPECT_THAT(driver.result, ElementsAre(3, 4));
    EXPECT_EQ(driver.Command(admin::kResourceObjCreate, {kLabel, 0, 0, 9}), 0u);
    EXPECT_EQ(driver.Command(modify, {kBin, 0, 5, 6}) & 0xffff, admin::kEbusy);
    EXPECT_EQ(driver.Command(admin::kResourceObjDestroy, {kBin}) & 0xffff, admin::kEbusy);
    EXPECT_EQ(driver.Command(admin::kDriverCapSet, {xp::kCapBins, 0}) & 0xffff, admin::kEbusy);
    EXPECT_EQ(driver.Command(admin::kResourceObjDestroy, {kLabel}), 0u);
    EXPECT_EQ(driver.Command(admin::kResourceObjDestroy, {kBin}), 0u);
    EXPECT_EQ(driver.Command(query, {kBin, 0}) & 0xffff, admin::kEnxio);
  }
}

TEST(Administration, IsBusyWhenAsked) {
  Driver driver("busy=1");
  ASSERT_TRUE(driver.Up());
  std::vector<uint64_t> statuses;
  for (int i = 0; i < 6; ++i) statuses.push_back(driver.Command(admin::kListQuery) & 0xffff);
  EXPECT_THAT(statuses, ElementsAre(0, 0, admin::kEagain, 0, 0, admin::kEagain));
}

}  // namespace
}  // namespace vitro::ref
