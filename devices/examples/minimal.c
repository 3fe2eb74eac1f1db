/* SPDX-License-Identifier: Apache-2.0
 *
 * The least that is a whole virtio device: one split virtqueue, no configuration space, VERSION_1
 * and no other feature. It fills buffers with bytes of a generator, like an entropy device (5.4).
 *
 *   cc -shared -fPIC -I devices/abi devices/examples/minimal.c -o minimal.so
 *
 * To make a device of your own of it, change serve() and identity(). The rest is what each device
 * needs: status and features, one queue, and the distrust of everything that the driver wrote. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "vitro_device.h"

enum {
  ACKNOWLEDGE = 1,
  DRIVER = 2,
  DRIVER_OK = 4,
  FEATURES_OK = 8,
  NEEDS_RESET = 64,
  FAILED = 128
};
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, AVAIL_NO_INTERRUPT = 1 };
#define MAX_QUEUE_SIZE 64u
#define VERSION_1 (UINT64_C(1) << 32)

struct vitro_device {
  const vitro_host* host;
  uint64_t accepted[2]; /* features as the driver wrote them */
  uint8_t status;
  vitro_queue queue; /* queue_size is 0 while the queue is not enabled */
  uint16_t next_avail, next_used;
  int notified;
  uint64_t random;
};

/* Guest memory, little-endian, in pieces that suit the rings. 0 is success. */
static uint64_t le(const uint8_t* bytes, int width) {
  uint64_t value = 0;
  while (width-- > 0) value = value << 8 | bytes[width];
  return value;
}

static int read16(const vitro_device* d, uint64_t address, uint16_t* value) {
  uint8_t raw[2];
  if (d->host->read(d->host->context, address, raw, sizeof raw) != 0) return -1;
  *value = (uint16_t)le(raw, 2);
  return 0;
}

static int write_le(const vitro_device* d, uint64_t address, uint64_t value, int width) {
  uint8_t raw[8];
  for (int i = 0; i < width; ++i, value >>= 8) raw[i] = (uint8_t)value;
  return d->host->write(d->host->context, address, raw, (uint64_t)width);
}

/* The device's own work: fills one device-writable buffer. */
static int serve(vitro_device* d, uint64_t address, uint32_t length) {
  uint8_t bytes[256];
  while (length != 0) {
    uint32_t piece = length < sizeof bytes ? length : (uint32_t)sizeof bytes;
    for (uint32_t i = 0; i < piece; ++i) {
      d->random = d->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
      bytes[i] = (uint8_t)(d->random >> 56);
    }
    if (d->host->write(d->host->context, address, bytes, piece) != 0) return -1;
    address += piece;
    length -= piece;
  }
  return 0;
}

/* Walks one chain (2.7.5) and serves its device-writable buffers; sets *written to their bytes. */
static int serve_chain(vitro_device* d, uint16_t index, uint64_t* written) {
  uint64_t total = 0;
  int seen_writable = 0;
  *written = 0;
  /* A chain has at most queue_size descriptors; one that has more is a loop. */
  for (uint32_t count = 0; count < d->queue.queue_size; ++count) {
    uint8_t raw[16];
    if (index >= d->queue.queue_size) return -1;
    uint64_t at = d->queue.desc_address + 16 * (uint64_t)index;
    if (d->host->read(d->host->context, at, raw, sizeof raw) != 0) return -1;
    uint64_t address = le(raw, 8);
    uint32_t length = (uint32_t)le(raw + 8, 4);
    uint16_t flags = (uint16_t)le(raw + 12, 2);
    /* INDIRECT_DESC is not offered, and device-readable buffers come first. */
    if ((flags & DESC_INDIRECT) || (seen_writable && !(flags & DESC_WRITE))) return -1;
    total += length;
    if (total > UINT64_C(1) << 32) return -1;
    if (flags & DESC_WRITE) {
      seen_writable = 1;
      if (serve(d, address, length) != 0) return -1;
      *written += length;
    }
    if (!(flags & DESC_NEXT)) return 0;
    index = (uint16_t)le(raw + 14, 2);
  }
  return -1;
}

/* Puts a chain into the used ring (2.7.8). */
static int use(vitro_device* d, uint16_t head, uint64_t written) {
  uint64_t slot = d->queue.device_address + 4 + 8 * (uint64_t)(d->next_used % d->queue.queue_size);
  if (written > UINT32_MAX) written = UINT32_MAX; /* 2^32 does not fit; less is still true */
  if (write_le(d, slot, head, 4) != 0 || write_le(d, slot + 4, written, 4) != 0) return -1;
  ++d->next_used;
  /* The buffer and the entry must be seen before the index that announces them. */
  atomic_thread_fence(memory_order_release);
  return write_le(d, d->queue.device_address + 2, d->next_used, 2);
}

/* Serves what is available, at most one queue's worth; -1 if the ring is broken. */
static int drain(vitro_device* d, uint32_t* served) {
  uint16_t available, head;
  uint64_t written;
  if (read16(d, d->queue.driver_address + 2, &available) != 0) return -1;
  /* What stands in the ring is read only after the index that announces it. */
  atomic_thread_fence(memory_order_acquire);
  if ((uint16_t)(available - d->next_avail) > d->queue.queue_size) return -1;
  while (d->next_avail != available) {
    uint64_t slot = 4 + 2 * (uint64_t)(d->next_avail % d->queue.queue_size);
    if (read16(d, d->queue.driver_address + slot, &head) != 0) return -1;
    if (serve_chain(d, head, &written) != 0 || use(d, head, written) != 0) return -1;
    ++d->next_avail;
    ++*served;
  }
  return 0;
}

static int run(vitro_device* d) {
  uint32_t served = 0;
  uint16_t flags = 0;
  if (!(d->status & DRIVER_OK) || (d->status & (NEEDS_RESET | FAILED))) return 0;
  if (!d->notified || d->queue.queue_size == 0) return 0;
  d->notified = 0;
  int broken = drain(d, &served) != 0;
  /* The used index must be visible before the driver's wish is read (2.7.7). */
  atomic_thread_fence(memory_order_seq_cst);
  if (served != 0 &&
      (read16(d, d->queue.driver_address, &flags) != 0 || !(flags & AVAIL_NO_INTERRUPT)))
    d->host->signal_queue(d->host->context, 0);
  if (broken) { /* nothing is served any more until reset */
    d->status |= NEEDS_RESET;
    d->host->signal_config(d->host->context);
  }
  /* Buffers may have come meanwhile: while there was work, look again. */
  if (served != 0 && !broken) d->notified = 1;
  return served != 0 || broken;
}

static void notify(vitro_device* d, uint32_t queue) {
  if (queue == 0) d->notified = 1;
}

static void reset(vitro_device* d) {
  vitro_device fresh = {.host = d->host, .random = d->random};
  *d = fresh;
}

static int create(const vitro_host* host, const char* options, vitro_device** device) {
  if (host->abi_version != VITRO_ABI_VERSION || host->size < sizeof *host) return -1;
  if (*options != '\0') {
    host->log(host->context, "this device has no options");
    return -1;
  }
  *device = calloc(1, sizeof **device);
  if (*device == NULL) return -1;
  (*device)->host = host;
  (*device)->random = 1;
  return 0;
}

static void destroy(vitro_device* d) { free(d); }

static void identity(vitro_device* d, vitro_identity* identity) {
  vitro_identity full = {0};
  (void)d;
  full.size = identity->size;
  full.device_id = 4;
  full.queue_count = 1;
  memcpy(identity, &full, identity->size < sizeof full ? identity->size : sizeof full);
}

static void offered_features(vitro_device* d, uint64_t words[2]) {
  (void)d;
  words[0] = VERSION_1;
  words[1] = 0;
}

static void accept_features(vitro_device* d, const uint64_t words[2]) {
  if (!(d->status & FEATURES_OK)) memcpy(d->accepted, words, sizeof d->accepted);
}

static uint8_t get_status(vitro_device* d) { return d->status; }

static void set_status(vitro_device* d, uint8_t status) {
  d->status |= status & (ACKNOWLEDGE | DRIVER | FAILED);
  /* Exactly VERSION_1: nothing else is offered, and there is no legacy interface. */
  if ((status & FEATURES_OK) && d->accepted[0] == VERSION_1 && d->accepted[1] == 0)
    d->status |= FEATURES_OK;
  if ((status & DRIVER_OK) && (d->status & FEATURES_OK)) d->status |= DRIVER_OK;
}

/* No configuration space, so no access to it is good. */
static int config_read(vitro_device* d, uint32_t offset, void* value, uint32_t width) {
  (void)d, (void)offset, (void)value, (void)width;
  return -1;
}
static int config_write(vitro_device* d, uint32_t offset, const void* value, uint32_t width) {
  (void)d, (void)offset, (void)value, (void)width;
  return -1;
}

static uint32_t queue_max_size(vitro_device* d, uint32_t queue) {
  (void)d;
  return queue == 0 ? MAX_QUEUE_SIZE : 0;
}

static int queue_setup(vitro_device* d, uint32_t queue, const vitro_queue* setup) {
  uint32_t size = setup->queue_size;
  if (queue != 0 || d->queue.queue_size != 0) return -1;
  if (size == 0 || size > MAX_QUEUE_SIZE || (size & (size - 1)) != 0) return -1;
  if (setup->desc_address % 16 || setup->driver_address % 2 || setup->device_address % 4) return -1;
  d->queue = *setup;
  return 0;
}

static const vitro_device_ops ops = {
    .size = sizeof ops,
    .abi_version = VITRO_ABI_VERSION,
    .name = "minimal example device",
    .create = create,
    .destroy = destroy,
    .identity = identity,
    .offered_features = offered_features,
    .accept_features = accept_features,
    .get_status = get_status,
    .set_status = set_status,
    .reset = reset,
    .config_read = config_read,
    .config_write = config_write,
    .queue_max_size = queue_max_size,
    .queue_setup = queue_setup,
    .notify = notify,
    .run = run,
};

const vitro_device_ops* vitro_device_entry(uint32_t host_abi_version) {
  return host_abi_version == VITRO_ABI_VERSION ? &ops : NULL;
}
