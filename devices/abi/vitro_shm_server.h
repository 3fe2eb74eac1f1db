/* SPDX-License-Identifier: Apache-2.0
 *
 * The device's side of vitro_shm.h around any device of vitro_device.h, all in this header:
 *
 *   int main(void) {
 *     vitro_shm_server server = {.name = "/mydev", .ops = vitro_device_entry(VITRO_ABI_VERSION)};
 *     return vitro_shm_serve_blocking(&server) == 0 ? 0 : (puts(server.error), 1);
 *   }
 *
 *   vitro run shm:/mydev
 *
 * In C it wants the declarations of POSIX and syscall(2): -std=gnu11, or _GNU_SOURCE.
 *
 * It serves one driver after the other, each with a fresh device, until `stop` is set (a signal
 * handler may) or, with `once`, until the first driver has left. A driver that died is left behind.
 * Drivers are not trusted: no number of theirs is used before it is checked. */
#ifndef VITRO_SHM_SERVER_H
#define VITRO_SHM_SERVER_H

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "vitro_shm.h"
#include "vitro_shm_sync.h"

typedef struct vitro_shm_server {
  /* To be filled in; the rest is zero. */
  const char*
      name; /* of the segment, as for shm_open(3); one that a dead server left is replaced */
  const vitro_device_ops* ops;
  const char* options; /* for ops->create(); NULL: none */
  uint32_t level;      /* VITRO_SHM_CORE, _PCI or _MMIO */
  int wrapped;         /* see VITRO_SHM_WRAPPED */
  int once;
  uint64_t memory_size; /* bytes of guest memory; 0: 16 MiB. Costs what is used of it */
  int stop;

  /* Why serving failed. */
  char error[256];

  /* The server's own. */
  vitro_host host;
  vitro_device* device;
  uint8_t *base, *memory;
  uint64_t size;
  vitro_shm_control* control;
  vitro_shm_mailbox* mailbox;
  vitro_shm_events* events;
  vitro_shm_log* log;
  uint32_t log_size;
  uint64_t tail;
  uint32_t answered;
  int driven, in_request, left;
  char emitting; /* a lock among the device's threads */
  uint32_t region_count;
  vitro_shm_region regions[VITRO_SHM_REGIONS];
} vitro_shm_server;

enum { VITRO_SHM_EVENTS = 4096, VITRO_SHM_LOG_SIZE = 16384 };

static inline int vitro_shm_fail(vitro_shm_server* s, const char* what) {
  snprintf(s->error, sizeof s->error, "%s: %s: %s", s->name, what, strerror(errno));
  return -1;
}

/* Guest memory ------------------------------------------------------------------------------ */

/* The bytes from `address` on that lie in one region, at most `length`; NULL if there are none. */
static inline uint8_t* vitro_shm_at(const vitro_shm_server* s, uint64_t address, uint64_t* length) {
  uint32_t i;
  for (i = 0; i < s->region_count; ++i) {
    const vitro_shm_region* r = &s->regions[i];
    if (address < r->address || address - r->address >= r->size) continue;
    if (*length > r->size - (address - r->address)) *length = r->size - (address - r->address);
    return s->memory + r->offset + (address - r->address);
  }
  return NULL;
}

static inline void* vitro_shm_map(void* context, uint64_t address, uint64_t length) {
  uint64_t part = length;
  uint8_t* at = vitro_shm_at((vitro_shm_server*)context, address, &part);
  return part == length ? at : NULL;
}

/* Is all of it guest memory? It may cross from one region into the next. */
static inline int vitro_shm_all(const vitro_shm_server* s, uint64_t address, uint64_t length) {
  while (length != 0) {
    uint64_t part = length;
    if (vitro_shm_at(s, address, &part) == NULL) return 0;
    address += part;
    length -= part;
  }
  return 1;
}

static inline int vitro_shm_copy(vitro_shm_server* s, uint64_t address, void* to, const void* from,
                                 uint64_t length) {
  uint8_t* out = (uint8_t*)to;
  const uint8_t* in = (const uint8_t*)from;
  if (!vitro_shm_all(s, address, length)) return -1;
  while (length != 0) {
    uint64_t part = length;
    uint8_t* at = vitro_shm_at(s, address, &part);
    if (out != NULL) {
      memcpy(out, at, part);
      out += part;
    } else {
      memcpy(at, in, part);
      in += part;
    }
    address += part;
    length -= part;
  }
  return 0;
}

static inline int vitro_shm_read(void* context, uint64_t address, void* to, uint64_t length) {
  return vitro_shm_copy((vitro_shm_server*)context, address, to, NULL, length);
}
static inline int vitro_shm_write(void* context, uint64_t address, const void* from,
                                  uint64_t length) {
  return vitro_shm_copy((vitro_shm_server*)context, address, NULL, from, length);
}

/* Events ------------------------------------------------------------------------------------ */

static inline int vitro_shm_full(const vitro_shm_server* s) {
  return s->tail - VITRO_SHM_LOAD(s->events->head) >= VITRO_SHM_EVENTS;
}

/* May be called from any thread of the device. */
static inline void vitro_shm_emit(vitro_shm_server* s, uint32_t kind, uint32_t data,
                                  uint64_t address) {
  int tries;
  while (__atomic_test_and_set(&s->emitting, __ATOMIC_ACQUIRE)) vitro_shm_pause();
  /* A driver that waits for an answer makes room meanwhile. */
  for (tries = 0; tries < 100 && vitro_shm_full(s); ++tries) {
    const struct timespec moment = {0, 1000000};
    vitro_shm_wake(&s->control->driver_wake, &s->control->driver_sleeps);
    nanosleep(&moment, NULL);
  }
  if (vitro_shm_full(s)) {
    __atomic_fetch_add(&s->events->lost, 1u, __ATOMIC_RELAXED);
  } else {
    vitro_shm_event* entry = &s->events->entries[s->tail % VITRO_SHM_EVENTS];
    VITRO_SHM_POKE(entry->kind, kind);
    VITRO_SHM_POKE(entry->data, data);
    VITRO_SHM_POKE(entry->address, address);
    VITRO_SHM_STORE(s->events->tail, ++s->tail);
  }
  __atomic_clear(&s->emitting, __ATOMIC_RELEASE);
  /* The answer to the request at work wakes the driver soon enough. */
  if (!VITRO_SHM_PEEK(s->in_request))
    vitro_shm_wake(&s->control->driver_wake, &s->control->driver_sleeps);
}

static inline void vitro_shm_signal_queue(void* context, uint16_t queue) {
  vitro_shm_emit((vitro_shm_server*)context, VITRO_SHM_QUEUE_SIGNAL, queue, 0);
}
static inline void vitro_shm_signal_config(void* context) {
  vitro_shm_emit((vitro_shm_server*)context, VITRO_SHM_CONFIG_SIGNAL, 0, 0);
}
static inline void vitro_shm_send_message(void* context, uint64_t address, uint32_t data) {
  vitro_shm_emit((vitro_shm_server*)context, VITRO_SHM_MESSAGE, data, address);
}
static inline void vitro_shm_set_line(void* context, int asserted) {
  vitro_shm_emit((vitro_shm_server*)context, VITRO_SHM_LINE, asserted != 0, 0);
}
static inline void vitro_shm_say(void* context, const char* line) {
  vitro_shm_server* s = (vitro_shm_server*)context;
  const uint32_t length = VITRO_SHM_PEEK(s->log->length);
  const size_t more = strlen(line);
  if (more + 1 > s->log_size - length) return;
  memcpy(s->log->text + length, line, more);
  s->log->text[length + more] = '\n';
  VITRO_SHM_STORE(s->log->length, length + (uint32_t)more + 1);
}

/* Requests ---------------------------------------------------------------------------------- */

static inline void vitro_shm_end_device(vitro_shm_server* s) {
  if (s->device != NULL) s->ops->destroy(s->device);
  s->device = NULL;
}

/* Guest memory as this driver has it; -1 if it is not within the segment. */
static inline int vitro_shm_take_regions(vitro_shm_server* s, uint64_t memory_size) {
  uint32_t i, count = VITRO_SHM_PEEK(s->mailbox->region_count);
  if (count > VITRO_SHM_REGIONS) return -1;
  for (i = 0; i < count; ++i) {
    vitro_shm_region r;
    r.address = VITRO_SHM_PEEK(s->mailbox->regions[i].address);
    r.size = VITRO_SHM_PEEK(s->mailbox->regions[i].size);
    r.offset = VITRO_SHM_PEEK(s->mailbox->regions[i].offset);
    if (r.offset > memory_size || r.size > memory_size - r.offset) return -1;
    if (r.size == 0 || r.address > UINT64_MAX - r.size) return -1;
    s->regions[i] = r;
  }
  s->region_count = count;
  return 0;
}

static inline int vitro_shm_open_device(vitro_shm_server* s, uint64_t values[7]) {
  vitro_identity identity;
  vitro_shm_end_device(s);
  VITRO_SHM_STORE(s->log->length, 0u);
  values[6] = s->tail;
  s->left = 0;
  if (vitro_shm_take_regions(s, s->memory_size) != 0) {
    vitro_shm_say(s, "the driver's memory does not lie in the segment");
    return -1;
  }
  if (s->ops->create(&s->host, s->options != NULL ? s->options : "", &s->device) != 0 ||
      s->device == NULL) {
    s->device = NULL;
    if (VITRO_SHM_PEEK(s->log->length) == 0) vitro_shm_say(s, "create() refused without a reason");
    return -1;
  }
  memset(&identity, 0, sizeof identity);
  identity.size = sizeof identity;
  s->ops->identity(s->device, &identity);
  values[0] = identity.device_id;
  values[1] = identity.vendor_id;
  values[2] = identity.queue_count;
  values[3] = identity.config_size;
  values[4] = identity.admin_queue_index;
  values[5] = identity.admin_queue_count;
  return 0;
}

static inline int vitro_shm_width(uint64_t width) {
  return width == 1 || width == 2 || width == 4 || width == 8;
}

static inline int vitro_shm_core_request(vitro_shm_server* s, uint32_t opcode, const uint64_t a[5],
                                         uint64_t values[7]) {
  const vitro_device_ops* ops = s->ops;
  const uint32_t at = (uint32_t)a[0], width = (uint32_t)a[1];
  vitro_queue queue;
  switch (opcode) {
    case VITRO_SHM_OFFERED_FEATURES:
      ops->offered_features(s->device, values);
      return 0;
    case VITRO_SHM_ACCEPT_FEATURES:
      ops->accept_features(s->device, a);
      return 0;
    case VITRO_SHM_GET_STATUS:
      values[0] = ops->get_status(s->device);
      return 0;
    case VITRO_SHM_SET_STATUS:
      ops->set_status(s->device, (uint8_t)a[0]);
      return 0;
    case VITRO_SHM_RESET:
      ops->reset(s->device);
      return 0;
    case VITRO_SHM_CONFIG_READ:
      return vitro_shm_width(a[1]) ? ops->config_read(s->device, at, values, width) : -1;
    case VITRO_SHM_CONFIG_WRITE:
      return vitro_shm_width(a[1]) ? ops->config_write(s->device, at, &a[2], width) : -1;
    case VITRO_SHM_CONFIG_GENERATION:
      values[0] = ops->config_generation(s->device);
      return 0;
    case VITRO_SHM_QUEUE_MAX_SIZE:
      values[0] = ops->queue_max_size(s->device, at);
      return 0;
    case VITRO_SHM_QUEUE_SETUP:
      queue.size = sizeof queue;
      queue.queue_size = (uint32_t)a[1];
      queue.desc_address = a[2];
      queue.driver_address = a[3];
      queue.device_address = a[4];
      return ops->queue_setup(s->device, at, &queue);
    case VITRO_SHM_QUEUE_RESET:
      return ops->queue_reset(s->device, at);
    case VITRO_SHM_NOTIFY:
      ops->notify(s->device, at);
      return 0;
    default:
      return -2;
  }
}

static inline int vitro_shm_register_request(vitro_shm_server* s, uint32_t opcode,
                                             const uint64_t a[5], uint64_t values[7]) {
  const vitro_pci_ops* pci = s->ops->pci;
  const vitro_mmio_ops* mmio = s->ops->mmio;
  const uint64_t width = a[opcode == VITRO_SHM_BAR_READ || opcode == VITRO_SHM_BAR_WRITE ? 2 : 1];
  if (!vitro_shm_width(width)) return -1;
  switch (opcode) {
    case VITRO_SHM_PCI_CONFIG_READ:
      if (a[0] > UINT32_MAX || a[0] % 4096 > 4096 - width || width > 4) return -1;
      values[0] = pci->config_read(s->device, (uint32_t)a[0], (uint32_t)width);
      return 0;
    case VITRO_SHM_PCI_CONFIG_WRITE:
      if (a[0] > UINT32_MAX || a[0] % 4096 > 4096 - width || width > 4) return -1;
      pci->config_write(s->device, (uint32_t)a[0], (uint32_t)width, (uint32_t)a[2]);
      return 0;
    case VITRO_SHM_BAR_READ:
      if (a[0] > 5) return -1;
      return pci->bar_read(s->device, (uint32_t)a[0], a[1], (uint32_t)width, values);
    case VITRO_SHM_BAR_WRITE:
      if (a[0] > 5) return -1;
      return pci->bar_write(s->device, (uint32_t)a[0], a[1], (uint32_t)width, a[3]);
    case VITRO_SHM_MMIO_READ:
      return mmio->read(s->device, a[0], (uint32_t)width, values);
    default:
      return mmio->write(s->device, a[0], (uint32_t)width, a[2]);
  }
}

/* The opcodes that this device serves at this level, as bits. */
static inline uint64_t vitro_shm_operations(const vitro_shm_server* s) {
  const vitro_device_ops* ops = s->ops;
  uint64_t bits = 1u << VITRO_SHM_OPEN | 1u << VITRO_SHM_CLOSE | 1u << VITRO_SHM_RUN;
  uint32_t opcode;
  /* What stands at the end of the table may be missing from an older one. */
  if (ops->size >= offsetof(vitro_device_ops, pci) && ops->stimulate_config_change != NULL)
    bits |= 1u << VITRO_SHM_STIMULATE;
  if (s->level == VITRO_SHM_PCI) return bits | 0xfu << VITRO_SHM_PCI_CONFIG_READ;
  if (s->level == VITRO_SHM_MMIO) return bits | 3u << VITRO_SHM_MMIO_READ;
  for (opcode = VITRO_SHM_OFFERED_FEATURES; opcode <= VITRO_SHM_NOTIFY; ++opcode)
    if ((opcode != VITRO_SHM_CONFIG_GENERATION || ops->config_generation != NULL) &&
        (opcode != VITRO_SHM_QUEUE_RESET || ops->queue_reset != NULL))
      bits |= 1u << opcode;
  return bits;
}

static inline int vitro_shm_request(vitro_shm_server* s, uint64_t values[7]) {
  const uint32_t opcode = VITRO_SHM_PEEK(s->mailbox->opcode);
  uint64_t a[5];
  int i;
  for (i = 0; i < 5; ++i) a[i] = VITRO_SHM_PEEK(s->mailbox->arguments[i]);
  if (opcode >= 64 || (vitro_shm_operations(s) >> opcode & 1) == 0) return -2;
  if (opcode == VITRO_SHM_OPEN) return vitro_shm_open_device(s, values);
  if (s->device == NULL) return -2;
  switch (opcode) {
    case VITRO_SHM_CLOSE:
      vitro_shm_end_device(s);
      s->left = 1;
      return 0;
    case VITRO_SHM_RUN:
      return s->ops->run(s->device) != 0;
    case VITRO_SHM_STIMULATE:
      return s->ops->stimulate_config_change(s->device);
    default:
      return opcode < VITRO_SHM_RUN ? vitro_shm_core_request(s, opcode, a, values)
                                    : vitro_shm_register_request(s, opcode, a, values);
  }
}

/* Serves the request that is there, if there is one. */
static inline int vitro_shm_step(vitro_shm_server* s) {
  const uint32_t request = VITRO_SHM_LOAD(s->mailbox->request);
  uint64_t values[7] = {0, 0, 0, 0, 0, 0, 0};
  int i, result;
  if (request == s->answered) return 0;
  VITRO_SHM_STORE(s->mailbox->taken, request);
  VITRO_SHM_POKE(s->in_request, 1);
  result = vitro_shm_request(s, values);
  VITRO_SHM_POKE(s->in_request, 0);
  for (i = 0; i < 7; ++i) VITRO_SHM_POKE(s->mailbox->values[i], values[i]);
  VITRO_SHM_POKE(s->mailbox->result, result);
  s->answered = request;
  VITRO_SHM_STORE(s->mailbox->answer, request);
  vitro_shm_wake(&s->control->driver_wake, &s->control->driver_sleeps);
  return 1;
}

/* The segment ------------------------------------------------------------------------------- */

static inline vitro_shm_part vitro_shm_place(uint64_t* end, uint64_t size, uint64_t align) {
  vitro_shm_part part;
  part.offset = (*end + align - 1) / align * align;
  part.size = size;
  *end = part.offset + size;
  return part;
}

/* A name that another server still uses is left alone; one that a dead one left is freed. */
static inline int vitro_shm_sweep(vitro_shm_server* s) {
  struct stat info;
  vitro_shm_header* old;
  uint64_t other = 0;
  const int fd = shm_open(s->name, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  if (fstat(fd, &info) == 0 && (uint64_t)info.st_size >= VITRO_SHM_PAGE) {
    old = (vitro_shm_header*)mmap(NULL, VITRO_SHM_PAGE, PROT_READ, MAP_SHARED, fd, 0);
    if (old != MAP_FAILED) {
      const uint64_t at = old->control.offset;
      if (VITRO_SHM_LOAD(old->magic) == VITRO_SHM_MAGIC && at % 64 == 0 &&
          at <= VITRO_SHM_PAGE - sizeof(vitro_shm_control))
        other = VITRO_SHM_PEEK(((vitro_shm_control*)((uint8_t*)old + at))->device);
      munmap(old, VITRO_SHM_PAGE);
    }
  }
  close(fd);
  if (vitro_shm_alive(other)) {
    snprintf(s->error, sizeof s->error, "%s: process %lu serves it already", s->name,
             (unsigned long)(uint32_t)other);
    return -1;
  }
  shm_unlink(s->name);
  return 0;
}

static inline int vitro_shm_create(vitro_shm_server* s) {
  vitro_shm_header h;
  uint64_t end = sizeof h;
  int fd;
  memset(&h, 0, sizeof h);
  if (s->memory_size == 0) s->memory_size = 16u << 20;
  h.version = VITRO_SHM_VERSION;
  h.level = s->level;
  h.flags = (s->driven ? VITRO_SHM_DRIVEN : 0) | (s->wrapped ? VITRO_SHM_WRAPPED : 0);
  h.event_capacity = VITRO_SHM_EVENTS;
  h.operations = vitro_shm_operations(s);
  h.control = vitro_shm_place(&end, sizeof(vitro_shm_control), 64);
  h.mailbox = vitro_shm_place(&end, sizeof(vitro_shm_mailbox), 64);
  h.events = vitro_shm_place(
      &end, sizeof(vitro_shm_events) + VITRO_SHM_EVENTS * sizeof(vitro_shm_event), 64);
  h.log = vitro_shm_place(&end, VITRO_SHM_LOG_SIZE, 64);
  h.memory = vitro_shm_place(&end, s->memory_size, VITRO_SHM_PAGE);
  s->size = h.total_size = end;
  if (s->ops->name != NULL) snprintf(h.name, sizeof h.name, "%s", s->ops->name);

  if (vitro_shm_sweep(s) != 0) return -1;
  fd = shm_open(s->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return vitro_shm_fail(s, "cannot create the shared memory");
  if (ftruncate(fd, (off_t)end) != 0 ||
      (s->base = (uint8_t*)mmap(NULL, end, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) ==
          MAP_FAILED) {
    s->base = NULL;
    close(fd);
    shm_unlink(s->name);
    return vitro_shm_fail(s, "cannot map the shared memory");
  }
  close(fd);
  s->control = (vitro_shm_control*)(s->base + h.control.offset);
  s->mailbox = (vitro_shm_mailbox*)(s->base + h.mailbox.offset);
  s->events = (vitro_shm_events*)(s->base + h.events.offset);
  s->log = (vitro_shm_log*)(s->base + h.log.offset);
  s->log_size = VITRO_SHM_LOG_SIZE - (uint32_t)sizeof(vitro_shm_log);
  s->memory = s->base + h.memory.offset;
  VITRO_SHM_STORE(s->control->device, vitro_shm_self());
  memcpy(s->base, &h, sizeof h);
  VITRO_SHM_STORE(((vitro_shm_header*)s->base)->magic, VITRO_SHM_MAGIC);
  return 0;
}

/* Creates the segment. 0, or -1 and `error`. Serving does it itself where it was not done. */
static inline int vitro_shm_server_open(vitro_shm_server* s, int driven) {
  const int known = s->ops != NULL && s->ops->abi_version == VITRO_ABI_VERSION;
  const int newer = known && s->ops->size >= sizeof *s->ops; /* pci and mmio are at the end */
  if (!known || (s->level == VITRO_SHM_CORE && s->ops->offered_features == NULL) ||
      (s->level == VITRO_SHM_PCI && (!newer || s->ops->pci == NULL)) ||
      (s->level == VITRO_SHM_MMIO && (!newer || s->ops->mmio == NULL)) ||
      s->level > VITRO_SHM_MMIO) {
    snprintf(s->error, sizeof s->error, "%s: there is no device of that level to serve", s->name);
    return -1;
  }
  s->driven = driven;
  s->host.size = sizeof s->host;
  s->host.abi_version = VITRO_ABI_VERSION;
  s->host.context = s;
  s->host.read = vitro_shm_read;
  s->host.write = vitro_shm_write;
  s->host.map = vitro_shm_map;
  s->host.signal_queue = vitro_shm_signal_queue;
  s->host.signal_config = vitro_shm_signal_config;
  s->host.log = vitro_shm_say;
  s->host.send_message = vitro_shm_send_message;
  s->host.set_line = vitro_shm_set_line;
  return vitro_shm_create(s);
}

static inline void vitro_shm_server_close(vitro_shm_server* s) {
  vitro_shm_end_device(s);
  if (s->base == NULL) return;
  shm_unlink(s->name);
  munmap(s->base, s->size);
  s->base = NULL;
}

/* Ends the device of a driver that died, and lets the next one in. */
static inline void vitro_shm_look_after_driver(vitro_shm_server* s) {
  uint64_t driver = VITRO_SHM_LOAD(s->control->driver);
  if (driver == 0 || vitro_shm_alive(driver)) return;
  if (VITRO_SHM_LOAD(s->mailbox->request) != s->answered) return; /* its last, or a successor's */
  /* Whoever swaps first: a driver that takes over opens a device of its own. */
  if (__atomic_compare_exchange_n(&s->control->driver, &driver, UINT64_C(0), 0, __ATOMIC_ACQ_REL,
                                  __ATOMIC_RELAXED)) {
    vitro_shm_end_device(s);
    s->left = 1;
  }
}

static inline int vitro_shm_over(const vitro_shm_server* s) {
  return __atomic_load_n(&s->stop, __ATOMIC_RELAXED) || (s->once && s->left);
}

/* Serves from here, asleep between requests, and lets the device work only when it is asked to: the
 * driver knows exactly when it is at rest. 0 at its end, or -1 and `error`. */
static inline int vitro_shm_serve_blocking(vitro_shm_server* s) {
  enum { SPINS = 200, NAP_US = 50000 };
  int idle = 0;
  if (s->base == NULL && vitro_shm_server_open(s, 1) != 0) return -1;
  while (!vitro_shm_over(s)) {
    const uint32_t seen = VITRO_SHM_LOAD(s->control->device_wake);
    if (vitro_shm_step(s)) {
      idle = 0;
    } else if (++idle < SPINS) {
      vitro_shm_pause();
    } else {
      idle = 0;
      __atomic_fetch_add(&s->control->heartbeat, 1u, __ATOMIC_RELAXED);
      vitro_shm_sleep(&s->control->device_wake, seen, &s->control->device_sleeps, NAP_US);
      if (VITRO_SHM_LOAD(s->control->device_wake) == seen) vitro_shm_look_after_driver(s);
    }
  }
  vitro_shm_server_close(s);
  return 0;
}

/* The same for a device that works on its own: it never sleeps, and calls run() all the time. */
static inline int vitro_shm_serve_polling(vitro_shm_server* s) {
  enum { LOOK_AFTER = 100000 };
  uint32_t rounds = 0;
  if (s->base == NULL && vitro_shm_server_open(s, 0) != 0) return -1;
  while (!vitro_shm_over(s)) {
    __atomic_fetch_add(&s->control->heartbeat, 1u, __ATOMIC_RELAXED);
    const int served = vitro_shm_step(s);
    const int worked = s->device != NULL && s->ops->run(s->device) != 0;
    if (!served && !worked) vitro_shm_pause();
    if (++rounds % LOOK_AFTER == 0) vitro_shm_look_after_driver(s);
  }
  vitro_shm_server_close(s);
  return 0;
}

#endif
