/* SPDX-License-Identifier: Apache-2.0
 *
 * A device in a process of its own, in shared memory: minimal.c, served.
 *
 *   cc -I devices/abi devices/examples/minimal_shm.c devices/examples/minimal.c -o minimal_shm
 *   ./minimal_shm /minimal &               or, with the device working on its own:
 *   ./minimal_shm /minimal polling &
 *   vitro run shm:/minimal
 *
 * To serve a device of your own, link it instead of minimal.c. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "vitro_shm_server.h"

static vitro_shm_server server;

static void stop(int number) {
  (void)number;
  __atomic_store_n(&server.stop, 1, __ATOMIC_RELAXED);
}

int main(int argc, char** argv) {
  struct sigaction action = {.sa_handler = stop};
  const int polling = argc == 3 && strcmp(argv[2], "polling") == 0;
  if (argc != 2 && !polling) {
    fprintf(stderr, "usage: %s NAME [polling]\n", argv[0]);
    return 2;
  }
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  server.name = argv[1];
  server.ops = vitro_device_entry(VITRO_ABI_VERSION);
  if ((polling ? vitro_shm_serve_polling(&server) : vitro_shm_serve_blocking(&server)) != 0) {
    fprintf(stderr, "%s\n", server.error);
    return 1;
  }
  return 0;
}
