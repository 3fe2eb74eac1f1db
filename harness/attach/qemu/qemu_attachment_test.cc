// SPDX-License-Identifier: Apache-2.0
// qemu: attach strings: what each mistake is told as, with programs that are no QEMU.
#include "harness/attach/qemu/qemu_attachment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "harness/attach/process.h"
#include "harness/attach/qemu/back_ends.h"

namespace vitro {
namespace {

using qemu::BackEnd;
using qemu::MakeBackEnd;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class QemuAttachmentTest : public testing::Test {
 protected:
  // A program that takes QEMU's arguments.
  std::string Program(const std::string& script) {
    const std::string path = scratch_.path() + "/qemu";
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    chmod(path.c_str(), 0700);
    return "qemu=" + path;
  }
  // Why a device could not be had: at once, or when it is attached.
  Error ErrorOf(const std::string& text) {
    auto attachment = OpenAttachment(text);
    if (!attachment) return attachment.error();
    EXPECT_TRUE((*attachment)->independent());
    auto memory = GuestMemory::CreateDefault().value();
    auto transport = (*attachment)->Attach(memory);
    return transport ? Error{ErrorKind::kHarness, "attached"} : transport.error();
  }

  ScratchDirectory scratch_ = ScratchDirectory::Create().value();
};

TEST_F(QemuAttachmentTest, WrongOptionsAreUsageErrors) {
  const struct {
    const char *text, *message;
  } cases[] = {
      {"qemu:", "is missing after 'qemu:'"},
      {"qemu:a b", "'a b' is not a device"},
      {"qemu:virtio-blk-pci,machine=virt", "machine=virt is none of q35, pc, microvm"},
      {"qemu:virtio-blk-pci,accel=kvm", "accel=kvm is none of tcg, qtest"},
      {"qemu:virtio-blk-pci,machine=microvm", "takes virtio-blk-device, not virtio-blk-pci"},
      {"qemu:virtio-blk-device,machine=q35", "virtio-blk-device is a device for machine=microvm"},
      {"qemu:virtio-blk-device,port=1", "are for PCI functions"},
      {"qemu:virtio-blk-device,interface=legacy", "are for PCI functions"},
      {"qemu:virtio-blk-pci,machine=pc,port=1", "only machine=q35"},
      {"qemu:virtio-blk-pci,port=2", "port=2 is none of 0, 1"},
      {"qemu:virtio-blk-pci,port=1,addr=3", "addr= has no sense"},
      {"qemu:virtio-blk-pci,bus=pcie.0", "bus is chosen here"},
      {"qemu:virtio-blk-pci,addr=20", "addr=20 is not a slot"},
      {"qemu:virtio-blk-pci,addr=4.8", "addr=4.8 is not a slot"},
      {"qemu:virtio-blk-pci,addr=x", "addr=x is not a slot"},
      {"qemu:virtio-blk-pci,timeout=0", "timeout=0 is not a number"},
      {"qemu:virtio-blk-pci,timeout=1s", "timeout=1s is not a number"},
      {"qemu:virtio-blk-pci,args='", "open ' quote"},
      {"qemu:vhost-user-fs-pci", "give it a back end"},
      {"qemu:virtio-blk-pci,stimulus=pull", "stimulus=pull is none of unplug"},
      {"qemu:virtio-blk-pci,stimulus=unplug", "the root bus of machine=q35 lets no device go"},
      {"qemu:virtio-blk-device,stimulus=unplug", "machine=microvm lets no device go"},
  };
  for (const auto& wrong : cases) {
    const Error error = ErrorOf(wrong.text);
    EXPECT_EQ(error.kind, ErrorKind::kUsage) << wrong.text;
    EXPECT_THAT(error.message, HasSubstr(wrong.message)) << wrong.text;
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
  }
}

TEST_F(QemuAttachmentTest, TellsThatThereIsNoQemu) {
  const Error error = ErrorOf("qemu:virtio-blk-pci,qemu=/nowhere/qemu-system-x86_64");
  EXPECT_EQ(error.kind, ErrorKind::kAttach);
  EXPECT_THAT(error.message,
              HasSubstr("there is no QEMU: cannot execute '/nowhere/qemu-system-x86_64'"));
}

TEST_F(QemuAttachmentTest, TellsThatAProgramIsNoQemu) {
  Error error = ErrorOf("qemu:virtio-blk-pci," + Program("exit 0"));
  EXPECT_EQ(error.kind, ErrorKind::kAttach);
  EXPECT_THAT(error.message, HasSubstr("neither the tcg nor the qtest accelerator"));
  error = ErrorOf("qemu:virtio-blk-pci," + Program("echo broken >&2; exit 3"));
  EXPECT_EQ(error.kind, ErrorKind::kAttach);
  EXPECT_THAT(error.message, HasSubstr("exited with code 3; it printed: broken"));
}

TEST_F(QemuAttachmentTest, ShowsWhatADeviceThatDoesNotStartPrints) {
  const Error error = ErrorOf("qemu:virtio-blk-pci,accel=tcg," +
                              Program("echo 'qemu: no such property' >&2; exit 1"));
  EXPECT_EQ(error.kind, ErrorKind::kAttach);
  EXPECT_EQ(error.message, "QEMU does not start this device: qemu: no such property");
}

TEST_F(QemuAttachmentTest, ASilentQemuIsNotWaitedForForEver) {
  const Error error =
      ErrorOf("qemu:virtio-blk-pci,accel=tcg,timeout=50," + Program("exec tail -f /dev/null"));
  EXPECT_EQ(error.kind, ErrorKind::kAttach);
  EXPECT_THAT(error.message, HasSubstr("QEMU does not answer: "));
}

TEST(BackEnds, FamiliesAreFoundByAnyOfTheirNames) {
  for (const char* name : {"virtio-blk", "virtio-blk-pci", "virtio-blk-device",
                           "virtio-blk-pci-transitional", "virtio-blk-pci-non-transitional"})
    EXPECT_EQ(qemu::FamilyOf(name), "virtio-blk");
  EXPECT_EQ(qemu::FamilyOf("virtio-vga"), "virtio-vga");
}

TEST(BackEnds, TheUsersOwnIsLeftAlone) {
  const BackEnd made = MakeBackEnd("virtio-blk-pci", {}).value();
  EXPECT_EQ(made.properties.at("drive"), "vitro-disk");
  EXPECT_EQ(made.stimulus, qemu::Stimulus::kGrowDisk);
  const BackEnd own = MakeBackEnd("virtio-blk-pci", {{"drive", "mine"}}).value();
  EXPECT_THAT(own.properties, IsEmpty());
  EXPECT_THAT(own.arguments, IsEmpty());
  EXPECT_EQ(own.stimulus, qemu::Stimulus::kNone);
  EXPECT_THAT(own.why_no_stimulus, HasSubstr("the user's own"));
  const BackEnd net = MakeBackEnd("virtio-net-pci", {{"netdev", "mine"}}).value();
  EXPECT_EQ(net.stimulus, qemu::Stimulus::kToggleLink) << "that changes nothing behind it";
}

TEST(BackEnds, WhereNothingCanBeChangedItIsSaidWhy) {
  for (const char* name : {"virtio-rng-pci", "virtio-serial-pci", "virtio-gpu-pci", "virtio-foo",
                           "vhost-user-blk-pci"})
    EXPECT_NE(MakeBackEnd(name, {})->why_no_stimulus, "") << name;
}

TEST(BackEnds, AttachStringsAreOfWhatIsThere) {
  const auto strings =
      qemu::AttachStringsOf([](const std::string& type, const std::string& property) {
        return type == "virtio-blk-pci" || type == "virtio-blk-pci-non-transitional" ||
               (type == "virtio-rng-pci" && property.empty()) || type == "virtio-rng-device";
      });
  EXPECT_EQ(strings, (std::vector<std::string>{
                         "qemu:virtio-blk-pci-non-transitional",
                         "qemu:virtio-blk-pci-non-transitional,packed=on",
                         "qemu:virtio-blk-pci-non-transitional,vectors=0", "qemu:virtio-rng-pci",
                         "qemu:virtio-rng-pci,packed=on", "qemu:virtio-rng-device",
                         "qemu:virtio-rng-device,packed=on"}));
}

}  // namespace
}  // namespace vitro
