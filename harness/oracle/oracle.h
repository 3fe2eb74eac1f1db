// SPDX-License-Identifier: Apache-2.0
// Oracle: what must hold after every operation, whatever a check looks for: bytes change only where
// the device may write; used elements name outstanding chains, once, with a length that is true;
// notifications come when owed (2.1.2, 2.4.1, 2.6.1, 2.7.5.1, 2.7.7, 2.7.8, 2.7.10). It drives
// nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/driver/driver_state.h"
#include "harness/memory/shadow.h"
#include "harness/oracle/finding.h"
#include "harness/transport/transport.h"

namespace vitro {

class Oracle {
 public:
  // One used element that was taken from a ring.
  struct Taken {
    uint32_t id = 0, len = 0;
    bool known = false;  // it named an outstanding chain
  };
  using Report = std::function<void(Finding)>;

  // `transport` is asked what it can show and how notifications travel, and never driven.
  Oracle(GuestMemory& memory, Shadow& shadow, DriverState& state, const Transport& transport,
         Report report);

  // Looks at all of guest memory that the driver handed out (or at all of it) and at the rings'
  // flags. To be called after every operation.
  void JudgeMemory(bool everything);
  // Takes and judges what the device used on one queue. `buffers` counts those of a batch that have
  // no element of their own as well (2.7.9, 2.8.8).
  struct Harvest {
    std::vector<Taken> elements;
    uint32_t buffers = 0;
  };
  Harvest TakeUsed(uint32_t queue);
  // The chain that was taken last from that queue, or nullptr.
  const Virtqueue::Chain* last_taken(uint32_t queue) const {
    auto it = last_taken_.find(queue);
    return it == last_taken_.end() ? nullptr : &it->second;
  }

  // The driver tells what it is about to do or has done.
  void Poisoned(GuestRange range) { fresh_.push_back(range); }
  void Written(GuestRange range);
  bool IsFresh(const std::vector<op::Segment>& segments) const;
  void BeforeExpose(uint32_t queue);
  void SuppressionChanged(uint32_t queue);
  // The device indicated that a reset is complete; all queues are gone with it.
  void DeviceWasReset();
  void QueueWasReset(uint32_t queue);

  // Notifications. Count() is called with every notification that is seen. Owes(): the device has
  // used buffers for which a notification is due and none has come. Settle() judges and starts
  // anew; `exact` if all that was to come has come.
  void Count(uint32_t queue, uint64_t notifications);
  bool Owes(uint32_t queue) const;
  void Settle(uint32_t queue, bool exact);

 private:
  bool Has(Ability ability) const { return transport_.abilities().Has(ability); }
  // What is known about notifications of a queue since it was last settled.
  struct Ledger {
    uint64_t notifications = 0;
    uint64_t used = 0;
    bool owed = false;
    bool uncertain = false;  // suppression changed while the device had buffers
  };
  struct Verdict {
    const char* requirement;
    std::string where;
  };

  std::vector<GuestRange> Writable() const;
  Verdict Classify(uint64_t address, uint64_t* run_end) const;
  void JudgeFlags();
  void JudgeChain(uint32_t queue, const Virtqueue::Chain& chain, Virtqueue::UsedElement element);
  void TakeUnseen(const Virtqueue::Chain& chain);
  // `entries` entries of the used ring, or used descriptors, from where the driver stands.
  void AddToLedger(uint32_t queue, uint32_t entries, uint32_t buffers);
  // The rule that keeps a device silent that is not running, and when that is.
  struct Silence {
    const char* requirement;
    const char* when;  // "before DRIVER_OK"
  };
  Silence WhySilent() const;
  void JudgeTiming(uint32_t queue, uint16_t old_position);

  GuestMemory& memory_;
  Shadow& shadow_;
  DriverState& state_;
  const Transport& transport_;
  Report report_;
  std::vector<GuestRange> fresh_;          // hold poison, and nobody wrote there since
  std::vector<GuestRange> retired_;        // device-writable before the last device reset
  std::set<uint32_t> reset_queues_;        // by virtqueue reset, since the last device reset
  std::vector<GuestRange> queue_retired_;  // the same of queues that were reset
  std::vector<GuestRange> ever_writable_;  // for hostile drivers: given to the device at any time
  std::map<uint32_t, Virtqueue::Chain> last_taken_;
  std::map<uint32_t, Ledger> ledgers_;
  std::map<uint32_t, uint16_t> flags_reported_;
};

}  // namespace vitro
