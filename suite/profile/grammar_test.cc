// SPDX-License-Identifier: Apache-2.0
// What the grammars promise the checks, for each type that they know.
#include "suite/profile/grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "harness/virtio/blk.h"
#include "harness/virtio/device_id.h"
#include "harness/virtio/experimental.h"

namespace vitro {
namespace {

using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

DeviceFacts Facts(uint32_t device_id, const std::string& name = "") {
  DeviceFacts facts;
  facts.device_id = device_id;
  facts.name = name;
  facts.queue_count = 2;
  return facts;
}

DeviceFacts Blk(uint64_t capacity, FeatureSet offered = {}) {
  DeviceFacts facts = Facts(device_id::kBlk);
  facts.config = LeBytes(capacity, 8);
  facts.config_size = 8;
  facts.offered = offered;
  return facts;
}

std::vector<DeviceFacts> AllTypes() {
  DeviceFacts learned = Facts(60000);
  learned.learned = {{0, 64, 64}, {1, 64, 0}};
  return {Blk(2048),
          Blk(1),
          Blk(2048, {blk::kFeatureRo}),
          Blk(2048, {blk::kFeatureZoned}),
          Facts(device_id::kEntropy),
          Facts(device_id::kNet),
          Facts(device_id::kExperimental, experimental::kName),
          learned};
}

void ExpectSound(const Exchange& exchange) {
  SCOPED_TRACE(exchange.what);
  EXPECT_FALSE(exchange.what.empty());
  EXPECT_GT(exchange.readable.size() + exchange.writable, 0u) << "a chain has at least one byte";
  EXPECT_LE(exchange.least_length, exchange.writable);
  if (exchange.expected) {
    EXPECT_EQ(exchange.expected->size(), exchange.writable);
  }
}

TEST(Grammar, EveryExchangeIsSound) {
  for (const DeviceFacts& facts : AllTypes()) {
    const auto grammar = MakeGrammar(facts);
    ASSERT_NE(grammar, nullptr) << facts.device_id;
    SCOPED_TRACE(grammar->name());
    for (const Exchange& exchange : grammar->Preparation()) ExpectSound(exchange);
    for (const Exchange& exchange : grammar->Tour()) ExpectSound(exchange);
    EXPECT_FALSE(grammar->Tour().empty());
    for (uint64_t n : {uint64_t{0}, uint64_t{1}, uint64_t{70000}, UINT64_MAX}) {
      ExpectSound(grammar->Request(n));
      for (uint32_t queue = 0; queue < 4; ++queue)
        if (const auto exchange = grammar->RequestOn(queue, n)) {
          ExpectSound(*exchange);
          EXPECT_EQ(exchange->queue, queue);
        }
    }
    const uint32_t queue = grammar->Request(0).queue;
    EXPECT_TRUE(grammar->RequestOn(queue, 0)) << "the request queue serves requests";
    for (uint32_t bytes : {1u, 512u, 70000u}) {
      if (const auto exchange = grammar->LargeAnswer(bytes)) {
        ExpectSound(*exchange);
        EXPECT_GE(exchange->writable, bytes);
      }
      if (const auto exchange = grammar->LargeRequest(bytes)) {
        ExpectSound(*exchange);
        EXPECT_GE(exchange->readable.size(), bytes);
      }
    }
  }
}

TEST(Grammar, NoTypeNoGrammar) {
  EXPECT_EQ(MakeGrammar(Facts(0)), nullptr);
  EXPECT_EQ(MakeGrammar(Facts(60000)), nullptr);
  EXPECT_EQ(MakeGrammar(Facts(device_id::kExperimental, "somebody else's")), nullptr)
      << "the id is for everybody's experiments";
}

TEST(Grammar, TheSameRequestIsTheSame) {
  for (const DeviceFacts& facts : AllTypes()) {
    const auto one = MakeGrammar(facts), other = MakeGrammar(facts);
    EXPECT_EQ(one->Request(5).readable, other->Request(5).readable);
    EXPECT_EQ(one->Request(5).expected, other->Request(5).expected);
  }
}

// Reads return what the preparation wrote.
TEST(BlkGrammar, AnswersAreTheDataThatWasWritten) {
  for (uint64_t capacity : {1, 2, 2048}) {
    const auto grammar = MakeGrammar(Blk(capacity));
    const auto preparation = grammar->Preparation();
    ASSERT_THAT(preparation, SizeIs(1));
    const Bytes& write = preparation[0].readable;
    EXPECT_EQ(LoadLe<uint32_t>(write.data()), blk::kTypeOut);
    const uint64_t sectors = (write.size() - blk::kRequestHeaderSize) / blk::kSectorSize;
    EXPECT_LE(sectors, capacity);
    std::set<Bytes> answers;
    for (uint64_t n = 0; n < 10; ++n) {
      const Exchange read = grammar->Request(n);
      EXPECT_EQ(LoadLe<uint32_t>(read.readable.data()), blk::kTypeIn);
      const auto sector = LoadLe<uint64_t>(read.readable.data() + blk::kRequestSector);
      ASSERT_LT(sector, sectors);
      const auto from = write.begin() + static_cast<std::ptrdiff_t>(blk::kRequestHeaderSize +
                                                                    sector * blk::kSectorSize);
      Bytes expected(from, from + blk::kSectorSize);
      expected.push_back(blk::kStatusOk);
      EXPECT_EQ(read.expected, expected);
      answers.insert(expected);
    }
    EXPECT_EQ(answers.size(), sectors) << "different requests, different answers";
  }
}

TEST(BlkGrammar, LargeRequestsLeaveTheSmallOnesRight) {
  const auto grammar = MakeGrammar(Blk(2048));
  const Exchange write = grammar->LargeRequest(5000).value();
  const Exchange read = grammar->LargeAnswer(5000).value();
  EXPECT_EQ(write.readable.size(), blk::kRequestHeaderSize + 5120);
  EXPECT_EQ(Bytes(write.readable.begin() + blk::kRequestHeaderSize, write.readable.end()),
            Bytes(read.expected->begin(), read.expected->end() - 1));
  const Bytes prepared = grammar->Preparation()[0].readable;
  EXPECT_TRUE(std::equal(prepared.begin() + blk::kRequestHeaderSize, prepared.end(),
                         write.readable.begin() + blk::kRequestHeaderSize));
  EXPECT_EQ(MakeGrammar(Blk(4))->LargeRequest(5000), std::nullopt) << "beyond its capacity";
}

TEST(BlkGrammar, AReadOnlyDiskIsNotWritten) {
  const auto grammar = MakeGrammar(Blk(2048, {blk::kFeatureRo}));
  EXPECT_THAT(grammar->Preparation(), IsEmpty());
  EXPECT_EQ(grammar->LargeRequest(512), std::nullopt);
  EXPECT_EQ(grammar->Request(0).expected, std::nullopt) << "what is on it is not known";
}

TEST(BlkGrammar, ServesEachOfItsQueues) {
  const auto grammar = MakeGrammar(Blk(2048));
  EXPECT_TRUE(grammar->RequestOn(1, 3));
  EXPECT_EQ(grammar->RequestOn(2, 3), std::nullopt);
}

TEST(BlkGrammar, ClaimsOfADeviceAreNotTrusted) {
  DeviceFacts facts = Blk(0);
  EXPECT_THAT(MakeGrammar(facts)->Tour(), Not(IsEmpty()));
  facts.config.clear();
  facts.queue_count = 0;
  EXPECT_TRUE(MakeGrammar(facts)->RequestOn(0, 0));
  facts = Blk(UINT64_MAX);
  EXPECT_LT(MakeGrammar(facts)->Preparation()[0].readable.size(), 10000u);
}

TEST(NetGrammar, TransmitsOnTheSecondQueue) {
  const Exchange frame = MakeGrammar(Facts(device_id::kNet))->Request(0);
  EXPECT_EQ(frame.queue, 1u);
  EXPECT_EQ(frame.writable, 0u);
  EXPECT_EQ(frame.readable.size(), 12 + 60u);
}

TEST(ExperimentalGrammar, EchoesAreForeseen) {
  const auto grammar = MakeGrammar(Facts(device_id::kExperimental, experimental::kName));
  const Exchange echo = grammar->Request(9);
  ASSERT_TRUE(echo.expected);
  const size_t length = echo.readable.size() - experimental::kEchoHeaderSize;
  for (size_t i = 0; i < length; ++i)
    EXPECT_EQ((*echo.expected)[i] ^ experimental::kEchoMask,
              echo.readable[experimental::kEchoHeaderSize + i]);
  EXPECT_EQ(echo.expected->back(), experimental::kStatusOk);
}

TEST(LearnedGrammar, RepeatsTheShapesThatWereUsed) {
  DeviceFacts facts = Facts(60000);
  facts.learned = {{1, 64, 0}, {3, 0, 32}};
  const auto grammar = MakeGrammar(facts);
  EXPECT_EQ(grammar->Request(0).queue, 1u);
  EXPECT_EQ(grammar->Request(0).readable, Bytes(64));
  EXPECT_EQ(grammar->RequestOn(3, 0)->writable, 32u);
  EXPECT_EQ(grammar->RequestOn(0, 0), std::nullopt);
  EXPECT_EQ(grammar->Request(0).expected, std::nullopt);
}

}  // namespace
}  // namespace vitro
