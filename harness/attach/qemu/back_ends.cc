// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/qemu/back_ends.h"

namespace vitro::qemu {
namespace {

constexpr uint64_t kMiB = 1 << 20;

const std::vector<std::string> kDisk = {
    "-blockdev", "driver=file,node-name=vitro-file,filename={disk},locking=off", "-blockdev",
    "driver=raw,node-name=vitro-disk,file=vitro-file"};

struct Family {
  const char* name;
  // The property by which the user may name a back end; nullptr if there is none to name.
  const char* property;
  BackEnd back_end;
};

const std::vector<Family>& Families() {
  static const std::vector<Family> families = [] {
    const std::string nothing = "no command to QEMU changes this device's config";
    std::vector<Family> list;
    list.push_back({"virtio-blk",
                    "drive",
                    {.arguments = kDisk,
                     .properties = {{"drive", "vitro-disk"}},
                     .stimulus = Stimulus::kGrowDisk}});
    // A network of QEMU's own that reaches nothing: what is sent is taken and dropped. A hub
    // without another port would not do, for there a frame waits for ever to be sent. The boot ROM
    // is a file that need not be there.
    list.push_back({"virtio-net",
                    "netdev",
                    {.arguments = {"-netdev", "user,id=vitro-net,restrict=on"},
                     .properties = {{"netdev", "vitro-net"}},
                     .stimulus = Stimulus::kToggleLink}});
    list.push_back({"virtio-rng",
                    "rng",
                    {.arguments = {"-object", "rng-builtin,id=vitro-rng"},
                     .properties = {{"rng", "vitro-rng"}},
                     .why_no_stimulus = "an entropy device has no config"}});
    list.push_back(
        {"virtio-serial",
         nullptr,
         {.arguments = {"-chardev", "null,id=vitro-console", "-chardev", "null,id=vitro-port"},
          .children = {"-device", "virtconsole,bus={id}.0,chardev=vitro-console", "-device",
                       "virtserialport,bus={id}.0,chardev=vitro-port,name=vitro"},
          .why_no_stimulus = "QEMU never changes a console's size"}});
    list.push_back({"virtio-balloon", nullptr, {.stimulus = Stimulus::kBalloon}});
    list.push_back({"virtio-scsi",
                    nullptr,
                    {.arguments = kDisk,
                     .children = {"-device", "scsi-hd,bus={id}.0,drive=vitro-disk"},
                     .why_no_stimulus = nothing}});
    list.push_back({"virtio-9p",
                    "fsdev",
                    {.arguments = {"-fsdev", "local,id=vitro-fs,path={dir},security_model=none"},
                     .properties = {{"fsdev", "vitro-fs"}, {"mount_tag", "vitro"}},
                     .why_no_stimulus = nothing}});
    list.push_back({"virtio-crypto",
                    "cryptodev",
                    {.arguments = {"-object", "cryptodev-backend-builtin,id=vitro-crypto"},
                     .properties = {{"cryptodev", "vitro-crypto"}},
                     .why_no_stimulus = nothing}});
    list.push_back({"virtio-mem",
                    "memdev",
                    {.arguments = {"-object", "memory-backend-ram,id=vitro-mem,size=64M"},
                     .properties = {{"memdev", "vitro-mem"}},
                     .memory = ",slots=1,maxmem=1G",
                     .stimulus = Stimulus::kRequestedSize}});
    list.push_back(
        {"virtio-pmem",
         "memdev",
         {.arguments = {"-object", "memory-backend-memfd,id=vitro-pmem,size=4M,share=on"},
          .properties = {{"memdev", "vitro-pmem"}},
          .memory = ",slots=1,maxmem=1G",
          .why_no_stimulus = nothing}});
    list.push_back({"vhost-user-blk",
                    "chardev",
                    {.arguments = {"-chardev", "socket,id=vitro-vhost,path={socket}"},
                     .properties = {{"chardev", "vitro-vhost"}},
                     .daemon = true,
                     // Versions of it differ in whether they tell of a new size.
                     .why_no_stimulus = "not every storage daemon tells when its disk grows"}});
    for (const char* name : {"virtio-keyboard", "virtio-mouse", "virtio-tablet", "virtio-gpu",
                             "virtio-vga", "virtio-iommu"})
      list.push_back({name, nullptr, {.why_no_stimulus = nothing}});
    return list;
  }();
  return families;
}

const Family* FindFamily(std::string_view device) {
  const std::string name = FamilyOf(device);
  for (const Family& family : Families())
    if (name == family.name) return &family;
  return nullptr;
}

}  // namespace

std::string FamilyOf(std::string_view device) {
  for (const char* ending : {"-non-transitional", "-transitional", "-pci", "-device"})
    if (device.ends_with(ending)) device.remove_suffix(std::string_view(ending).size());
  return std::string(device);
}

Result<BackEnd> MakeBackEnd(const std::string& device, const Properties& given) {
  const Family* family = FindFamily(device);
  BackEnd back_end;
  if (family == nullptr) {
    if (device.starts_with("vhost-user-") && !given.contains("chardev"))
      return Fail(ErrorKind::kUsage,
                  "qemu:{}: give it a back end, e.g. chardev=c0,args=\"-chardev "
                  "socket,id=c0,path=...\"",
                  device);
    back_end.why_no_stimulus = "it is not known how to make this device change its config";
    return back_end;
  }
  back_end = family->back_end;
  // The first port is for a console only.
  if (const auto ports = given.find("max_ports"); ports != given.end() && ports->second == "1")
    back_end.children.resize(2);
  if (family->property == nullptr || !given.contains(family->property)) return back_end;
  // The user's own back end: nothing is made, and nothing of it is changed.
  back_end.arguments.clear();
  back_end.properties.erase(family->property);
  back_end.daemon = false;
  if (back_end.stimulus == Stimulus::kGrowDisk) {
    back_end.stimulus = Stimulus::kNone;
    back_end.why_no_stimulus = "the disk is the user's own: it is not made to grow";
  }
  return back_end;
}

Result<> Stimulate(Stimulus stimulus, Qmp& qmp, const std::string& id, uint64_t count) {
  // By turns this or that, so that each time is a change.
  const uint64_t turn = count % 2;
  Result<nlohmann::json> answer;
  switch (stimulus) {
    case Stimulus::kNone:
      return Fail(ErrorKind::kUnsupported, "there is nothing to change");
    case Stimulus::kGrowDisk:
      // Always up: a request under way never finds its sectors gone. The file is sparse.
      answer = qmp.Execute("block_resize", {{"node-name", "vitro-disk"},
                                            {"size", kDiskBytes + (count + 1) * 65536}});
      break;
    case Stimulus::kToggleLink:
      answer = qmp.Execute("set_link", {{"name", id}, {"up", turn == 1}});
      break;
    case Stimulus::kBalloon:
      answer = qmp.Execute("balloon", {{"value", turn == 0 ? 4 * kMiB : 3 * kMiB}});
      break;
    case Stimulus::kRequestedSize:
      answer = qmp.Execute("qom-set", {{"path", "/machine/peripheral/" + id},
                                       {"property", "requested-size"},
                                       {"value", turn == 0 ? 32 * kMiB : 0}});
      break;
    case Stimulus::kUnplug:
      answer = qmp.Execute("device_del", {{"id", id}});
      break;
  }
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

std::vector<std::string> AttachStringsOf(
    const std::function<bool(const std::string& type, const std::string& property)>& has) {
  std::vector<std::string> strings;
  for (const Family& family : Families()) {
    const std::string name = family.name, pci = name + "-pci", mmio = name + "-device";
    std::string modern = pci + "-non-transitional";
    if (!has(modern, "")) modern = name == "virtio-vga" ? name : pci;
    if (has(modern, "")) {
      strings.push_back("qemu:" + modern);
      if (has(pci + "-transitional", "")) strings.push_back("qemu:" + pci + "-transitional");
      strings.push_back("qemu:" + modern + ",packed=on");
      if (has(modern, "vectors")) strings.push_back("qemu:" + modern + ",vectors=0");
    }
    // An IOMMU has to have a PCI bus to be for.
    if (name == "virtio-iommu") continue;
    if (has(mmio, "")) {
      strings.push_back("qemu:" + mmio);
      strings.push_back("qemu:" + mmio + ",packed=on");
    } else if (name == "vhost-user-blk" && has(name, "")) {
      strings.push_back("qemu:" + name + ",machine=microvm");
    }
  }
  return strings;
}

}  // namespace vitro::qemu
