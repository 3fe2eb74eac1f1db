/* SPDX-License-Identifier: Apache-2.0
 *
 * The shared memory in which Vitro drives a virtio device that lives in another process: one POSIX
 * shared memory segment (shm_open(3)) with a header, who is there, a mailbox of one request, a ring
 * of events, a log, and guest memory.
 *
 *   device's side                                  Vitro ("the driver")
 *   creates the segment, writes `magic` last
 *                                                  maps it, refuses what does not fit, claims it
 *   serves requests in order: mailbox        <---  one request at a time
 *   tells of notifications: event ring       --->  takes them in with the answer and while it waits
 *
 * Either side may die at any instant, so there are no locks: every word that both sides use is
 * lock-free and goes one way. Each side believes nothing that it reads: numbers are bounded before
 * use, and read once. Waiting is for a futex word, never for longer than a moment, and between two
 * moments the other side's life is looked at.
 *
 * vitro_shm_server.h has the device's side around any table of vitro_device.h. This header is the
 * layout, for those who write that themselves. All integers are in host byte order. A change that
 * an older side would misread changes VITRO_SHM_VERSION, and the two refuse each other.
 *
 * The one thing that cannot be defended against is a side that truncates the segment while the
 * other has it mapped: touching it then is SIGBUS. */
#ifndef VITRO_SHM_H
#define VITRO_SHM_H

#include <stdint.h>

#include "vitro_device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VITRO_SHM_MAGIC UINT64_C(0x4d48534f52544956) /* "VITROSHM" in memory */
#define VITRO_SHM_VERSION 1u
#define VITRO_SHM_PAGE 4096u
#define VITRO_SHM_REGIONS 8u

/* How the device is driven, vitro_shm_header.level. */
enum { VITRO_SHM_CORE = 0, VITRO_SHM_PCI = 1, VITRO_SHM_MMIO = 2 };

/* vitro_shm_header.flags */
enum {
  /* The device works inside requests only, and RUN does all of it: after a RUN that answers 0
   * nothing more happens by itself. Without it the device works whenever it likes. */
  VITRO_SHM_DRIVEN = 1,
  /* The registers of the level are Vitro's, around a device of level core. */
  VITRO_SHM_WRAPPED = 2
};

/* One part of the segment. Offsets are bytes from its start, whole multiples of 64 (of a page for
 * guest memory). Parts do not overlap. */
typedef struct vitro_shm_part {
  uint64_t offset;
  uint64_t size; /* bytes */
} vitro_shm_part;

/* At offset 0. Written by the device's side before `magic`, and never changed after. */
typedef struct vitro_shm_header {
  uint64_t magic; /* stored last, with release */
  uint32_t version;
  uint32_t level;
  uint64_t total_size; /* bytes, of the whole segment */
  uint32_t flags;
  uint32_t event_capacity; /* entries of the ring, a power of two */
  uint64_t operations;     /* bit N: the request of opcode N is served */
  vitro_shm_part control, mailbox, events, log, memory;
  char name[64]; /* for people; ends with a zero byte */
} vitro_shm_header;

/* Who is there. A side is named by its process id (bits 0-31) and the low half of the time at which
 * that process started (bits 32-63; clock ticks, field 22 of /proc/PID/stat), so that an id which
 * was given again is told apart. 0: nobody. */
typedef struct vitro_shm_control {
  uint64_t device;        /* written once by the device's side */
  uint64_t heartbeat;     /* device's side: counted up in its loop, ten times a second or more */
  uint32_t device_wake;   /* futex: the driver adds 1 after each request (seq_cst) */
  uint32_t device_sleeps; /* device's side: 1 while it waits for it (seq_cst) */
  uint64_t padding0[5];
  uint64_t driver;        /* the driver takes it by compare-and-swap from 0, or from a dead one, and
                             stores 0 when it leaves; the device's side swaps a dead one to 0 */
  uint32_t driver_wake;   /* futex: the device's side adds 1 after answers and events (seq_cst) */
  uint32_t driver_sleeps; /* driver: 1 while it waits for it (seq_cst) */
  uint64_t padding1[6];
} vitro_shm_control;

/* Requests: the operations of vitro_device.h. Arguments and values are numbered from 0. `result` is
 * what the operation returns (0 where it returns nothing); data of 1 to 8 bytes is a number whose
 * first byte in memory is the lowest. A request that is not served is answered with -2. */
enum {
  VITRO_SHM_OPEN = 1, /* a fresh device, after the end of the one before. Guest memory is `regions`.
                         values: 0 to 5 the members of vitro_identity from device_id on; 6 `tail`
                         of the events before the first one of this device. -1: the log says why */
  VITRO_SHM_CLOSE = 2,            /* the end of the device */
  VITRO_SHM_OFFERED_FEATURES = 3, /* values: 0, 1 */
  VITRO_SHM_ACCEPT_FEATURES = 4,  /* arguments: 0, 1 */
  VITRO_SHM_GET_STATUS = 5,       /* values: 0 */
  VITRO_SHM_SET_STATUS = 6,       /* arguments: 0 */
  VITRO_SHM_RESET = 7,
  VITRO_SHM_CONFIG_READ = 8,        /* arguments: offset, width; values: 0 data */
  VITRO_SHM_CONFIG_WRITE = 9,       /* arguments: offset, width, data */
  VITRO_SHM_CONFIG_GENERATION = 10, /* values: 0 */
  VITRO_SHM_QUEUE_MAX_SIZE = 11,    /* arguments: queue; values: 0 */
  VITRO_SHM_QUEUE_SETUP = 12,       /* arguments: queue, size, descriptor, driver, device area */
  VITRO_SHM_QUEUE_RESET = 13,       /* arguments: queue */
  VITRO_SHM_NOTIFY = 14,            /* the doorbell. arguments: queue */
  VITRO_SHM_RUN = 15,               /* one step of work; result 1: there may be more */
  VITRO_SHM_STIMULATE = 16,
  VITRO_SHM_PCI_CONFIG_READ = 17,  /* arguments: offset, width; values: 0 data */
  VITRO_SHM_PCI_CONFIG_WRITE = 18, /* arguments: offset, width, data */
  VITRO_SHM_BAR_READ = 19,         /* arguments: bar, offset, width; values: 0 data */
  VITRO_SHM_BAR_WRITE = 20,        /* arguments: bar, offset, width, data */
  VITRO_SHM_MMIO_READ = 21,        /* arguments: offset, width; values: 0 data */
  VITRO_SHM_MMIO_WRITE = 22        /* arguments: offset, width, data */
};

/* A region of guest memory: `size` bytes at guest-physical `address`, `offset` bytes into the part
 * `memory`. */
typedef struct vitro_shm_region {
  uint64_t address, size, offset;
} vitro_shm_region;

/* One request at a time, so that a side which dies leaves at most one undone. The driver fills in
 * opcode and arguments and stores `request` + 1 (release); the device's side loads that (acquire),
 * stores it to `taken`, serves, fills in result and values, and stores it to `answer` (release).
 * request == answer: nothing is under way. A driver that follows one that died in the middle waits
 * for that first. */
typedef struct vitro_shm_mailbox {
  uint32_t request; /* driver */
  uint32_t opcode;
  uint64_t arguments[5];
  uint32_t region_count, padding0;
  vitro_shm_region regions[VITRO_SHM_REGIONS]; /* for OPEN */
  uint64_t padding1;
  uint32_t answer; /* device's side */
  uint32_t taken;
  int32_t result;
  uint32_t padding2;
  uint64_t values[7];
} vitro_shm_mailbox;

/* What the device tells its driver. */
enum {
  VITRO_SHM_QUEUE_SIGNAL = 1,  /* a used buffer notification; data: the queue */
  VITRO_SHM_CONFIG_SIGNAL = 2, /* a configuration change notification */
  VITRO_SHM_MESSAGE = 3,       /* an MSI-X message: `data` written to `address` */
  VITRO_SHM_LINE = 4           /* the interrupt line; data: 1 asserted, 0 not */
};
typedef struct vitro_shm_event {
  uint32_t kind;
  uint32_t data;
  uint64_t address;
} vitro_shm_event;

/* A ring of event_capacity entries. Event number N is in entry N modulo capacity. */
typedef struct vitro_shm_events {
  uint64_t tail; /* device's side: events so far; stored with release after the entry */
  uint64_t lost; /* device's side: events for which the driver made no room in time */
  uint64_t padding0[6];
  uint64_t head; /* driver: events taken in; never above tail */
  uint64_t padding1[7];
  vitro_shm_event entries[];
} vitro_shm_events;

/* Lines of text since OPEN, each ended by a line feed. */
typedef struct vitro_shm_log {
  uint32_t length; /* device's side: bytes of text, stored with release after them */
  char text[];
} vitro_shm_log;

#ifdef __cplusplus
}
#endif
#endif
