/* One `nobrick device` process: started from this very program, its event lines read through the
 * loop, killed when it takes too long or when this process goes. */
#ifndef NOBRICK_HARNESS_RUN_SPAWN_H
#define NOBRICK_HARNESS_RUN_SPAWN_H

#include "sim/posix/loop.h"

#define NB_SPAWN_ARGUMENTS 80

struct nb_spawn {
    struct posix_loop *loop;
    /* A whole line of the device. */
    void (*line)(void *context, const char *text);
    void *context;
    const char *log;  /* file that takes its output */
    uint32_t live_ms; /* then it is told to stop; 0: it stops by itself */
};

/* Runs the program with these arguments (NULL-terminated, without the program's name) and
 * `--events FD` until it ends. Sets *exit_code (128 + signal when killed). OTA_E_TIMEOUT after
 * `limit_ms`, OTA_E_CANCELLED when *stop became non-zero; the process is gone then, too. */
OTA_MUST_CHECK int nb_spawn_run(const struct nb_spawn *spawn, const char *const *arguments,
                                uint32_t limit_ms, const volatile int *stop, int *exit_code);

#endif
