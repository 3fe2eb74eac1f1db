// SPDX-License-Identifier: Apache-2.0
// The built-in profiles against the headers of Linux. What those do not have is not looked at here:
// the types rpmb, rtc and can but for their ids, spi and media, and what was added to the standard
// of late (the lists below count what is left).
#include "suite/profile/linux_layouts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <span>

#include "suite/profile/built_in.h"

namespace vitro {
namespace {

const Profile& BuiltIn(const char* name) {
  const Profile* profile = BuiltInProfile(name);
  if (profile == nullptr) ADD_FAILURE() << "no profile " << name;
  static const Profile kNone;
  return profile == nullptr ? kNone : *profile;
}

TEST(LinuxLayouts, IdsAreThoseOfLinux) {
  for (const LinuxNumber& linux_id : std::span(kLinuxIds, kLinuxIdCount))
    EXPECT_EQ(BuiltIn(linux_id.profile).id, linux_id.value) << linux_id.profile;
}

TEST(LinuxLayouts, FeatureBitsAreThoseOfLinux) {
  for (const LinuxNumber& bit : std::span(kLinuxBits, kLinuxBitCount))
    EXPECT_EQ(BuiltIn(bit.profile).FeatureBit(bit.name), bit.value) << bit.name;
}

TEST(LinuxLayouts, FieldsLieWhereLinuxHasThem) {
  for (const LinuxField& linux_field : std::span(kLinuxFields, kLinuxFieldCount)) {
    SCOPED_TRACE(std::string(linux_field.profile) + " " + linux_field.name);
    const ProfileField* field = BuiltIn(linux_field.profile).FindField(linux_field.name);
    ASSERT_NE(field, nullptr);
    EXPECT_EQ(field->offset, linux_field.offset);
    EXPECT_EQ(field->size(), linux_field.size);
  }
}

// The fields that Linux does not know are those that came after it, by name: one that is only
// called otherwise would escape the test above.
TEST(LinuxLayouts, OnlyNewFieldsAreUnknownToLinux) {
  std::set<std::string> known, types, unknown;
  for (const LinuxField& field : std::span(kLinuxFields, kLinuxFieldCount)) {
    types.insert(field.profile);
    known.insert(std::string(field.profile) + "." + field.name);
  }
  for (const std::string& type : types)
    for (const ProfileField& field : BuiltIn(type.c_str()).fields)
      if (!known.contains(type + "." + field.name)) unknown.insert(type + "." + field.name);
  EXPECT_THAT(unknown, testing::ElementsAre(
                           "blk.max_active_zones", "blk.max_append_sectors", "blk.max_open_zones",
                           "blk.unused2", "blk.write_granularity", "blk.zone_sectors",
                           "blk.zoned_model", "fs.notify_buf_size", "gpu.blob_alignment",
                           "net.supported_tunnel_types", "sound.controls"));
}

TEST(LinuxLayouts, RequestsAreAsLongAsThoseOfLinux) {
  const auto length = [](const std::vector<ProfilePart>& parts) {
    size_t sum = 0;
    for (const ProfilePart& part : parts)
      if (part.exists.empty()) sum += part.least_size();
    return sum;
  };
  for (const LinuxRequest& linux_request : std::span(kLinuxRequests, kLinuxRequestCount)) {
    SCOPED_TRACE(std::string(linux_request.profile) + " " + linux_request.name);
    const ProfileRequest* request = BuiltIn(linux_request.profile).FindRequest(linux_request.name);
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(length(request->readable), linux_request.readable);
    EXPECT_EQ(length(request->writable), linux_request.writable);
  }
}

}  // namespace
}  // namespace vitro
