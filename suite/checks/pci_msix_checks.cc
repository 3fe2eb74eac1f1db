// SPDX-License-Identifier: Apache-2.0
// Checks of MSI-X (4.1.5.1.2): the vector registers, and the messages of used buffers (4.1.5.3) and
// configuration changes (4.1.5.4) under every plan by which a driver may have them delivered. Masks
// and table entries: pci_msix_table_checks.cc; from and to INTx: pci_msix_switch_checks.cc.
#include <algorithm>

#include "suite/checks/chapters.h"
#include "suite/checks/pci_interrupts.h"
#include "suite/checks/queue_life.h"

namespace vitro {
namespace {

using namespace interrupt_checks;  // NOLINT(google-build-using-namespace)
namespace common = virtio_pci::common;

#define VECTORS "dev.pci.init-op.device-initialization.msi-x-vector-configuration."
constexpr const char* kAnyVector = VECTORS "4";
constexpr const char* kUnmaps = VECTORS "5";
constexpr const char* kReadsBack = VECTORS "6";
constexpr const char* kResetUnmaps = VECTORS "7";
constexpr const char* kMaps = VECTORS "8";
constexpr const char* kFailureShows = VECTORS "9";
#undef VECTORS
constexpr const char* kNoQueueMessage = "dev.pci.init-op.used-buffer-notifications.1";
constexpr const char* kNoConfigMessage =
    "dev.pci.init-op.notification-of-device-configuration-changes.1";
constexpr const char* kArrives = "derived.pci.message-arrives";
constexpr const char* kElsewhere = "derived.pci.message-elsewhere";
constexpr const char* kAfterUsed = "derived.notification.after-used";
constexpr const char* kConfigNotified = "derived.config.notified";

constexpr uint64_t kRounds = 3;
constexpr uint16_t kNone = virtio_pci::kNoVector;

// The vector registers ----------------------------------------------------------------------------

// Up to FEATURES_OK, with MSI-X enabled and no queue set up.
void BeginWithMsix(Context& c) {
  UsePlan(c, interrupts::kPerQueue, true);
  c.AcknowledgeAndDriver();
  c.Offered();
  if (!c.Negotiate(c.DefaultFeatures(QueueFeatures(c))))
    c.NotApplicable("the device refused the features");
}

// The queues that are there, of very many the first and the last.
std::vector<uint32_t> QueuesThere(Context& c) {
  std::vector<uint32_t> queues;
  for (const uint32_t queue : QueuesToTry(c.facts().queue_count))
    if (c.MaxQueueSize(queue) != 0) queues.push_back(queue);
  return queues;
}

void ExpectUnmapped(Context& c, const std::string& when) {
  ConfigVector(c);
  c.Expect(Accept::Equal(kNone), kResetUnmaps, "config_msix_vector is NO_VECTOR " + when);
  for (const uint32_t queue : QueuesThere(c)) {
    QueueVector(c, queue);
    c.Expect(Accept::Equal(kNone), kResetUnmaps,
             fmt::format("queue_msix_vector of queue {} is NO_VECTOR {}", queue, when));
  }
}

void ResetUnmaps(Context& c) {
  RequireMsix(c);
  UsePlan(c, interrupts::kPerQueue, true);
  c.Reset();
  ExpectUnmapped(c, "after a reset of a fresh device");
  for (const auto plan : {interrupts::kPerQueue, interrupts::kOneVector}) {
    for (const uint32_t queue : UpWithPlan(c, plan, true))
      if (!Serve(c, queue, 0)) return;
    c.Reset();
    ExpectUnmapped(c, "after a reset of a device that had vectors mapped");
    if (c.failed()) return;
  }
}

// Writes a vector and judges what reads back.
void ExpectMaps(Context& c, std::optional<uint32_t> queue, uint32_t vector) {
  const std::string what =
      queue ? fmt::format("queue_msix_vector of queue {}", *queue) : "config_msix_vector";
  queue ? QueueWrite(c, *queue, common::kQueueMsixVector, 2, vector)
        : WriteCommon(c, common::kConfigMsixVector, 2, vector);
  queue ? QueueVector(c, *queue) : ConfigVector(c);
  c.Expect(Accept::In({vector, kNone}), kReadsBack,
           fmt::format("{} reads back vector {}, or NO_VECTOR if that failed", what, vector));
  if (c.last().value == kNone)
    c.Expect(Accept::NotEqual(kNone), kMaps, fmt::format("{} takes vector {}", what, vector));
}

void ExpectUnmaps(Context& c, std::optional<uint32_t> queue) {
  queue ? QueueWrite(c, *queue, common::kQueueMsixVector, 2, kNone)
        : WriteCommon(c, common::kConfigMsixVector, 2, kNone);
  queue ? QueueVector(c, *queue) : ConfigVector(c);
  c.Expect(Accept::Equal(kNone), kUnmaps, "NO_VECTOR unmaps, and reads back");
}

void ReadsBackWhatIsMapped(Context& c) {
  const Msix msix = RequireMsix(c);
  BeginWithMsix(c);
  const auto queues = QueuesThere(c);
  for (const uint32_t vector : msix.watched) {
    ExpectMaps(c, std::nullopt, vector);
    for (const uint32_t queue : queues) ExpectMaps(c, queue, vector);
    if (c.failed()) return;
  }
  ExpectUnmaps(c, std::nullopt);
  for (const uint32_t queue : queues) ExpectUnmaps(c, queue);
  // Each event has a vector of its own to remember.
  auto other = [&](size_t i) { return msix.watched[i % msix.watched.size()]; };
  for (size_t i = 0; i < queues.size(); ++i)
    QueueWrite(c, queues[i], common::kQueueMsixVector, 2, other(i));
  WriteCommon(c, common::kConfigMsixVector, 2, other(queues.size()));
  for (size_t i = 0; i < queues.size(); ++i) {
    QueueVector(c, queues[i]);
    c.Expect(Accept::In({other(i), kNone}), kReadsBack,
             "each queue's register has the vector of that queue");
  }
  ConfigVector(c);
  c.Expect(Accept::In({other(queues.size()), kNone}), kReadsBack,
           "config_msix_vector has the vector of configuration changes");
}

void ShowsFailure(Context& c) {
  const Msix msix = RequireMsix(c);
  BeginWithMsix(c);
  const auto queues = QueuesThere(c);
  c.BeginHostile();
  for (const uint32_t vector : {msix.vectors, msix.vectors + 1, 0x7ffu, 0x800u, 0x8000u, 0xfffeu}) {
    if (vector < msix.vectors || vector >= kNone) continue;
    WriteCommon(c, common::kConfigMsixVector, 2, 0);
    WriteCommon(c, common::kConfigMsixVector, 2, vector);
    ConfigVector(c);
    c.Expect(Accept::Equal(kNone), kFailureShows,
             fmt::format("config_msix_vector is NO_VECTOR once vector {} was asked for", vector));
    for (const uint32_t queue : queues) {
      QueueWrite(c, queue, common::kQueueMsixVector, 2, 0);
      QueueWrite(c, queue, common::kQueueMsixVector, 2, vector);
      QueueVector(c, queue);
      c.Expect(Accept::Equal(kNone), kFailureShows,
               fmt::format("queue_msix_vector is NO_VECTOR once vector {} was asked for", vector));
    }
    if (c.failed()) break;
  }
  c.ExpectSurvives();
}

// Messages under every plan -----------------------------------------------------------------------

// Has one buffer used on each queue, and judges that its message comes on the queue's vector and
// on no other. The config may change at any time by itself: its vector is left out.
void ExpectMessages(Context& c, const Msix& msix, const std::vector<uint32_t>& queues, uint64_t n) {
  const uint16_t config = ConfigVector(c);
  for (const uint32_t queue : queues) {
    const uint16_t vector = QueueVector(c, queue);
    ForgetMessages(c, msix);
    if (!Serve(c, queue, n)) return;
    if (vector == kNone) {
      // The device said that it could not map one; then it is not mapped.
      QueueVector(c, queue);
      c.Expect(Accept::NotEqual(kNone), kMaps, "a queue can be mapped to a vector of the table");
      ExpectNoMessages(c, msix,
                       {.requirement = kReadsBack,
                        .because = "no message comes for a queue whose vector reads NO_VECTOR",
                        .except = {config}});
      continue;
    }
    c.Do(op::WaitMessages{vector, 1});
    c.Expect(
        Accept::NotEqual(0), kArrives,
        fmt::format("a message of vector {} tells of the buffer used on queue {}", vector, queue));
    ExpectNoMessages(c, msix,
                     {.requirement = kElsewhere,
                      .because = "no message of another vector comes with it",
                      .advice = true,
                      .except = {vector, config}});
    if (c.failed()) return;
  }
}

void SendsOn(Context& c, std::string_view plan) {
  const Msix msix = RequireMsix(c);
  const auto queues = UpWithMessages(c, plan, true);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) ExpectMessages(c, msix, queues, n);
}

// Every vector of the table is one that any event can have, not only the plan's.
void SendsOnEveryVector(Context& c) {
  const Msix msix = RequireMsix(c);
  for (const uint32_t vector : msix.watched) {
    const auto queues = UpWithPlan(c, fmt::format("{}{}", interrupts::kOnVector, vector), true);
    for (const uint32_t queue : queues) {
      QueueVector(c, queue);
      c.Expect(Accept::In({vector, kNone}), kReadsBack, "a mapped vector reads back");
    }
    ConfigVector(c);
    c.Expect(Accept::In({vector, kNone}), kReadsBack, "a mapped vector reads back");
    ExpectMessages(c, msix, queues, vector);
    if (c.failed()) return;
  }
}

// The queue's buffer is there for a driver that looks when the message comes, or else another
// message is.
void ComesAfterTheUsedEntry(Context& c) {
  const Msix msix = RequireMsix(c);
  const auto queues = UpWithMessages(c, interrupts::kPerQueue, true);
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n)
    for (const uint32_t queue : queues) {
      const auto exchange = c.grammar().RequestOn(queue, n);
      const uint16_t vector = QueueVector(c, queue);
      if (!exchange || vector == kNone) continue;
      ForgetMessages(c, msix);
      const uint64_t before = c.Do(op::ReadUsedIdx{queue}).value;
      c.Publish(*exchange);
      c.Notify(queue);
      c.Do(op::WaitMessages{vector, 1});
      c.Expect(Accept::NotEqual(0), kArrives, "a message tells of the buffer that was used");
      const bool there = c.Do(op::ReadUsedIdx{queue}).value != before;
      c.WaitUsed(queue, 1);
      c.Expect(Accept::Equal(1), "derived.used.progress", "a request is used");
      if (c.failed()) return;
      if (there) continue;
      c.Do(op::Quiesce{});
      c.Do(op::WaitMessages{vector, 0});
      c.Expect(Accept::NotEqual(0), kAfterUsed,
               "a message that came before the used entry is followed by one after it");
    }
}

// NO_VECTOR ---------------------------------------------------------------------------------------

void SendsNothingForQueues(Context& c) {
  const Msix msix = RequireMsix(c);
  for (const auto plan : {interrupts::kNoVector, interrupts::kNoQueueVector}) {
    const auto queues = UpWithMessages(c, plan, true);
    const uint16_t config = ConfigVector(c);
    ForgetMessages(c, msix);
    for (uint64_t n = 0; n < kRounds; ++n)
      for (const uint32_t queue : queues)
        if (!Serve(c, queue, n)) return;
    ExpectNoMessages(c, msix,
                     {.requirement = kNoQueueMessage,
                      .because = "a queue without a vector sends no message",
                      .except = {config}});
    c.Do(op::ReadLine{});
    c.Expect(Accept::Equal(0), kNoQueueMessage, "a queue without a vector sends no INTx either");
    if (c.failed() || config == kNone) continue;
    c.Do(op::WaitMessages{config, 0});
    // It may be one of those.
    c.Note(Accept::Equal(0), kNoQueueMessage,
           "a queue without a vector does not send on that of configuration changes");
  }
}

void SendsNothingForConfig(Context& c) {
  const Msix msix = RequireMsix(c);
  for (const auto plan : {interrupts::kNoVector, interrupts::kNoConfigVector}) {
    UpWithMessages(c, plan, true);
    ForgetMessages(c, msix);
    for (uint64_t n = 0; n < kRounds; ++n) Stimulate(c);
    // Where queues have vectors a message may be theirs.
    ExpectNoMessages(c, msix,
                     {.requirement = kNoConfigMessage,
                      .because = "a change sends no message while it has no vector",
                      .advice = plan != interrupts::kNoVector});
    c.Do(op::ReadLine{});
    c.Expect(Accept::Equal(0), kNoConfigMessage, "a change sends no INTx while it has no vector");
    if (c.failed()) return;
  }
}

// Configuration changes ---------------------------------------------------------------------------

void TellsOfChanges(Context& c) {
  const Msix msix = RequireMsix(c);
  UpWithMessages(c, interrupts::kPerQueue, true);
  const uint16_t vector = ConfigVector(c);
  c.Expect(Accept::NotEqual(kNone), kMaps, "changes can be mapped to a vector of the table");
  if (vector == kNone) return;
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    ForgetMessages(c, msix);
    Stimulate(c);
    c.Do(op::WaitMessages{vector, 1});
    c.Expect(Accept::NotEqual(0), kConfigNotified, "a message of its vector tells of a change");
    ExpectNoMessages(c, msix,
                     {.requirement = kElsewhere,
                      .because = "no message of another vector comes with it",
                      .advice = true,
                      .except = {vector}});
  }
  if (c.failed()) return;
  // It does so on its own vector: then on one that it shares with the queues as well.
  const auto queues = UpWithPlan(c, interrupts::kOneVector, false);
  const uint16_t shared = ConfigVector(c);
  if (shared == kNone) return;
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    ForgetMessages(c, msix);
    Stimulate(c);
    c.Do(op::WaitMessages{shared, 1});
    c.Expect(Accept::NotEqual(0), kArrives,
             "a message tells of a change also on a vector that queues share");
    ForgetMessages(c, msix);
    if (!Serve(c, queues.front(), n)) return;
    c.Do(op::WaitMessages{shared, 1});
    c.Expect(Accept::NotEqual(0), kArrives, "a message tells of a used buffer there as well");
  }
}

// A running device --------------------------------------------------------------------------------

void UnmapsWhileRunning(Context& c) {
  const Msix msix = RequireMsix(c);
  const auto queues = UpWithMessages(c, interrupts::kPerQueue, false);
  const uint32_t queue = queues.front();
  const uint16_t vector = QueueVector(c, queue);
  if (vector == kNone) c.NotApplicable("the device mapped no vector");
  if (!Serve(c, queue, 0)) return;
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    c.Do(op::Quiesce{});
    ExpectUnmaps(c, queue);
    ForgetMessages(c, msix);
    if (!Serve(c, queue, n)) return;
    ExpectNoMessages(c, msix, {kNoQueueMessage, "a queue sends no message once it was unmapped"});
    ExpectMaps(c, queue, vector);
    if (c.failed() || QueueVector(c, queue) != vector) return;
    if (!Serve(c, queue, n)) return;
    c.Do(op::WaitMessages{vector, 1});
    c.Advise(Accept::NotEqual(0), kReadsBack, "messages come again once the queue is mapped again");
  }
}

void RemapsWhileRunning(Context& c) {
  const Msix msix = RequireMsix(c);
  const auto queues = UpWithMessages(c, interrupts::kPerQueue, false);
  const uint16_t config = ConfigVector(c), own = QueueVector(c, queues.front());
  if (config == kNone || own == kNone || config == own)
    c.NotApplicable("the device has no two vectors to change between");
  if (!Serve(c, queues.front(), 0)) return;
  for (uint64_t n = 0; n < kRounds && !c.failed(); ++n) {
    const uint16_t vector = n % 2 == 0 ? config : own;
    c.Do(op::Quiesce{});
    ExpectMaps(c, queues.front(), vector);
    if (c.failed() || QueueVector(c, queues.front()) != vector) return;
    ForgetMessages(c, msix);
    if (!Serve(c, queues.front(), n)) return;
    c.Do(op::WaitMessages{vector, 1});
    // Drivers map before they enable a queue; that a device follows later is not said.
    c.Advise(Accept::NotEqual(0), kReadsBack,
             "messages come on the vector that a queue of a running device was mapped to");
  }
}

}  // namespace

void AddPciMsixChecks(std::vector<Check>& list) {
  const Needs function = {.abilities = {Ability::kPciFunction}};
  const Needs requests = {.abilities = {Ability::kPciFunction}, .requests = true};
  const Needs stimulus = {.abilities = {Ability::kPciFunction, Ability::kStimulus},
                          .requests = true};
  list.push_back({
      .id = "pci.msix.reset-unmaps",
      .title = "After a reset no event is mapped to a vector",
      .section = "4.1.5.1.2",
      .requirements = {kResetUnmaps},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:vector-default-zero", "blk,level=pci:vector-kept-over-reset",
                 "entropy,level=pci:vector-kept-over-reset"},
      .run = ResetUnmaps,
  });
  list.push_back({
      .id = "pci.msix.read-back",
      .title = "The vector registers read back what was mapped and unmapped",
      .section = "4.1.5.1.2",
      .requirements = {kReadsBack, kMaps, kUnmaps},
      .tags = {"pci"},
      .needs = function,
      .faults = {"blk,level=pci:vector-register-write-only",
                 "blk,level=pci:vector-register-shared"},
      .run = ReadsBackWhatIsMapped,
  });
  list.push_back({
      .id = "pci.msix.failure-shows",
      .title = "A vector beyond the table is not mapped",
      .section = "4.1.5.1.2",
      .requirements = {kFailureShows, "derived.reset.recovers"},
      .tags = {"pci", "hostile"},
      .needs = function,
      .faults = {"blk,level=pci:vector-out-of-range-taken"},
      .run = ShowsFailure,
  });
  list.push_back({
      .id = "pci.msix.own-vectors",
      .title = "With a vector for each event, messages come on the one that is mapped",
      .section = "4.1.5.3",
      .requirements = {kArrives, kElsewhere, kReadsBack, kMaps},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:vector-wrong", "entropy,level=pci:vector-wrong",
                 "blk,level=pci:vector-register-write-only"},
      .run = [](Context& c) { SendsOn(c, interrupts::kPerQueue); },
  });
  list.push_back({
      .id = "pci.msix.shared-vectors",
      .title = "Queues that share a vector two by two all send on it",
      .section = "4.1.5.3",
      .requirements = {kArrives, kElsewhere, kReadsBack, kMaps},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:shared-vector-lost"},
      .run = [](Context& c) { SendsOn(c, interrupts::kShared); },
  });
  list.push_back({
      .id = "pci.msix.one-vector",
      .title = "One vector serves all queues and configuration changes",
      .section = "4.1.5.3",
      .requirements = {kArrives, kElsewhere, kReadsBack, kMaps},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:shared-vector-lost", "experimental,level=pci:shared-vector-lost"},
      .run = [](Context& c) { SendsOn(c, interrupts::kOneVector); },
  });
  list.push_back({
      .id = "pci.msix.every-vector",
      .title = "Every vector of the table can be that of every event",
      .section = "4.1.5.1.2",
      .requirements = {kAnyVector, kReadsBack, kArrives, kElsewhere, kMaps},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:vector-wrong"},
      .run = SendsOnEveryVector,
  });
  list.push_back({
      .id = "pci.msix.after-used",
      .title = "The used buffer is there when its message comes",
      .section = "4.1.5.3",
      .requirements = {kAfterUsed, kArrives},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:used-message-before-entry"},
      .run = ComesAfterTheUsedEntry,
  });
  list.push_back({
      .id = "pci.msix.unmapped-queues",
      .title = "A queue without a vector sends no interrupt",
      .section = "4.1.5.3",
      .requirements = {kNoQueueMessage},
      .tags = {"pci"},
      .needs = requests,
      .faults = {"blk,level=pci:message-on-no-vector", "entropy,level=pci:message-on-no-vector"},
      .run = SendsNothingForQueues,
  });
  list.push_back({
      .id = "pci.msix.unmapped-config",
      .title = "Configuration changes without a vector send no interrupt",
      .section = "4.1.5.4",
      .requirements = {kNoConfigMessage},
      .tags = {"pci"},
      .needs = stimulus,
      .faults = {"blk,level=pci:config-message-on-no-vector",
                 "experimental,level=pci:config-message-on-no-vector"},
      .run = SendsNothingForConfig,
  });
  list.push_back({
      .id = "pci.msix.config-change",
      .title = "Configuration changes are told on their vector, shared or not",
      .section = "4.1.5.4",
      .requirements = {kConfigNotified, kArrives, kElsewhere, kMaps},
      .tags = {"pci"},
      .needs = stimulus,
      .faults = {"blk,level=pci:config-message-lost-when-shared"},
      .run = TellsOfChanges,
  });
  list.push_back({
      .id = "pci.msix.unmapped-while-running",
      .title = "A queue that is unmapped from its vector sends no more messages",
      .section = "4.1.5.1.2",
      .requirements = {kUnmaps, kNoQueueMessage, kReadsBack, kMaps},
      .tags = {"pci", "odd"},
      .needs = requests,
      .faults = {"blk,level=pci:message-on-no-vector", "blk,level=pci:vector-latched"},
      .run = UnmapsWhileRunning,
  });
  list.push_back({
      .id = "pci.msix.remapped-while-running",
      .title = "A queue that is mapped to another vector sends on that one",
      .section = "4.1.5.1.2",
      .requirements = {kReadsBack, kMaps},
      .tags = {"pci", "odd"},
      .needs = requests,
      .faults = {"blk,level=pci:vector-latched"},
      .run = RemapsWhileRunning,
  });
  AddPciMsixTableChecks(list);
  AddPciMsixSwitchChecks(list);
}

}  // namespace vitro
