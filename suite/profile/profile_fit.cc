// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/profile_fit.h"

#include "harness/virtio/device_id.h"
#include "suite/profile/expression.h"
#include "suite/profile/grammar.h"

namespace vitro {
namespace {

template <typename... Args>
tl::unexpected<Error> Contradiction(const Profile& profile, int line,
                                    fmt::format_string<Args...> format, Args&&... args) {
  return Fail(ErrorKind::kUsage, "{}:{}: the device is not of this type: {}", profile.file, line,
              fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace

Result<> CheckFits(const Profile& profile, const DeviceFacts& facts, bool shows_config) {
  if (facts.device_id != device_id::kUnknown && facts.device_id != profile.id)
    return Contradiction(profile, profile.id_line, "its id is {}, expected {}", facts.device_id,
                         profile.id);
  for (const ProfileField& field : profile.fields)
    if (shows_config && field.exists.empty() && field.offset + field.size() > facts.config_size)
      return Contradiction(profile, field.line,
                           "its configuration space has {} bytes, expected {} or more, with {}",
                           facts.config_size, field.offset + field.size(), field.name);
  for (const ProfileQueue& queue : profile.queues) {
    if (!queue.exists.empty()) continue;
    VITRO_ASSIGN(const auto indices, QueueIndices(profile, queue, {}, facts.config));
    for (uint32_t index : indices)
      if (index >= facts.queue_count)
        return Contradiction(profile, queue.line,
                             "it has {} virtqueues, expected {} or more, with {}",
                             facts.queue_count, index + 1, queue.name);
  }
  return {};
}

}  // namespace vitro
