// SPDX-License-Identifier: Apache-2.0
// Check: one question put to a device, and the list of them all. A check names the requirements it
// judges, what it needs in order to ask, and the seeded faults that it must catch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/transport/transport.h"
#include "harness/virtio/features.h"
#include "suite/profile/grammar.h"

namespace vitro {

class Context;

// What a check needs of device and attachment. What is missing makes it not-applicable (the device
// has no such thing) or not-observable (this attachment cannot show it).
struct Needs {
  std::vector<Ability> abilities;
  std::vector<unsigned> offered;  // feature bits that the device must offer
  std::vector<unsigned> absent;   // feature bits that it must not offer
  uint32_t device_id = 0;         // 0: any
  bool requests = false;          // a way to have buffers used: a grammar or a learned shape
  uint32_t queues = 0;            // at least this many queues that serve requests of the grammar
  uint32_t config_bytes = 0;      // at least this much config space
  uint32_t writable_field = 0;    // a writable config field of at least this many bytes, by profile
};

struct Check {
  std::string id;     // "chapter.subject.what": the slug never shifts when others are inserted
  std::string title;  // one sentence, present tense: what a conforming device does here
  std::string section;
  std::vector<std::string> requirements;  // catalogue ids, the principal one first
  std::vector<std::string> tags;  // "hostile", "odd" (legal but unusual), a device type, ...
  Needs needs;
  // Seeded faults (devices/ref/faults.def) that this check must catch, each as "NAME" (on the first
  // reference device that has it) or "DEVICE:NAME" or "DEVICE,option=value:NAME".
  std::vector<std::string> faults;
  std::function<void(Context&)> run;

  bool HasTag(std::string_view tag) const;
  // "pci" or "mmio" for a check on registers of that level, else "core".
  std::string level() const;
};

// In the order in which they are run: by chapter.
const std::vector<Check>& AllChecks();
// Those of Variants() too.
const Check* FindCheck(std::string_view id);

// Why this check cannot be asked of this device, if so.
struct Inapplicable {
  bool observable = true;  // false: the attachment is the reason, true: the device is
  std::string why;
};
std::optional<Inapplicable> WhyInapplicable(const Check& check, const DeviceFacts& facts,
                                            const Abilities& abilities);

}  // namespace vitro
