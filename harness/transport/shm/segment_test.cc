// SPDX-License-Identifier: Apache-2.0
// What stands in a segment is refused with a reason unless all of it fits.
#include "harness/transport/shm/segment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "harness/base/unique_fd.h"

namespace vitro {
namespace {

constexpr uint64_t kSize = 1 << 20;

vitro_shm_header GoodHeader() {
  vitro_shm_header header{};
  header.magic = VITRO_SHM_MAGIC;
  header.version = VITRO_SHM_VERSION;
  header.total_size = kSize;
  header.event_capacity = 64;
  header.operations = UINT64_MAX;
  header.control = {0x100, sizeof(vitro_shm_control)};
  header.mailbox = {0x200, sizeof(vitro_shm_mailbox)};
  header.events = {0x400, sizeof(vitro_shm_events) + 64 * sizeof(vitro_shm_event)};
  header.log = {0x1000, 0x1000};
  header.memory = {0x10000, 0x20000};
  return header;
}

struct Lie {
  const char* name;
  std::function<void(vitro_shm_header&)> tell;
  const char* reason;
};

const Lie kLies[] = {
    {"WrongMagic", [](auto& h) { h.magic = 0x1234; },
     "it is none of Vitro's: it begins with 0x1234"},
    {"NewerVersion", [](auto& h) { h.version = 2; }, "its layout has version 2, this Vitro has 1"},
    {"OlderVersion", [](auto& h) { h.version = 0; }, "its layout has version 0, this Vitro has 1"},
    {"Truncated", [](auto& h) { h.total_size = kSize + 1; },
     "it is truncated: it says 1048577 bytes and has 1048576"},
    {"Huge", [](auto& h) { h.total_size = UINT64_MAX; }, "it is truncated"},
    {"NoSuchLevel", [](auto& h) { h.level = 3; }, "it has level 3, which is not defined"},
    {"NoEvents", [](auto& h) { h.event_capacity = 0; }, "its ring has 0 events"},
    {"OddEvents", [](auto& h) { h.event_capacity = 63; }, "its ring has 63 events"},
    {"ManyEvents", [](auto& h) { h.event_capacity = 1u << 31; }, "its ring has 2147483648 events"},
    {"MoreEventsThanRoom", [](auto& h) { h.event_capacity = 128; }, "the part 'events' has"},
    {"NoOpen", [](auto& h) { h.operations = 0; }, "it does not serve the requests OPEN"},
    {"PartBeyondEnd", [](auto& h) { h.memory.offset = kSize; }, "the part 'memory' at 0x100000"},
    {"PartTooLong", [](auto& h) { h.memory.size = kSize; }, "is not within its 0x100000 bytes"},
    {"SumWraps",
     [](auto& h) {
       h.memory = {0x10000, UINT64_MAX - 0xffff};
     },
     "is not within"},
    {"OffsetWraps",
     [](auto& h) {
       h.log = {UINT64_MAX - 63, 64};
     },
     "is not within"},
    {"PartInHeader", [](auto& h) { h.control.offset = 0x40; }, "is not within"},
    {"UnalignedWords", [](auto& h) { h.mailbox.offset += 4; }, "no multiple of 64"},
    {"UnalignedMemory", [](auto& h) { h.memory.offset += 64; }, "no multiple of 4096"},
    {"ShortMailbox", [](auto& h) { h.mailbox.size -= 1; }, "the part 'mailbox' has"},
    {"ShortControl", [](auto& h) { h.control.size = 0; }, "the part 'control' has 0 bytes"},
    {"EmptyLog", [](auto& h) { h.log.size = 4; }, "the part 'log' has 4 bytes"},
    {"NoMemory", [](auto& h) { h.memory.size = 0; }, "the part 'memory' has 0 bytes"},
    {"Overlap", [](auto& h) { h.log.offset = 0x200; }, "overlap"},
    {"OneInAnother",
     [](auto& h) {
       h.log = {0x10040, 0x40};
     },
     "the parts 'memory' and 'log' overlap"},
    {"SamePlace", [](auto& h) { h.control.offset = h.mailbox.offset; }, "overlap"},
};

class Lies : public testing::TestWithParam<Lie> {};
INSTANTIATE_TEST_SUITE_P(All, Lies, testing::ValuesIn(kLies),
                         [](const auto& each) { return each.param.name; });

TEST_P(Lies, AreRefusedWithAReason) {
  vitro_shm_header header = GoodHeader();
  ASSERT_TRUE(CheckShmHeader(header, kSize)) << CheckShmHeader(header, kSize).error().message;
  GetParam().tell(header);
  const auto checked = CheckShmHeader(header, kSize);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::kAttach);
  EXPECT_NE(checked.error().message.find(GetParam().reason), std::string::npos)
      << checked.error().message;
}

// Of every byte of the header, 256 values: whatever passes lies within the segment.
TEST(ShmHeader, WhatPassesIsWithinTheSegment) {
  for (size_t at = 0; at < sizeof(vitro_shm_header); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      vitro_shm_header header = GoodHeader();
      reinterpret_cast<uint8_t*>(&header)[at] = static_cast<uint8_t>(value);
      if (!CheckShmHeader(header, kSize)) continue;
      for (const vitro_shm_part& part :
           {header.control, header.mailbox, header.events, header.log, header.memory})
        ASSERT_LE(part.offset + part.size, kSize) << "byte " << at << " = " << value;
    }
  }
}

class SegmentFile : public testing::Test {
 protected:
  ~SegmentFile() override { shm_unlink(name_.c_str()); }
  void Make(const vitro_shm_header& header, uint64_t size) {
    const UniqueFd fd(shm_open(name_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    ASSERT_TRUE(fd);
    ASSERT_EQ(ftruncate(fd.get(), static_cast<off_t>(size)), 0);
    ASSERT_EQ(pwrite(fd.get(), &header, std::min<uint64_t>(size, sizeof header), 0),
              static_cast<ssize_t>(std::min<uint64_t>(size, sizeof header)));
  }
  Error Refusal() {
    auto segment = ShmSegment::Open(name_);
    EXPECT_FALSE(segment);
    return segment ? Error{} : segment.error();
  }

  const std::string name_ = fmt::format("/vitro-segment-test-{}", getpid());
};

TEST_F(SegmentFile, IsMappedWhereItFits) {
  vitro_shm_header header = GoodHeader();
  std::memset(header.name, 'x', sizeof header.name);  // no end
  header.name[3] = '\n';
  Make(header, kSize);
  auto segment = ShmSegment::Open(name_.substr(1));
  ASSERT_TRUE(segment) << segment.error().message;
  EXPECT_EQ(std::string((*segment)->header().name), "xxx?" + std::string(59, 'x'));
  EXPECT_EQ(reinterpret_cast<uint8_t*>(&(*segment)->mailbox()), (*segment)->base() + 0x200);
  EXPECT_EQ((*segment)->log_room(), 0x1000 - sizeof(vitro_shm_log));
}

TEST_F(SegmentFile, IsRefusedWhereItsFileIsShort) {
  Make(GoodHeader(), kSize - 1);
  EXPECT_NE(Refusal().message.find("it is truncated: it says 1048576 bytes and has 1048575"),
            std::string::npos)
      << Refusal().message;
  Make(GoodHeader(), sizeof(vitro_shm_header) - 1);
  EXPECT_EQ(Refusal().kind, ErrorKind::kAttach);
}

TEST_F(SegmentFile, MayStillComeWhileItIsNotThere) {
  EXPECT_EQ(Refusal().kind, ErrorKind::kTimeout);
  Make({}, 0);
  EXPECT_EQ(Refusal().kind, ErrorKind::kTimeout);
  Make({}, kSize);  // its magic is written last
  EXPECT_EQ(Refusal().kind, ErrorKind::kTimeout);
}

TEST(SegmentName, IsOneWord) {
  for (const char* name : {"mydev", "/mydev", "/my.dev", "..."})
    EXPECT_TRUE(ShmSegment::CheckName(name)) << name;
  for (const char* name : {"", "/", "/a/b", "a/b", ".", "..", "/.."})
    EXPECT_FALSE(ShmSegment::CheckName(name)) << name;
}

}  // namespace
}  // namespace vitro
