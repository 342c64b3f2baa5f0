/* One device that is a process: its event lines are read through the loop, and it is gone when it
 * takes too long or when this process goes. In the posix world it is a `nobrick device`, started
 * from this very program. */
#ifndef NOBRICK_HARNESS_RUN_SPAWN_H
#define NOBRICK_HARNESS_RUN_SPAWN_H

#include "sim/posix/loop.h"

#define NB_SPAWN_ARGUMENTS 80

struct nb_spawn {
    struct posix_loop *loop;
    /* A whole line of the device. */
    void (*line)(void *context, const char *text);
    void *context;
    const char *log;  /* file that takes its output; nb_spawn_run */
    uint32_t live_ms; /* then it is told to stop; 0: it stops by itself */
};

/* Runs the program with these arguments (NULL-terminated, without the program's name) and
 * `--events FD` until it ends. Sets *exit_code (128 + signal when killed). OTA_E_TIMEOUT after
 * `limit_ms`, OTA_E_CANCELLED when *stop became non-zero; the process is gone then, too. */
OTA_MUST_CHECK int nb_spawn_run(const struct nb_spawn *spawn, const char *const *arguments,
                                uint32_t limit_ms, const volatile int *stop, int *exit_code);

/* Reads the lines of a device that somebody else started from `lines`, until they end. Under
 * spawn->live_ms `switch_off` is called with `device` once. OTA_E_TIMEOUT and OTA_E_CANCELLED as
 * above: whoever started it must end it. */
OTA_MUST_CHECK int nb_spawn_read(const struct nb_spawn *spawn, int lines,
                                 void (*switch_off)(void *device), void *device, uint32_t limit_ms,
                                 const volatile int *stop);

#endif
