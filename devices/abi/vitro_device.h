/* SPDX-License-Identifier: Apache-2.0
 *
 * The C ABI by which Vitro attaches a virtio device that lives in a library.
 *
 * A library exports one function, vitro_device_entry(), which returns a table of operations. Vitro
 * plays the driver: it negotiates, sets up queues, notifies; the device reaches guest memory and
 * raises notifications through the vitro_host it was created with.
 *
 * Versions. Every struct starts with its size as its author compiled it; members are only ever
 * added at the end, so that either side may be older: a member beyond the other side's size is
 * absent. VITRO_ABI_VERSION changes only when that is not enough, and then the two sides refuse
 * each other.
 *
 * Threads. Vitro calls a device from one thread at a time. A device may do work on threads of its
 * own and call the host from them; run() then returns 0 only when those are idle as well.
 *
 * Section numbers are those of VIRTIO 1.4. All integers are in host byte order except the contents
 * of the config space and of guest memory, which are little-endian as the standard has them. */
#ifndef VITRO_DEVICE_H
#define VITRO_DEVICE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VITRO_ABI_VERSION 1u

/* A device instance. The library defines it; Vitro only carries the pointer. */
typedef struct vitro_device vitro_device;

/* What the host gives to a device. Valid until destroy() returns. */
typedef struct vitro_host {
  uint32_t size;
  uint32_t abi_version;
  void* context; /* first argument of every call below */
  /* Copy from or to guest memory. 0, or -1 (and nothing is copied) unless all of
   * [address, address + length) is guest memory. */
  int (*read)(void* context, uint64_t address, void* to, uint64_t length);
  int (*write)(void* context, uint64_t address, const void* from, uint64_t length);
  /* A direct pointer to the same bytes, valid until destroy(); NULL unless they are guest memory
   * and lie in one region. Accesses through it are seen by the host all the same. */
  void* (*map)(void* context, uint64_t address, uint64_t length);
  /* A used buffer notification for one queue (2.3). */
  void (*signal_queue)(void* context, uint16_t queue);
  /* A device configuration change notification (2.3). */
  void (*signal_config)(void* context);
  /* One line of text for the person at the other end, e.g. why create() failed. */
  void (*log)(void* context, const char* line);
  /* For devices that are whole PCI functions: an MSI-X message, the 32 bits of `data` written to
   * `address` (4.1.5.1.2). They do not use signal_queue() and signal_config(). */
  void (*send_message)(void* context, uint64_t address, uint32_t data);
  /* The level of the interrupt line, INTA# of a PCI function or the interrupt of an MMIO device:
   * 1 asserted, 0 not. */
  void (*set_line)(void* context, int asserted);
} vitro_host;

typedef struct vitro_identity {
  uint32_t size;
  uint32_t device_id;   /* device type, chapter 5 */
  uint32_t vendor_id;   /* 0 if there is none */
  uint32_t queue_count; /* virtqueues that exist with all features; indices 0 .. queue_count - 1 */
  uint32_t config_size; /* bytes of device-specific configuration space, 0 if there is none */
  /* Administration virtqueues (2.13): indices admin_queue_index .. admin_queue_index +
   * admin_queue_count - 1, none of them below queue_count. Count 0 if there are none. */
  uint32_t admin_queue_index;
  uint32_t admin_queue_count;
} vitro_identity;

/* One virtqueue as the driver set it up (2.6). For a packed virtqueue the three areas are the
 * descriptor ring, the driver event suppression and the device event suppression structures. */
typedef struct vitro_queue {
  uint32_t size;
  uint32_t queue_size;     /* descriptors */
  uint64_t desc_address;   /* descriptor area */
  uint64_t driver_address; /* driver area: the available ring */
  uint64_t device_address; /* device area: the used ring */
} vitro_queue;

/* A device that is a whole PCI function (4.1). The host enumerates it as a bus would: it sizes and
 * assigns the BARs, enables it and programs MSI-X, all through these. Values are in host byte
 * order; bit 0 is that of the byte at `offset`. */
typedef struct vitro_pci_ops {
  uint32_t size;
  /* Configuration space: offset 0 to 4095, width 1, 2 or 4, naturally aligned. A function with an
   * SR-IOV capability answers for its virtual functions as well: theirs are asked for at their
   * routing id, less that of the function itself, times 4096. All others read all-ones there. */
  uint32_t (*config_read)(vitro_device* device, uint32_t offset, uint32_t width);
  void (*config_write)(vitro_device* device, uint32_t offset, uint32_t width, uint32_t value);
  /* An access `offset` bytes into BAR `bar` (0 to 5; the lower of the two of a 64-bit BAR). width
   * 1, 2, 4 or 8, any offset is tried. -1: nobody answers, and the driver reads all-ones. */
  int (*bar_read)(vitro_device* device, uint32_t bar, uint64_t offset, uint32_t width,
                  uint64_t* value);
  int (*bar_write)(vitro_device* device, uint32_t bar, uint64_t offset, uint32_t width,
                   uint64_t value);
} vitro_pci_ops;

/* A device that is a register window (4.2), with one interrupt: vitro_host.set_line(). */
typedef struct vitro_mmio_ops {
  uint32_t size;
  /* An access `offset` bytes into the window. width 1, 2, 4 or 8, any offset is tried. -1: nobody
   * answers. */
  int (*read)(vitro_device* device, uint64_t offset, uint32_t width, uint64_t* value);
  int (*write)(vitro_device* device, uint64_t offset, uint32_t width, uint64_t value);
} vitro_mmio_ops;

/* The device's operations. `optional` members may be NULL. Where a call returns int, 0 is success
 * and -1 a refusal, which the driver sees as the transport would show it. */
typedef struct vitro_device_ops {
  uint32_t size;
  uint32_t abi_version; /* VITRO_ABI_VERSION */
  const char* name;     /* for people */

  /* A new device after power-on reset. `options` is the rest of the attach string
   * ("key=value,key=value", never NULL). On -1 the reason has been given to host->log. */
  int (*create)(const vitro_host* host, const char* options, vitro_device** device);
  /* Ends the device; it calls the host no more. */
  void (*destroy)(vitro_device* device);
  /* Fills the members that fit in identity->size. */
  void (*identity)(vitro_device* device, vitro_identity* identity);

  /* Feature bits 0-63 and 64-127 (2.2). */
  void (*offered_features)(vitro_device* device, uint64_t words[2]);
  void (*accept_features)(vitro_device* device, const uint64_t words[2]);

  /* Device status (2.1). set_status is not called with 0: that is reset(). After it the driver
   * reads the status back, and so learns e.g. whether FEATURES_OK was taken. */
  uint8_t (*get_status)(vitro_device* device);
  void (*set_status)(vitro_device* device, uint8_t status);
  /* Device reset (2.4). get_status() reads 0 once it is complete; run() may be needed for that. */
  void (*reset)(vitro_device* device);

  /* Device-specific configuration space (2.5). width is 1, 2, 4 or 8 bytes, any offset is tried.
   * A refused read leaves *value alone. */
  int (*config_read)(vitro_device* device, uint32_t offset, void* value, uint32_t width);
  int (*config_write)(vitro_device* device, uint32_t offset, const void* value, uint32_t width);
  /* Configuration generation (2.5.1); optional where the device has no such count. */
  uint32_t (*config_generation)(vitro_device* device);

  /* Largest queue size the device takes for this queue; 0 if the queue is not available. */
  uint32_t (*queue_max_size)(vitro_device* device, uint32_t queue);
  /* Sets up and enables a queue. */
  int (*queue_setup)(vitro_device* device, uint32_t queue, const vitro_queue* setup);
  /* Virtqueue reset (2.6.1), complete on return; optional (no VIRTIO_F_RING_RESET). */
  int (*queue_reset)(vitro_device* device, uint32_t queue);
  /* An available buffer notification (2.3). May come at any time and for any queue number. */
  void (*notify)(vitro_device* device, uint32_t queue);

  /* Works until nothing more can be done without the driver or the outside world. Returns 1 if any
   * work was done, 0 if the device was idle. A device that works inside notify() returns 0. */
  int (*run)(vitro_device* device);

  /* "Change your configuration now": optional stimulus for tests. The device changes some field as
   * it might in operation and notifies; -1 if it has nothing to change. */
  int (*stimulate_config_change)(vitro_device* device);

  /* Optional. With one of these the device can be attached at that level (level=pci, level=mmio);
   * the operations from offered_features to notify, which drive it at the core level, may then be
   * NULL. An instance is driven at one level only. */
  const vitro_pci_ops* pci;
  const vitro_mmio_ops* mmio;
} vitro_device_ops;

/* The one symbol that a library exports. Returns NULL if it cannot serve that host version. */
typedef const vitro_device_ops* (*vitro_device_entry_fn)(uint32_t host_abi_version);
#define VITRO_DEVICE_ENTRY "vitro_device_entry"
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const vitro_device_ops*
vitro_device_entry(uint32_t host_abi_version);

#ifdef __cplusplus
}
#endif
#endif
