// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/attach.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "devices/abi/vitro_device.h"
#include "harness/attach/direct_attachment.h"
#include "harness/attach/qemu/qemu_attachment.h"
#include "harness/attach/reference.h"
#include "harness/attach/shm_attachment.h"
#include "harness/attach/vhost_user_attachment.h"
#include "harness/transport/direct/direct_device.h"

namespace vitro {
namespace {

constexpr const char* kKinds =
    "ref:NAME[,fault=...], inproc:PATH.so[,option=...], vhost-user:PATH[,spawn=\"...\"], "
    "shm:NAME[,spawn=\"...\"] or qemu:DEVICE[,property=...]";

ReferenceDevices& MutableReference() {
  static ReferenceDevices reference;
  return reference;
}

Result<const vitro_device_ops*> LoadLibrary(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0)
    return Fail(ErrorKind::kAttach, "inproc:{}: {}; expected a shared library that exports {}()",
                path, std::strerror(errno), VITRO_DEVICE_ENTRY);
  // A name without a slash would be searched in the system's library path.
  const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  // Never closed: devices may leave threads and static destructors behind.
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return Fail(ErrorKind::kAttach, "inproc:{}: cannot be loaded: {}", path, ::dlerror());
  auto entry = reinterpret_cast<vitro_device_entry_fn>(::dlsym(library, VITRO_DEVICE_ENTRY));
  if (entry == nullptr)
    return Fail(ErrorKind::kAttach, "inproc:{}: exports no {}(); see devices/abi/vitro_device.h",
                path, VITRO_DEVICE_ENTRY);
  const vitro_device_ops* ops = entry(VITRO_ABI_VERSION);
  if (auto fits = DirectDevice::CheckOps(ops); !fits)
    return Fail(ErrorKind::kAttach, "inproc:{}: {}", path, fits.error().message);
  return ops;
}

}  // namespace

void SetReferenceDevices(ReferenceDevices reference) { MutableReference() = std::move(reference); }
const ReferenceDevices& Reference() { return MutableReference(); }

std::optional<std::string> AttachString::Take(const std::string& key) {
  auto it = options.find(key);
  if (it == options.end()) return std::nullopt;
  std::string value = std::move(it->second);
  options.erase(it);
  return value;
}

std::string AttachString::OptionsText() const {
  std::string result;
  for (const auto& [key, value] : options)
    result += fmt::format("{}{}={}", result.empty() ? "" : ",", key, value);
  return result;
}

Result<AttachString> ParseAttach(std::string_view text) {
  AttachString result;
  result.text = text;
  const size_t colon = text.find(':');
  result.kind = text.substr(0, colon);
  const bool known = result.kind == "ref" || result.kind == "inproc" ||
                     result.kind == "vhost-user" || result.kind == "shm" || result.kind == "qemu";
  if (colon == std::string_view::npos || !known)
    return Fail(ErrorKind::kUsage, "'{}' is not an attach string: expected {}", text, kKinds);
  // Split at commas outside of quotes.
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (char c : text.substr(colon + 1)) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  if (quoted) return Fail(ErrorKind::kUsage, "'{}': a quote is not closed", text);
  result.where = parts[0];
  if (result.where.empty())
    return Fail(ErrorKind::kUsage, "'{}': a {} is missing after '{}:'", text,
                result.kind == "ref" || result.kind == "shm" ? "name"
                : result.kind == "qemu"                      ? "device"
                                                             : "path",
                result.kind);
  for (size_t i = 1; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    if (equals == std::string::npos || equals == 0)
      return Fail(ErrorKind::kUsage, "'{}': '{}' is not key=value", text, parts[i]);
    if (!result.options.emplace(parts[i].substr(0, equals), parts[i].substr(equals + 1)).second)
      return Fail(ErrorKind::kUsage, "'{}': '{}' is given twice", text, parts[i].substr(0, equals));
  }
  return result;
}

Result<const vitro_device_ops*> FindDeviceOps(const AttachString& string) {
  if (string.kind == "inproc") return LoadLibrary(string.where);
  const vitro_device_ops* ops = nullptr;
  if (string.kind != "ref")
    return Fail(ErrorKind::kUsage,
                "'{}' is no device in a library: expected ref:NAME or inproc:PATH", string.text);
  if (Reference().find) ops = Reference().find(string.where);
  if (ops == nullptr)
    return Fail(ErrorKind::kUsage, "'{}': no reference device '{}'; there are: {}", string.text,
                string.where, Reference().names);
  return ops;
}

Result<std::unique_ptr<Attachment>> OpenAttachment(std::string_view text) {
  VITRO_ASSIGN(AttachString string, ParseAttach(text));
  if (string.kind == "vhost-user") return OpenVhostUser(std::move(string));
  if (string.kind == "qemu") return OpenQemu(std::move(string));
  if (string.kind == "shm") return OpenShm(std::move(string));
  VITRO_ASSIGN(const vitro_device_ops* ops, FindDeviceOps(string));
  const bool ours = string.kind == "ref";
  return OpenDirect(std::move(string), ops, ours);
}

std::unique_ptr<Attachment> OpenDeviceOps(const vitro_device_ops* ops, std::string options) {
  AttachString string;
  string.kind = "linked";
  string.where = ops != nullptr && ops->name != nullptr ? ops->name : "device";
  string.text = "linked:" + string.where;
  return OpenLinked(std::move(string), std::move(options), ops);
}

}  // namespace vitro
