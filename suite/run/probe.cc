// SPDX-License-Identifier: Apache-2.0
#include "suite/run/probe.h"

#include <algorithm>

#include "harness/transport/pci/pci_layout.h"
#include "suite/checks/context.h"
#include "suite/profile/built_in.h"
#include "suite/profile/profile_fit.h"
#include "suite/run/codec.h"
#include "suite/run/isolate.h"

namespace vitro {
namespace {

using nlohmann::json;

constexpr uint32_t kMostQueues = 64;    // looked at; a device may claim any number
constexpr uint32_t kMostConfig = 4096;  // bytes read, likewise
constexpr uint32_t kLearnQueues = 4;
constexpr Duration kLearnResponse = std::chrono::milliseconds(200);

// The answer of an isolated probe: facts, or the error that ended it.
json ErrorJson(const Error& error) {
  return {{"error", error.message}, {"usage", error.kind == ErrorKind::kUsage}};
}

Result<DeviceFacts> ReadFacts(Transport& transport) {
  DeviceFacts facts;
  const DeviceIdentity& identity = transport.identity();
  facts.device_id = identity.device_id;
  facts.vendor_id = identity.vendor_id;
  facts.name = identity.name;
  facts.queue_count = identity.queue_count;
  facts.config_size = identity.config_size;
  facts.level = identity.level_is_ours ? "core" : identity.level;
  if (transport.pci() != nullptr) facts.layout = transport.pci()->Describe();
  VITRO_ASSIGN(facts.offered, transport.ReadFeatures());
  for (uint32_t queue = 0; queue < std::min(facts.queue_count, kMostQueues); ++queue) {
    VITRO_ASSIGN(const uint32_t size, transport.QueueMaxSize(queue));
    facts.queue_max_sizes.push_back(size);
  }
  if (!transport.abilities().Has(Ability::kConfigSpace)) return facts;
  for (uint32_t offset = 0; offset < std::min(facts.config_size, kMostConfig); ++offset) {
    auto byte = transport.ReadConfig(offset, 1);
    if (!byte && byte.error().kind != ErrorKind::kRefused) return tl::make_unexpected(byte.error());
    if (!byte) break;
    facts.config.push_back(byte->front());
  }
  return facts;
}

// A body to run with a fresh device in a process of its own; its JSON, or why there is none.
Result<json> Isolated(Attachment& attachment, Duration limit,
                      const std::function<json(Transport&, GuestMemory&)>& body) {
  auto job = IsolatedJob::Start(
      [&](FlightRecorder&) -> std::string {
        auto memory = GuestMemory::CreateDefault();
        if (!memory) return ErrorJson(memory.error()).dump();
        auto transport = attachment.Attach(*memory);
        if (!transport) return ErrorJson(transport.error()).dump();
        return body(**transport, *memory).dump(-1, ' ', false, json::error_handler_t::replace);
      },
      limit);
  if (!job) return tl::make_unexpected(job.error());
  const auto ending = (*job)->Wait();
  if (!ending.answer)
    return Fail(ErrorKind::kAttach, "{} could not be looked at: {}", attachment.string().text,
                ending.timed_out ? "it did not answer in time" : "its process was " + ending.how);
  json answer = json::parse(*ending.answer);
  if (answer.contains("error"))
    return Fail(answer["usage"].get<bool>() ? ErrorKind::kUsage : ErrorKind::kAttach, "{}",
                answer["error"].get<std::string>());
  return answer;
}

// Does the device use a buffer of this shape? A device that ends over it just does not.
bool Uses(Attachment& attachment, const DeviceFacts& facts, const LearnedShape& shape,
          Duration limit) {
  auto answer = Isolated(attachment, limit, [&](Transport& transport, GuestMemory& memory) -> json {
    SessionOptions options;
    options.response = kLearnResponse;
    Session session(memory, transport, options);
    Context context(session, facts, nullptr);
    try {
      context.Up({.queues = std::min(facts.queue_count, kLearnQueues), .prepare = false});
      context.Publish(
          {"", shape.queue, Bytes(shape.readable, shape.fill), shape.writable, std::nullopt, 0});
      context.Notify(shape.queue);
      return {{"used", context.WaitUsed(shape.queue, 1).value == 1 && !context.failed()}};
    } catch (const CheckEnded&) {
      return {{"used", false}};
    }
  });
  return answer && (*answer)["used"].get<bool>();
}

void Learn(Attachment& attachment, DeviceFacts& facts, Duration limit) {
  for (uint32_t queue = 0; queue < std::min(facts.queue_count, kLearnQueues); ++queue) {
    // Ones before zeros: in many protocols a zero is an identifier that must not be.
    for (LearnedShape shape : {LearnedShape{queue, 64, 64, 1},
                               {queue, 64, 0, 1},
                               {queue, 0, 64, 0},
                               {queue, 64, 64, 0},
                               {queue, 64, 0, 0}}) {
      if (!Uses(attachment, facts, shape, limit)) continue;
      facts.learned.push_back(shape);
      break;
    }
  }
}

}  // namespace

Result<Probed> Probe(Attachment& attachment, const ProbeOptions& options) {
  VITRO_ASSIGN(const json answer,
               Isolated(attachment, options.limit, [](Transport& transport, GuestMemory&) -> json {
                 auto facts = ReadFacts(transport);
                 if (!facts) return ErrorJson(facts.error());
                 return {{"facts", ToJson(*facts)}, {"abilities", ToJson(transport.abilities())}};
               }));
  Probed probed{FactsFromJson(answer.at("facts")), AbilitiesFromJson(answer.at("abilities"))};
  probed.facts.profile = options.profile;
  if (options.profile == nullptr)
    probed.facts.profile = BuiltInProfile(probed.facts);
  else
    VITRO_TRY(
        CheckFits(*options.profile, probed.facts, probed.abilities.Has(Ability::kConfigSpace)));
  if (options.learn && !MakeGrammar(probed.facts)) Learn(attachment, probed.facts, options.limit);
  return probed;
}

}  // namespace vitro
