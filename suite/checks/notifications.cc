// SPDX-License-Identifier: Apache-2.0
#include "suite/checks/notifications.h"

#include <algorithm>

namespace vitro {

void Settle(Context& c, uint32_t queue) {
  c.Do(op::Quiesce{});
  c.Do(op::TakeNotifications{queue});
}

void ExpectNotified(Context& c, uint32_t queue, const std::string& requirement,
                    const std::string& because) {
  c.Do(op::WaitNotifications{queue, 1});
  c.Expect(Accept::NotEqual(0), requirement, because);
}

void ExpectSilence(Context& c, uint32_t queue, const std::string& requirement,
                   const std::string& because) {
  Settle(c, queue);
  c.Expect(Accept::Equal(0), requirement, because);
}

uint32_t LargestBatch(Context& c) {
  const Exchange exchange = c.grammar().Request(0);
  const uint32_t most = c.DefaultQueueSize(exchange.queue) / c.DescriptorsOf(exchange, {});
  if (most == 0) c.NotApplicable("the queue is too small");
  return std::min(most, 4u);
}

void UseBatch(Context& c, uint32_t queue, uint32_t count) {
  for (uint32_t n = 0; n < count; ++n) c.Publish(c.grammar().Request(n), {}, true);
  c.Do(op::Expose{queue});
  c.Notify(queue);
  c.WaitUsed(queue, count);
  c.Expect(Accept::Equal(count), "derived.used.progress", "every buffer of the batch is used");
}

}  // namespace vitro
