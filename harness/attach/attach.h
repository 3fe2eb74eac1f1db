// SPDX-License-Identifier: Apache-2.0
// From an attach string ("KIND:WHERE[,key=value...]") to a live Transport. Parsing is separate from
// attaching, so that a wrong string is a usage error before anything is started.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "harness/base/result.h"
#include "harness/memory/guest_memory.h"
#include "harness/transport/transport.h"

struct vitro_device_ops;

namespace vitro {

// A parsed attach string. Values may be quoted with "..." to hold commas.
struct AttachString {
  std::string kind;   // "inproc", "ref", "vhost-user", "shm", "qemu"
  std::string where;  // path or name
  std::map<std::string, std::string> options;
  std::string text;  // as given

  // Removes and returns an option, so that what is left over is what the kind does not know.
  std::optional<std::string> Take(const std::string& key);
  // options as "key=value,key=value"
  std::string OptionsText() const;
};

// kUsage, in one sentence, when the string has no known kind or is malformed.
Result<AttachString> ParseAttach(std::string_view text);

// What an attach string stands for, ready to make fresh devices of.
class Attachment {
 public:
  virtual ~Attachment() = default;
  virtual const AttachString& string() const = 0;
  // True if a fresh device of its own comes with each Attach(), so that several may live at once.
  virtual bool independent() const = 0;
  // Can a device that an earlier transport has left be renewed at less cost than making another?
  virtual bool renewable() const { return false; }
  // From now on Attach() renews where it can, in this process. What a renewed device does is not
  // proof against it: it may remember. Users repeat on a fresh one what was not as it should be.
  virtual void RenewFromNowOn() {}
  // A fresh device over `memory`, which must outlive it. Fails with kAttach (or kUsage when the
  // string's options are wrong, which only the device can tell).
  virtual Result<std::unique_ptr<Transport>> Attach(GuestMemory& memory) = 0;
};

// Resolves everything that can be resolved without starting a device (a missing file, a library
// without the ABI symbol). Errors: kUsage, kAttach.
Result<std::unique_ptr<Attachment>> OpenAttachment(std::string_view text);
// The device's table behind a string of the kinds ref and inproc. kUsage for others.
Result<const vitro_device_ops*> FindDeviceOps(const AttachString& string);
// A device table linked into this program, e.g. the user's own in their own test binary.
std::unique_ptr<Attachment> OpenDeviceOps(const vitro_device_ops* ops, std::string options);

}  // namespace vitro
