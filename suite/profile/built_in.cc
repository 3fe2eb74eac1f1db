// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/built_in.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "harness/virtio/device_id.h"
#include "suite/profile/built_in_texts.h"
#include "suite/profile/grammar.h"
#include "suite/profile/profile_parser.h"

namespace vitro {

std::vector<std::string_view> BuiltInProfileNames() {
  std::vector<std::string_view> names;
  for (const EmbeddedText& each : BuiltInProfileTexts()) names.push_back(each.name);
  return names;
}

std::string_view BuiltInProfileText(std::string_view name) {
  for (const EmbeddedText& each : BuiltInProfileTexts())
    if (each.name == name) return each.text;
  return {};
}

const Profile* BuiltInProfile(std::string_view name) {
  static std::map<std::string, Profile, std::less<>> parsed;
  const std::string_view text = BuiltInProfileText(name);
  if (text.empty()) return nullptr;
  if (const auto found = parsed.find(name); found != parsed.end()) return &found->second;
  auto profile = ParseProfile(fmt::format("suite/profile/data/{}.toml", name), text);
  if (!profile) {  // not in a program that was tested
    std::fprintf(stderr, "vitro: %s\n", profile.error().message.c_str());
    std::abort();
  }
  return &parsed.emplace(profile->name, std::move(*profile)).first->second;
}

const Profile* BuiltInProfile(uint32_t device_id) {
  return device_id == device_id::kExperimental ? nullptr
                                               : BuiltInProfile(DeviceTypeToName(device_id));
}

const Profile* BuiltInProfile(const DeviceFacts& facts) {
  return IsVitroExperimental(facts) ? BuiltInProfile(DeviceTypeToName(device_id::kExperimental))
                                    : BuiltInProfile(facts.device_id);
}

Result<Profile> OpenProfile(const std::string& name_or_path) {
  if (const Profile* profile = BuiltInProfile(std::string_view(name_or_path))) return *profile;
  std::error_code ignored;
  if (std::filesystem::exists(name_or_path, ignored)) return LoadProfile(name_or_path);
  return Fail(ErrorKind::kUsage,
              "{}: there is no such file, and no built-in profile has this name; 'vitro list "
              "profiles' shows them",
              name_or_path);
}

}  // namespace vitro
