/* The posix world's event loop: one thread, timers, file descriptors, and messages posted from the
 * threads of libraries. Everything that agent or peers see is called from posix_loop_run. */
#ifndef NOBRICK_SIM_POSIX_LOOP_H
#define NOBRICK_SIM_POSIX_LOOP_H

#include "agent/ports.h"

struct posix_loop;

struct posix_loop *posix_loop_new(void);
void posix_loop_free(struct posix_loop *loop);

/* Calls `ready` whenever `fd` is readable or closed. One watcher a descriptor. Descriptors are used
 * again: `ready` may come for what happened to an earlier one of that number, so it must not block.
 * OTA_E_NO_SPACE. */
OTA_MUST_CHECK int posix_loop_watch(struct posix_loop *loop, int fd,
                                    void (*ready)(void *context, int fd), void *context);
void posix_loop_unwatch(struct posix_loop *loop, int fd);
/* What the watcher of `fd` waits for from now on; neither: it rests. */
void posix_loop_wait_for(struct posix_loop *loop, int fd, bool readable, bool writable);

/* From any thread: `call(context, data)` will run in the loop's thread; `data` is malloc'ed and the
 * loop frees it afterwards. Dropped when the loop is freed first. */
OTA_MUST_CHECK int posix_loop_post(struct posix_loop *loop, void (*call)(void *context, void *data),
                                   void *context, void *data);

/* A clock seam whose timers call `fire(context, id)`; freed with the loop, or before it by
 * posix_clock_free, after which nothing fires any more. */
struct posix_clock;
struct posix_clock *posix_clock_new(struct posix_loop *loop,
                                    void (*fire)(void *context, unsigned id), void *context);
const struct clock_port *posix_clock_port(struct posix_clock *clock);
void posix_clock_free(struct posix_clock *clock);

/* Runs until posix_loop_stop, or until `limit_ms` have passed (UINT32_MAX: no limit). Returns the
 * value given to stop, or OTA_E_TIMEOUT. */
int posix_loop_run(struct posix_loop *loop, uint32_t limit_ms);
void posix_loop_stop(struct posix_loop *loop, int value);
uint64_t posix_now_ms(void);

#endif
