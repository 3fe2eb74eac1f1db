// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/profile_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/virtio/device_id.h"
#include "suite/profile/built_in.h"
#include "suite/profile/profile_parser.h"

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

// One of each thing that a request may have.
constexpr const char* kLamp = R"(
schema = 1
id = 65534
name = "lamp"
title = "Lamp"

[[feature]]
bit = 0
name = "DIM"
gates = ["request dim"]

[[feature]]
bit = 1
name = "LONG"
gates = ["behaviour answers are longer"]

[[field]]
name = "lamps"
offset = 0
width = 2
access = "ro"

[[queue]]
name = "lampq"
index = "n"
count = "lamps"
direction = "requests"

[[request]]
name = "break"
queue = "lampq"
readable = [{ name = "opcode", width = 4, values = [9] }]

[[request]]
name = "tint"
queue = "lampq"
readable = [
  { name = "opcode", width = 2, values = [7] },
  { name = "lamps", width = 2, field = "lamps" },
  { name = "size", width = 2, length_of = "tone" },
  { name = "pick", width = 1, values = [1, "4-5"] },
  { name = "zeros", length = 3, values = [0] },
  { name = "tone", length = [2, 300], values = ["0x61-0x7a"] },
]
writable = [
  { name = "tone", length = [2, 300], echo_of = "tone", mask = 0xff },
  { name = "long", width = 4, values = [0x01020304], feature = ["LONG"] },
  { name = "status", width = 1, values = [0] },
]
least_length = 305
harmless = true

[[request]]
name = "ask"
queue = "lampq"
writable = [
  { name = "watts", width = 2, values = ["5-60"] },
  { name = "any", width = 4 },
  { name = "zeros", length = 2, values = [0] },
]
harmless = true

[[request]]
name = "dim"
queue = "lampq"
feature = ["DIM"]
readable = [{ name = "opcode", width = 2, values = [8] }]
harmless = true
)";

const Profile& Lamp() {
  static const Profile lamp = ParseProfile("lamp.toml", kLamp).value();
  return lamp;
}

DeviceFacts Facts(uint32_t device_id, FeatureSet offered = {}, Bytes config = {}) {
  DeviceFacts facts;
  facts.device_id = device_id;
  facts.offered = offered;
  facts.queue_count = 8;
  facts.config = std::move(config);
  facts.config_size = static_cast<uint32_t>(facts.config.size());
  return facts;
}

DeviceFacts OfType(const char* name, FeatureSet offered = {}, Bytes config = {}) {
  return Facts(DeviceTypeFromName(name).value(), offered, std::move(config));
}

TEST(ProfileGrammar, MakesBytesOfParts) {
  const auto grammar = MakeProfileGrammar(Lamp(), Facts(65534, {}, {3, 0}));
  ASSERT_NE(grammar, nullptr);
  const Exchange tint = grammar->Request(2);
  ASSERT_THAT(tint.readable, SizeIs(10 + 4));
  EXPECT_EQ(Bytes(tint.readable.begin(), tint.readable.begin() + 10),
            (Bytes{7, 0, 3, 0, 4, 0, 5, 0, 0, 0}));
  EXPECT_EQ(tint.writable, 5u);
  ASSERT_TRUE(tint.expected);
  for (size_t i = 0; i < 4; ++i) {
    const uint8_t sent = tint.readable[10 + i];
    EXPECT_GE(sent, 'a');
    EXPECT_LE(sent, 'z');
    EXPECT_EQ((*tint.expected)[i], sent ^ 0xff);
  }
  EXPECT_EQ(tint.expected->back(), 0);
  EXPECT_EQ(tint.least_length, 5u) << "all of it, as there is less than the least";
  EXPECT_THAT(tint.answer, IsEmpty()) << "all of it is foreseen";
}

TEST(ProfileGrammar, RequestsDiffer) {
  const auto grammar = MakeProfileGrammar(Lamp(), Facts(65534, {}, {1, 0}));
  std::set<Bytes> seen;
  std::set<uint8_t> picks;
  for (uint64_t n = 0; n < 61; ++n) {
    seen.insert(grammar->Request(n).readable);
    picks.insert(grammar->Request(n).readable[6]);
  }
  EXPECT_THAT(seen, SizeIs(61));
  EXPECT_THAT(picks, ElementsAre(1, 4, 5));
}

TEST(ProfileGrammar, TellsWhatIsKnownOfAnAnswer) {
  const auto grammar = MakeProfileGrammar(Lamp(), Facts(65534, {}, {1, 0}));
  const Exchange ask = grammar->Tour()[1];
  EXPECT_EQ(ask.what, "ask");
  EXPECT_EQ(ask.expected, std::nullopt);
  ASSERT_THAT(ask.answer, SizeIs(2)) << "of the part `any` nothing is known";
  EXPECT_EQ(ask.answer[0].offset, 0u);
  EXPECT_THAT(ask.answer[0].values, ElementsAre(Pair(5, 60)));
  EXPECT_EQ(ask.answer[1].offset, 6u);
  EXPECT_EQ(ask.answer[1].bytes, (Bytes{0, 0}));
}

TEST(ProfileGrammar, SpeaksAsWasNegotiated) {
  const DeviceFacts facts = Facts(65534, {0, 1}, {1, 0});
  const auto plain = MakeProfileGrammar(Lamp(), facts);
  EXPECT_TRUE(plain->needed_features().empty());
  EXPECT_THAT(plain->Tour(), SizeIs(4)) << "two requests, twice; neither is the harmful one";
  const auto full = MakeProfileGrammar(Lamp(), facts, FeatureSet{0, 1});
  EXPECT_TRUE(full->needed_features().empty()) << "they were negotiated";
  EXPECT_THAT(full->Tour(), SizeIs(6)) << "dim as well";
  EXPECT_EQ(full->Request(0).writable, plain->Request(0).writable + 4);
}

TEST(ProfileGrammar, LargeRequestsGoAsFarAsTheProfile) {
  const auto grammar = MakeProfileGrammar(Lamp(), Facts(65534, {}, {1, 0}));
  EXPECT_EQ(grammar->LargeRequest(200)->readable.size(), 200u);
  EXPECT_EQ(grammar->LargeAnswer(200)->writable, 200u);
  EXPECT_EQ(grammar->LargeRequest(310)->readable.size(), 310u);
  EXPECT_EQ(grammar->LargeRequest(311), std::nullopt);
}

TEST(ProfileGrammar, OnlyQueuesThatAreThereServe) {
  DeviceFacts facts = Facts(65534, {}, {200, 0});
  facts.queue_count = 3;
  facts.queue_max_sizes = {16, 0, 16};
  const auto grammar = MakeProfileGrammar(Lamp(), facts);
  EXPECT_TRUE(grammar->RequestOn(0, 0));
  EXPECT_FALSE(grammar->RequestOn(1, 0)) << "it has no size";
  EXPECT_EQ(grammar->RequestOn(2, 0)->queue, 2u);
  EXPECT_FALSE(grammar->RequestOn(3, 0)) << "the device has no such queue";
  EXPECT_EQ(MakeProfileGrammar(Lamp(), Facts(65534, {}, {0, 0})), nullptr) << "no lamps, no queues";
}

TEST(ProfileGrammar, AProfileOfOnesOwnIsSpoken) {
  DeviceFacts facts = Facts(65534, {}, {1, 0});
  EXPECT_EQ(MakeGrammar(facts), nullptr) << "the type is not built in";
  facts.profile = &Lamp();
  const auto grammar = MakeGrammar(facts);
  ASSERT_NE(grammar, nullptr);
  EXPECT_EQ(grammar->name(), "lamp");
}

// The types of which something may be asked at any time.
TEST(ProfileGrammar, BuiltInTypesThatAreSpoken) {
  std::set<std::string> spoken;
  for (const std::string_view name : BuiltInProfileNames()) {
    const Profile& profile = *BuiltInProfile(name);
    FeatureSet all;
    for (const ProfileFeature& feature : profile.features) all.Add(feature.bit);
    const auto grammar = MakeProfileGrammar(profile, Facts(profile.id, all));
    if (grammar == nullptr) continue;
    spoken.emplace(name);
    for (uint64_t n : {uint64_t{0}, uint64_t{60}, UINT64_MAX})
      for (const Exchange& exchange : {grammar->Request(n), grammar->Tour().back()}) {
        EXPECT_GT(exchange.readable.size() + exchange.writable, 0u) << name;
        EXPECT_LE(exchange.least_length, exchange.writable) << name;
        if (exchange.expected) {
          EXPECT_EQ(exchange.expected->size(), exchange.writable) << name;
        }
        for (const AnswerPart& part : exchange.answer)
          EXPECT_LE(part.offset + part.bytes.size(), exchange.writable) << name;
      }
  }
  EXPECT_THAT(spoken, testing::UnorderedElementsAre("blk", "console", "entropy", "experimental",
                                                    "fs", "gpio", "gpu", "i2c", "mem", "net",
                                                    "pmem", "rtc", "scmi", "scsi", "vsock"));
}

TEST(ProfileGrammar, QueuesAreWhereTheStandardHasThem) {
  EXPECT_EQ(MakeGrammar(OfType("fs"))->Request(0).queue, 1u);
  const DeviceFacts fs = OfType("fs", {0});
  EXPECT_EQ(MakeProfileGrammar(*BuiltInProfile("fs"), fs, FeatureSet{0})->Request(0).queue, 2u);
  EXPECT_EQ(MakeGrammar(OfType("console"))->Request(0).queue, 1u);
  EXPECT_EQ(MakeGrammar(OfType("scsi"))->Request(0).queue, 0u);
  // max_virtqueue_pairs 3: transmitq1 to 3, and then the control queue.
  const Profile& net = *BuiltInProfile("net");
  const DeviceFacts facts = OfType("net", {17, 22, 50}, {0, 0, 0, 0, 0, 0, 0, 0, 3, 0});
  const auto three = MakeProfileGrammar(net, facts, facts.offered);
  EXPECT_TRUE(three->RequestOn(1, 0) && three->RequestOn(3, 0) && three->RequestOn(5, 0));
  EXPECT_FALSE(three->RequestOn(0, 0)) << "receiveq1";
  EXPECT_EQ(three->RequestOn(6, 0)->what, "stats_query");
  const auto one = MakeGrammar(facts);
  EXPECT_TRUE(one->RequestOn(1, 0));
  EXPECT_FALSE(one->RequestOn(3, 0)) << "MQ is not negotiated";
}

TEST(ProfileGrammar, NetHeadersGrowWithFeatures) {
  const Profile& net = *BuiltInProfile("net");
  const auto size = [&](FeatureSet features) {
    return MakeProfileGrammar(net, OfType("net", features), features)->Request(0).readable.size();
  };
  const size_t least = size({});
  EXPECT_EQ(least, 12u + 14 + 46) << "struct virtio_net_hdr, Ethernet, the shortest payload";
  EXPECT_EQ(size({57}), least + 8) << "HASH_REPORT";
  EXPECT_EQ(size({67}), least + 4) << "HOST_UDP_TUNNEL_GSO";
  EXPECT_EQ(size({57, 65, 69, 70}), least + 20) << "all there is: 32 bytes";
}

TEST(ProfileGrammar, NeedsTheFeaturesOfItsRequests) {
  EXPECT_EQ(MakeGrammar(OfType("i2c")), nullptr) << "its one feature is mandatory";
  EXPECT_EQ(MakeGrammar(OfType("i2c", {0}))->needed_features(), FeatureSet{0});
}

TEST(ProfileGrammar, PacketsOfASocketNameTheirSender) {
  const auto vsock = MakeGrammar(OfType("vsock", {}, LeBytes(42, 8)));
  EXPECT_EQ(LoadLe(ByteView(vsock->Request(9).readable).first(8)), 42u);
}

}  // namespace
}  // namespace vitro
