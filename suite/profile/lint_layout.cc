// SPDX-License-Identifier: Apache-2.0
// Lints on virtqueues, configuration space, device id and MSI-X vectors.
#include <charconv>

#include "harness/virtio/device_id.h"
#include "suite/profile/device_numbers.h"
#include "suite/profile/lint_rules.h"

namespace vitro {
namespace {

// --- Virtqueues ------------------------------------------------------------------------------

void NoQueues(const Profile& profile, LintFindings& findings) {
  if (profile.queues.empty() && !profile.config_only)
    findings.Add(1, "{} has no virtqueue", profile.name);
  if (!profile.queues.empty() && profile.config_only)
    findings.Add(1, "{} is config_only and has {} kinds of virtqueues", profile.name,
                 profile.queues.size());
}

void QueueRole(const Profile& profile, LintFindings& findings) {
  for (const ProfileQueue& queue : profile.queues)
    if (queue.role.empty()) findings.Add(queue.line, "virtqueue {} has no role", queue.name);
}

// Input that nobody asked for and output on one virtqueue.
void QueueDirections(const Profile& profile, LintFindings& findings) {
  for (const ProfileQueue& queue : profile.queues) {
    const ProfileRequest *input = nullptr, *output = nullptr;
    for (const ProfileRequest& request : profile.requests) {
      if (request.queue != queue.name) continue;
      if (request.readable.empty()) input = &request;
      if (request.writable.empty()) output = &request;
    }
    if (input != nullptr && output != nullptr)
      findings.Add(queue.line, "virtqueue {} carries input ({}) and output ({})", queue.name,
                   input->name, output->name);
  }
}

std::optional<uint32_t> ConstantIndex(const ProfileQueue& queue) {
  uint32_t value = 0;
  const char* end = queue.index.data() + queue.index.size();
  const auto parsed = std::from_chars(queue.index.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

bool Implies(const FeatureCondition& condition, const FeatureCondition& other) {
  return std::all_of(other.begin(), other.end(),
                     [&](const FeatureClause& clause) { return Contains(condition, clause); });
}

// A fixed index behind a virtqueue that may not be there.
void QueueIndex(const Profile& profile, LintFindings& findings) {
  for (const ProfileQueue& queue : profile.queues) {
    const auto index = ConstantIndex(queue);
    for (const ProfileQueue& before : profile.queues) {
      const auto other = ConstantIndex(before);
      if (!index || !other || *other >= *index || Implies(queue.exists, before.exists)) continue;
      findings.Add(queue.line, "virtqueue {} is always number {}, also without {}, number {}",
                   queue.name, *index, before.name, *other);
      break;
    }
  }
}

// --- Configuration space ---------------------------------------------------------------------

constexpr uint32_t kLargeConfig = 256;  // bytes; also what many vhost-user front-ends carry

bool Writable(const ProfileField& field) { return field.access == FieldAccess::kReadWrite; }

void RuntimeWrite(const Profile& profile, LintFindings& findings) {
  for (const ProfileField& field : profile.fields)
    if (field.runtime)
      findings.Add(field.line, "field {} is meant to be written after DRIVER_OK", field.name);
}

void LargeConfig(const Profile& profile, LintFindings& findings) {
  if (profile.config_size() > kLargeConfig)
    findings.Add(1, "the configuration space has {} bytes", profile.config_size());
}

void WritableArray(const Profile& profile, LintFindings& findings) {
  for (const ProfileField& field : profile.fields)
    if (Writable(field) && field.count > 1)
      findings.Add(field.line, "field {} is a writable array of {}", field.name, field.count);
}

// A selector and the data that it selects.
void Window(const Profile& profile, LintFindings& findings) {
  const bool selector = Any(profile.fields, [](const ProfileField& field) {
    return Writable(field) && field.action && field.width <= 4;
  });
  for (const ProfileField& field : profile.fields)
    if (selector && !Writable(field) && field.count > 1 && field.changes == FieldChanges::kByDriver)
      findings.Add(field.line, "field {} shows {} bytes that another field selects", field.name,
                   field.size());
}

void WideAction(const Profile& profile, LintFindings& findings) {
  for (const ProfileField& field : profile.fields)
    if (field.action && field.width > 4)
      findings.Add(field.line, "writing field {} acts, and it has {} bits", field.name,
                   8 * field.width);
}

void WideWritable(const Profile& profile, LintFindings& findings) {
  for (const ProfileField& field : profile.fields)
    if (Writable(field) && !field.action && field.width > 4 &&
        field.commit == FieldCommit::kEachWrite)
      findings.Add(field.line, "field {} has {} bits and takes over each half as it is written",
                   field.name, 8 * field.width);
}

void WideVolatile(const Profile& profile, LintFindings& findings) {
  for (const ProfileField& field : profile.fields)
    if (field.width > 4 && field.changes == FieldChanges::kByDevice)
      findings.Add(field.line, "field {} has {} bits and the device changes it", field.name,
                   8 * field.width);
}

void Alignment(const Profile& profile, LintFindings& findings) {
  for (const ProfileField& field : profile.fields) {
    const uint32_t natural = field.width == 6 ? 1 : std::min(field.width, 4u);
    if (field.offset % natural != 0)
      findings.Add(field.line, "field {} of {} bytes is at offset {}", field.name, field.width,
                   field.offset);
  }
}

void Padding(const Profile& profile, LintFindings& findings) {
  std::vector<const ProfileField*> sorted;
  for (const ProfileField& field : profile.fields) sorted.push_back(&field);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  uint32_t end = 0;
  for (const ProfileField* field : sorted) {
    if (field->offset > end)
      findings.Add(field->line, "there are {} bytes of no field before {}, from offset {}",
                   field->offset - end, field->name, end);
    end = field->offset + field->size();
  }
}

void EarlyRead(const Profile& profile, LintFindings& findings) {
  for (const ProfileField& field : profile.fields)
    if (!field.exists.empty() && !field.reset_value && field.changes == FieldChanges::kByDriver)
      findings.Add(field.line,
                   "field {} depends on features and on the driver, and nothing says what it reads "
                   "before FEATURES_OK",
                   field.name);
}

// --- Device id -------------------------------------------------------------------------------

constexpr uint32_t kMatchedByPci = 63;  // 4.1.2.1: ids up to here have a PCI device id
constexpr uint32_t kMaxPci = 0xffff - 0x1040;

void IdTaken(const Profile& profile, LintFindings& findings) {
  const std::string_view owner = DeviceTypeToName(profile.id);
  if (DeviceTypeFromName(owner) && profile.id < kFirstExperiment && owner != profile.name)
    findings.Add(profile.id_line, "id {} is that of the device type {}, and this is {}", profile.id,
                 owner, profile.name);
}

void IdReserved(const Profile& profile, LintFindings& findings) {
  if (IsReservedId(profile.id) && !DeviceTypeFromName(DeviceTypeToName(profile.id)))
    findings.Add(profile.id_line,
                 "id {} was reserved for a type that the standard does not describe", profile.id);
}

void IdUnreserved(const Profile& profile, LintFindings& findings) {
  if (!IsReservedId(profile.id) && profile.id < kFirstExperiment)
    findings.Add(profile.id_line, "id {} is neither reserved nor one for experiments", profile.id);
}

void IdExperimental(const Profile& profile, LintFindings& findings) {
  if (profile.id >= kFirstExperiment)
    findings.Add(profile.id_line, "id {} is one for experiments: others use it, too", profile.id);
}

bool OnPci(const Profile& profile) {
  return profile.transports.empty() || Contains(profile.transports, std::string("pci"));
}

void IdNotMatched(const Profile& profile, LintFindings& findings) {
  if (OnPci(profile) && profile.id > kMatchedByPci && profile.id <= kMaxPci)
    findings.Add(profile.id_line, "id {} is PCI device id {:#x}, beyond 0x107f", profile.id,
                 profile.id + 0x1040);
}

void IdNotInPci(const Profile& profile, LintFindings& findings) {
  if (OnPci(profile) && profile.id > kMaxPci)
    findings.Add(profile.id_line, "id {} is meant for PCI, whose device ids of 16 bits end with {}",
                 profile.id, kMaxPci);
}

// --- MSI-X vectors ---------------------------------------------------------------------------

constexpr uint32_t kFewVectors = 2;    // one for configuration changes, one for all virtqueues
constexpr uint32_t kManyVectors = 32;  // an eighth of what a system may have for all devices
constexpr uint32_t kMaxTable = 2048;   // entries of an MSI-X table

bool HighRate(const Profile& profile) {
  return Any(profile.queues, [](const ProfileQueue& queue) { return queue.high_rate; });
}

void VectorsOfSlowQueues(const Profile& profile, LintFindings& findings) {
  if (profile.vectors.value_or(0) > kFewVectors && !HighRate(profile))
    findings.Add(profile.vectors_line, "{} vectors, and no virtqueue with a high rate",
                 *profile.vectors);
}

void ManyVectors(const Profile& profile, LintFindings& findings) {
  if (profile.vectors.value_or(0) > kManyVectors && *profile.vectors <= kMaxTable)
    findings.Add(profile.vectors_line,
                 "{} vectors, where a system may have 256 for all of its devices",
                 *profile.vectors);
}

void TooManyVectors(const Profile& profile, LintFindings& findings) {
  if (std::max(profile.vectors.value_or(0), profile.least_vectors) > kMaxTable)
    findings.Add(profile.vectors_line, "{} vectors, and an MSI-X table has at most {} entries",
                 std::max(profile.vectors.value_or(0), profile.least_vectors), kMaxTable);
}

void NeedsVectors(const Profile& profile, LintFindings& findings) {
  if (profile.least_vectors > 1)
    findings.Add(profile.vectors_line, "the type does not work with fewer than {} vectors",
                 profile.least_vectors);
}

void NeedsMsix(const Profile& profile, LintFindings& findings) {
  if (profile.least_vectors > 0)
    findings.Add(profile.vectors_line, "the type does not work without MSI-X");
}

}  // namespace

void AddQueueLints(std::vector<LintRule>& rules) {
  using enum LintSeverity;
  rules.push_back({"lint.queues.none", kWarn, kAboutQueues,
                   "give it a virtqueue for requests, or say config_only = true and mean it",
                   NoQueues});
  rules.push_back({"lint.queues.role", kInfo, kAboutQueues,
                   "say in a phrase what the virtqueue is for", QueueRole});
  rules.push_back({"lint.queues.direction", kWarn, kAboutQueues,
                   "use two virtqueues: one that the driver fills with buffers for input, one on "
                   "which it places output",
                   QueueDirections});
  rules.push_back({"lint.queues.optional-index", kWarn, kAboutQueues,
                   "say whether later virtqueues move up when an optional one is not there: put "
                   "optional ones last, or write the index as an expression with the feature bit",
                   QueueIndex});
}

void AddConfigLints(std::vector<LintRule>& rules) {
  using enum LintSeverity;
  rules.push_back({"lint.config.runtime-write", kWarn, kAboutConfig,
                   "configuration space is for parameters of initialization: take what changes "
                   "later on a virtqueue",
                   RuntimeWrite});
  rules.push_back({"lint.config.size", kInfo, kAboutConfig,
                   "configuration space is a limited resource: move tables to a virtqueue",
                   LargeConfig});
  rules.push_back({"lint.config.writable-array", kWarn, kAboutConfig,
                   "nothing synchronizes the writes of its elements: set tables by a request on a "
                   "virtqueue",
                   WritableArray});
  rules.push_back({"lint.config.window", kInfo, kAboutConfig,
                   "selecting and reading are two accesses, with room for others between: a "
                   "request on a virtqueue is one",
                   Window});
  rules.push_back({"lint.config.wide-action", kWarn, kAboutConfig,
                   "drivers may write it in two halves, and the first would act: at most 32 bits, "
                   "or two fields of which one acts",
                   WideAction});
  rules.push_back({"lint.config.wide-writable", kWarn, kAboutConfig,
                   "drivers may write it in two halves: say by commit when the whole value counts",
                   WideWritable});
  rules.push_back({"lint.config.wide-volatile", kInfo, "2.5",
                   "drivers may read it in two halves: it needs the configuration generation, "
                   "which vhost-user and ccw have not; 32 bits do without",
                   WideVolatile});
  rules.push_back({"lint.config.alignment", kWarn, "4.1.3.1",
                   "put fields on multiples of their width (64-bit ones on multiples of 4)",
                   Alignment});
  rules.push_back({"lint.config.padding", kInfo, "2.5",
                   "declare padding as a field that reads 0, so that it can be used later",
                   Padding});
  rules.push_back({"lint.config.early-read", kInfo, "2.5.2",
                   "drivers may read it before FEATURES_OK if the bits were offered: say its "
                   "reset_value",
                   EarlyRead});
}

void AddIdLints(std::vector<LintRule>& rules) {
  using enum LintSeverity;
  rules.push_back({"lint.id.taken", kError, kAboutIds,
                   "use 65535 and work backwards until an id is reserved for you", IdTaken});
  rules.push_back(
      {"lint.id.reserved", kInfo, kAboutIds, "make sure that it was reserved for you", IdReserved});
  rules.push_back({"lint.id.unreserved", kWarn, kAboutIds,
                   "reserve it with the OASIS committee, and meanwhile use 65535 and work "
                   "backwards",
                   IdUnreserved});
  rules.push_back({"lint.id.experimental", kInfo, kAboutIds,
                   "reserve an id before others use the device: a report on this one certifies an "
                   "experiment",
                   IdExperimental});
  rules.push_back({"lint.id.pci-range", kWarn, "4.1.2.1",
                   "drivers look for PCI device ids 0x1040 to 0x107f: leave \"pci\" out of "
                   "transports until there is an id up to 63",
                   IdNotMatched});
  rules.push_back({"lint.id.pci", kError, "4.1.2.1",
                   "leave \"pci\" out of transports (transports = [\"mmio\", \"ccw\"]) until there "
                   "is an id up to 63",
                   IdNotInPci});
}

void AddVectorLints(std::vector<LintRule>& rules) {
  using enum LintSeverity;
  rules.push_back({"lint.vectors.slow", kInfo, kAboutVectors,
                   "two are enough: one for configuration changes, one for all virtqueues; or say "
                   "high_rate where the rate is high",
                   VectorsOfSlowQueues});
  rules.push_back({"lint.vectors.many", kWarn, kAboutVectors,
                   "take fewer, and share them between virtqueues", ManyVectors});
  rules.push_back({"lint.vectors.table", kError, "4.1.5.1.2.1",
                   "take fewer, and share them between virtqueues", TooManyVectors});
  rules.push_back({"lint.vectors.needed", kWarn, kAboutVectors,
                   "let drivers map all events to one vector: no vector may have a meaning",
                   NeedsVectors});
  rules.push_back({"lint.vectors.msix-only", kWarn, kAboutVectors,
                   "let drivers disable MSI-X: INTx and the ISR status are the way that is always "
                   "there",
                   NeedsMsix});
}

}  // namespace vitro
