// SPDX-License-Identifier: Apache-2.0
// `vitro probe`: what is this device?
#include "suite/cli/commands.h"
#include "suite/profile/built_in.h"
#include "suite/run/probe.h"
#include "suite/run/run_record.h"

namespace vitro::cli {
namespace {

using nlohmann::json;

void PrintForPeople(const json& device, const DeviceFacts& facts) {
  fmt::print("device     {} (id {}){}\n", device["device_type"].get<std::string>(), facts.device_id,
             facts.name.empty() ? "" : ", " + facts.name);
  fmt::print("attached   {}\n", device["attach"].get<std::string>());
  fmt::print("features   {}\n", device["offered_words"].get<std::string>());
  for (const json& feature : device["offered_features"])
    fmt::print("           {}\n", feature.get<std::string>());
  fmt::print("queues     {}", facts.queue_count);
  if (!facts.queue_max_sizes.empty()) {
    fmt::print(", maximum sizes");
    for (uint32_t size : facts.queue_max_sizes) fmt::print(" {}", size);
    if (facts.queue_count > facts.queue_max_sizes.size()) fmt::print(" ..");
  }
  fmt::print("\nconfig     {} bytes\n", facts.config_size);
  for (size_t at = 0; at < facts.config.size(); at += 16)
    fmt::print(
        "           {:04x}  {}\n", at,
        ToHex(ByteView(facts.config).subspan(at, std::min<size_t>(16, facts.config.size() - at))));
  if (facts.profile != nullptr)
    fmt::print("profile    {} ({})\n", facts.profile->name, facts.profile->file);
  const auto grammar = MakeGrammar(facts);
  fmt::print("requests   {}\n", grammar ? "by the grammar '" + grammar->name() + "'"
                                        : std::string("no buffer is known that it uses"));
  for (const LearnedShape& shape : facts.learned)
    fmt::print("           queue {}: {} readable bytes {:#04x}, {} writable bytes\n", shape.queue,
               shape.readable, shape.fill, shape.writable);
  for (const json& missing : device["cannot_observe"])
    fmt::print("not here   {}: {}\n", missing["what"].get<std::string>(),
               missing["why"].get<std::string>());
}

// `profile` is what the facts refer to, if it was given.
Result<Probed> LookAt(Attachment& attachment, const std::string& profile_name,
                      std::optional<Profile>& profile) {
  ProbeOptions options;
  if (!profile_name.empty()) {
    VITRO_ASSIGN(profile, OpenProfile(profile_name));
    options.profile = &*profile;
  }
  return Probe(attachment, options);
}

}  // namespace

void AddProbe(CLI::App& app, CommandLine& line) {
  struct Arguments {
    std::string attach, profile;
    bool as_json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* probe =
      app.add_subcommand("probe", "Tell what a device is: id, features, queues, config");
  probe->add_option("ATTACH", arguments->attach, "Where the device is (see vitro --help)")
      ->required();
  probe->add_option("--profile", arguments->profile,
                    "What the device's type is: a TOML file, or a built-in profile's name");
  probe->add_flag("--json", arguments->as_json, "As JSON");
  probe->callback([arguments, &line] {
    auto attachment = OpenAttachment(arguments->attach);
    std::optional<Profile> profile;
    auto probed = attachment ? LookAt(**attachment, arguments->profile, profile)
                             : tl::make_unexpected(attachment.error());
    if (!probed) {
      line.exit_code = Complain(probed.error());
      return;
    }
    const json device = DeviceJson((*attachment)->string(), *probed);
    if (arguments->as_json)
      fmt::print("{}\n", device.dump(2, ' ', false, json::error_handler_t::replace));
    else
      PrintForPeople(device, probed->facts);
  });
}

}  // namespace vitro::cli
