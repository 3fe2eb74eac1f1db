// SPDX-License-Identifier: Apache-2.0
// The byte-exact model of a config space, and the generator of random accesses to one.
#include "suite/checks/config_model.h"

#include <gmock/gmock.h>

#include <set>

#include "suite/checks/config_fields.h"
#include "suite/checks/config_fuzz.h"

namespace vitro {
namespace {

ProfileField Field(uint32_t offset, uint32_t width, FieldAccess access,
                   FieldChanges changes = FieldChanges::kNever) {
  ProfileField field;
  field.offset = offset;
  field.width = width;
  field.access = access;
  field.changes = changes;
  return field;
}

// 0 le32 read-only; 4 le32 writable, 0 to 9; 8 le64 writable; 16 le32 that the device changes;
// 20 le32 writable, with an action; 24 and 25 are of no field.
std::vector<ProfileField> Fields() {
  std::vector<ProfileField> fields = {
      Field(0, 4, FieldAccess::kReadOnly), Field(4, 4, FieldAccess::kReadWrite),
      Field(8, 8, FieldAccess::kReadWrite, FieldChanges::kByDriver),
      Field(16, 4, FieldAccess::kReadOnly, FieldChanges::kByDevice),
      Field(20, 4, FieldAccess::kReadWrite, FieldChanges::kByDriver)};
  fields[1].values = {{0, 9}};
  fields[4].action = true;
  return fields;
}

class ConfigModelTest : public testing::Test {
 protected:
  ConfigModelTest() { model_.Observe(0, now_); }
  // The first odd byte if the space reads as at first, but for these bytes.
  std::optional<uint32_t> OddWith(uint32_t offset, const Bytes& bytes) {
    Bytes read = now_;
    std::copy(bytes.begin(), bytes.end(), read.begin() + offset);
    return model_.FirstOdd(0, read);
  }
  ConfigModel model_{Fields(), 26};
  Bytes now_ = Bytes(26, 0x01);
};

TEST_F(ConfigModelTest, KnowsWhatIsADriversRight) {
  EXPECT_TRUE(model_.IsDriversRight(4, 4));
  EXPECT_TRUE(model_.IsDriversRight(8, 4));
  EXPECT_TRUE(model_.IsDriversRight(12, 4));
  for (const auto& [offset, width] : std::initializer_list<std::pair<uint32_t, size_t>>{
           {0, 4}, {4, 2}, {6, 2}, {8, 8}, {10, 4}, {9, 1}, {24, 1}, {26, 1}})
    EXPECT_FALSE(model_.IsDriversRight(offset, width)) << offset << " " << width;
  model_.TreatWritesAsOdd(true);
  EXPECT_FALSE(model_.IsDriversRight(4, 4));
}

TEST_F(ConfigModelTest, BytesThatNobodyWroteStay) {
  EXPECT_EQ(OddWith(0, {1}), std::nullopt);
  EXPECT_EQ(OddWith(3, {2}), 3u);
  EXPECT_EQ(OddWith(15, {2}), 15u);
  EXPECT_EQ(OddWith(16, {2, 3, 4, 5}), std::nullopt) << "the device changes it";
  EXPECT_EQ(OddWith(20, {2}), std::nullopt) << "an action may do anything to it";
  EXPECT_EQ(OddWith(24, {2, 3}), std::nullopt) << "nothing is known of it";
  model_.Write(0, Bytes{7, 7, 7, 7});
  EXPECT_EQ(OddWith(0, {7, 7, 7, 7}), 0u);
  EXPECT_EQ(model_.Expected(0, 7), 1);
}

TEST_F(ConfigModelTest, WritesThatAreARightAreTaken) {
  model_.Write(12, Bytes{7, 8, 9, 10});
  EXPECT_EQ(OddWith(12, {7, 8, 9, 10}), std::nullopt);
  EXPECT_EQ(OddWith(12, {7, 1, 9, 10}), 13u);
  EXPECT_EQ(OddWith(12, {1, 1, 1, 1}), 12u);
  model_.Write(4, Bytes{5, 0, 0, 0});
  EXPECT_EQ(model_.FirstOdd(4, Bytes{5, 0, 0, 0}), std::nullopt);
  EXPECT_EQ(model_.FirstOdd(4, Bytes{6, 0, 0, 0}), 4u);
}

TEST_F(ConfigModelTest, OtherWritesMayBeTakenOrNot) {
  model_.Write(10, Bytes{7, 8, 9, 10});
  EXPECT_EQ(OddWith(10, {7, 8, 9, 10}), std::nullopt);
  EXPECT_EQ(OddWith(10, {1, 1, 1, 1}), std::nullopt);
  EXPECT_EQ(OddWith(10, {7, 7, 9, 10}), 11u);
  model_.Write(12, Bytes{3, 3, 3, 3});
  EXPECT_EQ(OddWith(12, {3, 3, 3, 3}), std::nullopt);
  EXPECT_EQ(OddWith(12, {9, 10, 3, 3}), 12u) << "what was written last counts";
}

TEST_F(ConfigModelTest, ValuesOutOfRangeMayBecomeAnything) {
  model_.Write(4, Bytes{10, 0, 0, 0});
  EXPECT_EQ(model_.FirstOdd(4, Bytes{99, 98, 97, 96}), std::nullopt);
  model_.Observe(4, Bytes{2, 0, 0, 0});
  EXPECT_EQ(model_.FirstOdd(4, Bytes{3, 0, 0, 0}), 4u);
}

TEST(LegalValue, IsAnotherOneOfTheFields) {
  ProfileField field = Field(0, 2, FieldAccess::kReadWrite);
  EXPECT_EQ(LegalValue(field, 0x12345, 0), 0x2345u);
  EXPECT_EQ(LegalValue(field, 5, 5), 0xfffau);
  field.values = {{0, 1}, {7, 7}};
  EXPECT_EQ(LegalValue(field, 7, 0), 7u);
  EXPECT_EQ(LegalValue(field, 9, 0), 1u);
  EXPECT_EQ(LegalValue(field, 9, 1), 0u);
  field.values = {{3, 3}};
  EXPECT_EQ(LegalValue(field, 9, 3), std::nullopt);
}

// Of a thousand steps.
TEST(ConfigFuzz, IsReproducibleAndTriesEverything) {
  const ConfigTarget target{26, Fields()};
  const ConfigModel model(Fields(), 26);
  std::set<ConfigStep::Kind> kinds;
  std::set<uint32_t> widths;
  std::set<LifeStage> stages;
  int rights = 0, beyond = 0;
  const Choose choose = ChooseBySeed(7), again = ChooseBySeed(7), other = ChooseBySeed(8);
  bool differs = false;
  for (int i = 0; i < 1000; ++i) {
    const ConfigStep step = NextConfigStep(choose, target), same = NextConfigStep(again, target);
    EXPECT_EQ(step.bytes, same.bytes);
    EXPECT_EQ(step.offset, same.offset);
    differs = differs || NextConfigStep(other, target).offset != step.offset;
    kinds.insert(step.kind);
    if (step.kind == ConfigStep::Kind::kLife) stages.insert(step.stage);
    if (step.kind != ConfigStep::Kind::kWrite) continue;
    EXPECT_EQ(step.bytes.size(), step.width);
    widths.insert(step.width);
    rights += model.IsDriversRight(step.offset, step.width);
    beyond += uint64_t{step.offset} + step.width > target.size;
  }
  EXPECT_TRUE(differs);
  EXPECT_EQ(kinds.size(), 6u);
  EXPECT_EQ(stages.size(), 5u);
  EXPECT_THAT(widths, testing::ElementsAre(1, 2, 4, 8));
  EXPECT_GT(rights, 100);
  EXPECT_GT(beyond, 10);
}

// Whatever there is to know of a space, and whatever is chosen.
TEST(ConfigFuzz, TakesAnyTarget) {
  for (const uint32_t size : {0u, 1u, 3u, 256u})
    for (const uint64_t chosen : {uint64_t{0}, UINT64_MAX}) {
      const Choose choose = [&](uint64_t bound) { return chosen % bound; };
      const ConfigStep step = NextConfigStep(choose, {size, {}});
      EXPECT_LE(step.width, 8u);
    }
}

}  // namespace
}  // namespace vitro
