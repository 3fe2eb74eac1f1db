// SPDX-License-Identifier: Apache-2.0
// The bus that DirectPciFunction plays, around a function that only remembers what reached it.
#include "harness/transport/direct/direct_pci_function.h"

#include <gmock/gmock.h>

#include <vector>

namespace vitro {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Reached {
  uint32_t bar;
  uint64_t offset;
  uint32_t width;
  uint64_t value;
  bool operator==(const Reached&) const = default;
};

// The one instance at a time.
const vitro_host* host;
uint32_t command;
std::vector<Reached> reached;

constexpr vitro_pci_ops kPciOps = {
    sizeof(vitro_pci_ops),
    [](vitro_device*, uint32_t offset, uint32_t) {
      return offset == pci::kCommand ? command : 0xabcdef12;
    },
    [](vitro_device*, uint32_t offset, uint32_t, uint32_t value) {
      if (offset == pci::kCommand) command = value;
    },
    [](vitro_device*, uint32_t, uint64_t offset, uint32_t, uint64_t* value) {
      *value = 0x1122334455667788;
      return offset < 0x100 ? 0 : -1;
    },
    [](vitro_device*, uint32_t bar, uint64_t offset, uint32_t width, uint64_t value) {
      reached.push_back({bar, offset, width, value});
      return 0;
    }};

vitro_device_ops Table() {
  vitro_device_ops ops{};
  ops.size = sizeof ops;
  ops.abi_version = VITRO_ABI_VERSION;
  ops.name = "stub";
  ops.create = [](const vitro_host* to, const char*, vitro_device** device) {
    host = to;
    command = 0;
    reached.clear();
    *device = reinterpret_cast<vitro_device*>(&command);
    return 0;
  };
  ops.destroy = [](vitro_device*) {};
  ops.identity = [](vitro_device*, vitro_identity* identity) { identity->device_id = 2; };
  ops.run = [](vitro_device*) { return 0; };
  ops.pci = &kPciOps;
  return ops;
}

class DirectPciFunctionTest : public testing::Test {
 protected:
  GuestMemory memory = GuestMemory::CreateDefault().value();
  vitro_device_ops ops = Table();
  std::unique_ptr<DirectPciFunction> function = DirectPciFunction::Create(&ops, "", memory).value();
};

TEST_F(DirectPciFunctionTest, ConfigurationSpaceIsCutToTheWidth) {
  EXPECT_EQ(function->ReadConfig(0, 4).value(), 0xabcdef12u);
  EXPECT_EQ(function->ReadConfig(0, 1).value(), 0x12u);
  EXPECT_EQ(function->name(), "stub");
  EXPECT_EQ(function->identity().device_id, 2u);
  EXPECT_TRUE(function->exact_quiet());
}

TEST_F(DirectPciFunctionTest, ABarAnswersOnceItIsMappedAndWhileItIsDecoded) {
  EXPECT_EQ(function->ReadBar(4, 0, 4).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(function->WriteBar(4, 0, 4, 1).error().kind, ErrorKind::kRefused);
  EXPECT_EQ(function->ReadBar(6, 0, 4).error().kind, ErrorKind::kRefused);
  function->BarMapped(4, 0xe0000000, false);
  EXPECT_EQ(function->ReadBar(4, 0, 4).value(), 0xffffffffu);
  ASSERT_TRUE(function->WriteBar(4, 0, 4, 1));
  EXPECT_THAT(reached, IsEmpty());
  ASSERT_TRUE(function->WriteConfig(pci::kCommand, 2, pci::kCommandIo));
  EXPECT_EQ(function->ReadBar(4, 0, 2).value(), 0xffffu);
  ASSERT_TRUE(function->WriteConfig(pci::kCommand, 2, pci::kCommandMemory));
  EXPECT_EQ(function->ReadBar(4, 0, 2).value(), 0x7788u);
  EXPECT_EQ(function->ReadBar(4, 0, 8).value(), 0x1122334455667788u);
  EXPECT_EQ(function->ReadBar(4, 0x100, 8).value(), UINT64_MAX) << "nobody answers there";
  ASSERT_TRUE(function->WriteBar(4, 8, 2, 0x12345));
  EXPECT_THAT(reached, ElementsAre(Reached{4, 8, 2, 0x2345}));
}

TEST_F(DirectPciFunctionTest, AnIoBarIsDecodedByItsOwnBit) {
  function->BarMapped(0, 0xc000, true);
  ASSERT_TRUE(function->WriteConfig(pci::kCommand, 2, pci::kCommandMemory));
  EXPECT_EQ(function->ReadBar(0, 0, 1).value(), 0xffu);
  ASSERT_TRUE(function->WriteConfig(pci::kCommand, 2, pci::kCommandIo));
  EXPECT_EQ(function->ReadBar(0, 0, 1).value(), 0x88u);
}

TEST_F(DirectPciFunctionTest, MessagesAreCountedBySlot) {
  const auto send = [](PciFunction::Message message, uint32_t data_off = 0,
                       uint64_t address_off = 0) {
    host->send_message(host->context, message.address + address_off, message.data + data_off);
  };
  for (unsigned slot : {0u, 5u, PciFunction::kMessageSlots - 1}) {
    send(function->MessageOf(slot));
    send(function->MessageOf(slot));
    EXPECT_EQ(function->TakeMessages(slot), 2u);
    EXPECT_EQ(function->TakeMessages(slot), 0u);
  }
  EXPECT_EQ(function->TakeStrayMessages(), 0u);
  send(function->MessageOf(5), 1);                                   // another slot's data
  send(function->MessageOf(5), 0, 4);                                // between two addresses
  send(function->MessageOf(PciFunction::kMessageSlots - 1), 0, 16);  // beyond the last
  send({0, 0});
  EXPECT_EQ(function->TakeStrayMessages(), 4u);
  EXPECT_EQ(function->TakeStrayMessages(), 0u);
  for (unsigned slot : {4u, 5u, 6u}) EXPECT_EQ(function->TakeMessages(slot), 0u);
}

TEST_F(DirectPciFunctionTest, TheLineHasALevelAndEdges) {
  EXPECT_FALSE(function->LineAsserted().value());
  for (int level : {1, 1, 0, 1}) host->set_line(host->context, level);
  EXPECT_TRUE(function->LineAsserted().value());
  EXPECT_EQ(function->TakeLineRises(), 2u);
  EXPECT_EQ(function->TakeLineRises(), 0u);
  host->set_line(host->context, 0);
  EXPECT_FALSE(function->LineAsserted().value());
}

TEST_F(DirectPciFunctionTest, WhatItCannotDoIsSaid) {
  EXPECT_THAT(function->WhyNoStimulus(), HasSubstr("stimulate_config_change"));
  host->log(host->context, "a line");
  EXPECT_EQ(function->DeviceLog(), "a line");
}

TEST(DirectLevels, ATableNeedsTheOperationsOfOneLevel) {
  vitro_device_ops ops = Table();
  EXPECT_TRUE(DirectDevice::CheckOps(&ops));
  EXPECT_EQ(DirectDevice::WhyNot(&ops, DirectLevel::kPci), "");
  EXPECT_EQ(DirectDevice::WhyNot(&ops, DirectLevel::kCore),
            "the device library cannot be driven at level core: it has no operation "
            "'offered_features'");
  EXPECT_THAT(DirectDevice::WhyNot(&ops, DirectLevel::kMmio), HasSubstr("level mmio"));
  // As an author compiled it before there were levels: what lies beyond is not read.
  ops.size = offsetof(vitro_device_ops, pci);
  EXPECT_THAT(DirectDevice::CheckOps(&ops).error().message, HasSubstr("'offered_features'"));
  ops = Table();
  ops.run = nullptr;
  EXPECT_THAT(DirectDevice::CheckOps(&ops).error().message, HasSubstr("no operation 'run'"));
  ops = Table();
  vitro_pci_ops pci = kPciOps;
  pci.bar_read = nullptr;
  ops.pci = &pci;
  EXPECT_THAT(DirectDevice::WhyNot(&ops, DirectLevel::kPci), HasSubstr("'pci->bar_read'"));
}

}  // namespace
}  // namespace vitro
