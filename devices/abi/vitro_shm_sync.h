/* SPDX-License-Identifier: Apache-2.0
 *
 * What both sides of vitro_shm.h need to use words of it together: ordered loads and stores, futex
 * waits, and whether the other side lives. Linux; C11 and C++. */
#ifndef VITRO_SHM_SYNC_H
#define VITRO_SHM_SYNC_H

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* Plain integers of the segment are accessed by these alone, so that they mean the same in C and
 * C++. Both sides may be in one process: ThreadSanitizer understands them. */
#define VITRO_SHM_LOAD(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define VITRO_SHM_STORE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)
/* Read once, unordered: a value that the other side should leave alone just now. */
#define VITRO_SHM_PEEK(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define VITRO_SHM_POKE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)

static inline void vitro_shm_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("" ::: "memory");
#endif
}

/* Wakes the side that sleeps on `wake`, if it does. What it is woken for must be stored before. */
static inline void vitro_shm_wake(uint32_t* wake, const uint32_t* sleeps) {
  __atomic_fetch_add(wake, 1u, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(sleeps, __ATOMIC_SEQ_CST) != 0)
    (void)syscall(SYS_futex, wake, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);
}

/* Sleeps until `wake` is no longer `seen`, a signal arrives, or `microseconds` have passed. The
 * caller has read `seen` before it looked for what it waits for, and looks again after. */
static inline void vitro_shm_sleep(uint32_t* wake, uint32_t seen, uint32_t* sleeps,
                                   uint32_t microseconds) {
  struct timespec timeout;
  timeout.tv_sec = microseconds / 1000000;
  timeout.tv_nsec = (long)(microseconds % 1000000) * 1000;
  __atomic_store_n(sleeps, 1u, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(wake, __ATOMIC_SEQ_CST) == seen)
    (void)syscall(SYS_futex, wake, FUTEX_WAIT, seen, &timeout, NULL, 0);
  __atomic_store_n(sleeps, 0u, __ATOMIC_SEQ_CST);
}

/* The state (a letter of ps(1)) and start time of a process; 0 if there is none, 1 if the machine
 * does not tell. */
static inline char vitro_shm_process(pid_t pid, uint32_t* started) {
  char text[512], *at;
  unsigned long long start = 0;
  size_t length;
  FILE* file;
  snprintf(text, sizeof text, "/proc/%ld/stat", (long)pid);
  *started = 0;
  file = fopen(text, "re");
  if (file == NULL) return kill(pid, 0) == 0 || errno == EPERM ? 1 : 0;
  length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = '\0';
  at = strrchr(text, ')'); /* the name before it may hold anything */
  if (at == NULL || at[1] == '\0') return 0;
  at += 2;
  /* The state is field 3, the start time field 22. */
  {
    const char state = *at;
    int field;
    for (field = 3; field < 22 && at != NULL; ++field) {
      at = strchr(at, ' ');
      if (at != NULL) ++at;
    }
    if (at != NULL) start = strtoull(at, NULL, 10);
    *started = (uint32_t)start;
    return state;
  }
}

/* This process as vitro_shm_control names it. */
static inline uint64_t vitro_shm_self(void) {
  uint32_t started;
  const pid_t pid = getpid();
  vitro_shm_process(pid, &started);
  return (uint64_t)started << 32 | (uint32_t)pid;
}

/* Does that side still live? A zombie does not. */
static inline int vitro_shm_alive(uint64_t side) {
  uint32_t started;
  const pid_t pid = (pid_t)(uint32_t)side;
  char state;
  if (pid <= 0) return 0;
  state = vitro_shm_process(pid, &started);
  if (state == 0 || state == 'Z' || state == 'X') return 0;
  return state == 1 || started == (uint32_t)(side >> 32);
}

#endif
